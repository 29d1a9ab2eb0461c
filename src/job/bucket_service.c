/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets: wiring, folders, quotas, and who has a bucket mounted. */
#include "job/bucket_service.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "hub/bucket_path.h"
#include "job/bucket_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int folder_make(const char *path, struct error *err)
{
	autoclose int fd = -1;

	return file_open_dir(path, 0750, &fd, err);
}

int bucket_service_new(const struct bucket_service_options *options, struct bucket_service **ret,
                       struct error *err)
{
	struct bucket_service *service = xcalloc(1, sizeof(*service));

	service->loop = options->loop;
	service->db = options->db;
	service->configuration = options->configuration;
	service->worker = options->worker;
	service->webhooks = options->webhooks;
	service->root = xasprintf("%s/buckets", options->state_dir);
	service->xet = xasprintf("%s/xet", options->state_dir);
	service->tmp = xasprintf("%s/.tmp", service->root);
	service->trash = xasprintf("%s/.trash", service->root);
	service->found = xasprintf("%s/.found", service->root);
	if (folder_make(service->root, err) < 0 || folder_make(service->xet, err) < 0 ||
	    folder_make(service->tmp, err) < 0 || folder_make(service->trash, err) < 0) {
		bucket_service_free(service);
		return error_prefix(err, "%s", options->state_dir);
	}
	bucket_recover(service);
	*ret = service;
	return 0;
}

static void state_free(struct id_entry *entry)
{
	struct bucket_state *state = (struct bucket_state *)entry;

	loop_timer_free(state->count_timer);
	id_list_clear(&state->mounted_by);
	free(state);
}

void bucket_service_free(struct bucket_service *service)
{
	if (!service)
		return;
	id_table_clear(&service->states, state_free);
	free(service->root);
	free(service->xet);
	free(service->tmp);
	free(service->trash);
	free(service->found);
	free(service);
}

struct bucket_state *bucket_state_of(struct bucket_service *service, const char *bucket_id)
{
	struct bucket_state *state = id_table_find(&service->states, bucket_id);

	if (state)
		return state;
	state = xcalloc(1, sizeof(*state));
	state->service = service;
	memcpy(state->entry.id, bucket_id, ID_SIZE);
	id_table_add(&service->states, &state->entry);
	return state;
}

void bucket_state_release(struct bucket_state *state)
{
	if (state->mounted_by.count || state->busy || state->is_counting || state->is_count_wanted)
		return;
	id_table_remove(&state->service->states, &state->entry);
	state_free(&state->entry);
}

void bucket_busy_begin(struct bucket_service *service, const char *bucket_id)
{
	bucket_state_of(service, bucket_id)->busy++;
}

void bucket_busy_end(struct bucket_service *service, const char *bucket_id)
{
	struct bucket_state *state = bucket_state_of(service, bucket_id);

	state->busy--;
	bucket_state_release(state);
}

static void mounted_remove(struct id_list *list, const char *job_id)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->ids[i], job_id) != 0)
			continue;
		memmove(list->ids + i, list->ids + i + 1,
		        (list->count - i - 1) * sizeof(*list->ids));
		list->count--;
		return;
	}
}

void bucket_set_mounted(struct bucket_service *service, const char *bucket_id, const char *job_id,
                        bool is_mounted)
{
	struct bucket_state *state = bucket_state_of(service, bucket_id);

	/* A job may have it mounted several times. */
	if (is_mounted)
		id_list_add(&state->mounted_by, job_id);
	else
		mounted_remove(&state->mounted_by, job_id);
	bucket_state_release(state);
}

char *bucket_path_of(const struct bucket_service *service, const char *namespace_name,
                     const char *name)
{
	return xasprintf("%s/%s/%s", service->root, namespace_name, name);
}

char *bucket_folder_path(const struct bucket_service *service, const struct bucket *bucket)
{
	return bucket_path_of(service, bucket->namespace_name, bucket->name);
}

int bucket_folder_open(struct bucket_service *service, const struct bucket *bucket, int *ret_fd,
                       struct error *err)
{
	autofree char *path = bucket_folder_path(service, bucket);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INTERNAL, errno,
		                  "the folder of the bucket %s/%s cannot be opened",
		                  bucket->namespace_name, bucket->name);
	*ret_fd = fd;
	return 0;
}

char *bucket_store_path(const struct bucket_service *service, const char *namespace_id)
{
	char *path = xasprintf("%s/%s", service->xet, namespace_id);

	(void)mkdir(path, 0750);
	return path;
}

void bucket_store_remove(const struct bucket_service *service, const char *namespace_id,
                         const char *hash)
{
	autofree char *path =
	        xasprintf("%s/%s/xorbs/%.2s/%s", service->xet, namespace_id, hash, hash);

	if (unlink(path) < 0 && errno != ENOENT)
		log_warning("%s cannot be removed: %s", path, strerror(errno));
}

struct file_worker *bucket_service_worker(struct bucket_service *service)
{
	return service->worker;
}

static int quota_fail(struct error *err, const char *what, const char *name, int64_t used,
                      int64_t more, int64_t limit)
{
	char used_text[QUANTITY_TEXT_SIZE], more_text[QUANTITY_TEXT_SIZE],
	        limit_text[QUANTITY_TEXT_SIZE];

	return fail(err, E_TOO_LARGE,
	            "%s %s holds %s; %s more would pass its limit of %s: remove files that are not "
	            "needed, or ask the server's operator for more room",
	            what, name, quantity_format_bytes(used, used_text),
	            quantity_format_bytes(more, more_text),
	            quantity_format_bytes(limit, limit_text));
}

int bucket_check_namespace_quota(struct bucket_service *service, const char *namespace_id,
                                 int64_t more, struct error *err)
{
	int64_t limit = service->configuration->namespace_quota_bytes, used;
	struct account account = {0};

	if (limit <= 0)
		return 0;
	used = buckets_namespace_size(service->db, namespace_id) +
	       xorbs_namespace_size(service->db, namespace_id);
	if (used + more <= limit)
		return 0;
	(void)accounts_find_by_id(service->db, namespace_id, &account);
	return quota_fail(err, "The namespace", account.name, used, more, limit);
}

int bucket_check_quota(struct bucket_service *service, const struct bucket *bucket, int64_t more,
                       struct error *err)
{
	int64_t limit = service->configuration->bucket_quota_bytes;
	char name[2 * sizeof(bucket->name) + 2];
	struct bucket now = *bucket;

	(void)buckets_find_by_id(service->db, bucket->id, &now);
	if (limit > 0 && now.size + more > limit) {
		snprintf(name, sizeof(name), "%s/%s", now.namespace_name, now.name);
		return quota_fail(err, "The bucket", name, now.size, more, limit);
	}
	return bucket_check_namespace_quota(service, now.namespace_id, more, err);
}
