/* SPDX-License-Identifier: Apache-2.0 */
/* The route table and the document that is written from it. */
#include "../unit.h"

#include "api/api.h"
#include "api/openapi.h"
#include "api/routes.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"

#include <ctype.h>
#include <string.h>

static const struct route_doc *doc_of(const struct http_route *route)
{
	return route->more;
}

static void test_every_row_is_documented(void **state)
{
	for (const struct http_route *route = api_routes(); route->method; route++) {
		const struct route_doc *doc = doc_of(route);

		assert_non_null(doc);
		assert_non_null(doc->summary);
		assert_non_null(doc->tag);
		assert_non_null(route->handler);
	}
}

/* A namespace right needs a namespace; who may write may not be asked by GET; /admin is closed. */
static void test_rights_fit_the_patterns(void **state)
{
	for (const struct http_route *route = api_routes(); route->method; route++) {
		enum api_right right = doc_of(route)->right;
		bool has_ns = strstr(route->pattern, "{ns}") != NULL;

		if (right == RIGHT_NAMESPACE_READ || right == RIGHT_NAMESPACE_WRITE)
			assert_true(has_ns);
		if (strncmp(route->pattern, "/api/jobs/{ns}", 14) == 0)
			assert_true(right == RIGHT_NAMESPACE_READ ||
			            right == RIGHT_NAMESPACE_WRITE);
		if (strncmp(route->pattern, "/admin", 6) == 0)
			assert_int_equal(right, RIGHT_ADMIN);
		if (strncmp(route->pattern, "/api/jobs/{ns}", 14) == 0 &&
		    strcmp(route->method, "GET") != 0 && !strstr(route->pattern, "auth-check"))
			assert_int_equal(right, RIGHT_NAMESPACE_WRITE);
		if (right == RIGHT_ANONYMOUS && strcmp(route->method, "GET") != 0)
			assert_true(strstr(route->pattern, "/oauth/") ||
			            strcmp(route->pattern, "/v1/telemetry") == 0);
		/* What fills the disk is only for those who may write. */
		if (route->spool)
			assert_true(right == RIGHT_OPERATOR || right == RIGHT_BUCKET_WRITE ||
			            right == RIGHT_CAS_WRITE);
	}
}

static json_t *find_ref(json_t *document, const char *ref)
{
	autofree char *copy = xstrdup(ref);
	json_t *at = document;

	assert_int_equal(strncmp(copy, "#/", 2), 0);
	for (char *part = strtok(copy + 2, "/"); part && at; part = strtok(NULL, "/"))
		at = json_object_get(at, part);
	return at;
}

static void check_refs(json_t *document, json_t *at)
{
	const char *ref = json_string_value(json_object_get(at, "$ref"));
	const char *key;
	json_t *value;
	size_t i;

	if (ref && !find_ref(document, ref))
		fail_msg("nothing at %s", ref);
	json_object_foreach(at, key, value) check_refs(document, value);
	json_array_foreach(at, i, value) check_refs(document, value);
}

static void test_document(void **state)
{
	autojson json_t *document = openapi_document(api_routes(), "1.2.3", "https://hub.example");
	json_t *paths = json_object_get(document, "paths");

	assert_string_equal(json_get_text(document, "openapi", ""), "3.1.0");
	assert_non_null(json_object_get(paths, "/api/jobs/{ns}/{id}/logs"));
	assert_non_null(json_object_get(paths, "/api/images/{reference}"));
	assert_non_null(find_ref(document, "#/components/schemas/Job"));
	check_refs(document, document);
	for (const struct http_route *route = api_routes(); route->method; route++) {
		char method[16] = "";

		if (strstr(route->pattern, "..."))
			continue;
		for (size_t i = 0; route->method[i]; i++)
			method[i] = (char)tolower((unsigned char)route->method[i]);
		json_t *operation = json_object_get(json_object_get(paths, route->pattern), method);

		assert_string_equal(json_get_text(operation, "summary", ""),
		                    doc_of(route)->summary);
		assert_true(json_object_size(json_object_get(operation, "responses")) > 0);
	}
}

static void test_operation_of_list(void **state)
{
	autojson json_t *document = openapi_document(api_routes(), "1.2.3", "https://hub.example");
	json_t *item = json_object_get(json_object_get(document, "paths"), "/api/jobs/{ns}");
	json_t *get = json_object_get(item, "get"),
	       *parameters = json_object_get(get, "parameters");
	static const char *const responses[] = {"200", "400", "401", "403", "404"};

	assert_int_equal(json_array_size(parameters), 5);
	assert_string_equal(json_get_text(json_array_get(parameters, 0), "in", ""), "path");
	assert_string_equal(json_get_text(json_array_get(parameters, 1), "name", ""), "stage");
	for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++)
		assert_non_null(json_object_get(json_object_get(get, "responses"), responses[i]));
	assert_non_null(json_object_get(json_object_get(item, "post"), "requestBody"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_row_is_documented),
	        cmocka_unit_test(test_rights_fit_the_patterns),
	        cmocka_unit_test(test_document),
	        cmocka_unit_test(test_operation_of_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
