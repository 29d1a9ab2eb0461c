/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET …/metrics: the newest sample of the attempt, once a second while the job runs, and the last
 * one at its end, also when it ended long ago. Nothing is queued: a slow client gets the sample
 * that is new when it can take one. While there is nothing to say a comment goes out every few
 * seconds, because clients give up after ten seconds of silence.
 */
#include "api/answer.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/metrics_json.h"
#include "api/monitoring.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/spawner_link.h"
#include "container/metrics_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 1000
#define SILENCE_MAX_MS 4000
#define EVENT_MAX ((size_t)4096)

struct metrics_follower {
	struct api *api;
	char job_id[ID_SIZE];
	struct job_watch *watch;
	struct loop_timer *timer;
	struct http_stream *http;
	bool is_changed;                /* look at the job's row again */
	bool is_over, is_due, is_ended; /* is_ended: the last sample was written */
	struct buffer pending;          /* what the client has not taken yet of one event */
	int attempt, dir_fd;            /* of the newest attempt; 0, -1: none yet */
	int64_t last_sample_ms, last_sent_ms;
};

static void metrics_stream_wake(struct metrics_follower *follower)
{
	if (follower->http)
		http_stream_wake(follower->http);
}

static void metrics_stream_job_changed(void *arg)
{
	struct metrics_follower *follower = arg;

	follower->is_changed = true;
	metrics_stream_wake(follower);
}

static void metrics_stream_tick(void *arg)
{
	struct metrics_follower *follower = arg;

	follower->is_due = true;
	metrics_stream_wake(follower);
}

/* A new attempt has a folder of its own. */
static void metrics_stream_open_attempt(struct metrics_follower *follower)
{
	struct attempt_record attempt;
	char name[SPAWN_NAME_MAX];

	if (!attempts_find_last(follower->api->db, follower->job_id, &attempt) ||
	    (attempt.number == follower->attempt && follower->dir_fd >= 0))
		return;
	if (follower->dir_fd >= 0)
		close(follower->dir_fd);
	spawn_name_format(name, follower->job_id, attempt.number);
	follower->attempt = attempt.number;
	follower->dir_fd = openat(job_attempts_fd(follower->api->jobs), name,
	                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void metrics_stream_look_at_job(struct metrics_follower *follower)
{
	autojob struct job_record job = {0};

	follower->is_changed = false;
	if (!jobs_find(follower->api->db, follower->job_id, &job)) {
		follower->is_over = true;
		return;
	}
	follower->is_over = stage_is_terminal(job.stage);
	if (job.started_ms)
		metrics_stream_open_attempt(follower);
}

static int metrics_stream_write(struct metrics_follower *follower,
                                const struct metrics_header *header,
                                const struct metrics_sample *sample)
{
	struct buffer *out = &follower->pending;
	int64_t cpu = header->cpu_millis > 0 ? header->cpu_millis : 1000;
	int64_t memory = header->memory_limit_bytes > 0 ? header->memory_limit_bytes : 1;

	int failed = buffer_printf(
	        out,
	        "event: metric\n"
	        "data: {\"cpu_usage_pct\":%" PRId64 ",\"cpu_millicores\":%" PRId64
	        ",\"memory_used_bytes\":%" PRId64 ",\"memory_total_bytes\":%" PRId64
	        ",\"rx_bps\":%" PRId64 ",\"tx_bps\":%" PRId64,
	        (sample->cpu_used_millis * 100 + cpu / 2) / cpu, cpu, sample->memory_bytes, memory,
	        sample->rx_bits_per_s, sample->tx_bits_per_s);

	failed |= metrics_json_write_gpus(out, header, sample);
	return failed |
	       buffer_printf(out, ",\"replica\":\"%s\"}\n\n", follower->job_id + ID_LENGTH - 5);
}

static void metrics_stream_take_sample(struct metrics_follower *follower)
{
	struct metrics_header header;
	struct metrics_sample sample;

	follower->is_due = false;
	if (follower->dir_fd < 0 || !metrics_file_read_last(follower->dir_fd, &header, &sample) ||
	    sample.at_ms == follower->last_sample_ms)
		return;
	follower->last_sample_ms = sample.at_ms;
	if (metrics_stream_write(follower, &header, &sample) < 0)
		BUG("a sample of job %s does not fit into its buffer", follower->job_id);
}

/* The next event, if it is time for one. */
static void metrics_stream_prepare(struct metrics_follower *follower, int64_t now)
{
	if (follower->is_changed)
		metrics_stream_look_at_job(follower);
	if (follower->is_ended)
		return;
	if (follower->is_due || follower->is_over)
		metrics_stream_take_sample(follower);
	follower->is_ended = follower->is_over;
	if (follower->pending.len == 0 && !follower->is_ended &&
	    now - follower->last_sent_ms >= SILENCE_MAX_MS)
		(void)buffer_add_text(&follower->pending, ": keep-alive\n\n");
}

static ssize_t metrics_stream_fill(void *arg, char *data, size_t max)
{
	struct metrics_follower *follower = arg;
	int64_t now = clock_monotonic_ms();
	size_t len;

	if (follower->pending.len == 0)
		metrics_stream_prepare(follower, now);
	len = follower->pending.len < max ? follower->pending.len : max;
	if (len == 0)
		return follower->is_ended ? -1 : 0;
	memcpy(data, follower->pending.data, len);
	buffer_drop(&follower->pending, len);
	follower->last_sent_ms = now;
	return (ssize_t)len;
}

static void metrics_stream_done(void *arg)
{
	struct metrics_follower *follower = arg;

	monitoring_count_stream(follower->api->metrics, -1);
	job_unwatch(follower->watch);
	loop_timer_free(follower->timer);
	if (follower->dir_fd >= 0)
		close(follower->dir_fd);
	buffer_clear(&follower->pending);
	free(follower);
}

void metrics_stream_follow(struct http_request *request, void *context)
{
	struct api *api = context;
	autojob struct job_record job = {0};
	struct metrics_follower *follower;

	if (!jobs_load(api, request, &job))
		return;
	follower = xcalloc(1, sizeof(*follower));
	follower->api = api;
	follower->dir_fd = -1;
	follower->pending = BUFFER_INIT(EVENT_MAX);
	follower->is_changed = follower->is_due = true;
	/* Long ago: a queued job's stream begins with a comment, and the client knows it is heard.
	 */
	follower->last_sent_ms = clock_monotonic_ms() - SILENCE_MAX_MS;
	memcpy(follower->job_id, job.id, ID_SIZE);
	follower->watch = job_watch(api->jobs, job.id, metrics_stream_job_changed, follower);
	follower->timer = loop_timer_new(api->loop, metrics_stream_tick, follower);
	loop_timer_start(follower->timer, TICK_MS, TICK_MS);
	monitoring_count_stream(api->metrics, 1);
	follower->http = answer_events(request, &(struct http_stream_source){
	                                                .fill = metrics_stream_fill,
	                                                .done = metrics_stream_done,
	                                                .arg = follower,
	                                        });
}
