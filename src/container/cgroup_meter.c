/* SPDX-License-Identifier: Apache-2.0 */
/* Open files of a control group, read from their beginning again and again. See the header. */
#include "container/cgroup_meter.h"

#include "base/memory.h"

#include <stdlib.h>
#include <unistd.h>

#define TEXT_MAX 8192
/* How much of the file cache is idle is a long text, which costs as much as all else. It is asked
 * again after so many samples, or when the usage has moved by so much. */
#define CACHE_EVERY 10
#define CACHE_STEP_BYTES (1024 * 1024)
#define CACHE_STEP_PART 64

struct cgroup_meter {
	struct cgroup *cgroup;
	struct cgroup_source cpu, memory, cache;
	int64_t cache_bytes, cache_at_bytes; /* and the usage by then */
	int n_since;
};

struct cgroup_meter *cgroup_meter_new(struct cgroup *cgroup)
{
	struct cgroup_meter *meter = xcalloc(1, sizeof(*meter));

	meter->cgroup = cgroup;
	meter->cpu = cgroup_open_source(cgroup, CGROUP_CPU_US);
	meter->memory = cgroup_open_source(cgroup, CGROUP_MEMORY_BYTES);
	meter->cache = cgroup_open_source(cgroup, CGROUP_INACTIVE_FILE_BYTES);
	meter->n_since = CACHE_EVERY;
	return meter;
}

void cgroup_meter_free(struct cgroup_meter *meter)
{
	if (!meter)
		return;
	(void)close(meter->cpu.fd);
	(void)close(meter->memory.fd);
	(void)close(meter->cache.fd);
	free(meter);
}

static int64_t source_read(const struct cgroup_source *source)
{
	char text[TEXT_MAX];
	ssize_t n = pread(source->fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return (source->key ? cgroup_find_figure(text, source->key) : strtoll(text, NULL, 10)) /
	       source->divisor;
}

static void cache_refresh(struct cgroup_meter *meter, int64_t usage_bytes)
{
	int64_t moved = llabs(usage_bytes - meter->cache_at_bytes);

	if (++meter->n_since < CACHE_EVERY && moved < CACHE_STEP_BYTES &&
	    moved <= meter->cache_at_bytes / CACHE_STEP_PART)
		return;
	meter->cache_bytes = source_read(&meter->cache);
	meter->cache_at_bytes = usage_bytes;
	meter->n_since = 0;
}

void cgroup_meter_read(struct cgroup_meter *meter, struct cgroup_usage *ret)
{
	int64_t usage_bytes = source_read(&meter->memory);

	cache_refresh(meter, usage_bytes);
	*ret = (struct cgroup_usage){
	        .cpu_us = source_read(&meter->cpu),
	        .memory_bytes =
	                usage_bytes > meter->cache_bytes ? usage_bytes - meter->cache_bytes : 0,
	};
	cgroup_note_memory(meter->cgroup, ret->memory_bytes);
}
