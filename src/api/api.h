/* SPDX-License-Identifier: Apache-2.0 */
/* The public HTTP API: what its handlers share. routes.c is the one table. */
#ifndef HEARTH_API_API_H
#define HEARTH_API_API_H

#include "base/configuration.h"
#include "job/image_service.h"
#include "job/service.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "store/accounts.h"
#include "store/database.h"

struct api {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	struct job_service *jobs;
	struct image_service *images;
	struct http_client *client;
	const char *version;
	int64_t started_ms;
	uid_t admin_uid; /* besides root, who may use /admin over the Unix socket */
	struct api_metrics *metrics;
};

/* The route table and the hooks for http_server_options; context is the struct api. */
const struct http_route *api_routes(void);
bool api_before(struct http_request *request, const struct http_route *route, void *context);
void api_after(struct http_request *request, int status, int64_t micros, void *context);
void api_init(struct api *api); /* fills what api/ owns (metrics, caches) */
void api_clear(struct api *api);

#endif
