/* SPDX-License-Identifier: Apache-2.0 */
/* The token, where `hf` looks for it and keeps it (hub-jobs-api 1.1). */
#ifndef HEARTH_CLI_TOKEN_FILE_H
#define HEARTH_CLI_TOKEN_FILE_H

#include "base/error.h"

/* `given` (--token), else HF_TOKEN, else the file; NULL: none. Yours to free; *ret_origin says
 * where it came from, for sentences. */
char *token_file_find(const char *given, const char **ret_origin);
/* HF_TOKEN_PATH, else HF_HOME/token, else ~/.cache/huggingface/token. Yours to free. */
char *token_file_path(void);
/* Keep the token there, readable by its owner only. */
int token_file_write(const char *token, struct error *err);

#endif
