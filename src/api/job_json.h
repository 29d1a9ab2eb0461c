/* SPDX-License-Identifier: Apache-2.0 */
/* A job as the API shows it (hub-jobs-api 2.2, 2.12), written as text without building a tree. */
#ifndef HEARTH_API_JOB_JSON_H
#define HEARTH_API_JOB_JSON_H

#include "base/buffer.h"
#include "store/jobs.h"

struct job_json_context {
	const char *base_url; /* for avatarUrl; no final '/' */
	int64_t now_ms;	      /* what "until now" means in durations */
	struct database *db;  /* for the name of the resource group; NULL: it is left out */
	const json_t *extras; /* the member "hearth" (api/job_extras.h); NULL: none */
};

/* Append the job object. `message` is what status.message shows now; NULL: null. -1: beyond the
 * buffer's maximum. */
int job_json_write(struct buffer *ret, const struct job_record *job, const char *message,
		   const struct job_json_context *context);
/* Only {"stage":…,"message":…,"failureCount":…}. */
int job_json_write_status(struct buffer *ret, const struct job_record *job, const char *message);
/* Parts of it, for schedules: members, each with a comma in front. */
int job_json_write_spec(struct buffer *ret, const struct job_record *job);
int job_json_write_people(struct buffer *ret, const struct job_record *job, const char *base_url);
int job_json_write_initiator(struct buffer *ret, const json_t *initiator, const char *base_url);

#endif
