/* SPDX-License-Identifier: Apache-2.0 */
/* Checks at start: better one sentence now than a job that fails later. */
#include "server/preflight.h"

#include "base/buffer.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "server/programs.h"

#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define VERSION(major, minor, patch) ((major)*1000000L + (minor)*1000L + (patch))
#define CRUN_OLDEST VERSION(1, 8, 1)
#define CRUN_GOOD VERSION(1, 28, 0)

/* Service managers and sudo often leave the sbin folders out. */
static void complete_path(void)
{
	const char *path = getenv("PATH");
	autofree char *longer = xasprintf("%s:/usr/local/sbin:/usr/sbin:/sbin",
	                                  path && *path ? path : "/usr/local/bin:/usr/bin:/bin");

	if (!path || !strstr(path, "/usr/sbin"))
		(void)setenv("PATH", longer, 1);
}

static bool is_in_path(const char *program)
{
	autofree char *copy = xstrdup(getenv("PATH"));
	char *rest = copy;

	if (strchr(program, '/'))
		return access(program, X_OK) == 0;
	for (char *dir; (dir = strsep(&rest, ":"));) {
		autofree char *file = xasprintf("%s/%s", dir, program);

		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

long preflight_parse_version(const char *text)
{
	long major, minor, patch = 0;

	for (const char *p = strpbrk(text, "0123456789"); p; p = strpbrk(p + 1, "0123456789"))
		if (sscanf(p, "%ld.%ld.%ld", &major, &minor, &patch) >= 2)
			return VERSION(major, minor, patch);
	return -1;
}

static int check_runtime(const struct configuration *c, struct error *err)
{
	const char *argv[] = {c->runtime, "--version", NULL};
	autobuffer struct buffer output = BUFFER_INIT(4096);
	struct error cause = ERROR_INIT;

	if (!is_in_path(c->runtime))
		return fail(err, E_INVALID,
		            "the container runtime %s was not found; install it (apt install crun) "
		            "or name another one with container.runtime",
		            c->runtime);
	if (child_run(argv, NULL, &output, &cause) < 0)
		return fail(err, E_INVALID, "the container runtime does not work: %s", cause.text);
	long version = preflight_parse_version(buffer_text(&output));
	bool is_crun = strncmp(buffer_text(&output), "crun", 4) == 0;
	log_info("container runtime: %.*s", (int)strcspn(buffer_text(&output), "\n"),
	         buffer_text(&output));
	if (is_crun && version >= 0 && version < CRUN_OLDEST)
		return fail(err, E_INVALID,
		            "crun is older than 1.8.1, which is not safe; install a newer one");
	if (is_crun && version < CRUN_GOOD)
		log_warning("crun is older than 1.28: make sure that its package has the fixes for "
		            "CVE-2026-47766 and CVE-2026-30892");
	return 0;
}

static int check_user(const struct configuration *c, struct error *err)
{
	const struct passwd *user = getpwnam(c->user);

	if (!user)
		return fail(err, E_INVALID,
		            "the system user %s does not exist; make it with: useradd --system "
		            "--home-dir /nonexistent --shell /usr/sbin/nologin %s, or name another "
		            "one with --user",
		            c->user, c->user);
	if (user->pw_uid == 0)
		return fail(err, E_INVALID, "the user of the HTTP process must not be root");
	return 0;
}

static int check_programs(const struct configuration *c, struct error *err)
{
	static const char *const ours[] = {"hearth-monitor", "hearth-pull"};

	for (size_t i = 0; i < 2; i++) {
		autofree char *path = NULL;

		if (program_find(ours[i], &path, err) < 0)
			return -1;
	}
	if (strcmp(c->network_mode, "bridge") == 0 && !is_in_path("nft"))
		return fail(
		        err, E_INVALID,
		        "the program nft was not found, which jobs with a network need; install "
		        "it (apt install nftables) or set network.mode to none");
	return 0;
}

static int check_kernel(struct error *err)
{
	struct utsname name;

	if (uname(&name) < 0 || preflight_parse_version(name.release) < VERSION(5, 15, 0))
		return fail(err, E_INVALID, "Linux 5.15 or newer is needed, not %s", name.release);
	if (access("/proc/self/ns/user", F_OK) < 0)
		return fail(err, E_INVALID, "this kernel has no user namespaces");
	return 0;
}

int preflight_check(const struct configuration *c, struct error *err)
{
	complete_path();
	if (geteuid() != 0)
		return fail(
		        err, E_INVALID,
		        "hearthd must be started as root (sudo hearthd): containers need mounts, "
		        "control groups and networks that an ordinary user may not make. The "
		        "process that talks HTTP gives these rights up at once");
	if (check_kernel(err) < 0 || check_user(c, err) < 0 || check_programs(c, err) < 0)
		return -1;
	return check_runtime(c, err);
}

void preflight_check_unprivileged(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {0};

	if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0)
		BUG("the HTTP process still has root's ids");
	/* Inheritable ones outlive a change of the user. */
	if (syscall(SYS_capset, &head, sets) < 0 || syscall(SYS_capget, &head, sets) < 0)
		BUG("capabilities cannot be given up");
	for (int i = 0; i < 2; i++)
		if (sets[i].effective || sets[i].permitted || sets[i].inheritable)
			BUG("the HTTP process still has capabilities");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		BUG("the HTTP process could gain privileges again");
}
