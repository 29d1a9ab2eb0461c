/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, sizes and decimal numbers. All arithmetic is on integers: "1.5h" is exact. */
#include "base/quantity.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* "12.5" as 12 and 500000000; `*text` goes on to what follows. */
static bool parse_decimal(const char **text, int64_t *ret_whole, int64_t *ret_nano)
{
	const char *p = *text;
	int64_t whole = 0, nano = 0;
	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *p - '0', &whole))
			return false;
	if (*p == '.') {
		int64_t unit = 100000000;
		if (!isdigit((unsigned char)*++p))
			return false;
		for (; isdigit((unsigned char)*p); p++, unit /= 10)
			nano += (*p - '0') * unit;
	}
	*text = p;
	*ret_whole = whole;
	*ret_nano = nano;
	return true;
}

static bool parse_scaled(const char *text, const struct unit *units, int64_t *ret)
{
	int64_t whole, nano, value;
	while (*text == ' ')
		text++;
	if (!parse_decimal(&text, &whole, &nano))
		return false;
	while (*text == ' ')
		text++;
	for (; units->name; units++) {
		if (strcasecmp(text, units->name) != 0)
			continue;
		if (__builtin_mul_overflow(whole, units->factor, &value))
			return false;
		__int128 part = (__int128)nano * units->factor / 1000000000;
		return !__builtin_add_overflow(value, (int64_t)part, ret);
	}
	return false;
}

int quantity_parse_seconds(const char *text, const char *what, int64_t *ret, struct error *err)
{
	static const struct unit units[] = {
	        {"", 1},     {"s", 1},     {"sec", 1},    {"m", 60}, {"min", 60},
	        {"h", 3600}, {"d", 86400}, {"w", 604800}, {NULL, 0},
	};
	int64_t value;
	if (!parse_scaled(text, units, &value))
		return fail(
		        err, E_INVALID,
		        "%s: \"%.60s\" is not a duration; write for example 90, 30m, 1.5h or 2d",
		        what, text);
	*ret = value;
	return 0;
}

int quantity_parse_bytes(const char *text, const char *what, int64_t *ret, struct error *err)
{
	static const struct unit units[] = {
	        {"", 1},
	        {"B", 1},
	        {"K", 1LL << 10},
	        {"M", 1LL << 20},
	        {"G", 1LL << 30},
	        {"T", 1LL << 40},
	        {"Ki", 1LL << 10},
	        {"Mi", 1LL << 20},
	        {"Gi", 1LL << 30},
	        {"Ti", 1LL << 40},
	        {"KiB", 1LL << 10},
	        {"MiB", 1LL << 20},
	        {"GiB", 1LL << 30},
	        {"TiB", 1LL << 40},
	        {"KB", 1000LL},
	        {"MB", 1000000LL},
	        {"GB", 1000000000LL},
	        {"TB", 1000000000000LL},
	        {NULL, 0},
	};
	int64_t value;
	if (!parse_scaled(text, units, &value))
		return fail(err, E_INVALID,
		            "%s: \"%.60s\" is not a size; write for example 512M, 16G or 1.5T",
		            what, text);
	*ret = value;
	return 0;
}

int quantity_parse_millis(const char *text, const char *what, int64_t *ret, struct error *err)
{
	static const struct unit units[] = {{"", 1000}, {NULL, 0}};
	int64_t value;
	if (!parse_scaled(text, units, &value))
		return fail(err, E_INVALID,
		            "%s: \"%.60s\" is not a number; write for example 2 or 0.5", what,
		            text);
	*ret = value;
	return 0;
}

#define MICRO 1000000
#define MICRO_DIGITS 6
#define DIGITS "0123456789"

/* Digit by digit, so that what is charged is what was written. */
int quantity_parse_usd(const char *text, const char *what, int64_t max_usd, int64_t *ret,
                       struct error *err)
{
	const char *p = text + strspn(text, " ");
	int64_t value = 0, max = max_usd * MICRO;
	size_t places = 0;
	if (*p == '-')
		return fail(err, E_INVALID, "%s: \"%.60s\" is negative; write for example 0.40",
		            what, text);
	if (*p == '$')
		p++;
	size_t whole = strspn(p, DIGITS);
	if (p[whole] == '.')
		places = strspn(p + whole + 1, DIGITS);
	const char *end = p + whole + (places ? places + 1 : 0);
	if (whole == 0 || end[strspn(end, " ")])
		return fail(err, E_INVALID,
		            "%s: \"%.60s\" is not an amount in USD; write for example 0.40 or 25",
		            what, text);
	for (size_t i = 0; i < whole && value <= max; i++)
		value = value * 10 + (p[i] - '0') * MICRO;
	for (size_t i = 0, unit = MICRO / 10; i < places; i++, unit /= 10) {
		int digit = p[whole + 1 + i] - '0';
		if (i >= MICRO_DIGITS && digit != 0)
			return fail(err, E_INVALID,
			            "%s: \"%.60s\" is finer than 0.000001 USD, the smallest unit",
			            what, text);
		value += digit * (int64_t)unit;
	}
	if (value > max)
		return fail(err, E_INVALID, "%s: \"%.60s\" is too much; at most %lld USD", what,
		            text, (long long)max_usd);
	*ret = value;
	return 0;
}

char *quantity_format_usd(int64_t micro_usd, char text[QUANTITY_TEXT_SIZE])
{
	uint64_t amount = micro_usd < 0 ? -(uint64_t)micro_usd : (uint64_t)micro_usd;
	int len = snprintf(text, QUANTITY_TEXT_SIZE, "%s$%llu.%06llu", micro_usd < 0 ? "-" : "",
	                   (unsigned long long)(amount / MICRO),
	                   (unsigned long long)(amount % MICRO));
	for (int i = 0; i < 4 && text[len - 1] == '0'; i++)
		text[--len] = '\0';
	return text;
}

char *quantity_format_bytes(int64_t bytes, char text[QUANTITY_TEXT_SIZE])
{
	static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	if (bytes < 1024) {
		(void)snprintf(text, QUANTITY_TEXT_SIZE, "%lld B", (long long)bytes);
		return text;
	}
	size_t i = 0;
	int64_t unit = 1024;
	while (i + 1 < sizeof(names) / sizeof(names[0]) && bytes / 1024 >= unit) {
		unit *= 1024;
		i++;
	}
	int64_t tenths = (int64_t)(((__int128)bytes * 10 + unit / 2) / unit);
	if (tenths % 10 == 0 || tenths >= 1000)
		(void)snprintf(text, QUANTITY_TEXT_SIZE, "%lld %s",
		               (long long)((tenths + (tenths % 10 ? 5 : 0)) / 10), names[i]);
	else
		(void)snprintf(text, QUANTITY_TEXT_SIZE, "%lld.%lld %s", (long long)(tenths / 10),
		               (long long)(tenths % 10), names[i]);
	return text;
}

char *quantity_format_duration(int64_t seconds, char text[QUANTITY_TEXT_SIZE])
{
	static const struct unit units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
	if (seconds < 0)
		seconds = 0;
	size_t i = 0;
	while (i < 3 && seconds < units[i].factor)
		i++;
	long long high = (long long)(seconds / units[i].factor);
	if (i == 3) {
		(void)snprintf(text, QUANTITY_TEXT_SIZE, "%llds", high);
		return text;
	}
	int low = (int)(seconds % units[i].factor / units[i + 1].factor);
	if (low == 0)
		(void)snprintf(text, QUANTITY_TEXT_SIZE, "%lld%s", high, units[i].name);
	else
		(void)snprintf(text, QUANTITY_TEXT_SIZE, "%lld%s %d%s", high, units[i].name, low,
		               units[i + 1].name);
	return text;
}
