/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of namespaces, users and resource groups, and the groups: /admin/limits and /admin/groups.
 */
#include "api/access.h"
#include "api/admin.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/json.h"
#include "job/queue.h"
#include "job/wishes.h"

#include <string.h>

#define LIMIT_MAX 1000000000
#define WEIGHT_MAX 1000

/* One limit: how it is called, and what may be asked for. */
static const struct limit_row {
	const char *name;
	size_t offset;
	int64_t min, max;
	bool may_be_none;
} rows[] = {
        {"maxRunning", offsetof(struct limits, max_running), 0, LIMIT_MAX, true},
        {"maxQueued", offsetof(struct limits, max_queued), 0, LIMIT_MAX, true},
        {"maxDevices", offsetof(struct limits, max_devices), 0, LIMIT_MAX, true},
        {"maxPriority", offsetof(struct limits, max_priority), PRIORITY_MIN, PRIORITY_MAX, false},
        {"weight", offsetof(struct limits, weight), 1, WEIGHT_MAX, false},
};
#define ROW_COUNT (sizeof(rows) / sizeof(*rows))

static int64_t *limit_of(struct limits *limits, const struct limit_row *row)
{
	return (int64_t *)(void *)((char *)limits + row->offset);
}

static json_t *limit_value(const struct limit_row *row, int64_t value)
{
	if (value == LIMIT_UNSET)
		return json_null();
	if (value == LIMIT_NONE && row->may_be_none)
		return json_string("none");
	return json_integer(value);
}

struct limit_subject {
	enum limit_kind kind;
	const char *kind_name;
	char id[ID_SIZE], name[2 * ACCOUNT_NAME_MAX + 2];
};

static const char *const kind_names[] = {
        [LIMIT_NAMESPACE] = "namespace", [LIMIT_USER] = "user", [LIMIT_GROUP] = "group"};

static json_t *limit_object(const struct limit_subject *subject, const struct limits *limits)
{
	struct limits copy = *limits;
	json_t *object = json_pack("{s:s, s:s, s:s}", "kind", kind_names[subject->kind], "name",
	                           subject->name, "id", subject->id);

	for (size_t i = 0; i < ROW_COUNT; i++)
		json_object_set_new(object, rows[i].name,
		                    limit_value(&rows[i], *limit_of(&copy, &rows[i])));
	return object;
}

/* "lab/vision", or as much of it as is known. */
static void limit_name(struct api *api, struct limit_subject *subject)
{
	struct resource_group group;
	struct account account = {0};

	if (subject->kind != LIMIT_GROUP) {
		(void)accounts_find_by_id(api->db, subject->id, &account);
		snprintf(subject->name, sizeof(subject->name), "%s", account.name);
	} else if (groups_find(api->db, subject->id, &group)) {
		(void)accounts_find_by_id(api->db, group.namespace_id, &account);
		snprintf(subject->name, sizeof(subject->name), "%s/%s", account.name, group.name);
	}
}

/* {kind} is namespace, user or group, {name} a name, or the id of a group. */
static int limit_find(struct api *api, struct http_request *request, struct limit_subject *ret,
                      struct error *err)
{
	const char *kind = http_param(request, "kind"), *name = http_param(request, "name");
	struct account account;
	struct resource_group group;
	size_t i = 0;

	while (i <= LIMIT_GROUP && strcmp(kind_names[i], kind) != 0)
		i++;
	if (i > LIMIT_GROUP)
		return fail(err, E_NOT_FOUND,
		            "There are limits of namespace, user and group, not of %.40s", kind);
	ret->kind = (enum limit_kind)i;
	if (ret->kind == LIMIT_GROUP) {
		if (!groups_find(api->db, name, &group) || group.is_removed)
			return fail(err, E_NOT_FOUND, "There is no resource group %.96s", name);
		memcpy(ret->id, group.id, ID_SIZE);
	} else {
		if (!accounts_find(api->db, name, &account) ||
		    (ret->kind == LIMIT_USER && account.type != ACCOUNT_USER))
			return fail(err, E_NOT_FOUND, "There is no %s %.96s", kind, name);
		memcpy(ret->id, account.id, ID_SIZE);
	}
	limit_name(api, ret);
	return 0;
}

static int limit_read(const struct limit_row *row, const json_t *value, int64_t *ret,
                      struct error *err)
{
	const char *text = json_string_value(value);
	int64_t number = json_integer_value(value);

	if (!value)
		return 0;
	if (json_is_null(value)) {
		*ret = LIMIT_UNSET;
		return 0;
	}
	if (text && strcmp(text, "none") == 0 && row->may_be_none) {
		*ret = LIMIT_NONE;
		return 0;
	}
	if (!json_is_integer(value) || number < row->min || number > row->max)
		return fail(err, E_INVALID,
		            "%s must be a whole number from %lld to %lld%s, or null for the "
		            "setting",
		            row->name, (long long)row->min, (long long)row->max,
		            row->may_be_none ? ", \"none\"" : "");
	*ret = number;
	return 0;
}

static int limit_read_all(struct http_request *request, struct limits *limits, struct error *err)
{
	autojson json_t *body = NULL;
	const char *key;
	json_t *value;

	if (http_body_json(request, &body, err) < 0)
		return -1;
	json_object_foreach(body, key, value)
	{
		size_t i = 0;

		while (i < ROW_COUNT && strcmp(rows[i].name, key) != 0)
			i++;
		if (i == ROW_COUNT)
			return fail(err, E_INVALID,
			            "%.40s is not a limit; there are maxRunning, maxQueued, "
			            "maxDevices, maxPriority and weight",
			            key);
		if (limit_read(&rows[i], value, limit_of(limits, &rows[i]), err) < 0)
			return -1;
	}
	return 0;
}

void admin_limits_show(struct http_request *request, void *context)
{
	struct api *api = context;
	struct limit_subject subject = {0};
	struct error err = ERROR_INIT;
	struct limits limits;

	if (limit_find(api, request, &subject, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	limits_get(api->db, subject.kind, subject.id, &limits);
	http_respond_json(request, 200, limit_object(&subject, &limits));
}

void admin_limits_set(struct http_request *request, void *context)
{
	struct api *api = context;
	struct limit_subject subject = {0};
	struct error err = ERROR_INIT;
	struct limits limits;

	if (limit_find(api, request, &subject, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	limits_get(api->db, subject.kind, subject.id, &limits);
	if (limit_read_all(request, &limits, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	queue_set_limits(api->jobs, subject.kind, subject.id, &limits);
	admin_answer(api, request, subject.name, limit_object(&subject, &limits));
}

struct limit_list {
	struct api *api;
	json_t *list;
};

static void limit_add(void *arg, enum limit_kind kind, const char *id, const struct limits *limits)
{
	struct limit_list *all = arg;
	struct limit_subject subject = {.kind = kind};

	memcpy(subject.id, id, ID_SIZE);
	limit_name(all->api, &subject);
	json_array_append_new(all->list, limit_object(&subject, limits));
}

void admin_limits_list(struct http_request *request, void *context)
{
	struct limit_list all = {.api = context, .list = json_array()};

	limits_each(all.api->db, limit_add, &all);
	http_respond_json(request, 200, all.list);
}
