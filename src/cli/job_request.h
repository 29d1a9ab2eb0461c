/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a submission, made from the options that the run commands share (hub-jobs-api 2.4).
 */
#ifndef HEARTH_CLI_JOB_REQUEST_H
#define HEARTH_CLI_JOB_REQUEST_H

#include "base/json.h"
#include "cli/hub.h"
#include "cli/options.h"

#include <stdbool.h>

struct job_request {
	json_t *body;       /* owned */
	bool is_auto_named; /* neither --name nor a label gave a name */
	char *hint;         /* how to get back what the job writes; NULL: none */
};

/* Everything but what runs: environment, secrets, labels, time, size, volumes, for which local folders are
 * uploaded. The hub's token answers a bare HF_TOKEN. `auto_name` is the label `name` when none is given. */
int job_request_build(const struct options *options, const char *image, json_t *take_words,
                      const char *auto_name, struct hub *hub, struct job_request *ret,
                      struct error *err);
void job_request_clear(struct job_request *request);

/* The labels of -l and --name; new. *ret_named: one of them is `name`. */
int job_request_labels(const struct options *options, json_t **ret, bool *ret_named,
                       struct error *err);
/* Sets `secrets` of the body to those of --secrets and --secrets-file, if there are any. */
int job_request_secrets(const struct options *options, const char *token, json_t *body,
                        struct error *err);

#endif
