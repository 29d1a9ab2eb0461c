/* SPDX-License-Identifier: Apache-2.0 */
/* What a schedule does when things go wrong: its creator leaves, starts fail, the server is away,
 * the clock is set; and what the ledger keeps. */
#include "job_fixture.h"

#include "base/log.h"
#include "job/schedule_service.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS (24 * 60 * MINUTE_MS)
#define START_MS INT64_C(1700000040000) /* 2023-11-14 22:14:00 */

struct world {
	struct job_fixture *f;
	struct schedule_service *service;
	int64_t now_ms;
	char id[ID_SIZE];
	char ledger[8192];
};

static int64_t world_clock(void *arg)
{
	return ((struct world *)arg)->now_ms;
}

static void world_open(struct world *w)
{
	w->service = schedule_service_new(&(struct schedule_service_options){
	        .loop = w->f->loop,
	        .db = w->f->store->db,
	        .configuration = w->f->configuration,
	        .key = w->f->key,
	        .jobs = w->f->service,
	        .clock_ms = world_clock,
	        .clock_arg = w,
	});
	schedule_service_start(w->service);
}

static void world_restart(struct world *w)
{
	schedule_service_free(w->service);
	restart(w->f);
	world_open(w);
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	void *f;

	log_open("test", LOG_LEVEL_ERROR);
	job_setup(&f);
	w->f = f;
	w->now_ms = START_MS;
	world_open(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *f = w->f;

	schedule_service_free(w->service);
	job_teardown(&f);
	free(w);
	return 0;
}

static int try_create(struct world *w, const struct account *owner, const char *expression,
                      json_t *take_labels, struct error *err)
{
	autojson json_t *initiator = json_pack("{s:s}", "type", "user");
	autojson json_t *body =
	        json_pack("{s:s, s:s, s:[s], s:o, s:{s:s}}", "flavor", "cpu-basic", "dockerImage",
	                  "python:3.12", "command", "true", "labels",
	                  take_labels ? take_labels : json_object(), "secrets", "KEY", "value");
	struct job_spec spec;
	struct schedule_request request = {.spec = &spec,
	                                   .owner = owner,
	                                   .creator = &w->f->store->alice,
	                                   .initiator = initiator,
	                                   .expression = expression};
	int rc;

	assert_int_equal(job_spec_parse(w->f->configuration, body, &spec, err), 0);
	rc = schedule_create(w->service, &request, w->id, err);
	job_spec_clear(&spec);
	turn(w->f);
	return rc;
}

static void create(struct world *w, const char *expression, json_t *take_labels)
{
	struct error err = ERROR_INIT;

	if (try_create(w, &w->f->store->alice, expression, take_labels, &err) < 0)
		fail_msg("%s: %s", expression, err.text);
}

/* The clock goes on to so many minutes after the start, and is looked at. */
static void at_minute(struct world *w, double minute)
{
	w->now_ms = START_MS + (int64_t)(minute * MINUTE_MS);
	while (schedule_service_wake(w->service))
		turn(w->f);
	turn(w->f);
	turn(w->f);
}

static void ledger_add(void *arg, const struct tick *tick)
{
	struct world *w = arg;
	size_t len = strlen(w->ledger);

	snprintf(w->ledger + len, sizeof(w->ledger) - len, "%s%lld:%s%s", len ? " " : "",
	         (long long)((tick->due_ms - START_MS) / MINUTE_MS),
	         tick_outcome_name(tick->outcome), tick->job_id ? "!" : "");
	if (tick->count > 1) {
		len = strlen(w->ledger);
		snprintf(w->ledger + len, sizeof(w->ledger) - len, "x%lld", (long long)tick->count);
	}
}

/* "2:ran! 1:skipped", newest first; minutes after the start. */
static const char *ledger(struct world *w)
{
	struct schedule_record record autoschedule = {0};

	*w->ledger = '\0';
	assert_true(schedules_find(w->f->store->db, w->id, &record));
	ticks_each(w->f->store->db, record.seq, INT64_MAX, -1, ledger_add, w);
	return w->ledger;
}

static void end_last(struct world *w)
{
	struct schedule_record record autoschedule = {0};

	assert_true(schedules_find(w->f->store->db, w->id, &record));
	run(w->f, record.last_job_id, 1);
	end(w->f, record.last_job_id, 1, OUTCOME_EXITED, 0);
	turn(w->f);
	turn(w->f);
}

static void test_a_failing_start_is_told_and_suspends_at_last(void **state)
{
	struct world *w = *state;
	struct schedule_record record autoschedule = {0};

	create(w, "* * * * *", NULL);
	memcpy(w->f->configuration->flavors[0].name, "cpu-gone!", 10);
	for (int minute = 1; minute <= 7; minute++)
		at_minute(w, minute);
	assert_string_equal(ledger(w), "5:failed 4:failed 3:failed 2:failed 1:failed");
	assert_true(schedules_find(w->f->store->db, w->id, &record));
	assert_true(record.is_suspended);
	assert_non_null(strstr(record.suspend_reason,
	                       "5 starts in a row failed: flavor \"cpu-basic\" is not known"));
}

static void test_a_full_queue_passes(void **state)
{
	struct world *w = *state;
	struct schedule_record record autoschedule = {0};

	create(w, "* * * * *", json_pack("{s:s}", "hearth.overlap", "allow"));
	w->f->configuration->max_running = 1;
	w->f->configuration->max_queued = 1;
	for (int minute = 1; minute <= 12; minute++)
		at_minute(w, minute);
	assert_true(schedules_find(w->f->store->db, w->id, &record));
	assert_false(record.is_suspended);
	assert_non_null(strstr(ledger(w), "12:failed 11:failed"));
}

static void test_a_removed_creator_starts_nothing(void **state)
{
	struct world *w = *state;
	struct schedule_record record autoschedule = {0};
	struct error err = ERROR_INIT;
	char job[ID_SIZE];

	assert_int_equal(accounts_set_member(w->f->store->db, "lab", "alice", ROLE_WRITE, &err), 0);
	assert_int_equal(try_create(w, &w->f->store->lab, "* * * * *", NULL, &err), 0);
	at_minute(w, 1);
	end_last(w);
	assert_int_equal(accounts_remove(w->f->store->db, "alice", &err), 0);
	assert_true(schedules_find(w->f->store->db, w->id, &record));
	assert_int_equal(schedule_trigger(w->service, &record, job, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	at_minute(w, 2);
	at_minute(w, 3);
	assert_string_equal(ledger(w), "2:failed 1:ran!");
	schedule_record_clear(&record);
	assert_true(schedules_find(w->f->store->db, w->id, &record));
	assert_non_null(
	        strstr(record.suspend_reason, "the account of alice, who created it, was removed"));
}

static void test_catch_up(void **state)
{
	struct world *w = *state;

	create(w, "* * * * *",
	       json_pack("{s:s, s:s}", "hearth.catch-up", "2", "hearth.overlap", "allow"));
	at_minute(w, 1);
	world_restart(w);
	at_minute(w, 5.5);
	assert_string_equal(ledger(w), "5:caught-up! 4:caught-up! 3:missed 2:missed 1:ran!");
}

static void test_catch_up_runs_one_after_the_other(void **state)
{
	struct world *w = *state;

	create(w, "* * * * *", json_pack("{s:s}", "hearth.catch-up", "all"));
	world_restart(w);
	at_minute(w, 3.5);
	assert_string_equal(ledger(w), "3:waiting 2:waiting 1:caught-up!");
	world_restart(w); /* what waits is on disk */
	end_last(w);
	at_minute(w, 3.6);
	assert_string_equal(ledger(w), "3:waiting 2:ran! 1:caught-up!");
	end_last(w);
	at_minute(w, 3.7);
	assert_string_equal(ledger(w), "3:ran! 2:ran! 1:caught-up!");
}

static void test_what_is_too_old_is_not_made_up_for(void **state)
{
	struct world *w = *state;

	create(w, "0 0 1 1 *", NULL);
	world_restart(w);
	w->f->configuration->schedule_catch_up_age_s = 3600;
	at_minute(w, 60 * 24 * 60);
	assert_non_null(strstr(ledger(w), ":missed"));
	assert_null(strstr(ledger(w), "!"));
}

static void test_a_clock_set_back_starts_nothing_again(void **state)
{
	struct world *w = *state;

	create(w, "* * * * *", json_pack("{s:s}", "hearth.overlap", "skip"));
	for (int minute = 1; minute <= 4; minute++)
		at_minute(w, minute);
	assert_string_equal(ledger(w), "4:skipped 3:skipped 2:skipped 1:ran!");
	at_minute(w, 0.5); /* back */
	assert_string_equal(ledger(w), "1:ran!");
	end_last(w);
	at_minute(w, 1);
	assert_string_equal(ledger(w), "1:ran!");
	at_minute(w, 2);
	at_minute(w, 3);
	assert_string_equal(ledger(w), "3:skipped 2:ran! 1:ran!");
}

static void test_suspending_lets_nothing_wait(void **state)
{
	struct world *w = *state;
	struct schedule_record record autoschedule = {0};
	struct error err = ERROR_INIT;

	create(w, "* * * * *", json_pack("{s:s}", "hearth.overlap", "queue"));
	at_minute(w, 1);
	at_minute(w, 2);
	assert_string_equal(ledger(w), "2:waiting 1:ran!");
	assert_true(schedules_find(w->f->store->db, w->id, &record));
	schedule_suspend(w->service, &record);
	turn(w->f);
	end_last(w);
	at_minute(w, 5);
	assert_string_equal(ledger(w), "2:skipped 1:ran!");
	schedule_record_clear(&record);
	assert_true(schedules_find(w->f->store->db, w->id, &record));
	assert_int_equal(schedule_resume(w->service, &record, &err), 0);
	at_minute(w, 6);
	assert_string_equal(ledger(w), "6:ran! 2:skipped 1:ran!");
}

static void test_the_last_time_ends_it(void **state)
{
	struct world *w = *state;
	struct schedule_record record autoschedule = {0};

	create(w, "0 16 22 14 11 * 2023", NULL);
	at_minute(w, 2);
	assert_string_equal(ledger(w), "2:ran!");
	assert_true(schedules_find(w->f->store->db, w->id, &record));
	assert_true(record.is_suspended);
	assert_string_equal(record.suspend_reason, "Its last time has come and gone");
}

static int count_rows(struct world *w)
{
	int rows = 1;

	for (const char *p = ledger(w); *p; p++)
		rows += *p == ' ';
	return rows;
}

/* Now and then some go. */
static void test_old_rows_go(void **state)
{
	struct world *w = *state;

	w->f->configuration->schedule_history_s = 3600;
	create(w, "* * * * *", NULL);
	for (int minute = 1; minute <= 400; minute++)
		at_minute(w, minute);
	assert_in_range(count_rows(w), 60, 300);
}

static void test_no_more_rows_than_asked_for(void **state)
{
	struct world *w = *state;

	w->f->configuration->schedule_history_rows = 100;
	create(w, "* * * * *", NULL);
	for (int minute = 1; minute <= 400; minute++)
		at_minute(w, minute);
	assert_in_range(count_rows(w), 100, 350);
}

static void test_too_many_schedules_are_refused(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_INIT;

	w->f->configuration->schedules_max = 2;
	create(w, "* * * * *", NULL);
	create(w, "* * * * *", NULL);
	assert_int_equal(try_create(w, &w->f->store->alice, "* * * * *", NULL, &err), -1);
	assert_int_equal(err.code, E_BUSY);
	assert_non_null(strstr(err.text, "schedules.max"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_a_failing_start_is_told_and_suspends_at_last),
	        TEST(test_a_full_queue_passes),
	        TEST(test_a_removed_creator_starts_nothing),
	        TEST(test_catch_up),
	        TEST(test_catch_up_runs_one_after_the_other),
	        TEST(test_what_is_too_old_is_not_made_up_for),
	        TEST(test_a_clock_set_back_starts_nothing_again),
	        TEST(test_suspending_lets_nothing_wait),
	        TEST(test_the_last_time_ends_it),
	        TEST(test_old_rows_go),
	        TEST(test_no_more_rows_than_asked_for),
	        TEST(test_too_many_schedules_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
