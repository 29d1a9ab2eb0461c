/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store for `hearth image`: looking is done here, changes by hearth-pull. Import, remove
 * and prune may take minutes: the request waits, and nothing is lost if the client does not.
 */
#include "api/images.h"

#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "image/image_store.h"

#include <string.h>

int images_full_reference(const char *text, char ret[REFERENCE_MAX], struct error *err)
{
	struct reference ref;

	if (!text || !text[0])
		return fail(err, E_INVALID, "reference is required: the name of an image");
	if (reference_parse(text, &ref, err) < 0)
		return error_prefix(err, "reference");
	reference_format(&ref, ret);
	return 0;
}

json_t *images_render(const json_t *record, int with_details)
{
	static const char *const plain[] = {"reference", "digest", "architecture", "size"};
	const json_t *layers = json_object_get(record, "layers");
	int64_t pulled_ms = json_get_int(record, "pulled_ms", 0);
	json_t *image = json_object();
	char pulled[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		json_object_set(image, plain[i], json_object_get(record, plain[i]));
	json_object_set_new(image, "layerCount", json_integer((json_int_t)json_array_size(layers)));
	json_object_set_new(image, "pulledAt", json_string(clock_format_iso(pulled_ms, pulled)));
	json_object_set_new(image, "local", json_boolean(json_get_bool(record, "local", false)));
	if (with_details) {
		json_object_set(image, "layers", (json_t *)layers);
		json_object_set(image, "config", json_object_get(record, "config"));
	}
	return image;
}

static void images_add(void *arg, const json_t *record)
{
	json_array_append_new(arg, images_render(record, 0));
}

void images_list(struct http_request *request, void *context)
{
	struct api *api = context;
	json_t *list = json_array();

	image_store_each(image_service_images_fd(api->images), images_add, list);
	http_respond_json(request, 200, list);
}

void images_inspect(struct http_request *request, void *context)
{
	struct api *api = context;
	const char *text = http_param(request, "reference");
	struct error err = ERROR_INIT;
	autojson json_t *record = NULL;
	struct reference ref;

	if (reference_parse(text, &ref, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	record = image_store_find(image_service_images_fd(api->images), &ref);
	if (!record)
		answer_fail(request, E_NOT_FOUND,
		            "The image %.200s is not in the store; pull it first", text);
	else
		http_respond_json(request, 200, images_render(record, 1));
}

/* A request that waits for hearth-pull. */
struct image_change {
	struct http_request *request; /* NULL: the client left */
	char *audit;
};

static void images_client_left(void *arg)
{
	struct image_change *change = arg;

	change->audit = access_audit_line(change->request);
	change->request = NULL;
}

/* {"type":"done","image":…} or {"type":"done","freed_bytes":…,"removed":[…]} */
static json_t *images_render_result(const json_t *message)
{
	const json_t *image = json_object_get(message, "image");
	json_t *rest;

	if (image)
		return images_render(image, 1);
	rest = json_copy((json_t *)message);
	json_object_del(rest, "type");
	return rest;
}

static void images_change_done(void *arg, const json_t *message, const struct error *err)
{
	struct image_change *change = arg;

	if (!change->request)
		log_info("%s client=left result=%s", change->audit, message ? "done" : err->text);
	else if (message)
		http_respond_json(change->request, 200, images_render_result(message));
	else
		answer_error(change->request, err);
	free(change->audit);
	free(change);
}

static void images_change(struct http_request *request, struct api *api, json_t *take_message,
                          int archive_fd)
{
	struct image_change *change = xcalloc(1, sizeof(*change));
	const struct image_wait_events events = {.done = images_change_done, .arg = change};

	change->request = request;
	http_on_cancel(request, images_client_left, change);
	image_service_run(api->images, take_message, archive_fd, &events);
}

void images_import(struct http_request *request, void *context)
{
	const char *text = http_query(request, "reference");
	struct error err = ERROR_INIT;
	char reference[REFERENCE_MAX];
	int fd = http_body_fd(request);

	if (images_full_reference(text, reference, &err) < 0)
		answer_error(request, &err);
	else if (fd < 0)
		answer_fail(request, E_INVALID, "The body is empty: send the archive to import");
	else
		images_change(request, context,
		              json_pack("{s:s,s:s}", "action", "import", "reference", reference),
		              fd);
}

void images_remove(struct http_request *request, void *context)
{
	struct error err = ERROR_INIT;
	char reference[REFERENCE_MAX];

	if (images_full_reference(http_param(request, "reference"), reference, &err) < 0)
		answer_error(request, &err);
	else
		images_change(request, context,
		              json_pack("{s:s,s:s}", "action", "remove", "reference", reference),
		              -1);
}

void images_prune(struct http_request *request, void *context)
{
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;
	int64_t keep;

	if (http_body_json(request, &body, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	keep = json_get_int(body, "keepBytes", 0);
	if (keep < 0)
		answer_fail(request, E_INVALID, "keepBytes must be 0 (all unused images) or more");
	else
		images_change(
		        request, context,
		        json_pack("{s:s,s:I}", "action", "prune", "keep_bytes", (json_int_t)keep),
		        -1);
}
