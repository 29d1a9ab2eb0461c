/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"action":"import"}: the archive is unpacked in the sandbox first, whatever it is. An OCI layout
 * or docker-save archive then gives its layers as files; any other content is itself the one layer.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "image/image_writer.h"
#include "image/import_archive.h"
#include "image/layer_set.h"
#include "image/pull_actions.h"
#include "image/pull_link.h"
#include "image/unpack.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define IMPORT_POLL_MS 100
#define IMPORT_ARCHIVE_LAYERS 8 /* an archive may be as large as so many of the largest layers */

struct import {
	const struct pull_context *context;
	struct image_writer *writer;
	struct image_slot slot;
	struct reference ref;
	char name[REFERENCE_MAX];
	struct unpack_result unpacked;
	struct import_archive archive;
};

static void import_tell(const struct import *im)
{
	struct pull_progress progress = {.layers = 1};
	struct stat st;
	off_t at = lseek(im->context->archive_fd, 0, SEEK_CUR);

	if (at >= 0 && fstat(im->context->archive_fd, &st) == 0) {
		progress.bytes = st.st_size;
		progress.bytes_done = at;
	}
	pull_link_send_progress(im->context->link_fd, &progress);
}

static int import_wait(const struct import *im, pid_t pid, int result_fd, struct error *err)
{
	struct pollfd poll_fd = {.fd = result_fd, .events = POLLIN};

	while (poll(&poll_fd, 1, IMPORT_POLL_MS) <= 0) {
		import_tell(im);
		if (pull_link_is_closed(im->context->link_fd)) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, NULL, 0);
			return fail(err, E_CONFLICT, "Canceled");
		}
	}
	return 0;
}

static int import_unpack(struct import *im, struct error *err)
{
	struct unpack_request request = {.in_fd = im->context->archive_fd,
	                                 .dir_fd = im->slot.dir_fd};
	int64_t max = im->context->configuration->layer_max_bytes;
	autoclose int result_fd = -1;
	pid_t pid;

	request.max_bytes = max > 0 ? max * IMPORT_ARCHIVE_LAYERS : INT64_C(1) << 42;
	if (unpack_start(&request, &pid, &result_fd, err) < 0 ||
	    import_wait(im, pid, result_fd, err) < 0)
		return -1;
	if (unpack_finish(pid, result_fd, &im->unpacked, err) < 0)
		return error_prefix(err, "The archive");
	if (im->unpacked.entries == 0)
		return fail(err, E_INVALID, "The archive is empty");
	return 0;
}

static int import_open_layer(void *arg, size_t index, volatile int64_t *progress,
                             struct layer_source *ret, struct error *err)
{
	struct import *im = arg;
	int64_t size;

	if (import_archive_open(im->slot.dir_fd, im->archive.paths[index], &ret->in_fd, &size,
	                        err) < 0)
		return -1;
	*progress = size;
	return 0;
}

static int import_layers(struct import *im, struct error *err)
{
	struct layer_set_spec spec = {
	        .writer = im->writer,
	        .configuration = im->context->configuration,
	        .manifest = &im->archive.plan.manifest,
	        .name = im->name,
	        .link_fd = im->context->link_fd,
	        .open = import_open_layer,
	        .arg = im,
	};

	return layer_set_bring(&spec, err);
}

/* The one layer of a root file system; another process may be unpacking the same one. */
static int import_place_root(struct import *im, const char *hex, struct error *err)
{
	struct image_slot slot = IMAGE_SLOT_NONE;
	struct timespec step = {0, 100 * 1000000};
	int rc = 0;

	while (image_writer_open_slot(im->writer, hex, &slot, err) < 0) {
		if (err->code != E_CONFLICT)
			return -1;
		(void)nanosleep(&step, NULL);
	}
	if (!image_writer_has_layer(im->writer, hex)) {
		if (image_writer_place_layer(im->writer, &im->slot, hex, err) < 0 ||
		    image_writer_sync(im->writer, err) < 0 ||
		    image_writer_commit_layer(im->writer, hex, &im->unpacked, err) < 0)
			rc = -1;
	}
	image_writer_close_slot(im->writer, &slot);
	return rc;
}

static int import_root(struct import *im, struct error *err)
{
	struct pull_plan *plan = &im->archive.plan;
	const struct configuration *configuration = im->context->configuration;

	if (configuration->layer_max_bytes > 0 &&
	    im->unpacked.bytes > configuration->layer_max_bytes)
		return fail(err, E_TOO_LARGE,
		            "The archive is larger than %lld bytes when unpacked (setting "
		            "images.layer_limit)",
		            (long long)configuration->layer_max_bytes);
	plan->architecture = xstrdup(pull_architecture(im->context));
	plan->config = json_pack("{s:[s]}", "Cmd", "/bin/sh");
	plan->manifest.n_layers = 1;
	memcpy(plan->manifest.layers[0].diff_id, im->unpacked.diff_id, DIGEST_SIZE);
	autojson json_t *image =
	        json_pack("{s:s, s:O, s:s, s:{s:s, s:[s]}}", "architecture", plan->architecture,
	                  "config", plan->config, "os", "linux", "rootfs", "type", "layers",
	                  "diff_ids", im->unpacked.diff_id);
	autofree char *text = json_to_text(image);

	digest_of(text, strlen(text), plan->digest);
	memcpy(plan->manifest_digest, plan->digest, DIGEST_SIZE);
	return import_place_root(im, digest_hex(im->unpacked.diff_id), err);
}

static int import_record(struct import *im, struct error *err)
{
	const struct pull_plan *plan = &im->archive.plan;
	int64_t bytes = 0;
	json_t *layers = layer_set_list(im->writer, &plan->manifest, &bytes);
	autojson json_t *record = json_pack(
	        "{s:s, s:s, s:s, s:O, s:s, s:o, s:I, s:I, s:b}", "reference", im->name, "digest",
	        plan->digest, "manifest", plan->manifest_digest, "config", plan->config,
	        "architecture", plan->architecture, "layers", layers, "size", (json_int_t)bytes,
	        "pulled_ms", (json_int_t)clock_now_ms(), "local", true);

	if (image_writer_put_record(im->writer, record, err) < 0)
		return -1;
	autojson json_t *answer = json_pack("{s:s, s:O}", "type", "done", "image", record);

	return pull_link_send(im->context->link_fd, answer, err);
}

static int import_run(struct import *im, struct error *err)
{
	unsigned long long random;
	char name[40];

	random_fill(&random, sizeof(random));
	snprintf(name, sizeof(name), "import.%016llx", random);
	if (image_writer_open_slot(im->writer, name, &im->slot, err) < 0 ||
	    import_unpack(im, err) < 0 ||
	    import_archive_read(im->slot.dir_fd, &im->ref, pull_architecture(im->context),
	                        &im->archive, err) < 0)
		return -1;
	if ((im->archive.is_image ? import_layers(im, err) : import_root(im, err)) < 0)
		return -1;
	return import_record(im, err);
}

int pull_import(const struct pull_context *c, struct error *err)
{
	autofree struct import *im = xcalloc(1, sizeof(*im));
	int rc;

	im->context = c;
	im->slot = IMAGE_SLOT_NONE;
	if (c->archive_fd < 0)
		return fail(err, E_INVALID, "There is no archive to import");
	if (pull_read_reference(c, &im->ref, err) < 0)
		return -1;
	if (im->ref.digest[0])
		return fail(err, E_INVALID, "An imported image has a name and a tag, no digest");
	reference_format(&im->ref, im->name);
	if (image_writer_open(c->configuration->state_dir, c->configuration->user, false,
	                      &im->writer, err) < 0)
		return -1;
	rc = import_run(im, err);
	import_archive_clear(&im->archive);
	image_writer_close_slot(im->writer, &im->slot);
	image_writer_close(im->writer);
	return rc;
}
