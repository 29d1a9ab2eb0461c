/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of commands. --help, completion and the man page are made from it. To add a
 * command: write its file, declare its function in commands.h, add
 * its options to command_options.c and its row here.
 */
#include "cli/command_options.h"
#include "cli/commands.h"

#include <stddef.h>

/* clang-format off */
#define JOBS "Jobs"
#define WEBHOOKS "Webhooks"
#define SCHEDULES "Schedules"
#define IMAGES "Images"
#define BUCKETS "Buckets"
#define ACCOUNTS "Account"
#define SERVER "Server (on the server machine)"
#define SHELL "Shell"
#define LATER "Not built yet"

const struct command commands[] = {
	{ "run", NULL, JOBS, "IMAGE COMMAND...", 2, -1, true, run_options, run_command,
	  "Run a command in an image",
	  "Prints the job's id, then its log until it is over, and exits with the exit code of the "
	  "command; 1 if there is none (timeout, cancelled, never started). Ctrl-C stops following, "
	  "the job goes on.\n"
	  "Options are recognized anywhere, also behind IMAGE and inside COMMAND; words after -- never "
	  "are: hearth run ubuntu -- ls -la. Options that are not ours belong to the command.\n"
	  "Output modes and --attempts are recognized before IMAGE only." },
	{ "uv run", NULL, JOBS, "SCRIPT [SCRIPT_ARGS]...", 1, -1, true, uv_run_options, uv_run_command,
	  "Run a Python script with uv",
	  "SCRIPT is a local file, a URL, or a command such as python. The script and every argument that "
	  "is a local file are put into the bucket jobs-artifacts of the namespace and are in /data in the "
	  "job; what the job writes to /data is in the bucket afterwards. Otherwise as hearth run." },
	{ "ps", "list, ls", JOBS, "", 0, 0, false, list_options, list_command,
	  "List jobs that run or wait; -a for all", NULL },
	{ "logs", NULL, JOBS, "JOB_ID", 1, 1, false, logs_options, logs_command,
	  "Print the log of a job",
	  "Without -f it prints what is there and returns. The exit status does not depend on the job." },
	{ "inspect", NULL, JOBS, "JOB_IDS...", 1, -1, false, job_options, inspect_command,
	  "Show everything about jobs", NULL },
	{ "stats", NULL, JOBS, "[JOB_IDS]...", 0, -1, false, stats_options, stats_command,
	  "Show CPU, memory, network and GPU use, live or since the start",
	  "Without ids: of all running jobs. Where the output is no terminal a line is printed per "
	  "sample; with --json an object." },
	{ "cancel", NULL, JOBS, "JOB_ID", 1, 1, false, job_options, cancel_command,
	  "Cancel a job", NULL },
	{ "extend", NULL, JOBS, "JOB_ID [TIME]", 1, 2, false, extend_options, extend_command,
	  "Give a job that waits or runs more time",
	  "TIME is added to the time limit: seconds, or a number with s, m, h or d (90, 30m, 1.5h). It is too late "
	  "once the limit is reached." },
	{ "queue", NULL, JOBS, "", 0, 0, false, queue_options, queue_command,
	  "Show who waits, in the order of the queue",
	  "Jobs of everybody, with place, priority and about when they start; held ones last. What they are is shown "
	  "to nobody." },
	{ "queue hold", NULL, JOBS, "JOB_IDS...", 1, -1, false, job_options, queue_hold_command,
	  "Keep waiting jobs from being started", NULL },
	{ "queue release", NULL, JOBS, "JOB_IDS...", 1, -1, false, job_options, queue_release_command,
	  "Release jobs that are held", NULL },
	{ "wait", NULL, JOBS, "JOB_IDS...", 1, -1, false, wait_options, wait_command,
	  "Wait until jobs are over",
	  "Exits with 0 if all of them completed, else with 1." },
	{ "labels", NULL, JOBS, "JOB_ID", 1, 1, false, labels_options, labels_command,
	  "Change the name and the labels of a job",
	  "--label replaces all labels; --name alone keeps them; --clear removes them." },
	{ "hardware", NULL, JOBS, "", 0, 0, false, hardware_options, hardware_command,
	  "List flavors and prices", NULL },
	{ "devices", NULL, JOBS, "", 0, 0, false, devices_options, devices_command,
	  "List the accelerators of the server, how they are, and who has them", NULL },

	{ "usage", NULL, JOBS, "", 0, 0, false, usage_options, usage_command,
	  "Show the time and the money that jobs used",
	  "This month by flavor, if nothing else is asked for. Jobs that run count with what they have used so "
	  "far. Days are UTC; what ran over midnight has its share in each day." },

	{ "webhooks ls", "webhooks list", WEBHOOKS, "", 0, 0, false, token_options, webhooks_list_command,
	  "List your webhooks", NULL },
	{ "webhooks info", NULL, WEBHOOKS, "WEBHOOK_ID", 1, 1, false, token_options, webhooks_info_command,
	  "Show one webhook", NULL },
	{ "webhooks create", NULL, WEBHOOKS, "", 0, 0, false, webhook_body_options, webhooks_create_command,
	  "Call a URL, or start a job, when something changes",
	  "Needs --url or --job-id, and --watch or --jobs. The job's specification and secrets are copied now; "
	  "it gets WEBHOOK_PAYLOAD, WEBHOOK_REPO_ID, WEBHOOK_REPO_TYPE and WEBHOOK_SECRET." },
	{ "webhooks update", NULL, WEBHOOKS, "WEBHOOK_ID", 1, 1, false, webhook_body_options, webhooks_update_command,
	  "Change a webhook; what is not given stays", NULL },
	{ "webhooks enable", NULL, WEBHOOKS, "WEBHOOK_ID", 1, 1, false, token_options, webhooks_enable_command,
	  "Enable a webhook, also one that was suspended after failures", NULL },
	{ "webhooks disable", NULL, WEBHOOKS, "WEBHOOK_ID", 1, 1, false, token_options, webhooks_disable_command,
	  "Disable a webhook", NULL },
	{ "webhooks delete", "webhooks rm", WEBHOOKS, "WEBHOOK_ID", 1, 1, false, webhook_delete_options, webhooks_delete_command,
	  "Delete a webhook with its log", NULL },
	{ "webhooks log", NULL, WEBHOOKS, "WEBHOOK_ID", 1, 1, false, token_options, webhooks_log_command,
	  "List the last deliveries; --json shows requests and answers", NULL },
	{ "webhooks replay", NULL, WEBHOOKS, "WEBHOOK_ID DELIVERY_ID", 2, 2, false, token_options, webhooks_replay_command,
	  "Deliver a recorded event again", NULL },

	{ "scheduled run", NULL, SCHEDULES, "SCHEDULE IMAGE COMMAND...", 3, -1, true, scheduled_run_options, scheduled_run_command,
	  "Run a command in an image by the clock",
	  "SCHEDULE is @hourly, @daily, @weekly, @monthly, @yearly, or a cron expression of five to seven "
	  "fields, perhaps with a time zone: \"CRON_TZ=Europe/Paris 0 9 * * MON-FRI\". Times are UTC otherwise.\n"
	  "The label hearth.overlap (skip, allow, queue, replace) says what happens while the job before is "
	  "running, hearth.catch-up (latest, none, all, or a number) what happens to runs that were missed "
	  "while the server was down." },
	{ "scheduled uv run", NULL, SCHEDULES, "SCHEDULE SCRIPT [SCRIPT_ARGS]...", 2, -1, true, scheduled_uv_run_options, scheduled_uv_run_command,
	  "Run a Python script with uv by the clock",
	  "SCHEDULE as for hearth scheduled run, SCRIPT as for hearth uv run. Local files are sent once, now." },
	{ "scheduled ps", "scheduled list, scheduled ls", SCHEDULES, "", 0, 0, false, scheduled_list_options, scheduled_list_command,
	  "List schedules; -a for suspended ones too", NULL },
	{ "scheduled inspect", NULL, SCHEDULES, "SCHEDULE_IDS...", 1, -1, false, job_options, scheduled_inspect_command,
	  "Show everything about schedules, and their next five runs", NULL },
	{ "scheduled history", NULL, SCHEDULES, "SCHEDULE_ID", 1, 1, false, history_options, scheduled_history_command,
	  "Show what became of each run: ran, caught-up, triggered, waiting, skipped, missed or failed", NULL },
	{ "scheduled trigger", NULL, SCHEDULES, "SCHEDULE_ID", 1, 1, false, job_options, scheduled_trigger_command,
	  "Start the job of a schedule now", NULL },
	{ "scheduled suspend", NULL, SCHEDULES, "SCHEDULE_ID", 1, 1, false, job_options, scheduled_suspend_command,
	  "Suspend a schedule", NULL },
	{ "scheduled resume", NULL, SCHEDULES, "SCHEDULE_ID", 1, 1, false, job_options, scheduled_resume_command,
	  "Resume a schedule", NULL },
	{ "scheduled reschedule", NULL, SCHEDULES, "SCHEDULE_ID SCHEDULE", 2, 2, false, job_options, scheduled_reschedule_command,
	  "Change when a schedule runs", NULL },
	{ "scheduled labels", NULL, SCHEDULES, "SCHEDULE_ID", 1, 1, false, labels_options, scheduled_labels_command,
	  "Change the name and the labels of a schedule",
	  "--label replaces all labels; --name alone keeps them; --clear removes them. Labels that begin "
	  "with hearth. and say how the schedule behaves stay until they are set to something else." },
	{ "scheduled delete", NULL, SCHEDULES, "SCHEDULE_ID", 1, 1, false, job_options, scheduled_delete_command,
	  "Delete a schedule; jobs that it started go on", NULL },

	{ "image pull", NULL, IMAGES, "IMAGE", 1, 1, false, pull_options, image_pull_command,
	  "Have the server fetch an image", NULL },
	{ "image ls", "image list, images", IMAGES, "", 0, 0, false, token_options, image_list_command,
	  "List the server's images", NULL },
	{ "image inspect", NULL, IMAGES, "IMAGE", 1, 1, false, token_options, image_inspect_command,
	  "Show one image", NULL },
	{ "image rm", "image remove", IMAGES, "IMAGES...", 1, -1, false, token_options, image_remove_command,
	  "Remove images", NULL },
	{ "image prune", NULL, IMAGES, "", 0, 0, false, prune_options, image_prune_command,
	  "Remove images that no job uses", NULL },
	{ "image import", NULL, IMAGES, "FILE IMAGE", 2, 2, false, token_options, image_import_command,
	  "Put an archive into the image store",
	  "FILE is an OCI layout or docker save archive, or a tar of a root file system; - is standard "
	  "input. IMAGE is the name that jobs will use." },

	{ "bucket create", "buckets create", BUCKETS, "BUCKET", 1, 1, false, bucket_create_options, bucket_create_command,
	  "Create a bucket",
	  "BUCKET is NAME, NAMESPACE/NAME or hf://buckets/NAMESPACE/NAME." },
	{ "bucket ls", "bucket list, buckets ls, buckets list", BUCKETS, "[NAMESPACE|BUCKET[/PATH]]", 0, 1, false, bucket_list_options, bucket_list_command,
	  "List buckets, or files of a bucket", NULL },
	{ "bucket info", "buckets info", BUCKETS, "BUCKET", 1, 1, false, token_options, bucket_info_command,
	  "Show one bucket", NULL },
	{ "bucket cp", "buckets cp", BUCKETS, "SRC [DST]", 1, 2, false, token_options, bucket_copy_command,
	  "Copy a file into, out of, or between buckets",
	  "Files of buckets are hf://buckets/NAMESPACE/NAME/PATH; - is standard input or output." },
	{ "bucket sync", "buckets sync", BUCKETS, "[SOURCE DEST]", 0, 2, false, bucket_sync_options, bucket_sync_command,
	  "Bring a bucket up to date with a folder, or the other way",
	  "One of SOURCE and DEST is hf://buckets/NAMESPACE/NAME[/PATH], the other a folder. A file is "
	  "copied if its size differs or if the source is newer by more than a second." },
	{ "bucket rm", "bucket remove, buckets rm, buckets remove", BUCKETS, "BUCKET/PATH", 1, 1, false, bucket_remove_options, bucket_remove_command,
	  "Remove files from a bucket", NULL },
	{ "bucket mv", "bucket move, buckets mv, buckets move", BUCKETS, "FROM TO", 2, 2, false, token_options, bucket_move_command,
	  "Rename a bucket, or move it to another namespace", NULL },
	{ "bucket delete", "buckets delete", BUCKETS, "BUCKET", 1, 1, false, bucket_delete_options, bucket_delete_command,
	  "Delete a bucket with all its files", NULL },
	{ "bucket settings", "buckets settings", BUCKETS, "BUCKET", 1, 1, false, bucket_settings_options, bucket_settings_command,
	  "Make a bucket private or public", NULL },
	{ "bucket du", "buckets du", BUCKETS, "BUCKETS...", 1, -1, false, bucket_du_options, bucket_du_command,
	  "Show how much space files of buckets take", NULL },

	{ "login", NULL, ACCOUNTS, "", 0, 0, false, token_options, login_command,
	  "Check a token and keep it, for hf too",
	  "Asks for the token if --token does not give it. It is kept where hf keeps it: HF_TOKEN_PATH, "
	  "HF_HOME/token, or ~/.cache/huggingface/token." },
	{ "whoami", NULL, ACCOUNTS, "", 0, 0, false, token_options, whoami_command,
	  "Show who you are on the server", NULL },

	{ "admin user add", "admin user create", SERVER, "NAME", 1, 1, false, admin_options, admin_user_add_command,
	  "Create a user", NULL },
	{ "admin user ls", "admin user list", SERVER, "", 0, 0, false, admin_options, admin_user_list_command,
	  "List users", NULL },
	{ "admin user rm", "admin user remove", SERVER, "NAME", 1, 1, false, admin_options, admin_user_remove_command,
	  "Remove a user with their tokens", NULL },
	{ "admin org add", "admin org create", SERVER, "NAME", 1, 1, false, admin_options, admin_org_add_command,
	  "Create an organization", NULL },
	{ "admin org ls", "admin org list", SERVER, "[NAME]", 0, 1, false, admin_options, admin_org_list_command,
	  "List organizations, or the members of one", NULL },
	{ "admin org rm", "admin org remove", SERVER, "NAME", 1, 1, false, admin_options, admin_org_remove_command,
	  "Remove an organization", NULL },
	{ "admin org member", NULL, SERVER, "ORG USER ROLE", 3, 3, false, admin_options, admin_org_member_command,
	  "Set a member's role: admin, write, read, or none to remove", NULL },
	{ "admin token add", "admin token create", SERVER, "USER", 1, 1, false, admin_token_options, admin_token_add_command,
	  "Make a token for a user; it is shown once", NULL },
	{ "admin token ls", "admin token list", SERVER, "USER", 1, 1, false, admin_options, admin_token_list_command,
	  "List the tokens of a user, with their last use", NULL },
	{ "admin token revoke", "admin token rm", SERVER, "USER TOKEN", 2, 2, false, admin_options, admin_token_revoke_command,
	  "Revoke a token by its name or id", NULL },
	{ "admin usage", NULL, SERVER, "", 0, 0, false, admin_usage_options, admin_usage_command,
	  "Show the time and the money that everybody used, by namespace",
	  NULL },
	{ "admin credits grant", "admin credits add", SERVER, "NAMESPACE AMOUNT", 2, 2, false, admin_credits_options, admin_credits_grant_command,
	  "Give a user or organization credits in USD",
	  "Whoever was ever given credits can spend no more than them. Those that expire first are used first." },
	{ "admin credits ls", "admin credits list", SERVER, "NAMESPACE", 1, 1, false, admin_options, admin_credits_list_command,
	  "List credits, with what is left of each", NULL },
	{ "admin credits revoke", "admin credits rm", SERVER, "NAMESPACE CREDIT_ID", 2, 2, false, admin_options, admin_credits_revoke_command,
	  "Take back what is left of a credit", NULL },
	{ "admin budget show", NULL, SERVER, "NAMESPACE", 1, 1, false, admin_options, admin_budget_show_command,
	  "Show the monthly budget of a user or organization", NULL },
	{ "admin budget set", NULL, SERVER, "NAMESPACE", 1, 1, false, admin_budget_options, admin_budget_set_command,
	  "Set the monthly budget of a user or organization",
	  "At 80 % webhooks are told (budget-80), at 100 % its jobs are cancelled. --monthly 0 allows only what is free." },

	{ "admin queue hold", NULL, SERVER, "JOB_ID", 1, 1, false, admin_options, admin_queue_hold_command,
	  "Hold any waiting job; its owner cannot release it", NULL },
	{ "admin queue release", NULL, SERVER, "JOB_ID", 1, 1, false, admin_options, admin_queue_release_command,
	  "Release a job, whoever holds it", NULL },
	{ "admin queue first", NULL, SERVER, "JOB_ID", 1, 1, false, admin_options, admin_queue_first_command,
	  "Put a waiting job before all others", NULL },
	{ "admin queue last", NULL, SERVER, "JOB_ID", 1, 1, false, admin_options, admin_queue_last_command,
	  "Put a waiting job behind all others", NULL },
	{ "admin queue normal", NULL, SERVER, "JOB_ID", 1, 1, false, admin_options, admin_queue_normal_command,
	  "Undo first or last", NULL },
	{ "admin queue priority", NULL, SERVER, "JOB_ID N", 2, 2, false, admin_options, admin_queue_priority_command,
	  "Set the priority of a job, -100 to 100", "For a negative number: hearth admin queue priority -- JOB_ID -10" },
	{ "admin limits ls", "admin limits list", SERVER, "", 0, 0, false, admin_options, admin_limits_list_command,
	  "List all limits that were set", NULL },
	{ "admin limits show", NULL, SERVER, "NAME", 1, 1, false, admin_limits_options, admin_limits_show_command,
	  "Show the limits of a namespace, a user or a resource group", NULL },
	{ "admin limits set", NULL, SERVER, "NAME", 1, 1, false, admin_limits_set_options, admin_limits_set_command,
	  "Set limits of a namespace, a user or a resource group",
	  "Without --user and --group of the namespace NAME, whoever submits there. What is not given stays." },
	{ "admin group add", "admin group create, admin groups add, admin groups create", SERVER, "NAMESPACE NAME", 2, 2, false, admin_options, admin_group_add_command,
	  "Create a resource group in an organization", NULL },
	{ "admin group ls", "admin group list, admin groups ls, admin groups list", SERVER, "NAMESPACE", 1, 1, false, admin_options, admin_group_list_command,
	  "List the resource groups of an organization", NULL },
	{ "admin group rm", "admin group remove, admin groups rm, admin groups remove", SERVER, "NAMESPACE NAME", 2, 2, false, admin_options, admin_group_remove_command,
	  "Remove a resource group, by name or id", NULL },

	{ "completion", NULL, SHELL, "bash|zsh|fish", 1, 1, false, only_help_options, completion_command,
	  "Print the completion script of a shell",
	  "For example: source <(hearth completion bash)" },
	{ "manual", NULL, SHELL, "", 0, 0, false, only_help_options, manual_command,
	  "Print the manual page hearth.1 as troff",
	  "For example: hearth manual | man -l -" },

	{ "ssh", NULL, LATER, "JOB_ID", 0, -1, true, only_help_options, later_command,
	  "Open an SSH session into a job", NULL },
	{ 0 },
};
/* clang-format on */
