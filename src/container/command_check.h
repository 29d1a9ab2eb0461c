/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the job's command before it is run, because afterwards nobody can tell the words of a
 * failing runtime from the job's own: missing files, folders, scripts without interpreter, programs
 * of another architecture. What is not clear is left to the kernel.
 */
#ifndef HEARTH_CONTAINER_COMMAND_CHECK_H
#define HEARTH_CONTAINER_COMMAND_CHECK_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>

/* `env` is the job's. `has_emulators`: the host may run programs of other architectures. E_INVALID
 * with a sentence for the job's owner. */
int command_check(int root_fd, const char *command, const json_t *env, const char *cwd,
		  bool has_emulators, struct error *err);
/* Whether binfmt_misc knows any format. Ask while the host's /proc is in place. */
bool command_check_emulators(void);

#endif
