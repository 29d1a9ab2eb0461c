/* SPDX-License-Identifier: Apache-2.0 */
/* Rule by rule: order, limits, devices, what is told to those who wait, and what is not to be
 * expected. */
#include "scheduler_world.h"

#include "base/error.h"

static const char *why(struct world *w, struct job *job)
{
	static char text[512];

	return scheduler_explain(w->scheduler, &job->entry, w->now_ms, text, sizeof(text)) ? text
	                                                                                   : "-";
}

#define assert_why(w, job, text) assert_string_equal(why(w, job), text)

/* Whom a pass starts, by number. */
static const char *starts(struct world *w)
{
	static char text[256];
	struct scheduler_entry *entry;
	size_t len = 0;

	*text = '\0';
	while ((entry = scheduler_next(w->scheduler, w->now_ms))) {
		world_started(w, (struct job *)entry);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "",
		                        entry->job_id);
	}
	return text;
}

#define assert_starts(w, text) assert_string_equal(starts(w), text)

static void change(struct world *w, struct job *job, int priority, int64_t rank)
{
	job->entry.priority = priority;
	job->entry.rank = rank;
	scheduler_change(w->scheduler, &job->entry);
}

static void hold(struct world *w, struct job *job, enum scheduler_hold how)
{
	job->entry.hold = how;
	scheduler_change(w->scheduler, &job->entry);
}

static void note_order(void *arg, const struct scheduler_view *view)
{
	char *text = arg;
	size_t len = strlen(text);

	snprintf(text + len, 256 - len, "%s%s:%lld%s", len ? " " : "", view->entry->job_id,
	         (long long)view->position, view->is_promised ? "!" : "");
}

static const char *order_of(struct world *w)
{
	static char text[256];

	*text = '\0';
	scheduler_each(w->scheduler, w->now_ms, SIZE_MAX, note_order, text);
	return text;
}

/* Something that takes all CPUs for an hour. */
static struct job *fill(struct world *w)
{
	struct job *first = NULL;

	for (int i = 0; i < 8; i++) {
		struct job *job = world_submit(w, MEDIUM, 9, HOUR, HOUR);

		first = first ? first : job;
	}
	world_pass(w);
	return first;
}

static void order_is_rank_priority_use_age(void **state)
{
	struct world *w = world_make(1, true);
	struct job *jobs[6];

	(void)fill(w);
	scheduler_add_use(w->scheduler, "n1", (double)HOUR, START_MS);
	for (int i = 0; i < 6; i++)
		jobs[i] = world_submit(w, MEDIUM, i == 1 ? 1 : 0, HOUR, HOUR);
	change(w, jobs[2], 5, 0);
	change(w, jobs[3], -5, 0);
	change(w, jobs[4], -5, -1);
	change(w, jobs[5], 100, 7);
	assert_null(scheduler_next(w->scheduler, w->now_ms));
	/* First the one that was moved to the front, last the one that was moved to the end; n1 has
	 * used more. */
	assert_string_equal(order_of(w), "j12:0! j10:1 j8:2 j9:3 j11:4 j13:5");
	hold(w, jobs[0], HOLD_OWNER);
	assert_string_equal(order_of(w), "j12:0! j10:1 j9:2 j11:3 j13:4 j8:-1");
	world_free(w);
}

static void use_of_the_past_decays(void **state)
{
	struct world *w = world_make(1, true);
	struct job *heavy, *light;

	/* Ten hours, ten days ago, are less than one minute of today. */
	scheduler_add_use(w->scheduler, "n1", 10.0 * (double)HOUR, START_MS - 240 * HOUR);
	scheduler_add_use(w->scheduler, "n2", 2.0 * (double)MINUTE, START_MS);
	heavy = world_submit(w, LARGE, 2, HOUR, HOUR);
	light = world_submit(w, LARGE, 1, HOUR, HOUR);
	assert_starts(w, "j1");
	assert_true(light->entry.is_holding && heavy->entry.is_queued);
	world_free(w);
}

static void promises_follow_what_happens(void **state)
{
	struct world *w = world_make(1, true);
	struct job *first = fill(w), *large, *urgent;
	char text[256];

	large = world_submit(w, LARGE, 0, HOUR, HOUR);
	assert_starts(w, "");
	assert_why(w, large,
	           "Waiting for 24 vCPU and 64 GiB: 0 vCPU and 0 B are free, about 60 min");
	/* It needs six of the eight; three of them may stay for two hours more. */
	for (int i = 0; i < 3; i++) {
		first[i].entry.limit_ms += 2 * HOUR;
		first[i].entry.expected_ms = 0;
		scheduler_change(w->scheduler, &first[i].entry);
	}
	assert_starts(w, "");
	assert_why(w, large, "Waiting for 24 vCPU and 64 GiB: 0 vCPU and 0 B are free, about 3 h");
	/* Six leave early. */
	w->now_ms += MINUTE;
	for (int i = 0; i < 5; i++)
		world_end(w, &first[i]);
	assert_starts(w, "");
	assert_why(w, large,
	           "Waiting for 24 vCPU and 64 GiB: 20 vCPU and 80 GiB are free, about 59 min");
	urgent = world_submit(w, LARGE, 1, HOUR, HOUR);
	change(w, urgent, 1, 0);
	assert_starts(w, "");
	assert_string_equal(order_of(w), "j9:0! j8:1");
	scheduler_dequeue(w->scheduler, &urgent->entry);
	world_end(w, &first[5]);
	snprintf(text, sizeof(text), "%s", starts(w));
	assert_string_equal(text, "j8");
	world_free(w);
}

static void equal_entries_go_in_their_order(void **state)
{
	struct world *w = world_make(1, true);

	for (int i = 0; i < 12; i++)
		(void)world_submit(w, LARGE, 0, HOUR, HOUR);
	for (int i = 0; i < 12; i++) {
		char name[ID_SIZE];

		snprintf(name, sizeof(name), "j%d", i);
		assert_starts(w, name);
		world_end(w, &w->jobs[i]);
	}
	world_free(w);
}

static bool name_it(void *arg, enum scheduler_scope scope, const char *id, char *ret, size_t size)
{
	if (scope == SCOPE_GROUP)
		return false;
	snprintf(ret, size, "%s", scope == SCOPE_USER ? "alice" : "acme");
	return true;
}

static bool name_group(void *arg, enum scheduler_scope scope, const char *id, char *ret,
                       size_t size)
{
	snprintf(ret, size, "resource group secret");
	return scope == SCOPE_GROUP;
}

static void note_why(void *arg, const struct scheduler_view *view)
{
	snprintf(arg, 256, "%s", view->why);
}

/* Everyone reads the list; who may read the job is told by its explanation. */
static void the_list_names_no_groups(void **state)
{
	struct world *w = world_make(1, true);
	struct job *a;
	char told[256] = "";

	scheduler_set_limits(w->scheduler, SCOPE_GROUP, "g3",
	                     &(struct scheduler_limits){1, -1, 100});
	scheduler_set_names(w->scheduler, name_group, NULL);
	(void)world_submit(w, SMALL, 3, HOUR, HOUR);
	a = world_submit(w, SMALL, 3, HOUR, HOUR);
	assert_starts(w, "j0");
	scheduler_each(w->scheduler, w->now_ms, SIZE_MAX, note_why, told);
	assert_string_equal(told, "Waiting: its resource group runs 1 of at most 1 jobs");
	assert_why(w, a, "Waiting: resource group secret runs 1 of at most 1 jobs");
	world_free(w);
}

static void limits_are_explained(void **state)
{
	struct world *w = world_make(1, true);
	struct job *a, *b, *c;

	scheduler_set_limits(w->scheduler, SCOPE_NAMESPACE, "n1",
	                     &(struct scheduler_limits){1, -1, 100});
	scheduler_set_limits(w->scheduler, SCOPE_GROUP, "g3",
	                     &(struct scheduler_limits){-1, 1, 100});
	scheduler_set_limits(w->scheduler, SCOPE_USER, "u2",
	                     &(struct scheduler_limits){0, -1, 100});
	(void)world_submit(w, SMALL, 1, HOUR, HOUR);
	a = world_submit(w, SMALL, 1, HOUR, HOUR);
	(void)world_submit(w, GPU_1, 3, HOUR, HOUR);
	b = world_submit(w, GPU_1, 3, HOUR, HOUR);
	c = world_submit(w, SMALL, 4, HOUR, HOUR);
	(void)world_submit(w, SMALL, 3, HOUR, HOUR);
	assert_starts(w, "j0 j2 j5");
	assert_why(w, a, "Waiting: its namespace runs 1 of at most 1 jobs");
	scheduler_set_names(w->scheduler, name_it, NULL);
	assert_why(w, a, "Waiting: acme runs 1 of at most 1 jobs");
	assert_why(w, b, "Waiting: its resource group has 1 of at most 1 devices");
	assert_why(w, c, "Waiting: alice may not run jobs");
	scheduler_set_limits(w->scheduler, SCOPE_USER, "u2",
	                     &(struct scheduler_limits){-1, -1, 100});
	assert_starts(w, "j4");
	scheduler_set_limits(w->scheduler, SCOPE_GROUP, "g3",
	                     &(struct scheduler_limits){-1, 0, 100});
	assert_why(w, b,
	           "Waiting: its resource group may have 0 devices at once, and this job needs 1");
	world_free(w);
}

static void holds_and_pauses_are_explained(void **state)
{
	struct world *w = world_make(1, true);
	struct job *a = world_submit(w, SMALL, 0, HOUR, HOUR),
	           *b = world_submit(w, SMALL, 0, HOUR, HOUR);
	struct job *c = world_submit(w, SMALL, 0, HOUR, HOUR);

	hold(w, a, HOLD_OWNER);
	hold(w, b, HOLD_ADMIN);
	c->entry.not_before_ms = w->now_ms + 40000;
	c->entry.is_retry = true;
	scheduler_change(w->scheduler, &c->entry);
	assert_starts(w, "");
	assert_why(w, a, "Held by its owner");
	assert_why(w, b, "Held by an administrator");
	assert_why(w, c, "Next attempt in 40 s");
	assert_true(scheduler_wake_ms(w->scheduler) == w->now_ms + 40000);
	/* A clock that was set back changes nothing. */
	assert_null(scheduler_next(w->scheduler, w->now_ms - HOUR));
	assert_why(w, c, "Next attempt in 40 s");
	w->now_ms += 40000;
	assert_starts(w, "j2");
	assert_true(scheduler_wake_ms(w->scheduler) == 0);
	hold(w, a, HOLD_NONE);
	assert_starts(w, "j0");
	world_free(w);
}

static void accelerators_are_explained(void **state)
{
	struct world *w = world_make(1, true);
	struct job *waiting[3], *four;

	for (int i = 0; i < 8; i++)
		(void)world_submit(w, GPU_1, 0, 14 * MINUTE, 14 * MINUTE);
	world_pass(w);
	for (int i = 0; i < 3; i++)
		waiting[i] = world_submit(w, GPU_1, 0, HOUR, HOUR);
	four = world_submit(w, GPU_4, 0, HOUR, HOUR);
	(void)world_submit(w, SMALL, 0, HOUR, HOUR);
	/* What needs no card does not wait for those that do. */
	assert_starts(w, "j12");
	assert_why(w, waiting[0], "Waiting for 1 X100: none of 8 is free, about 14 min");
	assert_why(w, waiting[2], "Waiting for 1 X100: 2 jobs ahead, about 14 min");
	assert_why(w, four, "Waiting for 4 X100: 3 jobs ahead, about 14 min");
	world_end(w, &w->jobs[0]);
	world_end(w, &w->jobs[1]);
	assert_starts(w, "j8 j9");
	world_free(w);
}

static void sick_and_lost_devices_take_no_jobs(void **state)
{
	struct world *w = world_make(1, true);
	struct job *four, *one;

	for (int i = 1; i < CARDS; i++)
		w->devices[i].is_healthy = false;
	snprintf(w->devices[1].fault, sizeof(w->devices[1].fault),
	         "GPU-1: XID 79, fell off the bus");
	scheduler_set_devices(w->scheduler, w->devices, CARDS);
	four = world_submit(w, GPU_4, 0, HOUR, HOUR);
	one = world_submit(w, GPU_1, 0, HOUR, HOUR);
	assert_starts(w, "j1");
	assert_string_equal(one->entry.devices, "x/gpu=0");
	assert_why(
	        w, four,
	        "Waiting for 4 X100: only 1 of the 8 here works (GPU-1: XID 79, fell off the bus)");
	assert_int_equal(scheduler_usage(w->scheduler).devices, 1);
	assert_int_equal(scheduler_usage(w->scheduler).devices_used, 1);
	/* The card is gone, and the job keeps it. */
	scheduler_set_devices(w->scheduler, NULL, 0);
	assert_starts(w, "");
	assert_why(w, four, "Waiting for 4 x/gpu: this server has none now");
	assert_string_equal(one->entry.devices, "x/gpu=0");
	for (int i = 1; i < CARDS; i++)
		w->devices[i].is_healthy = true;
	scheduler_set_devices(w->scheduler, w->devices, 4);
	assert_starts(w, "");
	assert_why(w, four, "Waiting for 4 X100: 3 of 4 are free, about 60 min");
	world_end(w, one);
	assert_starts(w, "j0");
	world_free(w);
}

static void cards_of_one_node_go_together(void **state)
{
	struct world *w = world_make(1, true);
	struct job *job;

	/* One of node 0 is taken: the next one is taken there too, and four fit on node 1. */
	(void)world_submit(w, GPU_1, 0, HOUR, HOUR);
	world_pass(w);
	job = world_submit(w, GPU_1, 1, HOUR, HOUR);
	world_pass(w);
	assert_string_equal(job->entry.devices, "x/gpu=1");
	job = world_submit(w, GPU_4, 2, HOUR, HOUR);
	world_pass(w);
	assert_string_equal(job->entry.devices, "x/gpu=4,x/gpu=5,x/gpu=6,x/gpu=7");
	world_free(w);
}

static void shares_are_of_one_owner(void **state)
{
	struct world *w = world_make(1, true);
	struct job *jobs[6], *other, *whole;

	for (int i = 0; i < 5; i++)
		jobs[i] = world_submit(w, QUARTER, 0, HOUR, HOUR);
	world_pass(w);
	for (int i = 0; i < 4; i++)
		assert_string_equal(jobs[i]->entry.devices, jobs[0]->entry.devices);
	assert_string_not_equal(jobs[4]->entry.devices, jobs[0]->entry.devices);
	/* The fullest first. */
	world_end(w, jobs[1]);
	jobs[5] = world_submit(w, QUARTER, 0, HOUR, HOUR);
	world_pass(w);
	assert_string_equal(jobs[5]->entry.devices, jobs[0]->entry.devices);
	whole = world_submit(w, GPU_4, 2, HOUR, HOUR);
	(void)world_submit(w, GPU_1, 2, HOUR, HOUR);
	(void)world_submit(w, GPU_1, 2, HOUR, HOUR);
	world_pass(w);
	assert_true(whole->entry.is_holding);
	other = world_submit(w, QUARTER, 3, HOUR, HOUR);
	assert_starts(w, "");
	assert_why(w, other,
	           "Waiting for 1/4 of 1 X100: what is free is shared by jobs of somebody else, "
	           "about 60 min");
	world_end(w, jobs[4]);
	assert_starts(w, "j9");
	world_free(w);
}

static void a_card_with_slices_is_not_given_as_a_whole(void **state)
{
	static const struct flavor slice = {FLAVOR("slice", 1, 1), CARD(1, 1),
	                                    .device_slice = (char *)"1g.10gb"};
	struct world *w = world_make(1, true);
	struct error err = ERROR_INIT;
	struct scheduler_entry entry = {.flavor = &slice, .limit_ms = HOUR};

	snprintf(w->devices[1].slice, sizeof(w->devices[1].slice), "1g.10gb");
	snprintf(w->devices[1].parent, sizeof(w->devices[1].parent), "GPU-0");
	scheduler_set_devices(w->scheduler, w->devices, 2);
	assert_int_equal(scheduler_check(w->scheduler, &slice, &err), 0);
	assert_true(scheduler_check(w->scheduler, &flavors[GPU_1], &err) < 0);
	assert_string_equal(err.text, "flavor \"gpu-1\" needs 1 x/gpu, and this server has none");
	scheduler_enqueue(w->scheduler, &entry);
	assert_ptr_equal(scheduler_next(w->scheduler, w->now_ms), &entry);
	assert_string_equal(entry.devices, "x/gpu=1");
	world_free(w);
}

static void impossible_requests_are_told(void **state)
{
	static const struct flavor giant = {FLAVOR("giant", 64, 1)}, fat = {FLAVOR("fat", 1, 256)},
	                           nine = {FLAVOR("nine", 1, 1), CARD(9, 1)},
	                           most = {FLAVOR("most", 1, 1), CARD(1000, 1)};
	struct world *w = world_make(1, true);
	struct error err = ERROR_INIT;

	assert_true(scheduler_check(w->scheduler, &giant, &err) < 0);
	assert_string_equal(
	        err.text,
	        "flavor \"giant\" needs 64 vCPU, and this server gives its jobs 32 in all");
	assert_true(scheduler_check(w->scheduler, &fat, &err) < 0);
	assert_string_equal(err.text,
	                    "flavor \"fat\" needs 256 GiB of memory, and this server gives its "
	                    "jobs 128 GiB in all");
	assert_true(scheduler_check(w->scheduler, &nine, &err) < 0);
	assert_string_equal(err.text, "flavor \"nine\" needs 9 x/gpu, and this server has 8");
	assert_true(scheduler_check(w->scheduler, &most, &err) < 0);
	assert_int_equal(scheduler_check(w->scheduler, &flavors[GPU_4], &err), 0);
	world_free(w);
}

/* After a restart: the attempts are known before the devices are. */
static void devices_of_living_attempts_are_remembered(void **state)
{
	struct configuration c = {
	        .cpu_millis = CPUS * 1000, .memory_bytes = MEMORY, .max_running = 8};
	struct scheduler *s = scheduler_new(&c);
	struct world *w = world_make(1, true);
	struct scheduler_entry held = {.flavor = &flavors[GPU_4], .limit_ms = HOUR},
	                       next = {.flavor = &flavors[GPU_4], .limit_ms = HOUR},
	                       other = {.flavor = &flavors[GPU_4], .limit_ms = HOUR};

	scheduler_hold(s, &held, 0, "x/gpu=4,x/gpu=0,x/gpu=5,x/old=1", START_MS - MINUTE, START_MS);
	scheduler_enqueue(s, &next);
	scheduler_enqueue(s, &other);
	assert_null(scheduler_next(s, START_MS));
	scheduler_set_devices(s, w->devices, CARDS);
	assert_ptr_equal(scheduler_next(s, START_MS), &next);
	assert_string_equal(next.devices, "x/gpu=1,x/gpu=2,x/gpu=3,x/gpu=6");
	assert_null(scheduler_next(s, START_MS));
	scheduler_release(s, &held, START_MS + 1);
	assert_ptr_equal(scheduler_next(s, START_MS + 1), &other);
	assert_string_equal(other.devices, "x/gpu=4,x/gpu=5,x/gpu=7,x/gpu=0");
	scheduler_free(s);
	world_free(w);
}

static void nonsense_does_no_harm(void **state)
{
	struct world *w = world_make(1, true);
	struct job *a = world_submit(w, SMALL, 0, 0, HOUR),
	           *b = world_submit(w, LARGE, 1, -5, HOUR), *c;

	b->entry.expected_ms = INT64_MAX;
	a->entry.expected_ms = -1;
	a->entry.arrived_ms = INT64_MAX;
	a->length_ms = b->length_ms = HOUR;
	assert_starts(w, "j0 j1");
	c = world_submit(w, LARGE, 2, INT64_MAX, HOUR);
	assert_starts(w, "");
	/* Nobody can say when those leave that have no limit. */
	assert_why(w, c, "Waiting for 24 vCPU and 64 GiB: 7 vCPU and 62 GiB are free");
	scheduler_set_limits(w->scheduler, SCOPE_NAMESPACE, "n2",
	                     &(struct scheduler_limits){-7, -7, -7});
	scheduler_add_use(w->scheduler, "n2", -1.0, START_MS);
	scheduler_add_use(w->scheduler, "n2", 5.0, INT64_MAX / 4);
	scheduler_add_use(w->scheduler, "n2", 5.0, 0);
	world_end(w, b);
	assert_starts(w, "j2");
	scheduler_release(w->scheduler, &c->entry, w->now_ms - 10 * HOUR);
	world_free(w);
}

static void everything_may_be_held(void **state)
{
	struct world *w = world_make(1, true);

	for (int i = 0; i < 100; i++)
		hold(w, world_submit(w, i % (int)FLAVORS, i % 5, HOUR, HOUR), HOLD_OWNER);
	assert_starts(w, "");
	world_look(w);
	for (int i = 0; i < 100; i++)
		scheduler_dequeue(w->scheduler, &w->jobs[i].entry);
	assert_int_equal(scheduler_usage(w->scheduler).queued, 0);
	world_free(w);
}

#define MANY 3000

/* Places of a long queue are looked up once a second. */
static void a_long_queue_is_explained(void **state)
{
	struct world *w = world_make(1, true);

	(void)fill(w);
	for (int i = 0; i < MANY; i++)
		(void)world_submit(w, MEDIUM, 0, HOUR, HOUR);
	assert_starts(w, "");
	assert_why(w, &w->jobs[8 + 2000], "Waiting: 2000 jobs ahead, about 10 days");
	scheduler_dequeue(w->scheduler, &w->jobs[8].entry);
	assert_why(w, &w->jobs[8 + 2000], "Waiting: 2000 jobs ahead, about 10 days");
	w->now_ms += 1000;
	assert_why(w, &w->jobs[8 + 2000], "Waiting: 1999 jobs ahead, about 10 days");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(order_is_rank_priority_use_age),
	        cmocka_unit_test(use_of_the_past_decays),
	        cmocka_unit_test(promises_follow_what_happens),
	        cmocka_unit_test(equal_entries_go_in_their_order),
	        cmocka_unit_test(limits_are_explained),
	        cmocka_unit_test(the_list_names_no_groups),
	        cmocka_unit_test(holds_and_pauses_are_explained),
	        cmocka_unit_test(accelerators_are_explained),
	        cmocka_unit_test(sick_and_lost_devices_take_no_jobs),
	        cmocka_unit_test(cards_of_one_node_go_together),
	        cmocka_unit_test(shares_are_of_one_owner),
	        cmocka_unit_test(a_card_with_slices_is_not_given_as_a_whole),
	        cmocka_unit_test(impossible_requests_are_told),
	        cmocka_unit_test(devices_of_living_attempts_are_remembered),
	        cmocka_unit_test(nonsense_does_no_harm),
	        cmocka_unit_test(everything_may_be_held),
	        cmocka_unit_test(a_long_queue_is_explained),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
