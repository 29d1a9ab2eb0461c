/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin commands share: a question over the server's own socket. */
#ifndef HEARTH_CLI_ADMIN_H
#define HEARTH_CLI_ADMIN_H

#include "cli/command.h"
#include "cli/hub.h"

/* Exit status; the error is printed. *ret may be NULL. */
int admin_ask(const struct invocation *in, const char *method, const char *path, json_t *take_body,
              json_t **ret);
int admin_show_list(struct invocation *in, const char *path, const char *const *columns,
                    size_t n_columns, const char *id_key);

#endif
