/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The INI file, by inih. inih knows the line's number only in builds of a certain kind, so our
 * reader counts the lines that it hands out. A line is at most 199 bytes; a longer list goes on in
 * the next line, indented.
 */
#include "base/configuration_table.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX (16 * 1024)

struct reading {
	struct configuration *configuration;
	const char *path;
	FILE *file;
	int line;
	bool is_continuation; /* the present line is indented */
	bool is_failed;
	struct error *err;
	/* The value that may still be continued. */
	char *section, *key;
	int value_line;
	struct buffer value;
	/* Where sections with a name of their own began, by that name. */
	json_t *begun;
};

static int reading_fail(struct reading *r, int line, const char *text)
{
	if (!r->is_failed)
		fail(r->err, E_INVALID, "%s:%d: %s", r->path, line, text);
	r->is_failed = true;
	return 0;
}

/* The value is complete once another one begins, or the file ends. */
static void flush_value(struct reading *r)
{
	if (r->key && !r->is_failed) {
		autofree char *origin = xasprintf("%s:%d", r->path, r->value_line);
		if (configuration_set(r->configuration, r->section, r->key, buffer_text(&r->value),
		                      origin, r->err) < 0)
			r->is_failed = true;
	}
	free(r->section);
	free(r->key);
	r->section = NULL;
	r->key = NULL;
	buffer_reset(&r->value);
}

/* Two flavors of one name are a slip, never one that is meant to have the settings of both. */
static bool take_section(struct reading *r, const char *line)
{
	size_t len = strcspn(line, "]");
	char text[160];

	if (line[0] != '[' || !line[len] || !memchr(line, ' ', len))
		return true;
	autofree char *name = xstrndup(line, len + 1);
	json_int_t first = json_integer_value(json_object_get(r->begun, name));
	if (first == 0) {
		(void)json_object_set_new(r->begun, name, json_integer(r->line));
		return true;
	}
	(void)snprintf(text, sizeof(text), "%.80s stands in line %lld already; write it once", name,
	               (long long)first);
	reading_fail(r, r->line, text);
	return false;
}

static char *read_line(char *out, int size, void *stream)
{
	struct reading *r = stream;
	if (r->is_failed || !fgets(out, size, r->file))
		return NULL;
	r->line++;
	r->is_continuation = isspace((unsigned char)out[0]);
	size_t len = strlen(out);
	if (len + 1 >= (size_t)size && out[len - 1] != '\n' && !feof(r->file)) {
		reading_fail(r, r->line,
		             "the line is too long; a list can go on in the next line, indented");
		return NULL;
	}
	return take_section(r, out) ? out : NULL;
}

static int take_pair(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;
	if (r->is_continuation && r->key && !strcmp(r->section, section) && !strcmp(r->key, key)) {
		bool joins = r->value.len == 0 || r->value.data[r->value.len - 1] == ',';
		if (buffer_printf(&r->value, "%s%s", joins ? "" : ",", value) < 0)
			return reading_fail(r, r->line, "the value is too long");
		return 1;
	}
	flush_value(r);
	if (r->is_failed)
		return 0;
	r->section = xstrdup(section);
	r->key = xstrdup(key);
	r->value_line = r->line;
	return buffer_add_text(&r->value, value) == 0;
}

int configuration_read_file(struct configuration *c, const char *path, struct error *err)
{
	autofile FILE *file = fopen(path, "re");
	if (!file)
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INVALID, errno,
		                  "cannot open the configuration file %s", path);
	struct reading r = {.configuration = c, .path = path, .file = file, .err = err};
	autojson json_t *begun = r.begun = json_object();
	r.value = BUFFER_INIT(VALUE_MAX);
	int bad_line = ini_parse_stream(read_line, &r, take_pair, &r);
	if (bad_line > 0)
		reading_fail(&r, bad_line, "neither a section [NAME] nor a setting KEY = VALUE");
	flush_value(&r);
	buffer_clear(&r.value);
	return r.is_failed ? -1 : 0;
}
