/* SPDX-License-Identifier: Apache-2.0 */
/* From the answer of an upstream Hub's whoami-v2 to accounts and membership of ours. */
#ifndef HEARTH_API_UPSTREAM_ACCOUNTS_H
#define HEARTH_API_UPSTREAM_ACCOUNTS_H

#include "api/caller.h"

/* E_UNAVAILABLE when the answer is not what whoami-v2 says, E_FORBIDDEN when the user's name belongs
 * to a local account. */
int upstream_accounts_adopt(struct database *db, const char *body, size_t len, struct caller *ret,
			    struct error *err);

#endif
