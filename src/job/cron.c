/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next time of a cron expression. What an expression means is a set of local clock readings
 * ("wall" seconds: local time counted as if it were UTC). Between two changes of the offset,
 * reading and time differ by a constant; the changes are where the rules of cron.h come in.
 */
#include "job/cron.h"

#include "job/calendar.h"

#define DAY_S ((int64_t)CALENDAR_DAY_S)
#define NO_WALL (-1)
#define FAR_S ((int64_t)1 << 40) /* beyond all years that matter, and far from overflow */
#define OVERLAP_MAX_S ((int64_t)3 * 24 * 3600) /* the clock is never set back further */

static int lowest_bit(uint64_t bits)
{
	return __builtin_ctzll(bits);
}

/* Bits `from` and above. */
static uint64_t bits_from(uint64_t bits, int from)
{
	return from >= 64 ? 0 : bits >> from << from;
}

/* The first matching time of day at or after `second`; NO_WALL. */
static int64_t time_of_day(const struct cron *cron, int second)
{
	int hour = second / 3600, minute = second / 60 % 60;
	uint64_t hours = bits_from(cron->hours, hour), minutes = cron->minutes,
	         seconds = cron->seconds;

	if (hours && lowest_bit(hours) == hour) {
		minutes = bits_from(minutes, minute);
		if (minutes && lowest_bit(minutes) == minute) {
			seconds = bits_from(seconds, second % 60);
			if (seconds)
				return hour * 3600 + minute * 60 + lowest_bit(seconds);
			minutes = bits_from(minutes, minute + 1);
			seconds = cron->seconds;
		}
		if (minutes)
			return hour * 3600 + lowest_bit(minutes) * 60 + lowest_bit(seconds);
		hours = bits_from(hours, hour + 1);
		minutes = cron->minutes;
	}
	if (!hours)
		return NO_WALL;
	return lowest_bit(hours) * 3600 + lowest_bit(minutes) * 60 + lowest_bit(cron->seconds);
}

/* Bit n: day n of the month matches. */
static uint64_t days_of_month(const struct cron *cron, int year, int month)
{
	int first = calendar_weekday(calendar_day_number(year, month, 1));
	uint64_t week = cron->weekdays;
	uint64_t weeks = week | week << 7 | week << 14 | week << 21 | week << 28 | week << 35;
	uint64_t by_weekday = weeks >> first << 1;
	uint64_t days = cron->either_day ? cron->days | by_weekday : cron->days & by_weekday;

	return days & ((UINT64_C(2) << calendar_month_length(year, month)) - 2);
}

static bool has_year(const struct cron *cron, int year)
{
	unsigned bit = (unsigned)(year - CRON_FIRST_YEAR);

	return cron->years[bit / 64] >> bit % 64 & 1;
}

/* The number of the first matching day at or after that date; NO_WALL. */
static int64_t next_day(const struct cron *cron, struct calendar_date date)
{
	for (; date.year <= CRON_LAST_YEAR; date.year++, date.month = 1, date.day = 1) {
		uint64_t months =
		        has_year(cron, date.year) ? bits_from(cron->months, date.month) : 0;

		for (; months; months &= months - 1) {
			int month = lowest_bit(months);
			uint64_t days = days_of_month(cron, date.year, month);

			if (month == date.month)
				days = bits_from(days, date.day);
			if (days)
				return calendar_day_number(date.year, month, lowest_bit(days));
		}
	}
	return NO_WALL;
}

/* The first matching reading at or after `wall`; NO_WALL. */
static int64_t next_wall(const struct cron *cron, int64_t wall)
{
	int64_t today, day, time;

	if (wall < 0)
		wall = 0;
	today = wall / DAY_S;
	day = next_day(cron, calendar_date_of(today));
	if (day == today) {
		time = time_of_day(cron, (int)(wall % DAY_S));
		if (time != NO_WALL)
			return day * DAY_S + time;
		day = next_day(cron, calendar_date_of(today + 1));
	}
	return day == NO_WALL ? NO_WALL : day * DAY_S + time_of_day(cron, 0);
}

/* The reading up to which the clock had come before this span began. */
static int64_t seen_before(const struct time_zone *zone, struct time_zone_span span)
{
	int64_t from = span.from, seen = INT64_MIN;

	while (span.from != INT64_MIN && span.from > from - OVERLAP_MAX_S) {
		int64_t change = span.from;

		time_zone_span_at(zone, change - 1, &span);
		if (change + span.offset_s > seen)
			seen = change + span.offset_s;
	}
	return seen;
}

int64_t cron_next(const struct cron *cron, int64_t after_s)
{
	struct time_zone_span span;
	int64_t from, seen;

	if (after_s < -DAY_S)
		after_s = -DAY_S;
	if (after_s > FAR_S)
		return CRON_NEVER;
	/* The span of after_s itself: when it ends right there, the change is still to come. */
	time_zone_span_at(cron->zone, after_s, &span);
	from = after_s + 1;
	seen = cron->is_interval ? INT64_MIN : seen_before(cron->zone, span);
	for (;;) {
		int64_t wall = from + span.offset_s, end, match;

		end = span.until == INT64_MAX ? INT64_MAX : span.until + span.offset_s;
		match = next_wall(cron, wall < seen ? seen : wall);
		if (match == NO_WALL)
			return CRON_NEVER;
		if (match < end)
			return match - span.offset_s;
		from = span.until;
		time_zone_span_at(cron->zone, from, &span);
		if (cron->is_interval)
			continue;
		if (end > seen)
			seen = end;
		/* Here the clock may skip readings: what was to come then comes now. */
		match = next_wall(cron, seen);
		if (match != NO_WALL && match < from + span.offset_s)
			return from;
	}
}

/* Distance of neighbours in a set of 60, going round. */
static int shortest_distance(uint64_t bits, bool is_round)
{
	int first = lowest_bit(bits), last = first, shortest = 60;

	for (uint64_t rest = bits & (bits - 1); rest; rest &= rest - 1) {
		int value = lowest_bit(rest);

		if (value - last < shortest)
			shortest = value - last;
		last = value;
	}
	if (is_round && first + 60 - last < shortest)
		shortest = first + 60 - last;
	return shortest;
}

int cron_shortest_gap_s(const struct cron *cron)
{
	bool follows = shortest_distance(cron->minutes, true) == 1;

	return shortest_distance(cron->seconds, follows);
}
