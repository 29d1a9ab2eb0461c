/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry client proper: where a repository lives, requests with tokens and retries, manifests
 * and small blobs. Layers are in registry_blob.c, tokens in registry_token.c.
 */
#include "image/registry.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "image/registry_private.h"
#include "image/registry_url.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define REGISTRY_TRIES 4
#define REGISTRY_RETRY_AFTER_MAX_S 60

/* https://registry-1.docker.io and "library/python", or the mirror and its prefix in front. */
static void repository_place(struct repository *r, const struct registry *setting)
{
	const char *where = setting && setting->mirror ? setting->mirror : r->ref.host;
	bool is_plain = setting && setting->is_plain;
	autofree char *host = NULL;

	if (strncasecmp(where, "http://", 7) == 0)
		is_plain = true;
	else if (strncasecmp(where, "https://", 8) == 0)
		is_plain = false;
	if (strstr(where, "://"))
		where = strstr(where, "://") + 3;
	if (strcmp(where, "docker.io") == 0)
		where = "registry-1.docker.io";
	host = xstrndup(where, strcspn(where, "/"));
	where += strlen(host);
	where += strspn(where, "/");
	if (strncmp(where, "v2/", 3) == 0)
		where += 3;
	size_t len = strcmp(where, "v2") == 0 ? 0 : strlen(where);

	while (len > 0 && where[len - 1] == '/')
		len--;
	r->base = xasprintf("%s://%s", is_plain ? "http" : "https", host);
	r->path = xasprintf("%.*s%s%s", (int)len, where, len > 0 ? "/" : "", r->ref.path);
	r->credentials_host = setting && setting->mirror ? xstrdup(host) : xstrdup(r->ref.host);
}

int repository_new(const struct configuration *configuration, const struct reference *ref,
                   struct repository **ret, struct error *err)
{
	const struct registry *setting = configuration_registry(configuration, ref->host);
	struct repository *r = xcalloc(1, sizeof(*r));

	r->ref = *ref;
	r->configuration = configuration;
	r->ca_file = setting ? setting->ca_file : NULL;
	reference_format(ref, r->name);
	repository_place(r, setting);
	if (auth_credentials_load(configuration->docker_config, r->credentials_host, r->path,
	                          &r->credentials, err) < 0) {
		repository_free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void repository_free(struct repository *r)
{
	if (!r)
		return;
	registry_http_free(r->http);
	auth_credentials_clear(&r->credentials);
	free(r->base);
	free(r->path);
	free(r->credentials_host);
	free(r->authorization);
	free(r);
}

void repository_connect(struct repository *r)
{
	registry_http_free(r->http);
	r->http = registry_http_new(r->configuration, r->ca_file);
}

const char *repository_get_token(const struct repository *r)
{
	return r->authorization ? r->authorization : "";
}

void repository_set_token(struct repository *r, const char *token)
{
	free(r->authorization);
	r->authorization = token[0] ? xstrdup(token) : NULL;
}

/* {"errors":[{"code":…,"message":…}]}, as the distribution spec has it, or the status alone. */
static void repository_read_words(const struct registry_exchange *exchange, char *words,
                                  size_t size)
{
	struct error ignored = ERROR_INIT;
	autojson json_t *body = NULL;
	const char *message = "";

	if (json_parse(buffer_text(&exchange->body), exchange->body.len, "answer", &body,
	               &ignored) == 0) {
		const json_t *first = json_array_get(json_object_get(body, "errors"), 0);

		message = json_get_text(first, "message", "");
		if (!message[0])
			message = json_get_text(first, "code", "");
		if (!message[0])
			message =
			        json_get_text(body, "message", json_get_text(body, "details", ""));
	}
	if (message[0])
		snprintf(words, size, "%s", message);
	else
		snprintf(words, size, "HTTP status %ld", exchange->status);
	for (char *p = words; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
}

int repository_explain(const struct repository *r, const struct registry_exchange *exchange,
                       struct error *err)
{
	char words[200];

	repository_read_words(exchange, words, sizeof(words));
	if (exchange->status == 404)
		return fail(err, E_NOT_FOUND, "Image not found: %s; the registry said: %s", r->name,
		            words);
	if (exchange->status == 401 || exchange->status == 403) {
		const char *hint =
		        r->credentials.has_helper
		                ? " (images.docker_config leaves the credentials to a helper "
		                  "program; Hearth reads only stored ones)"
		        : r->credentials.user || r->credentials.identity_token
		                ? " (the stored credentials give no right to it)"
		                : " (it does not exist, or needs credentials in the file "
		                  "that the setting images.docker_config names)";
		return fail(err, E_FORBIDDEN, "Image not allowed: %s; the registry said: %s%s",
		            r->name, words, hint);
	}
	if (exchange->status == 429)
		return fail(err, E_BUSY,
		            "The registry's request limit is reached for %s; it said: %s", r->name,
		            words);
	if (exchange->status >= 500)
		return fail(err, E_UNAVAILABLE, "The registry fails for %s; it said: %s", r->name,
		            words);
	return fail(err, E_UNAVAILABLE, "The registry did not give %s; it said: %s", r->name,
	            words);
}

bool repository_is_passing(const struct registry_exchange *exchange)
{
	return exchange->status == 408 || exchange->status == 429 || exchange->status >= 500;
}

void repository_back_off(const struct registry_exchange *exchange, int tries)
{
	int64_t wait_ms = INT64_C(500) << (tries < 6 ? tries : 6);

	if (exchange->retry_after_s >= 0)
		wait_ms = (exchange->retry_after_s > REGISTRY_RETRY_AFTER_MAX_S
		                   ? REGISTRY_RETRY_AFTER_MAX_S
		                   : exchange->retry_after_s) *
		          1000;
	struct timespec left = {wait_ms / 1000, wait_ms % 1000 * 1000000};

	while (nanosleep(&left, &left) < 0)
		;
}

int repository_request(struct repository *r, struct registry_exchange *exchange, struct error *err)
{
	bool has_asked = false;

	for (;;) {
		exchange->authorization = r->authorization;
		if (registry_http_run(r->http, exchange, err) < 0)
			return -1;
		if (exchange->status != 401 || has_asked || !exchange->challenge)
			return 0;
		has_asked = true;
		if (repository_ask_token(r, exchange->url, exchange->challenge, err) < 0)
			return -1;
		if (!r->authorization) /* there is nothing to try with */
			return 0;
	}
}

int repository_request_patiently(struct repository *r, struct registry_exchange *exchange,
                                 struct error *err)
{
	for (int tries = 0;; tries++) {
		int rc = repository_request(r, exchange, err);

		if (rc == 0 && (exchange->status == 200 || exchange->status == 206))
			return 0;
		if (tries + 1 < REGISTRY_TRIES &&
		    (rc < 0 ? exchange->is_transient : repository_is_passing(exchange))) {
			repository_back_off(exchange, tries);
			continue;
		}
		return rc < 0 ? -1 : repository_explain(r, exchange, err);
	}
}

static char *repository_manifest_url(const struct repository *r, const char *tag_or_digest)
{
	return xasprintf("%s/v2/%s/manifests/%s", r->base, r->path, tag_or_digest);
}

int repository_head_manifest(struct repository *r, const char *tag_or_digest,
                             char digest[DIGEST_SIZE], struct error *err)
{
	autofree char *url = repository_manifest_url(r, tag_or_digest);
	struct registry_exchange exchange = REGISTRY_EXCHANGE(url, 4096);
	int rc;

	exchange.is_head = true;
	exchange.accept = MANIFEST_ACCEPT;
	rc = repository_request(r, &exchange, err);
	if (rc == 0 && exchange.status == 200 && digest_is_valid(exchange.digest))
		memcpy(digest, exchange.digest, DIGEST_SIZE);
	else if (rc == 0)
		digest[0] = '\0';
	registry_exchange_clear(&exchange);
	return rc;
}

static int repository_check_digest(const struct repository *r, const char *expected,
                                   const char *actual, const char *what, struct error *err)
{
	if (strcmp(expected, actual) == 0)
		return 0;
	return fail(err, E_UNAVAILABLE,
	            "Wrong digest: the %s of %s should be %.19s… but what the registry sent is "
	            "%.19s…",
	            what, r->name, expected, actual);
}

int repository_get_manifest(struct repository *r, const char *tag_or_digest, struct buffer *ret,
                            char digest[DIGEST_SIZE], struct error *err)
{
	autofree char *url = repository_manifest_url(r, tag_or_digest);
	struct registry_exchange exchange = REGISTRY_EXCHANGE(url, MANIFEST_MAX_BYTES);
	char actual[DIGEST_SIZE];
	int rc;

	exchange.accept = MANIFEST_ACCEPT;
	rc = repository_request_patiently(r, &exchange, err);
	if (rc == 0) {
		digest_of(buffer_text(&exchange.body), exchange.body.len, actual);
		if (digest_is_valid(tag_or_digest))
			rc = repository_check_digest(r, tag_or_digest, actual, "manifest", err);
		else if (digest_is_valid(exchange.digest))
			rc = repository_check_digest(r, exchange.digest, actual, "manifest", err);
	}
	if (rc == 0) {
		memcpy(digest, actual, DIGEST_SIZE);
		rc = buffer_add(ret, buffer_text(&exchange.body), exchange.body.len) < 0
		             ? fail(err, E_TOO_LARGE, "The manifest of %s is too large", r->name)
		             : 0;
	}
	registry_exchange_clear(&exchange);
	return rc;
}

int repository_get_blob(struct repository *r, const struct manifest_blob *blob, struct buffer *ret,
                        struct error *err)
{
	autofree char *url = xasprintf("%s/v2/%s/blobs/%s", r->base, r->path, blob->digest);
	struct registry_exchange exchange = REGISTRY_EXCHANGE(url, (size_t)blob->size);
	char actual[DIGEST_SIZE];
	int rc;

	if (blob->size > MANIFEST_CONFIG_MAX_BYTES)
		return fail(err, E_TOO_LARGE, "The config of %s is larger than %d MiB", r->name,
		            MANIFEST_CONFIG_MAX_BYTES >> 20);
	rc = repository_request_patiently(r, &exchange, err);
	if (rc == 0) {
		digest_of(buffer_text(&exchange.body), exchange.body.len, actual);
		rc = repository_check_digest(r, blob->digest, actual, "config", err);
	}
	if (rc == 0 && buffer_add(ret, buffer_text(&exchange.body), exchange.body.len) < 0)
		rc = fail(err, E_TOO_LARGE, "The config of %s is too large", r->name);
	registry_exchange_clear(&exchange);
	return rc;
}
