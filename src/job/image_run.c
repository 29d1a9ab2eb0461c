/* SPDX-License-Identifier: Apache-2.0 */
/* Import, remove and prune: one hearth-pull each, with a request that somebody made. */
#include "job/image_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/spawner_link.h"
#include "image/image_store.h"

#include <fcntl.h>
#include <string.h>

void image_run_free(struct image_run *run)
{
	struct image_run **place = &run->service->runs;
	while (*place != run)
		place = &(*place)->next;
	*place = run->next;
	child_channel_free(run->channel);
	json_decref(run->request);
	if (run->archive_fd >= 0)
		(void)close(run->archive_fd);
	free(run);
}

static void run_end(struct image_run *run, const json_t *answer, const struct error *err)
{
	struct image_service *service = run->service;
	struct image_wait_events events = run->events;
	json_t *kept = json_incref((json_t *)answer);
	if (run->is_exclusive && run->channel)
		service->is_exclusive = false;
	image_known_clear(service);
	image_run_free(run);
	events.done(events.arg, kept, err);
	json_decref(kept);
	image_run_next(service);
}

static void on_message(void *arg, const json_t *message)
{
	struct image_run *run = arg;
	const char *type = json_get_text(message, "type", "");
	if (!strcmp(type, "done")) {
		run_end(run, message, NULL);
	} else if (!strcmp(type, "error")) {
		struct error err = ERROR_INIT;
		fail(&err, error_code_by_name(json_get_text(message, "code", "internal")), "%s",
		     json_get_text(message, "text", "the image store could not be changed"));
		run_end(run, NULL, &err);
	}
}

static void on_closed(void *arg)
{
	struct error err = ERROR_INIT;
	fail(&err, E_INTERNAL, "hearth-pull ended unexpectedly");
	run_end(arg, NULL, &err);
}

static json_t *digests_in_use(const struct image_service *service)
{
	json_t *list = json_array();
	for (const struct image_held *held = service->held; held; held = held->next)
		(void)json_array_append_new(list, json_string(held->digest));
	return list;
}

static bool is_held(const struct image_service *service, const char *digest)
{
	for (const struct image_held *held = service->held; held; held = held->next)
		if (!strcmp(held->digest, digest))
			return true;
	return false;
}

/* An image under a running job stays: its layers are mounted. */
static int check_remove(struct image_run *run, struct error *err)
{
	const char *text = json_get_text(run->request, "reference", "");
	struct reference ref;
	if (reference_parse(text, &ref, err) < 0)
		return -1;
	autojson json_t *record = image_store_find(run->service->images_fd, &ref);
	if (record && is_held(run->service, json_get_text(record, "digest", "")))
		return fail(err, E_CONFLICT, "Image %s is in use by a running job", text);
	return 0;
}

static int run_start(struct image_run *run, struct error *err)
{
	const char *action = json_get_text(run->request, "action", "");
	struct child_channel_events events = {on_message, on_closed, run};
	int fd;
	if (!strcmp(action, "remove") && check_remove(run, err) < 0)
		return -1;
	if (!strcmp(action, "prune"))
		(void)json_object_set_new(run->request, "in_use", digests_in_use(run->service));
	if (spawner_link_send(run->service->spawner_fd, SPAWN_PULL, "", run->archive_fd, &fd, err) <
	    0)
		return -1;
	run->channel = child_channel_new(run->service->loop, fd, &events);
	if (run->is_exclusive)
		run->service->is_exclusive = true;
	return child_channel_send(run->channel, run->request, err);
}

bool image_run_is_waiting(const struct image_service *service)
{
	for (const struct image_run *run = service->runs; run; run = run->next)
		if (run->is_exclusive && !run->channel)
			return true;
	return false;
}

static bool is_store_busy(const struct image_service *service)
{
	if (service->pulls || service->is_exclusive)
		return true;
	for (const struct image_run *run = service->runs; run; run = run->next)
		if (run->channel)
			return true;
	return false;
}

static void wake_waiting(struct image_service *service)
{
	struct image_wait *waits = service->waiting;
	service->waiting = NULL;
	while (waits) {
		struct image_wait *wait = waits;
		waits = wait->next;
		image_wait_begin(wait);
	}
}

/* The first run that may begin now: first come, first served, but an import need not wait for
 * pulls. */
static struct image_run *ready_run(const struct image_service *service)
{
	for (struct image_run *run = service->runs; run; run = run->next) {
		if (run->channel)
			continue;
		if (run->is_exclusive ? is_store_busy(service) : service->is_exclusive)
			return NULL;
		return run;
	}
	return NULL;
}

void image_run_next(struct image_service *service)
{
	struct image_run *run;
	while ((run = ready_run(service))) {
		struct error err = ERROR_INIT;
		if (run_start(run, &err) < 0)
			run_end(run, NULL, &err);
	}
	if (!service->is_exclusive && !image_run_is_waiting(service))
		wake_waiting(service);
}

static void next_deferred(void *arg)
{
	image_run_next(arg);
}

void image_service_run(struct image_service *service, json_t *take_request, int archive_fd,
                       const struct image_wait_events *events)
{
	struct image_run *run = xcalloc(1, sizeof(*run));
	run->service = service;
	run->events = *events;
	run->request = take_request;
	run->archive_fd = archive_fd >= 0 ? fcntl(archive_fd, F_DUPFD_CLOEXEC, 3) : -1;
	const char *action = json_get_text(take_request, "action", "");
	run->is_exclusive = !strcmp(action, "remove") || !strcmp(action, "prune");
	/* At the end: first come, first served. */
	struct image_run **place = &service->runs;
	while (*place)
		place = &(*place)->next;
	*place = run;
	loop_defer(service->loop, next_deferred, service);
}

static void limit_done(void *arg, const json_t *answer, const struct error *err)
{
	struct image_service *service = arg;
	service->is_pruning_planned = false;
	if (err)
		log_warning("images could not be brought below their disk limit: %s", err->text);
}

void image_run_limit(struct image_service *service)
{
	int64_t limit = service->configuration->image_disk_bytes;
	struct image_wait_events events = {.done = limit_done, .arg = service};
	if (limit <= 0 || service->is_pruning_planned)
		return;
	service->is_pruning_planned = true;
	image_service_run(
	        service,
	        json_pack("{s:s, s:I}", "action", "prune", "keep_bytes", (json_int_t)limit), -1,
	        &events);
}
