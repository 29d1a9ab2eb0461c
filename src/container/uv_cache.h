/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of uv that the jobs of one namespace share, so that a script's environment is built once.
 *
 * On disk, below STATE/uv/<namespace id> (root only; the ids in it are those of containers, 0 to 65535):
 *   lock           byte 0: held alone while old things are removed; byte 1: held by every job from
 *                  before its container until uv has started the program
 *   boot           boot id of the machine when the folder was last used
 *   keys/<key>     one per environment: "building FOLDER", "ready FOLDER" or "kept FOLDER" (flushed);
 *                  its mtime is its last use; byte 0: held by the builder; byte 1: by every job that uses it
 *   data.<uid>/    what jobs of that user id see at TARGET (id-mapped, read-write, one mount, so that uv
 *                  can hard-link):
 *     cache/         UV_CACHE_DIR; environments-v* and interpreter-v* are links to ../../NAME-key/
 *     python/        UV_PYTHON_INSTALL_DIR
 *     keys/<folder>/ environments of one key
 *
 * In the job's root, TARGET-key is a link to TARGET's own keys/<folder>. So every job sees its own
 * environments under the same path, while packages, indexes and interpreters are shared, which uv's
 * own locks make safe.
 *
 * Why environments are not shared as uv would do it: uv names them after the script's path only
 * (/data/train.py is many scripts), and locks them by a file in /tmp, which no two containers
 * share.
 *
 * Locks are OFD locks: whatever kills a monitor frees them. An environment whose builder died is
 * never used: each build has a folder of its own.
 */
#ifndef HEARTH_CONTAINER_UV_CACHE_H
#define HEARTH_CONTAINER_UV_CACHE_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

#define UV_CACHE_NAME_MAX 128

struct uv_cache;

enum uv_cache_state {
	UV_CACHE_WAIT,  /* another job builds the environment, or room is being made */
	UV_CACHE_BUILD, /* it is ours to build */
	UV_CACHE_READY, /* it is there */
};

/* Is this element of "mounts" in spec.json well-formed? */
int uv_cache_check(const json_t *mount, struct error *err);

/* `mount`: checked. `attempt`: "<job id>.<number>". */
int uv_cache_open(const char *state_dir, const json_t *mount, const char *attempt,
                  struct uv_cache **ret, struct error *err);
void uv_cache_close(struct uv_cache *cache); /* lets go of everything; NULL is fine */

/* Take what is to be taken, without waiting. With UV_CACHE_WAIT nothing is held. */
int uv_cache_try(struct uv_cache *cache, enum uv_cache_state *ret, struct error *err);
/* The job that builds, after UV_CACHE_WAIT; "" when room is being made. */
const char *uv_cache_builder(const struct uv_cache *cache);
/* Wait no longer: an environment of our own, which nobody else uses and which goes with the job. */
void uv_cache_set_private(struct uv_cache *cache);

struct uv_cache_view {
	int root_fd; /* of the job */
	int user_namespace_fd;
	uint32_t first_id; /* host id of id 0 in the job */
	uint32_t uid, gid; /* of its process, inside */
};
/* Show it in the job's root, at the target of the mount. */
int uv_cache_mount(struct uv_cache *cache, const struct uv_cache_view *view, struct error *err);

/* uv has started the program: the environment is complete, if we built it. */
void uv_cache_set_started(struct uv_cache *cache);
/* It takes unusually long until uv starts the program: others may remove old packages meanwhile. */
void uv_cache_let_others_clean(struct uv_cache *cache);
/* The job is over. What was begun and not finished is removed. */
void uv_cache_end(struct uv_cache *cache);
/* After a build: flush it, remove what builders left behind, and the least recently used until all
 * is below the limit (0: none). May take long. */
void uv_cache_trim(struct uv_cache *cache, int64_t limit_bytes);

#endif
