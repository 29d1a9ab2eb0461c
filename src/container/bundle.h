/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI bundle of an attempt: its config.json (runtime spec 1.0). */
#ifndef HEARTH_CONTAINER_BUNDLE_H
#define HEARTH_CONTAINER_BUNDLE_H

#include "base/configuration.h"
#include "base/error.h"
#include "base/json.h"
#include "container/monitor_spec.h"
#include "container/user_lookup.h"

#define BUNDLE_CA_PATH "/etc/hearth/ca.pem" /* of the CA bundle inside the job */

struct bundle_options {
	const struct monitor_spec *spec;
	const struct configuration *configuration;
	const struct user_lookup *user;
	json_t *seccomp;             /* NULL: none */
	const char *seccomp_program; /* what counts instead, for crun; NULL: none */
	int user_fd, network_fd;     /* namespaces, opened by the runtime as ours */
	const char *ca_source;       /* file to show at BUNDLE_CA_PATH; NULL: none */
	const json_t *mounts; /* {"source","target","read_only","is_device","is_recursive"} each,
	                       * bound into the job; the last two may be absent; NULL: none */
	const json_t *masks;  /* more paths that the job must not see; NULL: none */
};

/* Write config.json into the present directory (0600). */
int bundle_write(const struct bundle_options *options, struct error *err);

#endif
