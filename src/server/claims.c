/* SPDX-License-Identifier: Apache-2.0 */
/* Locks in /run, one for the bridge and one for the subnet. */
#include "server/claims.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <fcntl.h>
#include <string.h>

#define LOCKS_DIR "/run"

static int take(int dir_fd, const char *key, const char *value, struct error *err)
{
	autofree char *name = xasprintf("hearth-%s-%s.lock", key, value);
	int lock_fd; /* held until the process ends */

	for (char *c = name; *c; c++)
		if (*c == '/')
			*c = '_';
	if (file_lock(dir_fd, name, &lock_fd, err) == 0)
		return 0;
	if (err->code != E_CONFLICT)
		return error_prefix(err, LOCKS_DIR);
	*err = ERROR_INIT;
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
