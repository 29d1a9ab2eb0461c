/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks and their deliveries as the API shows them (hub-jobs-api 4.3). */
#ifndef HEARTH_API_WEBHOOK_JSON_H
#define HEARTH_API_WEBHOOK_JSON_H

#include "store/webhooks.h"

json_t *webhook_json(const struct webhook *webhook);
/* An extension of Hearth. */
json_t *webhook_json_delivery(const struct webhook_delivery *delivery, bool with_payload);

#endif
