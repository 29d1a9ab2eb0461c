/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job is: the body of POST /api/jobs/{ns} (hub-jobs-api 2.4), checked and normalized.
 * Everything that can be known to be wrong now is refused now, with a sentence that names the field.
 */
#ifndef HEARTH_JOB_SPEC_H
#define HEARTH_JOB_SPEC_H

#include "base/configuration.h"
#include "base/error.h"
#include "base/json.h"

#include <stdint.h>

#define JOB_ATTEMPTS_MAX 100

struct job_spec {
	json_t *body;	 /* normalized members as the API answers them: dockerImage | spaceId, command,
			    arguments, environment (strings), secretNames (sorted), arch,
			    resourceGroupId, volumes; absent ones are absent */
	json_t *secrets; /* object of strings */
	json_t *labels;	 /* object of strings */
	char flavor[64];
	int64_t timeout_s;
	int attempts;
	char idempotency_key[256]; /* from the reserved label "hearth.idempotency-key"; "" if none */
	char warning[256];	   /* not wrong, but probably not what was meant; "" if none */
};

void job_spec_clear(struct job_spec *spec);
int job_spec_parse(const struct configuration *configuration, json_t *body, struct job_spec *ret,
		   struct error *err);
/* Labels alone, for PUT …/labels: `labels` is the member of that name. Yours to release. */
int job_labels_parse(const json_t *labels, json_t **ret, struct error *err);
/* The full image reference that a normalized spec asks for: of dockerImage, or of the Space
 * ("registry.hf.space/ns-name:latest"). E_INVALID. */
int job_spec_image(const struct configuration *configuration, const json_t *body, char *ret,
		   size_t size, struct error *err);

#endif
