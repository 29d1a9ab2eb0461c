/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job object says beyond the Hub's: the member "hearth" of inspect and create answers, an object that
 * clients ignore or show. Not in lists, which must stay fast. Each kind of fact has its writer, which adds
 * members; what is not known for a job is left out. None may be called "endpoint" anywhere at the top.
 */
#ifndef HEARTH_API_JOB_EXTRAS_H
#define HEARTH_API_JOB_EXTRAS_H

#include "api/api.h"

#include <jansson.h>

/* Yours to release; NULL when there is nothing to say. */
json_t *job_extras(struct api *api, const struct job_record *job);

/* array_extras.c */
void after_extras(struct api *api, const struct job_record *job, json_t *extras);
void array_extras(struct api *api, const struct job_record *job, json_t *extras);
/* queue.c */
void queue_extras(struct api *api, const struct job_record *job, json_t *extras);

/* devices.c */
void devices_extras(struct api *api, const struct job_record *job, json_t *extras);

#endif
