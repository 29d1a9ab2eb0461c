/* SPDX-License-Identifier: Apache-2.0 */
/* Cron expressions by themselves: for each line "EXPRESSION<TAB>SECONDS" on standard input the next
 * time in Unix seconds, "never", or "error: SENTENCE". With --speed: nanoseconds per next time
 * instead. */
#include "job/cron.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEED_ROUNDS 100000

static void print_speed(const struct cron *cron, int64_t after_s)
{
	int64_t begin_us = clock_monotonic_us(), sum = 0;

	for (int i = 0; i < SPEED_ROUNDS; i++)
		sum += cron_next(cron, after_s + i * INT64_C(7919));
	printf("%" PRId64 "%s\n", (clock_monotonic_us() - begin_us) * 1000 / SPEED_ROUNDS,
	       sum ? "" : " ");
}

static void answer(const char *text, int64_t after_s, bool is_speed)
{
	struct error err = ERROR_INIT;
	struct cron cron;
	int64_t next_s;

	if (cron_parse(text, &cron, &err) < 0) {
		printf("error: %s\n", err.text);
		return;
	}
	if (is_speed) {
		print_speed(&cron, after_s);
		return;
	}
	next_s = cron_next(&cron, after_s);
	if (next_s == CRON_NEVER)
		printf("never\n");
	else
		printf("%" PRId64 "\n", next_s);
}

int main(int argc, char **argv)
{
	bool is_speed = argc > 1 && strcmp(argv[1], "--speed") == 0;
	char line[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		char *tab = strchr(line, '\t');

		if (!tab)
			return 2;
		*tab = '\0';
		answer(line, strtoll(tab + 1, NULL, 10), is_speed);
	}
	return 0;
}
