/* SPDX-License-Identifier: Apache-2.0 */
/* hearth image pull: have the server fetch an image, and watch it. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "cli/hub.h"
#include "cli/terminal.h"

#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES (16u << 20)
#define SILENCE_MS 120000 /* the server sends an empty line every 15 s */

struct pull {
	struct invocation *in;
	struct buffer line;
	json_t *image; /* owned; set by the last line */
};

static void on_progress(struct pull *pull, const char *message)
{
	if (pull->in->out.mode == OUTPUT_HUMAN && terminal_is(STDERR_FILENO))
		terminal_status(message);
	else if (pull->in->out.mode == OUTPUT_AGENT)
		fprintf(stderr, "%s\n", message);
}

/* -1: the pull has failed, or the line is not what was agreed. */
static int on_line(struct pull *pull, const char *text, size_t len, struct error *err)
{
	autojson json_t *value = NULL;
	if (len == 0)
		return 0;
	if (json_parse(text, len, "the server's answer", &value, err) < 0)
		return -1;
	const char *status = json_get_text(value, "status", json_get_text(value, "type", ""));
	if (strcmp(status, "error") == 0)
		return fail(err, E_NOT_FOUND, "%s",
		            json_get_text(value, "error", "The image cannot be pulled"));
	if (strcmp(status, "done") == 0)
		pull->image = json_incref(json_object_get(value, "image"));
	else
		on_progress(pull, json_get_text(value, "message", ""));
	return 0;
}

static int feed(struct pull *pull, const char *data, size_t len, struct error *err)
{
	if (buffer_add(&pull->line, data, len) < 0)
		return fail(err, E_UNAVAILABLE, "The server's answer is too long");
	char *newline;
	while ((newline = memchr(buffer_text(&pull->line), '\n', pull->line.len))) {
		size_t n = (size_t)(newline - pull->line.data);
		if (on_line(pull, pull->line.data, n, err) < 0)
			return -1;
		buffer_drop(&pull->line, n + 1);
	}
	return 0;
}

static int follow(struct pull *pull, struct transport_stream *stream, struct error *err)
{
	char piece[8192];
	for (;;) {
		ssize_t n = transport_read(stream, piece, sizeof piece, SILENCE_MS, err);
		if (n > 0 && feed(pull, piece, (size_t)n, err) < 0)
			return -1;
		if (n == 0 && !pull->image)
			return fail(err, E_UNAVAILABLE,
			            "The server stopped before the image was "
			            "there; ask again: what was fetched is kept");
		if (n == 0)
			return 0;
		if (n == TRANSPORT_TIMEOUT)
			return fail(err, E_UNAVAILABLE, "The server went silent");
		if (n == TRANSPORT_INTERRUPTED)
			return fail(err, E_CONFLICT, "Interrupted; what was fetched is kept");
		if (n < 0)
			return -1;
	}
}

static int pull_one(struct pull *pull, struct error *err)
{
	const struct options *options = &pull->in->options;
	const char *arch = options_text(options, "arch");
	autojson json_t *body = json_pack("{s:s}", "reference", options->arguments[0]);
	struct hub *hub;
	struct transport_stream *stream;
	if (arch)
		(void)json_object_set_new(body, "architecture", json_string(arch));
	if (hub_open_images(options_text(options, "token"), &hub, err) < 0)
		return -1;
	int rc = hub_stream(hub, "POST", "/api/images/pull", body, -1, &stream, err);
	if (rc == 0) {
		rc = follow(pull, stream, err);
		transport_close(stream);
	}
	hub_free(hub);
	return rc;
}

int image_pull_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct pull pull = {.in = in, .line = BUFFER_INIT(LINE_MAX_BYTES)};
	terminal_catch_interrupt();
	int rc = pull_one(&pull, &err);
	terminal_status_clear();
	buffer_clear(&pull.line);
	autojson json_t *image = pull.image;
	if (rc < 0)
		return output_fail(&err);
	output_result(&in->out, "Image ready",
	              json_pack("{s:s, s:s}", "reference", json_get_text(image, "reference", ""),
	                        "digest", json_get_text(image, "digest", "")));
	return 0;
}
