/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a row of the route table says besides method, path and handler: who may call it and what it
 * means. access.c enforces the right, openapi.c writes /openapi.json from the rest.
 */
#ifndef HEARTH_API_ROUTES_H
#define HEARTH_API_ROUTES_H

#include "net/http_server.h"

#include <stdbool.h>

enum api_right {
	RIGHT_ANONYMOUS,       /* anybody; a token is not looked at */
	RIGHT_USER,	       /* any token */
	RIGHT_INGEST,	       /* the secret of webhooks.ingest_secret_file in X-Webhook-Secret */
	RIGHT_NAMESPACE_READ,  /* a token whose user may read the namespace {ns} */
	RIGHT_NAMESPACE_WRITE, /* a write token whose user may write in the namespace {ns} */
	RIGHT_BUCKET_LIST,     /* anybody, who then sees what is public; {ns} may be "me" */
	RIGHT_BUCKET_READ,     /* whoever may read the namespace; of a public bucket anybody */
	RIGHT_BUCKET_WRITE,    /* as RIGHT_NAMESPACE_WRITE, for the bucket {ns}/{name} */
	RIGHT_CAS_READ,	       /* a token of xet-read-token or xet-write-token, for the namespace {domain} */
	RIGHT_CAS_WRITE,       /* a token of xet-write-token, for the namespace {domain} */
	RIGHT_SIGNED_URL,      /* the address itself; the handler looks */
	RIGHT_IMAGE_READ,      /* any token, or the admin socket */
	RIGHT_IMAGE_PULL,      /* a write token, or the admin socket */
	RIGHT_OPERATOR,	       /* a write token of the operator (the first user), or the admin socket */
	RIGHT_ADMIN,	       /* the Unix socket, as root or as the admin's uid; elsewhere: 404 */
};

struct route_query {
	const char *name, *description;
	const char *type; /* of OpenAPI: "string", "integer" */
	bool is_repeated;
};

struct route_doc {
	enum api_right right;
	const char *tag;
	const char *summary;
	const char *description;	 /* may be NULL */
	const struct route_query *query; /* ends with a row without name; may be NULL */
	const char *body;		 /* name of a schema (openapi_schemas.c); NULL: no body */
	const char *answer;		 /* name of a schema, or a media type; NULL: an object */
	const char *status;		 /* of the success; NULL: "200" */
};

#endif
