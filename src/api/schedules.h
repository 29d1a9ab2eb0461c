/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of schedules share. */
#ifndef HEARTH_API_SCHEDULES_H
#define HEARTH_API_SCHEDULES_H

#include "api/answer.h"
#include "api/schedule_json.h"

/* Answer with the schedule as it is after what this call changed, once that is on disk. */
void schedules_answer_when_durable(struct api *api, struct http_request *request, const char *id);
/* The member "schedule" of a body; borrowed. */
int schedules_read_expression(const json_t *body, const char **ret, struct error *err);
/* Answer with a page of its ticks. */
void schedules_answer_history(struct api *api, struct http_request *request,
			      const struct schedule_record *schedule);

#endif
