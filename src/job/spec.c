/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The specification of a job, field by field (hub-jobs-api 2.4). Unknown fields are ignored: newer
 * clients send them. What is wrong is told before what is not built, so that a 501 means that the
 * request is good.
 */
#include "job/spec.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "job/flavor_catalogue.h"
#include "job/spec_fields.h"
#include "job/wishes.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define KEY_LABEL "hearth.idempotency-key"

void job_spec_clear(struct job_spec *spec)
{
	json_decref(spec->body);
	json_decref(spec->secrets);
	json_decref(spec->labels);
	*spec = (struct job_spec){0};
}

const char *spec_shown(const char *text, char shown[SPEC_SHOWN_SIZE])
{
	size_t i;

	for (i = 0; text[i] && i + 4 < SPEC_SHOWN_SIZE; i++)
		shown[i] = (char)(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
	memcpy(shown + i, text[i] ? "..." : "\0\0\0", 4);
	return shown;
}

json_t *spec_member(json_t *body, const char *name)
{
	json_t *value = json_object_get(body, name);

	return json_is_null(value) ? NULL : value;
}

/* An integer, also when it comes as 7200.0. */
static bool spec_to_integer(const json_t *value, int64_t *ret)
{
	double real;

	if (json_is_integer(value)) {
		*ret = json_integer_value(value);
		return true;
	}
	real = json_real_value(value);
	if (!json_is_real(value) || !(real > -1e15 && real < 1e15) || (double)(int64_t)real != real)
		return false;
	*ret = (int64_t)real;
	return true;
}

static int spec_read_timeout(const struct configuration *configuration, json_t *body, int64_t *ret,
                             struct error *err)
{
	json_t *value = spec_member(body, "timeoutSeconds");
	int64_t max_s = configuration->max_timeout_s;
	char text[QUANTITY_TEXT_SIZE];

	*ret = configuration->default_timeout_s;
	if (!value)
		return 0;
	if (!spec_to_integer(value, ret))
		return fail(err, E_INVALID,
		            "timeoutSeconds must be a whole number of seconds, or null");
	if (*ret <= 0)
		return fail(err, E_INVALID,
		            "timeoutSeconds must be greater than 0; leave it out for the default "
		            "of %lld",
		            (long long)configuration->default_timeout_s);
	if (max_s > 0 && *ret > max_s)
		return fail(err, E_INVALID,
		            "timeoutSeconds must be at most %lld (%s) on this server",
		            (long long)max_s, quantity_format_duration(max_s, text));
	return 0;
}

static int spec_read_attempts(json_t *body, int *ret, struct error *err)
{
	json_t *value = spec_member(body, "attempts");
	int64_t attempts = 1;

	if (value &&
	    (!spec_to_integer(value, &attempts) || attempts < 1 || attempts > JOB_ATTEMPTS_MAX))
		return fail(err, E_INVALID, "attempts must be a whole number from 1 to %d",
		            JOB_ATTEMPTS_MAX);
	*ret = (int)attempts;
	return 0;
}

/* Which flavors there are, and for whom, flavor_choose() says. */
static int spec_read_flavor(const struct configuration *c, json_t *body, char ret[64],
                            struct error *err)
{
	json_t *value = spec_member(body, "flavor");
	const char *name = json_string_value(value);
	autofree char *offered = name ? NULL : flavor_offered_names(c, NULL, NULL);
	char shown[SPEC_SHOWN_SIZE];

	if (!name)
		return fail(err, E_INVALID, "flavor %s; this server has: %s",
		            value ? "must be a string" : "is required", offered);
	if (strlen(name) >= 64)
		return fail(err, E_INVALID, "flavor \"%s\" is not known: too long",
		            spec_shown(name, shown));
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}

static const char *spec_machine_arch(void)
{
	static struct utsname machine;

	if (*machine.machine == '\0' && uname(&machine) < 0)
		BUG("uname failed");
	return strcmp(machine.machine, "aarch64") == 0 ? "arm64" : "amd64";
}

static int spec_add_arch(json_t *body, json_t *ret_body, struct error *err)
{
	json_t *value = spec_member(body, "arch");
	const char *arch = value ? json_string_value(value) : spec_machine_arch();

	if (!arch || (strcmp(arch, "amd64") != 0 && strcmp(arch, "arm64") != 0))
		return fail(err, E_INVALID, "arch must be \"amd64\" or \"arm64\"");
	if (strcmp(arch, spec_machine_arch()) != 0)
		return fail(err, E_INVALID, "arch \"%s\" cannot run here: this machine is %s", arch,
		            spec_machine_arch());
	json_object_set_new(ret_body, "arch", json_string(arch));
	return 0;
}

static int spec_add_resource_group(json_t *body, json_t *ret_body, struct error *err)
{
	json_t *value = spec_member(body, "resourceGroupId");
	const char *id = json_string_value(value);

	if (!value)
		return 0;
	if (!id || strlen(id) != 24 || strspn(id, "0123456789abcdefABCDEF") != 24)
		return fail(err, E_INVALID, "resourceGroupId must be 24 hexadecimal digits");
	json_object_set(ret_body, "resourceGroupId", value);
	return 0;
}

static int spec_read_labels(const struct configuration *configuration, json_t *body,
                            struct job_spec *spec, struct error *err)
{
	json_t *value = spec_member(body, "labels");
	struct job_wishes wishes;
	const char *key;

	if (!value)
		spec->labels = json_object();
	else if (job_labels_parse(value, &spec->labels, err) < 0)
		return -1;
	if (job_wishes_parse(configuration, spec->labels, &wishes, err) < 0 ||
	    job_wishes_check_user(NULL, spec->labels, err) < 0)
		return -1;
	if (retry_rule_repeats(&wishes.retry) &&
	    (wishes.attempts ? wishes.attempts : spec->attempts) < 2)
		return fail(err, E_INVALID,
		            "labels.hearth.retry has no effect with one attempt; add the label "
		            "hearth.attempts with 2 or more");
	key = json_string_value(json_object_get(spec->labels, KEY_LABEL));
	snprintf(spec->idempotency_key, sizeof(spec->idempotency_key), "%s", key ? key : "");
	return 0;
}

static int spec_compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void spec_add_secret_names(const json_t *secrets, json_t *ret_body)
{
	autofree const char **names = xcalloc(json_object_size(secrets) + 1, sizeof(*names));
	json_t *array = json_array();
	size_t n = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)secrets, name, value) names[n++] = name;
	qsort(names, n, sizeof(*names), spec_compare_names);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_string(names[i]));
	json_object_set_new(ret_body, "secretNames", array);
}

/* In the order in which the API shows them. */
static int spec_read_body(const struct configuration *configuration, json_t *body,
                          struct job_spec *spec, struct error *err)
{
	json_t *environment = NULL;

	spec->body = json_object();
	if (spec_add_image(configuration, body, spec->body, err) < 0 ||
	    spec_add_command(body, spec->body, err) < 0 ||
	    spec_read_variables(body, "environment", &environment, err) < 0)
		return -1;
	json_object_set_new(spec->body, "environment", environment);
	if (spec_read_variables(body, "secrets", &spec->secrets, err) < 0)
		return -1;
	spec_add_secret_names(spec->secrets, spec->body);
	if (spec_add_arch(body, spec->body, err) < 0 ||
	    spec_add_resource_group(body, spec->body, err) < 0 ||
	    spec_add_volumes(body, spec->body, err) < 0)
		return -1;
	spec_warn_redirection(json_object_get(spec->body, "command"), spec->warning,
	                      sizeof(spec->warning));
	return spec_check_total(spec->body, spec->secrets, err);
}

static int spec_read(const struct configuration *configuration, json_t *body, struct job_spec *spec,
                     struct error *err)
{
	if (spec_read_body(configuration, body, spec, err) < 0 ||
	    spec_read_flavor(configuration, body, spec->flavor, err) < 0 ||
	    spec_read_timeout(configuration, body, &spec->timeout_s, err) < 0 ||
	    spec_read_attempts(body, &spec->attempts, err) < 0 ||
	    spec_read_labels(configuration, body, spec, err) < 0)
		return -1;
	return spec_check_unsupported(body, err);
}

int job_spec_parse(const struct configuration *configuration, json_t *body, struct job_spec *ret,
                   struct error *err)
{
	struct job_spec spec = {0};

	if (!json_is_object(body))
		return fail(err, E_INVALID, "the request body must be a JSON object");
	if (spec_read(configuration, body, &spec, err) < 0) {
		job_spec_clear(&spec);
		return -1;
	}
	*ret = spec;
	return 0;
}
