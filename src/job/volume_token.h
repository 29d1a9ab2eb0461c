/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With whose token a job reads repositories of the Hub: the one that its owner submitted it with, if that is a token of
 * that Hub (sealed with the secrets of the job, under a name that no variable can have); else its secret HF_TOKEN, unless
 * that is a token of this server; else hub.token_file.
 */
#ifndef HEARTH_JOB_VOLUME_TOKEN_H
#define HEARTH_JOB_VOLUME_TOKEN_H

#include "base/configuration.h"
#include "store/database.h"

#include <jansson.h>

#define VOLUME_TOKEN_SECRET "hearth.hub-token"

/* "" if there is none; yours to free. */
char *volume_token_of(struct database *db, const struct configuration *configuration, const json_t *secrets);
/* Put it into the mounts of kind "repository" (NULL is fine), and take the reserved name out of the secrets. */
void volume_token_give(struct database *db, const struct configuration *configuration, json_t *secrets, json_t *mounts);

#endif
