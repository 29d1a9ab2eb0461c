/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Billing on a virtual clock, whose wall time steps as it likes. What processes really did is known
 * to the test; hearthd learns it late, loses turns in crashes, and comes back with other prices:
 * what it charges must be what happened, to the millisecond.
 */
#include "../store/store_fixture.h"

#include "job/billing_private.h"
#include "job/service.h"
#include "store/buckets.h"

#define HOUR_MS INT64_C(3600000)
#define MAY_1 INT64_C(1777593600000) /* 2026-05-01T00:00:00Z */
#define GIB (1024 * 1024 * 1024LL)
#define JOBS_MAX 4000
#define DOLLAR INT64_C(1000000)

static int64_t mono_us, wall_offset_ms;

int64_t __wrap_clock_now_ms(void);
int64_t __wrap_clock_monotonic_us(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_now_ms(void)
{
	return wall_offset_ms + mono_us / 1000;
}

int64_t __wrap_clock_monotonic_us(void)
{
	return mono_us;
}

int64_t __wrap_clock_monotonic_ms(void)
{
	return mono_us / 1000;
}

/* One attempt as it really is. */
struct process {
	char job_id[ID_SIZE];
	int number;
	int64_t start_us, end_us, started_ms; /* 0: not yet */
	int64_t charged_ms;                   /* what it must be in the end; -1: nothing */
	bool is_known; /* to this hearthd: it was asked to start it or to take it over */
	bool is_heard; /* this or an earlier hearthd knows that it runs */
	bool is_stopped, is_told_end, is_settled;
};

struct world {
	struct store_fixture *store;
	struct configuration *configuration;
	struct seal_key *key;
	struct loop *loop;
	struct job_service *service;
	struct billing *billing;
	struct backend_events events;
	struct backend backend;
	struct process processes[JOBS_MAX];
	int n;
	unsigned seed;
};

static struct world *the_world;

static struct process *process_of(const char *id, int number)
{
	struct world *w = the_world;

	for (int i = w->n - 1; i >= 0; i--)
		if (w->processes[i].number == number && strcmp(w->processes[i].job_id, id) == 0)
			return &w->processes[i];
	assert_true(w->n < JOBS_MAX);
	w->processes[w->n] = (struct process){.number = number, .charged_ms = -1};
	memcpy(w->processes[w->n].job_id, id, ID_SIZE);
	return &w->processes[w->n++];
}

static void backend_begin(struct backend *backend, const struct attempt_start *start)
{
	process_of(start->job->id, start->number)->is_known = true;
}

static void backend_stop(struct backend *backend, const char *id, int number)
{
	process_of(id, number)->is_stopped = true;
}

static void backend_extend(struct backend *backend, const char *id, int number, int64_t timeout_s)
{
}

static void backend_free(struct backend *backend)
{
}

static const struct backend_ops backend_ops = {
        .name = "test",
        .start = backend_begin,
        .stop = backend_stop,
        .extend = backend_extend,
        .adopt = backend_begin,
        .free = backend_free,
};

static void world_commit(void *arg)
{
	database_commit(((struct world *)arg)->store->db);
}

static void world_turn(struct world *w)
{
	for (int i = 0; i < 3; i++)
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
	database_commit(w->store->db);
}

static void world_start(struct world *w)
{
	struct job_service_options options = {
	        .db = w->store->db,
	        .configuration = w->configuration,
	        .key = w->key,
	        .attempts_fd = -1,
	        .spawner_fd = -1,
	};

	options.loop = w->loop = loop_new();
	loop_set_turn_end(w->loop, world_commit, w);
	w->service = job_service_new(&options);
	w->events = job_service_backend_events(w->service);
	w->backend = (struct backend){&backend_ops};
	w->billing = billing_new(w->loop, w->store->db, w->configuration);
	job_service_set_billing(w->service, w->billing);
	billing_start(w->billing, w->service, NULL);
	job_service_start(w->service, &w->backend);
}

static void world_stop(struct world *w)
{
	job_service_free(w->service);
	billing_free(w->billing);
	loop_free(w->loop);
}

static void world_crash(struct world *w)
{
	world_stop(w);
	store_crash(w->store);
	for (int i = 0; i < w->n; i++)
		w->processes[i].is_known = w->processes[i].is_told_end;
	world_start(w);
}

static int world_setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct error err = ERROR_INIT;
	static const int64_t prices[] = {0, 3600 * DOLLAR, 7 * DOLLAR};
	static const char *const names[] = {"free", "gold", "cpu-basic"};
	struct configuration *c = configuration_new();
	void *store;
	int folder;

	mono_us = 1000000;
	wall_offset_ms = MAY_1 + 12 * HOUR_MS;
	store_setup(&store);
	w->store = store;
	w->configuration = c;
	c->n_flavors = 3;
	c->flavors = xcalloc(3, sizeof(*c->flavors));
	for (size_t i = 0; i < 3; i++) {
		c->flavors[i].name = xstrdup(names[i]);
		c->flavors[i].pretty_name = xstrdup(names[i]);
		c->flavors[i].cpu_millis = 100;
		c->flavors[i].price_micro_usd_hour = prices[i];
	}
	c->cpu_millis = 4000;
	c->memory_bytes = 8 * GIB;
	c->max_running = 100;
	c->max_queued = 10000;
	c->default_timeout_s = 1800;
	c->max_timeout_s = 7 * 86400;
	c->total_log_bytes = 0;
	c->retry_delay_s = 0;
	assert_int_equal(file_open_dir(w->store->folder, 0700, &folder, &err), 0);
	assert_int_equal(seal_key_load(folder, "key", &w->key, &err), 0);
	close(folder);
	the_world = w;
	world_start(w);
	*state = w;
	return 0;
}

static int world_teardown(void **state)
{
	struct world *w = *state;
	void *store = w->store;

	world_stop(w);
	seal_key_free(w->key);
	configuration_free(w->configuration);
	store_teardown(&store);
	free(w);
	return 0;
}

static int try_submit(struct world *w, const char *flavor, int attempts, char id[ID_SIZE],
                      struct error *err)
{
	autojson json_t *body =
	        json_pack("{s:s, s:s, s:[s], s:i, s:{s:s}}", "flavor", flavor, "dockerImage", "x",
	                  "command", "true", "attempts", attempts, "labels", "team", "red");
	autojson json_t *initiator = json_pack("{s:s}", "type", "user");
	struct job_spec spec;
	struct job_submission submission = {
	        .spec = &spec,
	        .owner = &w->store->alice,
	        .creator = &w->store->alice,
	        .initiator = initiator,
	};
	bool existing;
	int rc;

	if (job_spec_parse(w->configuration, body, &spec, err) < 0)
		return -1;
	rc = job_submit(w->service, &submission, id, &existing, err);
	job_spec_clear(&spec);
	return rc;
}

static void submit(struct world *w, const char *flavor, int attempts, char id[ID_SIZE])
{
	struct error err = ERROR_INIT;

	if (try_submit(w, flavor, attempts, id, &err) < 0)
		fail_msg("job_submit: %s", err.text);
	world_turn(w);
}

/* What the container does. */
static void process_start(struct process *p)
{
	p->start_us = mono_us;
	p->started_ms = clock_now_ms();
}

static enum job_stage stage_of(struct world *w, const char *id, int64_t *ret_finished_ms)
{
	struct job_record job autojob = {0};

	assert_true(jobs_find(w->store->db, id, &job));
	if (ret_finished_ms)
		*ret_finished_ms = job.finished_ms;
	return job.stage;
}

static int64_t used_now(const struct process *p)
{
	return (mono_us - p->start_us) / 1000;
}

static void tell_running(struct world *w, struct process *p)
{
	w->events.running(w->events.arg, p->job_id, p->number, p->started_ms,
	                  mono_us - p->start_us);
}

static void tell_ended(struct world *w, struct process *p, int code)
{
	struct exit_record record = {
	        .outcome = OUTCOME_EXITED,
	        .exit_code = code,
	        .started_ms = p->started_ms,
	        .ended_ms = clock_now_ms(),
	        .running_us = p->end_us - p->start_us,
	};

	if (!p->start_us)
		record = (struct exit_record){.outcome = OUTCOME_CANCELED,
		                              .ended_ms = clock_now_ms()};
	w->events.ended(w->events.arg, p->job_id, p->number, &record);
}

static const struct usage_record *record_of(struct world *w, const char *id, int number)
{
	static struct usage_record record;

	return usage_find(w->store->db, id, number, &record) ? &record : NULL;
}

/* A job that runs for alice now. */
static struct process *run(struct world *w, const char *flavor, char id[ID_SIZE])
{
	submit(w, flavor, 1, id);
	process_start(process_of(id, 1));
	tell_running(w, process_of(id, 1));
	world_turn(w);
	return process_of(id, 1);
}

static void pass(int64_t ms)
{
	mono_us += ms * 1000;
}

static void an_attempt_costs_what_it_ran(void **state)
{
	struct world *w = *state;
	struct process *p;
	struct job_cost cost;
	struct job_record job autojob = {0};
	char id[ID_SIZE];

	submit(w, "gold", 1, id);
	pass(5000); /* pulling an image is free */
	p = process_of(id, 1);
	process_start(p);
	tell_running(w, p);
	world_turn(w);
	pass(1500);
	assert_true(jobs_find(w->store->db, id, &job));
	billing_job_cost(w->billing, &job, &cost);
	assert_int_equal(cost.used_ms, 1500);
	assert_int_equal(cost.cost_micro_usd, 1500000);
	assert_int_equal(cost.estimate_micro_usd, 1800 * DOLLAR);
	p->end_us = mono_us;
	pass(300); /* until we hear of it */
	tell_ended(w, p, 0);
	world_turn(w);
	assert_int_equal(record_of(w, id, 1)->used_ms, 1500);
	assert_int_equal(record_of(w, id, 1)->cost_micro_usd, 1500000);
	assert_int_equal(w->billing->running.count, 0);
}

static void a_cancelled_job_is_not_charged_for_its_grace(void **state)
{
	struct world *w = *state;
	struct process *p;
	char id[ID_SIZE];
	int64_t finished_ms;

	p = run(w, "gold", id);
	pass(2000);
	job_cancel(w->service, id, NULL, NULL);
	world_turn(w);
	assert_int_equal(stage_of(w, id, &finished_ms), STAGE_CANCELED);
	assert_int_equal(finished_ms, p->started_ms + 2000);
	assert_int_equal(record_of(w, id, 1)->used_ms, 2000);
	pass(30000);
	p->end_us = mono_us;
	tell_ended(w, p, 0);
	world_turn(w);
	assert_int_equal(record_of(w, id, 1)->used_ms, 2000);
}

static void one_cancelled_before_it_ran_costs_nothing(void **state)
{
	struct world *w = *state;
	struct process *p;
	char id[ID_SIZE];

	submit(w, "gold", 1, id);
	job_cancel(w->service, id, NULL, NULL);
	world_turn(w);
	p = process_of(id, 1);
	process_start(p); /* the order came too late */
	tell_running(w, p);
	pass(4000);
	p->end_us = mono_us;
	tell_ended(w, p, 0);
	world_turn(w);
	assert_null(record_of(w, id, 1));
}

static void steps_of_the_wall_clock_change_nothing(void **state)
{
	static const int64_t steps[] = {HOUR_MS, -HOUR_MS, -400 * 24 * HOUR_MS, 400 * 24 * HOUR_MS};
	struct world *w = *state;

	for (size_t i = 0; i < 8; i++) {
		char id[ID_SIZE];
		struct process *p = run(w, "gold", id);

		pass(1000);
		wall_offset_ms += steps[i % 4];
		if (i < 4)
			world_crash(w);
		pass(1000);
		if (i % 2) {
			job_cancel(w->service, id, NULL, NULL);
		} else {
			p->end_us = mono_us;
			tell_ended(w, p, 0);
		}
		world_turn(w);
		assert_int_equal(record_of(w, id, 1)->used_ms, 2000);
		if (i % 2) {
			p->end_us = mono_us;
			tell_ended(w, p, 0);
			world_turn(w);
		}
	}
}

static void the_price_is_that_of_the_beginning(void **state)
{
	struct world *w = *state;
	struct process *p;
	char running[ID_SIZE], created[ID_SIZE];

	(void)run(w, "gold", running);
	submit(w, "gold", 1, created);
	process_start(process_of(created, 1));
	w->configuration->flavors[1].price_micro_usd_hour = 1;
	pass(1000);
	world_crash(w);
	tell_running(w, process_of(created, 1));
	for (int i = 0; i < 2; i++) {
		p = process_of(i ? created : running, 1);
		p->end_us = mono_us;
		tell_ended(w, p, 0);
		world_turn(w);
		assert_int_equal(record_of(w, p->job_id, 1)->cost_micro_usd, DOLLAR);
	}
}

static void a_lost_attempt_ran_until_it_was_last_seen(void **state)
{
	struct world *w = *state;
	struct exit_record record = {.outcome = OUTCOME_LOST, .exit_code = -1};
	struct process *p;
	char id[ID_SIZE];

	p = run(w, "gold", id);
	pass(10000);
	world_crash(w);
	pass(50000);
	record.started_ms = p->started_ms;
	record.ended_ms = p->started_ms + 9500; /* its last metrics */
	w->events.ended(w->events.arg, id, 1, &record);
	world_turn(w);
	assert_int_equal(record_of(w, id, 1)->used_ms, 9500);

	p = run(w, "gold", id);
	pass(1000);
	wall_offset_ms += HOUR_MS;
	world_crash(w);
	record.started_ms = p->started_ms;
	record.ended_ms = clock_now_ms(); /* never more than the time since its start */
	w->events.ended(w->events.arg, id, 1, &record);
	world_turn(w);
	assert_int_equal(record_of(w, id, 1)->used_ms, 1000);

	p = run(w, "gold", id);
	pass(1000);
	wall_offset_ms -= 2 * HOUR_MS;
	world_crash(w);
	record.started_ms = p->started_ms;
	record.ended_ms = clock_now_ms(); /* never negative */
	w->events.ended(w->events.arg, id, 1, &record);
	world_turn(w);
	assert_int_equal(record_of(w, id, 1)->used_ms, 0);
}

static void grant(struct world *w, int64_t amount, int64_t expires_ms)
{
	struct error err = ERROR_INIT;
	struct credit credit;

	if (billing_grant(w->billing, w->store->alice.id, amount, expires_ms, "", &credit, &err) <
	    0)
		fail_msg("%s", err.text);
}

static struct billing_state state_of(struct world *w)
{
	struct billing_state ret;

	billing_state(w->billing, w->store->alice.id, &ret);
	return ret;
}

/* As its timer does at the moment that it was set for. */
static void look(struct world *w)
{
	purse_due(purse_get(w->billing, w->store->alice.id));
	world_turn(w);
}

/* Another boot, three days later: nobody knows yet that its monitor is dead, and for how long. */
static void reboot(struct world *w)
{
	server_facts_set(w->store->db, "attempts_boot", "another");
	world_turn(w);
	mono_us = 5000000;
	wall_offset_ms += 3 * LEDGER_DAY_MS;
	world_crash(w);
}

static void nothing_is_used_while_the_machine_is_off(void **state)
{
	struct world *w = *state;
	struct exit_record record = {.outcome = OUTCOME_LOST, .exit_code = -1};
	struct process *p;
	char id[ID_SIZE], waiting[ID_SIZE];
	int64_t expires_ms = clock_now_ms() + LEDGER_DAY_MS;

	grant(w, 50 * DOLLAR, 0);
	grant(w, 1 * DOLLAR, expires_ms);
	p = run(w, "gold", id);
	record.started_ms = p->started_ms;
	record.ended_ms = p->started_ms + 9500; /* its last metrics */
	pass(10000);
	submit(w, "gold", 1, waiting);
	reboot(w);
	world_turn(w);
	look(w);
	assert_false(state_of(w).is_exhausted);
	assert_int_equal(stage_of(w, waiting, NULL), STAGE_SCHEDULING);
	assert_int_equal(stage_of(w, id, NULL), STAGE_RUNNING);
	job_cancel(w->service, id, NULL, NULL); /* before it is found lost */
	world_turn(w);
	w->events.ended(w->events.arg, id, 1, &record);
	world_turn(w);
	assert_int_equal(record_of(w, id, 1)->used_ms, 9500);
	assert_int_equal(state_of(w).balance_micro_usd, 50 * DOLLAR - 9500000);
	assert_int_equal(w->billing->running.count, 0);
}

/* The wall clock was set right while it ran, and then the machine was restarted. */
static void a_lost_attempt_did_not_outlive_its_limit(void **state)
{
	struct world *w = *state;
	struct exit_record record = {.outcome = OUTCOME_LOST, .exit_code = -1};
	struct process *p;
	char id[ID_SIZE];

	p = run(w, "gold", id);
	pass(10000);
	reboot(w);
	record.started_ms = p->started_ms;
	record.ended_ms = p->started_ms + 50 * 365 * LEDGER_DAY_MS;
	w->events.ended(w->events.arg, id, 1, &record);
	world_turn(w);
	assert_int_equal(record_of(w, id, 1)->used_ms, (1800 + w->configuration->grace_s) * 1000);
}

static void credits_end_and_so_do_jobs(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_INIT;
	struct job_record job autojob = {0};
	char running[ID_SIZE], waiting[ID_SIZE], costs_nothing[ID_SIZE], id[ID_SIZE];

	grant(w, 10 * DOLLAR, 0);
	(void)run(w, "gold", running);
	(void)run(w, "free", costs_nothing);
	pass(9999);
	look(w);
	assert_int_equal(stage_of(w, running, NULL), STAGE_RUNNING);
	submit(w, "gold", 1, waiting);
	pass(1);
	look(w);
	assert_int_equal(stage_of(w, running, NULL), STAGE_CANCELED);
	assert_int_equal(stage_of(w, waiting, NULL), STAGE_CANCELED);
	assert_int_equal(stage_of(w, costs_nothing, NULL), STAGE_RUNNING);
	assert_true(jobs_find(w->store->db, running, &job));
	assert_string_equal(job.cancel_reason, "NO_CREDITS");
	assert_string_equal(job.message, "Stopped: no credits are left");
	assert_int_equal(try_submit(w, "gold", 1, id, &err), -1);
	assert_int_equal(err.code, E_PAYMENT);
	assert_string_equal(err.text,
	                    "alice has no credits left: the balance is $0.00, and a minute of gold "
	                    "costs $60.00; an administrator can grant more (hearth admin "
	                    "credits grant)");
	assert_int_equal(try_submit(w, "free", 1, id, &err), 0);
	grant(w, 1, 0);
	assert_int_equal(try_submit(w, "gold", 1, id, &err), 0);
}

static void a_budget_ends_with_its_month(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	w->configuration->monthly_budget_micro_usd = 4 * DOLLAR;
	wall_offset_ms = MAY_1 + 31 * LEDGER_DAY_MS - 3000 - mono_us / 1000;
	purse_read(purse_get(w->billing, w->store->alice.id));
	(void)run(w, "gold", id);
	pass(3500); /* three seconds in May, half a one in June */
	look(w);
	assert_int_equal(stage_of(w, id, NULL), STAGE_RUNNING);
	assert_int_equal(state_of(w).spent_month_micro_usd, DOLLAR / 2);
	pass(3500);
	look(w);
	assert_int_equal(stage_of(w, id, NULL), STAGE_CANCELED);
	assert_int_equal(state_of(w).spent_month_micro_usd, 4 * DOLLAR);
	assert_int_equal(try_submit(w, "gold", 1, id, &err), -1);
	assert_string_equal(
	        err.text,
	        "alice has used up its budget of $4.00 for June: $4.00 are spent, and a minute of "
	        "gold costs $60.00; jobs can run again on 2026-07-01, or when an "
	        "administrator raises the budget");
	world_crash(w);
	assert_int_equal(try_submit(w, "gold", 1, id, &err), -1);
	wall_offset_ms += 30 * LEDGER_DAY_MS;
	assert_int_equal(state_of(w).spent_month_micro_usd, 0);
	assert_int_equal(try_submit(w, "gold", 1, id, &err), 0);
}

static void what_was_used_before_an_expiry_is_paid_by_that_credit(void **state)
{
	struct world *w = *state;
	struct process *p;
	char id[ID_SIZE];

	grant(w, 100 * DOLLAR, clock_now_ms() + 5000);
	grant(w, 10 * DOLLAR, 0);
	p = run(w, "gold", id);
	pass(4000);
	world_crash(w);
	tell_running(w, p);
	pass(4000); /* five seconds are of the first credit, three of the second */
	look(w);
	assert_int_equal(state_of(w).balance_micro_usd, 7 * DOLLAR);
	world_crash(w);
	p->end_us = mono_us;
	tell_ended(w, p, 0);
	world_turn(w);
	assert_int_equal(state_of(w).balance_micro_usd, 7 * DOLLAR);
	assert_int_equal(record_of(w, id, 1)->taken_micro_usd, 5 * DOLLAR);
}

static void changes_of_an_admin_count_from_then_on(void **state)
{
	struct world *w = *state;
	struct process *p;
	char id[ID_SIZE];

	p = run(w, "gold", id);
	pass(5000); /* before anybody spoke of credits */
	grant(w, 10 * DOLLAR, 0);
	pass(2000);
	assert_int_equal(state_of(w).balance_micro_usd, 8 * DOLLAR);
	billing_set_budget(w->billing, w->store->alice.id, 1, -1);
	pass(50000);
	look(w);
	assert_int_equal(stage_of(w, id, NULL), STAGE_RUNNING);
	billing_set_budget(w->billing, w->store->alice.id, -1, -1);
	assert_int_equal(state_of(w).balance_micro_usd, 8 * DOLLAR);
	pass(3000);
	p->end_us = mono_us;
	tell_ended(w, p, 0);
	world_turn(w);
	assert_int_equal(state_of(w).balance_micro_usd, 5 * DOLLAR);
	billing_set_budget(w->billing, w->store->alice.id, -1, 0);
	assert_true(state_of(w).is_exhausted);
}

/* Also what is settled because an admin changes something is taken from credits that will expire.
 */
static void a_change_takes_from_what_expires_first(void **state)
{
	struct world *w = *state;
	char id[ID_SIZE];

	grant(w, 10 * DOLLAR, 0);
	grant(w, 10 * DOLLAR, clock_now_ms() + HOUR_MS);
	(void)run(w, "gold", id);
	pass(4000);
	grant(w, DOLLAR, 0);
	assert_int_equal(state_of(w).balance_micro_usd, 17 * DOLLAR);
	job_cancel(w->service, id, NULL, NULL);
	world_turn(w);
	assert_int_equal(state_of(w).balance_micro_usd, 17 * DOLLAR);
	pass(2 * HOUR_MS);
	assert_int_equal(state_of(w).balance_micro_usd, 11 * DOLLAR);
}

static void grants_have_bounds(void **state)
{
	struct world *w = *state;
	const char *alice = w->store->alice.id;
	struct error err = ERROR_INIT;
	struct credit credit;

	assert_int_equal(billing_grant(w->billing, alice, 0, 0, NULL, &credit, &err), -1);
	assert_int_equal(billing_grant(w->billing, alice, -5, 0, NULL, &credit, &err), -1);
	assert_int_equal(billing_grant(w->billing, alice, 5, 1, NULL, &credit, &err), -1);
	grant(w, BILLING_AMOUNT_MAX_USD * DOLLAR, 0);
	assert_int_equal(billing_grant(w->billing, alice, 1, 0, NULL, &credit, &err), -1);
	assert_string_equal(err.text, "amount: the credits would be more than 1000000000 USD");
	w->configuration->prepaid = true;
	assert_int_equal(billing_revoke(w->billing, alice, credit.id, &err), -1);
}

/* Random lives */

static int64_t chance(struct world *w, int64_t n)
{
	return rand_r(&w->seed) % n;
}

static struct process *any(struct world *w)
{
	return w->n ? &w->processes[chance(w, w->n)] : NULL;
}

static void random_event(struct world *w, struct process *p)
{
	bool is_over = stage_is_terminal(stage_of(w, p->job_id, NULL));

	if (p->is_told_end || !p->is_known)
		return;
	if (!p->start_us && p->is_stopped) {
		p->end_us = mono_us;
	} else if (!p->start_us) {
		process_start(p);
	} else if (!p->end_us && (p->is_stopped || chance(w, 3) == 0)) {
		p->end_us = mono_us;
		return; /* told by and by */
	}
	if (p->end_us) {
		tell_ended(w, p, (int)chance(w, 2));
		if (!is_over && p->start_us && p->charged_ms < 0)
			p->charged_ms = (p->end_us - p->start_us) / 1000;
		p->is_told_end = true;
	} else {
		tell_running(w, p);
		p->is_heard |= !is_over;
	}
}

static void random_cancel(struct world *w, struct process *p)
{
	if (stage_is_terminal(stage_of(w, p->job_id, NULL)))
		return;
	for (int i = 0; i < w->n; i++) {
		struct process *other = &w->processes[i];

		if (strcmp(other->job_id, p->job_id) == 0 && other->is_heard &&
		    !other->is_told_end && other->charged_ms < 0)
			other->charged_ms = used_now(other);
	}
	job_cancel(w->service, p->job_id, NULL, NULL);
}

/* Another world that forgets what was not committed: so does the test. */
static void random_crash(struct world *w)
{
	struct process *p = any(w);
	struct process before;

	w->configuration->flavors[2].price_micro_usd_hour = chance(w, 100) * DOLLAR;
	if (p && chance(w, 2)) {
		before = *p;
		if (chance(w, 2))
			random_event(w, p);
		else
			before = *p;
		/* The process goes on; only what hearthd learned is lost. */
		p->is_heard = before.is_heard;
		p->is_told_end = before.is_told_end;
		p->charged_ms = before.charged_ms;
	}
	world_crash(w);
}

static void random_step(struct world *w)
{
	char id[ID_SIZE];

	mono_us += chance(w, 3000000);
	if (chance(w, 40) == 0)
		wall_offset_ms += (chance(w, 3) - 1) * HOUR_MS;
	switch (chance(w, 12)) {
	case 0:
		submit(w, chance(w, 2) ? "gold" : "cpu-basic", 1 + (int)chance(w, 3), id);
		break;
	case 1:
		if (w->n && chance(w, 3) == 0)
			random_cancel(w, any(w));
		break;
	case 2:
		if (chance(w, 4) == 0)
			random_crash(w);
		break;
	default:
		if (w->n)
			random_event(w, any(w));
	}
	world_turn(w);
}

static void finish_all(struct world *w)
{
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < w->n; i++) {
			w->processes[i].is_stopped = true;
			while (w->processes[i].is_known && !w->processes[i].is_told_end)
				random_event(w, &w->processes[i]);
			world_turn(w);
		}
	}
}

static void add_cost(void *arg, const struct usage_sum *sum)
{
	struct usage_sum *total = arg;

	total->attempts += sum->attempts;
	total->used_ms += sum->used_ms;
	total->cost_micro_usd += sum->cost_micro_usd;
}

static void check_sums(struct world *w, const struct usage_sum *expected)
{
	for (int by = USAGE_BY_NAMESPACE; by <= USAGE_BY_LABEL; by++) {
		struct usage_sum total = {0};

		usage_sums(w->store->db, by % 2 ? NULL : w->store->alice.id, (enum usage_by)by,
		           "team", 0, 1000000, add_cost, &total);
		assert_int_equal(total.attempts, expected->attempts);
		assert_int_equal(total.used_ms, expected->used_ms);
		assert_int_equal(total.cost_micro_usd, expected->cost_micro_usd);
	}
}

static void check_all(struct world *w)
{
	struct usage_sum expected = {0};
	struct credits_sum credits;

	for (int i = 0; i < w->n; i++) {
		const struct process *p = &w->processes[i];
		const struct usage_record *record = record_of(w, p->job_id, p->number);

		if (p->charged_ms < 0) {
			assert_null(record);
			continue;
		}
		assert_non_null(record);
		assert_int_equal(record->used_ms, p->charged_ms);
		assert_int_equal(record->ended_ms, record->started_ms + p->charged_ms);
		assert_int_equal(record->price_hour_micro_usd,
		                 attempts_price(w->store->db, p->job_id, p->number, -1));
		expected.attempts++;
		expected.used_ms += record->used_ms;
		expected.cost_micro_usd += record->cost_micro_usd;
	}
	assert_true(expected.attempts > 100);
	check_sums(w, &expected);
	credits_sum(w->store->db, w->store->alice.id, clock_now_ms(), &credits);
	assert_int_equal(credits.left, BILLING_AMOUNT_MAX_USD * DOLLAR - expected.cost_micro_usd);
	assert_int_equal(w->billing->running.count, 0);
}

static void random_lives_sum_up_exactly(void **state)
{
	struct world *w = *state;

	w->seed = 20260501;
	grant(w, BILLING_AMOUNT_MAX_USD * DOLLAR, 0);
	world_turn(w);
	for (int i = 0; i < 4000; i++)
		random_step(w);
	finish_all(w);
	check_all(w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(an_attempt_costs_what_it_ran),
	        TEST(a_cancelled_job_is_not_charged_for_its_grace),
	        TEST(one_cancelled_before_it_ran_costs_nothing),
	        TEST(steps_of_the_wall_clock_change_nothing),
	        TEST(the_price_is_that_of_the_beginning),
	        TEST(a_lost_attempt_ran_until_it_was_last_seen),
	        TEST(nothing_is_used_while_the_machine_is_off),
	        TEST(a_lost_attempt_did_not_outlive_its_limit),
	        TEST(credits_end_and_so_do_jobs),
	        TEST(a_budget_ends_with_its_month),
	        TEST(what_was_used_before_an_expiry_is_paid_by_that_credit),
	        TEST(changes_of_an_admin_count_from_then_on),
	        TEST(a_change_takes_from_what_expires_first),
	        TEST(grants_have_bounds),
	        TEST(random_lives_sum_up_exactly),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
