/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See the header. The resolver's answer is data of a process that has listened to strangers: the
 * plan is checked again as it is read.
 */
#include "image/pull_resolve.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "image/pull_link.h"
#include "image/pull_protocol.h"
#include "image/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PULL_PIPE_BYTES (1024 * 1024)
#define PULL_POLL_MS 200

void pull_plan_clear(struct pull_plan *plan)
{
	free(plan->architecture);
	json_decref(plan->config);
	*plan = (struct pull_plan){0};
}

static int pull_get_json(struct repository *repository, const char *name, char digest[DIGEST_SIZE],
                         json_t **ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(MANIFEST_MAX_BYTES);

	if (repository_get_manifest(repository, name, &text, digest, err) < 0)
		return -1;
	return json_parse(buffer_text(&text), text.len, "image manifest", ret, err);
}

static int pull_get_manifest(struct repository *repository, const char *name,
                             const char *architecture, struct pull_plan *plan, struct error *err)
{
	autojson json_t *document = NULL;
	struct manifest_blob chosen;

	if (pull_get_json(repository, name, plan->digest, &document, err) < 0)
		return -1;
	memcpy(plan->manifest_digest, plan->digest, DIGEST_SIZE);
	if (manifest_is_index(document)) {
		if (manifest_choose(document, architecture, &chosen, err) < 0)
			return -1;
		json_decref(document);
		document = NULL;
		if (pull_get_json(repository, chosen.digest, plan->manifest_digest, &document,
		                  err) < 0)
			return -1;
	}
	return manifest_read(document, &plan->manifest, err);
}

static int pull_get_config(struct repository *repository, const char *architecture,
                           struct pull_plan *plan, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(MANIFEST_CONFIG_MAX_BYTES);
	autojson json_t *config = NULL;

	if (repository_get_blob(repository, &plan->manifest.config, &text, err) < 0 ||
	    json_parse(buffer_text(&text), text.len, "image config", &config, err) < 0)
		return -1;
	return manifest_read_config(&plan->manifest, config, architecture, &plan->config,
	                            &plan->architecture, err);
}

static int pull_make_plan(struct repository *repository, const struct reference *ref,
                          const char *architecture, const char *known_digest,
                          struct pull_plan *plan, struct error *err)
{
	const char *name = ref->digest[0] ? ref->digest : ref->tag;

	if (known_digest[0]) {
		/* HEAD does not count as a pull at Docker Hub. */
		if (repository_head_manifest(repository, name, plan->digest, err) < 0)
			return -1;
		plan->is_known = strcmp(plan->digest, known_digest) == 0;
		if (plan->is_known)
			return 0;
	}
	if (pull_get_manifest(repository, name, architecture, plan, err) < 0)
		return -1;
	return pull_get_config(repository, architecture, plan, err);
}

static json_t *pull_plan_to_json(const struct pull_plan *plan, const char *token)
{
	json_t *layers = json_array();

	for (size_t i = 0; i < plan->manifest.n_layers; i++) {
		const struct manifest_layer *layer = &plan->manifest.layers[i];

		json_array_append_new(layers,
		                      json_pack("[s, I, s]", layer->blob.digest,
		                                (json_int_t)layer->blob.size, layer->diff_id));
	}
	return json_pack("{s:s, s:b, s:s, s:s, s:s, s:O?, s:o, s:s}", "type", "plan", "known",
	                 plan->is_known, "digest", plan->digest, "manifest", plan->manifest_digest,
	                 "architecture", plan->architecture ? plan->architecture : "", "config",
	                 plan->config, "layers", layers, "token", token);
}

static int pull_read_layer(const json_t *item, struct manifest_layer *ret)
{
	const char *digest = json_string_value(json_array_get(item, 0));
	const char *diff_id = json_string_value(json_array_get(item, 2));

	if (!digest || !diff_id || !digest_is_valid(digest) || !digest_is_valid(diff_id))
		return -1;
	memcpy(ret->blob.digest, digest, DIGEST_SIZE);
	memcpy(ret->diff_id, diff_id, DIGEST_SIZE);
	ret->blob.size = json_integer_value(json_array_get(item, 1));
	return ret->blob.size >= 0 ? 0 : -1;
}

static int pull_read_plan(const json_t *message, struct pull_plan *plan, struct error *err)
{
	const json_t *layers = json_object_get(message, "layers"), *item;
	const char *digest = json_get_text(message, "digest", "");
	const char *manifest = json_get_text(message, "manifest", "");
	size_t i;

	plan->is_known = json_get_bool(message, "known", false);
	if (plan->is_known)
		return 0;
	if (!digest_is_valid(digest) || !digest_is_valid(manifest) ||
	    json_array_size(layers) > MANIFEST_LAYERS_MAX)
		return fail(err, E_INTERNAL, "The plan of the image is damaged");
	memcpy(plan->digest, digest, DIGEST_SIZE);
	memcpy(plan->manifest_digest, manifest, DIGEST_SIZE);
	json_array_foreach(layers, i, item)
	{
		if (pull_read_layer(item, &plan->manifest.layers[i]) < 0)
			return fail(err, E_INTERNAL, "The plan of the image is damaged");
	}
	plan->manifest.n_layers = json_array_size(layers);
	if (manifest_filter_config(json_object_get(message, "config"), &plan->config, err) < 0)
		return -1;
	plan->architecture = xstrndup(json_get_text(message, "architecture", ""), 60);
	return 0;
}

struct pull_question {
	struct repository *repository;
	const struct reference *ref;
	const char *architecture, *known_digest, *user;
};

static _Noreturn void pull_resolver(const struct pull_question *q, int fd)
{
	struct pull_plan plan = {0};
	struct error err = ERROR_INIT;

	sandbox_keep_fds(&fd, 1);
	repository_connect(q->repository);
	if (sandbox_become(q->user, &err) == 0 &&
	    pull_make_plan(q->repository, q->ref, q->architecture, q->known_digest, &plan, &err) ==
	            0) {
		autojson json_t *message =
		        pull_plan_to_json(&plan, repository_get_token(q->repository));

		if (pull_link_send(fd, message, &err) == 0)
			_exit(0);
	}
	pull_link_send_error(fd, &err);
	_exit(1);
}

static int pull_wait_for_plan(int fd, int link_fd, json_t **ret, struct error *err)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	while (poll(&poll_fd, 1, PULL_POLL_MS) <= 0) {
		if (pull_link_is_closed(link_fd))
			return fail(err, E_CONFLICT, "Canceled");
	}
	if (pull_link_receive(fd, ret, err) < 0)
		return fail(err, E_INTERNAL, "Asking the registry ended without an answer");
	if (strcmp(json_get_text(*ret, "type", ""), "error") == 0)
		return fail(err, error_code_by_name(json_get_text(*ret, "code", "")), "%s",
		            json_get_text(*ret, "text", ""));
	return 0;
}

int pull_resolve(struct repository *repository, const struct reference *ref,
                 const char *architecture, const char *known_digest,
                 const struct configuration *configuration, int link_fd, struct pull_plan *ret,
                 struct error *err)
{
	struct pull_question question = {repository, ref, architecture, known_digest,
	                                 configuration->user};
	autojson json_t *message = NULL;
	int ends[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Pulling: socketpair");
	autoclose int ours = ends[0];
	autoclose int theirs = ends[1];
	pid_t pid = sandbox_fork_plain(err);

	if (pid < 0)
		return -1;
	if (pid == 0)
		pull_resolver(&question, theirs);
	close(take_fd(&theirs));
	rc = pull_wait_for_plan(ours, link_fd, &message, err);
	if (rc < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (rc < 0)
		return -1;
	repository_set_token(repository, json_get_text(message, "token", ""));
	return pull_read_plan(message, ret, err);
}

static _Noreturn void pull_fetcher(struct repository *repository, const struct manifest_blob *blob,
                                   const char *user, volatile int64_t *progress, int blob_fd,
                                   int out_fd)
{
	struct layer_fetch_result result = {0};
	struct error err = ERROR_INIT;

	sandbox_keep_fds((int[]){blob_fd, out_fd}, 2);
	repository_connect(repository);
	if (sandbox_become(user, &err) < 0 ||
	    repository_copy_blob(repository, blob, blob_fd, progress, &result.is_reader_gone,
	                         &err) < 0) {
		result.code = err.code;
		memcpy(result.text, err.text, sizeof(result.text));
	}
	/* Less than PIPE_BUF: one piece. Before the blob's end, so that it can be read after it. */
	if (write(out_fd, &result, sizeof(result)) != (ssize_t)sizeof(result))
		log_warning("A fetcher's result is lost");
	_exit(0);
}

int pull_fetch_start(struct repository *repository, const struct manifest_blob *blob,
                     const struct configuration *configuration, volatile int64_t *progress,
                     struct layer_source *ret, struct error *err)
{
	int data[2], outcome[2];

	if (pipe2(data, O_CLOEXEC) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Pulling: pipe");
	autoclose int data_in = data[0];
	autoclose int data_out = data[1];

	if (pipe2(outcome, O_CLOEXEC) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Pulling: pipe");
	autoclose int outcome_in = outcome[0];
	autoclose int outcome_out = outcome[1];

	(void)fcntl(data_out, F_SETPIPE_SZ, PULL_PIPE_BYTES);
	pid_t pid = sandbox_fork_plain(err);

	if (pid < 0)
		return -1;
	if (pid == 0)
		pull_fetcher(repository, blob, configuration->user, progress, data_out,
		             outcome_out);
	ret->fetch_pid = pid;
	ret->in_fd = take_fd(&data_in);
	ret->fetch_out_fd = take_fd(&outcome_in);
	return 0;
}
