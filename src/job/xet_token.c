/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens of the CAS, and the texts in data URLs: sealed, so that nobody can read, change or
 * make one. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "job/xet_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEALED_MAX 1024
#define TOKEN_TEXT_MAX 160

void xet_seal_text(const struct xet_service *service, const char *text, struct buffer *ret)
{
	autobuffer struct buffer sealed = BUFFER_INIT(SEALED_MAX);

	seal(service->key, text, strlen(text), &sealed);
	for (size_t i = 0; i < sealed.len; i++)
		(void)buffer_printf(ret, "%02x", (unsigned char)sealed.data[i]);
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool xet_unseal_text(const struct xet_service *service, const char *digits, char *ret, size_t size)
{
	autobuffer struct buffer plain = BUFFER_INIT(SEALED_MAX);
	struct error ignored = ERROR_INIT;
	unsigned char sealed[SEALED_MAX];
	size_t len = strlen(digits) / 2;

	if (strlen(digits) % 2 || len > sizeof(sealed))
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = digit_value(digits[2 * i]), low = digit_value(digits[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		sealed[i] = (unsigned char)(high << 4 | low);
	}
	if (unseal(service->key, sealed, len, &plain, &ignored) < 0 || plain.len >= size)
		return false;
	memcpy(ret, buffer_text(&plain), plain.len + 1);
	return true;
}

void xet_token_make(const struct xet_service *service, const struct xet_grant *grant,
                    char ret[XET_TOKEN_MAX])
{
	autobuffer struct buffer digits = BUFFER_INIT(XET_TOKEN_MAX);
	char text[TOKEN_TEXT_MAX];

	snprintf(text, sizeof(text), "token %s %s %s %c %" PRId64, grant->namespace_id,
	         grant->bucket_id, grant->user_id[0] ? grant->user_id : "-",
	         grant->may_write ? 'w' : 'r', grant->expires_s);
	xet_seal_text(service, text, &digits);
	snprintf(ret, XET_TOKEN_MAX, "%s", buffer_text(&digits));
}

static bool token_read(const char *text, struct xet_grant *ret)
{
	struct xet_grant grant = {0};
	char mode;

	if (sscanf(text, "token %24s %24s %24s %c %" SCNd64, grant.namespace_id, grant.bucket_id,
	           grant.user_id, &mode, &grant.expires_s) != 5)
		return false;
	if (strcmp(grant.user_id, "-") == 0)
		grant.user_id[0] = '\0';
	grant.may_write = mode == 'w';
	*ret = grant;
	return true;
}

int xet_token_check(const struct xet_service *service, const char *token, const char *namespace_id,
                    bool needs_write, struct xet_grant *ret, struct error *err)
{
	char text[TOKEN_TEXT_MAX];
	struct xet_grant grant;

	if (!xet_unseal_text(service, token, text, sizeof(text)) || !token_read(text, &grant))
		return fail(err, E_UNAUTHORIZED,
		            "Invalid credentials in Authorization header: this is no token of "
		            "xet-read-token or xet-write-token");
	if (clock_now_ms() / 1000 > grant.expires_s + XET_TOKEN_SLACK_S)
		return fail(err, E_UNAUTHORIZED, "The Xet token has expired; ask for a new one");
	if (strcmp(grant.namespace_id, namespace_id) != 0)
		return fail(err, E_FORBIDDEN, "The Xet token is for another namespace");
	if (needs_write && !grant.may_write)
		return fail(err, E_FORBIDDEN,
		            "The Xet token is for reading; uploads need one of xet-write-token");
	*ret = grant;
	return 0;
}

char *xet_range_url(const struct xet_service *service, const struct xet_range *range,
                    const char *data_url)
{
	autobuffer struct buffer digits = BUFFER_INIT(2L * SEALED_MAX);
	char text[SEALED_MAX / 2];

	snprintf(text, sizeof(text), "range %s %s %zu %zu %" PRIu64 " %u %u %" PRId64,
	         range->bucket_id, range->hash, range->group.first, range->group.end,
	         range->group.offset, range->first, range->end, range->expires_s);
	xet_seal_text(service, text, &digits);
	return xasprintf("%s?t=%s", data_url, buffer_text(&digits));
}
