/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth-monitor: runs the attempt whose folder is the present directory. The spawner starts it as
 * PID 1 of a PID namespace and in a mount namespace of its own, with one end of a SOCK_SEQPACKET
 * pair as descriptor 3, so that the kernel cleans up after it whatever happens.
 */
#include "base/configuration.h"
#include "base/log.h"
#include "container/monitor.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CONTROL_FD 3

static const char usage[] =
        "Usage: hearth-monitor --config FILE\n"
        "Runs the job attempt in the present directory. hearthd starts it; people do not.\n";

/* Only the kernel ends a monitor: what reaches a group of processes (Ctrl-C, a service being
 * stopped) must not end jobs. */
static void ignore_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], SIG_IGN);
}

static int find_control_fd(void)
{
	int type;
	socklen_t size = sizeof(type);

	if (getsockopt(CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_SEQPACKET)
		return -1;
	(void)fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
	return CONTROL_FD;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	        {"config", required_argument, NULL, 'c'},
	        {"help", no_argument, NULL, 'h'},
	        {"version", no_argument, NULL, 'v'},
	        {NULL},
	};
	const char *config = NULL;
	struct error err = ERROR_INIT;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			config = optarg;
		else if (option == 'v')
			return puts("hearth-monitor " HEARTH_VERSION) < 0;
		else
			return fputs(usage, option == 'h' ? stdout : stderr) < 0 || option != 'h';
	}
	if (!config)
		return fputs(usage, stderr), 2;
	log_open("hearth-monitor", LOG_LEVEL_INFO);
	ignore_signals();
	(void)umask(022);
	/* Orphans of the job come to us even when we are not PID 1 (tests, other backends). */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	int control_fd = find_control_fd();
	struct configuration *configuration = configuration_new();
	if (configuration_read_file(configuration, config, &err)) {
		log_error("%s", err.text);
		return 1;
	}
	int rc = monitor_run(configuration, control_fd);
	configuration_free(configuration);
	return rc;
}
