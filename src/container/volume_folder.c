/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a volume shows, opened by name below the state folder or the mirror, never through a
 * symbolic link. hearthd wrote the names, but the monitor is root and hearthd is not: they are
 * checked again.
 */
#include "container/volumes_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define TARGET_MAX 4000
#define PATH_TEXT_MAX 1024
#define READY_MS 60000

struct mount_fields {
	const char *kind, *target, *path, *namespace, *name, *source, *type, *revision, *fetch;
	bool read_only;
};

#define FIELD(name_, type_, required_)                                                             \
	{                                                                                          \
#name_, JSON_FIELD_##type_, required_, offsetof(struct mount_fields, name_)        \
	}

static const struct json_field mount_table[] = {
        FIELD(kind, STRING, true),
        FIELD(target, STRING, true),
        FIELD(path, STRING, false),
        FIELD(namespace, STRING, false),
        FIELD(name, STRING, false),
        FIELD(source, STRING, false),
        FIELD(type, STRING, false),
        FIELD(revision, STRING, false),
        FIELD(fetch, STRING, false),
        FIELD(read_only, BOOLEAN, false),
        {NULL},
};

/* One component. */
static bool is_name(const char *text)
{
	return text && text[0] && text[0] != '.' && strlen(text) <= 255 && !strchr(text, '/');
}

/* "ns/name". */
static bool is_source(const char *text)
{
	const char *slash = text ? strchr(text, '/') : NULL;

	return slash && slash > text && text[0] != '.' && is_name(slash + 1);
}

static int open_beneath(int dir_fd, const char *path, int *ret_fd)
{
	const struct open_how how = {
	        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	*ret_fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	return *ret_fd < 0 ? errno : 0;
}

/* Only what hearthd made for files of users may be shown with its rights. */
static int check_owner(const struct volume *v, struct error *err)
{
	struct stat st;

	if (fstat(v->folder_fd, &st) < 0)
		return fail_errno(err, E_INTERNAL, errno, "The %s cannot be opened", v->what);
	if (st.st_uid != v->set->uid && st.st_uid != 0)
		return fail(err, E_FORBIDDEN,
		            "The folder of the %s belongs to user %u of this machine and not to "
		            "this server's",
		            v->what, (unsigned)st.st_uid);
	return 0;
}

static int open_in(struct volume *v, const char *top, const char *name, const char *path,
                   struct error *err)
{
	autoclose int top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclose int whole_fd = -1;
	int code;

	if (top_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "The %s cannot be opened", v->what);
	code = open_beneath(top_fd, name, &whole_fd);
	if (code == ENOENT)
		return fail(err, E_NOT_FOUND, "The %s does not exist any more", v->what);
	if (code)
		return fail_errno(err, E_INTERNAL, code, "The %s cannot be opened", v->what);
	if (path[0] == '\0') {
		v->folder_fd = take_fd(&whole_fd);
		return 0;
	}
	code = open_beneath(whole_fd, path, &v->folder_fd);
	if (code == ENOENT || code == ENOTDIR || code == ELOOP)
		return fail(err, E_NOT_FOUND,
		            "There is no folder \"%.200s\" in the %s, to mount at %.200s", path,
		            v->what, v->target);
	if (code)
		return fail_errno(err, E_INTERNAL, code, "The folder \"%.200s\" of the %s", path,
		                  v->what);
	return 0;
}

static int open_bucket(struct volume *v, const struct mount_fields *f, struct error *err)
{
	autofree char *top = xasprintf("%s/buckets", v->set->configuration->state_dir);

	if (!is_name(f->namespace) || !is_name(f->name))
		return fail(err, E_INVALID, "a mount of a bucket needs namespace and name");
	autofree char *name = xasprintf("%s/%s", f->namespace, f->name);
	v->what = xasprintf("bucket %s", name);
	v->is_bucket = true;
	v->patience_ms = READY_MS;
	if (open_in(v, top, name, f->path ? f->path : "", err) < 0)
		return -1;
	return check_owner(v, err);
}

static int open_mirror(struct volume *v, const struct mount_fields *f, struct error *err)
{
	const char *mirror = v->set->configuration->hub_mirror;
	const char *revision = f->revision ? f->revision : "";

	if (!mirror || !mirror[0])
		return fail(err, E_UNSUPPORTED, "The setting hub.mirror was taken away");
	if (!is_name(f->type) || !is_source(f->source) || strchr(revision, '/'))
		return fail(err, E_INVALID, "a mount of a mirror needs type and source");
	bool is_main = revision[0] == '\0' || strcmp(revision, "main") == 0;
	autofree char *name = xasprintf("%ss/%s%s%s", f->type, f->source, is_main ? "" : "@",
	                                is_main ? "" : revision);
	v->what = xasprintf("%s %s", f->type, f->source);
	v->is_read_only = true;
	v->patience_ms = READY_MS;
	return open_in(v, mirror, name, f->path ? f->path : "", err);
}

/* The folder of a repository is the cache of its blocks. */
static int open_repository(struct volume *v, const struct mount_fields *f, struct error *err)
{
	const struct configuration *c = v->set->configuration;
	autofree char *cache = xasprintf("%s/hub-cache", c->state_dir);

	if (!is_name(f->type) || !is_source(f->source))
		return fail(err, E_INVALID, "a mount of a repository needs type and source");
	v->what = xasprintf("%s %s", f->type, f->source);
	v->is_read_only = true;
	if (!f->fetch || strcmp(f->fetch, "prefetch") != 0)
		v->patience_ms = READY_MS + c->hub_timeout_s * 1000;
	v->folder_fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (v->folder_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "The cache of repositories %s", cache);
	json_object_set_new(v->request, "limits",
	                    json_pack("{s:I, s:I}", "cache_bytes", (json_int_t)c->hub_cache_bytes,
	                              "timeout_s", (json_int_t)c->hub_timeout_s));
	return check_owner(v, err);
}

static bool target_is_valid(const char *target)
{
	return target[0] == '/' && target[1] && strlen(target) <= TARGET_MAX &&
	       !strstr(target, "//") && !strstr(target, "/../") && !strstr(target, "/./");
}

int volume_folder_open(struct volume *v, json_t *mount, struct error *err)
{
	struct mount_fields f = {0};

	if (json_read_fields(mount, mount_table, &f, "mounts", err) < 0)
		return -1;
	if (!target_is_valid(f.target) || (f.path && strlen(f.path) > PATH_TEXT_MAX))
		return fail(err, E_INVALID, "the target of a mount must be a normal absolute path");
	v->target = xstrdup(f.target);
	v->is_read_only = f.read_only;
	v->request = json_deep_copy(mount);
	if (strcmp(f.kind, "bucket") == 0)
		return open_bucket(v, &f, err);
	if (strcmp(f.kind, "mirror") == 0)
		return open_mirror(v, &f, err);
	if (strcmp(f.kind, "repository") == 0)
		return open_repository(v, &f, err);
	return fail(err, E_UNSUPPORTED, "mounts of the kind \"%.32s\" are not known", f.kind);
}
