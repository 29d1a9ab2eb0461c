/* SPDX-License-Identifier: Apache-2.0 */
/* Short ids of devices: from the uuid, and never the same twice. */
#include "api/metrics_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_ids(void **state)
{
	static const char *const uuids[] = {
	        "GPU-8dcd2f1a-0c3e-4b52-9d3c-5f0c7d1e2a4b",
	        "GPU-8dcd2f1a-0000-0000-0000-000012345678", /* begins like the first */
	        "GPU-8dcd2f1a-1111-1111-1111-111112345678", /* and ends like the second */
	        "MIG-GPU-8DCD2F1A-0c3e-4b52-9d3c-5f0c7d1e2a4b/7/0",
	        "TPU-3",
	        "",
	        "",
	        "00000006", /* what the last one got */
	};
	struct metrics_header header = {.n_devices = sizeof(uuids) / sizeof(uuids[0])};
	char ids[METRICS_DEVICES_MAX][METRICS_SHORT_ID_SIZE];

	(void)state;
	for (uint32_t i = 0; i < header.n_devices; i++)
		snprintf(header.uuids[i], sizeof(header.uuids[i]), "%s", uuids[i]);
	metrics_json_ids(&header, ids);
	assert_string_equal(ids[0], "8dcd2f1a");
	assert_string_equal(ids[1], "12345678");
	assert_string_equal(ids[4], "00000003");
	assert_string_equal(ids[5], "00000000");
	for (uint32_t i = 0; i < header.n_devices; i++) {
		assert_int_equal(strlen(ids[i]), 8);
		assert_int_equal(strspn(ids[i], "0123456789abcdef"), 8);
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(ids[i], ids[k]);
	}
}

static void test_gpus(void **state)
{
	struct metrics_header header = {
	        .n_devices = 3,
	        .uuids = {"GPU-0000000a", "GPU-0000000b", "GPU-0000000c"},
	        .device_memory_bytes = {100, 200, 0},
	};
	struct metrics_sample sample = {
	        .devices = {{5, 37, 0}, {0, -1, 0}, {1, 1, 0}},
	};
	autobuffer struct buffer text = BUFFER_INIT(4096);

	(void)state;
	/* Neither one without a reading nor one of unknown size: clients divide by it. */
	assert_int_equal(metrics_json_write_gpus(&text, &header, &sample), 0);
	assert_string_equal(buffer_text(&text),
	                    ",\"gpus\":{\"0000000a\":{\"utilization\":37,\"memory_used_bytes\":5,"
	                    "\"memory_total_bytes\":100}}");
	header.n_devices = 0;
	buffer_reset(&text);
	assert_int_equal(metrics_json_write_gpus(&text, &header, &sample), 0);
	assert_string_equal(buffer_text(&text), ",\"gpus\":{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_ids),
	        cmocka_unit_test(test_gpus),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
