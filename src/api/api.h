/* SPDX-License-Identifier: Apache-2.0 */
/* The public HTTP API: what its handlers share. routes.c is the one table. */
#ifndef HEARTH_API_API_H
#define HEARTH_API_API_H

#include "base/configuration.h"
#include "job/bucket_service.h"
#include "job/image_service.h"
#include "job/schedule_service.h"
#include "job/service.h"
#include "job/webhook_service.h"
#include "job/xet_service.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "store/accounts.h"
#include "store/database.h"

struct device_service;

struct api {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	struct job_service *jobs;
	struct image_service *images;
	struct http_client *client;
	struct bucket_service *buckets;
	struct xet_service *xet;
	struct schedule_service *schedules;
	struct webhook_service *webhooks;
	struct device_service *devices; /* NULL: none */
	struct billing *billing; /* NULL: nothing is counted */
	const char *version;
	int64_t started_ms;
	uid_t admin_uid; /* besides root, who may use /admin over the Unix socket */
	struct http_server *server; /* for the count of connections; NULL: not known */
	/* owned by api/, made by api_init() */
	struct api_metrics *metrics;
	struct upstream *upstream; /* NULL unless auth.upstream_url is set */
	struct mirror *mirror;	   /* NULL until hub.mirror is asked for */
	int n_proxied;		   /* requests that the Hub is answering */
};

/* The route table and the hooks for http_server_options; context is the struct api. Rights are
 * checked in api_admit() where there may be a body, so that nobody unknown fills memory or disk, and
 * else in api_before(), which may keep a request until the upstream Hub has answered and then calls
 * the route's handler itself. */
const struct http_route *api_routes(void);
int api_admit(struct http_request *request, const struct http_route *route, void *context,
	      struct error *err);
bool api_before(struct http_request *request, const struct http_route *route, void *context);
void api_after(struct http_request *request, int status, int64_t micros, void *context);
void api_init(struct api *api); /* fills what api/ owns (metrics, caches) */
void api_clear(struct api *api);

#endif
