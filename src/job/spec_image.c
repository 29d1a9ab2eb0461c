/* SPDX-License-Identifier: Apache-2.0 */
/* What a job runs on: a container image, or the image of a Space (hub-jobs-api 8.3). */
#include "base/json.h"
#include "image/reference.h"
#include "job/spec_fields.h"
#include "job/uv_job.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SPACE_PART_MAX 96

static bool space_part_is_valid(const char *part, size_t len)
{
	if (len == 0 || len > SPACE_PART_MAX || !isalnum((unsigned char)part[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)part[i]) && !strchr("._-", part[i]))
			return false;
	return true;
}

/* "ns/name", what follows cut off: the CLI makes it of a URL that may carry a path. */
static int space_normalize(const char *id, char ret[2 * SPACE_PART_MAX + 2], struct error *err)
{
	size_t owner = strcspn(id, "/");
	const char *name = id[owner] ? id + owner + 1 : "";
	size_t len = strcspn(name, "/");
	char shown[SPEC_SHOWN_SIZE];

	if (!space_part_is_valid(id, owner) || !space_part_is_valid(name, len))
		return fail(err, E_INVALID, "spaceId must be \"namespace/name\", not \"%s\"",
		            spec_shown(id, shown));
	snprintf(ret, 2 * SPACE_PART_MAX + 2, "%.*s/%.*s", (int)owner, id, (int)len, name);
	return 0;
}

/* Spaces live under their host names: lower case, one '-' for what a host name cannot hold. */
static void space_reference(const char *registry, const char *id, char *ret, size_t size)
{
	size_t at = (size_t)snprintf(ret, size, "%s/", registry);

	for (; *id && at + sizeof(":latest") < size; id++)
		ret[at++] = (char)(isalnum((unsigned char)*id) ? tolower((unsigned char)*id) : '-');
	snprintf(ret + at, size - at, ":latest");
}

static int spec_add_docker_image(json_t *value, json_t *ret_body, struct error *err)
{
	const char *image = json_string_value(value);
	struct reference reference;

	if (!image)
		return fail(
		        err, E_INVALID,
		        "dockerImage must be a string, an image reference such as \"python:3.12\"");
	if (reference_parse(image, &reference, err) < 0)
		return error_prefix(err, "dockerImage");
	json_object_set(ret_body, "dockerImage", value);
	return 0;
}

static int spec_add_space(const struct configuration *configuration, json_t *value,
                          json_t *ret_body, struct error *err)
{
	char id[2 * SPACE_PART_MAX + 2], reference[REFERENCE_MAX];

	if (!json_is_string(value))
		return fail(err, E_INVALID, "spaceId must be a string \"namespace/name\"");
	if (space_normalize(json_string_value(value), id, err) < 0)
		return -1;
	json_object_set_new(ret_body, "spaceId", json_string(id));
	if (job_spec_image(configuration, ret_body, reference, sizeof(reference), err) < 0)
		return error_prefix(err, "spaceId");
	return 0;
}

/* What clients send for `uv run` without --image stands for the server's setting. New reference. */
static json_t *spec_choose_image(const struct configuration *configuration, const json_t *body,
                                 json_t *image)
{
	const char *name = json_string_value(image), *ours = configuration->uv_image;

	if (name && strcmp(name, UV_JOB_USUAL_IMAGE) == 0 && ours && *ours && uv_job_is(body))
		return json_string(ours);
	return json_incref(image);
}

int spec_add_image(const struct configuration *configuration, json_t *body, json_t *ret_body,
                   struct error *err)
{
	json_t *image = spec_member(body, "dockerImage"), *space = spec_member(body, "spaceId");

	if (image && space)
		return fail(err, E_INVALID, "dockerImage and spaceId exclude each other: give one");
	if (image) {
		autojson json_t *chosen = spec_choose_image(configuration, body, image);
		return spec_add_docker_image(chosen, ret_body, err);
	}
	if (space)
		return spec_add_space(configuration, space, ret_body, err);
	return fail(err, E_INVALID, "dockerImage or spaceId is required");
}

int job_spec_image(const struct configuration *configuration, const json_t *body, char *ret,
                   size_t size, struct error *err)
{
	const char *image = json_string_value(json_object_get(body, "dockerImage"));
	const char *space = json_string_value(json_object_get(body, "spaceId"));
	char text[REFERENCE_MAX];
	struct reference reference;

	if (space && (!configuration->space_registry || *configuration->space_registry == '\0'))
		return fail(err, E_INVALID, "spaceId is not supported by this server");
	if (space) {
		space_reference(configuration->space_registry, space, text, sizeof(text));
		image = text;
	}
	if (!image)
		return fail(err, E_INVALID, "dockerImage or spaceId is required");
	if (reference_parse(image, &reference, err) < 0)
		return -1;
	reference_format(&reference, text);
	if (snprintf(ret, size, "%s", text) >= (int)size)
		return fail(err, E_INVALID, "the image reference is longer than %zu bytes",
		            size - 1);
	return 0;
}
