/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON by jansson, strict: duplicate keys, bad UTF-8, NUL in strings, text after the value and deep
 * nesting are refused. Everything that we emit is pure ASCII (hub-jobs-api 0.4, 0.8).
 */
#ifndef HEARTH_BASE_JSON_H
#define HEARTH_BASE_JSON_H

#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define autojson __attribute__((cleanup(json_cleanup)))
void json_cleanup(json_t **value);

/* Parse text of the caller; `what` names it in the sentence ("request body"). E_INVALID. */
int json_parse(const char *text, size_t len, const char *what, json_t **ret, struct error *err);
/* Read a file of ours. E_NOT_FOUND if missing, E_INTERNAL if damaged. */
int json_read_file(int dir_fd, const char *name, size_t max_bytes, json_t **ret, struct error *err);

/* Compact ASCII text, yours to free; keys keep their order. */
char *json_to_text(const json_t *value);
/* Append `len` bytes as the inside of a JSON string (no quotes): ASCII only, invalid UTF-8 becomes
 * \ufffd, control characters, U+2028 and the like are escaped. -1 beyond the buffer's maximum. */
int json_escape(struct buffer *ret, const char *text, size_t len);
/* The same into `room` bytes: whole characters, as many as fit. Returns the bytes written and sets
 * *ret_used to the bytes of `text` that they stand for. One character takes at most
 * JSON_ESCAPE_MAX. */
#define JSON_ESCAPE_MAX 12
size_t json_escape_some(char *out, size_t room, const char *text, size_t len, size_t *ret_used);

/* Fields of an object by table. `get` style: absent is fine unless required. */
enum json_field_type { JSON_FIELD_STRING, JSON_FIELD_INTEGER, JSON_FIELD_BOOLEAN, JSON_FIELD_ANY };

struct json_field {
	const char *name;
	enum json_field_type type;
	bool required;
	size_t offset; /* of const char *, int64_t, bool or json_t * (all borrowed) in `dest` */
};

/* Fill `dest` from `object`; unknown names are ignored; null counts as absent. `what` names the
 * object in the sentence. The table ends with a row without name. */
int json_read_fields(json_t *object, const struct json_field *fields, void *dest, const char *what,
		     struct error *err);

/* Borrowed value of a member, with a default when it is absent or of another type. */
const char *json_get_text(const json_t *object, const char *key, const char *fallback);
int64_t json_get_int(const json_t *object, const char *key, int64_t fallback);
bool json_get_bool(const json_t *object, const char *key, bool fallback);

#endif
