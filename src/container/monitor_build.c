/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From spec to process. The order matters: what lies on the host is opened before the stage covers
 * /tmp; the network is attached from the host's namespace; secrets are gone from memory and stage
 * once the runtime has read them.
 */
#include "container/monitor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/volume.h"
#include "container/bundle.h"
#include "container/command_check.h"
#include "container/devices.h"
#include "container/overlay.h"
#include "container/root_files.h"
#include "container/runtime.h"
#include "container/seccomp.h"
#include "container/stage.h"
#include "container/user_lookup.h"
#include "container/uv_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CA_FILE "ca.pem"

/* What is opened before the stage is built. */
struct host_files {
	int images_fd, ca_fd;
	json_t *seccomp;
	char *seccomp_program; /* NULL: the runtime compiles `seccomp` */
	bool has_emulators;
	struct runtime *runtime;
	struct devices *devices; /* NULL: none */
};

static int open_host_files(const struct configuration *c, struct host_files *ret, struct error *err)
{
	autofree char *images = xasprintf("%s/images", c->state_dir);

	ret->images_fd = open(images, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ret->images_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open the image store %s", images);
	if (c->ca_bundle && c->ca_bundle[0]) {
		ret->ca_fd = open(c->ca_bundle, O_PATH | O_CLOEXEC);
		if (ret->ca_fd < 0)
			return fail_errno(err, E_INTERNAL, errno, "container.ca_bundle: %s",
			                  c->ca_bundle);
	}
	ret->has_emulators = command_check_emulators();
	if (runtime_open(c->runtime, &ret->runtime, err))
		return -1;
	ret->seccomp_program =
	        runtime_takes_program(ret->runtime) ? seccomp_program(c->seccomp) : NULL;
	if (ret->seccomp_program) {
		/* Hundreds of names less to write, and for the runtime to read. */
		ret->seccomp = seccomp_profile_closed();
		return 0;
	}
	return seccomp_profile(c->seccomp, &ret->seccomp, err);
}

static int make_cgroup(struct monitor *m, struct error *err)
{
	struct cgroup_limits limits = {
	        .cpu_millis = m->spec.cpu_millis,
	        .memory_bytes = m->spec.memory_bytes,
	        .pids = m->spec.pids_limit,
	};
	char name[ID_SIZE + 8];

	(void)snprintf(name, sizeof(name), "%s.%lld", m->spec.job_id, (long long)m->spec.attempt);
	return cgroup_create(m->configuration->cgroup_parent, name, &limits, &m->cgroup, err);
}

/* Once per state folder, not for each job. */
static void warn_of_devices(const struct monitor *m, const struct error *why)
{
	autofree char *path = xasprintf("%s/run/devices-unguarded", m->configuration->state_dir);
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd >= 0)
		log_warning("jobs are kept from devices by their namespaces only: %s", why->text);
}

/* Without devices of its own a job has no node to open anyway; with some, others would be a node
 * away. */
static int restrict_devices(const struct monitor *m, const struct devices *devices,
                            struct error *err)
{
	struct error why = ERROR_INIT;

	if (devices_restrict(devices, m->cgroup, &why) == 0)
		return 0;
	if (devices)
		return fail(err, why.code, "Jobs with devices cannot run here: %s", why.text);
	warn_of_devices(m, &why);
	return 0;
}

static int make_network(struct monitor *m, struct error *err)
{
	if (!m->spec.has_network)
		return network_isolate(m->namespaces.network_fd, err);
	dns_plan_read(m->configuration, NULL, &m->dns);
	return network_attach(m->configuration, (int)m->spec.slot, m->namespaces.network_fd,
	                      &m->dns, &m->network, err);
}

static int write_etc(const struct monitor *m, int root_fd, uint32_t owner, struct error *err)
{
	autofree char *hosts = xasprintf("127.0.0.1\tlocalhost\n"
	                                 "::1\tlocalhost ip6-localhost ip6-loopback\n"
	                                 "%s\t%s\n",
	                                 m->network.address[0] ? m->network.address : "127.0.1.1",
	                                 m->spec.hostname);
	autofree char *hostname = xasprintf("%s\n", m->spec.hostname);

	if (root_files_write(root_fd, "/etc", "hosts", hosts, owner, err) ||
	    root_files_write(root_fd, "/etc", "hostname", hostname, owner, err))
		return -1;
	return root_files_write(root_fd, "/etc", "resolv.conf", m->dns.resolv_conf, owner, err);
}

/* What the runtime mounts on, where the image has nothing of the name. */
static bool make_mount_points(const struct overlay_options *o, int own_fd, uint32_t owner)
{
	static const char *const names[] = {"proc", "dev", "sys"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct stat st = {.st_mode = 0};

		if (!overlay_can_merge(o, names[i], &st) || st.st_mode != 0)
			continue;
		if (mkdirat(own_fd, names[i], 0755) || fchownat(own_fd, names[i], owner, owner, 0))
			return false;
	}
	return true;
}

/* In a layer of ours if possible: that saves the disk from copying up and creating. */
static bool write_own_layer(const struct monitor *m, const struct overlay_options *o,
                            uint32_t owner)
{
	struct stat st = {.st_mode = S_IFDIR | 0755};
	struct error unused = ERROR_INIT;
	autoclose int own_fd = open(STAGE_OWN, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return overlay_can_merge(o, "etc", &st) && own_fd >= 0 &&
	       write_etc(m, own_fd, owner, &unused) == 0 &&
	       fchownat(own_fd, "etc", owner + st.st_uid, owner + st.st_gid, 0) == 0 &&
	       fchmodat(own_fd, "etc", st.st_mode & 07777, 0) == 0 &&
	       make_mount_points(o, own_fd, owner);
}

static int prepare_root(const struct monitor *m, const struct host_files *files, uint32_t owner,
                        bool has_etc, struct user_lookup *ret_user, struct error *err)
{
	autoclose int root_fd = open(STAGE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *command = json_string_value(json_array_get(m->spec.args, 0));
	size_t i;
	json_t *volume;

	if (root_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open the job's root");
	if (!has_etc && write_etc(m, root_fd, owner, err))
		return -1;
	if (user_lookup(root_fd, m->spec.user, ret_user, err))
		return -1;
	json_array_foreach(m->spec.volumes, i, volume)
	{
		if (root_files_make_dir(root_fd, json_string_value(volume), owner, err))
			return error_prefix(err, "Volume of the image");
	}
	json_array_foreach(m->spec.mounts, i, volume)
	{
		if (strcmp(json_get_text(volume, "kind", ""), VOLUME_UV_CACHE) != 0 &&
		    root_files_make_dir(root_fd, json_get_text(volume, "target", "/"), owner, err))
			return error_prefix(err, "Volume");
	}
	if (root_files_make_dir(root_fd, m->spec.cwd, owner, err))
		return error_prefix(err, "Working directory");
	devices_set_env(files->devices, m->spec.env);
	if (devices_prepare_root(files->devices, root_fd, owner, err))
		return -1;
	return devices_have_program(files->devices, command)
	               ? 0
	               : command_check(root_fd, command, m->spec.env, m->spec.cwd,
	                               files->has_emulators, err);
}

static int make_root(struct monitor *m, const struct host_files *files, uint32_t first_id,
                     struct user_lookup *ret_user, struct error *err)
{
	struct overlay_options options = {
	        .images_fd = files->images_fd,
	        .layers = m->spec.layers,
	        .attempt_fd = m->attempt_fd,
	        .user_namespace_fd = m->namespaces.user_fd,
	        .owner = first_id,
	};
	bool has_etc = write_own_layer(m, &options, first_id);

	options.top = has_etc ? STAGE_OWN : NULL;
	if (overlay_mount(&options, &m->upper_fd, err))
		return -1;
	return prepare_root(m, files, first_id, has_etc, ret_user, err);
}

/* Before the volumes, so that nothing of a volume lies on the way to a device's file. */
static int show_devices(struct devices *devices, uint32_t first_id, const struct user_lookup *user,
                        json_t *ret_mounts, json_t *ret_masks, struct error *err)
{
	if (devices_make(devices, first_id + user->uid, first_id + user->gid, err))
		return -1;
	devices_add_mounts(devices, ret_mounts);
	devices_add_masks(devices, ret_masks);
	return 0;
}

/* Files of a volume seem to belong to whoever the job runs as. */
static int await_volumes(struct monitor *m, uint32_t first_id, const struct user_lookup *user,
                         json_t *ret_mounts, struct error *err)
{
	if (volumes_await(m->volumes, first_id + user->uid, first_id + user->gid, m->poller, m->end,
	                  m->control, err))
		return -1;
	volumes_add_mounts(m->volumes, ret_mounts);
	return 0;
}

static int start(struct monitor *m, const struct runtime *runtime, uint32_t first_id,
                 const struct user_lookup *user, struct error *err)
{
	int write_fd;

	if (log_writer_pipe(&m->pipe_fd, &write_fd, err))
		return -1;
	autoclose int job_fd = write_fd;
	/* So that the job can open /dev/stdout anew, whoever it is. */
	if (fchown(job_fd, first_id + user->uid, first_id + user->gid) || fchmod(job_fd, 0622))
		return fail_errno(err, E_INTERNAL, errno, "cannot hand on the log's pipe");
	m->started_ms = clock_now_ms();
	monitor_write_state(m, "starting");
	int rc = runtime_start(runtime, m->cgroup, job_fd, &m->pid, err);
	if (rc)
		m->started_ms = 0;
	(void)unlink("config.json");
	(void)unlink(STAGE_RUNTIME "/job/config.json");
	return rc;
}

static int build(struct monitor *m, struct host_files *files, struct error *err)
{
	uint32_t first_id =
	        (uint32_t)(m->configuration->first_id + m->spec.slot * USER_NAMESPACE_IDS);
	struct user_lookup user;

	autojson json_t *mounts = json_array(), *masks = json_array();

	if (open_host_files(m->configuration, files, err) ||
	    devices_open(m->configuration, m->spec.devices, &files->devices, err) ||
	    volumes_open(m->configuration, m->spec.mounts, &m->volumes, err) ||
	    make_cgroup(m, err) || restrict_devices(m, files->devices, err) || stage_build(err) ||
	    volumes_start(m->volumes, err) ||
	    user_namespace_create(first_id, &m->namespaces, err) || make_network(m, err) ||
	    make_root(m, files, first_id, &user, err) ||
	    monitor_uv_mount(m, first_id, user.uid, user.gid, err))
		return -1;
	if (show_devices(files->devices, first_id, &user, mounts, masks, err) ||
	    await_volumes(m, first_id, &user, mounts, err))
		return -1;
	if (files->ca_fd >= 0 && stage_bind_file(files->ca_fd, CA_FILE, err))
		return -1;
	struct bundle_options bundle = {
	        .spec = &m->spec,
	        .configuration = m->configuration,
	        .user = &user,
	        .seccomp = files->seccomp,
	        .seccomp_program = files->seccomp_program,
	        .user_fd = m->namespaces.user_fd,
	        .network_fd = m->namespaces.network_fd,
	        .ca_source = files->ca_fd >= 0 ? STAGE_DIR "/" CA_FILE : NULL,
	        .mounts = mounts,
	        .masks = masks,
	};
	return bundle_write(&bundle, err) || start(m, files->runtime, first_id, &user, err) ? -1
	                                                                                    : 0;
}

int monitor_build(struct monitor *m, struct error *err)
{
	struct host_files files = {.images_fd = -1, .ca_fd = -1};
	int rc = build(m, &files, err);

	if (files.images_fd >= 0)
		(void)close(files.images_fd);
	if (files.ca_fd >= 0)
		(void)close(files.ca_fd);
	json_decref(files.seccomp);
	free(files.seccomp_program);
	runtime_close(files.runtime);
	devices_free(files.devices);
	return rc;
}
