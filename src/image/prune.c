/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"action":"remove"} and {"action":"prune"}: with the store's exclusive lock, records go first,
 * then the layers that no record names any more.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "image/image_store.h"
#include "image/image_writer.h"
#include "image/pull_actions.h"
#include "image/pull_link.h"

#include <string.h>

static void prune_cleanup_writer(struct image_writer **writer)
{
	image_writer_close(*writer);
}

static int prune_answer(const struct pull_context *c, int64_t freed, json_t *removed,
                        struct error *err)
{
	autojson json_t *answer = json_pack("{s:s, s:I, s:O}", "type", "done", "freed_bytes",
	                                    (json_int_t)freed, "removed", removed);

	return pull_link_send(c->link_fd, answer, err);
}

static bool prune_is_in_use(const json_t *request, const char *digest)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(request, "in_use"), i, entry)
	{
		if (json_is_string(entry) && strcmp(json_string_value(entry), digest) == 0)
			return true;
	}
	return false;
}

int pull_remove(const struct pull_context *c, struct error *err)
{
	__attribute__((cleanup(prune_cleanup_writer))) struct image_writer *writer = NULL;
	autojson json_t *removed = json_array();
	char name[REFERENCE_MAX];
	struct reference ref;

	if (pull_read_reference(c, &ref, err) < 0 ||
	    image_writer_open(c->configuration->state_dir, c->configuration->user, true, &writer,
	                      err) < 0)
		return -1;
	reference_format(&ref, name);
	autojson json_t *record = image_store_find(image_writer_fd(writer), &ref);

	if (record && prune_is_in_use(c->request, json_get_text(record, "digest", "")))
		return fail(err, E_CONFLICT, "The image %s is in use by a job", name);
	if (image_writer_remove_record(writer, name, err) < 0)
		return -1;
	json_array_append_new(removed, json_string(name));
	return prune_answer(c, image_writer_collect(writer), removed, err);
}

struct prune_image {
	json_t *record;
	int64_t used_ms;
	bool is_kept, is_gone;
};

struct prune_list {
	struct prune_image *images;
	size_t count;
	struct image_writer *writer;
	const json_t *request;
	int64_t begin_ms;
};

static void prune_add(void *arg, const json_t *record)
{
	struct prune_list *list = arg;
	const char *digest = json_get_text(record, "digest", "");
	struct prune_image image = {.record = json_incref((json_t *)record)};

	image.used_ms = image_writer_last_used_ms(list->writer, digest);
	if (!image.used_ms)
		image.used_ms = json_get_int(record, "pulled_ms", 0);
	/* Used since the request was made: its list of those in use may be too old. */
	image.is_kept = prune_is_in_use(list->request, digest) || image.used_ms >= list->begin_ms;
	list->images = xrealloc(list->images, (list->count + 1) * sizeof(image));
	list->images[list->count++] = image;
}

static void prune_list_clear(struct prune_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		json_decref(list->images[i].record);
	free(list->images);
}

/* Bytes of the layers that the remaining images need, each counted once. */
static int64_t prune_needed_bytes(const struct prune_list *list)
{
	autojson json_t *seen = json_object();
	int64_t total = 0;

	for (size_t i = 0; i < list->count; i++) {
		const json_t *layer;
		size_t j;

		if (list->images[i].is_gone)
			continue;
		json_array_foreach(json_object_get(list->images[i].record, "layers"), j, layer)
		{
			const char *hex = json_string_value(layer);
			int64_t bytes = 0;
			bool is_opaque;

			if (json_object_get(seen, hex))
				continue;
			json_object_set_new(seen, hex, json_true());
			if (image_writer_read_layer(list->writer, hex, &bytes, &is_opaque))
				total += bytes;
		}
	}
	return total;
}

static struct prune_image *prune_oldest(const struct prune_list *list)
{
	struct prune_image *oldest = NULL;

	for (size_t i = 0; i < list->count; i++) {
		struct prune_image *image = &list->images[i];

		if (!image->is_kept && !image->is_gone &&
		    (!oldest || image->used_ms < oldest->used_ms))
			oldest = image;
	}
	return oldest;
}

static int prune_run(struct prune_list *list, int64_t keep_bytes, json_t *removed,
                     struct error *err)
{
	struct prune_image *oldest;

	while ((oldest = prune_oldest(list)) &&
	       (keep_bytes == 0 || prune_needed_bytes(list) > keep_bytes)) {
		const char *name = json_get_text(oldest->record, "reference", "");

		oldest->is_gone = true;
		if (image_writer_remove_record(list->writer, name, err) < 0)
			return -1;
		json_array_append_new(removed, json_string(name));
	}
	return 0;
}

int pull_prune(const struct pull_context *c, struct error *err)
{
	__attribute__((cleanup(prune_cleanup_writer))) struct image_writer *writer = NULL;
	__attribute__((cleanup(prune_list_clear))) struct prune_list list = {
	        .request = c->request, .begin_ms = clock_now_ms()};
	autojson json_t *removed = json_array();

	if (image_writer_open(c->configuration->state_dir, c->configuration->user, true, &writer,
	                      err) < 0)
		return -1;
	list.writer = writer;
	image_store_each(image_writer_fd(writer), prune_add, &list);
	if (prune_run(&list, json_get_int(c->request, "keep_bytes", 0), removed, err) < 0)
		return -1;
	return prune_answer(c, image_writer_collect(writer), removed, err);
}
