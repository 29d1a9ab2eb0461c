/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases of an attempt. The end is told in this order: the job's first process is reaped (with
 * it all others are gone), the pipe is drained, the log is on disk, the exit record is on disk, the
 * peers hear of it. Only then comes what takes time and interests nobody: removing and compressing.
 */
#include "container/monitor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/quantity.h"
#include "container/overlay.h"
#include "container/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define REMOVE_CGROUP_MS 5000
#define RECORD_TRIES 600 /* one per second */
#define STATE_SIZE 128
#define ROOM_MIN (16ULL * 1024 * 1024)

static void cancel(void *arg)
{
	struct monitor *m = arg;

	monitor_end_order(m->end, OUTCOME_CANCELED);
}

static void extend(void *arg, int64_t timeout_s)
{
	struct monitor *m = arg;

	if (timeout_s >= 1 && timeout_s <= INT32_MAX)
		monitor_end_set_timeout(m->end, timeout_s);
}

static void storage_exceeded(void *arg)
{
	struct monitor *m = arg;

	monitor_end_order(m->end, OUTCOME_STORAGE);
}

static bool read_sample(void *arg, struct sampler_reading *ret)
{
	struct monitor *m = arg;
	struct cgroup_usage usage;

	cgroup_meter_read(m->meter, &usage);
	*ret = (struct sampler_reading){
	        .cpu_us = usage.cpu_us,
	        .memory_bytes = usage.memory_bytes,
	        .storage_bytes = storage_watch_bytes(m->storage),
	};
	return true;
}

static void process_ended(void *arg, uint32_t events)
{
	struct monitor *m = arg;

	if (waitpid(m->pid, &m->wait_status, WNOHANG) == m->pid)
		poller_stop(m->poller);
}

/* Over the old one by a single write of the same length: a new file and its renaming would cost the
 * disk more than everything else that is written at a start. */
void monitor_write_state(const struct monitor *m, const char *phase)
{
	char text[STATE_SIZE + 1], json[STATE_SIZE];
	autoclose int fd = openat(m->attempt_fd, "state.json",
	                          O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	(void)snprintf(json, sizeof(json),
	               "{\"phase\":\"%s\",\"started_ms\":%lld,\"monitor_pid\":%d}", phase,
	               (long long)m->started_ms, m->host_pid);
	(void)snprintf(text, sizeof(text), "%-*s\n", STATE_SIZE - 1, json);
	if (fd < 0 || pwrite(fd, text, STATE_SIZE, 0) != STATE_SIZE)
		log_warning("state.json cannot be written: %s", strerror(errno));
}

static void tell_running(struct monitor *m)
{
	control_tell_running(m->control, m->started_ms, m->started_us);
}

static void write_marker(struct monitor *m)
{
	char at[CLOCK_TEXT_SIZE], text[96];

	(void)snprintf(text, sizeof(text),
	               "===== Job started at %s =====", clock_format_plain(m->started_ms, at));
	log_writer_system(m->log, text);
}

static int watch_process(struct monitor *m, int *ret_fd, struct poller_watch **ret,
                         struct error *err)
{
	int fd = pidfd_open(m->pid, 0);

	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot watch the job's process");
	*ret_fd = fd;
	*ret = poller_watch(m->poller, fd, EPOLLIN, process_ended, m);
	return 0;
}

static void start_sampler(struct monitor *m)
{
	struct error err = ERROR_INIT;
	struct sampler_options options = {
	        .dir_fd = m->attempt_fd,
	        .cpu_millis = m->spec.cpu_millis,
	        .memory_limit_bytes = m->spec.memory_bytes,
	        .rx_fd = m->network.rx_fd,
	        .tx_fd = m->network.tx_fd,
	        .devices = m->device_watch,
	        .read = read_sample,
	        .arg = m,
	};

	m->meter = cgroup_meter_new(m->cgroup);
	if (sampler_new(m->poller, &options, &m->sampler, &err))
		log_warning("no metrics: %s", err.text);
}

/* The job runs: what it does not wait for. */
static void begin(struct monitor *m)
{
	tell_running(m);
	if (m->spec.has_marker)
		write_marker(m);
	log_writer_attach(m->log, m->poller, take_fd(&m->pipe_fd));
	monitor_end_set_timeout(m->end, m->spec.timeout_s);
	if (m->network.dns_udp_fd >= 0 && m->network.dns_tcp_fd >= 0)
		m->dns_relay = dns_relay_new(m->poller, &m->dns, m->network.dns_udp_fd,
		                             m->network.dns_tcp_fd);
	m->storage = storage_watch_new(m->poller, take_fd(&m->upper_fd),
	                               m->configuration->storage_limits ? m->spec.storage_bytes : 0,
	                               storage_exceeded, m);
	m->device_watch = device_watch_new(m->poller, m->configuration, m->spec.metrics_devices);
	start_sampler(m);
	monitor_uv_watch(m);
	monitor_write_state(m, "running");
	monitor_spec_clear(&m->spec);
	user_namespace_close(&m->namespaces);
	(void)malloc_trim(0);
}

static int run_job(struct monitor *m, struct error *err)
{
	struct control_events events = {.cancel = cancel, .extend = extend, .arg = m};
	struct poller_watch *watch = NULL;
	int pid_fd = -1, first_fd = m->control_fd;

	m->control_fd = -1;
	m->poller = poller_new();
	m->end = monitor_end_new(m);
	m->warning = monitor_warning_new(m);
	if (control_new(m->poller, m->attempt_fd, first_fd, &events, &m->control, err))
		return -1;
	if (monitor_spec_read(m->attempt_fd, &m->spec, err) ||
	    log_writer_open(m->attempt_fd, m->spec.log_limit_bytes, 0, &m->log, err) ||
	    monitor_uv_wait(m, err) || monitor_build(m, err))
		return -1;
	m->started_ms = clock_now_ms();
	m->started_us = clock_monotonic_us();
	if (watch_process(m, &pid_fd, &watch, err))
		return -1;
	begin(m);
	poller_run(m->poller);
	poller_unwatch(watch);
	(void)close(pid_fd);
	return 0;
}

static enum attempt_outcome judge(const struct monitor *m, const struct cgroup_usage *usage)
{
	enum attempt_outcome ordered = monitor_end_outcome(m->end);
	bool succeeded = WIFEXITED(m->wait_status) && WEXITSTATUS(m->wait_status) == 0;

	if (ordered != OUTCOME_NONE)
		return ordered;
	if (usage->oom_kills > 0 && !succeeded)
		return OUTCOME_OOM;
	return WIFSIGNALED(m->wait_status) ? OUTCOME_SIGNALED : OUTCOME_EXITED;
}

static void describe(const struct monitor *m, int64_t ended_us, struct exit_record *ret)
{
	struct cgroup_usage usage = {0};
	char limit[QUANTITY_TEXT_SIZE];

	cgroup_read_usage(m->cgroup, &usage);
	ret->outcome = judge(m, &usage);
	ret->exit_code = WIFEXITED(m->wait_status) ? WEXITSTATUS(m->wait_status) : -1;
	ret->signal = WIFSIGNALED(m->wait_status) ? WTERMSIG(m->wait_status) : 0;
	ret->running_us = ended_us - m->started_us;
	ret->memory_peak_bytes = usage.memory_peak_bytes;
	if (ret->outcome == OUTCOME_STORAGE)
		(void)snprintf(ret->message, sizeof(ret->message),
		               "Ephemeral storage limit of %s exceeded",
		               quantity_format_bytes(m->spec.storage_bytes, limit));
	else if (ret->outcome == OUTCOME_TIMEOUT)
		monitor_end_explain_timeout(m->end, ret->message, sizeof(ret->message));
}

/* A job that has filled the disk must not keep its own end from being written: nothing of it is
 * alive any more, so its files may go first. */
static void make_room(const struct monitor *m)
{
	struct error err = ERROR_INIT;
	struct statvfs fs;

	if (fstatvfs(m->attempt_fd, &fs) == 0 && fs.f_bavail * fs.f_frsize >= ROOM_MIN)
		return;
	(void)umount2(STAGE_ROOT, MNT_DETACH);
	if (overlay_remove(m->attempt_fd, &err))
		log_warning("%s", err.text);
}

/* No room on the disk, most likely: worth waiting for, unless the folder itself is gone. */
static bool write_record(const struct monitor *m, const struct exit_record *record)
{
	struct error err = ERROR_INIT;
	struct stat st;

	for (int i = 0; exit_record_write(m->attempt_fd, record, &err); i++) {
		log_error("%s", err.text);
		if (i >= RECORD_TRIES || fstat(m->attempt_fd, &st) || st.st_nlink == 0)
			return false;
		(void)sleep(1);
	}
	return true;
}

/* What the job wrote is on disk before its end is told. If that fails, the job has failed. */
static void settle_volumes(const struct monitor *m, struct exit_record *record)
{
	struct error err = ERROR_INIT;
	bool succeeded = record->outcome == OUTCOME_EXITED && record->exit_code == 0;

	if (volumes_finish(m->volumes, &err)) {
		log_error("%s", err.text);
		if (succeeded)
			record->outcome = OUTCOME_FAILED;
		(void)snprintf(record->message, sizeof(record->message), "%s", err.text);
	} else if (!succeeded && record->message[0] == '\0') {
		(void)snprintf(record->message, sizeof(record->message), "%s",
		               volumes_remark(m->volumes));
	}
}

/* `failure` NULL: the job ran. */
static void conclude(struct monitor *m, const struct error *failure)
{
	struct error err = ERROR_INIT;
	int64_t ended_us = clock_monotonic_us();
	struct exit_record record = {
	        .exit_code = -1,
	        .started_ms = m->started_ms,
	        .ended_ms = clock_now_ms(),
	        .memory_limit_bytes = m->spec.memory_bytes,
	};

	if (failure && monitor_end_outcome(m->end) != OUTCOME_NONE) {
		record.outcome = monitor_end_outcome(m->end);
	} else if (failure) {
		record.outcome = OUTCOME_FAILED;
		(void)snprintf(record.message, sizeof(record.message), "%s", failure->text);
	} else {
		describe(m, ended_us, &record);
	}
	sampler_free(m->sampler);
	cgroup_meter_free(m->meter);
	device_watch_free(m->device_watch);
	settle_volumes(m, &record);
	make_room(m);
	if (m->log) {
		if (log_writer_finish(m->log, &err))
			log_error("the log is not complete: %s", err.text);
		record.log_bytes = log_writer_bytes(m->log);
	}
	bool is_written = write_record(m, &record);
	if (m->control && is_written)
		control_tell(m->control, "{\"type\":\"ended\"}");
}

static void clean_up(struct monitor *m)
{
	struct error err = ERROR_INIT;

	monitor_write_state(m, "ended");
	control_free(m->control, m->attempt_fd);
	storage_watch_free(m->storage);
	dns_relay_free(m->dns_relay);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	monitor_uv_release(m);
	if (m->cgroup && cgroup_remove(m->cgroup, REMOVE_CGROUP_MS, &err))
		log_warning("%s", err.text);
	(void)umount2(STAGE_ROOT, MNT_DETACH);
	if (overlay_remove(m->attempt_fd, &err))
		log_warning("%s", err.text);
	if (m->log && log_compress(m->attempt_fd, &err))
		log_warning("%s", err.text);
	monitor_uv_trim(m);
	cgroup_free(m->cgroup);
	user_namespace_close(&m->namespaces);
	monitor_spec_clear(&m->spec);
	log_writer_free(m->log);
	volumes_free(m->volumes);
	monitor_warning_free(m->warning);
	monitor_end_free(m->end);
	poller_free(m->poller);
}

/* What was started must not outlive a failure of ours, or of the runtime half-way. */
static void abandon(struct monitor *m)
{
	struct error unused = ERROR_INIT;

	if (m->pid > 0)
		(void)kill(m->pid, SIGKILL);
	if (m->cgroup)
		(void)cgroup_signal(m->cgroup, SIGKILL);
	volumes_kill(m->volumes);
	(void)volumes_finish(m->volumes, &unused);
	if (!m->cgroup)
		return;
	while (waitpid(-1, &m->wait_status, 0) > 0 || errno == EINTR)
		;
}

static void tell_refusal(int fd, const struct error *err)
{
	autojson json_t *message = json_pack("{s:s, s:s, s:s}", "type", "error", "code",
	                                     error_code_name(err->code), "text", err->text);
	autofree char *text = json_to_text(message);

	if (fd >= 0)
		(void)send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int find_host_pid(void)
{
	char text[32];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return (int)strtol(text, NULL, 10);
}

int monitor_run(struct configuration *configuration, int take_control_fd)
{
	struct monitor m = {
	        .configuration = configuration,
	        .namespaces = {-1, -1},
	        .network = {.rx_fd = -1, .tx_fd = -1, .dns_udp_fd = -1, .dns_tcp_fd = -1},
	        .control_fd = take_control_fd,
	        .pipe_fd = -1,
	        .upper_fd = -1,
	        .host_pid = find_host_pid(),
	};
	struct error err = ERROR_INIT;
	struct stat st;
	autoclose int lock_fd = -1;

	m.attempt_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m.attempt_fd < 0 || fstat(m.attempt_fd, &st)) {
		fail_errno(&err, E_INTERNAL, errno, "cannot open the attempt folder");
		tell_refusal(take_control_fd, &err);
		return 1;
	}
	/* Our files belong to the folder's group: hearthd reads them. */
	(void)setfsgid(st.st_gid);
	if (file_lock(m.attempt_fd, "lock", &lock_fd, &err)) {
		tell_refusal(take_control_fd, &err);
		return 1;
	}
	int rc = run_job(&m, &err);
	if (rc)
		abandon(&m);
	conclude(&m, rc ? &err : NULL);
	clean_up(&m);
	return 0;
}
