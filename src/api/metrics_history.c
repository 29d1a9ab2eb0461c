/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET …/metrics/history: one ring of the attempt's metrics file as JSON, also long after the job
 * has ended. Samples are read and written piece by piece as the client takes them: one who is slow,
 * or asks a thousand times at once, holds next to no memory of ours.
 */
#include "api/answer.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/metrics_json.h"
#include "api/query_number.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/spawner_link.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)16 * 1024)
#define PENDING_MAX ((size_t)64 * 1024)
#define PIECE_SAMPLES 16

struct metrics_history {
	struct metrics_header header;
	char ids[METRICS_DEVICES_MAX][METRICS_SHORT_ID_SIZE];
	uint64_t next, end; /* numbers of samples */
	int ring, attempt, dir_fd;
	bool is_begun, has_sample, is_over;
	struct buffer pending;
};

/* 0 when it is absent. */
static int history_read_number(const struct http_request *request, const char *name, int64_t *ret,
                               struct error *err)
{
	*ret = 0;
	if (!query_number(request, name, 1, INT64_MAX, ret))
		return fail(err, E_INVALID, "%s: must be a whole number, 1 or more, got \"%.64s\"",
		            name, http_query(request, name));
	return 0;
}

/* `step_s` 0: the finest that has the attempt's beginning. */
static int history_choose_ring(const struct metrics_header *header, int64_t step_s)
{
	int ring = 0;

	if (step_s == 0) {
		while (ring < METRICS_RINGS - 1 && !metrics_ring_is_whole(header, ring))
			ring++;
		return ring;
	}
	for (int i = 1; i < METRICS_RINGS; i++)
		if (metrics_rings[i].step_s <= step_s && header->counts[i] > 0)
			ring = i;
	return ring;
}

static void history_load(const struct api *api, const char *job_id, int64_t step_s,
                         struct metrics_history *history)
{
	char name[SPAWN_NAME_MAX];

	if (history->attempt < 1)
		return;
	spawn_name_format(name, job_id, history->attempt);
	history->dir_fd = openat(job_attempts_fd(api->jobs), name,
	                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (history->dir_fd < 0 || !metrics_file_read_header(history->dir_fd, &history->header))
		return;
	history->ring = history_choose_ring(&history->header, step_s);
	history->end = history->header.counts[history->ring];
	metrics_json_ids(&history->header, history->ids);
}

static int history_write_devices(struct buffer *ret, const struct metrics_history *history,
                                 const struct metrics_sample *sample)
{
	int failed = buffer_add_text(ret, ",\"gpus\":{");
	bool is_first = true;

	for (uint32_t i = 0; i < history->header.n_devices; i++) {
		if (sample->devices[i].utilization_pct < 0)
			continue;
		failed |= buffer_printf(
		        ret, "%s\"%s\":{\"utilization\":%" PRId32 ",\"memoryBytes\":%" PRId64 "}",
		        is_first ? "" : ",", history->ids[i], sample->devices[i].utilization_pct,
		        sample->devices[i].memory_bytes);
		is_first = false;
	}
	return failed | buffer_add_byte(ret, '}');
}

static int history_write_sample(struct buffer *ret, const struct metrics_history *history,
                                const struct metrics_sample *sample, bool is_first)
{
	char at[CLOCK_TEXT_SIZE];
	int failed = buffer_printf(
	        ret,
	        "%s{\"at\":\"%s\",\"cpuMillicores\":%" PRId64 ",\"memoryBytes\":%" PRId64
	        ",\"rxBps\":%" PRId64 ",\"txBps\":%" PRId64 ",\"storageBytes\":%" PRId64,
	        is_first ? "" : ",", clock_format_iso(sample->at_ms, at), sample->cpu_used_millis,
	        sample->memory_bytes, sample->rx_bits_per_s, sample->tx_bits_per_s,
	        sample->storage_bytes);

	failed |= history_write_devices(ret, history, sample);
	return failed | buffer_add_byte(ret, '}');
}

static int history_write_head(struct buffer *ret, const struct metrics_history *history)
{
	int failed = buffer_printf(ret,
	                           "{\"attempt\":%d,\"stepSeconds\":%" PRIu32
	                           ",\"cpuMillicoresTotal\":%" PRId64
	                           ",\"memoryTotalBytes\":%" PRId64 ",\"gpus\":{",
	                           history->attempt, metrics_rings[history->ring].step_s,
	                           history->header.cpu_millis, history->header.memory_limit_bytes);

	for (uint32_t i = 0; i < history->header.n_devices; i++)
		failed |= buffer_printf(ret, "%s\"%s\":{\"memoryTotalBytes\":%" PRId64 "}",
		                        i ? "," : "", history->ids[i],
		                        history->header.device_memory_bytes[i]);
	return failed | buffer_add_text(ret, "},\"samples\":[");
}

static int history_write_samples(struct metrics_history *history)
{
	struct metrics_sample samples[PIECE_SAMPLES];
	int failed = 0;
	int n = metrics_file_read_next(history->dir_fd, history->ring, &history->next, history->end,
	                               samples, PIECE_SAMPLES);

	for (int i = 0; i < n; i++) {
		failed |= history_write_sample(&history->pending, history, &samples[i],
		                               !history->has_sample);
		history->has_sample = true;
	}
	return failed;
}

static void history_write_some(struct metrics_history *history)
{
	struct buffer *out = &history->pending;
	int failed = 0;

	if (!history->is_begun)
		failed |= history_write_head(out, history);
	history->is_begun = true;
	while (history->next < history->end && out->len < PIECE_BYTES)
		failed |= history_write_samples(history);
	if (history->next >= history->end && !history->is_over) {
		failed |= buffer_add_text(out, "]}");
		history->is_over = true;
	}
	if (failed)
		BUG("a piece of metrics does not fit into its buffer");
}

static ssize_t history_fill(void *arg, char *data, size_t max)
{
	struct metrics_history *history = arg;
	size_t len;

	if (history->pending.len == 0 && !history->is_over)
		history_write_some(history);
	len = history->pending.len < max ? history->pending.len : max;
	if (len == 0)
		return history->is_over ? -1 : 0;
	memcpy(data, history->pending.data, len);
	buffer_drop(&history->pending, len);
	return (ssize_t)len;
}

static void history_done(void *arg)
{
	struct metrics_history *history = arg;

	buffer_clear(&history->pending);
	if (history->dir_fd >= 0)
		close(history->dir_fd);
	free(history);
}

static int history_find_attempt(const struct api *api, const char *job_id, int64_t wanted, int *ret,
                                struct error *err)
{
	struct attempt_record last;
	int number = attempts_find_last(api->db, job_id, &last) ? last.number : 0;

	if (wanted > number)
		return fail(err, E_NOT_FOUND, "attempt: the job has had %d attempt%s so far",
		            number, number == 1 ? "" : "s");
	*ret = wanted ? (int)wanted : number;
	return 0;
}

void metrics_history_show(struct http_request *request, void *context)
{
	struct api *api = context;
	autojob struct job_record job = {0};
	struct error err = ERROR_INIT;
	struct metrics_history *history;
	int64_t step_s, wanted;
	int attempt = 0;

	if (!jobs_load(api, request, &job))
		return;
	if (history_read_number(request, "step", &step_s, &err) < 0 ||
	    history_read_number(request, "attempt", &wanted, &err) < 0 ||
	    history_find_attempt(api, job.id, wanted, &attempt, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	history = xcalloc(1, sizeof(*history));
	history->pending = BUFFER_INIT(PENDING_MAX);
	history->attempt = attempt;
	history->dir_fd = -1;
	history_load(api, job.id, step_s, history);
	(void)http_respond_stream(request, 200, "application/json",
	                          &(struct http_stream_source){
	                                  .fill = history_fill,
	                                  .done = history_done,
	                                  .arg = history,
	                          });
}
