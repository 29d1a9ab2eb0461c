/* SPDX-License-Identifier: Apache-2.0 */
/* The image store, write side: records of images, their last use, and the collection of garbage. */
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "image/image_store.h"
#include "image/image_writer_private.h"
#include "image/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_NAME_SIZE (DIGEST_HEX_LENGTH + sizeof(".json"))

static void image_record_name(const char *reference, char name[RECORD_NAME_SIZE])
{
	char digest[DIGEST_SIZE];

	digest_of(reference, strlen(reference), digest);
	snprintf(name, RECORD_NAME_SIZE, "%s.json", digest_hex(digest));
}

static int image_record_write(struct image_writer *w, const json_t *record, struct error *err)
{
	autofree char *text = json_to_text(record);
	char name[RECORD_NAME_SIZE];

	image_record_name(json_get_text(record, "reference", ""), name);
	return file_write_atomic(w->records_fd, name, text, strlen(text), 0644, true, err);
}

/* The tag moves on; what it named stays, under its digest, until it is pruned. */
static int image_record_keep_old(struct image_writer *w, const json_t *record, struct error *err)
{
	struct error ignored = ERROR_INIT;
	struct reference ref;
	char text[REFERENCE_MAX];

	if (reference_parse(json_get_text(record, "reference", ""), &ref, &ignored) < 0)
		return 0;
	autojson json_t *old = image_store_find(w->images_fd, &ref);
	const char *digest = json_get_text(old, "digest", "");

	if (!old || ref.digest[0] || !digest_is_valid(digest) ||
	    strcmp(digest, json_get_text(record, "digest", "")) == 0)
		return 0;
	ref.tag[0] = '\0';
	memcpy(ref.digest, digest, DIGEST_SIZE);
	reference_format(&ref, text);
	json_object_set_new(old, "reference", json_string(text));
	return image_record_write(w, old, err);
}

static void image_record_touch(struct image_writer *w, const char *digest)
{
	if (!digest_is_valid(digest))
		return;
	autoclose int fd = openat(w->used_fd, digest_hex(digest),
	                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	/* The folder is hearthd's: what is there already may be anything, so it is neither opened
	 * nor given away. */
	if (fd < 0)
		(void)utimensat(w->used_fd, digest_hex(digest), NULL, AT_SYMLINK_NOFOLLOW);
	else if (geteuid() == 0)
		(void)!fchown(fd, w->owner_uid, w->owner_gid);
}

int image_writer_put_record(struct image_writer *w, const json_t *record, struct error *err)
{
	if (image_record_keep_old(w, record, err) < 0 || image_record_write(w, record, err) < 0)
		return -1;
	image_record_touch(w, json_get_text(record, "digest", ""));
	return 0;
}

int image_writer_remove_record(struct image_writer *w, const char *reference, struct error *err)
{
	char name[RECORD_NAME_SIZE];

	image_record_name(reference, name);
	if (unlinkat(w->records_fd, name, 0) == 0)
		return file_sync_dir(w->records_fd, err);
	if (errno == ENOENT)
		return fail(err, E_NOT_FOUND, "No such image: %s", reference);
	return fail_errno(err, E_INTERNAL, errno, "images/records");
}

int64_t image_writer_last_used_ms(struct image_writer *w, const char *digest)
{
	struct stat st;

	if (!digest_is_valid(digest) ||
	    fstatat(w->used_fd, digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return st.st_mtim.tv_sec * INT64_C(1000) + st.st_mtim.tv_nsec / 1000000;
}

/* Sets of names that records speak of. */
struct image_live {
	json_t *layers, *digests;
};

static void image_live_add(void *arg, const json_t *record)
{
	struct image_live *live = arg;
	json_t *layer;
	size_t i;

	json_array_foreach(json_object_get(record, "layers"), i, layer)
	        json_object_set_new(live->layers, json_string_value(layer), json_true());
	json_object_set_new(live->digests, digest_hex(json_get_text(record, "digest", "sha256:")),
	                    json_true());
}

/* Names of a folder that are not in the set; a copy, because the folder changes meanwhile. */
static json_t *image_dead_names(int dir_fd, const json_t *live)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	json_t *names = json_array();
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char stem[DIGEST_HEX_LENGTH + 1];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(stem, sizeof(stem), "%.64s", entry->d_name);
		if (!json_object_get(live, stem))
			json_array_append_new(names, json_string(entry->d_name));
	}
	return names;
}

static void image_remove_names(int dir_fd, const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		struct error err = ERROR_INIT;

		if (file_remove_tree(dir_fd, json_string_value(name), &err) < 0)
			log_warning("images: %s", err.text);
	}
}

/* A layer stops to exist before its folder goes. */
static int64_t image_remove_layers(struct image_writer *w, const json_t *names)
{
	int64_t freed = 0, bytes;
	const json_t *name;
	bool is_opaque;
	size_t i;

	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);
		char hex[DIGEST_HEX_LENGTH + 1];

		if (strlen(text) != DIGEST_HEX_LENGTH + strlen(".json"))
			continue;
		snprintf(hex, sizeof(hex), "%.64s", text);
		if (image_writer_read_layer(w, hex, &bytes, &is_opaque))
			freed += bytes;
		(void)unlinkat(w->layers_fd, text, 0);
	}
	image_remove_names(w->layers_fd, names);
	return freed;
}

int64_t image_writer_collect(struct image_writer *w)
{
	autojson json_t *layers = json_object();
	autojson json_t *digests = json_object();
	struct image_live live = {layers, digests};

	image_store_each(w->images_fd, image_live_add, &live);
	autojson json_t *dead_layers = image_dead_names(w->layers_fd, layers);
	autojson json_t *dead_uses = image_dead_names(w->used_fd, digests);
	autojson json_t *leftovers = image_dead_names(w->tmp_fd, NULL);
	int64_t freed = image_remove_layers(w, dead_layers);

	image_remove_names(w->used_fd, dead_uses);
	image_remove_names(w->tmp_fd, leftovers);
	return freed;
}
