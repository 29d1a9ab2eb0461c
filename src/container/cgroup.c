/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups by their files. One group is one folder in v2 and one folder per controller in v1;
 * both are kept as an array of `parts`, of which v2 uses the first only.
 */
#include "container/cgroup.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CPU_PERIOD_US 100000
#define FIGURE_MAX 8192

enum part { PART_MEMORY, PART_CPU, PART_CPUACCT, PART_PIDS, PART_DEVICES, PART_COUNT };
#define PART_UNIFIED PART_MEMORY

static const char *const part_names[PART_COUNT] = {
        [PART_MEMORY] = "memory", [PART_CPU] = "cpu",         [PART_CPUACCT] = "cpuacct",
        [PART_PIDS] = "pids",     [PART_DEVICES] = "devices",
};

struct cgroup {
	bool is_unified;
	char *paths[PART_COUNT]; /* NULL: no such controller */
	int fds[PART_COUNT];
	int64_t peak_seen; /* where the kernel does not keep the peak itself */
};

static bool host_is_unified(void)
{
	struct statfs fs;

	return statfs(CGROUP_ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int write_file(int dir_fd, const char *name, const char *text)
{
	autoclose int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static int write_number(int dir_fd, const char *name, int64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	return write_file(dir_fd, name, text);
}

static const char *read_file(int dir_fd, const char *name, char text[FIGURE_MAX])
{
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, FIGURE_MAX - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int64_t read_number(int dir_fd, const char *name)
{
	char text[FIGURE_MAX];

	return strtoll(read_file(dir_fd, name, text), NULL, 10);
}

int64_t cgroup_find_figure(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line;) {
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return strtoll(line + len, NULL, 10);
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return 0;
}

/* In v2 a controller works in a group only if all groups above hand it down. */
static void hand_down_controllers(const char *path)
{
	static const char *const controllers[] = {"+memory", "+cpu", "+pids"};
	autofree char *above = xstrdup(path);

	for (char *slash = above + strlen(CGROUP_ROOT); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		autoclose int fd = open(above, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		for (size_t i = 0; fd >= 0 && i < 3; i++)
			(void)write_file(fd, "cgroup.subtree_control", controllers[i]);
		*slash = '/';
	}
}

static int make_group(const char *base, const char *parent, const char *name, char **ret_path,
                      struct error *err)
{
	autofree char *path = xasprintf("%s/%s/%s", base, parent, name);
	int rc = mkdir(path, 0755);

	for (char *slash = path + strlen(base); rc && errno == ENOENT && slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return fail_errno(err, E_INTERNAL, errno, "cannot make the cgroup %s",
			                  path);
		*slash = '/';
		errno = ENOENT;
	}
	if (rc && mkdir(path, 0755) && errno != EEXIST)
		return fail_errno(err, E_INTERNAL, errno, "cannot make the cgroup %s", path);
	*ret_path = take_ptr(&path);
	return 0;
}

static int set_limits_unified(int fd, const struct cgroup_limits *limits, struct error *err)
{
	char text[64];

	if (limits->memory_bytes > 0) {
		if (write_number(fd, "memory.max", limits->memory_bytes))
			return fail_errno(err, E_INTERNAL, errno,
			                  "cannot limit memory (is the cgroup controller on?)");
		(void)write_file(fd, "memory.swap.max", "0"); /* absent without swap */
	}
	(void)snprintf(text, sizeof(text), "%lld %d",
	               (long long)limits->cpu_millis * CPU_PERIOD_US / 1000, CPU_PERIOD_US);
	if (limits->cpu_millis > 0 && write_file(fd, "cpu.max", text))
		return fail_errno(err, E_INTERNAL, errno,
		                  "cannot limit the CPU (is the cgroup controller on?)");
	if (limits->pids > 0 && write_number(fd, "pids.max", limits->pids))
		return fail_errno(err, E_INTERNAL, errno,
		                  "cannot limit processes (is the cgroup controller on?)");
	return 0;
}

static int set_limits_v1(const struct cgroup *cg, const struct cgroup_limits *limits,
                         struct error *err)
{
	int memory = cg->fds[PART_MEMORY], cpu = cg->fds[PART_CPU], pids = cg->fds[PART_PIDS];

	if (limits->memory_bytes > 0) {
		if (write_number(memory, "memory.limit_in_bytes", limits->memory_bytes))
			return fail_errno(err, E_INTERNAL, errno, "cannot limit memory");
		(void)write_number(memory, "memory.memsw.limit_in_bytes", limits->memory_bytes);
	}
	if (limits->cpu_millis > 0 &&
	    (write_number(cpu, "cpu.cfs_period_us", CPU_PERIOD_US) ||
	     write_number(cpu, "cpu.cfs_quota_us", limits->cpu_millis * CPU_PERIOD_US / 1000)))
		return fail_errno(err, E_INTERNAL, errno, "cannot limit the CPU");
	if (limits->pids > 0 && write_number(pids, "pids.max", limits->pids))
		return fail_errno(err, E_INTERNAL, errno, "cannot limit processes");
	return 0;
}

static struct cgroup *cgroup_new(void)
{
	struct cgroup *cg = xcalloc(1, sizeof(*cg));

	cg->is_unified = host_is_unified();
	for (int i = 0; i < PART_COUNT; i++)
		cg->fds[i] = -1;
	return cg;
}

void cgroup_free(struct cgroup *cg)
{
	if (!cg)
		return;
	for (int i = 0; i < PART_COUNT; i++) {
		free(cg->paths[i]);
		if (cg->fds[i] >= 0)
			(void)close(cg->fds[i]);
	}
	free(cg);
}

/* "cpu" and "cpuacct" are often two links to one hierarchy: then the second folder is the first. */
static int make_parts(struct cgroup *cg, const char *parent, const char *name, struct error *err)
{
	int n_parts = cg->is_unified ? 1 : PART_COUNT;

	for (int i = 0; i < n_parts; i++) {
		autofree char *base = cg->is_unified ? xstrdup(CGROUP_ROOT)
		                                     : xasprintf(CGROUP_ROOT "/%s", part_names[i]);
		/* The one that a job can do without; a folder alone is no hierarchy. */
		autofree char *rules = xasprintf("%s/devices.list", base);
		if (i == PART_DEVICES && access(rules, F_OK))
			continue;
		if (make_group(base, parent, name, &cg->paths[i], err)) {
			if (i == PART_DEVICES)
				continue;
			return -1;
		}
		cg->fds[i] = open(cg->paths[i], O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		if (cg->fds[i] < 0)
			return fail_errno(err, E_INTERNAL, errno, "cannot open the cgroup %s",
			                  cg->paths[i]);
		if (cg->is_unified && faccessat(cg->fds[i], "memory.max", F_OK, 0))
			hand_down_controllers(cg->paths[i]);
	}
	return 0;
}

int cgroup_create(const char *parent, const char *name, const struct cgroup_limits *limits,
                  struct cgroup **ret, struct error *err)
{
	if (strstr(parent, "..") || strchr(name, '/'))
		return fail(err, E_INVALID, "cgroup_parent must be a plain path");
	struct cgroup *cg = cgroup_new();

	if (make_parts(cg, parent, name, err) ||
	    (cg->is_unified ? set_limits_unified(cg->fds[PART_UNIFIED], limits, err)
	                    : set_limits_v1(cg, limits, err))) {
		struct error ignored = ERROR_INIT;
		(void)cgroup_remove(cg, 0, &ignored);
		cgroup_free(cg);
		return -1;
	}
	*ret = cg;
	return 0;
}

struct cgroup *cgroup_find(const char *parent, const char *name)
{
	struct cgroup *cg = cgroup_new();
	bool found = false;

	for (int i = 0; i < (cg->is_unified ? 1 : PART_COUNT); i++) {
		cg->paths[i] = cg->is_unified ? xasprintf(CGROUP_ROOT "/%s/%s", parent, name)
		                              : xasprintf(CGROUP_ROOT "/%s/%s/%s", part_names[i],
		                                          parent, name);
		cg->fds[i] = open(cg->paths[i], O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		found = found || cg->fds[i] >= 0;
	}
	if (found)
		return cg;
	cgroup_free(cg);
	return NULL;
}

/* Writing 0 to `tasks` moves the calling thread. Unlike a write to cgroup.procs it needs no lock
 * over all processes of the machine, which costs a grace period of RCU: 7 ms and more. */
static pid_t fork_v1(const struct cgroup *cg)
{
	pid_t pid = fork();

	for (int i = 0; pid == 0 && i < PART_COUNT; i++) {
		if (cg->fds[i] >= 0 && write_file(cg->fds[i], "tasks", "0"))
			_exit(126);
	}
	return pid;
}

/* Born in the group, for the same reason. */
static pid_t fork_unified(const struct cgroup *cg)
{
	struct clone_args args = {
	        .flags = CLONE_INTO_CGROUP,
	        .exit_signal = SIGCHLD,
	        .cgroup = (uint64_t)cg->fds[PART_UNIFIED],
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

int cgroup_devices_fd(const struct cgroup *cg, bool *ret_is_unified)
{
	*ret_is_unified = cg->is_unified;
	return cg->fds[cg->is_unified ? PART_UNIFIED : PART_DEVICES];
}

pid_t cgroup_fork(const struct cgroup *cg)
{
	return cg->is_unified ? fork_unified(cg) : fork_v1(cg);
}

/* Where a figure is, in v1 and in v2. */
static const struct figure_place {
	enum part part;
	const char *file_v1, *key_v1, *file_unified, *key_unified;
	int64_t divisor_v1;
} figure_places[] = {
        [CGROUP_CPU_US] = {PART_CPUACCT, "cpuacct.usage", NULL, "cpu.stat", "usage_usec", 1000},
        [CGROUP_MEMORY_BYTES] = {PART_MEMORY, "memory.usage_in_bytes", NULL, "memory.current", NULL,
                                 1},
        [CGROUP_INACTIVE_FILE_BYTES] = {PART_MEMORY, "memory.stat", "total_inactive_file",
                                        "memory.stat", "inactive_file", 1},
};

struct cgroup_source cgroup_open_source(const struct cgroup *cg, enum cgroup_figure figure)
{
	const struct figure_place *place = &figure_places[figure];
	int dir_fd = cg->fds[cg->is_unified ? PART_UNIFIED : place->part];

	return (struct cgroup_source){
	        .fd = openat(dir_fd, cg->is_unified ? place->file_unified : place->file_v1,
	                     O_RDONLY | O_CLOEXEC),
	        .key = cg->is_unified ? place->key_unified : place->key_v1,
	        .divisor = cg->is_unified ? 1 : place->divisor_v1,
	};
}

void cgroup_note_memory(struct cgroup *cg, int64_t memory_bytes)
{
	if (memory_bytes > cg->peak_seen)
		cg->peak_seen = memory_bytes;
}

static void read_unified(int fd, struct cgroup_usage *ret)
{
	char text[FIGURE_MAX];

	ret->cpu_us = cgroup_find_figure(read_file(fd, "cpu.stat", text), "usage_usec");
	ret->memory_bytes = read_number(fd, "memory.current");
	ret->memory_peak_bytes = read_number(fd, "memory.peak"); /* since Linux 5.19 */
	ret->oom_kills = cgroup_find_figure(read_file(fd, "memory.events", text), "oom_kill");
	int64_t cache = cgroup_find_figure(read_file(fd, "memory.stat", text), "inactive_file");
	ret->memory_bytes -= cache < ret->memory_bytes ? cache : ret->memory_bytes;
}

static void read_v1(const struct cgroup *cg, struct cgroup_usage *ret)
{
	char text[FIGURE_MAX];
	int memory = cg->fds[PART_MEMORY];

	ret->cpu_us = read_number(cg->fds[PART_CPUACCT], "cpuacct.usage") / 1000;
	ret->memory_bytes = read_number(memory, "memory.usage_in_bytes");
	ret->memory_peak_bytes = read_number(memory, "memory.max_usage_in_bytes");
	ret->oom_kills =
	        cgroup_find_figure(read_file(memory, "memory.oom_control", text), "oom_kill");
	int64_t cache =
	        cgroup_find_figure(read_file(memory, "memory.stat", text), "total_inactive_file");
	ret->memory_bytes -= cache < ret->memory_bytes ? cache : ret->memory_bytes;
}

void cgroup_read_usage(struct cgroup *cg, struct cgroup_usage *ret)
{
	*ret = (struct cgroup_usage){0};
	if (cg->is_unified)
		read_unified(cg->fds[PART_UNIFIED], ret);
	else
		read_v1(cg, ret);
	cgroup_note_memory(cg, ret->memory_bytes);
	if (ret->memory_peak_bytes < cg->peak_seen)
		ret->memory_peak_bytes = cg->peak_seen;
}

/* Process ids of one folder. 0 stands for a process outside of our PID namespace. */
static bool each_in_part(int dir_fd, bool (*fn)(void *arg, pid_t pid), void *arg)
{
	int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	autofile FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	long pid;

	while (file && fscanf(file, "%ld", &pid) == 1) {
		if (pid > 1 && !fn(arg, (pid_t)pid))
			return false;
	}
	return true;
}

bool cgroup_each(const struct cgroup *cg, bool (*fn)(void *arg, pid_t pid), void *arg)
{
	return each_in_part(cg->fds[PART_MEMORY], fn, arg);
}

struct signal_order {
	int signal, count;
};

static bool signal_one(void *arg, pid_t pid)
{
	struct signal_order *order = arg;

	if (kill(pid, order->signal) == 0)
		order->count++;
	return true;
}

int cgroup_signal(const struct cgroup *cg, int signal)
{
	struct signal_order order = {.signal = signal};

	if (cg->is_unified && signal == SIGKILL)
		(void)write_file(cg->fds[PART_UNIFIED], "cgroup.kill", "1"); /* since 5.14 */
	for (int i = 0; i < PART_COUNT; i++) {
		/* In v1 a process that is in one part only is still ours to kill. */
		if (cg->fds[i] >= 0 && (i == 0 || signal == SIGKILL))
			(void)each_in_part(cg->fds[i], signal_one, &order);
	}
	return order.count;
}

int cgroup_remove(struct cgroup *cg, int64_t wait_ms, struct error *err)
{
	int64_t until_ms = clock_monotonic_ms() + wait_ms;

	for (int i = 0; i < PART_COUNT; i++) {
		if (!cg->paths[i])
			continue;
		while (rmdir(cg->paths[i]) != 0 && errno != ENOENT) {
			if (errno != EBUSY || clock_monotonic_ms() >= until_ms)
				return fail_errno(err, E_INTERNAL, errno,
				                  "cannot remove the cgroup %s", cg->paths[i]);
			(void)cgroup_signal(cg, SIGKILL);
			(void)usleep(2000);
		}
	}
	return 0;
}
