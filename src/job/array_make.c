/* SPDX-License-Identifier: Apache-2.0 */
/* One element: a job like any other, made from the array's row. */
#include "job/array_private.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#define SECRETS_MAX (8 * 1024 * 1024)

/* Those of the array as a whole; an element waits and is held with its array. */
static const char *const array_labels[] = {
        "hearth.array", "hearth.array-max", "hearth.array-retry",
        "hearth.after", "hearth.hold",      "hearth.idempotency-key",
};

static json_t *make_labels(const struct job_record *array, int number)
{
	json_t *labels = json_copy(array->labels);
	char text[16];

	for (size_t i = 0; i < sizeof(array_labels) / sizeof(*array_labels); i++)
		json_object_del(labels, array_labels[i]);
	snprintf(text, sizeof(text), "%d", number);
	json_object_set_new(labels, "hearth.array-of", json_string(array->id));
	json_object_set_new(labels, "hearth.array-index", json_string(text));
	return labels;
}

static void make_set_number(json_t *environment, const char *name, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	json_object_set_new(environment, name, json_string(text));
}

static json_t *make_spec(const struct job_record *array, const struct array_plan *plan, int number)
{
	json_t *spec = json_copy(array->spec);
	const json_t *given = json_object_get(array->spec, "environment");
	json_t *environment = given ? json_copy((json_t *)(uintptr_t)given) : json_object();

	json_object_set_new(environment, "HEARTH_ARRAY_ID", json_string(array->id));
	make_set_number(environment, "HEARTH_ARRAY_INDEX", number);
	make_set_number(environment, "HEARTH_ARRAY_FIRST", plan->first);
	make_set_number(environment, "HEARTH_ARRAY_LAST", plan->last);
	json_object_set_new(spec, "environment", environment);
	return spec;
}

/* Borrows nothing but what `ret` says. */
static void make_record(const struct job_record *array, const struct array_plan *plan, int number,
                        struct job_record *ret)
{
	*ret = (struct job_record){
	        .created_ms = clock_now_ms(),
	        .stage = STAGE_SCHEDULING,
	        .attempts = array->attempts,
	        .timeout_s = array->timeout_s,
	        .flavor = xstrdup(array->flavor),
	        .spec = make_spec(array, plan, number),
	        .labels = make_labels(array, number),
	        .initiator = json_incref(array->initiator),
	        .priority = array->priority,
	        .rank = array->rank,
	        .namespace_type = array->namespace_type,
	};
	id_new(ret->id);
	memcpy(ret->namespace_id, array->namespace_id, ID_SIZE);
	memcpy(ret->namespace_name, array->namespace_name, sizeof(ret->namespace_name));
	memcpy(ret->created_by_id, array->created_by_id, ID_SIZE);
	memcpy(ret->created_by_name, array->created_by_name, sizeof(ret->created_by_name));
	memcpy(ret->group_id, array->group_id, ID_SIZE);
}

static void make_enter(struct job_service *service, struct array *array,
                       const struct job_record *record, const struct flavor *flavor, int number)
{
	struct scheduler_entry place = active_place(service, record, flavor);
	struct active_job *active = active_new(service, &place);

	if (array_may_open(array)) {
		array->open++;
	} else {
		active->waits_array = true;
		active->place.hold = HOLD_ARRAY;
		if (number < array->open_from)
			array->open_from = number;
	}
	active_enqueue(service, active, 1);
	array->counts[STAGE_SCHEDULING]++;
	service->submitted_total++;
	service_schedule(service);
}

int array_make_element(struct job_service *service, struct array *array,
                       const struct job_record *record, int number)
{
	const struct flavor *flavor = configuration_flavor(service->configuration, record->flavor);
	autobuffer struct buffer sealed = BUFFER_INIT(SECRETS_MAX);
	struct job_record element autojob = {0};
	struct error err = ERROR_INIT;
	char existing[ID_SIZE];

	if (!flavor)
		return -1;
	make_record(record, &array->plan, number, &element);
	jobs_get_secrets(service->db, record->id, &sealed);
	if (jobs_insert(service->db, &element, sealed.data, sealed.len, NULL, NULL, existing,
	                &err) < 0)
		BUG("array %s: its account is gone: %s", record->id, err.text);
	elements_insert(service->db, record->id, number, element.id);
	make_enter(service, array, &element, flavor, number);
	return 0;
}
