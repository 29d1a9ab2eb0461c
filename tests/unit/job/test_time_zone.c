/* SPDX-License-Identifier: Apache-2.0 */
/* The zone database: every zone against the C library's reading of it, and damaged files. */
#include "../unit.h"

#include "base/buffer.h"
#include "job/time_zone.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FOLDER "/usr/share/zoneinfo/"
#define FIRST_S INT64_C(0)
#define LAST_S INT64_C(7226582400) /* 2199 */

static int n_zones;

static int32_t offset_at(const struct time_zone *zone, int64_t at_s)
{
	struct time_zone_span span;

	time_zone_span_at(zone, at_s, &span);
	assert_true(span.from <= at_s && at_s < span.until);
	return span.offset_s;
}

static int check_zone(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + strlen(FOLDER);
	const struct time_zone *zone;
	struct error err = ERROR_INIT;

	if (type != FTW_F || strncmp(name, "right/", 6) == 0 || strncmp(name, "posix/", 6) == 0)
		return 0;
	if (time_zone_get(name, &zone, &err) < 0) {
		assert_non_null(strstr(err.text, "is not known")); /* a text file */
		return 0;
	}
	n_zones++;
	setenv("TZ", name, 1);
	tzset();
	for (int i = 0; i < 500; i++) {
		time_t at = (time_t)(FIRST_S + random() * (INT64_C(1) << 31) % LAST_S);
		struct tm tm;

		if (i < 60) /* around the turns of the years 2030 to 2089 */
			at = 1893456000 + (time_t)i * 31556952;
		assert_non_null(localtime_r(&at, &tm));
		if (offset_at(zone, at) != tm.tm_gmtoff)
			fail_msg("%s at %lld: %d instead of %ld", name, (long long)at,
			         offset_at(zone, at), tm.tm_gmtoff);
	}
	return 0;
}

static void test_all_zones_as_the_c_library_reads_them(void **state)
{
	srandom(1);
	assert_int_equal(nftw(FOLDER, check_zone, 16, FTW_PHYS), 0);
	if (n_zones < 300)
		fail_msg("only %d zones: is tzdata installed?", n_zones);
}

/* The moments of change themselves, to the second. */
static void test_changes_to_the_second(void **state)
{
	static const char *const names[] = {"America/New_York",    "Europe/Paris",
	                                    "Australia/Lord_Howe", "Pacific/Apia",
	                                    "Africa/Casablanca",   "America/Nuuk"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct time_zone *zone;
		struct error err = ERROR_INIT;
		struct time_zone_span span;
		int n = 0;

		assert_int_equal(time_zone_get(names[i], &zone, &err), 0);
		setenv("TZ", names[i], 1);
		tzset();
		for (time_zone_span_at(zone, FIRST_S, &span); span.until < LAST_S; n++) {
			for (int64_t at = span.until - 1; at <= span.until; at++) {
				time_t t = at;
				struct tm tm;

				assert_non_null(localtime_r(&t, &tm));
				assert_int_equal(offset_at(zone, at), tm.tm_gmtoff);
			}
			time_zone_span_at(zone, span.until, &span);
		}
		assert_true(n > 10);
	}
}

static void test_utc_needs_no_database(void **state)
{
	const struct time_zone *zone;
	struct error err = ERROR_INIT;

	assert_int_equal(time_zone_get("UTC", &zone, &err), 0);
	assert_ptr_equal(zone, time_zone_utc());
	assert_int_equal(offset_at(zone, 0), 0);
	assert_string_equal(time_zone_name(zone), "UTC");
}

/* A file of one type (UTC+1), no changes, and this rule. */
static size_t make_file(unsigned char file[512], const char *rule)
{
	static const unsigned char header[44] = {'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4};
	static const unsigned char block[] = {0, 0, 0x0e, 0x10, 0, 0, 'C', 'E', 'T', 0};
	size_t len = 0;

	for (int i = 0; i < 2; i++) {
		memcpy(file + len, header, sizeof(header));
		memcpy(file + len + sizeof(header), block, sizeof(block));
		len += sizeof(header) + sizeof(block);
	}
	return len + (size_t)snprintf((char *)file + len, 512 - len, "\n%s\n", rule);
}

static void test_rules(void **state)
{
	static const struct {
		const char *rule;
		int64_t at_s;
		int32_t offset_s;
	} rows[] = {
	        {"CET-1CEST,M3.5.0,M10.5.0/3", 1711846799, 3600}, /* 2024-03-31 00:59:59 */
	        {"CET-1CEST,M3.5.0,M10.5.0/3", 1711846800, 7200},
	        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1712415600, 37800},
	        {"IST-1GMT0,M10.5.0,M3.5.0/1", 1711846800, 3600}, /* winter is its "summer" time */
	        {"XXX3", 0, -10800},
	        {"AAA0BBB,J60,J300", 1709168400, 0}, /* 2024-02-29 01:00 */
	        {"AAA0BBB,J60,J300", 1709254800 + 3600,
	         3600}, /* 2024-03-01 02:00: J60 in a leap year */
	        {"AAA0BBB,59,300", 1709168400 + 3600, 3600}, /* 2024-02-29 02:00: day 59 */
	        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1711846800, -3600},
	        {"EST5EDT,M3.2.0/2:00:00,M11.1.0/2", 1710054000, -14400},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned char file[512];
		size_t len = make_file(file, rows[i].rule);
		struct error err = ERROR_INIT;
		struct time_zone *zone;

		if (time_zone_parse(file, len, &zone, &err) < 0)
			fail_msg("%s: %s", rows[i].rule, err.text);
		if (offset_at(zone, rows[i].at_s) != rows[i].offset_s)
			fail_msg("%s at %lld: %d", rows[i].rule, (long long)rows[i].at_s,
			         offset_at(zone, rows[i].at_s));
		time_zone_free(zone);
	}
}

static void test_bad_rules(void **state)
{
	static const char *const rules[] = {"C",
	                                    "CET",
	                                    "CET-1CEST",
	                                    "CET-1CEST,",
	                                    "CET-1CEST,M3.5.0",
	                                    "CET-1CEST,M13.5.0,M10.5.0",
	                                    "CET-1CEST,M3.6.0,M10.5.0",
	                                    "CET-1CEST,M3.5.7,M10.5.0",
	                                    "CET-1CEST,M3.5.0,M10.5.0/200",
	                                    "CET-1CEST,J0,J366",
	                                    "CET-1CEST,M3.5.0,M10.5.0x",
	                                    "<+01-1",
	                                    "CET-99"};

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		unsigned char file[512];
		size_t len = make_file(file, rules[i]);
		struct error err = ERROR_INIT;
		struct time_zone *zone;

		if (time_zone_parse(file, len, &zone, &err) == 0)
			fail_msg("the rule %s was accepted", rules[i]);
		assert_non_null(strstr(err.text, "rule"));
	}
}

/* Every cut of a good file is refused or read, never more than it has. */
static void test_cut_files(void **state)
{
	unsigned char file[512];
	size_t len = make_file(file, "CET-1CEST,M3.5.0,M10.5.0/3");

	for (size_t n = 0; n < len; n++) {
		unsigned char *copy = malloc(n ? n : 1);
		struct error err = ERROR_INIT;
		struct time_zone *zone = NULL;

		memcpy(copy, file, n);
		if (time_zone_parse(copy, n, &zone, &err) == 0)
			time_zone_free(zone);
		else
			assert_int_equal(err.code, E_INVALID);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_all_zones_as_the_c_library_reads_them),
	        cmocka_unit_test(test_changes_to_the_second),
	        cmocka_unit_test(test_utc_needs_no_database),
	        cmocka_unit_test(test_rules),
	        cmocka_unit_test(test_bad_rules),
	        cmocka_unit_test(test_cut_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
