/* SPDX-License-Identifier: Apache-2.0 */
/* hearth bucket create, info, delete, mv, settings: whole buckets. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/bucket_hub.h"
#include "cli/confirm.h"

#include <string.h>

/* A bare name is ours: "me" stands for the user of the token. */
static int parse_new_id(const char *text, struct bucket_uri *ret, struct error *err)
{
	if (bucket_uri_is(text) || strchr(text, '/'))
		return bucket_uri_parse_id(text, "creation", ret, err);
	autofree char *own = xasprintf("me/%s", text);
	return bucket_uri_parse(own, ret, err);
}

static int create(struct invocation *in, struct hub *hub, struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	autojson json_t *answer = NULL;
	if (parse_new_id(in->options.arguments[0], &bucket, err) < 0 ||
	    bucket_hub_create(hub, &bucket,
	                      options_flag(&in->options, "private") ? "private" : NULL,
	                      options_flag(&in->options, "exist-ok"), &answer, err) < 0)
		return -1;
	const char *url = json_get_text(answer, "url", "");
	const char *id = strstr(url, "/buckets/");
	output_result(&in->out, "Bucket created",
	              json_pack("{s:o, s:s}", "uri",
	                        json_sprintf(BUCKET_URI_PREFIX "%s",
	                                     id ? id + strlen("/buckets/") : bucket.id),
	                        "url", url));
	return 0;
}

static int info(struct invocation *in, struct hub *hub, struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	autojson json_t *answer = NULL;
	if (bucket_uri_parse(in->options.arguments[0], &bucket, err) < 0 ||
	    bucket_hub_info(hub, &bucket, &answer, err) < 0)
		return -1;
	autojson json_t *shown = json_pack(
	        "{s:O?, s:O?, s:O?, s:O?, s:O?}", "id", json_object_get(answer, "id"), "private",
	        json_object_get(answer, "private"), "created_at",
	        json_object_get(answer, "createdAt"), "size", json_object_get(answer, "size"),
	        "total_files", json_object_get(answer, "totalFiles"));
	output_dict(&in->out, shown);
	return 0;
}

static int delete_bucket(struct invocation *in, struct hub *hub, struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	if (bucket_uri_parse_id(in->options.arguments[0], "deletion", &bucket, err) < 0)
		return -1;
	if (!confirm(in, "Are you sure you want to delete bucket '%s'?", bucket.id))
		return 1;
	autofree char *path = hub_path("/api/buckets/%s/%s", bucket.space, bucket.name);
	if (hub_ask(hub, "DELETE", path, NULL, NULL, err) < 0) {
		if (err->code != E_NOT_FOUND || !options_flag(&in->options, "missing-ok"))
			return -1;
		*err = ERROR_INIT;
	}
	output_result(&in->out, "Bucket deleted", json_pack("{s:s}", "bucket_id", bucket.id));
	return 0;
}

static int move(struct invocation *in, struct hub *hub, struct error *err)
{
	struct bucket_uri from autouri = {0}, to autouri = {0};
	if (bucket_uri_parse_id(in->options.arguments[0], "move", &from, err) < 0 ||
	    bucket_uri_parse_id(in->options.arguments[1], "move", &to, err) < 0)
		return -1;
	autojson json_t *body = json_pack("{s:s, s:s, s:s}", "fromRepo", from.id, "toRepo", to.id,
	                                  "type", "bucket");
	if (hub_ask(hub, "POST", "/api/repos/move", body, NULL, err) < 0)
		return -1;
	output_result(&in->out, "Bucket moved",
	              json_pack("{s:s, s:s}", "from_id", from.id, "to_id", to.id));
	return 0;
}

static int settings(struct invocation *in, struct hub *hub, struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	bool is_private = options_flag(&in->options, "private");
	if (is_private == options_flag(&in->options, "public"))
		return fail(err, E_INVALID, "Specify exactly one of --private or --public.");
	if (bucket_uri_parse_id(in->options.arguments[0], "settings", &bucket, err) < 0)
		return -1;
	autofree char *path = hub_path("/api/buckets/%s/%s/settings", bucket.space, bucket.name);
	autojson json_t *body = json_pack("{s:b}", "private", is_private);
	if (hub_ask(hub, "PUT", path, body, NULL, err) < 0)
		return -1;
	output_result(&in->out, "Bucket settings updated",
	              json_pack("{s:s, s:b}", "bucket_id", bucket.id, "private", is_private));
	output_hint(&in->out, "Run `hearth bucket info %s` to view bucket details.", bucket.id);
	return 0;
}

/* `fn` returns the exit status, or -1. */
static int with_hub(struct invocation *in,
                    int (*fn)(struct invocation *in, struct hub *hub, struct error *err))
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	int rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	if (rc == 0)
		rc = fn(in, hub, &err);
	if (rc < 0 && hub)
		bucket_hub_suggest(hub, in->options.arguments, in->options.n_arguments, &err);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : rc;
}

int bucket_create_command(struct invocation *in)
{
	return with_hub(in, create);
}

int bucket_info_command(struct invocation *in)
{
	return with_hub(in, info);
}

int bucket_delete_command(struct invocation *in)
{
	return with_hub(in, delete_bucket);
}

int bucket_move_command(struct invocation *in)
{
	return with_hub(in, move);
}

int bucket_settings_command(struct invocation *in)
{
	return with_hub(in, settings);
}
