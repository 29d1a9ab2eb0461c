/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submits a job and stays with it: its log on stdout, why it waits on the terminal's status line,
 * its exit code as ours. Ctrl-C leaves the job running and says how to come back to it.
 */
#include "cli/job_run.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/job_view.h"
#include "cli/job_wait.h"
#include "cli/log_follow.h"
#include "cli/terminal.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void make_key(char key[33])
{
	unsigned char bytes[16];
	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		BUG("getrandom failed");
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(key + 2 * i, 3, "%02x", bytes[i]);
}

static int submit(struct invocation *in, struct hub *hub, const struct job_request *request,
                  json_t **ret, struct error *err)
{
	const char *space;
	if (hub_namespace(hub, options_text(&in->options, "namespace"), &space, err) < 0)
		return -1;
	autofree char *path = hub_path("/api/jobs/%s", space);
	char key[33];
	if (options_flag(&in->options, "ssh")) /* schedules have no such option */
		(void)json_object_set_new(request->body, "ssh", json_pack("{s:b}", "enabled", 1));
	make_key(key);
	if (hub_post_once(hub, path, request->body, key, ret, err) < 0)
		return -1;
	if (*json_get_text(*ret, "id", "") && *job_view_owner(*ret))
		return 0;
	json_decref(*ret);
	*ret = NULL;
	return fail(err, E_UNAVAILABLE, "The server's answer is not a job");
}

static void tell_addresses(struct invocation *in, const json_t *job, const char *ref)
{
	const json_t *status = json_object_get(job, "status");
	const json_t *urls = json_object_get(status, "exposeUrls");
	if (json_array_size(urls)) {
		autobuffer struct buffer lines = BUFFER_INIT(1u << 20);
		size_t i;
		json_t *url;
		json_array_foreach(urls, i, url)(void) buffer_printf(
		        &lines, "\n  %s", json_is_string(url) ? json_string_value(url) : "");
		output_hint(&in->out,
		            "Exposed ports are reachable at (requires an HF token with read access "
		            "to the job):%s",
		            buffer_text(&lines));
	}
	if (json_is_string(json_object_get(status, "sshUrl")))
		output_hint(&in->out, "Use `hearth ssh %s` to open an SSH session into the job.",
		            ref);
}

static void tell_start(struct invocation *in, struct hub *hub, const json_t *job, const char *ref,
                       bool is_auto_named)
{
	const char *id = json_get_text(job, "id", "");
	const char *name = json_get_text(json_object_get(job, "labels"), "name", NULL);
	autofree char *url = xasprintf("%s/jobs/%s/%s", hub_endpoint(hub), job_view_owner(job), id);
	output_result(&in->out, "Job started",
	              json_pack("{s:s, s:s?, s:s}", "id", id, "name", name, "url", url));
	if (is_auto_named && name)
		output_hint(&in->out,
		            "Job auto-named '%s'. Pass `--name` or run `hearth labels %s --name "
		            "NAME` to rename it.",
		            name, ref);
	tell_addresses(in, job, ref);
}

static int tell_end(struct invocation *in, const json_t *job)
{
	const char *id = json_get_text(job, "id", "");
	const char *message = job_view_message(job);
	if (strcmp(job_view_stage(job), "COMPLETED") == 0) {
		output_text(&in->out, "Job %s completed", id);
		return 0;
	}
	output_error("Job %s finished with stage '%s'%s%s", id, job_view_stage(job),
	             message ? ": " : "", message ? message : "");
	int code = job_view_exit_code(job);
	return code ? code : 1;
}

static int stay(struct invocation *in, struct hub *hub, const json_t *job, const char *ref)
{
	const char *id = json_get_text(job, "id", "");
	enum output_mode mode = in->out.mode;
	struct log_follow_options options = {
	        .follow = true,
	        .is_silent = mode == OUTPUT_JSON || mode == OUTPUT_QUIET,
	        .is_plain = mode == OUTPUT_AGENT,
	        .tells_status = mode == OUTPUT_HUMAN && terminal_is(STDERR_FILENO),
	        .tail = -1,
	};
	struct error err = ERROR_INIT;
	bool interrupted = false;
	autojson json_t *final = NULL;
	terminal_catch_interrupt();
	int rc = log_follow(hub, job_view_owner(job), id, &options, &final, &interrupted, &err);
	if (rc == 0 && !interrupted && !final)
		rc = job_wait(hub, job_view_owner(job), id, -1, NULL, &final, &err);
	if (terminal_interrupted()) {
		log_follow_tell_interrupted(ref);
		return 1;
	}
	if (rc < 0) {
		output_fail(&err);
		output_hint(&in->out, "The job may still be running: `hearth inspect %s` tells.",
		            ref);
		return 1;
	}
	return tell_end(in, final);
}

int job_run(struct invocation *in, struct hub *hub, const struct job_request *request)
{
	struct error err = ERROR_INIT;
	autojson json_t *job = NULL;
	if (request->hint)
		output_hint(&in->out, "%s", request->hint);
	if (submit(in, hub, request, &job, &err) < 0)
		return output_fail(&err);
	autofree char *ref = xasprintf("%s/%s", job_view_owner(job), json_get_text(job, "id", ""));
	tell_start(in, hub, job, ref, request->is_auto_named);
	if (!options_flag(&in->options, "detach"))
		return stay(in, hub, job, ref);
	output_hint(&in->out,
	            "Use `hearth logs -f %s` to stream logs, or `hearth inspect %s` to check "
	            "status.",
	            ref, ref);
	output_hint(&in->out, "Use `hearth wait %s` to block until it finishes.", ref);
	return 0;
}
