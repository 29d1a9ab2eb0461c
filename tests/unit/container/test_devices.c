/* SPDX-License-Identifier: Apache-2.0 */
/* Variables, hidden paths and mounts of a job with devices. */
#include "base/cleanup.h"
#include "container/devices_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct device_node nodes[2];
static struct device_file files[2];
static struct devices devices;

static int set_up(void **state)
{
	nodes[0] = (struct device_node){.path = (char *)(uintptr_t) "/dev/nvidia0"};
	nodes[1] = (struct device_node){.path = (char *)(uintptr_t) "/dev/nvidiactl"};
	files[0] = (struct device_file){
	        .fd = -1, .target = (char *)(uintptr_t) "/usr/local/nvidia/bin/nvidia-smi"};
	files[1] = (struct device_file){
	        .fd = -1,
	        .target = (char *)(uintptr_t) "/opt/lib",
	        .place = (char *)(uintptr_t) "/other/lib",
	        .is_folder = true,
	        .is_recursive = true,
	};
	files[0].place = files[0].target;
	devices = (struct devices){.nodes = nodes, .n_nodes = 2, .files = files, .n_files = 2};
	devices.edits =
	        json_pack("{s:[s, s], s:[s, s]}", "env", "A=spec", "NVIDIA_VISIBLE_DEVICES=0",
	                  "libraryFolders", "/opt/lib", "/usr/local/nvidia/lib64");
	return 0;
}

static int tear_down(void **state)
{
	json_decref(devices.edits);
	return 0;
}

static void expect(const json_t *value, const char *wanted)
{
	autofree char *text = json_to_text(value);

	assert_string_equal(text, wanted);
}

static void variables(void **state)
{
	autojson json_t *none = json_array();
	autojson json_t *some = json_pack("[s,s,s,s]", "LD_LIBRARY_PATH=/a:/opt/lib", "A=user",
	                                  "PATH=/bin", "AB=1");

	devices_set_env(&devices, none);
	expect(none, "[\"A=spec\",\"NVIDIA_VISIBLE_DEVICES=void\","
	             "\"LD_LIBRARY_PATH=/opt/lib:/usr/local/nvidia/lib64\","
	             "\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:"
	             "/usr/local/nvidia/bin\"]");
	devices_set_env(&devices, some);
	expect(some,
	       "[\"LD_LIBRARY_PATH=/a:/opt/lib:/usr/local/nvidia/lib64\",\"A=spec\","
	       "\"PATH=/bin:/usr/local/nvidia/bin\",\"AB=1\",\"NVIDIA_VISIBLE_DEVICES=void\"]");
	devices_set_env(&devices, some); /* changes nothing any more */
	assert_int_equal(json_array_size(some), 5);
}

static void variables_without_devices(void **state)
{
	autojson json_t *plain = json_pack("[s]", "NVIDIA_VISIBLE=1");
	autojson json_t *greedy = json_pack("[s,s]", "NVIDIA_VISIBLE_DEVICES=all", "X=1");

	devices_set_env(NULL, plain);
	expect(plain, "[\"NVIDIA_VISIBLE=1\"]");
	devices_set_env(NULL, greedy);
	expect(greedy, "[\"NVIDIA_VISIBLE_DEVICES=void\",\"X=1\"]");
}

static void hidden_paths(void **state)
{
	autojson json_t *none = json_array(), *card = json_array(), *slice = json_array();

	devices_add_masks(NULL, none);
	expect(none, "[\"/proc/driver/nvidia\"]");
	devices_add_masks(&devices, card);
	expect(card, "[\"/proc/driver/nvidia/capabilities\"]");
	nodes[1].path = (char *)(uintptr_t) "/dev/nvidia-caps/nvidia-cap12";
	devices_add_masks(&devices, slice);
	expect(slice, "[]");
}

static void mounts(void **state)
{
	autojson json_t *list = json_array();

	devices_add_mounts(&devices, list);
	expect(json_array_get(list, 0),
	       "{\"source\":\"/tmp/devices/node0\",\"target\":\"/dev/nvidia0\","
	       "\"read_only\":false,\"is_device\":true}");
	expect(json_array_get(list, 3),
	       "{\"source\":\"/tmp/devices/file1\",\"target\":\"/other/lib\","
	       "\"read_only\":true,\"is_recursive\":true}");
	assert_int_equal(json_array_size(list), 4);
	devices_add_mounts(NULL, list);
	assert_int_equal(json_array_size(list), 4);
}

static void programs(void **state)
{
	assert_true(devices_have_program(&devices, "nvidia-smi"));
	assert_true(devices_have_program(&devices, "/usr/local/nvidia/bin/nvidia-smi"));
	assert_false(devices_have_program(&devices, "/bin/nvidia-smi"));
	assert_false(devices_have_program(&devices, "lib"));
	assert_false(devices_have_program(NULL, "nvidia-smi"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        TEST(variables), TEST(variables_without_devices), TEST(hidden_paths), TEST(mounts),
	        TEST(programs),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
