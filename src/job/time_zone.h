/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones of the system's zone database (/usr/share/zoneinfo, RFC 8536), for schedules. A zone
 * is a list of spans with a constant offset from UTC, until the end of the year 2200: where the
 * file's own list ends, its last rule is carried on. Zones are read once and kept while the process
 * lives.
 */
#ifndef HEARTH_JOB_TIME_ZONE_H
#define HEARTH_JOB_TIME_ZONE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define TIME_ZONE_NAME_MAX 64
#define TIME_ZONE_LAST_YEAR 2200

struct time_zone;

/* "Europe/Paris", "UTC". E_INVALID when the database has no such zone or its file is damaged. */
int time_zone_get(const char *name, const struct time_zone **ret, struct error *err);
const struct time_zone *time_zone_utc(void);
const char *time_zone_name(const struct time_zone *zone);

/* Seconds since 1970. `from` is INT64_MIN in the first span, `until` INT64_MAX in the last one. */
struct time_zone_span {
	int64_t from, until;
	int32_t offset_s; /* local = UTC + offset */
};
void time_zone_span_at(const struct time_zone *zone, int64_t at_s, struct time_zone_span *ret);

/* The bytes of a TZif file; yours to free. For time_zone_get() and the tests. */
int time_zone_parse(const void *data, size_t len, struct time_zone **ret, struct error *err);
void time_zone_free(struct time_zone *zone);

#endif
