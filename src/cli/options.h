/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line options by table, with the recognition rules of `hf` (hub-jobs-api 10.1): options
 * may stand anywhere before "--", also behind arguments; letters may be joined ("-la" is "-l a");
 * there is no abbreviation. Commands that pass a foreign command line on hand unknown options
 * through.
 */
#ifndef HEARTH_CLI_OPTIONS_H
#define HEARTH_CLI_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_INTEGER };

struct option_row {
	const char *name; /* without dashes; NULL ends a table */
	char letter;      /* 0: none */
	enum option_kind kind;
	const char *value;     /* what the help calls the value; NULL for flags */
	const char *completes; /* "file", or words separated by blanks; NULL: nothing */
	bool only_first;       /* recognized before the first argument only */
	const char *help;
};

struct option_value {
	const struct option_row *row;
	const char *text; /* borrowed from argv; NULL for flags */
};

struct options {
	const struct option_row *table;
	struct option_value *values; /* in the order given */
	size_t n_values;
	char **arguments; /* the words that are not options, NULL-terminated */
	size_t n_arguments;
	char **made; /* words that we had to build */
	size_t n_made;
};

/* E_INVALID: a usage error. `argv` is borrowed for the life of `ret`. */
int options_parse(const struct option_row *table, bool passes_unknown, int argc, char **argv,
                  struct options *ret, struct error *err);
void options_clear(struct options *options);

/* The names must stand in the table (BUG otherwise). */
bool options_flag(const struct options *options, const char *name);
const char *options_text(const struct options *options, const char *name); /* last one; NULL */
int64_t options_integer(const struct options *options, const char *name, int64_t fallback);
size_t options_count(const struct options *options, const char *name);
/* The values of a repeated option by index, NULL behind the last. */
const char *options_each(const struct options *options, const char *name, size_t index);

/* A whole decimal number, optionally signed. */
bool options_parse_integer(const char *text, int64_t *ret);

#endif
