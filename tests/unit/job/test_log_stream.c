/* SPDX-License-Identifier: Apache-2.0 */
/* Log streams over attempt folders made here: the same bytes whatever the space, plain or packed.
 */
#include "../unit.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/spawner_link.h"
#include "container/attempt_folder.h"
#include "container/log_format.h"
#include "container/log_writer.h"
#include "job/active.h"
#include "job/log_stream.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define JOB "687fb701029421ae5549d998"
#define FIRST_MS 1778597860000

static struct job_service service;
static char root[32];
static int root_fd = -1;
static struct active_job *active;
static int64_t next_ms;
static int wakes;

static void add_job(void)
{
	struct account user;
	struct error err = ERROR_INIT;
	if (accounts_create(service.db, "alice", ACCOUNT_USER, &user, &err) < 0)
		fail_msg("%s", err.text);
	struct job_record job = {.id = JOB, .created_ms = 1, .attempts = 3, .timeout_s = 60};
	memcpy(job.namespace_id, user.id, sizeof(user.id));
	memcpy(job.created_by_id, user.id, sizeof(user.id));
	job.flavor = (char *)"cpu-basic";
	job.spec = json_object();
	job.labels = json_object();
	job.initiator = json_object();
	char existing[ID_SIZE] = "";
	if (jobs_insert(service.db, &job, "", 0, NULL, NULL, existing, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(job.spec);
	json_decref(job.labels);
	json_decref(job.initiator);
}

static int set_up(void **state)
{
	struct error err = ERROR_INIT;
	(void)snprintf(root, sizeof(root), "/tmp/hearth-test-XXXXXX");
	if (!mkdtemp(root) || file_open_dir(root, 0700, &root_fd, &err) < 0)
		return -1;
	memset(&service, 0, sizeof(service));
	service.loop = loop_new();
	service.attempts_fd = root_fd;
	autofree char *path = xasprintf("%s/db", root);
	if (database_open(path, &service.db, &err) < 0)
		fail_msg("%s", err.text);
	add_job();
	next_ms = FIRST_MS;
	wakes = 0;
	return 0;
}

static void set_live(int number)
{
	if (!active) {
		active = xcalloc(1, sizeof(*active));
		memcpy(active->entry.id, JOB, ID_SIZE);
		id_table_add(&service.active, &active->entry);
	}
	active->number = number;
}

static void settle(void)
{
	if (active) {
		id_table_remove(&service.active, &active->entry);
		free(active);
		active = NULL;
	}
	watch_tell(&service, JOB);
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;
	settle();
	id_table_clear(&service.active, NULL);
	id_table_clear(&service.watched, NULL);
	database_close(service.db);
	loop_free(service.loop);
	(void)close(root_fd);
	return file_remove_tree(AT_FDCWD, root, &err);
}

/* A folder for the attempt, and its row. */
static int make_folder(int number)
{
	struct error err = ERROR_INIT;
	struct attempt_record attempt = {
	        .job_id = JOB, .number = number, .slot = number, .created_ms = 1, .exit_code = -1};
	struct attempt_record last;
	char name[SPAWN_NAME_MAX];
	int fd = -1;
	if (!attempts_find_last(service.db, JOB, &last) || last.number < number)
		attempts_insert(service.db, &attempt);
	spawn_name_format(name, JOB, number);
	if (file_open_subdir(root_fd, name, 0750, &fd, &err) < 0)
		fail_msg("%s", err.text);
	return fd;
}

static void add_record(int dir, char kind, const void *text, size_t len)
{
	autoclose int fd = openat(dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	autofree char *record = xmalloc(len + 32);
	int head = sprintf(record, "%013lld %c ", (long long)next_ms++, kind);
	memcpy(record + head, text, len);
	record[(size_t)head + len] = '\n';
	assert_int_equal(write(fd, record, (size_t)head + len + 1),
	                 (ssize_t)((size_t)head + len + 1));
}

static void add_text(int dir, char kind, const char *text)
{
	add_record(dir, kind, text, strlen(text));
}

static void write_exit(int dir)
{
	struct exit_record record = {.outcome = OUTCOME_EXITED};
	struct error err = ERROR_INIT;
	assert_int_equal(exit_record_write(dir, &record, &err), 0);
}

static void on_wake(void *arg)
{
	wakes++;
}

static void run_loop(int ms)
{
	int64_t end = clock_monotonic_ms() + ms;
	while (clock_monotonic_ms() < end) {
		uv_run(loop_uv(service.loop), UV_RUN_NOWAIT);
		(void)usleep(1000);
	}
}

/* All that is there now; returns the last answer of fill: 0 or -1. */
static ssize_t drain(struct log_stream *stream, size_t max, struct buffer *ret)
{
	autofree char *space = xmalloc(max);
	for (;;) {
		ssize_t n;
		do {
			wakes = 0;
			n = log_stream_fill(stream, space, max);
		} while (n == 0 && wakes > 0);
		if (n <= 0)
			return n;
		assert_true((size_t)n <= max);
		assert_int_equal(buffer_add(ret, space, (size_t)n), 0);
	}
}

static char *read_all(int64_t tail, size_t max)
{
	struct log_stream *stream = log_stream_new(&service, JOB, tail, on_wake, NULL);
	struct buffer text = BUFFER_INIT(64 << 20);
	assert_int_equal(drain(stream, max, &text), -1);
	log_stream_free(stream);
	return buffer_take(&text);
}

/* The `data` texts of all events, each checked for form; joined by '|'. */
static char *lines_of(const char *events)
{
	struct buffer lines = BUFFER_INIT(64 << 20);
	while (*events) {
		const char *end = strstr(events, "\n\n");
		assert_non_null(end);
		if (events[0] != ':') {
			assert_memory_equal(events, "data: {", 7);
			for (const char *p = events; p < end; p++)
				assert_in_range(*p, 0x20, 0x7e);
			autojson json_t *event = json_loadb(events + 6, (size_t)(end - events) - 6,
			                                    JSON_ALLOW_NUL, NULL);
			if (!event)
				fail_msg("%.100s", events);
			assert_true(clock_parse_iso(json_get_text(event, "timestamp", "")) >=
			            FIRST_MS);
			assert_int_equal(buffer_printf(&lines, "%s%s", lines.len ? "|" : "",
			                               json_get_text(event, "data", "?")),
			                 0);
		}
		events = end + 2;
	}
	return buffer_take(&lines);
}

static void check_lines(int64_t tail, const char *want)
{
	autofree char *events = read_all(tail, 32768);
	autofree char *lines = lines_of(events);
	assert_string_equal(lines, want);
}

static void renders_lines(void **state)
{
	autoclose int dir = make_folder(1);
	add_text(dir, 's', "===== Job started at 2026-05-12 14:57:43 =====");
	add_text(dir, 'o', "plain \"text\" \\");
	add_record(dir, 'o', "nul\0 esc\x1b cr\r tab\t", 18);
	add_text(dir, 'o', "");
	add_text(dir, 'o', "\xe2\x80\xa8 \xc2\x85 \xf0\x9f\x94\xa5 \xff \xe2\x82");
	write_exit(dir);
	autofree char *events = read_all(-1, 4096);
	assert_string_equal(events,
	                    "data: {\"data\":\"===== Job started at 2026-05-12 14:57:43 =====\","
	                    "\"timestamp\":\"2026-05-12T14:57:40.000Z\"}\n\n"
	                    "data: {\"data\":\"plain \\\"text\\\" "
	                    "\\\\\",\"timestamp\":\"2026-05-12T14:57:40.001Z\"}\n\n"
	                    "data: {\"data\":\"nul\\u0000 esc\\u001b cr\\r tab\\t\","
	                    "\"timestamp\":\"2026-05-12T14:57:40.002Z\"}\n\n"
	                    "data: {\"data\":\"\",\"timestamp\":\"2026-05-12T14:57:40.003Z\"}\n\n"
	                    "data: {\"data\":\"\\u2028 \\u0085 \\ud83d\\udd25 \\ufffd \\ufffd\","
	                    "\"timestamp\":\"2026-05-12T14:57:40.004Z\"}\n\n");
}

/* Lines of all kinds and lengths; returns how many events they are. */
static int add_random_lines(int dir, int count)
{
	int events = 0;
	autofree char *text = xmalloc(LOG_PIECE_MAX);
	for (int i = 0; i < count; i++) {
		size_t len = (size_t)(rand() % 20 == 0 ? rand() % LOG_PIECE_MAX : rand() % 100);
		for (size_t k = 0; k < len; k++) {
			text[k] = (char)(rand() % 10 ? 'a' + rand() % 26 : rand() % 256);
			if (text[k] == '\n')
				text[k] = ' ';
		}
		bool is_continued = rand() % 8 == 0;
		add_record(dir, is_continued ? 'c' : 'o', text, len);
		events += !is_continued;
	}
	add_text(dir, 'o', "end");
	return events + 1;
}

static void space_does_not_matter(void **state)
{
	static const size_t sizes[] = {64, 65, 100, 1000, 4096, 32768, 1 << 20, 1, 3, 13, 40};
	autoclose int dir = make_folder(1);
	srand(5);
	int count = add_random_lines(dir, 300);
	write_exit(dir);
	autofree char *want = read_all(-1, 65536);
	int found = 0;
	for (const char *p = want; (p = strstr(p, "data: {\"data\":\"")); p++)
		found++;
	assert_int_equal(found, count);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		autofree char *got = read_all(-1, sizes[i]);
		assert_string_equal(got, want);
	}
	/* And spaces that change from call to call. */
	struct log_stream *stream = log_stream_new(&service, JOB, -1, on_wake, NULL);
	autobuffer struct buffer text = BUFFER_INIT(64 << 20);
	char space[500];
	ssize_t n;
	while ((n = log_stream_fill(stream, space, (size_t)(1 + rand() % 499))) > 0)
		assert_int_equal(buffer_add(&text, space, (size_t)n), 0);
	assert_int_equal(n, -1);
	assert_string_equal(text.data, want);
	log_stream_free(stream);
}

static void joins_long_lines(void **state)
{
	autoclose int dir = make_folder(1);
	autofree char *piece = xmalloc(LOG_PIECE_MAX + 1);
	memset(piece, 'x', LOG_PIECE_MAX);
	piece[LOG_PIECE_MAX] = '\0';
	add_text(dir, 'o', "before");
	for (int i = 0; i < 160; i++) /* 10 MB */
		add_record(dir, 'c', piece, LOG_PIECE_MAX);
	add_text(dir, 'o', "end");
	add_text(dir, 'o', "after");
	add_text(dir, 'c', "cut by");
	add_text(dir, 's', "a line of ours");
	add_text(dir, 'c', "no end");
	write_exit(dir);
	autofree char *events = read_all(-1, 10000);
	autofree char *lines = lines_of(events);
	assert_memory_equal(lines, "before|xxx", 10);
	assert_string_equal(strstr(lines, "xend|") + 1, "end|after|cut by|a line of ours|no end");
	assert_int_equal(strlen(lines), strlen("before|end|after|cut by|a line of ours|no end|") -
	                                        1 + 160 * LOG_PIECE_MAX);
	/* Its time is that of its beginning. */
	assert_non_null(strstr(events, "xend\",\"timestamp\":\"2026-05-12T14:57:40.001Z\""));
}

static void packed_equals_plain(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;
	autoclose int dir = make_folder(1);
	srand(6);
	add_text(dir, 's', "===== Job started at x =====");
	(void)add_random_lines(dir, 2500);
	write_exit(dir);
	autofree char *plain = read_all(-1, 32768);
	autofree char *plain_tail = read_all(500, 32768);
	struct log_stream *halfway = log_stream_new(&service, JOB, -1, on_wake, NULL);
	struct buffer text = BUFFER_INIT(64 << 20);
	char space[50000];
	ssize_t n = log_stream_fill(halfway, space, sizeof(space));
	assert_int_equal(buffer_add(&text, space, (size_t)n), 0);

	if (log_compress(dir, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(faccessat(dir, "log", F_OK, 0), -1);
	assert_int_equal(fstatat(dir, "log.zst.index", &st, 0), 0);
	assert_true(st.st_size >= 16);
	/* Who was reading the plain one goes on with it. */
	assert_int_equal(drain(halfway, sizeof(space), &text), -1);
	log_stream_free(halfway);
	assert_string_equal(text.data, plain);
	buffer_clear(&text);
	autofree char *packed = read_all(-1, 777);
	assert_string_equal(packed, plain);
	autofree char *packed_tail = read_all(500, 32768);
	assert_string_equal(packed_tail, plain_tail);
}

static void tails(void **state)
{
	autoclose int first = make_folder(1);
	add_text(first, 's', "===== Job started at 1 =====");
	add_text(first, 'o', "a1");
	add_text(first, 'o', "a2");
	write_exit(first);
	autoclose int third = make_folder(3); /* the second one's folder is gone */
	add_text(third, 's', "===== Job started at 3 =====");
	add_text(third, 'o', "c1");
	add_text(third, 'c', "c2");
	add_text(third, 'c', "+");
	add_text(third, 'o', "+");
	add_text(third, 'o', "c3");
	write_exit(third);
#define M1 "===== Job started at 1 ====="
#define M3 "===== Job started at 3 ====="
	check_lines(-1, M1 "|a1|a2|" M3 "|c1|c2++|c3");
	check_lines(0, "");
	check_lines(1, M3 "|c3");
	check_lines(2, M3 "|c2++|c3");
	check_lines(3, M3 "|c1|c2++|c3");
	check_lines(4, M1 "|a2|" M3 "|c1|c2++|c3");
	check_lines(5, M1 "|a1|a2|" M3 "|c1|c2++|c3");
	check_lines(6, M1 "|a1|a2|" M3 "|c1|c2++|c3");
	check_lines(INT64_MAX, M1 "|a1|a2|" M3 "|c1|c2++|c3");
}

static void long_tails(void **state)
{
	autoclose int dir = make_folder(1);
	add_text(dir, 's', "===== Job started at x =====");
	autofree char *wide = xmalloc(LOG_PIECE_MAX);
	memset(wide, 'w', LOG_PIECE_MAX);
	for (int i = 0; i < 40; i++) {
		char text[32];
		(void)snprintf(text, sizeof(text), "line %d", i);
		add_record(dir, 'c', wide, LOG_PIECE_MAX);
		add_text(dir, 'o', text);
	}
	write_exit(dir);
	for (int n = 1; n <= 41; n += 5) {
		char want[64];
		autofree char *events = read_all(n, 32768);
		int found = 0;
		for (const char *p = events; (p = strstr(p, "data: {")); p++)
			found++;
		assert_int_equal(found, (n < 40 ? n : 40) + 1);
		(void)snprintf(want, sizeof(want), "wline %d\"", n < 40 ? 40 - n : 0);
		assert_non_null(strstr(events, want));
		(void)snprintf(want, sizeof(want), "wline %d\"", 40 - n - 1);
		assert_null(strstr(events, want));
	}
}

/* Head, hole, tail, as the monitor leaves them. */
static void punch(int dir, int64_t from, int64_t to, int records)
{
	struct error err = ERROR_INIT;
	autofree char *gap = xasprintf("{\"from\":%lld,\"to\":%lld,\"records\":%d}",
	                               (long long)from, (long long)to, records);
	assert_int_equal(file_write_atomic(dir, "log.gap", gap, strlen(gap), 0640, false, &err), 0);
	autoclose int fd = openat(dir, "log", O_RDWR | O_CLOEXEC);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from),
	                 0);
}

static int64_t log_size(int dir)
{
	struct stat st;
	assert_int_equal(fstatat(dir, "log", &st, 0), 0);
	return st.st_size;
}

static void make_gap(int dir)
{
	add_text(dir, 's', "===== Job started at x =====");
	add_text(dir, 'o', "head 1");
	add_text(dir, 'c', "head 2");
	int64_t from = log_size(dir);
	for (int i = 0; i < 50000; i++)
		add_text(dir, 'o', "lost");
	int64_t to = log_size(dir);
	add_text(dir, 'o', "tail 1");
	add_text(dir, 'o', "tail 2");
	punch(dir, from, to, 50000);
}

#define NOTICE "... 50000 lines (1 MiB) are missing here: the log passed its size limit ..."

static void tells_the_gap_after_the_end(void **state)
{
	struct error err = ERROR_INIT;
	autoclose int dir = make_folder(1);
	set_live(1);
	make_gap(dir);
	struct log_stream *stream = log_stream_new(&service, JOB, -1, on_wake, NULL);
	autobuffer struct buffer text = BUFFER_INIT(1 << 20);
	assert_int_equal(drain(stream, 4096, &text), 0);
	autofree char *live = lines_of(text.data);
	assert_string_equal(live, "===== Job started at x =====|head 1|head 2|tail 1|tail 2");
	log_stream_free(stream);
	write_exit(dir);
	settle();
	for (int packed = 0; packed < 2; packed++) {
		autofree char *events = read_all(-1, 4096);
		autofree char *lines = lines_of(events);
		assert_string_equal(lines, "===== Job started at x =====|head 1|head 2|" NOTICE
		                           "|tail 1|tail 2");
		autofree char *small = read_all(-1, 9);
		assert_string_equal(small, events);
		check_lines(2, "===== Job started at x =====|tail 1|tail 2");
		check_lines(1, "===== Job started at x =====|tail 2");
		autofree char *three = read_all(3, 4096);
		autofree char *three_lines = lines_of(three);
		assert_string_equal(three_lines,
		                    "===== Job started at x =====|head 2|" NOTICE "|tail 1|tail 2");
		if (!packed && log_compress(dir, &err) < 0)
			fail_msg("%s", err.text);
	}
}

/* The hole grows under a reader who is slower than the job. */
static void hole_under_a_slow_reader(void **state)
{
	autoclose int dir = make_folder(1);
	set_live(1);
	add_text(dir, 's', "===== Job started at x =====");
	int64_t from = log_size(dir);
	autofree char *wide = xmalloc(LOG_PIECE_MAX);
	memset(wide, 'w', LOG_PIECE_MAX);
	for (int i = 0; i < 32; i++)
		add_record(dir, 'o', wide, LOG_PIECE_MAX);
	int64_t to = log_size(dir);
	add_text(dir, 'o', "tail");
	struct log_stream *stream = log_stream_new(&service, JOB, -1, on_wake, NULL);
	autobuffer struct buffer text = BUFFER_INIT(16 << 20);
	char space[1000];
	for (int i = 0; i < 300; i++) {
		ssize_t n = log_stream_fill(stream, space, sizeof(space));
		assert_int_equal(buffer_add(&text, space, (size_t)n), 0);
	}
	punch(dir, from, to, 32);
	run_loop(20);
	assert_int_equal(drain(stream, sizeof(space), &text), 0);
	autofree char *lines = lines_of(text.data);
	assert_null(strstr(text.data, "\\u0000"));
	assert_string_equal(lines + strlen(lines) - 5, "|tail");
	log_stream_free(stream);
}

static void follows(void **state)
{
	set_live(1);
	struct log_stream *stream = log_stream_new(&service, JOB, -1, on_wake, NULL);
	autobuffer struct buffer text = BUFFER_INIT(1 << 20);
	assert_int_equal(drain(stream, 4096, &text), 0);
	assert_int_equal(text.len, 0);
	autoclose int dir = make_folder(1);
	watch_tell(&service, JOB);
	assert_int_equal(drain(stream, 4096, &text), 0);
	add_text(dir, 's', "===== Job started at x =====");
	watch_tell(&service, JOB); /* running */
	assert_int_equal(drain(stream, 4096, &text), 0);
	assert_non_null(strstr(buffer_text(&text), "Job started at x"));
	run_loop(5);
	for (int i = 0; i < 3; i++) {
		int64_t begin = clock_monotonic_ms();
		wakes = 0;
		add_text(dir, 'o', "line");
		while (wakes == 0 && clock_monotonic_ms() < begin + 2000)
			uv_run(loop_uv(service.loop), UV_RUN_ONCE);
		assert_true(wakes > 0);
		assert_int_equal(drain(stream, 4096, &text), 0);
	}
	/* Half a record is no record; half a line is sent at once. */
	size_t before = text.len;
	autoclose int fd = openat(dir, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "1778597860999 o ha", 18), 18);
	run_loop(5);
	assert_int_equal(drain(stream, 4096, &text), 0);
	assert_int_equal(text.len, before);
	assert_int_equal(write(fd, "lf\n1778597861000 c op\n", 22), 22);
	run_loop(5);
	assert_int_equal(drain(stream, 4096, &text), 0);
	assert_string_equal(text.data + text.len - 17, "data: {\"data\":\"op");
	add_text(dir, 'o', "en");
	write_exit(dir);
	autoclose int second = make_folder(2);
	add_text(second, 's', "===== Job started at y =====");
	set_live(2);
	watch_tell(&service, JOB);
	assert_int_equal(drain(stream, 4096, &text), 0);
	add_text(second, 'o', "again");
	/* Its monitor vanished: no exit record, and half a record. */
	autoclose int second_fd = openat(second, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(second_fd, "1778597862000 o las", 19), 19);
	settle();
	assert_int_equal(drain(stream, 4096, &text), -1);
	autofree char *lines = lines_of(text.data);
	assert_string_equal(lines, "===== Job started at x =====|line|line|line|half|open|"
	                           "===== Job started at y =====|again|las");
	autofree char *again = read_all(-1, 100);
	assert_string_equal(again, text.data);
	log_stream_free(stream);
}

static void tails_follow(void **state)
{
	autoclose int dir = make_folder(1);
	set_live(1);
	add_text(dir, 's', "===== Job started at x =====");
	add_text(dir, 'o', "one");
	add_text(dir, 'o', "two");
	struct log_stream *none = log_stream_new(&service, JOB, 0, on_wake, NULL);
	struct log_stream *one = log_stream_new(&service, JOB, 1, on_wake, NULL);
	autobuffer struct buffer none_text = BUFFER_INIT(10000), one_text = BUFFER_INIT(10000);
	assert_int_equal(drain(none, 4096, &none_text), 0);
	assert_int_equal(none_text.len, 0);
	assert_int_equal(drain(one, 4096, &one_text), 0);
	add_text(dir, 'o', "three");
	run_loop(5);
	write_exit(dir);
	settle();
	assert_int_equal(drain(none, 4096, &none_text), -1);
	assert_int_equal(drain(one, 4096, &one_text), -1);
	autofree char *none_lines = lines_of(none_text.data);
	autofree char *one_lines = lines_of(one_text.data);
	assert_string_equal(none_lines, "three");
	assert_string_equal(one_lines, "===== Job started at x =====|two|three");
	log_stream_free(none);
	log_stream_free(one);
}

static void no_log_at_all(void **state)
{
	check_lines(-1, "");
	check_lines(5, "");
	autoclose int dir = make_folder(2); /* a folder without a log; the first one is gone */
	check_lines(-1, "");
	check_lines(0, "");
	add_text(dir, 'o', "x");
	check_lines(-1, "x");
}

static int count_descriptors(void)
{
	int count = 0;
	autodir DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir))
		count++;
	return count;
}

static void many_followers_share(void **state)
{
	enum { COUNT = 10000 };
	autoclose int dir = make_folder(1);
	set_live(1);
	add_text(dir, 's', "===== Job started at x =====");
	struct log_stream **streams = xcalloc(COUNT, sizeof(*streams));
	char space[200];
	for (int i = 0; i < COUNT; i++) {
		streams[i] = log_stream_new(&service, JOB, -1, on_wake, NULL);
		assert_true(log_stream_fill(streams[i], space, sizeof(space)) > 0);
		assert_int_equal(log_stream_fill(streams[i], space, sizeof(space)), 0);
	}
	int before = count_descriptors();
	for (int i = 1; i < COUNT; i++)
		log_stream_free(streams[i]);
	assert_int_equal(count_descriptors(), before);
	for (int i = 1; i < COUNT; i++)
		streams[i] = log_stream_new(&service, JOB, -1, on_wake, NULL);
	for (int i = 1; i < COUNT; i++)
		(void)log_stream_fill(streams[i], space, sizeof(space));
	wakes = 0;
	add_text(dir, 'o', "for all");
	run_loop(20);
	assert_true(wakes >= COUNT);
	int64_t begin = clock_monotonic_us();
	for (int i = 0; i < COUNT; i++) {
		ssize_t n = log_stream_fill(streams[i], space, sizeof(space));
		assert_non_null(memmem(space, (size_t)n, "for all", 7));
	}
	print_message("# %d followers: %lld us for one line\n", COUNT,
	              (long long)(clock_monotonic_us() - begin));
	for (int i = 0; i < COUNT; i++)
		log_stream_free(streams[i]);
	free(streams);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        TEST(renders_lines),
	        TEST(space_does_not_matter),
	        TEST(joins_long_lines),
	        TEST(packed_equals_plain),
	        TEST(tails),
	        TEST(long_tails),
	        TEST(tells_the_gap_after_the_end),
	        TEST(hole_under_a_slow_reader),
	        TEST(follows),
	        TEST(tails_follow),
	        TEST(no_log_at_all),
	        TEST(many_followers_share),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
