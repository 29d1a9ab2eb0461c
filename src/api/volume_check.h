/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repositories of the Hub that a job wants to mount, looked up before the job is taken: may its token read them, and
 * which commit is meant. The Hub is asked for all volumes at once.
 */
#ifndef HEARTH_API_VOLUME_CHECK_H
#define HEARTH_API_VOLUME_CHECK_H

#include "api/api.h"
#include "job/spec.h"

struct volume_check;
/* `err` NULL: all are fine; the volumes of the specification have got "commit", and its secrets the caller's token
 * (job/volume_token.h). */
typedef void volume_check_fn(void *arg, const struct error *err);

/* False: nothing has to be asked, `fn` is not called. `spec` is borrowed until then; `fn` runs in a later turn. */
bool volume_check_start(struct api *api, struct http_request *request, struct job_spec *spec, volume_check_fn *fn,
			void *arg, struct volume_check **ret);
void volume_check_cancel(struct volume_check *check); /* `fn` is not called any more */

#endif
