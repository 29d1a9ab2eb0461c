/* SPDX-License-Identifier: Apache-2.0 */
/* The Link header of a page (hub-jobs-api 0.7): absolute, with all filters, and a new cursor. */
#ifndef HEARTH_API_PAGE_LINK_H
#define HEARTH_API_PAGE_LINK_H

#include "base/buffer.h"

/* Appends `<BASE/path?query&cursor=CURSOR>; rel="next"`: `raw_query` with its own cursor replaced. */
int page_link_write(struct buffer *ret, const char *base_url, const char *path,
		    const char *raw_query, const char *cursor);

#endif
