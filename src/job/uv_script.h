/* SPDX-License-Identifier: Apache-2.0 */
/* The command of a uv job taken apart, as far as its environment depends on it. */
#ifndef HEARTH_JOB_UV_SCRIPT_H
#define HEARTH_JOB_UV_SCRIPT_H

#include "base/buffer.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

/* Words of command and arguments together; NULL beyond the last. */
const char *uv_script_word(const json_t *body, size_t index);
/* Index of the script or program that `uv run` is to run; the number of words if there is none. */
size_t uv_script_target(const json_t *body);
/* `uv run`, and none of the options that change an environment that is there (--upgrade, --reinstall, --refresh). */
bool uv_script_is_repeatable(const json_t *body);
/* A word that turns the cache off or names another. */
bool uv_script_has_own_cache(const json_t *body);
/* The inline metadata of a script (PEP 723), comment signs included; nothing is appended if it has none. */
void uv_script_add_metadata(const char *text, size_t len, struct buffer *ret);

#endif
