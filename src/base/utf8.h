/* SPDX-License-Identifier: Apache-2.0 */
/* Characters of UTF-8 text, for all who look at bytes that others wrote. */
#ifndef HEARTH_BASE_UTF8_H
#define HEARTH_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Length of the well-formed character at `text` (Unicode 15, table 3-7) and its code point; `len` is
 * at least 1. False if there is none: the length is then that of the maximal ill-formed part, which
 * stands for one U+FFFD.
 */
bool utf8_decode(const char *text, size_t len, size_t *ret_len, uint32_t *ret_code);
bool utf8_is_valid(const char *text, size_t len);

#endif
