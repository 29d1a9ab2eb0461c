/* SPDX-License-Identifier: Apache-2.0 */
/* The table of `stats`: one row per job, and one more per further GPU (hub-jobs-api 10.4). */
#ifndef HEARTH_CLI_STATS_TABLE_H
#define HEARTH_CLI_STATS_TABLE_H

#include "base/buffer.h"
#include "base/json.h"

struct stats_row {
	const char *id;
	const json_t *sample; /* as it came (2.8); NULL: none yet */
};

/* Appends the table, not wider than `width` if it can be (0: any), and returns its lines. */
size_t stats_table_layout(const struct stats_row *rows, size_t n_rows, bool has_header, int width,
                          struct buffer *ret);

#endif
