/* SPDX-License-Identifier: Apache-2.0 */
/* A file of a bucket by its hash: found by the rows, believed only if it is untouched since it was
 * hashed. */
#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/bucket_path.h"
#include "job/xet_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_ROW_MAX (64 * 1024)

struct file_search {
	int folder_fd;
	struct xet_file *ret;
};

static int64_t time_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool xet_file_is_same(const struct xet_file *file)
{
	struct stat status;

	return fstat(file->fd, &status) == 0 && status.st_size == file->size &&
	       status.st_ino == file->inode && time_ns(status.st_mtim) == file->mtime_ns &&
	       time_ns(status.st_ctim) == file->ctime_ns;
}

static bool search_try(void *arg, const struct bucket_file *file)
{
	struct file_search *search = arg;
	struct xet_file *ret = search->ret;
	struct error ignored = ERROR_INIT;

	ret->size = file->size;
	ret->mtime_ns = file->mtime_ns;
	ret->ctime_ns = file->ctime_ns;
	ret->inode = file->inode;
	if (bucket_open(search->folder_fd, file->path, O_RDONLY, &ret->fd, &ignored) < 0)
		return true;
	if (xet_file_is_same(ret)) {
		ret->path = xstrdup(file->path);
		return false;
	}
	(void)close(ret->fd);
	ret->fd = -1;
	return true;
}

int xet_file_open(struct xet_service *service, const struct bucket *bucket, const char *hash,
                  struct xet_file *ret, struct error *err)
{
	autoclose int folder_fd = -1;
	struct xet_file file = {.fd = -1};
	struct file_search search = {.ret = &file};

	if (bucket_folder_open(service->buckets, bucket, &folder_fd, err) < 0)
		return -1;
	search.folder_fd = folder_fd;
	bucket_files_each_with_hash(service->db, bucket->id, hash, search_try, &search);
	if (file.fd < 0)
		return fail(err, E_NOT_FOUND, "The bucket %s/%s has no file with this hash",
		            bucket->namespace_name, bucket->name);
	*ret = file;
	return 0;
}

void xet_file_close(struct xet_file *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	free(file->path);
	file->fd = -1;
	file->path = NULL;
}

static int table_map(const char *path, struct xet_table *ret, struct error *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;
	void *mapped;

	if (fd < 0 || fstat(fd, &status) < 0 || status.st_size == 0)
		return fail(err, E_NOT_FOUND, "there is no chunk table");
	mapped = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return fail(err, E_UNAVAILABLE, "a chunk table cannot be read");
	ret->mapped = mapped;
	ret->mapped_len = (size_t)status.st_size;
	if (file_table_parse(mapped, ret->mapped_len, &ret->view))
		return 0;
	xet_table_close(ret);
	return fail(err, E_NOT_FOUND, "a chunk table is damaged");
}

int xet_table_open(struct xet_service *service, const char *namespace_id, const char *hash,
                   struct xet_table *ret, struct error *err)
{
	struct xet_table table = {.owned = BUFFER_INIT(TABLE_ROW_MAX)};
	autofree char *path =
	        xasprintf("%s/%s/tables/%.2s/%s", service->folder, namespace_id, hash, hash);

	if (chunk_tables_get(service->db, hash, &table.owned)) {
		if (!file_table_parse(table.owned.data, table.owned.len, &table.view)) {
			xet_table_close(&table);
			return fail(err, E_NOT_FOUND, "a chunk table is damaged");
		}
	} else if (table_map(path, &table, err) < 0) {
		return -1;
	}
	*ret = table;
	return 0;
}

void xet_table_close(struct xet_table *table)
{
	buffer_clear(&table->owned);
	if (table->mapped)
		(void)munmap(table->mapped, table->mapped_len);
	table->mapped = NULL;
}
