/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth stats: live use of CPU, memory, network and GPUs. On a terminal one table is drawn again
 * and again (hub-jobs-api 10.4); elsewhere the header comes once and then a line per sample, so
 * that a file or a pipe can hold it. With --json: one object per sample and line.
 */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/hub.h"
#include "cli/job_ref.h"
#include "cli/job_view.h"
#include "cli/stats_table.h"
#include "cli/sse.h"
#include "cli/terminal.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define REDRAW_MS 100
#define RECONNECT_MS 1000
#define POLL_MS 200

struct stats;

struct watched {
	char *id;
	struct transport_stream *stream; /* NULL: not now */
	struct sse sse;
	int64_t again_ms; /* when to ask again; -1: over */
	json_t *sample;   /* the newest; NULL: none yet */
	struct stats *stats;
};

struct stats {
	struct invocation *in;
	struct hub *hub;
	const char *space;
	struct watched *jobs;
	size_t n_jobs;
	bool draws; /* on a terminal */
	size_t drawn_lines;
	int64_t drawn_ms;
};

static void print_sample(struct stats *s, const struct watched *w)
{
	if (s->in->out.mode == OUTPUT_JSON) {
		autojson json_t *line = json_pack("{s:s}", "job_id", w->id);
		(void)json_object_update(line, w->sample);
		output_dict(&s->in->out, line);
		return;
	}
	autobuffer struct buffer text = BUFFER_INIT(16u << 20);
	struct stats_row row = {w->id, w->sample};
	(void)stats_table_layout(&row, 1, s->drawn_lines == 0, 0, &text);
	(void)fwrite(buffer_text(&text), 1, text.len, stdout);
	(void)fflush(stdout);
	s->drawn_lines = 1;
}

static int on_sample(void *arg, const char *json, size_t len, struct error *err)
{
	struct watched *w = arg;
	json_t *sample = json_loadb(json, len, 0, NULL);
	if (!sample)
		return fail(err, E_UNAVAILABLE, "The server sent metrics that are not JSON");
	json_decref(w->sample);
	w->sample = sample;
	if (!w->stats->draws)
		print_sample(w->stats, w);
	return 0;
}

static int open_one(struct stats *s, struct watched *w, struct error *err)
{
	autofree char *path = hub_path("/api/jobs/%s/%s/metrics", s->space, w->id);
	if (hub_stream(s->hub, "GET", path, NULL, -1, &w->stream, err) < 0)
		return -1;
	sse_clear(&w->sse);
	return 0;
}

/* The stream broke: go on if the job still runs. */
static int lost_one(struct stats *s, struct watched *w, struct error *err)
{
	autofree char *path = hub_path("/api/jobs/%s/%s", s->space, w->id);
	autojson json_t *job = NULL;
	if (hub_ask(s->hub, "GET", path, NULL, &job, err) < 0)
		return -1;
	w->again_ms = job_view_is_over(job) ? -1 : clock_monotonic_ms() + RECONNECT_MS;
	return 0;
}

static int read_one(struct stats *s, struct watched *w, struct error *err)
{
	char piece[16384];
	for (;;) {
		ssize_t n = transport_read(w->stream, piece, sizeof piece, 0, err);
		if (n > 0) {
			if (sse_feed(&w->sse, piece, (size_t)n, on_sample, w, err) < 0)
				return -1;
			continue;
		}
		if (n == TRANSPORT_TIMEOUT || n == TRANSPORT_INTERRUPTED)
			return 0;
		transport_close(take_ptr(&w->stream));
		w->again_ms = -1;
		return n == 0 ? 0 : lost_one(s, w, err);
	}
}

static void draw(struct stats *s)
{
	autobuffer struct buffer text = BUFFER_INIT(16u << 20);
	autofree struct stats_row *rows = xcalloc(s->n_jobs + 1, sizeof *rows);
	size_t n = 0;
	for (size_t i = 0; i < s->n_jobs; i++)
		if (s->jobs[i].stream || s->jobs[i].again_ms >= 0)
			rows[n++] = (struct stats_row){s->jobs[i].id, s->jobs[i].sample};
	for (size_t i = 0; i < s->drawn_lines; i++)
		(void)buffer_add_text(&text, "\033[1A\033[2K");
	s->drawn_lines = stats_table_layout(rows, n, true, terminal_width(), &text);
	(void)fwrite(buffer_text(&text), 1, text.len, stdout);
	(void)fflush(stdout);
	s->drawn_ms = clock_monotonic_ms();
}

static size_t count_alive(const struct stats *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n_jobs; i++)
		n += s->jobs[i].stream || s->jobs[i].again_ms >= 0;
	return n;
}

static int turn(struct stats *s, struct error *err)
{
	autofree struct pollfd *fds = xcalloc(s->n_jobs + 1, sizeof *fds);
	nfds_t n = 0;
	int64_t now_ms = clock_monotonic_ms();
	for (size_t i = 0; i < s->n_jobs; i++) {
		struct watched *w = &s->jobs[i];
		if (!w->stream && w->again_ms >= 0 && now_ms >= w->again_ms &&
		    open_one(s, w, err) < 0)
			return -1;
		int fd = w->stream ? transport_fd(w->stream) : -1;
		if (fd >= 0)
			fds[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	(void)poll(fds, n, POLL_MS);
	for (size_t i = 0; i < s->n_jobs; i++)
		if (s->jobs[i].stream && read_one(s, &s->jobs[i], err) < 0)
			return -1;
	return 0;
}

static int watch(struct stats *s, struct error *err)
{
	if (s->draws)
		draw(s);
	while (count_alive(s) && !terminal_interrupted()) {
		if (turn(s, err) < 0)
			return -1;
		int64_t wait_ms = s->drawn_ms + REDRAW_MS - clock_monotonic_ms();
		if (s->draws && (wait_ms <= 0 || terminal_sleep((int)wait_ms)))
			draw(s);
	}
	return 0;
}

static int find_running(struct stats *s, json_t *ids, struct error *err)
{
	autofree char *path = hub_path("/api/jobs/%s?stage=RUNNING", s->space);
	while (path) {
		autojson json_t *page = NULL;
		char *next = NULL;
		if (hub_ask_page(s->hub, path, &page, &next, err) < 0)
			return -1;
		free(path);
		path = next;
		size_t i;
		json_t *job;
		json_array_foreach(page, i, job) if (strcmp(job_view_stage(job), "RUNNING") == 0)(
		        void) json_array_append(ids, json_object_get(job, "id"));
	}
	return 0;
}

static int named_jobs(struct invocation *in, json_t *ids, char **space, struct error *err)
{
	for (size_t i = 0; i < in->options.n_arguments; i++) {
		struct job_ref ref;
		if (job_ref_parse(in->options.arguments[i], *space, &ref, err) < 0)
			return -1;
		if (!*space)
			*space = xstrdup(ref.space);
		(void)json_array_append_new(ids, json_string(ref.id));
		job_ref_clear(&ref);
	}
	return 0;
}

static int start(struct stats *s, const json_t *ids, struct error *err)
{
	s->n_jobs = json_array_size(ids);
	s->jobs = xcalloc(s->n_jobs + 1, sizeof *s->jobs);
	for (size_t i = 0; i < s->n_jobs; i++) {
		s->jobs[i].id = xstrdup(json_string_value(json_array_get(ids, i)));
		s->jobs[i].sse = SSE_INIT;
		s->jobs[i].again_ms = -1;
		s->jobs[i].stats = s;
		if (open_one(s, &s->jobs[i], err) < 0)
			return -1;
	}
	return watch(s, err);
}

static void stop(struct stats *s)
{
	for (size_t i = 0; i < s->n_jobs; i++) {
		transport_close(s->jobs[i].stream);
		sse_clear(&s->jobs[i].sse);
		json_decref(s->jobs[i].sample);
		free(s->jobs[i].id);
	}
	free(s->jobs);
	hub_free(s->hub);
}

int stats_command(struct invocation *in)
{
	if (options_flag(&in->options, "history"))
		return stats_history_command(in);
	if (options_flag(&in->options, "step") || options_flag(&in->options, "attempt"))
		return output_error("--step and --attempt need --history.");
	struct error err = ERROR_INIT;
	struct stats s = {.in = in,
	                  .draws = in->out.mode != OUTPUT_JSON && terminal_is(STDOUT_FILENO)};
	autofree char *space = xstrdup(options_text(&in->options, "namespace"));
	autojson json_t *ids = json_array();
	terminal_catch_interrupt();
	int rc = named_jobs(in, ids, &space, &err);
	if (rc == 0)
		rc = hub_open(options_text(&in->options, "token"), &s.hub, &err);
	if (rc == 0)
		rc = hub_namespace(s.hub, space, &s.space, &err);
	if (rc == 0 && in->options.n_arguments == 0)
		rc = find_running(&s, ids, &err);
	if (rc == 0 && json_array_size(ids) == 0)
		puts("No running jobs found");
	else if (rc == 0)
		rc = start(&s, ids, &err);
	stop(&s);
	return rc < 0 ? output_fail(&err) : 0;
}
