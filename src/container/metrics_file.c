/* SPDX-License-Identifier: Apache-2.0 */
/* Reading rings that their writer may be adding to (metrics_file.h). */
#include "container/metrics_file.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct metrics_ring metrics_rings[METRICS_RINGS] = {
        {1, 3600},
        {15, 5760},
        {120, 5040},
        {3600, 1728},
};

size_t metrics_sample_size(uint32_t n_devices)
{
	return offsetof(struct metrics_sample, devices) + n_devices * sizeof(struct metrics_device);
}

int64_t metrics_sample_offset(uint32_t n_devices, int ring, uint64_t number)
{
	uint64_t place = number % metrics_rings[ring].size;

	for (int i = 0; i < ring; i++)
		place += metrics_rings[i].size;
	return (int64_t)(sizeof(struct metrics_header) + place * metrics_sample_size(n_devices));
}

bool metrics_ring_is_whole(const struct metrics_header *header, int ring)
{
	return header->counts[ring] < metrics_rings[ring].size;
}

static int metrics_open(int dir_fd, struct metrics_header *ret)
{
	autoclose int fd = openat(dir_fd, "metrics", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct metrics_header header;

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    header.magic != METRICS_MAGIC || header.n_devices > METRICS_DEVICES_MAX)
		return -1;
	for (size_t i = 0; i < METRICS_DEVICES_MAX; i++)
		header.uuids[i][sizeof(header.uuids[i]) - 1] = '\0';
	*ret = header;
	return take_fd(&fd);
}

bool metrics_file_read_header(int dir_fd, struct metrics_header *ret)
{
	autoclose int fd = metrics_open(dir_fd, ret);

	return fd >= 0;
}

bool metrics_file_read_last(int dir_fd, struct metrics_header *ret_header,
                            struct metrics_sample *ret_sample)
{
	struct metrics_header header;
	struct metrics_sample sample = {0};
	autoclose int fd = metrics_open(dir_fd, &header);
	size_t size;

	if (fd < 0 || header.counts[0] == 0)
		return false;
	size = metrics_sample_size(header.n_devices);
	if (pread(fd, &sample, size,
	          metrics_sample_offset(header.n_devices, 0, header.counts[0] - 1)) !=
	    (ssize_t)size)
		return false;
	*ret_header = header;
	*ret_sample = sample;
	return true;
}

/* Samples number `first` … `last` - 1, with one or two reads. Returns how many came. */
static uint64_t metrics_read_run(int fd, uint32_t n_devices, int ring, uint64_t first,
                                 uint64_t last, char *data)
{
	size_t size = metrics_sample_size(n_devices);
	uint64_t done = 0;

	while (first + done < last) {
		uint64_t place = (first + done) % metrics_rings[ring].size;
		uint64_t n = metrics_rings[ring].size - place;
		ssize_t len;

		if (n > last - first - done)
			n = last - first - done;
		len = pread(fd, data + done * size, n * size,
		            metrics_sample_offset(n_devices, ring, first + done));
		if (len < (ssize_t)size)
			break;
		done += (uint64_t)len / size;
	}
	return done;
}

/* The same, but for those that the writer has written over meanwhile. -1: the file cannot be read.
 */
static int metrics_read_range(int fd, uint32_t n_devices, int ring, uint64_t first, uint64_t last,
                              struct metrics_sample *ret)
{
	uint64_t now[METRICS_RINGS], ring_size = metrics_rings[ring].size, lost = 0, done;
	size_t size = metrics_sample_size(n_devices);
	autofree char *data = xcalloc(last - first + 1, size);

	done = metrics_read_run(fd, n_devices, ring, first, last, data);
	/* The writer has gone on, and may be writing just now: over the oldest samples. */
	if (pread(fd, now, sizeof(now), offsetof(struct metrics_header, counts)) != sizeof(now))
		return -1;
	if (now[ring] + 1 > first + ring_size)
		lost = now[ring] + 1 - ring_size - first;
	if (lost > done)
		lost = done;
	for (uint64_t i = lost; i < done; i++) {
		ret[i - lost] = (struct metrics_sample){0};
		memcpy(&ret[i - lost], data + i * size, size);
	}
	return (int)(done - lost);
}

int metrics_file_read_ring(int dir_fd, int ring, struct metrics_header *ret_header,
                           struct metrics_sample *ret, int max)
{
	struct metrics_header header;
	autoclose int fd = metrics_open(dir_fd, &header);
	uint64_t first, count, ring_size = metrics_rings[ring].size;

	if (fd < 0)
		return -1;
	count = header.counts[ring];
	first = count > ring_size ? count - ring_size : 0;
	if (max >= 0 && count - first > (uint64_t)max)
		first = count - (uint64_t)max;
	int n = metrics_read_range(fd, header.n_devices, ring, first, count, ret);
	if (n >= 0)
		*ret_header = header;
	return n;
}

int metrics_file_read_next(int dir_fd, int ring, uint64_t *number, uint64_t end,
                           struct metrics_sample *ret, int max)
{
	struct metrics_header header;
	autoclose int fd = metrics_open(dir_fd, &header);
	uint64_t first = *number, last, count, ring_size = metrics_rings[ring].size;

	*number = end;
	if (fd < 0)
		return -1;
	count = header.counts[ring];
	if (count > ring_size && first < count - ring_size)
		first = count - ring_size;
	last = end < count ? end : count;
	if (first >= last)
		return 0;
	if (last - first > (uint64_t)max)
		last = first + (uint64_t)max;
	if (last < count)
		*number = last;
	return metrics_read_range(fd, header.n_devices, ring, first, last, ret);
}
