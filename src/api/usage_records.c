/* SPDX-License-Identifier: Apache-2.0 */
/* Usage attempt by attempt and job by job: GET /api/usage/records, and the Hub's billing route
 * (hub-jobs-api 2.11). */
#include "api/access.h"
#include "api/handlers.h"
#include "api/page_link.h"
#include "api/query_number.h"
#include "api/usage.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define LINK_MAX ((size_t)16 * 1024)
#define CURSOR_SIZE 64
#define JOBS_SHOWN_MAX 1000
#define MS_PER_MINUTE 60000
#define LONGEST_DAYS 400 /* how long before the month a job that ended in it may have begun */

struct record_list {
	struct api *api;
	json_t *list;
	int limit, n;
	bool has_more;
	struct usage_record last;
};

static void records_add(void *arg, const struct usage_record *stored)
{
	struct record_list *records = arg;
	struct usage_record record = *stored;

	if (records->n == records->limit) {
		records->has_more = true;
		return;
	}
	billing_fill_running(records->api->billing, &record);
	json_array_append_new(
	        records->list,
	        json_pack("{s:s,s:i,s:s,s:s?,s:s,s:I,s:o,s:o,s:I,s:I}", "jobId", record.job_id,
	                  "attempt", record.attempt, "user", record.user_name, "group",
	                  record.group_name[0] ? record.group_name : NULL, "flavor", record.flavor,
	                  "microUsdPerHour", (json_int_t)record.price_hour_micro_usd, "startedAt",
	                  usage_time_json(record.started_ms), "endedAt",
	                  usage_time_json(record.ended_ms), "usedMilliseconds",
	                  (json_int_t)record.used_ms, "microUsd",
	                  (json_int_t)record.cost_micro_usd));
	records->last = record;
	records->n++;
}

/* "1763865600000.687fb701029421ae5549d998.1": the last one of the page before. */
static bool records_read_cursor(const char *text, struct usage_record *ret)
{
	char *end;

	*ret = (struct usage_record){.started_ms = strtoll(text, &end, 10)};
	if (end == text || *end != '.' || strlen(end + 1) <= ID_LENGTH || end[1 + ID_LENGTH] != '.')
		return false;
	memcpy(ret->job_id, end + 1, ID_LENGTH);
	text = end + 2 + ID_LENGTH;
	ret->attempt = (int)strtol(text, &end, 10);
	return id_is_valid(ret->job_id) && *text && *end == '\0' && ret->attempt > 0;
}

static bool records_read_page(struct http_request *request, int *ret_limit,
                              struct usage_record *ret_after, bool *ret_has_after)
{
	const char *cursor = http_query(request, "cursor");
	int64_t limit = LIMIT_DEFAULT;

	if (!query_number(request, "limit", 1, LIMIT_MAX, &limit)) {
		answer_fail(request, E_INVALID, "limit must be a number from 1 to %d", LIMIT_MAX);
		return false;
	}
	*ret_limit = (int)limit;
	*ret_has_after = cursor != NULL;
	if (cursor && !records_read_cursor(cursor, ret_after)) {
		answer_fail(request, E_INVALID, "cursor is not one of this server");
		return false;
	}
	return true;
}

void usage_records_list(struct http_request *request, void *context)
{
	struct api *api = context;
	struct record_list records = {.api = api};
	autobuffer struct buffer link = BUFFER_INIT(LINK_MAX);
	struct usage_scope scope;
	struct usage_record after;
	char cursor[CURSOR_SIZE];
	bool has_after;

	if (!usage_read_scope(api, request, &scope) ||
	    !records_read_page(request, &records.limit, &after, &has_after))
		return;
	if (!scope.has_namespace) {
		answer_fail(request, E_INVALID, "namespace is required: whose records");
		return;
	}
	records.list = json_array();
	usage_each(api->db, scope.ns.id, scope.from_day * LEDGER_DAY_MS,
	           scope.to_day * LEDGER_DAY_MS, has_after ? &after : NULL, records.limit + 1,
	           records_add, &records);
	snprintf(cursor, sizeof(cursor), "%" PRId64 ".%s.%d", records.last.started_ms,
	         records.last.job_id, records.last.attempt);
	if (records.has_more &&
	    page_link_write(&link, http_base_url(request, api->configuration->public_url),
	                    http_path(request), http_raw_query(request), cursor) == 0)
		http_add_header(request, "Link", buffer_text(&link));
	http_respond_json(request, 200, records.list);
}

struct job_list {
	struct api *api;
	json_t *list, *by_id; /* by_id: the same objects */
	int64_t from_ms, from_day, to_day, used_ms;
};

static int64_t whole_minutes(int64_t ms)
{
	return (ms + MS_PER_MINUTE - 1) / MS_PER_MINUTE;
}

/* Newest attempt first; a job has one entry. "ms" and "open" are taken out again. */
static void jobs_add_usage(void *arg, const struct usage_record *stored)
{
	struct job_list *jobs = arg;
	struct usage_record record = *stored;
	json_t *job = json_object_get(jobs->by_id, record.job_id);

	if (record.ended_ms && record.ended_ms < jobs->from_ms)
		return;
	billing_fill_running(jobs->api->billing, &record);
	if (!job) {
		job = json_pack("{s:s,s:s,s:o}", "jobId", record.job_id, "hardwareFlavor",
		                record.flavor, "completedAt", usage_time_json(record.ended_ms));
		json_array_append_new(jobs->list, job);
		json_object_set(jobs->by_id, record.job_id, job);
	}
	record.used_ms += json_get_int(job, "ms", 0);
	record.cost_micro_usd += json_get_int(job, "totalCostMicroUsd", 0);
	json_object_set_new(job, "ms", json_integer(record.used_ms));
	json_object_set_new(job, "totalMinutes", json_integer(whole_minutes(record.used_ms)));
	json_object_set_new(job, "totalCostMicroUsd", json_integer(record.cost_micro_usd));
	json_object_set_new(job, "startedAt", usage_time_json(record.started_ms));
}

static void jobs_add_sum(void *arg, const struct usage_sum *sum)
{
	struct job_list *jobs = arg;

	jobs->used_ms += sum->used_ms;
}

static void jobs_add_running(void *arg, const struct usage_record *record)
{
	struct job_list *jobs = arg;
	struct usage_share share = {0};

	while (usage_share_next(record, &share))
		if (share.day >= jobs->from_day && share.day < jobs->to_day)
			jobs->used_ms += share.used_ms;
}

void usage_billing_jobs(struct http_request *request, void *context)
{
	struct api *api = context;
	const char *own = access_of(request)->caller.user.id;
	struct job_list jobs = {.api = api, .list = json_array()};
	autojson json_t *by_id = json_object();
	struct billing_state state;
	json_t *job;
	size_t i;

	billing_state(api->billing, own, &state);
	jobs.by_id = by_id;
	jobs.from_ms = state.month_begin_ms;
	jobs.from_day = state.month_begin_ms / LEDGER_DAY_MS;
	jobs.to_day = state.month_end_ms / LEDGER_DAY_MS;
	usage_each(api->db, own, state.month_begin_ms - LONGEST_DAYS * LEDGER_DAY_MS,
	           state.month_end_ms, NULL, JOBS_SHOWN_MAX, jobs_add_usage, &jobs);
	usage_sums_month(api->db, own, USAGE_BY_NAMESPACE, jobs.from_day, jobs_add_sum, &jobs);
	billing_each_running(api->billing, own, jobs_add_running, &jobs);
	json_array_foreach(jobs.list, i, job)(void) json_object_del(job, "ms");
	http_respond_json(request, 200,
	                  json_pack("{s:{s:I,s:I,s:o,s:o,s:o},s:b}", "usage", "usedMicroUsd",
	                            (json_int_t)state.spent_month_micro_usd, "totalMinutes",
	                            (json_int_t)whole_minutes(jobs.used_ms), "periodStart",
	                            usage_time_json(state.month_begin_ms), "periodEnd",
	                            usage_time_json(state.month_end_ms), "jobDetails", jobs.list,
	                            "hasAccess", (int)!state.is_exhausted));
}
