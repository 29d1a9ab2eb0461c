/* SPDX-License-Identifier: Apache-2.0 */
/* Row numbers of buckets, for the tables that refer to them. */
#ifndef HEARTH_STORE_BUCKET_ROW_H
#define HEARTH_STORE_BUCKET_ROW_H

#include "store/database.h"

#include <stdint.h>

int64_t bucket_seq(struct database *db, const char *id); /* 0: there is none */

#endif
