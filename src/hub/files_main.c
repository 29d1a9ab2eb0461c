/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth-files: see file_work.h. It parses bytes of strangers, so it gives away what it does not
 * need before it looks at the first one: rights, programs, network. It dies with hearthd, which
 * would not read its answer any more.
 */
#include "hub/files.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/sandbox_filter.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define MEMORY_MAX (UINT64_C(3) << 30)
#define CPU_MAX_S (4 * 3600)
#define OPEN_FILES_MAX 8192 /* removing a deep tree takes one for each of its levels */

static const struct {
	const char *name;
	files_operation *run;
} operations[] = {
        {"xorb", files_xorb}, {"shard", files_shard}, {"batch", files_batch},
        {"put", files_put},   {"hash", files_hash},   {"list", files_list},
        {"stat", files_stat}, {"usage", files_usage}, {"wipe", files_wipe},
        {"sync", files_sync}, {"prune", files_prune},
};

static void limit(int resource, rlim_t max)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0)
		return;
	if (now.rlim_max == RLIM_INFINITY || now.rlim_max > max)
		now.rlim_max = max;
	now.rlim_cur = now.rlim_max;
	(void)setrlimit(resource, &now);
}

static int enter_sandbox(struct error *err)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(027);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, CPU_MAX_S);
	limit(RLIMIT_NOFILE, OPEN_FILES_MAX);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "no_new_privs");
#ifdef __SANITIZE_ADDRESS__ /* its shadow memory is larger, and its leak check traces us */
	return 0;
#else
	limit(RLIMIT_AS, MEMORY_MAX);
	return sandbox_filter_install(err);
#endif
}

static int read_request(json_t **ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(FILES_REQUEST_MAX);
	char piece[64 * 1024];
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, E_INTERNAL, errno, "the request cannot be read");
		if (buffer_add(&text, piece, (size_t)n) < 0)
			return fail(err, E_TOO_LARGE, "the request is larger than %d bytes",
			            FILES_REQUEST_MAX);
	}
	autojson json_t *request = NULL;
	if (json_parse(buffer_text(&text), text.len, "request", &request, err) < 0)
		return -1;
	if (!json_is_object(request))
		return fail(err, E_INVALID, "the request must be a JSON object");
	*ret = take_ptr(&request);
	return 0;
}

static int run(const char *name, struct error *err)
{
	autojson json_t *request = NULL;

	if (enter_sandbox(err) < 0 || read_request(&request, err) < 0 ||
	    files_confine(name, request, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(operations[i].name, name) == 0)
			return operations[i].run(request, err) < 0 ? -1 : files_answer_flush(err);
	}
	return fail(err, E_INVALID, "there is no operation '%.40s'", name);
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;

	log_open("hearth-files", LOG_LEVEL_INFO);
	if (argc != 2) {
		log_error("usage: hearth-files OPERATION; it is started by hearthd");
		return 1;
	}
	if (run(argv[1], &err) == 0)
		return 0;
	files_answer_fail(&err);
	return 1;
}
