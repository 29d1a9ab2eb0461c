/* SPDX-License-Identifier: Apache-2.0 */
/* Cron expressions as text: see cron.h for the grammar. */
#include "job/cron.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FIELDS_MAX 7
#define SHOWN_SIZE 48

struct field {
	const char *name;
	int min, max;
	const char *names; /* three letters each, from the value `first_name` on; NULL: none */
	int first_name;
};

enum field_index { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR };

static const struct field fields[] = {
        [SECOND] = {"second", 0, 59},
        [MINUTE] = {"minute", 0, 59},
        [HOUR] = {"hour", 0, 23},
        [DAY] = {"day of month", 1, 31},
        [MONTH] = {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", 1},
        [WEEKDAY] = {"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT", 0},
        [YEAR] = {"year", CRON_FIRST_YEAR, CRON_LAST_YEAR},
};

static const struct alias {
	const char *name, *expression;
} aliases[] = {
        {"yearly", "0 0 1 1 *"}, {"annually", "0 0 1 1 *"}, {"monthly", "0 0 1 * *"},
        {"weekly", "0 0 * * 0"}, {"daily", "0 0 * * *"},    {"midnight", "0 0 * * *"},
        {"hourly", "0 * * * *"},
};

/* A set of values from a field's minimum on; 256 are more than any field has. */
struct values {
	uint64_t bits[4];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *shown(const char *text, size_t len, char buffer[SHOWN_SIZE])
{
	size_t i;

	for (i = 0; i < len && i + 4 < SHOWN_SIZE; i++)
		buffer[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
	memcpy(buffer + i, i < len ? "..." : "\0\0\0", 4);
	return buffer;
}

static int name_value(const struct field *field, const char *text, size_t len)
{
	if (!field->names || len != 3)
		return -1;
	for (int i = 0; field->names[3 * i]; i++)
		if (strncasecmp(text, field->names + (size_t)3 * (size_t)i, 3) == 0)
			return field->first_name + i;
	return -1;
}

/* One value at *p, which moves behind it. */
static int read_value(const struct field *field, const char **p, int *ret, struct error *err)
{
	const char *start = *p;
	char buffer[SHOWN_SIZE];
	size_t len = strspn(start, "0123456789");
	int value = 0;

	if (len == 0) {
		while (isalnum((unsigned char)start[len]))
			len++;
		value = name_value(field, start, len);
		if (value < 0)
			return fail(err, E_INVALID, "Invalid schedule: %s \"%s\" is not a number%s",
			            field->name, shown(start, strcspn(start, ","), buffer),
			            field->names ? " or a name of three letters" : "");
	} else {
		for (size_t i = 0; i < len && value < 100000; i++)
			value = value * 10 + (start[i] - '0');
	}
	if (value < field->min || value > field->max)
		return fail(err, E_INVALID, "Invalid schedule: %s %s is not from %d to %d",
		            field->name, shown(start, len, buffer), field->min, field->max);
	*p = start + len;
	*ret = value;
	return 0;
}

static int read_step(const struct field *field, const char **p, int *ret, struct error *err)
{
	const char *start = *p + 1;
	size_t len = strspn(start, "0123456789");
	char buffer[SHOWN_SIZE];
	int step = 0;

	for (size_t i = 0; i < len && step < 100000; i++)
		step = step * 10 + (start[i] - '0');
	if (len == 0 || step == 0)
		return fail(err, E_INVALID,
		            "Invalid schedule: %s \"%s\": a step is a number from 1 on",
		            field->name, shown(start - 1, strcspn(start, ",") + 1, buffer));
	if (step > field->max - field->min + 1)
		return fail(
		        err, E_INVALID,
		        "Invalid schedule: %s: the step %d is larger than the field, which goes "
		        "from %d to %d",
		        field->name, step, field->min, field->max);
	*p = start + len;
	*ret = step;
	return 0;
}

static void add_values(const struct field *field, int first, int last, int step,
                       struct values *values)
{
	for (int value = first; value <= last; value += step) {
		int bit = value - (field->min == 1 ? 0 : field->min);

		values->bits[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

/* "*", "a", "a-b", each perhaps with "/step". */
static int read_item(const struct field *field, const char **p, struct values *values,
                     struct error *err)
{
	int first = field->min, last = field->max, step = 1;
	bool is_one = false;

	if (**p == '*') {
		(*p)++;
		if (field->max == 7)
			last = 6; /* Sunday once */
	} else {
		if (read_value(field, p, &first, err) < 0)
			return -1;
		is_one = **p != '-';
		if (!is_one && ((*p)++, read_value(field, p, &last, err) < 0))
			return -1;
	}
	if (last < first)
		return fail(
		        err, E_INVALID,
		        "Invalid schedule: %s: the range %d-%d goes backwards; write two ranges",
		        field->name, first, last);
	if (**p == '/') {
		if (is_one && field->max == 7 && first < 7)
			last = 6;
		return read_step(field, p, &step, err) < 0
		               ? -1
		               : (add_values(field, first, last, step, values), 0);
	}
	add_values(field, first, is_one ? first : last, 1, values);
	return 0;
}

static int read_field(const struct field *field, const char *text, struct values *ret,
                      struct error *err)
{
	char buffer[SHOWN_SIZE];
	const char *p = text;

	*ret = (struct values){0};
	for (;;) {
		if (read_item(field, &p, ret, err) < 0)
			return -1;
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return fail(
			        err, E_INVALID,
			        "Invalid schedule: %s \"%s\" is not understood at \"%s\": it may "
			        "be *, a, a-b, each with /step, and lists of them",
			        field->name, shown(text, strlen(text), buffer),
			        shown(p - 1, strlen(p - 1), (char[SHOWN_SIZE]){0}));
	}
}

/* Split at blanks; the text is changed. Returns how many, FIELDS_MAX + 1 for more. */
static int split(char *text, char *ret[FIELDS_MAX + 1])
{
	int n = 0;

	for (char *p = text; *p && n <= FIELDS_MAX; n++) {
		ret[n] = p;
		while (*p && !is_blank(*p))
			p++;
		if (*p)
			*p++ = '\0';
		while (is_blank(*p))
			p++;
	}
	return n;
}

static const char *find_alias(const char *text)
{
	const char *name = text + (*text == '@');

	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		if (strcasecmp(name, aliases[i].name) == 0)
			return aliases[i].expression;
	return NULL;
}

static bool has_star(const char *field)
{
	return field[0] == '*';
}

static int read_fields(char *const texts[7], struct cron *ret, struct error *err)
{
	struct values values[7];

	for (int i = 0; i < 7; i++)
		if (read_field(&fields[i], texts[i], &values[i], err) < 0)
			return -1;
	ret->seconds = values[SECOND].bits[0];
	ret->minutes = values[MINUTE].bits[0];
	ret->hours = (uint32_t)values[HOUR].bits[0];
	ret->days = (uint32_t)values[DAY].bits[0];
	ret->months = (uint32_t)values[MONTH].bits[0];
	ret->weekdays = (uint8_t)((values[WEEKDAY].bits[0] | values[WEEKDAY].bits[0] >> 7) & 0x7f);
	memcpy(ret->years, values[YEAR].bits, sizeof(ret->years));
	ret->either_day = !has_star(texts[DAY]) && !has_star(texts[WEEKDAY]);
	ret->is_interval =
	        has_star(texts[SECOND]) || has_star(texts[MINUTE]) || has_star(texts[HOUR]);
	return 0;
}

static int parse_expression(const char *expression, struct cron *ret, struct error *err)
{
	char copy[CRON_TEXT_MAX + 1], *parts[FIELDS_MAX + 1], *texts[7];
	char zero[] = "0", star[] = "*", buffer[SHOWN_SIZE];
	int n;

	memcpy(copy, expression, strlen(expression) + 1);
	n = split(copy, parts);
	if (n == 1)
		return fail(
		        err, E_INVALID,
		        "Invalid schedule: \"%s\" is neither a cron expression of five to seven "
		        "fields nor one of @hourly, @daily, @weekly, @monthly, @yearly, @annually",
		        shown(parts[0], strlen(parts[0]), buffer));
	if (n < 5 || n > 7)
		return fail(
		        err, E_INVALID,
		        "Invalid schedule: it has %s%d fields; five are right (minute, hour, day "
		        "of month, month, day of week), or six with a second in front, or seven "
		        "with a year behind them",
		        n > FIELDS_MAX ? "more than " : "", n > FIELDS_MAX ? FIELDS_MAX : n);
	texts[SECOND] = n > 5 ? parts[0] : zero;
	memcpy(&texts[MINUTE], parts + (n > 5), 5 * sizeof(*texts));
	texts[YEAR] = n == 7 ? parts[6] : star;
	return read_fields(texts, ret, err);
}

/* "CRON_TZ=Europe/Paris 0 9 * * *": sets the zone and returns what follows. NULL: failed. */
static const char *parse_zone(const char *text, const struct time_zone **ret, struct error *err)
{
	const char *start = strncmp(text, "CRON_TZ=", 8) == 0 ? text + 8
	                    : strncmp(text, "TZ=", 3) == 0    ? text + 3
	                                                      : NULL;
	char name[TIME_ZONE_NAME_MAX + 2];
	size_t len;

	*ret = time_zone_utc();
	if (!start)
		return text;
	len = strcspn(start, " \t");
	if (len == 0) {
		fail(err, E_INVALID, "Invalid schedule: no time zone follows the %.*s",
		     (int)(start - text), text);
		return NULL;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name)), start);
	if (time_zone_get(name, ret, err) < 0) {
		error_prefix(err, "Invalid schedule");
		return NULL;
	}
	return start + len + strspn(start + len, " \t");
}

static int check_text(const char *text, struct error *err)
{
	size_t len = strlen(text);

	if (text[strspn(text, " \t")] == '\0')
		return fail(
		        err, E_INVALID,
		        "Invalid schedule: it is empty; write for example @hourly or 0 9 * * 1");
	if (len > CRON_TEXT_MAX)
		return fail(err, E_INVALID, "Invalid schedule: it is longer than %d characters",
		            CRON_TEXT_MAX);
	for (size_t i = 0; i < len; i++)
		if ((text[i] < ' ' && text[i] != '\t') || text[i] > '~')
			return fail(
			        err, E_INVALID,
			        "Invalid schedule: only printable ASCII characters are possible");
	return 0;
}

static int check_ever(const char *expression, const struct cron *cron, struct error *err)
{
	char buffer[SHOWN_SIZE];

	if (cron_next(cron, -1) != CRON_NEVER)
		return 0;
	return fail(
	        err, E_INVALID,
	        "Invalid schedule: \"%s\" never comes: there is no such date in any of its months "
	        "and years",
	        shown(expression, strlen(expression), buffer));
}

int cron_parse(const char *text, struct cron *ret, struct error *err)
{
	char copy[CRON_TEXT_MAX + 1];
	struct cron cron = {0};
	const char *expression, *alias;
	size_t len;

	if (check_text(text, err) < 0)
		return -1;
	text += strspn(text, " \t");
	for (len = strlen(text); is_blank(text[len - 1]); len--)
		;
	memcpy(copy, text, len);
	copy[len] = '\0';
	expression = parse_zone(copy, &cron.zone, err);
	if (!expression)
		return -1;
	if (*expression == '\0')
		return fail(
		        err, E_INVALID,
		        "Invalid schedule: no expression follows the time zone; write for example "
		        "CRON_TZ=Europe/Paris 0 9 * * 1");
	alias = find_alias(expression);
	if (parse_expression(alias ? alias : expression, &cron, err) < 0 ||
	    check_ever(expression, &cron, err) < 0)
		return -1;
	*ret = cron;
	return 0;
}

void cron_normalize(const char *text, char *ret)
{
	bool is_separated = false;

	for (const char *p = text; *p; p++) {
		if (is_blank(*p)) {
			is_separated = true;
			continue;
		}
		if (is_separated && p != text + strspn(text, " \t"))
			*ret++ = ' ';
		if ((p == text || is_blank(p[-1])) && *p != '@') {
			char word[16];

			snprintf(word, sizeof(word), "%.*s", (int)strcspn(p, " \t"), p);
			if (find_alias(word))
				*ret++ = '@';
		}
		is_separated = false;
		*ret++ = *p;
	}
	*ret = '\0';
}
