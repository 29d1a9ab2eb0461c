/* SPDX-License-Identifier: Apache-2.0 */
/* Aligned tables for people (hub-jobs-api 10.3). */
#ifndef HEARTH_CLI_TABLE_H
#define HEARTH_CLI_TABLE_H

#include "base/buffer.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

#define TABLE_TEXT_MAX (64u << 20)

/* What a value looks like in a cell: on one line, control characters escaped. Yours to free. */
char *table_cell(const json_t *value, bool is_utf8);
/* Characters (not bytes) of a UTF-8 text. */
size_t table_length(const char *text);
/* Text with control characters and invisible ones escaped ("\n", "\x1b", "\u2028"). Yours to free.
 */
char *table_escape(const char *text);

/* The same on one line: white space between words becomes one blank. Yours to free. */
char *table_single_line(const char *text);

/* Lay out `rows` (objects) by `columns` (keys; the headers are these in capitals), not wider than
 * `width` where the widest columns can give way (0: as wide as needed). *ret_cut: a cell was cut.
 */
void table_layout(const json_t *rows, const char *const *columns, size_t n_columns, int width,
                  bool is_utf8, struct buffer *ret, bool *ret_cut);

#endif
