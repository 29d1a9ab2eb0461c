/* SPDX-License-Identifier: Apache-2.0 */
/* Every handler of the route table (routes.c), by the file it lives in. `context` is the struct api. */
#ifndef HEARTH_API_HANDLERS_H
#define HEARTH_API_HANDLERS_H

#include "net/http_server.h"

/* jobs.c */
void jobs_inspect(struct http_request *request, void *context);
void jobs_cancel(struct http_request *request, void *context);
void jobs_duplicate(struct http_request *request, void *context);
void jobs_put_labels(struct http_request *request, void *context);
void jobs_auth_check(struct http_request *request, void *context);
void jobs_auth_check_job(struct http_request *request, void *context);

/* jobs_create.c, jobs_list.c */
void jobs_create(struct http_request *request, void *context);
void jobs_list(struct http_request *request, void *context);
void jobs_count_matching(struct http_request *request, void *context);

/* jobs_extend.c */
void jobs_extend(struct http_request *request, void *context);

/* metrics_history.c */
void metrics_history_show(struct http_request *request, void *context);

/* logs.c, metrics_stream.c, events_stream.c */
void logs_follow(struct http_request *request, void *context);
void metrics_stream_follow(struct http_request *request, void *context);
void events_stream_follow(struct http_request *request, void *context);

/* hardware.c, devices.c, whoami.c */
void hardware_list(struct http_request *request, void *context);
void devices_list(struct http_request *request, void *context);
void whoami_show(struct http_request *request, void *context);
void whoami_agent_harnesses(struct http_request *request, void *context);

/* images.c, images_pull.c */
void images_list(struct http_request *request, void *context);
void images_inspect(struct http_request *request, void *context);
void images_import(struct http_request *request, void *context);
void images_remove(struct http_request *request, void *context);
void images_prune(struct http_request *request, void *context);
void images_pull(struct http_request *request, void *context);

/* webhooks.c, webhooks_ingest.c */
void webhooks_list(struct http_request *request, void *context);
void webhooks_show(struct http_request *request, void *context);
void webhooks_create(struct http_request *request, void *context);
void webhooks_update(struct http_request *request, void *context);
void webhooks_enable(struct http_request *request, void *context);
void webhooks_disable(struct http_request *request, void *context);
void webhooks_delete(struct http_request *request, void *context);
void webhooks_deliveries(struct http_request *request, void *context);
void webhooks_replay(struct http_request *request, void *context);
void webhooks_ingest(struct http_request *request, void *context);
void webhooks_announce(struct http_request *request, void *context);

/* admin_accounts.c, admin_tokens.c */
void admin_users_list(struct http_request *request, void *context);
void admin_users_create(struct http_request *request, void *context);
void admin_users_remove(struct http_request *request, void *context);
void admin_orgs_list(struct http_request *request, void *context);
void admin_orgs_create(struct http_request *request, void *context);
void admin_orgs_remove(struct http_request *request, void *context);
void admin_members_list(struct http_request *request, void *context);
void admin_members_set(struct http_request *request, void *context);
void admin_members_remove(struct http_request *request, void *context);
void admin_tokens_list(struct http_request *request, void *context);
void admin_tokens_create(struct http_request *request, void *context);
void admin_tokens_revoke(struct http_request *request, void *context);

/* queue.c, admin_queue.c, admin_limits.c, admin_groups.c */
void queue_list(struct http_request *request, void *context);
void queue_hold_job(struct http_request *request, void *context);
void queue_release_job(struct http_request *request, void *context);
void admin_queue_hold(struct http_request *request, void *context);
void admin_queue_release(struct http_request *request, void *context);
void admin_queue_first(struct http_request *request, void *context);
void admin_queue_last(struct http_request *request, void *context);
void admin_queue_normal(struct http_request *request, void *context);
void admin_queue_priority(struct http_request *request, void *context);
void admin_limits_list(struct http_request *request, void *context);
void admin_limits_show(struct http_request *request, void *context);
void admin_limits_set(struct http_request *request, void *context);
void admin_groups_list(struct http_request *request, void *context);
void admin_groups_create(struct http_request *request, void *context);
void admin_groups_remove(struct http_request *request, void *context);

/* schedules.c, schedules_create.c, schedules_list.c */
void schedules_create(struct http_request *request, void *context);
void schedules_list(struct http_request *request, void *context);
void schedules_inspect(struct http_request *request, void *context);
void schedules_delete(struct http_request *request, void *context);
void schedules_suspend(struct http_request *request, void *context);
void schedules_resume(struct http_request *request, void *context);
void schedules_trigger(struct http_request *request, void *context);
void schedules_put_labels(struct http_request *request, void *context);
void schedules_put_expression(struct http_request *request, void *context);
void schedules_history(struct http_request *request, void *context);

/* buckets.c, buckets_tree.c, buckets_batch.c, buckets_resolve.c, buckets_put.c */
void buckets_post(struct http_request *request, void *context);
void buckets_show(struct http_request *request, void *context);
void buckets_list(struct http_request *request, void *context);
void buckets_delete(struct http_request *request, void *context);
void buckets_settings(struct http_request *request, void *context);
void buckets_move_repo(struct http_request *request, void *context);
void buckets_tree(struct http_request *request, void *context);
void buckets_tree_below(struct http_request *request, void *context);
void buckets_paths_info(struct http_request *request, void *context);
void buckets_batch(struct http_request *request, void *context);
void buckets_resolve(struct http_request *request, void *context);
void buckets_put_file(struct http_request *request, void *context);

/* xet.c, xet_download.c */
void xet_read_token(struct http_request *request, void *context);
void xet_write_token(struct http_request *request, void *context);
void xet_find_chunk(struct http_request *request, void *context);
void xet_post_xorb(struct http_request *request, void *context);
void xet_post_shard(struct http_request *request, void *context);
void xet_post_shard_v2(struct http_request *request, void *context);
void xet_reconstruct_v1(struct http_request *request, void *context);
void xet_reconstruct_v2(struct http_request *request, void *context);
void xet_get_data(struct http_request *request, void *context);
void xet_telemetry(struct http_request *request, void *context);

/* usage.c, usage_records.c */
void usage_show(struct http_request *request, void *context);
void usage_records_list(struct http_request *request, void *context);
void usage_billing_jobs(struct http_request *request, void *context);

/* admin_money.c */
void admin_credits_list(struct http_request *request, void *context);
void admin_credits_grant(struct http_request *request, void *context);
void admin_credits_revoke(struct http_request *request, void *context);
void admin_budgets_show(struct http_request *request, void *context);
void admin_budgets_set(struct http_request *request, void *context);

/* hub.c */
void hub_serve(struct http_request *request, void *context);
void hub_write(struct http_request *request, void *context);
void hub_create_repository(struct http_request *request, void *context);

/* not_built.c */
void not_built_expose(struct http_request *request, void *context);
void not_built_repositories(struct http_request *request, void *context);
void not_built_device_login(struct http_request *request, void *context);

/* monitoring.c, openapi.c, pages.c */
void monitoring_health(struct http_request *request, void *context);
void monitoring_metrics(struct http_request *request, void *context);
void openapi_show(struct http_request *request, void *context);
void pages_home(struct http_request *request, void *context);
void pages_tokens(struct http_request *request, void *context);
void pages_job(struct http_request *request, void *context);
void pages_bucket(struct http_request *request, void *context);
void pages_avatar(struct http_request *request, void *context);

#endif
