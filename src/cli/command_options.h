/* SPDX-License-Identifier: Apache-2.0 */
/* The options of each command, for the table in commands.c. */
#ifndef HEARTH_CLI_COMMAND_OPTIONS_H
#define HEARTH_CLI_COMMAND_OPTIONS_H

#include "cli/options.h"

extern const struct option_row run_options[];
extern const struct option_row uv_run_options[];
extern const struct option_row scheduled_run_options[];
extern const struct option_row scheduled_uv_run_options[];
extern const struct option_row scheduled_list_options[];
extern const struct option_row history_options[];
extern const struct option_row list_options[];
extern const struct option_row logs_options[];
extern const struct option_row job_options[];
extern const struct option_row stats_options[];
extern const struct option_row extend_options[];
extern const struct option_row wait_options[];
extern const struct option_row labels_options[];
extern const struct option_row queue_options[];
extern const struct option_row devices_options[];
extern const struct option_row hardware_options[];
extern const struct option_row token_options[];
extern const struct option_row only_help_options[];
extern const struct option_row pull_options[];
extern const struct option_row prune_options[];
extern const struct option_row bucket_create_options[];
extern const struct option_row bucket_list_options[];
extern const struct option_row bucket_du_options[];
extern const struct option_row bucket_remove_options[];
extern const struct option_row bucket_delete_options[];
extern const struct option_row bucket_settings_options[];
extern const struct option_row bucket_sync_options[];
extern const struct option_row usage_options[];
extern const struct option_row admin_usage_options[];
extern const struct option_row admin_credits_options[];
extern const struct option_row admin_budget_options[];
extern const struct option_row admin_options[];
extern const struct option_row admin_limits_options[];
extern const struct option_row admin_limits_set_options[];
extern const struct option_row admin_token_options[];
extern const struct option_row webhook_body_options[];
extern const struct option_row webhook_delete_options[];

#endif
