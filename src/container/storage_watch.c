/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the upper layer now and then: in a child, so that the log never waits for it, unless
 * there is next to nothing in it, as in most jobs; then a child would cost a hundred times as much
 * as the look. */
#include "container/storage_watch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define INTERVAL_MS 2000
#define LATE_MS 900           /* together with a sample, which is taken every second */
#define INTERVAL_MAX_MS 30000 /* measured at least that often, if it takes no longer than... */
#define SMALL_ENTRIES 64
#define SMALL_FOLDER_BYTES (256 * 1024)
#define COST_FACTOR 20 /* ...a twentieth of the time */

struct storage_watch {
	struct poller *poller;
	struct poller_timer *timer;
	struct poller_watch *answer; /* set while a child measures */
	int answer_fd, upper_fd;
	pid_t child;
	int64_t limit_bytes, bytes;
	int64_t began_ms;          /* of the last measurement */
	int64_t filled_then_bytes; /* of the file system, at that time */
	int64_t wait_ms;           /* until the next one at the earliest */
	bool is_large;             /* the last time it had more than SMALL_ENTRIES */
	bool was_measured, was_exceeded;
	void (*exceeded)(void *arg);
	void *arg;
};

static int64_t filled_bytes(int fd)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs))
		return INT64_MAX;
	return (int64_t)(fs.f_blocks - fs.f_bfree) * (int64_t)fs.f_frsize;
}

struct measure {
	int64_t bytes, entries;
};

/* Blocks of a file with several links are shared among them. */
static struct measure measure_tree(void)
{
	char dot[] = ".";
	char *const roots[] = {dot, NULL};
	struct measure ret = {0};
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV, NULL);

	for (FTSENT *entry; tree && (entry = fts_read(tree));) {
		ret.entries += entry->fts_info != FTS_DP;
		if (entry->fts_info == FTS_DP || entry->fts_info == FTS_NS || !entry->fts_statp)
			continue;
		const struct stat *st = entry->fts_statp;
		ret.bytes +=
		        st->st_blocks * 512 /
		        (st->st_nlink > 1 && !S_ISDIR(st->st_mode) ? (int64_t)st->st_nlink : 1);
	}
	if (tree)
		(void)fts_close(tree);
	return ret;
}

static void take(struct storage_watch *w, const struct measure *measure)
{
	w->bytes = measure->bytes;
	w->is_large = measure->entries > SMALL_ENTRIES;
	w->was_measured = true;
	if (w->limit_bytes > 0 && w->bytes > w->limit_bytes && !w->was_exceeded) {
		w->was_exceeded = true;
		w->exceeded(w->arg);
	}
}

/* As measure_tree(), of a folder and what is in it, but it never reads much more than it counts: of
 * a folder with a million files, or one that has had them, fts reads all before the first. */
static void measure_few(int take_fd, dev_t device, struct measure *ret)
{
	autodir DIR *dir = fdopendir(take_fd);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		(void)close(take_fd);
	if (!dir || fstat(dirfd(dir), &st) || st.st_size > SMALL_FOLDER_BYTES) {
		ret->entries = SMALL_ENTRIES + 1;
		return;
	}
	ret->bytes += st.st_blocks * 512;
	ret->entries++;
	while (ret->entries <= SMALL_ENTRIES && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (S_ISDIR(st.st_mode) && st.st_dev == device) {
			int fd = openat(dirfd(dir), entry->d_name,
			                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (fd >= 0)
				measure_few(fd, device, ret);
			else
				ret->entries = SMALL_ENTRIES + 1;
			continue;
		}
		ret->bytes += st.st_blocks * 512 / (int64_t)(st.st_nlink > 1 ? st.st_nlink : 1);
		ret->entries++;
	}
}

/* Without a child; false: it is not that small. */
static bool measure_small(struct storage_watch *w)
{
	int fd = openat(w->upper_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct measure measure = {0};
	struct stat st;

	if (fd < 0)
		return false;
	if (fstat(fd, &st))
		st.st_dev = 0;
	measure_few(fd, st.st_dev, &measure);
	w->is_large = measure.entries > SMALL_ENTRIES;
	if (w->is_large)
		return false;
	w->wait_ms = (clock_monotonic_ms() - w->began_ms) * COST_FACTOR;
	take(w, &measure);
	return true;
}

static void measured(void *arg, uint32_t events);

static void measure(struct storage_watch *w)
{
	int pair[2];

	w->began_ms = clock_monotonic_ms();
	w->filled_then_bytes = filled_bytes(w->upper_fd);
	if ((!w->is_large && measure_small(w)) || pipe2(pair, O_CLOEXEC))
		return;
	w->child = fork();
	if (w->child == 0) {
		(void)setpriority(PRIO_PROCESS, 0, 10);
		if (fchdir(w->upper_fd))
			_exit(1);
		struct measure measure = measure_tree();
		_exit(write(pair[1], &measure, sizeof(measure)) != sizeof(measure));
	}
	(void)close(pair[1]);
	if (w->child < 0) {
		(void)close(pair[0]);
		return;
	}
	w->answer_fd = pair[0];
	w->answer = poller_watch(w->poller, w->answer_fd, EPOLLIN, measured, w);
}

static void reap(struct storage_watch *w)
{
	poller_unwatch(w->answer);
	w->answer = NULL;
	(void)close(w->answer_fd);
	while (waitpid(w->child, NULL, 0) < 0 && errno == EINTR)
		;
}

static void measured(void *arg, uint32_t events)
{
	struct storage_watch *w = arg;
	struct measure measure;
	bool is_known = read(w->answer_fd, &measure, sizeof(measure)) == sizeof(measure);

	reap(w);
	w->wait_ms = (clock_monotonic_ms() - w->began_ms) * COST_FACTOR;
	if (is_known)
		take(w, &measure);
}

static bool is_due(const struct storage_watch *w)
{
	int64_t age_ms = clock_monotonic_ms() - w->began_ms;

	if (w->answer || age_ms < w->wait_ms)
		return false;
	if (!w->was_measured || age_ms >= INTERVAL_MAX_MS)
		return true;
	return w->limit_bytes > 0 &&
	       filled_bytes(w->upper_fd) - w->filled_then_bytes > w->limit_bytes - w->bytes;
}

static void tick(void *arg)
{
	struct storage_watch *w = arg;

	if (is_due(w))
		measure(w);
	poller_timer_set_loosely(w->timer, clock_monotonic_ms() + INTERVAL_MS - LATE_MS, LATE_MS);
}

struct storage_watch *storage_watch_new(struct poller *poller, int take_upper_fd,
                                        int64_t limit_bytes, void (*exceeded)(void *arg), void *arg)
{
	struct storage_watch *w = xcalloc(1, sizeof(*w));

	w->poller = poller;
	w->upper_fd = take_upper_fd;
	w->limit_bytes = limit_bytes;
	w->exceeded = exceeded;
	w->arg = arg;
	w->timer = poller_timer_new(poller, tick, w);
	poller_timer_set_loosely(w->timer, clock_monotonic_ms() + INTERVAL_MS - LATE_MS, LATE_MS);
	return w;
}

int64_t storage_watch_bytes(const struct storage_watch *w)
{
	return w->bytes;
}

void storage_watch_free(struct storage_watch *w)
{
	if (!w)
		return;
	if (w->answer) {
		(void)kill(w->child, SIGKILL);
		reap(w);
	}
	poller_timer_free(w->timer);
	(void)close(w->upper_fd);
	free(w);
}
