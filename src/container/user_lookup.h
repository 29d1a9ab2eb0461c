/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the job runs as: the image's User ("", "1000", "name", "name:group", "1000:1000"), with the
 * groups and the home folder that the image's /etc/passwd and /etc/group say.
 */
#ifndef HEARTH_CONTAINER_USER_LOOKUP_H
#define HEARTH_CONTAINER_USER_LOOKUP_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define USER_LOOKUP_GROUPS 64
#define USER_LOOKUP_HOME 512

struct user_lookup {
	uint32_t uid, gid; /* inside the user namespace */
	uint32_t groups[USER_LOOKUP_GROUPS];
	size_t n_groups;
	char home[USER_LOOKUP_HOME]; /* "/" if not known */
};

/* E_INVALID when the image does not know the name, or the id is outside of 0..65535. */
int user_lookup(int root_fd, const char *user, struct user_lookup *ret, struct error *err);

#endif
