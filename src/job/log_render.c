/* SPDX-License-Identifier: Apache-2.0 */
/* Records to server-sent events (hub-jobs-api 2.7): pure ASCII, one event per line of the job. */
#include "job/log_stream_private.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/quantity.h"
#include "job/active.h"

#include <stdio.h>
#include <string.h>

#define EVENT_HEAD "data: {\"data\":\""
#define EVENT_MIDDLE "\",\"timestamp\":\""
#define EVENT_END "\"}\n\n"

bool log_space_put(struct log_space *space, const char *text, size_t len)
{
	if (len > space->max - space->len)
		return false;
	memcpy(space->data + space->len, text, len);
	space->len += len;
	return true;
}

static int64_t parse_ms(const char *digits)
{
	int64_t ms = 0;
	for (int i = 0; i < 13; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return -1;
		ms = ms * 10 + (digits[i] - '0');
	}
	return ms;
}

static enum log_step step_notice(struct log_stream *stream, struct log_space *space)
{
	struct log_gap gap = log_source_gap(stream->source);
	char text[256], when[CLOCK_TEXT_SIZE], bytes[QUANTITY_TEXT_SIZE];
	const char *data;
	int64_t ms = -1;
	/* The time of the record behind the gap: the same whenever it is read. */
	if (log_source_read(stream->source, gap.to, LOG_PREFIX_LENGTH, &data) >= LOG_PREFIX_LENGTH)
		ms = parse_ms(data);
	int len =
	        snprintf(text, sizeof(text),
	                 EVENT_HEAD "... %lld lines (%s) are missing here: the log passed its size "
	                            "limit ..." EVENT_MIDDLE "%s" EVENT_END,
	                 (long long)gap.records, quantity_format_bytes(gap.to - gap.from, bytes),
	                 clock_format_iso(ms < 0 ? 0 : ms, when));
	size_t left = (size_t)len - stream->notice_at;
	size_t room = space->max - space->len;
	size_t n = left < room ? left : room;
	(void)log_space_put(space, text + stream->notice_at, n);
	stream->notice_at += n;
	if (n < left)
		return STEP_FULL;
	stream->is_notice = false;
	stream->offset = gap.to;
	return STEP_ON;
}

static enum log_step step_close(struct log_stream *stream, struct log_space *space)
{
	/* A busy job writes many lines in a millisecond. */
	static char piece[sizeof(EVENT_MIDDLE) + CLOCK_TEXT_SIZE + sizeof(EVENT_END)];
	static int64_t piece_ms = -1;
	static size_t len;
	if (stream->event_ms != piece_ms) {
		char *end = stpcpy(piece, EVENT_MIDDLE);
		(void)clock_format_iso(stream->event_ms, end);
		len = (size_t)(stpcpy(end + strlen(end), EVENT_END) - piece);
		piece_ms = stream->event_ms;
	}
	if (!log_space_put(space, piece, len))
		return STEP_FULL;
	stream->is_event_open = false;
	stream->is_event_over = false;
	if (stream->jump_to >= 0)
		stream->offset = stream->jump_to;
	stream->jump_to = -1;
	return STEP_ON;
}

static enum log_step step_text(struct log_stream *stream, struct log_space *space)
{
	size_t left = (size_t)(stream->record_end - stream->offset), used = 0;
	const char *text;
	if (left > 0 && log_source_read(stream->source, stream->offset, left, &text) < left) {
		/* The limit took the record away while it was being sent. */
		stream->record_end = 0;
		stream->is_event_over = true;
		return STEP_ON;
	}
	if (left > 0) {
		space->len += json_escape_some(space->data + space->len, space->max - space->len,
		                               text, left, &used);
		if (used == 0)
			return STEP_FULL;
	}
	stream->offset += (int64_t)used;
	if (used == left) {
		stream->offset++; /* the newline */
		stream->record_end = 0;
		stream->is_event_over = stream->kind != LOG_KIND_CONTINUED;
	}
	return STEP_ON;
}

/* The gap lies here: say so if the log is final, and go on behind it. */
static enum log_step step_gap(struct log_stream *stream, const struct log_gap *gap)
{
	if (stream->is_event_open) {
		stream->is_event_over = true;
	} else if (log_source_is_complete(stream->source)) {
		stream->is_notice = true;
		stream->notice_at = 0;
	} else {
		stream->offset = gap->to;
	}
	return STEP_ON;
}

/* There is no whole record: wait, or this attempt's log is over. */
static enum log_step step_dry(struct log_stream *stream, bool was_complete)
{
	struct active_job *active;
	if (was_complete) {
		if (stream->is_event_open)
			stream->is_event_over = true;
		else
			log_stream_next_attempt(stream);
		return STEP_ON;
	}
	if (!stream->must_look)
		return STEP_WAIT;
	stream->must_look = false;
	active = active_find(stream->service, stream->job_id);
	bool is_over = !active || active->number > stream->attempt;
	(void)log_source_look(stream->source, is_over);
	return STEP_ON; /* the look may have found the log itself: read once more */
}

static enum log_step start_record(struct log_stream *stream, struct log_space *space,
                                  const char *record, size_t len)
{
	char kind = len >= LOG_PREFIX_LENGTH ? record[LOG_PREFIX_LENGTH - 2] : '\0';
	int64_t ms = len >= LOG_PREFIX_LENGTH ? parse_ms(record) : -1;
	if (ms < 0) {
		stream->offset += (int64_t)len + 1; /* not one of ours: a torn write */
		return STEP_ON;
	}
	if (stream->is_event_open && kind == LOG_KIND_SYSTEM) {
		stream->is_event_over = true;
		return STEP_ON;
	}
	if (!stream->is_event_open) {
		if (!log_space_put(space, EVENT_HEAD, strlen(EVENT_HEAD)))
			return STEP_FULL;
		stream->is_event_open = true;
		stream->event_ms = ms;
	}
	stream->kind = kind;
	stream->record_end = stream->offset + (int64_t)len;
	stream->offset += LOG_PREFIX_LENGTH;
	return STEP_ON;
}

static enum log_step step_record(struct log_stream *stream, struct log_space *space)
{
	/* Asked before the read: what is read after a true answer is all there is. */
	bool was_complete = log_source_is_complete(stream->source);
	const char *data;
	size_t n = log_source_read(stream->source, stream->offset, LOG_RECORD_MAX, &data);
	struct log_gap gap = log_source_gap(stream->source);
	if (gap.to > gap.from && stream->offset >= gap.from && stream->offset < gap.to)
		return step_gap(stream, &gap);
	const char *newline = n > 0 ? memchr(data, '\n', n) : NULL;
	if (newline)
		return start_record(stream, space, data, (size_t)(newline - data));
	if (was_complete && n >= LOG_PREFIX_LENGTH)
		return start_record(stream, space, data, n); /* its monitor died while writing */
	return step_dry(stream, was_complete);
}

enum log_step log_render_step(struct log_stream *stream, struct log_space *space)
{
	if (stream->is_notice)
		return step_notice(stream, space);
	if (stream->is_event_over)
		return step_close(stream, space);
	if (stream->record_end > 0)
		return step_text(stream, space);
	return step_record(stream, space);
}
