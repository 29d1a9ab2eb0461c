/* SPDX-License-Identifier: Apache-2.0 */
/* Where our other programs are: in the build tree beside hearthd's own folder, or in libexec. */
#ifndef HEARTH_SERVER_PROGRAMS_H
#define HEARTH_SERVER_PROGRAMS_H

#include "base/error.h"

/* Absolute path, yours to free. `name`: "hearth-monitor", "hearth-pull". Tried in order: the folder
 * of the running executable, its sibling folders in a build tree (../container, ../image), then
 * ../libexec/hearth and ../lib/hearth, then the libexec folder of the installation. */
int program_find(const char *name, char **ret, struct error *err);

#endif
