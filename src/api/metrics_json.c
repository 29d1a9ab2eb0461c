/* SPDX-License-Identifier: Apache-2.0 */
/* Devices as clients see them: by a short id. See the header. */
#include "api/metrics_json.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DIGITS (METRICS_SHORT_ID_SIZE - 1)

/* The first hex digits of a uuid, or the last ones. The words in front ("GPU-", "MIG-") have none.
 */
static void digits_of(const char *uuid, bool from_end, char ret[METRICS_SHORT_ID_SIZE])
{
	char all[64] = "";
	size_t n = 0;

	for (const char *c = uuid; *c && n < sizeof(all); c++)
		if (isxdigit((unsigned char)*c))
			all[n++] = (char)tolower((unsigned char)*c);
	memset(ret, '0', DIGITS);
	ret[DIGITS] = '\0';
	if (n >= DIGITS)
		memcpy(ret, all + (from_end ? n - DIGITS : 0), DIGITS);
	else
		memcpy(ret + DIGITS - n, all, n);
}

static bool is_taken(char ids[METRICS_DEVICES_MAX][METRICS_SHORT_ID_SIZE], uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(ids[i], ids[n]) == 0)
			return true;
	return false;
}

void metrics_json_ids(const struct metrics_header *header,
                      char ret[METRICS_DEVICES_MAX][METRICS_SHORT_ID_SIZE])
{
	for (uint32_t i = 0; i < header->n_devices; i++) {
		digits_of(header->uuids[i], false, ret[i]);
		if (is_taken(ret, i))
			digits_of(header->uuids[i], true, ret[i]);
		for (uint32_t other = i; is_taken(ret, i); other += METRICS_DEVICES_MAX)
			(void)snprintf(ret[i], sizeof(ret[i]), "%08" PRIx32, other);
	}
}

int metrics_json_write_gpus(struct buffer *ret, const struct metrics_header *header,
                            const struct metrics_sample *sample)
{
	char ids[METRICS_DEVICES_MAX][METRICS_SHORT_ID_SIZE];
	int failed = buffer_add_text(ret, ",\"gpus\":{");
	bool is_first = true;

	metrics_json_ids(header, ids);
	for (uint32_t i = 0; i < header->n_devices; i++) {
		const struct metrics_device *device = &sample->devices[i];

		if (device->utilization_pct < 0 || header->device_memory_bytes[i] <= 0)
			continue;
		failed |= buffer_printf(ret,
		                        "%s\"%s\":{\"utilization\":%" PRId32
		                        ",\"memory_used_bytes\":%" PRId64
		                        ",\"memory_total_bytes\":%" PRId64 "}",
		                        is_first ? "" : ",", ids[i], device->utilization_pct,
		                        device->memory_bytes, header->device_memory_bytes[i]);
		is_first = false;
	}
	return failed | buffer_add_byte(ret, '}');
}
