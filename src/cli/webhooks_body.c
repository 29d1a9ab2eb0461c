/* SPDX-License-Identifier: Apache-2.0 */
/* Only what was given is sent: the server keeps the rest. */
#include "cli/webhooks_body.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/job_request.h"

#include <string.h>

#define TYPES "model, dataset, space, bucket, kernel, user, org"

static int add_watched(const struct options *options, json_t *body, struct error *err)
{
	json_t *watched = json_array();
	const char *text;
	(void)json_object_set_new(body, "watched", watched);
	for (size_t i = 0; (text = options_each(options, "watch", i)); i++) {
		const char *colon = strchr(text, ':');
		if (!colon)
			return fail(err, E_INVALID,
			            "Invalid value: Expected format 'type:name' (e.g. "
			            "'bucket:acme/out'), "
			            "got '%s'. Valid types: " TYPES ".",
			            text);
		json_t *item = json_pack("{s:s%, s:s}", "type", text, (int)(colon - text), "name",
		                         colon + 1);
		if (!item)
			return fail(err, E_INVALID, "Invalid value: '%s' is not valid UTF-8", text);
		(void)json_array_append_new(watched, item);
	}
	return 0;
}

static int add_text(const struct options *options, const char *option, json_t *body,
                    const char *member, struct error *err)
{
	const char *text = options_text(options, option);
	if (text && json_object_set_new(body, member, json_string(text)) < 0)
		return fail(err, E_INVALID, "--%s is not valid UTF-8", option);
	return 0;
}

static int add_domains(const struct options *options, json_t *body, struct error *err)
{
	const char *text;
	if (options_count(options, "domain") == 0)
		return 0;
	json_t *domains = json_array();
	(void)json_object_set_new(body, "domains", domains);
	for (size_t i = 0; (text = options_each(options, "domain", i)); i++) {
		if (strcmp(text, "repo") != 0 && strcmp(text, "discussion") != 0 &&
		    strcmp(text, "discussions") != 0)
			return fail(err, E_INVALID,
			            "Invalid value for '--domain': '%s' is not one of 'repo', "
			            "'discussion'.",
			            text);
		(void)json_array_append_new(domains, json_string(text));
	}
	return 0;
}

/* "failed,timeout-soon"; "all" is an empty list. */
static int add_events(const char *words, json_t *events, struct error *err)
{
	autofree char *copy = xstrdup(words);
	char *rest = copy, *word;
	while ((word = strsep(&rest, ",")))
		if (*word && strcmp(word, "all") != 0 &&
		    json_array_append_new(events, json_string(word)) < 0)
			return fail(err, E_INVALID, "--jobs is not valid UTF-8");
	return 0;
}

static int add_jobs(const struct options *options, json_t *body, struct error *err)
{
	const char *space = options_text(options, "namespace"), *text;
	autojson json_t *labels = NULL;
	bool is_named;
	if (job_request_labels(options, &labels, &is_named, err) < 0)
		return -1;
	if (options_count(options, "jobs") == 0) {
		if (space || json_object_size(labels))
			return fail(err, E_INVALID,
			            "--namespace, --label and --name say whose jobs are watched: "
			            "they need "
			            "--jobs.");
		return 0;
	}
	json_t *events = json_array(),
	       *jobs = json_pack("{s:O, s:o}", "labels", labels, "events", events);
	(void)json_object_set_new(body, "jobs", jobs);
	if (space && json_object_set_new(jobs, "namespace", json_string(space)) < 0)
		return fail(err, E_INVALID, "--namespace is not valid UTF-8");
	for (size_t i = 0; (text = options_each(options, "jobs", i)); i++)
		if (add_events(text, events, err) < 0)
			return -1;
	return 0;
}

static int check_target(const struct options *options, bool is_new, struct error *err)
{
	bool has_url = options_text(options, "url"), has_job = options_text(options, "job-id");
	if (has_url && has_job)
		return fail(err, E_INVALID,
		            "Invalid value: Provide either --url or --job-id, not both.");
	if (is_new && !has_url && !has_job)
		return fail(err, E_INVALID, "Invalid value: Provide either --url or --job-id.");
	if (is_new && options_count(options, "watch") == 0 && options_count(options, "jobs") == 0)
		return fail(err, E_INVALID, "Missing option '--watch' (or '--jobs').");
	if (!has_job &&
	    (options_count(options, "secrets") || options_count(options, "secrets-file")))
		return fail(err, E_INVALID,
		            "Invalid value: --secrets and --secrets-file require --job-id.");
	return 0;
}

int webhooks_body_build(const struct options *options, bool is_new, const char *token, json_t **ret,
                        struct error *err)
{
	autojson json_t *body = json_object();
	if (check_target(options, is_new, err) < 0 || add_watched(options, body, err) < 0 ||
	    add_text(options, "url", body, "url", err) < 0 ||
	    add_text(options, "job-id", body, "jobSourceId", err) < 0 ||
	    add_text(options, "secret", body, "secret", err) < 0 ||
	    add_domains(options, body, err) < 0 || add_jobs(options, body, err) < 0 ||
	    job_request_secrets(options, token, body, err) < 0)
		return -1;
	*ret = take_ptr(&body);
	return 0;
}
