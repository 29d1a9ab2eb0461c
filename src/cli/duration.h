/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and sizes in the forms of the command line (hub-jobs-api 10.1, 10.3, 10.4). */
#ifndef HEARTH_CLI_DURATION_H
#define HEARTH_CLI_DURATION_H

#include "base/error.h"

#include <stdint.h>

#define DURATION_TEXT_SIZE 32

/* Of a job: "2h", "1.5h", "30m", "90s", "2d", or whole seconds. Zero is allowed: the server says
 * no. */
int duration_parse_timeout(const char *text, int64_t *ret_seconds, struct error *err);
/* Of `wait`: a whole number with s m h d w mo y, or whole seconds. */
int duration_parse_wait(const char *text, int64_t *ret_seconds, struct error *err);
/* "45s", "1m 32s", "2h 15m"; negative is unknown: "--". Returns `text`. */
char *duration_format(int64_t seconds, char text[DURATION_TEXT_SIZE]);
/* Decimal, one digit: "999.0", "1.3M", "15.0G". Returns `text`. */
char *duration_format_size(double number, char text[DURATION_TEXT_SIZE]);

#endif
