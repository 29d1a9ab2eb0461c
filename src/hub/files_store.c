/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a namespace: uploaded xorbs and long chunk tables, by hash in folders of two digits.
 */
#include "hub/files.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "hub/file_work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STORE_MODE 0700

int files_store_open(json_t *request, struct files_store *ret, struct error *err)
{
	const char *path = NULL;

	*ret = (struct files_store){.fd = -1};
	if (files_get_text(request, "store", &path, err) < 0)
		return -1;
	if (path[0] != '/')
		return fail(err, E_INVALID, "'store' must be an absolute path");
	return file_open_dir(path, STORE_MODE, &ret->fd, err);
}

static void slot_clear(struct files_xorb_slot *slot)
{
	if (slot->used) {
		(void)close(slot->fd);
		xorb_table_clear(&slot->table);
	}
	slot->used = 0;
}

void files_store_close(struct files_store *store)
{
	for (int i = 0; i < FILES_XORBS_OPEN; i++)
		slot_clear(&store->slots[i]);
	if (store->fd >= 0)
		(void)close(store->fd);
	store->fd = -1;
}

int files_store_folder(const struct files_store *store, const char *kind, const char *hash_text,
                       int *ret_fd, struct error *err)
{
	char digits[3] = {hash_text[0], hash_text[1], '\0'};
	autoclose int kind_fd = -1;

	if (file_open_subdir(store->fd, kind, STORE_MODE, &kind_fd, err) < 0)
		return -1;
	return file_open_subdir(kind_fd, digits, STORE_MODE, ret_fd, err);
}

static int open_xorb(const struct files_store *store, const struct xet_hash *hash, int *ret_fd,
                     struct error *err)
{
	char text[XET_HASH_TEXT_SIZE], path[96];

	xet_hash_format(hash, text);
	(void)snprintf(path, sizeof(path), "xorbs/%.2s/%s", text, text);
	int fd = openat(store->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return fail(err, E_NOT_FOUND, "xorb %s has not been uploaded", text);
	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open xorb %s", text);
	*ret_fd = fd;
	return 0;
}

static int slot_fill(const struct files_store *store, struct files_xorb_slot *slot,
                     const struct xet_hash *hash, struct error *err)
{
	struct xorb_table table = {0};
	autoclose int fd = -1;

	if (open_xorb(store, hash, &fd, err) < 0 || xorb_table_read(fd, &table, err) < 0)
		return -1;
	slot_clear(slot);
	slot->hash = *hash;
	slot->fd = take_fd(&fd);
	slot->table = table;
	return 0;
}

/* The one that has it, else the one that was used longest ago (or never). */
static struct files_xorb_slot *slot_find(struct files_store *store, const struct xet_hash *hash)
{
	struct files_xorb_slot *oldest = &store->slots[0];

	for (int i = 0; i < FILES_XORBS_OPEN; i++) {
		struct files_xorb_slot *slot = &store->slots[i];
		if (slot->used && xet_hash_equal(&slot->hash, hash))
			return slot;
		if (slot->used < oldest->used)
			oldest = slot;
	}
	return oldest;
}

int files_store_xorb(struct files_store *store, const struct xet_hash *hash, int *ret_fd,
                     const struct xorb_table **ret_table, struct error *err)
{
	struct files_xorb_slot *slot = slot_find(store, hash);
	bool is_there = slot->used && xet_hash_equal(&slot->hash, hash);

	if (!is_there && slot_fill(store, slot, hash, err) < 0)
		return -1;
	slot->used = ++store->clock;
	*ret_fd = slot->fd;
	*ret_table = &slot->table;
	return 0;
}

static char *to_digits(const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = xmalloc(2 * len + 1);

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[data[i] >> 4];
		text[2 * i + 1] = digits[data[i] & 15];
	}
	text[2 * len] = '\0';
	return text;
}

/* The same hash means the same table, so one that is there with the right size needs no writing. */
static int write_table(const struct files_store *store, const struct file_table *table,
                       const char *name, bool is_flushed, struct error *err)
{
	size_t bytes = table->count * FILE_WORK_CHUNK_SIZE;
	autoclose int dir_fd = -1;
	struct stat status;

	if (files_store_folder(store, "tables", name, &dir_fd, err) < 0)
		return -1;
	bool is_there = fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	                status.st_size == (off_t)bytes;
	if (is_there && !is_flushed)
		return 0;
	if (file_write_atomic(dir_fd, name, table->records, bytes, 0600, is_flushed, err) == 0)
		return 0;
	return err->code == E_UNAVAILABLE
	               ? files_fail_io(err, ENOSPC, "a chunk table cannot be written")
	               : -1;
}

int files_store_table(const struct files_store *store, const struct file_table *table,
                      const struct xet_hash *hash, bool is_flushed, char **ret_chunks,
                      struct error *err)
{
	char name[XET_HASH_TEXT_SIZE];

	if (table->count <= FILE_WORK_INLINE_CHUNKS) {
		*ret_chunks = to_digits(table->records, table->count * FILE_WORK_CHUNK_SIZE);
		return 0;
	}
	*ret_chunks = NULL;
	if (!store)
		return 0;
	xet_hash_format(hash, name);
	return write_table(store, table, name, is_flushed, err);
}
