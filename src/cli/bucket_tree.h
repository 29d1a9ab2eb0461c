/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of files, flat or as a tree, printed like `hf buckets ls` does. */
#ifndef HEARTH_CLI_BUCKET_TREE_H
#define HEARTH_CLI_BUCKET_TREE_H

#include "cli/output.h"

#include <stdint.h>

#define BUCKET_SIZE_TEXT 32
/* "1234", or "1.2 KB" when readable. Returns `ret`. */
char *bucket_size_format(int64_t bytes, bool is_readable, char ret[BUCKET_SIZE_TEXT]);

struct bucket_listing {
	bool is_readable, is_tree, is_recursive;
};
/* `entries` as the API has them, in order of path. */
void bucket_listing_print(const struct output *out, const struct bucket_listing *listing, const json_t *entries);

#endif
