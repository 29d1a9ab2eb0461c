/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule of the specification: what is refused, in which words, and what is made of the rest.
 */
#include "../unit.h"

#include "base/json.h"
#include "base/memory.h"
#include "job/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define GIB (1024 * 1024 * 1024LL)

static struct configuration *configuration;

static int setup(void **state)
{
	static const char *const names[] = {"cpu-basic", "cpu-giant"};

	configuration = configuration_new();
	configuration->n_flavors = 2;
	configuration->flavors = xcalloc(2, sizeof(*configuration->flavors));
	for (int i = 0; i < 2; i++) {
		configuration->flavors[i].name = xstrdup(names[i]);
		configuration->flavors[i].pretty_name = xstrdup(names[i]);
		configuration->flavors[i].cpu_millis = i ? 64000 : 1000;
		configuration->flavors[i].memory_bytes = GIB;
	}
	configuration->cpu_millis = 4000;
	configuration->memory_bytes = 8 * GIB;
	configuration->default_timeout_s = 1800;
	configuration->max_timeout_s = 86400;
	return 0;
}

static int teardown(void **state)
{
	configuration_free(configuration);
	return 0;
}

static int parse(const char *text, struct job_spec *ret, struct error *err)
{
	autojson json_t *body = NULL;

	if (json_parse(text, strlen(text), "request body", &body, err) < 0)
		return -1;
	return job_spec_parse(configuration, body, ret, err);
}

/* `fields` over the least body that is good: dockerImage and flavor, unless they start with '!'. */
static char *body_of(const char *fields)
{
	if (*fields == '!')
		return xasprintf("{%s}", fields + 1);
	return xasprintf("{\"dockerImage\":\"python:3.12\",\"flavor\":\"cpu-basic\"%s%s}",
	                 *fields ? "," : "", fields);
}

static void bad_specifications_are_refused(void **state)
{
	static const struct {
		const char *fields, *words; /* the sentence has them all, comma-separated */
	} rows[] = {
	        {"!\"flavor\":\"cpu-basic\"", "dockerImage,spaceId,required"},
	        {"!\"flavor\":\"cpu-basic\",\"dockerImage\":null", "dockerImage,spaceId,required"},
	        {"\"spaceId\":\"a/b\"", "dockerImage,spaceId,one"},
	        {"!\"flavor\":\"cpu-basic\",\"dockerImage\":\"--format\"",
	         "dockerImage,looks like an option,put options before the image"},
	        {"!\"flavor\":\"cpu-basic\",\"dockerImage\":\"-q\"", "looks like an option"},
	        {"!\"flavor\":\"cpu-basic\",\"dockerImage\":\"docker.io/-q\"", "dockerImage"},
	        {"!\"flavor\":\"cpu-basic\",\"dockerImage\":\"\"", "dockerImage"},
	        {"!\"flavor\":\"cpu-basic\",\"dockerImage\":7", "dockerImage,string"},
	        {"!\"flavor\":\"cpu-basic\",\"dockerImage\":\"a b\"", "dockerImage"},
	        {"!\"flavor\":\"cpu-basic\",\"dockerImage\":\"Python\"", "dockerImage"},
	        {"!\"flavor\":\"cpu-basic\",\"dockerImage\":\"python@sha256:12\"", "dockerImage"},
	        {"!\"flavor\":\"cpu-basic\",\"spaceId\":\"alone\"", "spaceId,namespace/name"},
	        {"!\"flavor\":\"cpu-basic\",\"spaceId\":\"a/\"", "spaceId"},
	        {"!\"flavor\":\"cpu-basic\",\"spaceId\":\"../b\"", "spaceId"},
	        {"!\"flavor\":\"cpu-basic\",\"spaceId\":[]", "spaceId,string"},
	        {"\"command\":[]", "command,at least one"},
	        {"\"command\":\"ls\"", "command,array"},
	        {"\"command\":[\"a\",\"\"]", "command[1],empty"},
	        {"\"command\":[1]", "command[0],string"},
	        {"\"arguments\":{}", "arguments,array"},
	        {"\"arguments\":[null]", "arguments[0],string"},
	        {"\"environment\":[]", "environment,object"},
	        {"\"environment\":{\"A\":null}", "environment.A,null"},
	        {"\"environment\":{\"A\":[]}", "environment.A,array"},
	        {"\"environment\":{\"A\":{}}", "environment.A,object"},
	        {"\"environment\":{\"1A\":\"x\"}", "environment,1A,letters"},
	        {"\"environment\":{\"\":\"x\"}", "environment,name"},
	        {"\"environment\":{\"A=B\":\"x\"}", "environment,A=B"},
	        {"\"environment\":{\"A B\":\"x\"}", "environment,A B"},
	        {"\"environment\":{\"A\\nB\":\"x\"}", "environment,A?B"},
	        {"\"secrets\":{\"A-B\":\"x\"}", "secrets,A-B"},
	        {"\"secrets\":{\"A\":null}", "secrets.A,null"},
	        {"\"secrets\":[\"A\"]", "secrets,object"},
	        {"!\"dockerImage\":\"a\"", "flavor,required,cpu-basic"},
	        {"!\"dockerImage\":\"a\",\"flavor\":1", "flavor,string"},
	        {"\"arch\":\"riscv\"", "arch,amd64,arm64"},
	        {"\"arch\":5", "arch"},
	        {"\"timeoutSeconds\":0", "timeoutSeconds,greater than 0"},
	        {"\"timeoutSeconds\":-5", "timeoutSeconds"},
	        {"\"timeoutSeconds\":1.5", "timeoutSeconds,whole"},
	        {"\"timeoutSeconds\":\"10\"", "timeoutSeconds,whole"},
	        {"\"timeoutSeconds\":true", "timeoutSeconds"},
	        {"\"timeoutSeconds\":86401", "timeoutSeconds,at most 86400"},
	        {"\"timeoutSeconds\":1e300", "timeoutSeconds"},
	        {"\"attempts\":0", "attempts,1 to 100"},
	        {"\"attempts\":101", "attempts"},
	        {"\"attempts\":\"2\"", "attempts"},
	        {"\"labels\":[]", "labels,object"},
	        {"\"labels\":{\"a b\":\"x\"}", "labels,a b,letters"},
	        {"\"labels\":{\"a\":\"x y\"}", "labels.a,x y"},
	        {"\"labels\":{\"\":\"x\"}", "labels,1 to 100"},
	        {"\"labels\":{\"a\":1}", "labels.a,string"},
	        {"\"labels\":{\"a\":null}", "labels.a,string"},
	        {"\"labels\":{\"a\":\"\\u00e9\"}", "labels.a"},
	        {"\"volumes\":{}", "volumes,array"},
	        {"\"volumes\":[5]", "volumes[0],object"},
	        {"\"volumes\":[{\"type\":\"kernel\",\"source\":\"a/b\",\"mountPath\":\"/d\"}]",
	         "volumes[0].type,kernel"},
	        {"\"volumes\":[{\"type\":\"disk\",\"source\":\"a/b\",\"mountPath\":\"/d\"}]",
	         "volumes[0].type,disk,dataset"},
	        {"\"volumes\":[{\"source\":\"a/b\",\"mountPath\":\"/d\"}]", "volumes[0].type"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"b\",\"mountPath\":\"/d\"}]",
	         "volumes[0].source,namespace/name"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/../b\",\"mountPath\":\"/d\"}]",
	         "volumes[0].source"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"../b\",\"mountPath\":\"/d\"}]",
	         "volumes[0].source"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"d\"}]",
	         "volumes[0].mountPath,absolute"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\"}]", "volumes[0].mountPath"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/\"}]",
	         "volumes[0].mountPath,below"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"//./\"}]",
	         "volumes[0].mountPath"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/d/../e\"}]",
	         "volumes[0].mountPath"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/d\\ne\"}]",
	         "volumes[0].mountPath,control"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"//proc/"
	         "x\"}]",
	         "volumes[0].mountPath,/proc"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/dev\"}]",
	         "volumes[0].mountPath,/dev"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/"
	         "d\",\"revision\":\"main\"}]",
	         "volumes[0].revision,bucket"},
	        {"\"volumes\":[{\"type\":\"model\",\"source\":\"a/b\",\"mountPath\":\"/"
	         "d\",\"revision\":\"a..b\"}]",
	         "volumes[0].revision"},
	        {"\"volumes\":[{\"type\":\"model\",\"source\":\"a/b\",\"mountPath\":\"/"
	         "d\",\"revision\":\"\"}]",
	         "volumes[0].revision"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/"
	         "d\",\"readOnly\":1}]",
	         "volumes[0].readOnly"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/"
	         "d\",\"path\":\"/x\"}]",
	         "volumes[0].path"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/"
	         "d\",\"path\":\"x/../y\"}]",
	         "volumes[0].path"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/"
	         "d\",\"path\":\".hearth-x\"}]",
	         "volumes[0].path"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/"
	         "d\"},{\"type\":\"bucket\",\"source\":\"a/c\",\"mountPath\":\"/d/\"}]",
	         "volumes[1].mountPath,volumes[0]"},
	        {"\"volumes\":[{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"/"
	         "d\"},{\"type\":\"bucket\",\"source\":\"a/c\",\"mountPath\":\"/d/e\"}]",
	         "volumes[1].mountPath,volumes[0],each other"},
	        {"\"expose\":[8000]", "expose,object"},
	        {"\"expose\":{\"ports\":[0]}", "expose.ports[0],65535"},
	        {"\"expose\":{\"ports\":[65536]}", "expose.ports[0]"},
	        {"\"expose\":{\"ports\":\"80\"}", "expose.ports"},
	        {"\"ssh\":true", "ssh"},
	        {"\"ssh\":{\"enabled\":1}", "ssh"},
	        {"\"resourceGroupId\":\"x\"", "resourceGroupId,24"},
	        {"\"resourceGroupId\":5", "resourceGroupId"},
	        /* what is wrong is told before what is not built */
	        {"\"expose\":{\"ports\":[80]},\"timeoutSeconds\":0", "timeoutSeconds"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *body = body_of(rows[i].fields), *words = xstrdup(rows[i].words);
		struct error err = ERROR_INIT;
		struct job_spec spec;

		if (parse(body, &spec, &err) == 0)
			fail_msg("accepted: %s", body);
		assert_int_equal(err.code, E_INVALID);
		for (char *word = strtok(words, ","); word; word = strtok(NULL, ","))
			if (!strstr(err.text, word))
				fail_msg("%s\n  says: %s\n  without: %s", body, err.text, word);
		free(body);
		free(words);
	}
}

static void what_is_not_built_is_said(void **state)
{
	static const char *const rows[][2] = {
	        {"\"expose\":{\"ports\":[8000]}", "exposed ports are not built yet"},
	        {"\"ssh\":{\"enabled\":true}", "SSH is not built yet"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *body = body_of(rows[i][0]);
		struct error err = ERROR_INIT;
		struct job_spec spec;

		assert_int_equal(parse(body, &spec, &err), -1);
		assert_int_equal(err.code, E_UNSUPPORTED);
		assert_non_null(strstr(err.text, rows[i][1]));
		free(body);
	}
}

static const char *machine_arch(void)
{
	static struct utsname machine;

	uname(&machine);
	return strcmp(machine.machine, "aarch64") == 0 ? "arm64" : "amd64";
}

static void the_example_is_normalized(void **state)
{
	struct job_spec spec;
	struct error err = ERROR_INIT;
	autojson json_t *expected =
	        json_pack("{s:s, s:[s,s], s:[], s:{s:s}, s:[s,s], s:s, s:s}", "dockerImage",
	                  "python:3.12", "command", "python", "-V", "arguments", "environment",
	                  "FOO", "bar", "secretNames", "A_KEY", "HF_TOKEN", "arch", machine_arch(),
	                  "resourceGroupId", "0123456789abcdefABCDEF01");

	assert_int_equal(
	        parse("{\"command\":[\"python\",\"-V\"],\"arguments\":[],\"environment\":{\"FOO\":"
	              "\"bar\"},"
	              "\"flavor\":\"cpu-basic\",\"secrets\":{\"HF_TOKEN\":\"hf_abc\",\"A_KEY\":5},"
	              "\"timeoutSeconds\":7200,\"labels\":{\"name\":\"n1\"},\"volumes\":[],"
	              "\"expose\":{\"ports\":[]},\"ssh\":{\"enabled\":false},\"network\":{"
	              "\"group\":\"g\"},"
	              "\"resourceGroupId\":\"0123456789abcdefABCDEF01\",\"dockerImage\":\"python:3."
	              "12\"}",
	              &spec, &err),
	        0);
	assert_true(json_equal(spec.body, expected));
	assert_string_equal(json_get_text(spec.secrets, "HF_TOKEN", ""), "hf_abc");
	assert_string_equal(json_get_text(spec.secrets, "A_KEY", ""), "5");
	assert_string_equal(json_get_text(spec.labels, "name", ""), "n1");
	assert_string_equal(spec.flavor, "cpu-basic");
	assert_int_equal(spec.timeout_s, 7200);
	assert_int_equal(spec.attempts, 1);
	assert_string_equal(spec.idempotency_key, "");
	assert_string_equal(spec.warning, "");
	job_spec_clear(&spec);
}

static void volumes_get_their_effective_values(void **state)
{
	struct job_spec spec;
	struct error err = ERROR_INIT;
	autojson json_t *expected = json_pack(
	        "[{s:s, s:s, s:s, s:b, s:s}, {s:s, s:s, s:s, s:s, s:b}, {s:s, s:s, s:s, s:s, s:b}]",
	        "type", "bucket", "source", "a/b", "mountPath", "/out/x", "readOnly", 0, "path",
	        "runs/1", "type", "model", "source", "c/d.e", "mountPath", "/output", "revision",
	        "main", "readOnly", 1, "type", "dataset", "source", "c/d", "mountPath", "/data",
	        "revision", "refs/pr/1", "readOnly", 1);

	assert_int_equal(
	        parse("{\"dockerImage\":\"a\",\"flavor\":\"cpu-basic\",\"volumes\":["
	              "{\"type\":\"bucket\",\"source\":\"a/b\",\"mountPath\":\"//out/./x/\","
	              "\"path\":\"runs//1/\",\"revision\":null},"
	              "{\"type\":\"model\",\"source\":\"c/d.e\",\"mountPath\":\"/output\","
	              "\"readOnly\":false,\"path\":\"\"},"
	              "{\"type\":\"dataset\",\"source\":\"c/d\",\"mountPath\":\"/data\","
	              "\"revision\":\"refs/pr/1\"}]}",
	              &spec, &err),
	        0);
	assert_true(json_equal(json_object_get(spec.body, "volumes"), expected));
	job_spec_clear(&spec);
}

static void the_least_specification_has_defaults(void **state)
{
	struct job_spec spec;
	struct error err = ERROR_INIT;

	assert_int_equal(parse("{\"dockerImage\":\"a\",\"flavor\":\"cpu-basic\",\"command\":null,"
	                       "\"secrets\":null,\"labels\":null,\"timeoutSeconds\":null,"
	                       "\"attempts\":null,\"arch\":null,\"ssh\":null,\"expose\":null,"
	                       "\"volumes\":null,\"spaceId\":null,\"resourceGroupId\":null}",
	                       &spec, &err),
	                 0);
	assert_int_equal(spec.timeout_s, 1800);
	assert_int_equal(spec.attempts, 1);
	assert_null(json_object_get(spec.body, "command"));
	assert_int_equal(json_array_size(json_object_get(spec.body, "arguments")), 0);
	assert_true(json_is_object(json_object_get(spec.body, "environment")));
	assert_int_equal(json_object_size(spec.labels), 0);
	job_spec_clear(&spec);
}

static void variables_become_text(void **state)
{
	static const char *const names[] = {"I", "N", "R", "E", "T", "F", "S"};
	static const char *const texts[] = {
	        "7", "-9007199254740993", "0.1", "1e+100", "true", "false", ""};
	struct job_spec spec;
	struct error err = ERROR_INIT;
	char *body =
	        body_of("\"environment\":{\"I\":7,\"N\":-9007199254740993,\"R\":0.1,\"E\":1e100,"
	                "\"T\":true,\"F\":false,\"S\":\"\",\"_x9\":\"\\u00e9\\n=\"},"
	                "\"arguments\":[\"\"],\"timeoutSeconds\":60.0");

	assert_int_equal(parse(body, &spec, &err), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_string_equal(
		        json_get_text(json_object_get(spec.body, "environment"), names[i], "none"),
		        texts[i]);
	assert_int_equal(spec.timeout_s, 60);
	job_spec_clear(&spec);
	free(body);
}

static char *repeat(char c, size_t count)
{
	char *text = xmalloc(count + 1);

	memset(text, c, count);
	text[count] = '\0';
	return text;
}

static int parse_sized(const char *format, size_t count, struct error *err)
{
	char *filler = repeat('x', count), *fields, *body;
	struct job_spec spec = {0};
	int rc;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	fields = xasprintf(format, filler);
#pragma GCC diagnostic pop
	body = body_of(fields);
	rc = parse(body, &spec, err);
	job_spec_clear(&spec);
	free(filler);
	free(fields);
	free(body);
	return rc;
}

static void sizes_are_bounded(void **state)
{
	static const struct {
		const char *format;
		size_t max;
	} rows[] = {
	        {"\"environment\":{\"AB\":\"%s\"}", 128 * 1024 - 1 - 3},
	        {"\"secrets\":{\"AB\":\"%s\"}", 128 * 1024 - 1 - 3},
	        {"\"command\":[\"%s\"]", 128 * 1024 - 1},
	        {"\"arguments\":[\"%s\"]", 128 * 1024 - 1},
	        {"\"labels\":{\"%s\":\"\"}", 100},
	        {"\"labels\":{\"a\":\"%s\"}", 100},
	        {"\"labels\":{\"name\":\"%s\"}", 255},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct error err = ERROR_INIT;

		if (parse_sized(rows[i].format, rows[i].max, &err) < 0)
			fail_msg("%s with %zu: %s", rows[i].format, rows[i].max, err.text);
		assert_int_equal(parse_sized(rows[i].format, rows[i].max + 1, &err), -1);
		assert_int_equal(err.code, E_INVALID);
	}
}

static void the_total_is_bounded(void **state)
{
	autojson json_t *body = json_pack("{s:s, s:s, s:{}}", "dockerImage", "a", "flavor",
	                                  "cpu-basic", "environment");
	json_t *environment = json_object_get(body, "environment");
	char *filler = repeat('x', 100 * 1024);
	struct job_spec spec = {0};
	struct error err = ERROR_INIT;
	int i = 0, rc;

	do {
		char name[16];

		snprintf(name, sizeof(name), "V%d", i++);
		json_object_set_new(environment, name, json_string(filler));
		job_spec_clear(&spec);
		rc = job_spec_parse(configuration, body, &spec, &err);
	} while (rc == 0 && i < 100);
	assert_int_equal(i, 18);
	assert_int_equal(err.code, E_INVALID);
	assert_non_null(strstr(err.text, "together"));
	free(filler);
}

static void labels_are_counted(void **state)
{
	autojson json_t *labels = json_object(), *parsed = NULL;
	struct error err = ERROR_INIT;

	for (int i = 0; i < 101; i++) {
		char key[16];

		if (i == 100) {
			assert_int_equal(job_labels_parse(labels, &parsed, &err), 0);
			assert_true(json_equal(parsed, labels));
		}
		snprintf(key, sizeof(key), "k%d", i);
		json_object_set_new(labels, key, json_string("v"));
	}
	json_decref(parsed);
	parsed = NULL;
	assert_int_equal(job_labels_parse(labels, &parsed, &err), -1);
	assert_int_equal(job_labels_parse(NULL, &parsed, &err), -1);
}

static void the_key_may_be_a_label(void **state)
{
	struct job_spec spec;
	struct error err = ERROR_INIT;
	char *body = body_of("\"labels\":{\"hearth.idempotency-key\":\"k-1\"}");

	assert_int_equal(parse(body, &spec, &err), 0);
	assert_string_equal(spec.idempotency_key, "k-1");
	assert_string_equal(json_get_text(spec.labels, "hearth.idempotency-key", ""), "k-1");
	job_spec_clear(&spec);
	free(body);
}

static void images_have_a_full_form(void **state)
{
	static const char *const rows[][3] = {
	        {"dockerImage", "python", "docker.io/library/python:latest"},
	        {"dockerImage", "ghcr.io/a/b:1", "ghcr.io/a/b:1"},
	        {"spaceId", "Alice/My_Space.x", "registry.hf.space/alice-my-space-x:latest"},
	        {"spaceId", "a/b/tree/main", "registry.hf.space/a-b:latest"},
	        {"spaceId", "a/b/", "registry.hf.space/a-b:latest"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *body = xasprintf("{\"%s\":\"%s\",\"flavor\":\"cpu-basic\"}", rows[i][0],
		                       rows[i][1]);
		struct job_spec spec;
		struct error err = ERROR_INIT;
		char image[512];

		assert_int_equal(parse(body, &spec, &err), 0);
		assert_int_equal(
		        job_spec_image(configuration, spec.body, image, sizeof(image), &err), 0);
		assert_string_equal(image, rows[i][2]);
		job_spec_clear(&spec);
		free(body);
	}
}

static void redirections_are_noticed(void **state)
{
	static const struct {
		const char *command;
		bool warns;
	} rows[] = {
	        {"\"bash\",\"-c\",\"pip install torch>=2.1 && x\"", true},
	        {"\"/bin/sh\",\"-lc\",\"pip install 'a' b[x]>=2\"", true},
	        {"\"bash\",\"-c\",\"pip install 'torch>=2.1'\"", false},
	        {"\"bash\",\"-c\",\"pip install \\\"torch>=2.1\\\"\"", false},
	        {"\"bash\",\"-c\",\"pip install torch\\\\>=2.1\"", false},
	        {"\"bash\",\"-c\",\"ls > =2\"", false},
	        {"\"python\",\"-c\",\"print(a>=2)\"", false},
	        {"\"bash\",\"x.sh\",\"a>=2\"", false},
	        {"\"bash\"", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *fields = xasprintf("\"command\":[%s]", rows[i].command),
		     *body = body_of(fields);
		struct job_spec spec;
		struct error err = ERROR_INIT;

		assert_int_equal(parse(body, &spec, &err), 0);
		if ((*spec.warning != '\0') != rows[i].warns)
			fail_msg("%s: \"%s\"", body, spec.warning);
		job_spec_clear(&spec);
		free(fields);
		free(body);
	}
}

static void only_objects_are_bodies(void **state)
{
	static const char *const rows[] = {"[]", "\"x\"", "5", "null", "true"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct job_spec spec;
		struct error err = ERROR_INIT;

		assert_int_equal(parse(rows[i], &spec, &err), -1);
		assert_int_equal(err.code, E_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bad_specifications_are_refused),
	        cmocka_unit_test(what_is_not_built_is_said),
	        cmocka_unit_test(the_example_is_normalized),
	        cmocka_unit_test(volumes_get_their_effective_values),
	        cmocka_unit_test(the_least_specification_has_defaults),
	        cmocka_unit_test(variables_become_text),
	        cmocka_unit_test(sizes_are_bounded),
	        cmocka_unit_test(the_total_is_bounded),
	        cmocka_unit_test(labels_are_counted),
	        cmocka_unit_test(the_key_may_be_a_label),
	        cmocka_unit_test(images_have_a_full_form),
	        cmocka_unit_test(redirections_are_noticed),
	        cmocka_unit_test(only_objects_are_bodies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
