/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of jobs share. */
#ifndef HEARTH_API_JOBS_H
#define HEARTH_API_JOBS_H

#include "api/answer.h"

/* The most that one job object may take: a 4 MiB body whose every byte needs an escape. */
#define JOBS_OBJECT_MAX ((size_t)32 * 1024 * 1024)

/* The job {id} in the namespace that was checked; false: 404 was answered. */
bool jobs_load(struct api *api, struct http_request *request, struct job_record *ret);
/* Write the job as it is now. */
void jobs_render(struct api *api, struct http_request *request, const struct job_record *job,
		 struct buffer *ret);
/* Answer with the job as it is after what this call changed, once that is on disk. */
void jobs_answer_when_durable(struct api *api, struct http_request *request, const char *id);
/* The member "labels" of the body, checked; yours to release. */
int jobs_read_labels(struct http_request *request, json_t **ret, struct error *err);

/* May the caller, with this token, use the buckets of a normalized specification? For everything that leads to
 * jobs; job_submit() asks again what the creator may then. */
int jobs_check_volumes(struct api *api, const struct http_request *request, const json_t *body, struct error *err);

#endif
