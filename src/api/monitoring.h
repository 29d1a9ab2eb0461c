/* SPDX-License-Identifier: Apache-2.0 */
/* Counters behind /metrics. */
#ifndef HEARTH_API_MONITORING_H
#define HEARTH_API_MONITORING_H

#include "api/api.h"
#include "base/buffer.h"

#include <stdint.h>

struct api_metrics;

struct api_metrics *monitoring_new(void);
void monitoring_free(struct api_metrics *metrics);
void monitoring_count_request(struct api_metrics *metrics, int status, int64_t micros);
/* Streams that are open now: +1 and -1. */
void monitoring_count_stream(struct api_metrics *metrics, int change);

/* devices.c */
void devices_write_metrics(struct buffer *out, struct api *api);

#endif
