/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reserved labels of a job ask for (docs/guide.md). The stock clients send them as they are,
 * and the hosted service ignores them:
 *
 *   hearth.priority=high|normal|low|N     -100 … 100; low -10, high 10
 *   hearth.hold=yes|no                    waits until released
 *   hearth.after=ID[,ID]                  run when those completed; '.' between ids is as good as ','
 *   hearth.array=A-B                      one job per number (job/array.h)
 *   hearth.array-max=N                    at most so many of them at once
 *   hearth.array-retry=ID                 only what did not complete in that array
 *   hearth.timeout=TIME                   on a live job too: a new time limit, from its start
 *   hearth.warning=TIME, hearth.warning-signal=NAME   a signal so long before the time limit
 *   hearth.grace=TIME                     between SIGTERM and SIGKILL
 *   hearth.attempts=N                     as `attempts` of the request, for clients that cannot send it
 *   hearth.retry=CAUSE[,CAUSE]            exit, exit-N, signal, oom, storage, lost, timeout; or none, any
 *   hearth.retry-delay=TIME               pause before the next attempt; doubles
 *   hearth.idle=keep                      the idle watchdog leaves it alone
 *   hearth.idempotency-key, hearth.catch-up, hearth.overlap   elsewhere
 *
 * hearth.array-of and hearth.array-index are written by the server. An unknown label that begins with
 * "hearth." is refused: it is a typing error. When labels are replaced on a job, a reserved label that is
 * absent means "unchanged", and one with an empty value "as if it had never been there".
 */
#ifndef HEARTH_JOB_WISHES_H
#define HEARTH_JOB_WISHES_H

#include "base/configuration.h"
#include "base/error.h"
#include "base/id.h"
#include "container/attempt_folder.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define WISHES_AFTER_MAX 64
#define WISHES_ARRAY_MAX 10000
#define PRIORITY_MIN (-100)
#define PRIORITY_MAX 100

struct retry_rule {
	bool is_set;		     /* else what attempt_judge() does without a rule */
	unsigned outcomes;	     /* 1 << enum attempt_outcome; without an exit code's rule */
	uint8_t exit_codes[256 / 8]; /* bit set of codes that are repeated */
	int64_t delay_s;	     /* before the second attempt; then it doubles … */
	int64_t delay_max_s;	     /* … up to this */
};

struct job_wishes {
	int priority;
	bool is_held, may_idle;
	int n_after;
	char after[WISHES_AFTER_MAX][ID_SIZE];
	bool is_array;
	int array_first, array_last, array_max; /* array_max 0: no limit */
	char array_retry[ID_SIZE];		/* "": none */
	int64_t timeout_s;			/* 0: not asked */
	int64_t warning_s;			/* 0: none */
	int warning_signal;
	int64_t grace_s;
	int attempts; /* 0: not asked */
	struct retry_rule retry;
};

/* Does it name any cause? */
bool retry_rule_repeats(const struct retry_rule *rule);

/* With the defaults of the settings where nothing is asked. E_INVALID names the label and what would be
 * right; *ret then has what the others ask for. Rights (priority above scheduler.max_priority) are checked by
 * who knows the namespace. */
int job_wishes_parse(const struct configuration *configuration, const json_t *labels,
		     struct job_wishes *ret, struct error *err);
/* E_INVALID when `fresh` has a label of the server's own which `old` (NULL: none) has not, or has otherwise. */
int job_wishes_check_user(const json_t *old, const json_t *fresh, struct error *err);
/* For another job like this one: without the idempotency key and what the server wrote. New. */
json_t *job_wishes_copy(const json_t *labels);
/* Labels after a replacement: `fresh`, and of `old` the reserved ones that `fresh` does not have. */
json_t *job_wishes_merge(const json_t *old, const json_t *fresh);

#endif
