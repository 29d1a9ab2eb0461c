/* SPDX-License-Identifier: Apache-2.0 */
/* The options of each command: rows that several commands share are macros. */
#include "cli/command_options.h"

#include <stddef.h>

#define STAGES "running scheduling completed error canceled deleted"
#define FLAVORS                                                                                    \
	"cpu-basic cpu-upgrade cpu-performance cpu-xl t4-small l4x1 a10g-small a100-large h200"

#define JOB_EVENTS                                                                                 \
	"all started completed failed canceled held released timeout-soon idle budget-80 "         \
	"budget-100 schedule-missed"
#define JOB_EVENTS_HELP                                                                            \
	"started, completed, failed, canceled, held, released, timeout-soon, idle, budget-80, "    \
	"budget-100, "                                                                             \
	"schedule-missed with commas"

/* clang-format off */
#define HELP \
	{ "help", 'h', OPTION_FLAG, .help = "Show this and exit" }

#define OUTPUT_AT(first) \
	{ "format", 0, OPTION_TEXT, "MODE", "auto human agent json quiet", first, \
	  "auto, human, agent (plain, tab-separated), json, or quiet (ids only)" }, \
	{ "json", 0, OPTION_FLAG, .only_first = first, .help = "The same as --format json" }, \
	{ "quiet", 'q', OPTION_FLAG, .only_first = first, .help = "The same as --format quiet" }

#define OUTPUT \
	OUTPUT_AT(false), \
	{ "no-truncate", 0, OPTION_FLAG, .help = "Show cells of tables in full" }

#define TOKEN \
	{ "token", 0, OPTION_TEXT, "TOKEN", .help = "Token to use instead of HF_TOKEN or the token file" }

#define ACCOUNT \
	{ "namespace", 0, OPTION_TEXT, "NAME", .help = "User or organization; you, if not given" }, \
	TOKEN

#define SOCKET \
	{ "socket", 0, OPTION_TEXT, "PATH", "file", \
	  .help = "The server's socket; HEARTH_SOCKET or /var/lib/hearth/hearth.sock if not given" }

#define NAME_AND_LABELS \
	{ "name", 0, OPTION_TEXT, "NAME", .help = "Name of the job, kept as the label `name`" }, \
	{ "label", 'l', OPTION_TEXT, "KEY=VALUE", .help = "Label, or KEY alone for an empty value; repeatable" }

#define RUN_WHAT \
	{ "env", 'e', OPTION_TEXT, "KEY=VALUE", .help = "Environment variable, or KEY alone for its value here; repeatable" }, \
	{ "secrets", 's', OPTION_TEXT, "KEY=VALUE", .help = "The same for values that nobody sees again; HF_TOKEN alone is your token" }, \
	{ "env-file", 0, OPTION_TEXT, "FILE", "file", .help = "Environment variables from a file of KEY=VALUE lines; - is standard input" }, \
	{ "secrets-file", 0, OPTION_TEXT, "FILE", "file", .help = "Secrets from such a file" }, \
	NAME_AND_LABELS, \
	{ "volume", 'v', OPTION_TEXT, "SOURCE:PATH", .help = "Mount hf://[models|datasets|spaces|buckets/]OWNER/NAME[@REVISION][/PATH]:/MOUNT[:ro|:rw], or a copy of a local folder, FOLDER:/MOUNT[:ro|:rw]; repeatable" }, \
	{ "flavor", 0, OPTION_TEXT, "NAME", FLAVORS, .help = "Size of hardware (see hearth hardware); cpu-basic if not given" }, \
	{ "timeout", 0, OPTION_TEXT, "TIME", .help = "Longest run: seconds, or a number with s, m, h or d (90, 30m, 1.5h)" }

#define RUN_WHO \
	{ "resource-group-id", 0, OPTION_TEXT, "ID", .help = "Resource group of the organization" }, \
	{ "attempts", 0, OPTION_INTEGER, "N", .only_first = true, .help = "Run up to N times while it fails; only before the first argument" }, \
	{ "array", 0, OPTION_TEXT, "A-B", .only_first = true, .help = "One job per number from A to B, in HEARTH_ARRAY_INDEX; these options only before the first argument" }, \
	{ "array-max", 0, OPTION_TEXT, "N", .only_first = true, .help = "At most N of them at once" }, \
	{ "array-retry", 0, OPTION_TEXT, "JOB_ID", .only_first = true, .help = "Only those jobs of another array that did not complete" }, \
	{ "priority", 0, OPTION_TEXT, "P", "high normal low", .only_first = true, .help = "Place in the queue: high, normal, low, or -100 to 100" }, \
	{ "after", 0, OPTION_TEXT, "JOB_ID", .only_first = true, .help = "Run when this job has completed; repeatable" }, \
	{ "hold", 0, OPTION_FLAG, .only_first = true, .help = "Wait until hearth queue release" }, \
	{ "retry", 0, OPTION_TEXT, "CAUSES", .only_first = true, .help = "With --attempts: only after exit, exit-N, signal, oom, storage, lost or timeout (a list with commas); any, none" }, \
	{ "retry-delay", 0, OPTION_TEXT, "TIME", .only_first = true, .help = "Pause before the second attempt; it doubles with each further one" }, \
	{ "warning", 0, OPTION_TEXT, "TIME", .only_first = true, .help = "So long before its time limit the command gets a signal, USR1" }, \
	{ "grace", 0, OPTION_TEXT, "TIME", .only_first = true, .help = "Time between SIGTERM and SIGKILL" }, \
	ACCOUNT, \
	OUTPUT_AT(true), \
	HELP

#define RUN \
	RUN_WHAT, \
	{ "detach", 'd', OPTION_FLAG, .help = "Do not follow the job: print its id and return" }, \
	{ "expose", 0, OPTION_INTEGER, "PORT", .help = "Make a port of the job reachable; repeatable" }, \
	{ "ssh", 0, OPTION_FLAG, .help = "Allow SSH sessions into the job" }, \
	RUN_WHO

#define SCHEDULED_RUN \
	RUN_WHAT, \
	{ "expose", 0, OPTION_INTEGER, "PORT", .help = "Make a port of the job reachable; repeatable" }, \
	{ "suspend", 0, OPTION_FLAG, .help = "Create it suspended" }, \
	{ "no-suspend", 0, OPTION_FLAG, .help = "Create it active; this is so if neither is given" }, \
	{ "concurrency", 0, OPTION_FLAG, .help = "Start a job also while the one before is running" }, \
	{ "no-concurrency", 0, OPTION_FLAG, .help = "Leave such a run out; this is so if neither is given" }, \
	RUN_WHO

const struct option_row run_options[] = { RUN, { 0 } };

const struct option_row uv_run_options[] = {
	{ "image", 0, OPTION_TEXT, "IMAGE", .help = "Image that has uv; ghcr.io/astral-sh/uv:python3.12-bookworm if not given" },
	{ "with", 0, OPTION_TEXT, "PACKAGE", .help = "Install this package first; repeatable" },
	{ "python", 'p', OPTION_TEXT, "VERSION", .help = "Python to use" },
	RUN, { 0 } };

const struct option_row scheduled_run_options[] = { SCHEDULED_RUN, { 0 } };

const struct option_row scheduled_uv_run_options[] = {
	{ "image", 0, OPTION_TEXT, "IMAGE", .help = "Image that has uv; ghcr.io/astral-sh/uv:python3.12-bookworm if not given" },
	{ "with", 0, OPTION_TEXT, "PACKAGE", .help = "Install this package first; repeatable" },
	{ "python", 'p', OPTION_TEXT, "VERSION", .help = "Python to use" },
	SCHEDULED_RUN, { 0 } };

const struct option_row scheduled_list_options[] = {
	{ "all", 'a', OPTION_FLAG, .help = "Suspended ones too" },
	{ "status", 0, OPTION_TEXT, "STATUS", "active suspended", .help = "Only active or only suspended ones: a list with commas, or repeated" },
	{ "label", 'l', OPTION_TEXT, "KEY=VALUE", .help = "Only schedules with this label; repeated: with all of them" },
	{ "name", 0, OPTION_TEXT, "NAME", .help = "Only schedules of this name" },
	{ "filter", 'f', OPTION_TEXT, "KEY=PATTERN", .help = "Only those whose id, name, image, command or suspend fits a shell pattern; != negates; repeatable" },
	ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row history_options[] = {
	{ "limit", 0, OPTION_INTEGER, "N", .help = "At most N ticks; 100 if not given, 0 is all" },
	ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row list_options[] = {
	{ "all", 'a', OPTION_FLAG, .help = "Finished jobs too" },
	{ "status", 0, OPTION_TEXT, "STAGE", STAGES, .help = "Only jobs in these stages: a list with commas, or repeated" },
	{ "label", 'l', OPTION_TEXT, "KEY=VALUE", .help = "Only jobs with this label; repeated: with all of them" },
	{ "name", 0, OPTION_TEXT, "NAME", .help = "Only jobs of this name" },
	{ "limit", 0, OPTION_INTEGER, "N", .help = "At most N jobs; 100 if not given, 0 is all" },
	{ "filter", 'f', OPTION_TEXT, "TEXT", .help = "Ignored, for old scripts" },
	ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row logs_options[] = {
	{ "follow", 'f', OPTION_FLAG, .help = "Go on until the job is over" },
	{ "tail", 'n', OPTION_INTEGER, "N", .help = "Only the last N lines, then what is new" },
	{ "element", 0, OPTION_INTEGER, "N", .help = "The log of one job of an array" },
	ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row job_options[] = { ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row stats_options[] = {
	{ "follow", 'f', OPTION_FLAG, .help = "Go on until the jobs are over; this is always so" },
	{ "history", 0, OPTION_FLAG, .help = "What one job has used since its start, also after its end" },
	{ "step", 0, OPTION_INTEGER, "SECONDS", .help = "With --history: samples at most so far apart" },
	{ "attempt", 0, OPTION_INTEGER, "N", .help = "With --history: of this attempt; the last one if not given" },
	ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row extend_options[] = {
	{ "to", 0, OPTION_TEXT, "TIME", .help = "The new time limit, counted from the start of the job; may be shorter" },
	ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row wait_options[] = {
	{ "timeout", 0, OPTION_TEXT, "TIME", .help = "Give up after that long: seconds, or a whole number with s, m, h, d, w, mo or y" },
	ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row labels_options[] = {
	NAME_AND_LABELS,
	{ "clear", 0, OPTION_FLAG, .help = "Remove all labels" },
	ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row queue_options[] = {
	{ "limit", 0, OPTION_INTEGER, "N", .help = "At most N jobs; 100 if not given" },
	TOKEN, OUTPUT, HELP, { 0 } };

const struct option_row devices_options[] = { TOKEN, OUTPUT, HELP, { 0 } };
const struct option_row hardware_options[] = { OUTPUT, HELP, { 0 } };
const struct option_row token_options[] = { TOKEN, OUTPUT, HELP, { 0 } };
const struct option_row only_help_options[] = { HELP, { 0 } };

const struct option_row pull_options[] = {
	{ "arch", 0, OPTION_TEXT, "ARCH", "amd64 arm64", .help = "amd64 or arm64" },
	TOKEN, OUTPUT, HELP, { 0 } };

const struct option_row prune_options[] = {
	{ "keep", 0, OPTION_TEXT, "SIZE", .help = "Stop once the store is not larger than this, for example 20G" },
	TOKEN, OUTPUT, HELP, { 0 } };

#define FILTERS \
	{ "include", 0, OPTION_TEXT, "PATTERN", .help = "Only files that match; repeatable" }, \
	{ "exclude", 0, OPTION_TEXT, "PATTERN", .help = "No files that match; repeatable" }

#define YES { "yes", 'y', OPTION_FLAG, .help = "Do not ask" }
#define HELP_LONG { "help", 0, OPTION_FLAG, .help = "Show this and exit" }
#define READABLE { "human-readable", 'h', OPTION_FLAG, .help = "Sizes for people: 1.2 MB" }

const struct option_row bucket_create_options[] = {
	{ "private", 0, OPTION_FLAG, .help = "Only for those who may read the namespace" },
	{ "exist-ok", 0, OPTION_FLAG, .help = "It may exist already" },
	{ "region", 0, OPTION_TEXT, "REGION", "us eu", .help = "Ignored, for scripts written for the Hub" },
	TOKEN, OUTPUT, HELP, { 0 } };

const struct option_row bucket_list_options[] = {
	READABLE,
	{ "tree", 0, OPTION_FLAG, .help = "Files as a tree" },
	{ "recursive", 'R', OPTION_FLAG, .help = "Files in folders, too" },
	{ "search", 0, OPTION_TEXT, "TEXT", .help = "Only buckets whose name contains this" },
	TOKEN, OUTPUT, HELP_LONG, { 0 } };

const struct option_row bucket_du_options[] = { READABLE, TOKEN, OUTPUT, HELP_LONG, { 0 } };

const struct option_row bucket_remove_options[] = {
	{ "recursive", 'R', OPTION_FLAG, .help = "All files below the path" },
	YES,
	{ "dry-run", 0, OPTION_FLAG, .help = "Only say what would be removed" },
	FILTERS, TOKEN, OUTPUT, HELP, { 0 } };

const struct option_row bucket_delete_options[] = {
	YES,
	{ "missing-ok", 0, OPTION_FLAG, .help = "It need not exist" },
	TOKEN, OUTPUT, HELP, { 0 } };

const struct option_row bucket_settings_options[] = {
	{ "private", 0, OPTION_FLAG, .help = "Only for those who may read the namespace" },
	{ "public", 0, OPTION_FLAG, .help = "For everybody" },
	TOKEN, OUTPUT, HELP, { 0 } };

const struct option_row bucket_sync_options[] = {
	{ "delete", 0, OPTION_FLAG, .help = "Delete files of the destination that the source does not have" },
	{ "no-delete", 0, OPTION_FLAG, .help = "Do not; this is the default" },
	{ "ignore-times", 0, OPTION_FLAG, .help = "Compare sizes only" },
	{ "ignore-sizes", 0, OPTION_FLAG, .help = "Compare modification times only" },
	{ "plan", 0, OPTION_TEXT, "FILE", "file", .help = "Save what would be done, as JSON lines, instead of doing it" },
	{ "apply", 0, OPTION_TEXT, "FILE", "file", .help = "Do what such a file says" },
	{ "dry-run", 0, OPTION_FLAG, .help = "Print what would be done, as JSON lines" },
	FILTERS,
	{ "filter-from", 0, OPTION_TEXT, "FILE", "file", .help = "Patterns from a file: lines with + or - in front" },
	{ "existing", 0, OPTION_FLAG, .help = "Only update files that the destination has" },
	{ "ignore-existing", 0, OPTION_FLAG, .help = "Only create files that the destination does not have" },
	{ "verbose", 'v', OPTION_FLAG, .help = "Say what happens to each file and why" },
	TOKEN, OUTPUT, HELP, { 0 } };

#define USAGE_WHAT \
	{ "by", 0, OPTION_TEXT, "WHAT", "flavor user day month label group namespace job", .help = "flavor, user, day, month, label, group, namespace, or job: one line per attempt" }, \
	{ "label", 'l', OPTION_TEXT, "KEY", .help = "Sum up by the values of this label" }, \
	{ "from", 0, OPTION_TEXT, "DATE", .help = "First day, such as 2026-05-01 (UTC); the first of this month if not given" }, \
	{ "to", 0, OPTION_TEXT, "DATE", .help = "Last day; today if not given" }, \
	{ "csv", 0, OPTION_FLAG, .help = "As comma-separated values, for spreadsheets" }

const struct option_row usage_options[] = { USAGE_WHAT, ACCOUNT, OUTPUT, HELP, { 0 } };

const struct option_row admin_usage_options[] = {
	USAGE_WHAT,
	{ "namespace", 0, OPTION_TEXT, "NAME", .help = "User or organization; all, if not given" },
	SOCKET, OUTPUT, HELP, { 0 } };

const struct option_row admin_credits_options[] = {
	{ "expires", 0, OPTION_TEXT, "WHEN", .help = "Last day (2026-12-31) or time from now (30d); never if not given" },
	{ "note", 0, OPTION_TEXT, "TEXT", .help = "What it is for" },
	SOCKET, OUTPUT, HELP, { 0 } };

const struct option_row admin_budget_options[] = {
	{ "monthly", 0, OPTION_TEXT, "USD", "default", .help = "What may be spent in a month; default: as the settings say" },
	{ "unlimited", 0, OPTION_TEXT, "WHETHER", "yes no default", .help = "yes: neither budget nor credits limit it" },
	SOCKET, OUTPUT, HELP, { 0 } };

const struct option_row admin_options[] = { SOCKET, OUTPUT, HELP, { 0 } };

const struct option_row admin_limits_options[] = {
	{ "user", 0, OPTION_FLAG, .help = "NAME is a user, in all namespaces together" },
	{ "group", 0, OPTION_FLAG, .help = "NAME is the id of a resource group" },
	SOCKET, OUTPUT, HELP, { 0 } };

const struct option_row admin_limits_set_options[] = {
	{ "max-running", 0, OPTION_TEXT, "N", .help = "Jobs at once; none, 0 for nothing, or default for the setting" },
	{ "max-queued", 0, OPTION_TEXT, "N", .help = "Jobs that may wait; none, 0 or default" },
	{ "max-devices", 0, OPTION_TEXT, "N", .help = "Accelerators at once; none, 0 or default" },
	{ "max-priority", 0, OPTION_TEXT, "N", .help = "Highest priority, -100 to 100; jobs that ask for none get no more; default" },
	{ "weight", 0, OPTION_TEXT, "N", .help = "Share of the machine: 100 is normal, 200 twice as much; 1 to 1000; default" },
	{ "user", 0, OPTION_FLAG, .help = "NAME is a user, in all namespaces together" },
	{ "group", 0, OPTION_FLAG, .help = "NAME is the id of a resource group" },
	SOCKET, OUTPUT, HELP, { 0 } };

const struct option_row admin_token_options[] = {
	{ "name", 0, OPTION_TEXT, "NAME", .help = "What the token is called; default if not given" },
	{ "role", 0, OPTION_TEXT, "ROLE", "read write", .help = "read or write; write if not given" },
	SOCKET, OUTPUT, HELP, { 0 } };

#define WEBHOOK_BODY \
	{ "watch", 0, OPTION_TEXT, "TYPE:NAME", .help = "Watch model, dataset, space, bucket or kernel OWNER/NAME, or a user or org; repeatable" }, \
	{ "url", 0, OPTION_TEXT, "URL", .help = "Where events are sent" }, \
	{ "job-id", 0, OPTION_TEXT, "ID", .help = "The job that events start again, in place of a URL" }, \
	{ "domain", 0, OPTION_TEXT, "NAME", "repo discussion", .help = "repo or discussion; repeatable, both if not given" }, \
	{ "secret", 0, OPTION_TEXT, "TEXT", .help = "Sent along, and the key of the signature" }, \
	{ "secrets", 's', OPTION_TEXT, "KEY=VALUE", .help = "Secrets for the job, or KEY alone for its value here; repeatable" }, \
	{ "secrets-file", 0, OPTION_TEXT, "FILE", "file", .help = "Secrets for the job from a file of KEY=VALUE lines" }, \
	{ "jobs", 0, OPTION_TEXT, "EVENTS", JOB_EVENTS, .help = "Be told about jobs: all, or a list of " JOB_EVENTS_HELP }, \
	{ "name", 0, OPTION_TEXT, "NAME", .help = "With --jobs: only jobs of this name" }, \
	{ "label", 'l', OPTION_TEXT, "KEY=VALUE", .help = "With --jobs: only jobs with this label; repeatable" }, \
	{ "namespace", 0, OPTION_TEXT, "NAME", .help = "With --jobs: whose jobs; yours, if not given" }, \
	TOKEN, OUTPUT, HELP

const struct option_row webhook_body_options[] = { WEBHOOK_BODY, { 0 } };

const struct option_row webhook_delete_options[] = {
	{ "yes", 'y', OPTION_FLAG, .help = "Do not ask" },
	TOKEN, OUTPUT, HELP, { 0 } };
/* clang-format on */
