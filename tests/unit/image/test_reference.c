/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "image/reference.h"

#include <string.h>

static const struct {
	const char *text, *full;
} good[] = {
        {"python", "docker.io/library/python:latest"},
        {"python:3.12", "docker.io/library/python:3.12"},
        {"user/app", "docker.io/user/app:latest"},
        {"docker.io/python", "docker.io/library/python:latest"},
        {"index.docker.io/user/app:1", "docker.io/user/app:1"},
        {"registry-1.docker.io/python", "docker.io/library/python:latest"},
        {"ghcr.io/astral-sh/uv:python3.12-bookworm", "ghcr.io/astral-sh/uv:python3.12-bookworm"},
        {"GHCR.io/a/b", "ghcr.io/a/b:latest"},
        {"localhost/x", "localhost/x:latest"},
        {"localhost:5000/a/b/c:V_1.0-rc", "localhost:5000/a/b/c:V_1.0-rc"},
        {"[::1]:5000/x:1", "[::1]:5000/x:1"},
        {"[fe80::1]/x", "[fe80::1]/x:latest"},
        {"quay.io/a__b/c--d/e.f_g", "quay.io/a__b/c--d/e.f_g:latest"},
        {"registry.hf.space/user-my-space:latest", "registry.hf.space/user-my-space:latest"},
        {"x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "docker.io/library/"
         "x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"h:1/x:t@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "h:1/x:t@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
};

static const struct {
	const char *text, *words;
} bad[] = {
        {"", "empty"},
        {"--format", "looks like an option; put options before the image"},
        {"-d", "looks like an option"},
        {"https://ghcr.io/x", "leave out what stands before '://'"},
        {"docker://x", "leave out"},
        {"Python", "lower case"},
        {"ghcr.io/Org/x", "lower case"},
        {"x:", "tag"},
        {"x:.y", "tag"},
        {"x:-y", "tag"},
        {"x:a b", "tag"},
        {"x:1:2", "tag"},
        {"x@sha256:12", "sha256:"},
        {"x@sha512:0", "sha256:"},
        {"x@", "sha256:"},
        {"a//b", "name"},
        {"/x", "name"},
        {"x/", "name"},
        {"a/../b", "name"},
        {"a/./b", "name"},
        {"a..b", "name"},
        {"a___b", "name"},
        {"_x", "name"},
        {"x_", "name"},
        {"x y", "name"},
        {"x\ny", "name"},
        {"x%2e", "name"},
        {"\xc3\xa4", "name"},
        {"h:/x", "not a host"},
        {"h:123456/x", "not a host"},
        {"h:x/y", "not a host"},
        {"-h.de/x", "looks like an option"},
        {"h_.de/x", "not a host"},
        {"user@h.de/x", "sha256:"},
        {"[::1/x", "not a host"},
        {"[::1]x/x", "not a host"},
        {"h.de?/x", "not a host"},
};

static void test_good(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct error err = ERROR_INIT;
		struct reference ref, again;
		char full[REFERENCE_MAX];

		if (reference_parse(good[i].text, &ref, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		reference_format(&ref, full);
		assert_string_equal(full, good[i].full);
		assert_int_equal(reference_parse(full, &again, &err), 0);
		assert_memory_equal(&ref, &again, sizeof(ref));
	}
}

static void test_bad(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;
		struct reference ref = {.host = "untouched"};

		if (reference_parse(bad[i].text, &ref, &err) == 0)
			fail_msg("'%s' was taken", bad[i].text);
		assert_int_equal(err.code, E_INVALID);
		if (!strstr(err.text, bad[i].words))
			fail_msg("'%s': %s", bad[i].text, err.text);
		assert_null(strchr(err.text, '\n'));
		assert_string_equal(ref.host, "untouched");
	}
}

static void test_long(void **state)
{
	struct error err = ERROR_INIT;
	struct reference ref;
	char text[1024];

	for (size_t len = 1; len < sizeof(text) - 1; len++) {
		memset(text, 'a', len);
		text[len] = '\0';
		assert_int_equal(reference_parse(text, &ref, &err), len <= 247 ? 0 : -1);
	}
	memset(text, 'a', 300);
	memcpy(text + 290, ".de/x", 6);
	assert_int_equal(reference_parse(text, &ref, &err), -1);
	memcpy(text, "x:", 2);
	text[130] = '\0';
	assert_int_equal(reference_parse(text, &ref, &err), 0);
	memset(text + 130, 'a', 1);
	text[131] = '\0';
	assert_int_equal(reference_parse(text, &ref, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_good),
	        cmocka_unit_test(test_bad),
	        cmocka_unit_test(test_long),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
