/* SPDX-License-Identifier: Apache-2.0 */
/* The files below a local folder, as `hf` lists them: links to files count, links to folders are not entered. */
#ifndef HEARTH_CLI_LOCAL_TREE_H
#define HEARTH_CLI_LOCAL_TREE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct local_file {
	const char *path; /* below the folder */
	int64_t size, mtime_ms;
};

/* False: it is missing, or a folder. `path` of *ret is not set. */
bool local_file_stat(const char *path, struct local_file *ret);
bool local_is_folder(const char *path);
/* In no order. */
int local_tree_each(const char *folder, void (*fn)(void *arg, const struct local_file *file), void *arg,
		    struct error *err);

#endif
