/* SPDX-License-Identifier: Apache-2.0 */
/* hearth-devices: see device_probe.h. Whoever starts it gives it no rights; it dies with them. */
#include "base/cleanup.h"
#include "base/configuration.h"
#include "base/log.h"
#include "container/cdi_nvidia.h"
#include "container/device_probe.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define DIRS_MAX 32

static const char usage[] =
        "Usage: hearth-devices list|watch|cdi [UUID,...] [--config FILE] [--cdi-dir DIR]... "
        "[--nvml auto|off|PATH]\n"
        "  list   the devices of this machine that jobs can have, a JSON object per line\n"
        "  watch  the same, then what they do and what changes, until its output is closed\n"
        "  cdi    the CDI specification that is made of the installed NVIDIA driver\n";

static int list(const struct probe_options *options)
{
	autojson json_t *devices = device_probe_list(options);
	const json_t *device;
	size_t i;

	json_array_foreach(devices, i, device)
	{
		autofree char *line = json_to_text(device);
		(void)puts(line);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

static int print_cdi(void)
{
	autojson json_t *specification = cdi_nvidia_make("/");

	if (!specification)
		return log_error("there is no NVIDIA driver here, or it has no card"), 1;
	return json_dumpf(specification, stdout, JSON_INDENT(2)) < 0 || puts("") < 0;
}

static int run(int argc, char **words, const struct probe_options *options)
{
	if (argc == 1 && !strcmp(words[0], "list"))
		return list(options);
	if (argc == 1 && !strcmp(words[0], "cdi"))
		return print_cdi();
	if ((argc == 1 || argc == 2) && !strcmp(words[0], "watch")) {
		device_probe_watch(options, argc == 2 ? words[1] : NULL);
		return 0;
	}
	return fputs(usage, stderr), 2;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
	        {"config", required_argument, NULL, 'c'}, {"cdi-dir", required_argument, NULL, 'd'},
	        {"nvml", required_argument, NULL, 'n'},   {"help", no_argument, NULL, 'h'},
	        {"version", no_argument, NULL, 'v'},      {NULL},
	};
	struct configuration *configuration = configuration_new();
	char *dirs[DIRS_MAX + 1] = {NULL};
	struct probe_options options = {.cdi_dirs = dirs};
	struct error err = ERROR_INIT;
	size_t n_dirs = 0;
	int option;

	log_open("hearth-devices", LOG_LEVEL_INFO);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'c' && configuration_read_file(configuration, optarg, &err) < 0)
			return log_error("%s", err.text), 1;
		if (option == 'd' && n_dirs < DIRS_MAX)
			dirs[n_dirs++] = optarg;
		else if (option == 'n')
			options.nvml = optarg;
		else if (option == 'v')
			return puts("hearth-devices " HEARTH_VERSION) < 0;
		else if (option == 'h' || option == '?')
			return fputs(usage, option == 'h' ? stdout : stderr), option == 'h' ? 0 : 2;
	}
	if (n_dirs == 0)
		options.cdi_dirs = configuration->cdi_dirs;
	if (!options.nvml)
		options.nvml = configuration->nvml;
	int rc = run(argc - optind, argv + optind, &options);
	configuration_free(configuration);
	return rc;
}
