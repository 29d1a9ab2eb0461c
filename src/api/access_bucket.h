/* SPDX-License-Identifier: Apache-2.0 */
/* Rights of buckets and of the CAS (hub-jobs-api 7.1, xet-cas 1.1): the part of the gate that access.c leaves to them. */
#ifndef HEARTH_API_ACCESS_BUCKET_H
#define HEARTH_API_ACCESS_BUCKET_H

#include "api/access.h"

/* May the caller see the bucket, or change it? Public ones may be seen by anybody. E_UNAUTHORIZED for somebody unknown and
 * E_NOT_FOUND for others when it does not exist for them (with the header X-Error-Code); E_FORBIDDEN. "me" as namespace
 * is the user of the token. */
int access_find_bucket(struct access *access, const char *namespace_name, const char *name, bool needs_write,
		       struct bucket *ret, struct error *err);
/* The same for "namespace/name" in a body. */
int access_find_bucket_by_path(struct access *access, const char *path, bool needs_write, struct bucket *ret,
			       struct error *err);
/* For access.c: rows with RIGHT_BUCKET_*, and with RIGHT_CAS_*. */
int access_check_bucket(struct access *access, enum api_right right, struct error *err);
int access_check_cas(struct access *access, bool needs_write, struct error *err);

#endif
