/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jobs service: what may happen to jobs. The API calls it; it owns scheduler, state machine,
 * recovery, and hears from the backend. Reads that need no rule go to store/jobs.h directly.
 *
 * Nothing is announced before it is on disk: watchers, backend starts and the `committed` callbacks
 * of callers run after the commit of the turn (database_after_commit).
 */
#ifndef HEARTH_JOB_SERVICE_H
#define HEARTH_JOB_SERVICE_H

#include "base/configuration.h"
#include "base/error.h"
#include "base/seal.h"
#include "job/backend.h"
#include "job/spec.h"
#include "net/loop.h"
#include "store/jobs.h"

#include <stdbool.h>
#include <stdint.h>

struct job_service;
struct bucket_service;

struct job_service_options {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	const struct seal_key *key;
	int attempts_fd; /* STATE/attempts; borrowed */
	int spawner_fd;	 /* link to the spawner, for removing folders; -1: none */
};

struct job_service *job_service_new(const struct job_service_options *options);
/* What the backend is to call; give it to the backend's constructor. */
struct backend_events job_service_backend_events(struct job_service *service);
/* Hands the backend over, adopts live attempts and starts scheduling. */
void job_service_start(struct job_service *service, struct backend *take_backend);
/* Who hears which buckets live jobs use; before job_service_start(). Never called: nobody. */
void job_service_set_buckets(struct job_service *service, struct bucket_service *buckets);
void job_service_free(struct job_service *service);
/* Who hears of every change of a stage, from before job_service_start() on. */
struct webhook_service;
void job_service_set_webhooks(struct job_service *service, struct webhook_service *webhooks);

/* Who counts what jobs cost; before job_service_start(). Never called: nobody. */
struct billing;
void job_service_set_billing(struct job_service *service, struct billing *billing);
/* What there is now; at the start and at each change. */
struct device_service;
void job_service_set_devices(struct job_service *service, struct device_service *devices);

struct job_submission {
	const struct job_spec *spec; /* borrowed */
	const struct account *owner;	  /* the namespace */
	const struct account *creator;	  /* the person */
	json_t *initiator;		  /* borrowed */
	const char *idempotency_key;	  /* header; NULL: the label's, if any */
};
/* Inserts the job (not yet committed). *ret_existing: the key was used before, ret_id is that job. */
int job_submit(struct job_service *service, const struct job_submission *submission,
	       char ret_id[ID_SIZE], bool *ret_existing, struct error *err);
/* The same specification, secrets included; initiator "duplicated-job". */
int job_duplicate(struct job_service *service, const struct job_record *source,
		  const struct account *creator, char ret_id[ID_SIZE], struct error *err);
/* Stage CANCELED at once; the container is then ended. A terminal job stays as it is. `reason` may
 * be NULL (a user asked) or a cancelReason. */
void job_cancel(struct job_service *service, const char *id, const char *reason,
		const char *message);
/* Replaces all labels but reserved ones that are absent, with the effects of those that change
 * (job/wishes.h). On failure nothing has changed. */
int job_relabel(struct job_service *service, const struct job_record *job, const json_t *labels,
		const struct account *caller, struct error *err);

/* Call `fn` after each committed change of the job, until job_unwatch(). */
struct job_watch;
struct job_watch *job_watch(struct job_service *service, const char *id, void (*fn)(void *arg),
			    void *arg);
void job_unwatch(struct job_watch *watch);

/* What `status.message` shows now: for a job that is not over perhaps why it waits or how far its image
 * is ("Waiting: 3 jobs ahead"), else the stored message. Borrowed from `buffer` or the record; NULL:
 * none. Made when it is read, so that waiting jobs cost nothing. */
#define JOB_STATUS_MESSAGE_SIZE 512
const char *job_status_message(struct job_service *service, const struct job_record *job,
			       char buffer[JOB_STATUS_MESSAGE_SIZE]);

/* Counts for /metrics and the tests. */
struct job_service_counts {
	int64_t queued, running, live_attempts, submitted_total, ended_total[STAGE_COUNT];
	int64_t heard_attempts; /* whose monitors have spoken to this process */
	int64_t cpu_millis_used, memory_bytes_used;
};
void job_service_counts(const struct job_service *service, struct job_service_counts *ret);
/* True when the job is over on disk and no attempt of it is live any more: its log is complete. */
bool job_is_settled(const struct job_service *service, const char *id);
/* The live job with this address (host byte order) in the jobs' network; false: none. */
bool job_find_by_address(const struct job_service *service, uint32_t address, char ret_id[ID_SIZE]);
int job_attempts_fd(const struct job_service *service);

#endif
