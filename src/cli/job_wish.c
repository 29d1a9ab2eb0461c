/* SPDX-License-Identifier: Apache-2.0 */
/* One row per option; values of repeated ones are joined with commas. */
#include "cli/job_wish.h"

#include "base/buffer.h"
#include "base/cleanup.h"

#include <string.h>

#define LABEL_MAX_BYTES 4096

static const struct {
	const char *option, *label;
	const char *value; /* of a flag; NULL: the option has one */
} rows[] = {
        {"array", "hearth.array", NULL},
        {"array-max", "hearth.array-max", NULL},
        {"array-retry", "hearth.array-retry", NULL},
        {"priority", "hearth.priority", NULL},
        {"after", "hearth.after", NULL},
        {"hold", "hearth.hold", "yes"},
        {"retry", "hearth.retry", NULL},
        {"retry-delay", "hearth.retry-delay", NULL},
        {"warning", "hearth.warning", NULL},
        {"grace", "hearth.grace", NULL},
};

static int add_one(const struct options *options, const char *option, const char *label,
                   const char *flag_value, json_t *labels, struct error *err)
{
	autobuffer struct buffer value = BUFFER_INIT(LABEL_MAX_BYTES);
	const char *text;

	if (json_object_get(labels, label))
		return fail(err, E_INVALID, "--%s and --label %s=... cannot both be provided.",
		            option, label);
	if (flag_value)
		(void)buffer_add_text(&value, flag_value);
	for (size_t i = 0; (text = options_each(options, option, i)); i++) {
		const char *slash = strrchr(text, '/'); /* NAMESPACE/ID, as we print jobs */
		if (buffer_printf(&value, "%s%s", i ? "," : "", slash ? slash + 1 : text) < 0)
			return fail(err, E_INVALID, "--%s is too long", option);
	}
	if (json_object_set_new(labels, label, json_string(buffer_text(&value))) < 0)
		return fail(err, E_INVALID, "--%s is not valid UTF-8", option);
	return 0;
}

int job_wish_add(const struct options *options, json_t *labels, struct error *err)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (options_flag(options, rows[i].option) &&
		    add_one(options, rows[i].option, rows[i].label, rows[i].value, labels, err) < 0)
			return -1;
	return 0;
}
