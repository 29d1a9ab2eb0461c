/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the mirror, whole or a range. The tag stands for path, size and time of change: enough
 * to notice that a file is another one. */
#include "api/mirror_private.h"

#include "api/answer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/bucket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum range_kind { RANGE_NONE, RANGE_SOME, RANGE_BEYOND };

/* "bytes=a-b", "bytes=a-" or "bytes=-n"; anything else means the whole file (RFC 9110, 14.2). */
static enum range_kind range_read(const char *header, int64_t size, int64_t *ret_first,
                                  int64_t *ret_length)
{
	const char *at = header ? header : "";
	bool has_first;
	int64_t first, last;
	char *end;

	if (strncmp(at, "bytes=", 6) != 0 || strchr(at, ','))
		return RANGE_NONE;
	at += 6;
	has_first = *at != '-';
	first = has_first ? strtoll(at, &end, 10) : 0;
	at = has_first ? end : at;
	if (*at++ != '-' || first < 0 || (!has_first && !*at))
		return RANGE_NONE;
	last = *at ? strtoll(at, &end, 10) : size - 1;
	if (*at && *end)
		return RANGE_NONE;
	if (!has_first) {
		first = last < size ? size - last : 0;
		last = size - 1;
	}
	if (first >= size || last < first)
		return RANGE_BEYOND;
	*ret_first = first;
	*ret_length = (last < size ? last : size - 1) - first + 1;
	return RANGE_SOME;
}

static int resolve_open(const struct mirror_call *call, const struct mirror_file *file, int *ret_fd,
                        struct error *err)
{
	autoclose int folder_fd = open(call->folders[call->at], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclose int fd = -1;
	struct stat status;

	if (folder_fd < 0)
		return fail_errno(err, E_NOT_FOUND, errno, "The mirror of this server has no %s",
		                  call->path.name);
	if (bucket_open(folder_fd, file->path, O_RDONLY, &fd, err) < 0)
		return -1;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size != file->size)
		return fail(err, E_CONFLICT, "%s changes while it is read; try again", file->path);
	*ret_fd = take_fd(&fd);
	return 0;
}

static void resolve_send(struct mirror_call *call, const struct mirror_file *file, int take_fd)
{
	struct http_request *request = call->request;
	int64_t first = 0, length = file->size;
	char text[128];

	switch (range_read(http_header(request, "Range"), file->size, &first, &length)) {
	case RANGE_NONE:
		http_respond_file(request, 200, "application/octet-stream", take_fd, 0, file->size);
		return;
	case RANGE_SOME:
		(void)snprintf(text, sizeof(text), "bytes %lld-%lld/%lld", (long long)first,
		               (long long)(first + length - 1), (long long)file->size);
		http_add_header(request, "Content-Range", text);
		http_respond_file(request, 206, "application/octet-stream", take_fd, first, length);
		return;
	case RANGE_BEYOND:
		(void)close(take_fd);
		(void)snprintf(text, sizeof(text), "bytes */%lld", (long long)file->size);
		http_add_header(request, "Content-Range", text);
		http_respond(request, 416, "text/plain", "", 0);
		return;
	}
}

bool mirror_resolve(struct mirror_call *call)
{
	const struct mirror_file *file = mirror_listing_find(call->listing, call->path.path);
	struct http_request *request = call->request;
	struct error err = ERROR_INIT;
	char etag[MIRROR_COMMIT_SIZE + 2];
	int fd = -1;

	if (file && resolve_open(call, file, &fd, &err) < 0 && err.code == E_CONFLICT &&
	    !call->has_listed_again)
		return false;
	http_add_header(request, "X-Repo-Commit", call->listing->commit);
	if (!file) {
		hub_refuse(request, E_NOT_FOUND, "EntryNotFound", "%s does not exist on \"%s\"",
		           call->path.path, call->path.revision);
		return true;
	}
	if (fd < 0) {
		answer_error(request, &err);
		return true;
	}
	(void)snprintf(etag, sizeof(etag), "\"%s\"", file->etag);
	http_add_header(request, "ETag", etag);
	http_add_header(request, "Accept-Ranges", "bytes");
	resolve_send(call, file, fd);
	return true;
}
