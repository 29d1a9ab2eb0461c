/* SPDX-License-Identifier: Apache-2.0 */
/* The queue, as people see and change it. See the header. */
#include "job/queue.h"

int queue_admit(struct job_service *service, const struct account *owner,
                const struct account *creator, const struct job_wishes *wishes,
                const char *resource_group_id, struct error *err)
{
	return 0;
}

void queue_load_limits(struct job_service *service)
{
}
