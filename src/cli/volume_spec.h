/* SPDX-License-Identifier: Apache-2.0 */
/* `-v hf://[TYPE/]OWNER/NAME[@REVISION][/PATH]:/MOUNT[:ro|:rw]` (hub-jobs-api 6.3). */
#ifndef HEARTH_CLI_VOLUME_SPEC_H
#define HEARTH_CLI_VOLUME_SPEC_H

#include "base/json.h"

/* The wire form (6.1), new. */
int volume_spec_parse(const char *text, json_t **ret, struct error *err);

#endif
