/* SPDX-License-Identifier: Apache-2.0 */
/* Job ids as people write them: "ID" or "NAMESPACE/ID" (hub-jobs-api 10.1). */
#ifndef HEARTH_CLI_JOB_REF_H
#define HEARTH_CLI_JOB_REF_H

#include "base/error.h"

struct job_ref {
	const char *id; /* borrowed from `text` */
	char *space;    /* the namespace, yours; NULL: not said */
};

/* `known` is what --namespace or an earlier id said (NULL: nothing); it must not be contradicted.
 */
int job_ref_parse(const char *text, const char *known, struct job_ref *ret, struct error *err);
void job_ref_clear(struct job_ref *ref);

#endif
