/* SPDX-License-Identifier: Apache-2.0 */
/* Who may see a bucket, who may change it, and what a token of the CAS opens. */
#include "api/access_bucket.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A bucket of the caller's own that somebody has named without its namespace. */
static bool caller_has_bucket(const struct access *access, const char *name)
{
	struct bucket bucket;

	return access->caller.is_known &&
	       buckets_find(access->api->db, access->caller.user.name, name, &bucket);
}

static int bucket_invisible(struct access *access, const char *ns, const char *name,
                            struct error *err)
{
	http_add_header(access->request, "X-Error-Code", "RepoNotFound");
	if (!access->caller.is_known)
		return fail(err, E_UNAUTHORIZED, "Invalid username or password.");
	if (caller_has_bucket(access, ns))
		return fail(err, E_NOT_FOUND,
		            "Bucket not found: %.100s/%.100s. Did you mean %.100s in the bucket "
		            "%s/%.100s?",
		            ns, name, name, access->caller.user.name, ns);
	return fail(err, E_NOT_FOUND, "Bucket not found: %.100s/%.100s", ns, name);
}

static int bucket_not_writable(const struct access *access, const struct bucket *bucket,
                               struct error *err)
{
	const struct caller *caller = &access->caller;

	if (!caller->is_known)
		return fail(err, E_UNAUTHORIZED, "Invalid username or password.");
	if (caller->token.role < ROLE_WRITE)
		return fail(err, E_FORBIDDEN,
		            "The token \"%s\" has the role read; this call needs a token with the "
		            "role write (permission repo.write)",
		            caller->token.name);
	return fail(err, E_FORBIDDEN,
	            "%s may not write in the namespace %s (permission repo.write)",
	            caller->user.name, bucket->namespace_name);
}

int access_find_bucket(struct access *access, const char *namespace_name, const char *name,
                       bool needs_write, struct bucket *ret, struct error *err)
{
	enum account_role role;
	struct account ns;

	if (strcasecmp(namespace_name, "me") == 0 && access->caller.is_known)
		namespace_name = access->caller.user.name;
	if (!buckets_find(access->api->db, namespace_name, name, ret) ||
	    !accounts_find_by_id(access->api->db, ret->namespace_id, &ns))
		return bucket_invisible(access, namespace_name, name, err);
	role = caller_role(access->api, &access->caller, &ns);
	if (role < ROLE_READ && ret->is_private)
		return bucket_invisible(access, namespace_name, name, err);
	if (needs_write && role < ROLE_WRITE)
		return bucket_not_writable(access, ret, err);
	return 0;
}

int access_find_bucket_by_path(struct access *access, const char *path, bool needs_write,
                               struct bucket *ret, struct error *err)
{
	const char *slash = strchr(path, '/');
	autofree char *ns = slash ? xstrndup(path, (size_t)(slash - path)) : NULL;

	if (!ns || strchr(slash + 1, '/'))
		return fail(err, E_INVALID,
		            "\"%.100s\" does not name a bucket; it must be NAMESPACE/NAME", path);
	return access_find_bucket(access, ns, slash + 1, needs_write, ret, err);
}

static int check_list(struct access *access, const char *name, struct error *err)
{
	bool is_me = strcasecmp(name, "me") == 0;

	if (is_me && !access->caller.is_known)
		return fail(err, E_UNAUTHORIZED, "Invalid username or password.");
	if (is_me)
		name = access->caller.user.name;
	if (accounts_find(access->api->db, name, &access->ns))
		return 0;
	if (caller_has_bucket(access, name))
		return fail(err, E_NOT_FOUND,
		            "Namespace not found: %.100s. Did you mean the bucket %s/%.100s?", name,
		            access->caller.user.name, name);
	return fail(err, E_NOT_FOUND, "Namespace not found: %.100s", name);
}

int access_check_bucket(struct access *access, enum api_right right, struct error *err)
{
	const char *ns = http_param(access->request, "ns");

	if (right == RIGHT_BUCKET_LIST)
		return check_list(access, ns, err);
	if (access_find_bucket(access, ns, http_param(access->request, "name"),
	                       right == RIGHT_BUCKET_WRITE, &access->bucket, err) < 0)
		return -1;
	(void)accounts_find_by_id(access->api->db, access->bucket.namespace_id, &access->ns);
	return 0;
}

/* A role may have been lost since the token was made. */
static int cas_check_role(struct access *access, const struct bucket *bucket, struct error *err)
{
	const struct xet_grant *grant = &access->grant;
	enum account_role role = ROLE_NONE;
	struct account user;

	if (grant->user_id[0] && !accounts_find_by_id(access->api->db, grant->user_id, &user))
		return fail(err, E_UNAUTHORIZED, "The user of this Xet token is gone");
	if (grant->user_id[0])
		access->caller.user = user; /* for the audit line; the caller stays unknown */
	if (grant->user_id[0])
		role = accounts_role(access->api->db, grant->user_id, grant->namespace_id);
	if ((role < ROLE_READ && bucket->is_private) || (grant->may_write && role < ROLE_WRITE))
		return fail(err, E_FORBIDDEN,
		            "The user of this Xet token has lost the right to the bucket");
	return 0;
}

static int cas_check_epoch(struct access *access, struct error *err)
{
	char epoch[24];

	snprintf(epoch, sizeof(epoch), "e%d", xet_service_epoch(access->api->xet));
	if (strcmp(http_param(access->request, "epoch"), epoch) == 0)
		return 0;
	return fail(err, E_NOT_FOUND,
	            "This address of the storage has ended with a restart of the machine; begin "
	            "the upload again");
}

int access_check_cas(struct access *access, bool needs_write, struct error *err)
{
	const char *header = http_header(access->request, "Authorization");
	const char *token = header ? caller_bearer_token(header) : NULL;
	struct bucket bucket;

	if (!token)
		return fail(err, E_UNAUTHORIZED,
		            "This call needs the access token of xet-read-token or "
		            "xet-write-token");
	if (xet_token_check(access->api->xet, token, http_param(access->request, "domain"),
	                    needs_write, &access->grant, err) < 0 ||
	    cas_check_epoch(access, err) < 0)
		return -1;
	if (!buckets_find_by_id(access->api->db, access->grant.bucket_id, &bucket) ||
	    strcmp(bucket.namespace_id, access->grant.namespace_id) != 0)
		return fail(err, E_NOT_FOUND, "The bucket of this Xet token is gone");
	return cas_check_role(access, &bucket, err);
}
