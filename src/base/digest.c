/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by libcrypto, which uses the processor's own instructions where there are any. */
#include "base/digest.h"
#include "base/error.h"
#include "base/memory.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "sha256:"
#define PREFIX_LENGTH 7

struct digest {
	EVP_MD_CTX *context;
};

struct digest *digest_new(void)
{
	struct digest *d = xmalloc(sizeof(*d));
	d->context = EVP_MD_CTX_new();
	if (!d->context || EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1)
		BUG("libcrypto has no SHA-256");
	return d;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
	if (EVP_DigestUpdate(d->context, data, len) != 1)
		BUG("SHA-256 failed");
}

static void digest_print(const unsigned char bytes[32], char text[DIGEST_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	memcpy(text, PREFIX, PREFIX_LENGTH);
	char *out = text + PREFIX_LENGTH;
	for (int i = 0; i < 32; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

void digest_finish(struct digest *d, char text[DIGEST_SIZE])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	if (EVP_DigestFinal_ex(d->context, bytes, NULL) != 1)
		BUG("SHA-256 failed");
	digest_print(bytes, text);
}

void digest_free(struct digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->context);
	free(d);
}

void digest_of(const void *data, size_t len, char text[DIGEST_SIZE])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	if (EVP_Digest(data, len, bytes, NULL, EVP_sha256(), NULL) != 1)
		BUG("SHA-256 failed");
	digest_print(bytes, text);
}

bool digest_is_valid(const char *text)
{
	if (strncmp(text, PREFIX, PREFIX_LENGTH) != 0)
		return false;
	return strlen(text) == PREFIX_LENGTH + DIGEST_HEX_LENGTH &&
	       strspn(text + PREFIX_LENGTH, "0123456789abcdef") == DIGEST_HEX_LENGTH;
}

const char *digest_hex(const char *digest)
{
	return digest + PREFIX_LENGTH;
}
