/* SPDX-License-Identifier: Apache-2.0 */
/* Attempt folders as hearthd makes and finds them. */
#include "backend/local_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SPEC_NAME "spec.json"
#define SPEC_MAX (8 * 1024 * 1024)

int local_folder_open(const struct local_attempt *attempt, int *ret_fd, struct error *err)
{
	int fd = openat(attempt->local->attempts_fd, attempt->name,
	                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INTERNAL, errno,
		                  "cannot open the attempt folder %s", attempt->name);
	*ret_fd = fd;
	return 0;
}

int local_folder_make(const struct local_attempt *attempt, const json_t *spec, struct error *err)
{
	autofree char *text = json_to_text(spec);
	if (strlen(text) > SPEC_MAX)
		return fail(err, E_TOO_LARGE,
		            "The environment and the arguments of the job are larger "
		            "than 8 MiB");
	if (mkdirat(attempt->local->attempts_fd, attempt->name, 0750) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot make the attempt folder %s",
		                  attempt->name);
	autoclose int fd = -1;
	if (local_folder_open(attempt, &fd, err) < 0)
		return -1;
	/* Nobody reads it before the spawner is told: neither atomic nor durable is needed. */
	autoclose int spec_fd =
	        openat(fd, SPEC_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (spec_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot write " SPEC_NAME);
	return file_write_all(spec_fd, text, strlen(text), err);
}

void local_folder_remove(const struct local_attempt *attempt)
{
	struct error err = ERROR_INIT;
	if (file_remove_tree(attempt->local->attempts_fd, attempt->name, &err) < 0)
		log_warning("attempt %s: %s", attempt->name, err.text);
}

int local_folder_connect(int dir_fd, int *ret_fd, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	/* The state folder's own path may be longer than a socket address. */
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control",
	               dir_fd);
	autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot reach the monitor");
	*ret_fd = take_fd(&fd);
	return 0;
}
