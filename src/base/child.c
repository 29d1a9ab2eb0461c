/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that we run. The child gets its three standard descriptors, at most one more, and
 * nothing else of ours: no signal mask, no other descriptor. */
#include "base/child.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define OUTPUT_IN_ERROR 400

/* Put `fd` on `number`, even when it is there already (then only CLOEXEC has to go). */
static int place(int fd, int number)
{
	if (fd == number)
		return fcntl(fd, F_SETFD, 0);
	return dup2(fd, number) < 0 ? -1 : 0;
}

/* A copy above the numbers that place() fills, so that no placing overwrites a later source. */
static int lifted(int fd, int fallback_flags)
{
	if (fd >= 0)
		return fcntl(fd, F_DUPFD_CLOEXEC, 10);
	int null = open("/dev/null", fallback_flags | O_CLOEXEC);
	if (null < 0 || null >= 10)
		return null;
	return fcntl(null, F_DUPFD_CLOEXEC, 10);
}

static _Noreturn void child_main(const struct child_spec *spec, int report_fd)
{
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	int in = lifted(spec->in_fd, O_RDONLY);
	int out = lifted(spec->out_fd, O_WRONLY);
	int errors = lifted(spec->err_fd >= 0 ? spec->err_fd : STDERR_FILENO, O_WRONLY);
	int extra = spec->extra_fd >= 0 ? lifted(spec->extra_fd, O_RDWR) : -1;
	int report = fcntl(report_fd, F_DUPFD_CLOEXEC, 10);
	if (in < 0 || out < 0 || report < 0 || place(in, 0) < 0 || place(out, 1) < 0 ||
	    (errors >= 0 && place(errors, 2) < 0) || (extra >= 0 && place(extra, 3) < 0))
		goto broken;
	/* Everything left open is closed by exec, the report included: EOF there means success. */
	if (close_range(extra >= 0 ? 4 : 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		goto broken;
	if (spec->envp)
		execvpe(spec->argv[0], (char *const *)spec->argv, (char *const *)spec->envp);
	else
		execvp(spec->argv[0], (char *const *)spec->argv);
broken:;
	int failed = errno;
	ssize_t written = write(report >= 0 ? report : report_fd, &failed, sizeof(failed));
	(void)written;
	_exit(127);
}

int child_start(const struct child_spec *spec, pid_t *ret_pid, struct error *err)
{
	int pair[2];
	if (pipe2(pair, O_CLOEXEC) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot start %s", spec->argv[0]);
	autoclose int report_in = pair[0];
	autoclose int report_out = pair[1];
	pid_t pid = fork();
	if (pid < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot start %s", spec->argv[0]);
	if (pid == 0)
		child_main(spec, report_out);
	(void)close(take_fd(&report_out));
	int failed = 0;
	ssize_t n;
	do
		n = read(report_in, &failed, sizeof(failed));
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(failed)) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (failed == ENOENT)
			return fail(err, E_UNSUPPORTED, "the program %s is not installed",
			            spec->argv[0]);
		return fail_errno(err, E_INTERNAL, failed, "cannot start %s", spec->argv[0]);
	}
	*ret_pid = pid;
	return 0;
}

/* Feed `*input` and collect what comes, until the output ends. */
static void exchange(int in_fd, int out_fd, const char *input, struct buffer *output)
{
	size_t left = input ? strlen(input) : 0;
	autoclose int feed = in_fd;
	if (left == 0 && feed >= 0)
		(void)close(take_fd(&feed));
	for (;;) {
		struct pollfd fds[2] = {{.fd = out_fd, .events = POLLIN},
		                        {.fd = feed, .events = POLLOUT}};
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (feed >= 0 && fds[1].revents) {
			ssize_t n = write(feed, input, left);
			if (n > 0) {
				input += n;
				left -= (size_t)n;
			}
			if (left == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
				(void)close(take_fd(&feed));
		}
		if (!fds[0].revents)
			continue;
		char chunk[4096];
		ssize_t n = read(out_fd, chunk, sizeof(chunk));
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return;
		if (n <= 0)
			continue;
		size_t room = output->max - output->len;
		(void)buffer_add(output, chunk, (size_t)n < room ? (size_t)n : room);
	}
}

static int judge(const char *program, int status, const struct buffer *output, size_t from,
                 struct error *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	const char *words = buffer_text(output) + from;
	size_t len = output->len - from;
	while (len > 0 && (words[len - 1] == '\n' || words[len - 1] == ' '))
		len--;
	size_t skip = len > OUTPUT_IN_ERROR ? len - OUTPUT_IN_ERROR : 0;
	if (len > 0)
		return fail(err, E_INTERNAL, "%s: %.*s", program, (int)(len - skip), words + skip);
	if (WIFSIGNALED(status))
		return fail(err, E_INTERNAL, "%s was killed by signal %d", program,
		            WTERMSIG(status));
	return fail(err, E_INTERNAL, "%s failed with exit code %d", program, WEXITSTATUS(status));
}

int child_run(const char *const *argv, const char *input, struct buffer *ret_output,
              struct error *err)
{
	autobuffer struct buffer own = BUFFER_INIT(16 * 1024);
	struct buffer *output = ret_output ? ret_output : &own;
	size_t from = output->len;
	int out_pair[2], in_pair[2] = {-1, -1};
	if (pipe2(out_pair, O_CLOEXEC) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot run %s", argv[0]);
	autoclose int out_read = out_pair[0];
	autoclose int out_write = out_pair[1];
	if (input && pipe2(in_pair, O_CLOEXEC) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot run %s", argv[0]);
	autoclose int in_read = in_pair[0];
	autoclose int in_write = in_pair[1];

	struct child_spec spec = CHILD_SPEC(argv);
	spec.in_fd = in_read;
	spec.out_fd = out_write;
	spec.err_fd = out_write;
	pid_t pid;
	if (child_start(&spec, &pid, err) < 0)
		return -1;
	(void)close(take_fd(&out_write));
	if (in_read >= 0)
		(void)close(take_fd(&in_read));
	if (in_write >= 0)
		(void)fcntl(in_write, F_SETFL, O_NONBLOCK);
	/* A child that does not read all of its input must not kill us. */
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	(void)sigaction(SIGPIPE, &ignore, &before);
	exchange(take_fd(&in_write), out_read, input, output);
	(void)sigaction(SIGPIPE, &before, NULL);
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno(err, E_INTERNAL, errno, "lost track of %s", argv[0]);
	return judge(argv[0], status, output, from, err);
}
