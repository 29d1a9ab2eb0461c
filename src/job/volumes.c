/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "job/volumes.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/active.h"
#include "job/bucket_service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_bucket(const json_t *volume)
{
	return strcmp(json_get_text(volume, "type", ""), "bucket") == 0;
}

static bool is_main(const char *revision)
{
	return revision[0] == '\0' || strcmp(revision, "main") == 0;
}

static bool is_set(const char *text)
{
	return text && text[0];
}

const char *job_volumes_endpoint(const struct configuration *c)
{
	if (is_set(c->hub_endpoint))
		return c->hub_endpoint;
	return is_set(c->upstream_url) ? c->upstream_url : NULL;
}

static bool find_bucket(struct database *db, const json_t *volume, struct bucket *ret)
{
	const char *source = json_get_text(volume, "source", "");
	const char *slash = strchr(source, '/');

	if (!slash)
		return false;
	autofree char *ns = xstrndup(source, (size_t)(slash - source));
	return buckets_find(db, ns, slash + 1, ret);
}

static int check_bucket(struct database *db, const json_t *volume, size_t i, volumes_role_fn *role,
                        void *arg, struct error *err)
{
	const char *source = json_get_text(volume, "source", "");
	enum account_role has = ROLE_NONE;
	struct bucket bucket;
	struct account ns;
	bool is_there = find_bucket(db, volume, &bucket);

	if (is_there && accounts_find(db, bucket.namespace_name, &ns))
		has = role(arg, &ns);
	if (!is_there || (bucket.is_private && has < ROLE_READ))
		return fail(err, E_NOT_FOUND,
		            "volumes[%zu]: there is no bucket %s, or it cannot be read with this "
		            "token",
		            i, source);
	if (!json_get_bool(volume, "readOnly", false) && has < ROLE_WRITE)
		return fail(err, E_FORBIDDEN,
		            "volumes[%zu]: writing to the bucket %s needs the role write in %s; "
		            "to only read it, mount it with :ro (readOnly true)",
		            i, source, bucket.namespace_name);
	return 0;
}

/* What is added if a bucket of that name can be read: "buckets/" is easily forgotten. */
static const char *suggest_bucket(struct database *db, const json_t *volume, volumes_role_fn *role,
                                  void *arg)
{
	struct bucket bucket;
	struct account ns;

	if (!find_bucket(db, volume, &bucket) || !accounts_find(db, bucket.namespace_name, &ns) ||
	    (bucket.is_private && role(arg, &ns) < ROLE_READ))
		return "";
	return "; a bucket of that name is mounted with hf://buckets/ in front";
}

static char *mirror_folder(const struct configuration *c, const json_t *volume)
{
	const char *revision = json_get_text(volume, "revision", "");

	return xasprintf("%s/%ss/%s%s%s", c->hub_mirror, json_get_text(volume, "type", ""),
	                 json_get_text(volume, "source", ""), is_main(revision) ? "" : "@",
	                 is_main(revision) ? "" : revision);
}

static int check_repository(const struct configuration *c, const json_t *volume, size_t i,
                            const char *suggestion, struct error *err)
{
	const char *type = json_get_text(volume, "type", ""),
	           *source = json_get_text(volume, "source", "");
	struct stat st;

	if (is_set(c->hub_mirror)) {
		autofree char *folder = mirror_folder(c, volume);
		if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode))
			return 0;
		if (!job_volumes_endpoint(c))
			return fail(err, E_NOT_FOUND,
			            "volumes[%zu]: the mirror of this server has no %s %s at "
			            "revision %s%s",
			            i, type, source, json_get_text(volume, "revision", "main"),
			            suggestion);
	}
	if (job_volumes_endpoint(c))
		return 0;
	return fail(err, E_INVALID,
	            "volumes[%zu]: the %s %s cannot be mounted: no Hub is configured on this "
	            "server (setting hub.endpoint or hub.mirror)%s",
	            i, type, source, suggestion);
}

int job_volumes_check(struct database *db, const struct configuration *c, const json_t *body,
                      volumes_role_fn *role, void *arg, struct error *err)
{
	size_t i;
	json_t *volume;

	json_array_foreach(json_object_get(body, "volumes"), i, volume)
	{
		if (is_bucket(volume)
		            ? check_bucket(db, volume, i, role, arg, err) < 0
		            : check_repository(c, volume, i, suggest_bucket(db, volume, role, arg),
		                               err) < 0)
			return -1;
	}
	return 0;
}

struct role_of {
	struct database *db;
	const char *account_id;
};

static enum account_role role_of_account(void *arg, const struct account *ns)
{
	const struct role_of *who = arg;

	return accounts_role(who->db, who->account_id, ns->id);
}

int job_volumes_check_for(struct database *db, const struct configuration *c, const json_t *body,
                          const char *account_id, struct error *err)
{
	struct role_of who = {db, account_id};

	return job_volumes_check(db, c, body, role_of_account, &who, err);
}

/* A mirror goes first; what it has needs nobody else. */
static bool is_mirrored(const struct configuration *c, const json_t *volume)
{
	autofree char *folder = is_set(c->hub_mirror) ? mirror_folder(c, volume) : NULL;
	struct stat st;

	return folder && stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
}

bool job_volumes_is_upstream(const struct configuration *c, const json_t *volume)
{
	return !is_bucket(volume) && !is_mirrored(c, volume);
}

bool job_volumes_need_hub(const struct configuration *c, const json_t *body)
{
	size_t i;
	json_t *volume;

	json_array_foreach(json_object_get(body, "volumes"), i, volume)
	{
		if (job_volumes_is_upstream(c, volume))
			return true;
	}
	return false;
}

/* What the bucket may hold, by its own quota and by what its namespace has left. 0: no limit. */
static int64_t bucket_limit(struct database *db, const struct configuration *c,
                            const struct bucket *bucket)
{
	int64_t limit = c->bucket_quota_bytes, left;

	if (c->namespace_quota_bytes <= 0)
		return limit;
	left = c->namespace_quota_bytes - buckets_namespace_size(db, bucket->namespace_id) -
	       xorbs_namespace_size(db, bucket->namespace_id) + bucket->size;
	if (left < 1)
		left = 1;
	return limit > 0 && limit < left ? limit : left;
}

static json_t *bucket_mount(struct database *db, const struct configuration *c,
                            const struct bucket *bucket, const json_t *volume)
{
	json_t *mount = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:I}", "kind", "bucket",
	                          "namespace", bucket->namespace_name, "name", bucket->name, "path",
	                          json_get_text(volume, "path", ""), "target",
	                          json_get_text(volume, "mountPath", ""), "read_only",
	                          (int)json_get_bool(volume, "readOnly", false), "quota_bytes",
	                          (json_int_t)bucket_limit(db, c, bucket));

	/* A hint: to count a million files would delay the job. */
	json_object_set_new(mount, "used_bytes", json_integer(bucket->size));
	return mount;
}

static json_t *repository_mount(const struct configuration *c, const json_t *volume)
{
	bool mirrored = is_mirrored(c, volume);
	json_t *mount = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "kind",
	                          mirrored ? "mirror" : "repository", "type",
	                          json_get_text(volume, "type", ""), "source",
	                          json_get_text(volume, "source", ""), "revision",
	                          json_get_text(volume, "revision", "main"), "path",
	                          json_get_text(volume, "path", ""), "target",
	                          json_get_text(volume, "mountPath", ""), "read_only", 1);

	if (!mirrored) {
		const char *commit = json_get_text(volume, "commit", NULL);

		if (commit) /* as it was when the job was submitted */
			json_object_set_new(mount, "revision", json_string(commit));
		json_object_set_new(mount, "endpoint", json_string(job_volumes_endpoint(c)));
		json_object_set_new(mount, "token", json_string(""));
		json_object_set_new(mount, "fetch", json_string(c->hub_fetch));
	}
	return mount;
}

int job_volumes_mounts(struct database *db, const struct configuration *c, const json_t *body,
                       json_t **ret, struct error *err)
{
	autojson json_t *mounts = json_array();
	struct bucket bucket;
	size_t i;
	json_t *volume;

	json_array_foreach(json_object_get(body, "volumes"), i, volume)
	{
		if (!is_bucket(volume)) {
			if (check_repository(c, volume, i, "", err) < 0)
				return -1;
			json_array_append_new(mounts, repository_mount(c, volume));
			continue;
		}
		if (!find_bucket(db, volume, &bucket))
			return fail(err, E_NOT_FOUND, "The bucket %s does not exist any more",
			            json_get_text(volume, "source", ""));
		json_array_append_new(mounts, bucket_mount(db, c, &bucket, volume));
	}
	*ret = take_ptr(&mounts);
	return 0;
}

void job_volumes_set_mounted(struct job_service *service, const char *job_id, const json_t *body,
                             bool is_mounted)
{
	struct bucket bucket;
	size_t i;
	json_t *volume;

	if (!service->buckets)
		return;
	json_array_foreach(json_object_get(body, "volumes"), i, volume)
	{
		if (!is_bucket(volume) || !find_bucket(service->db, volume, &bucket))
			continue;
		bucket_set_mounted(service->buckets, bucket.id, job_id, is_mounted);
		if (!is_mounted && !json_get_bool(volume, "readOnly", false))
			bucket_refresh(service->buckets, bucket.id, job_id);
	}
}

void job_service_set_buckets(struct job_service *service, struct bucket_service *buckets)
{
	service->buckets = buckets;
}
