/* SPDX-License-Identifier: Apache-2.0 */
/* exit.json: how an attempt ended. Written once, durably, after the last byte of the log. */
#include "container/attempt_folder.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#define EXIT_RECORD_NAME "exit.json"
#define EXIT_RECORD_MAX (16 * 1024)

/* Nothing may keep a job from ending: bytes that are not UTF-8 (a text cut inside a character)
 * become question marks. */
static json_t *message_value(const char *message)
{
	json_t *value = json_string(message);

	if (value)
		return value;
	autofree char *plain = xstrdup(message);
	for (char *c = plain; *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	return json_string(plain);
}

int exit_record_write(int dir_fd, const struct exit_record *record, struct error *err)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
	        {"exit_code", record->exit_code},
	        {"signal", record->signal},
	        {"started_ms", record->started_ms},
	        {"ended_ms", record->ended_ms},
	        {"running_us", record->running_us},
	        {"memory_peak_bytes", record->memory_peak_bytes},
	        {"memory_limit_bytes", record->memory_limit_bytes},
	        {"log_bytes", record->log_bytes},
	};
	autojson json_t *root = json_object();

	json_object_set_new(root, "outcome", json_string(outcome_name(record->outcome)));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_object_set_new(root, numbers[i].name, json_integer(numbers[i].value));
	json_object_set_new(root, "message", message_value(record->message));
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
