/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's side of `metrics` (metrics_file.h): one sample per second comes in, and all rings
 * are kept up to date. It knows no clock: the caller says how long each sample lasted.
 */
#ifndef HEARTH_CONTAINER_METRICS_WRITER_H
#define HEARTH_CONTAINER_METRICS_WRITER_H

#include "base/error.h"
#include "container/metrics_file.h"

struct metrics_writer;

/* Makes the file, empty, for the folder's group to read. Of `header` n_devices, limits and uuids
 * are taken. */
int metrics_writer_open(int dir_fd, const struct metrics_header *header,
                        struct metrics_writer **ret, struct error *err);
/* What was measured over the last `lasted_ms`. A full disk costs samples, nothing else. */
void metrics_writer_add(struct metrics_writer *w, const struct metrics_sample *sample,
                        int64_t lasted_ms);
void metrics_writer_set_device_memory(struct metrics_writer *w, size_t device, int64_t bytes);
/* The begun intervals of coarser rings are written too, as far as somebody would look there. NULL
 * is fine. */
void metrics_writer_close(struct metrics_writer *w);

#endif
