/* SPDX-License-Identifier: Apache-2.0 */
/* Durations of the command line: `--timeout` of jobs, `--timeout` of wait, and what tables show. */
#include "cli/duration.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int bad_timeout(const char *text, struct error *err)
{
	return fail(
	        err, E_INVALID,
	        "Invalid timeout '%s': use whole seconds, or a number with s, m, h or d (90, 30m, "
	        "1.5h, 2d)",
	        text);
}

int duration_parse_timeout(const char *text, int64_t *ret_seconds, struct error *err)
{
	size_t len = strlen(text);
	if (len == 0 || (!isdigit((unsigned char)text[0]) && text[0] != '.'))
		return bad_timeout(text, err);
	double factor = 0;
	switch (text[len - 1]) {
	case 's':
		factor = 1;
		break;
	case 'm':
		factor = 60;
		break;
	case 'h':
		factor = 3600;
		break;
	case 'd':
		factor = 86400;
		break;
	}
	size_t digits = strspn(text, factor > 0 ? "0123456789." : "0123456789");
	if (digits != len - (factor > 0 ? 1 : 0))
		return bad_timeout(text, err);
	char *end;
	errno = 0;
	double value = strtod(text, &end);
	if (end != text + digits || errno)
		return bad_timeout(text, err);
	value *= factor > 0 ? factor : 1;
	if (value >= 1e15)
		return bad_timeout(text, err);
	*ret_seconds = (int64_t)value;
	return 0;
}

int duration_parse_wait(const char *text, int64_t *ret_seconds, struct error *err)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {
	        {"", 1},      {"s", 1},      {"m", 60},       {"h", 3600},
	        {"d", 86400}, {"w", 604800}, {"mo", 2592000}, {"y", 31536000},
	};
	size_t digits = strspn(text, "0123456789");
	if (digits > 0 && digits < 12)
		for (size_t i = 0; i < sizeof units / sizeof *units; i++)
			if (strcasecmp(text + digits, units[i].name) == 0) {
				*ret_seconds = strtoll(text, NULL, 10) * units[i].seconds;
				return 0;
			}
	return fail(
	        err, E_INVALID,
	        "Invalid value '%s' for --timeout: use a whole number of seconds, or one with s, "
	        "m, h, d, w, mo or y",
	        text);
}

char *duration_format(int64_t seconds, char text[DURATION_TEXT_SIZE])
{
	long long s = seconds;
	if (s < 0)
		snprintf(text, DURATION_TEXT_SIZE, "--");
	else if (s < 60)
		snprintf(text, DURATION_TEXT_SIZE, "%llds", s);
	else if (s < 3600)
		snprintf(text, DURATION_TEXT_SIZE, "%lldm %llds", s / 60, s % 60);
	else
		snprintf(text, DURATION_TEXT_SIZE, "%lldh %lldm", s / 3600, s % 3600 / 60);
	return text;
}

char *duration_format_size(double number, char text[DURATION_TEXT_SIZE])
{
	static const char *const units[] = {"", "K", "M", "G", "T", "P", "E", "Z"};
	size_t i = 0;
	while (i < 7 && fabs(number) >= 1000.0) {
		number /= 1000.0;
		i++;
	}
	snprintf(text, DURATION_TEXT_SIZE, "%3.1f%s", number, units[i]);
	return text;
}
