/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of JSON in an unlinked file, read piece by piece. */
#include "job/file_answer.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (64 * 1024)
/* The longest line is that of a file with as many terms as a shard has room for. */
#define LINE_MAX_BYTES (128 * 1024 * 1024)
#define LAST_LINE_MAX 8192

struct file_answer {
	int fd;
	bool is_kept, is_over;
	bool is_lent, is_freed; /* the worker still holds it; freed meanwhile */
	off_t offset;           /* of what comes after the buffer */
	struct buffer buffer;
	size_t used;     /* bytes of it that have been given out */
	size_t searched; /* bytes of it without a line's end, after `used` */
};

struct file_answer *file_answer_new(int take_fd)
{
	struct file_answer *answer = xcalloc(1, sizeof(*answer));

	answer->fd = take_fd;
	answer->is_lent = true;
	answer->buffer = BUFFER_INIT(LINE_MAX_BYTES);
	return answer;
}

void file_answer_keep(struct file_answer *answer)
{
	answer->is_kept = true;
}

void file_answer_free(struct file_answer *answer)
{
	if (!answer)
		return;
	answer->is_freed = true;
	if (answer->is_lent)
		return;
	(void)close(answer->fd);
	buffer_clear(&answer->buffer);
	free(answer);
}

void file_answer_release(struct file_answer *answer)
{
	answer->is_lent = false;
	if (!answer->is_kept || answer->is_freed)
		file_answer_free(answer);
}

/* False at the end. */
static bool read_piece(struct file_answer *answer)
{
	ssize_t n;

	buffer_drop(&answer->buffer, answer->used);
	answer->used = 0;
	if (buffer_reserve(&answer->buffer, PIECE) < 0) {
		log_error("a line of hearth-files is longer than %d bytes", LINE_MAX_BYTES);
		return false;
	}
	do
		n = pread(answer->fd, answer->buffer.data + answer->buffer.len, PIECE,
		          answer->offset);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	answer->buffer.len += (size_t)n;
	answer->offset += n;
	return true;
}

json_t *file_answer_next(struct file_answer *answer)
{
	while (!answer->is_over) {
		size_t from = answer->used + answer->searched;
		char *line = answer->buffer.data + answer->used;
		char *end = answer->buffer.len > from ? memchr(answer->buffer.data + from, '\n',
		                                               answer->buffer.len - from)
		                                      : NULL;
		if (!end) {
			answer->searched = answer->buffer.len - answer->used;
			answer->is_over = !read_piece(answer);
			continue;
		}
		struct error err = ERROR_INIT;
		json_t *value = NULL;
		answer->used = (size_t)(end + 1 - answer->buffer.data);
		answer->searched = 0;
		if (json_parse(line, (size_t)(end - line), "line of hearth-files", &value, &err) ==
		    0)
			return value;
		log_error("%s", err.text);
		answer->is_over = true;
	}
	return NULL;
}

json_t *file_answer_last_line(int fd)
{
	char text[LAST_LINE_MAX];
	struct error ignored = ERROR_INIT;
	struct stat status;
	json_t *line = NULL;

	if (fstat(fd, &status) < 0)
		return NULL;
	off_t from = status.st_size > LAST_LINE_MAX ? status.st_size - LAST_LINE_MAX : 0;
	ssize_t len = pread(fd, text, sizeof(text), from);
	if (len <= 0)
		return NULL;
	len -= text[len - 1] == '\n';
	const char *before = memrchr(text, '\n', (size_t)len);
	const char *begin = before ? before + 1 : text;
	if (json_parse(begin, (size_t)(text + len - begin), "last line", &line, &ignored) < 0)
		return NULL;
	return line;
}
