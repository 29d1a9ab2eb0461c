/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of time_zone.h share. */
#ifndef HEARTH_JOB_TIME_ZONE_PRIVATE_H
#define HEARTH_JOB_TIME_ZONE_PRIVATE_H

#include "job/time_zone.h"

struct time_zone {
	struct time_zone *next;
	char name[TIME_ZONE_NAME_MAX + 1];
	int32_t first_offset_s; /* before the first change */
	size_t n, cap;
	int64_t *at;       /* changes, ascending */
	int32_t *offset_s; /* from that change on */
};

/* Add a change that comes after all others; one that changes nothing is left out. */
void time_zone_add(struct time_zone *zone, int64_t at_s, int32_t offset_s);
/* Carry the rule of a TZif footer ("CET-1CEST,M3.5.0,M10.5.0/3") on from `last_s`, the last time of
 * the list, to the last year. */
int time_zone_add_rule(struct time_zone *zone, const char *rule, int64_t last_s, struct error *err);

#endif
