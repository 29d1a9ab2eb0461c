/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"action":"pull"}: ask what the reference is now, bring the layers that are missing, write the
 * record.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "image/image_store.h"
#include "image/image_writer.h"
#include "image/layer_set.h"
#include "image/pull_actions.h"
#include "image/pull_link.h"
#include "image/pull_resolve.h"
#include "image/registry.h"

#include <string.h>

static void pull_cleanup_repository(struct repository **repository)
{
	repository_free(*repository);
}

static void pull_cleanup_writer(struct image_writer **writer)
{
	image_writer_close(*writer);
}

struct pull_source {
	const struct configuration *configuration;
	struct repository *repository;
	const struct manifest *manifest;
};

static int pull_open_layer(void *arg, size_t index, volatile int64_t *progress,
                           struct layer_source *ret, struct error *err)
{
	const struct pull_source *source = arg;

	return pull_fetch_start(source->repository, &source->manifest->layers[index].blob,
	                        source->configuration, progress, ret, err);
}

static int pull_bring_layers(const struct pull_context *c, struct repository *repository,
                             struct image_writer *writer, const struct pull_plan *plan,
                             const char *name, struct error *err)
{
	struct pull_source source = {c->configuration, repository, &plan->manifest};
	struct layer_set_spec spec = {
	        .writer = writer,
	        .configuration = c->configuration,
	        .manifest = &plan->manifest,
	        .name = name,
	        .link_fd = c->link_fd,
	        .open = pull_open_layer,
	        .arg = &source,
	};

	return layer_set_bring(&spec, err);
}

static json_t *pull_make_record(struct image_writer *writer, const struct pull_plan *plan,
                                const char *name)
{
	int64_t bytes = 0;
	json_t *layers = layer_set_list(writer, &plan->manifest, &bytes);

	return json_pack("{s:s, s:s, s:s, s:O, s:s, s:o, s:I, s:I, s:b}", "reference", name,
	                 "digest", plan->digest, "manifest", plan->manifest_digest, "config",
	                 plan->config, "architecture", plan->architecture, "layers", layers, "size",
	                 (json_int_t)bytes, "pulled_ms", (json_int_t)clock_now_ms(), "local",
	                 false);
}

static int pull_finish(const struct pull_context *c, struct image_writer *writer, json_t *record,
                       struct error *err)
{
	if (image_writer_put_record(writer, record, err) < 0)
		return -1;
	autojson json_t *answer = json_pack("{s:s, s:O}", "type", "done", "image", record);

	return pull_link_send(c->link_fd, answer, err);
}

/* What is in the store already, if it is for the machine that is meant. */
static json_t *pull_find_known(struct image_writer *writer, const struct reference *ref,
                               const char *architecture)
{
	autojson json_t *record = image_store_find(image_writer_fd(writer), ref);
	const char *known = json_get_text(record, "architecture", "");
	size_t len = strcspn(architecture, "/");

	if (strncmp(known, architecture, len) != 0 || known[len] != '\0')
		return NULL;
	return take_ptr(&record);
}

int pull_image(const struct pull_context *c, struct error *err)
{
	__attribute__((cleanup(pull_cleanup_repository))) struct repository *repository = NULL;
	__attribute__((cleanup(pull_cleanup_writer))) struct image_writer *writer = NULL;
	__attribute__((cleanup(pull_plan_clear))) struct pull_plan plan = {0};
	autojson json_t *record = NULL;
	char name[REFERENCE_MAX];
	struct reference ref;

	if (pull_read_reference(c, &ref, err) < 0 ||
	    image_writer_open(c->configuration->state_dir, c->configuration->user, false, &writer,
	                      err) < 0 ||
	    repository_new(c->configuration, &ref, &repository, err) < 0)
		return -1;
	reference_format(&ref, name);
	record = pull_find_known(writer, &ref, pull_architecture(c));
	if (pull_resolve(repository, &ref, pull_architecture(c),
	                 json_get_text(record, "digest", ""), c->configuration, c->link_fd, &plan,
	                 err) < 0)
		return -1;
	if (plan.is_known) {
		json_object_set_new(record, "reference", json_string(name));
		json_object_set_new(record, "pulled_ms", json_integer(clock_now_ms()));
		json_object_set_new(record, "local", json_false());
		return pull_finish(c, writer, record, err);
	}
	if (pull_bring_layers(c, repository, writer, &plan, name, err) < 0)
		return -1;
	json_decref(record);
	record = pull_make_record(writer, &plan, name);
	return pull_finish(c, writer, record, err);
}
