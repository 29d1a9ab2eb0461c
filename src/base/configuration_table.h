/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all settings: private to configuration.c, configuration_print.c and the table. */
#ifndef HEARTH_BASE_CONFIGURATION_TABLE_H
#define HEARTH_BASE_CONFIGURATION_TABLE_H

#include "base/configuration.h"

enum setting_type {
	SETTING_TEXT,	 /* char *, NULL when empty */
	SETTING_LIST,	 /* char **, comma-separated */
	SETTING_INTEGER, /* int64_t … */
	SETTING_SECONDS,
	SETTING_BYTES,
	SETTING_MILLIS,
	SETTING_PRICE, /* USD; micro-USD inside */
	SETTING_BOOLEAN,
};

struct setting {
	const char *section; /* "flavor" and "registry" stand for their named sections */
	const char *key;
	enum setting_type type;
	size_t offset;	      /* in struct configuration, flavor or registry */
	const char *fallback; /* default, as it would be written; NULL: empty */
	int64_t min;	      /* of numbers */
	bool has_auto;	      /* "auto" is a way to write 0 */
	const char *choices;  /* "bridge none": the only values; NULL: any */
	const char *help;     /* one sentence or two for the manual */
};

/* A printed value goes on in the next line by then (inih reads lines of at most 199 bytes). */
#define CONFIGURATION_LINE_MAX 160

/* Ends with a row without section. Rows of one section stand together. */
extern const struct setting configuration_table[];

struct configuration_origin {
	struct configuration_origin *next;
	char *section, *key, *where;
};

/* Where the value comes from: "default" unless it was set. */
const char *configuration_origin_of(const struct configuration *c, const char *section,
				    const char *key);
bool setting_is_named(const struct setting *setting); /* of a flavor or a registry */

#endif
