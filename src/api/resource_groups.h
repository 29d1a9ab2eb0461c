/* SPDX-License-Identifier: Apache-2.0 */
/* Resource groups as the API shows them, in jobs, in whoami-v2 and to admins. */
#ifndef HEARTH_API_RESOURCE_GROUPS_H
#define HEARTH_API_RESOURCE_GROUPS_H

#include "store/limits.h"

#include <jansson.h>

/* {id, name, numUsers}: everyone who belongs to the namespace may use it. New. */
json_t *resource_group_object(struct database *db, const struct resource_group *group);
json_t *resource_group_list(struct database *db, const char *namespace_id);

#endif
