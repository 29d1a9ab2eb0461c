/* SPDX-License-Identifier: Apache-2.0 */
/* exit.json: how an attempt ended. Written once, durably, after the last byte of the log. */
#include "container/attempt_folder.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define EXIT_RECORD_NAME "exit.json"
#define EXIT_RECORD_MAX (16 * 1024)

int exit_record_write(int dir_fd, const struct exit_record *record, struct error *err)
{
	autojson json_t *root = json_pack(
	        "{s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "outcome",
	        outcome_name(record->outcome), "exit_code", record->exit_code, "signal",
	        record->signal, "started_ms", (json_int_t)record->started_ms, "ended_ms",
	        (json_int_t)record->ended_ms, "running_us", (json_int_t)record->running_us,
	        "memory_peak_bytes", (json_int_t)record->memory_peak_bytes, "memory_limit_bytes",
	        (json_int_t)record->memory_limit_bytes, "log_bytes", (json_int_t)record->log_bytes,
	        "message", record->message);
	if (!root)
		return fail(err, E_INTERNAL, "the exit record's message is not UTF-8");
	autofree char *text = json_to_text(root);

	return file_write_atomic(dir_fd, EXIT_RECORD_NAME, text, strlen(text), 0640, true, err);
}

int exit_record_read(int dir_fd, struct exit_record *ret, struct error *err)
{
	autojson json_t *root = NULL;

	if (json_read_file(dir_fd, EXIT_RECORD_NAME, EXIT_RECORD_MAX, &root, err))
		return -1;
	int outcome = outcome_by_name(json_get_text(root, "outcome", ""));
	if (outcome <= OUTCOME_NONE)
		return fail(err, E_INTERNAL, EXIT_RECORD_NAME " has no known outcome");
	*ret = (struct exit_record){
	        .outcome = (enum attempt_outcome)outcome,
	        .exit_code = (int)json_get_int(root, "exit_code", -1),
	        .signal = (int)json_get_int(root, "signal", 0),
	        .started_ms = json_get_int(root, "started_ms", 0),
	        .ended_ms = json_get_int(root, "ended_ms", 0),
	        .running_us = json_get_int(root, "running_us", 0),
	        .memory_peak_bytes = json_get_int(root, "memory_peak_bytes", 0),
	        .memory_limit_bytes = json_get_int(root, "memory_limit_bytes", 0),
	        .log_bytes = json_get_int(root, "log_bytes", 0),
	};
	(void)snprintf(ret->message, sizeof(ret->message), "%s",
	               json_get_text(root, "message", ""));
	return 0;
}
