/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs in the form that `hf … --json` prints: snake_case keys, no nulls, long timestamps (10.3). */
#ifndef HEARTH_CLI_JOB_VIEW_H
#define HEARTH_CLI_JOB_VIEW_H

#include "base/json.h"

/* The view of a job of the API; `endpoint` is put in, with the job's address. New. */
json_t *job_view_of(const json_t *job, const char *endpoint);
/* The same for `inspect`: the label `name`, if any, stands first. New. */
json_t *job_view_named(const json_t *job, const char *endpoint);
/* The same for `ps`, with the displayed columns added. New. */
json_t *job_view_listed(const json_t *job, const char *endpoint);

/* A schedule in that form. New. */
json_t *job_view_schedule(const json_t *schedule);
/* Its command as one line, or "N/A". New. */
json_t *job_view_command(const json_t *job);

const char *job_view_stage(const json_t *job);   /* "UNKNOWN" if it has none */
const char *job_view_message(const json_t *job); /* NULL if none */
const char *job_view_owner(const json_t *job);   /* "" if none */
bool job_view_is_over(const json_t *job);        /* the stage is terminal */
/* N of "Job failed with exit code: N"; 0: the message says nothing of the kind. */
int job_view_exit_code(const json_t *job);

#endif
