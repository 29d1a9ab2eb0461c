/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quota of a bucket, as far as this job's writes go: how much is there is counted at the start,
 * as far as that is quickly done (else the server's last count serves), then followed. What others
 * write meanwhile is not seen; the limit is for accidents, and the server counts again after the
 * job.
 */
#include "hub/mount_folder.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/quantity.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define COUNT_MAX_MS 200

int folder_quota_ask(struct folder *f, int64_t from, int64_t to)
{
	if (f->limit_bytes <= 0 || to <= from || f->used_bytes + (to - from) <= f->limit_bytes)
		return 0;
	mount_tell_full(f->mount, f->quota_text);
	return EDQUOT;
}

void folder_quota_changed(struct folder *f, int64_t from, int64_t to)
{
	f->used_bytes += to - from;
	if (f->used_bytes < 0)
		f->used_bytes = 0;
	f->has_written = true;
}

int folder_write_failed(struct folder *f, int code)
{
	if (code == ENOSPC || code == EDQUOT)
		mount_tell_full(f->mount, f->full_text);
	return code;
}

/* False: not all was looked at in time. */
static bool count_bytes(int64_t *ret)
{
	char dot[] = ".";
	char *const roots[] = {dot, NULL};
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	const FTSENT *entry;
	int64_t bytes = 0, end_ms = clock_monotonic_ms() + COUNT_MAX_MS;
	bool in_time = true;

	while (tree && in_time && (entry = fts_read(tree))) {
		if (entry->fts_info == FTS_F)
			bytes += entry->fts_statp->st_size;
		in_time = clock_monotonic_ms() < end_ms;
	}
	if (tree)
		(void)fts_close(tree);
	*ret = bytes;
	return in_time;
}

int folder_quota_open(struct folder *f, struct error *err)
{
	const json_t *request = f->mount->request;
	const char *ns = json_get_text(request, "namespace", ""),
	           *name = json_get_text(request, "name", "");
	char limit[QUANTITY_TEXT_SIZE];
	int64_t told;

	f->limit_bytes = json_get_int(request, "quota_bytes", 0);
	f->used_bytes = json_get_int(request, "used_bytes", -1);
	f->full_text = xasprintf("The disk that holds the bucket %s/%s is full", ns, name);
	f->quota_text = xasprintf("The bucket %s/%s is full: its quota is %s", ns, name,
	                          quantity_format_bytes(f->limit_bytes, limit));
	if (f->limit_bytes <= 0)
		return 0;
	if (fchdir(f->mount->folder_fd) < 0)
		return fail_errno(err, E_INTERNAL, errno, "The bucket %s/%s cannot be read", ns,
		                  name);
	told = f->used_bytes;
	if (!count_bytes(&f->used_bytes) && told > f->used_bytes)
		f->used_bytes = told;
	return 0;
}

void folder_statfs(fuse_req_t req, fuse_ino_t ino)
{
	const struct folder *f = folder_of(req);
	struct statvfs fs;

	(void)ino;
	if (fstatvfs(f->mount->folder_fd, &fs) < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	fs.f_namemax = 255;
	if (f->limit_bytes > 0 && fs.f_frsize > 0) {
		int64_t left = f->limit_bytes - f->used_bytes;
		fsblkcnt_t blocks = left > 0 ? (fsblkcnt_t)left / fs.f_frsize : 0;
		if (blocks < fs.f_bavail)
			fs.f_bavail = fs.f_bfree = blocks;
		fs.f_blocks = (fsblkcnt_t)f->limit_bytes / fs.f_frsize;
	}
	fuse_reply_statfs(req, &fs);
}
