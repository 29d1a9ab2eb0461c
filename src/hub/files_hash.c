/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of files that jobs wrote, who may go on writing. */
#include "hub/files.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "hub/bucket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ATTEMPTS 2
/* Times of files move in steps of a timer tick (at most 10 ms): a change in the same step as the
 * one before does not show. So a file is left alone until its last change is that long ago. */
#define SETTLE_NS INT64_C(20000000)
#define NS_PER_S INT64_C(1000000000)

static void settle(const struct files_facts *facts)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	int64_t age_ns = now.tv_sec * NS_PER_S + now.tv_nsec - facts->ctime_ns;
	if (age_ns >= 0 && age_ns < SETTLE_NS) {
		struct timespec wait = {.tv_nsec = (long)(SETTLE_NS - age_ns)};
		(void)nanosleep(&wait, NULL);
	}
}

/* E_CONFLICT: it changed while it was read. */
static int scan_steady(int fd, struct file_scan *scan, struct xet_hash *ret_hash,
                       struct files_facts *ret_facts, struct error *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return fail_errno(err, E_INTERNAL, errno, "it cannot be read");
	if (!S_ISREG(status.st_mode))
		return fail(err, E_NOT_FOUND, "it is not a plain file");
	struct files_facts before = files_facts_of(&status);
	settle(&before);
	if (files_scan_fd(fd, scan, ret_hash, err) < 0)
		return -1;
	if (fstat(fd, &status) < 0)
		return fail_errno(err, E_INTERNAL, errno, "it cannot be read");
	struct files_facts after = files_facts_of(&status);
	if (!files_facts_same(&before, &after) || scan->size != (uint64_t)after.size)
		return fail(err, E_CONFLICT, "it changes while it is read");
	*ret_facts = after;
	return 0;
}

static int hash_file(int bucket_fd, const char *path, struct file_scan *scan,
                     struct xet_hash *ret_hash, struct files_facts *ret_facts, struct error *err)
{
	for (int i = 0;; i++) {
		autoclose int fd = -1;
		if (bucket_path_check(path, err) < 0 ||
		    bucket_open(bucket_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd, err) < 0)
			return -1;
		file_scan_clear(scan);
		file_scan_init(scan);
		if (scan_steady(fd, scan, ret_hash, ret_facts, err) == 0)
			return 0;
		if (err->code != E_CONFLICT || i + 1 == ATTEMPTS)
			return -1;
		*err = ERROR_INIT;
	}
}

static int hash_one(int bucket_fd, const struct files_store *store, const char *path,
                    struct error *err)
{
	struct error file_err = ERROR_INIT;
	struct file_scan scan;
	struct xet_hash hash;
	struct files_facts facts = {0};
	autofree char *chunks = NULL;

	file_scan_init(&scan);
	int rc = hash_file(bucket_fd, path, &scan, &hash, &facts, &file_err);
	if (rc == 0)
		rc = files_store_table(store, &scan.table, &hash, true, &chunks, &file_err);
	file_scan_clear(&scan);
	if (rc < 0 && file_err.code == E_UNAVAILABLE) {
		*err = file_err;
		return -1;
	}
	if (rc < 0)
		return files_emit_error(path, &file_err, err);
	json_t *line = files_line(path, &facts);
	files_line_add_content(line, &hash, chunks);
	return files_emit(line, err);
}

int files_hash(json_t *request, struct error *err)
{
	struct files_store store = {.fd = -1};
	autoclose int bucket_fd = -1;
	json_t *paths = NULL, *value;
	size_t i;

	if (files_get_array(request, "paths", &paths, err) < 0 ||
	    files_open_folder(request, "bucket", &bucket_fd, err) < 0 ||
	    files_store_open(request, &store, err) < 0)
		return -1;
	int rc = 0;
	json_array_foreach(paths, i, value)
	{
		const char *path = json_string_value(value);
		if (rc == 0 && !path)
			rc = fail(err, E_INVALID, "'paths' must have texts");
		if (rc == 0)
			rc = hash_one(bucket_fd, &store, path, err);
	}
	files_store_close(&store);
	return rc;
}
