/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content-addressed side of buckets (xet-cas.md): tokens, xorbs, shards, reconstructions, ranges.
 *
 * What is shared: one namespace is one domain of trust with a CAS address of its own (…/xet/e<epoch>/<namespace>); xorbs and
 * registered files belong to it. A token names namespace, bucket, right, user and expiry. Writing (and naming a hash
 * in a batch) needs the right to write to the namespace, and who may do that may read all of it; so within a domain a
 * hash gives nothing that its holder could not have. Reading by hash needs a read token, and gives only files
 * that are in that token's bucket now. Nothing crosses a domain; nobody can tell by a hash what others have.
 *
 * Downloads are made from the plain file in the bucket, cut as its chunk table says into xorbs of scheme 0 that exist only
 * on the wire; so uploaded xorbs are needed only as long as clients remember them.
 */
#ifndef HEARTH_JOB_XET_SERVICE_H
#define HEARTH_JOB_XET_SERVICE_H

#include "base/error.h"
#include "base/seal.h"
#include "job/bucket_service.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct xet_service;

int xet_service_new(struct loop *loop, struct database *db, struct bucket_service *buckets, const char *state_dir,
		    struct xet_service **ret, struct error *err);
void xet_service_free(struct xet_service *service);
int xet_service_epoch(const struct xet_service *service);

#define XET_TOKEN_MAX 512
#define XET_TOKEN_LIFE_S 3600
#define XET_TOKEN_SLACK_S 600 /* still taken so long after its expiry (clocks differ; 401 is final for clients) */

struct xet_grant {
	char namespace_id[ID_SIZE], bucket_id[ID_SIZE], user_id[ID_SIZE]; /* user_id "": anonymous reader of a public bucket */
	bool may_write;
	int64_t expires_s; /* Unix seconds */
};
void xet_token_make(const struct xet_service *service, const struct xet_grant *grant, char ret[XET_TOKEN_MAX]);
/* E_UNAUTHORIZED: not ours, altered, or too old; E_FORBIDDEN: for another namespace, or `needs_write` and it may not. The
 * caller also looks whether bucket and user still exist and the role is still there. */
int xet_token_check(const struct xet_service *service, const char *token, const char *namespace_id, bool needs_write,
		    struct xet_grant *ret, struct error *err);

/* Bodies are spooled files; the answers come in a later turn, after what they promise is stored. */
typedef void xet_result_fn(void *arg, bool was_new, const struct error *err);
void xet_xorb_put(struct xet_service *service, const char *namespace_id, const char *hash, int body_fd, xet_result_fn *fn,
		  void *arg);
void xet_shard_put(struct xet_service *service, const char *namespace_id, int body_fd, xet_result_fn *fn, void *arg);

/* Reconstruction (2.5, 5.3) of a file of the grant's bucket. `from` 0 and `to` -1: all; `to` exclusive. `version` 1 or 2. E_NOT_FOUND;
 * E_RANGE is told by *ret_beyond. `data_url`: absolute URL of the data route without query. */
typedef void xet_json_fn(void *arg, json_t *take_answer, bool is_beyond_end, const struct error *err);
void xet_reconstruct(struct xet_service *service, const struct xet_grant *grant, const char *hash, int64_t from, int64_t to,
		     int version, const char *data_url, xet_json_fn *fn, void *arg);

/* The bytes behind a signed data URL: a reader over the plain file that makes chunk headers on the fly. */
struct xet_data;
int xet_data_open(struct xet_service *service, const char *namespace_id, const char *query, const char *range_header,
		  struct xet_data **ret, int64_t *ret_first, int64_t *ret_length, int64_t *ret_total, struct error *err);
ssize_t xet_data_read(struct xet_data *data, char *buffer, size_t max); /* 0: the end; -1: the file changed */
void xet_data_free(struct xet_data *data);

#endif
