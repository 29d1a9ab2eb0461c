/* SPDX-License-Identifier: Apache-2.0 */
/* /openapi.json, written from the route table. */
#ifndef HEARTH_API_OPENAPI_H
#define HEARTH_API_OPENAPI_H

#include "net/http_server.h"

/* An OpenAPI 3.1 document; yours to release. */
json_t *openapi_document(const struct http_route *routes, const char *version,
			 const char *base_url);
/* components/schemas, as JSON text (openapi_schemas.c). */
const char *openapi_schemas(void);

#endif
