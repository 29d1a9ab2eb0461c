/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules as `hf jobs scheduled … --json` prints them (hub-jobs-api 10.4), and our additions. */
#ifndef HEARTH_CLI_SCHEDULE_VIEW_H
#define HEARTH_CLI_SCHEDULE_VIEW_H

#include "base/json.h"

/* "2025-07-22 16:06:25" of a time of the API; "N/A" if there is none. New. */
json_t *schedule_view_time(const char *time);
/* For `inspect`: the label `name`, if any, stands first; the last key is next_runs. New. */
json_t *schedule_view_named(const json_t *schedule);
/* For `ps`, with the displayed columns added. New. */
json_t *schedule_view_listed(const json_t *schedule);
/* A row of `history`. New. */
json_t *schedule_view_tick(const json_t *tick);

#endif
