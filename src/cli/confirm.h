/* SPDX-License-Identifier: Apache-2.0 */
/* "Are you sure?" before what cannot be undone, as `hf` asks it. */
#ifndef HEARTH_CLI_CONFIRM_H
#define HEARTH_CLI_CONFIRM_H

#include "cli/command.h"

/* True with --yes (a flag that the command's table must have) or after a yes. Else false, and what
 * is to be said was said: the command ends with 1. */
bool confirm(const struct invocation *in, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

#endif
