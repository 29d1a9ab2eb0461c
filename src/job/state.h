/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of a job (hub-jobs-api 2.3, 8.4).
 *
 *   SCHEDULING ──► RUNNING ──► COMPLETED | ERROR | CANCELED
 *        └───────────────────► ERROR | CANCELED
 *
 * job_transition() is the only place where a stage changes; the event is written with it, in the turn's
 * transaction. A terminal stage never changes. Between two attempts a job stays where it is.
 */
#ifndef HEARTH_JOB_STATE_H
#define HEARTH_JOB_STATE_H

#include "container/attempt_folder.h"
#include "job/wishes.h"
#include "store/jobs.h"

#include <stdbool.h>

struct job_change {
	enum job_stage stage;
	const char *message;	   /* NULL: none */
	const char *cancel_reason; /* NULL: none */
	int failure_count;
	int64_t at_ms; /* when it happened, which after a restart may be a while ago */
};

/* May a job in stage `from` be given stage `to`? The same stage again is a new message. */
bool job_can_change(enum job_stage from, enum job_stage to);
/* Writes the change and brings `job` up to date; false, and nothing is written, when it may not be. */
bool job_transition(struct database *db, struct job_record *job, const struct job_change *change);

/* What the end of an attempt means for its job. */
struct attempt_verdict {
	enum job_stage stage; /* with is_retried: the job's stage as it is */
	bool is_retried, is_failure;
	int64_t delay_s; /* with is_retried: the pause before the next attempt */
	char message[ERROR_TEXT_SIZE + 64]; /* "": none */
};
/* `rule`: job_wishes.retry. The pause doubles with each attempt that has failed. */
void attempt_judge(const struct job_record *job, const struct retry_rule *rule, int number,
		   const struct exit_record *record, struct attempt_verdict *ret);

#endif
