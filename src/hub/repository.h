/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the source "repository" (hub/mount.h) share.
 *
 *   mount_repository.c    opening, the loop
 *   mount_repository_operations.c   what the kernel asks
 *   repository_list.c     folders of the tree API
 *   repository_file.c     blocks of a file: which are there, which are to come, whom they are for
 *   repository_range.c    transfers that bring them, retries, redirects
 *   repository_verify.c   hash of a file that is read whole
 *   repository_prefetch.c all of it before the job starts
 *
 * Nothing here waits: who needs something not there yet is put in a list and answered from
 * repository_turn().
 */
#ifndef HEARTH_HUB_REPOSITORY_H
#define HEARTH_HUB_REPOSITORY_H

#include "hub/block_cache.h"
#include "hub/hub_refusal.h"
#include "hub/hub_transfer.h"
#include "hub/mount.h"
#include "hub/repository_tree.h"

#include <stdbool.h>
#include <stdint.h>

#define FILE_BUCKETS 256

struct repository {
	struct mount *mount;
	struct hub_client *client;
	struct block_cache *cache;
	struct repository_tree *tree;
	struct hub_repository about; /* texts of the mount's request; endpoint without final '/' */
	char *endpoint, *api;	     /* "https://host/api/models/ns/name" */
	char *resolve;		     /* "https://host/ns/name/resolve/<commit>/" */
	char *identity;		     /* of keys in the cache */
	char *commit;
	int64_t timeout_ms, mtime_s;
	int n_ranges;	     /* transfers of contents */
	int64_t progress_ms; /* when the Hub last sent anything */
	struct listing *listings;
	struct repository_file *files[FILE_BUCKETS];
	size_t buffered;       /* bytes of blocks that are not complete */
	int64_t dead_until_ms; /* the Hub was silent for too long: reads fail at once until then */
};

/* Work on everything; true: `fd` is readable. Waits at most until something is due. */
bool repository_turn(struct repository *repository, int fd, int wait_ms);
int64_t repository_backoff_ms(int failures); /* before the next try */
int64_t repository_stall_s(const struct repository *repository);
/* Percent-encoded, '/' kept, appended. */
void repository_add_path(struct buffer *ret, const char *path);

enum listing_depth {
	LIST_FOLDER,
	LIST_PEEK, /* everything, if one page holds it; else the folder */
	LIST_ALL,
};
/* `fn` runs once, from a later turn; err NULL: the folder is listed. */
typedef void listing_fn(void *arg, const struct error *err);
void repository_list(struct repository *repository, uint32_t folder, enum listing_depth depth, listing_fn *fn, void *arg);
void repository_list_forget(struct repository *repository, void *arg); /* its `fn` is not called any more */
int64_t repository_list_tick(struct repository *repository, int64_t now_ms); /* when to be called again */
void repository_list_end(struct repository *repository);

/* Files. */
struct file_reader { /* an open file of the job */
	struct file_reader *next; /* of the file */
	struct repository_file *file;
	unsigned generation; /* of the file when it was opened */
	int64_t position; /* behind the last read */
	uint32_t window;  /* blocks to have ahead; 0: reads are not in order */
	uint32_t ahead;	  /* blocks before this are asked for */
};

struct file_read {
	struct file_read *next;
	struct repository_file *file;
	fuse_req_t request;
	int64_t offset;
	size_t size;
};

enum pending_state { PENDING_QUEUED, PENDING_FETCHING, PENDING_ELSEWHERE };
struct pending { /* a block to come */
	struct pending *next; /* in order of index */
	uint32_t index;
	enum pending_state state;
	bool is_wanted;	  /* a read waits for it */
	bool is_unclaimed; /* whoever has claimed it takes too long */
	char *data;
	size_t filled;
	int64_t since_ms; /* of its last progress; 0: not started yet */
};

enum verify_state { VERIFY_OFF, VERIFY_ACTIVE };
struct repository_file {
	struct repository_file *next;
	struct repository *repository;
	uint32_t number;
	int64_t size;
	uint32_t n_blocks;
	struct block_key key;
	int opens;
	struct pending *pending;
	struct file_read *reads;
	struct file_reader *readers;
	struct range *ranges;
	bool has_news; /* a block came or failed: look at the reads */
	bool is_fetched; /* something of it was fetched by us: the mark of being verified is gone */
	unsigned generation; /* counts wrong contents: who has read some gets no more */
	bool has_failed;	/* reads failed since it was opened */
	char *url;	/* where redirects led to; NULL: ask the Hub */
	int hops, failures;
	int64_t retry_at_ms;
	enum verify_state verify;
	void *verify_context;
	uint32_t verify_next;
};

struct repository_file *repository_file_get(struct repository *repository, uint32_t number); /* opens++ */
void repository_file_put(struct repository_file *file);					    /* opens-- */
struct file_reader *repository_file_open(struct repository *repository, uint32_t number);
void repository_file_close(struct file_reader *reader);
/* True: answered at once. */
bool repository_file_read(struct file_reader *reader, fuse_req_t request, int64_t offset, size_t size);
bool repository_file_want(struct repository_file *file, uint32_t first, uint32_t end, bool is_wanted);
void repository_file_interrupt(struct repository_file *file, fuse_req_t request);
int64_t repository_file_tick(struct repository *repository, int64_t now_ms);
void repository_file_end_all(struct repository *repository);
size_t repository_file_block_size(const struct repository_file *file, uint32_t index);
/* For repository_range.c. */
struct pending *repository_file_pending(struct repository_file *file, uint32_t index); /* NULL: none */
void repository_file_pending_drop(struct repository_file *file, struct pending *pending);
struct block *repository_file_block(const struct repository_file *file, uint32_t index);
void repository_file_arrived(struct repository_file *file, struct pending *pending, size_t len); /* may free it */
void repository_file_fail(struct repository_file *file, int error_number); /* all that wait */

void repository_range_start(struct repository_file *file, int64_t now_ms); /* what is queued */
void repository_range_cancel(struct repository_file *file); /* all of them */

void repository_verify_begin(struct repository_file *file);
void repository_verify_end(struct repository_file *file);
/* A read touches the block. False: the file is read whole and not what it should be. */
bool repository_verify_read(struct repository_file *file, uint32_t index);
/* Must a read of the last block wait, because what comes before it is still on its way to be compared? */
bool repository_verify_holds(struct repository_file *file);

int repository_prefetch(struct repository *repository, struct error *err);

extern const struct fuse_lowlevel_ops mount_repository_operations;

#endif
