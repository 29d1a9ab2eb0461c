/* SPDX-License-Identifier: Apache-2.0 */
/* An uploaded xorb: verified, then kept. The body becomes the stored file itself where that is
 * possible. */
#include "hub/files.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Damaged ones are possible after a power failure: xorbs are not flushed one by one. */
static bool is_intact(int dir_fd, const char *name, const struct xorb_table *table)
{
	struct error ignored = ERROR_INIT;
	struct xorb_table stored;
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || xorb_table_read(fd, &stored, &ignored) < 0)
		return false;
	bool is_same = stored.count == table->count;
	xorb_table_clear(&stored);
	return is_same;
}

/* A file without a name that holds the body, ours to write. */
static int take_body(int dir_fd, int64_t size, int *ret_fd, struct error *err)
{
	struct stat status;
	int flags = fcntl(FILES_BODY_FD, F_GETFL);
	struct stat folder;

	if (fstat(FILES_BODY_FD, &status) == 0 && fstat(dir_fd, &folder) == 0 &&
	    status.st_nlink == 0 && status.st_dev == folder.st_dev &&
	    (flags & O_ACCMODE) == O_RDWR && (flags & O_TMPFILE) == O_TMPFILE) {
		int fd = fcntl(FILES_BODY_FD, F_DUPFD_CLOEXEC, 10);
		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
	}
	autoclose int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return files_fail_io(err, errno, "a xorb cannot be stored");
	if (files_copy(FILES_BODY_FD, fd, size, err) < 0)
		return -1;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Without the client's footer, with our table. */
static int write_table(int fd, const struct xorb_table *table, struct error *err)
{
	if (ftruncate(fd, table->serialized_bytes) < 0 || lseek(fd, 0, SEEK_END) < 0)
		return files_fail_io(err, errno, "a xorb cannot be stored");
	if (xorb_table_write(fd, table, err) < 0)
		return err->code == E_UNAVAILABLE
		               ? files_fail_io(err, ENOSPC, "a xorb cannot be stored")
		               : -1;
	return 0;
}

/* *ret_inserted false: another one was faster. */
static int give_name(int fd, int dir_fd, const char *name, const struct xorb_table *table,
                     bool *ret_inserted, struct error *err)
{
	char path[40], temporary[96];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW) == 0) {
		*ret_inserted = true;
		return 0;
	}
	if (errno != EEXIST)
		return files_fail_io(err, errno, "a xorb cannot be stored");
	*ret_inserted = false;
	if (is_intact(dir_fd, name, table))
		return 0;
	(void)snprintf(temporary, sizeof(temporary), "%s.%d", name, (int)getpid());
	(void)unlinkat(dir_fd, temporary, 0);
	if (linkat(AT_FDCWD, path, dir_fd, temporary, AT_SYMLINK_FOLLOW) < 0 ||
	    renameat(dir_fd, temporary, dir_fd, name) < 0)
		return files_fail_io(err, errno, "a xorb cannot be stored");
	*ret_inserted = true;
	return 0;
}

static int store_xorb(int dir_fd, const char *name, int64_t size, const struct xorb_table *table,
                      bool *ret_inserted, struct error *err)
{
	autoclose int fd = -1;

	if (is_intact(dir_fd, name, table)) {
		*ret_inserted = false;
		return 0;
	}
	if (take_body(dir_fd, size, &fd, err) < 0 || write_table(fd, table, err) < 0)
		return -1;
	return give_name(fd, dir_fd, name, table, ret_inserted, err);
}

int files_xorb(json_t *request, struct error *err)
{
	const char *text = NULL;
	char name[XET_HASH_TEXT_SIZE];
	struct xet_hash hash;
	struct xorb_table table = {0};
	struct files_store store;
	struct stat status;
	autoclose int dir_fd = -1;
	bool is_inserted = false;

	if (files_get_text(request, "hash", &text, err) < 0 ||
	    files_parse_hash(text, &hash, err) < 0)
		return -1;
	if (fstat(FILES_BODY_FD, &status) < 0 || !S_ISREG(status.st_mode))
		return fail(err, E_INVALID, "descriptor %d must be the body, a plain file",
		            FILES_BODY_FD);
	if (status.st_size > XORB_BODY_MAX)
		return fail(err, E_TOO_LARGE, "a xorb has at most %d bytes", XORB_BODY_MAX);
	if (xorb_verify(FILES_BODY_FD, 0, status.st_size, &hash, &table, err) < 0)
		return -1;
	xet_hash_format(&hash, name);
	int rc = files_store_open(request, &store, err);
	if (rc == 0)
		rc = files_store_folder(&store, "xorbs", name, &dir_fd, err);
	if (rc == 0)
		rc = store_xorb(dir_fd, name, status.st_size, &table, &is_inserted, err);
	if (rc == 0)
		rc = files_emit(json_pack("{s:b, s:I, s:i}", "inserted", is_inserted, "bytes",
		                          (json_int_t)table.serialized_bytes, "chunks",
		                          (int)table.count),
		                err);
	files_store_close(&store);
	xorb_table_clear(&table);
	return rc;
}
