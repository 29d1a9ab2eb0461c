/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree says what the contents hash to: SHA-256 of LFS files, git's blob hash of the others.
 * Whoever reads a file whole, in order, gets it compared before the last piece is given out. Once
 * is enough: a mark in the cache tells the others, until something of the file is fetched again.
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "hub/repository.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define CATCH_UP_MAX 32 /* blocks: the kernel reads ahead and not always in order */

void repository_verify_begin(struct repository_file *file)
{
	struct repository *repository = file->repository;
	const struct tree_node *node = repository_tree_node(repository->tree, file->number);
	char head[32];
	int len;

	repository_verify_end(file);
	if (node->oid_len == 0 || file->n_blocks == 0 ||
	    (!file->is_fetched && block_cache_is_verified(repository->cache, &file->key)))
		return;
	file->verify_context = EVP_MD_CTX_new();
	if (!file->verify_context ||
	    EVP_DigestInit_ex(file->verify_context, node->oid_len == 32 ? EVP_sha256() : EVP_sha1(),
	                      NULL) != 1)
		BUG("libcrypto has no SHA");
	len = snprintf(head, sizeof(head), "blob %lld", (long long)file->size);
	if (node->oid_len == 20)
		(void)EVP_DigestUpdate(file->verify_context, head, (size_t)len + 1);
	file->verify = VERIFY_ACTIVE;
	file->verify_next = 0;
}

void repository_verify_end(struct repository_file *file)
{
	EVP_MD_CTX_free(file->verify_context);
	file->verify_context = NULL;
	file->verify = VERIFY_OFF;
}

static bool verify_feed(struct repository_file *file, char *data)
{
	struct repository *repository = file->repository;
	size_t size = repository_file_block_size(file, file->verify_next);
	const struct block *block =
	        block_cache_find(repository->cache, &file->key, file->verify_next, size);

	if (!block || block_read(block, 0, data, size) < 0)
		return false;
	(void)EVP_DigestUpdate(file->verify_context, data, size);
	file->verify_next++;
	return true;
}

static void verify_refuse(struct repository_file *file)
{
	struct repository *repository = file->repository;
	autobuffer struct buffer path = BUFFER_INIT(64 * 1024);

	repository_tree_path(repository->tree, file->number, &path);
	log_error("%s %s: the contents of %s do not have the hash that the Hub told; they are "
	          "dropped "
	          "and fetched again when they are read again",
	          repository->about.type, repository->about.source, buffer_text(&path));
	for (uint32_t i = 0; i < file->n_blocks; i++)
		block_cache_drop(repository->cache, &file->key, i);
	repository_tree_node(repository->tree, file->number)->is_stale = true;
	file->generation++;
	file->is_fetched = true;
	repository_verify_begin(file);
}

static bool verify_finish(struct repository_file *file)
{
	struct repository *repository = file->repository;
	struct tree_node *node = repository_tree_node(repository->tree, file->number);
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (EVP_DigestFinal_ex(file->verify_context, digest, NULL) != 1)
		BUG("SHA does not end");
	if (memcmp(digest, node->oid, node->oid_len) != 0) {
		verify_refuse(file);
		return false;
	}
	repository_verify_end(file);
	node->is_stale = false;
	block_cache_set_verified(repository->cache, &file->key, true);
	return true;
}

bool repository_verify_holds(struct repository_file *file)
{
	bool is_coming = false;

	if (file->verify != VERIFY_ACTIVE || file->n_blocks - file->verify_next > CATCH_UP_MAX)
		return false;
	for (uint32_t index = file->verify_next; index + 1 < file->n_blocks; index++) {
		if (repository_file_pending(file, index))
			is_coming = true;
		else if (!repository_file_block(file, index))
			return false; /* nobody reads the whole */
	}
	return is_coming;
}

bool repository_verify_read(struct repository_file *file, uint32_t index)
{
	static char data[BLOCK_BYTES];

	if (file->verify != VERIFY_ACTIVE || index < file->verify_next ||
	    index - file->verify_next > CATCH_UP_MAX)
		return true;
	while (file->verify_next <= index && verify_feed(file, data))
		;
	return file->verify_next < file->n_blocks || verify_finish(file);
}
