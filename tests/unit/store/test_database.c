/* SPDX-License-Identifier: Apache-2.0 */
/* The turn's transaction, what waits for it, and who may open the file. */
#include "store_fixture.h"

#include "store/schema.h"
#include "store/statement.h"

#include <sys/stat.h>

struct log {
	struct store_fixture *f;
	char text[64];
	bool was_durable;
};

/* Read by a second connection: what is not committed is not there. */
static bool is_on_disk(const struct store_fixture *f, const char *name)
{
	sqlite3 *handle;
	sqlite3_stmt *stmt;
	bool found;

	assert_int_equal(sqlite3_open_v2(f->path, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(handle, "SELECT 1 FROM accounts WHERE name = ?", -1,
	                                    &stmt, NULL),
	                 SQLITE_OK);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	found = sqlite3_step(stmt) == SQLITE_ROW;
	sqlite3_finalize(stmt);
	sqlite3_close(handle);
	return found;
}

static void note_a(void *arg)
{
	struct log *log = arg;

	strcat(log->text, "a");
	log->was_durable = is_on_disk(log->f, "carol");
}

static void note_b(void *arg)
{
	strcat(((struct log *)arg)->text, "b");
}

static void write_again(void *arg)
{
	struct log *log = arg;
	struct account account;
	struct error err = ERROR_INIT;

	strcat(log->text, "w");
	assert_int_equal(accounts_create(log->f->db, "dave", ACCOUNT_USER, &account, &err), 0);
	assert_false(is_on_disk(log->f, "dave"));
	database_after_commit(log->f->db, note_b, log);
}

static void waiters_run_in_order_after_the_commit(void **state)
{
	struct store_fixture *f = *state;
	struct log log = {.f = f};
	struct account account;
	struct error err = ERROR_INIT;

	assert_int_equal(accounts_create(f->db, "carol", ACCOUNT_USER, &account, &err), 0);
	database_after_commit(f->db, note_a, &log);
	database_after_commit(f->db, write_again, &log);
	database_after_commit(f->db, note_b, &log);
	assert_false(is_on_disk(f, "carol"));
	database_commit(f->db);
	assert_string_equal(log.text, "awbb");
	assert_true(log.was_durable);
	assert_true(is_on_disk(f, "dave"));
}

static void waiters_run_without_a_write(void **state)
{
	struct store_fixture *f = *state;
	struct log log = {.f = f};

	database_after_commit(f->db, note_b, &log);
	assert_string_equal(log.text, "");
	database_commit(f->db);
	database_commit(f->db);
	assert_string_equal(log.text, "b");
}

static void uncommitted_writes_are_lost(void **state)
{
	struct store_fixture *f = *state;
	struct account account;
	struct error err = ERROR_INIT;

	assert_int_equal(accounts_create(f->db, "carol", ACCOUNT_USER, &account, &err), 0);
	store_crash(f);
	assert_false(accounts_find(f->db, "carol", &account));
	assert_true(accounts_find(f->db, "alice", &account));
}

static void refuses_a_newer_schema(void **state)
{
	struct store_fixture *f = *state;
	struct database *db = NULL;
	struct error err = ERROR_INIT;
	sqlite3 *handle;
	char sql[64];

	assert_int_equal(sqlite3_open_v2(f->path, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", schema_step_count + 1);
	assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(handle);
	assert_int_equal(database_open(f->path, &db, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	assert_non_null(strstr(err.text, "newer hearthd"));
	assert_null(db);
}

static void refuses_what_is_not_a_database(void **state)
{
	struct store_fixture *f = *state;
	struct database *db = NULL;
	struct error err = ERROR_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/text", f->folder);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (int i = 0; i < 100; i++)
		fputs("not a database, not a database at all\n", file);
	fclose(file);
	assert_int_equal(database_open(path, &db, &err), -1);
	assert_non_null(strstr(err.text, path));
	snprintf(path, sizeof(path), "%s/none/hearth.db", f->folder);
	assert_int_equal(database_open(path, &db, &err), -1);
}

static void files_are_private(void **state)
{
	struct store_fixture *f = *state;
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wal", f->path);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void count_call(void *arg)
{
	(*(int *)arg)++;
}

static void checkpoints_are_asked_for(void **state)
{
	struct store_fixture *f = *state;
	struct error err = ERROR_INIT;
	int calls = 0;
	char id[ID_SIZE];

	database_on_checkpoint(f->db, count_call, &calls);
	for (int i = 0; i < 15000; i++)
		store_add_job(f, json_pack("{s:s}", "name", "checkpoint"), id);
	database_commit(f->db);
	assert_int_equal(calls, 1);
	/* Elsewhere a process does this; the file is open here too, but not in the middle of a
	 * read. */
	assert_int_equal(database_checkpoint(f->path, &err), 0);
	store_add_job(f, NULL, id);
	database_commit(f->db);
	assert_int_equal(calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
	        T(waiters_run_in_order_after_the_commit),
	        T(waiters_run_without_a_write),
	        T(uncommitted_writes_are_lost),
	        T(refuses_a_newer_schema),
	        T(refuses_what_is_not_a_database),
	        T(files_are_private),
	        T(checkpoints_are_asked_for),
#undef T
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
