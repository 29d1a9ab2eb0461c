/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts, roles and tokens. */
#include "store_fixture.h"

static void names_are_checked(void **state)
{
	struct store_fixture *f = *state;
	static const char *const bad[] = {"",         "-x",  ".x",      "a b",        "a/b",
	                                  "hardware", "ME",  "count",   "auth-check", "Admin",
	                                  "settings", "api", "\xc3\xa9"};
	struct account account;
	char longest[ACCOUNT_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(accounts_create(f->db, bad[i], ACCOUNT_USER, &account, &err), -1);
		assert_int_equal(err.code, E_INVALID);
	}
	struct error err = ERROR_INIT;

	memset(longest, 'x', sizeof(longest));
	longest[ACCOUNT_NAME_MAX + 1] = '\0';
	assert_int_equal(accounts_create(f->db, longest, ACCOUNT_USER, &account, &err), -1);
	longest[ACCOUNT_NAME_MAX] = '\0';
	assert_int_equal(accounts_create(f->db, longest, ACCOUNT_USER, &account, &err), 0);
	assert_string_equal(account.name, longest);
	assert_int_equal(accounts_create(f->db, "huggingface", ACCOUNT_ORG, &account, &err), 0);
}

static void names_have_no_case(void **state)
{
	struct store_fixture *f = *state;
	struct account account;
	struct error err = ERROR_INIT;

	assert_true(accounts_find(f->db, "ALICE", &account));
	assert_string_equal(account.name, "alice");
	assert_string_equal(account.id, f->alice.id);
	assert_int_equal(accounts_create(f->db, "Alice", ACCOUNT_ORG, &account, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
}

static void removal_frees_the_name_but_not_the_jobs(void **state)
{
	struct store_fixture *f = *state;
	struct account account;
	struct token token;
	struct job_record job autojob = {0};
	struct error err = ERROR_INIT;
	char id[ID_SIZE], text[TOKEN_SIZE];

	store_add_job(f, NULL, id);
	assert_int_equal(tokens_create(f->db, "alice", "t", ROLE_WRITE, text, &token, &err), 0);
	assert_int_equal(accounts_set_member(f->db, "lab", "alice", ROLE_WRITE, &err), 0);
	assert_int_equal(accounts_remove(f->db, "Alice", &err), 0);
	assert_false(accounts_find(f->db, "alice", &account));
	assert_false(accounts_find_by_id(f->db, f->alice.id, &account));
	assert_false(tokens_find(f->db, text, &token, &account));
	assert_int_equal(accounts_role(f->db, f->alice.id, f->lab.id), ROLE_NONE);
	assert_int_equal(accounts_count(f->db), 1);
	assert_int_equal(accounts_create(f->db, "alice", ACCOUNT_USER, &account, &err), 0);
	assert_string_not_equal(account.id, f->alice.id);
	assert_true(jobs_find(f->db, id, &job));
	assert_string_equal(job.namespace_id, f->alice.id);
	assert_int_equal(jobs_count(f->db, &(struct jobs_query){.namespace_id = account.id}), 0);
	assert_int_equal(accounts_remove(f->db, "nobody", &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
}

static void note_role(void *arg, const struct account *account, enum account_role role)
{
	snprintf((char *)arg + strlen(arg), 128, "%s=%s ", account->name, role_name(role));
}

static void members_have_roles(void **state)
{
	struct store_fixture *f = *state;
	struct account bob;
	struct error err = ERROR_INIT;
	char text[256] = "";

	assert_int_equal(accounts_create(f->db, "bob", ACCOUNT_USER, &bob, &err), 0);
	assert_int_equal(accounts_role(f->db, f->alice.id, f->alice.id), ROLE_ADMIN);
	assert_int_equal(accounts_role(f->db, f->alice.id, bob.id), ROLE_NONE);
	assert_int_equal(accounts_set_member(f->db, "lab", "alice", ROLE_READ, &err), 0);
	assert_int_equal(accounts_set_member(f->db, "lab", "bob", ROLE_ADMIN, &err), 0);
	assert_int_equal(accounts_set_member(f->db, "LAB", "Alice", ROLE_WRITE, &err), 0);
	assert_int_equal(accounts_role(f->db, f->alice.id, f->lab.id), ROLE_WRITE);
	accounts_each_member(f->db, f->lab.id, note_role, text);
	assert_string_equal(text, "alice=write bob=admin ");
	*text = '\0';
	accounts_each_org(f->db, bob.id, note_role, text);
	assert_string_equal(text, "lab=admin ");
	assert_int_equal(accounts_set_member(f->db, "lab", "bob", ROLE_NONE, &err), 0);
	assert_int_equal(accounts_role(f->db, bob.id, f->lab.id), ROLE_NONE);
	assert_int_equal(accounts_set_member(f->db, "alice", "bob", ROLE_READ, &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
	assert_int_equal(accounts_set_member(f->db, "lab", "lab", ROLE_READ, &err), -1);
	for (int role = ROLE_READ; role <= ROLE_ADMIN; role++)
		assert_int_equal(role_by_name(role_name(role)), role);
	assert_int_equal(role_by_name("owner"), ROLE_NONE);
}

static void count_token(void *arg, const struct token *token)
{
	(*(int *)arg)++;
}

static void tokens_are_found_by_their_text_only(void **state)
{
	struct store_fixture *f = *state;
	struct token token, found;
	struct account user;
	struct error err = ERROR_INIT;
	char text[TOKEN_SIZE], other[TOKEN_SIZE];
	int count = 0;

	assert_int_equal(tokens_create(f->db, "alice", "laptop", ROLE_READ, text, &token, &err), 0);
	assert_int_equal(tokens_create(f->db, "alice", "LAPTOP", ROLE_READ, other, &token, &err),
	                 -1);
	assert_int_equal(err.code, E_CONFLICT);
	assert_int_equal(tokens_create(f->db, "alice", "x", ROLE_ADMIN, other, &token, &err), -1);
	assert_int_equal(tokens_create(f->db, "alice", "", ROLE_READ, other, &token, &err), -1);
	assert_int_equal(tokens_create(f->db, "lab", "x", ROLE_READ, other, &token, &err), -1);
	assert_int_equal(tokens_create(f->db, "alice", "ci", ROLE_WRITE, other, &token, &err), 0);
	assert_memory_equal(text, "hf_", 3);
	assert_true(tokens_find(f->db, text, &found, &user));
	assert_string_equal(found.name, "laptop");
	assert_int_equal(found.role, ROLE_READ);
	assert_true(found.last_used_ms > 0);
	assert_string_equal(user.name, "alice");
	assert_false(tokens_find(f->db, "hf_nothing", &found, &user));
	assert_int_equal(tokens_revoke(f->db, "alice", "laptop", &err), 0);
	assert_false(tokens_find(f->db, text, &found, &user));
	assert_int_equal(tokens_revoke(f->db, "alice", "laptop", &err), -1);
	assert_int_equal(tokens_revoke(f->db, "alice", token.id, &err), 0);
	tokens_each(f->db, f->alice.id, count_token, &count);
	assert_int_equal(count, 0);
}

static void token_texts_are_not_stored(void **state)
{
	struct store_fixture *f = *state;
	struct token token;
	struct error err = ERROR_INIT;
	char text[TOKEN_SIZE], path[128];
	autobuffer struct buffer data = BUFFER_INIT(16 << 20);

	assert_int_equal(tokens_create(f->db, "alice", "laptop", ROLE_READ, text, &token, &err), 0);
	database_commit(f->db);
	assert_int_equal(file_read(AT_FDCWD, f->path, &data, &err), 0);
	snprintf(path, sizeof(path), "%s-wal", f->path);
	assert_int_equal(file_read(AT_FDCWD, path, &data, &err), 0);
	assert_null(memmem(data.data, data.len, text + 3, strlen(text + 3)));
	assert_non_null(memmem(data.data, data.len, "laptop", 6));
}

static void upstream_accounts_never_take_over_ours(void **state)
{
	struct store_fixture *f = *state;
	struct account one, two;
	struct error err = ERROR_INIT;

	assert_int_equal(accounts_adopt(f->db, "alice", ACCOUNT_USER, &one, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	assert_int_equal(accounts_adopt(f->db, "zoe", ACCOUNT_USER, &one, &err), 0);
	assert_true(one.is_external);
	assert_int_equal(accounts_adopt(f->db, "Zoe", ACCOUNT_USER, &two, &err), 0);
	assert_string_equal(one.id, two.id);
	assert_int_equal(accounts_adopt(f->db, "zoe", ACCOUNT_ORG, &two, &err), -1);
	assert_int_equal(accounts_adopt(f->db, "hardware", ACCOUNT_ORG, &two, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
	        T(names_are_checked),
	        T(names_have_no_case),
	        T(removal_frees_the_name_but_not_the_jobs),
	        T(members_have_roles),
	        T(tokens_are_found_by_their_text_only),
	        T(token_texts_are_not_stored),
	        T(upstream_accounts_never_take_over_ours),
#undef T
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
