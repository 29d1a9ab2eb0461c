/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be opened before rights are given up: listening sockets and the TLS key. */
#ifndef HEARTH_SERVER_SOCKETS_H
#define HEARTH_SERVER_SOCKETS_H

#include "base/configuration.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SOCKETS_MAX 32

struct sockets {
	struct {
		int fd;
		bool is_unix;
	} open[SOCKETS_MAX];
	size_t n;
	char *certificate, *key; /* PEM texts; NULL: plain HTTP */
	char *endpoint;		 /* for HF_ENDPOINT; NULL: only Unix sockets */
};

/* All addresses of the configuration, and STATE/hearth.sock. */
int sockets_open(const struct configuration *c, struct sockets *ret, struct error *err);

#endif
