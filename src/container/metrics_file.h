/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `metrics` in the attempt folder: a header, then rings of fixed-size samples, native-endian. The first ring has
 * one sample per second of the last hour; each further one is coarser and longer, so that what happened in the beginning
 * of a long job is known after its end. Written with pwrite: sample first, then the header's count. A reader that sees
 * the count sees the sample. The file never grows over 0.8 MiB without devices, and what was not written is a hole.
 */
#ifndef HEARTH_CONTAINER_METRICS_FILE_H
#define HEARTH_CONTAINER_METRICS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_MAGIC 0x32746d68u /* "hmt2" */
#define METRICS_RINGS 4
#define METRICS_DEVICES_MAX 16

/* Seconds per sample and samples: an hour, a day, a week, and 30 days with an hour's step to 72 days. */
extern const struct metrics_ring {
	uint32_t step_s, size;
} metrics_rings[METRICS_RINGS]; /* {1, 3600}, {15, 5760}, {120, 5040}, {3600, 1728} */

struct metrics_header {
	uint32_t magic;
	uint32_t n_devices;
	uint64_t counts[METRICS_RINGS]; /* samples ever written; the last one of ring r is at (counts[r] - 1) % size */
	int64_t cpu_millis, memory_limit_bytes;
	char uuids[METRICS_DEVICES_MAX][64];
	int64_t device_memory_bytes[METRICS_DEVICES_MAX];
};

/* In coarser rings averages of rates and utilization, and maxima of memory and storage. */
struct metrics_sample {
	int64_t at_ms;		 /* end of the interval */
	int64_t cpu_used_millis; /* thousandths of a core */
	int64_t memory_bytes;	 /* working set: usage without inactive file cache */
	int64_t rx_bits_per_s, tx_bits_per_s;
	int64_t storage_bytes;
	struct metrics_device {
		int64_t memory_bytes;
		int32_t utilization_pct; /* -1: no reading */
		int32_t unused;
	} devices[METRICS_DEVICES_MAX]; /* only n_devices of them are in the file */
};

/* Of one sample in the file, and of the `number`-th one ever written. */
size_t metrics_sample_size(uint32_t n_devices);
int64_t metrics_sample_offset(uint32_t n_devices, int ring, uint64_t number);

/* True when the ring still has the beginning of the attempt. */
bool metrics_ring_is_whole(const struct metrics_header *header, int ring);

/* False when there is no file of this form (an older version's is none). */
bool metrics_file_read_header(int dir_fd, struct metrics_header *ret);
/* The newest sample; false while there is none. */
bool metrics_file_read_last(int dir_fd, struct metrics_header *ret_header,
			    struct metrics_sample *ret_sample);
/* Samples of one ring, oldest first, at most `max` of the newest; the writer may be at work. Returns how
 * many; -1: no file. */
int metrics_file_read_ring(int dir_fd, int ring, struct metrics_header *ret_header,
			   struct metrics_sample *ret, int max);
/* The same piece by piece: at most `max` samples from number `*number` on, which becomes that of the next one,
 * and `end` when no more come. 0 may also mean that the writer was faster. */
int metrics_file_read_next(int dir_fd, int ring, uint64_t *number, uint64_t end,
			   struct metrics_sample *ret, int max);

#endif
