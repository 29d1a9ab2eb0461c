/* SPDX-License-Identifier: Apache-2.0 */
/* The functions behind the table in commands.c, one file each. They return the exit status. */
#ifndef HEARTH_CLI_COMMANDS_H
#define HEARTH_CLI_COMMANDS_H

#include "cli/command.h"

int run_command(struct invocation *in);
int uv_run_command(struct invocation *in);
int list_command(struct invocation *in);
int logs_command(struct invocation *in);
int inspect_command(struct invocation *in);
int stats_command(struct invocation *in);
int stats_history_command(struct invocation *in);
int cancel_command(struct invocation *in);
int extend_command(struct invocation *in);
int queue_command(struct invocation *in);
int queue_hold_command(struct invocation *in);
int queue_release_command(struct invocation *in);
int wait_command(struct invocation *in);
int labels_command(struct invocation *in);
int devices_command(struct invocation *in);
int hardware_command(struct invocation *in);
int later_command(struct invocation *in);

int scheduled_run_command(struct invocation *in);
int scheduled_uv_run_command(struct invocation *in);
int scheduled_list_command(struct invocation *in);
int scheduled_inspect_command(struct invocation *in);
int scheduled_history_command(struct invocation *in);
int scheduled_trigger_command(struct invocation *in);
int scheduled_suspend_command(struct invocation *in);
int scheduled_resume_command(struct invocation *in);
int scheduled_reschedule_command(struct invocation *in);
int scheduled_labels_command(struct invocation *in);
int scheduled_delete_command(struct invocation *in);

int image_pull_command(struct invocation *in);
int image_list_command(struct invocation *in);
int image_inspect_command(struct invocation *in);
int image_remove_command(struct invocation *in);
int image_prune_command(struct invocation *in);
int image_import_command(struct invocation *in);

int bucket_create_command(struct invocation *in);
int bucket_list_command(struct invocation *in);
int bucket_info_command(struct invocation *in);
int bucket_copy_command(struct invocation *in);
int bucket_sync_command(struct invocation *in);
int bucket_remove_command(struct invocation *in);
int bucket_move_command(struct invocation *in);
int bucket_delete_command(struct invocation *in);
int bucket_settings_command(struct invocation *in);
int bucket_du_command(struct invocation *in);

int login_command(struct invocation *in);
int whoami_command(struct invocation *in);

int usage_command(struct invocation *in);
int admin_usage_command(struct invocation *in);
int admin_credits_grant_command(struct invocation *in);
int admin_credits_list_command(struct invocation *in);
int admin_credits_revoke_command(struct invocation *in);
int admin_budget_show_command(struct invocation *in);
int admin_budget_set_command(struct invocation *in);

int admin_user_add_command(struct invocation *in);
int admin_user_list_command(struct invocation *in);
int admin_user_remove_command(struct invocation *in);
int admin_org_add_command(struct invocation *in);
int admin_org_list_command(struct invocation *in);
int admin_org_remove_command(struct invocation *in);
int admin_org_member_command(struct invocation *in);
int admin_queue_hold_command(struct invocation *in);
int admin_queue_release_command(struct invocation *in);
int admin_queue_first_command(struct invocation *in);
int admin_queue_last_command(struct invocation *in);
int admin_queue_normal_command(struct invocation *in);
int admin_queue_priority_command(struct invocation *in);
int admin_limits_list_command(struct invocation *in);
int admin_limits_show_command(struct invocation *in);
int admin_limits_set_command(struct invocation *in);
int admin_group_add_command(struct invocation *in);
int admin_group_list_command(struct invocation *in);
int admin_group_remove_command(struct invocation *in);
int admin_token_add_command(struct invocation *in);
int admin_token_list_command(struct invocation *in);
int admin_token_revoke_command(struct invocation *in);

int webhooks_list_command(struct invocation *in);
int webhooks_info_command(struct invocation *in);
int webhooks_create_command(struct invocation *in);
int webhooks_update_command(struct invocation *in);
int webhooks_enable_command(struct invocation *in);
int webhooks_disable_command(struct invocation *in);
int webhooks_delete_command(struct invocation *in);
int webhooks_log_command(struct invocation *in);
int webhooks_replay_command(struct invocation *in);

int completion_command(struct invocation *in);
int manual_command(struct invocation *in);

#endif
