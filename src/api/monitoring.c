/* SPDX-License-Identifier: Apache-2.0 */
/* /healthz and /metrics: totals in the text format of Prometheus (exposition format 0.0.4). */
#include "api/monitoring.h"

#include "api/answer.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>

#define STATUS_MAX 600
#define METRICS_TEXT_MAX ((size_t)64 * 1024)

static const int64_t bounds_us[] = {500,    1000,   2500,   5000,    10000,   25000,   50000,
                                    100000, 250000, 500000, 1000000, 2500000, 10000000};
#define BOUNDS (sizeof(bounds_us) / sizeof(bounds_us[0]))

struct api_metrics {
	uint64_t by_status[STATUS_MAX];
	uint64_t below[BOUNDS]; /* cumulative, as the format wants it */
	uint64_t count, sum_us;
	int64_t streams;
};

struct api_metrics *monitoring_new(void)
{
	return xcalloc(1, sizeof(struct api_metrics));
}

void monitoring_free(struct api_metrics *metrics)
{
	free(metrics);
}

void monitoring_count_request(struct api_metrics *metrics, int status, int64_t micros)
{
	if (status > 0 && status < STATUS_MAX)
		metrics->by_status[status]++;
	for (size_t i = 0; i < BOUNDS; i++)
		metrics->below[i] += micros <= bounds_us[i];
	metrics->count++;
	metrics->sum_us += micros > 0 ? (uint64_t)micros : 0;
}

void monitoring_count_stream(struct api_metrics *metrics, int change)
{
	metrics->streams += change;
}

static void write_help(struct buffer *out, const char *name, const char *type, const char *help)
{
	(void)buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_number(struct buffer *out, const char *name, const char *type, const char *help,
                         int64_t value)
{
	write_help(out, name, type, help);
	(void)buffer_printf(out, "%s %" PRId64 "\n", name, value);
}

static void write_requests(struct buffer *out, const struct api_metrics *metrics)
{
	static const char seconds[] = "hearth_http_request_duration_seconds";

	write_help(out, "hearth_http_requests_total", "counter", "Answers by HTTP status.");
	for (int status = 0; status < STATUS_MAX; status++) {
		if (metrics->by_status[status])
			(void)buffer_printf(out,
			                    "hearth_http_requests_total{code=\"%d\"} %" PRIu64 "\n",
			                    status, metrics->by_status[status]);
	}
	write_help(out, seconds, "histogram", "From the request's head to the answer.");
	for (size_t i = 0; i < BOUNDS; i++)
		(void)buffer_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", seconds,
		                    (double)bounds_us[i] / 1e6, metrics->below[i]);
	(void)buffer_printf(
	        out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n",
	        seconds, metrics->count, seconds, (double)metrics->sum_us / 1e6, seconds,
	        metrics->count);
}

static void write_jobs(struct buffer *out, const struct api *api)
{
	static const char ended[] = "hearth_jobs_ended_total";
	struct job_service_counts counts;

	job_service_counts(api->jobs, &counts);
	write_number(out, "hearth_jobs_queued", "gauge", "Jobs in stage SCHEDULING.",
	             counts.queued);
	write_number(out, "hearth_jobs_running", "gauge", "Jobs in stage RUNNING.", counts.running);
	write_number(out, "hearth_attempts_live", "gauge", "Attempts that hold resources.",
	             counts.live_attempts);
	write_number(out, "hearth_attempts_heard", "gauge",
	             "Running attempts whose monitors speak with this process.",
	             counts.heard_attempts);
	write_number(out, "hearth_jobs_submitted_total", "counter",
	             "Jobs accepted since the start.", counts.submitted_total);
	write_help(out, ended, "counter", "Jobs ended since the start, by stage.");
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		if (stage_is_terminal(stage))
			(void)buffer_printf(out, "%s{stage=\"%s\"} %" PRId64 "\n", ended,
			                    stage_name(stage), counts.ended_total[stage]);
	}
	write_number(out, "hearth_cpu_millicores_used", "gauge", "CPU given to attempts.",
	             counts.cpu_millis_used);
	write_number(out, "hearth_cpu_millicores_capacity", "gauge", "CPU for attempts.",
	             api->configuration->cpu_millis);
	write_number(out, "hearth_memory_bytes_used", "gauge", "Memory given to attempts.",
	             counts.memory_bytes_used);
	write_number(out, "hearth_memory_bytes_capacity", "gauge", "Memory for attempts.",
	             api->configuration->memory_bytes);
}

static void write_schedules(struct buffer *out, const struct api *api)
{
	static const char ticks[] = "hearth_schedule_ticks_total";
	struct schedule_counts counts;

	if (!api->schedules)
		return;
	schedule_service_counts(api->schedules, &counts);
	write_number(out, "hearth_schedules", "gauge", "Schedules.", counts.schedules);
	write_number(out, "hearth_schedules_active", "gauge", "Schedules with a next time.",
	             counts.active);
	write_help(out, ticks, "counter", "Ticks decided since the start, by outcome.");
	(void)buffer_printf(out,
	                    "%s{outcome=\"ran\"} %" PRId64 "\n%s{outcome=\"skipped\"} %" PRId64
	                    "\n%s{outcome=\"missed\"} %" PRId64 "\n%s{outcome=\"failed\"} %" PRId64
	                    "\n",
	                    ticks, counts.ran_total, ticks, counts.skipped_total, ticks,
	                    counts.missed_total, ticks, counts.failed_total);
}

void monitoring_metrics(struct http_request *request, void *context)
{
	const struct api *api = context;
	autobuffer struct buffer out = BUFFER_INIT(METRICS_TEXT_MAX);

	write_requests(&out, api->metrics);
	write_jobs(&out, api);
	write_schedules(&out, api);
	devices_write_metrics(&out, context);
	if (api->server)
		write_number(&out, "hearth_http_connections", "gauge", "Open connections.",
		             http_server_connection_count(api->server));
	write_number(&out, "hearth_http_streams", "gauge", "Open log, metrics and event streams.",
	             api->metrics->streams);
	write_help(&out, "hearth_build_info", "gauge", "Version of hearthd.");
	(void)buffer_printf(&out, "hearth_build_info{version=\"%s\"} 1\n", api->version);
	write_number(&out, "hearth_start_time_seconds", "gauge", "Unix time of the start.",
	             api->started_ms / 1000);
	http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_text(&out),
	             out.len);
}

void monitoring_health(struct http_request *request, void *context)
{
	const struct api *api = context;

	http_respond_json(request, 200,
	                  json_pack("{s:s,s:s,s:I}", "status", "ok", "version", api->version,
	                            "uptimeSecs",
	                            (json_int_t)((clock_now_ms() - api->started_ms) / 1000)));
}
