/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the mirror share: a request whose folder and listing are known. */
#ifndef HEARTH_API_MIRROR_PRIVATE_H
#define HEARTH_API_MIRROR_PRIVATE_H

#include "api/hub.h"
#include "api/mirror_listing.h"

struct mirror_call {
	struct api *api;
	struct http_request *request; /* NULL: the client left */
	struct hub_path path;
	char **folders; /* where the revision may be, NULL-terminated; one at a time is looked at */
	size_t at;
	bool has_listed_again; /* a file was not as in the listing */
	bool is_by_commit; /* the revision is one that we told before */
	const struct mirror_listing *listing; /* of folders[at], for the call */
};

bool mirror_flag(const struct http_request *request, const char *name); /* of the query */
/* An entry of the tree API, yours to release. */
json_t *mirror_entry(const struct mirror_call *call, const struct mirror_file *file, bool is_expanded);
json_t *mirror_directory(const struct mirror_call *call, const char *path, size_t len, bool is_expanded);
/* "" is the root. */
bool mirror_is_directory(const struct mirror_listing *listing, const char *path);

/* Each answers the request. */
void mirror_tree(struct mirror_call *call);
void mirror_paths_info(struct mirror_call *call);
bool mirror_resolve(struct mirror_call *call); /* false: not answered, the listing is too old */

#endif
