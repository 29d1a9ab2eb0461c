/* SPDX-License-Identifier: Apache-2.0 */
/* The answer: lines of JSON on standard output, a file or a pipe. */
#include "hub/files.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

static bool has_begun;

static int write_line(const json_t *line)
{
	autofree char *text = json_to_text(line);

	return fputs(text, stdout) == EOF || fputc('\n', stdout) == EOF ? -1 : 0;
}

int files_emit(json_t *take_line, struct error *err)
{
	has_begun = true;
	errno = 0;
	int rc = write_line(take_line);
	int line_errno = errno;

	json_decref(take_line);
	return rc < 0 ? files_fail_io(err, line_errno, "the answer cannot be written") : 0;
}

int files_emit_error(const char *path, const struct error *what, struct error *err)
{
	return files_emit(json_pack("{s:s, s:s}", "path", path, "error", what->text), err);
}

int files_answer_flush(struct error *err)
{
	return fflush(stdout) == EOF ? files_fail_io(err, errno, "the answer cannot be written")
	                             : 0;
}

void files_answer_fail(const struct error *what)
{
	autojson json_t *line =
	        json_pack("{s:s, s:s}", "code", error_code_name(what->code), "error", what->text);
	autofree char *text = json_to_text(line);

	struct error ignored = ERROR_INIT;
	off_t place = lseek(STDOUT_FILENO, 0, SEEK_CUR);

	/* What is buffered or written is void. A pipe cannot be emptied; its last line counts. */
	if (place > 0 && ftruncate(STDOUT_FILENO, 0) == 0)
		(void)lseek(STDOUT_FILENO, 0, SEEK_SET);
	else if (place < 0 && has_begun)
		(void)files_write_all(STDOUT_FILENO, "\n", 1, &ignored);
	(void)files_write_all(STDOUT_FILENO, text, strlen(text), &ignored);
	(void)files_write_all(STDOUT_FILENO, "\n", 1, &ignored);
	_exit(1);
}

static int64_t to_ns(const struct timespec *time)
{
	return time->tv_sec * NS_PER_S + time->tv_nsec;
}

struct files_facts files_facts_of(const struct stat *status)
{
	return (struct files_facts){.size = status->st_size,
	                            .mtime_ns = to_ns(&status->st_mtim),
	                            .ctime_ns = to_ns(&status->st_ctim),
	                            .inode = status->st_ino};
}

bool files_facts_same(const struct files_facts *a, const struct files_facts *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns &&
	       a->inode == b->inode;
}

json_t *files_line(const char *path, const struct files_facts *facts)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I}", "path", path, "size", (json_int_t)facts->size,
	                 "mtime_ns", (json_int_t)facts->mtime_ns, "ctime_ns",
	                 (json_int_t)facts->ctime_ns, "inode", (json_int_t)facts->inode);
}

void files_line_add_content(json_t *line, const struct xet_hash *hash, const char *chunks)
{
	char text[XET_HASH_TEXT_SIZE];

	xet_hash_format(hash, text);
	json_object_set_new(line, "hash", json_string(text));
	if (chunks)
		json_object_set_new(line, "chunks", json_string(chunks));
}
