/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON by jansson, made strict on the way in and ASCII on the way out. jansson alone accepts deep
 * nesting only up to its own limit (2048), which is what its recursion is built for.
 */
#include "base/json.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <string.h>

#define JSON_DEPTH_MAX 64

void json_cleanup(json_t **value)
{
	json_decref(*value);
}

/* Nesting is counted before parsing: a body of brackets must not even reach the parser. */
static bool is_too_deep(const char *text, size_t len)
{
	int depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if (c == ']' || c == '}') {
			depth--;
		}
	}
	return false;
}

int json_parse(const char *text, size_t len, const char *what, json_t **ret, struct error *err)
{
	if (is_too_deep(text, len))
		return fail(err, E_INVALID, "the %s is nested deeper than %d levels", what,
		            JSON_DEPTH_MAX);
	json_error_t why;
	json_t *value =
	        json_loadb(text ? text : "", len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!value)
		return fail(err, E_INVALID, "the %s is not valid JSON: %s (line %d, column %d)",
		            what, why.text, why.line, why.column);
	*ret = value;
	return 0;
}

int json_read_file(int dir_fd, const char *name, size_t max_bytes, json_t **ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(max_bytes);
	if (file_read(dir_fd, name, &text, err) < 0)
		return -1;
	if (json_parse(buffer_text(&text), text.len, name, ret, err) < 0) {
		err->code = E_INTERNAL;
		return -1;
	}
	return 0;
}

char *json_to_text(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	if (!text)
		BUG("a JSON value cannot be written");
	return text;
}

static char *put_unit(char *out, uint32_t unit)
{
	static const char digits[] = "0123456789abcdef";
	*out++ = '\\';
	*out++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*out++ = digits[(unit >> shift) & 15];
	return out;
}

static char *put_code(char *out, uint32_t code)
{
	if (code < 0x10000)
		return put_unit(out, code);
	code -= 0x10000;
	return put_unit(put_unit(out, 0xd800 + (code >> 10)), 0xdc00 + (code & 0x3ff));
}

static char *put_ascii(char *out, unsigned char c)
{
	static const char short_names[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
	                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
	if (c >= sizeof(short_names) || !short_names[c])
		return put_unit(out, c);
	*out++ = '\\';
	*out++ = short_names[c];
	return out;
}

/* Bytes that need nothing done: printable ASCII but for the quote and the backslash. */
static const bool is_plain[256] = {
        [' '] = true,
        ['!'] = true,
        ['#' ... '['] = true,
        [']' ... '~'] = true,
};

/* The form of the first character of `p`; its length is what is returned. */
static size_t escape_one(const unsigned char *p, size_t len, char form[JSON_ESCAPE_MAX],
                         size_t *ret_used)
{
	uint32_t code;
	*ret_used = 1;
	if (*p < 0x80)
		return (size_t)(put_ascii(form, *p) - form);
	if (!utf8_decode((const char *)p, len, ret_used, &code))
		code = 0xfffd;
	return (size_t)(put_code(form, code) - form);
}

size_t json_escape_some(char *out, size_t room, const char *text, size_t len, size_t *ret_used)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0, put = 0;
	while (used < len) {
		size_t most = len - used < room - put ? len - used : room - put;
		size_t run = 0;
		while (run < most && is_plain[p[used + run]])
			run++;
		memcpy(out + put, p + used, run);
		put += run;
		used += run;
		if (used == len || put == room)
			break;
		char form[JSON_ESCAPE_MAX];
		size_t taken;
		size_t form_len = escape_one(p + used, len - used, form, &taken);
		if (form_len > room - put)
			break;
		memcpy(out + put, form, form_len);
		put += form_len;
		used += taken;
	}
	*ret_used = used;
	return put;
}

int json_escape(struct buffer *ret, const char *text, size_t len)
{
	size_t before = ret->len;
	while (len > 0) {
		size_t used;
		size_t free_bytes = ret->max - ret->len;
		size_t want =
		        len + JSON_ESCAPE_MAX < free_bytes ? len + JSON_ESCAPE_MAX : free_bytes;
		if (buffer_reserve(ret, want) < 0)
			BUG("a buffer refuses what it has room for");
		ret->len += json_escape_some(ret->data + ret->len, want, text, len, &used);
		if (used == 0) {
			ret->len = before;
			break;
		}
		text += used;
		len -= used;
	}
	if (ret->data)
		ret->data[ret->len] = '\0';
	return len > 0 ? -1 : 0;
}

static int read_field(const json_t *value, const struct json_field *field, void *dest,
                      const char *what, struct error *err)
{
	char *place = (char *)dest + field->offset;
	switch (field->type) {
	case JSON_FIELD_STRING:
		if (!json_is_string(value))
			return fail(err, E_INVALID, "%s: %s must be a string", what, field->name);
		*(const char **)(void *)place = json_string_value(value);
		return 0;
	case JSON_FIELD_INTEGER:
		if (!json_is_integer(value))
			return fail(err, E_INVALID, "%s: %s must be an integer", what, field->name);
		*(int64_t *)(void *)place = json_integer_value(value);
		return 0;
	case JSON_FIELD_BOOLEAN:
		if (!json_is_boolean(value))
			return fail(err, E_INVALID, "%s: %s must be true or false", what,
			            field->name);
		*(bool *)place = json_is_true(value);
		return 0;
	case JSON_FIELD_ANY:
		*(const json_t **)(void *)place = value;
		return 0;
	}
	BUG("field type %d", (int)field->type);
}

int json_read_fields(json_t *object, const struct json_field *fields, void *dest, const char *what,
                     struct error *err)
{
	if (!json_is_object(object))
		return fail(err, E_INVALID, "%s must be a JSON object", what);
	for (; fields->name; fields++) {
		json_t *value = json_object_get(object, fields->name);
		if (value && !json_is_null(value)) {
			if (read_field(value, fields, dest, what, err) < 0)
				return -1;
		} else if (fields->required) {
			return fail(err, E_INVALID, "%s: %s is missing", what, fields->name);
		}
	}
	return 0;
}

const char *json_get_text(const json_t *object, const char *key, const char *fallback)
{
	const json_t *value = json_object_get(object, key);
	return json_is_string(value) ? json_string_value(value) : fallback;
}

int64_t json_get_int(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *value = json_object_get(object, key);
	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_get_bool(const json_t *object, const char *key, bool fallback)
{
	const json_t *value = json_object_get(object, key);
	return json_is_boolean(value) ? json_is_true(value) : fallback;
}
