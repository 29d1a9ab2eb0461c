/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's program of the benchmarks, static, so that it needs nothing of an image:
 *
 *	probe start              print the real time in ns: the first thing it does
 *	probe lines COUNT PAUSE  a line with the real time, then a pause of PAUSE us
 *	probe noise COUNT        numbered lines of 100 bytes, as fast as they are taken
 *	probe check COUNT        (outside) are the lines of `noise` all in this log?
 *	probe seen SIZE FILE     "waiting"; the real time when FILE is that large and read
 *	probe read COUNT FILE    the real time after its first byte and after COUNT bytes
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE 100
#define LINES_PER_WRITE 640
#define READ_SIZE (1 << 20)

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void print_time(int64_t ns)
{
	(void)dprintf(1, "%lld\n", (long long)ns);
}

static int print_lines(long count, long pause_us)
{
	for (long i = 0; i < count; i++) {
		print_time(now_ns());
		(void)usleep((useconds_t)pause_us);
	}
	return 0;
}

/* One more, in digits. */
static void count_up(char *digits, size_t n)
{
	while (n-- > 0) {
		if (digits[n] != '9') {
			digits[n]++;
			return;
		}
		digits[n] = '0';
	}
}

static int write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(1, data, len);

		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int make_noise(long count)
{
	static char block[LINE * LINES_PER_WRITE];
	char number[12];

	memset(number, '0', sizeof(number));
	memset(block, 'x', sizeof(block));
	while (count > 0) {
		long n = count < LINES_PER_WRITE ? count : LINES_PER_WRITE;

		for (long i = 0; i < n; i++) {
			memcpy(block + i * LINE, number, sizeof(number));
			block[i * LINE + LINE - 1] = '\n';
			count_up(number, sizeof(number));
		}
		if (write_all(block, (size_t)n * LINE) < 0)
			return 1;
		count -= n;
	}
	return 0;
}

/* Records: 16 bytes of time and kind, then the line (container/log_format.h). */
static int check_log(long count)
{
	char *line = NULL;
	size_t size = 0;
	long seen = 0;

	for (ssize_t n; (n = getline(&line, &size, stdin)) > 0;) {
		if (n < 16 || line[14] == 's')
			continue;
		if (n != 16 + LINE || strtol(line + 16, NULL, 10) != seen) {
			printf("after %ld lines: %.60s\n", seen, line);
			return 1;
		}
		seen++;
	}
	printf("%ld lines\n", seen);
	return seen != count;
}

static int wait_for_file(long size, const char *path)
{
	struct stat status;
	char last;

	(void)dprintf(1, "waiting\n");
	while (stat(path, &status) < 0 || status.st_size != size)
		(void)usleep(1000);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &last, 1, size - 1) != 1)
		return 1;
	print_time(now_ns());
	return 0;
}

static int read_file(long count, const char *path)
{
	static char block[READ_SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, block, 1) != 1)
		return 1;
	print_time(now_ns());
	for (long done = 1; done < count;) {
		ssize_t n = read(fd, block, sizeof(block));
		if (n <= 0)
			return 1;
		done += n;
	}
	print_time(now_ns());
	return 0;
}

int main(int argc, char **argv)
{
	int64_t start_ns = now_ns();
	const char *what = argc > 1 ? argv[1] : "start";
	long count = argc > 2 ? atol(argv[2]) : 0;

	if (strcmp(what, "lines") == 0)
		return print_lines(count, argc > 3 ? atol(argv[3]) : 0);
	if (strcmp(what, "noise") == 0)
		return make_noise(count);
	if (strcmp(what, "check") == 0)
		return check_log(count);
	if (strcmp(what, "seen") == 0 && argc > 3)
		return wait_for_file(count, argv[3]);
	if (strcmp(what, "read") == 0 && argc > 3)
		return read_file(count, argv[3]);
	print_time(start_ns);
	return 0;
}
