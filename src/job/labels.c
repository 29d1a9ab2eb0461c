/* SPDX-License-Identifier: Apache-2.0 */
/* Labels: the rules of hub-jobs-api 2.4, and a longer `name` (2.12). */
#include "job/spec_fields.h"

#include <string.h>

#define LABELS_MAX 100
#define LABEL_MAX 100
#define LABEL_NAME_MAX 255 /* made by clients of an image reference, which may be long */

static bool label_text_is_valid(const char *text, size_t len)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
	       len;
}

static int label_check(const char *key, const json_t *value, struct error *err)
{
	size_t key_len = strlen(key), value_len = json_string_length(value);
	size_t max = strcmp(key, "name") == 0 ? LABEL_NAME_MAX : LABEL_MAX;
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
	if (!label_text_is_valid(json_string_value(value), value_len))
		return fail(err, E_INVALID,
		            "labels.%s: the value \"%s\" may have only letters, digits, '.', '_' "
		            "and '-'",
		            shown, spec_shown(json_string_value(value), shown_value));
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
