/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checker in the manner of Jepsen's Chronos test, on a virtual clock: random schedules in many
 * zones run through years of clock changes, with crashes, pauses and clock steps. Afterwards the
 * ledger is compared with what was due: every tick has one row and no more, every job one tick, and
 * what was looked at in time was not missed. HEARTH_LONG=1 goes on for thirty years.
 */
#define STORE_FOLDER "/dev/shm/hearth-store-XXXXXX"
#include "job_fixture.h"

#include "job/cron.h"
#include "job/schedule_service.h"

#include "base/log.h"

#include <time.h>

#define SCHEDULES_MAX 64
#define LIVE_MAX 4096
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)

struct planned {
	char id[ID_SIZE];
	struct cron cron;
	char expression[96], overlap[16], catch_up[16];
	int64_t created_ms;
	bool allows_more;
};

struct live_job {
	char id[ID_SIZE];
	int number;
	int64_t end_ms;
};

struct world {
	struct job_fixture *f;
	struct schedule_service *service;
	int64_t now_ms, max_ms;
	struct planned plans[SCHEDULES_MAX];
	int n_plans;
	struct live_job live[LIVE_MAX];
	int n_live;
	bool is_steady; /* the clock is always looked at in time */
};

static struct world *world; /* the backend's callbacks have no other way */

static int64_t world_clock(void *arg)
{
	return ((struct world *)arg)->now_ms;
}

static void note_live(const char *id, int number)
{
	struct live_job *live = &world->live[world->n_live++];

	assert_true(world->n_live < LIVE_MAX);
	memcpy(live->id, id, ID_SIZE);
	live->number = number;
	live->end_ms = world->now_ms + random() % (2 * HOUR_MS);
}

static void world_start_attempt(struct backend *backend, const struct attempt_start *start)
{
	note_live(start->job->id, start->number);
}

static void world_stop(struct backend *backend, const char *id, int number)
{
	for (int i = 0; i < world->n_live; i++)
		if (strcmp(world->live[i].id, id) == 0)
			world->live[i].end_ms = world->now_ms;
}

static const struct backend_ops world_ops = {
        .name = "world",
        .start = world_start_attempt,
        .stop = world_stop,
        .extend = told_extend,
        .adopt = world_start_attempt,
        .free = told_free,
};

static void note_left(void *arg, const struct attempt_record *attempt)
{
	note_live(attempt->job_id, attempt->number);
}

static void world_open(struct world *w)
{
	w->f->backend.base.ops = &world_ops;
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

static void world_crash(struct world *w)
{
	schedule_service_free(w->service);
	restart(w->f);
	w->n_live = 0;
	attempts_each_live(w->f->store->db, note_left, w);
	world_open(w);
}

static void end_jobs(struct world *w)
{
	for (int i = 0; i < w->n_live; i++) {
		struct live_job job = w->live[i];

		if (job.end_ms > w->now_ms)
			continue;
		w->live[i--] = w->live[--w->n_live];
		run(w->f, job.id, job.number);
		end(w->f, job.id, job.number, OUTCOME_EXITED, 0);
	}
}

static int count_live(const struct world *w, const char *schedule_id)
{
	int n = 0;

	for (int i = 0; i < w->n_live; i++) {
		struct job_record job autojob = {0};

		assert_true(jobs_find(w->f->store->db, w->live[i].id, &job));
		n += strcmp(json_get_text(job.initiator, "id", ""), schedule_id) == 0;
	}
	return n;
}

/* Look at the clock until nothing is due any more. */
static void world_wake(struct world *w)
{
	if (w->now_ms > w->max_ms)
		w->max_ms = w->now_ms;
	for (int i = 0; i < 3; i++) {
		end_jobs(w);
		while (schedule_service_wake(w->service))
			turn(w->f);
		turn(w->f);
	}
	for (int i = 0; i < w->n_plans; i++)
		if (!w->plans[i].allows_more && count_live(w, w->plans[i].id) > 1)
			fail_msg("%s: two jobs at once", w->plans[i].expression);
}

static void plan(struct world *w, const char *expression, const char *catch_up, const char *overlap)
{
	struct planned *p = &w->plans[w->n_plans++];
	struct error err = ERROR_INIT;
	autojson json_t *initiator = json_pack("{s:s}", "type", "user");
	autojson json_t *body = json_pack("{s:s, s:s, s:[s], s:{s:s, s:s}}", "flavor", "cpu-basic",
	                                  "dockerImage", "python:3.12", "command", "true", "labels",
	                                  "hearth.catch-up", catch_up, "hearth.overlap", overlap);
	struct job_spec spec;
	struct schedule_request request = {.spec = &spec,
	                                   .owner = &w->f->store->alice,
	                                   .creator = &w->f->store->alice,
	                                   .initiator = initiator,
	                                   .expression = expression};

	assert_int_equal(job_spec_parse(w->f->configuration, body, &spec, &err), 0);
	if (schedule_create(w->service, &request, p->id, &err) < 0)
		fail_msg("%s: %s", expression, err.text);
	job_spec_clear(&spec);
	assert_int_equal(cron_parse(expression, &p->cron, &err), 0);
	snprintf(p->expression, sizeof(p->expression), "%s", expression);
	snprintf(p->overlap, sizeof(p->overlap), "%s", overlap);
	snprintf(p->catch_up, sizeof(p->catch_up), "%s", catch_up);
	p->created_ms = w->now_ms;
	p->allows_more = strcmp(overlap, "allow") == 0;
	turn(w->f);
}

static int64_t utc_ms(const char *text)
{
	struct tm tm = {0};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return (int64_t)timegm(&tm) * 1000;
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	void *f;

	log_open("test", LOG_LEVEL_ERROR);
	job_setup(&f);
	world = w;
	w->f = f;
	w->f->configuration->max_queued = 1000000;
	w->f->configuration->max_running = 1000000;
	w->f->configuration->cpu_millis = 1000000000;
	w->f->configuration->memory_bytes = INT64_MAX / 4;
	w->f->configuration->schedule_min_interval_s = 1;
	w->f->configuration->schedule_history_s = INT64_C(1000) * 365 * 86400;
	w->f->configuration->schedule_history_rows = 1000000;
	restart(w->f);
	w->now_ms = utc_ms("2010-01-01 00:00:00");
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

/* The ledger of one schedule against its due times, newest first. */
struct audit {
	struct world *w;
	const struct planned *plan;
	int64_t *due;
	size_t n_due, n_covered;
	bool *is_covered;
	size_t n_jobs;
	int64_t counts[TICK_FAILED + 1];
};

static size_t due_index(const struct audit *a, int64_t due_ms)
{
	size_t low = 0, high = a->n_due;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (a->due[middle] < due_ms)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == a->n_due || a->due[low] != due_ms)
		fail_msg("%s: a row for %lld, which was not due", a->plan->expression,
		         (long long)due_ms);
	return low;
}

static void audit_cover(struct audit *a, size_t i)
{
	if (a->is_covered[i])
		fail_msg("%s: two rows for %lld", a->plan->expression, (long long)a->due[i]);
	a->is_covered[i] = true;
	a->n_covered++;
}

static void audit_single(void *arg, const struct tick *tick)
{
	struct audit *a = arg;
	struct job_record job autojob = {0};

	a->counts[tick->outcome] += tick->count;
	if (tick->is_manual || tick->count > 1)
		return;
	audit_cover(a, due_index(a, tick->due_ms));
	if (!tick->job_id)
		return;
	a->n_jobs++;
	assert_true(jobs_find(a->w->f->store->db, tick->job_id, &job));
	assert_string_equal(json_get_text(job.initiator, "id", ""), a->plan->id);
	/* decided when it was due or later, never before; in time is "ran" */
	assert_true(tick->decided_ms >= tick->due_ms);
	if (tick->outcome == TICK_CAUGHT_UP)
		assert_true(tick->decided_ms - tick->due_ms > 5000);
}

/* A row for many: those of them without a row of their own. */
static void audit_range(void *arg, const struct tick *tick)
{
	struct audit *a = arg;
	int64_t count = 0;

	if (tick->count == 1)
		return;
	assert_int_equal(tick->outcome, TICK_MISSED);
	for (size_t i = due_index(a, tick->due_ms); i < a->n_due && a->due[i] <= tick->until_ms;
	     i++) {
		if (a->is_covered[i])
			continue;
		audit_cover(a, i);
		count++;
	}
	assert_int_equal(count, tick->count);
}

static size_t count_jobs(const struct world *w)
{
	return (size_t)jobs_count(w->f->store->db,
	                          &(struct jobs_query){.namespace_id = w->f->store->alice.id});
}

static void audit_all(struct world *w, int64_t totals[TICK_FAILED + 1], size_t *ret_due)
{
	size_t jobs = 0;

	*ret_due = 0;
	for (int i = 0; i < w->n_plans; i++) {
		struct audit a = {.w = w, .plan = &w->plans[i]};
		struct schedule_record record autoschedule = {0};
		size_t cap = 0;

		for (int64_t at = cron_next(&a.plan->cron, a.plan->created_ms / 1000);
		     at != CRON_NEVER && at * 1000 <= w->max_ms;
		     at = cron_next(&a.plan->cron, at)) {
			if (a.n_due == cap) {
				cap = cap ? cap * 2 : 256;
				a.due = xrealloc(a.due, cap * sizeof(*a.due));
			}
			a.due[a.n_due++] = at * 1000;
		}
		a.is_covered = xcalloc(a.n_due + 1, sizeof(*a.is_covered));
		assert_true(schedules_find(w->f->store->db, a.plan->id, &record));
		assert_false(record.is_suspended);
		ticks_each(w->f->store->db, record.seq, INT64_MAX, -1, audit_single, &a);
		ticks_each(w->f->store->db, record.seq, INT64_MAX, -1, audit_range, &a);
		for (size_t k = 0; k < a.n_due; k++)
			if (!a.is_covered[k])
				fail_msg("%s (%s, %s): no row for %lld, number %zu of %zu",
				         a.plan->expression, a.plan->catch_up, a.plan->overlap,
				         (long long)a.due[k], k, a.n_due);
		if (w->is_steady)
			assert_int_equal(a.counts[TICK_MISSED] + a.counts[TICK_CAUGHT_UP], 0);
		for (int k = 0; k <= TICK_FAILED; k++)
			totals[k] += a.counts[k];
		jobs += a.n_jobs;
		*ret_due += a.n_due;
		free(a.due);
		free(a.is_covered);
	}
	/* no job that is in no ledger */
	assert_int_equal(count_jobs(w), jobs);
}

static const char *const zones[] = {"",
                                    "CRON_TZ=America/New_York ",
                                    "CRON_TZ=Europe/Paris ",
                                    "CRON_TZ=Australia/Lord_Howe ",
                                    "CRON_TZ=Asia/Kathmandu ",
                                    "CRON_TZ=Pacific/Apia ",
                                    "CRON_TZ=Africa/Casablanca ",
                                    "CRON_TZ=America/Havana ",
                                    "CRON_TZ=Asia/Tehran ",
                                    "CRON_TZ=America/St_Johns ",
                                    "CRON_TZ=Antarctica/Troll ",
                                    "CRON_TZ=Asia/Pyongyang ",
                                    "CRON_TZ=Europe/Istanbul ",
                                    "CRON_TZ=Pacific/Chatham "};
static const char *const fields[] = {"@daily",        "30 2 * * *",    "0 2,3 * * *",
                                     "@weekly",       "15 1 * * MON",  "0 0 1 * *",
                                     "59 23 31 12 *", "45 */12 * * *", "0 12 13 * FRI",
                                     "30 30 2 * * *", "0 0 29 2 *",    "10,40 2 * * SUN"};
static const char *const overlaps[] = {"skip", "allow", "queue", "replace"};
static const char *const catch_ups[] = {"latest", "none", "all", "3"};

#define PICK(list) (list)[random() % (long)(sizeof(list) / sizeof(*(list)))]

static void plan_random(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		char text[96];

		snprintf(text, sizeof(text), "%s%s", PICK(zones), PICK(fields));
		plan(w, text, PICK(catch_ups), PICK(overlaps));
	}
}

static int64_t next_due_ms(const struct world *w)
{
	int64_t next_s = INT64_MAX;

	for (int i = 0; i < w->n_plans; i++) {
		int64_t at_s = cron_next(&w->plans[i].cron, w->now_ms / 1000);

		if (at_s < next_s)
			next_s = at_s;
	}
	return next_s * 1000;
}

/* Days of virtual time. */
static int64_t days(int few)
{
	return (getenv("HEARTH_LONG") ? 30 * 365 : few) * DAY_MS;
}

static void settle(struct world *w)
{
	w->now_ms = (w->now_ms > w->max_ms ? w->now_ms : w->max_ms) + 1000;
	for (int i = 0; i < 40; i++) {
		w->now_ms += 3 * HOUR_MS;
		world_wake(w);
	}
}

/* Nothing goes wrong: every tick runs or is skipped because of the job before it. */
static void test_steady_years(void **state)
{
	struct world *w = *state;
	int64_t totals[TICK_FAILED + 1] = {0}, end_ms;
	size_t n_due;

	srandom(11);
	w->is_steady = true;
	plan_random(w, 20);
	end_ms = w->now_ms + days(100);
	while (w->now_ms < end_ms) {
		w->now_ms = next_due_ms(w) + random() % 4000;
		world_wake(w);
	}
	audit_all(w, totals, &n_due);
	assert_true(totals[TICK_RAN] > 100);
	assert_int_equal(totals[TICK_FAILED], 0);
	printf("# %zu ticks in time: %lld ran, %lld skipped\n", n_due, (long long)totals[TICK_RAN],
	       (long long)totals[TICK_SKIPPED]);
}

/* Crashes, also between a decision and its commit, and pauses. */
static void test_crashes_and_pauses(void **state)
{
	struct world *w = *state;
	int64_t totals[TICK_FAILED + 1] = {0}, end_ms;
	size_t n_due;

	srandom(12);
	plan_random(w, 20);
	end_ms = w->now_ms + days(200);
	while (w->now_ms < end_ms) {
		w->now_ms = next_due_ms(w) + random() % 4000;
		if (random() % 20 == 0)
			w->now_ms += random() % (10 * DAY_MS);
		if (random() % 10 == 0) {
			if (random() % 2) {
				end_jobs(w);
				(void)schedule_service_wake(w->service); /* lost */
			}
			world_crash(w);
		}
		world_wake(w);
	}
	settle(w);
	audit_all(w, totals, &n_due);
	assert_true(totals[TICK_RAN] > 100 && totals[TICK_CAUGHT_UP] > 10 &&
	            totals[TICK_MISSED] > 10);
	printf("# %zu ticks with crashes: %lld ran, %lld skipped, %lld caught up, %lld missed\n",
	       n_due, (long long)totals[TICK_RAN], (long long)totals[TICK_SKIPPED],
	       (long long)totals[TICK_CAUGHT_UP], (long long)totals[TICK_MISSED]);
}

/* The clock is set forward and back as well. */
static void test_clock_steps(void **state)
{
	struct world *w = *state;
	int64_t totals[TICK_FAILED + 1] = {0}, end_ms;
	size_t n_due;

	srandom(13);
	plan_random(w, 20);
	end_ms = w->now_ms + days(200);
	while (w->max_ms < end_ms) {
		w->now_ms = next_due_ms(w) + random() % 4000;
		if (random() % 20 == 0)
			w->now_ms += random() % (10 * DAY_MS);
		if (random() % 20 == 0)
			w->now_ms -= random() % (10 * DAY_MS);
		if (w->now_ms < w->plans[w->n_plans - 1].created_ms)
			w->now_ms = w->plans[w->n_plans - 1].created_ms;
		if (random() % 30 == 0)
			world_crash(w);
		world_wake(w);
	}
	settle(w);
	audit_all(w, totals, &n_due);
	printf("# %zu ticks with clock steps: %lld ran, %lld skipped, %lld caught up, %lld "
	       "missed\n",
	       n_due, (long long)totals[TICK_RAN], (long long)totals[TICK_SKIPPED],
	       (long long)totals[TICK_CAUGHT_UP], (long long)totals[TICK_MISSED]);
}

/* A schedule of every second after a month: rows of their own for the last ones, one for the
 * others. */
static void test_a_long_absence(void **state)
{
	struct world *w = *state;
	int64_t totals[TICK_FAILED + 1] = {0};
	size_t n_due;

	plan(w, "* * * * * *", "3", "allow");
	plan(w, "*/7 * * * *", "none", "skip");
	plan(w, "* * * * *", "latest", "queue");
	w->now_ms += 3 * DAY_MS;
	world_crash(w);
	world_wake(w);
	audit_all(w, totals, &n_due);
	assert_int_equal(totals[TICK_MISSED] + totals[TICK_CAUGHT_UP] + totals[TICK_RAN], n_due);
	assert_true(totals[TICK_RAN] + totals[TICK_CAUGHT_UP] >= 4);
	assert_true(totals[TICK_RAN] + totals[TICK_CAUGHT_UP] <= 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_steady_years, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_crashes_and_pauses, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_clock_steps, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_long_absence, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
