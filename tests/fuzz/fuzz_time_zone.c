/* SPDX-License-Identifier: Apache-2.0 */
/* A TZif file: any bytes are refused, or give spans that follow one another without a hole. */
#include "job/time_zone.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct time_zone_span span, next;
	struct time_zone *zone;

	if (time_zone_parse(data, size, &zone, &err) < 0) {
		if (err.code != E_INVALID)
			abort();
		return 0;
	}
	time_zone_span_at(zone, INT64_MIN, &span);
	if (span.from != INT64_MIN)
		abort();
	while (span.until != INT64_MAX) {
		time_zone_span_at(zone, span.until, &next);
		if (next.from != span.until || next.until <= next.from ||
		    next.offset_s == span.offset_s || abs(next.offset_s) > 26 * 3600)
			abort();
		span = next;
	}
	time_zone_free(zone);
	return 0;
}
