/* SPDX-License-Identifier: Apache-2.0 */
/* The groups of fields of a job's specification; each checks its own and adds it to the body. */
#ifndef HEARTH_JOB_SPEC_FIELDS_H
#define HEARTH_JOB_SPEC_FIELDS_H

#include "job/spec.h"

#include <stdbool.h>

#define SPEC_STRING_MAX (128 * 1024 - 1)    /* what Linux takes for one string (MAX_ARG_STRLEN) */
#define SPEC_STRINGS_MAX (1792 * 1024)	    /* arguments and environment together; Linux takes 2 MiB */
#define SPEC_SHOWN_SIZE 64

/* Text of the caller inside a sentence: printable ASCII, cut. Returns `shown`. */
const char *spec_shown(const char *text, char shown[SPEC_SHOWN_SIZE]);
/* The member, or NULL when it is absent or null. */
json_t *spec_member(json_t *body, const char *name);

/* dockerImage or spaceId, in normal form. */
int spec_add_image(const struct configuration *configuration, json_t *body, json_t *ret_body,
		   struct error *err);
/* command and arguments. */
int spec_add_command(json_t *body, json_t *ret_body, struct error *err);
/* A sentence when a shell would read a version as a redirection; "" if not. */
void spec_warn_redirection(const json_t *command, char *ret, size_t size);
/* environment and secrets: new objects of strings. */
int spec_read_variables(json_t *body, const char *field, json_t **ret, struct error *err);
/* command, arguments, environment and secrets must fit into one execve(). */
int spec_check_total(const json_t *body, const json_t *secrets, struct error *err);
/* volumes, in normal form (volumes.h looks whether they are there). */
int spec_add_volumes(json_t *body, json_t *ret_body, struct error *err);
/* expose, ssh: E_UNSUPPORTED when they ask for something. */
int spec_check_unsupported(json_t *body, struct error *err);

#endif
