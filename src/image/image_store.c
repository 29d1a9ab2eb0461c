/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store, read side: records and whether their layers are there. Small files only, so that
 * it may be called in hearthd's loop. hearthd is not root: everything that it reads here is 0644 in
 * folders of 0755; the layers' own folders are never opened.
 */
#include "image/image_store.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define IMAGE_RECORD_MAX (256 * 1024)
#define IMAGE_RECORD_NAME_SIZE (sizeof("records/") + DIGEST_HEX_LENGTH + sizeof(".json"))

static bool image_store_has_layers(int images_fd, const json_t *record)
{
	json_t *layers = json_object_get(record, "layers"), *layer;
	size_t i;

	json_array_foreach(layers, i, layer)
	{
		const char *hex = json_string_value(layer);
		char name[128];

		if (!hex || strlen(hex) != DIGEST_HEX_LENGTH)
			return false;
		snprintf(name, sizeof(name), "layers/%s.json", hex);
		if (faccessat(images_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
	}
	return json_is_array(layers);
}

/* A damaged record is as good as none: the image is pulled again. */
static json_t *image_store_read(int images_fd, const char *name)
{
	struct error err = ERROR_INIT;
	json_t *record = NULL;

	if (json_read_file(images_fd, name, IMAGE_RECORD_MAX, &record, &err) < 0)
		return NULL;
	if (!image_store_has_layers(images_fd, record)) {
		json_decref(record);
		return NULL;
	}
	return record;
}

static json_t *image_store_find_by_name(int images_fd, const struct reference *ref)
{
	char text[REFERENCE_MAX], digest[DIGEST_SIZE], name[IMAGE_RECORD_NAME_SIZE];

	reference_format(ref, text);
	digest_of(text, strlen(text), digest);
	snprintf(name, sizeof(name), "records/%s.json", digest_hex(digest));
	return image_store_read(images_fd, name);
}

/* Same repository and same digest. Content of one repository is not given to those who name it
 * by another one: they may have no right to it (S22). */
static bool image_store_matches(const json_t *record, const struct reference *ref)
{
	struct error err = ERROR_INIT;
	struct reference known;

	if (strcmp(json_get_text(record, "digest", ""), ref->digest) != 0 &&
	    strcmp(json_get_text(record, "manifest", ""), ref->digest) != 0)
		return false;
	return reference_parse(json_get_text(record, "reference", ""), &known, &err) == 0 &&
	       strcmp(known.host, ref->host) == 0 && strcmp(known.path, ref->path) == 0;
}

struct image_store_search {
	const struct reference *ref;
	json_t *found;
};

static void image_store_search_one(void *arg, const json_t *record)
{
	struct image_store_search *search = arg;

	if (!search->found && image_store_matches(record, search->ref))
		search->found = json_incref((json_t *)record);
}

json_t *image_store_find(int images_fd, const struct reference *ref)
{
	struct image_store_search search = {.ref = ref};
	json_t *record = image_store_find_by_name(images_fd, ref);

	if (record || !ref->digest[0])
		return record;
	image_store_each(images_fd, image_store_search_one, &search);
	return search.found;
}

void image_store_each(int images_fd, void (*fn)(void *arg, const json_t *record), void *arg)
{
	int fd = openat(images_fd, "records", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	autodir DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		char name[sizeof("records/") + sizeof(entry->d_name)];

		if (strlen(entry->d_name) != DIGEST_HEX_LENGTH + strlen(".json"))
			continue;
		snprintf(name, sizeof(name), "records/%s", entry->d_name);
		autojson json_t *record = image_store_read(images_fd, name);

		if (record)
			fn(arg, record);
	}
}

void image_store_touch(int images_fd, const char *digest)
{
	char name[sizeof("used/") + DIGEST_HEX_LENGTH];

	if (!digest_is_valid(digest))
		return;
	snprintf(name, sizeof(name), "used/%s", digest_hex(digest));
	/* Who may not write there (hearthd is not root) has the folder's write right by group. */
	autoclose int fd =
	        openat(images_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0664);

	if (fd >= 0)
		(void)futimens(fd, NULL);
}
