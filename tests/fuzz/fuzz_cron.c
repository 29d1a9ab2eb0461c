/* SPDX-License-Identifier: Apache-2.0 */
/* A cron expression, after eight bytes that say from when: any text is refused with a sentence or
 * has next times that rise, that do not depend on where one starts, and that its normal form has
 * too. */
#include "job/cron.h"

#include <stdlib.h>
#include <string.h>

#define RUNS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_check(const char *text, const struct cron *cron, int64_t after_s)
{
	struct error err = ERROR_INIT;
	char normal[CRON_TEXT_MAX + 2];
	struct cron again;

	cron_normalize(text, normal);
	if (cron_parse(normal, &again, &err) < 0 || cron_shortest_gap_s(cron) < 1)
		abort();
	for (int i = 0; i < RUNS; i++) {
		int64_t next_s = cron_next(cron, after_s);

		if (next_s != cron_next(&again, after_s) || next_s <= after_s)
			abort();
		if (next_s == CRON_NEVER)
			return;
		if (cron_next(cron, next_s - 1) != next_s ||
		    cron_next(cron, after_s + (next_s - after_s) / 2) !=
		            (after_s + (next_s - after_s) / 2 < next_s ? next_s
		                                                       : cron_next(cron, next_s)))
			abort();
		after_s = next_s;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct cron cron;
	uint64_t after;
	char *text;

	if (size < sizeof(after))
		return 0;
	memcpy(&after, data, sizeof(after));
	text = strndup((const char *)data + sizeof(after), size - sizeof(after));
	if (!text)
		abort();
	if (cron_parse(text, &cron, &err) == 0)
		fuzz_check(text, &cron, (int64_t)(after % ((uint64_t)7258118400 + 1000)));
	else if (strncmp(err.text, "Invalid schedule: ", 18) != 0 || strchr(err.text, '\n'))
		abort();
	free(text);
	return 0;
}
