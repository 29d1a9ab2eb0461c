/* SPDX-License-Identifier: Apache-2.0 */
/* Plain files: their chunks and hash by reading, and the last touch before they get their name. */
#include "hub/files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define READ_PIECE (1024 * 1024)
#define NS_PER_S INT64_C(1000000000)

int files_scan_fd(int fd, struct file_scan *scan, struct xet_hash *ret, struct error *err)
{
	static uint8_t piece[READ_PIECE];
	off_t offset = 0;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	for (;;) {
		ssize_t n = pread(fd, piece, sizeof(piece), offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, E_INTERNAL, errno, "it cannot be read");
		if (n == 0)
			return file_scan_finish(scan, ret, err);
		if (file_scan_update(scan, piece, (size_t)n, err) < 0)
			return -1;
		offset += n;
	}
}

int files_finish(int fd, int64_t mtime_ns, bool is_flushed, struct error *err)
{
	int64_t s = mtime_ns / NS_PER_S, ns = mtime_ns % NS_PER_S;
	struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = s, .tv_nsec = ns}};

	if (fchmod(fd, 0640) < 0)
		return files_fail_io(err, errno, "the rights of a file cannot be set");
	if (mtime_ns >= 0 && futimens(fd, times) < 0)
		return files_fail_io(err, errno, "the time of a file cannot be set");
	if (is_flushed && fsync(fd) < 0)
		return files_fail_io(err, errno, "a file cannot be flushed");
	return 0;
}
