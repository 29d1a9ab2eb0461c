/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers in the query of a request. */
#ifndef HEARTH_API_QUERY_NUMBER_H
#define HEARTH_API_QUERY_NUMBER_H

#include "net/http_server.h"

#include <stdbool.h>
#include <stdint.h>

/* Sets *ret when the parameter is there; else *ret stays what it was. False, and *ret stays too: it is no
 * whole number from `min` to `max`; the caller has the sentence. */
bool query_number(const struct http_request *request, const char *name, int64_t min, int64_t max,
		  int64_t *ret);

#endif
