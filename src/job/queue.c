/* SPDX-License-Identifier: Apache-2.0 */
/* The queue, as people see and change it. Each change is a row, an event and a change of the
 * scheduler's entry in one turn. See the header. */
#include "job/queue.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "job/active.h"
#include "job/array.h"
#include "job/webhook_service.h"
#include "job/wishes.h"

#include <stdio.h>
#include <string.h>

#define HOLD_LABEL "hearth.hold"

struct queue_lister {
	struct job_service *service;
	void (*fn)(void *arg, const struct queue_row *row);
	void *arg;
	struct account namespace, user; /* of the row before: neighbours are often of one owner */
};

static const char *queue_name_of(struct queue_lister *lister, const char *id,
                                 struct account *account)
{
	if (strcmp(account->id, id) != 0 &&
	    !accounts_find_by_id(lister->service->db, id, account)) {
		*account = (struct account){0};
		memcpy(account->id, id, ID_SIZE);
	}
	return account->name;
}

/* A time of the scheduler's clock as people read it now. */
static int64_t queue_wall_ms(const struct job_service *service, int64_t ms)
{
	return ms > 0 ? ms - service_now_ms(service) + clock_now_ms() : ms;
}

static void queue_list_one(void *arg, const struct scheduler_view *view)
{
	struct queue_lister *lister = arg;
	struct scheduler_view told = *view;
	struct queue_row row = {
	        .view = &told,
	        .namespace_name =
	                queue_name_of(lister, view->entry->namespace_id, &lister->namespace),
	        .user_name = queue_name_of(lister, view->entry->user_id, &lister->user),
	        .is_array = view->entry->hold == HOLD_ARRAY &&
	                    array_is_array(lister->service->db, view->entry->job_id),
	};

	told.start_ms = queue_wall_ms(lister->service, view->start_ms);
	lister->fn(lister->arg, &row);
}

void queue_each(struct job_service *service, size_t max,
                void (*fn)(void *arg, const struct queue_row *row), void *arg)
{
	struct queue_lister lister = {.service = service, .fn = fn, .arg = arg};

	scheduler_each(service->scheduler, service_now_ms(service),
	               max < QUEUE_ROWS_MAX ? max : QUEUE_ROWS_MAX, queue_list_one, &lister);
}

bool queue_find(struct job_service *service, const char *job_id, struct scheduler_view *ret)
{
	struct active_job *active = active_find(service, job_id);

	if (!active || !active->place.is_queued ||
	    !scheduler_find(service->scheduler, &active->place, service_now_ms(service), ret))
		return false;
	ret->start_ms = queue_wall_ms(service, ret->start_ms);
	return true;
}

/* E_NOT_FOUND, or E_CONFLICT when it does not wait. */
static int queue_load(struct job_service *service, const char *job_id, struct active_job **ret,
                      struct job_record *ret_record, struct error *err)
{
	struct active_job *active = active_find(service, job_id);

	if (!jobs_find(service->db, job_id, ret_record))
		return fail(err, E_NOT_FOUND, "Job not found");
	if (active && active->place.is_queued && !stage_is_terminal(ret_record->stage)) {
		*ret = active;
		return 0;
	}
	return fail(err, E_CONFLICT, "Job %s does not wait in the queue: it is %s", job_id,
	            stage_is_terminal(ret_record->stage)   ? stage_name(ret_record->stage)
	            : active && active->attempt_started_ms ? "running"
	                                                   : "starting");
}

static void queue_write_event(struct job_service *service, const struct job_record *job,
                              const char *what)
{
	static const char *const holders[] = {NULL, "owner", "admin"};
	autojson json_t *data =
	        json_pack("{s:s, s:s?, s:i, s:I}", "change", what, "hold", holders[job->hold],
	                  "priority", job->priority, "rank", (json_int_t)job->rank);
	autofree char *text = json_to_text(data);

	(void)events_insert(service->db, job->id, "queue", text, clock_now_ms());
}

/* `job` has the new order. */
static void queue_write(struct job_service *service, const struct job_record *job)
{
	struct active_job *active = active_find(service, job->id);

	jobs_set_order(service->db, job->id, job->priority, job->hold, job->rank,
	               job->not_before_ms);
	service_touch(service, job->id);
	if (!active)
		return;
	active->place.priority = job->priority;
	active->place.rank = job->rank;
	if (active->place.is_queued)
		scheduler_change(service->scheduler, &active->place);
	active->held = (enum scheduler_hold)job->hold;
	active_update_hold(service, active);
	service_schedule(service);
}

/* Who reads the labels, or sends them back unchanged with others, must not be told of an old state
 * or set it again. */
static void queue_write_label(struct job_service *service, const struct job_record *job)
{
	const char *label = json_string_value(json_object_get(job->labels, HOLD_LABEL));
	const char *now = job->hold ? "yes" : "no";

	if (!label || strcmp(label, now) == 0)
		return;
	json_object_set_new(job->labels, HOLD_LABEL, json_string(now));
	jobs_set_labels(service->db, job->id, job->labels, clock_now_ms());
}

static void queue_set_hold(struct job_service *service, struct job_record *job,
                           enum scheduler_hold hold)
{
	const char *what = hold == HOLD_NONE ? "released" : "held";

	if (job->hold == (int)hold)
		return;
	job->hold = (int)hold;
	if (hold != HOLD_ADMIN)
		queue_write_label(service, job);
	queue_write(service, job);
	queue_write_event(service, job, what);
	webhook_service_notice(service->webhooks, what, job->namespace_id, job, NULL);
}

int queue_hold(struct job_service *service, const char *job_id, bool by_admin, struct error *err)
{
	struct job_record job autojob = {0};
	struct active_job *active;

	if (queue_load(service, job_id, &active, &job, err) < 0)
		return -1;
	if (by_admin || job.hold == HOLD_NONE)
		queue_set_hold(service, &job, by_admin ? HOLD_ADMIN : HOLD_OWNER);
	return 0;
}

int queue_release(struct job_service *service, const char *job_id, bool by_admin, struct error *err)
{
	struct job_record job autojob = {0};
	struct active_job *active;

	if (queue_load(service, job_id, &active, &job, err) < 0)
		return -1;
	if (!by_admin && job.hold == HOLD_ADMIN)
		return fail(err, E_FORBIDDEN,
		            "Job %s is held by an admin of this server, who alone can release it",
		            job_id);
	queue_set_hold(service, &job, HOLD_NONE);
	return 0;
}

int queue_set_priority(struct job_service *service, const char *job_id, int priority,
                       struct error *err)
{
	struct job_record job autojob = {0};

	if (priority < PRIORITY_MIN || priority > PRIORITY_MAX)
		return fail(err, E_INVALID, "priority must be a whole number from %d to %d",
		            PRIORITY_MIN, PRIORITY_MAX);
	if (!jobs_find(service->db, job_id, &job))
		return fail(err, E_NOT_FOUND, "Job not found");
	if (stage_is_terminal(job.stage))
		return fail(err, E_CONFLICT, "Job %s is over: it is %s", job_id,
		            stage_name(job.stage));
	if (job.priority == priority)
		return 0;
	job.priority = priority;
	queue_write(service, &job);
	queue_write_event(service, &job, "priority");
	array_setting_changed(service, job_id, ARRAY_TELL_ORDER);
	return 0;
}

void queue_copy_order(struct job_service *service, const struct job_record *from, const char *to_id)
{
	struct job_record job autojob = {0};

	if (!jobs_find(service->db, to_id, &job) || stage_is_terminal(job.stage) ||
	    (job.priority == from->priority && job.rank == from->rank))
		return;
	job.priority = from->priority;
	job.rank = from->rank;
	queue_write(service, &job);
	queue_write_event(service, &job, "array");
}

/* One step beyond all that wait. */
static int64_t queue_rank_at(const struct job_service *service, enum queue_end end)
{
	int64_t rank = 0;

	for (size_t i = 0; i < service->active.n_buckets; i++) {
		for (const struct id_entry *e = service->active.buckets[i]; e; e = e->next) {
			const struct active_job *job = (const struct active_job *)(const void *)e;

			if (end == QUEUE_FIRST ? job->place.rank < rank : job->place.rank > rank)
				rank = job->place.rank;
		}
	}
	return end == QUEUE_FIRST ? rank - 1 : rank + 1;
}

int queue_move(struct job_service *service, const char *job_id, enum queue_end end,
               struct error *err)
{
	static const char *const names[] = {"first", "last", "normal"};
	struct job_record job autojob = {0};
	struct active_job *active;

	if (queue_load(service, job_id, &active, &job, err) < 0)
		return -1;
	job.rank = end == QUEUE_NORMAL ? 0 : queue_rank_at(service, end);
	queue_write(service, &job);
	queue_write_event(service, &job, names[end]);
	array_setting_changed(service, job_id, ARRAY_TELL_ORDER);
	return 0;
}

void queue_set_pause(struct job_service *service, const struct job_record *job, int64_t delay_s)
{
	struct active_job *active = active_find(service, job->id);
	int64_t delay_ms = delay_s * 1000;

	jobs_set_order(service->db, job->id, job->priority, job->hold, job->rank,
	               delay_ms > 0 ? clock_now_ms() + delay_ms : 0);
	if (active)
		active->place.not_before_ms = delay_ms > 0 ? service_now_ms(service) + delay_ms : 0;
}

bool queue_explain_hold(struct job_service *service, const char *job_id, char *ret, size_t size)
{
	const struct active_job *active = active_find(service, job_id);

	if (!active || !active->place.is_queued || active->held == HOLD_NONE)
		return false;
	if (active->held == HOLD_ADMIN)
		snprintf(ret, size, "Held by an admin of this server");
	else
		snprintf(ret, size, "Held by its owner: hearth queue release %s", job_id);
	return true;
}

bool queue_explain_retry(struct job_service *service, const struct job_record *job, char *ret,
                         size_t size)
{
	struct active_job *active = active_find(service, job->id);
	int64_t now_ms = service_now_ms(service);
	const char *end;
	char why[256];

	if (!active || !active->place.is_queued || !job->message ||
	    active->place.not_before_ms > now_ms ||
	    !scheduler_explain(service->scheduler, &active->place, now_ms, why, sizeof(why)))
		return false;
	end = strstr(job->message, "; attempt ");
	snprintf(ret, size, "%.*s; attempt %d of %d: %s",
	         end ? (int)(end - job->message) : (int)strlen(job->message), job->message,
	         job->failure_count + 1, job->attempts, why);
	return true;
}
