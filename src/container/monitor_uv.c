/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A uv job and its cache (uv_cache.h): waiting for the job that builds the same environment, and
 * seeing when uv has started the program. No job fails for want of a cache: then it has a folder of
 * its own and uv does all the work again.
 */
#include "container/monitor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/volume.h"
#include "container/root_files.h"
#include "container/stage.h"
#include "container/uv_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define WAIT_LOOK_MS 20
#define WAIT_MAX_MS (20 * 60 * 1000LL)
#define START_LOOK_MS 15
#define START_LOOK_SLOW_MS 100
#define START_QUICK_MS 5000
#define START_MAX_MS (10 * 60 * 1000LL)
#define CHUNK_SIZE (16 * 1024)

struct monitor_uv {
	struct uv_cache *cache;
	struct poller_timer *timer;
	const char *target, *wheels_target; /* borrowed from the spec; NULL: not wanted */
	int wheels_fd;
	int64_t begun_ms;
	bool is_waiting, is_private;
	char told[64]; /* the builder that we have told of */
	struct monitor *monitor;
};

static const json_t *find_mount(const json_t *mounts, const char *kind)
{
	size_t i;
	json_t *mount;

	json_array_foreach((json_t *)(uintptr_t)mounts, i, mount)
	{
		if (strcmp(json_get_text(mount, "kind", ""), kind) == 0)
			return mount;
	}
	return NULL;
}

static void give_up(struct monitor_uv *uv, const struct error *err)
{
	log_warning("no cache for uv: %s", err->text);
	uv_cache_close(uv->cache);
	uv->cache = NULL;
}

static void tell_waiting(struct monitor_uv *uv)
{
	const char *builder = uv_cache_builder(uv->cache);
	char text[256];

	if (uv->told[0] && strcmp(uv->told, builder) == 0)
		return;
	(void)snprintf(uv->told, sizeof(uv->told), "%s", builder[0] ? builder : "-");
	if (builder[0])
		(void)snprintf(text, sizeof(text),
		               "{\"type\":\"progress\",\"text\":\"Waiting for the environment that "
		               "job %s builds\"}",
		               builder);
	else
		(void)snprintf(text, sizeof(text),
		               "{\"type\":\"progress\",\"text\":\"Waiting while the cache of uv is "
		               "cleaned\"}");
	control_tell(uv->monitor->control, text);
}

static void look_for_turn(void *arg)
{
	struct monitor_uv *uv = arg;
	enum uv_cache_state state;
	struct error err = ERROR_INIT;
	int64_t now_ms = clock_monotonic_ms();

	if (uv_cache_try(uv->cache, &state, &err)) {
		give_up(uv, &err);
		state = UV_CACHE_READY;
	}
	uv->is_waiting = state == UV_CACHE_WAIT;
	if (!uv->is_waiting) {
		poller_stop(uv->monitor->poller);
		return;
	}
	tell_waiting(uv);
	if (now_ms - uv->begun_ms > WAIT_MAX_MS && !uv->is_private) {
		uv->is_private = true;
		uv_cache_set_private(uv->cache);
	}
	poller_timer_set(uv->timer, now_ms + WAIT_LOOK_MS);
}

static int wait_for_turn(struct monitor *m, const json_t *mount, struct error *err)
{
	struct error failed = ERROR_INIT;
	char attempt[40];

	m->uv->target = json_get_text(mount, "target", "");
	m->uv->begun_ms = clock_monotonic_ms();
	(void)snprintf(attempt, sizeof(attempt), "%s.%lld", m->spec.job_id,
	               (long long)m->spec.attempt);
	if (uv_cache_open(m->configuration->state_dir, mount, attempt, &m->uv->cache, &failed)) {
		give_up(m->uv, &failed);
		return 0;
	}
	m->uv->is_private = json_get_bool(mount, "private", false);
	if (m->uv->is_private)
		uv_cache_set_private(m->uv->cache);
	m->uv->timer = poller_timer_new(m->poller, look_for_turn, m->uv);
	m->uv->is_waiting = true;
	poller_timer_set(m->uv->timer, m->uv->begun_ms);
	poller_run(m->poller);
	if (monitor_end_outcome(m->end) != OUTCOME_NONE)
		return fail(err, E_CONFLICT, "the job was cancelled");
	return 0;
}

/* While the host's /tmp can be seen. */
static int open_wheels(struct monitor_uv *uv, const json_t *mount, struct error *err)
{
	const char *path = uv->monitor->configuration->uv_wheels;

	uv->wheels_target = json_get_text(mount, "target", "");
	if (!path || uv->wheels_target[0] != '/')
		return fail(err, E_INVALID, "uv.wheels is not set any more");
	uv->wheels_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (uv->wheels_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "uv.wheels: %s", path);
	return 0;
}

int monitor_uv_wait(struct monitor *m, struct error *err)
{
	const json_t *cache = find_mount(m->spec.mounts, VOLUME_UV_CACHE);
	const json_t *wheels = find_mount(m->spec.mounts, VOLUME_UV_WHEELS);

	if (!cache && !wheels)
		return 0;
	m->uv = xcalloc(1, sizeof(*m->uv));
	m->uv->monitor = m;
	m->uv->wheels_fd = -1;
	if (wheels && open_wheels(m->uv, wheels, err))
		return -1;
	return cache ? wait_for_turn(m, cache, err) : 0;
}

static int mount_wheels(const struct monitor_uv *uv, const struct uv_cache_view *view,
                        struct error *err)
{
	struct mount_attr attr = {
	        .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
	};
	autoclose int target_fd = -1;

	if (root_files_make_dir(view->root_fd, uv->wheels_target, view->first_id, err) ||
	    file_open_in_root(view->root_fd, uv->wheels_target, O_PATH | O_DIRECTORY, 0, &target_fd,
	                      err))
		return -1;
	autoclose int tree =
	        open_tree(uv->wheels_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) ||
	    move_mount(tree, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		return fail_errno(err, E_INTERNAL, errno, "cannot mount the folder of uv.wheels");
	return 0;
}

/* uv needs a folder that it can write to all the same. */
static int make_plain(const struct monitor_uv *uv, const struct uv_cache_view *view,
                      struct error *err)
{
	autofree char *cache = xasprintf("%s/cache", uv->target);
	autofree char *python = xasprintf("%s/python", uv->target);
	uint32_t owner = view->first_id + view->uid;

	return root_files_make_dir(view->root_fd, cache, owner, err) ||
	                       root_files_make_dir(view->root_fd, python, owner, err)
	               ? -1
	               : 0;
}

int monitor_uv_mount(struct monitor *m, uint32_t first_id, uint32_t uid, uint32_t gid,
                     struct error *err)
{
	autoclose int root_fd = open(STAGE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct uv_cache_view view = {
	        .root_fd = root_fd,
	        .user_namespace_fd = m->namespaces.user_fd,
	        .first_id = first_id,
	        .uid = uid,
	        .gid = gid,
	};
	struct error failed = ERROR_INIT;

	if (!m->uv)
		return 0;
	if (m->uv->wheels_fd >= 0 && mount_wheels(m->uv, &view, err))
		return -1;
	if (!m->uv->target)
		return 0;
	if (m->uv->cache && uv_cache_mount(m->uv->cache, &view, &failed) == 0)
		return 0;
	if (m->uv->cache)
		give_up(m->uv, &failed);
	return make_plain(m->uv, &view, err);
}

/* uv marks the environment of what it runs with this, and of nothing else that it starts. */
static bool is_program_of_uv(pid_t pid)
{
	static const char name[] = "UV_RUN_RECURSION_DEPTH=";
	static char text[CHUNK_SIZE + sizeof(name)];
	char path[32];
	size_t kept = 0;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, text + kept, CHUNK_SIZE)) > 0) {
		size_t len = kept + (size_t)n;
		if (memmem(text, len, name, sizeof(name) - 1))
			return true;
		kept = len < sizeof(name) - 2 ? len : sizeof(name) - 2;
		memmove(text, text + len - kept, kept);
	}
	return false;
}

static bool other_visited(void *arg, pid_t pid)
{
	return !is_program_of_uv(pid);
}

static void look_for_program(void *arg)
{
	struct monitor_uv *uv = arg;
	int64_t now_ms = clock_monotonic_ms();
	bool is_quick = now_ms - uv->begun_ms < START_QUICK_MS;

	if (!cgroup_each(uv->monitor->cgroup, other_visited, NULL)) {
		uv_cache_set_started(uv->cache);
		return;
	}
	if (now_ms - uv->begun_ms > START_MAX_MS)
		uv_cache_let_others_clean(uv->cache);
	poller_timer_set(uv->timer, now_ms + (is_quick ? START_LOOK_MS : START_LOOK_SLOW_MS));
}

void monitor_uv_watch(struct monitor *m)
{
	if (!m->uv || !m->uv->cache)
		return;
	poller_timer_free(m->uv->timer);
	m->uv->begun_ms = clock_monotonic_ms();
	m->uv->timer = poller_timer_new(m->poller, look_for_program, m->uv);
	poller_timer_set(m->uv->timer, m->uv->begun_ms + START_LOOK_MS);
}

void monitor_uv_release(struct monitor *m)
{
	if (!m->uv)
		return;
	poller_timer_free(m->uv->timer);
	m->uv->timer = NULL;
	if (!m->uv->cache)
		return;
	/* A program may come and go between two looks; when it succeeded, it was there. */
	if (m->started_us > 0 && WIFEXITED(m->wait_status) && WEXITSTATUS(m->wait_status) == 0)
		uv_cache_set_started(m->uv->cache);
	uv_cache_end(m->uv->cache);
}

void monitor_uv_trim(struct monitor *m)
{
	if (!m->uv)
		return;
	if (m->uv->cache) {
		(void)setpriority(PRIO_PROCESS, 0, 19);
		uv_cache_trim(m->uv->cache, m->configuration->uv_cache_bytes);
	}
	uv_cache_close(m->uv->cache);
	if (m->uv->wheels_fd >= 0)
		(void)close(m->uv->wheels_fd);
	free(m->uv);
	m->uv = NULL;
}
