/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request for a repository goes. */
#include "api/hub.h"

#include "api/answer.h"
#include "api/handlers.h"
#include "api/hub_token.h"
#include "base/memory.h"
#include "job/volumes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void hub_refuse(struct http_request *request, enum error_code code, const char *error_code,
                const char *fmt, ...)
{
	struct error err = ERROR_INIT;
	char text[ERROR_TEXT_SIZE];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)fail(&err, code, "%s", text);
	if (error_code)
		http_add_header(request, "X-Error-Code", error_code);
	answer_error(request, &err);
}

static void hub_refuse_all(struct http_request *request, const struct hub_path *path)
{
	if (path->type)
		hub_refuse(request, E_NOT_FOUND, "RepoNotFound",
		           "This server has no repository %s: its mirror folder (setting "
		           "hub.mirror) does not hold it, and no Hub is configured (hub.endpoint)",
		           path->name);
	else
		hub_refuse(request, E_NOT_FOUND, NULL,
		           "Not found: this server passes such requests on to a Hub, but none is "
		           "configured (setting hub.endpoint)");
}

void hub_serve(struct http_request *request, void *context)
{
	struct api *api = context;
	struct hub_path path;

	hub_path_parse(http_path(request), &path);
	if (mirror_has(api, &path)) {
		mirror_answer(api, request, &path);
	} else if (api->client && job_volumes_endpoint(api->configuration)) {
		hub_proxy(api, request, &path);
	} else {
		hub_refuse_all(request, &path);
		hub_path_clear(&path);
	}
}

/* Reading needs no right there that we could judge; writing is only for users of that Hub. */
void hub_write(struct http_request *request, void *context)
{
	struct api *api = context;
	struct hub_path path;

	hub_path_parse(http_path(request), &path);
	if (path.kind == HUB_PATHS_INFO) {
		hub_path_clear(&path);
		hub_serve(request, context);
		return;
	}
	if (hub_caller_token(api, request) && api->client) {
		hub_proxy(api, request, &path);
		return;
	}
	if (!job_volumes_endpoint(api->configuration))
		hub_refuse_all(request, &path);
	else
		hub_refuse(
		        request, E_FORBIDDEN, NULL,
		        "Changes of repositories need a token of the Hub %s; this token is known "
		        "only here",
		        job_volumes_endpoint(api->configuration));
	hub_path_clear(&path);
}

void hub_create_repository(struct http_request *request, void *context)
{
	struct api *api = context;
	struct hub_path path;

	if (!hub_caller_token(api, request)) {
		not_built_repositories(request, context);
		return;
	}
	hub_path_parse(http_path(request), &path);
	hub_proxy(api, request, &path);
}
