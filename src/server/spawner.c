/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spawner's loop: one message, one check after the other, one child. It keeps no state about
 * its children; whoever asked watches its end of the pair.
 */
#include "server/spawner.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/spawner_link.h"
#include "server/programs.h"
#include "server/spawner_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_MAX 4

struct request {
	struct spawn_message message;
	int fds[FDS_MAX];
	size_t n_fds;
};

static void answer(int pair_fd, const char *text)
{
	(void)send(pair_fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void answer_error(int pair_fd, const struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(4096);

	(void)buffer_printf(&text, "{\"type\":\"error\",\"code\":\"%s\",\"text\":\"",
	                    error_code_name(err->code));
	(void)json_escape(&text, err->text, strlen(err->text));
	(void)buffer_add_text(&text, "\"}");
	answer(pair_fd, buffer_text(&text));
}

static bool is_pair_end(int fd)
{
	int domain, type;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static int archive_check(int fd, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)))
		return fail(err, E_INVALID, "the archive is neither a file nor a pipe");
	return 0;
}

static int do_monitor(const struct spawner *s, const struct request *r, struct error *err)
{
	autoclose int dir_fd = -1;
	bool is_ours = false;

	if (spawner_folder_open(s, r->message.name, &dir_fd, &is_ours, err) < 0)
		return -1;
	if (is_ours)
		return fail(err, E_CONFLICT, "the attempt %s was started before", r->message.name);
	if (spawner_folder_take(s, dir_fd, err) < 0)
		return -1;
	return spawner_start_monitor(s, dir_fd, r->fds[0], err);
}

static int do_pull(const struct spawner *s, const struct request *r, struct error *err)
{
	int archive_fd = r->n_fds > 1 ? r->fds[1] : -1;

	if (archive_fd >= 0 && archive_check(archive_fd, err) < 0)
		return -1;
	return spawner_start_pull(s, r->fds[0], archive_fd, err);
}

/* Takes as long as the disk needs, so in a child. */
static int do_clean(const struct spawner *s, const struct request *r, struct error *err)
{
	pid_t pid = fork();
	struct error failed = ERROR_INIT;

	if (pid < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot start a process");
	if (pid > 0)
		return 0;
	spawner_child_reset();
	if (spawner_folder_clean(s, r->message.name, r->message.kind == SPAWN_REMOVE, &failed) < 0)
		answer_error(r->fds[0], &failed);
	else
		answer(r->fds[0], "{\"type\":\"done\"}");
	_exit(0);
}

static int request_do(const struct spawner *s, const struct request *r, struct error *err)
{
	const struct spawn_message *m = &r->message;

	if (!memchr(m->name, '\0', sizeof(m->name)))
		return fail(err, E_INVALID, "a name without end");
	if (m->kind == SPAWN_PULL ? m->name[0] != '\0' : !spawn_name_is_valid(m->name))
		return fail(err, E_INVALID, "\"%s\" is not the name of an attempt", m->name);
	if (m->kind != SPAWN_PULL && r->n_fds != 1)
		return fail(err, E_INVALID, "too many descriptors for the spawner");
	switch (m->kind) {
	case SPAWN_MONITOR:
		return do_monitor(s, r, err);
	case SPAWN_PULL:
		return do_pull(s, r, err);
	case SPAWN_CLEAN:
	case SPAWN_REMOVE:
		return do_clean(s, r, err);
	default:
		return fail(err, E_INVALID, "unknown request %d to the spawner", m->kind);
	}
}

static void fds_take(struct msghdr *head, struct request *r)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(head); part; part = CMSG_NXTHDR(head, part)) {
		size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count && r->n_fds < FDS_MAX; i++)
			memcpy(&r->fds[r->n_fds++], CMSG_DATA(part) + i * sizeof(int), sizeof(int));
	}
}

/* 1: a request of the right shape; 0: nonsense, ignored; -1: the link is closed. Descriptors in `r`
 * are to be closed in any case. */
static int request_read(int link_fd, struct request *r)
{
	union {
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&r->message, sizeof(r->message)};
	struct msghdr head = {.msg_iov = &iov,
	                      .msg_iovlen = 1,
	                      .msg_control = control.space,
	                      .msg_controllen = sizeof(control.space)};
	ssize_t n = recvmsg(link_fd, &head, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	r->n_fds = 0;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	fds_take(&head, r);
	if (n == 0 && r->n_fds == 0)
		return -1;
	if (n != sizeof(r->message) || (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    r->n_fds < 1 || r->n_fds > 2 || !is_pair_end(r->fds[0])) {
		log_warning("the spawner ignores a malformed request");
		return 0;
	}
	return 1;
}

/* False: the link is closed. */
static bool request_handle(const struct spawner *s, int link_fd)
{
	struct error err = ERROR_INIT;
	struct request r;
	int state = request_read(link_fd, &r);

	if (state > 0 && request_do(s, &r, &err) < 0) {
		log_warning("spawner: %s", err.text);
		answer_error(r.fds[0], &err);
	}
	for (size_t i = 0; i < r.n_fds; i++)
		close(r.fds[i]);
	return state >= 0;
}

/* Reap whoever ended; true with *ret_status when the HTTP process is among them. */
static bool children_reap(pid_t http_pid, int *ret_status)
{
	pid_t pid;
	int status;
	bool ended = false;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != http_pid)
			continue;
		ended = true;
		*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (WIFSIGNALED(status))
			log_error("the HTTP process ended by signal %d", WTERMSIG(status));
	}
	return ended;
}

/* False: we are to end. */
static bool signals_handle(int signals_fd, pid_t http_pid, int *ret_status)
{
	struct signalfd_siginfo info;

	while (read(signals_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		/* The HTTP process ends in its own way, then so do we. */
		if (http_pid <= 0)
			return false;
		(void)kill(http_pid, (int)info.ssi_signo);
	}
	return !children_reap(http_pid, ret_status);
}

static int signals_open(void)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int spawner_init(struct spawner *s, const struct configuration *c, struct error *err)
{
	autofree char *attempts = xasprintf("%s/attempts", c->state_dir);

	s->configuration = c;
	s->config_path = xasprintf("%s/run/effective.ini", c->state_dir);
	if (spawner_user(c, &s->uid, &s->gid, err) < 0 ||
	    program_find("hearth-monitor", &s->monitor, err) < 0 ||
	    program_find("hearth-pull", &s->pull, err) < 0)
		return -1;
	return file_open_dir(attempts, 0770, &s->attempts_fd, err);
}

static void spawner_clear(struct spawner *s)
{
	if (s->attempts_fd >= 0)
		close(s->attempts_fd);
	free(s->monitor);
	free(s->pull);
	free(s->config_path);
}

/* The HTTP process closed its end: it is ending, or (tests) there is none. */
static int last_status(pid_t http_pid)
{
	int status = 0;

	if (http_pid <= 0 || waitpid(http_pid, &status, 0) != http_pid)
		return 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int spawner_run(int link_fd, const struct configuration *c, pid_t http_pid)
{
	struct spawner s = {.attempts_fd = -1};
	struct error err = ERROR_INIT;
	int signals_fd = signals_open();
	struct pollfd fds[2] = {{.fd = link_fd, .events = POLLIN},
	                        {.fd = signals_fd, .events = POLLIN}};
	int status = 0;

	if (signals_fd < 0 || spawner_init(&s, c, &err) < 0) {
		log_error("the spawner cannot start: %s", err.code ? err.text : strerror(errno));
		return 1;
	}
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			BUG("poll: %s", strerror(errno));
		if (fds[1].revents && !signals_handle(signals_fd, http_pid, &status))
			break;
		if (fds[0].revents && !request_handle(&s, link_fd)) {
			status = last_status(http_pid);
			break;
		}
	}
	spawner_clear(&s);
	close(signals_fd);
	return status;
}
