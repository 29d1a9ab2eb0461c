/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a job on stdout, byte for byte. A broken stream is taken up again where it stopped:
 * nothing is lost and nothing comes twice.
 */
#ifndef HEARTH_CLI_LOG_FOLLOW_H
#define HEARTH_CLI_LOG_FOLLOW_H

#include "base/json.h"
#include "cli/hub.h"

#include <stdbool.h>
#include <stdint.h>

struct log_follow_options {
	bool follow;
	bool is_silent;    /* read, but print nothing (JSON and quiet modes) */
	bool is_plain;     /* without colour codes (agent mode) */
	bool tells_status; /* show why no line has come yet on the terminal's status line */
	int64_t tail;      /* -1: from the beginning */
	int64_t *ret_seen; /* how many events came; NULL: not of interest */
};

/* *ret_interrupted: Ctrl-C ended it. *ret_job, when following to the end: the job in its last
 * stage, new; else untouched. May be NULL. */
int log_follow(struct hub *hub, const char *space, const char *id,
               const struct log_follow_options *options, json_t **ret_job, bool *ret_interrupted,
               struct error *err);
/* After Ctrl-C: says that the job goes on. */
void log_follow_tell_interrupted(const char *job_ref);

#endif
