/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of jobs: written, read back, found by stage and label, page by page. */
#include "store_fixture.h"

#define JOBS 60

static void what_is_written_is_read(void **state)
{
	struct store_fixture *f = *state;
	struct job_record in autojob = {0}, out autojob = {0};
	autobuffer struct buffer sealed = BUFFER_INIT(100);
	struct error err = ERROR_INIT;
	char existing[ID_SIZE];

	store_fill_job(&f->lab, &f->alice, json_pack("{s:s}", "name", "n1"), &in);
	assert_int_equal(jobs_insert(f->db, &in, "a\0b", 3, NULL, NULL, existing, &err), 0);
	assert_string_equal(existing, "");
	assert_true(jobs_find(f->db, in.id, &out));
	assert_string_equal(out.id, in.id);
	assert_string_equal(out.namespace_name, "lab");
	assert_int_equal(out.namespace_type, ACCOUNT_ORG);
	assert_string_equal(out.created_by_name, "alice");
	assert_int_equal(out.stage, STAGE_SCHEDULING);
	assert_null(out.message);
	assert_null(out.cancel_reason);
	assert_null(out.image_digest);
	assert_string_equal(out.flavor, "cpu-basic");
	assert_true(json_equal(out.spec, in.spec));
	assert_true(json_equal(out.labels, in.labels));
	assert_true(json_equal(out.initiator, in.initiator));
	assert_true(out.created_ms == in.created_ms && out.started_ms == 0 && out.finished_ms == 0);
	jobs_get_secrets(f->db, in.id, &sealed);
	assert_int_equal(sealed.len, 3);
	assert_memory_equal(sealed.data, "a\0b", 3);
	assert_false(jobs_find(f->db, "000000000000000000000000", &out));
}

static void stages_and_messages_are_kept(void **state)
{
	struct store_fixture *f = *state;
	struct job_record job autojob = {0};
	char id[ID_SIZE];

	store_add_job(f, NULL, id);
	jobs_set_stage(f->db, id, STAGE_ERROR, "Job timeout", "NO_CREDITS", 5, 7, 2, 9);
	jobs_set_image_digest(f->db, id, "sha256:aa");
	database_commit(f->db);
	store_crash(f);
	assert_true(jobs_find(f->db, id, &job));
	assert_int_equal(job.stage, STAGE_ERROR);
	assert_string_equal(job.message, "Job timeout");
	assert_string_equal(job.cancel_reason, "NO_CREDITS");
	assert_string_equal(job.image_digest, "sha256:aa");
	assert_true(job.started_ms == 5 && job.finished_ms == 7 && job.updated_ms == 9);
	assert_int_equal(job.failure_count, 2);
	assert_int_equal(stage_by_name("running"), STAGE_RUNNING);
	assert_int_equal(stage_by_name("UPDATING"), -1);
}

struct page {
	char ids[JOBS + 1][ID_SIZE];
	int count;
};

static void note_job(void *arg, struct job_record *job)
{
	struct page *page = arg;

	memcpy(page->ids[page->count++], job->id, ID_SIZE);
}

/* Thirds of JOBS jobs: i % 3 is 0 RUNNING, 1 COMPLETED, 2 ERROR; labels by i % 2 and i % 5. */
static void add_jobs(struct store_fixture *f, char ids[JOBS][ID_SIZE])
{
	static const enum job_stage stages[] = {STAGE_RUNNING, STAGE_COMPLETED, STAGE_ERROR};

	for (int i = 0; i < JOBS; i++) {
		store_add_job(f,
		              json_pack("{s:s, s:s}", "env", i % 2 ? "prod" : "", "team",
		                        i % 5 ? "ml" : "web"),
		              ids[i]);
		store_set_stage(f, ids[i], stages[i % 3]);
	}
}

/* Every combination of filters and page sizes against the plain definition. */
static void lists_match_their_definition(void **state)
{
	struct store_fixture *f = *state;
	char ids[JOBS][ID_SIZE];
	static const char *const keys[] = {"env", "team"};
	static const enum job_stage stages[] = {STAGE_RUNNING, STAGE_COMPLETED, STAGE_ERROR};

	add_jobs(f, ids);
	for (unsigned round = 0; round < 8 * 9 * 3; round++) {
		unsigned mask = (round % 8) << 1, labels = round / 8 % 9, limits[] = {1, 7, 100};
		const char *env = labels / 3 == 1 ? "prod" : "",
		           *team = labels % 3 == 1 ? "ml" : "web";
		const char *values[2] = {env, team};
		bool use_env = labels / 3, use_team = labels % 3;
		struct jobs_query query = {
		        .namespace_id = round % 5 ? f->alice.id : NULL,
		        .stage_mask = mask,
		        .label_keys = use_env ? keys : keys + 1,
		        .label_values = use_env ? values : values + 1,
		        .n_labels = (size_t)use_env + use_team,
		        .limit = (int)limits[round / 72],
		};
		struct page all = {.count = 0};
		int expected = JOBS;

		for (int before = -1; before != all.count;) {
			before = all.count;
			query.before_id = before ? all.ids[before - 1] : NULL;
			jobs_each(f->db, &query, note_job, &all);
			assert_true(all.count - before <= query.limit);
		}
		for (int i = 0; i < all.count; i++) {
			bool matches = false;

			while (!matches && --expected >= 0)
				matches = (!mask || mask & 1u << stages[expected % 3]) &&
				          (!use_env || !strcmp(expected % 2 ? "prod" : "", env)) &&
				          (!use_team || !strcmp(expected % 5 ? "ml" : "web", team));
			assert_true(matches);
			assert_string_equal(all.ids[i], ids[expected]);
		}
		query.before_id = NULL;
		query.limit = 0;
		assert_int_equal(jobs_count(f->db, &query), all.count);
	}
}

static void lists_leave_out_deleted_and_foreign_jobs(void **state)
{
	struct store_fixture *f = *state;
	struct page page = {.count = 0};
	struct jobs_query query = {.namespace_id = f->alice.id, .limit = 10};
	char id[ID_SIZE], deleted[ID_SIZE];

	store_add_job(f, NULL, id);
	store_add_job(f, NULL, deleted);
	store_set_stage(f, deleted, STAGE_DELETED);
	jobs_each(f->db, &query, note_job, &page);
	assert_int_equal(page.count, 1);
	assert_string_equal(page.ids[0], id);
	query.stage_mask = 1u << STAGE_DELETED;
	assert_int_equal(jobs_count(f->db, &query), 1);
	query = (struct jobs_query){.namespace_id = f->lab.id};
	assert_int_equal(jobs_count(f->db, &query), 0);
	query.namespace_id = "000000000000000000000000";
	assert_int_equal(jobs_count(f->db, &query), 0);
}

static void labels_are_replaced(void **state)
{
	struct store_fixture *f = *state;
	struct job_record job autojob = {0};
	autojson json_t *labels = json_pack("{s:s}", "env", "test");
	const char *key = "env", *value = "prod";
	struct jobs_query query = {.namespace_id = f->alice.id,
	                           .label_keys = &key,
	                           .label_values = &value,
	                           .n_labels = 1};
	char id[ID_SIZE];

	store_add_job(f, json_pack("{s:s, s:s}", "env", "prod", "a", "b"), id);
	assert_int_equal(jobs_count(f->db, &query), 1);
	jobs_set_labels(f->db, id, labels, 77);
	assert_int_equal(jobs_count(f->db, &query), 0);
	value = "test";
	assert_int_equal(jobs_count(f->db, &query), 1);
	assert_true(jobs_find(f->db, id, &job));
	assert_true(json_equal(job.labels, labels));
	assert_true(job.updated_ms == 77);
}

static void keys_make_one_job(void **state)
{
	struct store_fixture *f = *state;
	struct job_record one autojob = {0}, two autojob = {0};
	struct error err = ERROR_INIT;
	char existing[ID_SIZE];

	store_fill_job(&f->alice, &f->alice, NULL, &one);
	store_fill_job(&f->alice, &f->alice, NULL, &two);
	assert_int_equal(jobs_insert(f->db, &one, NULL, 0, "k", "h", existing, &err), 0);
	assert_string_equal(existing, "");
	assert_int_equal(jobs_insert(f->db, &two, NULL, 0, "k", "h", existing, &err), 0);
	assert_string_equal(existing, one.id);
	assert_int_equal(jobs_insert(f->db, &two, NULL, 0, "k", "other", existing, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	assert_non_null(strstr(err.text, one.id));
	assert_int_equal(jobs_count(f->db, &(struct jobs_query){.namespace_id = f->alice.id}), 1);
	assert_int_equal(jobs_insert(f->db, &two, NULL, 0, "k2", "h", existing, &err), 0);
	assert_string_equal(existing, "");
}

static void keys_are_forgotten_after_a_day(void **state)
{
	struct store_fixture *f = *state;
	struct job_record one autojob = {0}, two autojob = {0};
	struct error err = ERROR_INIT;
	char existing[ID_SIZE];

	store_fill_job(&f->alice, &f->alice, NULL, &one);
	store_fill_job(&f->alice, &f->alice, NULL, &two);
	one.created_ms -= 25 * 3600 * 1000;
	assert_int_equal(jobs_insert(f->db, &one, NULL, 0, "k", "h", existing, &err), 0);
	assert_int_equal(jobs_insert(f->db, &two, NULL, 0, "k", "h2", existing, &err), 0);
	assert_string_equal(existing, "");
	assert_int_equal(jobs_find_by_key(f->db, f->alice.id, "k", "h2", existing, &err), 0);
	assert_string_equal(existing, two.id);
	assert_int_equal(jobs_find_by_key(f->db, f->lab.id, "k", "h2", existing, &err), 0);
	assert_string_equal(existing, "");
}

static void note_attempt(void *arg, const struct attempt_record *attempt)
{
	snprintf((char *)arg + strlen(arg), 64, "%d/%d ", attempt->number, attempt->slot);
}

static void note_waiting(void *arg, const struct job_waiting *waiting)
{
	snprintf((char *)arg + strlen(arg), 64, "%s:%d ", waiting->id, waiting->last_number);
}

static void attempts_live_until_they_end(void **state)
{
	struct store_fixture *f = *state;
	struct attempt_record attempt = {.number = 1, .slot = 4, .created_ms = 10}, last;
	char a[ID_SIZE], b[ID_SIZE], done[ID_SIZE], text[256] = "", expected[256];

	store_add_job(f, NULL, a);
	store_add_job(f, NULL, b);
	store_add_job(f, NULL, done);
	store_set_stage(f, done, STAGE_COMPLETED);
	memcpy(attempt.job_id, a, ID_SIZE);
	attempts_insert(f->db, &attempt);
	attempts_each_live(f->db, note_attempt, text);
	assert_string_equal(text, "1/4 ");
	*text = '\0';
	jobs_each_waiting(f->db, note_waiting, text);
	snprintf(expected, sizeof(expected), "%s:0 ", b);
	assert_string_equal(text, expected);

	attempts_set_started(f->db, a, 1, 11, 0);
	assert_true(attempts_find_last(f->db, a, &last));
	assert_true(last.started_ms == 11 && last.ended_ms == 0 && last.exit_code == -1);
	last.ended_ms = 20;
	last.exit_code = 3;
	strcpy(last.outcome, "exited");
	attempts_set_ended(f->db, &last);
	*text = '\0';
	attempts_each_live(f->db, note_attempt, text);
	jobs_each_waiting(f->db, note_waiting, text);
	snprintf(expected, sizeof(expected), "%s:1 %s:0 ", a, b);
	assert_string_equal(text, expected);
	assert_true(attempts_find_last(f->db, a, &last));
	assert_int_equal(last.exit_code, 3);
	assert_string_equal(last.outcome, "exited");
	assert_false(attempts_find_last(f->db, b, &last));
}

static void note_event(void *arg, int64_t seq, const char *kind, const char *data, int64_t at_ms)
{
	snprintf((char *)arg + strlen(arg), 64, "%s@%lld ", kind, (long long)at_ms);
}

static void events_keep_their_order(void **state)
{
	struct store_fixture *f = *state;
	char id[ID_SIZE], text[256] = "";
	int64_t first;

	store_add_job(f, NULL, id);
	first = events_insert(f->db, id, "stage", "{}", 5);
	assert_true(events_insert(f->db, id, "labels", "{}", 4) > first);
	events_each(f->db, id, first, note_event, text);
	assert_string_equal(text, "labels@4 ");
	*text = '\0';
	events_each(f->db, id, 0, note_event, text);
	assert_memory_equal(text, "created@", 8);
	assert_non_null(strstr(text, " stage@5 labels@4 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
	        T(what_is_written_is_read),
	        T(stages_and_messages_are_kept),
	        T(lists_match_their_definition),
	        T(lists_leave_out_deleted_and_foreign_jobs),
	        T(labels_are_replaced),
	        T(keys_make_one_job),
	        T(keys_are_forgotten_after_a_day),
	        T(attempts_live_until_they_end),
	        T(events_keep_their_order),
#undef T
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
