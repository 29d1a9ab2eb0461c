/* SPDX-License-Identifier: Apache-2.0 */
/* Cron expressions: their grammar, their next times, and the rules for clock changes. */
#include "../unit.h"

#include "job/cron.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t utc(const char *text)
{
	struct tm tm = {0};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return timegm(&tm);
}

static const char *shown(int64_t at_s)
{
	static char text[32];
	time_t t = at_s;
	struct tm tm;

	if (at_s == CRON_NEVER)
		return "never";
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
	return text;
}

static struct cron parsed(const char *text)
{
	struct error err = ERROR_INIT;
	struct cron cron;

	if (cron_parse(text, &cron, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return cron;
}

struct run {
	const char *expression, *after;
	const char *times[6]; /* all that follow, one after the other */
};

static void check_runs(const struct run *runs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct cron cron = parsed(runs[i].expression);
		int64_t at_s = utc(runs[i].after);

		for (int k = 0; k < 6 && runs[i].times[k]; k++) {
			at_s = cron_next(&cron, at_s);
			if (strcmp(shown(at_s), runs[i].times[k]) != 0)
				fail_msg("%s after %s, number %d: %s instead of %s",
				         runs[i].expression, runs[i].after, k + 1, shown(at_s),
				         runs[i].times[k]);
		}
	}
}
#define CHECK_RUNS(runs) check_runs(runs, sizeof(runs) / sizeof(*(runs)))

static void test_fields(void **state)
{
	static const struct run runs[] = {
	        {"* * * * *",
	         "2024-02-28 23:58:30",
	         {"2024-02-28 23:59:00", "2024-02-29 00:00:00"}},
	        {"0 9 * * 1", "2024-01-01 09:00:00", {"2024-01-08 09:00:00"}},
	        {"*/20 8-9 * * *",
	         "2024-01-01 08:30:00",
	         {"2024-01-01 08:40:00", "2024-01-01 09:00:00", "2024-01-01 09:20:00",
	          "2024-01-01 09:40:00", "2024-01-02 08:00:00"}},
	        {"5/20 0 1 1 *",
	         "2024-01-01 00:00:00",
	         {"2024-01-01 00:05:00", "2024-01-01 00:25:00", "2024-01-01 00:45:00",
	          "2025-01-01 00:05:00"}},
	        {"0 0 1,15 feb,DEC *",
	         "2024-01-01 00:00:00",
	         {"2024-02-01 00:00:00", "2024-02-15 00:00:00", "2024-12-01 00:00:00"}},
	        {"0 0 29 2 *", "2024-03-01 00:00:00", {"2028-02-29 00:00:00"}},
	        {"0 0 29 2 *", "2096-03-01 00:00:00", {"2104-02-29 00:00:00"}},
	        {"0 0 31 * *",
	         "2024-01-31 00:00:00",
	         {"2024-03-31 00:00:00", "2024-05-31 00:00:00"}},
	        {"0 0 * * 7", "2024-01-01 00:00:00", {"2024-01-07 00:00:00"}},
	        {"0 0 * * 0", "2024-01-01 00:00:00", {"2024-01-07 00:00:00"}},
	        {"0 0 * * 5-7",
	         "2024-01-01 00:00:00",
	         {"2024-01-05 00:00:00", "2024-01-06 00:00:00", "2024-01-07 00:00:00",
	          "2024-01-12 00:00:00"}},
	        {"0 0 * * mon-Wed/2", "2024-01-01 00:00:00", {"2024-01-03 00:00:00"}},
	        {"15 30 10 * * *", "2024-01-01 10:30:15", {"2024-01-02 10:30:15"}},
	        {"*/30 59 23 31 12 *",
	         "2024-01-01 00:00:00",
	         {"2024-12-31 23:59:00", "2024-12-31 23:59:30", "2025-12-31 23:59:00"}},
	        {"0 0 0 1 1 * 2030-2031",
	         "2024-01-01 00:00:00",
	         {"2030-01-01 00:00:00", "2031-01-01 00:00:00", "never"}},
	        {"@yearly", "2024-01-01 00:00:00", {"2025-01-01 00:00:00"}},
	        {"annually", "2024-06-01 00:00:00", {"2025-01-01 00:00:00"}},
	        {"@monthly", "2024-01-01 00:00:00", {"2024-02-01 00:00:00"}},
	        {"@weekly", "2024-01-01 00:00:00", {"2024-01-07 00:00:00"}},
	        {"daily", "2024-01-01 00:00:00", {"2024-01-02 00:00:00"}},
	        {"@midnight", "2024-01-01 00:00:00", {"2024-01-02 00:00:00"}},
	        {"@hourly", "2024-01-01 00:00:00", {"2024-01-01 01:00:00"}},
	        {"* * * * *", "1960-01-01 00:00:00", {"1970-01-01 00:00:00"}},
	        {"59 59 23 31 12 * 2199", "2024-01-01 00:00:00", {"2199-12-31 23:59:59", "never"}},
	};

	CHECK_RUNS(runs);
}

/* Either day, unless one of the two fields begins with a star: then both. */
static void test_days(void **state)
{
	static const struct run runs[] = {
	        {"0 0 13 * 5",
	         "2024-09-01 00:00:00",
	         {"2024-09-06 00:00:00", "2024-09-13 00:00:00", "2024-09-20 00:00:00"}},
	        {"0 0 13 * *", "2024-09-14 00:00:00", {"2024-10-13 00:00:00"}},
	        {"0 0 */13 * 5", "2024-09-01 00:00:00", {"2024-09-27 00:00:00"}},
	        {"0 0 13 * */5",
	         "2024-09-01 00:00:00",
	         {"2024-09-13 00:00:00", "2024-10-13 00:00:00"}},
	        {"0 0 1 * 1",
	         "2024-09-30 00:00:00",
	         {"2024-10-01 00:00:00", "2024-10-07 00:00:00"}},
	};

	CHECK_RUNS(runs);
}

static void test_fixed_times_across_changes(void **state)
{
	static const struct run runs[] = {
	        /* New York: 02:00 to 03:00 is skipped, 01:00 to 02:00 comes twice. */
	        {"CRON_TZ=America/New_York 30 2 * * *",
	         "2024-03-09 12:00:00",
	         {"2024-03-10 07:00:00", "2024-03-11 06:30:00"}},
	        {"CRON_TZ=America/New_York 30 1 * * *",
	         "2024-11-02 12:00:00",
	         {"2024-11-03 05:30:00", "2024-11-04 06:30:00"}},
	        {"CRON_TZ=America/New_York 0,30 2,3 10 3 *",
	         "2024-03-10 00:00:00",
	         {"2024-03-10 07:00:00", "2024-03-10 07:30:00", "2025-03-10 06:00:00"}},
	        /* Asked in the midst of the hour that comes twice: not again. */
	        {"TZ=America/New_York 30 1 3 11 *", "2024-11-03 06:10:00", {"2025-11-03 06:30:00"}},
	        {"TZ=America/New_York 30 1 3 11 *", "2024-11-03 06:00:00", {"2025-11-03 06:30:00"}},
	        {"CRON_TZ=Europe/Paris 0 2 * * *",
	         "2024-03-30 12:00:00",
	         {"2024-03-31 01:00:00", "2024-04-01 00:00:00"}},
	        {"CRON_TZ=Europe/Paris 30 2 * * *",
	         "2024-10-26 12:00:00",
	         {"2024-10-27 00:30:00", "2024-10-28 01:30:00"}},
	        /* Lord Howe moves by half an hour. */
	        {"CRON_TZ=Australia/Lord_Howe 15 2 * * *",
	         "2024-10-04 20:00:00",
	         {"2024-10-05 15:30:00", "2024-10-06 15:15:00"}},
	        {"CRON_TZ=Australia/Lord_Howe 45 1 * * *",
	         "2024-04-05 20:00:00",
	         {"2024-04-06 14:45:00", "2024-04-07 15:15:00"}},
	        {"CRON_TZ=Asia/Kathmandu 0 0 * * *",
	         "2024-01-01 00:00:00",
	         {"2024-01-01 18:15:00"}},
	        /* Samoa had no 30 December 2011. */
	        {"CRON_TZ=Pacific/Apia 0 9 * * *",
	         "2011-12-29 12:00:00",
	         {"2011-12-29 19:00:00", "2011-12-30 10:00:00", "2011-12-30 19:00:00"}},
	        /* Kwajalein had no 21 August 1993 (its clock jumped 24 hours). */
	        {"CRON_TZ=Pacific/Kwajalein 0 12 21 8 *",
	         "1993-08-01 00:00:00",
	         {"1993-08-21 12:00:00", "1994-08-21 00:00:00"}},
	        /* Morocco goes back for Ramadan. */
	        {"CRON_TZ=Africa/Casablanca 30 2 * * *",
	         "2024-03-09 12:00:00",
	         {"2024-03-10 01:30:00", "2024-03-11 02:30:00"}},
	        {"CRON_TZ=Africa/Casablanca 30 2 * * *",
	         "2024-04-13 12:00:00",
	         {"2024-04-14 02:00:00", "2024-04-15 01:30:00"}},
	        /* Midnight itself is skipped. */
	        {"CRON_TZ=America/Havana @daily",
	         "2024-03-09 12:00:00",
	         {"2024-03-10 05:00:00", "2024-03-11 04:00:00"}},
	        /* By the rule at the end of the file, long after its list. */
	        {"CRON_TZ=Europe/Paris 30 2 * * *",
	         "2150-03-28 12:00:00",
	         {"2150-03-29 01:00:00", "2150-03-30 00:30:00"}},
	        {"CRON_TZ=Europe/Dublin 30 1 * * *",
	         "2060-03-27 12:00:00",
	         {"2060-03-28 01:00:00", "2060-03-29 00:30:00"}},
	        {"CRON_TZ=America/Nuuk 30 0 * * *", "2040-03-24 20:00:00", {"2040-03-25 01:30:00"}},
	};

	CHECK_RUNS(runs);
}

static void test_intervals_across_changes(void **state)
{
	static const struct run runs[] = {
	        {"CRON_TZ=America/New_York 0 * * * *",
	         "2024-03-10 05:30:00",
	         {"2024-03-10 06:00:00", "2024-03-10 07:00:00", "2024-03-10 08:00:00"}},
	        {"CRON_TZ=America/New_York 30 * * * *",
	         "2024-11-03 04:00:00",
	         {"2024-11-03 04:30:00", "2024-11-03 05:30:00", "2024-11-03 06:30:00",
	          "2024-11-03 07:30:00"}},
	        {"CRON_TZ=America/New_York */30 1 * * *",
	         "2024-11-03 04:00:00",
	         {"2024-11-03 05:00:00", "2024-11-03 05:30:00", "2024-11-03 06:00:00",
	          "2024-11-03 06:30:00", "2024-11-04 06:00:00"}},
	        {"CRON_TZ=America/New_York */20 2 * * *",
	         "2024-03-10 05:00:00",
	         {"2024-03-11 06:00:00"}},
	        {"CRON_TZ=Australia/Lord_Howe */15 * * * *",
	         "2024-10-05 15:10:00",
	         {"2024-10-05 15:15:00", "2024-10-05 15:30:00", "2024-10-05 15:45:00"}},
	};

	CHECK_RUNS(runs);
}

static void test_refusals(void **state)
{
	static const char *const texts[][2] = {
	        {"", "it is empty"},
	        {"   ", "it is empty"},
	        {"0 0 31 2 *", "never comes"},
	        {"0 0 30 2 *", "never comes"},
	        {"0 0 31 4,6,9,11 *", "never comes"},
	        {"0 0 0 29 2 * 2023", "never comes"},
	        {"60 * * * *", "minute 60 is not from 0 to 59"},
	        {"60 0 * * * *", "second 60 is not from 0 to 59"},
	        {"* 24 * * *", "hour 24 is not from 0 to 23"},
	        {"* * 32 * *", "day of month 32 is not from 1 to 31"},
	        {"* * * 0 *", "month 0 is not from 1 to 12"},
	        {"* * * * 8", "day of week 8 is not from 0 to 7"},
	        {"* * * * * * 1969", "year 1969 is not from 1970 to 2199"},
	        {"* * * * * * 99999999999999999999", "is not from 1970 to 2199"},
	        {"* * * JANUARY *", "month \"JANUARY\" is not a number or a name of three letters"},
	        {"* * * * MO", "day of week \"MO\" is not a number or a name"},
	        {"MON * * * *", "minute \"MON\" is not a number"},
	        {"-1 * * * *", "minute \"-1\" is not a number"},
	        {"1-2-3 * * * *", "is not understood at \"-3\""},
	        {"*5 * * * *", "is not understood at \"5\""},
	        {"1/ * * * *", "a step is a number from 1 on"},
	        {"*/-2 * * * *", "a step is a number from 1 on"},
	        {"? * * * *", "minute \"?\" is not a number"},
	        {"* * L * *", "day of month \"L\" is not a number"},
	        {"* * 15W * *", "is not understood at \"W\""},
	        {"* * * * 5#2", "is not understood at \"#2\""},
	        {"a", "neither a cron expression"},
	        {"@every", "neither a cron expression"},
	        {"@every 5m", "it has 2 fields"},
	        {"1 2 3 4", "it has 4 fields"},
	        {"1 2 3 4 5 6 2030 8", "it has more than 7 fields"},
	        {"CRON_TZ=Europe/paris @daily", "\"Europe/paris\" is not known"},
	        {"CRON_TZ=Europe @daily", "\"Europe\" is not known"},
	        {"CRON_TZ=tzdata.zi @daily", "is not known"},
	        {"CRON_TZ=/etc/localtime @daily", "is not known"},
	        {"CRON_TZ=Europe/../Europe/Paris @daily", "is not known"},
	        {"CRON_TZ=posix/./UTC @daily", "is not known"},
	        {"CRON_TZ= @daily", "no time zone follows the CRON_TZ="},
	        {"CRON_TZ=Europe/Paris", "no expression follows"},
	        {"CRON_TZ=UTC CRON_TZ=UTC @daily", "it has 2 fields"},
	        {"1 1 1 1 1\n", "printable ASCII"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct error err = ERROR_INIT;
		struct cron cron;

		if (cron_parse(texts[i][0], &cron, &err) == 0)
			fail_msg("\"%s\" was accepted", texts[i][0]);
		assert_int_equal(err.code, E_INVALID);
		if (strncmp(err.text, "Invalid schedule: ", 18) != 0 ||
		    !strstr(err.text, texts[i][1]))
			fail_msg("\"%s\": %s", texts[i][0], err.text);
	}
}

static void test_normal_form(void **state)
{
	static const char *const texts[][2] = {
	        {"hourly", "@hourly"},
	        {"@Daily ", "@Daily"},
	        {"  */5\t*  * * * ", "*/5 * * * *"},
	        {"TZ=UTC   weekly", "TZ=UTC @weekly"},
	        {"CRON_TZ=Asia/Tokyo 0 9 * * MON", "CRON_TZ=Asia/Tokyo 0 9 * * MON"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		char text[CRON_TEXT_MAX + 2];

		(void)parsed(texts[i][0]);
		cron_normalize(texts[i][0], text);
		assert_string_equal(text, texts[i][1]);
		(void)parsed(text);
	}
}

static void test_shortest_gap(void **state)
{
	static const struct {
		const char *expression;
		int gap_s;
	} rows[] = {{"* * * * * *", 1},      {"*/5 * * * * *", 5},  {"0 0 0 * * *", 60},
	            {"* * * * *", 60},       {"0,59 * * * * *", 1}, {"0,59 */2 * * * *", 59},
	            {"10,50 0 * * * *", 40}, {"7 * * * * *", 60}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cron cron = parsed(rows[i].expression);

		assert_int_equal(cron_shortest_gap_s(&cron), rows[i].gap_s);
	}
}

/* Asked from anywhere before it, the answer is the same: nothing depends on where one starts. */
static void test_steps_agree(void **state)
{
	static const char *const zones[] = {
	        "America/New_York",  "Australia/Lord_Howe", "Pacific/Apia",
	        "Africa/Casablanca", "Asia/Kathmandu",      "America/Nuuk",
	        "Antarctica/Troll",  "America/Caracas",     "Asia/Pyongyang"};
	static const char *const fields[] = {"*/7 * * * *", "30 2 * * *", "0 0 * * *",
	                                     "15 1,2,3 * * *", "45 23 1 * 0"};

	srandom(7);
	for (int round = 0; round < 4000; round++) {
		char text[128];
		struct cron cron;
		int64_t from = (int64_t)random() % 1800000000, at, probe;

		snprintf(text, sizeof(text), "CRON_TZ=%s %s",
		         zones[random() % (long)(sizeof(zones) / sizeof(*zones))],
		         fields[random() % (long)(sizeof(fields) / sizeof(*fields))]);
		cron = parsed(text);
		at = cron_next(&cron, from);
		assert_true(at > from);
		probe = from + random() % (at - from);
		if (cron_next(&cron, probe) != at)
			fail_msg("%s: from %s one gets another time than from %lld", text,
			         shown(probe), (long long)from);
	}
}

/* What cron.h says, told in another way: go through the minutes around a change with the C
 * library's clock, and write down when a schedule comes. */
struct slow {
	const char *minutes, *hours; /* lists of numbers between commas, or "*" */
	bool is_interval;
};

static bool slow_has(const char *list, int value)
{
	char number[8];

	snprintf(number, sizeof(number), ",%d,", value);
	return strcmp(list, "*") == 0 || strstr(list, number);
}

/* The reading of the clock in minutes, as if it were UTC. */
static int64_t slow_reading(time_t at_s)
{
	struct tm tm;

	assert_non_null(localtime_r(&at_s, &tm));
	return (at_s + tm.tm_gmtoff) / 60;
}

static bool slow_matches(const struct slow *slow, int64_t reading)
{
	return slow_has(slow->minutes, (int)(reading % 60)) &&
	       slow_has(slow->hours, (int)(reading / 60 % 24));
}

static void check_around(const struct slow *slow, const struct cron *cron, const char *text,
                         int64_t change_s, int64_t window_s)
{
	int64_t from = change_s / 60 * 60 - window_s, until = from + 2 * window_s;
	int64_t seen = slow_reading(from - 60), expected = cron_next(cron, from - 1);

	for (int64_t at = from; at < until; at += 60) {
		int64_t reading = slow_reading(at);
		bool comes = false;

		if (slow->is_interval) {
			comes = slow_matches(slow, reading);
		} else {
			/* every reading that is new, also those that were jumped over */
			for (int64_t r = seen + 1; r <= reading && !comes; r++)
				comes = slow_matches(slow, r);
		}
		if (reading > seen)
			seen = reading;
		if (comes != (expected == at))
			fail_msg("%s: at %s it %s", text, shown(at),
			         comes ? "is missing" : "should not come");
		if (comes)
			expected = cron_next(cron, at);
	}
}

static int n_changes;

static void check_zone(const char *zone_name, const struct slow *slow)
{
	char text[160], minutes[64], hours[64];
	struct time_zone_span span;
	struct cron cron;

	/* ",1,2," is 1,2 */
	snprintf(minutes, sizeof(minutes), "%s", slow->minutes + (*slow->minutes == ','));
	snprintf(hours, sizeof(hours), "%s", slow->hours + (*slow->hours == ','));
	minutes[strcspn(minutes, "*") ? strlen(minutes) - 1 : 1] = '\0';
	hours[strcspn(hours, "*") ? strlen(hours) - 1 : 1] = '\0';
	snprintf(text, sizeof(text), "CRON_TZ=%s %s %s * * *", zone_name, minutes, hours);
	cron = parsed(text);
	setenv("TZ", zone_name, 1);
	tzset();
	time_zone_span_at(cron.zone, utc("1996-01-01 00:00:00"), &span);
	while (span.until < utc("2027-01-01 00:00:00")) {
		struct time_zone_span before = span;
		int64_t moved_s;

		time_zone_span_at(cron.zone, before.until, &span);
		moved_s = llabs(span.offset_s - before.offset_s);
		if (span.from % 60 == 0 && span.offset_s % 60 == 0)
			check_around(slow, &cron, text, span.from, (moved_s + 2 * 3600) / 60 * 60);
		n_changes++;
	}
}

static void test_thirty_years_of_changes(void **state)
{
	static const char *const zones[] = {
	        "America/New_York",  "Europe/Paris",     "Australia/Lord_Howe", "Pacific/Apia",
	        "Africa/Casablanca", "Africa/Cairo",     "Asia/Pyongyang",      "Asia/Tehran",
	        "America/Havana",    "America/St_Johns", "America/Caracas",     "Antarctica/Troll",
	        "Antarctica/Casey",  "Pacific/Fakaofo",  "Asia/Gaza",           "Europe/Volgograd",
	        "America/Nuuk",      "Pacific/Chatham",  "Europe/Dublin",       "America/Asuncion"};
	static const struct slow slows[] = {
	        {",30,", ",2,", false}, {",0,15,45,", ",0,1,2,3,23,", false},
	        {"*", "*", true},       {",0,30,", "*", true},
	        {"*", ",1,2,", true},
	};

	for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++)
		for (size_t k = 0; k < sizeof(slows) / sizeof(*slows); k++)
			check_zone(zones[i], &slows[k]);
	assert_true(n_changes > 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_fields),
	        cmocka_unit_test(test_days),
	        cmocka_unit_test(test_fixed_times_across_changes),
	        cmocka_unit_test(test_intervals_across_changes),
	        cmocka_unit_test(test_refusals),
	        cmocka_unit_test(test_normal_form),
	        cmocka_unit_test(test_shortest_gap),
	        cmocka_unit_test(test_steps_agree),
	        cmocka_unit_test(test_thirty_years_of_changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
