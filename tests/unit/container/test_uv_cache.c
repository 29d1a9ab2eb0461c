/* SPDX-License-Identifier: Apache-2.0 */
/* Who builds, who waits, who uses, and what goes when there is too much; without containers. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "container/uv_cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMESPACE "0123456789abcdef01234567"
#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define JOB_1 "000000000000000000000001.1"
#define JOB_2 "000000000000000000000002.1"
#define JOB_3 "000000000000000000000003.1"

static char *state_dir;

static int set_up(void **state)
{
	char path[] = "/var/tmp/hearth-test.XXXXXX";

	if (!mkdtemp(path))
		return -1;
	state_dir = xstrdup(path);
	return 0;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;
	int rc = file_remove_tree(AT_FDCWD, state_dir, &err);

	free(state_dir);
	return rc;
}

static struct uv_cache *open_cache(const char *key, const char *attempt)
{
	autojson json_t *mount =
	        json_pack("{s:s, s:s, s:s, s:s}", "kind", "uv-cache", "namespace_id", NAMESPACE,
	                  "key", key, "target", "/var/cache/uv");
	struct uv_cache *cache = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(uv_cache_check(mount, &err), 0);
	assert_int_equal(uv_cache_open(state_dir, mount, attempt, &cache, &err), 0);
	return cache;
}

static enum uv_cache_state try(struct uv_cache *cache)
{
	struct error err = ERROR_INIT;
	enum uv_cache_state state;

	assert_int_equal(uv_cache_try(cache, &state, &err), 0);
	return state;
}

static char *path_of(const char *rest)
{
	return xasprintf("%s/uv/" NAMESPACE "/%s", state_dir, rest);
}

static bool exists(const char *rest)
{
	autofree char *path = path_of(rest);

	return access(path, F_OK) == 0;
}

static void write_file(const char *folder, const char *name, size_t size)
{
	autofree char *path = path_of(folder), *data = xcalloc(size, 1);
	autoclose int fd = -1;
	struct error err = ERROR_INIT;

	assert_int_equal(file_open_dir(path, 0755, &fd, &err), 0);
	assert_int_equal(file_write_atomic(fd, name, data, size, 0644, false, &err), 0);
}

/* As a job that builds and ends. */
static void build(const char *key, const char *attempt, int64_t limit_bytes)
{
	struct uv_cache *cache = open_cache(key, attempt);

	assert_int_equal(try(cache), UV_CACHE_BUILD);
	uv_cache_set_started(cache);
	uv_cache_end(cache);
	uv_cache_trim(cache, limit_bytes);
	uv_cache_close(cache);
}

static void one_builds_others_wait(void **state)
{
	struct uv_cache *first = open_cache(KEY_A, JOB_1), *second = open_cache(KEY_A, JOB_2);
	struct uv_cache *other = open_cache(KEY_B, JOB_3);

	assert_int_equal(try(first), UV_CACHE_BUILD);
	assert_int_equal(try(second), UV_CACHE_WAIT);
	assert_string_equal(uv_cache_builder(second), "000000000000000000000001");
	assert_int_equal(try(other), UV_CACHE_BUILD);
	uv_cache_set_started(first);
	assert_int_equal(try(second), UV_CACHE_READY);
	uv_cache_end(second);
	uv_cache_end(first);
	uv_cache_end(other);
	uv_cache_close(first);
	uv_cache_close(second);
	uv_cache_close(other);
}

static void a_builder_that_fails_hands_on(void **state)
{
	struct uv_cache *first = open_cache(KEY_A, JOB_1), *second = open_cache(KEY_A, JOB_2);

	assert_int_equal(try(first), UV_CACHE_BUILD);
	write_file("data.0/keys/aaaaaaaaaaaaaaaa-" JOB_1, "half", 10);
	assert_int_equal(try(second), UV_CACHE_WAIT);
	uv_cache_end(first);
	assert_false(exists("data.0/keys/aaaaaaaaaaaaaaaa-" JOB_1));
	assert_int_equal(try(second), UV_CACHE_BUILD);
	uv_cache_close(first);
	uv_cache_close(second);
}

static void what_a_dead_builder_left_is_not_used(void **state)
{
	struct uv_cache *first = open_cache(KEY_A, JOB_1), *second = open_cache(KEY_A, JOB_2);

	assert_int_equal(try(first), UV_CACHE_BUILD);
	write_file("data.0/keys/aaaaaaaaaaaaaaaa-" JOB_1, "half", 10);
	uv_cache_close(first); /* as the kernel does when the monitor dies */
	assert_int_equal(try(second), UV_CACHE_BUILD);
	assert_false(exists("data.0/keys/aaaaaaaaaaaaaaaa-" JOB_1));
	uv_cache_close(second);
}

static void a_private_environment_goes_with_its_job(void **state)
{
	struct uv_cache *first = open_cache(KEY_A, JOB_1), *second = open_cache(KEY_A, JOB_2);

	assert_int_equal(try(first), UV_CACHE_BUILD);
	uv_cache_set_private(second);
	assert_int_equal(try(second), UV_CACHE_BUILD);
	uv_cache_set_started(second);
	write_file("data.0/keys/aaaaaaaaaaaaaaaa-" JOB_2, "file", 10);
	uv_cache_end(second);
	assert_false(exists("data.0/keys/aaaaaaaaaaaaaaaa-" JOB_2));
	assert_false(exists("keys/" KEY_A "." JOB_2));
	uv_cache_close(first);
	uv_cache_close(second);
}

static void the_machine_started_again(void **state)
{
	struct uv_cache *cache = open_cache(KEY_A, JOB_1);

	build(KEY_B, JOB_2, 0); /* flushed */
	write_file("data.0/cache/archive-v0/x", "file", 10);
	write_file(".", "boot", 10);
	assert_int_equal(try(cache), UV_CACHE_BUILD);
	assert_true(exists("keys/" KEY_B)); /* nothing was in doubt */
	assert_true(exists("data.0/cache/archive-v0/x"));
	uv_cache_set_started(cache);
	uv_cache_close(cache); /* built, but not flushed */

	write_file(".", "boot", 10);
	cache = open_cache(KEY_A, JOB_3);
	assert_int_equal(try(cache), UV_CACHE_BUILD);
	assert_false(exists("keys/" KEY_B));
	assert_false(exists("data.0"));
	uv_cache_close(cache);
}

static void no_limit_removes_nothing(void **state)
{
	write_file("data.0/cache/archive-v0/one", "file", 100000);
	build(KEY_A, JOB_1, 0);
	assert_true(exists("data.0/cache/archive-v0/one"));
	assert_true(exists("keys/" KEY_A));
}

static void the_limit_takes_the_oldest(void **state)
{
	write_file("data.0/cache/archive-v0/old", "file", 400000);
	(void)usleep(20000);
	write_file("data.0/cache/archive-v0/new", "file", 400000);
	autofree char *wheels = path_of("data.0/cache/wheels-v8/pypi/x");
	autofree char *link = path_of("data.0/cache/wheels-v8/pypi/x/1.0");
	write_file("data.0/cache/wheels-v8/pypi/x", "1.0.http", 10);
	assert_int_equal(symlink("../../../archive-v0/old", link), 0);
	build(KEY_A, JOB_1, 700000);
	assert_false(exists("data.0/cache/archive-v0/old"));
	assert_true(exists("data.0/cache/archive-v0/new"));
	assert_false(exists("data.0/cache/wheels-v8/pypi/x/1.0.http"));
	assert_int_not_equal(readlink(link, (char[8]){0}, 8), 8);
}

static void what_an_environment_holds_goes_with_it(void **state)
{
	autofree char *package = path_of("data.0/cache/archive-v0/p/file");
	autofree char *linked = path_of("data.0/keys/aaaaaaaaaaaaaaaa-" JOB_1 "/file");

	write_file("data.0/cache/archive-v0/p", "file", 400000);
	write_file("data.0/keys/aaaaaaaaaaaaaaaa-" JOB_1, "other", 10);
	assert_int_equal(link(package, linked), 0);
	build(KEY_A, JOB_1, 0);
	/* In use: neither goes. */
	struct uv_cache *user = open_cache(KEY_A, JOB_2);
	assert_int_equal(try(user), UV_CACHE_READY);
	uv_cache_set_started(user);
	build(KEY_B, JOB_3, 100000);
	assert_true(exists("data.0/keys/aaaaaaaaaaaaaaaa-" JOB_1 "/file"));
	uv_cache_end(user);
	uv_cache_close(user);
	build("cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", JOB_3, 100000);
	assert_false(exists("keys/" KEY_A));
	assert_false(exists("data.0/cache/archive-v0/p"));
}

static void bad_mounts(void **state)
{
	static const char *const bad[][3] = {
	        {"x", KEY_A, "/t"},        {NAMESPACE, "../x", "/t"},     {NAMESPACE, "", "/t"},
	        {NAMESPACE, KEY_A, "t"},   {NAMESPACE, KEY_A, "/t/.."},   {NAMESPACE, KEY_A, "/"},
	        {NAMESPACE, KEY_A, "/t/"}, {"../../../etc", KEY_A, "/t"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;
		autojson json_t *mount = json_pack("{s:s, s:s, s:s}", "namespace_id", bad[i][0],
		                                   "key", bad[i][1], "target", bad[i][2]);
		assert_int_equal(uv_cache_check(mount, &err), -1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(one_builds_others_wait),
	        TEST(a_builder_that_fails_hands_on),
	        TEST(what_a_dead_builder_left_is_not_used),
	        TEST(a_private_environment_goes_with_its_job),
	        TEST(the_machine_started_again),
	        TEST(no_limit_removes_nothing),
	        TEST(the_limit_takes_the_oldest),
	        TEST(what_an_environment_holds_goes_with_it),
	        TEST(bad_mounts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
