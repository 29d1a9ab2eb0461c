/* SPDX-License-Identifier: Apache-2.0 */
/* Limits that an admin set, and resource groups: the rows. */
#ifndef HEARTH_STORE_LIMITS_H
#define HEARTH_STORE_LIMITS_H

#include "base/error.h"
#include "base/id.h"
#include "store/accounts.h"
#include "store/database.h"

#include <stdbool.h>
#include <stdint.h>

enum limit_kind { LIMIT_NAMESPACE, LIMIT_USER, LIMIT_GROUP };

/* -1: no limit (not of max_priority, which is -100 … 100); LIMIT_UNSET: as the settings say. */
#define LIMIT_NONE (-1)
#define LIMIT_UNSET (-1000)
struct limits {
	int64_t max_running, max_queued, max_devices, max_priority, weight;
};
#define LIMITS_INIT ((struct limits){LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET})

struct resource_group {
	char id[ID_SIZE], namespace_id[ID_SIZE];
	char name[ACCOUNT_NAME_MAX + 1];
	int64_t created_ms;
	bool is_removed;
};

/* `id`: of an account or a group. Unset ones when there is no row. */
void limits_get(struct database *db, enum limit_kind kind, const char *id, struct limits *ret);
bool limits_are_unset(const struct limits *limits);
void limits_set(struct database *db, enum limit_kind kind, const char *id, const struct limits *limits);
void limits_each(struct database *db,
		 void (*fn)(void *, enum limit_kind, const char *id, const struct limits *), void *arg);

int groups_create(struct database *db, const char *namespace_id, const char *name,
		  struct resource_group *ret, struct error *err);
int groups_remove(struct database *db, const char *id, struct error *err);
/* Removed ones too: jobs still name them. The case of the id does not matter. */
bool groups_find(struct database *db, const char *id, struct resource_group *ret);
/* Of those that were not removed. */
bool groups_find_by_name(struct database *db, const char *namespace_id, const char *name,
			 struct resource_group *ret);
/* Who may use its groups: the members of an organization, or the user. */
int64_t groups_count_users(struct database *db, const char *namespace_id);
void groups_each(struct database *db, const char *namespace_id,
		 void (*fn)(void *, const struct resource_group *), void *arg);

#endif
