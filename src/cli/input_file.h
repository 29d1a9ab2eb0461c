/* SPDX-License-Identifier: Apache-2.0 */
/* Files that people name on the command line; "-" is standard input. Links are followed. */
#ifndef HEARTH_CLI_INPUT_FILE_H
#define HEARTH_CLI_INPUT_FILE_H

#include "base/buffer.h"
#include "base/error.h"

/* Append all of it; E_TOO_LARGE beyond the buffer's maximum, E_NOT_FOUND if missing. */
int input_file_read(const char *path, struct buffer *ret, struct error *err);
/* Open for reading; "-" is a duplicate of standard input. */
int input_file_open(const char *path, int *ret_fd, struct error *err);

#endif
