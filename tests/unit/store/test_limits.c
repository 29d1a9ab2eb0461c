/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and resource groups: rows that come back as they were written. */
#include "store_fixture.h"

#include "store/limits.h"

struct seen {
	int count;
	enum limit_kind kind;
	char id[ID_SIZE];
	struct limits limits;
};

static void see(void *arg, enum limit_kind kind, const char *id, const struct limits *limits)
{
	struct seen *seen = arg;

	seen->count++;
	seen->kind = kind;
	memcpy(seen->id, id, ID_SIZE);
	seen->limits = *limits;
}

static void limits_are_kept_and_taken_back(void **state)
{
	struct store_fixture *f = *state;
	struct limits limits;
	struct seen seen = {0};

	limits_get(f->db, LIMIT_NAMESPACE, f->lab.id, &limits);
	assert_true(limits_are_unset(&limits));
	limits.max_running = 0;
	limits.max_priority = -1;
	limits_set(f->db, LIMIT_NAMESPACE, f->lab.id, &limits);
	database_commit(f->db);
	store_crash(f);
	limits_each(f->db, see, &seen);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.kind, LIMIT_NAMESPACE);
	assert_string_equal(seen.id, f->lab.id);
	assert_int_equal(seen.limits.max_running, 0);
	assert_int_equal(seen.limits.max_queued, LIMIT_UNSET);
	assert_int_equal(seen.limits.max_priority, -1);
	/* A user's limits are not those of the namespace of that name. */
	limits_get(f->db, LIMIT_USER, f->lab.id, &limits);
	assert_true(limits_are_unset(&limits));
	limits_set(f->db, LIMIT_NAMESPACE, f->lab.id, &limits);
	seen.count = 0;
	limits_each(f->db, see, &seen);
	assert_int_equal(seen.count, 0);
}

static void count_group(void *arg, const struct resource_group *group)
{
	++*(int *)arg;
}

static void groups_belong_to_one_namespace(void **state)
{
	struct store_fixture *f = *state;
	struct resource_group group, again;
	struct error err = ERROR_INIT;
	struct limits limits = LIMITS_INIT;
	char upper[ID_SIZE];
	int count = 0;
	struct seen seen = {0};

	assert_int_equal(groups_create(f->db, f->lab.id, "vision", &group, &err), 0);
	assert_string_equal(group.namespace_id, f->lab.id);
	assert_int_equal(groups_create(f->db, f->lab.id, "Vision", &again, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	assert_int_equal(groups_create(f->db, f->alice.id, "vision", &again, &err), 0);
	assert_int_equal(groups_create(f->db, f->lab.id, "a b", &again, &err), -1);
	assert_int_equal(groups_create(f->db, f->lab.id, "", &again, &err), -1);
	assert_int_equal(err.code, E_INVALID);
	for (int i = 0; i < ID_SIZE; i++)
		upper[i] = (char)(group.id[i] >= 'a' ? group.id[i] - 32 : group.id[i]);
	assert_true(groups_find(f->db, upper, &again));
	assert_string_equal(again.id, group.id);
	assert_true(groups_find_by_name(f->db, f->lab.id, "VISION", &again));
	limits.max_devices = 2;
	limits_set(f->db, LIMIT_GROUP, group.id, &limits);
	limits_each(f->db, see, &seen);
	assert_int_equal(seen.kind, LIMIT_GROUP);
	assert_string_equal(seen.id, group.id);
	assert_int_equal(groups_remove(f->db, group.id, &err), 0);
	assert_int_equal(groups_remove(f->db, group.id, &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
	assert_true(groups_find(f->db, group.id, &again));
	assert_true(again.is_removed);
	assert_false(groups_find_by_name(f->db, f->lab.id, "vision", &again));
	seen.count = 0;
	limits_each(f->db, see, &seen);
	assert_int_equal(seen.count, 0);
	assert_int_equal(groups_create(f->db, f->lab.id, "vision", &again, &err), 0);
	assert_string_not_equal(again.id, group.id);
	groups_each(f->db, f->lab.id, count_group, &count);
	assert_int_equal(count, 1);
}

static void limits_go_with_their_account(void **state)
{
	struct store_fixture *f = *state;
	struct limits limits = LIMITS_INIT;
	struct resource_group group;
	struct error err = ERROR_INIT;
	struct seen seen = {0};

	assert_int_equal(groups_create(f->db, f->lab.id, "vision", &group, &err), 0);
	limits.max_queued = 5;
	limits_set(f->db, LIMIT_GROUP, group.id, &limits);
	limits_set(f->db, LIMIT_NAMESPACE, f->lab.id, &limits);
	limits_set(f->db, LIMIT_USER, f->alice.id, &limits);
	assert_int_equal(accounts_remove(f->db, "lab", &err), 0);
	limits_each(f->db, see, &seen);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.id, f->alice.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(limits_are_kept_and_taken_back, store_setup,
	                                        store_teardown),
	        cmocka_unit_test_setup_teardown(groups_belong_to_one_namespace, store_setup,
	                                        store_teardown),
	        cmocka_unit_test_setup_teardown(limits_go_with_their_account, store_setup,
	                                        store_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
