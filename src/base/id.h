/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identifiers: 24 lower-case hexadecimal digits, ordered by time of making (as an ObjectId: 4 bytes
 * of seconds first, then sub-second and counter bits that keep the order inside one process, then
 * random bytes).
 */
#ifndef HEARTH_BASE_ID_H
#define HEARTH_BASE_ID_H

#include <stdbool.h>

#define ID_LENGTH 24
#define ID_SIZE (ID_LENGTH + 1)

void id_new(char id[ID_SIZE]);
bool id_is_valid(const char *text); /* exactly 24 lower-case hex digits */

#endif
