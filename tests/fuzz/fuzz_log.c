/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job's output on its way to a reader. The first byte chooses: what a job writes is cut into
 * records ('s': the same records however the bytes come, and every byte is in them), or the bytes
 * are a stored log, perhaps torn, and become events ('r': well-formed ones, the same however little
 * space there is, and the same through a tail of them).
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container/log_splitter.h"
#include "job/log_stream_private.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FUZZ_BYTES_MAX (1u << 26)
#define FUZZ_NAME "fuzz"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_records(struct log_splitter *s, struct buffer *ret)
{
	if (buffer_add(ret, s->out, s->out_len) < 0)
		abort();
	s->out_len = 0;
}

static void split(const uint8_t *data, size_t size, size_t piece, struct buffer *ret)
{
	struct log_splitter s;

	log_splitter_init(&s);
	log_splitter_time(&s, 1778597864120);
	for (size_t done = 0, room; done < size;) {
		char *space = log_splitter_space(&s, &room);
		size_t n = size - done < piece ? size - done : piece;

		n = n < room ? n : room;
		memcpy(space, data + done, n);
		log_splitter_added(&s, n);
		done += n;
		while (!log_splitter_run(&s))
			take_records(&s, ret);
		take_records(&s, ret);
		log_splitter_shrink(&s);
	}
	log_splitter_flush(&s, true);
	take_records(&s, ret);
	log_splitter_clear(&s);
}

/* Put together again, the records are what the job wrote, without one \r before each newline. */
static void check_records(const uint8_t *data, size_t size, const struct buffer *records)
{
	const char *at = buffer_text(records), *end = at + records->len;
	const char *input = (const char *)data;
	size_t left = size;

	while (at < end) {
		const char *text = at + LOG_PREFIX_LENGTH, *newline;
		char kind = at[LOG_PREFIX_LENGTH - 2];

		newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline || newline - text > LOG_PIECE_MAX)
			abort();
		size_t len = (size_t)(newline - text);

		if (len > left || memcmp(text, input, len) != 0)
			abort();
		input += len;
		left -= len;
		at = newline + 1;
		if (kind == LOG_KIND_CONTINUED)
			continue;
		if (left > 0 && *input == '\r') {
			input++;
			left--;
		}
		if (left > 0 && *input != '\n')
			abort();
		input += left > 0;
		left -= left > 0;
	}
	if (left > 0)
		abort();
}

static void fuzz_split(const uint8_t *data, size_t size)
{
	autobuffer struct buffer whole = BUFFER_INIT(FUZZ_BYTES_MAX);
	autobuffer struct buffer cut = BUFFER_INIT(FUZZ_BYTES_MAX);

	split(data, size, size, &whole);
	split(data, size, 7, &cut);
	if (whole.len != cut.len || memcmp(buffer_text(&whole), buffer_text(&cut), whole.len) != 0)
		abort();
	check_records(data, size, &whole);
}

static char fuzz_folder[] = "/dev/shm/hearth-fuzz.XXXXXX";

static void fuzz_remove_folder(void)
{
	struct error err = ERROR_INIT;

	(void)file_remove_tree(AT_FDCWD, fuzz_folder, &err);
}

/* The folder of an attempt that is over, with these bytes as its log. */
static int fuzz_open_attempts(const uint8_t *data, size_t size)
{
	static int attempts_fd = -1;

	if (attempts_fd < 0) {
		if (!mkdtemp(fuzz_folder) || atexit(fuzz_remove_folder) != 0)
			abort();
		attempts_fd = open(fuzz_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (attempts_fd < 0 || mkdirat(attempts_fd, FUZZ_NAME, 0700) < 0)
			abort();
		close(openat(attempts_fd, FUZZ_NAME "/exit.json", O_WRONLY | O_CREAT | O_CLOEXEC,
		             0600));
	}
	autoclose int fd = openat(attempts_fd, FUZZ_NAME "/log",
	                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return attempts_fd;
}

/* In the place of the one in log_stream.c: here the log ends with its attempt. */
void log_stream_next_attempt(struct log_stream *stream)
{
	stream->attempt++;
}

static void render(struct log_source *source, int64_t offset, size_t room, struct buffer *ret)
{
	struct log_stream stream = {.source = source, .offset = offset, .jump_to = -1};
	autofree char *data = malloc(room);

	while (stream.attempt == 0) {
		struct log_space space = {.data = data, .max = room};
		enum log_step step;

		do
			step = log_render_step(&stream, &space);
		while (step == STEP_ON && stream.attempt == 0);
		if (step == STEP_WAIT || step == STEP_END || (step == STEP_FULL && space.len == 0))
			abort();
		if (buffer_add(ret, space.data, space.len) < 0)
			abort();
	}
}

/* "data: {…}" and an empty line, again and again, in printable ASCII. Returns how many. */
static size_t check_events(const struct buffer *events)
{
	const char *at = buffer_text(events), *end;
	size_t count = 0;

	for (; *at; at = end + 2, count++) {
		end = strstr(at, "\n\n");
		if (!end || strncmp(at, "data: ", 6) != 0)
			abort();
		for (const char *p = at; p < end; p++)
			if (*p < ' ' || *p > '~')
				abort();
		autojson json_t *event =
		        json_loadb(at + 6, (size_t)(end - at) - 6, JSON_ALLOW_NUL, NULL);

		if (!json_is_string(json_object_get(event, "data")) ||
		    !json_get_text(event, "timestamp", NULL))
			abort();
	}
	return count;
}

static void fuzz_render(const uint8_t *data, size_t size)
{
	static struct loop *loop;
	autobuffer struct buffer wide = BUFFER_INIT(FUZZ_BYTES_MAX);
	autobuffer struct buffer narrow = BUFFER_INIT(FUZZ_BYTES_MAX);
	autobuffer struct buffer last = BUFFER_INIT(FUZZ_BYTES_MAX);
	struct log_tail tail = {.wanted = 2, .at = -1};

	if (!loop)
		loop = loop_new();
	struct log_source *source = log_source_get(loop, fuzz_open_attempts(data, size), FUZZ_NAME);

	if (!source || !log_source_is_complete(source))
		abort();
	render(source, 0, 65536, &wide);
	render(source, 0, LOG_RENDER_PIECE_MAX, &narrow);
	if (wide.len != narrow.len ||
	    memcmp(buffer_text(&wide), buffer_text(&narrow), wide.len) != 0)
		abort();
	(void)check_events(&wide);
	while (!log_tail_step(&tail, source))
		;
	render(source, tail.at, 4096, &last);
	(void)check_events(&last);
	log_source_put(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] == 's')
		fuzz_split(data + 1, size - 1);
	else
		fuzz_render(data + 1, size - 1);
	return 0;
}
