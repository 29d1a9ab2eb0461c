/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of hearthd, from one table that --help and the manual are printed from. */
#ifndef HEARTH_SERVER_OPTIONS_H
#define HEARTH_SERVER_OPTIONS_H

#include "base/buffer.h"
#include "base/configuration.h"
#include "base/error.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_SHOW_CONFIGURATION,
	OPTIONS_PRINT_MANUAL, /* `page` says which */
	OPTIONS_VERSION,
	OPTIONS_HELP,
};

struct options {
	enum options_action action;
	const char *configuration_file; /* NULL: the default one, if it exists */
	const char *page;
	char **settings; /* "section.key=value", NULL-terminated; origins by the same index */
	const char **origins;
	size_t n_settings;
};

/* Borrows from argv. E_INVALID with a sentence that names the option. */
int options_parse(int argc, char **argv, struct options *ret, struct error *err);
void options_clear(struct options *options);
/* File and flags into a new configuration, checked and finished; yours to free. */
int options_configure(const struct options *options, struct configuration **ret,
		      struct error *err);

void options_help(struct buffer *ret);
/* hearthd.8 as troff. */
void options_manual(struct buffer *ret);
/* hearth.conf.5 as troff. */
int options_file_manual(struct buffer *ret);

#endif
