/* SPDX-License-Identifier: Apache-2.0 */
/* Which jobs run uv, and what the key of their environment depends on. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/volume.h"
#include "job/uv_job.h"
#include "job/uv_script.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAMESPACE "0123456789abcdef01234567"

static char state_dir[] = "/tmp/hearth-test.XXXXXX";
static struct configuration *configuration;

static int set_up(void **state)
{
	if (!mkdtemp(state_dir))
		return -1;
	configuration = configuration_new();
	free(configuration->state_dir);
	configuration->state_dir = xstrdup(state_dir);
	return 0;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;

	configuration_free(configuration);
	return file_remove_tree(AT_FDCWD, state_dir, &err);
}

static json_t *job_of(const char *text)
{
	json_t *body = json_loads(text, 0, NULL);

	assert_non_null(body);
	return body;
}

static json_t *mounts_of(const json_t *body)
{
	struct uv_job_input in = {
	        .configuration = configuration,
	        .body = body,
	        .image_digest = "sha256:1",
	        .namespace_id = NAMESPACE,
	};
	json_t *mounts = json_array();

	uv_job_add_mounts(&in, mounts);
	return mounts;
}

static char *key_of(const char *text)
{
	autojson json_t *body = job_of(text);
	autojson json_t *mounts = mounts_of(body);

	return xstrdup(json_get_text(json_array_get(mounts, 0), "key", "none"));
}

static void same(const char *a, const char *b)
{
	autofree char *left = key_of(a), *right = key_of(b);

	assert_string_equal(left, right);
}

static void differ(const char *a, const char *b)
{
	autofree char *left = key_of(a), *right = key_of(b);

	assert_string_not_equal(left, right);
}

static void put_script(const char *name, const char *text)
{
	struct error err = ERROR_INIT;
	autofree char *folder = xasprintf("%s/buckets/alice/b/run", state_dir);
	autoclose int fd = -1;

	assert_int_equal(file_open_dir(folder, 0755, &fd, &err), 0);
	assert_int_equal(file_write_atomic(fd, name, text, strlen(text), 0644, false, &err), 0);
}

static void which_jobs(void **state)
{
	static const struct {
		const char *body;
		bool is_uv;
	} cases[] = {
	        {"{\"command\":[\"uv\",\"run\",\"x.py\"]}", true},
	        {"{\"command\":[\"/usr/bin/uv\"],\"arguments\":[\"run\",\"x.py\"]}", true},
	        {"{\"command\":[\"uvx\",\"ruff\"]}", true},
	        {"{\"command\":[\"python\",\"uv\"]}", false},
	        {"{\"arguments\":[]}", false},
	        {"{\"command\":[\"bash\",\"-c\",\"x && uv run s.py\"]}", false},
	        {"{\"command\":[\"bash\",\"-c\",\"x && uv run s.py\"],\"environment\":"
	         "{\"LOCAL_FILES_ENCODED\":\"s.py eA==\"}}",
	         true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autojson json_t *body = job_of(cases[i].body);
		assert_int_equal(uv_job_is(body), cases[i].is_uv);
	}
}

static void target_is(const char *text, size_t expected, bool is_repeatable)
{
	autojson json_t *body = job_of(text);

	assert_int_equal(uv_script_target(body), expected);
	assert_int_equal(uv_script_is_repeatable(body), is_repeatable);
}

static void targets(void **state)
{
	target_is("{\"command\":[\"uv\",\"run\",\"x.py\"]}", 2, true);
	target_is("{\"command\":[\"uv\",\"run\",\"--with\",\"a\",\"-p\",\"3.12\",\"x.py\",\"-U\"]}",
	          6, true);
	target_is("{\"command\":[\"uv\",\"-q\",\"--color\",\"never\",\"run\",\"--with=a\",\"x\"]}",
	          6, true);
	target_is("{\"command\":[\"uv\",\"run\",\"--\",\"-x\"]}", 3, true);
	target_is("{\"command\":[\"uv\",\"run\",\"-\"]}", 2, true);
	target_is("{\"command\":[\"uv\",\"run\",\"--upgrade\",\"x.py\"]}", 3, false);
	target_is("{\"command\":[\"uv\",\"pip\",\"list\"]}", 1, false);
	target_is("{\"command\":[\"uv\",\"run\",\"--with\"]}", 3, true);
	target_is("{\"command\":[\"uv\"]}", 1, false);
}

static void metadata_is(const char *script, const char *expected)
{
	autobuffer struct buffer found = BUFFER_INIT(1024);

	uv_script_add_metadata(script, strlen(script), &found);
	assert_string_equal(buffer_text(&found), expected);
}

static void metadata(void **state)
{
	metadata_is("print(1)\n", "");
	metadata_is("#!/x\n# /// script\n# dependencies = [\"a\"]\n# ///\nprint(1)\n",
	            "# /// script\n# dependencies = [\"a\"]\n");
	metadata_is("# /// script\r\n# a = 1\r\n# ///\r\n", "# /// script\r\n# a = 1\r\n");
	metadata_is("# /// other\n# a = 1\n# ///\n", "");
	metadata_is("# /// script", "# /// script");
	metadata_is("", "");
}

#define MOUNTED                                                                                    \
	"\"volumes\":[{\"type\":\"bucket\",\"source\":\"alice/b\",\"mountPath\":\"/data\","        \
	"\"path\":\"run\"}]"
#define SCRIPT(name) "{\"command\":[\"uv\",\"run\",\"/data/" name "\"]," MOUNTED "}"

static void scripts_in_buckets(void **state)
{
	put_script("a.py", "# /// script\n# dependencies = [\"x\"]\n# ///\nprint(1)\n");
	autofree char *before = key_of(SCRIPT("a.py"));
	put_script("a.py", "# /// script\n# dependencies = [\"x\"]\n# ///\nprint(2)\n");
	autofree char *edited = key_of(SCRIPT("a.py"));
	put_script("a.py", "# /// script\n# dependencies = [\"y\"]\n# ///\nprint(2)\n");
	autofree char *other = key_of(SCRIPT("a.py"));
	put_script("a.py.lock", "version = 1\n");
	autofree char *locked = key_of(SCRIPT("a.py"));

	assert_string_equal(before, edited);
	assert_string_not_equal(before, other);
	assert_string_not_equal(other, locked);
}

static void options_files(void **state)
{
	static const char job[] =
	        "{\"command\":[\"uv\",\"run\",\"--with-requirements\",\"/data/r.txt\","
	        "\"python\"]," MOUNTED "}";

	put_script("r.txt", "a\n");
	autofree char *before = key_of(job);
	put_script("r.txt", "b\n");
	autofree char *after = key_of(job);
	assert_string_not_equal(before, after);
}

static void words(void **state)
{
	same("{\"command\":[\"uv\",\"run\",\"http://x/s.py\",\"--epochs\",\"3\"]}",
	     "{\"command\":[\"uv\",\"run\",\"http://x/s.py\",\"--epochs\",\"4\"]}");
	differ("{\"command\":[\"uv\",\"run\",\"http://x/s.py\"]}",
	       "{\"command\":[\"uv\",\"run\",\"http://x/t.py\"]}");
	differ("{\"command\":[\"uv\",\"run\",\"--with\",\"a\",\"python\"]}",
	       "{\"command\":[\"uv\",\"run\",\"--with\",\"b\",\"python\"]}");
	differ("{\"command\":[\"uv\",\"run\",\"s.py\"]}",
	       "{\"command\":[\"uv\",\"run\",\"s.py\"],\"environment\":{\"UV_PYTHON\":\"3.13\"}}");
	same("{\"command\":[\"uv\",\"run\",\"s.py\"]}",
	     "{\"command\":[\"uv\",\"run\",\"s.py\"],\"environment\":{\"FOO\":\"1\"}}");
}

#define BY_VARIABLE(files, command)                                                                \
	"{\"command\":[\"bash\",\"-c\",\"decode && uv run " command "\"],\"environment\":"         \
	"{\"LOCAL_FILES_ENCODED\":\"" files "\"}}"

static void scripts_in_variables(void **state)
{
	same(BY_VARIABLE("s.py AAAA", "s.py --epochs 3"),
	     BY_VARIABLE("s.py AAAA", "s.py --epochs 4"));
	differ(BY_VARIABLE("s.py AAAA", "s.py"), BY_VARIABLE("s.py BBBB", "s.py"));
	differ(BY_VARIABLE("s.py AAAA", "s.py"), BY_VARIABLE("s.py AAAA", "--with x s.py"));
}

static void caches_of_users(void **state)
{
	static const char *const own[] = {
	        "{\"command\":[\"uv\",\"run\",\"s.py\"],\"environment\":{\"UV_CACHE_DIR\":\"/x\"}}",
	        "{\"command\":[\"uv\",\"run\",\"s.py\"],\"environment\":{\"UV_NO_CACHE\":\"1\"}}",
	        "{\"command\":[\"uv\",\"run\",\"--no-cache\",\"s.py\"]}",
	        "{\"command\":[\"uv\",\"run\",\"--cache-dir=/x\",\"s.py\"]}",
	        "{\"command\":[\"python\"]}",
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		autojson json_t *body = job_of(own[i]);
		autojson json_t *mounts = mounts_of(body);
		assert_int_equal(json_array_size(mounts), 0);
	}
}

static void settings(void **state)
{
	autojson json_t *body = job_of("{\"command\":[\"uv\",\"run\",\"s.py\"]}");
	autojson json_t *variables = json_object();
	struct uv_job_input in = {
	        .configuration = configuration, .body = body, .image_digest = "x"};

	configuration->uv_index_url = xstrdup("https://index.example");
	configuration->uv_wheels = xstrdup("/srv/wheels");
	configuration->uv_offline = true;
	uv_job_add_variables(&in, variables);
	autojson json_t *mounts = mounts_of(body);
	configuration->uv_offline = false;
	free(configuration->uv_index_url);
	free(configuration->uv_wheels);
	configuration->uv_index_url = configuration->uv_wheels = NULL;

	assert_string_equal(json_get_text(variables, "UV_DEFAULT_INDEX", ""),
	                    "https://index.example");
	assert_string_equal(json_get_text(variables, "UV_FIND_LINKS", ""), VOLUME_WHEELS_TARGET);
	assert_string_equal(json_get_text(variables, "UV_OFFLINE", ""), "1");
	assert_string_equal(json_get_text(variables, "UV_CACHE_DIR", ""),
	                    VOLUME_UV_TARGET "/cache");
	assert_int_equal(json_array_size(mounts), 2);
	assert_string_equal(json_get_text(json_array_get(mounts, 1), "kind", ""), VOLUME_UV_WHEELS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(which_jobs),
	        cmocka_unit_test(targets),
	        cmocka_unit_test(metadata),
	        cmocka_unit_test(scripts_in_buckets),
	        cmocka_unit_test(options_files),
	        cmocka_unit_test(words),
	        cmocka_unit_test(scripts_in_variables),
	        cmocka_unit_test(caches_of_users),
	        cmocka_unit_test(settings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
