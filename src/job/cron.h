/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cron expressions: parsed once, then asked for the next time.
 *
 *   [CRON_TZ=ZONE | TZ=ZONE] EXPRESSION
 *   EXPRESSION  hourly, daily, midnight, weekly, monthly, yearly, annually (with or without "@"),
 * or MINUTE HOUR DAY MONTH WEEKDAY, or SECOND and those five, or those six and YEAR field items
 * joined by commas: *, a, a-b, each perhaps with /step; a/step means a-LAST/step; months and
 * weekdays also by their English names of three letters; Sunday is 0 or 7
 *
 * Day of month and weekday: a day matches if either does; but where one of the two begins with "*",
 * both must match (Vixie's rule: a field that begins with "*" counts as unrestricted, also "*" with
 * a step).
 *
 * Clock changes: an expression whose seconds, minutes and hours do not begin with "*" names fixed
 * times of day. Each of them comes exactly once on every day: one that the clock skips comes at the
 * moment of the change, one that the clock shows twice comes the first time only. Other expressions
 * are intervals and follow elapsed time: they come whenever the clock shows a matching time.
 */
#ifndef HEARTH_JOB_CRON_H
#define HEARTH_JOB_CRON_H

#include "base/error.h"
#include "job/time_zone.h"

#include <stdbool.h>
#include <stdint.h>

#define CRON_TEXT_MAX 512
#define CRON_FIRST_YEAR 1970
#define CRON_LAST_YEAR 2199
#define CRON_NEVER INT64_MAX

struct cron {
	uint64_t seconds, minutes; /* bit n: the value n */
	uint32_t hours, days, months;
	uint8_t weekdays;
	bool either_day; /* day and weekday are both restricted */
	bool is_interval;
	uint64_t years[4]; /* bit n: CRON_FIRST_YEAR + n */
	const struct time_zone *zone;
};

/* E_INVALID: the sentence begins with "Invalid schedule: " and names the field. Dates that never
 * come
 * ("0 0 31 2 *") are refused. */
int cron_parse(const char *text, struct cron *ret, struct error *err);
/* The first time after `after_s` (Unix seconds); CRON_NEVER: there is none before the year 2200. */
int64_t cron_next(const struct cron *cron, int64_t after_s);
/* The smallest number of seconds between two times. */
int cron_shortest_gap_s(const struct cron *cron);
/* As it is kept and shown: fields separated by one blank, an alias with its "@". `ret` has
 * CRON_TEXT_MAX + 2 bytes; `text` was accepted by cron_parse(). */
void cron_normalize(const char *text, char *ret);

#endif
