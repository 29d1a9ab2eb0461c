/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads by hash: reconstructions, and the bytes behind the addresses in them (xet-cas.md 2.5).
 */
#include "api/buckets.h"

#include "api/handlers.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/xet_hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reconstructed(void *arg, json_t *take_answer, bool is_beyond, const struct error *err)
{
	struct buckets_call *call = arg;
	struct http_request *request = call->request;

	buckets_call_end(call);
	free(call);
	if (!request) {
		json_decref(take_answer);
	} else if (err) {
		answer_error(request, err);
	} else if (is_beyond) {
		http_add_header(request, "X-Error-Message", "The range is beyond the file");
		http_respond_json(request, 416,
		                  json_pack("{s:s}", "error", "The range is beyond the file"));
	} else {
		http_respond_json(request, 200, take_answer);
	}
}

/* "bytes=A-B" or "bytes=A-"; absent: all. */
static int read_range(const char *header, int64_t *ret_from, int64_t *ret_to, struct error *err)
{
	int64_t from = 0, last = -1;
	int used = 0;

	*ret_from = 0;
	*ret_to = -1;
	if (!header)
		return 0;
	if (sscanf(header, "bytes=%" SCNd64 "-%n%" SCNd64 "%n", &from, &used, &last, &used) < 1 ||
	    used == 0 || header[used] || from < 0 || (last >= 0 && last < from) ||
	    last == INT64_MAX)
		return fail(err, E_INVALID, "The header Range must be bytes=FIRST-LAST");
	*ret_from = from;
	*ret_to = last < 0 ? -1 : last + 1;
	return 0;
}

static void reconstruct(struct http_request *request, struct api *api, int version)
{
	const struct access *access = access_of(request);
	const char *hash = http_param(request, "hash");
	struct error err = ERROR_INIT;
	struct buckets_call *call;
	struct xet_hash parsed;
	int64_t from, to;

	if (!xet_hash_parse(hash, &parsed)) {
		answer_fail(request, E_INVALID, "A file is named by 64 hexadecimal digits");
		return;
	}
	if (read_range(http_header(request, "Range"), &from, &to, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	autofree char *url = xasprintf("%s/xet/e%d/%s/data",
	                               http_base_url(request, api->configuration->public_url),
	                               xet_service_epoch(api->xet), access->grant.namespace_id);
	call = xcalloc(1, sizeof(*call));
	buckets_call_init(call, api, request);
	xet_reconstruct(api->xet, &access->grant, hash, from, to, version, url, reconstructed,
	                call);
}

void xet_reconstruct_v1(struct http_request *request, void *context)
{
	reconstruct(request, context, 1);
}

void xet_reconstruct_v2(struct http_request *request, void *context)
{
	reconstruct(request, context, 2);
}

static ssize_t data_fill(void *arg, char *data, size_t max)
{
	ssize_t n = xet_data_read(arg, data, max);

	return n == 0 ? -1 : n;
}

static void data_done(void *arg)
{
	xet_data_free(arg);
}

void xet_get_data(struct http_request *request, void *context)
{
	struct api *api = context;
	const char *text = http_query(request, "t");
	struct http_stream_source source = {.fill = data_fill, .done = data_done};
	struct error err = ERROR_INIT;
	int64_t first, length, total;
	struct xet_data *data;
	char range[96];

	if (xet_data_open(api->xet, http_param(request, "domain"), text ? text : "",
	                  http_header(request, "Range"), &data, &first, &length, &total,
	                  &err) < 0) {
		answer_error(request, &err);
		return;
	}
	source.arg = data;
	snprintf(range, sizeof(range), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, first,
	         first + length - 1, total);
	http_add_header(request, "Content-Range", range);
	http_add_header(request, "Accept-Ranges", "bytes");
	(void)http_respond_stream_sized(request, 206, "application/octet-stream", length, &source);
}
