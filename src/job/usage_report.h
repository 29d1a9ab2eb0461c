/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of usage: the ledger's sums by day, and what runs now with its cost so far. A report over a year of all
 * namespaces is made in slices of a few milliseconds, so that the loop serves everybody else meanwhile.
 */
#ifndef HEARTH_JOB_USAGE_REPORT_H
#define HEARTH_JOB_USAGE_REPORT_H

#include "job/billing.h"

/* More keys than this (values of a label, say) are summed up in one line. */
#define USAGE_REPORT_LINES_MAX 10000

struct usage_report_options {
	struct loop *loop;
	struct database *db;
	struct billing *billing;
	const char *namespace_id; /* NULL: all */
	enum usage_by by;
	const char *label;	  /* key, for USAGE_BY_LABEL */
	int64_t from_day, to_day; /* to_day excluded */
};

struct usage_report;
/* Calls `fn` once, in a later turn; then the report is gone. */
struct usage_report *usage_report_start(const struct usage_report_options *options,
					void (*fn)(void *arg, struct usage_report *report), void *arg);
void usage_report_cancel(struct usage_report *report);

/* Within `fn`: sorted, days and months by time, everything else by cost; jobs that run are counted among the
 * attempts. */
size_t usage_report_lines(const struct usage_report *report, const struct usage_sum *const **ret);
const struct usage_sum *usage_report_total(const struct usage_report *report);
/* Keys beyond USAGE_REPORT_LINES_MAX; attempts 0: none. */
const struct usage_sum *usage_report_others(const struct usage_report *report);

#endif
