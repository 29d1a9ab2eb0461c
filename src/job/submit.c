/* SPDX-License-Identifier: Apache-2.0 */
/* New jobs: submitted, or the same again. */
#include "job/active.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/billing.h"
#include "job/dependency.h"
#include "job/flavor_catalogue.h"
#include "job/queue.h"
#include "job/volumes.h"

#include <stdio.h>
#include <string.h>

#define SECRETS_MAX (8 * 1024 * 1024)
#define KEY_LENGTH_MAX 255
#define KEY_LABEL "hearth.idempotency-key"

/* Without what we found out: a branch may have moved on between two tries of the same submission.
 */
static json_t *submit_as_asked(const json_t *body)
{
	json_t *copy = json_deep_copy(body), *volume;
	size_t i;

	json_array_foreach(json_object_get(copy, "volumes"), i, volume)
	{
		json_object_del(volume, "commit");
	}
	return copy;
}

/* What makes two submissions the same one. Secrets count by name only: a hash of their values would
 * lie beside the jobs for a day, and short secrets could be guessed from it. */
static void submit_hash(const struct job_spec *spec, char ret[DIGEST_SIZE])
{
	autojson json_t *body = submit_as_asked(spec->body);
	autojson json_t *all = json_pack("{s:O, s:O, s:s, s:I, s:i}", "body", body, "labels",
	                                 spec->labels, "flavor", spec->flavor, "timeout",
	                                 (json_int_t)spec->timeout_s, "attempts", spec->attempts);
	autofree char *text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	if (!text)
		BUG("a checked specification cannot be written as JSON");
	digest_of(text, strlen(text), ret);
}

static int submit_check_queue(const struct job_service *service, const char *namespace_id,
                              const char *namespace_name, struct error *err)
{
	int64_t max = service->configuration->max_queued;
	int64_t queued = active_count_queued(service, namespace_id);

	if (max <= 0 || queued < max)
		return 0;
	return fail(
	        err, E_BUSY,
	        "%s has %lld waiting jobs, and %lld is the most that this server keeps for one "
	        "namespace (setting jobs.max_queued); submit again when some of them have started",
	        namespace_name, (long long)queued, (long long)max);
}

static void submit_enter(struct job_service *service, const struct job_record *record,
                         const struct flavor *flavor, enum scheduler_hold hold)
{
	struct scheduler_entry place = active_place(service, record, flavor);

	if (hold != HOLD_NONE)
		place.hold = hold;
	active_enqueue(service, active_new(service, &place), 1);
	service->submitted_total++;
	service_touch(service, record->id);
	service_schedule(service);
}

static void submit_set_owner(struct job_record *record, const struct account *owner,
                             const struct account *creator)
{
	memcpy(record->namespace_id, owner->id, ID_SIZE);
	memcpy(record->namespace_name, owner->name, sizeof(record->namespace_name));
	record->namespace_type = owner->type;
	memcpy(record->created_by_id, creator->id, ID_SIZE);
	memcpy(record->created_by_name, creator->name, sizeof(record->created_by_name));
}

/* Borrows everything from the submission but the flavor's name. */
static void submit_fill(const struct job_submission *submission, struct job_record *ret)
{
	const struct job_spec *spec = submission->spec;

	*ret = (struct job_record){
	        .created_ms = clock_now_ms(),
	        .stage = STAGE_SCHEDULING,
	        .attempts = spec->attempts,
	        .timeout_s = spec->timeout_s,
	        .flavor = xstrdup(spec->flavor),
	        .spec = json_incref(spec->body),
	        .labels = json_incref(spec->labels),
	        .initiator = json_incref(submission->initiator),
	};
	id_new(ret->id);
	submit_set_owner(ret, submission->owner, submission->creator);
}

static int submit_get_key(const struct job_submission *submission, const char **ret,
                          struct error *err)
{
	const char *key = submission->idempotency_key;

	if (!key || *key == '\0')
		key = submission->spec->idempotency_key;
	if (strlen(key) > KEY_LENGTH_MAX)
		return fail(err, E_INVALID, "Idempotency-Key is longer than %d characters",
		            KEY_LENGTH_MAX);
	*ret = *key ? key : NULL;
	return 0;
}

int job_submit(struct job_service *service, const struct job_submission *submission,
               char ret_id[ID_SIZE], bool *ret_existing, struct error *err)
{
	autobuffer struct buffer sealed = BUFFER_INIT(SECRETS_MAX);
	struct job_record record autojob = {0};
	char hash[DIGEST_SIZE] = "", existing[ID_SIZE] = "";
	const struct flavor *flavor = NULL;
	struct job_wishes wishes;
	const char *key = NULL;

	if (flavor_choose(service->configuration, submission->spec->flavor,
	                  submission->creator->name, submission->owner->name, &flavor, err) < 0 ||
	    job_wishes_parse(service->configuration, submission->spec->labels, &wishes, err) < 0)
		return -1;
	if (submit_get_key(submission, &key, err) < 0)
		return -1;
	if (key)
		submit_hash(submission->spec, hash);
	/* A repeated submission is answered even when the queue is full by now. */
	if (key &&
	    jobs_find_by_key(service->db, submission->owner->id, key, hash, existing, err) < 0)
		return -1;
	if (*existing) {
		memcpy(ret_id, existing, ID_SIZE);
		*ret_existing = true;
		return 0;
	}
	if (job_volumes_check_for(service->db, service->configuration, submission->spec->body,
	                          submission->creator->id, err) < 0 ||
	    submit_check_queue(service, submission->owner->id, submission->owner->name, err) < 0 ||
	    queue_admit(service, submission->owner, submission->creator, &wishes,
	                json_get_text(submission->spec->body, "resourceGroupId", NULL), err) < 0 ||
	    dependency_check(service, NULL, submission->creator, &wishes, err) < 0 ||
	    billing_check(service->billing, submission->owner, flavor, err) < 0 ||
	    service_check_disk(service, err) < 0)
		return -1;
	submit_fill(submission, &record);
	record.priority = wishes.priority;
	record.hold = wishes.is_held ? HOLD_OWNER : HOLD_NONE;
	if (json_object_size(submission->spec->secrets) > 0)
		seal_object(service->key, submission->spec->secrets, &sealed);
	if (jobs_insert(service->db, &record, sealed.data, sealed.len, key, hash, existing, err) <
	    0)
		return -1;
	submit_enter(service, &record, flavor,
	             dependency_insert(service, record.id, &wishes) ? HOLD_AFTER : HOLD_NONE);
	memcpy(ret_id, record.id, ID_SIZE);
	*ret_existing = false;
	return 0;
}

/* The key stays with the job that it made. */
static json_t *submit_copy_labels(const json_t *labels)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)labels);

	json_object_del(copy, KEY_LABEL);
	return copy;
}

int job_duplicate(struct job_service *service, const struct job_record *source,
                  const struct account *creator, char ret_id[ID_SIZE], struct error *err)
{
	autobuffer struct buffer sealed = BUFFER_INIT(SECRETS_MAX);
	char existing[ID_SIZE];
	const struct flavor *flavor = configuration_flavor(service->configuration, source->flavor);
	struct job_record record autojob = {
	        .created_ms = clock_now_ms(),
	        .stage = STAGE_SCHEDULING,
	        .attempts = source->attempts,
	        .timeout_s = source->timeout_s,
	        .flavor = xstrdup(source->flavor),
	        .spec = json_incref(source->spec),
	        .labels = submit_copy_labels(source->labels),
	        .initiator = json_pack("{s:s, s:s}", "type", "duplicated-job", "id", source->id),
	};

	if (!flavor)
		return fail(err, E_CONFLICT, "the flavor \"%s\" of job %s is not there any more",
		            source->flavor, source->id);
	if (job_volumes_check_for(service->db, service->configuration, source->spec, creator->id,
	                          err) < 0 ||
	    submit_check_queue(service, source->namespace_id, source->namespace_name, err) < 0 ||
	    service_check_disk(service, err) < 0)
		return -1;
	id_new(record.id);
	memcpy(record.namespace_id, source->namespace_id, ID_SIZE);
	memcpy(record.namespace_name, source->namespace_name, sizeof(record.namespace_name));
	record.namespace_type = source->namespace_type;
	memcpy(record.created_by_id, creator->id, ID_SIZE);
	memcpy(record.created_by_name, creator->name, sizeof(record.created_by_name));
	jobs_get_secrets(service->db, source->id, &sealed);
	if (jobs_insert(service->db, &record, sealed.data, sealed.len, NULL, NULL, existing, err) <
	    0)
		return -1;
	submit_enter(service, &record, flavor, HOLD_NONE);
	memcpy(ret_id, record.id, ID_SIZE);
	return 0;
}
