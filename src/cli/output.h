/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that a command says (hub-jobs-api 10.3): results on stdout in one of four modes, notes
 * on stderr. Hints are left out in quiet mode only.
 */
#ifndef HEARTH_CLI_OUTPUT_H
#define HEARTH_CLI_OUTPUT_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

enum output_mode { OUTPUT_HUMAN, OUTPUT_AGENT, OUTPUT_JSON, OUTPUT_QUIET };

struct output {
	enum output_mode mode;
	bool no_truncate;
};

/* --format's word; "auto" is human. False if unknown. */
bool output_mode_by_name(const char *name, enum output_mode *ret);

/* "✓ message" and a line per value; `values` is an object (taken), nulls only show in JSON. */
void output_result(const struct output *out, const char *message, json_t *take_values);
/* `rows` is an array of objects (borrowed). `columns` NULL: all keys of the first row that have a
 * value somewhere. `id_key` is what quiet mode prints (NULL: the first column). */
void output_table(const struct output *out, const json_t *rows, const char *const *columns,
                  size_t n_columns, const char *id_key);
/* An object as JSON: indented for people. */
void output_dict(const struct output *out, const json_t *value);
/* A line for people; nothing in JSON and quiet mode. */
void output_text(const struct output *out, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

void output_hint(const struct output *out, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
void output_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "Error: text" on stderr; returns the exit status 1. */
int output_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int output_fail(const struct error *err); /* the same for an error */
/* After the last output: was everything written? Returns the status, or 1 and a sentence. */
int output_finish(int status);

#endif
