/* SPDX-License-Identifier: Apache-2.0 */
/* What a schedule does with ticks that come too late or too early: reserved labels over defaults. */
#ifndef HEARTH_JOB_SCHEDULE_POLICY_H
#define HEARTH_JOB_SCHEDULE_POLICY_H

#include "base/configuration.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

#define SCHEDULE_CATCH_UP_LABEL "hearth.catch-up"
#define SCHEDULE_OVERLAP_LABEL "hearth.overlap"

enum overlap { OVERLAP_SKIP, OVERLAP_ALLOW, OVERLAP_QUEUE, OVERLAP_REPLACE };

struct schedule_policy {
	enum overlap overlap;
	int catch_up_max; /* ticks made up for, the latest ones; 0: none */
	bool is_catch_up_late; /* more than one: they run one after the other */
};

/* The texts of the two labels in `labels`, borrowed; NULL where there is none. E_INVALID. */
int schedule_policy_read(const json_t *labels, const char **ret_catch_up, const char **ret_overlap,
			 struct error *err);
/* `catch_up` and `overlap` are such texts or NULL. */
struct schedule_policy schedule_policy_make(const struct configuration *configuration,
					    const char *catch_up, const char *overlap, bool concurrency);

#endif
