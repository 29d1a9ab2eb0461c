/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: taken apart, checked against the grammar of the distribution spec, completed
 * with Docker Hub's defaults, and put together again in full form.
 */
#include "image/reference.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define REFERENCE_SHOWN 120

/* Texts of users go into sentences: one line of printable characters, cut. */
static const char *reference_shown(const char *text, char shown[REFERENCE_SHOWN])
{
	size_t i;

	for (i = 0; text[i] && i + 1 < REFERENCE_SHOWN; i++)
		shown[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	shown[i] = '\0';
	return shown;
}

static bool reference_is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool reference_is_host_char(char c)
{
	return reference_is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
}

/* HOST[:PORT] or [IPv6][:PORT] */
static bool reference_host_is_valid(const char *host)
{
	const char *p = host;

	if (*p == '[') {
		p += 1 + strspn(p + 1, "0123456789abcdefABCDEF:.");
		if (*p != ']' || p == host + 1)
			return false;
		p++;
	} else {
		while (reference_is_host_char(*p))
			p++;
		if (p == host || host[0] == '-' || host[0] == '.' || p[-1] == '-' || p[-1] == '.')
			return false;
	}
	if (*p == ':') {
		size_t digits = strspn(p + 1, "0123456789");

		if (digits == 0 || digits > 5)
			return false;
		p += 1 + digits;
	}
	return *p == '\0';
}

/* Components of lower-case letters and digits, inside them one '.', one or two '_', or any '-'. */
static bool reference_path_is_valid(const char *path)
{
	const char *p = path;

	for (;;) {
		if (!reference_is_lower_or_digit(*p))
			return false;
		while (reference_is_lower_or_digit(*p)) {
			p++;
			if (*p == '.')
				p++;
			else if (*p == '_')
				p += p[1] == '_' ? 2 : 1;
			else if (*p == '-')
				p += strspn(p, "-");
			else
				continue;
			if (!reference_is_lower_or_digit(*p))
				return false;
		}
		if (*p == '\0')
			return true;
		if (*p++ != '/')
			return false;
	}
}

static bool reference_tag_is_valid(const char *tag)
{
	size_t len = strlen(tag);

	if (len == 0 || len > 128 || tag[0] == '.' || tag[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)tag[i]) && !strchr("_.-", tag[i]))
			return false;
	}
	return true;
}

/* The first component is a host if it cannot be one of a path: docker's rule. */
static bool reference_starts_with_host(const char *name, const char *slash)
{
	if (!slash)
		return false;
	size_t len = (size_t)(slash - name);

	return memchr(name, '.', len) || memchr(name, ':', len) ||
	       (len == 9 && strncmp(name, "localhost", 9) == 0);
}

/* What is wrong before the grammar is worth a look. */
static int reference_check_text(const char *text, const char *shown, struct error *err)
{
	if (text[0] == '\0')
		return fail(err, E_INVALID,
		            "The image is empty; give a reference such as "
		            "python:3.12");
	if (text[0] == '-')
		return fail(err, E_INVALID,
		            "Invalid image '%s': it looks like an option; put options before the "
		            "image, and see --help for those that there are",
		            shown);
	if (strlen(text) >= REFERENCE_MAX)
		return fail(err, E_INVALID, "Invalid image '%s…': longer than %d characters", shown,
		            REFERENCE_MAX - 1);
	if (strstr(text, "://"))
		return fail(err, E_INVALID,
		            "Invalid image '%s': leave out what stands before '://'", shown);
	return 0;
}

/* Cut "@digest" and ":tag" off the end of `name`. */
static int reference_split(char *name, struct reference *ref, const char *shown, struct error *err)
{
	char *at = strchr(name, '@');

	if (at) {
		*at++ = '\0';
		if (!digest_is_valid(at))
			return fail(err, E_INVALID,
			            "Invalid image '%s': what follows '@' must be sha256: and 64 "
			            "lower-case hex digits",
			            shown);
		memcpy(ref->digest, at, DIGEST_SIZE);
	}
	char *slash = strrchr(name, '/');
	char *colon = strchr(slash ? slash : name, ':');

	if (colon) {
		*colon++ = '\0';
		if (!reference_tag_is_valid(colon))
			return fail(err, E_INVALID,
			            "Invalid image '%s': the tag must be 1 to 128 letters, digits, "
			            "'_', '.' or '-', and not begin with '.' or '-'",
			            shown);
		memcpy(ref->tag, colon, strlen(colon) + 1);
	}
	return 0;
}

static int reference_fill_host(const char **name, struct reference *ref, const char *shown,
                               struct error *err)
{
	const char *slash = strchr(*name, '/');

	if (!reference_starts_with_host(*name, slash)) {
		snprintf(ref->host, sizeof(ref->host), "docker.io");
		return 0;
	}
	size_t len = (size_t)(slash - *name);

	if (len >= sizeof(ref->host))
		return fail(err, E_INVALID, "Invalid image '%s…': the host is too long", shown);
	for (size_t i = 0; i < len; i++)
		ref->host[i] = (char)tolower((unsigned char)(*name)[i]);
	ref->host[len] = '\0';
	if (!reference_host_is_valid(ref->host))
		return fail(err, E_INVALID, "Invalid image '%s': '%s' is not a host or host:port",
		            shown, reference_shown(ref->host, (char[REFERENCE_SHOWN]){""}));
	if (strcmp(ref->host, "index.docker.io") == 0 ||
	    strcmp(ref->host, "registry-1.docker.io") == 0)
		strncpy(ref->host, "docker.io", sizeof(ref->host)); /* zeros the rest */
	*name = slash + 1;
	return 0;
}

static int reference_fill_path(const char *name, struct reference *ref, const char *shown,
                               struct error *err)
{
	bool official = strcmp(ref->host, "docker.io") == 0 && !strchr(name, '/');
	int len = snprintf(ref->path, sizeof(ref->path), "%s%s", official ? "library/" : "", name);

	if (len >= (int)sizeof(ref->path))
		return fail(err, E_INVALID, "Invalid image '%s…': the name is too long", shown);
	if (reference_path_is_valid(ref->path))
		return 0;
	for (const char *p = name; *p; p++) {
		if (isupper((unsigned char)*p))
			return fail(err, E_INVALID,
			            "Invalid image '%s': the name must be in lower case", shown);
	}
	return fail(err, E_INVALID,
	            "Invalid image '%s': the name must be lower-case letters and digits, parted by "
	            "'.', '_', '-' or '/'",
	            shown);
}

int reference_parse(const char *text, struct reference *ret, struct error *err)
{
	struct reference ref = {0};
	char shown[REFERENCE_SHOWN], copy[REFERENCE_MAX];
	const char *name = copy;

	reference_shown(text, shown);
	if (reference_check_text(text, shown, err) < 0)
		return -1;
	snprintf(copy, sizeof(copy), "%s", text);
	if (reference_split(copy, &ref, shown, err) < 0 ||
	    reference_fill_host(&name, &ref, shown, err) < 0 ||
	    reference_fill_path(name, &ref, shown, err) < 0)
		return -1;
	if (!ref.tag[0] && !ref.digest[0])
		snprintf(ref.tag, sizeof(ref.tag), "latest");
	*ret = ref;
	return 0;
}

void reference_format(const struct reference *ref, char text[REFERENCE_MAX])
{
	snprintf(text, REFERENCE_MAX, "%s/%s%s%s%s%s", ref->host, ref->path, ref->tag[0] ? ":" : "",
	         ref->tag, ref->digest[0] ? "@" : "", ref->digest);
}
