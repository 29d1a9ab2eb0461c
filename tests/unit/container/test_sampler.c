/* SPDX-License-Identifier: Apache-2.0 */
/* Samples into the ring, and the newest one back. */
#include "log_folder.h"

#include "container/metrics_file.h"
#include "container/sampler.h"

struct cgroup_double {
	int64_t cpu_us, memory_bytes;
	bool is_gone;
};

static bool cgroup_double_read(void *arg, struct sampler_reading *ret)
{
	struct cgroup_double *c = arg;

	if (c->is_gone)
		return false;
	*ret = (struct sampler_reading){c->cpu_us, c->memory_bytes, 77};
	return true;
}

static void counter_set(const struct folder *f, const char *name, const char *text)
{
	int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static struct sampler *sampler_open(const struct folder *f, struct poller *poller,
                                    struct cgroup_double *c)
{
	struct sampler_options options = {.dir_fd = f->fd,
	                                  .cpu_millis = 2000,
	                                  .memory_limit_bytes = 1000000,
	                                  .rx_fd = openat(f->fd, "rx", O_RDONLY | O_CLOEXEC),
	                                  .tx_fd = openat(f->fd, "tx", O_RDONLY | O_CLOEXEC),
	                                  .read = cgroup_double_read,
	                                  .arg = c};
	struct sampler *sampler = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(sampler_new(poller, &options, &sampler, &err), 0);
	return sampler;
}

static void wait_for(struct poller *poller, int ms)
{
	int64_t end = clock_monotonic_ms() + ms;

	while (clock_monotonic_ms() < end)
		poller_turn(poller, (int)(end - clock_monotonic_ms()));
}

static void test_rates(void **state)
{
	struct folder *f = *state;
	struct poller *poller = poller_new();
	struct cgroup_double c = {0, 4096, false};
	struct metrics_header header;
	struct metrics_sample sample;
	struct sampler *sampler;
	int64_t first_ms, ms;

	counter_set(f, "rx", "1000\n");
	counter_set(f, "tx", "0\n");
	assert_false(metrics_file_read_last(f->fd, &header, &sample));
	sampler = sampler_open(f, poller, &c);
	assert_false(metrics_file_read_last(f->fd, &header, &sample));
	wait_for(poller, 150);
	assert_true(metrics_file_read_last(f->fd, &header, &sample));
	assert_int_equal(header.counts[0], 1);
	assert_int_equal(header.cpu_millis, 2000);
	assert_int_equal(header.memory_limit_bytes, 1000000);
	assert_int_equal(sample.memory_bytes, 4096);
	assert_int_equal(sample.storage_bytes, 77);
	assert_int_equal(sample.cpu_used_millis, 0);
	assert_int_equal(sample.rx_bits_per_s, 0);
	first_ms = sample.at_ms;
	/* One and a half seconds of a core; 1,000 bytes in, 500 out; over the time that passed. */
	c.cpu_us = 1500000;
	counter_set(f, "rx", "2000\n");
	counter_set(f, "tx", "500\n");
	wait_for(poller, 1000);
	assert_true(metrics_file_read_last(f->fd, &header, &sample));
	assert_int_equal(header.counts[0], 2);
	ms = sample.at_ms - first_ms;
	assert_in_range(sample.cpu_used_millis * ms / 1000, 1490, 1510);
	assert_in_range(sample.rx_bits_per_s * ms / 1000, 7900, 8100);
	assert_in_range(sample.tx_bits_per_s * ms / 1000, 3950, 4050);
	assert_in_range(sample.at_ms, clock_now_ms() - 900, clock_now_ms());
	sampler_free(sampler);
	poller_free(poller);
}

static void test_short_job_and_vanished_group(void **state)
{
	struct folder *f = *state;
	struct poller *poller = poller_new();
	struct cgroup_double c = {0, 1, false};
	struct metrics_header header;
	struct metrics_sample sample;
	struct sampler *sampler = sampler_open(f, poller, &c);

	/* Nothing yet, but enough time for a last sample. */
	(void)usleep(210 * 1000);
	sampler_free(sampler);
	assert_true(metrics_file_read_last(f->fd, &header, &sample));
	assert_int_equal(header.counts[0], 1);
	assert_int_equal(sample.rx_bits_per_s, 0);
	c.is_gone = true;
	sampler = sampler_open(f, poller, &c);
	wait_for(poller, 150);
	sampler_free(sampler);
	assert_false(metrics_file_read_last(f->fd, &header, &sample));
	poller_free(poller);
}

static void test_damaged_files(void **state)
{
	struct folder *f = *state;
	struct metrics_header header = {.magic = METRICS_MAGIC, .counts = {5}};
	struct metrics_sample sample;
	int fd = openat(f->fd, "metrics", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "short", 5), 5);
	assert_false(metrics_file_read_last(f->fd, &header, &sample));
	/* A count without its sample. */
	header = (struct metrics_header){.magic = METRICS_MAGIC, .counts = {5}};
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_false(metrics_file_read_last(f->fd, &header, &sample));
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(test_rates),
	        T(test_short_job_and_vanished_group),
	        T(test_damaged_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
