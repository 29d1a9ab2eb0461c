/* SPDX-License-Identifier: Apache-2.0 */
/* Families of the Hub that this version of Hearth does not have: a clear sentence for each. */
#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "api/jobs.h"

void not_built_expose(struct http_request *request, void *context)
{
	autojob struct job_record job = {0};

	if (jobs_load(context, request, &job))
		answer_fail(request, E_UNSUPPORTED,
		            "Exposed ports are not built yet in this version of Hearth");
}

void not_built_repositories(struct http_request *request, void *context)
{
	answer_fail(request, E_NOT_FOUND,
	            "Hearth has no repositories: upgrade huggingface_hub to 1.13 or later, or pass "
	            "the script by URL");
}

void not_built_device_login(struct http_request *request, void *context)
{
	answer_fail(request, E_NOT_FOUND,
	            "Browser login is not built yet in this version of Hearth: log in with a token "
	            "(hf auth login --token hf_...)");
}
