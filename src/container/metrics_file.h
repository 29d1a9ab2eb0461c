/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `metrics` in the attempt folder: a header and a ring of fixed-size samples, one per second,
 * native-endian, written with pwrite: sample first, then the header's count. A reader that sees the
 * count sees the sample.
 */
#ifndef HEARTH_CONTAINER_METRICS_FILE_H
#define HEARTH_CONTAINER_METRICS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define METRICS_MAGIC 0x31746d68u /* "hmt1" */
#define METRICS_RING 3600

struct metrics_header {
	uint32_t magic;
	uint32_t ring_size;
	uint64_t count; /* samples ever written; the last one is at (count - 1) % ring_size */
	int64_t cpu_millis, memory_limit_bytes;
};

struct metrics_sample {
	int64_t at_ms;
	int64_t cpu_used_millis; /* thousandths of a core, averaged since the sample before */
	int64_t memory_bytes;	 /* working set: usage without inactive file cache */
	int64_t rx_bits_per_s, tx_bits_per_s;
	int64_t storage_bytes;
};

/* The newest sample; false while there is none. */
bool metrics_file_read_last(int dir_fd, struct metrics_header *ret_header,
			    struct metrics_sample *ret_sample);

#endif
