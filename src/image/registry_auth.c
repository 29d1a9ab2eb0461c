/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Challenges and credentials. No network here: registry.c asks for tokens. Helper programs of
 * docker are not run: they would be foreign code with root's rights.
 */
#include "image/registry_auth.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/seal.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#define AUTH_CONFIG_MAX (1024 * 1024)

static bool auth_is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~/=", c));
}

static const char *auth_skip(const char *p, const char *set)
{
	return p + strspn(p, set);
}

/* A token or quoted string into `ret`; NULL if damaged or too long. */
static const char *auth_read_value(const char *p, char *ret, size_t size)
{
	size_t len = 0;
	bool is_quoted = *p == '"';

	if (is_quoted)
		p++;
	while (*p && (is_quoted ? *p != '"' : auth_is_token_char(*p))) {
		if (is_quoted && *p == '\\' && p[1])
			p++;
		if (len + 1 >= size || (unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
		ret[len++] = *p++;
	}
	ret[len] = '\0';
	if (is_quoted && *p++ != '"')
		return NULL;
	return p;
}

static const char *auth_read_parameter(const char *p, struct auth_challenge *challenge)
{
	char name[32], ignored[2048];
	size_t len = 0;

	while (auth_is_token_char(*p) && *p != '=') {
		if (len + 1 >= sizeof(name))
			return NULL;
		name[len++] = *p++;
	}
	name[len] = '\0';
	p = auth_skip(p, " \t");
	if (len == 0 || *p != '=')
		return NULL;
	p = auth_skip(p + 1, " \t");
	if (strcasecmp(name, "realm") == 0)
		return auth_read_value(p, challenge->realm, sizeof(challenge->realm));
	if (strcasecmp(name, "service") == 0)
		return auth_read_value(p, challenge->service, sizeof(challenge->service));
	if (strcasecmp(name, "scope") == 0)
		return auth_read_value(p, challenge->scope, sizeof(challenge->scope));
	return auth_read_value(p, ignored, sizeof(ignored));
}

/* Does a new challenge ("Scheme param=…" or "Scheme") begin here, rather than "name=value"? */
static bool auth_is_scheme_start(const char *p)
{
	while (auth_is_token_char(*p) && *p != '=')
		p++;
	return *auth_skip(p, " \t") != '=';
}

static enum auth_scheme auth_scheme_by_name(const char *name, size_t len)
{
	if (len == 6 && strncasecmp(name, "Bearer", 6) == 0)
		return AUTH_BEARER;
	if (len == 5 && strncasecmp(name, "Basic", 5) == 0)
		return AUTH_BASIC;
	return AUTH_NONE;
}

static const char *auth_read_challenge(const char *p, struct auth_challenge *ret)
{
	size_t len = strcspn(p, " \t,");

	*ret = (struct auth_challenge){.scheme = auth_scheme_by_name(p, len)};
	p = auth_skip(p + len, " \t,");
	while (*p && !auth_is_scheme_start(p)) {
		p = auth_read_parameter(p, ret);
		if (!p)
			return NULL;
		p = auth_skip(p, " \t,");
	}
	return p;
}

bool auth_parse_challenge(const char *value, struct auth_challenge *ret)
{
	struct auth_challenge best = {0};
	const char *p = auth_skip(value, " \t,");

	while (*p) {
		struct auth_challenge one;

		p = auth_read_challenge(p, &one);
		if (!p)
			return false;
		if (one.scheme > best.scheme)
			best = one;
	}
	if (best.scheme == AUTH_NONE || (best.scheme == AUTH_BEARER && !best.realm[0]))
		return false;
	*ret = best;
	return true;
}

void auth_credentials_clear(struct auth_credentials *credentials)
{
	if (credentials->password)
		seal_wipe(credentials->password, strlen(credentials->password));
	if (credentials->identity_token)
		seal_wipe(credentials->identity_token, strlen(credentials->identity_token));
	free(credentials->user);
	free(credentials->password);
	free(credentials->identity_token);
	*credentials = (struct auth_credentials){0};
}

/* "https://index.docker.io/v1/" and its kin are all docker.io; else scheme and /v1/, /v2/ go. */
static void auth_normalize_key(const char *key, char *ret, size_t size)
{
	const char *start = strstr(key, "://");
	size_t len;

	start = start ? start + 3 : key;
	len = strlen(start);
	while (len > 0 && start[len - 1] == '/')
		len--;
	if (len >= 3 &&
	    (strncmp(start + len - 3, "/v1", 3) == 0 || strncmp(start + len - 3, "/v2", 3) == 0))
		len -= 3;
	if ((len == 15 && strncmp(start, "index.docker.io", 15) == 0) ||
	    (len == 20 && strncmp(start, "registry-1.docker.io", 20) == 0))
		start = "docker.io", len = 9;
	if (len >= size)
		len = 0;
	memcpy(ret, start, len);
	ret[len] = '\0';
}

/* The most exact key that is `name` ("host/path") or a whole-component beginning of it. */
static json_t *auth_find_entry(const json_t *auths, const char *name)
{
	json_t *entry, *best = NULL;
	size_t best_len = 0;
	const char *key;

	json_object_foreach((json_t *)auths, key, entry)
	{
		char normal[512];

		auth_normalize_key(key, normal, sizeof(normal));
		size_t len = strlen(normal);

		if (len > best_len && strncmp(name, normal, len) == 0 &&
		    (name[len] == '\0' || name[len] == '/')) {
			best = entry;
			best_len = len;
		}
	}
	return best;
}

static int auth_decode(const char *encoded, struct auth_credentials *ret, struct error *err)
{
	char plain[4096];
	size_t len = 0;

	if (sodium_base642bin((unsigned char *)plain, sizeof(plain) - 1, encoded, strlen(encoded),
	                      " \r\n", &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return fail(err, E_INTERNAL,
		            "images.docker_config: an \"auth\" is not valid base64");
	plain[len] = '\0';
	char *colon = strchr(plain, ':');

	if (!colon || strlen(plain) != len)
		return fail(err, E_INTERNAL,
		            "images.docker_config: an \"auth\" is not user:password");
	ret->user = xstrndup(plain, (size_t)(colon - plain));
	ret->password = xstrdup(colon + 1);
	seal_wipe(plain, sizeof(plain));
	return 0;
}

int auth_credentials_find(const json_t *config, const char *host, const char *path,
                          struct auth_credentials *ret, struct error *err)
{
	autofree char *name = xasprintf("%s/%s", host, path);
	json_t *entry = auth_find_entry(json_object_get(config, "auths"), name);
	struct auth_credentials found = {0};
	const char *encoded = json_get_text(entry, "auth", "");
	const char *user = json_get_text(entry, "username", "");
	const char *identity = json_get_text(entry, "identitytoken", "");

	if (encoded[0] && auth_decode(encoded, &found, err) < 0)
		return -1;
	if (!found.user && user[0]) {
		found.user = xstrdup(user);
		found.password = xstrdup(json_get_text(entry, "password", ""));
	}
	if (identity[0])
		found.identity_token = xstrdup(identity);
	found.has_helper = !found.user && !found.identity_token &&
	                   (auth_find_entry(json_object_get(config, "credHelpers"), name) ||
	                    (entry && json_get_text(config, "credsStore", "")[0]));
	*ret = found;
	return 0;
}

int auth_credentials_load(const char *config_path, const char *host, const char *path,
                          struct auth_credentials *ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(AUTH_CONFIG_MAX);
	autojson json_t *config = NULL;

	if (!config_path || !config_path[0]) {
		*ret = (struct auth_credentials){0};
		return 0;
	}
	if (file_read(AT_FDCWD, config_path, &text, err) < 0 ||
	    json_parse(buffer_text(&text), text.len, config_path, &config, err) < 0) {
		err->code = E_INTERNAL;
		return error_prefix(err, "images.docker_config");
	}
	seal_wipe(text.data, text.len);
	return auth_credentials_find(config, host, path, ret, err);
}

char *auth_basic_value(const struct auth_credentials *credentials)
{
	autofree char *plain = xasprintf("%s:%s", credentials->user ? credentials->user : "",
	                                 credentials->password ? credentials->password : "");
	size_t size = sodium_base64_ENCODED_LEN(strlen(plain), sodium_base64_VARIANT_ORIGINAL);
	autofree char *encoded = xmalloc(size);

	sodium_bin2base64(encoded, size, (unsigned char *)plain, strlen(plain),
	                  sodium_base64_VARIANT_ORIGINAL);
	seal_wipe(plain, strlen(plain));
	return xasprintf("Basic %s", encoded);
}
