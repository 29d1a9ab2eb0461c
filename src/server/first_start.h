/* SPDX-License-Identifier: Apache-2.0 */
/* The first account and its token. */
#ifndef HEARTH_SERVER_FIRST_START_H
#define HEARTH_SERVER_FIRST_START_H

#include "base/error.h"
#include "store/database.h"

/* When there is no account: makes the operator's, the organization (may be NULL) and a token, commits,
 * and prints the token once to standard output. `operator_name` NULL: whoever started the server. */
int first_start(struct database *db, const char *operator_name, const char *organization,
		const char *endpoint, struct error *err);

#endif
