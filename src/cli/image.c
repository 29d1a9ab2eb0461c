/* SPDX-License-Identifier: Apache-2.0 */
/* hearth image ls, inspect, rm, prune, import: the server's image store. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "cli/hub.h"
#include "cli/input_file.h"
#include "cli/terminal.h"

#include <string.h>

static int ask(struct invocation *in, const char *method, const char *path, const json_t *body,
               json_t **ret)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	if (hub_open_images(options_text(&in->options, "token"), &hub, &err) < 0)
		return output_fail(&err);
	int rc = hub_ask(hub, method, path, body, ret, &err);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}

static json_t *size_text(const json_t *image, const char *key)
{
	char text[QUANTITY_TEXT_SIZE];
	return json_string(quantity_format_bytes(json_get_int(image, key, 0), text));
}

/* For people: short digests and readable sizes. Other modes get the server's values. */
static json_t *shown_image(const json_t *image)
{
	json_t *row = json_copy((json_t *)image);
	const char *digest = json_get_text(image, "digest", "");
	const char *hex = strchr(digest, ':');
	autofree char *brief = xasprintf("%.12s", hex ? hex + 1 : digest);
	(void)json_object_set_new(row, "digest", json_string(brief));
	(void)json_object_set_new(row, "size", size_text(image, "size"));
	return row;
}

int image_list_command(struct invocation *in)
{
	static const char *const columns[] = {"reference",  "digest",   "architecture", "size",
	                                      "layerCount", "pulledAt", "local"};
	autojson json_t *images = NULL;
	int status = ask(in, "GET", "/api/images", NULL, &images);
	if (status)
		return status;
	autojson json_t *rows = json_array();
	size_t i;
	json_t *image;
	json_array_foreach(images, i, image)(void) json_array_append_new(
	        rows, in->out.mode == OUTPUT_HUMAN ? shown_image(image) : json_incref(image));
	output_table(&in->out, rows, columns, sizeof columns / sizeof *columns, "reference");
	if (json_array_size(rows) == 0)
		output_hint(&in->out, "`hearth image pull NAME` fetches an image.");
	return 0;
}

int image_inspect_command(struct invocation *in)
{
	autofree char *path = hub_path("/api/images/%s", in->options.arguments[0]);
	autojson json_t *image = NULL;
	int status = ask(in, "GET", path, NULL, &image);
	if (status == 0)
		output_dict(&in->out, image);
	return status;
}

static void show_removed(struct invocation *in, const char *message, const json_t *answer)
{
	bool human = in->out.mode == OUTPUT_HUMAN;
	json_t *freed = json_object_get(answer, "freed_bytes");
	json_t *removed = json_object_get(answer, "removed");
	output_result(&in->out, message,
	              json_pack("{s:O?, s:o?}", "removed", removed, "freed",
	                        !freed  ? NULL
	                        : human ? size_text(answer, "freed_bytes")
	                                : json_incref(freed)));
}

int image_remove_command(struct invocation *in)
{
	for (size_t i = 0; i < in->options.n_arguments; i++) {
		autofree char *path = hub_path("/api/images/%s", in->options.arguments[i]);
		autojson json_t *answer = NULL;
		int status = ask(in, "DELETE", path, NULL, &answer);
		if (status)
			return status;
		show_removed(in, "Image removed", answer);
	}
	return 0;
}

int image_prune_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	const char *text = options_text(&in->options, "keep");
	int64_t keep = 0;
	if (text && quantity_parse_bytes(text, "--keep", &keep, &err) < 0)
		return output_fail(&err);
	autojson json_t *body = json_pack("{s:I}", "keepBytes", (json_int_t)keep);
	autojson json_t *answer = NULL;
	int status = ask(in, "POST", "/api/images/prune", body, &answer);
	if (status == 0)
		show_removed(in, "Unused images removed", answer);
	return status;
}

static int send_archive(struct invocation *in, struct hub *hub, int fd, json_t **ret,
                        struct error *err)
{
	autofree char *path = xstrdup("/api/images/import");
	autobuffer struct buffer text = BUFFER_INIT(HUB_ANSWER_MAX);
	struct transport_stream *stream;
	char piece[4096];
	ssize_t n;
	hub_path_query(&path, "reference", in->options.arguments[1]);
	if (in->out.mode == OUTPUT_HUMAN)
		terminal_status("Sending the archive; then the server unpacks it");
	if (hub_stream(hub, "POST", path, NULL, fd, &stream, err) < 0)
		return -1;
	while ((n = transport_read(stream, piece, sizeof piece, -1, err)) > 0)
		if (buffer_add(&text, piece, (size_t)n) < 0)
			break;
	transport_close(stream);
	if (n < 0)
		return n == TRANSPORT_INTERRUPTED ? fail(err, E_CONFLICT, "Interrupted") : -1;
	return json_parse(buffer_text(&text), text.len, "the server's answer", ret, err);
}

int image_import_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	autoclose int fd = -1;
	autojson json_t *image = NULL;
	int rc = input_file_open(in->options.arguments[0], &fd, &err);
	if (rc == 0)
		rc = hub_open_images(options_text(&in->options, "token"), &hub, &err);
	if (rc == 0)
		rc = send_archive(in, hub, fd, &image, &err);
	hub_free(hub);
	terminal_status_clear();
	if (rc < 0)
		return output_fail(&err);
	output_result(&in->out, "Image imported",
	              json_pack("{s:s, s:s}", "reference", json_get_text(image, "reference", ""),
	                        "digest", json_get_text(image, "digest", "")));
	return 0;
}
