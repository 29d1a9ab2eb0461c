/* SPDX-License-Identifier: Apache-2.0 */
/* Who may submit what: limits of namespaces, users and resource groups, and the settings where no
 * admin has set one. What can never run is refused at once. */
#include "base/json.h"
#include "job/active.h"
#include "job/flavor_catalogue.h"
#include "job/queue.h"
#include "job/wishes.h"

#include <stdio.h>
#include <string.h>

#define GROUPS_SHOWN_SIZE 256

/* One of the three that limit a submission. */
struct subject {
	enum limit_kind kind;
	const char *id, *name;
	struct limits limits;
};

static enum scheduler_scope limit_scope(enum limit_kind kind)
{
	static const enum scheduler_scope scopes[] = {
	        [LIMIT_NAMESPACE] = SCOPE_NAMESPACE,
	        [LIMIT_USER] = SCOPE_USER,
	        [LIMIT_GROUP] = SCOPE_GROUP,
	};

	return scopes[kind];
}

static int64_t limit_or(int64_t limit, int64_t setting)
{
	return limit == LIMIT_UNSET ? setting : limit;
}

/* Of a setting 0 means that there is no limit. */
static int64_t limit_of_setting(int64_t value)
{
	return value > 0 ? value : LIMIT_NONE;
}

static int64_t limit_max_queued(const struct job_service *service, const struct subject *subject)
{
	const struct configuration *c = service->configuration;
	int64_t setting = subject->kind == LIMIT_NAMESPACE ? limit_of_setting(c->max_queued)
	                  : subject->kind == LIMIT_USER ? limit_of_setting(c->max_queued_per_user)
	                                                : LIMIT_NONE;

	return limit_or(subject->limits.max_queued, setting);
}

static int64_t limit_max_running(const struct job_service *service, enum limit_kind kind,
                                 const struct limits *limits)
{
	const struct configuration *c = service->configuration;
	int64_t setting = kind == LIMIT_NAMESPACE ? limit_of_setting(c->max_running_per_namespace)
	                  : kind == LIMIT_USER    ? limit_of_setting(c->max_running_per_user)
	                                          : LIMIT_NONE;

	return limit_or(limits->max_running, setting);
}

static void limit_give(struct job_service *service, enum limit_kind kind, const char *id,
                       const struct limits *limits)
{
	struct scheduler_limits ours = {
	        .max_running = limit_max_running(service, kind, limits),
	        .max_devices = limit_or(limits->max_devices, LIMIT_NONE),
	        .weight = limit_or(limits->weight, 100),
	};

	scheduler_set_limits(service->scheduler, limit_scope(kind), id, &ours);
}

static void limit_load(void *arg, enum limit_kind kind, const char *id, const struct limits *limits)
{
	limit_give(arg, kind, id, limits);
}

void queue_load_limits(struct job_service *service)
{
	limits_each(service->db, limit_load, service);
}

void queue_set_limits(struct job_service *service, enum limit_kind kind, const char *id,
                      const struct limits *limits)
{
	limits_set(service->db, kind, id, limits);
	limit_give(service, kind, id, limits);
	service_schedule(service);
}

static const char *subject_words(const struct subject *subject, char ret[160])
{
	static const char *const kinds[] = {[LIMIT_NAMESPACE] = "",
	                                    [LIMIT_USER] = "the user ",
	                                    [LIMIT_GROUP] = "the resource group "};

	snprintf(ret, 160, "%s%s", kinds[subject->kind], subject->name);
	return ret;
}

static int subject_check_queue(const struct job_service *service, const struct subject *subject,
                               int64_t count, struct error *err)
{
	int64_t max = limit_max_queued(service, subject), queued = 0, running;
	char who[160];

	if (max < 0)
		return 0;
	subject_words(subject, who);
	if (max == 0)
		return fail(err, E_FORBIDDEN,
		            "%s may not submit jobs: an admin of this server has set the limit "
		            "max-queued to 0",
		            who);
	if (subject->kind == LIMIT_NAMESPACE)
		queued = active_count_queued(service, subject->id);
	else
		scheduler_count(service->scheduler, limit_scope(subject->kind), subject->id,
		                &queued, &running);
	if (queued + count <= max)
		return 0;
	if (count > max)
		return fail(err, E_FORBIDDEN,
		            "These are %lld jobs, and %s may have %lld waiting at most",
		            (long long)count, who, (long long)max);
	return fail(err, E_BUSY,
	            "%s has %lld waiting job%s, and %lld is the most that this server keeps for "
	            "%s (%s); submit again when some of them have started",
	            who, (long long)queued, queued == 1 ? "" : "s", (long long)max,
	            subject->kind == LIMIT_NAMESPACE ? "one namespace"
	            : subject->kind == LIMIT_USER    ? "one user"
	                                             : "this resource group",
	            subject->limits.max_queued != LIMIT_UNSET ? "limit max-queued, set by an admin"
	            : subject->kind == LIMIT_NAMESPACE        ? "setting jobs.max_queued"
	                                                      : "setting jobs.max_queued_per_user");
}

/* Waiting for ever is no answer. */
static int subject_check_possible(const struct job_service *service, const struct subject *subject,
                                  const struct flavor *flavor, struct error *err)
{
	int64_t devices = limit_or(subject->limits.max_devices, LIMIT_NONE);
	char who[160];

	if (limit_max_running(service, subject->kind, &subject->limits) == 0)
		return fail(err, E_FORBIDDEN,
		            "%s may not run jobs: an admin of this server has set the limit "
		            "max-running to 0",
		            subject_words(subject, who));
	if (devices >= 0 && flavor->device_count > devices)
		return fail(err, E_FORBIDDEN,
		            "flavor \"%s\" has %lld accelerator%s, and %s may use %lld at once "
		            "(limit max-devices, set by an admin of this server)",
		            flavor->name, (long long)flavor->device_count,
		            flavor->device_count == 1 ? "" : "s", subject_words(subject, who),
		            (long long)devices);
	return 0;
}

int queue_check_priority(struct job_service *service, const char *namespace_id, const char *user_id,
                         const char *group_id, int *priority, struct error *err)
{
	const struct {
		enum limit_kind kind;
		const char *id, *whose;
	} rows[] = {
	        {LIMIT_NAMESPACE, namespace_id, "the limit of the namespace"},
	        {LIMIT_USER, user_id, "the limit of the user"},
	        {LIMIT_GROUP, group_id, "the limit of the resource group"},
	};
	int64_t max = PRIORITY_MAX + 1; /* no limit was seen */
	const char *why = "setting scheduler.max_priority";

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct limits limits;

		if (!*rows[i].id)
			continue;
		limits_get(service->db, rows[i].kind, rows[i].id, &limits);
		if (limits.max_priority != LIMIT_UNSET && limits.max_priority < max) {
			max = limits.max_priority;
			why = rows[i].whose;
		}
	}
	if (max > PRIORITY_MAX)
		max = service->configuration->max_priority;
	if (*priority <= max)
		return 0;
	/* An admin has put all their jobs behind others: who asks for nothing is not refused. */
	if (*priority <= 0) {
		*priority = (int)max;
		return 0;
	}
	return fail(err, E_FORBIDDEN,
	            "labels.hearth.priority: %d is more than %lld, the highest priority that is "
	            "allowed here (%s); an admin of this server can change that",
	            *priority, (long long)max, why);
}

struct group_names {
	char text[GROUPS_SHOWN_SIZE];
	size_t len;
};

static void group_add_name(void *arg, const struct resource_group *group)
{
	struct group_names *names = arg;

	if (names->len + ID_SIZE + strlen(group->name) + 8 < sizeof(names->text))
		names->len += (size_t)snprintf(names->text + names->len,
		                               sizeof(names->text) - names->len, "%s%s (%s)",
		                               names->len ? ", " : "", group->id, group->name);
}

static int admit_group(struct job_service *service, const struct queue_request *request,
                       struct resource_group *ret, struct error *err)
{
	const char *id = request->resource_group_id;
	struct group_names names = {0};

	*ret = (struct resource_group){0};
	if (!id || (groups_find(service->db, id, ret) && !ret->is_removed &&
	            strcmp(ret->namespace_id, request->owner->id) == 0))
		return 0;
	groups_each(service->db, request->owner->id, group_add_name, &names);
	return fail(err, E_INVALID, "resourceGroupId: %s has no resource group %.24s%s%s",
	            request->owner->name, id, names.len ? "; there are: " : "", names.text);
}

/* The third one is there if a group is asked for. */
static int admit_subjects(struct job_service *service, const struct queue_request *request,
                          struct resource_group *group, struct subject ret[3], struct error *err)
{
	if (admit_group(service, request, group, err) < 0)
		return -1;
	ret[0] = (struct subject){
	        .kind = LIMIT_NAMESPACE, .id = request->owner->id, .name = request->owner->name};
	ret[1] = (struct subject){
	        .kind = LIMIT_USER, .id = request->creator->id, .name = request->creator->name};
	ret[2] = (struct subject){.kind = LIMIT_GROUP, .id = group->id, .name = group->name};
	for (int i = 0; i < (*group->id ? 3 : 2); i++)
		limits_get(service->db, ret[i].kind, ret[i].id, &ret[i].limits);
	return *group->id ? 3 : 2;
}

static int admit_check(struct job_service *service, const struct queue_request *request,
                       char ret_group[ID_SIZE], struct error *err)
{
	struct resource_group group;
	struct subject subjects[3];
	int n = admit_subjects(service, request, &group, subjects, err);

	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (subject_check_possible(service, &subjects[i], request->flavor, err) < 0)
			return -1;
	memcpy(ret_group, group.id, ID_SIZE);
	return queue_check_priority(service, request->owner->id, request->creator->id, group.id,
	                            &request->wishes->priority, err);
}

int queue_check_job(struct job_service *service, const struct account *owner,
                    const struct account *creator, const char *flavor, const json_t *spec,
                    const json_t *labels, struct error *err)
{
	struct job_wishes wishes;
	struct queue_request request = {
	        .owner = owner,
	        .creator = creator,
	        .wishes = &wishes,
	        .resource_group_id = json_get_text(spec, "resourceGroupId", NULL),
	};
	char group[ID_SIZE];

	if (flavor_choose(service->configuration, flavor, creator->name, owner->name,
	                  &request.flavor, err) < 0 ||
	    job_wishes_parse(service->configuration, labels, &wishes, err) < 0)
		return -1;
	return admit_check(service, &request, group, err);
}

int queue_admit(struct job_service *service, const struct queue_request *request,
                char ret_group[ID_SIZE], struct error *err)
{
	struct resource_group group;
	struct subject subjects[3];
	int n;

	if (admit_check(service, request, ret_group, err) < 0 ||
	    (n = admit_subjects(service, request, &group, subjects, err)) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (subject_check_queue(service, &subjects[i], request->jobs, err) < 0)
			return -1;
	return 0;
}
