/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a log stream, prints it, and takes it up again after a break. The replay of a log is the
 * same for ever, so a position is enough: the number of events seen, or, when reading began with a
 * tail and so in the middle, the time of the last event and how many of that time were seen.
 */
#include "cli/log_follow.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/job_view.h"
#include "cli/log_event.h"
#include "cli/sse.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SILENCE_MS 120000   /* the server sends something every 30 s: it is gone */
#define NO_FOLLOW_MS 1000   /* without follow: all that is stored has come */
#define STATUS_FIRST_MS 150 /* before the first look at why nothing comes */
#define STATUS_EVERY_MS 500
#define RETRIES 5

struct follow {
	struct hub *hub;
	const char *space, *id;
	const struct log_follow_options *options;
	json_t *job; /* over; NULL: not known */
	struct sse sse;
	struct buffer line;
	int64_t seen;  /* events since the beginning of reading */
	int64_t index; /* of the present stream */
	bool is_replay;
	char last_time[LOG_EVENT_TIME_SIZE];
	int64_t last_count; /* events of that time that were seen */
	int64_t replay_count;
};

/* Colour codes: ESC [ digits and semicolons m. */
static void strip_color(struct buffer *line)
{
	size_t n = 0;
	for (size_t i = 0; i < line->len; i++) {
		if (line->data[i] == '\033' && i + 1 < line->len && line->data[i + 1] == '[') {
			size_t j = i + 2;
			while (j < line->len && strchr("0123456789;", line->data[j]) &&
			       line->data[j])
				j++;
			if (j < line->len && line->data[j] == 'm') {
				i = j;
				continue;
			}
		}
		line->data[n++] = line->data[i];
	}
	line->len = n;
}

/* Has this event of a replay been seen? Remembers the position. */
static bool was_seen(struct follow *f, const char *time)
{
	f->index++;
	if (!f->is_replay)
		return false;
	if (f->options->tail < 0)
		return f->index <= f->seen;
	int order = strcmp(time, f->last_time);
	if (order == 0)
		return f->replay_count++ < f->last_count;
	return order < 0;
}

static void note_position(struct follow *f, const char *time)
{
	f->seen++;
	if (strcmp(f->last_time, time) != 0) {
		snprintf(f->last_time, sizeof f->last_time, "%s", time);
		f->last_count = 0;
	}
	f->last_count++;
}

static int on_event(void *arg, const char *json, size_t len, struct error *err)
{
	static const char marker[] = "===== Job started";
	struct follow *f = arg;
	char time[LOG_EVENT_TIME_SIZE];
	buffer_reset(&f->line);
	if (log_event_decode(json, len, &f->line, time, err) < 0)
		return -1;
	if (was_seen(f, time))
		return 0;
	note_position(f, time);
	if (f->options->is_silent)
		return 0;
	if (f->line.len >= sizeof marker - 1 &&
	    memcmp(f->line.data, marker, sizeof marker - 1) == 0)
		return 0;
	terminal_status_clear();
	if (f->options->is_plain)
		strip_color(&f->line);
	(void)fwrite(buffer_text(&f->line), 1, f->line.len, stdout);
	(void)putchar('\n');
	if (ferror(stdout))
		return fail(err, E_INTERNAL, "Cannot write the log to the output");
	return 0;
}

static void show_status(struct follow *f)
{
	autofree char *path = hub_path("/api/jobs/%s/%s", f->space, f->id);
	autojson json_t *job = NULL;
	struct error ignored = ERROR_INIT;
	if (hub_ask(f->hub, "GET", path, NULL, &job, &ignored) < 0)
		return;
	const char *message = job_view_message(job);
	if (strcmp(job_view_stage(job), "SCHEDULING") != 0)
		terminal_status_clear();
	else
		terminal_status(message ? message : "Waiting for the job to start");
}

/* How long the next read may take, and whether its end is the time to look at the status. */
static int read_timeout(const struct follow *f, int64_t quiet_since_ms, bool *ret_is_status)
{
	*ret_is_status = f->options->tells_status && f->seen == 0;
	if (*ret_is_status)
		return f->index == 0 && clock_monotonic_ms() - quiet_since_ms < STATUS_FIRST_MS
		               ? STATUS_FIRST_MS
		               : STATUS_EVERY_MS;
	return f->options->follow ? SILENCE_MS : NO_FOLLOW_MS;
}

/* 0: the stream ended cleanly, or silence ended it; TRANSPORT_FAILED or TRANSPORT_INTERRUPTED. */
static int read_stream(struct follow *f, struct transport_stream *stream, struct error *err)
{
	static char piece[65536];
	int64_t quiet_since_ms = clock_monotonic_ms();
	for (;;) {
		bool is_status;
		int timeout_ms = read_timeout(f, quiet_since_ms, &is_status);
		ssize_t n = transport_read(stream, piece, sizeof piece, timeout_ms, err);
		if (n > 0) {
			quiet_since_ms = clock_monotonic_ms();
			if (sse_feed(&f->sse, piece, (size_t)n, on_event, f, err) < 0)
				return -1;
			(void)fflush(stdout);
			continue;
		}
		if (n != TRANSPORT_TIMEOUT)
			return (int)n;
		if (is_status && clock_monotonic_ms() - quiet_since_ms < SILENCE_MS)
			show_status(f);
		else if (!f->options->follow)
			return 0;
		else
			return fail(err, E_UNAVAILABLE, "The log stream went silent");
	}
}

static int open_stream(struct follow *f, struct transport_stream **ret, struct error *err)
{
	autofree char *path = hub_path("/api/jobs/%s/%s/logs", f->space, f->id);
	char number[24];
	f->index = 0;
	f->replay_count = 0;
	f->is_replay = f->seen > 0;
	sse_clear(&f->sse);
	if (f->options->tail >= 0 && !f->is_replay) {
		snprintf(number, sizeof number, "%lld", (long long)f->options->tail);
		hub_path_query(&path, "tail", number);
	}
	/* An extension of hearthd; another Hub ignores it and is left after a silence. */
	if (!f->options->follow)
		hub_path_query(&path, "follow", "false");
	return hub_stream(f->hub, "GET", path, NULL, -1, ret, err);
}

/* A clean end means that the job is over. If it is not, the server was stopped: go on later. */
static int is_over(struct follow *f, bool *ret, struct error *err)
{
	autofree char *path = hub_path("/api/jobs/%s/%s", f->space, f->id);
	autojson json_t *job = NULL;
	if (hub_ask(f->hub, "GET", path, NULL, &job, err) < 0)
		return -1;
	*ret = job_view_is_over(job);
	if (*ret)
		f->job = json_incref(job);
	return 0;
}

static int follow_once(struct follow *f, bool *ret_over, struct error *err)
{
	struct transport_stream *stream;
	if (open_stream(f, &stream, err) < 0)
		return -1;
	int rc = read_stream(f, stream, err);
	transport_close(stream);
	if (rc == TRANSPORT_INTERRUPTED)
		return fail(err, E_CONFLICT, "Interrupted");
	if (rc < 0)
		return -1;
	*ret_over = true;
	return f->options->follow ? is_over(f, ret_over, err) : 0;
}

static int follow_all(struct follow *f, struct error *err)
{
	static const int waits_ms[RETRIES] = {200, 1000, 2000, 4000, 8000};
	int retries = 0;
	for (;;) {
		int64_t before = f->seen;
		bool is_end = false;
		int rc = follow_once(f, &is_end, err);
		if (rc == 0 && is_end)
			return 0;
		if (rc < 0 && (err->code != E_UNAVAILABLE || !f->options->follow))
			return -1;
		if (f->seen > before)
			retries = 0;
		if (retries == RETRIES)
			return rc;
		if (!terminal_sleep(waits_ms[retries++]))
			return fail(err, E_CONFLICT, "Interrupted");
	}
}

int log_follow(struct hub *hub, const char *space, const char *id,
               const struct log_follow_options *options, json_t **ret_job, bool *ret_interrupted,
               struct error *err)
{
	struct follow f = {.hub = hub,
	                   .space = space,
	                   .id = id,
	                   .options = options,
	                   .sse = SSE_INIT,
	                   .line = BUFFER_INIT(SSE_LINE_MAX)};
	int rc = follow_all(&f, err);
	sse_clear(&f.sse);
	buffer_clear(&f.line);
	terminal_status_clear();
	(void)fflush(stdout);
	if (ret_job && f.job)
		*ret_job = f.job;
	else
		json_decref(f.job);
	if (options->ret_seen)
		*options->ret_seen = f.seen;
	*ret_interrupted = terminal_interrupted();
	return *ret_interrupted ? 0 : rc;
}

void log_follow_tell_interrupted(const char *job_ref)
{
	terminal_status_clear();
	fprintf(stderr,
	        "\nStopped following; the job goes on. `hearth logs -f %s` follows it again, "
	        "`hearth cancel %s` ends it.\n",
	        job_ref, job_ref);
}
