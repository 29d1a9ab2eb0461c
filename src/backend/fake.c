/* SPDX-License-Identifier: Apache-2.0 */
/* The fake backend: timers instead of processes, but real attempt folders. */
#include "backend/fake.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/spawner_link.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_DIGEST "sha256:fa4efa4efa4efa4efa4efa4efa4efa4efa4efa4efa4efa4efa4efa4efa4efa4e"
#define LOG_MAX (1024 * 1024)

struct fake {
	struct backend base; /* first */
	struct loop *loop;
	int attempts_fd;
	struct backend_events events;
	struct fake_attempt *attempts;
};

enum fake_phase { FAKE_PULLING, FAKE_RUNNING, FAKE_ENDING };

struct fake_attempt {
	struct fake_attempt *next;
	struct fake *fake;
	struct loop_timer *timer;
	char job_id[ID_SIZE];
	int number;
	enum fake_phase phase;
	int64_t pull_ms;
	int64_t run_ms; /* -1: for ever */
	int64_t started_us;
	struct exit_record record;
	struct buffer lines;
};

static void attempt_free(struct fake_attempt *attempt)
{
	struct fake_attempt **place = &attempt->fake->attempts;
	while (*place != attempt)
		place = &(*place)->next;
	*place = attempt->next;
	loop_timer_free(attempt->timer);
	buffer_clear(&attempt->lines);
	free(attempt);
}

/* As the monitor does: the log first, then the record. */
static void write_folder(struct fake_attempt *attempt)
{
	char name[SPAWN_NAME_MAX];
	struct error err = ERROR_INIT;
	autoclose int fd = -1;
	if (attempt->fake->attempts_fd < 0)
		return;
	spawn_name_format(name, attempt->job_id, attempt->number);
	if (file_open_subdir(attempt->fake->attempts_fd, name, 0750, &fd, &err) < 0 ||
	    file_write_atomic(fd, "log", buffer_text(&attempt->lines), attempt->lines.len, 0640,
	                      false, &err) < 0 ||
	    (attempt->phase == FAKE_ENDING && exit_record_write(fd, &attempt->record, &err) < 0))
		BUG("the fake backend cannot write: %s", err.text);
}

static void add_line(struct fake_attempt *attempt, char kind, const char *text)
{
	if (buffer_printf(&attempt->lines, "%013lld %c %s\n", (long long)clock_now_ms(), kind,
	                  text) < 0)
		BUG("the log of a fake attempt is too long");
}

static void end_attempt(struct fake_attempt *attempt)
{
	const struct backend_events *events = &attempt->fake->events;
	struct exit_record *record = &attempt->record;
	record->ended_ms = clock_now_ms();
	if (attempt->phase == FAKE_RUNNING)
		record->running_us = clock_monotonic_us() - attempt->started_us;
	attempt->phase = FAKE_ENDING;
	write_folder(attempt);
	events->ended(events->arg, attempt->job_id, attempt->number, record);
	attempt_free(attempt);
}

static void start_running(struct fake_attempt *attempt)
{
	const struct backend_events *events = &attempt->fake->events;
	attempt->phase = FAKE_RUNNING;
	attempt->started_us = clock_monotonic_us();
	attempt->record.started_ms = clock_now_ms();
	write_folder(attempt);
	if (attempt->run_ms >= 0)
		loop_timer_start(attempt->timer, attempt->run_ms, 0);
	if (events->image)
		events->image(events->arg, attempt->job_id, attempt->number, FAKE_DIGEST);
	events->running(events->arg, attempt->job_id, attempt->number, attempt->record.started_ms,
	                0);
}

/* A callback never comes from inside of start, so pulling begins with the first timer. */
static void tell_pulling(struct fake_attempt *attempt)
{
	const struct backend_events *events = &attempt->fake->events;
	loop_timer_start(attempt->timer, attempt->pull_ms, 0);
	attempt->pull_ms = 0;
	if (events->progress)
		events->progress(events->arg, attempt->job_id, attempt->number,
		                 "Pulling image: 1 of 2 layers, 50 %");
}

static void on_timer(void *arg)
{
	struct fake_attempt *attempt = arg;
	if (attempt->pull_ms > 0 && attempt->record.outcome != OUTCOME_CANCELED) {
		tell_pulling(attempt);
		return;
	}
	if (attempt->phase == FAKE_PULLING && attempt->record.outcome != OUTCOME_FAILED &&
	    attempt->record.outcome != OUTCOME_CANCELED)
		start_running(attempt);
	else
		end_attempt(attempt);
}

static const char *value_of(const char *word, const char *name)
{
	size_t len = strlen(name);
	return !strncmp(word, name, len) && word[len] == '=' ? word + len + 1 : NULL;
}

static void read_word(struct fake_attempt *attempt, const char *word)
{
	struct exit_record *record = &attempt->record;
	const char *value;
	if ((value = value_of(word, "pull"))) {
		attempt->pull_ms = strtoll(value, NULL, 10);
	} else if ((value = value_of(word, "run"))) {
		attempt->run_ms = !strcmp(value, "forever") ? -1 : strtoll(value, NULL, 10);
	} else if ((value = value_of(word, "line"))) {
		add_line(attempt, 'o', value);
	} else if ((value = value_of(word, "exit"))) {
		record->exit_code = (int)strtol(value, NULL, 10);
	} else if ((value = value_of(word, "signal"))) {
		record->outcome = OUTCOME_SIGNALED;
		record->signal = (int)strtol(value, NULL, 10);
		record->exit_code = -1;
	} else if ((value = value_of(word, "fail"))) {
		record->outcome = OUTCOME_FAILED;
		record->exit_code = -1;
		(void)snprintf(record->message, sizeof(record->message), "%s", value);
	} else {
		int outcome = outcome_by_name(word);
		if (outcome < 0)
			return;
		record->outcome = (enum attempt_outcome)outcome;
		record->exit_code = -1;
	}
}

static void read_script(struct fake_attempt *attempt, const json_t *spec)
{
	size_t i;
	json_t *word;
	attempt->record = (struct exit_record){.outcome = OUTCOME_EXITED,
	                                       .memory_limit_bytes = 512LL << 20,
	                                       .memory_peak_bytes = 512LL << 20};
	json_array_foreach(json_object_get(spec, "command"), i, word) if (i > 0)
	        read_word(attempt, json_string_value(word));
}

static void fake_start(struct backend *backend, const struct attempt_start *start)
{
	struct fake *fake = (struct fake *)backend;
	struct fake_attempt *attempt = xcalloc(1, sizeof(*attempt));
	char marker[64], now[CLOCK_TEXT_SIZE];
	attempt->fake = fake;
	(void)snprintf(attempt->job_id, sizeof(attempt->job_id), "%s", start->job->id);
	attempt->number = start->number;
	attempt->lines = BUFFER_INIT(LOG_MAX);
	(void)snprintf(marker, sizeof(marker),
	               "===== Job started at %s =====", clock_format_plain(clock_now_ms(), now));
	add_line(attempt, 's', marker);
	read_script(attempt, start->job->spec);
	attempt->next = fake->attempts;
	fake->attempts = attempt;
	attempt->timer = loop_timer_new(fake->loop, on_timer, attempt);
	loop_timer_start(attempt->timer, 0, 0);
}

static void fake_stop(struct backend *backend, const char *job_id, int number)
{
	struct fake_attempt *attempt = ((struct fake *)backend)->attempts;
	while (attempt && (attempt->number != number || strcmp(attempt->job_id, job_id) != 0))
		attempt = attempt->next;
	if (!attempt)
		return;
	attempt->record.outcome = OUTCOME_CANCELED;
	attempt->record.exit_code = -1;
	loop_timer_start(attempt->timer, 0, 0);
}

static void fake_extend(struct backend *backend, const char *job_id, int number, int64_t timeout_s)
{
}

/* Nothing survives a restart here. */
static void fake_adopt(struct backend *backend, const struct attempt_start *start)
{
	fake_start(backend, start);
	struct fake_attempt *attempt = ((struct fake *)backend)->attempts;
	attempt->phase = FAKE_ENDING;
	attempt->pull_ms = 0;
	attempt->record.outcome = OUTCOME_LOST;
	attempt->record.exit_code = -1;
	loop_timer_start(attempt->timer, 0, 0);
}

static void fake_free(struct backend *backend)
{
	struct fake *fake = (struct fake *)backend;
	while (fake->attempts)
		attempt_free(fake->attempts);
	free(fake);
}

static const struct backend_ops fake_ops = {
        .name = "fake",
        .start = fake_start,
        .stop = fake_stop,
        .extend = fake_extend,
        .adopt = fake_adopt,
        .free = fake_free,
};

struct backend *backend_fake_new(struct loop *loop, int attempts_fd,
                                 const struct backend_events *events)
{
	struct fake *fake = xcalloc(1, sizeof(*fake));
	fake->base.ops = &fake_ops;
	fake->loop = loop;
	fake->attempts_fd = attempts_fd;
	fake->events = *events;
	return &fake->base;
}
