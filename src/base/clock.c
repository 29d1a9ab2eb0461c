/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and their texts. */
#include "base/clock.h"
#include "base/error.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

static struct timespec read_clock(clockid_t id)
{
	struct timespec now;
	if (clock_gettime(id, &now) < 0)
		BUG("clock %d cannot be read", (int)id);
	return now;
}

int64_t clock_now_ms(void)
{
	struct timespec now = read_clock(CLOCK_REALTIME);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
	return clock_monotonic_us() / 1000;
}

int64_t clock_monotonic_us(void)
{
	struct timespec now = read_clock(CLOCK_BOOTTIME);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Floor division, so that times before 1970 keep a positive rest. */
static void split_ms(int64_t unix_ms, struct tm *ret_tm, int *ret_ms)
{
	int64_t seconds = unix_ms / 1000;
	int64_t rest = unix_ms % 1000;
	if (rest < 0) {
		rest += 1000;
		seconds--;
	}
	time_t t = (time_t)seconds;
	memset(ret_tm, 0, sizeof(*ret_tm));
	(void)gmtime_r(&t, ret_tm);
	*ret_ms = (int)rest;
}

/* Written by hand: a log stream formats one timestamp per line. */
static char *put_digits(char *out, int value, int count)
{
	for (int i = count - 1; i >= 0; i--, value /= 10)
		out[i] = (char)('0' + value % 10);
	return out + count;
}

static char *put_date_time(char *out, const struct tm *tm, char between)
{
	out = put_digits(out, tm->tm_year + 1900, 4);
	*out++ = '-';
	out = put_digits(out, tm->tm_mon + 1, 2);
	*out++ = '-';
	out = put_digits(out, tm->tm_mday, 2);
	*out++ = between;
	out = put_digits(out, tm->tm_hour, 2);
	*out++ = ':';
	out = put_digits(out, tm->tm_min, 2);
	*out++ = ':';
	return put_digits(out, tm->tm_sec, 2);
}

char *clock_format_iso(int64_t unix_ms, char text[CLOCK_TEXT_SIZE])
{
	struct tm tm;
	int ms;
	split_ms(unix_ms, &tm, &ms);
	char *out = put_date_time(text, &tm, 'T');
	*out++ = '.';
	out = put_digits(out, ms, 3);
	*out++ = 'Z';
	*out = '\0';
	return text;
}

char *clock_format_plain(int64_t unix_ms, char text[CLOCK_TEXT_SIZE])
{
	struct tm tm;
	int ms;
	split_ms(unix_ms, &tm, &ms);
	*put_date_time(text, &tm, ' ') = '\0';
	return text;
}

/* `pattern`: '0' stands for a digit, anything else for itself. */
static bool matches(const char *text, const char *pattern)
{
	for (; *pattern; text++, pattern++) {
		if (*pattern == '0' ? !isdigit((unsigned char)*text) : *text != *pattern)
			return false;
	}
	return true;
}

static int number_at(const char *text, int count)
{
	int value = 0;
	for (int i = 0; i < count; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

int64_t clock_parse_iso(const char *text)
{
	if (!matches(text, "0000-00-00T00:00:00"))
		return -1;
	struct tm tm = {
	        .tm_year = number_at(text, 4) - 1900,
	        .tm_mon = number_at(text + 5, 2) - 1,
	        .tm_mday = number_at(text + 8, 2),
	        .tm_hour = number_at(text + 11, 2),
	        .tm_min = number_at(text + 14, 2),
	        .tm_sec = number_at(text + 17, 2),
	};
	struct tm given = tm;
	const char *rest = text + 19;
	int64_t ms = 0;
	if (*rest == '.') {
		int64_t unit = 100;
		if (!isdigit((unsigned char)*++rest))
			return -1;
		for (; isdigit((unsigned char)*rest); rest++, unit /= 10)
			ms += (*rest - '0') * unit;
	}
	if (strcmp(rest, "Z") != 0)
		return -1;
	time_t seconds = timegm(&tm);
	/* timegm() normalizes the 31st of February; that is not a date. */
	if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday ||
	    tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min || tm.tm_sec != given.tm_sec ||
	    tm.tm_year != given.tm_year)
		return -1;
	return (int64_t)seconds * 1000 + ms;
}
