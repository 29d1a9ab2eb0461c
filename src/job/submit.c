/* SPDX-License-Identifier: Apache-2.0 */
/* New jobs: submitted, or the same again. */
#include "job/active.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/array.h"
#include "job/billing.h"
#include "job/dependency.h"
#include "job/flavor_catalogue.h"
#include "job/queue.h"
#include "job/volumes.h"
#include "job/wishes.h"

#include <stdio.h>
#include <string.h>

#define SECRETS_MAX (8 * 1024 * 1024)
#define KEY_LENGTH_MAX 255

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

static void submit_enter(struct job_service *service, const struct job_record *record,
                         const struct flavor *flavor, bool waits_after, bool is_array)
{
	struct scheduler_entry place = active_place(service, record, flavor);
	struct active_job *active = active_new(service, &place);

	active->waits_after = waits_after;
	active->waits_array = is_array;
	active_update_hold(service, active);
	active_enqueue(service, active, 1);
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

/* A new job whose record is complete but for what its labels and the queue say. */
struct submit_entry {
	struct job_record *record;
	const struct account *owner, *creator;
	const struct flavor *flavor;
	const struct buffer *sealed;
	const char *key, *hash; /* NULL: no idempotency key */
};

static int submit_check(struct job_service *service, const struct submit_entry *entry,
                        struct job_wishes *wishes, int64_t jobs, struct error *err)
{
	const json_t *spec = entry->record->spec;
	const struct queue_request request = {
	        .owner = entry->owner,
	        .creator = entry->creator,
	        .flavor = entry->flavor,
	        .wishes = wishes,
	        .resource_group_id = json_get_text(spec, "resourceGroupId", NULL),
	        .jobs = jobs,
	};

	if (scheduler_check(service->scheduler, entry->flavor, err) < 0 ||
	    job_volumes_check_for(service->db, service->configuration, spec, entry->creator->id,
	                          err) < 0 ||
	    queue_admit(service, &request, entry->record->group_id, err) < 0 ||
	    dependency_check(service, NULL, entry->creator, wishes, err) < 0 ||
	    billing_check(service->billing, entry->owner, entry->flavor, err) < 0)
		return -1;
	return service_check_disk(service, err);
}

static int submit_insert(struct job_service *service, const struct submit_entry *entry,
                         struct error *err)
{
	struct job_record *record = entry->record;
	struct job_wishes wishes;
	struct array_plan plan;
	char existing[ID_SIZE];
	bool is_array;

	if (job_wishes_parse(service->configuration, record->labels, &wishes, err) < 0 ||
	    array_plan_make(service, entry->creator, &wishes, &is_array, &plan, err) < 0 ||
	    (is_array && array_check_size(record, entry->sealed->len, &plan, err) < 0) ||
	    submit_check(service, entry, &wishes, is_array ? array_plan_count(&plan) : 1, err) < 0)
		return -1;
	record->priority = wishes.priority;
	record->hold = wishes.is_held ? HOLD_OWNER : HOLD_NONE;
	if (wishes.attempts)
		record->attempts = wishes.attempts;
	if (wishes.timeout_s)
		record->timeout_s = wishes.timeout_s;
	if (flavor_limit_timeout(service->configuration, entry->flavor, &record->timeout_s, err) <
	    0)
		return -1;
	if (jobs_insert(service->db, record, entry->sealed->data, entry->sealed->len, entry->key,
	                entry->hash, existing, err) < 0)
		return -1;
	submit_enter(service, record, entry->flavor,
	             dependency_insert(service, record->id, &wishes), is_array);
	if (is_array)
		array_submit(service, record->id, &plan);
	return 0;
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
	struct submit_entry entry = {
	        .record = &record,
	        .owner = submission->owner,
	        .creator = submission->creator,
	        .sealed = &sealed,
	        .hash = hash,
	};

	if (flavor_choose(service->configuration, submission->spec->flavor,
	                  submission->creator->name, submission->owner->name, &entry.flavor,
	                  err) < 0 ||
	    submit_get_key(submission, &entry.key, err) < 0)
		return -1;
	if (entry.key)
		submit_hash(submission->spec, hash);
	/* A repeated submission is answered even when the queue is full by now. */
	if (entry.key && jobs_find_by_key(service->db, submission->owner->id, entry.key, hash,
	                                  existing, err) < 0)
		return -1;
	if (*existing) {
		memcpy(ret_id, existing, ID_SIZE);
		*ret_existing = true;
		return 0;
	}
	submit_fill(submission, &record);
	if (json_object_size(submission->spec->secrets) > 0)
		seal_object(service->key, submission->spec->secrets, &sealed);
	if (submit_insert(service, &entry, err) < 0)
		return -1;
	memcpy(ret_id, record.id, ID_SIZE);
	*ret_existing = false;
	return 0;
}

int job_duplicate(struct job_service *service, const struct job_record *source,
                  const struct account *creator, char ret_id[ID_SIZE], struct error *err)
{
	autobuffer struct buffer sealed = BUFFER_INIT(SECRETS_MAX);
	struct account owner;
	struct job_record record autojob = {
	        .created_ms = clock_now_ms(),
	        .stage = STAGE_SCHEDULING,
	        .attempts = source->attempts,
	        .timeout_s = source->timeout_s,
	        .flavor = xstrdup(source->flavor),
	        .spec = json_incref(source->spec),
	        .labels = job_wishes_copy(source->labels),
	        .initiator = json_pack("{s:s, s:s}", "type", "duplicated-job", "id", source->id),
	};
	struct submit_entry entry = {
	        .record = &record, .owner = &owner, .creator = creator, .sealed = &sealed};

	if (!configuration_flavor(service->configuration, source->flavor))
		return fail(err, E_CONFLICT, "the flavor \"%s\" of job %s is not there any more",
		            source->flavor, source->id);
	if (!accounts_find_by_id(service->db, source->namespace_id, &owner))
		return fail(err, E_NOT_FOUND, "the namespace %s is gone", source->namespace_name);
	if (flavor_choose(service->configuration, source->flavor, creator->name, owner.name,
	                  &entry.flavor, err) < 0)
		return -1;
	id_new(record.id);
	submit_set_owner(&record, &owner, creator);
	jobs_get_secrets(service->db, source->id, &sealed);
	if (submit_insert(service, &entry, err) < 0)
		return -1;
	memcpy(ret_id, record.id, ID_SIZE);
	return 0;
}
