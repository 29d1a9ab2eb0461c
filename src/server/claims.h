/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two servers of one machine cannot share: the bridge and the subnet of the jobs. Two of them
 * would give the same address to different jobs.
 */
#ifndef HEARTH_SERVER_CLAIMS_H
#define HEARTH_SERVER_CLAIMS_H

#include "base/configuration.h"
#include "base/error.h"

/* Takes locks in /run and holds them for the life of the process. E_CONFLICT names the setting. */
int claims_take(const struct configuration *c, struct error *err);

#endif
