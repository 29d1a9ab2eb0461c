/* SPDX-License-Identifier: Apache-2.0 */
/* What a submission asks for: all numbers of a range, or those that did not complete elsewhere. */
#include "job/array_private.h"

#include "base/quantity.h"
#include "store/accounts.h"
#include "store/dependencies.h"

#include <string.h>

#define ELEMENTS_MAX_BYTES (INT64_C(256) * 1024 * 1024)
#define LABEL "labels.hearth.array-retry"

_Static_assert(ARRAY_ELEMENTS_MAX == WISHES_ARRAY_MAX, "plans have a bit for each number");

static void plan_leave_out(void *arg, const struct array_element *element)
{
	array_plan_leave_out(arg, element->number);
}

static int plan_find_source(struct job_service *service, const struct account *caller,
                            const char *id, struct array_plan *ret, struct error *err)
{
	struct dependency source;

	if (!dependencies_look(service->db, id, &source) ||
	    accounts_role(service->db, caller->id, source.namespace_id) < ROLE_READ)
		return fail(err, E_NOT_FOUND, LABEL ": job %s was not found", id);
	if (!arrays_find(service->db, id, ret))
		return fail(err, E_INVALID, LABEL ": job %s is not an array; name one that is", id);
	if (!stage_is_terminal(source.stage) || array_find(service, id))
		return fail(err, E_CONFLICT,
		            LABEL ": array %s is not over yet; wait for it, or cancel it", id);
	elements_each(service->db, id, ret->first, 1u << STAGE_COMPLETED, ARRAY_ELEMENTS_MAX,
	              plan_leave_out, ret);
	return 0;
}

/* Only numbers that both have. */
static int plan_narrow(struct array_plan *plan, const struct job_wishes *wishes, struct error *err)
{
	if (wishes->array_first > plan->last || wishes->array_last < plan->first)
		return fail(err, E_INVALID,
		            "labels.hearth.array: %d-%d has no number of the array that "
		            "hearth.array-retry names, %d-%d",
		            wishes->array_first, wishes->array_last, plan->first, plan->last);
	for (int number = plan->first; number <= plan->last; number++)
		if (number < wishes->array_first || number > wishes->array_last)
			array_plan_leave_out(plan, number);
	return 0;
}

static int plan_retry(struct job_service *service, const struct account *caller,
                      const struct job_wishes *wishes, struct array_plan *ret, struct error *err)
{
	struct array_plan plan;

	if (plan_find_source(service, caller, wishes->array_retry, &plan, err) < 0 ||
	    (wishes->is_array && plan_narrow(&plan, wishes, err) < 0))
		return -1;
	if (array_plan_count(&plan) == 0)
		return fail(err, E_CONFLICT,
		            LABEL ": all of the elements of array %s that are asked for have "
		                  "completed; there is nothing to run again",
		            wishes->array_retry);
	*ret = plan;
	return 0;
}

/* Each element has a specification of its own, also in the database. */
int array_check_size(const struct job_record *job, size_t sealed_len, const struct array_plan *plan,
                     struct error *err)
{
	int64_t each = (int64_t)json_dumpb(job->spec, NULL, 0, JSON_COMPACT) + (int64_t)sealed_len;
	char all[QUANTITY_TEXT_SIZE], max[QUANTITY_TEXT_SIZE];

	if (each * array_plan_count(plan) <= ELEMENTS_MAX_BYTES)
		return 0;
	return fail(err, E_TOO_LARGE,
	            "labels.hearth.array: %d specifications of this size, with environment and "
	            "secrets, have %s together, and an array may have %s; put what is large into a "
	            "bucket, or make fewer elements",
	            array_plan_count(plan),
	            quantity_format_bytes(each * array_plan_count(plan), all),
	            quantity_format_bytes(ELEMENTS_MAX_BYTES, max));
}

int array_plan_make(struct job_service *service, const struct account *caller,
                    const struct job_wishes *wishes, bool *ret_is_array, struct array_plan *ret,
                    struct error *err)
{
	struct array_plan plan = {.first = wishes->array_first, .last = wishes->array_last};

	if (*wishes->array_retry && plan_retry(service, caller, wishes, &plan, err) < 0)
		return -1;
	*ret_is_array = wishes->is_array || *wishes->array_retry;
	plan.next = plan.first;
	plan.max_open = wishes->array_max;
	*ret = plan;
	return 0;
}
