/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, sizes and small numbers as people write and read them. */
#ifndef HEARTH_BASE_QUANTITY_H
#define HEARTH_BASE_QUANTITY_H

#include "base/error.h"

#include <stdint.h>

#define QUANTITY_TEXT_SIZE 32

/* "90", "1.5h", "30m", "2d", "10s": seconds. `what` names the field. E_INVALID. */
int quantity_parse_seconds(const char *text, const char *what, int64_t *ret, struct error *err);
/* "512M", "512MiB", "16G", "16GB", "1024": bytes. K, M, G, T and Ki… are powers of 1024, KB, MB,
 * GB, TB powers of 1000. E_INVALID. */
int quantity_parse_bytes(const char *text, const char *what, int64_t *ret, struct error *err);
/* "1.5", "2", "0.1": thousandths (1500, 2000, 100). E_INVALID. */
int quantity_parse_millis(const char *text, const char *what, int64_t *ret, struct error *err);

/* "0.40", "12", "$0.0167": micro-USD, at most `max_usd`. Exact: never rounded. E_INVALID for what is negative,
 * finer than a micro-USD, or too much. */
int quantity_parse_usd(const char *text, const char *what, int64_t max_usd, int64_t *ret, struct error *err);

char *quantity_format_bytes(int64_t bytes, char text[QUANTITY_TEXT_SIZE]);     /* "512 MiB" */
char *quantity_format_duration(int64_t seconds, char text[QUANTITY_TEXT_SIZE]); /* "1m 32s", "2h" */
/* "$0.0167", "$12.50", "-$0.000001": exact, with two decimals at least. */
char *quantity_format_usd(int64_t micro_usd, char text[QUANTITY_TEXT_SIZE]);

#endif
