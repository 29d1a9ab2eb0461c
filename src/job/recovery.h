/* SPDX-License-Identifier: Apache-2.0 */
/* Starting is recovering: the memory of the service from the rows of those jobs that are not over. */
#ifndef HEARTH_JOB_RECOVERY_H
#define HEARTH_JOB_RECOVERY_H

#include "job/active.h"

/* Adopts live attempts and fills the queue. Finished jobs are not looked at. */
void recovery_run(struct job_service *service);

#endif
