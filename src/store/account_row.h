/* SPDX-License-Identifier: Apache-2.0 */
/* Row numbers of accounts, for the tables that refer to them. */
#ifndef HEARTH_STORE_ACCOUNT_ROW_H
#define HEARTH_STORE_ACCOUNT_ROW_H

#include "store/database.h"

#include <stdint.h>

int64_t account_seq(struct database *db, const char *id); /* 0: there is none */

#endif
