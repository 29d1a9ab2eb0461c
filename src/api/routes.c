/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of what Hearth answers over HTTP. Each row carries who may call it and what it
 * means, so that the check of rights and /openapi.json cannot drift from the code. To add a route:
 * one row here, one prototype in handlers.h, one function in the file of the resource.
 */
#include "api/api.h"
#include "api/handlers.h"
#include "api/route_queries.h"
#include "api/routes.h"
#include "hub/shard.h"
#include "hub/xorb.h"

#define KIB ((int64_t)1024)
#define JOB_BODY_MAX (4 * 1024 * KIB) /* hub-jobs-api, section 11, row 39 */
#define SMALL_BODY_MAX (64 * KIB)
#define HUB_BODY_MAX (16 * 1024 * KIB)
#define BATCH_BODY_MAX (16 * 1024 * KIB)
#define EVENT_BODY_MAX (1024 * KIB)

#define JOB "/api/jobs/{ns}/{id}"
#define BUCKET "/api/buckets/{ns}/{name}"
#define CAS "/xet/{epoch}/{domain}"
#define WEBHOOKS "/api/settings/webhooks"
#define SCHEDULE "/api/scheduled-jobs/{ns}/{id}"
/* clang-format off */
#define ROW(method_, pattern_, handler_, max_body_, ...) \
	{.method = (method_), .pattern = (pattern_), .handler = (handler_), .max_body = (max_body_), \
	 .more = &(const struct route_doc){__VA_ARGS__}}
#define SPOOLED_ROW(method_, pattern_, handler_, ...) \
	{.method = (method_), .pattern = (pattern_), .handler = (handler_), .max_body = -1, .spool = true, \
	 .more = &(const struct route_doc){__VA_ARGS__}}

#define LIMITED_ROW(method_, pattern_, handler_, max_body_, ...) \
	{.method = (method_), .pattern = (pattern_), .handler = (handler_), .max_body = (max_body_), .spool = true, \
	 .more = &(const struct route_doc){__VA_ARGS__}}

static const struct http_route routes[] = {
	/* Jobs */
	ROW("GET", "/api/jobs/hardware", hardware_list, 0,
		RIGHT_ANONYMOUS, "jobs", "List the flavors of hardware, with prices per minute",
		.description = "Those that the caller may use; without a token, those that everyone may.", .answer = "HardwareList"),
	ROW("POST", "/api/jobs/{ns}", jobs_create, JOB_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "Submit a job; the answer means that it is on disk",
		.description = "With the header Idempotency-Key (or the label hearth.idempotency-key) a repeated submission "
			"answers with the job that the first one made; the same key with another request is 409.",
		.body = "JobRequest", .answer = "Job"),
	ROW("GET", "/api/jobs/{ns}", jobs_list, 0,
		RIGHT_NAMESPACE_READ, "jobs", "List jobs, newest first; the header Link names the next page",
		.query = list_query, .answer = "JobList"),
	ROW("GET", "/api/jobs/{ns}/count", jobs_count_matching, 0,
		RIGHT_NAMESPACE_READ, "jobs", "Count jobs", .query = count_query, .answer = "Count"),
	ROW("POST", "/api/jobs/{ns}/auth-check/read", jobs_auth_check, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_READ, "jobs", "May the caller read jobs of the namespace?", .answer = "AuthCheck"),
	ROW("POST", "/api/jobs/{ns}/auth-check/write", jobs_auth_check, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "May the caller write jobs of the namespace?", .answer = "AuthCheck"),
	ROW("GET", JOB, jobs_inspect, 0,
		RIGHT_NAMESPACE_READ, "jobs", "Show one job", .answer = "Job"),
	ROW("POST", JOB "/cancel", jobs_cancel, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "Cancel a job; one that has ended stays as it is", .answer = "Job"),
	ROW("POST", JOB "/duplicate", jobs_duplicate, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "Submit the same job again, secrets included", .answer = "Job"),
	ROW("PUT", JOB "/labels", jobs_put_labels, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "Replace all labels of a job", .body = "LabelsRequest", .answer = "Job"),
	ROW("POST", JOB "/extend", jobs_extend, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "Give a job that is not over more time, or another time limit",
		.description = "seconds is added to the time limit; timeoutSeconds is a new one, counted from the start of the job, "
			"and may be shorter. 409 when the job is over, has reached its limit, or the new limit has passed already.",
		.body = "ExtendRequest", .answer = "Job"),
	ROW("PUT", JOB "/expose", not_built_expose, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "Not built yet: change the exposed ports", .status = "501"),
	ROW("POST", JOB "/auth-check/read", jobs_auth_check_job, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_READ, "jobs", "May the caller read this job?", .answer = "AuthCheck"),
	ROW("POST", JOB "/auth-check/write", jobs_auth_check_job, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "May the caller write this job?", .answer = "AuthCheck"),
	ROW("GET", JOB "/logs", logs_follow, 0,
		RIGHT_NAMESPACE_READ, "jobs", "Follow the log as server-sent events; ends when the job has ended",
		.query = logs_query, .answer = "text/event-stream"),
	ROW("GET", JOB "/metrics", metrics_stream_follow, 0,
		RIGHT_NAMESPACE_READ, "jobs", "Follow CPU, memory and network use, once a second, as server-sent events",
		.answer = "text/event-stream"),
	ROW("GET", JOB "/metrics/history", metrics_history_show, 0,
		RIGHT_NAMESPACE_READ, "jobs", "What a job has used since its start, also after its end",
		.description = "Kept for the last hour by the second, for a day by 15 seconds, a week by 2 minutes and 72 days by the "
			"hour: averages of rates and utilization, maxima of memory and storage.",
		.query = metrics_history_query, .answer = "MetricsHistory"),
	ROW("GET", JOB "/events", events_stream_follow, 0,
		RIGHT_NAMESPACE_READ, "jobs", "Follow the state of a job as server-sent events", .answer = "text/event-stream"),

	ROW("POST", JOB "/hold", queue_hold_job, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "Keep a waiting job from being started", .answer = "Job",
		.description = "409 when the job does not wait. The label hearth.hold of a submission does the same."),
	ROW("POST", JOB "/release", queue_release_job, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "jobs", "Release a job that is held; 403 when an admin holds it", .answer = "Job"),
	ROW("GET", "/api/queue", queue_list, 0,
		RIGHT_USER, "jobs", "The queue, in the order in which it is served; held jobs last",
		.description = "Everyone sees the order of all jobs, and nothing of what they are: no names, images, commands or labels.",
		.query = queue_query, .answer = "Queue"),

	ROW("GET", "/api/devices", devices_list, 0,
		RIGHT_USER, "jobs", "The accelerators of this machine, how they are, and who has them",
		.description = "`jobs` names those of namespaces that the caller may read; a device with `busy` and no jobs is somebody "
			"else's.",
		.answer = "DeviceList"),

	/* Schedules */
	ROW("POST", "/api/scheduled-jobs/{ns}", schedules_create, JOB_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "schedules", "Create a schedule",
		.description = "schedule is [CRON_TZ=ZONE ] and then @hourly, @daily, @weekly, @monthly, @yearly, @annually, or five "
			"to seven fields: [second] minute hour day-of-month month day-of-week [year]. The labels hearth.catch-up "
			"(latest, none, all, N) and hearth.overlap (skip, allow, queue, replace) say what happens to late and early "
			"ticks.",
		.body = "ScheduleRequest", .answer = "Schedule"),
	ROW("GET", "/api/scheduled-jobs/{ns}", schedules_list, 0,
		RIGHT_NAMESPACE_READ, "schedules", "List all schedules, newest first", .query = schedules_query,
		.answer = "ScheduleList"),
	ROW("GET", SCHEDULE, schedules_inspect, 0,
		RIGHT_NAMESPACE_READ, "schedules", "Show one schedule, with its next runs", .answer = "Schedule"),
	ROW("DELETE", SCHEDULE, schedules_delete, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "schedules", "Delete a schedule; jobs that it started go on"),
	ROW("POST", SCHEDULE "/suspend", schedules_suspend, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "schedules", "Suspend a schedule", .answer = "Schedule"),
	ROW("POST", SCHEDULE "/resume", schedules_resume, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "schedules", "Resume a schedule; what was due meanwhile is not made up for",
		.answer = "Schedule"),
	ROW("POST", SCHEDULE "/run", schedules_trigger, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "schedules", "Start the job of a schedule now; 409 when one is running and no other may",
		.answer = "Job"),
	ROW("PUT", SCHEDULE "/labels", schedules_put_labels, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "schedules", "Replace all labels of a schedule, for its future jobs",
		.body = "LabelsRequest", .answer = "Schedule"),
	ROW("POST", SCHEDULE "/schedule", schedules_put_expression, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "schedules", "Change when a schedule runs", .body = "ExpressionRequest",
		.answer = "Schedule"),
	ROW("GET", SCHEDULE "/history", schedules_history, 0,
		RIGHT_NAMESPACE_READ, "schedules", "What became of each tick, newest first (an extension of Hearth)",
		.query = history_query, .answer = "TickList"),

	/* Who is who */
	ROW("GET", "/api/whoami-v2", whoami_show, 0,
		RIGHT_USER, "accounts", "Show the user and the organizations behind the token", .answer = "WhoAmI"),
	ROW("GET", "/api/agent-harnesses", whoami_agent_harnesses, 0,
		RIGHT_ANONYMOUS, "accounts", "What the Python client asks first; always empty"),

	/* Webhooks */
	ROW("GET", WEBHOOKS, webhooks_list, 0,
		RIGHT_USER, "webhooks", "List your webhooks", .answer = "WebhookList"),
	ROW("POST", WEBHOOKS, webhooks_create, JOB_BODY_MAX,
		RIGHT_USER, "webhooks", "Create a webhook: what is watched, and a URL or a job",
		.description = "The member `jobs` is an extension of Hearth: with it the webhook is told about jobs too, signed in "
			"the header X-Hearth-Signature (t=TIME,v1=HMAC-SHA256 of \"TIME.BODY\" with the secret).",
		.body = "WebhookRequest", .answer = "WebhookAnswer"),
	ROW("GET", WEBHOOKS "/{id}", webhooks_show, 0,
		RIGHT_USER, "webhooks", "Show one webhook", .answer = "WebhookAnswer"),
	ROW("POST", WEBHOOKS "/{id}", webhooks_update, JOB_BODY_MAX,
		RIGHT_USER, "webhooks", "Change a webhook; what is omitted or [] stays", .body = "WebhookRequest",
		.answer = "WebhookAnswer"),
	ROW("DELETE", WEBHOOKS "/{id}", webhooks_delete, SMALL_BODY_MAX,
		RIGHT_USER, "webhooks", "Delete a webhook with its log"),
	ROW("POST", WEBHOOKS "/{id}/enable", webhooks_enable, SMALL_BODY_MAX,
		RIGHT_USER, "webhooks", "Enable a webhook; what still waited is delivered", .answer = "WebhookAnswer"),
	ROW("POST", WEBHOOKS "/{id}/disable", webhooks_disable, SMALL_BODY_MAX,
		RIGHT_USER, "webhooks", "Disable a webhook", .answer = "WebhookAnswer"),
	ROW("GET", WEBHOOKS "/{id}/deliveries", webhooks_deliveries, 0,
		RIGHT_USER, "webhooks", "Show the deliveries, newest first, with request and response",
		.description = "What waits, and the last 100 that are over. The payloads of older ones are left out when they are very long.",
		.query = deliveries_query, .answer = "DeliveryList"),
	ROW("POST", WEBHOOKS "/{id}/replay/{log}", webhooks_replay, SMALL_BODY_MAX,
		RIGHT_USER, "webhooks", "Deliver the recorded payload again, to the present target", .answer = "Replayed"),
	ROW("POST", "/api/webhooks/ingest", webhooks_ingest, EVENT_BODY_MAX,
		RIGHT_INGEST, "webhooks", "The address to enter as the URL of a webhook on a real Hub",
		.description = "X-Webhook-Secret must be the text of the file named by webhooks.ingest_secret_file. The same event "
			"told again is accepted and does nothing.",
		.body = "Event", .answer = "Accepted"),
	ROW("POST", "/api/webhooks/announce", webhooks_announce, EVENT_BODY_MAX,
		RIGHT_USER, "webhooks", "Announce a change of a repository in a namespace where you may write",
		.description = "For mirrors and CI: a payload of version 3 in the Hub's form. An Idempotency-Key names the event.",
		.body = "Event", .answer = "Accepted"),

	/* Buckets */
	ROW("GET", "/api/buckets/{ns}", buckets_list, 0,
		RIGHT_BUCKET_LIST, "buckets", "List the buckets of a namespace, by name; the header Link names the next page",
		.query = bucket_list_query, .answer = "BucketList"),
	ROW("POST", BUCKET, buckets_post, SMALL_BODY_MAX,
		RIGHT_NAMESPACE_WRITE, "buckets", "Create a bucket; 409 names the one that exists",
		.body = "BucketRequest", .answer = "NewBucket"),
	ROW("GET", BUCKET, buckets_show, 0,
		RIGHT_BUCKET_READ, "buckets", "Show one bucket", .answer = "Bucket"),
	ROW("DELETE", BUCKET, buckets_delete, SMALL_BODY_MAX,
		RIGHT_BUCKET_WRITE, "buckets", "Delete a bucket with its files; 409 while a job has it mounted"),
	ROW("PUT", BUCKET "/settings", buckets_settings, SMALL_BODY_MAX,
		RIGHT_BUCKET_WRITE, "buckets", "Make a bucket private or public", .body = "BucketRequest"),
	ROW("POST", "/api/repos/move", buckets_move_repo, SMALL_BODY_MAX,
		RIGHT_USER, "buckets", "Rename a bucket, or give it to another namespace", .body = "MoveRequest"),
	ROW("GET", BUCKET "/tree", buckets_tree, 0,
		RIGHT_BUCKET_READ, "buckets", "List files by path; the header Link names the next page",
		.query = tree_query, .answer = "FileList"),
	ROW("GET", BUCKET "/tree/{prefix...}", buckets_tree_below, 0,
		RIGHT_BUCKET_READ, "buckets", "List the files below a folder", .query = tree_query, .answer = "FileList"),
	ROW("POST", BUCKET "/paths-info", buckets_paths_info, JOB_BODY_MAX,
		RIGHT_BUCKET_READ, "buckets", "Show the files with these paths; missing ones are left out",
		.body = "PathsRequest", .answer = "FileList"),
	ROW("POST", BUCKET "/batch", buckets_batch, BATCH_BODY_MAX,
		RIGHT_BUCKET_WRITE, "buckets", "Add, copy and delete files",
		.description = "One operation per line: addFile (path, xetHash; mtime in milliseconds, mtimeNanos, contentType), copyFile "
			"(also sourceRepoType \"bucket\" and sourceRepoId), deleteFile (path). Each file is replaced at once and is on disk "
			"before the answer. 422, in the same form, when some of them failed.",
		.body = "application/x-ndjson", .answer = "BatchResult"),
	SPOOLED_ROW("PUT", BUCKET "/files/{path...}", buckets_put_file,
		RIGHT_BUCKET_WRITE, "buckets", "Store the body as a file (an extension of Hearth)",
		.query = put_query, .body = "application/octet-stream", .answer = "File"),
	ROW("GET", "/buckets/{ns}/{name}/resolve/{path...}", buckets_resolve, 0,
		RIGHT_BUCKET_READ, "buckets", "The bytes of a file; ranges are possible",
		.query = resolve_query, .answer = "application/octet-stream"),

	/* Xet: content by hash */
	ROW("GET", BUCKET "/xet-read-token", xet_read_token, 0,
		RIGHT_BUCKET_READ, "xet", "Address and access token for downloads by hash", .answer = "XetToken"),
	ROW("GET", BUCKET "/xet-write-token", xet_write_token, 0,
		RIGHT_BUCKET_WRITE, "xet", "Address and access token for uploads", .answer = "XetToken"),
	ROW("GET", CAS "/v1/chunks/{prefix}/{hash}", xet_find_chunk, 0,
		RIGHT_CAS_READ, "xet", "Which upload has this chunk? Always 404"),
	ROW("GET", CAS "/chunks/{prefix}/{hash}", xet_find_chunk, 0,
		RIGHT_CAS_READ, "xet", "The same, for old clients"),
	LIMITED_ROW("POST", CAS "/xorbs/{prefix}/{hash}", xet_post_xorb, XORB_BODY_MAX,
		RIGHT_CAS_WRITE, "xet", "As /v1/xorbs, for old clients", .body = "application/octet-stream"),
	LIMITED_ROW("POST", CAS "/v1/xorbs/{prefix}/{hash}", xet_post_xorb, XORB_BODY_MAX,
		RIGHT_CAS_WRITE, "xet", "Upload a xorb; it is checked against its hash", .body = "application/octet-stream"),
	LIMITED_ROW("POST", CAS "/v1/shards", xet_post_shard, SHARD_BODY_MAX,
		RIGHT_CAS_WRITE, "xet", "Register files by a shard", .body = "application/octet-stream"),
	LIMITED_ROW("POST", CAS "/shards", xet_post_shard, SHARD_BODY_MAX,
		RIGHT_CAS_WRITE, "xet", "The same, for old clients", .body = "application/octet-stream"),
	LIMITED_ROW("POST", CAS "/v2/shards", xet_post_shard_v2, SHARD_BODY_MAX,
		RIGHT_CAS_WRITE, "xet", "The same, answered as lines", .body = "application/octet-stream", .answer = "application/x-ndjson"),
	ROW("GET", CAS "/v1/reconstructions/{hash}", xet_reconstruct_v1, 0,
		RIGHT_CAS_READ, "xet", "How to get a file of the token's bucket; the header Range is understood"),
	ROW("GET", CAS "/reconstructions/{hash}", xet_reconstruct_v1, 0,
		RIGHT_CAS_READ, "xet", "The same, for old clients"),
	ROW("GET", CAS "/v2/reconstructions/{hash}", xet_reconstruct_v2, 0,
		RIGHT_CAS_READ, "xet", "The same in the newer form"),
	ROW("GET", CAS "/data", xet_get_data, 0,
		RIGHT_SIGNED_URL, "xet", "The bytes behind an address of a reconstruction", .answer = "application/octet-stream"),
	ROW("POST", "/v1/telemetry", xet_telemetry, JOB_BODY_MAX,
		RIGHT_ANONYMOUS, "xet", "What clients tell of their transfers; thrown away"),

	/* Images */
	ROW("GET", "/api/images", images_list, 0,
		RIGHT_IMAGE_READ, "images", "List the images of the store", .answer = "ImageList"),
	ROW("POST", "/api/images/pull", images_pull, SMALL_BODY_MAX,
		RIGHT_IMAGE_PULL, "images", "Pull an image, showing progress as lines of JSON",
		.description = "Each line is one object: {\"status\":\"progress\",\"message\":TEXT} any number of times, then exactly "
			"one of {\"status\":\"done\",\"image\":IMAGE} and {\"status\":\"error\",\"code\":TEXT,\"error\":TEXT}. Empty "
			"lines keep the connection alive.",
		.query = pull_query, .body = "PullRequest", .answer = "application/x-ndjson"),
	SPOOLED_ROW("POST", "/api/images/import", images_import,
		RIGHT_OPERATOR, "images", "Import an OCI layout, a `docker save` archive or a root file system tar",
		.query = import_query, .body = "application/octet-stream", .answer = "Image"),
	ROW("POST", "/api/images/prune", images_prune, SMALL_BODY_MAX,
		RIGHT_OPERATOR, "images", "Remove images that no job uses, least recently used first",
		.body = "PruneRequest", .answer = "Removed"),
	ROW("GET", "/api/images/{reference...}", images_inspect, 0,
		RIGHT_IMAGE_READ, "images", "Show one image", .answer = "Image"),
	ROW("DELETE", "/api/images/{reference...}", images_remove, SMALL_BODY_MAX,
		RIGHT_OPERATOR, "images", "Remove an image", .answer = "Removed"),

	/* Administration, over the Unix socket only */
	ROW("GET", "/admin/users", admin_users_list, 0,
		RIGHT_ADMIN, "admin", "List users", .answer = "AccountList"),
	ROW("POST", "/admin/users", admin_users_create, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Create a user", .body = "NameRequest", .answer = "Account"),
	ROW("DELETE", "/admin/users/{name}", admin_users_remove, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Remove a user with their tokens"),
	ROW("GET", "/admin/users/{name}/tokens", admin_tokens_list, 0,
		RIGHT_ADMIN, "admin", "List the tokens of a user", .answer = "TokenList"),
	ROW("POST", "/admin/users/{name}/tokens", admin_tokens_create, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Create a token; its text is shown this once", .body = "TokenRequest", .answer = "NewToken"),
	ROW("DELETE", "/admin/users/{name}/tokens/{token}", admin_tokens_revoke, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Revoke a token, by name or id"),
	ROW("GET", "/admin/orgs", admin_orgs_list, 0,
		RIGHT_ADMIN, "admin", "List organizations", .answer = "AccountList"),
	ROW("POST", "/admin/orgs", admin_orgs_create, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Create an organization", .body = "NameRequest", .answer = "Account"),
	ROW("DELETE", "/admin/orgs/{name}", admin_orgs_remove, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Remove an organization"),
	ROW("GET", "/admin/orgs/{name}/members", admin_members_list, 0,
		RIGHT_ADMIN, "admin", "List the members of an organization", .answer = "MemberList"),
	ROW("PUT", "/admin/orgs/{name}/members/{user}", admin_members_set, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Add a member, or change the role", .body = "RoleRequest", .answer = "Member"),
	ROW("DELETE", "/admin/orgs/{name}/members/{user}", admin_members_remove, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Remove a member"),

	ROW("POST", "/admin/queue/{id}/hold", admin_queue_hold, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Hold a waiting job; its owner cannot release it", .answer = "QueueChange"),
	ROW("POST", "/admin/queue/{id}/release", admin_queue_release, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Release a job, whoever holds it", .answer = "QueueChange"),
	ROW("POST", "/admin/queue/{id}/first", admin_queue_first, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Put a waiting job before all others", .answer = "QueueChange"),
	ROW("POST", "/admin/queue/{id}/last", admin_queue_last, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Put a waiting job behind all others", .answer = "QueueChange"),
	ROW("POST", "/admin/queue/{id}/normal", admin_queue_normal, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Undo first or last", .answer = "QueueChange"),
	ROW("POST", "/admin/queue/{id}/priority", admin_queue_priority, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Set the priority of a job, -100 to 100", .body = "PriorityRequest", .answer = "QueueChange"),
	ROW("GET", "/admin/limits", admin_limits_list, 0,
		RIGHT_ADMIN, "admin", "List all limits that were set", .answer = "LimitsList"),
	ROW("GET", "/admin/limits/{kind}/{name}", admin_limits_show, 0,
		RIGHT_ADMIN, "admin", "Show the limits of a namespace, a user or a group (by its id)", .answer = "Limits"),
	ROW("PUT", "/admin/limits/{kind}/{name}", admin_limits_set, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Change limits; absent ones stay, null is as the settings say, \"none\" is no limit, 0 is nothing",
		.body = "LimitsRequest", .answer = "Limits"),
	ROW("GET", "/admin/groups/{name}", admin_groups_list, 0,
		RIGHT_ADMIN, "admin", "List the resource groups of a namespace", .answer = "ResourceGroupList"),
	ROW("POST", "/admin/groups/{name}", admin_groups_create, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Create a resource group", .body = "NameRequest", .answer = "ResourceGroup"),
	ROW("DELETE", "/admin/groups/{name}/{group}", admin_groups_remove, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Remove a resource group, by name or id"),

	/* Money */
	ROW("GET", "/api/settings/billing/usage/jobs", usage_billing_jobs, 0,
		RIGHT_USER, "usage", "What the caller's own jobs of this month cost, running ones so far", .answer = "BillingUsage"),
	ROW("GET", "/api/usage", usage_show, 0,
		RIGHT_IMAGE_READ, "usage", "Time and money used, summed up; running jobs so far",
		.description = "Days are UTC; what ran over midnight has its share in each day.",
		.query = usage_query, .answer = "Usage"),
	ROW("GET", "/api/usage/records", usage_records_list, 0,
		RIGHT_IMAGE_READ, "usage", "Attempts that ran, newest first, with their time and cost",
		.query = usage_records_query, .answer = "UsageRecordList"),
	ROW("GET", "/admin/credits/{name}", admin_credits_list, 0,
		RIGHT_ADMIN, "admin", "Credits of a user or organization", .answer = "Credits"),
	ROW("POST", "/admin/credits/{name}", admin_credits_grant, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Grant credits", .body = "CreditRequest", .answer = "Credit"),
	ROW("DELETE", "/admin/credits/{name}/{credit}", admin_credits_revoke, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Take back what is left of a credit"),
	ROW("GET", "/admin/budgets/{name}", admin_budgets_show, 0,
		RIGHT_ADMIN, "admin", "The budget of a user or organization", .answer = "Budget"),
	ROW("PUT", "/admin/budgets/{name}", admin_budgets_set, SMALL_BODY_MAX,
		RIGHT_ADMIN, "admin", "Change the budget; null: as the settings say", .body = "BudgetRequest", .answer = "Budget"),

	/* Families of the Hub that this version does not have */
	ROW("POST", "/api/repos/create", hub_create_repository, JOB_BODY_MAX,
		RIGHT_USER, "not built yet", "Repositories are not part of Hearth", .status = "404"),
	ROW("POST", "/oauth/device", not_built_device_login, SMALL_BODY_MAX,
		RIGHT_ANONYMOUS, "not built yet", "Browser login", .status = "404"),
	ROW("POST", "/oauth/token", not_built_device_login, SMALL_BODY_MAX,
		RIGHT_ANONYMOUS, "not built yet", "Browser login", .status = "404"),

	/* Repositories of a Hub: of the mirror folder, or passed on */
	ROW("GET", "/api/models", hub_serve, 0,
		RIGHT_USER, "repositories", "List models of the Hub"),
	ROW("GET", "/api/models/{rest...}", hub_serve, 0,
		RIGHT_USER, "repositories", "Information, trees and more about models, from the mirror folder or the Hub"),
	ROW("POST", "/api/models/{rest...}", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "paths-info; changes are passed on to the Hub for its users"),
	ROW("PUT", "/api/models/{rest...}", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "Passed on to the Hub for its users"),
	ROW("DELETE", "/api/models/{rest...}", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "Passed on to the Hub for its users"),
	ROW("GET", "/api/datasets", hub_serve, 0,
		RIGHT_USER, "repositories", "List datasets of the Hub"),
	ROW("GET", "/api/datasets/{rest...}", hub_serve, 0,
		RIGHT_USER, "repositories", "Information, trees and more about datasets, from the mirror folder or the Hub"),
	ROW("POST", "/api/datasets/{rest...}", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "paths-info; changes are passed on to the Hub for its users"),
	ROW("PUT", "/api/datasets/{rest...}", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "Passed on to the Hub for its users"),
	ROW("DELETE", "/api/datasets/{rest...}", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "Passed on to the Hub for its users"),
	ROW("GET", "/api/spaces", hub_serve, 0,
		RIGHT_USER, "repositories", "List Spaces of the Hub"),
	ROW("GET", "/api/spaces/{rest...}", hub_serve, 0,
		RIGHT_USER, "repositories", "Information, trees and more about Spaces, from the mirror folder or the Hub"),
	ROW("POST", "/api/spaces/{rest...}", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "paths-info; changes are passed on to the Hub for its users"),
	ROW("PUT", "/api/spaces/{rest...}", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "Passed on to the Hub for its users"),
	ROW("DELETE", "/api/spaces/{rest...}", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "Passed on to the Hub for its users"),
	ROW("GET", "/api/resolve-cache/{rest...}", hub_serve, 0,
		RIGHT_USER, "repositories", "Where the Hub sends clients for small files"),
	ROW("GET", "/{ns}/{name}/resolve/{revision}/{path...}", hub_serve, 0,
		RIGHT_USER, "repositories", "A file of a model: its bytes, or a redirect to the Hub's storage"),
	ROW("GET", "/datasets/{ns}/{name}/resolve/{revision}/{path...}", hub_serve, 0,
		RIGHT_USER, "repositories", "A file of a dataset: its bytes, or a redirect to the Hub's storage"),
	ROW("GET", "/spaces/{ns}/{name}/resolve/{revision}/{path...}", hub_serve, 0,
		RIGHT_USER, "repositories", "A file of a Space: its bytes, or a redirect to the Hub's storage"),
	ROW("GET", "/{name}/resolve/{revision}/{path...}", hub_serve, 0,
		RIGHT_USER, "repositories", "A file of an old model without namespace"),
	ROW("POST", "/{ns}/{repo}/info/lfs/objects/batch", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "Uploads of Git LFS, passed on to the Hub for its users"),
	ROW("POST", "/datasets/{ns}/{repo}/info/lfs/objects/batch", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "Uploads of Git LFS, passed on to the Hub for its users"),
	ROW("POST", "/spaces/{ns}/{repo}/info/lfs/objects/batch", hub_write, HUB_BODY_MAX,
		RIGHT_USER, "repositories", "Uploads of Git LFS, passed on to the Hub for its users"),

	/* For operators and people */
	ROW("GET", "/healthz", monitoring_health, 0,
		RIGHT_ANONYMOUS, "server", "Is the server alive?", .answer = "Health"),
	ROW("GET", "/metrics", monitoring_metrics, 0,
		RIGHT_ANONYMOUS, "server", "Counters for Prometheus; totals only, nothing of a single job or user",
		.answer = "text/plain"),
	ROW("GET", "/openapi.json", openapi_show, 0,
		RIGHT_ANONYMOUS, "server", "This description"),
	ROW("GET", "/", pages_home, 0,
		RIGHT_ANONYMOUS, "pages", "What this server is", .answer = "text/html"),
	ROW("GET", "/settings/tokens", pages_tokens, 0,
		RIGHT_ANONYMOUS, "pages", "How tokens are made", .answer = "text/plain"),
	ROW("GET", "/jobs/{ns}/{id}", pages_job, 0,
		RIGHT_ANONYMOUS, "pages", "How to look at a job; says nothing about it", .answer = "text/html"),
	ROW("GET", "/buckets/{ns}/{name}", pages_bucket, 0,
		RIGHT_ANONYMOUS, "pages", "How to look at a bucket; says nothing about it", .answer = "text/html"),
	ROW("GET", "/avatars/{file}", pages_avatar, 0,
		RIGHT_ANONYMOUS, "pages", "A picture for any name", .answer = "image/svg+xml"),
	{0},
};
/* clang-format on */

const struct http_route *api_routes(void)
{
	return routes;
}
