/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at random moments (R1, R2, R10, R11): a child process submits, runs, ends and cancels
 * jobs and says after each commit what it would have acknowledged; when it is killed, the database
 * must hold all of that, each key once, and each job with a history that the state machine allows.
 */
#include "job_fixture.h"

#include "job/state.h"

#include <signal.h>
#include <sys/wait.h>

#define ROUNDS 25

struct ack {
	char id[ID_SIZE];
	int key;              /* -1: not a submission */
	enum job_stage stage; /* -1 cast: none seen; else a terminal stage that a client has read */
};

static int ack_fd;
static struct ack pending[256];
static size_t n_pending;

static void send_acks(void *arg)
{
	/* Small enough for the pipe to take it whole or not at all. */
	for (size_t i = 0; i < n_pending; i++)
		if (write(ack_fd, &pending[i], sizeof(*pending)) != sizeof(*pending))
			_exit(1);
	n_pending = 0;
}

static void acknowledge(struct job_fixture *f, const char *id, int key, enum job_stage stage)
{
	struct ack *ack = &pending[n_pending++];

	*ack = (struct ack){.key = key, .stage = stage};
	memcpy(ack->id, id, ID_SIZE);
	database_after_commit(f->store->db, send_acks, NULL);
}

static void submit_one(struct job_fixture *f, int key)
{
	struct error err = ERROR_INIT;
	char id[ID_SIZE], text[16];

	snprintf(text, sizeof(text), "k%d", key);
	if (submit_as(f, &f->store->alice, json_pack("{s:i}", "attempts", 1 + key % 3), text, id,
	              &err) < 0)
		return;
	acknowledge(f, id, key, STAGE_SCHEDULING);
}

struct live {
	struct attempt_record attempts[64];
	int count;
};

static void note_live(void *arg, const struct attempt_record *attempt)
{
	struct live *live = arg;

	if (live->count < 64)
		live->attempts[live->count++] = *attempt;
}

static void act_on_one(struct job_fixture *f)
{
	struct live live = {.count = 0};
	struct job_record job autojob = {0};
	const struct attempt_record *attempt;

	attempts_each_live(f->store->db, note_live, &live);
	if (!live.count)
		return;
	attempt = &live.attempts[rand() % live.count];
	if (rand() % 8 == 0)
		job_cancel(f->service, attempt->job_id, NULL, NULL);
	else if (rand() % 2)
		run(f, attempt->job_id, attempt->number);
	else
		end(f, attempt->job_id, attempt->number,
		    rand() % 4 ? OUTCOME_EXITED : OUTCOME_EXITED + rand() % OUTCOME_LOST,
		    rand() % 2);
	if (jobs_find(f->store->db, attempt->job_id, &job) && stage_is_terminal(job.stage))
		acknowledge(f, job.id, -1, job.stage);
}

/* Never returns: it is killed. */
static void live_until_killed(struct store_fixture *store, int round)
{
	struct job_fixture f = {.store = store};
	struct error err = ERROR_INIT;
	int folder;

	srand((unsigned)round);
	store_open(store);
	f.configuration = configuration_new();
	fixture_set_flavors(f.configuration);
	f.configuration->max_queued = 0;
	if (file_open_dir(store->folder, 0700, &folder, &err) < 0 ||
	    seal_key_load(folder, "key", &f.key, &err) < 0)
		_exit(1);
	fixture_start(&f);
	for (int key = round * 1000;; key++) {
		if (key % 1000 < 900)
			submit_one(&f, key);
		for (int i = rand() % 4; i > 0; i--)
			act_on_one(&f);
		*f.told = '\0';
		turn(&f);
	}
}

static void run_and_kill(struct store_fixture *store, int round, int *ret_pipe)
{
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		ack_fd = ends[1];
		live_until_killed(store, round);
	}
	close(ends[1]);
	usleep((useconds_t)(20000 + rand() % 60000));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	*ret_pipe = ends[0];
}

struct history {
	enum job_stage stage;
	int open_attempts;
};

static void follow(void *arg, int64_t seq, const char *kind, const char *data, int64_t at_ms)
{
	struct history *h = arg;
	autojson json_t *object = json_loads(data, 0, NULL);

	assert_non_null(object);
	if (strcmp(kind, "stage") == 0) {
		int to = stage_by_name(json_get_text(object, "stage", ""));

		assert_true(job_can_change(h->stage, (enum job_stage)to));
		h->stage = (enum job_stage)to;
	} else if (strcmp(kind, "attempt") == 0) {
		h->open_attempts += strcmp(json_get_text(object, "phase", ""), "created") == 0;
		h->open_attempts -= strcmp(json_get_text(object, "phase", ""), "ended") == 0;
		assert_in_range(h->open_attempts, 0, 1);
	}
}

static void check_record(void *arg, struct job_record *job)
{
	struct store_fixture *store = arg;
	struct history history = {.stage = STAGE_SCHEDULING};

	events_each(store->db, job->id, 0, follow, &history);
	assert_int_equal(history.stage, job->stage);
	assert_true(job->failure_count <= job->attempts);
	assert_int_equal(job->finished_ms != 0, stage_is_terminal(job->stage));
}

static int check_acks(struct store_fixture *store, int acks)
{
	struct ack ack;
	int count = 0;

	while (read(acks, &ack, sizeof(ack)) == sizeof(ack)) {
		struct job_record job autojob = {0};
		struct error err = ERROR_INIT;

		count++;
		if (!jobs_find(store->db, ack.id, &job))
			fail_msg("job %s was acknowledged and is gone", ack.id);
		if (stage_is_terminal(ack.stage))
			assert_int_equal(job.stage, ack.stage);
		if (ack.key >= 0) {
			char key[16], id[ID_SIZE];

			/* The wrong hash on purpose: the conflict names the job of the key. */
			snprintf(key, sizeof(key), "k%d", ack.key);
			assert_int_equal(
			        jobs_find_by_key(store->db, store->alice.id, key, "x", id, &err),
			        -1);
			assert_non_null(strstr(err.text, ack.id));
		}
	}
	close(acks);
	return count;
}

static void nothing_acknowledged_is_lost(void **state)
{
	struct store_fixture *store = *state;

	int count = 0;

	srand(7);
	for (int round = 0; round < ROUNDS; round++) {
		struct jobs_query all = {.namespace_id = store->alice.id};
		int acks;

		database_close(store->db);
		run_and_kill(store, round, &acks);
		store_open(store);
		count += check_acks(store, acks);
		jobs_each(store->db, &all, check_record, store);
	}
	print_message("# %d acknowledgements, %d kills\n", count, ROUNDS);
	assert_true(count > ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(nothing_acknowledged_is_lost, store_setup,
	                                        store_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
