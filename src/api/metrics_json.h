/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of metrics that the stream and the history write alike. */
#ifndef HEARTH_API_METRICS_JSON_H
#define HEARTH_API_METRICS_JSON_H

#include "base/buffer.h"
#include "container/metrics_file.h"

#define METRICS_SHORT_ID_SIZE 9

/* Eight hex digits for each device, from its uuid, and never the same twice. */
void metrics_json_ids(const struct metrics_header *header,
                      char ret[METRICS_DEVICES_MAX][METRICS_SHORT_ID_SIZE]);
/* ,"gpus":{…} of hub-jobs-api 2.8. Devices without a reading are left out: clients cannot show
 * them. */
int metrics_json_write_gpus(struct buffer *ret, const struct metrics_header *header,
                            const struct metrics_sample *sample);

#endif
