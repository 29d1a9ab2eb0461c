/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/cleanup.h"
#include "image/manifest.h"
#include "image/unpack_path.h"

#include <string.h>

#define D0 "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, 0, &error);

	if (!value)
		fail_msg("%s: %s", error.text, text);
	return value;
}

#define ENTRY(digest, os, architecture, more)                                                      \
	"{\"digest\":\"" digest "\",\"size\":5,\"platform\":{\"os\":\"" os                         \
	"\",\"architecture\":\"" architecture "\"" more "}}"
#define V(variant) ",\"variant\":\"" variant "\""

/* The digest that is chosen, or NULL. */
static const char *choose(const char *entries, const char *architecture)
{
	static struct manifest_blob blob;
	struct error err = ERROR_INIT;
	char text[2000];

	snprintf(text, sizeof(text), "{\"manifests\":[%s]}", entries);
	autojson json_t *index = parse(text);

	assert_true(manifest_is_index(index));
	return manifest_choose(index, architecture, &blob, &err) == 0 ? blob.digest : NULL;
}

static void test_choice(void **state)
{
	const char *usual = ENTRY(D0, "unknown", "unknown", "") "," ENTRY(
	        D1, "linux", "arm64", V("v8")) "," ENTRY(D2, "linux", "amd64", "");
	const char *arms =
	        ENTRY(D0, "linux", "arm", V("v6")) "," ENTRY(D1, "linux", "arm", V("v7"));

	assert_string_equal(choose(usual, "amd64"), D2);
	assert_string_equal(choose(usual, "arm64"), D1);
	assert_string_equal(choose(usual, "arm64/v8"), D1);
	assert_null(choose(usual, "riscv64"));
	assert_null(choose(usual, "unknown"));
	assert_null(choose(usual, "amd"));
	assert_string_equal(choose(arms, "arm/v7"), D1);
	assert_string_equal(choose(arms, "arm/v6"), D0);
	assert_null(choose(ENTRY(D0, "windows", "amd64", ""), "amd64"));
	assert_null(choose(ENTRY(D0, "linux", "amd64", V("v3")), "amd64"));
	assert_string_equal(
	        choose(ENTRY(D0, "linux", "amd64", V("v3")) "," ENTRY(D1, "linux", "amd64", ""),
	               "amd64"),
	        D1);
	assert_string_equal(choose("{\"digest\":\"" D1 "\",\"size\":1}", "amd64"), D1);
	assert_null(choose("{\"digest\":\"sha256:x\",\"size\":1}", "amd64"));
	assert_null(choose("1, null, \"x\"", "amd64"));
}

static int read_manifest(const char *text, struct manifest *manifest, struct error *err)
{
	autojson json_t *document = parse(text);

	return manifest_read(document, manifest, err);
}

#define LAYER(digest, type) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":7}"
#define OCI "application/vnd.oci.image.layer.v1.tar"
#define CONFIG "\"config\":{\"digest\":\"" D0 "\",\"size\":3}"

static void test_manifest(void **state)
{
	struct error err = ERROR_INIT;
	struct manifest m;

	assert_int_equal(
	        read_manifest("{\"schemaVersion\":2," CONFIG
	                      ",\"layers\":[" LAYER(D1, OCI "+gzip") "," LAYER(
	                              D2, "application/vnd.docker.image.rootfs.diff.tar.zstd") "]}",
	                      &m, &err),
	        0);
	assert_int_equal(m.n_layers, 2);
	assert_string_equal(m.layers[1].blob.digest, D2);
	assert_int_equal(m.layers[1].blob.size, 7);
	assert_int_equal(
	        read_manifest("{\"schemaVersion\":2," CONFIG ",\"layers\":[{}]}", &m, &err), -1);
	assert_int_equal(read_manifest("{\"schemaVersion\":2,\"layers\":[]}", &m, &err), -1);
	assert_int_equal(read_manifest("{\"schemaVersion\":1}", &m, &err), -1);
	assert_non_null(strstr(err.text, "schema 1"));
	assert_int_equal(read_manifest("[]", &m, &err), -1);
	assert_int_equal(read_manifest("{\"schemaVersion\":2," CONFIG
	                               ",\"layers\":[" LAYER(D1, OCI "+encrypted") "]}",
	                               &m, &err),
	                 -1);
}

static int read_config(const char *text, json_t **ret, char **ret_architecture, struct error *err)
{
	struct manifest m = {.n_layers = 1};
	autojson json_t *config = parse(text);

	return manifest_read_config(&m, config, "amd64", ret, ret_architecture, err);
}

static void test_config(void **state)
{
	struct error err = ERROR_INIT;
	autojson json_t *config = NULL;
	autofree char *architecture = NULL;

	assert_int_equal(
	        read_config("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A="
	                    "b\"],\"Cmd\":null,"
	                    "\"OnBuild\":[],\"User\":\"1:2\"},\"rootfs\":{\"diff_ids\":[\"" D1
	                    "\"]}}",
	                    &config, &architecture, &err),
	        0);
	assert_string_equal(architecture, "amd64");
	assert_int_equal(json_object_size(config), 2);

	static const char *const bad[] = {
	        "{\"rootfs\":{\"diff_ids\":[]}}",
	        "{\"rootfs\":{\"diff_ids\":[1]}}",
	        "{\"rootfs\":{\"diff_ids\":[\"sha256:../x\"]}}",
	        "{\"architecture\":\"arm64\",\"rootfs\":{\"diff_ids\":[\"" D1 "\"]}}",
	        "{\"os\":\"windows\",\"rootfs\":{\"diff_ids\":[\"" D1 "\"]}}",
	        "{\"config\":{\"Env\":\"A=b\"},\"rootfs\":{\"diff_ids\":[\"" D1 "\"]}}",
	        "{\"config\":{\"Cmd\":[1]},\"rootfs\":{\"diff_ids\":[\"" D1 "\"]}}",
	        "{\"config\":{\"User\":5},\"rootfs\":{\"diff_ids\":[\"" D1 "\"]}}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *value = NULL;
		char *name = NULL;

		if (read_config(bad[i], &value, &name, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, E_INVALID);
	}
}

static void test_clean_names(void **state)
{
	static const struct {
		const char *name, *clean;
	} good[] = {{"a", "a"},
	            {"./a/b", "a/b"},
	            {"/a//b/", "a/b"},
	            {"a/./b/.", "a/b"},
	            {"a/../b", "b"},
	            {"a/b/../../c", "c"},
	            {".", ""},
	            {"/", ""},
	            {"a/..", ""},
	            {"...", "..."},
	            {"..a/b..", "..a/b.."},
	            {"a/b/..", "a"}};
	static const char *const bad[] = {"..", "../a", "/..", "a/../..", "./../a", "a/../../a"};
	struct error err = ERROR_INIT;
	char clean[PATH_MAX];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(unpack_path_clean(good[i].name, clean, &err), 0);
		assert_string_equal(clean, good[i].clean);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(unpack_path_clean(bad[i], clean, &err), -1);
}

static void test_whiteout_names(void **state)
{
	const char *name = NULL;

	assert_int_equal(unpack_path_whiteout("a", &name), WHITEOUT_NONE);
	assert_int_equal(unpack_path_whiteout(".wh", &name), WHITEOUT_NONE);
	assert_int_equal(unpack_path_whiteout("x.wh.a", &name), WHITEOUT_NONE);
	assert_int_equal(unpack_path_whiteout(".wh.a", &name), WHITEOUT_NAME);
	assert_string_equal(name, "a");
	assert_int_equal(unpack_path_whiteout(".wh..hidden", &name), WHITEOUT_NAME);
	assert_string_equal(name, ".hidden");
	assert_int_equal(unpack_path_whiteout(".wh..wh..opq", &name), WHITEOUT_OPAQUE);
	assert_int_equal(unpack_path_whiteout(".wh..wh.aufs", &name), WHITEOUT_IGNORED);
	assert_int_equal(unpack_path_whiteout(".wh.", &name), WHITEOUT_BAD);
	assert_int_equal(unpack_path_whiteout(".wh..", &name), WHITEOUT_BAD);
	assert_int_equal(unpack_path_whiteout(".wh...", &name), WHITEOUT_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_choice),         cmocka_unit_test(test_manifest),
	        cmocka_unit_test(test_config),         cmocka_unit_test(test_clean_names),
	        cmocka_unit_test(test_whiteout_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
