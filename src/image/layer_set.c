/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small scheduler over child processes. It holds the lock of a layer only while it unpacks that
 * layer, and never waits for another process with finished layers in hand: those are made durable
 * and visible first. So two pulls that want each other's layers cannot block each other.
 */
#include "image/layer_set.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "image/pull_link.h"
#include "image/unpack.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define LAYER_SET_POLL_MS 100
#define LAYER_SET_UNPACKED_MAX (INT64_C(1) << 42)

enum layer_state { LAYER_WANTED, LAYER_RUNNING, LAYER_PLACED, LAYER_PRESENT };

struct layer_work {
	const struct manifest_layer *layer;
	const char *hex;
	enum layer_state state;
	bool is_fetched_here; /* counts for the bytes of the progress */
	struct image_slot slot;
	struct layer_source source;
	pid_t unpack_pid;
	int result_fd;
	struct unpack_result result;
};

struct layer_set {
	const struct layer_set_spec *spec;
	struct layer_work works[MANIFEST_LAYERS_MAX];
	size_t n_works;
	volatile int64_t *progress; /* one for each layer, shared with the fetchers */
};

static bool layer_set_knows(const struct layer_set *set, const char *hex)
{
	for (size_t i = 0; i < set->n_works; i++) {
		if (strcmp(set->works[i].hex, hex) == 0)
			return true;
	}
	return false;
}

static void layer_set_init(struct layer_set *set, const struct layer_set_spec *spec)
{
	set->spec = spec;
	set->progress = mmap(NULL, MANIFEST_LAYERS_MAX * sizeof(int64_t), PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (set->progress == MAP_FAILED)
		BUG("mmap: no memory");
	for (size_t i = 0; i < spec->manifest->n_layers; i++) {
		const struct manifest_layer *layer = &spec->manifest->layers[i];
		const char *hex = digest_hex(layer->diff_id);

		if (layer_set_knows(set, hex))
			continue;
		set->works[set->n_works++] = (struct layer_work){
		        .layer = layer,
		        .hex = hex,
		        .slot = IMAGE_SLOT_NONE,
		        .source = {.in_fd = -1, .fetch_out_fd = -1},
		        .result_fd = -1,
		};
	}
}

static size_t layer_set_count(const struct layer_set *set, enum layer_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < set->n_works; i++)
		count += set->works[i].state == state;
	return count;
}

static void layer_set_tell(const struct layer_set *set)
{
	struct pull_progress progress = {.layers = (int)set->n_works};

	for (size_t i = 0; i < set->n_works; i++) {
		const struct layer_work *work = &set->works[i];

		progress.layers_done += work->state >= LAYER_PLACED;
		if (work->state == LAYER_PRESENT && !work->is_fetched_here)
			continue;
		progress.bytes += work->layer->blob.size;
		progress.bytes_done += set->progress[i];
	}
	pull_link_send_progress(set->spec->link_fd, &progress);
}

static void layer_work_close(struct layer_set *set, struct layer_work *work)
{
	int *fds[] = {&work->source.in_fd, &work->source.fetch_out_fd, &work->result_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	if (work->state != LAYER_PLACED)
		image_writer_close_slot(set->spec->writer, &work->slot);
}

/* 1: started, 0: not now, -1. */
static int layer_set_start(struct layer_set *set, struct layer_work *work, struct error *err)
{
	const struct layer_set_spec *spec = set->spec;
	struct unpack_request request = {.max_bytes = spec->configuration->layer_max_bytes};
	volatile int64_t *progress = &set->progress[work - set->works];

	if (image_writer_open_slot(spec->writer, work->hex, &work->slot, err) < 0)
		return err->code == E_CONFLICT ? 0 : -1;
	/* Another may have finished it between our look and our lock. */
	if (image_writer_has_layer(spec->writer, work->hex)) {
		image_writer_close_slot(spec->writer, &work->slot);
		work->state = LAYER_PRESENT;
		return 1;
	}
	*progress = 0;
	if (spec->open(spec->arg, (size_t)(work->layer - spec->manifest->layers), progress,
	               &work->source, err) < 0)
		return -1;
	if (request.max_bytes <= 0)
		request.max_bytes = LAYER_SET_UNPACKED_MAX;
	request.in_fd = work->source.in_fd;
	request.dir_fd = work->slot.dir_fd;
	if (unpack_start(&request, &work->unpack_pid, &work->result_fd, err) < 0)
		return -1;
	close(take_fd(&work->source.in_fd));
	work->is_fetched_here = true;
	work->state = LAYER_RUNNING;
	return 1;
}

/* 1: at least one step was made. */
static int layer_set_start_more(struct layer_set *set, struct error *err)
{
	int64_t parallel = set->spec->configuration->image_parallel;
	size_t max = parallel > 0 ? (size_t)parallel : 1;
	int steps = 0;

	for (size_t i = 0; i < set->n_works && layer_set_count(set, LAYER_RUNNING) < max; i++) {
		struct layer_work *work = &set->works[i];

		if (work->state != LAYER_WANTED)
			continue;
		if (image_writer_has_layer(set->spec->writer, work->hex)) {
			work->state = LAYER_PRESENT;
			steps++;
			continue;
		}
		int started = layer_set_start(set, work, err);

		if (started < 0)
			return -1;
		steps += started;
	}
	return steps > 0;
}

static int layer_work_check(const struct layer_set *set, const struct layer_work *work,
                            struct error *err)
{
	const struct manifest_blob *blob = &work->layer->blob;
	const char *name = set->spec->name;

	if (blob->digest[0] && strcmp(work->result.blob_digest, blob->digest) != 0)
		return fail(err, E_UNAVAILABLE,
		            "Wrong digest: layer %.19s… of %s is %.19s… as the registry sent it",
		            blob->digest, name, work->result.blob_digest);
	if (blob->digest[0] && work->result.blob_bytes != blob->size)
		return fail(err, E_UNAVAILABLE, "Wrong size: layer %.19s… of %s", blob->digest,
		            name);
	if (strcmp(work->result.diff_id, work->layer->diff_id) != 0)
		return fail(
		        err, E_INVALID,
		        "Wrong content: a layer of %s unpacks to %.19s…, its config says %.19s…",
		        name, work->result.diff_id, work->layer->diff_id);
	return 0;
}

/* The fetcher's word, if it has one. */
static int layer_work_reap_fetcher(struct layer_work *work, bool *ret_is_reader_gone,
                                   struct error *err)
{
	struct layer_fetch_result result = {
	        .code = E_INTERNAL, .text = "Fetching a layer of the image stopped unexpectedly"};
	ssize_t n;

	*ret_is_reader_gone = false;
	if (work->source.fetch_pid <= 0)
		return 0;
	do
		n = read(work->source.fetch_out_fd, &result, sizeof(result));
	while (n < 0 && errno == EINTR);
	while (waitpid(work->source.fetch_pid, NULL, 0) < 0 && errno == EINTR)
		;
	work->source.fetch_pid = 0;
	if (result.code == E_NONE && n == (ssize_t)sizeof(result))
		return 0;
	result.text[sizeof(result.text) - 1] = '\0';
	*ret_is_reader_gone = result.is_reader_gone;
	return fail(err,
	            result.code > 0 && result.code <= E_INTERNAL ? (enum error_code)result.code
	                                                         : E_INTERNAL,
	            "%s", result.text);
}

/* Of two failures the one that came first matters: a broken transfer makes a broken archive, an
 * unpacker that stops breaks the transfer; and damage on the way is not the layer's fault. */
static int layer_work_judge(struct layer_set *set, struct layer_work *work, struct error *err)
{
	struct error fetch_err = ERROR_INIT;
	bool is_reader_gone;
	int unpacked = unpack_finish(work->unpack_pid, work->result_fd, &work->result, err);

	work->unpack_pid = 0;
	int fetched = layer_work_reap_fetcher(work, &is_reader_gone, &fetch_err);

	if (fetched < 0 && !(unpacked < 0 && is_reader_gone)) {
		*err = fetch_err;
		return -1;
	}
	if (unpacked == 0)
		return layer_work_check(set, work, err);
	if (err->code == E_INVALID && digest_is_valid(work->result.blob_digest) &&
	    work->layer->blob.digest[0] &&
	    strcmp(work->result.blob_digest, work->layer->blob.digest) != 0)
		return layer_work_check(set, work, err);
	return error_prefix(err, "%s", set->spec->name);
}

static int layer_set_finish_one(struct layer_set *set, struct layer_work *work, struct error *err)
{
	int rc = layer_work_judge(set, work, err);

	if (rc == 0)
		rc = image_writer_place_layer(set->spec->writer, &work->slot, work->hex, err);
	if (rc == 0)
		work->state = LAYER_PLACED;
	else
		work->state = LAYER_WANTED;
	layer_work_close(set, work);
	return rc;
}

/* Make the finished ones durable, then visible, then free for others. */
static int layer_set_commit(struct layer_set *set, struct error *err)
{
	int rc = 0;

	if (layer_set_count(set, LAYER_PLACED) == 0)
		return 0;
	if (image_writer_sync(set->spec->writer, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n_works; i++) {
		struct layer_work *work = &set->works[i];

		if (work->state != LAYER_PLACED)
			continue;
		if (rc == 0)
			rc = image_writer_commit_layer(set->spec->writer, work->hex, &work->result,
			                               err);
		work->state = LAYER_PRESENT;
		image_writer_close_slot(set->spec->writer, &work->slot);
	}
	return rc;
}

/* Wait for an end among the running ones, or a moment. */
static int layer_set_wait(struct layer_set *set, struct error *err)
{
	struct pollfd fds[MANIFEST_LAYERS_MAX];
	struct layer_work *works[MANIFEST_LAYERS_MAX];
	nfds_t count = 0;

	for (size_t i = 0; i < set->n_works; i++) {
		if (set->works[i].state != LAYER_RUNNING)
			continue;
		fds[count] = (struct pollfd){.fd = set->works[i].result_fd, .events = POLLIN};
		works[count++] = &set->works[i];
	}
	int ready = poll(fds, count, LAYER_SET_POLL_MS);

	layer_set_tell(set);
	if (pull_link_is_closed(set->spec->link_fd))
		return fail(err, E_CONFLICT, "Canceled");
	for (nfds_t i = 0; ready > 0 && i < count; i++) {
		if (fds[i].revents && layer_set_finish_one(set, works[i], err) < 0)
			return -1;
	}
	return 0;
}

static void layer_set_stop(struct layer_set *set)
{
	for (size_t i = 0; i < set->n_works; i++) {
		struct layer_work *work = &set->works[i];
		pid_t pids[2] = {work->unpack_pid, work->source.fetch_pid};

		for (int j = 0; j < 2; j++) {
			if (pids[j] <= 0)
				continue;
			(void)kill(pids[j], SIGKILL);
			(void)waitpid(pids[j], NULL, 0);
		}
		layer_work_close(set, work);
	}
}

static int layer_set_run(struct layer_set *set, struct error *err)
{
	while (layer_set_count(set, LAYER_PRESENT) + layer_set_count(set, LAYER_PLACED) <
	       set->n_works) {
		int started = layer_set_start_more(set, err);

		if (started < 0)
			return -1;
		if (layer_set_count(set, LAYER_RUNNING) == 0 && !started &&
		    layer_set_commit(set, err) < 0)
			return -1;
		if (layer_set_wait(set, err) < 0)
			return -1;
	}
	return layer_set_commit(set, err);
}

int layer_set_bring(const struct layer_set_spec *spec, struct error *err)
{
	autofree struct layer_set *set = xcalloc(1, sizeof(*set));
	struct error ignored = ERROR_INIT;

	layer_set_init(set, spec);
	int rc = layer_set_run(set, err);

	if (rc < 0) {
		layer_set_stop(set);
		if (layer_set_commit(set, &ignored) < 0)
			log_warning("%s", ignored.text);
	}
	(void)munmap((void *)set->progress, MANIFEST_LAYERS_MAX * sizeof(int64_t));
	return rc;
}

/* Is this layer named again higher up? overlayfs takes each folder once, and the higher one wins.
 */
static bool layer_set_is_repeated(const struct manifest *manifest, size_t index)
{
	for (size_t i = index + 1; i < manifest->n_layers; i++) {
		if (strcmp(manifest->layers[i].diff_id, manifest->layers[index].diff_id) == 0)
			return true;
	}
	return false;
}

json_t *layer_set_list(struct image_writer *writer, const struct manifest *manifest,
                       int64_t *ret_bytes)
{
	json_t *list = json_array();
	int64_t total = 0;

	for (size_t i = 0; i < manifest->n_layers; i++) {
		const char *hex = digest_hex(manifest->layers[i].diff_id);
		int64_t bytes = 0;
		bool is_opaque = false;

		if (layer_set_is_repeated(manifest, i))
			continue;
		(void)image_writer_read_layer(writer, hex, &bytes, &is_opaque);
		if (is_opaque) {
			json_array_clear(list);
			total = 0;
		}
		json_array_append_new(list, json_string(hex));
		total += bytes;
	}
	*ret_bytes = total;
	return list;
}
