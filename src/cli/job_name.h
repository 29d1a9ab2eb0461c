/* SPDX-License-Identifier: Apache-2.0 */
/* Names of jobs that got none: what runs, and eight digits that tell runs apart (hub-jobs-api 5.5).
 */
#ifndef HEARTH_CLI_JOB_NAME_H
#define HEARTH_CLI_JOB_NAME_H

#include <stddef.h>

/* "python:3.12", {"python","-V"} → "python-3-12-cf70f394". Yours to free. */
char *job_name_of_image(const char *image, char *const *words, size_t n_words);
/* "s.py", {"--epochs","3"} → "s-93fd3b68". Yours to free. */
char *job_name_of_script(const char *script, char *const *words, size_t n_words);
/* The "owner/name…" part of an image that means a Space; NULL if it is none. Borrowed. */
const char *job_name_space(const char *image);

#endif
