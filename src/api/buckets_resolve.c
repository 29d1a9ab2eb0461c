/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET and HEAD /buckets/{ns}/{name}/resolve/{path}: the plain bytes of a file, or where to get them
 * by hash (hub-jobs-api 7.7, xet-cas 1.2). Files of users come from our own origin, so browsers are
 * told to run nothing.
 */
#include "api/buckets.h"

#include "api/handlers.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/bucket_path.h"
#include "net/uri.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FILEINFO_TYPE "application/vnd.xet-fileinfo+json"

struct resolve {
	struct buckets_call call;
	char *path, *content_type;
	bool is_found;
	struct bucket_file file;
};

struct byte_range {
	bool is_partial, is_beyond;
	int64_t first, length;
};

/* One range of a file of `size` bytes; several, or what is no range, count as none (RFC
 * 9110, 14.2). */
static struct byte_range range_read(const char *header, int64_t size)
{
	struct byte_range whole = {.length = size}, range = {.is_partial = true};
	int64_t first = -1, last = -1;
	const char *dash;
	char *end;

	if (!header || strncmp(header, "bytes=", 6) != 0 || strchr(header, ','))
		return whole;
	header += 6 + strspn(header + 6, " ");
	dash = strchr(header, '-');
	if (!dash || strspn(header, "0123456789") != (size_t)(dash - header))
		return whole;
	if (dash > header)
		first = strtoll(header, NULL, 10);
	if (dash[1]) {
		last = strtoll(dash + 1, &end, 10);
		if (*end || dash[1] < '0' || dash[1] > '9')
			return whole;
	}
	if (first < 0 && last < 0)
		return whole;
	if (first < 0) {
		range.is_beyond = last == 0 || size == 0;
		range.first = last < size ? size - last : 0;
		range.length = size - range.first;
		return range;
	}
	if (last >= 0 && last < first)
		return whole;
	range.is_beyond = first >= size;
	range.first = first;
	range.length = (last < 0 || last >= size ? size - 1 : last) - first + 1;
	return range;
}

char *buckets_token_url(struct http_request *request, const struct api *api,
                        const struct bucket *bucket, const char *kind)
{
	return xasprintf("%s/api/buckets/%s/%s/%s",
	                 http_base_url(request, api->configuration->public_url),
	                 bucket->namespace_name, bucket->name, kind);
}

char *buckets_cas_url(struct http_request *request, const struct api *api,
                      const struct bucket *bucket)
{
	return xasprintf("%s/xet/e%d/%s", http_base_url(request, api->configuration->public_url),
	                 xet_service_epoch(api->xet), bucket->namespace_id);
}

static void resolve_free(struct resolve *resolve)
{
	free(resolve->path);
	free(resolve->content_type);
	free(resolve);
}

static void add_number_header(struct http_request *request, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	http_add_header(request, name, text);
}

static void resolve_add_xet_headers(struct resolve *resolve, const char *etag)
{
	struct http_request *request = resolve->call.request;
	const struct bucket *bucket = &resolve->call.bucket;
	autofree char *refresh =
	        buckets_token_url(request, resolve->call.api, bucket, "xet-read-token");
	autofree char *cas = buckets_cas_url(request, resolve->call.api, bucket);
	autofree char *link = xasprintf("<%s>; rel=\"xet-auth\", <%s/v1/reconstructions/%s>; "
	                                "rel=\"xet-reconstruction-info\"",
	                                refresh, cas, resolve->file.hash);

	http_add_header(request, "X-Xet-Hash", resolve->file.hash);
	http_add_header(request, "X-Xet-Refresh-Route", refresh);
	http_add_header(request, "Link", link);
	http_add_header(request, "ETag", etag);
	http_add_header(request, "X-Linked-ETag", etag);
	add_number_header(request, "X-Linked-Size", resolve->file.size);
}

static void resolve_add_disposition(struct resolve *resolve)
{
	struct http_request *request = resolve->call.request;
	const char *slash = strrchr(resolve->path, '/');
	const char *name = slash ? slash + 1 : resolve->path;
	autobuffer struct buffer header = BUFFER_INIT(8192);

	if (http_query(request, "noContentDisposition"))
		return;
	(void)buffer_printf(&header, "%s; filename*=UTF-8''",
	                    http_query(request, "download") ? "attachment" : "inline");
	(void)uri_encode(&header, name);
	(void)buffer_add_text(&header, "; filename=\"");
	for (const char *c = name; *c; c++)
		(void)buffer_add_byte(
		        &header, (char)(*c < ' ' || *c > '~' || strchr("\"\\", *c) ? '_' : *c));
	(void)buffer_add_byte(&header, '"');
	http_add_header(request, "Content-Disposition", buffer_text(&header));
}

static void resolve_add_file_headers(struct resolve *resolve)
{
	struct http_request *request = resolve->call.request;
	time_t seconds = (time_t)(resolve->file.mtime_ns / 1000000000);
	char text[64];
	struct tm tm;

	if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %T GMT", &tm))
		http_add_header(request, "Last-Modified", text);
	http_add_header(request, "Accept-Ranges", "bytes");
	http_add_header(request, "Cache-Control", "no-cache");
	http_add_header(request, "X-Content-Type-Options", "nosniff");
	http_add_header(request, "Content-Security-Policy", "default-src 'none'; sandbox");
	resolve_add_disposition(resolve);
}

static void resolve_answer_info(struct resolve *resolve, const char *etag)
{
	struct http_request *request = resolve->call.request;
	const struct bucket *bucket = &resolve->call.bucket;
	autofree char *refresh =
	        buckets_token_url(request, resolve->call.api, bucket, "xet-read-token");
	autofree char *cas = buckets_cas_url(request, resolve->call.api, bucket);
	autojson json_t *json = json_pack(
	        "{s:s,s:s,s:o,s:s,s:I,s:s}", "hash", resolve->file.hash, "refreshUrl", refresh,
	        "reconstructionUrl",
	        json_sprintf("%s/v1/reconstructions/%s", cas, resolve->file.hash), "etag", etag,
	        "size", (json_int_t)resolve->file.size, "contentType", resolve->content_type);
	autofree char *text = json_to_text(json);

	http_respond(request, 200, FILEINFO_TYPE, text, strlen(text));
}

static bool has_etag(const char *header, const char *etag)
{
	return header && (strcmp(header, "*") == 0 || strstr(header, etag));
}

static void resolve_answer_bytes(struct resolve *resolve, const char *etag)
{
	struct http_request *request = resolve->call.request;
	const struct bucket_file *file = &resolve->file;
	const char *if_range = http_header(request, "If-Range");
	bool wants_range = strcmp(http_method(request), "GET") == 0 &&
	                   (!if_range || strcmp(if_range, etag) == 0);
	struct byte_range range =
	        range_read(wants_range ? http_header(request, "Range") : NULL, file->size);
	autoclose int folder_fd = -1, fd = -1;
	struct error err = ERROR_INIT;
	struct stat status;
	char text[96];

	if (range.is_beyond) {
		snprintf(text, sizeof(text), "bytes */%" PRId64, file->size);
		http_add_header(request, "Content-Range", text);
		http_respond_json(request, 416,
		                  json_pack("{s:s}", "error", "The range is beyond the file"));
		return;
	}
	if (bucket_folder_open(resolve->call.api->buckets, &resolve->call.bucket, &folder_fd,
	                       &err) < 0 ||
	    bucket_open(folder_fd, resolve->path, O_RDONLY, &fd, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	if (fstat(fd, &status) < 0 || status.st_size < range.first + range.length) {
		answer_fail(request, E_UNAVAILABLE, "The file is being changed; try again");
		return;
	}
	resolve_add_file_headers(resolve);
	if (range.is_partial) {
		snprintf(text, sizeof(text), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, range.first,
		         range.first + range.length - 1, file->size);
		http_add_header(request, "Content-Range", text);
	}
	http_respond_file(request, range.is_partial ? 206 : 200, resolve->content_type,
	                  take_fd(&fd), range.first, range.length);
}

static void resolve_answer(struct resolve *resolve)
{
	struct http_request *request = resolve->call.request;
	const char *accept = http_header(request, "Accept");
	char etag[BUCKET_HASH_SIZE + 2];

	if (!resolve->is_found) {
		http_add_header(request, "X-Error-Code", "EntryNotFound");
		answer_fail(request, E_NOT_FOUND,
		            "Entry not found: there is no file %.300s in the bucket",
		            resolve->path);
		return;
	}
	snprintf(etag, sizeof(etag), "\"%s\"", resolve->file.hash);
	resolve_add_xet_headers(resolve, etag);
	if (has_etag(http_header(request, "If-None-Match"), etag))
		http_respond(request, 304, NULL, "", 0);
	else if (accept && strstr(accept, FILEINFO_TYPE) && resolve->file.size > 0)
		resolve_answer_info(resolve, etag);
	else
		resolve_answer_bytes(resolve, etag);
}

static void resolve_entry(void *arg, const struct bucket_entry *entry)
{
	struct resolve *resolve = arg;

	if (!entry->file)
		return;
	resolve->is_found = true;
	resolve->file = *entry->file;
	resolve->content_type = xstrdup(entry->file->content_type ? entry->file->content_type
	                                                          : media_type_of(entry->path));
}

static void resolve_done(void *arg, bool has_more, const struct error *err)
{
	struct resolve *resolve = arg;

	buckets_call_end(&resolve->call);
	if (resolve->call.request && err)
		answer_error(resolve->call.request, err);
	else if (resolve->call.request)
		resolve_answer(resolve);
	resolve_free(resolve);
}

void buckets_resolve(struct http_request *request, void *context)
{
	struct api *api = context;
	const char *path = http_param(request, "path");
	struct error err = ERROR_INIT;
	struct resolve *resolve;

	if (bucket_path_check(path, &err) < 0) {
		http_add_header(request, "X-Error-Code", "EntryNotFound");
		answer_fail(request, E_NOT_FOUND, "Entry not found: %s", err.text);
		return;
	}
	resolve = xcalloc(1, sizeof(*resolve));
	buckets_call_init(&resolve->call, api, request);
	resolve->path = xstrdup(path);
	bucket_stat(api->buckets, &resolve->call.bucket, &path, 1, resolve_entry, resolve_done,
	            resolve);
}
