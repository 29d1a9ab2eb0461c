/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers below /admin share. */
#ifndef HEARTH_API_ADMIN_H
#define HEARTH_API_ADMIN_H

#include "api/api.h"
#include "base/json.h"

#define ADMIN_ANSWER_MAX ((size_t)64 * 1024)

/* Parse the body into `dest`; strings are borrowed from *ret_body, which is yours to release. */
int admin_read_body(struct http_request *request, const struct json_field *fields, void *dest,
		    json_t **ret_body, struct error *err);
/* The account named by a path parameter; false: 404 was answered. */
bool admin_find_account(struct http_request *request, struct api *api, const char *param,
			enum account_type type, struct account *ret);
/* Answer once the change is on disk; `subject` goes to the audit line. */
void admin_answer(struct api *api, struct http_request *request, const char *subject,
		  json_t *take_answer);

#endif
