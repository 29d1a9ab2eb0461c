/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of an upstream Hub: a token that we do not know is shown to its whoami-v2 once, and the
 * answer is remembered by the token's hash (setting auth.upstream_cache_s; refusals only shortly).
 * Users, organizations and roles that the Hub names become accounts here, marked as external; a name
 * that belongs to a local account is never taken over.
 */
#ifndef HEARTH_API_UPSTREAM_H
#define HEARTH_API_UPSTREAM_H

#include "api/caller.h"

struct upstream;
struct upstream_wait;

/* NULL err: `caller` is filled. Never called from inside upstream_ask(). */
typedef void upstream_fn(void *arg, const struct caller *caller, const struct error *err);

struct upstream *upstream_new(struct api *api);
void upstream_free(struct upstream *upstream);

enum upstream_verdict { UPSTREAM_UNKNOWN, UPSTREAM_VALID, UPSTREAM_REFUSED };
/* What is remembered of a token. Fills `ret` when it is valid. */
enum upstream_verdict upstream_find(struct upstream *upstream, const char *token,
				    struct caller *ret);
/* Ask the Hub. Many who bring the same token at the same time cost one question. */
int upstream_ask(struct upstream *upstream, const char *token, upstream_fn *fn, void *arg,
		 struct upstream_wait **ret, struct error *err);
void upstream_cancel(struct upstream_wait *wait);

#endif
