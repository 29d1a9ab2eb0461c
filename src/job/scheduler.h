/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs next, and with what: first come, first served over the machine's CPUs, memory and slots.
 * The first in the queue is never overtaken, so that a large job is not starved by small ones; next
 * attempts of jobs that have run already go before jobs that have not.
 *
 * Knows no database and no backend. Costs the same for one waiting job and for a hundred thousand:
 * positions are only counted when somebody asks.
 */
#ifndef HEARTH_JOB_SCHEDULER_H
#define HEARTH_JOB_SCHEDULER_H

#include "base/configuration.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scheduler;

/* A job's part in it; embedded by the owner, zeroed at first. */
struct scheduler_entry {
	const struct flavor *flavor; /* set by the owner */
	int slot;		     /* while it holds resources */
	bool is_queued, is_holding;
	/* the scheduler's own */
	bool is_retry;
	int64_t ticket, position;
	struct scheduler_entry *previous, *next;
};

struct scheduler *scheduler_new(const struct configuration *configuration);
void scheduler_free(struct scheduler *scheduler);

void scheduler_enqueue(struct scheduler *scheduler, struct scheduler_entry *entry, bool is_retry);
void scheduler_dequeue(struct scheduler *scheduler, struct scheduler_entry *entry);
/* The first in the queue, if it fits now: it leaves the queue and holds its resources and the
 * smallest free slot. NULL: nobody waits, or the first one has to go on waiting. */
struct scheduler_entry *scheduler_next(struct scheduler *scheduler);
/* Take resources and this slot without asking: an attempt that lives already. */
void scheduler_hold(struct scheduler *scheduler, struct scheduler_entry *entry, int slot);
void scheduler_release(struct scheduler *scheduler, struct scheduler_entry *entry);

/* Why a queued entry waits, as a sentence. False while scheduler_next() has not looked at it yet. */
bool scheduler_explain(struct scheduler *scheduler, struct scheduler_entry *entry, char *ret,
		       size_t size);

struct scheduler_usage {
	int64_t queued, holding, cpu_millis, memory_bytes;
};
struct scheduler_usage scheduler_usage(const struct scheduler *scheduler);

#endif
