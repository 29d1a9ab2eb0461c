/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jobs' network without jobs, for test_network.py. Run it in a network namespace that plays the
 * host.
 *
 *   network_alone setup|teardown CONFIG_FILE
 *   network_alone job CONFIG_FILE SLOT RESOLV_CONF PROGRAM [ARGUMENT…]
 *       as a monitor: makes the namespace, attaches it, relays name service, prints the job's
 *       resolv.conf on a line "# …" each, and runs the program inside. Exit status: the program's.
 */
#include "base/clock.h"
#include "base/configuration.h"
#include "base/log.h"
#include "container/dns_relay.h"
#include "container/network.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int namespace_make(void)
{
	struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_NEWNET, .exit_signal = SIGCHLD};
	char path[64];
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	int fd;

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	(void)snprintf(path, sizeof(path), "/proc/%ld/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	(void)kill((pid_t)pid, SIGKILL);
	(void)waitpid((pid_t)pid, NULL, 0);
	return fd;
}

static pid_t program_start(int netns_fd, char **argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (setns(netns_fd, CLONE_NEWNET) < 0)
			_exit(126);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void plan_print(const struct dns_plan *plan)
{
	char text[sizeof(plan->resolv_conf)];
	char *rest = NULL;

	(void)snprintf(text, sizeof(text), "%s", plan->resolv_conf);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		printf("# %s\n", line);
	fflush(stdout);
}

static int job_run(const struct configuration *c, char **argv, struct error *err)
{
	struct poller *poller;
	struct network_attachment network;
	struct dns_relay *relay = NULL;
	struct dns_plan plan;
	int netns_fd = namespace_make();
	int status;
	pid_t pid;

	dns_plan_read(c, argv[1], &plan);
	plan_print(&plan);
	if (netns_fd < 0 || network_attach(c, atoi(argv[0]), netns_fd, &plan, &network, err) < 0)
		return -1;
	poller = poller_new();
	if (plan.relay)
		relay = dns_relay_new(poller, &plan, network.dns_udp_fd, network.dns_tcp_fd);
	pid = program_start(netns_fd, argv + 2);
	while (waitpid(pid, &status, WNOHANG) == 0)
		poller_turn(poller, 20);
	dns_relay_free(relay);
	poller_free(poller);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	struct configuration *c = configuration_new();
	struct error err = ERROR_INIT;
	int status = -1;

	log_open("network_alone", LOG_LEVEL_INFO);
	if (argc < 3 || configuration_read_file(c, argv[2], &err) < 0 ||
	    configuration_finish(c, &err) < 0) {
		log_error("%s", argc < 3 ? "usage: see the source" : err.text);
		configuration_free(c);
		return 2;
	}
	if (strcmp(argv[1], "setup") == 0) {
		status = network_host_setup(c, &err);
	} else if (strcmp(argv[1], "teardown") == 0) {
		network_host_teardown(c);
		status = 0;
	} else if (argc > 5) {
		status = job_run(c, argv + 3, &err);
	}
	if (status < 0)
		log_error("%s", err.text);
	configuration_free(c);
	return status < 0 ? 2 : status;
}
