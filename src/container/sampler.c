/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sample per second: rates are differences to the sample before, over the time that really
 * passed. The ticks keep their phase, so that a busy second does not shift all later ones.
 */
#include "container/sampler.h"

#include "base/clock.h"
#include "base/memory.h"
#include "container/device_watch.h"
#include "container/metrics_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_MS 100
#define PERIOD_MS 1000
#define LAST_MIN_MS 200

struct sampler {
	struct sampler_options options;
	struct poller_timer *timer;
	struct metrics_writer *writer;
	int64_t next_ms;
	int64_t last_us, last_cpu_us, last_rx, last_tx;
};

/* A decimal number of sysfs; -1 when the link is gone. */
static int64_t counter_read(int fd)
{
	char text[32];
	ssize_t n;

	if (fd < 0)
		return -1;
	n = pread(fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return strtoll(text, NULL, 10);
}

static int64_t rate(int64_t now, int64_t before, int64_t per_second, int64_t us)
{
	if (now < before || before < 0 || us <= 0)
		return 0;
	return (int64_t)((double)(now - before) * (double)per_second * 1e6 / (double)us);
}

/* What the devices last said, if that was lately. */
static void devices_read(struct sampler *s, struct metrics_sample *sample)
{
	size_t n = device_watch_count(s->options.devices);

	for (size_t i = 0; i < n && i < METRICS_DEVICES_MAX; i++) {
		struct device_reading reading;

		device_watch_read(s->options.devices, i, &reading);
		sample->devices[i].utilization_pct = reading.utilization_pct;
		sample->devices[i].memory_bytes = reading.memory_used_bytes;
		if (reading.memory_total_bytes > 0)
			metrics_writer_set_device_memory(s->writer, i, reading.memory_total_bytes);
	}
}

static void sample_take(struct sampler *s)
{
	struct sampler_reading reading = {0};
	struct metrics_sample sample;
	int64_t now_us = clock_monotonic_us();
	int64_t us = now_us - s->last_us;
	int64_t rx = counter_read(s->options.rx_fd);
	int64_t tx = counter_read(s->options.tx_fd);

	if (!s->options.read(s->options.arg, &reading))
		return;
	sample = (struct metrics_sample){
	        .at_ms = clock_now_ms(),
	        .cpu_used_millis = rate(reading.cpu_us, s->last_cpu_us, 1000, us) / 1000000,
	        .memory_bytes = reading.memory_bytes,
	        .rx_bits_per_s = rate(rx, s->last_rx, 8, us),
	        .tx_bits_per_s = rate(tx, s->last_tx, 8, us),
	        .storage_bytes = reading.storage_bytes,
	};
	s->last_us = now_us;
	s->last_cpu_us = reading.cpu_us;
	s->last_rx = rx;
	s->last_tx = tx;
	devices_read(s, &sample);
	metrics_writer_add(s->writer, &sample, us / 1000);
}

static void timer_due(void *arg)
{
	struct sampler *s = arg;
	int64_t now_ms = clock_monotonic_ms();

	sample_take(s);
	s->next_ms += PERIOD_MS;
	if (s->next_ms <= now_ms)
		s->next_ms = now_ms + PERIOD_MS;
	poller_timer_set(s->timer, s->next_ms);
}

int sampler_new(struct poller *poller, const struct sampler_options *options, struct sampler **ret,
                struct error *err)
{
	struct sampler *s;
	struct metrics_writer *writer = NULL;
	struct metrics_header header = {
	        .cpu_millis = options->cpu_millis,
	        .memory_limit_bytes = options->memory_limit_bytes,
	        .n_devices = (uint32_t)device_watch_count(options->devices),
	};

	for (size_t i = 0; i < header.n_devices && i < METRICS_DEVICES_MAX; i++)
		(void)snprintf(header.uuids[i], sizeof(header.uuids[i]), "%s",
		               device_watch_uuid(options->devices, i));
	if (metrics_writer_open(options->dir_fd, &header, &writer, err) < 0)
		return -1;
	s = xcalloc(1, sizeof(*s));
	s->options = *options;
	s->writer = writer;
	s->last_us = clock_monotonic_us();
	s->last_rx = counter_read(options->rx_fd);
	s->last_tx = counter_read(options->tx_fd);
	s->timer = poller_timer_new(poller, timer_due, s);
	s->next_ms = clock_monotonic_ms() + FIRST_MS;
	poller_timer_set(s->timer, s->next_ms);
	*ret = s;
	return 0;
}

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	if (clock_monotonic_us() - s->last_us >= LAST_MIN_MS * 1000)
		sample_take(s);
	poller_timer_free(s->timer);
	metrics_writer_close(s->writer);
	if (s->options.rx_fd >= 0)
		close(s->options.rx_fd);
	if (s->options.tx_fd >= 0)
		close(s->options.tx_fd);
	free(s);
}
