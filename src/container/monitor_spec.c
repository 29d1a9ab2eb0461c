/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads spec.json. hearthd wrote it, but the monitor is root and hearthd's HTTP process is not:
 * what is used as a name or a number is checked here again.
 */
#include "container/monitor_spec.h"

#include "base/cleanup.h"
#include "base/volume.h"
#include "container/uv_cache.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SPEC_NAME "spec.json"
#define LAYERS_MAX 500 /* overlayfs takes no more */
#define SLOT_MAX 65535
#define STRING_MAX (128 * 1024)
#define STRINGS_MAX (1900 * 1024) /* a quarter of the usual stack, less what is not ours */

struct spec_fields {
	const char *job_id, *cwd, *user, *hostname, *network;
	int64_t attempt, slot, cpu_millis, memory_bytes, storage_bytes, pids_limit;
	int64_t timeout_s, grace_s, log_limit_bytes, warning_s, warning_signal;
	json_t *layers, *args, *env, *volumes, *mounts, *devices, *metrics_devices;
	bool marker;
};

#define FIELD(name_, type_, required_)                                                             \
	{                                                                                          \
#name_, JSON_FIELD_##type_, required_, offsetof(struct spec_fields, name_)         \
	}

static const struct json_field spec_table[] = {
        FIELD(job_id, STRING, true),
        FIELD(attempt, INTEGER, true),
        FIELD(slot, INTEGER, true),
        FIELD(layers, ANY, true),
        FIELD(args, ANY, true),
        FIELD(env, ANY, true),
        FIELD(cwd, STRING, true),
        FIELD(user, STRING, true),
        FIELD(hostname, STRING, true),
        FIELD(cpu_millis, INTEGER, true),
        FIELD(memory_bytes, INTEGER, true),
        FIELD(storage_bytes, INTEGER, true),
        FIELD(pids_limit, INTEGER, true),
        FIELD(timeout_s, INTEGER, true),
        FIELD(grace_s, INTEGER, true),
        FIELD(log_limit_bytes, INTEGER, true),
        FIELD(network, STRING, true),
        FIELD(marker, BOOLEAN, true),
        FIELD(volumes, ANY, false),
        FIELD(mounts, ANY, false),
        FIELD(devices, ANY, false),
        FIELD(metrics_devices, ANY, false),
        FIELD(warning_s, INTEGER, false),
        FIELD(warning_signal, INTEGER, false),
        {NULL},
};

static bool layer_is_valid(const char *name)
{
	return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

static bool hostname_is_valid(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= 63 && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
	               len;
}

static int check_strings(const json_t *array, const char *what, struct error *err)
{
	size_t i;
	json_t *item;

	if (!json_is_array(array))
		return fail(err, E_INVALID, "%s must be a list", what);
	json_array_foreach(array, i, item)
	{
		if (!json_is_string(item))
			return fail(err, E_INVALID, "%s must hold text only", what);
	}
	return 0;
}

/* The kernel's limits (execve(2)): the runtime would fail after the job counts as started. */
static int check_size(const struct spec_fields *f, struct error *err)
{
	size_t i, total = 0;
	json_t *item;

	json_array_foreach(f->args, i, item)
	{
		if (json_string_length(item) >= STRING_MAX)
			return fail(err, E_INVALID,
			            "Argument %zu of the command is larger than 128 KiB", i);
		total += json_string_length(item) + 1;
	}
	json_array_foreach(f->env, i, item)
	{
		const char *text = json_string_value(item);
		if (json_string_length(item) >= STRING_MAX)
			return fail(err, E_INVALID,
			            "Environment variable %.*s is larger than 128 KiB",
			            (int)strcspn(text, "="), text);
		total += json_string_length(item) + 1;
	}
	if (total > STRINGS_MAX)
		return fail(err, E_INVALID,
		            "Command and environment are too large together: %zu KiB of at most %d",
		            total / 1024, STRINGS_MAX / 1024);
	return 0;
}

static int check_mounts(const json_t *mounts, struct error *err)
{
	size_t i;
	json_t *mount;

	if (mounts && !json_is_array(mounts))
		return fail(err, E_INVALID, "mounts must be a list");
	json_array_foreach(mounts, i, mount)
	{
		if (!json_is_object(mount))
			return fail(err, E_INVALID, "mounts must hold objects");
		if (strcmp(json_get_text(mount, "kind", ""), VOLUME_UV_CACHE) == 0 &&
		    uv_cache_check(mount, err))
			return error_prefix(err, "the cache of uv");
	}
	return 0;
}

static int check_lists(const struct spec_fields *f, struct error *err)
{
	size_t i;
	json_t *item;

	if (check_strings(f->layers, "layers", err) || check_strings(f->args, "args", err) ||
	    check_strings(f->env, "env", err) ||
	    (f->volumes && check_strings(f->volumes, "volumes", err)) ||
	    (f->devices && check_strings(f->devices, "devices", err)) ||
	    (f->metrics_devices && check_strings(f->metrics_devices, "metrics_devices", err)))
		return -1;
	if (json_array_size(f->layers) > LAYERS_MAX)
		return fail(err, E_INVALID, "The image has %zu layers; at most %d are possible",
		            json_array_size(f->layers), LAYERS_MAX);
	json_array_foreach(f->layers, i, item)
	{
		if (!layer_is_valid(json_string_value(item)))
			return fail(err, E_INVALID, "layers must hold names of 64 hex digits");
	}
	if (json_array_size(f->args) == 0 ||
	    json_string_value(json_array_get(f->args, 0))[0] == '\0')
		return fail(err, E_INVALID,
		            "No command: the job gives none and the image has none");
	json_array_foreach(f->env, i, item)
	{
		const char *equal = strchr(json_string_value(item), '=');
		if (!equal || equal == json_string_value(item))
			return fail(err, E_INVALID, "env must hold NAME=value");
	}
	if (check_size(f, err))
		return -1;
	return check_mounts(f->mounts, err);
}

static int check_fields(const struct spec_fields *f, struct error *err)
{
	if (!id_is_valid(f->job_id))
		return fail(err, E_INVALID, "job_id must be 24 hex digits");
	if (f->attempt < 1 || f->attempt > 9999)
		return fail(err, E_INVALID, "attempt must be between 1 and 9999");
	if (f->slot < 0 || f->slot > SLOT_MAX)
		return fail(err, E_INVALID, "slot must be between 0 and %d", SLOT_MAX);
	if (!hostname_is_valid(f->hostname))
		return fail(err, E_INVALID, "hostname must be a host name");
	if (f->cwd[0] != '/')
		return fail(err, E_INVALID, "Working directory \"%.200s\" is not an absolute path",
		            f->cwd);
	if (f->cpu_millis < 0 || f->memory_bytes < 0 || f->storage_bytes < 0 || f->pids_limit < 0 ||
	    f->log_limit_bytes < 0)
		return fail(err, E_INVALID, "limits must not be negative");
	if (f->timeout_s < 1 || f->timeout_s > INT32_MAX || f->grace_s < 0 || f->grace_s > 86400)
		return fail(err, E_INVALID, "timeout_s or grace_s is out of range");
	if (f->warning_s < 0 || f->warning_s > INT32_MAX || f->warning_signal < 0 ||
	    f->warning_signal >= SIGRTMIN)
		return fail(err, E_INVALID, "warning_s or warning_signal is out of range");
	if (strcmp(f->network, "bridge") != 0 && strcmp(f->network, "none") != 0)
		return fail(err, E_INVALID, "network must be \"bridge\" or \"none\"");
	return check_lists(f, err);
}

int monitor_spec_read(int dir_fd, struct monitor_spec *ret, struct error *err)
{
	autojson json_t *json = NULL;
	struct spec_fields f = {0};

	if (json_read_file(dir_fd, SPEC_NAME, MONITOR_SPEC_MAX, &json, err))
		return -1;
	if (unlinkat(dir_fd, SPEC_NAME, 0) != 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot remove " SPEC_NAME);
	if (!json_is_object(json))
		return fail(err, E_INVALID, SPEC_NAME " must hold an object");
	if (json_read_fields(json, spec_table, &f, SPEC_NAME, err) || check_fields(&f, err))
		return -1;
	*ret = (struct monitor_spec){
	        .job_id = f.job_id,
	        .attempt = f.attempt,
	        .slot = f.slot,
	        .layers = f.layers,
	        .args = f.args,
	        .env = f.env,
	        .volumes = f.volumes,
	        .mounts = f.mounts,
	        .devices = f.devices,
	        .metrics_devices = f.metrics_devices,
	        .cwd = f.cwd,
	        .user = f.user,
	        .hostname = f.hostname,
	        .cpu_millis = f.cpu_millis,
	        .memory_bytes = f.memory_bytes,
	        .storage_bytes = f.storage_bytes,
	        .pids_limit = f.pids_limit,
	        .timeout_s = f.timeout_s,
	        .grace_s = f.grace_s,
	        .warning_s = f.warning_s,
	        .warning_signal = f.warning_signal,
	        .log_limit_bytes = f.log_limit_bytes,
	        .has_network = strcmp(f.network, "bridge") == 0,
	        .has_marker = f.marker,
	        .json = take_ptr(&json),
	};
	return 0;
}

void monitor_spec_clear(struct monitor_spec *spec)
{
	json_decref(spec->json);
	spec->json = NULL;
	spec->job_id = spec->cwd = spec->user = spec->hostname = NULL;
	spec->layers = spec->args = spec->env = spec->volumes = spec->mounts = NULL;
	spec->devices = spec->metrics_devices = NULL;
}
