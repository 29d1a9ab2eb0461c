/* SPDX-License-Identifier: Apache-2.0 */
/* hearth webhooks: as `hf webhooks` (hub-jobs-api 10.5), with log and replay besides. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/confirm.h"
#include "cli/hub.h"
#include "cli/webhooks_body.h"

#include <string.h>

#define WEBHOOKS "/api/settings/webhooks"

/* Ask, and hand the answer over; returns the exit status of a failure. */
static int ask(struct invocation *in, const char *method, const char *path, const json_t *body,
               json_t **ret)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	if (hub_open(options_text(&in->options, "token"), &hub, &err) < 0)
		return output_fail(&err);
	int rc = hub_ask(hub, method, path, body, ret, &err);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}

static json_t *watched_texts(const json_t *webhook)
{
	json_t *texts = json_array(), *item;
	size_t i;
	json_array_foreach(json_object_get(webhook, "watched"), i, item)
	{
		autofree char *text = xasprintf("%s:%s", json_get_text(item, "type", "?"),
		                                json_get_text(item, "name", "?"));
		(void)json_array_append_new(texts, json_string(text));
	}
	const json_t *jobs = json_object_get(webhook, "jobs");
	if (jobs) {
		autofree char *text = xasprintf("jobs:%s", json_get_text(jobs, "namespace", "?"));
		(void)json_array_append_new(texts, json_string(text));
	}
	return texts;
}

int webhooks_list_command(struct invocation *in)
{
	static const char *const columns[] = {"id", "url", "disabled", "domains", "watched"};
	autojson json_t *list = NULL;
	autojson json_t *rows = json_array();
	json_t *item;
	size_t i;
	int status = ask(in, "GET", WEBHOOKS, NULL, &list);
	if (status)
		return status;
	json_array_foreach(list, i, item)(void) json_array_append_new(
	        rows, json_pack("{s:s, s:s, s:O, s:O, s:o}", "id", json_get_text(item, "id", ""),
	                        "url", json_get_text(item, "url", "(job)"), "disabled",
	                        json_object_get(item, "disabled"), "domains",
	                        json_object_get(item, "domains"), "watched", watched_texts(item)));
	output_table(&in->out, rows, columns, sizeof columns / sizeof *columns, "id");
	return 0;
}

int webhooks_info_command(struct invocation *in)
{
	autofree char *path = hub_path(WEBHOOKS "/%s", in->options.arguments[0]);
	autojson json_t *answer = NULL;
	int status = ask(in, "GET", path, NULL, &answer);
	if (status == 0)
		output_dict(&in->out, json_object_get(answer, "webhook"));
	return status;
}

static void show_result(struct invocation *in, const char *message, const json_t *answer)
{
	const json_t *webhook = json_object_get(answer, "webhook");
	output_result(&in->out, message,
	              json_pack("{s:s}", "id", json_get_text(webhook, "id", "")));
}

static int put(struct invocation *in, bool is_new, const char *path, const char *message)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	autojson json_t *body = NULL;
	autojson json_t *answer = NULL;
	if (hub_open(options_text(&in->options, "token"), &hub, &err) < 0)
		return output_fail(&err);
	int rc = webhooks_body_build(&in->options, is_new, hub_token(hub), &body, &err);
	if (rc < 0) {
		hub_free(hub);
		(void)output_fail(&err);
		return COMMAND_USAGE_ERROR;
	}
	rc = hub_ask(hub, "POST", path, body, &answer, &err);
	hub_free(hub);
	if (rc < 0)
		return output_fail(&err);
	show_result(in, message, answer);
	return 0;
}

int webhooks_create_command(struct invocation *in)
{
	return put(in, true, WEBHOOKS, "Webhook created");
}

int webhooks_update_command(struct invocation *in)
{
	autofree char *path = hub_path(WEBHOOKS "/%s", in->options.arguments[0]);
	return put(in, false, path, "Webhook updated");
}

static int change(struct invocation *in, const char *path, const char *message)
{
	autojson json_t *answer = NULL;
	int status = ask(in, "POST", path, NULL, &answer);
	if (status == 0)
		show_result(in, message, answer);
	return status;
}

int webhooks_enable_command(struct invocation *in)
{
	autofree char *path = hub_path(WEBHOOKS "/%s/enable", in->options.arguments[0]);
	return change(in, path, "Webhook enabled");
}

int webhooks_disable_command(struct invocation *in)
{
	autofree char *path = hub_path(WEBHOOKS "/%s/disable", in->options.arguments[0]);
	return change(in, path, "Webhook disabled");
}

int webhooks_delete_command(struct invocation *in)
{
	const char *id = in->options.arguments[0];
	autofree char *path = hub_path(WEBHOOKS "/%s", id);
	if (!confirm(in, "Are you sure you want to delete webhook '%s'?", id))
		return 1;
	int status = ask(in, "DELETE", path, NULL, NULL);
	if (status == 0)
		output_result(&in->out, "Webhook deleted", json_pack("{s:s}", "id", id));
	return status;
}

/* One line says it: what went wrong, or what came of it. */
static json_t *delivery_row(const json_t *delivery)
{
	const char *job = json_get_text(delivery, "jobId", NULL);
	autofree char *started = job ? xasprintf("job %s", job) : NULL;
	const char *result = json_get_text(delivery, "error", started ? started : "");
	json_t *status = json_object_get(delivery, "status");
	return json_pack("{s:s, s:s, s:s, s:s, s:O?, s:I, s:s}", "id",
	                 json_get_text(delivery, "id", ""), "created",
	                 json_get_text(delivery, "createdAt", ""), "event",
	                 json_get_text(delivery, "event", ""), "state",
	                 json_get_text(delivery, "state", ""), "status", status, "attempts",
	                 (json_int_t)json_get_int(delivery, "attempts", 0), "result", result);
}

int webhooks_log_command(struct invocation *in)
{
	static const char *const columns[] = {"id",     "created",  "event", "state",
	                                      "status", "attempts", "result"};
	autofree char *path = hub_path(WEBHOOKS "/%s/deliveries", in->options.arguments[0]);
	autojson json_t *list = NULL;
	autojson json_t *rows = json_array();
	json_t *item;
	size_t i;
	int status = ask(in, "GET", path, NULL, &list);
	if (status)
		return status;
	if (in->out.mode == OUTPUT_JSON) {
		output_dict(&in->out, list);
		return 0;
	}
	json_array_foreach(list, i, item)(void) json_array_append_new(rows, delivery_row(item));
	output_table(&in->out, rows, columns, sizeof columns / sizeof *columns, "id");
	return 0;
}

int webhooks_replay_command(struct invocation *in)
{
	char **words = in->options.arguments;
	autofree char *path = hub_path(WEBHOOKS "/%s/replay/%s", words[0], words[1]);
	autojson json_t *answer = NULL;
	int status = ask(in, "POST", path, NULL, &answer);
	if (status)
		return status;
	const char *problem = json_get_text(answer, "error", NULL);
	if (problem)
		return output_error("The replay failed: %s", problem);
	output_result(&in->out, "Webhook replayed",
	              json_pack("{s:s, s:I, s:s?}", "id", json_get_text(answer, "id", ""), "status",
	                        (json_int_t)json_get_int(answer, "status", 0), "job",
	                        json_get_text(answer, "jobId", NULL)));
	return 0;
}
