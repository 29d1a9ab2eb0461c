/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens (Docker Registry v2 token authentication). The realm is the registry's word, so
 * credentials go there only by https, or to the very host that we are speaking to (S20,
 * CVE-2020-15157).
 */
#include "image/registry_private.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "image/registry_url.h"

#include <string.h>

#define REGISTRY_TOKEN_MAX (64 * 1024)

static int repository_check_realm(const struct repository *r, const char *url, const char *realm,
                                  struct error *err)
{
	char host[REGISTRY_URL_HOST_SIZE];

	registry_url_host(realm, host);
	if (!host[0])
		return fail(err, E_UNAVAILABLE, "The registry of %s names a damaged token server",
		            r->name);
	if (registry_url_is_https(realm) || registry_http_same_origin(realm, url) ||
	    (!registry_url_is_https(url) && registry_http_is_configured(r->configuration, realm)))
		return 0;
	return fail(err, E_FORBIDDEN,
	            "The registry of %s wants credentials sent to '%s' without TLS; refused",
	            r->name, host);
}

static char *repository_token_query(const struct repository *r,
                                    const struct auth_challenge *challenge)
{
	autofree char *service = registry_url_escape(challenge->service);
	autofree char *scope = NULL;

	if (challenge->scope[0]) {
		scope = registry_url_escape(challenge->scope);
	} else {
		autofree char *plain = xasprintf("repository:%s:pull", r->path);

		scope = registry_url_escape(plain);
	}
	return xasprintf("service=%s&scope=%s", service, scope);
}

static int repository_read_token(struct repository *r, const struct registry_exchange *exchange,
                                 struct error *err)
{
	autojson json_t *body = NULL;
	struct error ignored = ERROR_INIT;

	if (json_parse(buffer_text(&exchange->body), exchange->body.len, "token", &body, &ignored) <
	    0)
		return fail(err, E_UNAVAILABLE, "The token server of %s answers nonsense", r->name);
	const char *token = json_get_text(body, "token", json_get_text(body, "access_token", ""));

	for (const char *p = token; *p; p++) {
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
			token = "";
	}
	if (!token[0])
		return fail(err, E_UNAVAILABLE, "The token server of %s gives no token", r->name);
	free(r->authorization);
	r->authorization = xasprintf("Bearer %s", token);
	return 0;
}

/* GET with Basic credentials or none, or the OAuth 2 way with an identity token. */
static int repository_ask_bearer(struct repository *r, const char *url,
                                 const struct auth_challenge *challenge, struct error *err)
{
	bool is_trusted = registry_url_is_family(url, challenge->realm) ||
	                  registry_http_is_configured(r->configuration, challenge->realm);
	autofree char *query = repository_token_query(r, challenge);
	autofree char *basic = is_trusted && r->credentials.user && !r->credentials.identity_token
	                               ? auth_basic_value(&r->credentials)
	                               : NULL;
	autofree char *form = NULL;
	autofree char *target = NULL;

	if (is_trusted && r->credentials.identity_token) {
		autofree char *identity = registry_url_escape(r->credentials.identity_token);

		form = xasprintf("grant_type=refresh_token&client_id=hearth&%s&refresh_token=%s",
		                 query, identity);
	}
	target = form ? xstrdup(challenge->realm)
	              : xasprintf("%s%c%s", challenge->realm,
	                          strchr(challenge->realm, '?') ? '&' : '?', query);
	struct registry_exchange exchange = REGISTRY_EXCHANGE(target, REGISTRY_TOKEN_MAX);
	int rc = -1;

	exchange.form = form;
	exchange.authorization = basic;
	for (int tries = 0; tries < 3; tries++) {
		rc = registry_http_run(r->http, &exchange, err);
		if (rc < 0 ? !exchange.is_transient : !repository_is_passing(&exchange))
			break;
		repository_back_off(&exchange, tries);
	}
	if (rc == 0)
		rc = exchange.status == 200 ? repository_read_token(r, &exchange, err)
		                            : repository_explain(r, &exchange, err);
	registry_exchange_clear(&exchange);
	return rc;
}

int repository_ask_token(struct repository *r, const char *url, const char *challenge_text,
                         struct error *err)
{
	struct auth_challenge challenge;

	free(r->authorization);
	r->authorization = NULL;
	if (!auth_parse_challenge(challenge_text, &challenge))
		return fail(err, E_UNAVAILABLE,
		            "The registry of %s wants a kind of login that Hearth does not know",
		            r->name);
	if (challenge.scheme == AUTH_BASIC) {
		if (r->credentials.user)
			r->authorization = auth_basic_value(&r->credentials);
		return 0;
	}
	if (repository_check_realm(r, url, challenge.realm, err) < 0)
		return -1;
	return repository_ask_bearer(r, url, &challenge, err);
}
