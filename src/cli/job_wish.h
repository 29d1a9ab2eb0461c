/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the run commands that become reserved labels: what the stock client says with -l. */
#ifndef HEARTH_CLI_JOB_WISH_H
#define HEARTH_CLI_JOB_WISH_H

#include "base/json.h"
#include "cli/options.h"

/* Adds them to `labels`. E_INVALID when the label was given, too. */
int job_wish_add(const struct options *options, json_t *labels, struct error *err);

#endif
