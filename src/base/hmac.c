/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA256 by libsodium. */
#include "base/hmac.h"

#include <sodium.h>
#include <string.h>

void hmac_sha256(const char *key, const char *head, const void *body, size_t len,
                 char ret[HMAC_HEX_SIZE])
{
	crypto_auth_hmacsha256_state state;
	unsigned char sum[crypto_auth_hmacsha256_BYTES];

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)key, strlen(key));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)head, strlen(head));
	crypto_auth_hmacsha256_update(&state, body, len);
	crypto_auth_hmacsha256_final(&state, sum);
	sodium_bin2hex(ret, HMAC_HEX_SIZE, sum, sizeof(sum));
	sodium_memzero(&state, sizeof(state));
}
