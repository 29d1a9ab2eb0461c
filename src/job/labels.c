/* SPDX-License-Identifier: Apache-2.0 */
/* Labels: the rules of hub-jobs-api 2.4, and a longer `name` (2.12). */
#include "job/spec_fields.h"
#include "job/wishes.h"

#include <string.h>

#define LABELS_MAX 100
#define LABEL_MAX 100
#define LABEL_NAME_MAX 255 /* made by clients of an image reference, which may be long */
#define LABEL_LIST_MAX (WISHES_AFTER_MAX * ID_SIZE)

#define LABEL_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static bool label_is_reserved(const char *key)
{
	return strncmp(key, "hearth.", 7) == 0;
}

static bool label_text_is_valid(const char *text, size_t len)
{
	return strspn(text, LABEL_CHARACTERS) == len;
}

/* Reserved ones may be lists. */
static bool label_value_is_valid(const char *key, const char *text, size_t len)
{
	if (label_is_reserved(key))
		return strspn(text, LABEL_CHARACTERS ",") == len;
	return label_text_is_valid(text, len);
}

static size_t label_value_max(const char *key)
{
	if (strcmp(key, "name") == 0)
		return LABEL_NAME_MAX;
	if (strcmp(key, "hearth.after") == 0 || strcmp(key, "hearth.retry") == 0)
		return LABEL_LIST_MAX;
	return LABEL_MAX;
}

static int label_check(const char *key, const json_t *value, struct error *err)
{
	size_t key_len = strlen(key), value_len = json_string_length(value);
	size_t max = label_value_max(key);
	char shown[SPEC_SHOWN_SIZE], shown_value[SPEC_SHOWN_SIZE];

	spec_shown(key, shown);
	if (key_len == 0 || key_len > LABEL_MAX)
		return fail(err, E_INVALID, "labels: the key \"%s\" must have 1 to %d characters",
		            shown, LABEL_MAX);
	if (!label_text_is_valid(key, key_len))
		return fail(
		        err, E_INVALID,
		        "labels: the key \"%s\" may have only letters, digits, '.', '_' and '-'",
		        shown);
	if (!json_is_string(value))
		return fail(err, E_INVALID, "labels.%s must be a string", shown);
	if (value_len > max)
		return fail(err, E_INVALID, "labels.%s must have at most %zu characters", shown,
		            max);
	if (!label_value_is_valid(key, json_string_value(value), value_len))
		return fail(err, E_INVALID,
		            "labels.%s: the value \"%s\" may have only letters, digits, '.', '_' "
		            "and '-'%s",
		            shown, spec_shown(json_string_value(value), shown_value),
		            label_is_reserved(key) ? ", and ',' between several" : "");
	return 0;
}

int job_labels_parse(const json_t *labels, json_t **ret, struct error *err)
{
	json_t *object = (json_t *)(uintptr_t)labels;
	const char *key;
	json_t *value;

	if (!json_is_object(labels))
		return fail(err, E_INVALID, "labels must be an object of strings");
	if (json_object_size(labels) > LABELS_MAX)
		return fail(err, E_INVALID, "labels: at most %d are possible", LABELS_MAX);
	json_object_foreach(object, key, value)
	{
		if (label_check(key, value, err) < 0)
			return -1;
	}
	*ret = json_copy(object);
	return 0;
}
