/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of repository files on disk, shared by all jobs of a server: a folder with one file per block, complete
 * from the moment it has its name. A block's size says whether it is whole: file systems that order data
 * before sizes (ext4 by default, XFS, btrfs) leave none half-written, even after a power cut.
 *
 * A key stands for (endpoint, repository, content), so that only who may read the repository asks for it.
 * Processes that want the same block claim it by locks that die with them. When the blocks pass the limit, the least
 * recently used go, in a child process.
 */
#ifndef HEARTH_HUB_BLOCK_CACHE_H
#define HEARTH_HUB_BLOCK_CACHE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BLOCK_BYTES (1024 * 1024)
#define BLOCK_KEY_SIZE 16

struct block_key {
	uint8_t bytes[BLOCK_KEY_SIZE];
};

struct block_cache;
struct block; /* one that is there */

/* `dir_fd` is borrowed. `limit` 0: none. */
int block_cache_open(int dir_fd, int64_t limit, struct block_cache **ret, struct error *err);
void block_cache_free(struct block_cache *cache);

void block_key_make(struct block_key *ret, const char *repository, const void *content, size_t len);
/* NULL: it is not there, or not `size` bytes. Borrowed until the next call that finds or puts. */
struct block *block_cache_find(struct block_cache *cache, const struct block_key *key, uint32_t index, size_t size);
/* Takes the data (malloc). When the disk has no room, the block stays in memory for a while. */
struct block *block_cache_put(struct block_cache *cache, const struct block_key *key, uint32_t index, char *take_data,
			      size_t size);
void block_cache_drop(struct block_cache *cache, const struct block_key *key, uint32_t index);
int block_read(const struct block *block, size_t offset, void *data, size_t len); /* -1: the disk failed */

/* The right to fetch blocks: false when another process has it for one of them. */
bool block_cache_claim(struct block_cache *cache, const struct block_key *key, uint32_t first, uint32_t count);
void block_cache_release(struct block_cache *cache, const struct block_key *key, uint32_t first, uint32_t count);

/* A mark that the whole content was compared with its hash. */
bool block_cache_is_verified(struct block_cache *cache, const struct block_key *key);
void block_cache_set_verified(struct block_cache *cache, const struct block_key *key, bool is_verified);

/* block_cache_evict.c: remove least recently used blocks until they take at most `keep` bytes. Returns what they take. */
int64_t block_cache_evict(int dir_fd, int64_t keep);
#define BLOCK_CACHE_FOLDERS 256
#define BLOCK_CACHE_TMP "tmp"

#endif
