/* SPDX-License-Identifier: Apache-2.0 */
/* What the container of a job sees (hub-jobs-api 8): the image's configuration and the job's wishes
 * merged into the members of spec.json (container/attempt_folder.h). */
#ifndef HEARTH_BACKEND_JOB_ENV_H
#define HEARTH_BACKEND_JOB_ENV_H

#include "base/error.h"
#include "base/json.h"
#include "job/backend.h"

struct job_env_input {
	const struct configuration *configuration;
	const struct flavor *flavor;
	const char *job_id, *namespace_id;
	int number, slot;
	int64_t timeout_s, grace_s, warning_s;
	int warning_signal;
	const json_t *body;            /* normalized spec of the job */
	const json_t *secrets;         /* object of strings; may be NULL */
	const json_t *mounts;          /* of base/volume.h; may be NULL */
	const char *devices;           /* CDI names with commas; NULL or "": none */
	const json_t *metrics_devices; /* array of uuids; may be NULL */
	const json_t *record;          /* of the image */
};

/* The content of spec.json. E_INVALID when there is no command at all. */
int job_env_make(const struct job_env_input *in, json_t **ret, struct error *err);

#endif
