/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the program hearth-files (file_work.h says what it does). One operation per file;
 * what they share is here. Nothing outside this program includes it.
 */
#ifndef HEARTH_HUB_FILES_H
#define HEARTH_HUB_FILES_H

#include "base/error.h"
#include "base/json.h"
#include "hub/file_table.h"
#include "hub/shard.h"
#include "hub/xet_hash.h"
#include "hub/xorb.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define FILES_REQUEST_MAX (64 * 1024 * 1024)
#define FILES_BODY_FD 3
#define FILES_FLUSH_ALONE                                                                          \
	16 /* up to so many files or folders are flushed one by one, more of them by one syncfs */

/* The operations: read the request, work, emit the answer. */
typedef int files_operation(json_t *request, struct error *err);
files_operation files_xorb, files_shard, files_batch, files_put, files_hash, files_list, files_stat,
        files_usage, files_wipe, files_sync, files_prune;

/* files_confine.c: from here on only the folders of the request can be reached. */
int files_confine(const char *operation, json_t *request, struct error *err);

/* files_request.c: fields of the request; E_INVALID names the field. */
int files_get_text(json_t *request, const char *key, const char **ret, struct error *err);
int files_get_array(json_t *request, const char *key, json_t **ret,
                    struct error *err); /* absent: *ret NULL */
int files_open_folder(json_t *request, const char *key, int *ret_fd, struct error *err);
int files_parse_hash(const char *text, struct xet_hash *ret, struct error *err);
/* Failed input or output: E_UNAVAILABLE and a sentence for a full disk or a used-up quota, else
 * E_INTERNAL. */
int files_fail_io(struct error *err, int errno_value, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
int files_write_all(int fd, const void *data, size_t len, struct error *err);

/* files_answer.c: lines on standard output. */
int files_emit(json_t *take_line, struct error *err);
int files_emit_error(const char *path, const struct error *what, struct error *err);
int files_answer_flush(struct error *err);
void files_answer_fail(const struct error *what); /* instead of all lines before */

/* What a FILE answer says. */
struct files_facts {
	int64_t size, mtime_ns, ctime_ns;
	uint64_t inode;
};
struct files_facts files_facts_of(const struct stat *status);
bool files_facts_same(const struct files_facts *a, const struct files_facts *b);
/* The line without hash and chunks; yours. */
json_t *files_line(const char *path, const struct files_facts *facts);
/* Add hash and chunks. `chunks` NULL: none in the line. */
void files_line_add_content(json_t *line, const struct xet_hash *hash, const char *chunks);

/* files_store.c: <store>/xorbs and <store>/tables. Opened once per run. */
#define FILES_XORBS_OPEN 8
struct files_store {
	int fd;
	struct files_xorb_slot {
		struct xet_hash hash;
		int fd;
		struct xorb_table table;
		uint64_t used; /* 0: empty */
	} slots[FILES_XORBS_OPEN];
	uint64_t clock;
};
int files_store_open(json_t *request, struct files_store *ret, struct error *err);
void files_store_close(struct files_store *store);
/* Folder <store>/<kind>/<2 digits>, made if missing; yours to close. */
int files_store_folder(const struct files_store *store, const char *kind, const char *hash_text,
                       int *ret_fd, struct error *err);
/* A stored xorb, borrowed until the next call. E_NOT_FOUND. */
int files_store_xorb(struct files_store *store, const struct xet_hash *hash, int *ret_fd,
                     const struct xorb_table **ret_table, struct error *err);
/* Keep a chunk table: as digits for the answer (*ret_chunks, yours), or, when it is long, as a file
 * (NULL then), flushed if `is_flushed`. `store` NULL: a long one is not kept. */
int files_store_table(const struct files_store *store, const struct file_table *table,
                      const struct xet_hash *hash, bool is_flushed, char **ret_chunks,
                      struct error *err);

/* files_temp.c: a folder of this run below the request's "tmp". It is locked as long as we live, so
 * that any later run can tell (and removes) what a killed one left behind. */
struct files_temp {
	int tmp_fd, fd;
	char name[40];
	unsigned next;
};
#define FILES_TEMP_NAME 16
int files_temp_open(json_t *request, struct files_temp *ret, struct error *err);
void files_temp_close(struct files_temp *temp);
int files_temp_create(struct files_temp *temp, char ret_name[FILES_TEMP_NAME], int *ret_fd,
                      struct error *err);
/* The body under a name in the folder: without copying if it is an unlinked file of the same file
 * system. */
int files_temp_take_body(struct files_temp *temp, char ret_name[FILES_TEMP_NAME], int *ret_fd,
                         struct error *err);
int files_copy(int from_fd, int to_fd, int64_t size,
               struct error *err); /* reflink, else in the kernel */

/* files_folders.c: folders of a bucket, and what of them has to be flushed or may be empty now. */
struct files_names {
	char **names;
	size_t count, capacity;
};
struct files_folders {
	int bucket_fd;
	char *last_path; /* the folder that was opened last, */
	int last_fd;     /* with its descriptor */
	struct files_names touched, emptied;
};
int files_folders_open(json_t *request, struct files_folders *ret, struct error *err);
void files_folders_close(struct files_folders *folders);
/* The folder that `path` lies in (borrowed until the next call) and the last component. */
int files_folders_parent(struct files_folders *folders, const char *path, bool create, int *ret_fd,
                         const char **ret_leaf, struct error *err);
/* Move a finished temporary file to its path. *ret_facts: as they are afterwards. */
int files_folders_place(struct files_folders *folders, const struct files_temp *temp,
                        const char *temp_name, const char *path, struct files_facts *ret_facts,
                        struct error *err);
/* False: there was none (or it is a folder). */
bool files_folders_remove(struct files_folders *folders, const char *path);
void files_folders_prune(
        struct files_folders *folders); /* folders that the removals have emptied */
int files_folders_flush(struct files_folders *folders, struct error *err);

/* files_content.c: a plain file's chunk table and hash, by reading it. */
int files_scan_fd(int fd, struct file_scan *scan, struct xet_hash *ret, struct error *err);
/* Set times and rights, flush if asked. mtime_ns -1: leave it. */
int files_finish(int fd, int64_t mtime_ns, bool is_flushed, struct error *err);
/* files_build.c: one element of "add" as a temporary file. */
struct files_built {
	char temp_name[FILES_TEMP_NAME];
	struct xet_hash hash;
	struct files_facts facts;
	char *chunks; /* yours; NULL: none for the answer */
};
int files_build(struct files_store *store, struct files_temp *temp, json_t *add, bool is_flushed,
                struct files_built *ret, struct error *err);

#endif
