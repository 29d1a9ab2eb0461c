/* SPDX-License-Identifier: Apache-2.0 */
/* What the API reads from requests and writes into headers: tokens and page links. */
#include "../unit.h"

#include "api/caller.h"
#include "api/page_link.h"

#include <string.h>

static void test_bearer_token(void **state)
{
	assert_string_equal(caller_bearer_token("Bearer hf_abc"), "hf_abc");
	assert_string_equal(caller_bearer_token("bearer   hf_abc"), "hf_abc");
	assert_null(caller_bearer_token("Bearer "));
	assert_null(caller_bearer_token("Bearer"));
	assert_null(caller_bearer_token("Basic aGY6eA=="));
	assert_null(caller_bearer_token("Bearer a b"));
	assert_null(caller_bearer_token(""));
}

static void assert_link(const char *path, const char *query, const char *expected)
{
	autobuffer struct buffer link = BUFFER_INIT(4096);

	assert_int_equal(page_link_write(&link, "https://hub.example", path, query, "687f"), 0);
	assert_string_equal(buffer_text(&link), expected);
}

static void test_page_link(void **state)
{
	assert_link("/api/jobs/alice", "",
	            "<https://hub.example/api/jobs/alice?cursor=687f>; rel=\"next\"");
	assert_link("/api/jobs/alice", "stage=RUNNING&stage=SCHEDULING&label=env%3Dprod",
	            "<https://hub.example/api/jobs/alice?stage=RUNNING&stage=SCHEDULING"
	            "&label=env%3Dprod&cursor=687f>; rel=\"next\"");
	assert_link("/api/jobs/alice", "cursor=old&stage=ERROR&cursor=older&cursor",
	            "<https://hub.example/api/jobs/alice?stage=ERROR&cursor=687f>; rel=\"next\"");
	assert_link("/api/jobs/alice", "&&limit=3&",
	            "<https://hub.example/api/jobs/alice?limit=3&cursor=687f>; rel=\"next\"");
}

static void test_page_link_cannot_be_broken_out_of(void **state)
{
	assert_link("/api/jobs/a>b", "label=a>;\"\xc3\xa9",
	            "<https://hub.example/api/jobs/a%3Eb?label=a%3E;%22%C3%A9&cursor=687f>; "
	            "rel=\"next\"");
}

static void test_page_link_has_a_maximum(void **state)
{
	autobuffer struct buffer link = BUFFER_INIT(30);

	assert_int_equal(
	        page_link_write(&link, "https://hub.example", "/api/jobs/alice", "", "687f"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_bearer_token),
	        cmocka_unit_test(test_page_link),
	        cmocka_unit_test(test_page_link_cannot_be_broken_out_of),
	        cmocka_unit_test(test_page_link_has_a_maximum),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
