/* SPDX-License-Identifier: Apache-2.0 */
/* Random arrays beside what must be true of them. */
#include "array_fixture.h"

/* Random arrays, all at once, whose elements end, are cancelled and held at random, with crashes
 * before and after commits. Whatever happens: never more at once than may be, no element twice, and
 * an end that says what its elements say. */
#define RANDOM_ARRAYS 60

struct random_array {
	char id[ID_SIZE];
	int first, count, max;
};

static unsigned random_seed = 20261123;

static int random_below(int n)
{
	random_seed = random_seed * 1103515245 + 12345;
	return (int)(random_seed >> 16 & 0x7fff) % n;
}

static void random_make(struct job_fixture *f, struct random_array *random)
{
	struct error err = ERROR_INIT;
	char range[32], max[16];

	random->first = random_below(100);
	random->count = 1 + random_below(12);
	random->max = random_below(4);
	snprintf(range, sizeof(range), "%d-%d", random->first, random->first + random->count - 1);
	snprintf(max, sizeof(max), "%d", random->max);
	if (submit_as(f, &f->store->alice,
	              array_with(range, "hearth.array-max", random->max ? max : ""), NULL,
	              random->id, &err) != 0)
		fail_msg("%s", err.text);
}

static void random_step(struct job_fixture *f, const struct random_array *random)
{
	struct elements *elements = elements_of(f, random->id, UNFINISHED);
	struct active_job *active = active_find(f->service, random->id);
	int what = random_below(40);
	const char *id;

	if (what == 0)
		job_cancel(f->service, random->id, NULL, NULL);
	if (what == 1 && active) {
		active->held = active->held == HOLD_NONE ? HOLD_OWNER : HOLD_NONE;
		active_update_hold(f->service, active);
	}
	if (elements->count == 0 || what < 10)
		return;
	id = elements->ids[random_below(elements->count)];
	if (what == 10)
		job_cancel(f->service, id, NULL, NULL);
	else if (is_live(f, id))
		end(f, id, active_find(f->service, id)->number, OUTCOME_EXITED, what == 11);
}

static void random_check(struct job_fixture *f, const struct random_array *random)
{
	struct elements *elements = elements_of(f, random->id, ~0u);

	assert_true(elements->count <= random->count);
	for (int i = 0; i < elements->count; i++)
		assert_int_equal(elements->numbers[i], random->first + i);
	/* Those that were cancelled are live until their processes are gone, but do not count. */
	assert_true(random->max == 0 || count_live(f, random->id) <= random->max);
}

static void random_check_end(struct job_fixture *f, const struct random_array *random)
{
	const char *text = shown(f, random->id);
	int64_t counts[STAGE_COUNT];

	elements_count(f->store->db, random->id, counts);
	if (strncmp(text, "COMPLETED", 9) == 0)
		assert_int_equal(counts[STAGE_COMPLETED], random->count);
	else if (strncmp(text, "ERROR", 5) == 0)
		assert_int_equal(counts[STAGE_COMPLETED] + counts[STAGE_ERROR] +
		                         counts[STAGE_CANCELED],
		                 random->count);
	else
		assert_true(strncmp(text, "CANCELED", 8) == 0);
	assert_int_equal(counts[STAGE_SCHEDULING] + counts[STAGE_RUNNING], 0);
}

static void random_release(struct job_fixture *f, const struct random_array *random)
{
	struct active_job *active = active_find(f->service, random->id);

	if (!active || active->held == HOLD_NONE)
		return;
	active->held = HOLD_NONE;
	active_update_hold(f->service, active);
}

static bool random_is_over(struct job_fixture *f, const struct random_array *random)
{
	return job_is_settled(f->service, random->id) &&
	       elements_of(f, random->id, UNFINISHED)->count == 0;
}

static void random_arrays_keep_their_promises(void **state)
{
	static struct random_array arrays[RANDOM_ARRAYS];
	struct job_fixture *f = *state;
	int over = 0;

	f->configuration->max_queued = f->configuration->max_running = 0;
	f->configuration->cpu_millis = f->configuration->memory_bytes = 0;
	restart(f);
	for (int i = 0; i < RANDOM_ARRAYS; i++)
		random_make(f, &arrays[i]);
	turn(f);
	for (int round = 0; over < RANDOM_ARRAYS && round < 2000; round++) {
		over = 0;
		for (int i = 0; i < RANDOM_ARRAYS; i++) {
			random_step(f, &arrays[i]);
			if (round % 50 == 0)
				random_release(f, &arrays[i]);
			over += random_is_over(f, &arrays[i]);
		}
		if (round % 11 != 5)
			turn(f);
		if (round % 11 == 5 || round % 11 == 9)
			restart(f);
		turn(f);
		for (int i = 0; i < RANDOM_ARRAYS; i++)
			random_check(f, &arrays[i]);
	}
	assert_int_equal(over, RANDOM_ARRAYS);
	for (int i = 0; i < RANDOM_ARRAYS; i++)
		random_check_end(f, &arrays[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(random_arrays_keep_their_promises, job_setup,
	                                        job_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
