/* SPDX-License-Identifier: Apache-2.0 */
/* What the API keeps between requests: counters, and the memory of upstream tokens. */
#include "api/api.h"

#include "api/monitoring.h"
#include "api/upstream.h"

void api_init(struct api *api)
{
	api->metrics = monitoring_new();
	api->upstream = api->configuration->upstream_url && api->client ? upstream_new(api) : NULL;
}

void api_clear(struct api *api)
{
	monitoring_free(api->metrics);
	upstream_free(api->upstream);
	api->metrics = NULL;
	api->upstream = NULL;
}
