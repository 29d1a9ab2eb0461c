/* SPDX-License-Identifier: Apache-2.0 */
/* Wall clock for people, monotonic clock for durations, and the timestamps of the API. */
#ifndef HEARTH_BASE_CLOCK_H
#define HEARTH_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void);	  /* Unix time in milliseconds */
int64_t clock_monotonic_ms(void); /* CLOCK_BOOTTIME: goes on during suspend */
int64_t clock_monotonic_us(void); /* the same in microseconds */

#define CLOCK_TEXT_SIZE 32
/* "2026-05-12T14:57:40.079Z": always three digits and Z (hub-jobs-api 0.4). Returns `text`. */
char *clock_format_iso(int64_t unix_ms, char text[CLOCK_TEXT_SIZE]);
/* "2026-05-12 14:57:40", UTC. Returns `text`. */
char *clock_format_plain(int64_t unix_ms, char text[CLOCK_TEXT_SIZE]);
/* Parses "YYYY-MM-DDTHH:MM:SS[.fraction]Z"; -1 if it is not that. */
int64_t clock_parse_iso(const char *text);

#endif
