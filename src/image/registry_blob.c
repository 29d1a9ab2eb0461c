/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: large blobs that are passed on while they arrive. A transfer that breaks goes on where it
 * stopped (Range); a server without ranges sends all again and the known part is skipped, which is
 * safe because the reader hashes everything.
 */
#include "image/registry_private.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define REGISTRY_BLOB_TRIES 5
/* So much progress makes a broken transfer count as new. */
#define REGISTRY_BLOB_PROGRESS (1024 * 1024)

struct repository_copy {
	const struct manifest_blob *blob;
	int out_fd;
	int64_t done;  /* bytes handed on */
	int64_t at;    /* position of the next byte of this answer */
	bool is_first; /* of this answer */
	bool is_too_long;
	bool is_reader_gone;
	volatile int64_t *progress;
};

static int repository_copy_write(struct repository_copy *copy, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(copy->out_fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			copy->is_reader_gone = true;
			return -1;
		}
		data += n;
		len -= (size_t)n;
		copy->done += n;
		*copy->progress += n;
	}
	return 0;
}

static int repository_copy_take(void *arg, const struct registry_exchange *exchange,
                                const void *data, size_t len)
{
	struct repository_copy *copy = arg;
	const char *bytes = data;

	if (copy->is_first) {
		copy->is_first = false;
		copy->at = exchange->status == 206 ? exchange->range_got : 0;
		if (copy->at > copy->done) /* a hole: not what we asked for */
			return -1;
	}
	if (copy->at + (int64_t)len > copy->blob->size) {
		copy->is_too_long = true;
		return -1;
	}
	int64_t skip = copy->done - copy->at;

	copy->at += (int64_t)len;
	if (skip >= (int64_t)len)
		return 0;
	return repository_copy_write(copy, bytes + skip, len - (size_t)skip);
}

/* After one answer or none: 0 all there, 1 try again, -1 failed. */
static int repository_copy_judge(struct repository *r, const struct repository_copy *copy,
                                 const struct registry_exchange *exchange, int rc,
                                 struct error *err)
{
	if (copy->is_reader_gone)
		return fail(err, E_INTERNAL, "The unpacking of a layer of %s stopped", r->name);
	if (copy->is_too_long)
		return fail(
		        err, E_UNAVAILABLE,
		        "Wrong size: the registry sends more than the %lld bytes of layer %.19s… "
		        "of %s",
		        (long long)copy->blob->size, copy->blob->digest, r->name);
	if (copy->done == copy->blob->size)
		return 0;
	if (rc < 0)
		return exchange->is_transient || exchange->is_sink_error ? 1 : -1;
	if (exchange->status != 200 && exchange->status != 206) {
		(void)repository_explain(r, exchange, err);
		return repository_is_passing(exchange) ? 1 : -1;
	}
	(void)fail(err, E_UNAVAILABLE,
	           "Truncated: the registry sent only %lld of the %lld bytes of layer %.19s… of %s",
	           (long long)copy->done, (long long)copy->blob->size, copy->blob->digest, r->name);
	return 1;
}

int repository_copy_blob(struct repository *r, const struct manifest_blob *blob, int out_fd,
                         volatile int64_t *progress, bool *ret_is_reader_gone, struct error *err)
{
	autofree char *url = xasprintf("%s/v2/%s/blobs/%s", r->base, r->path, blob->digest);
	struct registry_exchange exchange = REGISTRY_EXCHANGE(url, 64 * 1024);
	struct repository_copy copy = {.blob = blob, .out_fd = out_fd, .progress = progress};
	int64_t last_done = 0;
	int verdict;

	exchange.sink = repository_copy_take;
	exchange.arg = &copy;
	for (int tries = 0;; tries++) {
		copy.is_first = true;
		exchange.range_start = copy.done;
		int rc = repository_request(r, &exchange, err);

		verdict = repository_copy_judge(r, &copy, &exchange, rc, err);
		if (verdict <= 0)
			break;
		if (copy.done - last_done >= REGISTRY_BLOB_PROGRESS)
			tries = 0;
		last_done = copy.done;
		if (tries + 1 >= REGISTRY_BLOB_TRIES) {
			verdict = -1;
			break;
		}
		repository_back_off(&exchange, tries);
	}
	registry_exchange_clear(&exchange);
	*ret_is_reader_gone = copy.is_reader_gone;
	return verdict;
}
