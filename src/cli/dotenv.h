/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment variables as people give them to `-e`, `-s` and in files: one assignment per line,
 * with `export`, quotes and comments (hub-jobs-api 10.1). A bare KEY takes the caller's own value.
 */
#ifndef HEARTH_CLI_DOTENV_H
#define HEARTH_CLI_DOTENV_H

#include "base/json.h"

/* The value of a bare KEY, borrowed; NULL: unset, the key is left out. */
typedef const char *dotenv_lookup(void *arg, const char *key);

/* Set in `env` (an object of strings) what `text` says; lines that are not assignments are ignored.
 */
int dotenv_parse(const char *text, size_t len, dotenv_lookup *lookup, void *arg, json_t *env,
                 struct error *err);

#endif
