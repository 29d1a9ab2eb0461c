/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth-mount: serves one volume of a job over FUSE. The monitor has opened and mounted everything
 * (base/volume.h); this program reads what it is to serve, confines itself, answers the kernel
 * until the volume is unmounted, makes durable what was written, and exits.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/volume.h"
#include "hub/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define REQUEST_MAX (64 * 1024)
#define TRANSFER_BYTES (1024 * 1024)
#define FUSE_FD_PATH "/dev/fd/3"

static struct fuse_session *session; /* for the signal handler */
static void (*source_init)(void *state, struct fuse_conn_info *connection);

static void link_send(int link_fd, json_t *take_message)
{
	autojson json_t *message = take_message;
	autofree char *text = message ? json_to_text(message) : NULL;

	if (text)
		(void)send(link_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void mount_tell_full(struct mount *mount, const char *text)
{
	if (mount->has_told_full)
		return;
	mount->has_told_full = true;
	link_send(mount->link_fd, json_pack("{s:s, s:s}", "type", "full", "text", text));
}

static int read_request(struct mount *mount, json_t **ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(REQUEST_MAX);
	char chunk[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0) {
		if (buffer_add(&text, chunk, (size_t)n) < 0)
			return fail(err, E_INVALID, "the request of the volume is too large");
	}
	if (json_parse(buffer_text(&text), text.len, "the request of the volume", ret, err) < 0)
		return -1;
	mount->request = *ret;
	mount->kind = json_get_text(*ret, "kind", "");
	mount->is_read_only = json_get_bool(*ret, "read_only", false);
	mount->owner_uid = (uint32_t)json_get_int(*ret, "owner_uid", 0);
	mount->owner_gid = (uint32_t)json_get_int(*ret, "owner_gid", 0);
	return 0;
}

static const struct mount_source *find_source(const char *kind, struct error *err)
{
	if (strcmp(kind, "bucket") == 0 || strcmp(kind, "mirror") == 0)
		return &mount_folder;
	if (strcmp(kind, "repository") == 0)
		return &mount_repository;
	fail(err, E_UNSUPPORTED, "volumes of the kind \"%.32s\" are not built", kind);
	return NULL;
}

static int adopt_fds(struct mount *mount, struct error *err)
{
	static const int fds[] = {VOLUME_FUSE_FD, VOLUME_FOLDER_FD, VOLUME_LINK_FD};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0)
			return fail(err, E_INVALID,
			            "descriptor %d is not open: hearth-mount is started by "
			            "hearth-monitor",
			            fds[i]);
	}
	mount->folder_fd = VOLUME_FOLDER_FD;
	mount->link_fd = VOLUME_LINK_FD;
	return 0;
}

static void set_connection(void *state, struct fuse_conn_info *connection)
{
	connection->max_write = TRANSFER_BYTES;
	connection->max_read = TRANSFER_BYTES;
	connection->max_readahead = TRANSFER_BYTES;
	/* Reads go from file to kernel by reference. Writes are copied once either way, and
	 * receiving through a pipe would cost each small request a second call. */
	connection->want |= connection->capable & FUSE_CAP_SPLICE_WRITE;
	connection->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_WRITEBACK_CACHE);
	if (source_init)
		source_init(state, connection);
}

static void request_end(int signal)
{
	(void)signal;
	if (session)
		fuse_session_exit(session);
}

/* Unmounting ends us; SIGTERM is for a volume that something still holds. No SA_RESTART: the read
 * in the loop has to return. */
static void set_signals(void)
{
	struct sigaction end = {.sa_handler = request_end};

	(void)sigaction(SIGTERM, &end, NULL);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void limit_process(void)
{
	struct rlimit none = {0}, files;

	(void)setrlimit(RLIMIT_CORE, &none);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)umask(022);
}

static struct fuse_session *open_session(const struct mount_source *source, void *state,
                                         struct error *err)
{
	static struct fuse_lowlevel_ops operations;
	char *argv[] = {(char[]){"hearth-mount"}, (char[]){"-omax_read=1048576"}, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct fuse_session *opened;

	operations = *source->operations;
	source_init = operations.init;
	operations.init = set_connection;
	opened = fuse_session_new(&args, &operations, sizeof(operations), state);
	fuse_opt_free_args(&args);
	if (!opened || fuse_session_mount(opened, FUSE_FD_PATH) != 0) {
		fail(err, E_INTERNAL, "FUSE cannot be spoken on this kernel");
		if (opened)
			fuse_session_destroy(opened);
		return NULL;
	}
	return opened;
}

/* 0: unmounted, or told to end. */
static int serve(const struct mount_source *source, void *state)
{
	struct fuse_buf request = {0};
	int fd = fuse_session_fd(session), n = 0;

	while (!fuse_session_exited(session)) {
		if (source->wait && !source->wait(state, fd))
			continue;
		n = fuse_session_receive_buf(session, &request);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break;
		fuse_session_process_buf(session, &request);
	}
	free(request.mem);
	return n < 0 && n != -ENODEV && n != -EINTR ? -1 : 0;
}

static int run(struct mount *mount, json_t **ret_request, struct error *err)
{
	const struct mount_source *source;
	void *state = NULL;
	int failed;

	if (adopt_fds(mount, err) < 0 || read_request(mount, ret_request, err) < 0)
		return -1;
	source = find_source(mount->kind, err);
	if (!source || mount_confine(mount, source, err) < 0 ||
	    source->open(mount, &state, err) < 0 || !(session = open_session(source, state, err)))
		return -1;
	mount->session = session;
	link_send(mount->link_fd, json_pack("{s:s}", "type", "ready"));
	failed = serve(source, state);
	if (failed)
		log_error("volume %s: the connection with the kernel broke",
		          json_get_text(mount->request, "target", ""));
	if (source->close && source->close(state, err) < 0)
		return -1;
	return failed ? fail(err, E_INTERNAL, "the connection with the kernel broke") : 0;
}

int main(void)
{
	static struct mount mount = {.link_fd = -1};
	autojson json_t *request = NULL;
	struct error err = ERROR_INIT;

	log_open("hearth-mount", LOG_LEVEL_INFO);
	limit_process();
	set_signals();
	if (run(&mount, &request, &err) == 0)
		return 0;
	if (mount.link_fd < 0) {
		log_error("%s", err.text);
		return 1;
	}
	link_send(mount.link_fd, json_pack("{s:s, s:s, s:s}", "type", "error", "code",
	                                   error_code_name(err.code), "text", err.text));
	return 1;
}
