/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of decreasing resolution on a virtual clock, and readers beside their writer. */
#include "log_folder.h"

#include "base/memory.h"
#include "container/metrics_writer.h"

#include <sys/wait.h>

#define DAY_S (24 * 3600)

static struct metrics_sample ring_samples[8000];

static struct metrics_writer *rings_open(const struct folder *f, uint32_t n_devices)
{
	struct metrics_header header = {
	        .n_devices = n_devices, .cpu_millis = 2000, .memory_limit_bytes = 1000};
	struct metrics_writer *w = NULL;
	struct error err = ERROR_INIT;

	for (uint32_t i = 0; i < n_devices; i++)
		snprintf(header.uuids[i], sizeof(header.uuids[i]), "GPU-%u", i);
	assert_int_equal(metrics_writer_open(f->fd, &header, &w, &err), 0);
	return w;
}

/* The CPU is used as the hour says, memory has one peak a day at its 100th second. */
static struct metrics_sample sample_at(int64_t second)
{
	struct metrics_sample sample = {
	        .at_ms = 1000 * (second + 1),
	        .cpu_used_millis = second / 3600 % 24 * 10,
	        .memory_bytes = second % DAY_S == 100 ? 900 : 100,
	        .rx_bits_per_s = second % 2 * 1000,
	        .tx_bits_per_s = 8,
	        .storage_bytes = second,
	};

	sample.devices[0] = (struct metrics_device){.utilization_pct = (int32_t)(second % 2 * 100),
	                                            .memory_bytes = second % 60};
	sample.devices[1] = (struct metrics_device){.utilization_pct = -1};
	return sample;
}

static int ring_read(const struct folder *f, int ring)
{
	struct metrics_header header;

	return metrics_file_read_ring(f->fd, ring, &header, ring_samples,
	                              (int)(sizeof(ring_samples) / sizeof(*ring_samples)));
}

/* Whatever the ring, its samples follow each other by its step and end with the newest. */
static void check_steps(int ring, int n, int64_t end_ms)
{
	int64_t step_ms = metrics_rings[ring].step_s * INT64_C(1000);

	for (int i = 1; i < n; i++)
		assert_int_equal(ring_samples[i].at_ms - ring_samples[i - 1].at_ms, step_ms);
	assert_in_range(end_ms - ring_samples[n - 1].at_ms, 0, step_ms - 1);
}

static void test_thirty_days(void **state)
{
	struct folder *f = *state;
	struct metrics_writer *w = rings_open(f, 2);
	struct metrics_header header;
	struct metrics_sample sample;
	struct stat st;
	int n;

	for (int64_t s = 0; s < 3 * DAY_S; s++) {
		sample = sample_at(s);
		metrics_writer_add(w, &sample, 1000);
	}
	n = ring_read(f, 0);
	assert_int_equal(n, 3599); /* one less: the writer may be at work on the oldest */
	check_steps(0, n, 3000LL * DAY_S);
	n = ring_read(f, 1);
	assert_int_equal(n, 5759);
	check_steps(1, n, 3000LL * DAY_S);
	n = ring_read(f, 2);
	assert_int_equal(n, 3 * 720);
	check_steps(2, n, 3000LL * DAY_S);
	assert_int_equal(ring_samples[0].memory_bytes, 900);
	assert_int_equal(ring_samples[1].memory_bytes, 100);
	assert_int_equal(ring_samples[719].storage_bytes, DAY_S - 1);
	n = ring_read(f, 3);
	assert_int_equal(n, 72);
	for (int i = 0; i < n; i++) {
		assert_int_equal(ring_samples[i].cpu_used_millis, i % 24 * 10);
		assert_int_equal(ring_samples[i].rx_bits_per_s, 500);
		assert_int_equal(ring_samples[i].tx_bits_per_s, 8);
		assert_int_equal(ring_samples[i].devices[0].utilization_pct, 50);
		assert_int_equal(ring_samples[i].devices[0].memory_bytes, 59);
		assert_int_equal(ring_samples[i].devices[1].utilization_pct, -1);
	}
	/* The machine sleeps a lot from now on: samples that last a minute. */
	for (int64_t s = 3 * DAY_S; s < 30 * DAY_S; s += 60) {
		sample = sample_at(s + 59);
		metrics_writer_add(w, &sample, 60000);
	}
	n = ring_read(f, 3);
	assert_int_equal(n, 720);
	check_steps(3, n, 30000LL * DAY_S);
	assert_int_equal(ring_samples[0].at_ms, 3600 * 1000);
	assert_true(metrics_file_read_header(f->fd, &header));
	assert_false(metrics_ring_is_whole(&header, 0));
	assert_false(metrics_ring_is_whole(&header, 2));
	assert_true(metrics_ring_is_whole(&header, 3));
	assert_string_equal(header.uuids[1], "GPU-1");
	metrics_writer_close(w);
	assert_int_equal(fstatat(f->fd, "metrics", &st, 0), 0);
	assert_in_range(st.st_size, 1, 2 * 1024 * 1024);
}

static void test_newest_only(void **state)
{
	struct folder *f = *state;
	struct metrics_writer *w = rings_open(f, 0);
	struct metrics_header header;
	struct metrics_sample sample, last[10];

	assert_int_equal(ring_read(f, 0), 0);
	for (int64_t s = 0; s < 4000; s++) {
		sample = sample_at(s);
		metrics_writer_add(w, &sample, 1000);
	}
	assert_int_equal(metrics_file_read_ring(f->fd, 0, &header, last, 10), 10);
	assert_int_equal(last[0].at_ms, 3991 * 1000);
	assert_int_equal(last[9].at_ms, 4000 * 1000);
	assert_true(metrics_file_read_last(f->fd, &header, &sample));
	assert_int_equal(sample.at_ms, 4000 * 1000);
	/* Begun intervals are written at the end. */
	assert_int_equal(ring_read(f, 1), 266);
	metrics_writer_close(w);
	assert_int_equal(ring_read(f, 1), 267);
	assert_int_equal(ring_samples[266].at_ms, 4000 * 1000);
	assert_int_equal(ring_read(f, 2), 34);
	assert_int_equal(ring_read(f, 3), 2);
}

/* Piece by piece what the ring has when it is asked for, though the writer goes on. */
static void test_piece_by_piece(void **state)
{
	struct folder *f = *state;
	struct metrics_writer *w = rings_open(f, 2);
	struct metrics_sample sample, piece[16];
	uint64_t next = 0, end = 3700;
	int64_t second = 0, last_ms = 0;
	int n, n_all = 0;

	assert_int_equal(metrics_file_read_next(f->fd, 0, &next, 0, piece, 16), 0);
	for (; second < 3700; second++) {
		sample = sample_at(second);
		metrics_writer_add(w, &sample, 1000);
	}
	while (next < end) {
		n = metrics_file_read_next(f->fd, 0, &next, end, piece, 16);
		assert_in_range(n, 1, 16);
		for (int i = 0; i < n; i++) {
			/* Without a gap, but for those that the writer overtakes below. */
			assert_in_range(piece[i].at_ms - last_ms, 1, last_ms ? 10000 : 102000);
			assert_int_equal(piece[i].devices[0].memory_bytes,
			                 (piece[i].at_ms / 1000 - 1) % 60);
			last_ms = piece[i].at_ms;
		}
		n_all += n;
		if (n_all == 160) {
			for (; second < 3870; second++) {
				sample = sample_at(second);
				metrics_writer_add(w, &sample, 1000);
			}
		}
	}
	assert_int_equal(last_ms, 3700 * 1000);
	assert_in_range(n_all, 3580, 3599);
	metrics_writer_close(w);
	assert_int_equal(unlinkat(f->fd, "metrics", 0), 0);
	next = 0;
	assert_int_equal(metrics_file_read_next(f->fd, 0, &next, end, piece, 16), -1);
	assert_int_equal(next, end);
}

/* Nothing but the first ring is of use, and so no other block of the disk is taken. */
static void test_short_jobs_are_small(void **state)
{
	struct folder *f = *state;
	struct metrics_writer *w = rings_open(f, 0);
	struct metrics_sample sample;
	struct stat st;

	for (int64_t s = 0; s < 14; s++) {
		sample = sample_at(s);
		metrics_writer_add(w, &sample, 1000);
	}
	metrics_writer_close(w);
	assert_int_equal(ring_read(f, 1), 0);
	assert_int_equal(fstatat(f->fd, "metrics", &st, 0), 0);
	assert_in_range(st.st_size, 1, 4096);
}

static void test_device_memory(void **state)
{
	struct folder *f = *state;
	struct metrics_writer *w = rings_open(f, 2);
	struct metrics_header header;

	metrics_writer_set_device_memory(w, 1, 80LL << 30);
	metrics_writer_set_device_memory(w, 2, 1);
	assert_true(metrics_file_read_header(f->fd, &header));
	assert_int_equal(header.device_memory_bytes[0], 0);
	assert_int_equal(header.device_memory_bytes[1], 80LL << 30);
	metrics_writer_close(w);
}

/* A monitor from before an upgrade still writes the first form. */
static void test_older_files(void **state)
{
	struct folder *f = *state;
	struct metrics_header header = {.magic = 0x31746d68u, .n_devices = 3600, .counts = {5, 5}};
	struct metrics_sample sample;
	int fd = openat(f->fd, "metrics", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, &header, sizeof(header)), sizeof(header));
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_false(metrics_file_read_header(f->fd, &header));
	assert_false(metrics_file_read_last(f->fd, &header, &sample));
	assert_int_equal(ring_read(f, 0), -1);
	/* More devices than there can be. */
	header = (struct metrics_header){.magic = METRICS_MAGIC, .n_devices = 17, .counts = {1}};
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_false(metrics_file_read_header(f->fd, &header));
	close(fd);
}

/* Another process writes as fast as it can, over and over its rings; what is read is whole and in
 * order. */
static void test_reader_beside_writer(void **state)
{
	struct folder *f = *state;
	struct metrics_writer *w = rings_open(f, 1);
	struct metrics_header header;
	pid_t pid = fork();

	if (pid == 0) {
		for (int64_t s = 0; s < 400000; s++) {
			struct metrics_sample sample = {.at_ms = 1000 * s,
			                                .memory_bytes = s,
			                                .tx_bits_per_s = s,
			                                .storage_bytes = s};
			sample.devices[0].memory_bytes = s;
			metrics_writer_add(w, &sample, 1000);
		}
		_exit(0);
	}
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		for (int ring = 0; ring < 2; ring++) {
			int n = metrics_file_read_ring(f->fd, ring, &header, ring_samples, 7000);
			int64_t step = metrics_rings[ring].step_s;

			assert_true(n >= 0);
			for (int i = 0; i < n; i++) {
				const struct metrics_sample *s = &ring_samples[i];

				assert_int_equal(s->memory_bytes, s->storage_bytes);
				assert_int_equal(s->memory_bytes, s->devices[0].memory_bytes);
				assert_int_equal(s->memory_bytes * 1000, s->at_ms);
				if (i > 0)
					assert_int_equal(s->at_ms - s[-1].at_ms, step * 1000);
			}
		}
	}
	metrics_writer_close(w);
}

#define T(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(test_thirty_days),          T(test_newest_only),   T(test_piece_by_piece),
	        T(test_short_jobs_are_small), T(test_device_memory), T(test_older_files),
	        T(test_reader_beside_writer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
