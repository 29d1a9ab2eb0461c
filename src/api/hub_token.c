/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "api/hub_token.h"

#include "api/access.h"
#include "base/memory.h"
#include "job/volumes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static size_t origin_length(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;
}

bool hub_is_same_origin(const char *url, const char *other)
{
	size_t len = origin_length(url);

	return len > 0 && len == origin_length(other) && strncasecmp(url, other, len) == 0;
}

char *hub_endpoint(const struct api *api)
{
	const char *url = job_volumes_endpoint(api->configuration);
	size_t len = url ? strlen(url) : 0;

	while (len > 0 && url[len - 1] == '/')
		len--;
	return url ? xstrndup(url, len) : NULL;
}

const char *hub_caller_token(struct api *api, struct http_request *request)
{
	const struct access *access = access_of(request);
	const char *header = http_header(request, "Authorization");
	const char *hub = job_volumes_endpoint(api->configuration);

	if (!access || !access->caller.is_known || !header || !hub ||
	    strcmp(access->caller.token.id, UPSTREAM_TOKEN_ID) != 0 ||
	    !hub_is_same_origin(hub, api->configuration->upstream_url))
		return NULL;
	return caller_bearer_token(header);
}
