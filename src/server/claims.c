/* SPDX-License-Identifier: Apache-2.0 */
/* Locks in /run, one for the bridge and one for the subnet. */
#include "server/claims.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LOCKS_DIR "/run"
#define TRIES 100
#define TRY_EVERY_US 20000

static int take(int dir_fd, const char *key, const char *value, struct error *err)
{
	autofree char *name = xasprintf("hearth-%s-%s.lock", key, value);
	int lock_fd = -1; /* held until the process ends */

	for (char *c = name; *c; c++)
		if (*c == '/')
			*c = '_';
	/* A server before us may be about to end: of its two processes, or of its descriptors. */
	for (int tries = 0; file_lock(dir_fd, name, &lock_fd, err) < 0; tries++) {
		if (err->code != E_CONFLICT)
			return error_prefix(err, LOCKS_DIR);
		*err = ERROR_INIT;
		if (tries == TRIES)
			break;
		(void)usleep(TRY_EVERY_US);
	}
	if (lock_fd >= 0)
		return 0;
	return fail(err, E_CONFLICT,
	            "another hearthd on this machine uses network.%s %s; give each server a "
	            "bridge and a subnet of its own, and a container.first_id too (see several "
	            "servers in docs/operations.md)",
	            key, value);
}

int claims_take(const struct configuration *c, struct error *err)
{
	if (strcmp(c->network_mode, "bridge") != 0)
		return 0;
	autoclose int dir_fd = open(LOCKS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return 0; /* no /run, no second server that we could know of */
	if (take(dir_fd, "bridge", c->bridge, err) < 0)
		return -1;
	return take(dir_fd, "subnet", c->subnet, err);
}
