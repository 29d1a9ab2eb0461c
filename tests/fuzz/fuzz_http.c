/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of requests. The bytes are cut into pieces as libmicrohttpd does it, leniently and in
 * place; a head that passes both checks must be, byte by byte, what the pieces say, and its framing
 * must be the same for a strict reader. Its address then goes through router, parameters and query.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "net/http_framing.h"
#include "net/router.h"
#include "net/uri.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FUZZ_FIELDS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_head {
	char *text; /* cut up in place */
	size_t size;
	char *target; /* a copy, cut at '?' */
	struct http_field fields[FUZZ_FIELDS_MAX];
	struct http_head head;
};

static void fuzz_handler(struct http_request *request, void *context)
{
}

static const struct http_route fuzz_routes[] = {
        {.method = "GET", .pattern = "/", .handler = fuzz_handler},
        {.method = "GET", .pattern = "/api/jobs/{ns}", .handler = fuzz_handler},
        {.method = "POST", .pattern = "/api/jobs/{ns}", .handler = fuzz_handler},
        {.method = "GET", .pattern = "/api/jobs/hardware", .handler = fuzz_handler},
        {.method = "GET", .pattern = "/api/jobs/{ns}/{id}/logs", .handler = fuzz_handler},
        {.method = "DELETE", .pattern = "/files/{ns}/{path...}", .handler = fuzz_handler},
        {.method = NULL},
};

/* A line without its end, ended with NUL; CRLF or a bare LF. NULL: there is no whole line. */
static char *take_line(char **at, char *end)
{
	char *line = *at, *newline = memchr(line, '\n', (size_t)(end - line));

	if (!newline)
		return NULL;
	*at = newline + 1;
	*newline = '\0';
	if (newline > line && newline[-1] == '\r')
		newline[-1] = '\0';
	return line;
}

static bool cut_request_line(struct fuzz_head *f, char *line)
{
	char *target = strchr(line, ' ');
	char *version = target ? strrchr(target + 1, ' ') : NULL;

	if (!version)
		return false;
	*target++ = '\0';
	*version++ = '\0';
	f->target = xstrdup(target);
	char *query = strchr(f->target, '?');

	if (query)
		*query++ = '\0';
	f->head = (struct http_head){
	        .method = line,
	        .path = f->target,
	        .query = query ? query : "",
	        .target = target,
	        .target_len = strlen(target),
	        .version = version,
	        .fields = f->fields,
	};
	return true;
}

static bool cut_fields(struct fuzz_head *f, char *at)
{
	char *line;

	while ((line = take_line(&at, f->text + f->size)) && *line) {
		char *colon = strchr(line, ':');

		if (!colon || f->head.n_fields == FUZZ_FIELDS_MAX)
			return false;
		*colon = '\0';
		char *value = colon + 1 + strspn(colon + 1, " \t");

		f->fields[f->head.n_fields++] =
		        (struct http_field){line, value, strlen(line), strlen(value)};
	}
	f->head.size = (size_t)(at - f->text);
	return line != NULL;
}

/* Only blanks may have been passed over, and only before a value. Between lines libmicrohttpd
 * leaves NULs, whatever stood there: NUL or LF in the place of CR or LF cannot be told apart any
 * more. */
static void check_bytes(const struct fuzz_head *f, const char *original)
{
	autobuffer struct buffer want = BUFFER_INIT(1u << 26);
	const struct http_head *h = &f->head;

	(void)buffer_printf(&want, "%s %s%s%s %s\r\n", h->method, h->path,
	                    strchr(h->target, '?') ? "?" : "", h->query, h->version);
	for (size_t i = 0; i < h->n_fields; i++) {
		const struct http_field *field = &h->fields[i];

		(void)buffer_printf(&want, "%s:%.*s%s\r\n", field->name,
		                    (int)(field->value - field->name - (long)field->name_len - 1),
		                    original + (field->name - f->text) + field->name_len + 1,
		                    field->value);
	}
	(void)buffer_add_text(&want, "\r\n");
	if (want.len != h->size)
		abort();
	for (size_t i = 0; i < want.len; i++)
		if (want.data[i] != original[i] && want.data[i] != '\r' && want.data[i] != '\n')
			abort();
}

static void check_framing(const struct http_head *h, const struct http_framing *framing)
{
	int lengths = 0, codings = 0;

	for (size_t i = 0; i < h->n_fields; i++) {
		if (strcasecmp(h->fields[i].name, "Content-Length") == 0) {
			lengths++;
			if (strtoull(h->fields[i].value, NULL, 10) != framing->length)
				abort();
		}
		if (strcasecmp(h->fields[i].name, "Transfer-Encoding") == 0)
			codings++;
	}
	if (lengths + codings > 1 || framing->has_length != lengths ||
	    framing->is_chunked != codings)
		abort();
}

static void check_routes(const struct http_head *h)
{
	struct router_match match;
	struct uri_pair pair;

	if (router_find(fuzz_routes, h->method, h->path, &match) == ROUTER_FOUND) {
		for (size_t i = 0; i < match.n_params; i++) {
			autobuffer struct buffer encoded = BUFFER_INIT(1u << 26);
			const char *value = match.params[i].value;

			if (!utf8_is_valid(value, strlen(value)) || uri_encode(&encoded, value) < 0)
				abort();
			autofree char *again = xmalloc(encoded.len + 1);

			if (uri_decode(buffer_text(&encoded), encoded.len, false, again) < 0 ||
			    strcmp(again, value) != 0)
				abort();
		}
		router_match_clear(&match);
	}
	for (const char *at = h->query; (at = uri_next_pair(at, &pair));) {
		autofree char *text = xmalloc(pair.value_len + 1);

		(void)uri_decode(pair.value, pair.value_len, true, text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xmalloc(size + 1);
	struct fuzz_head f = {.text = text, .size = size};
	struct http_framing framing;
	struct error err = ERROR_INIT;

	memcpy(text, data, size);
	text[size] = '\0';
	char *at = text, *line = take_line(&at, text + size);

	if (line && cut_request_line(&f, line) && cut_fields(&f, at)) {
		if (http_framing_check(&f.head, &framing, &err) == 0 &&
		    http_framing_check_layout(&f.head, &err) == 0) {
			check_bytes(&f, (const char *)data);
			check_framing(&f.head, &framing);
		}
		check_routes(&f.head);
	}
	free(f.target);
	return 0;
}
