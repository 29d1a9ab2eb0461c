/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of hearth-devices, what is remembered of devices, and programs that say nothing or
 * nonsense. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "job/device_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static json_t *line_of(const char *text)
{
	struct error err = ERROR_INIT;
	json_t *line;

	if (json_parse(text, strlen(text), "line", &line, &err) < 0)
		fail_msg("%s", err.text);
	return line;
}

static struct device make(const char *name, const char *uuid)
{
	struct device device = {.memory_bytes = 80, .numa_node = 1, .is_healthy = true};

	snprintf(device.name, sizeof(device.name), "nvidia.com/gpu=%s", name);
	snprintf(device.kind, sizeof(device.kind), "nvidia.com/gpu");
	snprintf(device.model, sizeof(device.model), "NVIDIA A100");
	snprintf(device.uuid, sizeof(device.uuid), "%s", uuid);
	return device;
}

static void test_lines(void **state)
{
	static const char *const bad[] = {
	        "{}",
	        "[]",
	        "{\"name\":\"a/b=c\"}",
	        "{\"kind\":\"a/b\"}",
	        "{\"name\":\"a/b\",\"kind\":\"a/b\"}",
	        "{\"name\":\"a/b=c,d\",\"kind\":\"a/b\"}",
	        "{\"name\":\"a/b=c d\",\"kind\":\"a/b\"}",
	        "{\"name\":\"a/b=c\\n\",\"kind\":\"a/b\"}",
	        "{\"name\":\"a/b=c\",\"kind\":\"ab\"}",
	        "{\"name\":\"a/b=c\",\"kind\":\"a/b\",\"memory\":-1}",
	        "{\"name\":\"a/b=c\",\"kind\":\"a/"
	        "b\",\"slice\":\"0123456789012345678901234567890123\"}",
	};
	struct device device;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autojson json_t *line = line_of(bad[i]);
		if (device_from_json(line, &device))
			fail_msg("taken: %s", bad[i]);
	}
	autojson json_t *line = line_of("{\"type\":\"device\",\"name\":\"a/b=c\",\"kind\":\"a/"
	                                "b\",\"model\":\"M\",\"slice\":\"\","
	                                "\"uuid\":\"u\",\"parent\":\"p\",\"memory\":7,\"numa\":1,"
	                                "\"healthy\":false,\"fault\":\"x\"}");
	assert_true(device_from_json(line, &device));
	assert_string_equal(device.fault, "x");
	assert_false(device.is_healthy);
	autojson json_t *again = device_to_json(&device);
	struct device copy;
	assert_true(device_from_json(again, &copy));
	assert_memory_equal(&device, &copy, sizeof(copy));
}

static int open_folder(char path[32])
{
	memcpy(path, "/tmp/hearth-unit.XXXXXX", sizeof("/tmp/hearth-unit.XXXXXX"));
	assert_non_null(mkdtemp(path));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void remove_folder(int fd, const char *path)
{
	(void)unlinkat(fd, "devices.json", 0);
	(void)unlinkat(fd, "program", 0);
	close(fd);
	rmdir(path);
}

static void test_record(void **state)
{
	struct device seen[2] = {make("0", "GPU-a"), make("1", "GPU-b")}, known[DEVICES_MAX];
	char path[32];
	int fd = open_folder(path);
	size_t n = 1;

	autojson json_t *none = device_record_load(fd, DAY_MS);
	assert_int_equal(json_array_size(none), 0);
	device_record_save(fd, none, DAY_MS, seen, 2);
	autojson json_t *record = device_record_load(fd, 2 * DAY_MS);
	assert_int_equal(json_array_size(record), 2);

	/* One is listed without its driver's words, the other not at all. */
	known[0] = make("0", "");
	known[0].model[0] = '\0';
	known[0].is_healthy = false;
	device_record_apply(record, known, &n);
	assert_int_equal(n, 2);
	assert_string_equal(known[0].model, "NVIDIA A100");
	assert_string_equal(known[0].uuid, "GPU-a");
	assert_false(known[0].is_healthy);
	assert_string_equal(known[1].name, "nvidia.com/gpu=1");

	/* Who is seen again is kept for another week, who is not is forgotten after his. */
	device_record_save(fd, record, 5 * DAY_MS, seen, 1);
	autojson json_t *later = device_record_load(fd, 9 * DAY_MS);
	assert_int_equal(json_array_size(later), 1);
	assert_string_equal(json_get_text(json_array_get(later, 0), "name", ""),
	                    "nvidia.com/gpu=0");
	remove_folder(fd, path);
}

static void test_damaged_record(void **state)
{
	char path[32];
	int fd = open_folder(path);
	int file = openat(fd, "devices.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(file >= 0);
	assert_int_equal(write(file, "{\"devices\":[7", 13), 13);
	close(file);
	autojson json_t *record = device_record_load(fd, DAY_MS);
	assert_int_equal(json_array_size(record), 0);
	remove_folder(fd, path);
}

/* `script` as hearth-devices. */
static int list(const char *script, int64_t timeout_ms, size_t *ret_n, struct error *err)
{
	static struct device devices[DEVICES_MAX];
	char path[32], program[64];
	int fd = open_folder(path);
	int file = openat(fd, "program", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	struct configuration *configuration = configuration_new();
	struct device_child child = {.configuration = configuration,
	                             .program = program,
	                             .input = BUFFER_INIT(64 * 1024)};

	snprintf(program, sizeof(program), "%s/program", path);
	assert_int_equal(write(file, script, strlen(script)), strlen(script));
	close(file);
	int rc = device_child_list(&child, true, timeout_ms, devices, ret_n, err);
	device_child_kill(&child);
	configuration_free(configuration);
	remove_folder(fd, path);
	return rc;
}

static void test_listing(void **state)
{
	struct error err = ERROR_INIT;
	size_t n = 0;

	assert_int_equal(
	        list("#!/bin/sh\n[ \"$*\" = 'list --nvml auto --cdi-dir /etc/cdi --cdi-dir "
	             "/var/run/cdi' ] || exit 1\n"
	             "echo '{\"name\":\"a/b=c\",\"kind\":\"a/b\"}'\necho nonsense\n"
	             "echo '{\"name\":\"a/b=d\",\"kind\":\"a/b\"}'\n",
	             10000, &n, &err),
	        0);
	assert_int_equal(n, 2);
	assert_int_equal(list("#!/bin/sh\nkill -SEGV $$\n", 10000, &n, &err), -1);
	assert_non_null(strstr(err.text, "/program failed"));
	/* One that hangs is not waited for. */
	int64_t start_ms = clock_monotonic_ms();
	assert_int_equal(list("#!/bin/sh\nexec sleep 1000\n", 300, &n, &err), -1);
	assert_non_null(strstr(err.text, "did not answer"));
	assert_true(clock_monotonic_ms() - start_ms >= 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_lines),
	        cmocka_unit_test(test_record),
	        cmocka_unit_test(test_damaged_record),
	        cmocka_unit_test(test_listing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
