/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, for what, and may they: decided before a handler runs, by the `right` of its row.
 *
 * A namespace that the caller may not read: 403 when the namespace exists, except below a job id,
 * where it is 404, so that nobody learns which jobs exist (hub-jobs-api 1.5).
 */
#ifndef HEARTH_API_ACCESS_H
#define HEARTH_API_ACCESS_H

#include "api/caller.h"
#include "api/routes.h"

/* What api_before() found out; the user data of the request. */
struct access {
	struct api *api;
	struct http_request *request;
	const struct http_route *route;
	struct caller caller;
	struct account ns;	     /* of {ns}, when the row asks for a right in a namespace or of a bucket */
	struct bucket bucket;	     /* of {ns}/{name}, when the row asks for a right of a bucket */
	struct xet_grant grant;	     /* of the token, when the row asks for a right of the CAS */
	char subject[2 * ID_SIZE];   /* what was made or changed, for the audit line */
	bool is_admitted;	     /* checked, the handler may run */
	bool is_denied;		     /* answered 401, 403, or 404 in place of 403 */
	struct upstream_wait *wait; /* the upstream Hub is being asked */
};

struct access *access_of(const struct http_request *request);
/* Name what a call made or changed, for its audit line: an id or a name, never a secret. */
void access_set_subject(struct http_request *request, const char *subject);
/* "audit user=alice token=laptop method=POST path=/api/jobs/alice …", yours to free. */
char *access_audit_line(struct http_request *request);

#endif
