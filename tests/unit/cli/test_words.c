/* SPDX-License-Identifier: Apache-2.0 */
/* What people type: variables, names, durations, job ids, volumes, addresses. */
#include "../unit.h"

#include "cli/dotenv.h"
#include "cli/duration.h"
#include "cli/job_name.h"
#include "cli/job_ref.h"
#include "cli/transport_kind.h"
#include "cli/volume_spec.h"

#include <stdlib.h>
#include <string.h>

static const char *lookup(void *arg, const char *key)
{
	return strcmp(key, "KNOWN") == 0 ? "value of mine" : NULL;
}

static void variables_as_in_env_files(void **state)
{
	static const struct {
		const char *line, *key, *value;
	} cases[] = {
	        {"A=1", "A", "1"},
	        {"export B = two words  # c", "B", "two words"},
	        {"C=\"q\\n\\\"x\\\" \\$z \\q\" # c", "C", "q\n\"x\" $z \\q"},
	        {"D='s\\n # q'", "D", "s\\n # q"},
	        {"KNOWN", "KNOWN", "value of mine"},
	        {"export KNOWN # c", "KNOWN", "value of mine"},
	        {"UNKNOWN", "UNKNOWN", NULL},
	        {"E=", "E", ""},
	        {"F=#x", "F", "#x"},
	        {"G= #x", "G", ""},
	        {"H=a#b", "H", "a#b"},
	        {"J='it''s'", "J", "it''s"},
	        {"K=\"x\" y", "K", "\"x\" y"},
	        {"L=\"open", "L", "\"open"},
	        {"  M=x\r", "M", "x"},
	        {"1N=x", "1N", NULL},
	        {"no way here", "no", NULL},
	        {"# O=1", "O", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		autojson json_t *env = json_object();
		struct error err = ERROR_INIT;
		assert_int_equal(
		        dotenv_parse(cases[i].line, strlen(cases[i].line), lookup, NULL, env, &err),
		        0);
		const char *value = json_get_text(env, cases[i].key, NULL);
		if (!cases[i].value)
			assert_null(value);
		else
			assert_string_equal(value, cases[i].value);
		assert_int_equal(json_object_size(env), cases[i].value ? 1 : 0);
	}
}

static void later_lines_win(void **state)
{
	static const char text[] = "A=1\nB=2\n\nA=3";
	autojson json_t *env = json_object();
	struct error err = ERROR_INIT;
	assert_int_equal(dotenv_parse(text, sizeof text - 1, lookup, NULL, env, &err), 0);
	assert_string_equal(json_get_text(env, "A", ""), "3");
	assert_int_equal(json_object_size(env), 2);
	assert_int_equal(dotenv_parse("A=\xff", 3, lookup, NULL, env, &err), -1);
	assert_string_equal(err.text, "The value of A is not valid UTF-8");
	assert_int_equal(dotenv_parse("A=b\0c", 5, lookup, NULL, env, &err), -1);
}

static void check_name(char *name, const char *expected)
{
	assert_string_equal(name, expected);
	free(name);
}

static void automatic_names(void **state)
{
	static char words[4][10] = {"python", "-V", "--epochs", "3"};
	char *version[] = {words[0], words[1]};
	char *epochs[] = {words[2], words[3]};
	check_name(job_name_of_image("python:3.12", version, 2), "python-3-12-cf70f394");
	check_name(job_name_of_script("s.py", epochs, 2), "s-93fd3b68");
	char *name = job_name_of_script("https://x.y/z/t.py?raw=1#frag", epochs, 2);
	assert_int_equal(strncmp(name, "t-", 2), 0);
	free(name);
	name = job_name_of_image("registry:5000/ns/my_\xc3\xadmg:1", version, 2);
	assert_int_equal(strncmp(name, "my_-mg-1-", 9), 0);
	free(name);
	name = job_name_of_image("hf.co/spaces/owner/repo", version, 2);
	assert_int_equal(strncmp(name, "owner-repo-", 11), 0);
	free(name);
	assert_null(job_name_space("python:3.12"));
	assert_string_equal(job_name_space("https://huggingface.co/spaces/a/b"), "a/b");
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t timeout, wait; /* -1: refused */
	} cases[] = {
	        {"90", 90, 90},
	        {"90s", 90, 90},
	        {"30m", 1800, 1800},
	        {"1.5h", 5400, -1},
	        {"2d", 172800, 172800},
	        {"1w", -1, 604800},
	        {"1mo", -1, 2592000},
	        {"0", 0, 0},
	        {"", -1, -1},
	        {"abc", -1, -1},
	        {"-5", -1, -1},
	        {"1.5", -1, -1},
	        {"h", -1, -1},
	        {"1 h", -1, -1},
	        {"nan", -1, -1},
	        {"1e3s", -1, -1},
	        {"9999999999999999999d", -1, -1},
	};
	struct error err = ERROR_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t seconds = -1;
		(void)duration_parse_timeout(cases[i].text, &seconds, &err);
		assert_int_equal(seconds, cases[i].timeout);
		seconds = -1;
		(void)duration_parse_wait(cases[i].text, &seconds, &err);
		assert_int_equal(seconds, cases[i].wait);
	}
	char text[DURATION_TEXT_SIZE];
	assert_string_equal(duration_format(-1, text), "--");
	assert_string_equal(duration_format(45, text), "45s");
	assert_string_equal(duration_format(92, text), "1m 32s");
	assert_string_equal(duration_format(8100, text), "2h 15m");
	assert_string_equal(duration_format_size(999, text), "999.0");
	assert_string_equal(duration_format_size(1306624, text), "1.3M");
	assert_string_equal(duration_format_size(15032385536.0, text), "15.0G");
}

static void job_ids(void **state)
{
	struct error err = ERROR_INIT;
	struct job_ref ref;
	assert_int_equal(job_ref_parse("abc", NULL, &ref, &err), 0);
	assert_null(ref.space);
	assert_int_equal(job_ref_parse("ns/abc", "ns", &ref, &err), 0);
	assert_string_equal(ref.id, "abc");
	assert_string_equal(ref.space, "ns");
	job_ref_clear(&ref);
	assert_int_equal(job_ref_parse("ns/abc", "x", &ref, &err), -1);
	assert_string_equal(err.text,
	                    "Conflicting namespace: got --namespace='x' but job ID implies "
	                    "namespace='ns'");
	static const char *const bad[] = {"", "/", "a/", "/b", "a/b/c"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(job_ref_parse(bad[i], NULL, &ref, &err), -1);
}

static void check_volume(const char *text, const char *expected)
{
	struct error err = ERROR_INIT;
	autojson json_t *volume = NULL;
	assert_int_equal(volume_spec_parse(text, &volume, &err), 0);
	char *shown = json_to_text(volume);
	assert_string_equal(shown, expected);
	free(shown);
}

static void volumes(void **state)
{
	check_volume(
	        "hf://datasets/stanfordnlp/imdb:/data",
	        "{\"type\":\"dataset\",\"source\":\"stanfordnlp/imdb\",\"mountPath\":\"/data\"}");
	check_volume("hf://o/m@v1.0/sub/dir:/m:ro",
	             "{\"type\":\"model\",\"source\":\"o/m\",\"mountPath\":\"/m\",\"revision\":"
	             "\"v1.0\",\"readOnly\":true,\"path\":\"sub/dir\"}");
	check_volume("hf://buckets/o/b:/x:rw",
	             "{\"type\":\"bucket\",\"source\":\"o/b\",\"mountPath\":\"/x\",\"readOnly\":"
	             "false}");
	check_volume("hf://o/m@refs/pr/1/p:/m",
	             "{\"type\":\"model\",\"source\":\"o/m\",\"mountPath\":\"/m\",\"revision\":"
	             "\"refs/pr/1\",\"path\":\"p\"}");
	static const char *const bad[] = {
	        "hf://o/m",       "hf://o:/x",         "hf://:/x",          "hf://o/:/x",
	        "./x:/y",         "hf:///m:/x",        "hf://o/@r:/x",      "hf://o//m:/x",
	        "hf://o/m:/x:rx", "hf://buckets/b:/x", "hf://buckets/o/b:x"};
	struct error err = ERROR_INIT;
	json_t *volume;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(volume_spec_parse(bad[i], &volume, &err), -1);
}

static void addresses(void **state)
{
	struct error err = ERROR_INIT;
	struct transport_url url;
	assert_int_equal(transport_url_parse("http://[::1]:7440/x/", &url, &err), 0);
	assert_string_equal(url.host, "::1");
	assert_string_equal(url.port, "7440");
	assert_string_equal(url.authority, "[::1]:7440");
	assert_string_equal(url.prefix, "/x");
	transport_url_clear(&url);
	assert_int_equal(transport_url_parse("HTTPS://hub", &url, &err), 0);
	assert_true(url.is_tls);
	assert_string_equal(url.port, "443");
	assert_string_equal(url.prefix, "");
	transport_url_clear(&url);
	static const char *const bad[] = {
	        "",           "hub:80",      "ftp://x",    "http://",      "http://u@h",
	        "http://h:x", "http://[::1", "http://a b", "http://h\r\nx"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(transport_url_parse(bad[i], &url, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(variables_as_in_env_files),
	        cmocka_unit_test(later_lines_win),
	        cmocka_unit_test(automatic_names),
	        cmocka_unit_test(durations),
	        cmocka_unit_test(job_ids),
	        cmocka_unit_test(volumes),
	        cmocka_unit_test(addresses),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
