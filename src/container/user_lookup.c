/* SPDX-License-Identifier: Apache-2.0 */
/* Reads passwd and group files, which are whatever the image's author put there. */
#include "container/user_lookup.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "container/root_files.h"
#include "container/user_namespace.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATABASE_MAX (1024 * 1024)
#define FIELDS_MAX 7

struct names {
	char user[256], group[256];
	bool has_group;
};

/* The text of the next line, cut into fields at ':'; NULL at the end. Destroys the text. */
static char *next_line(char *text, char *fields[FIELDS_MAX])
{
	char *end = strchr(text, '\n');

	if (*text == '\0')
		return NULL;
	if (end)
		*end = '\0';
	char *rest = end ? end + 1 : text + strlen(text);
	for (int i = 0; i < FIELDS_MAX; i++) {
		fields[i] = text;
		char *colon = strchr(text, ':');
		if (colon)
			*colon = '\0';
		text = colon ? colon + 1 : text + strlen(text);
	}
	return rest;
}

static bool parse_id(const char *text, uint32_t *ret)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	unsigned long value = strtoul(text, &end, 10);
	if (*end != '\0' || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static int split_names(const char *user, struct names *ret, struct error *err)
{
	const char *colon = strchr(user, ':');
	size_t len = colon ? (size_t)(colon - user) : strlen(user);

	if (len >= sizeof(ret->user) || (colon && strlen(colon + 1) >= sizeof(ret->group)))
		return fail(err, E_INVALID, "The image's user \"%.60s…\" is too long", user);
	*ret = (struct names){.has_group = colon && colon[1]};
	memcpy(ret->user, user, len);
	if (colon)
		(void)snprintf(ret->group, sizeof(ret->group), "%s", colon + 1);
	return 0;
}

/* Fills uid, gid and home from the line of `name` or, for a number, of that id. */
static bool find_user(char *passwd, const char *name, struct user_lookup *ret, char *ret_name,
                      size_t size)
{
	char *fields[FIELDS_MAX];
	uint32_t wanted = 0, uid, gid;
	bool is_number = parse_id(name, &wanted);

	for (char *line = passwd; (line = next_line(line, fields));) {
		if (!parse_id(fields[2], &uid) || !parse_id(fields[3], &gid))
			continue;
		if (strcmp(fields[0], name) != 0 && !(is_number && uid == wanted))
			continue;
		ret->uid = uid;
		ret->gid = gid;
		if (fields[5][0] == '/' && strlen(fields[5]) < sizeof(ret->home))
			(void)snprintf(ret->home, sizeof(ret->home), "%s", fields[5]);
		(void)snprintf(ret_name, size, "%s", fields[0]);
		return true;
	}
	return false;
}

static bool is_member(char *members, const char *name)
{
	for (char *rest = members, *member; (member = strsep(&rest, ","));) {
		if (strcmp(member, name) == 0)
			return true;
	}
	return false;
}

static void add_group(struct user_lookup *ret, uint32_t gid)
{
	for (size_t i = 0; i < ret->n_groups; i++) {
		if (ret->groups[i] == gid)
			return;
	}
	if (ret->n_groups < USER_LOOKUP_GROUPS && gid < USER_NAMESPACE_IDS && gid != ret->gid)
		ret->groups[ret->n_groups++] = gid;
}

/* Takes the group that was asked for, and without one the supplementary groups of the user. */
static bool find_groups(char *group, const struct names *names, const char *user_name,
                        struct user_lookup *ret)
{
	char *fields[FIELDS_MAX];
	uint32_t gid;
	bool found = names->has_group && parse_id(names->group, &ret->gid);

	for (char *line = group; (line = next_line(line, fields));) {
		if (!parse_id(fields[2], &gid))
			continue;
		if (names->has_group && !found && strcmp(fields[0], names->group) == 0) {
			ret->gid = gid;
			found = true;
		}
		if (!names->has_group && user_name[0] && is_member(fields[3], user_name))
			add_group(ret, gid);
	}
	return found || !names->has_group;
}

int user_lookup(int root_fd, const char *user, struct user_lookup *ret, struct error *err)
{
	autobuffer struct buffer passwd = BUFFER_INIT(DATABASE_MAX);
	autobuffer struct buffer group = BUFFER_INIT(DATABASE_MAX);
	struct user_lookup found = {.home = "/"};
	struct names names;
	char user_name[256] = "";

	if (split_names(user, &names, err))
		return -1;
	if (!names.user[0])
		(void)snprintf(names.user, sizeof(names.user), "0");
	root_files_read(root_fd, "/etc/passwd", &passwd);
	root_files_read(root_fd, "/etc/group", &group);
	/* A text with a NUL in it ends there. */
	if (!(passwd.data &&
	      find_user(passwd.data, names.user, &found, user_name, sizeof(user_name))) &&
	    !parse_id(names.user, &found.uid))
		return fail(err, E_INVALID, "User not found: the image has no user \"%.100s\"",
		            names.user);
	char none[] = "";
	if (!find_groups(group.data ? group.data : none, &names, user_name, &found))
		return fail(err, E_INVALID, "Group not found: the image has no group \"%.100s\"",
		            names.group);
	if (found.uid >= USER_NAMESPACE_IDS || found.gid >= USER_NAMESPACE_IDS)
		return fail(err, E_INVALID,
		            "User %u:%u is outside of the ids 0 to 65535 that a job has", found.uid,
		            found.gid);
	*ret = found;
	return 0;
}
