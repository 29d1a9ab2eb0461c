/* SPDX-License-Identifier: Apache-2.0 */
/* What the API keeps between requests: counters, and the memory of upstream tokens. */
#include "api/api.h"

#include "api/mirror_listing.h"
#include "api/monitoring.h"
#include "api/upstream.h"
#include "base/log.h"

#include <unistd.h>

void api_init(struct api *api)
{
	const char *mirror = api->configuration->hub_mirror;

	if (mirror && *mirror && access(mirror, R_OK | X_OK) < 0)
		log_error("hub.mirror: this process (user of setting server.user) cannot read the "
		          "folder %s",
		          mirror);
	api->metrics = monitoring_new();
	api->upstream = api->configuration->upstream_url && api->client ? upstream_new(api) : NULL;
}

void api_clear(struct api *api)
{
	monitoring_free(api->metrics);
	upstream_free(api->upstream);
	mirror_free(api->mirror);
	api->metrics = NULL;
	api->upstream = NULL;
	api->mirror = NULL;
}
