/* SPDX-License-Identifier: Apache-2.0 */
/* Reserved labels: one row of a table and one small parser each. Which causes are repeated is read
 * in wishes_retry.c. See the header. */
#include "job/wishes_private.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "job/spec.h"
#include "job/spec_fields.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PREFIX "hearth."
#define ARRAY_INDEX_MAX 1000000000
#define RETRY_DELAY_MAX_S (7 * 86400)
#define KNOWN_LABELS_MAX 1024

int wish_fail(const char *label, const char *value, const char *right, struct error *err)
{
	char shown[SPEC_SHOWN_SIZE];

	return fail(err, E_INVALID, "labels.%s: \"%s\" is not right; write %s", label,
	            spec_shown(value, shown), right);
}

bool wish_to_number(const char *text, int64_t min, int64_t max, int *ret)
{
	size_t digits = strspn(text + (*text == '-'), "0123456789");
	long long number;

	if (digits == 0 || digits > 12 || text[(*text == '-') + digits])
		return false;
	number = strtoll(text, NULL, 10);
	if (number < min || number > max)
		return false;
	*ret = (int)number;
	return true;
}

static int wish_to_seconds(const char *label, const char *value, int64_t min, int64_t max,
                           int64_t *ret, struct error *err)
{
	char what[64], limit[QUANTITY_TEXT_SIZE];

	snprintf(what, sizeof(what), "labels.%s", label);
	if (quantity_parse_seconds(value, what, ret, err) < 0)
		return -1;
	if (*ret < min)
		return fail(err, E_INVALID, "labels.%s must be at least %s", label,
		            quantity_format_duration(min, limit));
	if (*ret > max)
		return fail(err, E_INVALID, "labels.%s must be at most %s", label,
		            quantity_format_duration(max, limit));
	return 0;
}

static int wish_priority(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	static const struct {
		const char *name;
		int priority;
	} names[] = {{"high", 10}, {"normal", 0}, {"low", -10}};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcasecmp(wish->value, names[i].name) == 0) {
			ret->priority = names[i].priority;
			return 0;
		}
	}
	if (wish_to_number(wish->value, PRIORITY_MIN, PRIORITY_MAX, &ret->priority))
		return 0;
	return wish_fail(wish->label, wish->value,
	                 "high, normal, low, or a whole number from -100 to 100", err);
}

static int wish_hold(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	if (strcasecmp(wish->value, "yes") != 0 && strcasecmp(wish->value, "no") != 0)
		return wish_fail(wish->label, wish->value, "yes or no", err);
	ret->is_held = strcasecmp(wish->value, "yes") == 0;
	return 0;
}

static int wish_after(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	autofree char *copy = xstrdup(wish->value);
	char *rest = copy, *id;

	while ((id = strsep(&rest, ",."))) {
		bool is_known = false;

		if (!id_is_valid(id))
			return wish_fail(wish->label, id,
			                 "ids of jobs, 24 hexadecimal digits each, with ',' or '.' "
			                 "between them",
			                 err);
		for (int i = 0; i < ret->n_after; i++)
			is_known |= strcmp(ret->after[i], id) == 0;
		if (is_known)
			continue;
		if (ret->n_after == WISHES_AFTER_MAX)
			return fail(err, E_INVALID, "labels.%s: at most %d jobs are possible",
			            wish->label, WISHES_AFTER_MAX);
		memcpy(ret->after[ret->n_after++], id, ID_SIZE);
	}
	return 0;
}

static int wish_array(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	autofree char *copy = xstrdup(wish->value);
	char *dash = strchr(copy, '-');

	if (dash)
		*dash = '\0';
	if (!dash || !wish_to_number(copy, 0, ARRAY_INDEX_MAX, &ret->array_first) ||
	    !wish_to_number(dash + 1, 0, ARRAY_INDEX_MAX, &ret->array_last) ||
	    ret->array_last < ret->array_first)
		return wish_fail(wish->label, wish->value,
		                 "the first and the last number of the array, such as 1-100", err);
	if (ret->array_last - ret->array_first >= WISHES_ARRAY_MAX)
		return fail(err, E_INVALID,
		            "labels.%s: an array has at most %d elements, not %d; submit several",
		            wish->label, WISHES_ARRAY_MAX, ret->array_last - ret->array_first + 1);
	ret->is_array = true;
	return 0;
}

static int wish_array_max(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	if (!wish_to_number(wish->value, 1, WISHES_ARRAY_MAX, &ret->array_max))
		return wish_fail(wish->label, wish->value, "a whole number from 1 to 10000", err);
	return 0;
}

static int wish_array_retry(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	if (!id_is_valid(wish->value))
		return wish_fail(wish->label, wish->value,
		                 "the id of an array, 24 hexadecimal digits", err);
	memcpy(ret->array_retry, wish->value, ID_SIZE);
	return 0;
}

static int wish_timeout(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	return wish_to_seconds(wish->label, wish->value, 1, wish->configuration->max_timeout_s,
	                       &ret->timeout_s, err);
}

static int wish_warning(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	return wish_to_seconds(wish->label, wish->value, 0, wish->configuration->max_timeout_s,
	                       &ret->warning_s, err);
}

/* "USR1", "SIGUSR1", any case; 0: there is none, or no process could handle it. */
static int wish_signal_by_name(const char *name)
{
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int number = 1; number < NSIG; number++) {
		const char *known = sigabbrev_np(number);

		if (known && strcasecmp(known, name) == 0)
			return number == SIGKILL || number == SIGSTOP ? 0 : number;
	}
	return 0;
}

static int wish_warning_signal(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	ret->warning_signal = wish_signal_by_name(wish->value);
	if (!ret->warning_signal)
		return wish_fail(wish->label, wish->value,
		                 "the name of a signal that a process can handle, such as USR1",
		                 err);
	return 0;
}

static int wish_grace(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	int64_t max_s = wish->configuration->max_grace_s;

	if (max_s < wish->configuration->grace_s)
		max_s = wish->configuration->grace_s;
	return wish_to_seconds(wish->label, wish->value, 0, max_s, &ret->grace_s, err);
}

static int wish_attempts(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	if (!wish_to_number(wish->value, 1, JOB_ATTEMPTS_MAX, &ret->attempts))
		return wish_fail(wish->label, wish->value, "a whole number from 1 to 100", err);
	return 0;
}

static int wish_retry_delay(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	return wish_to_seconds(wish->label, wish->value, 0, RETRY_DELAY_MAX_S, &ret->retry.delay_s,
	                       err);
}

static int wish_idle(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	if (strcasecmp(wish->value, "keep") != 0)
		return wish_fail(wish->label, wish->value,
		                 "keep, or leave the label out to have idle accelerators freed",
		                 err);
	ret->may_idle = true;
	return 0;
}

/* Those without a function are read elsewhere, or written by the server. */
static const struct {
	const char *label;
	int (*parse)(const struct wish *wish, struct job_wishes *ret, struct error *err);
	bool is_ours; /* users cannot set it */
} rows[] = {
        {PREFIX "priority", wish_priority, false},
        {PREFIX "hold", wish_hold, false},
        {PREFIX "after", wish_after, false},
        {PREFIX "array", wish_array, false},
        {PREFIX "array-max", wish_array_max, false},
        {PREFIX "array-retry", wish_array_retry, false},
        {PREFIX "timeout", wish_timeout, false},
        {PREFIX "warning", wish_warning, false},
        {PREFIX "warning-signal", wish_warning_signal, false},
        {PREFIX "grace", wish_grace, false},
        {PREFIX "attempts", wish_attempts, false},
        {PREFIX "retry", wish_retry, false},
        {PREFIX "retry-delay", wish_retry_delay, false},
        {PREFIX "idle", wish_idle, false},
        {PREFIX "idempotency-key", NULL, false},
        {PREFIX "catch-up", NULL, false},
        {PREFIX "overlap", NULL, false},
        {PREFIX "array-of", NULL, true},
        {PREFIX "array-index", NULL, true},
};
#define ROW_COUNT (sizeof(rows) / sizeof(*rows))

static int wish_fail_unknown(const char *label, struct error *err)
{
	char known[KNOWN_LABELS_MAX] = "", shown[SPEC_SHOWN_SIZE];
	size_t len = 0;

	for (size_t i = 0; i < ROW_COUNT; i++)
		if (!rows[i].is_ours)
			len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
			                        len ? ", " : "", rows[i].label + strlen(PREFIX));
	return fail(err, E_INVALID, "labels.%s is not known; after \"" PREFIX "\" there are: %s",
	            spec_shown(label, shown), known);
}

static void wishes_set_defaults(const struct configuration *configuration, struct job_wishes *ret)
{
	*ret = (struct job_wishes){
	        .grace_s = configuration->grace_s,
	        .warning_s = configuration->warning_s,
	        .warning_signal = configuration->warning_signal
	                                  ? wish_signal_by_name(configuration->warning_signal)
	                                  : 0,
	        .retry.delay_s = configuration->retry_delay_s,
	        .retry.delay_max_s = configuration->retry_delay_max_s,
	};
	if (!ret->warning_signal)
		ret->warning_signal = SIGUSR1;
}

static int wish_read(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	size_t i = 0;

	while (i < ROW_COUNT && strcmp(rows[i].label, wish->label) != 0)
		i++;
	if (i == ROW_COUNT)
		return wish_fail_unknown(wish->label, err);
	/* Empty: as if it was not there; labels of a job can be taken back so. */
	if (!rows[i].parse || !wish->value || *wish->value == '\0')
		return 0;
	return rows[i].parse(wish, ret, err);
}

int job_wishes_parse(const struct configuration *configuration, const json_t *labels,
                     struct job_wishes *ret, struct error *err)
{
	json_t *object = (json_t *)(uintptr_t)labels, *value;
	const char *key;
	struct error others = ERROR_INIT;
	int rc = 0;

	wishes_set_defaults(configuration, ret);
	json_object_foreach(object, key, value)
	{
		struct wish wish = {configuration, key, json_string_value(value)};

		if (strncmp(key, PREFIX, strlen(PREFIX)) == 0 &&
		    wish_read(&wish, ret, rc < 0 ? &others : err) < 0)
			rc = -1;
	}
	if (rc < 0)
		return -1;
	if (ret->array_max && !ret->is_array && !*ret->array_retry)
		return fail(err, E_INVALID, "labels.hearth.array-max needs hearth.array as well");
	return 0;
}

int job_wishes_check_user(const json_t *old, const json_t *fresh, struct error *err)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const json_t *now = json_object_get(fresh, rows[i].label);

		if (rows[i].is_ours && now && !json_equal(now, json_object_get(old, rows[i].label)))
			return fail(err, E_INVALID, "labels.%s is set by the server; leave it out",
			            rows[i].label);
	}
	return 0;
}

json_t *job_wishes_copy(const json_t *labels)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)labels);

	json_object_del(copy, PREFIX "idempotency-key");
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (rows[i].is_ours)
			json_object_del(copy, rows[i].label);
	return copy;
}

json_t *job_wishes_merge(const json_t *old, const json_t *fresh)
{
	json_t *merged = json_copy((json_t *)(uintptr_t)fresh);

	for (size_t i = 0; i < ROW_COUNT; i++) {
		json_t *before = json_object_get(old, rows[i].label);

		if (before && !json_object_get(fresh, rows[i].label))
			json_object_set(merged, rows[i].label, before);
	}
	return merged;
}
