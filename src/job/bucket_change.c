/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets come, go and move. Row and folder change together, also through a crash: a new folder is
 * made before its row is committed (an empty folder without a row is taken over), a deleted one is
 * renamed to .trash/<id> before (a row whose folder lies there gets it back), a moved one is
 * renamed after the commit (the row says from where).
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "hub/bucket_path.h"
#include "job/bucket_private.h"
#include "job/webhook_service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Something lies where the folder is to be, and no row knows it: perhaps of an account that was
 * removed and whose name somebody else has now. Out of the way with it, but not away. */
static int folder_clear_place(struct bucket_service *service, const char *path,
                              const char *namespace_name, const char *name, struct error *err)
{
	autofree char *aside = NULL;
	char id[ID_SIZE];

	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	id_new(id);
	(void)mkdir(service->found, 0750);
	aside = xasprintf("%s/%s.%s.%s", service->found, namespace_name, name, id);
	if (rename(path, aside) < 0)
		return fail_errno(err, E_INTERNAL, errno, "the folder %s is in the way", path);
	log_warning("the folder %s belonged to no bucket and is now %s", path, aside);
	return 0;
}

static int folder_prepare_parent(struct bucket_service *service, const char *namespace_name,
                                 struct error *err)
{
	autofree char *parent = xasprintf("%s/%s", service->root, namespace_name);

	if (mkdir(parent, 0750) < 0 && errno != EEXIST)
		return fail_errno(err, errno == ENOSPC ? E_UNAVAILABLE : E_INTERNAL, errno,
		                  "the folder %s cannot be made", parent);
	return 0;
}

static int folder_create(struct bucket_service *service, const char *namespace_name,
                         const char *name, struct error *err)
{
	autofree char *path = bucket_path_of(service, namespace_name, name);

	if (folder_prepare_parent(service, namespace_name, err) < 0 ||
	    folder_clear_place(service, path, namespace_name, name, err) < 0)
		return -1;
	if (mkdir(path, 0750) < 0)
		return fail_errno(err, errno == ENOSPC ? E_UNAVAILABLE : E_INTERNAL, errno,
		                  "the folder of the bucket cannot be made");
	return 0;
}

int bucket_create(struct bucket_service *service, const struct account *owner, const char *name,
                  bool is_private, const char *caused_by_job, struct bucket *ret, struct error *err)
{
	struct bucket bucket;

	if (bucket_name_check(name, err) < 0)
		return -1;
	if (buckets_find(service->db, owner->name, name, &bucket)) {
		*ret = bucket;
		return fail(err, E_CONFLICT, "You already created this bucket");
	}
	if (folder_create(service, owner->name, name, err) < 0 ||
	    buckets_create(service->db, owner, name, is_private, ret, err) < 0)
		return -1;
	webhook_service_bucket_event(service->webhooks, ret, "create", "repo", NULL, caused_by_job);
	return 0;
}

static int change_check_idle(struct bucket_service *service, const struct bucket *bucket,
                             const char *what, struct error *err)
{
	const struct bucket_state *state = id_table_find(&service->states, bucket->id);

	if (state && state->mounted_by.count)
		return fail(err, E_CONFLICT,
		            "The job %s has the bucket %s/%s mounted; it can be %s when the job "
		            "has ended",
		            state->mounted_by.ids[0], bucket->namespace_name, bucket->name, what);
	if (state && state->busy)
		return fail(err, E_CONFLICT,
		            "Files of the bucket %s/%s are being changed; it can be %s in a moment",
		            bucket->namespace_name, bucket->name, what);
	return 0;
}

struct trash {
	struct bucket_service *service;
	char *path;
};

static void trash_wipe(void *arg)
{
	struct trash *trash = arg;

	bucket_wipe(trash->service, trash->path);
	free(trash->path);
	free(trash);
}

int bucket_delete(struct bucket_service *service, const struct bucket *bucket,
                  const char *caused_by_job, struct error *err)
{
	autofree char *path = bucket_folder_path(service, bucket);
	struct trash *trash;

	if (change_check_idle(service, bucket, "deleted", err) < 0)
		return -1;
	autofree char *there = xasprintf("%s/%s", service->trash, bucket->id);

	if (rename(path, there) < 0 && errno != ENOENT)
		return fail_errno(err, E_INTERNAL, errno,
		                  "the folder of the bucket cannot be removed");
	buckets_remove(service->db, bucket->id);
	webhook_service_bucket_event(service->webhooks, bucket, "delete", "repo", NULL,
	                             caused_by_job);
	trash = xcalloc(1, sizeof(*trash));
	trash->service = service;
	trash->path = take_ptr(&there);
	database_after_commit(service->db, trash_wipe, trash);
	return 0;
}

struct moving {
	struct bucket_service *service;
	char id[ID_SIZE];
	char *from, *to;
};

static void move_folder(void *arg)
{
	struct moving *moving = arg;

	if (rename(moving->from, moving->to) < 0)
		log_error("the folder %s of a moved bucket cannot become %s: %s", moving->from,
		          moving->to, strerror(errno));
	else
		buckets_move_done(moving->service->db, moving->id);
	free(moving->from);
	free(moving->to);
	free(moving);
}

static void move_later(struct bucket_service *service, const struct bucket *bucket,
                       const struct account *owner, const char *name)
{
	struct moving *moving = xcalloc(1, sizeof(*moving));

	moving->service = service;
	memcpy(moving->id, bucket->id, ID_SIZE);
	moving->from = bucket_folder_path(service, bucket);
	moving->to = bucket_path_of(service, owner->name, name);
	database_after_commit(service->db, move_folder, moving);
}

int bucket_move(struct bucket_service *service, const struct bucket *bucket,
                const struct account *owner, const char *name, const char *caused_by_job,
                struct error *err)
{
	autofree char *to = bucket_path_of(service, owner->name, name);
	autofree char *from = bucket_folder_path(service, bucket);
	autojson json_t *extra = NULL;
	struct bucket there;

	if (bucket_name_check(name, err) < 0 ||
	    change_check_idle(service, bucket, "moved", err) < 0)
		return -1;
	if (strcmp(to, from) == 0)
		return 0;
	if (strcmp(bucket->namespace_id, owner->id) != 0 &&
	    bucket_check_namespace_quota(service, owner->id, bucket->size, err) < 0)
		return -1;
	if (buckets_find(service->db, owner->name, name, &there) &&
	    strcmp(there.id, bucket->id) != 0)
		return fail(err, E_CONFLICT, "the bucket %s/%s exists", there.namespace_name,
		            there.name);
	/* On a file system that folds case the place may be the folder itself. */
	if (folder_prepare_parent(service, owner->name, err) < 0 ||
	    (strcasecmp(to, from) != 0 &&
	     folder_clear_place(service, to, owner->name, name, err) < 0) ||
	    buckets_move(service->db, bucket->id, owner, name, err) < 0)
		return -1;
	move_later(service, bucket, owner, name);
	extra = json_pack("{s:{s:o}}", "movedTo", "name", json_sprintf("%s/%s", owner->name, name));
	webhook_service_bucket_event(service->webhooks, bucket, "move", "repo", extra,
	                             caused_by_job);
	return 0;
}
