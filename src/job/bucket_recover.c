/* SPDX-License-Identifier: Apache-2.0 */
/* At the start: rows and folders agree again (bucket_change.c says how they may differ), what was
 * being deleted goes on being deleted, and after a reboot xorbs that were not on disk are
 * forgotten. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/bucket_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EPOCH_BEGIN_S INT64_C(1767225600) /* the year 2026: epochs are seconds since then */

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void recover_move(void *arg, const struct bucket *bucket, const char *moved_from)
{
	struct bucket_service *service = arg;
	autofree char *to = bucket_folder_path(service, bucket);
	autofree char *from = xasprintf("%s/%s", service->root, moved_from);

	if (!exists(to) && rename(from, to) < 0)
		log_warning("the folder %s of a moved bucket is missing", from);
}

static void recover_folder(void *arg, const struct bucket *bucket, const char *moved_from)
{
	struct bucket_service *service = arg;
	autofree char *path = bucket_folder_path(service, bucket);
	autofree char *deleted = xasprintf("%s/%s", service->trash, bucket->id);
	autofree char *parent = xasprintf("%s/%s", service->root, bucket->namespace_name);

	if (exists(path) || rename(deleted, path) == 0)
		return;
	log_warning("the folder %s was missing and is made again, empty", path);
	(void)mkdir(parent, 0750);
	(void)mkdir(path, 0750);
}

static void collect_id(void *arg, const struct bucket *bucket, const char *moved_from)
{
	id_list_add(arg, bucket->id);
}

static void wipe_done(void *arg, struct file_answer *answer, const struct error *err)
{
	if (err)
		log_warning("a deleted bucket's files: %s", err->text);
}

void bucket_wipe(struct bucket_service *service, const char *path)
{
	file_worker_run(service->worker, "wipe", json_pack("{s:s}", "folder", path), -1, false,
	                wipe_done, NULL);
}

static void recover_trash(struct bucket_service *service)
{
	autodir DIR *dir = opendir(service->trash);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		autofree char *path = xasprintf("%s/%s", service->trash, entry->d_name);

		if (entry->d_name[0] != '.')
			bucket_wipe(service, path);
	}
}

/* What was being written when the last server ended. */
static void recover_tmp(struct bucket_service *service)
{
	autofree char *path = NULL;
	char id[ID_SIZE];

	if (rmdir(service->tmp) < 0 && errno == ENOTEMPTY) {
		id_new(id);
		path = xasprintf("%s/tmp-%s", service->trash, id);
		(void)rename(service->tmp, path);
	}
	(void)mkdir(service->tmp, 0750);
}

static void forget_xorb(void *arg, const char *namespace_id, const char *hash)
{
	bucket_store_remove(arg, namespace_id, hash);
}

/* Clients keep what they know by address. The time is one that was never used before, also not by a
 * database of which this one is an older copy. */
static void recover_begin_epoch(struct bucket_service *service, const char *why)
{
	autobuffer struct buffer known = BUFFER_INIT(32);
	int64_t epoch = clock_now_ms() / 1000 - EPOCH_BEGIN_S, last = 1;
	char text[32];

	if (server_facts_get(service->db, "cas_epoch", &known))
		last = strtoll(buffer_text(&known), NULL, 10);
	snprintf(text, sizeof(text), "%lld", (long long)(epoch > last ? epoch : last + 1));
	server_facts_set(service->db, "cas_epoch", text);
	log_info("%s: uploads are forgotten; clients send them again", why);
}

/* Is this the store that the database knows? It may have been wiped, or come from a backup. */
static void recover_store(struct bucket_service *service)
{
	autobuffer struct buffer known = BUFFER_INIT(128), found = BUFFER_INIT(128);
	autoclose int fd = open(service->xet, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	if (fd < 0)
		return;
	if (file_read(fd, "id", &found, &err) < 0) {
		id_new(id);
		(void)buffer_add_text(&found, id);
		if (file_write_atomic(fd, "id", id, ID_SIZE - 1, 0600, true, &err) < 0)
			log_warning("%s: %s", service->xet, err.text);
	}
	if (server_facts_get(service->db, "cas_store", &known)) {
		if (strcmp(buffer_text(&known), buffer_text(&found)) == 0)
			return;
		xorbs_forget_all(service->db);
		recover_begin_epoch(service, "another store of uploads");
	}
	server_facts_set(service->db, "cas_store", buffer_text(&found));
}

static void recover_xorbs(struct bucket_service *service)
{
	autobuffer struct buffer now = BUFFER_INIT(128), before = BUFFER_INIT(128);
	struct error err = ERROR_INIT;

	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &now, &err) < 0)
		return;
	if (server_facts_get(service->db, "boot_id", &before) &&
	    strcmp(buffer_text(&before), buffer_text(&now)) == 0)
		return;
	server_facts_set(service->db, "boot_id", buffer_text(&now));
	if (xorbs_drop_not_durable(service->db, forget_xorb, service) > 0)
		recover_begin_epoch(service, "a reboot may have lost what was not flushed");
}

void bucket_recover(struct bucket_service *service)
{
	struct id_list moved = {0};

	buckets_each_of_all(service->db, true, recover_move, service);
	buckets_each_of_all(service->db, true, collect_id, &moved);
	for (size_t i = 0; i < moved.count; i++)
		buckets_move_done(service->db, moved.ids[i]);
	id_list_clear(&moved);
	buckets_each_of_all(service->db, false, recover_folder, service);
	recover_tmp(service);
	recover_trash(service);
	recover_store(service);
	recover_xorbs(service);
}
