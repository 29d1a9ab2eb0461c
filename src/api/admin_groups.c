/* SPDX-License-Identifier: Apache-2.0 */
/* Resource groups of a namespace: what jobs name by resourceGroupId, and admins limit. */
#include "api/access.h"
#include "api/admin.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "api/resource_groups.h"
#include "base/clock.h"
#include "base/json.h"
#include "job/queue.h"

#include <string.h>

json_t *resource_group_object(struct database *db, const struct resource_group *group)
{
	return json_pack("{s:s, s:s, s:I}", "id", group->id, "name", group->name, "numUsers",
	                 (json_int_t)groups_count_users(db, group->namespace_id));
}

struct group_list {
	struct database *db;
	json_t *list;
};

static void group_add(void *arg, const struct resource_group *group)
{
	struct group_list *groups = arg;

	json_array_append_new(groups->list, resource_group_object(groups->db, group));
}

json_t *resource_group_list(struct database *db, const char *namespace_id)
{
	struct group_list groups = {.db = db, .list = json_array()};

	groups_each(db, namespace_id, group_add, &groups);
	return groups.list;
}

static bool group_find_namespace(struct api *api, struct http_request *request, struct account *ret)
{
	const char *name = http_param(request, "name");

	if (accounts_find(api->db, name, ret))
		return true;
	answer_fail(request, E_NOT_FOUND, "There is no user or organization %.96s", name);
	return false;
}

void admin_groups_list(struct http_request *request, void *context)
{
	struct api *api = context;
	struct account owner;

	if (group_find_namespace(api, request, &owner))
		http_respond_json(request, 200, resource_group_list(api->db, owner.id));
}

void admin_groups_create(struct http_request *request, void *context)
{
	struct api *api = context;
	struct {
		const char *name;
	} wish = {0};
	static const struct json_field fields[] = {{"name", JSON_FIELD_STRING, true, 0}, {0}};
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;
	struct account owner;
	struct resource_group group;

	if (!group_find_namespace(api, request, &owner))
		return;
	if (admin_read_body(request, fields, &wish, &body, &err) < 0 ||
	    groups_create(api->db, owner.id, wish.name, &group, &err) < 0)
		answer_error(request, &err);
	else
		admin_answer(api, request, group.id, resource_group_object(api->db, &group));
}

/* {group} is its name or its id. Jobs that name it stay as they are, without its limits. */
void admin_groups_remove(struct http_request *request, void *context)
{
	struct api *api = context;
	const char *name = http_param(request, "group");
	const struct limits unset = LIMITS_INIT;
	struct error err = ERROR_INIT;
	struct account owner;
	struct resource_group group;

	if (!group_find_namespace(api, request, &owner))
		return;
	if (!groups_find_by_name(api->db, owner.id, name, &group) &&
	    (!groups_find(api->db, name, &group) || group.is_removed ||
	     strcmp(group.namespace_id, owner.id) != 0)) {
		answer_fail(request, E_NOT_FOUND, "%s has no resource group %.96s", owner.name,
		            name);
		return;
	}
	queue_set_limits(api->jobs, LIMIT_GROUP, group.id, &unset);
	if (groups_remove(api->db, group.id, &err) < 0)
		answer_error(request, &err);
	else
		admin_answer(api, request, group.id,
		             json_pack("{s:s, s:s}", "removed", group.name, "id", group.id));
}
