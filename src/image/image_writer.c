/* SPDX-License-Identifier: Apache-2.0 */
/* See the header: folders, locks, layers. Records and collection are in image_records.c. */
#include "image/image_writer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "image/image_writer_private.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define WRITER_LOCK_WAIT_MS 30000
#define WRITER_LOCK_STEP_MS 50
#define WRITER_LAYER_JSON_MAX 4096

static int image_writer_open_folders(struct image_writer *w, const char *state_dir,
                                     struct error *err)
{
	autofree char *path = xasprintf("%s/images", state_dir);

	if (file_open_dir(path, 0755, &w->images_fd, err) < 0 ||
	    file_open_subdir(w->images_fd, "records", 0755, &w->records_fd, err) < 0 ||
	    file_open_subdir(w->images_fd, "layers", 0755, &w->layers_fd, err) < 0 ||
	    file_open_subdir(w->images_fd, "used", 0755, &w->used_fd, err) < 0 ||
	    file_open_subdir(w->images_fd, "tmp", 0700, &w->tmp_fd, err) < 0)
		return -1;
	file_spread_subdirs(w->tmp_fd);
	if (geteuid() == 0 && fchown(w->used_fd, w->owner_uid, w->owner_gid) < 0)
		return fail_errno(err, E_INTERNAL, errno, "images/used");
	return 0;
}

static int image_writer_lock(struct image_writer *w, bool is_exclusive, struct error *err)
{
	int64_t until = clock_monotonic_ms() + WRITER_LOCK_WAIT_MS;
	struct timespec step = {0, WRITER_LOCK_STEP_MS * 1000000};

	w->lock_fd = openat(w->images_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->lock_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "images/lock");
	while (flock(w->lock_fd, (is_exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail_errno(err, E_INTERNAL, errno, "images/lock");
		if (is_exclusive && clock_monotonic_ms() > until)
			return fail(err, E_BUSY,
			            "Images are being pulled; try again when they are there");
		(void)nanosleep(&step, NULL);
	}
	return 0;
}

/* What processes that are gone left in tmp/: its lock is free. */
static void image_writer_sweep(struct image_writer *w)
{
	int fd = openat(w->tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct error err = ERROR_INIT;
		size_t len = strlen(entry->d_name);
		autoclose int lock_fd = -1;
		char lock[300];

		if (entry->d_name[0] == '.' ||
		    (len > 5 && strcmp(entry->d_name + len - 5, ".lock") == 0))
			continue;
		snprintf(lock, sizeof(lock), "%s.lock", entry->d_name);
		if (file_lock(w->tmp_fd, lock, &lock_fd, &err) == 0 &&
		    file_remove_tree(w->tmp_fd, entry->d_name, &err) < 0)
			log_warning("images/tmp: %s", err.text);
	}
}

static void image_writer_find_owner(struct image_writer *w, const char *owner)
{
	const struct passwd *entry = owner ? getpwnam(owner) : NULL;

	w->owner_uid = entry ? entry->pw_uid : geteuid();
	w->owner_gid = entry ? entry->pw_gid : getegid();
}

int image_writer_open(const char *state_dir, const char *owner, bool is_exclusive,
                      struct image_writer **ret, struct error *err)
{
	struct image_writer *w = xcalloc(1, sizeof(*w));

	w->images_fd = w->records_fd = w->layers_fd = w->used_fd = w->tmp_fd = w->lock_fd = -1;
	image_writer_find_owner(w, owner);
	if (image_writer_open_folders(w, state_dir, err) < 0 ||
	    image_writer_lock(w, is_exclusive, err) < 0) {
		image_writer_close(w);
		return -1;
	}
	image_writer_sweep(w);
	*ret = w;
	return 0;
}

void image_writer_close(struct image_writer *w)
{
	if (!w)
		return;
	int fds[] = {w->records_fd, w->layers_fd, w->used_fd, w->tmp_fd, w->lock_fd, w->images_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(w);
}

int image_writer_fd(const struct image_writer *w)
{
	return w->images_fd;
}

int image_writer_open_slot(struct image_writer *w, const char *name, struct image_slot *ret,
                           struct error *err)
{
	struct image_slot slot = IMAGE_SLOT_NONE;
	char lock[100];

	snprintf(slot.name, sizeof(slot.name), "%s", name);
	snprintf(lock, sizeof(lock), "%s.lock", slot.name);
	if (file_lock(w->tmp_fd, lock, &slot.lock_fd, err) < 0)
		return -1;
	if (file_remove_tree(w->tmp_fd, slot.name, err) < 0 ||
	    file_open_subdir(w->tmp_fd, slot.name, 0700, &slot.dir_fd, err) < 0) {
		image_writer_close_slot(w, &slot);
		return -1;
	}
	*ret = slot;
	return 0;
}

void image_writer_close_slot(struct image_writer *w, struct image_slot *slot)
{
	struct error err = ERROR_INIT;

	if (slot->dir_fd >= 0)
		close(slot->dir_fd);
	if (slot->lock_fd >= 0) {
		if (file_remove_tree(w->tmp_fd, slot->name, &err) < 0)
			log_warning("images/tmp: %s", err.text);
		close(slot->lock_fd);
	}
	*slot = IMAGE_SLOT_NONE;
}

bool image_writer_read_layer(struct image_writer *w, const char *hex, int64_t *ret_bytes,
                             bool *ret_is_opaque)
{
	struct error ignored = ERROR_INIT;
	autojson json_t *layer = NULL;
	char name[100];

	snprintf(name, sizeof(name), "%s.json", hex);
	if (json_read_file(w->layers_fd, name, WRITER_LAYER_JSON_MAX, &layer, &ignored) < 0)
		return false;
	*ret_bytes = json_get_int(layer, "size", 0);
	*ret_is_opaque = json_get_bool(layer, "opaque", false);
	return true;
}

bool image_writer_has_layer(struct image_writer *w, const char *hex)
{
	int64_t bytes;
	bool is_opaque;

	return image_writer_read_layer(w, hex, &bytes, &is_opaque);
}

int image_writer_place_layer(struct image_writer *w, struct image_slot *slot, const char *hex,
                             struct error *err)
{
	/* Of a crash between placing and commit, perhaps. */
	if (file_remove_tree(w->layers_fd, hex, err) < 0)
		return -1;
	if (renameat(w->tmp_fd, slot->name, w->layers_fd, hex) < 0)
		return fail_errno(err, E_INTERNAL, errno, "images/layers");
	return 0;
}

int image_writer_sync(struct image_writer *w, struct error *err)
{
	if (syncfs(w->images_fd) < 0)
		return fail_errno(err, errno == ENOSPC ? E_UNAVAILABLE : E_INTERNAL, errno,
		                  "The layers cannot be made durable");
	return 0;
}

int image_writer_commit_layer(struct image_writer *w, const char *hex,
                              const struct unpack_result *result, struct error *err)
{
	autojson json_t *layer =
	        json_pack("{s:I, s:s, s:b}", "size", (json_int_t)result->bytes, "digest",
	                  result->blob_digest, "opaque", result->is_root_opaque);
	autofree char *text = json_to_text(layer);
	char name[100];

	snprintf(name, sizeof(name), "%s.json", hex);
	return file_write_atomic(w->layers_fd, name, text, strlen(text), 0644, false, err);
}
