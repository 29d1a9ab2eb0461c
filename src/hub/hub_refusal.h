/* SPDX-License-Identifier: Apache-2.0 */
/* What a Hub means by refusing a repository, as a sentence for the one who wants to mount it. */
#ifndef HEARTH_HUB_HUB_REFUSAL_H
#define HEARTH_HUB_HUB_REFUSAL_H

#include "base/error.h"

#include <stdbool.h>

struct hub_repository {
	const char *endpoint;
	const char *type;     /* "model", "dataset", "space" */
	const char *source;   /* "ns/name" */
	const char *revision; /* as asked for */
	bool has_token;
};

/* From status, X-Error-Code and X-Error-Message ("" if absent). Returns -1. */
int hub_refusal(const struct hub_repository *repository, int status, const char *code, const char *message,
		struct error *err);

#endif
