/* SPDX-License-Identifier: Apache-2.0 */
/* All volumes of an attempt, from spec to the last flush. */
#include "container/volumes_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PROGRAM "hearth-mount"
#define LOOK_AGAIN_MS 1000

/* Beside us: installed together, or in the build's folders. */
static int open_program(int *ret_fd, struct error *err)
{
	static const char *const beside[] = {"", "/../hub"};
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len > 0 ? len : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; slash && i < sizeof(beside) / sizeof(beside[0]); i++) {
		autofree char *path = xasprintf("%s%s/" PROGRAM, self, beside[i]);
		*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (*ret_fd >= 0)
			return 0;
	}
	return fail(err, E_UNAVAILABLE, PROGRAM " is not installed beside hearth-monitor");
}

static int find_user(struct volumes *set, struct error *err)
{
	const struct passwd *user = getpwnam(set->configuration->user);

	set->uid = getuid();
	set->gid = getgid();
	if (set->uid != 0)
		return 0;
	if (!user)
		return fail(err, E_INVALID, "server.user: there is no system user \"%s\"",
		            set->configuration->user);
	set->uid = user->pw_uid;
	set->gid = user->pw_gid;
	return 0;
}

/* What is for uv is somebody else's business (monitor_uv.c). */
static bool is_ours(const json_t *mount)
{
	const char *kind = json_get_text(mount, "kind", "");

	return strcmp(kind, VOLUME_UV_CACHE) != 0 && strcmp(kind, VOLUME_UV_WHEELS) != 0;
}

static int open_all(struct volumes *set, const json_t *mounts, struct error *err)
{
	size_t i;
	json_t *mount;

	json_array_foreach(mounts, i, mount)
	{
		struct volume *v = &set->list[set->count];

		if (!is_ours(mount))
			continue;
		if (set->count == VOLUMES_MAX)
			return fail(err, E_INVALID, "a job can have at most %d volumes",
			            VOLUMES_MAX);
		*v = (struct volume){.set = set, .folder_fd = -1, .link_fd = -1, .request_fd = -1};
		set->count++;
		if (volume_folder_open(v, mount, err) < 0)
			return -1;
	}
	return 0;
}

int volumes_open(const struct configuration *configuration, const json_t *mounts,
                 struct volumes **ret, struct error *err)
{
	struct volumes *set;
	bool has_ours = false;
	size_t i;
	json_t *mount;

	json_array_foreach(mounts, i, mount) has_ours |= is_ours(mount);
	if (!has_ours)
		return 0;
	set = xcalloc(1, sizeof(*set));
	set->configuration = configuration;
	set->program_fd = -1;
	*ret = set; /* freed by the caller in any case */
	if (open_program(&set->program_fd, err) < 0 || find_user(set, err) < 0)
		return -1;
	return open_all(set, mounts, err);
}

int volumes_start(struct volumes *set, struct error *err)
{
	if (!set)
		return 0;
	if (mkdir(STAGE_DIR "/volumes", 0755) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot make " STAGE_DIR "/volumes");
	for (size_t i = 0; i < set->count; i++) {
		if (volume_serve_start(&set->list[i], i, err) < 0)
			return -1;
	}
	return 0;
}

static void link_readable(void *arg, uint32_t events)
{
	struct volume *v = arg;
	struct volumes *set = v->set;

	if (volume_serve_hear(v))
		return;
	poller_unwatch(v->watch);
	v->watch = NULL;
	if (!v->is_ready)
		return;
	log_error("the volume %s broke", v->target);
	if (set->remark[0] == '\0')
		(void)snprintf(set->remark, sizeof(set->remark),
		               "the volume %s (%s) broke while the job ran: its server ended "
		               "unexpectedly",
		               v->target, v->what);
}

/* 1: all are ready. */
static int check_ready(const struct volumes *set, int64_t begin_ms, struct error *err)
{
	bool all = true;

	for (size_t i = 0; i < set->count; i++) {
		const struct volume *v = &set->list[i];

		if (v->is_ready)
			continue;
		all = false;
		if (v->error[0])
			return fail(err, E_UNAVAILABLE, "Volume %s: %s", v->target, v->error);
		if (!v->watch)
			return fail(err, E_INTERNAL, "Volume %s: " PROGRAM " could not be run",
			            v->target);
		if (v->patience_ms > 0 && clock_monotonic_ms() - begin_ms > v->patience_ms)
			return fail(err, E_UNAVAILABLE, "Volume %s: the %s is not ready after %d s",
			            v->target, v->what, (int)(v->patience_ms / 1000));
	}
	return all;
}

int volumes_await(struct volumes *set, uint32_t owner_uid, uint32_t owner_gid,
                  struct poller *poller, const struct monitor_end *end, struct control *control,
                  struct error *err)
{
	int64_t begin_ms = clock_monotonic_ms();
	int state;

	if (!set)
		return 0;
	set->control = control;
	for (size_t i = 0; i < set->count; i++) {
		struct volume *v = &set->list[i];
		volume_serve_tell(v, owner_uid, owner_gid);
		v->watch = poller_watch(poller, v->link_fd, EPOLLIN, link_readable, v);
	}
	while ((state = check_ready(set, begin_ms, err)) == 0 &&
	       monitor_end_outcome(end) == OUTCOME_NONE)
		poller_turn(poller, LOOK_AGAIN_MS);
	if (state < 0)
		return -1;
	set->control = NULL;
	if (monitor_end_outcome(end) != OUTCOME_NONE)
		return fail(err, E_CONFLICT, "the job was cancelled");
	for (size_t i = 0; i < set->count; i++)
		volume_serve_set_read_ahead(&set->list[i]);
	return 0;
}

void volumes_add_mounts(const struct volumes *set, json_t *mounts)
{
	for (size_t i = 0; set && i < set->count; i++) {
		const struct volume *v = &set->list[i];
		json_array_append_new(mounts,
		                      json_pack("{s:s, s:s, s:b}", "source", v->source, "target",
		                                v->target, "read_only", (int)v->is_read_only));
	}
}

const char *volumes_remark(const struct volumes *set)
{
	return set ? set->remark : "";
}

void volumes_kill(struct volumes *set)
{
	for (size_t i = 0; set && i < set->count; i++) {
		if (set->list[i].pid > 0)
			(void)kill(set->list[i].pid, SIGKILL);
	}
}

int volumes_finish(struct volumes *set, struct error *err)
{
	struct error ignored = ERROR_INIT; /* the first one is told */
	int result = 0;

	for (size_t i = 0; set && i < set->count; i++) {
		struct volume *v = &set->list[i];

		poller_unwatch(v->watch);
		v->watch = NULL;
		if (volume_serve_end(v, result ? &ignored : err) < 0)
			result = -1;
	}
	return result;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void volumes_free(struct volumes *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++) {
		struct volume *v = &set->list[i];

		close_fd(v->folder_fd);
		close_fd(v->link_fd);
		close_fd(v->request_fd);
		json_decref(v->request);
		free(v->what);
		free(v->target);
	}
	close_fd(set->program_fd);
	free(set);
}
