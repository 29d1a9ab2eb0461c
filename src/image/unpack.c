/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unpacking process: started, run, read. What it reports comes from a process that may have
 * been taken over, so the result is a plain struct whose texts are checked before use.
 */
#include "image/unpack.h"

#include "base/cleanup.h"
#include "image/sandbox.h"
#include "image/unpack_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int unpack_entries(struct unpack_entry_context *context, struct error *err)
{
	struct archive *tar = unpack_stream_tar(context->stream);
	struct archive_entry *entry;
	int rc;

	/* A warning is about one value that could not be read; the entry is usable. */
	while ((rc = archive_read_next_header(tar, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		if (unpack_entry(context, entry, err) < 0)
			return -1;
	}
	return rc == ARCHIVE_EOF ? 0 : unpack_stream_fail(context->stream, err);
}

int unpack_run(int in_fd, int root_fd, int64_t max_bytes, struct unpack_result *ret,
               struct error *err)
{
	struct unpack_entry_context context = {.max_bytes = max_bytes, .result = ret};
	int rc = -1;

	/* Names in pax headers are UTF-8; libarchive gives them in the locale's encoding. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)umask(0);
	if (unpack_stream_open(in_fd, max_bytes, &context.stream, err) < 0)
		return -1;
	context.tree = unpack_tree_new(root_fd);
	if (unpack_entries(&context, err) == 0) {
		unpack_tree_apply_times(context.tree);
		rc = unpack_stream_finish(context.stream, ret, err);
	}
	if (rc < 0 && err->code == E_INVALID)
		unpack_stream_drain(context.stream, ret);
	unpack_tree_free(context.tree);
	unpack_stream_free(context.stream);
	return rc;
}

static int unpack_work(const struct unpack_request *request, struct unpack_result *result,
                       struct error *err)
{
	if (sandbox_enter(request->dir_fd, err) < 0)
		return -1;
	/* Below 0755 the folder is root's; in here it is simply "/". */
	autoclose int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "Unpacking: the root");
	return unpack_run(request->in_fd, root_fd, request->max_bytes, result, err);
}

static _Noreturn void unpack_child(const struct unpack_request *request, int out_fd)
{
	struct unpack_result result = {0};
	struct error err = ERROR_INIT;

	sandbox_keep_fds((int[]){request->in_fd, request->dir_fd, out_fd}, 3);
	if (unpack_work(request, &result, &err) < 0) {
		result.code = err.code;
		memcpy(result.text, err.text, sizeof(result.text));
	}
	/* Less than PIPE_BUF: one piece. */
	if (write(out_fd, &result, sizeof(result)) != (ssize_t)sizeof(result))
		_exit(1);
	_exit(0);
}

int unpack_start(const struct unpack_request *request, pid_t *ret_pid, int *ret_result_fd,
                 struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Unpacking: pipe");
	autoclose int in = ends[0];
	autoclose int out = ends[1];
	pid_t pid = sandbox_fork(err);

	if (pid < 0)
		return -1;
	if (pid == 0)
		unpack_child(request, out);
	*ret_pid = pid;
	*ret_result_fd = take_fd(&in);
	return 0;
}

static void unpack_clean_result(struct unpack_result *result)
{
	result->text[sizeof(result->text) - 1] = '\0';
	result->blob_digest[sizeof(result->blob_digest) - 1] = '\0';
	result->diff_id[sizeof(result->diff_id) - 1] = '\0';
	for (char *p = result->text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
}

static int unpack_check_result(const struct unpack_result *result, struct error *err)
{
	bool is_known = result->code > E_NONE && result->code <= E_INTERNAL;

	if (result->code != E_NONE)
		return fail(err, is_known ? (enum error_code)result->code : E_INTERNAL, "%s",
		            result->text);
	if (!digest_is_valid(result->blob_digest) || !digest_is_valid(result->diff_id) ||
	    result->bytes < 0 || result->blob_bytes < 0 || result->entries < 0)
		return fail(err, E_INTERNAL, "Unpacking gave a damaged result");
	return 0;
}

int unpack_finish(pid_t pid, int result_fd, struct unpack_result *ret, struct error *err)
{
	struct unpack_result result;
	ssize_t n;
	int status = 0;

	do
		n = read(result_fd, &result, sizeof(result));
	while (n < 0 && errno == EINTR);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(result)) {
		if (WIFSIGNALED(status))
			return fail(
			        err, E_INVALID,
			        "Unpacking was ended by signal %d (%s): the layer takes too much "
			        "time or memory",
			        WTERMSIG(status), strsignal(WTERMSIG(status)));
		return fail(err, E_INTERNAL, "Unpacking ended without a result");
	}
	unpack_clean_result(&result);
	*ret = result;
	return unpack_check_result(ret, err);
}
