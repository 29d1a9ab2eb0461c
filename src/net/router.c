/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router: a path is compared with all patterns, segment by segment, before decoding; of several
 * that fit, the one whose first differing segment is a literal wins. Tables have some fifty rows,
 * so that looking at all of them costs about a microsecond.
 */
#include "net/router.h"

#include "base/error.h"
#include "base/memory.h"
#include "net/uri.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX 24

struct segment {
	const char *text;
	size_t len;
};

/* Cuts the next segment off; `*cursor` points to its '/'. */
static struct segment next_segment(const char **cursor)
{
	const char *start = *cursor + 1;
	size_t len = strcspn(start, "/");

	*cursor = start + len;
	return (struct segment){start, len};
}

static bool is_name(const struct segment *s)
{
	return s->len > 2 && s->text[0] == '{' && s->text[s->len - 1] == '}';
}

static bool is_rest(const struct segment *s)
{
	return is_name(s) && s->len > 5 && memcmp(s->text + s->len - 4, "...", 3) == 0;
}

/* Literals may come escaped ("/api/%6Aobs"). */
static bool equals_literal(const struct segment *pattern, const struct segment *actual)
{
	char decoded[64];

	if (!memchr(actual->text, '%', actual->len))
		return pattern->len == actual->len &&
		       memcmp(pattern->text, actual->text, actual->len) == 0;
	if (actual->len >= sizeof(decoded))
		return false;
	long len = uri_decode(actual->text, actual->len, false, decoded);
	return len == (long)pattern->len && memcmp(decoded, pattern->text, pattern->len) == 0;
}

/* Weight of a fitting pattern: two bits per segment, the first segment highest. 0: does not fit. */
static uint64_t pattern_weight(const char *pattern, const char *path)
{
	uint64_t weight = 1;

	for (int i = 0; *pattern; i++) {
		struct segment wanted = next_segment(&pattern);

		if (is_rest(&wanted) && *path == '/')
			return (weight << 2 | 1) << (2 * (SEGMENTS_MAX - i));
		if (*path != '/')
			return 0;
		struct segment actual = next_segment(&path);

		if (is_name(&wanted) ? actual.len == 0 : !equals_literal(&wanted, &actual))
			return 0;
		weight = weight << 2 | (is_name(&wanted) ? 2 : 3);
		if (!*pattern)
			weight <<= 2 * (SEGMENTS_MAX - i);
	}
	return *path ? 0 : weight;
}

static bool method_serves(const struct http_route *route, const char *method)
{
	return strcmp(route->method, method) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* Decodes what the names stand for. */
static int take_params(const char *pattern, const char *path, struct router_match *ret)
{
	char *out = ret->text = xmalloc(strlen(path) + 2 * ROUTER_PARAMS_MAX);

	while (*pattern) {
		struct segment wanted = next_segment(&pattern);
		bool rest = is_rest(&wanted);
		const char *start = path + 1;
		struct segment actual =
		        rest ? (struct segment){start, strlen(start)} : next_segment(&path);

		if (!is_name(&wanted))
			continue;
		long len = uri_decode(actual.text, actual.len, false, out);
		if (len < 0)
			return -1;
		ret->params[ret->n_params].name = wanted.text + 1;
		ret->params[ret->n_params].name_len = wanted.len - (rest ? 5 : 2);
		ret->params[ret->n_params++].value = out;
		out += len + 1;
	}
	return 0;
}

enum router_result router_find(const struct http_route *routes, const char *method,
                               const char *path, struct router_match *ret)
{
	const struct http_route *best = NULL;
	uint64_t best_weight = 0;
	bool any_path = false;

	for (const struct http_route *route = routes; route->method; route++) {
		uint64_t weight = pattern_weight(route->pattern, path);

		if (weight == 0)
			continue;
		any_path = true;
		if (weight > best_weight && method_serves(route, method)) {
			best = route;
			best_weight = weight;
		}
	}
	if (!best)
		return any_path ? ROUTER_NO_METHOD : ROUTER_NO_PATH;
	*ret = (struct router_match){.route = best};
	if (take_params(best->pattern, path, ret) < 0) {
		router_match_clear(ret);
		return ROUTER_BAD_PATH;
	}
	return ROUTER_FOUND;
}

void router_match_clear(struct router_match *match)
{
	free(match->text);
	*match = (struct router_match){0};
}

const char *router_param(const struct router_match *match, const char *name)
{
	for (size_t i = 0; i < match->n_params; i++)
		if (strlen(name) == match->params[i].name_len &&
		    memcmp(name, match->params[i].name, match->params[i].name_len) == 0)
			return match->params[i].value;
	return NULL;
}

static void add_method(struct buffer *ret, const char *method)
{
	if (!strstr(buffer_text(ret), method))
		(void)buffer_printf(ret, "%s%s", ret->len ? ", " : "", method);
}

void router_allow(const struct http_route *routes, const char *path, struct buffer *ret)
{
	for (const struct http_route *route = routes; route->method; route++) {
		if (pattern_weight(route->pattern, path) == 0)
			continue;
		add_method(ret, route->method);
		if (strcmp(route->method, "GET") == 0)
			add_method(ret, "HEAD");
	}
}

void router_check_table(const struct http_route *routes)
{
	for (const struct http_route *route = routes; route->method; route++) {
		const char *cursor = route->pattern;
		size_t names = 0, segments = 0;

		if (*cursor != '/')
			BUG("route %s does not begin with /", route->pattern);
		while (*cursor) {
			struct segment s = next_segment(&cursor);

			names += is_name(&s);
			segments++;
			if (is_rest(&s) && *cursor)
				BUG("route %s: a rest must be last", route->pattern);
		}
		if (names > ROUTER_PARAMS_MAX || segments > SEGMENTS_MAX)
			BUG("route %s is too long", route->pattern);
		if (route->max_body < 0 && !route->spool)
			BUG("route %s: no limit needs spool", route->pattern);
	}
}
