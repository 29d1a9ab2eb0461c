/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sync has to do, computed like `hf buckets sync` does it: sizes, then modification times with a tolerance
 * of a second. A plan is JSON from the start, because it can be saved, read and applied later.
 */
#ifndef HEARTH_CLI_SYNC_PLAN_H
#define HEARTH_CLI_SYNC_PLAN_H

#include "cli/bucket_hub.h"
#include "cli/path_filter.h"

#include <stdbool.h>

struct sync_options {
	bool deletes, ignores_times, ignores_sizes, existing, ignores_existing;
	const struct path_filter *filter; /* NULL: everything */
	bool shows_status;		  /* on the terminal */
};

struct sync_plan {
	char *source, *dest, *timestamp;
	bool is_upload;
	struct bucket_uri bucket;
	char *folder;	    /* local */
	json_t *operations; /* array of {"type":"operation","action","path","reason","size","local_mtime",
			       "remote_mtime"} in order of path */
};

/* Take the two ends apart; one must be a bucket and the other local. */
int sync_plan_init(struct sync_plan *plan, const char *source, const char *dest, struct error *err);
void sync_plan_clear(struct sync_plan *plan);
int sync_plan_compute(struct sync_plan *plan, struct hub *hub, const struct sync_options *options, struct error *err);
int64_t sync_plan_count(const struct sync_plan *plan, const char *action);
/* JSON lines: a header, then the operations. */
void sync_plan_write(const struct sync_plan *plan, FILE *to);
int sync_plan_read(const char *path, struct sync_plan *ret, struct error *err);

/* Do it. `prints` each operation ("  Uploading: a (new file)"). */
int sync_plan_execute(const struct sync_plan *plan, struct hub *hub, bool prints, bool shows_status, struct error *err);

#endif
