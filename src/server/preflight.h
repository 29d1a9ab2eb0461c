/* SPDX-License-Identifier: Apache-2.0 */
/* What must be there before anything is touched, each with a sentence that says how to get it. */
#ifndef HEARTH_SERVER_PREFLIGHT_H
#define HEARTH_SERVER_PREFLIGHT_H

#include "base/configuration.h"
#include "base/error.h"

/* Rights, user, programs, kernel. Logs warnings and the runtime's version. E_INVALID. */
int preflight_check(const struct configuration *c, struct error *err);
/* After the split: neither root nor a capability, and no way back (no_new_privs). Aborts if not. */
void preflight_check_unprivileged(void);

/* "crun version 1.8.1" → 1008001; -1 if there is no version in the text. */
long preflight_parse_version(const char *text);

#endif
