/* SPDX-License-Identifier: Apache-2.0 */
/* hearth-devices as a child. It may hang in a driver where nothing can end it, so it is never
 * waited for. */
#include "job/device_private.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define WORDS_MAX 72
#define READS_PER_TURN 16
#define END_POLLS 200
#define END_POLL_MS 5

static int start(struct device_child *child, const char *verb, bool has_nvml, struct error *err)
{
	const char *words[WORDS_MAX] = {child->program, verb, "--nvml",
	                                has_nvml ? child->configuration->nvml : "off"};
	struct child_spec spec = CHILD_SPEC(words);
	size_t n = 4;
	int pair[2];

	for (char **dir = child->configuration->cdi_dirs; dir && *dir && n < WORDS_MAX - 3; dir++) {
		words[n++] = "--cdi-dir";
		words[n++] = *dir;
	}
	if (pipe2(pair, O_CLOEXEC) < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot start %s", child->program);
	spec.out_fd = pair[1];
	int rc = child_start(&spec, &child->pid, err);
	(void)close(pair[1]);
	if (rc < 0) {
		(void)close(pair[0]);
		return -1;
	}
	(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	child->fd = pair[0];
	return 0;
}

/* False: there are too many that cannot be ended. */
static bool reap(struct device_child *child)
{
	bool has_room = false;

	for (size_t i = 0; i < LOST_CHILDREN_MAX; i++) {
		pid_t *pid = &child->lost[i];
		if (*pid && (waitpid(*pid, NULL, WNOHANG) == *pid || errno == ECHILD))
			*pid = 0;
		has_room |= *pid == 0;
	}
	return has_room;
}

/* Its end is seen at the next call of reap(). */
void device_child_kill(struct device_child *child)
{
	if (child->pid == 0)
		return;
	(void)kill(child->pid, SIGKILL);
	loop_watch_free(child->watch);
	child->watch = NULL;
	(void)close(child->fd);
	(void)reap(child);
	for (size_t i = 0; i < LOST_CHILDREN_MAX && child->pid; i++) {
		if (child->lost[i] == 0) {
			child->lost[i] = child->pid;
			child->pid = 0;
		}
	}
	child->pid = 0;
	buffer_reset(&child->input);
}

static void give_line(struct device_child *child, const char *text, size_t len)
{
	struct error err = ERROR_INIT;
	autojson json_t *line = NULL;

	if (json_parse(text, len, "line of hearth-devices", &line, &err) < 0)
		log_warning("%s", err.text);
	else
		child->on_line(child->arg, line);
}

static void give_lines(struct device_child *child)
{
	size_t at = 0;
	const char *end;

	while (at < child->input.len &&
	       (end = memchr(child->input.data + at, '\n', child->input.len - at))) {
		size_t len = (size_t)(end - child->input.data) - at;
		give_line(child, child->input.data + at, len);
		at += len + 1;
	}
	buffer_drop(&child->input, at);
}

/* 1: more may come, 0: nothing now, -1: the end, or a line without one. */
static int read_some(struct device_child *child)
{
	char chunk[16384];
	ssize_t n = read(child->fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -1;
	if (n == 0 || buffer_add(&child->input, chunk, (size_t)n) < 0)
		return -1;
	give_lines(child);
	return 1;
}

static void on_readable(void *arg, int events)
{
	struct device_child *child = arg;
	int rc = 1;

	for (int i = 0; i < READS_PER_TURN && rc == 1; i++)
		rc = read_some(child);
	child->on_read(child->arg);
	if (rc < 0) {
		device_child_kill(child);
		child->on_end(child->arg);
	}
}

int device_child_watch(struct device_child *child, struct error *err)
{
	if (!reap(child))
		return fail(err, E_UNAVAILABLE,
		            "%d processes that talk to drivers hang and cannot be ended",
		            LOST_CHILDREN_MAX);
	if (start(child, "watch", true, err) < 0)
		return -1;
	child->watch = loop_watch_new(child->loop, child->fd, UV_READABLE, on_readable, child);
	return 0;
}

struct listing {
	struct device *devices;
	size_t n;
};

static void on_listed(void *arg, const json_t *line)
{
	struct listing *listing = arg;

	if (listing->n < DEVICES_MAX && device_from_json(line, &listing->devices[listing->n]))
		listing->n++;
}

/* Did it end well? Whoever has said all may still hang on its way out. */
static bool ended_well(struct device_child *child)
{
	int status = -1;

	for (int i = 0; i < END_POLLS; i++) {
		if (waitpid(child->pid, &status, WNOHANG) == child->pid) {
			child->pid = 0;
			(void)close(child->fd);
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		}
		(void)poll(NULL, 0, END_POLL_MS);
	}
	return false;
}

int device_child_list(struct device_child *child, bool has_nvml, int64_t timeout_ms,
                      struct device *ret, size_t *ret_n, struct error *err)
{
	struct listing listing = {.devices = ret};
	struct device_child once = *child;
	int64_t end_ms = clock_monotonic_ms() + timeout_ms, left_ms;
	int rc = 1;

	once.on_line = on_listed;
	once.arg = &listing;
	once.input = BUFFER_INIT(child->input.max);
	if (start(&once, "list", has_nvml, err) < 0)
		return -1;
	while (rc >= 0 && (left_ms = end_ms - clock_monotonic_ms()) > 0) {
		struct pollfd fd = {.fd = once.fd, .events = POLLIN};
		if (poll(&fd, 1, (int)left_ms) > 0)
			rc = read_some(&once);
	}
	bool is_well = rc < 0 && ended_well(&once);
	device_child_kill(&once);
	memcpy(child->lost, once.lost, sizeof(child->lost));
	buffer_clear(&once.input);
	if (rc >= 0)
		return fail(err, E_UNAVAILABLE, "a device driver did not answer within %lld s",
		            (long long)timeout_ms / 1000);
	if (!is_well)
		return fail(err, E_UNAVAILABLE, "%s failed", child->program);
	*ret_n = listing.n;
	return 0;
}
