/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of log streams: log_stream.c (their life, which attempt is read, where a tail begins) and
 * log_render.c (records to events). A stream is a position: which attempt, which byte. Every step
 * does one thing that fits into the caller's space, so that lines of any length cost nothing, and
 * what is sent does not depend on the size of that space.
 */
#ifndef HEARTH_JOB_LOG_STREAM_PRIVATE_H
#define HEARTH_JOB_LOG_STREAM_PRIVATE_H

#include "base/id.h"
#include "job/log_source.h"
#include "job/log_stream.h"
#include "job/log_tail.h"

#define LOG_RENDER_PIECE_MAX 64 /* no piece but text is longer */

enum log_step {
	STEP_ON,   /* something was done, perhaps bytes written: go on */
	STEP_FULL, /* the next piece does not fit */
	STEP_WAIT, /* nothing now */
	STEP_END,
};

struct log_stream {
	struct log_follower follower; /* of the source */
	struct log_stream *next, **place;
	struct job_service *service;
	struct job_watch *watch;
	void (*wake)(void *arg);
	void *arg;
	struct log_array *array;   /* the job is an array; NULL: it is none */
	struct log_source *source; /* NULL: the attempt has none yet */
	int64_t offset;            /* of the next byte to be looked at */
	int64_t record_end;        /* of the record that is being rendered; 0: between records */
	int64_t jump_to;           /* behind the marker, where the tail begins; -1: nowhere */
	int64_t event_ms;
	int64_t sent_at_ms;
	struct log_tail tail;
	size_t notice_at; /* what of the gap notice was rendered */
	int attempt;
	char job_id[ID_SIZE];
	char kind;
	char spill[LOG_RENDER_PIECE_MAX]; /* a piece that the caller's space was too small for */
	unsigned char spill_len, spill_at;
	bool is_tailing; /* the beginning of the tail is being looked for */
	bool wants_marker, is_event_open, is_event_over, is_notice, must_look, must_keep_alive;
};

struct log_space {
	char *data;
	size_t len, max;
};

/* Copy the whole text, or nothing if there is no room for it. */
bool log_space_put(struct log_space *space, const char *text, size_t len);
/* The next piece of the attempt that is being read (stream->source is there). */
enum log_step log_render_step(struct log_stream *stream, struct log_space *space);
/* Everything of the attempt was rendered: go on to the next one. */
void log_stream_next_attempt(struct log_stream *stream);

#endif
