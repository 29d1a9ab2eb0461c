/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Below the folder: 00 … ff with blocks "<key>.<index>" and marks "<key>.ok", tmp with what is
 * being written, `locks` (one byte per block of each file, by a part of the key: a collision only
 * makes someone wait) and `usage`, a number that all processes share: about how many bytes there
 * are.
 */
#include "hub/block_cache.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define OPEN_BLOCKS 64   /* kept open, or in memory */
#define TOUCH_AFTER_S 60 /* a block's time of use is written no more often */
#define NAME_SIZE 64
#define KEEP_PERCENT 90

struct block {
	struct block_key key;
	uint32_t index;
	int fd; /* -1: in memory */
	char *data;
	size_t size;
	uint64_t used; /* 0: the entry is free */
};

struct block_cache {
	int dir_fd, locks_fd;
	int64_t limit;
	_Atomic int64_t *usage; /* shared */
	uint64_t clock, temporary;
	uint64_t own; /* in names of temporary files: process ids are not unique across jobs */
	bool has_warned;
	struct block blocks[OPEN_BLOCKS];
};

void block_key_make(struct block_key *ret, const char *repository, const void *content, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(context, repository, strlen(repository) + 1) != 1 ||
	    EVP_DigestUpdate(context, content, len) != 1 ||
	    EVP_DigestFinal_ex(context, digest, NULL) != 1)
		BUG("SHA-256 does not work");
	EVP_MD_CTX_free(context);
	memcpy(ret->bytes, digest, sizeof(ret->bytes));
}

static void cache_name(const struct block_key *key, int folder, const char *suffix,
                       char ret[NAME_SIZE])
{
	int len = snprintf(ret, NAME_SIZE, "%02x/", folder % BLOCK_CACHE_FOLDERS);

	for (size_t i = 0; i < sizeof(key->bytes); i++)
		len += snprintf(ret + len, NAME_SIZE - (size_t)len, "%02x", key->bytes[i]);
	(void)snprintf(ret + len, NAME_SIZE - (size_t)len, ".%s", suffix);
}

/* The blocks of a large file lie in all folders. */
static void cache_block_name(const struct block_key *key, uint32_t index, char ret[NAME_SIZE])
{
	char suffix[16];

	(void)snprintf(suffix, sizeof(suffix), "%u", index);
	cache_name(key, (int)((key->bytes[0] + index) % BLOCK_CACHE_FOLDERS), suffix, ret);
}

static int cache_make_folders(const struct block_cache *cache, struct error *err)
{
	char name[8] = BLOCK_CACHE_TMP;

	for (int i = -1; i < BLOCK_CACHE_FOLDERS; i++) {
		if (i >= 0)
			(void)snprintf(name, sizeof(name), "%02x", i);
		if (mkdirat(cache->dir_fd, name, 0700) < 0 && errno != EEXIST)
			return fail_errno(err, E_INTERNAL, errno,
			                  "the folder hub-cache/%s cannot be made", name);
	}
	return 0;
}

static int cache_open_usage(struct block_cache *cache, struct error *err)
{
	autoclose int fd = openat(cache->dir_fd, "usage", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *map;

	if (fd < 0 || ftruncate(fd, sizeof(*cache->usage)) < 0)
		return fail_errno(err, E_INTERNAL, errno, "hub-cache/usage cannot be opened");
	map = mmap(NULL, sizeof(*cache->usage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return fail_errno(err, E_INTERNAL, errno, "hub-cache/usage cannot be mapped");
	cache->usage = map;
	return 0;
}

int block_cache_open(int dir_fd, int64_t limit, struct block_cache **ret, struct error *err)
{
	struct block_cache *cache = xcalloc(1, sizeof(*cache));

	cache->dir_fd = dir_fd;
	cache->limit = limit;
	random_fill(&cache->own, sizeof(cache->own));
	cache->locks_fd = openat(dir_fd, "locks", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (cache->locks_fd < 0) {
		(void)fail_errno(err, E_INTERNAL, errno, "hub-cache/locks cannot be opened");
	} else if (cache_make_folders(cache, err) == 0 && cache_open_usage(cache, err) == 0) {
		*ret = cache;
		return 0;
	}
	block_cache_free(cache);
	return -1;
}

static void block_clear(struct block *block)
{
	if (block->used && block->fd >= 0)
		(void)close(block->fd);
	free(block->data);
	*block = (struct block){.fd = -1};
}

void block_cache_free(struct block_cache *cache)
{
	if (!cache)
		return;
	for (int i = 0; i < OPEN_BLOCKS; i++)
		block_clear(&cache->blocks[i]);
	cleanup_close_fd(&cache->locks_fd);
	if (cache->usage)
		(void)munmap((void *)cache->usage, sizeof(*cache->usage));
	free(cache);
}

/* The entry of the block, or, if it has none, the one that was not used for longest. */
static struct block *cache_entry(struct block_cache *cache, const struct block_key *key,
                                 uint32_t index, bool *ret_found)
{
	struct block *oldest = &cache->blocks[0];

	for (int i = 0; i < OPEN_BLOCKS; i++) {
		struct block *block = &cache->blocks[i];

		if (block->used && block->index == index &&
		    memcmp(&block->key, key, sizeof(*key)) == 0) {
			block->used = ++cache->clock;
			*ret_found = true;
			return block;
		}
		if (block->used < oldest->used)
			oldest = block;
	}
	*ret_found = false;
	return oldest;
}

static struct block *cache_enter(struct block_cache *cache, struct block *entry,
                                 const struct block_key *key, uint32_t index, int fd, char *data,
                                 size_t size)
{
	block_clear(entry);
	*entry = (struct block){.key = *key,
	                        .index = index,
	                        .fd = fd,
	                        .data = data,
	                        .size = size,
	                        .used = ++cache->clock};
	return entry;
}

struct block *block_cache_find(struct block_cache *cache, const struct block_key *key,
                               uint32_t index, size_t size)
{
	bool is_found;
	struct block *entry = cache_entry(cache, key, index, &is_found);
	char name[NAME_SIZE];
	struct stat status;
	int fd;

	if (is_found)
		return entry;
	cache_block_name(key, index, name);
	fd = openat(cache->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) < 0 || status.st_size != (off_t)size) {
		(void)close(fd);
		(void)unlinkat(cache->dir_fd, name, 0);
		return NULL;
	}
	if (time(NULL) - status.st_mtime > TOUCH_AFTER_S)
		(void)utimensat(cache->dir_fd, name, NULL, 0);
	return cache_enter(cache, entry, key, index, fd, NULL, size);
}

/* Bytes on disk, about: a small block takes a page of its own. */
static int64_t cache_cost(size_t size)
{
	return (int64_t)(size + 4095) / 4096 * 4096;
}

static void cache_evict_if_full(struct block_cache *cache)
{
	autoclose int lock_fd = -1;
	struct error ignored = ERROR_INIT;

	if (cache->limit <= 0 || atomic_load(cache->usage) <= cache->limit ||
	    file_lock(cache->dir_fd, "evict", &lock_fd, &ignored) < 0)
		return;
	/* The child has the lock as long as it lives; nobody waits for it. */
	(void)signal(SIGCHLD, SIG_IGN);
	if (fork() != 0)
		return;
	(void)close(VOLUME_FUSE_FD);
	(void)close(VOLUME_LINK_FD);
	atomic_store(cache->usage,
	             block_cache_evict(cache->dir_fd, cache->limit / 100 * KEEP_PERCENT));
	_exit(0);
}

/* The open file, under its name. -1: the disk does not take it. */
static int cache_write(struct block_cache *cache, const struct block_key *key, uint32_t index,
                       const char *data, size_t size, struct error *err)
{
	char temporary[NAME_SIZE], name[NAME_SIZE];
	autoclose int fd = -1;

	(void)snprintf(temporary, sizeof(temporary), BLOCK_CACHE_TMP "/%016llx.%llu",
	               (unsigned long long)cache->own, (unsigned long long)++cache->temporary);
	cache_block_name(key, index, name);
	fd = openat(cache->dir_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "a block cannot be made");
	if (file_write_all(fd, data, size, err) < 0 ||
	    (renameat(cache->dir_fd, temporary, cache->dir_fd, name) < 0 &&
	     fail_errno(err, E_UNAVAILABLE, errno, "a block cannot get its name") < 0)) {
		(void)unlinkat(cache->dir_fd, temporary, 0);
		return -1;
	}
	atomic_fetch_add(cache->usage, cache_cost(size));
	return take_fd(&fd);
}

struct block *block_cache_put(struct block_cache *cache, const struct block_key *key,
                              uint32_t index, char *take_data, size_t size)
{
	struct error err = ERROR_INIT;
	int fd = cache_write(cache, key, index, take_data, size, &err);
	struct block *entry;
	bool is_found;

	if (fd >= 0) {
		free(take_data);
		take_data = NULL;
		cache_evict_if_full(cache);
	} else if (!cache->has_warned) {
		cache->has_warned = true;
		log_warning("the cache of repositories (hub-cache): %s; going on without",
		            err.text);
	}
	entry = cache_entry(cache, key, index, &is_found);
	return cache_enter(cache, entry, key, index, fd, take_data, size);
}

void block_cache_drop(struct block_cache *cache, const struct block_key *key, uint32_t index)
{
	bool is_found;
	struct block *entry = cache_entry(cache, key, index, &is_found);
	char name[NAME_SIZE];

	if (is_found)
		block_clear(entry);
	cache_block_name(key, index, name);
	(void)unlinkat(cache->dir_fd, name, 0);
}

int block_read(const struct block *block, size_t offset, void *data, size_t len)
{
	if (block->fd >= 0)
		return file_read_at(block->fd, data, len, (int64_t)offset) ? 0 : -1;
	memcpy(data, block->data + offset, len);
	return 0;
}

static int cache_lock(struct block_cache *cache, const struct block_key *key, uint32_t first,
                      uint32_t count, short type)
{
	uint64_t file;
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_len = (off_t)count};

	memcpy(&file, key->bytes, sizeof(file));
	lock.l_start =
	        (off_t)((file >> 24 << 22) + first); /* 62 bits: 40 of the key, 4 TiB per file */
	return fcntl(cache->locks_fd, F_OFD_SETLK, &lock);
}

bool block_cache_claim(struct block_cache *cache, const struct block_key *key, uint32_t first,
                       uint32_t count)
{
	return cache_lock(cache, key, first, count, F_WRLCK) == 0;
}

void block_cache_release(struct block_cache *cache, const struct block_key *key, uint32_t first,
                         uint32_t count)
{
	(void)cache_lock(cache, key, first, count, F_UNLCK);
}

bool block_cache_is_verified(struct block_cache *cache, const struct block_key *key)
{
	char name[NAME_SIZE];

	cache_name(key, key->bytes[0], "ok", name);
	return faccessat(cache->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void block_cache_set_verified(struct block_cache *cache, const struct block_key *key,
                              bool is_verified)
{
	char name[NAME_SIZE];
	int fd;

	cache_name(key, key->bytes[0], "ok", name);
	if (!is_verified) {
		(void)unlinkat(cache->dir_fd, name, 0);
		return;
	}
	fd = openat(cache->dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)close(fd);
}
