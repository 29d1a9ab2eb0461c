/* SPDX-License-Identifier: Apache-2.0 */
/* hearth stats --history: what a job has used since its start, each figure with its course. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/duration.h"
#include "cli/job_command.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>

#define SERIES_WIDTH 40

enum unit { UNIT_PERCENT, UNIT_BYTES, UNIT_BPS };

/* One figure of all samples: how to find it, and what it is compared with. */
struct figure {
	const char *name;
	const char *member; /* of a sample, or with `gpu` of its device */
	const char *gpu;    /* NULL: none */
	enum unit unit;
	double whole; /* 100 %; UNIT_PERCENT only */
};

static bool figure_of(const struct figure *figure, const json_t *sample, double *ret)
{
	const json_t *from = sample;
	if (figure->gpu)
		from = json_object_get(json_object_get(sample, "gpus"), figure->gpu);
	const json_t *value = json_object_get(from, figure->member);
	if (!json_is_number(value))
		return false;
	*ret = json_number_value(value);
	if (figure->unit == UNIT_PERCENT && figure->whole > 0)
		*ret = *ret * 100 / figure->whole;
	return true;
}

static char *format(enum unit unit, double value)
{
	char text[DURATION_TEXT_SIZE];
	if (unit == UNIT_PERCENT)
		return xasprintf("%.0f%%", value);
	return xasprintf("%s%s", duration_format_size(value, text), unit == UNIT_BPS ? "bps" : "B");
}

/* The largest value of each of at most SERIES_WIDTH stretches of time, as heights. */
static char *draw_series(const struct figure *figure, const json_t *samples, double max)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	size_t n = json_array_size(samples);
	size_t width = n < SERIES_WIDTH ? n : SERIES_WIDTH;
	autobuffer struct buffer text = BUFFER_INIT(SERIES_WIDTH * 4);
	for (size_t i = 0; i < width; i++) {
		double highest = -1, value;
		for (size_t at = i * n / width; at < (i + 1) * n / width; at++)
			if (figure_of(figure, json_array_get(samples, at), &value) &&
			    value > highest)
				highest = value;
		int level = max > 0 ? (int)(highest * 7.99 / max) : 0;
		if (highest < 0)
			(void)buffer_add_byte(&text, ' ');
		else if (terminal_is_utf8())
			(void)buffer_add_text(&text, bars[level]);
		else
			(void)buffer_add_byte(&text, (char)('0' + level));
	}
	return buffer_take(&text);
}

static void add_row(json_t *rows, const struct figure *figure, const json_t *samples)
{
	double min = 0, max = 0, sum = 0, value;
	size_t count = 0, i;
	const json_t *sample;
	json_array_foreach(samples, i, sample)
	{
		if (!figure_of(figure, sample, &value))
			continue;
		min = count == 0 || value < min ? value : min;
		max = count == 0 || value > max ? value : max;
		sum += value;
		count++;
	}
	if (count == 0)
		return;
	autofree char *name = figure->gpu ? xasprintf("GPU %s %s", figure->gpu, figure->name)
	                                  : xstrdup(figure->name);
	autofree char *least = format(figure->unit, min), *most = format(figure->unit, max);
	autofree char *average = format(figure->unit, sum / (double)count);
	autofree char *series = draw_series(figure, samples, max);
	(void)json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s}", "figure", name,
	                                            "min", least, "avg", average, "max", most,
	                                            "series", series));
}

static void add_gpus(json_t *rows, const json_t *history, const json_t *samples)
{
	const char *id;
	json_t *gpu;
	json_object_foreach(json_object_get(history, "gpus"), id, gpu)
	{
		struct figure busy = {"UTIL %", "utilization", id, UNIT_PERCENT, 100};
		struct figure memory = {"MEM USAGE", "memoryBytes", id, UNIT_BYTES, 0};
		add_row(rows, &busy, samples);
		add_row(rows, &memory, samples);
	}
}

static void print(const struct invocation *in, const struct job_command *job, const json_t *history)
{
	static const char *const columns[] = {"figure", "min", "avg", "max", "series"};
	const json_t *samples = json_object_get(history, "samples");
	double cpu = json_number_value(json_object_get(history, "cpuMillicoresTotal"));
	const struct figure figures[] = {
	        {"CPU %", "cpuMillicores", NULL, UNIT_PERCENT, cpu > 0 ? cpu : 1000},
	        {"MEM USAGE", "memoryBytes", NULL, UNIT_BYTES, 0},
	        {"NET IN", "rxBps", NULL, UNIT_BPS, 0},
	        {"NET OUT", "txBps", NULL, UNIT_BPS, 0},
	        {"STORAGE", "storageBytes", NULL, UNIT_BYTES, 0},
	};
	autojson json_t *rows = json_array();
	char step[DURATION_TEXT_SIZE];
	if (json_array_size(samples) == 0) {
		output_text(&in->out, "There are no figures of job %s.", job->ref.id);
		return;
	}
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		add_row(rows, &figures[i], samples);
	add_gpus(rows, history, samples);
	output_text(&in->out, "Attempt %lld from %s: %zu samples, one per %s",
	            (long long)json_get_int(history, "attempt", 0),
	            json_get_text(json_array_get(samples, 0), "at", ""), json_array_size(samples),
	            duration_format(json_get_int(history, "stepSeconds", 0), step));
	output_table(&in->out, rows, columns, sizeof(columns) / sizeof(columns[0]), NULL);
}

int stats_history_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct job_command job = {0};
	autojson json_t *history = NULL;
	const char *step = options_text(&in->options, "step");
	const char *attempt = options_text(&in->options, "attempt");
	if (in->options.n_arguments != 1)
		return output_error("Please give one job with --history: hearth stats --history "
		                    "JOB_ID");
	if (job_command_open(in, &job, &err) < 0)
		return output_fail(&err);
	autofree char *path = hub_path("/api/jobs/%s/%s/metrics/history", job.space, job.ref.id);
	if (step)
		hub_path_query(&path, "step", step);
	if (attempt)
		hub_path_query(&path, "attempt", attempt);
	int rc = hub_ask(job.hub, "GET", path, NULL, &history, &err);
	if (rc == 0 && in->out.mode == OUTPUT_JSON)
		output_dict(&in->out, history);
	else if (rc == 0)
		print(in, &job, history);
	job_command_close(&job);
	return rc < 0 ? output_fail(&err) : 0;
}
