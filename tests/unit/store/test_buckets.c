/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of buckets, of their files, of xorbs. */
#include "store_fixture.h"

#include "store/buckets.h"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct bucket make(struct store_fixture *f, const struct account *owner, const char *name,
                          bool is_private)
{
	struct error err = ERROR_INIT;
	struct bucket bucket;

	assert_int_equal(buckets_create(f->db, owner, name, is_private, &bucket, &err), 0);
	return bucket;
}

static void count_bucket(void *arg, const struct bucket *bucket)
{
	++*(int *)arg;
}

static int count(struct store_fixture *f, const char *search, bool only_public, const char *after)
{
	int n = 0;

	buckets_each(f->db, f->alice.id, search, only_public, after, 100, count_bucket, &n);
	return n;
}

static void names_are_unique_without_case(void **state)
{
	struct store_fixture *f = *state;
	struct error err = ERROR_INIT;
	struct bucket out = make(f, &f->alice, "Out", false), again = {0}, found;

	assert_int_equal(buckets_create(f->db, &f->alice, "oUT", true, &again, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	assert_string_equal(again.id, out.id);
	assert_true(buckets_find(f->db, "ALICE", "out", &found));
	assert_string_equal(found.name, "Out");
	make(f, &f->lab, "out", false);
}

static void lists_search_and_page(void **state)
{
	struct store_fixture *f = *state;

	make(f, &f->alice, "a_1", false);
	make(f, &f->alice, "a-2", true);
	make(f, &f->alice, "b", false);
	assert_int_equal(count(f, NULL, false, NULL), 3);
	assert_int_equal(count(f, NULL, true, NULL), 2);
	assert_int_equal(count(f, "_", false, NULL), 1);
	assert_int_equal(count(f, "%", false, NULL), 0);
	assert_int_equal(count(f, "A", false, NULL), 2);
	assert_int_equal(count(f, NULL, false, "a_1"), 1);
}

static void moves_remember_where_from(void **state)
{
	struct store_fixture *f = *state;
	struct bucket bucket = make(f, &f->alice, "one", true), found;
	struct error err = ERROR_INIT;

	make(f, &f->lab, "taken", false);
	assert_int_equal(buckets_move(f->db, bucket.id, &f->lab, "Taken", &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	assert_int_equal(buckets_move(f->db, bucket.id, &f->lab, "two", &err), 0);
	assert_true(buckets_find(f->db, "lab", "two", &found));
	assert_string_equal(found.id, bucket.id);
	assert_false(buckets_find(f->db, "alice", "one", &found));
	buckets_move_done(f->db, bucket.id);
}

static void put(struct store_fixture *f, const struct bucket *bucket, const char *path,
                const char *hash)
{
	struct bucket_file file = {.path = path, .size = 5, .mtime_ns = -1, .inode = UINT64_MAX};

	memcpy(file.hash, hash, BUCKET_HASH_SIZE);
	bucket_files_put(f->db, bucket->id, &file);
}

static bool count_file(void *arg, const struct bucket_file *file)
{
	++*(int *)arg;
	return true;
}

static void a_folder_goes_with_what_is_below(void **state)
{
	struct store_fixture *f = *state;
	struct bucket bucket = make(f, &f->alice, "b", false);
	static const char *const paths[] = {"d", "d/x", "d/y/z", "d-e", "d0", "da"};
	struct bucket_file file;
	int n = 0;

	for (size_t i = 0; i < 6; i++)
		put(f, &bucket, paths[i], HASH_A);
	assert_true(bucket_files_find(f->db, bucket.id, "d/x", &file));
	assert_true(file.mtime_ns == -1 && file.inode == UINT64_MAX && file.content_type == NULL);
	bucket_files_remove(f->db, bucket.id, "d");
	bucket_files_each_with_hash(f->db, bucket.id, HASH_A, count_file, &n);
	assert_int_equal(n, 3);
	assert_false(bucket_files_find(f->db, bucket.id, "d/y/z", &file));
	buckets_remove(f->db, bucket.id);
	assert_false(bucket_files_find(f->db, bucket.id, "da", &file));
}

static void a_hash_is_found_in_its_namespace_only(void **state)
{
	struct store_fixture *f = *state;
	struct bucket bucket = make(f, &f->alice, "b", false);
	struct bucket_file file;
	char id[ID_SIZE];

	put(f, &bucket, "x", HASH_A);
	assert_true(bucket_files_find_in_namespace(f->db, f->alice.id, HASH_A, id, &file));
	assert_string_equal(id, bucket.id);
	assert_string_equal(file.path, "x");
	assert_false(bucket_files_find_in_namespace(f->db, f->lab.id, HASH_A, id, &file));
	assert_false(bucket_files_find_in_namespace(f->db, f->alice.id, HASH_B, id, &file));
}

static void tables_without_files_are_forgotten(void **state)
{
	struct store_fixture *f = *state;
	struct bucket bucket = make(f, &f->alice, "b", false);
	struct buffer table = BUFFER_INIT(100);
	int64_t cursor = 0;

	put(f, &bucket, "x", HASH_A);
	chunk_tables_put(f->db, HASH_B, "b", 1);
	chunk_tables_put(f->db, HASH_A, "a\0a", 3);
	chunk_tables_forget_unused(f->db, &cursor, 1);
	assert_true(cursor != 0);
	assert_false(chunk_tables_get(f->db, HASH_B, &table));
	chunk_tables_forget_unused(f->db, &cursor, 1);
	assert_true(cursor == 0);
	assert_true(chunk_tables_get(f->db, HASH_A, &table));
	assert_true(table.len == 3 && memcmp(table.data, "a\0a", 3) == 0);
	buffer_clear(&table);
}

static void count_xorb(void *arg, const char *namespace_id, const char *hash)
{
	++*(int *)arg;
}

static void xorbs_are_kept_while_they_are_used(void **state)
{
	struct store_fixture *f = *state;
	int n = 0;

	xorbs_put(f->db, f->alice.id, HASH_A, 10, 1000);
	xorbs_put(f->db, f->alice.id, HASH_B, 20, 1000);
	xorbs_put(f->db, f->lab.id, HASH_A, 40, 1000);
	assert_int_equal(xorbs_namespace_size(f->db, f->alice.id), 30);
	xorbs_touch(f->db, f->alice.id, HASH_B, 3000);
	xorbs_put(f->db, f->lab.id, HASH_A, 40, 3000);
	xorbs_take_unused(f->db, 2000, 10, count_xorb, &n);
	assert_int_equal(n, 1);
	assert_false(xorbs_find(f->db, f->alice.id, HASH_A));
	assert_true(xorbs_find(f->db, f->lab.id, HASH_A));
	assert_false(xorbs_are_all_durable(f->db));
	xorbs_put(f->db, f->alice.id, HASH_A, 10, 5000);
	xorbs_set_all_durable(f->db, 5000);
	n = 0;
	assert_int_equal(xorbs_drop_not_durable(f->db, count_xorb, &n), 1);
	assert_int_equal(n, 1);
	assert_true(xorbs_find(f->db, f->alice.id, HASH_B));
	assert_true(xorbs_are_all_durable(f->db));
}

static void registered_files_belong_to_a_namespace(void **state)
{
	struct store_fixture *f = *state;
	struct buffer terms = BUFFER_INIT(100);
	int64_t size = 0;

	registered_files_put(f->db, f->alice.id, HASH_A, 1LL << 40, "[]", 1000);
	registered_files_put(f->db, f->alice.id, HASH_A, 1LL << 41, "[1]", 2000);
	assert_false(registered_files_find(f->db, f->lab.id, HASH_A, &size, &terms));
	assert_true(registered_files_find(f->db, f->alice.id, HASH_A, &size, &terms));
	assert_true(size == 1LL << 41);
	assert_string_equal(buffer_text(&terms), "[1]");
	assert_int_equal(registered_files_forget(f->db, 2000, 10), 0);
	assert_int_equal(registered_files_forget(f->db, 2001, 10), 1);
	buffer_clear(&terms);
}

static void buckets_of_a_removed_account_are_gone(void **state)
{
	struct store_fixture *f = *state;
	struct bucket bucket = make(f, &f->alice, "b", true), found;
	struct error err = ERROR_INIT;
	struct account again;

	assert_int_equal(accounts_remove(f->db, "alice", &err), 0);
	assert_int_equal(accounts_create(f->db, "alice", ACCOUNT_USER, &again, &err), 0);
	assert_false(buckets_find(f->db, "alice", "b", &found));
	assert_false(buckets_find_by_id(f->db, bucket.id, &found));
	(void)make(f, &again, "b", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
	        T(names_are_unique_without_case),
	        T(lists_search_and_page),
	        T(moves_remember_where_from),
	        T(a_folder_goes_with_what_is_below),
	        T(a_hash_is_found_in_its_namespace_only),
	        T(tables_without_files_are_forgotten),
	        T(xorbs_are_kept_while_they_are_used),
	        T(registered_files_belong_to_a_namespace),
	        T(buckets_of_a_removed_account_are_gone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
