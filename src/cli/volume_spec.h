/* SPDX-License-Identifier: Apache-2.0 */
/* `-v hf://[TYPE/]OWNER/NAME[@REVISION][/PATH]:/MOUNT[:ro|:rw]` and `-v FOLDER:/MOUNT[:ro|:rw]`
 * (hub-jobs-api 6.3). */
#ifndef HEARTH_CLI_VOLUME_SPEC_H
#define HEARTH_CLI_VOLUME_SPEC_H

#include "base/json.h"

#include <stdbool.h>

bool volume_spec_is_remote(const char *text); /* hf://… */
/* The wire form (6.1), new. */
int volume_spec_parse(const char *text, json_t **ret, struct error *err);

/* The second form; E_INVALID. Whether the folder exists is not looked at. */
struct volume_folder {
	char *source, *mount;
	bool is_writable;
};
int volume_folder_parse(const char *text, struct volume_folder *ret, struct error *err);
void volume_folder_clear(struct volume_folder *folder);

#endif
