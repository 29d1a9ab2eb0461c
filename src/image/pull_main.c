/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth-pull: one image fetched, imported or removed. Started by the spawner, as root, with a
 * message pair as descriptor 3 and perhaps an archive as descriptor 4.
 *
 * This process itself keeps root's rights, because layers hold files of many owners, and therefore
 * does little: it reads JSON of known size from its own children, takes locks, moves folders.
 * Whoever speaks to a registry is a child with hearthd's user (pull_resolve.c); whoever reads
 * archives is a child with namespaces of its own that sees nothing but the folder to fill
 * (sandbox.c).
 */
#include "base/cleanup.h"
#include "base/configuration.h"
#include "base/log.h"
#include "image/pull_actions.h"
#include "image/pull_link.h"
#include "image/pull_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>

int pull_read_reference(const struct pull_context *c, struct reference *ret, struct error *err)
{
	const char *text = json_get_text(c->request, "reference", NULL);

	if (!text)
		return fail(err, E_INVALID, "The request has no reference");
	return reference_parse(text, ret, err);
}

const char *pull_architecture(const struct pull_context *c)
{
	static const struct {
		const char *machine, *architecture;
	} names[] = {{"x86_64", "amd64"},   {"aarch64", "arm64"},   {"armv7l", "arm/v7"},
	             {"i686", "386"},       {"ppc64le", "ppc64le"}, {"s390x", "s390x"},
	             {"riscv64", "riscv64"}};
	static struct utsname machine;
	const char *wish = json_get_text(c->request, "architecture", "");

	if (wish[0])
		return wish;
	(void)uname(&machine);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(machine.machine, names[i].machine) == 0)
			return names[i].architecture;
	}
	return machine.machine;
}

static const struct {
	const char *name;
	int (*run)(const struct pull_context *context, struct error *err);
} pull_actions[] = {
        {"pull", pull_image},
        {"import", pull_import},
        {"remove", pull_remove},
        {"prune", pull_prune},
};

static int pull_dispatch(const struct pull_context *c, struct error *err)
{
	const char *action = json_get_text(c->request, "action", "");

	for (size_t i = 0; i < sizeof(pull_actions) / sizeof(pull_actions[0]); i++) {
		if (strcmp(action, pull_actions[i].name) == 0)
			return pull_actions[i].run(c, err);
	}
	return fail(err, E_INVALID, "The action must be pull, import, remove or prune, not '%.40s'",
	            action);
}

/* Inherited on purpose, but not for our children. */
static int pull_adopt_fd(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0 ? fd : -1;
}

static int pull_read_configuration(int argc, char **argv, struct configuration *configuration,
                                   struct error *err)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {NULL}};
	const char *path = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option != 'c')
			return fail(err, E_INVALID, "usage: hearth-pull --config FILE");
		path = optarg;
	}
	if (!path || optind < argc)
		return fail(err, E_INVALID, "usage: hearth-pull --config FILE");
	return configuration_read_file(configuration, path, err);
}

static int pull_run(int argc, char **argv, struct pull_context *c,
                    struct configuration *configuration, struct error *err)
{
	if (pull_read_configuration(argc, argv, configuration, err) < 0)
		return -1;
	int level = log_level_by_name(configuration->log_level ? configuration->log_level : "info");

	log_open("hearth-pull", level < 0 ? LOG_LEVEL_INFO : (enum log_level)level);
	if (pull_link_receive(c->link_fd, &c->request, err) < 0)
		return -1;
	return pull_dispatch(c, err);
}

/* Removing a deep tree takes a descriptor for each of its levels. */
static void pull_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	struct configuration *configuration = configuration_new();
	struct pull_context context = {.configuration = configuration};
	struct error err = ERROR_INIT;
	int status = 0;

	log_open("hearth-pull", LOG_LEVEL_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(022);
	pull_raise_files();
	context.link_fd = pull_adopt_fd(PULL_SOCKET_FD);
	context.archive_fd = pull_adopt_fd(PULL_ARCHIVE_FD);
	if (context.link_fd < 0) {
		log_error("descriptor %d is not open: hearth-pull is started by hearthd",
		          PULL_SOCKET_FD);
		status = 1;
	} else if (pull_run(argc, argv, &context, configuration, &err) < 0) {
		pull_link_send_error(context.link_fd, &err);
		status = error_exit_status(err.code);
	}
	json_decref(context.request);
	configuration_free(configuration);
	return status;
}
