/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a restart, and after a monitor's death. The folder says what is true: an exit record is the
 * end; a held lock is a living monitor; no folder means that nothing was ever started. Otherwise
 * the spawner reaps what may be left, and only then the attempt counts as lost: a next attempt can
 * never meet a process of this one.
 */
#include "backend/local_private.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "container/metrics_file.h"

#include <string.h>

#define RETRY_MS 100
#define RETRY_SLOW_MS 2000
#define QUICK_TRIES 50
#define STATE_MAX 4096

static void try_again(struct local_attempt *attempt, loop_fn *fn)
{
	local_attempt_later(attempt, fn, ++attempt->tries < QUICK_TRIES ? RETRY_MS : RETRY_SLOW_MS);
}

static void orphan_again(void *arg)
{
	local_adopt_orphan(arg);
}

static void adopt_again(void *arg)
{
	local_adopt(arg);
}

/* When the job's process was about to run, even if its monitor was lost before it could tell: such
 * an attempt is not one that never started, and must not be repeated unasked. 0: never. */
static int64_t begun_ms(const struct local_attempt *attempt)
{
	autoclose int fd = -1;
	autojson json_t *state = NULL;
	struct error err = ERROR_INIT;
	if (local_folder_open(attempt, &fd, &err) < 0 ||
	    json_read_file(fd, "state.json", STATE_MAX, &state, &err) < 0)
		return 0;
	return json_get_int(state, "started_ms", 0);
}

/* With the monitor all processes of the job die. If we saw that, its time is exact; if we were
 * away, it ran until the last second of which there are metrics. */
static void measure_lost(const struct local_attempt *attempt, struct exit_record *ret)
{
	autoclose int fd = -1;
	struct error err = ERROR_INIT;
	struct metrics_header header;
	struct metrics_sample sample;
	ret->started_ms = attempt->started_ms ? attempt->started_ms : begun_ms(attempt);
	if (attempt->started_us && attempt->lost_us > attempt->started_us) {
		ret->running_us = attempt->lost_us - attempt->started_us;
		return;
	}
	int64_t alive_ms = ret->started_ms;
	if (local_folder_open(attempt, &fd, &err) == 0 &&
	    metrics_file_read_last(fd, &header, &sample) && sample.at_ms > alive_ms)
		alive_ms = sample.at_ms;
	if (alive_ms > 0 && alive_ms < ret->ended_ms)
		ret->ended_ms = alive_ms;
}

static void cleaned(struct local_attempt *attempt)
{
	struct exit_record record = local_record(OUTCOME_LOST, "");
	measure_lost(attempt, &record);
	if (attempt->is_not_started)
		record = attempt->record;
	child_channel_free(attempt->channel);
	attempt->channel = NULL;
	local_attempt_ended(attempt, &record);
	local_attempt_free(attempt);
}

static void clean_failed(struct local_attempt *attempt, const char *why)
{
	log_warning("attempt %s: what its monitor left cannot be cleaned yet: %s", attempt->name,
	            why);
	child_channel_free(attempt->channel);
	attempt->channel = NULL;
	attempt->is_cleaning = false;
	try_again(attempt, orphan_again);
}

static void on_clean_message(void *arg, const json_t *message)
{
	struct local_attempt *attempt = arg;
	if (!strcmp(json_get_text(message, "type", ""), "done"))
		cleaned(attempt);
	else
		clean_failed(attempt, json_get_text(message, "text", "no reason given"));
}

static void on_clean_closed(void *arg)
{
	clean_failed(arg, "the spawner gave no answer");
}

static void start_cleaning(struct local_attempt *attempt)
{
	struct child_channel_events events = {on_clean_message, on_clean_closed, attempt};
	struct error err = ERROR_INIT;
	int fd;
	attempt->is_cleaning = true;
	if (spawner_link_send(attempt->local->spawner_fd, SPAWN_CLEAN, attempt->name, -1, &fd,
	                      &err) < 0) {
		clean_failed(attempt, err.text);
		return;
	}
	attempt->channel = child_channel_new(attempt->local->loop, fd, &events);
}

/* True when the attempt's end is on disk: told, and done with. */
static bool tell_exit_record(struct local_attempt *attempt, int dir_fd)
{
	struct exit_record record;
	struct error err = ERROR_INIT;
	if (exit_record_read(dir_fd, &record, &err) < 0) {
		if (err.code != E_NOT_FOUND)
			log_warning("attempt %s: %s", attempt->name, err.text);
		return false;
	}
	local_attempt_ended(attempt, &record);
	local_attempt_free(attempt);
	return true;
}

void local_adopt_orphan(struct local_attempt *attempt)
{
	autoclose int fd = -1;
	struct error err = ERROR_INIT;
	if (local_folder_open(attempt, &fd, &err) == 0) {
		if (tell_exit_record(attempt, fd))
			return;
		/* The channel broke, but the monitor lives: speak to it through its socket. */
		if (attempt_folder_is_locked(fd)) {
			local_adopt(attempt);
			return;
		}
	}
	start_cleaning(attempt);
}

void local_adopt(struct local_attempt *attempt)
{
	autoclose int fd = -1;
	struct error err = ERROR_INIT;
	if (local_folder_open(attempt, &fd, &err) < 0) {
		if (err.code == E_NOT_FOUND && !attempt->is_running)
			local_attempt_begin(attempt);
		else
			start_cleaning(attempt);
		return;
	}
	if (tell_exit_record(attempt, fd))
		return;
	if (!attempt_folder_is_locked(fd)) {
		/* It may have written its record between our two looks. */
		if (!tell_exit_record(attempt, fd))
			start_cleaning(attempt);
		return;
	}
	int control;
	if (local_folder_connect(fd, &control, &err) < 0) {
		if (attempt->tries == QUICK_TRIES)
			log_warning("attempt %s: %s", attempt->name, err.text);
		try_again(attempt, adopt_again);
		return;
	}
	attempt->told_timeout_s = 0;
	local_attempt_listen(attempt, control);
}
