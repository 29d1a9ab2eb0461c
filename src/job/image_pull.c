/* SPDX-License-Identifier: Apache-2.0 */
/* One hearth-pull at work, and all who wait for its image. */
#include "job/image_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "base/spawner_link.h"

#include <string.h>

/* A registry that did not answer is asked again after that long, not by every job. */
#define SILENT_RETRY_MS 30000

void image_pull_free(struct image_pull *pull)
{
	struct image_pull **place = &pull->service->pulls;
	while (*place != pull)
		place = &(*place)->next;
	*place = pull->next;
	child_channel_free(pull->channel);
	json_decref(pull->stale);
	free(pull);
}

/* Frees the pull first: whoever hears of the end may wish for the same image again. */
static void pull_end(struct image_pull *pull, json_t *record, const struct error *err)
{
	struct image_service *service = pull->service;
	struct image_wait *waits = pull->waits;
	json_incref(record);
	for (struct image_wait *wait = waits; wait; wait = wait->next)
		wait->pull = NULL;
	pull->waits = NULL;
	image_pull_free(pull);
	while (waits) {
		struct image_wait *wait = waits;
		waits = wait->next;
		image_wait_end(wait, record, err);
	}
	if (record)
		image_run_limit(service);
	json_decref(record);
	image_run_next(service);
}

static void pull_fail(struct image_pull *pull, const struct error *err)
{
	struct image_service *service = pull->service;
	bool is_silent = err->code == E_UNAVAILABLE || err->code == E_BUSY;
	if (!pull->stale || !is_silent) {
		pull_end(pull, NULL, err);
		return;
	}
	log_warning("image %s: using the stored one: %s", pull->reference, err->text);
	json_t *stale = json_incref(pull->stale);
	int64_t refresh_ms = service->configuration->image_refresh_s * 1000;
	int64_t again_ms = refresh_ms < SILENT_RETRY_MS ? refresh_ms : SILENT_RETRY_MS;
	image_known_set(service, pull->reference, stale, clock_now_ms() - refresh_ms + again_ms);
	pull_end(pull, stale, NULL);
	json_decref(stale);
}

static int pull_start(struct image_pull *pull, struct error *err);

/* hearth-pull was killed, or broke: no fault of the image, and layers that are complete stay in the
 * store, so that one more time costs little. */
static void pull_fail_or_repeat(struct image_pull *pull, const struct error *err)
{
	struct error again_err = ERROR_INIT;
	if (err->code != E_INTERNAL || pull->is_repeated) {
		pull_fail(pull, err);
		return;
	}
	log_warning("image %s: pulling it once more: %s", pull->reference, err->text);
	pull->is_repeated = true;
	child_channel_free(pull->channel);
	pull->channel = NULL;
	if (pull_start(pull, &again_err) < 0)
		pull_fail(pull, &again_err);
}

static void format_progress(const json_t *message, char *text, size_t size)
{
	int64_t done = json_get_int(message, "bytes_done", 0);
	int64_t bytes = json_get_int(message, "bytes", 0);
	long long layers_done = json_get_int(message, "layers_done", 0);
	long long layers = json_get_int(message, "layers", 0);
	char have[QUANTITY_TEXT_SIZE], want[QUANTITY_TEXT_SIZE];
	if (layers <= 0 || bytes <= 0) {
		(void)snprintf(text, size, "Pulling image");
		return;
	}
	int percent = (int)((__int128)done * 100 / bytes);
	(void)snprintf(text, size, "Pulling image: %lld of %lld layers, %d %%, %s of %s",
	               layers_done, layers, percent > 100 ? 100 : percent,
	               quantity_format_bytes(done, have), quantity_format_bytes(bytes, want));
}

static void tell_progress(struct image_pull *pull)
{
	for (struct image_wait *wait = pull->waits, *next; wait; wait = next) {
		next = wait->next;
		if (wait->events.progress)
			wait->events.progress(wait->events.arg, pull->message);
	}
}

static void on_message(void *arg, const json_t *message)
{
	struct image_pull *pull = arg;
	const char *type = json_get_text(message, "type", "");
	if (!strcmp(type, "progress")) {
		char text[sizeof(pull->message)];
		format_progress(message, text, sizeof(text));
		if (!strcmp(text, pull->message))
			return;
		memcpy(pull->message, text, sizeof(text));
		tell_progress(pull);
	} else if (!strcmp(type, "done")) {
		json_t *record = json_object_get(message, "image");
		struct error err = ERROR_INIT;
		if (!json_is_object(record)) {
			fail(&err, E_INTERNAL, "hearth-pull ended without an image");
			pull_end(pull, NULL, &err);
			return;
		}
		image_known_set(pull->service, pull->reference, record, clock_now_ms());
		pull_end(pull, record, NULL);
	} else if (!strcmp(type, "error")) {
		struct error err = ERROR_INIT;
		fail(&err, error_code_by_name(json_get_text(message, "code", "internal")), "%s",
		     json_get_text(message, "text", "the image could not be pulled"));
		pull_fail_or_repeat(pull, &err);
	}
}

static void on_closed(void *arg)
{
	struct image_pull *pull = arg;
	struct error err = ERROR_INIT;
	fail(&err, E_INTERNAL, "Image %s could not be pulled: hearth-pull ended unexpectedly",
	     pull->reference);
	pull_fail_or_repeat(pull, &err);
}

static int pull_start(struct image_pull *pull, struct error *err)
{
	struct child_channel_events events = {on_message, on_closed, pull};
	int fd;
	if (spawner_link_send(pull->service->spawner_fd, SPAWN_PULL, "", -1, &fd, err) < 0)
		return -1;
	pull->channel = child_channel_new(pull->service->loop, fd, &events);
	autojson json_t *request = json_pack("{s:s, s:s, s:s}", "action", "pull", "reference",
	                                     pull->reference, "architecture", pull->architecture);
	return child_channel_send(pull->channel, request, err);
}

void image_pull_join(struct image_wait *wait, json_t *take_stale)
{
	struct image_service *service = wait->service;
	struct image_pull *pull = service->pulls;
	while (pull && (strcmp(pull->reference, wait->reference) != 0 ||
	                strcmp(pull->architecture, wait->architecture) != 0))
		pull = pull->next;
	bool is_new = !pull;
	if (is_new) {
		pull = xcalloc(1, sizeof(*pull));
		pull->service = service;
		memcpy(pull->reference, wait->reference, sizeof(pull->reference));
		memcpy(pull->architecture, wait->architecture, sizeof(pull->architecture));
		(void)snprintf(pull->message, sizeof(pull->message), "Pulling image");
		pull->stale = wait->always ? NULL : json_incref(take_stale);
		pull->next = service->pulls;
		service->pulls = pull;
	}
	json_decref(take_stale);
	wait->pull = pull;
	wait->next = pull->waits;
	pull->waits = wait;
	struct error err = ERROR_INIT;
	if (is_new && pull_start(pull, &err) < 0) {
		pull_fail(pull, &err);
		return;
	}
	if (wait->events.progress)
		wait->events.progress(wait->events.arg, pull->message);
}

void image_pull_leave(struct image_wait *wait)
{
	struct image_pull *pull = wait->pull;
	struct image_service *service = wait->service;
	struct image_wait **place = &pull->waits;
	while (*place != wait)
		place = &(*place)->next;
	*place = wait->next;
	free(wait);
	/* Nobody wants it any more: hearth-pull sees our end close and stops; what it has fetched
	 * completely serves the next one. */
	if (!pull->waits) {
		image_pull_free(pull);
		image_run_next(service);
	}
}
