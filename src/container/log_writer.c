/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log pump: reads the job's pipe, has the bytes cut into records (log_splitter.c) and appended
 * to the file (log_file.c). One read becomes one write. While the disk is full nothing is read, so
 * the job waits on its pipe; see log_writer.h for what happens when that lasts.
 */
#include "container/log_writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/log_file.h"
#include "container/log_splitter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPE_SIZE (1024 * 1024)
#define PARTIAL_MS 1000
#define QUIET_MS 1000
#define BIG_READ 16384
#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 2000
#define FINISH_MAX_MS 10000
/* Reads per callback: other descriptors (cancel!) get their turn after a megabyte. */
#define READS_PER_TURN 8

struct log_writer {
	struct log_file file;
	struct log_splitter splitter;
	struct poller *poller;
	struct poller_watch *watch;
	struct poller_timer *timer;
	int pipe_fd;
	size_t out_done;     /* of splitter.out: already in the file */
	bool file_continued; /* the last whole record before splitter.out is a 'c' */
	int64_t grown_ms;    /* when the last byte came */
	int64_t big_read_ms; /* when much came at once; -1: memory is given back since */
	int64_t give_up_ms;
	bool is_stalled; /* the disk took nothing */
	int64_t stalled_ms, retry_ms, retry_wait_ms;
	bool is_dropping; /* gave up: what the disk does not take at once is lost */
	int64_t lost_records;
	size_t notice_len; /* of the news about it, which is the first thing in `out`; 0: none */
	int64_t notice_records;
};

static void mark_made(void *arg, int64_t start, int64_t end, int64_t records)
{
	struct log_writer *w = arg;

	log_file_mark(&w->file, start, end, records);
	w->splitter.mark_at = w->file.next_mark;
}

int log_writer_open(int dir_fd, int64_t limit_bytes, int64_t give_up_ms, struct log_writer **ret,
                    struct error *err)
{
	struct log_writer *w = xcalloc(1, sizeof(*w));

	if (log_file_open(&w->file, dir_fd, limit_bytes, err) < 0) {
		free(w);
		return -1;
	}
	log_splitter_init(&w->splitter);
	w->splitter.out_base = w->file.size;
	w->splitter.mark_at = w->file.next_mark;
	w->splitter.mark = mark_made;
	w->splitter.mark_arg = w;
	w->pipe_fd = -1;
	w->big_read_ms = -1;
	w->give_up_ms = give_up_ms > 0 ? give_up_ms : LOG_GIVE_UP_MS;
	*ret = w;
	return 0;
}

static void pipe_close(struct log_writer *w)
{
	poller_unwatch(w->watch);
	w->watch = NULL;
	if (w->pipe_fd >= 0)
		close(w->pipe_fd);
	w->pipe_fd = -1;
}

void log_writer_free(struct log_writer *w)
{
	if (!w)
		return;
	pipe_close(w);
	poller_timer_free(w->timer);
	log_splitter_clear(&w->splitter);
	log_file_close(&w->file);
	free(w);
}

int log_writer_pipe(int *ret_read_fd, int *ret_write_fd, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail_errno(err, E_INTERNAL, errno, "the pipe for the log cannot be made");
	/* Only a matter of speed; a user's total pipe space is limited. */
	(void)fcntl(fds[0], F_SETPIPE_SZ, PIPE_SIZE);
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
		BUG("O_NONBLOCK on a pipe: %s", strerror(errno));
	*ret_read_fd = fds[0];
	*ret_write_fd = fds[1];
	return 0;
}

static size_t lines_count(const char *data, size_t len)
{
	size_t count = 0;

	for (const char *end = data + len; (data = memchr(data, '\n', (size_t)(end - data)));
	     data++)
		count++;
	return count;
}

/* Put the news about lost lines in front of what comes next. `out` is empty. */
static void notice_add(struct log_writer *w)
{
	struct log_splitter *s = &w->splitter;
	int64_t before = s->records;
	char text[128];

	(void)snprintf(text, sizeof(text),
	               "===== The disk was full: %" PRId64 " lines are missing here =====",
	               w->lost_records);
	s->is_continued = w->file_continued;
	s->is_flushed = true;
	log_splitter_time(s, clock_now_ms());
	(void)log_splitter_system(s, text);
	w->notice_len = s->out_len;
	w->notice_records = s->records - before;
}

/* Throw away what is in `out`; the file ends with a whole record again. */
static void out_drop(struct log_writer *w)
{
	struct log_splitter *s = &w->splitter;
	size_t whole = w->out_done;
	size_t lost;

	while (whole > 0 && s->out[whole - 1] != '\n')
		whole--;
	log_file_truncate(&w->file, (int64_t)(w->out_done - whole));
	if (whole > 0) {
		const char *line = whole > 1 ? memrchr(s->out, '\n', whole - 1) : NULL;

		w->file_continued = (line ? line + 1 : s->out)[14] == LOG_KIND_CONTINUED;
	}
	lost = lines_count(s->out + whole, s->out_len - whole);
	s->records -= (int64_t)lost;
	if (w->notice_len > 0 && whole >= w->notice_len)
		w->lost_records = 0; /* told; what follows is another gap */
	else
		w->lost_records -= w->notice_records;
	w->lost_records += (int64_t)lost;
	s->out_base = w->file.size;
	s->mark_at = w->file.next_mark;
	s->out_len = w->out_done = 0;
	w->is_dropping = true;
	w->is_stalled = false;
	notice_add(w);
}

static void stalled(struct log_writer *w, bool some_written)
{
	int64_t now_ms = clock_monotonic_ms();

	if (!w->is_stalled) {
		log_warning("the log cannot be written: %s; the job waits", strerror(errno));
		w->retry_wait_ms = RETRY_FIRST_MS;
	}
	if (!w->is_stalled || some_written)
		w->stalled_ms = now_ms;
	w->is_stalled = true;
	w->retry_ms = now_ms + w->retry_wait_ms;
	if (w->retry_wait_ms < RETRY_MAX_MS)
		w->retry_wait_ms *= 2;
}

static void out_written(struct log_writer *w)
{
	struct log_splitter *s = &w->splitter;

	if (w->is_stalled || w->is_dropping)
		log_info("the log can be written again");
	s->out_base = w->file.size;
	s->out_len = w->out_done = 0;
	w->file_continued = s->is_continued;
	w->is_stalled = w->is_dropping = false;
	w->lost_records = w->notice_records = 0;
	w->notice_len = 0;
}

/* Write what is in `out`. False: the disk does not take it now. */
static bool out_flush(struct log_writer *w)
{
	struct log_splitter *s = &w->splitter;
	size_t done = log_file_append(&w->file, s->out + w->out_done, s->out_len - w->out_done);

	w->out_done += done;
	if (w->out_done == s->out_len) {
		if (s->out_len > 0)
			out_written(w);
		return true;
	}
	if (w->is_dropping) {
		out_drop(w);
		return true;
	}
	stalled(w, done > 0);
	if (clock_monotonic_ms() - w->stalled_ms < w->give_up_ms)
		return false;
	log_warning("the log could not be written for %" PRId64 " s; lines are dropped",
	            w->give_up_ms / 1000);
	out_drop(w);
	return true;
}

/* Everything that is whole in the input goes to the file. False: the disk does not take it now. */
static bool process(struct log_writer *w)
{
	bool is_complete;

	do {
		is_complete = log_splitter_run(&w->splitter);
		if (!out_flush(w))
			return false;
	} while (!is_complete);
	return true;
}

static bool added(struct log_writer *w, size_t count)
{
	w->grown_ms = clock_monotonic_ms();
	if (count >= BIG_READ)
		w->big_read_ms = w->grown_ms;
	log_splitter_added(&w->splitter, count);
	log_splitter_time(&w->splitter, clock_now_ms());
	return process(w);
}

/* Bytes read and handed on; 0: nothing there now; -1: the pipe has no writer left. */
static ssize_t pipe_read(struct log_writer *w)
{
	size_t room;
	char *space = log_splitter_space(&w->splitter, &room);
	ssize_t n;

	do {
		n = read(w->pipe_fd, space, room);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		(void)added(w, (size_t)n);
		return n;
	}
	return n < 0 && errno == EAGAIN ? 0 : -1;
}

static void watch_start(struct log_writer *w);

static void timer_due(void *arg)
{
	struct log_writer *w = arg;

	poller_timer_set(w->timer, log_writer_tick(w, clock_monotonic_ms()));
	if (!w->watch && w->pipe_fd >= 0 && !w->is_stalled)
		watch_start(w);
}

static void pipe_ready(void *arg, uint32_t events)
{
	struct log_writer *w = arg;
	ssize_t n = LOG_READ_SIZE;

	(void)events;
	/* A short read means that the pipe is empty. */
	for (int i = 0; i < READS_PER_TURN && n == LOG_READ_SIZE && !w->is_stalled; i++)
		n = pipe_read(w);
	if (n < 0) {
		pipe_close(w);
	} else if (w->is_stalled) {
		/* Not even a hang-up may wake us until the disk takes more. */
		poller_unwatch(w->watch);
		w->watch = NULL;
	}
	poller_timer_set(w->timer, log_writer_tick(w, clock_monotonic_ms()));
}

static void watch_start(struct log_writer *w)
{
	w->watch = poller_watch(w->poller, w->pipe_fd, EPOLLIN, pipe_ready, w);
}

void log_writer_attach(struct log_writer *w, struct poller *poller, int take_fd)
{
	w->poller = poller;
	w->pipe_fd = take_fd;
	w->timer = poller_timer_new(poller, timer_due, w);
	watch_start(w);
}

void log_writer_system(struct log_writer *w, const char *text)
{
	log_splitter_time(&w->splitter, clock_now_ms());
	if (!log_splitter_system(&w->splitter, text))
		return; /* the disk is full and so is memory */
	(void)out_flush(w);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t log_writer_tick(struct log_writer *w, int64_t now_ms)
{
	struct log_splitter *s = &w->splitter;
	int64_t next_ms = -1;

	if (w->is_stalled && now_ms >= w->retry_ms)
		(void)process(w);
	if (!w->is_stalled && now_ms - w->grown_ms >= PARTIAL_MS && log_splitter_can_flush(s)) {
		log_splitter_time(s, clock_now_ms());
		log_splitter_flush(s, false);
		(void)out_flush(w);
	}
	if (w->big_read_ms >= 0 && now_ms - w->big_read_ms >= QUIET_MS && !w->is_stalled) {
		log_splitter_shrink(s);
		w->big_read_ms = -1;
	}
	if (w->is_stalled)
		return w->retry_ms;
	if (log_splitter_can_flush(s))
		next_ms = w->grown_ms + PARTIAL_MS;
	if (w->big_read_ms >= 0)
		next_ms = earlier(next_ms, w->big_read_ms + QUIET_MS);
	return next_ms;
}

/* Wait for the disk, but not for ever. */
static void disk_wait(struct log_writer *w, int64_t until_ms)
{
	while (w->is_stalled) {
		if (clock_monotonic_ms() >= until_ms) {
			out_drop(w);
			(void)process(w);
			return;
		}
		(void)usleep(20 * 1000);
		(void)process(w);
	}
}

void log_writer_feed(struct log_writer *w, const char *data, size_t len)
{
	while (len > 0) {
		size_t room;
		char *space = log_splitter_space(&w->splitter, &room);

		if (room > len)
			room = len;
		memcpy(space, data, room);
		data += room;
		len -= room;
		if (!added(w, room))
			disk_wait(w, clock_monotonic_ms() + w->give_up_ms);
	}
}

int log_writer_finish(struct log_writer *w, struct error *err)
{
	int64_t until_ms = clock_monotonic_ms() + FINISH_MAX_MS;

	disk_wait(w, until_ms);
	while (w->pipe_fd >= 0 && pipe_read(w) > 0)
		disk_wait(w, until_ms);
	pipe_close(w);
	disk_wait(w, until_ms);
	log_splitter_flush(&w->splitter, true);
	(void)out_flush(w);
	disk_wait(w, until_ms);
	if (w->timer)
		poller_timer_set(w->timer, -1);
	if (fdatasync(w->file.fd) < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "the log could not be made durable");
	if (w->is_dropping)
		return fail(err, E_UNAVAILABLE,
		            "the disk is full: %" PRId64 " lines at the end of the log are lost",
		            w->lost_records);
	return 0;
}

int64_t log_writer_bytes(const struct log_writer *w)
{
	return w->file.size;
}
