/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of arrays, written and read. See the header. */
#include "job/log_array.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/active.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 1024
#define RENDERED_MAX ((size_t)8 * LINE_MAX_BYTES)
#define KIND "array"

struct log_array {
	struct job_service *service;
	char array_id[ID_SIZE];
	int64_t seq;        /* of the last line that was begun */
	struct buffer line; /* as an event; what is left of it */
};

void log_array_write(struct job_service *service, const char *array_id, const char *fmt, ...)
{
	autojson json_t *data = NULL;
	autofree char *text = NULL;
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	data = json_pack("{s:s}", "text", line);
	/* A message that was cut in the middle of a character. */
	for (char *c = line; !data && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	if (!data)
		data = json_pack("{s:s}", "text", line);
	text = json_to_text(data);
	(void)events_insert(service->db, array_id, KIND, text, clock_now_ms());
	service_touch(service, array_id);
}

struct log_array *log_array_new(struct job_service *service, const char *array_id, int64_t tail)
{
	struct log_array *log = xcalloc(1, sizeof(*log));

	log->service = service;
	log->line = BUFFER_INIT(RENDERED_MAX);
	snprintf(log->array_id, sizeof(log->array_id), "%s", array_id);
	if (tail >= 0)
		log->seq = events_seek_last(service->db, array_id, KIND, tail);
	return log;
}

void log_array_free(struct log_array *log)
{
	if (!log)
		return;
	buffer_clear(&log->line);
	free(log);
}

static void log_array_render(struct log_array *log, const struct event *event)
{
	struct error ignored = ERROR_INIT;
	autojson json_t *data = NULL;
	char when[CLOCK_TEXT_SIZE];
	const char *text = "";
	int failed;

	if (json_parse(event->data, strlen(event->data), "an event", &data, &ignored) == 0)
		text = json_get_text(data, "text", "");
	failed = buffer_add_text(&log->line, "data: {\"data\":\"");
	failed |= json_escape(&log->line, text, strlen(text));
	failed |= buffer_printf(&log->line, "\",\"timestamp\":\"%s\"}\n\n",
	                        clock_format_iso(event->at_ms, when));
	if (failed)
		BUG("a line of array %s does not fit into its buffer", log->array_id);
}

enum log_step log_array_step(struct log_array *log, struct log_space *space)
{
	size_t room = space->max - space->len, n;
	struct event event;

	if (log->line.len == 0) {
		/* Asked before the read: what is read after a true answer is all there is. */
		bool is_over = job_is_settled(log->service, log->array_id);

		if (!events_find_next(log->service->db, log->array_id, KIND, log->seq, &event))
			return is_over ? STEP_END : STEP_WAIT;
		log->seq = event.seq;
		log_array_render(log, &event);
		free(event.data);
	}
	n = log->line.len < room ? log->line.len : room;
	(void)log_space_put(space, log->line.data, n);
	buffer_drop(&log->line, n);
	return log->line.len > 0 ? STEP_FULL : STEP_ON;
}
