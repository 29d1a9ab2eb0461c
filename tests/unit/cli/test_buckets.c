/* SPDX-License-Identifier: Apache-2.0 */
/* Names of buckets, patterns, and what is copied where. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/artifacts.h"
#include "cli/bucket_tree.h"
#include "cli/bucket_uri.h"
#include "cli/path_filter.h"
#include "cli/volume_spec.h"

#include <stdlib.h>
#include <string.h>

static void uris(void **state)
{
	static const struct {
		const char *text, *id, *path;
		bool is_folder;
	} good[] = {
	        {"alice/b", "alice/b", "", false},
	        {"alice/b/", "alice/b", "", true},
	        {"alice/b/x/y", "alice/b", "x/y", false},
	        {"hf://buckets/alice/b/x/", "alice/b", "x", true},
	        {"hf://buckets/alice/b//x", "alice/b", "x", false},
	};
	static const char *const bad[] = {"",       "alice",        "/b",
	                                  "alice/", "hf://alice/b", "hf://buckets/alice"};
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct bucket_uri uri autouri = {0};
		assert_int_equal(bucket_uri_parse(good[i].text, &uri, &err), 0);
		assert_string_equal(uri.id, good[i].id);
		assert_string_equal(uri.path, good[i].path);
		assert_int_equal(uri.is_folder, good[i].is_folder);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bucket_uri uri autouri = {0};
		assert_int_equal(bucket_uri_parse(bad[i], &uri, &err), -1);
	}
}

static void safe_paths(void **state)
{
	static const char *const good[] = {"a", "a/b", "...", "a/..b", ".a"};
	static const char *const bad[] = {"",    "/a",   "..", "a/..", "a/../b",
	                                  "./a", "a//b", "a/", "."};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(bucket_path_is_safe(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(bucket_path_is_safe(bad[i]));
}

static const struct option_row filter_table[] = {
        {"include", 0, OPTION_TEXT, "P"}, {"exclude", 0, OPTION_TEXT, "P"}, {0}};

static bool matches(const char *first, const char *second, const char *path)
{
	char *argv[] = {(char *)(uintptr_t)first, (char *)(uintptr_t)second, NULL};
	struct options options;
	struct path_filter *filter = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(options_parse(filter_table, false,
	                               second  ? 2
	                               : first ? 1
	                                       : 0,
	                               argv, &options, &err),
	                 0);
	assert_int_equal(path_filter_new(&options, false, &filter, &err), 0);
	bool is_in = path_filter_matches(filter, path);
	path_filter_free(filter);
	options_clear(&options);
	return is_in;
}

static void filters(void **state)
{
	assert_true(matches(NULL, NULL, "x"));
	assert_true(matches("--include=*.txt", NULL, "a/b.txt"));
	assert_false(matches("--include=*.txt", NULL, "a/b.bin"));
	assert_false(matches("--exclude=*.txt", NULL, "b.txt"));
	assert_true(matches("--exclude=*.txt", NULL, "b.TXT"));
	assert_false(matches("--include=*", "--exclude=a/*", "a/b/c"));
	assert_true(matches("--include=a\\*", NULL, "a/b"));
	assert_true(matches("--include=[!b]?", NULL, "ax"));
	assert_true(matches("--include=*", NULL, ".hidden"));
}

static void folders(void **state)
{
	static const struct {
		const char *text, *source, *mount;
		bool is_writable;
	} good[] = {
	        {"./x:/y", "./x", "/y", false},
	        {"x:/y:rw", "x", "/y", true},
	        {"a:/b:/y:ro", "a:/b", "/y", false},
	};
	static const char *const bad[] = {"", "x", "x:y", ":/y", "x:rw"};
	struct error err = ERROR_INIT;
	struct volume_folder folder;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(volume_folder_parse(good[i].text, &folder, &err), 0);
		assert_string_equal(folder.source, good[i].source);
		assert_string_equal(folder.mount, good[i].mount);
		assert_int_equal(folder.is_writable, good[i].is_writable);
		volume_folder_clear(&folder);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(volume_folder_parse(bad[i], &folder, &err), -1);
}

static void local_files(void **state)
{
	char folder[] = "/tmp/hearth-test.XXXXXX";
	assert_non_null(mkdtemp(folder));
	autofree char *first = xasprintf("%s/a b.py", folder), *inner = xasprintf("%s/in", folder);
	autofree char *second = xasprintf("%s/a b.py", inner);
	autofree char *make = xasprintf("mkdir '%s' && touch '%s' '%s'", inner, first, second);
	FILE *shell = popen(make, "r");
	assert_int_equal(pclose(shell), 0);
	char *words[] = {first, (char *)(uintptr_t) "--x", second,
	                 (char *)(uintptr_t) "http://h/s.py", first};
	struct local_files *files = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(local_files_find(words, 5, &files, &err), 0);
	assert_string_equal(local_files_place(files, first), "/data/a_b.py");
	assert_string_equal(local_files_place(files, second), "/data/a_b(0).py");
	assert_null(local_files_place(files, "--x"));
	assert_null(local_files_place(files, "http://h/s.py"));
	local_files_free(files);
	char *missing[] = {(char *)(uintptr_t) "nope.yaml"};
	assert_int_equal(local_files_find(missing, 1, &files, &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
	autofree char *clean = xasprintf("rm -r '%s'", folder);
	shell = popen(clean, "r");
	assert_int_equal(pclose(shell), 0);
}

static void sizes(void **state)
{
	char text[BUCKET_SIZE_TEXT];

	assert_string_equal(bucket_size_format(999, true, text), "999 B");
	assert_string_equal(bucket_size_format(1000, true, text), "1.0 KB");
	assert_string_equal(bucket_size_format(3145728, true, text), "3.1 MB");
	assert_string_equal(bucket_size_format(3145728, false, text), "3145728");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(uris),    cmocka_unit_test(safe_paths),  cmocka_unit_test(filters),
	        cmocka_unit_test(folders), cmocka_unit_test(local_files), cmocka_unit_test(sizes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
