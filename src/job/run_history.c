/* SPDX-License-Identifier: Apache-2.0 */
/* How long jobs ran. See the header. */
#include "job/run_history.h"

struct run_history *run_history_new(void)
{
	return NULL;
}

void run_history_free(struct run_history *history)
{
}

void run_history_load(struct run_history *history, struct database *db)
{
}

void run_history_add(struct run_history *history, const struct job_record *job, int64_t running_ms)
{
}

int64_t run_history_expect(const struct run_history *history, const struct job_record *job)
{
	return 0;
}
