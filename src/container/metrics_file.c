/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the newest sample of a ring that its writer may be adding to (metrics_file.h). */
#include "container/metrics_file.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <unistd.h>

bool metrics_file_read_last(int dir_fd, struct metrics_header *ret_header,
                            struct metrics_sample *ret_sample)
{
	autoclose int fd = openat(dir_fd, "metrics", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct metrics_header header;
	struct metrics_sample sample;
	off_t at;

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return false;
	if (header.magic != METRICS_MAGIC || header.ring_size != METRICS_RING || header.count == 0)
		return false;
	at = (off_t)(sizeof(header) + (header.count - 1) % METRICS_RING * sizeof(sample));
	if (pread(fd, &sample, sizeof(sample), at) != (ssize_t)sizeof(sample))
		return false;
	*ret_header = header;
	*ret_sample = sample;
	return true;
}
