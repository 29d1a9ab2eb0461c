/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of a few days at a time are added up by key. See the header. */
#include "job/usage_report.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE_MS 3
#define DAYS_PER_STEP 8
#define BUCKETS 4096

struct report_line {
	struct usage_sum sum; /* first */
	struct report_line *next;
};

struct usage_report {
	struct usage_report_options options;
	char namespace_id[ID_SIZE], label[USAGE_KEY_SIZE];
	void (*fn)(void *arg, struct usage_report *report);
	void *arg;
	struct loop_timer *timer;
	int64_t next_day, end_day;
	struct report_line *buckets[BUCKETS];
	struct usage_sum **lines;
	size_t n_lines, cap_lines;
	struct usage_sum total, others;
};

static size_t report_hash(const char *key)
{
	uint32_t hash = 2166136261u;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 16777619u;
	return hash % BUCKETS;
}

static void sum_add(struct usage_sum *sum, const struct usage_sum *more)
{
	sum->attempts += more->attempts;
	sum->used_ms += more->used_ms;
	sum->cost_micro_usd += more->cost_micro_usd;
}

static struct usage_sum *report_line(struct usage_report *report, const char *key)
{
	struct report_line **bucket = &report->buckets[report_hash(key)], *line;

	for (line = *bucket; line; line = line->next)
		if (strcmp(line->sum.key, key) == 0)
			return &line->sum;
	if (report->n_lines == USAGE_REPORT_LINES_MAX)
		return &report->others;
	line = xcalloc(1, sizeof(*line));
	snprintf(line->sum.key, sizeof(line->sum.key), "%s", key);
	line->next = *bucket;
	*bucket = line;
	if (report->n_lines == report->cap_lines) {
		report->cap_lines = report->cap_lines ? report->cap_lines * 2 : 64;
		report->lines = xrealloc(report->lines, report->cap_lines * sizeof(*report->lines));
	}
	report->lines[report->n_lines++] = &line->sum;
	return &line->sum;
}

static void report_add(void *arg, const struct usage_sum *sum)
{
	struct usage_report *report = arg;

	sum_add(report_line(report, sum->key), sum);
	sum_add(&report->total, sum);
}

static void report_account_key(struct usage_report *report, const char *id, char *ret)
{
	struct account account;

	if (accounts_find_by_id(report->options.db, id, &account))
		snprintf(ret, USAGE_KEY_SIZE, "%s", account.name);
}

static void report_time_key(int64_t day, const char *format, char *ret)
{
	time_t at = day * (LEDGER_DAY_MS / 1000);
	struct tm tm;

	gmtime_r(&at, &tm);
	if (*format == 'd')
		(void)strftime(ret, USAGE_KEY_SIZE, "%Y-%m-%d", &tm);
	else
		(void)strftime(ret, USAGE_KEY_SIZE, "%Y-%m", &tm);
}

/* False: it is not part of this report. */
static bool report_label_key(struct usage_report *report, const struct usage_record *record,
                             char *ret)
{
	struct job_record job autojob = {0};
	const json_t *value;

	if (!jobs_find(report->options.db, record->job_id, &job))
		return false;
	value = json_object_get(job.labels, report->label);
	if (!json_is_string(value))
		return false;
	snprintf(ret, USAGE_KEY_SIZE, "%s", json_string_value(value));
	return true;
}

static bool report_key(struct usage_report *report, const struct usage_record *record, int64_t day,
                       char *ret)
{
	*ret = '\0';
	switch (report->options.by) {
	case USAGE_BY_NAMESPACE:
		report_account_key(report, record->namespace_id, ret);
		return true;
	case USAGE_BY_USER:
		snprintf(ret, USAGE_KEY_SIZE, "%s", record->user_name);
		return true;
	case USAGE_BY_FLAVOR:
		snprintf(ret, USAGE_KEY_SIZE, "%s", record->flavor);
		return true;
	case USAGE_BY_GROUP:
		snprintf(ret, USAGE_KEY_SIZE, "%s", record->group_name);
		return true;
	case USAGE_BY_DAY:
		report_time_key(day, "d", ret);
		return true;
	case USAGE_BY_MONTH:
		report_time_key(day, "m", ret);
		return true;
	default:
		return report_label_key(report, record, ret);
	}
}

/* The days of what runs, shared out as usage_end() will. */
static void report_add_running(void *arg, const struct usage_record *record)
{
	struct usage_report *report = arg;
	struct usage_share share = {0};

	while (usage_share_next(record, &share)) {
		struct usage_sum sum = {
		        .attempts = share.attempts,
		        .used_ms = share.used_ms,
		        .cost_micro_usd = share.cost_micro_usd,
		};

		if (share.day >= report->options.from_day && share.day < report->options.to_day &&
		    report_key(report, record, share.day, sum.key))
			report_add(report, &sum);
	}
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp((*(const struct usage_sum *const *)a)->key,
	              (*(const struct usage_sum *const *)b)->key);
}

static int compare_costs(const void *a, const void *b)
{
	const struct usage_sum *x = *(const struct usage_sum *const *)a;
	const struct usage_sum *y = *(const struct usage_sum *const *)b;

	if (x->cost_micro_usd != y->cost_micro_usd)
		return x->cost_micro_usd < y->cost_micro_usd ? 1 : -1;
	if (x->used_ms != y->used_ms)
		return x->used_ms < y->used_ms ? 1 : -1;
	return strcmp(x->key, y->key);
}

static void report_finish(struct usage_report *report)
{
	enum usage_by by = report->options.by;
	bool by_time = by == USAGE_BY_DAY || by == USAGE_BY_MONTH;

	billing_each_running(report->options.billing, report->options.namespace_id,
	                     report_add_running, report);
	if (report->n_lines)
		qsort(report->lines, report->n_lines, sizeof(*report->lines),
		      by_time ? compare_keys : compare_costs);
	report->fn(report->arg, report);
	usage_report_cancel(report);
}

/* A whole month, or some days. */
static void report_step(struct usage_report *report)
{
	const struct usage_report_options *o = &report->options;
	int64_t next_month, to_day = report->next_day + DAYS_PER_STEP;
	bool is_month = usage_month_of(report->next_day, &next_month) == report->next_day &&
	                next_month <= report->end_day && o->by != USAGE_BY_DAY &&
	                o->by != USAGE_BY_LABEL;

	if (is_month) {
		usage_sums_month(o->db, o->namespace_id, o->by, report->next_day, report_add,
		                 report);
		report->next_day = next_month;
		return;
	}
	if (to_day > next_month)
		to_day = next_month;
	if (to_day > report->end_day)
		to_day = report->end_day;
	usage_sums(o->db, o->namespace_id, o->by, report->label, report->next_day, to_day,
	           report_add, report);
	report->next_day = to_day;
}

static void report_go_on(void *arg)
{
	struct usage_report *report = arg;
	int64_t begin_ms = clock_monotonic_ms();

	while (report->next_day < report->end_day && clock_monotonic_ms() - begin_ms < SLICE_MS)
		report_step(report);
	/* Not 0: libuv would call us again before it looks at its sockets. */
	if (report->next_day < report->end_day)
		loop_timer_start(report->timer, 1, 0);
	else
		report_finish(report);
}

struct usage_report *usage_report_start(const struct usage_report_options *options,
                                        void (*fn)(void *arg, struct usage_report *report),
                                        void *arg)
{
	struct usage_report *report = xcalloc(1, sizeof(*report));
	int64_t first = 0, last = -1;

	report->options = *options;
	if (options->namespace_id) {
		memcpy(report->namespace_id, options->namespace_id, ID_SIZE);
		report->options.namespace_id = report->namespace_id;
	}
	snprintf(report->label, sizeof(report->label), "%s", options->label ? options->label : "");
	report->fn = fn;
	report->arg = arg;
	/* Only days in which there is anything. */
	(void)usage_days_span(options->db, options->namespace_id, &first, &last);
	report->next_day = options->from_day > first ? options->from_day : first;
	report->end_day = options->to_day < last + 1 ? options->to_day : last + 1;
	report->timer = loop_timer_new(options->loop, report_go_on, report);
	loop_timer_start(report->timer, 0, 0);
	return report;
}

void usage_report_cancel(struct usage_report *report)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (report->buckets[i]) {
			struct report_line *line = report->buckets[i];

			report->buckets[i] = line->next;
			free(line);
		}
	}
	loop_timer_free(report->timer);
	free(report->lines);
	free(report);
}

size_t usage_report_lines(const struct usage_report *report, const struct usage_sum *const **ret)
{
	*ret = (const struct usage_sum *const *)report->lines;
	return report->n_lines;
}

const struct usage_sum *usage_report_total(const struct usage_report *report)
{
	return &report->total;
}

const struct usage_sum *usage_report_others(const struct usage_report *report)
{
	return &report->others;
}
