/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of jobs between their specification (normalized by job/spec.h) and their attempts: rights
 * at submission, what the monitor is told, and which buckets are in use.
 */
#ifndef HEARTH_JOB_VOLUMES_H
#define HEARTH_JOB_VOLUMES_H

#include "base/configuration.h"
#include "base/error.h"
#include "store/accounts.h"
#include "store/database.h"

#include <jansson.h>

struct bucket_service;
struct job_service;

/* The role that somebody has in a namespace, lowered to what his token allows. */
typedef enum account_role volumes_role_fn(void *arg, const struct account *ns);

/*
 * May they be used? `body` is the normalized specification. E_NOT_FOUND: a bucket that is not there
 * or cannot be read, a folder that hub.mirror does not have; E_FORBIDDEN: writing needs the role
 * write; E_INVALID: no Hub is configured. Repositories of a Hub that has to be asked (hub.endpoint)
 * are not looked at here.
 */
int job_volumes_check(struct database *db, const struct configuration *configuration,
                      const json_t *body, volumes_role_fn *role, void *arg, struct error *err);
/* The same by the roles of an account; job_submit() and job_duplicate() do this for the creator. */
int job_volumes_check_for(struct database *db, const struct configuration *configuration,
                          const json_t *body, const char *account_id, struct error *err);
/* Is it a repository of the Hub, and not in the mirror? */
bool job_volumes_is_upstream(const struct configuration *configuration, const json_t *volume);
/* Are there volumes for which a Hub has to be asked? */
bool job_volumes_need_hub(const struct configuration *configuration, const json_t *body);
/* URL of the Hub of repositories; NULL: none. */
const char *job_volumes_endpoint(const struct configuration *configuration);

/* "mounts" of spec.json (base/volume.h), yours to release; an empty array without volumes. */
int job_volumes_mounts(struct database *db, const struct configuration *configuration,
                       const json_t *body, json_t **ret, struct error *err);

/* An attempt with these volumes is live, or is over: tells the bucket service, which then counts
 * what was written. Idempotent. */
void job_volumes_set_mounted(struct job_service *service, const char *job_id, const json_t *body,
                             bool is_mounted);

#endif
