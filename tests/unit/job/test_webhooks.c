/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks without a network: rows in the turn of the event, loops through chains of jobs, notices
 * about namespaces, and payloads cut for an environment. */
#include "job_fixture.h"

#include "base/cleanup.h"
#include "job/webhook_private.h"
#include "store/buckets.h"

struct hook_fixture {
	struct job_fixture *jobs;
	struct webhook_service *service;
};

static void hook_start(struct hook_fixture *f)
{
	f->service = webhook_service_new(&(struct webhook_service_options){
	        .loop = f->jobs->loop,
	        .db = f->jobs->store->db,
	        .configuration = f->jobs->configuration,
	        .key = f->jobs->key,
	        .public_url = "http://hearth.example",
	});
	job_service_set_webhooks(f->jobs->service, f->service);
	webhook_service_start(f->service, f->jobs->service);
}

static void hook_restart(struct hook_fixture *f)
{
	webhook_service_free(f->service);
	restart(f->jobs);
	hook_start(f);
}

static int hook_setup(void **state)
{
	struct hook_fixture *f = xcalloc(1, sizeof(*f));
	void *jobs;

	job_setup(&jobs);
	f->jobs = jobs;
	hook_start(f);
	*state = f;
	return 0;
}

static int hook_teardown(void **state)
{
	struct hook_fixture *f = *state;
	void *jobs = f->jobs;

	webhook_service_free(f->service);
	job_teardown(&jobs);
	free(f);
	return 0;
}

/* Alice's, with `take_fields`; its id is written to `id`. */
static void hook_add(struct hook_fixture *f, json_t *take_fields, char id[ID_SIZE])
{
	autowebhook struct webhook webhook = {0};
	struct error err = ERROR_INIT;

	memcpy(webhook.owner_id, f->jobs->store->alice.id, ID_SIZE);
	snprintf(webhook.owner_name, sizeof(webhook.owner_name), "alice");
	if (webhook_put(f->service, take_fields, NULL, NULL, &webhook, &err) < 0)
		fail_msg("webhook_put: %s", err.text);
	json_decref(take_fields);
	memcpy(id, webhook.id, ID_SIZE);
}

static json_t *hook_starts_job(const char *watched)
{
	return json_pack("{s:[{s:s, s:s}], s:{s:s, s:[s], s:s}}", "watched", "type", "bucket",
	                 "name", watched, "job", "dockerImage", "busybox", "command", "true",
	                 "flavor", "cpu-basic");
}

static void hook_change_bucket(struct hook_fixture *f, const char *name, const char *caused_by_job)
{
	struct bucket bucket = {.is_private = true};

	id_new(bucket.id);
	memcpy(bucket.namespace_id, f->jobs->store->alice.id, ID_SIZE);
	snprintf(bucket.namespace_name, sizeof(bucket.namespace_name), "alice");
	snprintf(bucket.name, sizeof(bucket.name), "%s", name);
	webhook_service_bucket_event(f->service, &bucket, "update", "repo.content", NULL,
	                             caused_by_job);
}

/* Takes a borrowed text apart from the row that it is of. */
struct seen {
	char states[256], job_id[ID_SIZE], error[1024], payload[4096];
};

static void hook_see(void *arg, const struct webhook_delivery *delivery)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->states);

	snprintf(seen->states + len, sizeof(seen->states) - len, "%s%s", len ? " " : "",
	         webhook_delivery_state_name(delivery->state));
	if (len)
		return; /* of the newest one */
	memcpy(seen->job_id, delivery->job_id, ID_SIZE);
	snprintf(seen->error, sizeof(seen->error), "%s", delivery->error ? delivery->error : "");
	snprintf(seen->payload, sizeof(seen->payload), "%s", delivery->event.payload);
}

static struct seen hook_log(struct hook_fixture *f, const char *id)
{
	struct seen seen = {0};

	webhook_log_each(f->service, id, 100, hook_see, &seen);
	return seen;
}

static void an_event_lives_and_dies_with_its_turn(void **state)
{
	struct hook_fixture *f = *state;
	char id[ID_SIZE];

	hook_add(f,
	         json_pack("{s:[{s:s, s:s}], s:s}", "watched", "type", "user", "name", "alice",
	                   "url", "http://receiver.example/"),
	         id);
	database_commit(f->jobs->store->db);
	hook_change_bucket(f, "out", NULL);
	assert_string_equal(hook_log(f, id).states, "waiting");
	hook_restart(f); /* before the commit */
	assert_string_equal(hook_log(f, id).states, "");
	assert_int_equal(webhooks_count(f->jobs->store->db, NULL), 1);
}

static void a_job_is_started_in_the_transaction_of_its_delivery(void **state)
{
	struct hook_fixture *f = *state;
	struct job_record job autojob = {0};
	char id[ID_SIZE];

	hook_add(f, hook_starts_job("alice/in"), id);
	hook_change_bucket(f, "other", NULL);
	hook_change_bucket(f, "in", NULL);
	database_commit(f->jobs->store->db);
	assert_string_equal(hook_log(f, id).states, "delivered");
	assert_true(jobs_find(f->jobs->store->db, hook_log(f, id).job_id, &job));
	assert_string_equal(json_get_text(job.initiator, "id", ""), id);
	assert_string_equal(job.namespace_name, "alice");
}

static void loops_are_seen_through_any_number_of_webhooks(void **state)
{
	struct hook_fixture *f = *state;
	char ids[5][ID_SIZE], name[16], cause[ID_SIZE];

	f->jobs->configuration->max_queued = 0;
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "alice/b%d", i);
		hook_add(f, hook_starts_job(name), ids[i]);
	}
	memcpy(cause, add(f->jobs, NULL), ID_SIZE);
	for (int i = 0; i < 5; i++) { /* each job writes what the next webhook watches */
		snprintf(name, sizeof(name), "b%d", i);
		hook_change_bucket(f, name, cause);
		database_commit(f->jobs->store->db);
		assert_string_equal(hook_log(f, ids[i]).states, "delivered");
		memcpy(cause, hook_log(f, ids[i]).job_id, ID_SIZE);
	}
	for (int i = 0; i < 5; i++) { /* and the last one what any of them watches */
		snprintf(name, sizeof(name), "b%d", i);
		hook_change_bucket(f, name, cause);
		database_commit(f->jobs->store->db);
		assert_string_equal(hook_log(f, ids[i]).states, "loop delivered");
		assert_non_null(strstr(hook_log(f, ids[i]).error, cause));
	}
	hook_change_bucket(f, "b0", NULL);
	database_commit(f->jobs->store->db);
	assert_string_equal(hook_log(f, ids[0]).states, "delivered loop delivered");
}

static void notices_about_a_namespace(void **state)
{
	struct hook_fixture *f = *state;
	autojson json_t *extra = json_pack("{s:{s:s}}", "schedule", "id", "abc");
	char all[ID_SIZE], some[ID_SIZE];

	hook_add(f, json_pack("{s:{}, s:s}", "jobs", "url", "http://receiver.example/"), all);
	hook_add(f,
	         json_pack("{s:{s:[s], s:{s:s}}, s:s}", "jobs", "events", "budget-100", "labels",
	                   "team", "x", "url", "http://receiver.example/"),
	         some);
	webhook_service_notice(f->service, "schedule-missed", f->jobs->store->alice.id, NULL,
	                       extra);
	webhook_service_notice(f->service, "schedule-missed", f->jobs->store->lab.id, NULL, extra);
	assert_string_equal(hook_log(f, all).states, "waiting");
	assert_string_equal(hook_log(f, some).states, "");
	assert_non_null(strstr(hook_log(f, all).payload,
	                       "\"action\":\"schedule-missed\",\"scope\":\"schedule\""));
	assert_non_null(strstr(hook_log(f, all).payload, "\"schedule\":{\"id\":\"abc\"}"));
	webhook_service_notice(f->service, "budget-100", f->jobs->store->alice.id, NULL, NULL);
	assert_string_equal(hook_log(f, some).states, "waiting");
	assert_string_equal(hook_log(f, all).states, "waiting waiting");
}

static void a_removed_owner_hears_nothing(void **state)
{
	struct hook_fixture *f = *state;
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	hook_add(f, hook_starts_job("alice/in"), id);
	hook_change_bucket(f, "in", NULL);
	assert_int_equal(accounts_remove(f->jobs->store->db, "alice", &err), 0);
	hook_change_bucket(f, "in", NULL);
	database_commit(f->jobs->store->db);
	assert_int_equal(jobs_count(f->jobs->store->db, &(struct jobs_query){0}), 0);
}

static void about_to_time_out_is_told_once(void **state)
{
	struct hook_fixture *f = *state;
	char id[ID_SIZE];
	const char *job;

	hook_add(f,
	         json_pack("{s:{s:[s]}, s:s}", "jobs", "events", "timeout-soon", "url",
	                   "http://receiver.example/"),
	         id);
	job = add(f->jobs, json_pack("{s:i}", "timeoutSeconds", 100));
	turn(f->jobs);
	f->jobs->events.running(f->jobs->events.arg, job, 1, clock_now_ms() - 95000, 95000000);
	for (int i = 0; i < 100 && !*hook_log(f, id).states; i++) {
		usleep(1000);
		turn(f->jobs);
	}
	assert_string_equal(hook_log(f, id).states, "waiting");
	turn(f->jobs);
	hook_restart(f);
	for (int i = 0; i < 20; i++) {
		usleep(1000);
		turn(f->jobs);
	}
	assert_string_equal(hook_log(f, id).states, "waiting");
}

static void payloads_are_cut_at_characters(void **state)
{
	autobuffer struct buffer text = BUFFER_INIT(4 * 1024 * 1024);

	for (size_t pad = 0; pad < 13; pad++) {
		autojson json_t *payload =
		        json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:{}}", "event", "action", "a",
		                  "scope", "repo", "repo", "type", "t", "name", "n", "comment");
		buffer_reset(&text);
		for (size_t i = 0; i < pad; i++)
			assert_int_equal(buffer_add_byte(&text, 'x'), 0);
		for (size_t i = 0; i < 30000; i++)
			assert_int_equal(buffer_add_text(&text, "\xe2\x82\xac\xf0\x9f\x98\x80"), 0);
		json_object_set_new(json_object_get(payload, "comment"), "content",
		                    json_stringn(text.data, text.len));
		autofree char *whole = json_to_text(payload);
		autofree char *cut =
		        webhook_payload_for_environment(whole, "0123456789abcdef01234567");
		autojson json_t *again = json_loads(cut, 0, NULL);
		const char *content =
		        json_get_text(json_object_get(again, "comment"), "content", "");

		assert_true(strlen(cut) <= 120 * 1024 && strlen(cut) > 119 * 1024);
		assert_true(strlen(content) > pad &&
		            strncmp(content, text.data, strlen(content)) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(an_event_lives_and_dies_with_its_turn, hook_setup,
	                                        hook_teardown),
	        cmocka_unit_test_setup_teardown(a_job_is_started_in_the_transaction_of_its_delivery,
	                                        hook_setup, hook_teardown),
	        cmocka_unit_test_setup_teardown(loops_are_seen_through_any_number_of_webhooks,
	                                        hook_setup, hook_teardown),
	        cmocka_unit_test_setup_teardown(notices_about_a_namespace, hook_setup,
	                                        hook_teardown),
	        cmocka_unit_test_setup_teardown(a_removed_owner_hears_nothing, hook_setup,
	                                        hook_teardown),
	        cmocka_unit_test_setup_teardown(about_to_time_out_is_told_once, hook_setup,
	                                        hook_teardown),
	        cmocka_unit_test(payloads_are_cut_at_characters),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
