/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. Children are watched through pidfds: no signal handler, and no other child is
 * reaped by mistake. */
#include "job/file_worker.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/file_answer.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE_MIN 2
#define BODY_FD 3
/* Room that an answer has for certain, so that a full disk can be told. */
#define ANSWER_ROOM 4096

struct file_task {
	struct file_worker *worker;
	struct file_task *next;
	char *operation;
	int request_fd, body_fd, answer_fd; /* -1: none */
	bool is_urgent;
	file_worker_fn *fn;
	void *arg;
	pid_t pid; /* 0: not started */
	int pid_fd;
	struct loop_watch *watch;
	struct error err; /* why it could not be started */
};

struct task_list {
	struct file_task *first, **last;
};

struct file_worker {
	struct loop *loop;
	struct loop_timer *pump;
	char *program, *tmp_dir;
	struct task_list urgent, patient;
	struct file_task *running;
	int n_running, n_patient_running, at_once;
};

static void list_init(struct task_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void list_add(struct task_list *list, struct file_task *task)
{
	task->next = NULL;
	*list->last = task;
	list->last = &task->next;
}

static struct file_task *list_take(struct task_list *list)
{
	struct file_task *task = list->first;

	if (task)
		list->first = task->next;
	if (!list->first)
		list->last = &list->first;
	return task;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void task_free(struct file_task *task)
{
	loop_watch_free(task->watch);
	close_fd(&task->pid_fd);
	close_fd(&task->request_fd);
	close_fd(&task->body_fd);
	close_fd(&task->answer_fd);
	free(task->operation);
	free(task);
}

/* Its own words, or at least how it ended. */
static void explain_end(const struct file_task *task, int status, struct error *err)
{
	autojson json_t *line = file_answer_last_line(task->answer_fd);
	const char *text = json_get_text(line, "error", NULL);

	enum error_code code = error_code_by_name(json_get_text(line, "code", ""));

	/* The disk is full: a client that is told to try again does so for minutes (xet-cas 2.6).
	 */
	if (code == E_UNAVAILABLE)
		code = E_TOO_LARGE;
	if (WIFEXITED(status) && text)
		fail(err, code, "%s", text);
	else if (WIFSIGNALED(status))
		fail(err, E_INTERNAL, "hearth-files (%s) was ended by signal %d (%s)",
		     task->operation, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		fail(err, E_INTERNAL,
		     "hearth-files (%s) ended with exit code %d and did not say why",
		     task->operation, WEXITSTATUS(status));
}

static void start_waiting(void *arg);

static void remove_running(struct file_task *task)
{
	struct file_worker *worker = task->worker;
	struct file_task **place = &worker->running;

	while (*place != task)
		place = &(*place)->next;
	*place = task->next;
	worker->n_running--;
	worker->n_patient_running -= !task->is_urgent;
}

/* Frees the task before the call, which may add the next one. */
static void finish(struct file_task *task, int status)
{
	struct error err = ERROR_INIT;
	struct file_worker *worker = task->worker;
	file_worker_fn *fn = task->fn;
	void *arg = task->arg;
	struct file_answer *answer = NULL;

	remove_running(task);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		answer = file_answer_new(take_fd(&task->answer_fd));
	else
		explain_end(task, status, &err);
	if (err.code == E_INTERNAL)
		log_error("%s", err.text);
	task_free(task);
	loop_timer_start(worker->pump, 0, 0);
	fn(arg, answer, answer ? NULL : &err);
	if (answer)
		file_answer_release(answer);
}

static void on_exit_ready(void *arg, int events)
{
	struct file_task *task = arg;
	int status = 0;
	pid_t pid;

	do
		pid = waitpid(task->pid, &status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return;
	if (pid <
	    0) /* somebody else has reaped it: its end is unknown, so it counts as a failure */
		status = W_EXITCODE(127, 0);
	finish(task, status);
}

static bool is_long_answer(const char *operation)
{
	static const char *const long_ones[] = {"batch", "hash", "shard", "prune"};

	for (size_t i = 0; i < sizeof(long_ones) / sizeof(long_ones[0]); i++) {
		if (!strcmp(operation, long_ones[i]))
			return true;
	}
	return false;
}

/* Short answers are not worth blocks of a disk, which some file systems are slow to free. Others
 * are there, too, on a full disk, so that at least files can be deleted. */
static int open_answer(const char *tmp_dir, const char *operation, struct error *err)
{
	int fd = is_long_answer(operation) ? open(tmp_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
	                                   : memfd_create("answer", MFD_CLOEXEC);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		autofree char *path = xasprintf("%s/answer-XXXXXX", tmp_dir);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			(void)unlink(path);
	}
	if (fd >= 0 &&
	    (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, ANSWER_ROOM) == 0 || errno == EOPNOTSUPP))
		return fd;
	if (errno == ENOSPC || errno == EDQUOT) {
		close_fd(&fd);
		fd = memfd_create("answer", MFD_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	fail_errno(err, E_UNAVAILABLE, errno, "no file for the answer of hearth-files");
	close_fd(&fd);
	return -1;
}

static int spawn(struct file_task *task)
{
	char *argv[] = {task->worker->program, task->operation, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	/* In this order no source is overwritten: ours are above 2. */
	int rc = posix_spawn_file_actions_adddup2(&actions, task->request_fd, STDIN_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, task->answer_fd, STDOUT_FILENO);
	if (rc == 0 && task->body_fd >= 0)
		rc = posix_spawn_file_actions_adddup2(&actions, task->body_fd, BODY_FD);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(
		        &actions, task->body_fd >= 0 ? BODY_FD + 1 : BODY_FD);
	if (rc == 0)
		rc = posix_spawn(&task->pid, task->worker->program, &actions, &attributes, argv,
		                 environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	return rc;
}

static void kill_and_reap(const struct file_task *task)
{
	(void)kill(task->pid, SIGKILL);
	while (waitpid(task->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int start(struct file_task *task, struct error *err)
{
	if (task->err.code != E_NONE) {
		*err = task->err;
		return -1;
	}
	task->answer_fd = open_answer(task->worker->tmp_dir, task->operation, err);
	if (task->answer_fd < 0)
		return -1;
	int rc = spawn(task);
	if (rc != 0)
		return fail_errno(err, rc == EAGAIN || rc == ENOMEM ? E_UNAVAILABLE : E_INTERNAL,
		                  rc, "cannot start %s", task->worker->program);
	close_fd(&task->request_fd);
	close_fd(&task->body_fd);
	task->pid_fd = pidfd_open(task->pid, 0);
	if (task->pid_fd < 0) {
		int pid_errno = errno;
		kill_and_reap(task);
		return fail_errno(err, E_UNAVAILABLE, pid_errno, "cannot watch hearth-files");
	}
	task->watch =
	        loop_watch_new(task->worker->loop, task->pid_fd, UV_READABLE, on_exit_ready, task);
	return 0;
}

/* What is not urgent leaves one place free, so that nobody who waits at a client waits for it. */
static struct file_task *next_task(struct file_worker *worker)
{
	if (worker->n_running >= worker->at_once)
		return NULL;
	if (worker->urgent.first)
		return list_take(&worker->urgent);
	return worker->n_patient_running < worker->at_once - 1 ? list_take(&worker->patient) : NULL;
}

static void start_waiting(void *arg)
{
	struct file_worker *worker = arg;
	struct file_task *task;

	while ((task = next_task(worker))) {
		struct error err = ERROR_INIT;
		if (start(task, &err) == 0) {
			task->next = worker->running;
			worker->running = task;
			worker->n_running++;
			worker->n_patient_running += !task->is_urgent;
			continue;
		}
		log_error("%s", err.text);
		file_worker_fn *fn = task->fn;
		void *fn_arg = task->arg;
		task_free(task);
		fn(fn_arg, NULL, &err);
	}
}

static int cpus(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return count < AT_ONCE_MIN ? AT_ONCE_MIN : count;
}

struct file_worker *file_worker_new(struct loop *loop, const char *program, const char *tmp_dir)
{
	struct file_worker *worker = xcalloc(1, sizeof(*worker));

	worker->loop = loop;
	worker->program = xstrdup(program);
	worker->tmp_dir = xstrdup(tmp_dir);
	worker->at_once = cpus();
	worker->pump = loop_timer_new(loop, start_waiting, worker);
	list_init(&worker->urgent);
	list_init(&worker->patient);
	return worker;
}

void file_worker_free(struct file_worker *worker)
{
	struct file_task *task;

	if (!worker)
		return;
	while ((task = worker->running)) {
		worker->running = task->next;
		kill_and_reap(task);
		task_free(task);
	}
	while ((task = list_take(&worker->urgent)) || (task = list_take(&worker->patient)))
		task_free(task);
	loop_timer_free(worker->pump);
	free(worker->program);
	free(worker->tmp_dir);
	free(worker);
}

static int write_request(const json_t *request, int *ret_fd, struct error *err)
{
	autofree char *text = json_to_text(request);
	autoclose int fd = memfd_create("request", MFD_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, E_UNAVAILABLE, errno,
		                  "no memory for a request to hearth-files");
	for (size_t done = 0, len = strlen(text); done < len;) {
		ssize_t n = pwrite(fd, text + done, len - done, (off_t)done);
		if (n < 0 && errno != EINTR)
			return fail_errno(err, E_UNAVAILABLE, errno,
			                  "no memory for a request to hearth-files");
		done += n > 0 ? (size_t)n : 0;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

void file_worker_run(struct file_worker *worker, const char *operation, json_t *take_request,
                     int body_fd, bool is_urgent, file_worker_fn *fn, void *arg)
{
	struct file_task *task = xcalloc(1, sizeof(*task));

	*task = (struct file_task){.worker = worker,
	                           .operation = xstrdup(operation),
	                           .request_fd = -1,
	                           .body_fd = -1,
	                           .answer_fd = -1,
	                           .pid_fd = -1,
	                           .is_urgent = is_urgent,
	                           .fn = fn,
	                           .arg = arg};
	if (body_fd >= 0)
		task->body_fd = fcntl(body_fd, F_DUPFD_CLOEXEC, 3);
	if (body_fd >= 0 && task->body_fd < 0)
		fail_errno(&task->err, E_UNAVAILABLE, errno, "no descriptor for the body");
	else
		(void)write_request(take_request, &task->request_fd, &task->err);
	json_decref(take_request);
	list_add(is_urgent ? &worker->urgent : &worker->patient, task);
	loop_timer_start(worker->pump, 0, 0);
}
