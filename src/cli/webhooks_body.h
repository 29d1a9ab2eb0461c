/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a webhook (hub-jobs-api 4.2), made from the options of `hearth webhooks
 * create|update`. */
#ifndef HEARTH_CLI_WEBHOOKS_BODY_H
#define HEARTH_CLI_WEBHOOKS_BODY_H

#include "base/json.h"
#include "cli/options.h"

#include <stdbool.h>

/* E_INVALID: a usage error. `token` (may be NULL) answers a bare --secrets HF_TOKEN. */
int webhooks_body_build(const struct options *options, bool is_new, const char *token, json_t **ret,
                        struct error *err);

#endif
