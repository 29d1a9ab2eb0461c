/* SPDX-License-Identifier: Apache-2.0 */
/* The child, its lines, and what is done when it is gone or silent. See the header. */
#include "container/device_watch.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/metrics_file.h"
#include "container/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "hearth-devices"
#define LINE_MAX_BYTES (64 * 1024)
#define AGAIN_MS 1000
#define AGAIN_MAX_MS (60 * 1000)

struct device {
	char uuid[96];
	int64_t at_ms; /* clock_monotonic_ms() of the reading; 0: none yet */
	struct device_reading reading;
};

struct device_watch {
	struct poller *poller;
	struct poller_timer *timer; /* runs: of its silence; else: to start it again */
	struct poller_watch *output;
	const struct configuration *configuration;
	int output_fd; /* -1: it does not run */
	pid_t pid;     /* 0: reaped */
	int64_t again_ms;
	bool was_told;
	struct buffer line;
	size_t count;
	struct device devices[METRICS_DEVICES_MAX];
};

static void start(struct device_watch *w);

size_t device_watch_count(const struct device_watch *w)
{
	return w ? w->count : 0;
}

const char *device_watch_uuid(const struct device_watch *w, size_t i)
{
	return w->devices[i].uuid;
}

void device_watch_read(const struct device_watch *w, size_t i, struct device_reading *ret)
{
	const struct device *device = &w->devices[i];

	*ret = device->reading;
	if (device->at_ms > 0 && clock_monotonic_ms() - device->at_ms <= DEVICE_READING_MAX_MS)
		return;
	ret->utilization_pct = -1;
	ret->memory_used_bytes = 0;
}

static void take_sample(struct device_watch *w, const json_t *sample)
{
	const char *uuid = json_get_text(sample, "uuid", "");
	int64_t utilization = json_get_int(sample, "utilization", -1);

	for (size_t i = 0; i < w->count; i++) {
		struct device *device = &w->devices[i];

		if (strcmp(device->uuid, uuid) != 0)
			continue;
		device->at_ms = clock_monotonic_ms();
		device->reading = (struct device_reading){
		        .utilization_pct =
		                utilization < 0 ? -1
		                                : (int32_t)(utilization > 100 ? 100 : utilization),
		        .memory_used_bytes = json_get_int(sample, "memory_used", 0),
		        .memory_total_bytes = json_get_int(sample, "memory_total", 0),
		};
	}
}

static void take_line(struct device_watch *w, const char *text, size_t len)
{
	struct error unused = ERROR_INIT;
	autojson json_t *message = NULL;
	size_t i;
	json_t *sample;

	if (json_parse(text, len, "a line of " PROGRAM, &message, &unused) < 0 ||
	    strcmp(json_get_text(message, "type", ""), "samples") != 0)
		return;
	w->again_ms = AGAIN_MS;
	json_array_foreach(json_object_get(message, "devices"), i, sample) take_sample(w, sample);
}

/* A program that hangs in the driver may not die at once; it is reaped when it does. */
static void stop(struct device_watch *w)
{
	if (w->output_fd < 0)
		return;
	poller_unwatch(w->output);
	w->output = NULL;
	(void)close(take_fd(&w->output_fd));
	buffer_reset(&w->line);
	(void)kill(w->pid, SIGKILL);
}

static void stop_until_later(struct device_watch *w, const char *why)
{
	stop(w);
	if (!w->was_told)
		log_warning("no figures of the job's devices: " PROGRAM " %s", why);
	w->was_told = true;
	poller_timer_set(w->timer, clock_monotonic_ms() + w->again_ms);
	w->again_ms = w->again_ms * 2 < AGAIN_MAX_MS ? w->again_ms * 2 : AGAIN_MAX_MS;
}

static void listen_on(struct device_watch *w)
{
	poller_timer_set(w->timer, clock_monotonic_ms() + w->configuration->probe_timeout_s * 1000);
}

static void output_ready(void *arg, uint32_t events)
{
	struct device_watch *w = arg;
	char piece[4096];
	ssize_t n = read(w->output_fd, piece, sizeof(piece));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || buffer_add(&w->line, piece, (size_t)n) < 0) {
		stop_until_later(w, n <= 0 ? "ended" : "writes lines that are too long");
		return;
	}
	for (;;) {
		const char *end = memchr(buffer_text(&w->line), '\n', w->line.len);
		size_t len = end ? (size_t)(end - w->line.data) : 0;

		if (!end)
			break;
		take_line(w, w->line.data, len);
		buffer_drop(&w->line, len + 1);
	}
	listen_on(w);
}

static void timer_due(void *arg)
{
	struct device_watch *w = arg;

	if (w->output_fd >= 0)
		stop_until_later(w, "is silent: the driver may hang");
	else
		start(w);
}

/* Beside us. */
static char *find_program(void)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	return xasprintf("%s/" PROGRAM, self);
}

static char *join_uuids(const struct device_watch *w)
{
	autobuffer struct buffer text = BUFFER_INIT(METRICS_DEVICES_MAX * sizeof(struct device));

	for (size_t i = 0; i < w->count; i++)
		(void)buffer_printf(&text, "%s%s", i ? "," : "", w->devices[i].uuid);
	return buffer_take(&text);
}

/* In the child. No right of ours goes with it. */
static _Noreturn void become_program(const struct device_watch *w, const struct passwd *user,
                                     const char *program, char *uuids, int output_fd)
{
	char *const argv[] = {(char[]){PROGRAM},  (char[]){"watch"},      uuids,
	                      (char[]){"--nvml"}, w->configuration->nvml, NULL};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)setsid();
	/* The host's files as they are, not what the stage covers; and no hold on the job's mounts:
	 * we stand in the stage. */
	if (chdir("/") < 0)
		_exit(126);
	if (getuid() == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	     umount2(STAGE_DIR, MNT_DETACH) < 0))
		_exit(126);
	if (dup2(output_fd, STDOUT_FILENO) < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(126);
	if (user && (initgroups(user->pw_name, user->pw_gid) < 0 ||
	             setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	             setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0))
		_exit(126);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)execv(program, argv);
	_exit(127);
}

static void reap(struct device_watch *w)
{
	if (w->pid > 0 && waitpid(w->pid, NULL, WNOHANG) == w->pid)
		w->pid = 0;
}

static void start(struct device_watch *w)
{
	const struct passwd *user = getuid() == 0 ? getpwnam(w->configuration->user) : NULL;
	autofree char *program = find_program(), *uuids = join_uuids(w);
	int pair[2];

	reap(w);
	/* One that cannot die still holds the driver: a second one would hang beside it. */
	if (w->pid > 0 || !program || (getuid() == 0 && !user) ||
	    pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0) {
		stop_until_later(w, w->pid > 0 ? "hangs in the driver" : "cannot be started");
		return;
	}
	w->pid = fork();
	if (w->pid == 0)
		become_program(w, user, program, uuids, pair[1]);
	(void)close(pair[1]);
	if (w->pid < 0) {
		(void)close(pair[0]);
		w->pid = 0;
		stop_until_later(w, "cannot be started");
		return;
	}
	w->output_fd = pair[0];
	w->output = poller_watch(w->poller, w->output_fd, EPOLLIN, output_ready, w);
	listen_on(w);
}

struct device_watch *device_watch_new(struct poller *poller,
                                      const struct configuration *configuration,
                                      const json_t *uuids)
{
	struct device_watch *w;
	size_t i;
	json_t *uuid;

	if (json_array_size(uuids) == 0)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->poller = poller;
	w->configuration = configuration;
	w->output_fd = -1;
	w->again_ms = AGAIN_MS;
	w->line = BUFFER_INIT(LINE_MAX_BYTES);
	w->timer = poller_timer_new(poller, timer_due, w);
	json_array_foreach(uuids, i, uuid)
	{
		if (w->count < METRICS_DEVICES_MAX)
			(void)snprintf(w->devices[w->count++].uuid, sizeof(w->devices[0].uuid),
			               "%s", json_string_value(uuid));
	}
	start(w);
	return w;
}

void device_watch_free(struct device_watch *w)
{
	if (!w)
		return;
	stop(w);
	reap(w);
	poller_timer_free(w->timer);
	buffer_clear(&w->line);
	free(w);
}
