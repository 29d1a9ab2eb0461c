/* SPDX-License-Identifier: Apache-2.0 */
/* One file from a body: chunked, hashed, flushed, then named. */
#include "hub/files.h"

#include "base/cleanup.h"
#include "hub/bucket_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct put {
	struct files_folders folders;
	struct files_store store; /* fd -1: the request has none */
	struct files_temp temp;
	struct file_scan scan;
};

static int run_put(struct put *put, json_t *request, struct error *err)
{
	const char *path = NULL;
	char temp_name[FILES_TEMP_NAME];
	struct xet_hash hash;
	struct stat status;
	autofree char *chunks = NULL;
	autoclose int fd = -1;

	if (files_get_text(request, "path", &path, err) < 0 || bucket_path_check(path, err) < 0 ||
	    files_folders_open(request, &put->folders, err) < 0 ||
	    (json_object_get(request, "store") &&
	     files_store_open(request, &put->store, err) < 0) ||
	    files_temp_open(request, &put->temp, err) < 0 ||
	    files_temp_take_body(&put->temp, temp_name, &fd, err) < 0 ||
	    files_scan_fd(fd, &put->scan, &hash, err) < 0 ||
	    files_store_table(put->store.fd >= 0 ? &put->store : NULL, &put->scan.table, &hash,
	                      true, &chunks, err) < 0 ||
	    files_finish(fd, json_get_int(request, "mtime_ns", -1), true, err) < 0)
		return -1;
	if (fstat(fd, &status) < 0)
		return fail_errno(err, E_INTERNAL, errno, "the finished file");
	struct files_facts facts = files_facts_of(&status);
	if ((uint64_t)facts.size != put->scan.size)
		return fail(err, E_CONFLICT, "the body changed while it was read");
	if (files_folders_place(&put->folders, &put->temp, temp_name, path, &facts, err) < 0 ||
	    files_folders_flush(&put->folders, err) < 0)
		return -1;
	json_t *line = files_line(path, &facts);
	files_line_add_content(line, &hash, chunks);
	return files_emit(line, err);
}

int files_put(json_t *request, struct error *err)
{
	struct put put = {.folders = {.bucket_fd = -1, .last_fd = -1},
	                  .store = {.fd = -1},
	                  .temp = {.tmp_fd = -1, .fd = -1}};

	file_scan_init(&put.scan);
	int rc = run_put(&put, request, err);
	file_scan_clear(&put.scan);
	files_temp_close(&put.temp);
	files_store_close(&put.store);
	files_folders_close(&put.folders);
	return rc;
}
