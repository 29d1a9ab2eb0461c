/* SPDX-License-Identifier: Apache-2.0 */
/* The schema steps of sql/, compiled in by embed_schema.py: step N brings version N - 1 to N. */
#ifndef HEARTH_STORE_SCHEMA_H
#define HEARTH_STORE_SCHEMA_H

struct schema_step {
	const char *name;
	const char *sql;
};

extern const struct schema_step schema_steps[];
extern const int schema_step_count;

#endif
