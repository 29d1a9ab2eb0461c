/* SPDX-License-Identifier: Apache-2.0 */
/* The Hub answers 401 for what does not exist as for what is private: so do our sentences. */
#include "hub/hub_refusal.h"

#include <string.h>

static int refuse_gated(const struct hub_repository *r, struct error *err)
{
	return fail(err, E_FORBIDDEN,
	            "The %s %s is gated: %s Ask for access at %s/%s%s and submit again", r->type,
	            r->source,
	            r->has_token ? "the token's user has not been given access."
	                         : "access needs a token of a user who has it.",
	            r->endpoint,
	            strcmp(r->type, "dataset") == 0 ? "datasets/"
	            : strcmp(r->type, "space") == 0 ? "spaces/"
	                                            : "",
	            r->source);
}

static int refuse_unseen(const struct hub_repository *r, struct error *err)
{
	if (r->has_token)
		return fail(err, E_NOT_FOUND,
		            "The %s %s was not found on %s: it does not exist, or the token's user "
		            "may not read it",
		            r->type, r->source, r->endpoint);
	return fail(err, E_NOT_FOUND,
	            "The %s %s was not found on %s: it does not exist, or it is private and no "
	            "token of that Hub came with the job (secret HF_TOKEN)",
	            r->type, r->source, r->endpoint);
}

int hub_refusal(const struct hub_repository *repository, int status, const char *code,
                const char *message, struct error *err)
{
	const struct hub_repository *r = repository;

	if (strcmp(code, "GatedRepo") == 0)
		return refuse_gated(r, err);
	if (strcmp(code, "RevisionNotFound") == 0)
		return fail(err, E_NOT_FOUND, "The %s %s has no revision %s on %s", r->type,
		            r->source, r->revision, r->endpoint);
	if (status == 401 && strstr(message, "Invalid credentials"))
		return fail(err, E_FORBIDDEN, "%s does not accept the token for the %s %s",
		            r->endpoint, r->type, r->source);
	if (strcmp(code, "EntryNotFound") == 0)
		return fail(err, E_NOT_FOUND, "The %s %s has no such folder at the revision %s",
		            r->type, r->source, r->revision);
	if (status == 404 || status == 401)
		return refuse_unseen(r, err);
	if (status == 403)
		return fail(err, E_FORBIDDEN, "%s does not give access to the %s %s: %s",
		            r->endpoint, r->type, r->source, *message ? message : "status 403");
	if (status == 429)
		return fail(err, E_UNAVAILABLE,
		            "%s has had too many requests and refuses the %s %s for now",
		            r->endpoint, r->type, r->source);
	return fail(err, E_UNAVAILABLE,
	            "%s answered for the %s %s with the unexpected status %d%s%s", r->endpoint,
	            r->type, r->source, status, *message ? ": " : "", message);
}
