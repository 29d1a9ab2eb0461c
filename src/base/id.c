/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids: 8 digits of seconds, 8 digits of sub-second and counter, 8 random digits. The middle holds
 * the quarter-nanosecond of the second; an id that would not be greater than the last one takes
 * the last one's number plus one, so a clock that steps back cannot break the order.
 */
#include "base/id.h"
#include "base/random.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

static uint64_t last_stamp;

void id_new(char id[ID_SIZE])
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	uint64_t stamp = ((uint64_t)now.tv_sec << 32) + (uint64_t)now.tv_nsec * 4;
	if (stamp <= last_stamp)
		stamp = last_stamp + 1;
	last_stamp = stamp;
	uint32_t random;
	random_fill(&random, sizeof(random));
	(void)snprintf(id, ID_SIZE, "%016llx%08x", (unsigned long long)stamp, random);
}

bool id_is_valid(const char *text)
{
	int len = 0;
	for (; text[len]; len++) {
		char c = text[len];
		if (len >= ID_LENGTH || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return len == ID_LENGTH;
}
