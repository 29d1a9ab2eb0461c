/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is `[export] KEY`, or `[export] KEY = VALUE`, with a comment behind a blank and '#'.
 * Double quotes know \n \t \" \\ \$; single quotes are literal. What does not fit is skipped as a
 * whole, as `hf` does, so that the same file means the same for both.
 */
#include "cli/dotenv.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <ctype.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\v' || c == '\r';
}

static const char *skip_blanks(const char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

static size_t key_length(const char *p)
{
	if (!isalpha((unsigned char)*p) && *p != '_')
		return 0;
	size_t n = 1;
	while (isalnum((unsigned char)p[n]) || p[n] == '_')
		n++;
	return n;
}

/* Behind a complete value only blanks and a comment may stand. */
static bool is_rest_empty(const char *p)
{
	p = skip_blanks(p);
	return *p == '\0' || *p == '#';
}

/* The end of the quoted text that starts at `p`, on its closing quote; NULL: it is not closed so
 * that only a comment follows. A backslash in front of the quote does not close it. */
static const char *find_closing_quote(const char *p)
{
	for (const char *q = p + 1; *q; q++) {
		if (*q == '\\' && q[1] == *p)
			q++;
		else if (*q == *p)
			return is_rest_empty(q + 1) ? q : NULL;
	}
	return NULL;
}

static char *unescape(const char *from, const char *end)
{
	char *text = xmalloc((size_t)(end - from) + 1);
	size_t n = 0;
	for (; from < end; from++) {
		if (*from == '\\' && from + 1 < end && strchr("nt\"\\$", from[1])) {
			from++;
			text[n++] = *from == 'n' ? '\n' : *from == 't' ? '\t' : *from;
		} else {
			text[n++] = *from;
		}
	}
	text[n] = '\0';
	return text;
}

static char *unquoted_value(const char *p)
{
	const char *end = p + strlen(p);
	for (const char *q = p; *q; q++)
		if (*q == '#' && q > p && is_blank(q[-1])) {
			end = q;
			break;
		}
	/* "KEY= # note" is an empty value with a comment; "KEY=#x" is the value "#x". */
	p = skip_blanks(p);
	while (end > p && is_blank(end[-1]))
		end--;
	return end > p ? xstrndup(p, (size_t)(end - p)) : xstrdup("");
}

static char *read_value(const char *p)
{
	const char *first = skip_blanks(p);
	if ((*first == '"' || *first == '\'') && find_closing_quote(first)) {
		const char *end = find_closing_quote(first);
		return *first == '"' ? unescape(first + 1, end)
		                     : xstrndup(first + 1, (size_t)(end - first - 1));
	}
	char *value = unquoted_value(p);
	size_t len = strlen(value);
	/* 'it''s' is no quoted text, but loses its outer quotes all the same. */
	if (len && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
		char *inner = len == 1        ? xstrdup("")
		              : *value == '"' ? unescape(value + 1, value + len - 1)
		                              : xstrndup(value + 1, len - 2);
		free(value);
		value = inner;
	}
	return value;
}

static int set_value(json_t *env, const char *key, const char *value, struct error *err)
{
	if (json_object_set_new(env, key, json_string(value)) < 0)
		return fail(err, E_INVALID, "The value of %s is not valid UTF-8", key);
	return 0;
}

static int parse_line(const char *line, dotenv_lookup *lookup, void *arg, json_t *env,
                      struct error *err)
{
	const char *p = skip_blanks(line);
	if (strncmp(p, "export", 6) == 0 && is_blank(p[6]) && key_length(skip_blanks(p + 6)))
		p = skip_blanks(p + 6);
	size_t n = key_length(p);
	if (n == 0)
		return 0;
	autofree char *key = xstrndup(p, n);
	p = skip_blanks(p + n);
	if (*p == '=') {
		autofree char *value = read_value(p + 1);
		return set_value(env, key, value, err);
	}
	const char *value = *p == '\0' || *p == '#' ? lookup(arg, key) : NULL;
	return value ? set_value(env, key, value, err) : 0;
}

int dotenv_parse(const char *text, size_t len, dotenv_lookup *lookup, void *arg, json_t *env,
                 struct error *err)
{
	const char *end = text + len;
	if (memchr(text, '\0', len))
		return fail(err, E_INVALID, "Environment variables cannot hold NUL bytes");
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;
		autofree char *line = xstrndup(text, (size_t)(stop - text));
		size_t n = strlen(line);
		while (n && is_blank(line[n - 1]))
			line[--n] = '\0';
		if (parse_line(line, lookup, arg, env, err) < 0)
			return -1;
		text = newline ? newline + 1 : end;
	}
	return 0;
}
