/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing with libsodium's secretbox. The key lives in memory that is locked and guarded. */
#include "base/seal.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>

struct seal_key {
	unsigned char bytes[crypto_secretbox_KEYBYTES];
};

static void ready(void)
{
	if (sodium_init() < 0)
		BUG("libsodium cannot start");
}

static struct seal_key *key_alloc(void)
{
	struct seal_key *key = sodium_malloc(sizeof(*key));
	if (!key)
		BUG("no locked memory for the key");
	return key;
}

/* Read exactly one key; a file of another length was not written by us. */
static int key_read(int fd, const char *name, struct seal_key *key, struct error *err)
{
	size_t have = 0;
	char surplus;
	while (have < sizeof(key->bytes)) {
		ssize_t n = read(fd, key->bytes + have, sizeof(key->bytes) - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, E_INTERNAL, errno, "cannot read the key file %s",
			                  name);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	if (have != sizeof(key->bytes) || read(fd, &surplus, 1) != 0)
		return fail(err, E_INTERNAL, "the key file %s is damaged: it must hold %zu bytes",
		            name, sizeof(key->bytes));
	return 0;
}

int seal_key_load(int dir_fd, const char *name, struct seal_key **ret, struct error *err)
{
	ready();
	struct seal_key *key = key_alloc();
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		randombytes_buf(key->bytes, sizeof(key->bytes));
		if (file_write_atomic(dir_fd, name, key->bytes, sizeof(key->bytes), 0400, true,
		                      err) < 0)
			goto broken;
		*ret = key;
		return 0;
	}
	if (fd < 0) {
		fail_errno(err, E_INTERNAL, errno, "cannot open the key file %s", name);
		goto broken;
	}
	if (key_read(fd, name, key, err) < 0)
		goto broken;
	*ret = key;
	return 0;
broken:
	sodium_free(key);
	return -1;
}

void seal_key_free(struct seal_key *key)
{
	sodium_free(key);
}

void seal(const struct seal_key *key, const void *plain, size_t len, struct buffer *ret)
{
	size_t sealed_len = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + len;
	if (buffer_reserve(ret, sealed_len) < 0)
		BUG("the buffer for a sealed text is too small");
	unsigned char *out = (unsigned char *)ret->data + ret->len;
	randombytes_buf(out, crypto_secretbox_NONCEBYTES);
	(void)crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES, plain, len, out, key->bytes);
	ret->len += sealed_len;
	ret->data[ret->len] = '\0';
}

void seal_object(const struct seal_key *key, const json_t *object, struct buffer *ret)
{
	autofree char *text = json_to_text(object);

	seal(key, text, strlen(text), ret);
	seal_wipe(text, strlen(text));
}

int unseal(const struct seal_key *key, const void *sealed, size_t len, struct buffer *ret,
           struct error *err)
{
	size_t extra = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
	const unsigned char *in = sealed;
	if (len < extra)
		return fail(err, E_INTERNAL, "a sealed secret is cut short");
	if (buffer_reserve(ret, len - extra) < 0)
		return fail(err, E_TOO_LARGE, "a sealed secret is too large");
	unsigned char *out = (unsigned char *)ret->data + ret->len;
	if (crypto_secretbox_open_easy(out, in + crypto_secretbox_NONCEBYTES,
	                               len - crypto_secretbox_NONCEBYTES, in, key->bytes) < 0)
		return fail(err, E_INTERNAL, "a secret was not sealed with this server's key");
	ret->len += len - extra;
	ret->data[ret->len] = '\0';
	return 0;
}

int unseal_object(const struct seal_key *key, const void *sealed, size_t len, json_t **ret,
                  struct error *err)
{
	autobuffer struct buffer plain = BUFFER_INIT(len + 1);
	int rc;

	if (len == 0) {
		*ret = json_object();
		return 0;
	}
	if (unseal(key, sealed, len, &plain, err) < 0)
		return -1;
	rc = json_parse(buffer_text(&plain), plain.len, "the sealed object", ret, err);
	seal_wipe(plain.data, plain.len);
	return rc;
}

void token_new(char token[TOKEN_SIZE])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz"
	                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "0123456789";
	ready();
	memcpy(token, "hf_", 3);
	for (size_t i = 3; i < 3 + 34; i++)
		token[i] = alphabet[randombytes_uniform(sizeof(alphabet) - 1)];
	token[3 + 34] = '\0';
}

void token_hash(const char *token, char hash[TOKEN_HASH_SIZE])
{
	unsigned char bytes[32];
	ready();
	(void)crypto_generichash(bytes, sizeof(bytes), (const unsigned char *)token, strlen(token),
	                         NULL, 0);
	(void)sodium_bin2hex(hash, TOKEN_HASH_SIZE, bytes, sizeof(bytes));
}

bool seal_equal(const char *a, const char *b)
{
	size_t len = strlen(a);
	return len == strlen(b) && sodium_memcmp(a, b, len) == 0;
}

void seal_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}
