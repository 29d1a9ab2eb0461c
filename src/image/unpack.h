/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking one archive (a layer, or an archive to import) in a process of its own: own user, mount,
 * pid, network, IPC and UTS namespaces, the target folder as its root, and no way out (S16–S18).
 */
#ifndef HEARTH_IMAGE_UNPACK_H
#define HEARTH_IMAGE_UNPACK_H

#include "base/digest.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UNPACK_ENTRIES_MAX 10000000

struct unpack_request {
	int in_fd;	   /* the archive: a pipe or a file; tar, plain or gzip or zstd */
	int dir_fd;	   /* an empty folder */
	int64_t max_bytes; /* of unpacked files */
};

/* What the process tells at its end, over a pipe. */
struct unpack_result {
	int code; /* enum error_code; E_NONE: unpacked */
	char text[ERROR_TEXT_SIZE];
	char blob_digest[DIGEST_SIZE]; /* of what was read */
	char diff_id[DIGEST_SIZE];     /* of the uncompressed tar */
	int64_t blob_bytes;
	int64_t bytes;	     /* of files */
	int64_t entries;     /* without folders that were made on the way */
	bool is_root_opaque; /* nothing of lower layers is visible */
};

/* Start it. `request` is borrowed; the child has its own copies of the descriptors. */
int unpack_start(const struct unpack_request *request, pid_t *ret_pid, int *ret_result_fd,
		 struct error *err);
/* Read the result after the end of the child (the pipe is readable) and reap it. When it is E_INVALID,
 * ret->blob_digest tells what was read, if that is known; else it is "". */
int unpack_finish(pid_t pid, int result_fd, struct unpack_result *ret, struct error *err);

/* The work itself, in the process that calls; `root_fd` is the target. For tests and fuzzing. */
int unpack_run(int in_fd, int root_fd, int64_t max_bytes, struct unpack_result *ret,
	       struct error *err);

#endif
