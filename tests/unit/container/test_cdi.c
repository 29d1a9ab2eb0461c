/* SPDX-License-Identifier: Apache-2.0 */
/* CDI specifications: YAML, the rules for one file, several folders together, what a container
 * gets. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "container/cdi_check.h"
#include "container/cdi_private.h"
#include "container/cdi_yaml.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

static char root[] = "/tmp/hearth-test.XXXXXX";
static char *folders[3];

static int set_up(void **state)
{
	if (!mkdtemp(root))
		return -1;
	folders[0] = xasprintf("%s/one", root);
	folders[1] = xasprintf("%s/two", root);
	return 0;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;

	free(folders[0]);
	free(folders[1]);
	return file_remove_tree(AT_FDCWD, root, &err);
}

static int clear(void **state)
{
	struct error err = ERROR_INIT;

	for (int i = 0; i < 2; i++) {
		if (file_remove_tree(AT_FDCWD, folders[i], &err) || mkdir(folders[i], 0755))
			return -1;
	}
	return 0;
}

static void put(int folder, const char *name, const char *text)
{
	struct error err = ERROR_INIT;
	autofree char *path = xasprintf("%s/%s", folders[folder], name);
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text), &err), 0);
}

/* As compact JSON, or what is wrong; yours to free. */
static char *read_yaml(const char *text)
{
	struct error err = ERROR_INIT;
	autojson json_t *json = NULL;

	if (cdi_yaml_parse(text, strlen(text), &json, &err))
		return xstrdup(err.text);
	return json_to_text(json);
}

static void yaml(void **state)
{
	static const struct {
		const char *text, *wanted; /* the beginning of it */
	} rows[] = {
	        {"a: 1\nb: [x, \"1\", '2', ~, true, no]\n",
	         "{\"a\":1,\"b\":[\"x\",\"1\",\"2\",null,true,\"no\"]}"},
	        {"m: 0666\nn: 0o17\no: 0x1f\np: -5\nq: 1.5\nr: 08\ns: 0.5.0\nt: 12ab\n",
	         "{\"m\":438,\"n\":15,\"o\":31,\"p\":-5,\"q\":\"1.5\",\"r\":\"08\",\"s\":\"0.5.0\","
	         "\"t\":\"12ab\"}"},
	        {"a: &x {k: [1]}\nb: *x\n", "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]}}"},
	        {"a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}"},
	        {"---\n\"5\"\n...\n", "\"5\""},
	        {"k: !!str 5\n", "{\"k\":\"5\"}"},
	        {"", "it is empty"},
	        {"# nothing\n", "it is empty"},
	        {"a: 1\na: 2\n", "it is not valid YAML: a key is there twice (line 2)"},
	        {"[a: 1", "it is not valid YAML: "},
	        {"a: *none\n", "it is not valid YAML: an alias has no anchor before it"},
	        {"a: &x [*x]\n", "it is not valid YAML: an alias has no anchor before it"},
	        {"? [a]\n: b\n", "it is not valid YAML: a key is not a text"},
	        {"--- a\n--- b\n", "it is not valid YAML: it has more than one document"},
	        {"a: \"x\\0y\"\n", "it is not valid YAML: a text has a zero byte"},
	        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "it is not valid YAML: "},
	        {"a: 99999999999999999999\n", "{\"a\":\"99999999999999999999\"}"},
	        {"\xff\xfe", "it is"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autofree char *text = read_yaml(rows[i].text);
		if (strncmp(text, rows[i].wanted, strlen(rows[i].wanted)) != 0)
			fail_msg("row %zu: %s", i, text);
	}
}

/* Ten anchors that each hold ten of the one before would be 10^10 values. */
static void yaml_bombs(void **state)
{
	autobuffer struct buffer text = BUFFER_INIT(65536);

	(void)buffer_add_text(&text, "a0: &a0 [x]\n");
	for (int i = 1; i <= 10; i++) {
		(void)buffer_printf(&text, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			(void)buffer_printf(&text, "%s*a%d", k ? "," : "", i - 1);
		(void)buffer_add_text(&text, "]\n");
	}
	autofree char *bomb = read_yaml(text.data);
	assert_string_equal(bomb, "it is not valid YAML: it has too many values (line 6)");

	buffer_reset(&text);
	for (int i = 0; i < 40; i++)
		(void)buffer_printf(&text, "%*sk:\n", i, "");
	autofree char *deep = read_yaml(text.data);
	assert_non_null(strstr(deep, "nested too deeply"));
}

#define NODE(path) "{\"deviceNodes\":[{\"path\":\"" path "\"}]}"
#define SPEC(edits)                                                                                \
	"{\"cdiVersion\":\"0.6.0\",\"kind\":\"a.b/c\",\"devices\":[{\"name\":\"d\","               \
	"\"containerEdits\":" edits "}]}"

/* What is wrong with it, or "" ; `ret` may be NULL. */
static const char *check(const char *text, json_t **ret)
{
	static struct error err;
	static char lines[4096];
	autobuffer struct buffer warnings = BUFFER_INIT(4096);
	autojson json_t *json = NULL, *checked = NULL;

	err = ERROR_INIT;
	assert_int_equal(json_parse(text, strlen(text), "text", &json, &err), 0);
	if (cdi_check(json, &warnings, &checked, &err))
		return err.text;
	if (ret)
		*ret = json_incref(checked);
	(void)snprintf(lines, sizeof(lines), "%s", buffer_text(&warnings));
	return lines;
}

static void good_files(void **state)
{
	static const char *const rows[] = {
	        SPEC(NODE("/dev/fuse")),
	        SPEC("{}"),
	        "{\"cdiVersion\":\"0.3.0\",\"kind\":\"vendor.com/"
	        "class-x\",\"devices\":[{\"name\":\"0\","
	        "\"containerEdits\":{}}],\"annotations\":{\"x\":\"y\"},\"unknown\":1}",
	        "{\"cdiVersion\":\"1.1.0\",\"kind\":\"v/"
	        "c\",\"devices\":[{\"name\":7,\"containerEdits\":"
	        "{\"intelRdt\":{\"closID\":\"x\"},\"netDevices\":[],\"env\":null}}]}",
	        SPEC("{\"deviceNodes\":[{\"path\":\"/dev/"
	             "x\",\"hostPath\":\"\",\"permissions\":\"\","
	             "\"major\":195,\"minor\":0,\"type\":\"c\",\"uid\":5}],\"env\":[\"A=\"],"
	             "\"additionalGids\":[44]}"),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(check(rows[i], NULL), "");
}

static void bad_files(void **state)
{
	static const char *const rows[][2] = {
	        {"[]", "it must hold an object"},
	        {"{\"kind\":\"a/b\",\"devices\":[]}", "cdiVersion must be a version"},
	        {"{\"cdiVersion\":\"2.0.0\",\"kind\":\"a/b\"}", "cdiVersion must be a version"},
	        {"{\"cdiVersion\":\"0.\",\"kind\":\"a/b\"}", "cdiVersion must be a version"},
	        {"{\"cdiVersion\":\"0.5.0\",\"kind\":\"nvidia\"}",
	         "kind \"nvidia\" must be VENDOR/CLASS"},
	        {"{\"cdiVersion\":\"0.5.0\",\"kind\":\"a/b/c\"}", "kind \"a/b/c\" must be"},
	        {"{\"cdiVersion\":\"0.5.0\",\"kind\":\"1a/b\"}", "kind"},
	        {"{\"cdiVersion\":\"0.5.0\",\"kind\":\"a.b/c\"}", "devices must be a list"},
	        {"{\"cdiVersion\":\"0.5.0\",\"kind\":\"a.b/c\",\"devices\":[{\"name\":\"a,b\","
	         "\"containerEdits\":{}}]}",
	         "the device name \"a,b\" must be of letters"},
	        {"{\"cdiVersion\":\"0.5.0\",\"kind\":\"a.b/c\",\"devices\":[{\"name\":\"a\"}]}",
	         "device a has no containerEdits"},
	        {"{\"cdiVersion\":\"0.5.0\",\"kind\":\"a.b/c\",\"devices\":[{\"name\":\"a\","
	         "\"containerEdits\":{}},{\"name\":\"a\",\"containerEdits\":{}}]}",
	         "device a is there twice"},
	        {SPEC(NODE("/etc/passwd")),
	         "deviceNodes of device d: path \"/etc/passwd\" must be one below"},
	        {SPEC(NODE("/dev/../etc/x")), "deviceNodes of device d: path"},
	        {SPEC(NODE("/device")), "deviceNodes of device d: path"},
	        {SPEC(NODE("/dev/a\\nb")), "deviceNodes of device d: path"},
	        {SPEC(NODE("/dev/pts")),
	         "deviceNodes of device d: /dev/pts is every container's own"},
	        {SPEC(NODE("/dev/shm/a")), "deviceNodes of device d: /dev/shm/a is every"},
	        {SPEC("{\"deviceNodes\":{}}"), "deviceNodes of device d must be a list"},
	        {SPEC("{\"deviceNodes\":[5]}"), "deviceNodes of device d: path"},
	        {SPEC("{\"deviceNodes\":[{\"path\":\"/dev/x\",\"minor\":\"1\"}]}"),
	         "deviceNodes of device d: minor must be a number"},
	        {SPEC("{\"env\":[\"=x\"]}"), "env of device d must hold NAME=value"},
	        {SPEC("{\"env\":[5]}"), "env of device d must hold NAME=value"},
	        {SPEC("{\"mounts\":[{\"hostPath\":\"/x\"}]}"), "mounts of device d: containerPath"},
	        {SPEC("{\"mounts\":[{\"hostPath\":\"/x/../y\",\"containerPath\":\"/x\"}]}"),
	         "mounts of device d: hostPath"},
	        {SPEC("{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/proc\"}]}"),
	         "mounts of device d: containerPath"},
	        {SPEC("{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/dev/shm/a\"}]}"),
	         "mounts of device d: containerPath"},
	        {SPEC("{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/"
	              "y\",\"type\":\"overlay\"}]}"),
	         "mounts of device d: only type bind"},
	        {SPEC("{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/"
	              "y\",\"options\":[1]}]}"),
	         "mounts of device d: options must hold text"},
	        {SPEC("{\"additionalGids\":[-1]}"), "additionalGids of device d must hold numbers"},
	        {SPEC("5"), "device d has no containerEdits"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = check(rows[i][0], NULL);
		if (strncmp(text, rows[i][1], strlen(rows[i][1])) != 0)
			fail_msg("row %zu: %s", i, text);
	}
}

#define HOOK(path, args)                                                                           \
	SPEC("{\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"" path "\",\"args\":[" args \
	     "]}]}")

static const json_t *edits_of(const json_t *checked)
{
	return json_object_get(json_object_get(checked, "devices"), "d");
}

static void known_hooks(void **state)
{
	autojson json_t *links = NULL, *folder = NULL, *nothing = NULL;

	assert_string_equal(check(HOOK("/usr/bin/nvidia-ctk",
	                               "\"nvidia-ctk\",\"hook\",\"create-symlinks\",\"--link\","
	                               "\"libx.so.1::/usr/lib/libx.so\",\"--link=../y::/a/b\""),
	                          &links),
	                    "");
	autofree char *link_text = json_to_text(json_object_get(edits_of(links), "symlinks"));
	assert_string_equal(link_text, "[{\"path\":\"/usr/lib/libx.so\",\"target\":\"libx.so.1\"},"
	                               "{\"path\":\"/a/b\",\"target\":\"../y\"}]");
	assert_string_equal(check(HOOK("/opt/nvidia-cdi-hook",
	                               "\"nvidia-cdi-hook\",\"update-ldcache\",\"--folder\","
	                               "\"/usr/lib64\",\"--folder\",\"/usr/lib64\""),
	                          &folder),
	                    "");
	autofree char *folder_text =
	        json_to_text(json_object_get(edits_of(folder), "libraryFolders"));
	assert_string_equal(folder_text, "[\"/usr/lib64\"]");
	assert_string_equal(
	        check(HOOK("/usr/bin/nvidia-cdi-hook",
	                   "\"nvidia-cdi-hook\",\"chmod\",\"--mode\",\"755\",\"--path\","
	                   "\"/dev/dri\""),
	              &nothing),
	        "");
}

static void other_hooks(void **state)
{
	assert_string_equal(
	        check(HOOK("/bin/sh", "\"sh\",\"-c\",\"create-symlinks\""), NULL),
	        "the hook /bin/sh of device d is not run: hearth runs no hooks, and does "
	        "not know what this one is for\n");
	assert_non_null(strstr(check(HOOK("/usr/bin/nvidia-ctk", "\"nvidia-ctk\",\"hook\""), NULL),
	                       "is not run"));
	assert_non_null(strstr(check(HOOK("/usr/bin/nvidia-cdi-hook",
	                                  "\"x\",\"create-symlinks\",\"--link\",\"a::/dev/sda\""),
	                             NULL),
	                       "the link \"a::/dev/sda\" must be TARGET::PATH"));
	assert_non_null(strstr(
	        check(HOOK("/usr/bin/nvidia-cdi-hook", "\"x\",\"create-symlinks\",\"--link\""),
	              NULL),
	        "must be TARGET::PATH"));
	assert_non_null(strstr(check(HOOK("/usr/bin/nvidia-cdi-hook",
	                                  "\"x\",\"update-ldcache\",\"--folder\",\"/a:/b\""),
	                             NULL),
	                       "the folder \"/a:/b\" must be absolute"));
}

static json_t *edits(const struct cdi *cdi, struct error *err, const char *names)
{
	autojson json_t *list = json_array();
	json_t *all = NULL;

	for (; *names; names += strcspn(names, ",") + (names[strcspn(names, ",")] == ','))
		json_array_append_new(list, json_stringn(names, strcspn(names, ",")));
	return cdi_edits(cdi, list, &all, err) ? NULL : all;
}

#define FILE_WITH(kind, common, devices)                                                           \
	"{\"cdiVersion\":\"0.6.0\",\"kind\":\"" kind "\",\"containerEdits\":" common               \
	",\"devices\":[" devices "]}"
#define DEVICE(name, edits) "{\"name\":\"" name "\",\"containerEdits\":" edits "}"

static void count(void *arg, const char *name, const char *kind, const json_t *nodes)
{
	(void)buffer_printf(arg, "%s %s %s\n", name, kind,
	                    json_string_value(json_array_get(nodes, 0)));
}

static void several_folders(void **state)
{
	autobuffer struct buffer names = BUFFER_INIT(4096);
	struct error err = ERROR_INIT;

	put(0, "a.json",
	    FILE_WITH("v/c", "{\"env\":[\"A=1\",\"B=1\"]}",
	              DEVICE("x", NODE("/dev/low")) "," DEVICE("y", NODE("/dev/y"))));
	put(1, "b.yaml", FILE_WITH("v/c", "{\"env\":[\"A=2\"]}", DEVICE("x", NODE("/dev/high"))));
	put(1, "ignored.txt", "nonsense");
	put(1, ".hidden.json", "nonsense");
	struct cdi *cdi = cdi_new(folders, "off");
	assert_string_equal(cdi_warnings(cdi), "");
	cdi_each(cdi, count, &names);
	assert_string_equal(buffer_text(&names), "v/c=x v/c /dev/high\nv/c=y v/c /dev/y\n");
	autojson json_t *all = edits(cdi, &err, "v/c=y,v/c=x,v/c=y");
	autofree char *text = json_to_text(all);
	assert_string_equal(
	        text,
	        "{\"env\":[\"A=1\",\"B=1\",\"A=2\"],\"deviceNodes\":["
	        "{\"path\":\"/dev/y\",\"hostPath\":\"/dev/y\",\"permissions\":\"rwm\"},"
	        "{\"path\":\"/dev/high\",\"hostPath\":\"/dev/high\",\"permissions\":\"rwm\"}],"
	        "\"mounts\":[],\"additionalGids\":[],\"symlinks\":[],\"libraryFolders\":[]}");
	assert_null(edits(cdi, &err, "v/c=z"));
	assert_int_equal(err.code, E_NOT_FOUND);
	cdi_free(cdi);
}

static void rivals(void **state)
{
	autobuffer struct buffer names = BUFFER_INIT(4096);
	struct error err = ERROR_INIT;

	put(0, "a.json", FILE_WITH("v/c", "{}", DEVICE("x", NODE("/dev/a"))));
	put(0, "b.json", FILE_WITH("v/c", "{}", DEVICE("x", NODE("/dev/b")) "," DEVICE("z", "{}")));
	struct cdi *cdi = cdi_new(folders, "off");
	autofree char *wanted =
	        xasprintf("%s/b.json: device v/c=x is in %s/a.json, too: neither counts\n",
	                  folders[0], folders[0]);
	assert_string_equal(cdi_warnings(cdi), wanted);
	cdi_each(cdi, count, &names);
	assert_string_equal(buffer_text(&names), "v/c=z v/c (null)\n");
	assert_null(edits(cdi, &err, "v/c=x"));
	assert_int_equal(err.code, E_INVALID);
	cdi_free(cdi);
	/* A later folder decides. */
	put(1, "c.json", FILE_WITH("v/c", "{}", DEVICE("x", NODE("/dev/c"))));
	cdi = cdi_new(folders, "off");
	autojson json_t *all = edits(cdi, &err, "v/c=x");
	assert_non_null(all);
	cdi_free(cdi);
}

static void bad_ones_are_told(void **state)
{
	struct error err = ERROR_INIT;
	autofree char *link = xasprintf("%s/link.json", folders[0]);
	autofree char *open_file = xasprintf("%s/open.json", folders[0]);

	put(0, "broken.json", "{");
	put(0, "good.json", FILE_WITH("v/c", "{}", DEVICE("x", NODE("/dev/x"))));
	put(0, "hook.yml",
	    "cdiVersion: 0.5.0\nkind: v/h\ndevices: [{name: x, containerEdits: {hooks: [{path: "
	    "/h}]}}]\n");
	put(0, "open.json", FILE_WITH("v/o", "{}", DEVICE("x", NODE("/dev/x"))));
	assert_int_equal(chmod(open_file, 0666), 0);
	assert_int_equal(symlink("good.json", link), 0);
	struct cdi *cdi = cdi_new(folders, "off");
	const char *warnings = cdi_warnings(cdi);
	assert_non_null(strstr(warnings, "broken.json: the file is not valid JSON"));
	assert_non_null(strstr(warnings, "hook.yml: the hook /h of device x is not run"));
	assert_non_null(strstr(warnings, "open.json: it must belong to root"));
	assert_non_null(strstr(warnings, "link.json: it is a symbolic link"));
	assert_null(strstr(warnings, "good.json:"));
	autojson json_t *good = edits(cdi, &err, "v/c=x,v/h=x");
	assert_non_null(good);
	assert_null(edits(cdi, &err, "v/o=x"));
	cdi_free(cdi);
	assert_int_equal(chmod(folders[0], 0777), 0);
	cdi = cdi_new(folders, "off");
	assert_non_null(strstr(cdi_warnings(cdi), "others than root can write into the folder"));
	cdi_free(cdi);
	cdi = cdi_new(NULL, "off");
	assert_string_equal(cdi_warnings(cdi), "");
	cdi_free(cdi);
}

static void contradictions(void **state)
{
	struct error err = ERROR_INIT;

	put(0, "a.json",
	    FILE_WITH("v/c", "{}",
	              DEVICE("x", "{\"mounts\":[{\"hostPath\":\"/a\",\"containerPath\":\"/"
	                          "t\"}]}") "," DEVICE("y", "{\"mounts\":[{\"hostPath\":\"/"
	                                                    "b\",\"containerPath\":\"/t\"}]}")));
	struct cdi *cdi = cdi_new(folders, "off");
	autojson json_t *one = edits(cdi, &err, "v/c=x");
	assert_non_null(one);
	assert_null(edits(cdi, &err, "v/c=x,v/c=y"));
	assert_int_equal(err.code, E_INVALID);
	assert_non_null(strstr(err.text, "/t in the container would be both /a and /b"));
	cdi_free(cdi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(yaml),
	        cmocka_unit_test(yaml_bombs),
	        cmocka_unit_test(good_files),
	        cmocka_unit_test(bad_files),
	        cmocka_unit_test(known_hooks),
	        cmocka_unit_test(other_hooks),
	        cmocka_unit_test_setup(several_folders, clear),
	        cmocka_unit_test_setup(rivals, clear),
	        cmocka_unit_test_setup(bad_ones_are_told, clear),
	        cmocka_unit_test_setup(contradictions, clear),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
