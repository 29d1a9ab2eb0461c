/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring and removing attempt folders, piece by piece. See the header. */
#include "job/retention.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/spawner_link.h"
#include "job/active.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PASS_EVERY_MS (5 * 60 * 1000)
#define STEP_EVERY_MS 20
#define FOLDERS_PER_STEP 50
#define REMOVALS_PER_STEP 5

struct folder {
	char name[SPAWN_NAME_MAX];
	int64_t bytes;
};

struct retention {
	struct job_service *service;
	struct loop_timer *timer;
	DIR *dir; /* being read; NULL between passes */
	struct folder *folders;
	size_t n_folders, cap_folders;
	size_t next_removal;
	int64_t total_bytes;
	bool is_removing;
	int answers[REMOVALS_PER_STEP]; /* of the last step's removals; the answers do not matter */
	size_t n_answers;
};

static void retention_step(void *arg);

struct retention *retention_new(struct job_service *service)
{
	struct retention *retention;

	if (service->configuration->total_log_bytes <= 0 || service->attempts_fd < 0)
		return NULL;
	retention = xcalloc(1, sizeof(*retention));
	retention->service = service;
	retention->timer = loop_timer_new(service->loop, retention_step, retention);
	loop_timer_start(retention->timer, PASS_EVERY_MS, 0);
	return retention;
}

static void retention_close_answers(struct retention *retention)
{
	for (size_t i = 0; i < retention->n_answers; i++)
		(void)close(retention->answers[i]);
	retention->n_answers = 0;
}

static void retention_reset(struct retention *retention)
{
	if (retention->dir)
		(void)closedir(retention->dir);
	free(retention->folders);
	retention->dir = NULL;
	retention->folders = NULL;
	retention->n_folders = retention->cap_folders = retention->next_removal = 0;
	retention->total_bytes = 0;
	retention->is_removing = false;
}

void retention_free(struct retention *retention)
{
	if (!retention)
		return;
	loop_timer_free(retention->timer);
	retention_close_answers(retention);
	retention_reset(retention);
	free(retention);
}

static int64_t retention_measure(int attempts_fd, const char *name)
{
	static const char *const files[] = {"log", "log.zst", "log.zst.index", "metrics"};
	autoclose int fd = openat(attempts_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int64_t bytes = 4096;
	struct stat st;

	if (fd < 0)
		return 0;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (fstatat(fd, files[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (int64_t)st.st_blocks * 512;
	return bytes;
}

static void retention_add(struct retention *retention, const char *name)
{
	struct folder *folder;

	if (!spawn_name_is_valid(name))
		return;
	if (retention->n_folders == retention->cap_folders) {
		retention->cap_folders = retention->cap_folders ? retention->cap_folders * 2 : 256;
		retention->folders = xrealloc(retention->folders,
		                              retention->cap_folders * sizeof(*retention->folders));
	}
	folder = &retention->folders[retention->n_folders++];
	memset(folder->name, 0, sizeof(folder->name));
	memcpy(folder->name, name, strlen(name));
	folder->bytes = retention_measure(retention->service->attempts_fd, name);
	retention->total_bytes += folder->bytes;
}

/* Ids are ordered by time, and so are the names. */
static int retention_compare(const void *a, const void *b)
{
	return strcmp(((const struct folder *)a)->name, ((const struct folder *)b)->name);
}

/* False when all folders have been measured. */
static bool retention_read_some(struct retention *retention)
{
	for (int i = 0; i < FOLDERS_PER_STEP; i++) {
		const struct dirent *entry = readdir(retention->dir);

		if (!entry)
			return false;
		retention_add(retention, entry->d_name);
	}
	return true;
}

static bool retention_is_removable(const struct retention *retention, const char *name)
{
	char id[ID_SIZE];

	memcpy(id, name, ID_LENGTH);
	id[ID_LENGTH] = '\0';
	return job_is_settled(retention->service, id);
}

static void retention_remove(struct retention *retention, const struct folder *folder)
{
	struct error err;
	int answer;

	if (spawner_link_send(retention->service->spawner_fd, SPAWN_REMOVE, folder->name, -1,
	                      &answer, &err) < 0) {
		log_warning("cannot remove the old attempt folder %s: %s", folder->name, err.text);
		return;
	}
	retention->answers[retention->n_answers++] = answer;
	retention->total_bytes -= folder->bytes;
}

/* False when there is nothing more to remove. */
static bool retention_remove_some(struct retention *retention)
{
	int64_t keep_bytes = retention->service->configuration->total_log_bytes / 10 * 9;

	retention_close_answers(retention);
	while (retention->next_removal < retention->n_folders &&
	       retention->total_bytes > keep_bytes) {
		const struct folder *folder = &retention->folders[retention->next_removal++];

		if (!retention_is_removable(retention, folder->name))
			continue;
		retention_remove(retention, folder);
		if (retention->n_answers == REMOVALS_PER_STEP)
			return true;
	}
	return false;
}

static void retention_begin(struct retention *retention)
{
	int fd = openat(retention->service->attempts_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || !(retention->dir = fdopendir(fd))) {
		log_warning("cannot read the attempts folder: %s", strerror(errno));
		if (fd >= 0)
			(void)close(fd);
	}
}

/* False when the pass has ended. */
static bool retention_advance(struct retention *retention)
{
	if (retention->is_removing)
		return retention_remove_some(retention);
	if (!retention->dir)
		retention_begin(retention);
	if (!retention->dir)
		return false;
	if (retention_read_some(retention))
		return true;
	if (retention->total_bytes <= retention->service->configuration->total_log_bytes ||
	    retention->service->spawner_fd < 0)
		return false;
	log_info("attempt folders have %lld bytes, over jobs.total_log_bytes: removing the oldest",
	         (long long)retention->total_bytes);
	qsort(retention->folders, retention->n_folders, sizeof(*retention->folders),
	      retention_compare);
	retention->is_removing = true;
	return true;
}

static void retention_step(void *arg)
{
	struct retention *retention = arg;

	if (retention_advance(retention)) {
		loop_timer_start(retention->timer, STEP_EVERY_MS, 0);
		return;
	}
	retention_close_answers(retention);
	retention_reset(retention);
	loop_timer_start(retention->timer, PASS_EVERY_MS, 0);
}

void retention_run(struct retention *retention)
{
	while (retention_advance(retention))
		;
	retention_close_answers(retention);
	retention_reset(retention);
}
