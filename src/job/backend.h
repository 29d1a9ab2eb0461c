/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where attempts run: the contract that job/ states and backend/ fulfils (local, slurm, fake).
 * All calls and callbacks happen on the loop. A callback never comes from inside the call that
 * caused it.
 */
#ifndef HEARTH_JOB_BACKEND_H
#define HEARTH_JOB_BACKEND_H

#include "base/configuration.h"
#include "base/error.h"
#include "container/attempt_folder.h"
#include "store/jobs.h"

#include <jansson.h>
#include <stdint.h>

struct attempt_start {
	const struct job_record *job; /* borrowed for the call */
	int number, slot;
	const struct flavor *flavor;
	const json_t *secrets;	      /* object of strings; borrowed for the call */
	const json_t *mounts;	      /* array for spec.json (base/volume.h); NULL: none; borrowed for the call */
	const char *devices;	      /* CDI names with commas; "" or NULL: none; borrowed for the call */
	const json_t *metrics_devices; /* array of uuids; NULL: none; borrowed for the call */
	int64_t grace_s, warning_s;   /* warning_s 0: none */
	int warning_signal;
};

/* What a backend tells. Exactly one `ended` per started or adopted attempt. */
struct backend_events {
	/* Something worth showing while the job is not running yet ("Pulling image: 43 %, …"). */
	void (*progress)(void *arg, const char *job_id, int number, const char *message);
	void (*image)(void *arg, const char *job_id, int number, const char *manifest_digest);
	/* `running_us` of its time have passed, by the monotonic clock. Told again when a monitor is found again. */
	void (*running)(void *arg, const char *job_id, int number, int64_t started_ms, int64_t running_us);
	/* Its processes were sent the signal before the time limit; 0: none of them handles it. */
	void (*warned)(void *arg, const char *job_id, int number, int signal, int64_t left_s);
	/* The exit record is durable and the log complete; nothing of the attempt lives. */
	void (*ended)(void *arg, const char *job_id, int number, const struct exit_record *record);
	void *arg;
};

struct backend {
	const struct backend_ops *ops;
	/* implementations embed this struct as their first member */
};

struct backend_ops {
	const char *name;
	void (*start)(struct backend *backend, const struct attempt_start *start);
	/* End it: signal, grace, kill; also while it is pulling. Idempotent; unknown: nothing. */
	void (*stop)(struct backend *backend, const char *job_id, int number);
	/* A new limit for a running attempt, in seconds from its start. */
	void (*extend)(struct backend *backend, const char *job_id, int number, int64_t timeout_s);
	/* After a restart: take over an attempt whose row has no end. Leads to `ended` (perhaps
	 * OUTCOME_LOST) or goes on; `running` is told again if it runs. */
	void (*adopt)(struct backend *backend, const struct attempt_start *start);
	void (*free)(struct backend *backend);
};

#endif
