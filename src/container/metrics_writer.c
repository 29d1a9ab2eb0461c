/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of decreasing resolution. Each coarser one gathers what the seconds bring until its step is
 * full. */
#include "container/metrics_writer.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HALF_SECOND_MS 500

/* Sums are weighted with milliseconds: intervals of uneven length count as long as they lasted. */
struct gathering {
	int64_t ms, device_ms[METRICS_DEVICES_MAX];
	double cpu, rx, tx, utilization[METRICS_DEVICES_MAX];
	struct metrics_sample peak; /* largest memory and storage */
};

struct metrics_writer {
	int fd;
	struct metrics_header header;
	struct gathering gatherings[METRICS_RINGS]; /* the first is not used */
};

static void header_write(const struct metrics_writer *w, size_t offset, size_t size)
{
	(void)!pwrite(w->fd, (const char *)&w->header + offset, size, (off_t)offset);
}

/* The sample first, then the count that lets readers see it. */
static void ring_write(struct metrics_writer *w, int ring, const struct metrics_sample *sample)
{
	size_t size = metrics_sample_size(w->header.n_devices);
	off_t at = metrics_sample_offset(w->header.n_devices, ring, w->header.counts[ring]);

	if (pwrite(w->fd, sample, size, at) != (ssize_t)size)
		return;
	w->header.counts[ring]++;
	header_write(w, offsetof(struct metrics_header, counts) + (size_t)ring * sizeof(uint64_t),
	             sizeof(uint64_t));
}

int metrics_writer_open(int dir_fd, const struct metrics_header *header,
                        struct metrics_writer **ret, struct error *err)
{
	struct metrics_writer *w;
	int fd = openat(dir_fd, "metrics", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
	                0640);

	if (fd < 0 || fchmod(fd, 0640) < 0) {
		int saved = errno;

		if (fd >= 0)
			close(fd);
		return fail_errno(err, E_INTERNAL, saved, "the metrics file cannot be made");
	}
	w = xcalloc(1, sizeof(*w));
	w->fd = fd;
	w->header = *header;
	w->header.magic = METRICS_MAGIC;
	memset(w->header.counts, 0, sizeof(w->header.counts));
	if (w->header.n_devices > METRICS_DEVICES_MAX)
		w->header.n_devices = METRICS_DEVICES_MAX;
	header_write(w, 0, sizeof(w->header));
	*ret = w;
	return 0;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void gather(struct gathering *g, const struct metrics_sample *sample, uint32_t n_devices,
                   int64_t ms)
{
	g->ms += ms;
	g->cpu += (double)sample->cpu_used_millis * (double)ms;
	g->rx += (double)sample->rx_bits_per_s * (double)ms;
	g->tx += (double)sample->tx_bits_per_s * (double)ms;
	g->peak.at_ms = sample->at_ms;
	g->peak.memory_bytes = larger(g->peak.memory_bytes, sample->memory_bytes);
	g->peak.storage_bytes = larger(g->peak.storage_bytes, sample->storage_bytes);
	for (uint32_t i = 0; i < n_devices; i++) {
		const struct metrics_device *device = &sample->devices[i];

		if (device->utilization_pct < 0)
			continue;
		g->device_ms[i] += ms;
		g->utilization[i] += (double)device->utilization_pct * (double)ms;
		g->peak.devices[i].memory_bytes =
		        larger(g->peak.devices[i].memory_bytes, device->memory_bytes);
	}
}

/* Writes what was gathered, and begins anew. */
static void finish(struct metrics_writer *w, int ring)
{
	struct gathering *g = &w->gatherings[ring];
	struct metrics_sample *sample = &g->peak;

	sample->cpu_used_millis = (int64_t)(g->cpu / (double)g->ms + 0.5);
	sample->rx_bits_per_s = (int64_t)(g->rx / (double)g->ms + 0.5);
	sample->tx_bits_per_s = (int64_t)(g->tx / (double)g->ms + 0.5);
	for (uint32_t i = 0; i < w->header.n_devices; i++)
		sample->devices[i].utilization_pct =
		        g->device_ms[i] > 0
		                ? (int32_t)(g->utilization[i] / (double)g->device_ms[i] + 0.5)
		                : -1;
	ring_write(w, ring, sample);
	memset(g, 0, sizeof(*g));
}

void metrics_writer_add(struct metrics_writer *w, const struct metrics_sample *sample,
                        int64_t lasted_ms)
{
	int64_t ms = lasted_ms > 0 ? lasted_ms : 1;

	ring_write(w, 0, sample);
	for (int ring = 1; ring < METRICS_RINGS; ring++) {
		gather(&w->gatherings[ring], sample, w->header.n_devices, ms);
		/* Ticks come a little early or late: the nearest one ends the interval. */
		if (w->gatherings[ring].ms >=
		    metrics_rings[ring].step_s * INT64_C(1000) - HALF_SECOND_MS)
			finish(w, ring);
	}
}

void metrics_writer_set_device_memory(struct metrics_writer *w, size_t device, int64_t bytes)
{
	if (device >= w->header.n_devices || w->header.device_memory_bytes[device] == bytes)
		return;
	w->header.device_memory_bytes[device] = bytes;
	header_write(
	        w, offsetof(struct metrics_header, device_memory_bytes) + device * sizeof(int64_t),
	        sizeof(int64_t));
}

void metrics_writer_close(struct metrics_writer *w)
{
	if (!w)
		return;
	/* A short job leaves one block of the disk, not one per ring. */
	for (int ring = 1; ring < METRICS_RINGS; ring++) {
		bool is_needed = w->header.counts[ring] > 0 ||
		                 w->header.counts[ring - 1] >= metrics_rings[ring - 1].size;

		if (is_needed && w->gatherings[ring].ms > 0)
			finish(w, ring);
	}
	close(w->fd);
	free(w);
}
