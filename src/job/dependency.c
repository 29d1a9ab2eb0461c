/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that run after others. See the header. */
#include "job/dependency.h"

int dependency_check(struct job_service *service, const char *job_id, const struct account *caller,
                     const struct job_wishes *wishes, struct error *err)
{
	return 0;
}

bool dependency_insert(struct job_service *service, const char *job_id,
                       const struct job_wishes *wishes)
{
	return false;
}

void dependency_job_ended(struct job_service *service, const struct job_record *job)
{
}
