/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller may do, from the role of the user and the role of the token: the lower one counts.
 */
#include "api/caller.h"

#include <string.h>
#include <strings.h>

void caller_clear(struct caller *caller)
{
	json_decref(caller->write_in);
	*caller = (struct caller){0};
}

const char *caller_bearer_token(const char *header)
{
	static const char scheme[] = "Bearer ";

	if (strncasecmp(header, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	header += sizeof(scheme) - 1;
	header += strspn(header, " ");
	if (!header[0] || header[strcspn(header, " \t")])
		return NULL;
	return header;
}

static bool caller_token_may_write(const struct caller *caller, const struct account *ns)
{
	const json_t *name;
	size_t i;

	if (caller->token.role < ROLE_WRITE)
		return false;
	if (!caller->write_in)
		return true;
	json_array_foreach(caller->write_in, i, name)
	{
		if (strcasecmp(json_string_value(name), ns->name) == 0)
			return true;
	}
	return false;
}

enum account_role caller_role(struct api *api, const struct caller *caller,
                              const struct account *ns)
{
	enum account_role role;

	if (!caller->is_known)
		return ROLE_NONE;
	role = strcmp(caller->user.id, ns->id) == 0
	               ? ROLE_ADMIN
	               : accounts_role(api->db, caller->user.id, ns->id);
	if (role > ROLE_READ && !caller_token_may_write(caller, ns))
		role = ROLE_READ;
	return role;
}

/* Ids are ordered by time, so the smallest one is the first user. */
static void caller_first_user(void *arg, const struct account *account)
{
	struct account *first = arg;

	if (account->type != ACCOUNT_USER || account->is_external)
		return;
	if (!first->id[0] || strcmp(account->id, first->id) < 0)
		*first = *account;
}

bool caller_is_operator(struct api *api, const struct caller *caller)
{
	struct account first = {0};

	if (!caller->is_known || caller->token.role < ROLE_WRITE)
		return false;
	accounts_each(api->db, caller_first_user, &first);
	return strcmp(first.id, caller->user.id) == 0;
}

const char *caller_job(const struct api *api, const struct http_request *request, char id[ID_SIZE])
{
	uint32_t address = http_peer_ipv4(request);

	return address && job_find_by_address(api->jobs, address, id) ? id : NULL;
}
