/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the runtime and turns its complaints into sentences. The runtime gets no cgroup manager:
 * it is started inside the job's group, with limits in place, which also saves it time.
 */
#include "container/runtime.h"

#include "base/buffer.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "container/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define START_TIMEOUT_MS 60000
#define WORDS_MAX (64 * 1024)
#define PID_FILE "pid"
#define LOG_FILE "runtime.log"
#define NAME "job"
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PROGRAM_SIZE_MAX (64 * 1024 * 1024)

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

struct runtime {
	char *path;
	int fd; /* a sealed copy; -1: run the path */
	bool is_crun;
};

static bool is_crun(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strncmp(slash ? slash + 1 : program, "crun", 4) == 0;
}

int runtime_probe(const char *program, char *ret_version, size_t size, struct error *err)
{
	const char *const argv[] = {program, "--version", NULL};
	autobuffer struct buffer output = BUFFER_INIT(4096);
	int major = 0, minor = 0;

	if (child_run(argv, NULL, &output, err))
		return error_prefix(err, "container.runtime");
	const char *text = buffer_text(&output);
	if (sscanf(text, "crun version %d.%d", &major, &minor) == 2 &&
	    (major < 1 || (major == 1 && minor < 8)))
		return fail(err, E_UNSUPPORTED,
		            "container.runtime: crun %d.%d is too old, 1.8 or newer is needed",
		            major, minor);
	(void)snprintf(ret_version, size, "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

/* The first executable file of that name in PATH, opened. */
static int find_program(const char *program, char **ret_path)
{
	const char *at = getenv("PATH");

	for (at = at ? at : DEFAULT_PATH; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		autofree char *path =
		        strchr(program, '/')
		                ? xstrdup(program)
		                : xasprintf("%.*s/%s", (int)strcspn(at, ":"), at, program);
		int fd = faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0
		                 ? open(path, O_RDONLY | O_CLOEXEC)
		                 : -1;
		if (fd >= 0)
			*ret_path = take_ptr(&path);
		if (fd >= 0 || strchr(program, '/'))
			return fd;
	}
	return -1;
}

/*
 * A copy in memory that nobody can change. A job that gets hold of its runtime's binary cannot
 * write to it then (CVE-2019-5736); crun would make such a copy itself and start again from it,
 * which costs a second round of dynamic linking.
 */
static int seal_program(int program_fd)
{
	struct stat st;
	off_t offset = 0;
	autoclose int fd = memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0) /* before Linux 6.3 */
		fd = memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fstat(program_fd, &st) || st.st_size > PROGRAM_SIZE_MAX)
		return -1;
	while (offset < st.st_size) {
		if (sendfile(fd, program_fd, &offset, (size_t)(st.st_size - offset)) <= 0)
			return -1;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		return -1;
	return take_fd(&fd);
}

int runtime_open(const char *program, struct runtime **ret, struct error *err)
{
	autofree char *path = NULL;
	char magic[4] = "";
	autoclose int fd = find_program(program, &path);

	if (fd < 0)
		return fail(err, E_UNSUPPORTED, "the container runtime %s is not installed",
		            program);
	bool is_script = pread(fd, magic, sizeof(magic), 0) >= 2 && memcmp(magic, "#!", 2) == 0;
	struct runtime *runtime = xmalloc(sizeof(*runtime));
	*runtime = (struct runtime){
	        .path = take_ptr(&path),
	        .fd = is_script ? -1 : seal_program(fd),
	        .is_crun = is_crun(program),
	};
	*ret = runtime;
	return 0;
}

void runtime_close(struct runtime *runtime)
{
	if (!runtime)
		return;
	if (runtime->fd >= 0)
		(void)close(runtime->fd);
	free(runtime->path);
	free(runtime);
}

bool runtime_takes_program(const struct runtime *runtime)
{
	return runtime->is_crun;
}

static _Noreturn void exec_runtime(const struct runtime *runtime, int output_fd)
{
	const char *with_manager[] = {"crun",         "--cgroup-manager=disabled",
	                              "--root",       STAGE_RUNTIME,
	                              "--log",        LOG_FILE,
	                              "--log-format", "text",
	                              "run",          "--detach",
	                              "--bundle",     STAGE_DIR,
	                              "--pid-file",   PID_FILE,
	                              NAME,           NULL};
	/* Not ours: NOTIFY_SOCKET or LISTEN_FDS of a service would reach the job. */
	const char *const env[] = {"PATH=" DEFAULT_PATH, NULL};
	const char **argv = with_manager;
	sigset_t none;

	if (!runtime->is_crun) { /* other runtimes have no such option */
		argv = with_manager + 1;
		argv[0] = runtime->path;
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(output_fd, 1) < 0 ||
	    dup2(output_fd, 2) < 0 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC))
		_exit(126);
	if (runtime->fd >= 0)
		(void)execveat(runtime->fd, "", (char *const *)argv, (char *const *)env,
		               AT_EMPTY_PATH);
	(void)execve(runtime->path, (char *const *)argv, (char *const *)env);
	_exit(127);
}

/* Wait for the runtime itself, which returns as soon as the job's process runs. */
static int await(pid_t pid, int *ret_status, struct error *err)
{
	autoclose int pid_fd = pidfd_open(pid, 0);
	struct pollfd poll_fd = {.fd = pid_fd, .events = POLLIN};
	int n;

	do
		n = poll(&poll_fd, 1, START_TIMEOUT_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0) {
		if (errno != EINTR)
			return fail_errno(err, E_INTERNAL, errno, "lost track of the runtime");
	}
	if (n == 0)
		return fail(err, E_INTERNAL, "the container runtime did not answer for %d s",
		            START_TIMEOUT_MS / 1000);
	return 0;
}

/* The last line of the runtime's log, without its time. Plain text, because what fails after the
 * runtime has let go of its log is written to the job's output in the same form. */
static void read_words(char *ret, size_t size)
{
	autobuffer struct buffer log = BUFFER_INIT(WORDS_MAX);
	struct error unused = ERROR_INIT;

	ret[0] = '\0';
	if (file_read(AT_FDCWD, LOG_FILE, &log, &unused) || log.len == 0)
		return;
	if (log.data[log.len - 1] == '\n')
		log.data[log.len - 1] = '\0';
	const char *line = strrchr(log.data, '\n');
	line = line ? line + 1 : log.data;
	const char *behind_time = strstr(line, "Z: ");
	(void)snprintf(ret, size, "%s", behind_time ? behind_time + 3 : line);
}

static int explain_failure(const char *program, int status, struct error *err)
{
	char words[ERROR_TEXT_SIZE];

	read_words(words, sizeof(words));
	if (words[0])
		return runtime_translate(words, err);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return fail(err, E_UNSUPPORTED, "the container runtime %s cannot be run", program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
		return fail(err, E_INTERNAL, "cannot enter the job's cgroup");
	if (WIFSIGNALED(status))
		return fail(err, E_INTERNAL, "the container runtime was killed by signal %d",
		            WTERMSIG(status));
	return fail(err, E_INTERNAL, "the container runtime failed with exit code %d",
	            WEXITSTATUS(status));
}

static int read_pid(pid_t *ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(64);

	if (file_read(AT_FDCWD, PID_FILE, &text, err))
		return -1;
	long pid = strtol(buffer_text(&text), NULL, 10);
	if (pid <= 1)
		return fail(err, E_INTERNAL, "the container runtime told no process id");
	*ret = (pid_t)pid;
	return 0;
}

int runtime_start(const struct runtime *runtime, const struct cgroup *cgroup, int output_fd,
                  pid_t *ret_pid, struct error *err)
{
	int status;
	pid_t pid = cgroup_fork(cgroup);

	if (pid < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot start the container runtime");
	if (pid == 0)
		exec_runtime(runtime, output_fd);
	if (await(pid, &status, err))
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return explain_failure(runtime->path, status, err);
	return read_pid(ret_pid, err);
}

struct phrase {
	const char *part, *other_part; /* both are in the runtime's words */
	const char *sentence;
};

static const struct phrase phrases[] = {
        {"executable file", "not found", "Command not found"},
        {"executable path", "", "Command not found"},
        {"Exec format error", "",
         "Command cannot run on this machine (wrong architecture, or a "
         "script without a #! line)"},
        {"exec format error", "",
         "Command cannot run on this machine (wrong architecture, or a "
         "script without a #! line)"},
        {"chdir", "", "Working directory cannot be entered"},
        {"cwd", "", "Working directory cannot be entered"},
        {"exec", "ermission denied", "Command is not executable"},
        {"open executable", "", "Command not found"},
        {"exec", "o such file", "Command not found"},
};

int runtime_translate(const char *words, struct error *err)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		const struct phrase *p = &phrases[i];
		if (strstr(words, p->part) && strstr(words, p->other_part))
			return fail(err, E_INVALID, "%s: %s", p->sentence, words);
	}
	return fail(err, E_INTERNAL, "the container runtime said: %s", words);
}
