/* SPDX-License-Identifier: Apache-2.0 */
/* The job object, member by member, as hub-jobs-api 2.2 wants it. */
#include "../unit.h"

#include "api/job_json.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"

#include <string.h>

#define CREATED_MS 1778597860079
static const struct job_json_context context = {.base_url = "https://hub.example",
                                                .now_ms = CREATED_MS + 95900};

static struct job_record make_job(void)
{
	struct job_record job = {
	        .id = "687fb701029421ae5549d998",
	        .namespace_id = "5e9ecfc04957053f60648a3e",
	        .namespace_name = "acme",
	        .namespace_type = ACCOUNT_ORG,
	        .created_by_id = "5e9ecfc04957053f60648a3f",
	        .created_by_name = "alice",
	        .created_ms = CREATED_MS,
	        .updated_ms = CREATED_MS,
	        .stage = STAGE_SCHEDULING,
	        .attempts = 3,
	        .timeout_s = 7200,
	        .flavor = xstrdup("cpu-basic"),
	};

	job.spec = json_loads("{\"dockerImage\":\"python:3.12\",\"command\":[\"python\",\"-V\"],"
	                      "\"environment\":{\"A\":\"\xe2\x80\xa8\"},\"arch\":\"amd64\","
	                      "\"secretNames\":[\"Z\",\"HF_TOKEN\",\"B\"]}",
	                      0, NULL);
	job.labels = json_loads("{\"name\":\"n1\"}", 0, NULL);
	job.initiator = json_loads("{\"type\":\"user\",\"id\":\"5e9ecfc04957053f60648a3f\","
	                           "\"name\":\"alice\"}",
	                           0, NULL);
	assert_non_null(job.spec);
	return job;
}

static json_t *render(struct job_record *job)
{
	autobuffer struct buffer text = BUFFER_INIT(65536);
	json_t *value;

	assert_int_equal(job_json_write(&text, job, job->message, &context), 0);
	for (size_t i = 0; i < text.len; i++)
		assert_in_range((unsigned char)text.data[i], 0x20, 0x7e);
	value = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(value);
	assert_null(json_object_get(value, "endpoint"));
	return value;
}

static void assert_member(const json_t *object, const char *name, const char *expected)
{
	autojson json_t *value = json_loads(expected, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	if (!json_equal(json_object_get(object, name), value))
		fail_msg("%s: got %s, expected %s", name,
		         json_dumps(json_object_get(object, name), JSON_ENCODE_ANY), expected);
}

static void test_scheduling(void **state)
{
	autojob struct job_record job = make_job();
	autojson json_t *value = render(&job);
	static const char *const absent[] = {"startedAt", "finishedAt",      "spaceId", "volumes",
	                                     "expose",    "resourceGroupId", "tags"};

	assert_member(value, "type", "\"job\"");
	assert_member(value, "id", "\"687fb701029421ae5549d998\"");
	assert_member(value, "createdAt", "\"2026-05-12T14:57:40.079Z\"");
	assert_member(value, "dockerImage", "\"python:3.12\"");
	assert_member(value, "command", "[\"python\",\"-V\"]");
	assert_member(value, "arguments", "[]");
	assert_member(value, "environment", "{\"A\":\"\\u2028\"}");
	assert_member(value, "secrets", "[\"B\",\"HF_TOKEN\",\"Z\"]");
	assert_member(value, "flavor", "\"cpu-basic\"");
	assert_member(value, "timeout", "7200");
	assert_member(value, "timeoutSeconds", "7200");
	assert_member(value, "retry", "2");
	assert_member(value, "attempts", "3");
	assert_member(value, "labels", "{\"name\":\"n1\"}");
	assert_member(value, "status",
	              "{\"stage\":\"SCHEDULING\",\"message\":null,\"failureCount\":0}");
	assert_member(value, "durations", "{\"totalSecs\":95}");
	assert_member(value, "owner",
	              "{\"id\":\"5e9ecfc04957053f60648a3e\",\"name\":\"acme\",\"type\":\"org\","
	              "\"avatarUrl\":\"https://hub.example/avatars/acme.svg\"}");
	assert_member(value, "createdBy",
	              "{\"id\":\"5e9ecfc04957053f60648a3f\",\"name\":\"alice\"}");
	assert_member(value, "initiator",
	              "{\"type\":\"user\",\"id\":\"5e9ecfc04957053f60648a3f\",\"name\":\"alice\","
	              "\"avatarUrl\":\"https://hub.example/avatars/alice.svg\"}");
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_null(json_object_get(value, absent[i]));
}

static void test_ended(void **state)
{
	autojob struct job_record job = make_job();
	autojson json_t *value = NULL;

	job.started_ms = CREATED_MS + 3000;
	job.finished_ms = CREATED_MS + 95000;
	job.stage = STAGE_ERROR;
	job.failure_count = 1;
	job.message = xstrdup("Job failed with exit code: 1");
	value = render(&job);
	assert_member(value, "startedAt", "\"2026-05-12T14:57:43.079Z\"");
	assert_member(value, "finishedAt", "\"2026-05-12T14:59:15.079Z\"");
	assert_member(value, "status",
	              "{\"stage\":\"ERROR\",\"message\":\"Job failed with exit code: 1\","
	              "\"failureCount\":1}");
	assert_member(value, "durations",
	              "{\"schedulingSecs\":3,\"runningSecs\":92,\"totalSecs\":95}");
}

static void test_running_durations_are_fresh(void **state)
{
	autojob struct job_record job = make_job();
	autojson json_t *value = NULL;

	job.started_ms = CREATED_MS + 5000;
	job.stage = STAGE_RUNNING;
	value = render(&job);
	assert_member(value, "durations",
	              "{\"schedulingSecs\":5,\"runningSecs\":90,\"totalSecs\":95}");
	/* a clock that was set back gives zero, never a negative number */
	job.created_ms = CREATED_MS + 1000000;
	job.started_ms = CREATED_MS + 1005000;
	json_decref(value);
	value = render(&job);
	assert_member(value, "durations",
	              "{\"schedulingSecs\":5,\"runningSecs\":0,\"totalSecs\":0}");
}

static void test_canceled_and_duplicated(void **state)
{
	autojob struct job_record job = make_job();
	autojson json_t *value = NULL;

	json_decref(job.initiator);
	job.initiator = json_loads(
	        "{\"type\":\"duplicated-job\",\"id\":\"687fb701029421ae5549d997\"}", 0, NULL);
	job.stage = STAGE_CANCELED;
	job.cancel_reason = xstrdup("NO_CREDITS");
	job.finished_ms = CREATED_MS + 1000;
	value = render(&job);
	assert_member(value, "initiator",
	              "{\"type\":\"duplicated-job\",\"id\":\"687fb701029421ae5549d997\"}");
	assert_member(value, "status",
	              "{\"stage\":\"CANCELED\",\"message\":null,\"cancelReason\":\"NO_CREDITS\","
	              "\"failureCount\":0}");
	assert_member(value, "durations", "{\"totalSecs\":1}");
}

static void test_full_buffer_fails(void **state)
{
	autojob struct job_record job = make_job();

	for (size_t max = 0; max < 600; max += 37) {
		autobuffer struct buffer text = BUFFER_INIT(max);

		assert_int_equal(job_json_write(&text, &job, job.message, &context), -1);
		assert_true(text.len <= max);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_scheduling),
	        cmocka_unit_test(test_ended),
	        cmocka_unit_test(test_running_durations_are_fresh),
	        cmocka_unit_test(test_canceled_and_duplicated),
	        cmocka_unit_test(test_full_buffer_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
