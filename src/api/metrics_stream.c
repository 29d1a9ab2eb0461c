/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET …/metrics: the newest sample of the attempt's ring, once a second while the job runs. Nothing
 * is queued: a slow client gets the sample that is new when it can take one. While there is nothing
 * to say a comment goes out every few seconds, because clients give up after ten seconds of
 * silence.
 */
#include "api/answer.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/monitoring.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/spawner_link.h"
#include "container/metrics_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 1000
#define SILENCE_MAX_MS 4000
#define EVENT_MAX 512

struct metrics_follower {
	struct api *api;
	char job_id[ID_SIZE];
	struct job_watch *watch;
	struct loop_timer *timer;
	struct http_stream *http;
	bool is_changed; /* look at the job's row again */
	bool is_over, is_due;
	int attempt, dir_fd; /* of the newest attempt; 0, -1: none yet */
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
	if (!jobs_find(follower->api->db, follower->job_id, &job) || stage_is_terminal(job.stage))
		follower->is_over = true;
	else if (job.stage == STAGE_RUNNING)
		metrics_stream_open_attempt(follower);
}

static int metrics_stream_write(const struct metrics_follower *follower,
                                const struct metrics_header *header,
                                const struct metrics_sample *sample, char *data, size_t max)
{
	int64_t cpu = header->cpu_millis > 0 ? header->cpu_millis : 1000;
	int64_t memory = header->memory_limit_bytes > 0 ? header->memory_limit_bytes : 1;

	return snprintf(data, max,
	                "event: metric\n"
	                "data: {\"cpu_usage_pct\":%" PRId64 ",\"cpu_millicores\":%" PRId64
	                ",\"memory_used_bytes\":%" PRId64 ",\"memory_total_bytes\":%" PRId64
	                ",\"rx_bps\":%" PRId64 ",\"tx_bps\":%" PRId64
	                ",\"gpus\":{},\"replica\":\"%s\"}\n\n",
	                (sample->cpu_used_millis * 100 + cpu / 2) / cpu, cpu, sample->memory_bytes,
	                memory, sample->rx_bits_per_s, sample->tx_bits_per_s,
	                follower->job_id + ID_LENGTH - 5);
}

static ssize_t metrics_stream_fill_sample(struct metrics_follower *follower, char *data, size_t max)
{
	struct metrics_header header;
	struct metrics_sample sample;

	if (follower->dir_fd < 0 || !metrics_file_read_last(follower->dir_fd, &header, &sample) ||
	    sample.at_ms == follower->last_sample_ms)
		return 0;
	follower->last_sample_ms = sample.at_ms;
	return metrics_stream_write(follower, &header, &sample, data, max);
}

static ssize_t metrics_stream_fill(void *arg, char *data, size_t max)
{
	static const char silence[] = ": keep-alive\n\n";
	struct metrics_follower *follower = arg;
	int64_t now = clock_monotonic_ms();
	ssize_t len = 0;

	if (follower->is_changed)
		metrics_stream_look_at_job(follower);
	if (follower->is_over)
		return -1;
	if (max < EVENT_MAX)
		return 0; /* the next tick asks again */
	if (follower->is_due) {
		follower->is_due = false;
		len = metrics_stream_fill_sample(follower, data, max);
	}
	if (len == 0 && now - follower->last_sent_ms >= SILENCE_MAX_MS) {
		len = sizeof(silence) - 1;
		memcpy(data, silence, (size_t)len);
	}
	if (len > 0)
		follower->last_sent_ms = now;
	return len;
}

static void metrics_stream_done(void *arg)
{
	struct metrics_follower *follower = arg;

	monitoring_count_stream(follower->api->metrics, -1);
	job_unwatch(follower->watch);
	loop_timer_free(follower->timer);
	if (follower->dir_fd >= 0)
		close(follower->dir_fd);
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
