/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the state directory. */
#include "server/state_dir.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOCK_WAIT_MS 1500
#define LOCK_LOOK_MS 20

char *state_dir_absolute(const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/' || !getcwd(here, sizeof(here)))
		return xstrdup(path);
	return xasprintf("%s/%s", here, path);
}

int state_dir_check_reach(const char *path, struct error *err)
{
	const struct passwd *user = getpwuid(getuid());

	for (const char *end = path + 1;; end++) {
		if (*end != '/' && *end != '\0')
			continue;
		autofree char *folder = xstrndup(path, (size_t)(end - path));

		if (access(folder, X_OK) < 0 && errno == EACCES)
			return fail(err, E_INVALID,
			            "the user %s, which the HTTP process becomes, cannot enter %s; "
			            "open it with: chmod a+x %s, or choose another folder with "
			            "--state-dir",
			            user ? user->pw_name : "of setting server.user", folder,
			            folder);
		if (*end == '\0')
			return 0;
	}
}

static int refuse(int dir_fd, const char *path, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(64);
	struct error ignored = ERROR_INIT;
	long pid = file_read(dir_fd, "lock", &text, &ignored) == 0
	                   ? strtol(buffer_text(&text), NULL, 10)
	                   : 0;

	if (pid > 0)
		return fail(err, E_CONFLICT,
		            "another hearthd (process %ld) uses the state folder %s; stop it or "
		            "choose another folder with --state-dir",
		            pid, path);
	return fail(err, E_CONFLICT,
	            "another hearthd uses the state folder %s; stop it or choose another folder "
	            "with --state-dir",
	            path);
}

/* One half of a hearthd that was killed may still be on its way out. */
static int lock_patiently(int dir_fd, int *ret_lock_fd, struct error *err)
{
	int64_t until_ms = clock_monotonic_ms() + LOCK_WAIT_MS;

	while (file_lock(dir_fd, "lock", ret_lock_fd, err) < 0) {
		if (err->code != E_CONFLICT || clock_monotonic_ms() >= until_ms)
			return -1;
		(void)usleep(LOCK_LOOK_MS * 1000);
	}
	return 0;
}

int state_dir_lock(const char *path, int *ret_dir_fd, int *ret_lock_fd, struct error *err)
{
	autoclose int dir_fd = -1, lock_fd = -1;
	char text[32];

	if (file_open_dir(path, 0755, &dir_fd, err) < 0)
		return error_prefix(err, "state folder %s", path);
	if (lock_patiently(dir_fd, &lock_fd, err) < 0)
		return err->code == E_CONFLICT ? refuse(dir_fd, path, err)
		                               : error_prefix(err, "state folder %s", path);
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(lock_fd, 0) < 0 || pwrite(lock_fd, text, (size_t)len, 0) != len)
		return fail(err, E_INTERNAL, "the state folder %s cannot be written", path);
	*ret_dir_fd = take_fd(&dir_fd);
	*ret_lock_fd = take_fd(&lock_fd);
	return 0;
}
