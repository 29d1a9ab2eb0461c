/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate before every handler: find out who asks (token, upstream Hub, Unix socket), and compare
 * with the right that the route's row demands. And the trace behind it: counters for /metrics and
 * one audit line for each call that changes something or is denied.
 */
#include "api/access.h"

#include "api/access_bucket.h"
#include "api/answer.h"
#include "api/monitoring.h"
#include "api/upstream.h"
#include "base/log.h"
#include "base/memory.h"

#include <string.h>
#include <strings.h>

#define AUDIT_PATH_MAX 200

static void access_free(void *arg)
{
	struct access *access = arg;

	if (access->wait)
		upstream_cancel(access->wait);
	caller_clear(&access->caller);
	free(access);
}

struct access *access_of(const struct http_request *request)
{
	return http_get_user_data(request);
}

void access_set_subject(struct http_request *request, const char *subject)
{
	struct access *access = access_of(request);

	snprintf(access->subject, sizeof(access->subject), "%s", subject);
}

static int access_no_namespace(struct access *access, bool is_below_job, const char *name,
                               struct error *err)
{
	access->is_denied = true;
	if (is_below_job)
		return fail(err, E_NOT_FOUND, "Job not found");
	return fail(err, E_NOT_FOUND, "Namespace not found: %s", name);
}

static int access_too_weak(const struct access *access, enum account_role user_role,
                           struct error *err)
{
	const struct token *token = &access->caller.token;

	if (token->role < ROLE_WRITE)
		return fail(err, E_FORBIDDEN,
		            "The token \"%s\" has the role read; this call needs a token with the "
		            "role write (permission job.write)",
		            token->name);
	if (user_role < ROLE_WRITE)
		return fail(err, E_FORBIDDEN,
		            "%s has the role %s in the organization %s; this call needs the role "
		            "write or admin there",
		            access->caller.user.name, role_name(user_role), access->ns.name);
	return fail(err, E_FORBIDDEN,
	            "The token \"%s\" lacks the permission job.write for the namespace %s",
	            token->name, access->ns.name);
}

static int access_check_namespace(struct access *access, bool needs_write, struct error *err)
{
	const char *name = http_param(access->request, "ns");
	bool is_below_job = strstr(access->route->pattern, "{id}") != NULL;
	enum account_role role;

	if (strcasecmp(name, "me") == 0)
		name = access->caller.user.name;
	if (!accounts_find(access->api->db, name, &access->ns))
		return access_no_namespace(access, is_below_job, name, err);
	role = caller_role(access->api, &access->caller, &access->ns);
	if (role < ROLE_READ) {
		if (is_below_job)
			return access_no_namespace(access, true, name, err);
		if (access->ns.type == ACCOUNT_ORG)
			return fail(err, E_FORBIDDEN,
			            "%s is not a member of the organization %s; this call needs "
			            "the role %s there",
			            access->caller.user.name, access->ns.name,
			            needs_write ? "write" : "read");
		return fail(err, E_FORBIDDEN,
		            "%s has no access to the namespace %s, which belongs to another user",
		            access->caller.user.name, access->ns.name);
	}
	if (needs_write && role < ROLE_WRITE)
		return access_too_weak(
		        access,
		        accounts_role(access->api->db, access->caller.user.id, access->ns.id), err);
	return 0;
}

static int access_check_images(struct access *access, enum api_right right, struct error *err)
{
	const struct caller *caller = &access->caller;

	if (caller->is_admin || right == RIGHT_IMAGE_READ)
		return 0;
	if (caller->token.role < ROLE_WRITE)
		return access_too_weak(access, ROLE_ADMIN, err);
	if (right == RIGHT_OPERATOR && !caller_is_operator(access->api, caller))
		return fail(err, E_FORBIDDEN,
		            "Only the operator of this server (its first user, or root on its "
		            "Unix socket) may change the image store");
	return 0;
}

static enum api_right access_right(const struct access *access)
{
	return ((const struct route_doc *)access->route->more)->right;
}

/* Tokens of the CAS are not those of users. */
static bool access_has_own_token(const struct access *access)
{
	enum api_right right = access_right(access);

	return right == RIGHT_CAS_READ || right == RIGHT_CAS_WRITE;
}

/* The caller is as known as it will ever be. */
static int access_check(struct access *access, struct error *err)
{
	enum api_right right = access_right(access);
	bool may_be_admin = right >= RIGHT_IMAGE_READ;

	if (right == RIGHT_INGEST)
		return webhook_ingest_check_secret(access->api->webhooks,
		                                   http_header(access->request, "X-Webhook-Secret"),
		                                   err);
	if (right == RIGHT_ADMIN)
		return access->caller.is_admin ? 0 : fail(err, E_NOT_FOUND, "Not found");
	if (right >= RIGHT_BUCKET_LIST && right <= RIGHT_BUCKET_WRITE)
		return access_check_bucket(access, right, err);
	if (access_has_own_token(access))
		return access_check_cas(access, right == RIGHT_CAS_WRITE, err);
	if (!access->caller.is_known && !(may_be_admin && access->caller.is_admin))
		return fail(err, E_UNAUTHORIZED, "Invalid username or password.");
	switch (right) {
	case RIGHT_NAMESPACE_READ:
	case RIGHT_NAMESPACE_WRITE:
		return access_check_namespace(access, right == RIGHT_NAMESPACE_WRITE, err);
	case RIGHT_IMAGE_READ:
	case RIGHT_IMAGE_PULL:
	case RIGHT_OPERATOR:
		return access_check_images(access, right, err);
	default:
		return 0;
	}
}

static int access_decide(struct access *access, struct error *err)
{
	if (access_check(access, err) < 0) {
		access->is_denied = true;
		return -1;
	}
	access->is_admitted = true;
	return 0;
}

/* The upstream Hub has answered: go on where api_before() stopped. */
static void access_resume(void *arg, const struct caller *caller, const struct error *err)
{
	struct access *access = arg;
	struct error denied = ERROR_INIT;

	access->wait = NULL;
	http_on_cancel(access->request, NULL, NULL);
	if (err) {
		access->is_denied = true;
		answer_error(access->request, err);
		return;
	}
	access->caller = *caller;
	json_incref(access->caller.write_in);
	if (access_decide(access, &denied) < 0)
		answer_error(access->request, &denied);
	else
		access->route->handler(access->request, access->api);
}

static void access_cancelled(void *arg)
{
	struct access *access = arg;

	upstream_cancel(access->wait);
	access->wait = NULL;
}

enum identity { IDENTITY_REFUSED, IDENTITY_CLEAR, IDENTITY_ASK_UPSTREAM };

/* CLEAR: the caller is known, or brought no token. */
static enum identity access_identify(struct access *access, const char **ret_token,
                                     struct error *err)
{
	const char *header = http_header(access->request, "Authorization");
	struct upstream *upstream = access->api->upstream;
	struct caller *caller = &access->caller;
	const char *token;

	if (!header || access_right(access) == RIGHT_INGEST || access_has_own_token(access))
		return IDENTITY_CLEAR;
	token = caller_bearer_token(header);
	if (token && tokens_find(access->api->db, token, &caller->token, &caller->user)) {
		caller->is_known = true;
		return IDENTITY_CLEAR;
	}
	switch (token && upstream ? upstream_find(upstream, token, caller) : UPSTREAM_REFUSED) {
	case UPSTREAM_VALID:
		return IDENTITY_CLEAR;
	case UPSTREAM_UNKNOWN:
		*ret_token = token;
		return IDENTITY_ASK_UPSTREAM;
	case UPSTREAM_REFUSED:
		break;
	}
	access->is_denied = true;
	(void)fail(err, E_UNAUTHORIZED, "Invalid credentials in Authorization header");
	return IDENTITY_REFUSED;
}

static struct access *access_begin(struct http_request *request, const struct http_route *route,
                                   struct api *api)
{
	struct access *access = access_of(request);
	uid_t uid;

	if (access)
		return access;
	access = xcalloc(1, sizeof(*access));
	access->api = api;
	access->request = request;
	access->route = route;
	access->caller.is_admin =
	        http_is_unix(request, &uid) && (uid == 0 || uid == api->admin_uid);
	access->is_admitted =
	        access_right(access) == RIGHT_ANONYMOUS || access_right(access) == RIGHT_SIGNED_URL;
	http_set_user_data(request, access, access_free);
	return access;
}

int api_admit(struct http_request *request, const struct http_route *route, void *context,
              struct error *err)
{
	struct access *access;
	const char *token;

	if (route->max_body == 0)
		return 0;
	access = access_begin(request, route, context);
	if (access->is_admitted)
		return 0;
	switch (access_identify(access, &token, err)) {
	case IDENTITY_CLEAR:
		if (access_decide(access, err) == 0)
			return 0;
		break;
	case IDENTITY_ASK_UPSTREAM:
		/* A body in memory may come meanwhile; of the disk only our own users get some. */
		if (!route->spool)
			return 0;
		access->is_denied = true;
		(void)fail(err, E_UNAUTHORIZED, "Invalid credentials in Authorization header");
		break;
	case IDENTITY_REFUSED:
		break;
	}
	answer_add_error_headers(request, err);
	return -1;
}

static int access_ask_upstream(struct access *access, const char *token, struct error *err)
{
	if (upstream_ask(access->api->upstream, token, access_resume, access, &access->wait, err) <
	    0)
		return -1;
	http_on_cancel(access->request, access_cancelled, access);
	return 0;
}

bool api_before(struct http_request *request, const struct http_route *route, void *context)
{
	struct access *access = access_begin(request, route, context);
	struct error err = ERROR_INIT;
	const char *token;

	if (access->is_admitted)
		return true;
	switch (access_identify(access, &token, &err)) {
	case IDENTITY_CLEAR:
		if (access_decide(access, &err) == 0)
			return true;
		break;
	case IDENTITY_ASK_UPSTREAM:
		if (access_ask_upstream(access, token, &err) == 0)
			return false;
		break;
	case IDENTITY_REFUSED:
		break;
	}
	answer_error(request, &err);
	return false;
}

char *access_audit_line(struct http_request *request)
{
	const struct access *access = access_of(request);
	const struct caller *caller = access ? &access->caller : NULL;
	const char *who = !caller                ? "-"
	                  : caller->is_known     ? caller->user.name
	                  : caller->is_admin     ? "(admin)"
	                  : caller->user.name[0] ? caller->user.name
	                                         : "-";

	char *line = xasprintf("audit user=%s token=%s method=%s path=%.*s%s%s request=%s", who,
	                       caller && caller->is_known ? caller->token.id : "-",
	                       http_method(request), AUDIT_PATH_MAX, http_path(request),
	                       access && access->subject[0] ? " subject=" : "",
	                       access ? access->subject : "", http_request_id(request));

	/* The path is the caller's: nothing in it may look like another line or steer a terminal.
	 */
	for (char *c = line; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return line;
}

static bool access_is_worth_a_line(struct http_request *request, int status)
{
	const struct access *access = access_of(request);
	const char *method = http_method(request);

	if (status == 401 || status == 403 || (access && access->is_denied))
		return true;
	return access && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
}

void api_after(struct http_request *request, int status, int64_t micros, void *context)
{
	struct api *api = context;
	char *line;

	monitoring_count_request(api->metrics, status, micros);
	if (!access_is_worth_a_line(request, status))
		return;
	line = access_audit_line(request);
	log_info("%s status=%d", line, status);
	free(line);
}
