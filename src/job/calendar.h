/* SPDX-License-Identifier: Apache-2.0 */
/* Days of the Gregorian calendar as numbers: day 0 is 1970-01-01, a Thursday. */
#ifndef HEARTH_JOB_CALENDAR_H
#define HEARTH_JOB_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_DAY_S 86400

struct calendar_date {
	int year, month, day; /* month and day from 1 */
};

static inline bool calendar_is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static inline int calendar_month_length(int year, int month)
{
	static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return lengths[month - 1] + (month == 2 && calendar_is_leap(year));
}

/* The year begins in March here, so that the leap day is its last: the day of the year then follows
 * from the month by one formula. Years from 0 on. */
static inline int64_t calendar_day_number(int year, int month, int day)
{
	int shifted = year - (month <= 2);
	int era = shifted / 400, of_era = shifted % 400;
	int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static inline struct calendar_date calendar_date_of(int64_t day_number)
{
	int64_t shifted = day_number + 719468;
	int64_t era = shifted / 146097;
	int of_era = (int)(shifted % 146097);
	int year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int month_index = (5 * of_year + 2) / 153;
	int month = month_index < 10 ? month_index + 3 : month_index - 9;

	return (struct calendar_date){
	        .year = (int)(era * 400) + year_of_era + (month <= 2),
	        .month = month,
	        .day = of_year - (153 * month_index + 2) / 5 + 1,
	};
}

/* 0 is Sunday. Days from 1970 on. */
static inline int calendar_weekday(int64_t day_number)
{
	return (int)((day_number + 4) % 7);
}

#endif
