/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An uploaded shard: what it says about files is checked against the tables of xorbs that we have
 * verified ourselves (xet-cas.md 4.5). The answer is buffered as a whole by its reader: one wrong
 * file, and none is registered.
 */
#include "hub/files.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <sys/mman.h>

/* Work that one shard may cost: as many chunks as 4 TiB of data have. */
#define SHARD_CHUNKS_MAX (64 * 1024 * 1024)

struct check {
	struct files_store *store;
	struct xet_node nodes[XORB_CHUNKS_MAX]; /* of the present term */
	uint64_t chunks;                        /* of the whole shard, so far */
};

static int check_term(struct check *check, const struct shard_term *term, struct xet_tree *tree,
                      struct error *err)
{
	const struct xorb_table *table = NULL;
	struct xet_hash range_hash;
	uint64_t bytes = 0;
	int fd = -1;

	if (files_store_xorb(check->store, &term->xorb, &fd, &table, err) < 0) {
		if (err->code == E_NOT_FOUND)
			err->code = E_INVALID;
		return -1;
	}
	if (term->first >= term->end || term->end > table->count)
		return fail(err, E_INVALID, "it takes chunks %u to %u of a xorb that has %u",
		            term->first, term->end, table->count);
	uint32_t count = term->end - term->first;
	check->chunks += count;
	if (check->chunks > SHARD_CHUNKS_MAX)
		return fail(err, E_TOO_LARGE, "a shard may describe at most %d chunks",
		            SHARD_CHUNKS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		struct xet_node *node = &check->nodes[i];
		node->hash = table->chunks[term->first + i].hash;
		node->length = xorb_chunk_length(table, term->first + i);
		bytes += node->length;
		xet_tree_add(tree, node);
	}
	if (bytes != term->bytes)
		return fail(err, E_INVALID, "it gives a term %u bytes, whose chunks have %llu",
		            term->bytes, (unsigned long long)bytes);
	xet_range_hash(check->nodes, count, &range_hash);
	if (!xet_hash_equal(&range_hash, &term->range_hash))
		return fail(err, E_INVALID, "the verification of a term is wrong");
	return 0;
}

static int check_terms(struct check *check, const struct shard_file *file, struct xet_tree *tree,
                       json_t *terms, int64_t *ret_size, struct error *err)
{
	int64_t size = 0;

	for (uint32_t i = 0; i < file->n_terms; i++) {
		char xorb[XET_HASH_TEXT_SIZE];
		struct shard_term term;
		shard_file_term(file, i, &term);
		if (check_term(check, &term, tree, err) < 0)
			return error_prefix(err, "term %u", i);
		xet_hash_format(&term.xorb, xorb);
		json_array_append_new(terms,
		                      json_pack("[s,I,I,I]", xorb, (json_int_t)term.first,
		                                (json_int_t)term.end, (json_int_t)term.bytes));
		size += term.bytes;
	}
	*ret_size = size;
	return 0;
}

static int check_file(void *arg, const struct shard_file *file, struct error *err)
{
	struct check *check = arg;
	struct xet_tree tree;
	struct xet_hash root, hash;
	char name[XET_HASH_TEXT_SIZE];
	int64_t size = 0;
	autojson json_t *terms = json_array();

	xet_tree_init(&tree);
	xet_hash_format(&file->hash, name);
	if (check_terms(check, file, &tree, terms, &size, err) < 0)
		return error_prefix(err, "file %s", name);
	xet_tree_root(&tree, &root);
	xet_file_hash_of_root(&root, &hash);
	if (!xet_hash_equal(&hash, &file->hash))
		return fail(err, E_INVALID, "file %s: its chunks give another hash", name);
	return files_emit(json_pack("{s:s, s:I, s:O}", "hash", name, "size", (json_int_t)size,
	                            "terms", terms),
	                  err);
}

static int check_body(struct files_store *store, struct error *err)
{
	struct stat status;

	if (fstat(FILES_BODY_FD, &status) < 0 || !S_ISREG(status.st_mode))
		return fail(err, E_INVALID, "descriptor %d must be the body, a plain file",
		            FILES_BODY_FD);
	if (status.st_size > SHARD_BODY_MAX)
		return fail(err, E_TOO_LARGE, "a shard has at most %d bytes", SHARD_BODY_MAX);
	if (status.st_size == 0)
		return fail(err, E_INVALID, "the shard is empty");
	size_t len = (size_t)status.st_size;
	void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, FILES_BODY_FD, 0);
	if (data == MAP_FAILED)
		return fail_errno(err, E_INTERNAL, errno, "the body cannot be read");
	autofree struct check *check = xcalloc(1, sizeof(*check));
	check->store = store;
	int rc = shard_parse(data, len, check_file, check, err);
	(void)munmap(data, len);
	return rc;
}

int files_shard(json_t *request, struct error *err)
{
	struct files_store store;

	if (files_store_open(request, &store, err) < 0)
		return -1;
	int rc = check_body(&store, err);
	files_store_close(&store);
	return rc;
}
