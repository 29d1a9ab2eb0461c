/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes config.json. The profile is that of Hugging Face Jobs: root of a user namespace with ids
 * 0-65535 and Docker's capabilities without NET_RAW; nothing of the host but kernel interfaces, and
 * those masked or read-only as Docker does.
 */
#include "container/bundle.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SHM_DEFAULT_BYTES (64 * 1024 * 1024)
#define OOM_SCORE_ADJUST 500 /* when the whole host runs out, jobs go before services */

static const char *const capabilities[] = {
        "CAP_AUDIT_WRITE", "CAP_CHOWN",  "CAP_DAC_OVERRIDE",     "CAP_FOWNER",  "CAP_FSETID",
        "CAP_KILL",        "CAP_MKNOD",  "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID",
        "CAP_SETPCAP",     "CAP_SETUID", "CAP_SYS_CHROOT",       NULL,
};

static const char *const masked_paths[] = {
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
        "/sys/kernel",
        NULL,
};

static const char *const read_only_paths[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

/* Variables by which common programs find a CA bundle. */
static const char *const ca_variables[] = {
        "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
        "PIP_CERT",      "GIT_SSL_CAINFO",     "AWS_CA_BUNDLE",  NULL,
};

static json_t *text_list(const char *const *texts)
{
	json_t *list = json_array();

	for (; *texts; texts++)
		json_array_append_new(list, json_string(*texts));
	return list;
}

static bool has_variable(const json_t *env, const char *name)
{
	size_t len = strlen(name), i;
	json_t *item;

	json_array_foreach(env, i, item)
	{
		const char *text = json_string_value(item);
		if (strncmp(text, name, len) == 0 && text[len] == '=')
			return true;
	}
	return false;
}

static void add_variable(json_t *env, const char *name, const char *value)
{
	if (!value || has_variable(env, name))
		return;
	autofree char *text = xasprintf("%s=%s", name, value);
	json_array_append_new(env, json_string(text));
}

static json_t *make_env(const struct bundle_options *o)
{
	const struct configuration *c = o->configuration;
	json_t *env = json_copy(o->spec->env);

	add_variable(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	add_variable(env, "HOME", o->user->home);
	add_variable(env, "HOSTNAME", o->spec->hostname);
	add_variable(env, "http_proxy", c->http_proxy);
	add_variable(env, "https_proxy", c->https_proxy);
	add_variable(env, "no_proxy", c->no_proxy);
	add_variable(env, "HTTP_PROXY", c->http_proxy);
	add_variable(env, "HTTPS_PROXY", c->https_proxy);
	add_variable(env, "NO_PROXY", c->no_proxy);
	for (size_t i = 0; o->ca_source && ca_variables[i]; i++)
		add_variable(env, ca_variables[i], BUNDLE_CA_PATH);
	return env;
}

static json_t *make_process(const struct bundle_options *o)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < o->user->n_groups; i++)
		json_array_append_new(groups, json_integer(o->user->groups[i]));
	return json_pack(
	        "{s:b, s:{s:i, s:i, s:i, s:o}, s:O, s:o, s:s, s:b, s:i, s:{s:o, s:o, s:o}}",
	        "terminal", 0, "user", "uid", (int)o->user->uid, "gid", (int)o->user->gid, "umask",
	        022, "additionalGids", groups, "args", o->spec->args, "env", make_env(o), "cwd",
	        o->spec->cwd, "noNewPrivileges", 1, "oomScoreAdj", OOM_SCORE_ADJUST, "capabilities",
	        "bounding", text_list(capabilities), "effective", text_list(capabilities),
	        "permitted", text_list(capabilities));
}

static void add_mount(json_t *mounts, const char *type, const char *source, const char *target,
                      const char *options)
{
	json_t *list = json_array();

	while (*options) {
		size_t len = strcspn(options, ",");
		json_array_append_new(list, json_stringn(options, len));
		options += len + (options[len] == ',');
	}
	json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:o}", "destination", target,
	                                        "type", type, "source", source, "options", list));
}

static bool host_has_cgroup2(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static const char *bind_options(const json_t *mount)
{
	bool is_read_only = json_get_bool(mount, "read_only", true);

	if (json_get_bool(mount, "is_device", false))
		return "bind,rw,nosuid,noexec";
	if (json_get_bool(mount, "is_recursive", false))
		return is_read_only ? "rbind,ro,nosuid,nodev" : "rbind,rw,nosuid,nodev";
	return is_read_only ? "bind,ro,nosuid,nodev" : "bind,rw,nosuid,nodev";
}

static void add_binds(json_t *mounts, const json_t *more)
{
	size_t i;
	json_t *mount;

	json_array_foreach(more, i, mount)
	        add_mount(mounts, "bind", json_get_text(mount, "source", ""),
	                  json_get_text(mount, "target", ""), bind_options(mount));
}

static json_t *make_mounts(const struct bundle_options *o)
{
	json_t *mounts = json_array();
	char shm[128];
	int64_t shm_bytes =
	        o->spec->memory_bytes > 0 ? o->spec->memory_bytes / 2 : SHM_DEFAULT_BYTES;

	(void)snprintf(shm, sizeof(shm), "nosuid,noexec,nodev,mode=1777,size=%lld",
	               (long long)shm_bytes);
	add_mount(mounts, "proc", "proc", "/proc", "nosuid,noexec,nodev");
	add_mount(mounts, "tmpfs", "tmpfs", "/dev", "nosuid,noexec,strictatime,mode=755,size=64k");
	add_mount(mounts, "devpts", "devpts", "/dev/pts",
	          "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	add_mount(mounts, "tmpfs", "shm", "/dev/shm", shm);
	add_mount(mounts, "mqueue", "mqueue", "/dev/mqueue", "nosuid,noexec,nodev");
	add_mount(mounts, "sysfs", "sysfs", "/sys", "nosuid,noexec,nodev,ro");
	if (host_has_cgroup2())
		add_mount(mounts, "cgroup", "cgroup", "/sys/fs/cgroup", "nosuid,noexec,nodev,ro");
	if (o->ca_source)
		add_mount(mounts, "bind", o->ca_source, BUNDLE_CA_PATH,
		          "bind,ro,nosuid,noexec,nodev");
	add_binds(mounts, o->mounts);
	return mounts;
}

static json_t *joined_namespace(const char *type, int fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	return json_pack("{s:s, s:s}", "type", type, "path", path);
}

static json_t *make_masks(const struct bundle_options *o)
{
	json_t *paths = text_list(masked_paths);

	if (o->masks)
		(void)json_array_extend(paths, (json_t *)(uintptr_t)o->masks);
	return paths;
}

static json_t *make_linux(const struct bundle_options *o)
{
	json_t *all = json_pack(
	        "{s:[o, o, {s:s}, {s:s}, {s:s}, {s:s}, {s:s}], s:o, s:o}", "namespaces",
	        joined_namespace("user", o->user_fd), joined_namespace("network", o->network_fd),
	        "type", "pid", "type", "mount", "type", "ipc", "type", "uts", "type", "cgroup",
	        "maskedPaths", make_masks(o), "readonlyPaths", text_list(read_only_paths));

	json_object_set_new(all, "sysctl",
	                    json_pack("{s:s, s:s}", "net.ipv4.ip_unprivileged_port_start", "0",
	                              "net.ipv4.ping_group_range", "0 65535"));
	if (o->seccomp)
		json_object_set(all, "seccomp", o->seccomp);
	return all;
}

int bundle_write(const struct bundle_options *o, struct error *err)
{
	autojson json_t *config =
	        json_pack("{s:s, s:o, s:{s:s}, s:s, s:o, s:o}", "ociVersion", "1.0.0", "process",
	                  make_process(o), "root", "path", "root", "hostname", o->spec->hostname,
	                  "mounts", make_mounts(o), "linux", make_linux(o));
	/* crun skips compiling linux.seccomp then. */
	if (o->seccomp_program)
		json_object_set_new(
		        config, "annotations",
		        json_pack("{s:s}", "run.oci.seccomp_bpf_data", o->seccomp_program));
	autofree char *text = json_to_text(config);
	autoclose int fd =
	        open("config.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return fail(err, E_INTERNAL, "cannot make config.json");
	return file_write_all(fd, text, strlen(text), err);
}
