/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets at rest (libsodium secretbox), tokens, and comparison in constant time. */
#ifndef HEARTH_BASE_SEAL_H
#define HEARTH_BASE_SEAL_H

#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

struct seal_key; /* locked memory, wiped on free */

/* Load the key file `name` (mode 0400) in the directory, or create it durably on first use. */
int seal_key_load(int dir_fd, const char *name, struct seal_key **ret, struct error *err);
void seal_key_free(struct seal_key *key);

/* nonce + ciphertext, binary, appended to `ret`. */
void seal(const struct seal_key *key, const void *plain, size_t len, struct buffer *ret);
/* The same of an object's JSON text, whose copy in memory is wiped. */
void seal_object(const struct seal_key *key, const json_t *object, struct buffer *ret);
/* E_INTERNAL when the text was not sealed with this key. */
int unseal(const struct seal_key *key, const void *sealed, size_t len, struct buffer *ret,
	   struct error *err);

/* Of an object that seal_object() made; nothing sealed (`len` 0) is an empty one. Yours to release. */
int unseal_object(const struct seal_key *key, const void *sealed, size_t len, json_t **ret,
		  struct error *err);

#define TOKEN_SIZE 40	   /* "hf_" + 34 letters and digits + NUL */
#define TOKEN_HASH_SIZE 65 /* hex of BLAKE2b-256 */
void token_new(char token[TOKEN_SIZE]);
void token_hash(const char *token, char hash[TOKEN_HASH_SIZE]);
bool seal_equal(const char *a, const char *b); /* constant time for equal lengths */
void seal_wipe(void *p, size_t len);

#endif
