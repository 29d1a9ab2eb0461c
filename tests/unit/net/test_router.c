/* SPDX-License-Identifier: Apache-2.0 */
/* Which row serves which path, and what the names stand for. */
#include "../unit.h"

#include "net/router.h"

static void nothing(struct http_request *request, void *context)
{
}

static const struct http_route routes[] = {
        {"GET", "/", nothing, 0, false, NULL},
        {"GET", "/api/jobs/{ns}", nothing, 0, false, NULL},
        {"POST", "/api/jobs/{ns}", nothing, 100, false, NULL},
        {"GET", "/api/jobs/hardware", nothing, 0, false, NULL},
        {"GET", "/api/jobs/{ns}/{id}", nothing, 0, false, NULL},
        {"GET", "/api/jobs/{ns}/count", nothing, 0, false, NULL},
        {"GET", "/api/jobs/{ns}/{id}/logs", nothing, 0, false, NULL},
        {"GET", "/files/{ns}/{path...}", nothing, 0, false, NULL},
        {"GET", "/files/{ns}/tree", nothing, 0, false, NULL},
        {NULL, NULL, NULL, 0, false, NULL},
};

static void expect_pattern(const char *method, const char *path, const char *pattern)
{
	struct router_match match;

	assert_int_equal(router_find(routes, method, path, &match), ROUTER_FOUND);
	assert_string_equal(match.route->pattern, pattern);
	router_match_clear(&match);
}

static void expect_param(const char *path, const char *name, const char *value)
{
	struct router_match match;

	assert_int_equal(router_find(routes, "GET", path, &match), ROUTER_FOUND);
	assert_string_equal(router_param(&match, name), value);
	assert_null(router_param(&match, "other"));
	router_match_clear(&match);
}

static void literals_win(void **state)
{
	router_check_table(routes);
	expect_pattern("GET", "/", "/");
	expect_pattern("GET", "/api/jobs/hardware", "/api/jobs/hardware");
	expect_pattern("GET", "/api/jobs/hardwar%65", "/api/jobs/hardware");
	expect_pattern("GET", "/api/jobs/alice", "/api/jobs/{ns}");
	expect_pattern("POST", "/api/jobs/hardware", "/api/jobs/{ns}");
	expect_pattern("GET", "/api/jobs/hardware/count", "/api/jobs/{ns}/count");
	expect_pattern("GET", "/api/jobs/a/b", "/api/jobs/{ns}/{id}");
	expect_pattern("HEAD", "/api/jobs/a/b", "/api/jobs/{ns}/{id}");
	expect_pattern("GET", "/files/a/tree", "/files/{ns}/tree");
	expect_pattern("GET", "/files/a/tree/x", "/files/{ns}/{path...}");
}

static void names_are_decoded(void **state)
{
	expect_param("/api/jobs/al%69ce", "ns", "alice");
	expect_param("/api/jobs/a%2Fb", "ns", "a/b");
	expect_param("/api/jobs/a+b", "ns", "a+b");
	expect_param("/api/jobs/na%C3%AFve", "ns", "na\xc3\xafve");
	expect_param("/files/a/b/c%2Fd/", "path", "b/c/d/");
	expect_param("/files/a/", "path", "");
}

static void what_does_not_fit(void **state)
{
	struct router_match match;

	assert_int_equal(router_find(routes, "GET", "/api", &match), ROUTER_NO_PATH);
	assert_int_equal(router_find(routes, "GET", "", &match), ROUTER_NO_PATH);
	assert_int_equal(router_find(routes, "GET", "*", &match), ROUTER_NO_PATH);
	assert_int_equal(router_find(routes, "GET", "/api/jobs/", &match), ROUTER_NO_PATH);
	assert_int_equal(router_find(routes, "GET", "/api//jobs/x", &match), ROUTER_NO_PATH);
	assert_int_equal(router_find(routes, "GET", "/api/jobs/x/y/logs/", &match), ROUTER_NO_PATH);
	assert_int_equal(router_find(routes, "GET", "/files/a", &match), ROUTER_NO_PATH);
	assert_int_equal(router_find(routes, "DELETE", "/api/jobs/x", &match), ROUTER_NO_METHOD);
	assert_int_equal(router_find(routes, "get", "/api/jobs/x", &match), ROUTER_NO_METHOD);
	assert_int_equal(router_find(routes, "GET", "/api/jobs/%", &match), ROUTER_BAD_PATH);
	assert_int_equal(router_find(routes, "GET", "/api/jobs/%4", &match), ROUTER_BAD_PATH);
	assert_int_equal(router_find(routes, "GET", "/api/jobs/%zz", &match), ROUTER_BAD_PATH);
	assert_int_equal(router_find(routes, "GET", "/api/jobs/%00", &match), ROUTER_BAD_PATH);
	assert_int_equal(router_find(routes, "GET", "/api/jobs/%0a", &match), ROUTER_BAD_PATH);
	assert_int_equal(router_find(routes, "GET", "/api/jobs/%ff", &match), ROUTER_BAD_PATH);
	assert_int_equal(router_find(routes, "GET", "/api/jobs/%c0%80", &match), ROUTER_BAD_PATH);
}

static void methods_of_a_path(void **state)
{
	struct buffer allow = BUFFER_INIT(100);

	router_allow(routes, "/api/jobs/alice", &allow);
	assert_string_equal(buffer_text(&allow), "GET, HEAD, POST");
	buffer_clear(&allow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(literals_win),
	        cmocka_unit_test(names_are_decoded),
	        cmocka_unit_test(what_does_not_fit),
	        cmocka_unit_test(methods_of_a_path),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
