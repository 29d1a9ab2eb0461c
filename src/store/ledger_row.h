/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the ledger. */
#ifndef HEARTH_STORE_LEDGER_ROW_H
#define HEARTH_STORE_LEDGER_ROW_H

#include "store/ledger.h"

/* An ended record into the sums of its days and of the job's labels. */
void usage_sums_add(struct database *db, const struct usage_record *record, const json_t *labels);

#endif
