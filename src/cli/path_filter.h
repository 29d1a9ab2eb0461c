/* SPDX-License-Identifier: Apache-2.0 */
/* --include, --exclude and --filter-from of the bucket commands, with the rules of `hf`: first the file's
 * rules in order, then --exclude, then --include; what nothing matches is in unless there is an --include. */
#ifndef HEARTH_CLI_PATH_FILTER_H
#define HEARTH_CLI_PATH_FILTER_H

#include "cli/options.h"

struct path_filter;

/* Reads the options "include", "exclude" and, if the table has it, "filter-from". */
int path_filter_new(const struct options *options, bool has_file, struct path_filter **ret,
		    struct error *err);
void path_filter_free(struct path_filter *filter);
bool path_filter_matches(const struct path_filter *filter, const char *path);

#endif
