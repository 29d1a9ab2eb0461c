/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source "repository": files of a Hub at one commit, read-only, fetched as they are read.
 * Opening asks the Hub with the job's token for the repository, its commit and its first list of
 * files: that is the check of rights, for the cache too, whose keys name the repository.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "hub/repository.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (16 * 1024 * 1024)
#define TIMEOUT_DEFAULT_S 30
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000
#define CALLS_MAX 3

int64_t repository_backoff_ms(int failures)
{
	int64_t wait = BACKOFF_FIRST_MS;

	for (; failures > 0 && wait < BACKOFF_MAX_MS; failures--)
		wait *= 2;
	return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}

/* So that a dead connection is noticed and another one tried before the reads are late. */
int64_t repository_stall_s(const struct repository *repository)
{
	int64_t stall = repository->timeout_ms / 3000;

	return stall > 1 ? stall : 1;
}

void repository_add_path(struct buffer *ret, const char *path)
{
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		                (c >= '0' && c <= '9') || strchr("/-_.~", c);

		if (is_plain)
			(void)buffer_add_byte(ret, *path);
		else
			(void)buffer_printf(ret, "%%%02X", c);
	}
}

bool repository_turn(struct repository *repository, int fd, int wait_ms)
{
	bool is_busy = hub_client_work(repository->client);
	int64_t now, next, files;

	now = clock_monotonic_ms();
	next = repository_list_tick(repository, now);
	files = repository_file_tick(repository, now);
	next = files < next ? files : next;
	if (is_busy || next <= now)
		wait_ms = 0;
	else if (next != INT64_MAX && (wait_ms < 0 || next - now < wait_ms))
		wait_ms = (int)(next - now);
	return hub_client_wait(repository->client, fd, wait_ms < 0 ? 60 * 1000 : wait_ms);
}

/* One answer of the Hub that is waited for, when opening. */
struct call {
	struct repository *repository;
	struct buffer body;
	bool is_done, is_tolerant;
	struct error err;
};

static bool call_data(void *arg, int64_t offset, int64_t total, const char *data, size_t len)
{
	struct call *call = arg;

	return buffer_add(&call->body, data, len) == 0;
}

static void call_done(void *arg, const struct hub_answer *answer)
{
	struct call *call = arg;
	struct repository *repository = call->repository;

	call->is_done = true;
	if (answer->status == 200 && answer->is_complete)
		return;
	if (answer->status == 0 || answer->status == 200)
		(void)fail(&call->err, E_UNAVAILABLE, "The Hub %s does not answer: %s",
		           repository->about.endpoint, answer->problem);
	else
		(void)hub_refusal(&repository->about, answer->status, answer->error_code,
		                  answer->error_message, &call->err);
}

/* GET below the repository's API address; tried again until the time limit is over. */
static int repository_call(struct repository *repository, const char *path, struct buffer *ret,
                           struct error *err)
{
	autofree char *url = xasprintf("%s%s", repository->api, path);
	int64_t end = clock_monotonic_ms() + repository->timeout_ms;

	for (int failures = 0;; failures++) {
		struct call call = {.repository = repository,
		                    .body = BUFFER_INIT(ANSWER_MAX),
		                    .err = ERROR_INIT};
		struct hub_request request = {.url = url,
		                              .last = -1,
		                              .stall_s = repository_stall_s(repository),
		                              .data = call_data,
		                              .done = call_done,
		                              .arg = &call};
		int64_t wake;

		(void)hub_transfer_start(repository->client, &request);
		while (!call.is_done)
			(void)repository_turn(repository, -1, -1);
		if (call.err.code == E_NONE) {
			*ret = call.body;
			return 0;
		}
		buffer_clear(&call.body);
		*err = call.err;
		wake = clock_monotonic_ms() + repository_backoff_ms(failures);
		if (call.err.code != E_UNAVAILABLE || wake > end)
			return -1;
		while (clock_monotonic_ms() < wake)
			(void)repository_turn(repository, -1, (int)(wake - clock_monotonic_ms()));
	}
}

/* Files of a gated repository are listed for everybody: whether they may be read is another
 * question. */
static int repository_check_gate(struct repository *repository, const json_t *info,
                                 struct error *err)
{
	const json_t *gated = json_object_get(info, "gated");
	autobuffer struct buffer body = BUFFER_INIT(ANSWER_MAX);

	if (!gated || json_is_false(gated) || json_is_null(gated))
		return 0;
	return repository_call(repository, "/auth-check", &body, err);
}

static int repository_get_info(struct repository *repository, struct error *err)
{
	autobuffer struct buffer path = BUFFER_INIT(4096), body = BUFFER_INIT(ANSWER_MAX);
	autojson json_t *info = NULL;
	int64_t modified;
	char *slash;

	(void)buffer_add_text(&path, "/revision/");
	repository_add_path(&path, repository->about.revision);
	while ((slash = strchr(path.data + strlen("/revision/"), '/'))) {
		autofree char *rest = xstrdup(slash + 1);

		path.len = (size_t)(slash - path.data);
		(void)buffer_printf(&path, "%%2F%s", rest);
	}
	(void)buffer_add_text(&path, "?expand[]=sha&expand[]=gated&expand[]=lastModified");
	if (repository_call(repository, buffer_text(&path), &body, err) < 0 ||
	    json_parse(buffer_text(&body), body.len, "the Hub's answer", &info, err) < 0)
		return -1;
	repository->commit = xstrdup(json_get_text(info, "sha", ""));
	modified = clock_parse_iso(json_get_text(info, "lastModified", ""));
	repository->mtime_s = (modified > 0 ? modified : clock_now_ms()) / 1000;
	if (!*repository->commit ||
	    strspn(repository->commit, "0123456789abcdef") != strlen(repository->commit))
		return fail(err, E_UNAVAILABLE, "The Hub %s does not tell the commit of the %s %s",
		            repository->about.endpoint, repository->about.type,
		            repository->about.source);
	return repository_check_gate(repository, info, err);
}

struct first_list {
	bool is_done;
	struct error err;
};

static void first_list_done(void *arg, const struct error *err)
{
	struct first_list *list = arg;

	list->is_done = true;
	if (err)
		list->err = *err;
}

static int repository_get_list(struct repository *repository, enum listing_depth depth,
                               struct error *err)
{
	struct first_list list = {.err = ERROR_INIT};

	repository_list(repository, TREE_ROOT, depth, first_list_done, &list);
	while (!list.is_done)
		(void)repository_turn(repository, -1, -1);
	if (list.err.code == E_NONE)
		return 0;
	*err = list.err;
	return -1;
}

static void repository_read_request(struct repository *repository, const json_t *request)
{
	struct hub_repository *about = &repository->about;
	const char *endpoint = json_get_text(request, "endpoint", "");
	size_t len = strlen(endpoint);

	while (len > 0 && endpoint[len - 1] == '/')
		len--;
	repository->endpoint = xstrndup(endpoint, len);
	*about = (struct hub_repository){
	        .endpoint = repository->endpoint,
	        .type = json_get_text(request, "type", "model"),
	        .source = json_get_text(request, "source", ""),
	        .revision = json_get_text(request, "revision", "main"),
	        .has_token = *json_get_text(request, "token", "") != '\0',
	};
	repository->timeout_ms = 1000 * json_get_int(json_object_get(request, "limits"),
	                                             "timeout_s", TIMEOUT_DEFAULT_S);
	repository->api = xasprintf("%s/api/%ss/%s", about->endpoint, about->type, about->source);
	repository->identity = xasprintf("%s %s %s", about->endpoint, about->type, about->source);
	repository->client = hub_client_new(about->endpoint, json_get_text(request, "token", ""));
	repository->tree = repository_tree_new(json_get_text(request, "path", ""));
}

static void repository_free(struct repository *repository)
{
	repository_list_end(repository);
	if (repository->cache)
		repository_file_end_all(repository);
	hub_client_free(repository->client);
	block_cache_free(repository->cache);
	repository_tree_free(repository->tree);
	free(repository->endpoint);
	free(repository->api);
	free(repository->resolve);
	free(repository->identity);
	free(repository->commit);
	free(repository);
}

static int repository_prepare(struct repository *repository, struct error *err)
{
	const json_t *request = repository->mount->request;
	bool is_prefetch = strcmp(json_get_text(request, "fetch", "lazy"), "prefetch") == 0;
	const char *type = repository->about.type;

	if (block_cache_open(repository->mount->folder_fd,
	                     json_get_int(json_object_get(request, "limits"), "cache_bytes", 0),
	                     &repository->cache, err) < 0 ||
	    repository_get_info(repository, err) < 0)
		return -1;
	repository->resolve = xasprintf("%s/%s%s/resolve/%s/", repository->about.endpoint,
	                                strcmp(type, "model") == 0     ? ""
	                                : strcmp(type, "dataset") == 0 ? "datasets/"
	                                                               : "spaces/",
	                                repository->about.source, repository->commit);
	if (repository_get_list(repository, is_prefetch ? LIST_ALL : LIST_PEEK, err) < 0)
		return -1;
	return is_prefetch ? repository_prefetch(repository, err) : 0;
}

static int mount_repository_open(struct mount *mount, void **ret_state, struct error *err)
{
	struct repository *repository = xcalloc(1, sizeof(*repository));

	repository->mount = mount;
	repository_read_request(repository, mount->request);
	if (repository_prepare(repository, err) < 0) {
		repository_free(repository);
		return -1;
	}
	*ret_state = repository;
	return 0;
}

static bool mount_repository_wait(void *state, int fuse_fd)
{
	return repository_turn(state, fuse_fd, -1);
}

static int mount_repository_close(void *state, struct error *err)
{
	repository_free(state);
	return 0;
}

const struct mount_source mount_repository = {
        .operations = &mount_repository_operations,
        .needs_network = true,
        .open = mount_repository_open,
        .wait = mount_repository_wait,
        .close = mount_repository_close,
};
