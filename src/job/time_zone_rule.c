/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule at the end of a TZif file: a POSIX TZ string with the extensions of RFC 8536
 * ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0"). It is carried on year by year as further changes, so that
 * nobody else needs to know about rules.
 */
#include "job/time_zone_private.h"

#include "job/calendar.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define HOURS_MAX 167 /* of a time of change: RFC 8536, 3.3.1 */

enum day_kind { DAY_OF_YEAR, DAY_NO_LEAP, DAY_OF_WEEK };

struct change_rule {
	enum day_kind kind;
	int day; /* of the year (0…365, or 1…365), or of the week */
	int month, week;
	int32_t time_s; /* local, since midnight */
};

struct zone_rule {
	int32_t standard_s, summer_s;
	bool has_summer;
	struct change_rule begin, end; /* of summer time */
};

static bool rule_skip_name(const char **p)
{
	const char *start = *p;

	if (*start == '<') {
		start++;
		while (isalnum((unsigned char)*start) || *start == '+' || *start == '-')
			start++;
		*p = start + 1;
		return *start == '>';
	}
	while (isalpha((unsigned char)**p))
		(*p)++;
	return *p - start >= 3;
}

static bool rule_read_number(const char **p, int max, int *ret)
{
	int value = 0, digits = 0;

	for (; isdigit((unsigned char)**p) && digits < 4; (*p)++, digits++)
		value = value * 10 + (**p - '0');
	*ret = value;
	return digits > 0 && value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool rule_read_time(const char **p, int32_t *ret)
{
	int sign = **p == '-' ? -1 : 1, hours, minutes = 0, seconds = 0;

	if (**p == '+' || **p == '-')
		(*p)++;
	if (!rule_read_number(p, HOURS_MAX, &hours))
		return false;
	if (**p == ':' && ((*p)++, !rule_read_number(p, 59, &minutes)))
		return false;
	if (**p == ':' && ((*p)++, !rule_read_number(p, 59, &seconds)))
		return false;
	*ret = sign * (hours * 3600 + minutes * 60 + seconds);
	return true;
}

static bool rule_read_week(const char **p, struct change_rule *ret)
{
	ret->kind = DAY_OF_WEEK;
	(*p)++;
	if (!rule_read_number(p, 12, &ret->month) || ret->month == 0 || *(*p)++ != '.')
		return false;
	if (!rule_read_number(p, 5, &ret->week) || ret->week == 0 || *(*p)++ != '.')
		return false;
	return rule_read_number(p, 6, &ret->day);
}

static bool rule_read_change(const char **p, struct change_rule *ret)
{
	bool is_good;

	*ret = (struct change_rule){.time_s = 2 * 3600};
	if (*(*p)++ != ',')
		return false;
	if (**p == 'M') {
		is_good = rule_read_week(p, ret);
	} else if (**p == 'J') {
		(*p)++;
		ret->kind = DAY_NO_LEAP;
		is_good = rule_read_number(p, 365, &ret->day) && ret->day > 0;
	} else {
		is_good = rule_read_number(p, 365, &ret->day);
	}
	if (is_good && **p == '/') {
		(*p)++;
		is_good = rule_read_time(p, &ret->time_s);
	}
	return is_good;
}

static bool rule_read(const char *p, struct zone_rule *ret)
{
	*ret = (struct zone_rule){0};
	if (!rule_skip_name(&p) || !rule_read_time(&p, &ret->standard_s))
		return false;
	ret->standard_s = -ret->standard_s; /* POSIX counts westward */
	if (*p == '\0')
		return true;
	ret->has_summer = true;
	if (!rule_skip_name(&p))
		return false;
	ret->summer_s = ret->standard_s + 3600;
	if (*p != ',') {
		if (!rule_read_time(&p, &ret->summer_s))
			return false;
		ret->summer_s = -ret->summer_s;
	}
	return rule_read_change(&p, &ret->begin) && rule_read_change(&p, &ret->end) && *p == '\0';
}

/* Local seconds of the change in that year. */
static int64_t rule_local_s(const struct change_rule *rule, int year)
{
	int64_t day = calendar_day_number(year, 1, 1);

	switch (rule->kind) {
	case DAY_OF_YEAR:
		day += rule->day;
		break;
	case DAY_NO_LEAP: /* 29 February is never counted */
		day += rule->day - 1 + (calendar_is_leap(year) && rule->day >= 60);
		break;
	case DAY_OF_WEEK: {
		int64_t first = calendar_day_number(year, rule->month, 1);
		int64_t last = first + calendar_month_length(year, rule->month) - 1;

		day = first + (rule->day - calendar_weekday(first) + 7) % 7 + 7 * (rule->week - 1);
		while (day > last)
			day -= 7;
		break;
	}
	}
	return day * CALENDAR_DAY_S + rule->time_s;
}

static void rule_add_later(struct time_zone *zone, int64_t last_s, int64_t at_s, int32_t offset_s)
{
	if (at_s > last_s && (zone->n == 0 || at_s > zone->at[zone->n - 1]))
		time_zone_add(zone, at_s, offset_s);
}

int time_zone_add_rule(struct time_zone *zone, const char *text, int64_t last_s, struct error *err)
{
	struct zone_rule rule;

	if (!rule_read(text, &rule) || rule.standard_s < -26 * 3600 ||
	    rule.standard_s > 26 * 3600 || rule.summer_s < -26 * 3600 || rule.summer_s > 26 * 3600)
		return fail(err, E_INVALID, "the rule at the end of its file cannot be understood");
	if (!rule.has_summer) {
		/* What holds after the last change of the list; a list may be empty. */
		if (zone->n == 0)
			zone->first_offset_s = rule.standard_s;
		return 0;
	}
	if (last_s < 0)
		last_s = 0;
	for (int year = calendar_date_of(last_s / CALENDAR_DAY_S).year; year <= TIME_ZONE_LAST_YEAR;
	     year++) {
		int64_t begin_s = rule_local_s(&rule.begin, year) - rule.standard_s;
		int64_t end_s = rule_local_s(&rule.end, year) - rule.summer_s;

		if (begin_s < end_s)
			rule_add_later(zone, last_s, begin_s, rule.summer_s);
		rule_add_later(zone, last_s, end_s, rule.standard_s);
		if (begin_s >= end_s)
			rule_add_later(zone, last_s, begin_s, rule.summer_s);
	}
	return 0;
}
