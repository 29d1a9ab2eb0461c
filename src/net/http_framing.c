/* SPDX-License-Identifier: Apache-2.0 */
/* Strictness about heads (request smuggling lives on differences in leniency). Pure functions. */
#include "net/http_framing.h"

#include <string.h>
#include <strings.h>

static bool is_token(const char *text, size_t len)
{
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		bool alnum =
		        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return true;
}

/* Field values: visible bytes, space and tab (RFC 9110 section 5.5). */
static bool is_field_value(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Host: what may stand in an authority; it ends up in links and logs. */
static bool is_host(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= 0x20 || c >= 0x7f || strchr("\"'<>\\^`{|}/?#@%", (char)c))
			return false;
	}
	return len > 0 && len < 300;
}

static size_t trimmed_len(const struct http_field *f)
{
	size_t len = f->value_len;

	while (len > 0 && (f->value[len - 1] == ' ' || f->value[len - 1] == '\t'))
		len--;
	return len;
}

static bool named(const struct http_field *f, const char *name)
{
	return f->name_len == strlen(name) && strncasecmp(f->name, name, f->name_len) == 0;
}

static int read_length(const struct http_field *f, struct http_framing *ret, struct error *err)
{
	size_t len = trimmed_len(f);

	if (ret->has_length)
		return fail(err, E_INVALID, "Content-Length is given twice");
	if (len == 0 || len > 18)
		return fail(err, E_INVALID, "Content-Length must be a number");
	for (size_t i = 0; i < len; i++) {
		if (f->value[i] < '0' || f->value[i] > '9')
			return fail(err, E_INVALID, "Content-Length must be a number");
		ret->length = ret->length * 10 + (uint64_t)(f->value[i] - '0');
	}
	ret->has_length = true;
	return 0;
}

static int read_coding(const struct http_field *f, struct http_framing *ret, struct error *err)
{
	if (ret->is_chunked)
		return fail(err, E_INVALID, "Transfer-Encoding is given twice");
	if (trimmed_len(f) != 7 || strncasecmp(f->value, "chunked", 7) != 0)
		return fail(err, E_INVALID, "Transfer-Encoding must be \"chunked\"");
	/* libmicrohttpd compares the whole value and would read "chunked " as another coding. */
	if (f->value_len != 7)
		return fail(err, E_INVALID, "Transfer-Encoding has spaces after \"chunked\"");
	ret->is_chunked = true;
	return 0;
}

static int check_field(const struct http_field *f, struct http_framing *framing, size_t *hosts,
                       struct error *err)
{
	if (!is_token(f->name, f->name_len))
		return fail(err, E_INVALID, "a header's name has a character that is not allowed");
	if (!is_field_value(f->value, f->value_len))
		return fail(err, E_INVALID, "header %.*s has a control character",
		            (int)(f->name_len < 64 ? f->name_len : 64), f->name);
	if (named(f, "Content-Length"))
		return read_length(f, framing, err);
	if (named(f, "Transfer-Encoding"))
		return read_coding(f, framing, err);
	if (named(f, "Host")) {
		if (++*hosts > 1)
			return fail(err, E_INVALID, "header Host is given twice");
		if (!is_host(f->value, trimmed_len(f)))
			return fail(err, E_INVALID, "header Host must be a host name and a port");
	}
	return 0;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= 0x20 || *text == 0x7f)
			return false;
	return true;
}

static int check_request_line(const struct http_head *head, struct error *err)
{
	if (!is_token(head->method, strlen(head->method)))
		return fail(err, E_INVALID, "the method has a character that is not allowed");
	if (!is_printable(head->path) || !is_printable(head->query))
		return fail(err, E_INVALID, "the address has a space or a control character");
	if (head->target_len == 0)
		return fail(err, E_INVALID, "the address is empty");
	return 0;
}

int http_framing_check(const struct http_head *head, struct http_framing *ret, struct error *err)
{
	struct http_framing framing = {0};
	bool is_1_0 = strcmp(head->version, "HTTP/1.0") == 0;
	size_t hosts = 0;

	if (check_request_line(head, err) < 0)
		return -1;
	for (size_t i = 0; i < head->n_fields; i++)
		if (check_field(&head->fields[i], &framing, &hosts, err) < 0)
			return -1;
	if (framing.is_chunked && framing.has_length)
		return fail(err, E_INVALID, "Content-Length and Transfer-Encoding contradict");
	if (framing.is_chunked && is_1_0)
		return fail(err, E_INVALID, "HTTP/1.0 has no Transfer-Encoding");
	if (hosts == 0 && !is_1_0)
		return fail(err, E_INVALID, "header Host is missing");
	*ret = framing;
	return 0;
}

static int broken_layout(struct error *err)
{
	return fail(err, E_INVALID,
	            "the request's head has NUL bytes, folded lines, bare line feeds or "
	            "superfluous spaces");
}

static bool only_blanks(const char *from, const char *to)
{
	if (to < from)
		return false;
	for (; from < to; from++)
		if (*from != ' ' && *from != '\t')
			return false;
	return true;
}

int http_framing_check_layout(const struct http_head *head, struct error *err)
{
	const char *next = head->version + strlen(head->version) + 2;

	if (head->target != head->method + strlen(head->method) + 1 ||
	    head->version != head->target + head->target_len + 1)
		return broken_layout(err);
	for (size_t i = 0; i < head->n_fields; i++) {
		const struct http_field *f = &head->fields[i];

		/* The colon was one byte; blanks may follow it. */
		if (f->name != next || f->value < f->name + f->name_len + 1 ||
		    !only_blanks(f->name + f->name_len + 1, f->value))
			return broken_layout(err);
		next = f->value + f->value_len + 2;
	}
	if (next + 2 != head->method + head->size)
		return broken_layout(err);
	return 0;
}
