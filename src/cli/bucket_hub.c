/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the bucket commands. Small files travel over the kept connection. */
#include "cli/bucket_hub.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SMALL_FILE_MAX (1 << 20)
#define DELETE_LINES_MAX 1000
#define PIECE_SIZE (256 << 10)

/* "/api/buckets/NS/NAME" + rest + encoded path, slashes kept. */
static char *make_path(const char *start, const struct bucket_uri *bucket, const char *rest,
                       const char *path)
{
	autofree char *base = hub_path("/%s/%s", bucket->space, bucket->name);
	struct buffer out = BUFFER_INIT(1u << 20);
	(void)buffer_printf(&out, "%s%s%s", start, base, rest);
	while (*path) {
		size_t len = strcspn(path, "/");
		autofree char *component = xstrndup(path, len);
		autofree char *encoded = hub_path("/%s", component);
		(void)buffer_add_text(&out, encoded);
		path += len;
		path += *path == '/';
	}
	return buffer_take(&out);
}

int bucket_hub_info(struct hub *hub, const struct bucket_uri *bucket, json_t **ret,
                    struct error *err)
{
	autofree char *path = make_path("/api/buckets", bucket, "", "");
	return hub_ask(hub, "GET", path, NULL, ret, err);
}

int bucket_hub_create(struct hub *hub, const struct bucket_uri *bucket, const char *visibility,
                      bool exist_ok, json_t **ret_answer, struct error *err)
{
	autofree char *path = make_path("/api/buckets", bucket, "", "");
	autojson json_t *body = json_object();
	autojson json_t *answer = NULL;
	if (visibility)
		json_object_set_new(body, "private",
		                    json_boolean(*visibility == 'p' && visibility[1] == 'r'));
	if (hub_ask(hub, "POST", path, body, &answer, err) < 0) {
		if (!exist_ok || (err->code != E_CONFLICT && err->code != E_FORBIDDEN))
			return -1;
		*err = ERROR_INIT;
		autojson json_t *info = NULL;
		if (bucket_hub_info(hub, bucket, &info, err) < 0)
			return -1;
		answer = json_pack("{s:o}", "url",
		                   json_sprintf("%s/buckets/%s", hub_endpoint(hub),
		                                json_get_text(info, "id", bucket->id)));
	}
	if (ret_answer)
		*ret_answer = take_ptr(&answer);
	return 0;
}

void bucket_hub_suggest(struct hub *hub, char *const *arguments, size_t n, struct error *err)
{
	struct error ignored = ERROR_INIT;
	const char *space;
	for (size_t i = 0; i < n; i++) {
		const char *name = arguments[i];
		if (strncmp(name, BUCKET_URI_PREFIX, strlen(BUCKET_URI_PREFIX)) == 0)
			name += strlen(BUCKET_URI_PREFIX);
		size_t len = strcspn(name, "/");
		if (err->code != E_INVALID || len == 0 || (name[len] && name[len + 1]) ||
		    hub_namespace(hub, NULL, &space, &ignored) < 0)
			continue;
		autofree char *text = xstrdup(err->text);
		(void)fail(err, E_INVALID, "%s Did you mean %s/%.*s?", text, space, (int)len, name);
		return;
	}
}

/* The server may match the prefix as plain text. */
static bool is_below(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);
	return len == 0 || (strncmp(path, prefix, len) == 0 && (!path[len] || path[len] == '/'));
}

int bucket_hub_tree(struct hub *hub, const struct bucket_uri *bucket, bool is_recursive,
                    json_t **ret, struct error *err)
{
	autofree char *next = make_path("/api/buckets", bucket, "/tree", bucket->path);
	autojson json_t *entries = json_array();
	hub_path_query(&next, "recursive", is_recursive ? "true" : "false");
	hub_path_query(&next, "limit", "5000");
	while (next) {
		autojson json_t *page = NULL;
		autofree char *after = NULL;
		size_t i;
		json_t *entry;
		if (hub_ask_page(hub, next, &page, &after, err) < 0)
			return -1;
		json_array_foreach(page, i, entry)
		{
			const char *path = json_get_text(entry, "path", "");
			if (*path && is_below(path, bucket->path))
				(void)json_array_append(entries, entry);
		}
		free(next);
		next = take_ptr(&after);
	}
	*ret = take_ptr(&entries);
	return 0;
}

static int send_batch(struct hub *hub, const char *path, const struct buffer *lines,
                      struct error *err)
{
	autojson json_t *answer = NULL;
	if (hub_send(hub, "POST", path, "application/x-ndjson", lines->data, lines->len, &answer,
	             err) < 0)
		return -1;
	const json_t *failed = json_array_get(json_object_get(answer, "failed"), 0);
	if (failed)
		return fail(err, E_CONFLICT, "%s: %s", json_get_text(failed, "path", "?"),
		            json_get_text(failed, "error", "refused"));
	return 0;
}

int bucket_hub_delete(struct hub *hub, const struct bucket_uri *bucket, const json_t *paths,
                      struct error *err)
{
	autofree char *path = make_path("/api/buckets", bucket, "/batch", "");
	autobuffer struct buffer lines = BUFFER_INIT(16u << 20);
	size_t count = json_array_size(paths);
	for (size_t i = 0; i < count; i++) {
		autojson json_t *line = json_pack("{s:s, s:O}", "type", "deleteFile", "path",
		                                  json_array_get(paths, i));
		autofree char *text = json_to_text(line);
		if (buffer_printf(&lines, "%s\n", text) < 0)
			return fail(err, E_TOO_LARGE, "the paths are too long");
		if ((i + 1) % DELETE_LINES_MAX && i + 1 < count)
			continue;
		if (send_batch(hub, path, &lines, err) < 0)
			return -1;
		buffer_reset(&lines);
	}
	return 0;
}

static int upload_small(struct hub *hub, const char *path, int fd, size_t size, struct error *err)
{
	autofree char *data = xmalloc(size + 1);
	size_t len = 0;
	ssize_t n;
	while (len <= size && (n = read(fd, data + len, size + 1 - len)) != 0) {
		if (n < 0)
			return fail_errno(err, E_INVALID, errno, "cannot read the file");
		len += (size_t)n;
	}
	if (len != size)
		return fail(err, E_CONFLICT, "the file changed while it was read");
	return hub_send(hub, "PUT", path, "application/octet-stream", data, size, NULL, err);
}

static int upload_stream(struct hub *hub, const char *path, int fd, struct error *err)
{
	struct transport_stream *stream;
	if (hub_stream(hub, "PUT", path, NULL, fd, &stream, err) < 0)
		return -1;
	char rest[4096];
	ssize_t n;
	while ((n = transport_read(stream, rest, sizeof rest, TRANSPORT_ANSWER_MS, err)) > 0)
		;
	transport_close(stream);
	if (n == TRANSPORT_TIMEOUT || n == TRANSPORT_INTERRUPTED)
		return fail(err, E_UNAVAILABLE, "the server did not finish its answer");
	return n < 0 ? -1 : 0;
}

int bucket_hub_upload(struct hub *hub, const struct bucket_uri *bucket, const char *path, int fd,
                      int64_t size, int64_t mtime_ms, struct error *err)
{
	autofree char *url = make_path("/api/buckets", bucket, "/files", path);
	char number[24];
	(void)snprintf(number, sizeof number, "%lld", (long long)mtime_ms);
	if (mtime_ms >= 0)
		hub_path_query(&url, "mtime", number);
	int rc = size >= 0 && size <= SMALL_FILE_MAX ? upload_small(hub, url, fd, (size_t)size, err)
	                                             : upload_stream(hub, url, fd, err);
	return rc < 0 ? error_prefix(err, "%s", path) : 0;
}

int bucket_hub_upload_file(struct hub *hub, const struct bucket_uri *bucket, const char *path,
                           const char *local_path, struct error *err)
{
	autoclose int fd = open(local_path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(err, E_NOT_FOUND, errno, "%s", local_path);
	int64_t mtime_ms = st.st_mtim.tv_sec * 1000LL + st.st_mtim.tv_nsec / 1000000;
	return bucket_hub_upload(hub, bucket, path, fd, S_ISREG(st.st_mode) ? st.st_size : -1,
	                         mtime_ms, err);
}

static int copy_body(struct transport_stream *stream, int fd, struct error *err)
{
	autofree char *piece = xmalloc(PIECE_SIZE);
	for (;;) {
		ssize_t n = transport_read(stream, piece, PIECE_SIZE, TRANSPORT_ANSWER_MS, err);
		if (n == 0)
			return 0;
		if (n == TRANSPORT_TIMEOUT)
			return fail(err, E_UNAVAILABLE, "the server stopped in the middle");
		if (n == TRANSPORT_INTERRUPTED)
			return fail(err, E_CONFLICT, "Interrupted");
		if (n < 0 || file_write_all(fd, piece, (size_t)n, err) < 0)
			return -1;
	}
}

int bucket_hub_download(struct hub *hub, const struct bucket_uri *bucket, const char *path, int fd,
                        struct error *err)
{
	autofree char *url = make_path("/buckets", bucket, "/resolve", path);
	struct transport_stream *stream;
	if (hub_stream(hub, "GET", url, NULL, -1, &stream, err) < 0)
		return -1;
	int rc = copy_body(stream, fd, err);
	transport_close(stream);
	return rc;
}

/* All folders above `path`. */
static int make_parents(const char *path, struct error *err)
{
	autofree char *copy = xstrdup(path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0777) < 0 && errno != EEXIST)
			return fail_errno(err, E_INVALID, errno, "cannot make the folder %s", copy);
		*slash = '/';
	}
	return 0;
}

int bucket_hub_download_file(struct hub *hub, const struct bucket_uri *bucket, const char *path,
                             const char *local_path, int64_t mtime_ms, struct error *err)
{
	if (make_parents(local_path, err) < 0)
		return -1;
	autofree char *part = xasprintf("%s.hearth-%d.part", local_path, (int)getpid());
	autoclose int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return fail_errno(err, E_INVALID, errno, "cannot write %s", part);
	struct timespec times[2] = {
	        {.tv_nsec = UTIME_NOW},
	        {.tv_sec = mtime_ms / 1000, .tv_nsec = mtime_ms % 1000 * 1000000},
	};
	int rc = bucket_hub_download(hub, bucket, path, fd, err);
	if (rc == 0 && mtime_ms >= 0)
		(void)futimens(fd, times);
	if (rc == 0 && rename(part, local_path) < 0)
		rc = fail_errno(err, E_INVALID, errno, "cannot write %s", local_path);
	if (rc < 0)
		(void)unlink(part);
	return rc;
}

int64_t bucket_hub_mtime(const json_t *entry)
{
	const char *text = json_get_text(entry, "mtime", NULL);
	return text ? clock_parse_iso(text) : -1;
}
