/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read reserved labels share. */
#ifndef HEARTH_JOB_WISHES_PRIVATE_H
#define HEARTH_JOB_WISHES_PRIVATE_H

#include "job/wishes.h"

struct wish {
	const struct configuration *configuration;
	const char *label, *value;
};

/* labels.LABEL: "VALUE" is not right; write RIGHT */
int wish_fail(const char *label, const char *value, const char *right, struct error *err);
bool wish_to_number(const char *text, int64_t min, int64_t max, int *ret);

/* hearth.retry */
int wish_retry(const struct wish *wish, struct job_wishes *ret, struct error *err);

#endif
