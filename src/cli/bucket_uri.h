/* SPDX-License-Identifier: Apache-2.0 */
/* How people name buckets and files in them: hf://buckets/NAMESPACE/NAME[/PATH] or NAMESPACE/NAME[/PATH]. */
#ifndef HEARTH_CLI_BUCKET_URI_H
#define HEARTH_CLI_BUCKET_URI_H

#include "base/error.h"

#include <stdbool.h>

#define BUCKET_URI_PREFIX "hf://buckets/"

struct bucket_uri {
	char *space, *name, *id; /* id: "space/name" */
	char *path;		 /* without final slashes; "": the bucket itself */
	bool is_folder;		 /* ended with a slash */
};

bool bucket_uri_is(const char *text); /* hf://… */
/* E_INVALID says what the form is. */
int bucket_uri_parse(const char *text, struct bucket_uri *ret, struct error *err);
/* The same for a whole bucket: a path is refused; `what` names what is being done ("creation"). */
int bucket_uri_parse_id(const char *text, const char *what, struct bucket_uri *ret,
			struct error *err);
void bucket_uri_clear(struct bucket_uri *uri);
#define autouri __attribute__((cleanup(bucket_uri_clear)))

/* May a path that the server names be joined to a local folder? */
bool bucket_path_is_safe(const char *path);
/* "a/b" joined; `folder` may be "". Yours to free. */
char *bucket_path_join(const char *folder, const char *path);

#endif
