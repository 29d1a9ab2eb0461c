/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From libyaml's events straight to JSON values. Anchors keep the value that they name, and an
 * alias counts all of its values again, so that a small file cannot become a large tree.
 */
#include "container/cdi_yaml.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 32
#define ANCHORS_MAX 256

struct anchor {
	char *name;
	json_t *value;
};

struct reader {
	yaml_parser_t parser;
	struct anchor anchors[ANCHORS_MAX];
	size_t n_anchors, n_nodes;
};

static int fail_at(const struct reader *r, struct error *err, const char *what)
{
	return fail(err, E_INVALID, "it is not valid YAML: %s (line %zu)", what,
	            r->parser.mark.line + 1);
}

static int next_event(struct reader *r, yaml_event_t *ret, struct error *err)
{
	if (yaml_parser_parse(&r->parser, ret))
		return 0;
	return fail(err, E_INVALID, "it is not valid YAML: %s (line %zu)",
	            r->parser.problem ? r->parser.problem : "unreadable",
	            r->parser.problem_mark.line + 1);
}

/* Decimal, 0x…, 0o… or, as YAML 1.1 has it, octal with a leading 0. */
static bool parse_integer(const char *text, json_int_t *ret)
{
	const char *digits = text + (text[0] == '-' || text[0] == '+');
	int base = 10;
	char *end;

	if (digits[0] < '0' || digits[0] > '9')
		return false;
	if (digits[0] == '0' && digits[1] == 'o') {
		digits += 2;
		base = 8;
	} else if (digits[0] == '0' && digits[1] == 'x') {
		digits += 2;
		base = 16;
	} else if (digits[0] == '0' && digits[1]) {
		base = 8;
	}
	if (strspn(digits, "0123456789abcdefABCDEF") != strlen(digits) || !digits[0])
		return false;
	errno = 0;
	long long value = strtoll(digits, &end, base);
	*ret = text[0] == '-' ? -value : value;
	return errno == 0 && *end == '\0';
}

static json_t *read_plain(const char *text)
{
	json_int_t number;

	if (!text[0] || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
		return json_null();
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_boolean(text[0] == 't');
	return parse_integer(text, &number) ? json_integer(number) : json_string(text);
}

static int read_scalar(const struct reader *r, const yaml_event_t *event, json_t **ret,
                       struct error *err)
{
	const char *text = (const char *)event->data.scalar.value;
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	                event->data.scalar.plain_implicit;

	if (strlen(text) != event->data.scalar.length)
		return fail_at(r, err, "a text has a zero byte");
	*ret = is_plain ? read_plain(text) : json_string(text);
	return *ret ? 0 : fail_at(r, err, "a text is not UTF-8");
}

static size_t count_nodes(const json_t *value)
{
	size_t count = 1, i;
	const char *key;
	json_t *item;

	json_array_foreach(value, i, item) count += count_nodes(item);
	json_object_foreach((json_t *)(uintptr_t)value, key, item) count += count_nodes(item);
	return count;
}

static int count(struct reader *r, size_t more, struct error *err)
{
	r->n_nodes += more;
	return r->n_nodes <= CDI_YAML_NODES_MAX ? 0 : fail_at(r, err, "it has too many values");
}

static void keep_anchor(struct reader *r, const yaml_char_t *name, json_t *value)
{
	struct anchor *place = &r->anchors[r->n_anchors];

	if (!name)
		return;
	for (size_t i = 0; i < r->n_anchors; i++) {
		if (strcmp(r->anchors[i].name, (const char *)name) == 0)
			place = &r->anchors[i];
	}
	if (place == &r->anchors[r->n_anchors]) {
		if (r->n_anchors == ANCHORS_MAX)
			return; /* its aliases are unknown then */
		r->n_anchors++;
		place->name = xstrdup((const char *)name);
	}
	json_decref(place->value);
	place->value = json_incref(value);
}

/* An alias inside of what it names is unknown: anchors are kept when their value is complete. */
static int read_alias(struct reader *r, const yaml_event_t *event, json_t **ret, struct error *err)
{
	for (size_t i = 0; i < r->n_anchors; i++) {
		const struct anchor *anchor = &r->anchors[i];
		if (strcmp(anchor->name, (const char *)event->data.alias.anchor) != 0)
			continue;
		if (count(r, count_nodes(anchor->value), err))
			return -1;
		*ret = json_deep_copy(anchor->value);
		return 0;
	}
	return fail_at(r, err, "an alias has no anchor before it");
}

static int read_value(struct reader *r, yaml_event_t *event, int depth, json_t **ret,
                      struct error *err);

static int read_items(struct reader *r, int depth, json_t *array, struct error *err)
{
	for (;;) {
		yaml_event_t event;
		json_t *item;
		if (next_event(r, &event, err))
			return -1;
		bool is_end = event.type == YAML_SEQUENCE_END_EVENT;
		int rc = is_end ? 0 : read_value(r, &event, depth, &item, err);
		yaml_event_delete(&event);
		if (is_end || rc)
			return rc;
		(void)json_array_append_new(array, item);
	}
}

static int read_member(struct reader *r, const yaml_event_t *key, int depth, json_t *object,
                       struct error *err)
{
	yaml_event_t event;
	json_t *value;

	if (key->type != YAML_SCALAR_EVENT)
		return fail_at(r, err, "a key is not a text");
	const char *name = (const char *)key->data.scalar.value;
	if (strlen(name) != key->data.scalar.length || json_object_get(object, name))
		return fail_at(r, err, "a key is there twice");
	if (next_event(r, &event, err))
		return -1;
	int rc = read_value(r, &event, depth, &value, err);
	yaml_event_delete(&event);
	if (rc == 0 && json_object_set_new(object, name, value))
		return fail_at(r, err, "a key is not UTF-8");
	return rc;
}

static int read_members(struct reader *r, int depth, json_t *object, struct error *err)
{
	for (;;) {
		yaml_event_t event;
		if (next_event(r, &event, err))
			return -1;
		bool is_end = event.type == YAML_MAPPING_END_EVENT;
		int rc = is_end ? 0 : read_member(r, &event, depth, object, err);
		yaml_event_delete(&event);
		if (is_end || rc)
			return rc;
	}
}

static int read_value(struct reader *r, yaml_event_t *event, int depth, json_t **ret,
                      struct error *err)
{
	autojson json_t *value = NULL;
	const yaml_char_t *anchor = NULL;
	int rc;

	if (depth > DEPTH_MAX)
		return fail_at(r, err, "it is nested too deeply");
	if (count(r, 1, err))
		return -1;
	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(r, event, ret, err);
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		rc = read_scalar(r, event, &value, err);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		value = json_array();
		rc = read_items(r, depth + 1, value, err);
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		value = json_object();
		rc = read_members(r, depth + 1, value, err);
	} else {
		return fail_at(r, err, "a value is missing");
	}
	if (rc)
		return -1;
	keep_anchor(r, anchor, value);
	*ret = take_ptr(&value);
	return 0;
}

/* Stream start, document start, the value, document end, stream end. */
static int read_document(struct reader *r, json_t **ret, struct error *err)
{
	autojson json_t *value = NULL;
	yaml_event_t event = {.type = YAML_NO_EVENT};
	int n_documents = 0;

	while (event.type != YAML_STREAM_END_EVENT) {
		yaml_event_delete(&event);
		if (next_event(r, &event, err))
			return -1;
		if (event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		yaml_event_delete(&event);
		int rc = n_documents++ > 0 ? fail_at(r, err, "it has more than one document")
		                           : next_event(r, &event, err);
		if (rc == 0)
			rc = read_value(r, &event, 1, &value, err);
		if (rc) {
			yaml_event_delete(&event);
			return -1;
		}
	}
	yaml_event_delete(&event);
	if (!value)
		return fail(err, E_INVALID, "it is empty");
	*ret = take_ptr(&value);
	return 0;
}

int cdi_yaml_parse(const char *text, size_t len, json_t **ret, struct error *err)
{
	autofree struct reader *r = xcalloc(1, sizeof(*r));

	if (!yaml_parser_initialize(&r->parser))
		return fail(err, E_INTERNAL, "cannot start to read YAML");
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
	int rc = read_document(r, ret, err);
	for (size_t i = 0; i < r->n_anchors; i++) {
		free(r->anchors[i].name);
		json_decref(r->anchors[i].value);
	}
	yaml_parser_delete(&r->parser);
	return rc;
}
