/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of schedules share. */
#ifndef HEARTH_API_SCHEDULES_H
#define HEARTH_API_SCHEDULES_H

#include "api/answer.h"
#include "api/schedule_json.h"

/* Answer with a page of its ticks. */
void schedules_answer_history(struct api *api, struct http_request *request,
			      const struct schedule_record *schedule);

#endif
