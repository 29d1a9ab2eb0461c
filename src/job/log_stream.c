/* SPDX-License-Identifier: Apache-2.0 */
/* Logs as server-sent events: which attempt is read, where a tail begins, who is woken and when. */
#include "job/log_stream_private.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/spawner_link.h"
#include "job/active.h"
#include "job/array.h"
#include "job/log_array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_ALIVE ": keep-alive\n\n"
#define KEEP_ALIVE_MS 30000
#define TICK_MS 1000

static struct log_stream *streams;
static struct loop_timer *tick_timer;

static void wake_stream(void *arg)
{
	struct log_stream *stream = arg;
	stream->wake(stream->arg);
}

static void on_job_change(void *arg)
{
	struct log_stream *stream = arg;
	stream->must_look = true;
	stream->wake(stream->arg);
}

static void on_tick(void *arg)
{
	int64_t now = clock_monotonic_ms();
	for (struct log_stream *stream = streams, *next; stream; stream = next) {
		next = stream->next;
		if (now - stream->sent_at_ms < KEEP_ALIVE_MS)
			continue;
		stream->must_keep_alive = true;
		stream->must_look = true;
		stream->wake(stream->arg);
	}
}

/* The number of the newest attempt; 0: none yet. */
static int last_attempt(const struct log_stream *stream)
{
	struct job_service *service = stream->service;
	struct active_job *active = active_find(service, stream->job_id);
	struct attempt_record attempt;
	if (active)
		return active->number;
	return attempts_find_last(service->db, stream->job_id, &attempt) ? attempt.number : 0;
}

static struct log_source *open_attempt(const struct log_stream *stream, int number)
{
	char name[SPAWN_NAME_MAX];
	if (number < 1 || stream->service->attempts_fd < 0)
		return NULL;
	spawn_name_format(name, stream->job_id, number);
	return log_source_get(stream->service->loop, stream->service->attempts_fd, name);
}

static void set_source(struct log_stream *stream, struct log_source *source)
{
	log_source_unfollow(&stream->follower);
	if (stream->source)
		log_source_put(stream->source);
	stream->source = source;
	if (source)
		log_source_follow(source, &stream->follower);
}

/* Find the attempt to read, skipping those whose folder is not there any more. */
static enum log_step step_open(struct log_stream *stream)
{
	int last = last_attempt(stream);
	for (; stream->attempt <= last; stream->attempt++) {
		struct log_source *source = open_attempt(stream, stream->attempt);
		if (source) {
			set_source(stream, source);
			stream->offset = 0;
			stream->must_look = true;
			return STEP_ON;
		}
		if (stream->attempt == last && !job_is_settled(stream->service, stream->job_id))
			return STEP_WAIT;
	}
	return job_is_settled(stream->service, stream->job_id) ? STEP_END : STEP_WAIT;
}

void log_stream_next_attempt(struct log_stream *stream)
{
	set_source(stream, NULL);
	stream->attempt++;
	stream->offset = 0;
	stream->jump_to = -1;
}

/* The tail begins at tail.at; the marker of its attempt goes before it (hub-jobs-api 2.7). */
static void start_tail(struct log_stream *stream)
{
	const char *data;
	size_t n = log_source_read(stream->source, 0, LOG_PREFIX_LENGTH, &data);
	stream->is_tailing = false;
	stream->offset = stream->tail.at;
	if (stream->wants_marker && n >= LOG_PREFIX_LENGTH &&
	    data[LOG_PREFIX_LENGTH - 2] == LOG_KIND_SYSTEM && stream->offset > 0) {
		stream->jump_to = stream->offset;
		stream->offset = 0;
	}
}

/* From the last attempt backwards; the last N lines may lie in several. */
static enum log_step step_tail(struct log_stream *stream)
{
	if (!stream->source) {
		set_source(stream, open_attempt(stream, stream->attempt));
		stream->must_look = true;
		stream->tail.at = -1;
		if (!stream->source && stream->attempt > 1) {
			stream->attempt--;
			return STEP_ON;
		}
		if (!stream->source) {
			stream->is_tailing = false;
			return STEP_ON;
		}
	}
	if (!log_tail_step(&stream->tail, stream->source)) {
		/* A long way: let others have their turn. */
		stream->wake(stream->arg);
		return STEP_WAIT;
	}
	if (stream->tail.at == 0 && stream->tail.wanted > 0 && stream->attempt > 1) {
		set_source(stream, NULL);
		stream->attempt--;
	} else {
		start_tail(stream);
	}
	return STEP_ON;
}

static enum log_step take_step(struct log_stream *stream, struct log_space *space)
{
	if (stream->array)
		return log_array_step(stream->array, space);
	if (stream->is_tailing)
		return step_tail(stream);
	if (!stream->source)
		return step_open(stream);
	return log_render_step(stream, space);
}

static void take_spill(struct log_stream *stream, struct log_space *space)
{
	size_t left = (size_t)(stream->spill_len - stream->spill_at);
	size_t room = space->max - space->len;
	size_t n = left < room ? left : room;
	(void)log_space_put(space, stream->spill + stream->spill_at, n);
	stream->spill_at = (unsigned char)(stream->spill_at + n);
}

/* The caller's space is smaller than a piece: make the piece here and hand it out in parts. */
static enum log_step step_spilled(struct log_stream *stream, struct log_space *space)
{
	struct log_space own = {stream->spill, 0, sizeof(stream->spill)};
	enum log_step step = take_step(stream, &own);
	stream->spill_len = (unsigned char)own.len;
	stream->spill_at = 0;
	take_spill(stream, space);
	return step;
}

ssize_t log_stream_fill(struct log_stream *stream, char *data, size_t max)
{
	struct log_space space = {data, 0, max};
	enum log_step step = STEP_ON;
	take_spill(stream, &space);
	while (step == STEP_ON && space.len < max) {
		step = take_step(stream, &space);
		if (step == STEP_FULL && space.len == 0)
			step = step_spilled(stream, &space);
	}
	if (step == STEP_WAIT && space.len == 0 && stream->must_keep_alive &&
	    !stream->is_event_open)
		(void)log_space_put(&space, KEEP_ALIVE, strlen(KEEP_ALIVE));
	if (space.len > 0) {
		stream->must_keep_alive = false;
		stream->sent_at_ms = clock_monotonic_ms();
		return (ssize_t)space.len;
	}
	return step == STEP_END ? -1 : 0;
}

struct log_stream *log_stream_new(struct job_service *service, const char *job_id, int64_t tail,
                                  void (*wake)(void *arg), void *arg)
{
	struct log_stream *stream = xcalloc(1, sizeof(*stream));
	stream->service = service;
	stream->wake = wake;
	stream->arg = arg;
	stream->follower.wake = wake_stream;
	stream->follower.arg = stream;
	(void)snprintf(stream->job_id, sizeof(stream->job_id), "%s", job_id);
	stream->attempt = 1;
	stream->jump_to = -1;
	stream->sent_at_ms = clock_monotonic_ms();
	if (tail >= 0) {
		int last = last_attempt(stream);
		stream->is_tailing = true;
		stream->wants_marker = tail > 0;
		stream->tail = (struct log_tail){.wanted = tail, .at = -1};
		stream->attempt = last > 0 ? last : 1;
	}
	if (array_is_array(service->db, job_id))
		stream->array = log_array_new(service, job_id, tail);
	stream->watch = job_watch(service, job_id, on_job_change, stream);
	stream->next = streams;
	stream->place = &streams;
	if (streams)
		streams->place = &stream->next;
	streams = stream;
	if (!tick_timer) {
		tick_timer = loop_timer_new(service->loop, on_tick, NULL);
		loop_timer_start(tick_timer, TICK_MS, TICK_MS);
	}
	return stream;
}

void log_stream_free(struct log_stream *stream)
{
	if (!stream)
		return;
	set_source(stream, NULL);
	job_unwatch(stream->watch);
	log_array_free(stream->array);
	*stream->place = stream->next;
	if (stream->next)
		stream->next->place = stream->place;
	free(stream);
	if (!streams) {
		loop_timer_free(tick_timer);
		tick_timer = NULL;
	}
}
