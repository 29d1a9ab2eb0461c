/* SPDX-License-Identifier: Apache-2.0 */
/* One volume's FUSE mount and the process that serves it. */
#include "container/volumes_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/quantity.h"
#include "container/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define READ_AHEAD_KIB 1024
#define MESSAGE_MAX 4096
#define LIFTED_MIN 16

static int mount_volume(struct volume *v, int fuse_fd, size_t index, struct error *err)
{
	char options[128];
	unsigned long flags = MS_NOSUID | MS_NODEV | (v->is_read_only ? MS_RDONLY : 0);

	(void)snprintf(v->source, sizeof(v->source), STAGE_DIR "/volumes/%zu", index);
	(void)snprintf(options, sizeof(options),
	               "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other,max_read=1048576",
	               fuse_fd);
	if (mkdir(v->source, 0755) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot make %s", v->source);
	if (mount("hearth", v->source, "fuse.hearth", flags, options) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot mount a volume (FUSE)");
	v->is_mounted = true;
	return 0;
}

/* In the child. */
static _Noreturn void become_server(const struct volume *v, int request_fd, int fuse_fd,
                                    int link_fd)
{
	const struct volumes *set = v->set;
	const int wanted[] = {request_fd, -1, -1, fuse_fd, v->folder_fd, link_fd};
	int lifted[6];
	char *const argv[] = {(char[]){"hearth-mount"}, NULL};
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)setsid();
	for (size_t i = 0; i < 6; i++)
		lifted[i] = wanted[i] < 0 ? -1 : fcntl(wanted[i], F_DUPFD_CLOEXEC, LIFTED_MIN);
	int program_fd = fcntl(set->program_fd, F_DUPFD_CLOEXEC, LIFTED_MIN);
	for (int i = 0; i < 6; i++) {
		if (lifted[i] >= 0 && dup2(lifted[i], i) < 0)
			_exit(126);
	}
	/* Under a server that is no root nothing has to change. */
	if (getuid() == 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(set->gid, set->gid, set->gid) < 0 ||
	     setresuid(set->uid, set->uid, set->uid) < 0))
		_exit(126);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (close_range(6, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(126);
	(void)execveat(program_fd, "", argv, environ, AT_EMPTY_PATH);
	_exit(127);
}

int volume_serve_start(struct volume *v, size_t index, struct error *err)
{
	/* Our copy is closed at the end: with the process goes the file system, whoever waits for
	 * it. */
	autoclose int fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	int pair[2], request[2];

	if (fuse_fd < 0)
		return fail_errno(err, E_UNSUPPORTED, errno,
		                  "Volumes need /dev/fuse on this server (modprobe fuse)");
	if (mount_volume(v, fuse_fd, index, err) < 0)
		return -1;
	if (pipe2(request, O_CLOEXEC) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot speak with hearth-mount");
	autoclose int request_fd = request[0];
	v->request_fd = request[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot speak with hearth-mount");
	autoclose int far_fd = pair[1];
	v->link_fd = pair[0];
	pid_t pid = fork();
	if (pid < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot start hearth-mount");
	if (pid == 0)
		become_server(v, request_fd, fuse_fd, far_fd);
	v->pid = pid;
	return 0;
}

void volume_serve_tell(struct volume *v, uint32_t owner_uid, uint32_t owner_gid)
{
	struct error err = ERROR_INIT;

	json_object_set_new(v->request, "owner_uid", json_integer(owner_uid));
	json_object_set_new(v->request, "owner_gid", json_integer(owner_gid));
	autofree char *text = json_to_text(v->request);
	/* If it is gone already, the link says so. */
	if (file_write_all(v->request_fd, text, strlen(text), &err) < 0)
		log_warning("volume %s: %s", v->target, err.text);
	(void)close(take_fd(&v->request_fd));
	/* It may hold a token. */
	json_decref(v->request);
	v->request = NULL;
}

static void tell_progress(const struct volume *v, const json_t *message)
{
	int64_t done = json_get_int(message, "done", 0), total = json_get_int(message, "total", 0);
	char have[QUANTITY_TEXT_SIZE], want[QUANTITY_TEXT_SIZE];
	char text[CONTROL_MESSAGE_MAX / 2];

	if (!v->set->control || total <= 0)
		return;
	done = done > total ? total : done;
	(void)snprintf(text, sizeof(text), "Fetching the %s: %d %%, %s of %s", v->what,
	               (int)((__int128)done * 100 / total), quantity_format_bytes(done, have),
	               quantity_format_bytes(total, want));
	autojson json_t *told = json_pack("{s:s, s:s}", "type", "progress", "text", text);
	autofree char *line = told ? json_to_text(told) : NULL;
	if (line)
		control_tell(v->set->control, line);
}

static void take_message(struct volume *v, const json_t *message)
{
	const char *type = json_get_text(message, "type", "");
	const char *text = json_get_text(message, "text", "");

	if (strcmp(type, "ready") == 0)
		v->is_ready = true;
	else if (strcmp(type, "progress") == 0)
		tell_progress(v, message);
	else if (strcmp(type, "error") == 0)
		(void)snprintf(v->error, sizeof(v->error), "%s", text);
	else if (strcmp(type, "full") == 0 && v->set->remark[0] == '\0')
		(void)snprintf(v->set->remark, sizeof(v->set->remark), "%s", text);
}

bool volume_serve_hear(struct volume *v)
{
	char text[MESSAGE_MAX];
	struct error unused = ERROR_INIT;
	autojson json_t *message = NULL;
	ssize_t n;

	do
		n = recv(v->link_fd, text, sizeof(text), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	if (json_parse(text, (size_t)n, "a message of hearth-mount", &message, &unused) == 0)
		take_message(v, message);
	return true;
}

void volume_serve_set_read_ahead(const struct volume *v)
{
	struct stat st;
	char path[64], text[16];

	if (stat(v->source, &st) < 0)
		return;
	(void)snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev),
	               minor(st.st_dev));
	int len = snprintf(text, sizeof(text), "%d", READ_AHEAD_KIB);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, text, (size_t)len) != len)
		log_debug("%s cannot be set", path);
}
