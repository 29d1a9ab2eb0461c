/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database file, its schema, the turn's transaction and the cache of prepared statements. Every
 * table family has a file of its own in this folder and reaches SQLite through statement.h.
 *
 * A full disk or an I/O error ends the process: what was not committed was not promised to anybody,
 * and going on with half a turn in memory would be worse than starting again.
 */
#include "store/database.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/schema.h"
#include "store/statement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#define CACHE_SIZE 512 /* power of two, more than the folder has literals */
#define BUSY_TIMEOUT_MS 10000
#define CHECKPOINT_PAGES 1000
#define CHECKPOINT_HARD_PAGES 16000
#define RESERVE_BYTES (4 * 1024 * 1024)

struct waiter {
	void (*fn)(void *arg);
	void *arg;
};

struct cached {
	const char *sql;
	sqlite3_stmt *stmt;
};

struct database {
	sqlite3 *handle;
	bool is_writing;
	struct waiter *waiters;
	size_t n_waiters, cap_waiters;
	struct cached cache[CACHE_SIZE];
	size_t n_cached;
	int64_t first_open_event; /* 0: none in this transaction */
	struct cached *last; /* looked up last: most statements end before the next one begins */
	void (*checkpoint)(void *arg);
	void *checkpoint_arg;
};

static _Noreturn void database_die(struct database *db, const char *what)
{
	log_error("database: %s: %s; ending now, a restart recovers what was acknowledged", what,
	          sqlite3_errmsg(db->handle));
	_exit(1);
}

static void database_run(struct database *db, const char *sql)
{
	sqlite3_stmt *stmt = statement_read(db, sql, "");

	while (statement_next(db, stmt))
		;
	statement_end(db, stmt);
}

/* Outside the cache: for opening, where failing is an answer to the operator. */
static int database_exec(struct database *db, const char *sql, struct error *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(err, E_INTERNAL, "database: %s", sqlite3_errmsg(db->handle));
	return 0;
}

static int database_migrate(struct database *db, struct error *err)
{
	int version = (int)statement_int(db, 0, "PRAGMA user_version", "");

	if (version > schema_step_count)
		return fail(err, E_CONFLICT,
		            "database: its schema has version %d, this hearthd knows versions up "
		            "to %d; "
		            "it was used by a newer hearthd, start that one",
		            version, schema_step_count);
	for (; version < schema_step_count; version++) {
		autofree char *sql =
		        xasprintf("BEGIN IMMEDIATE;\n%s;\nPRAGMA user_version = %d;\nCOMMIT;",
		                  schema_steps[version].sql, version + 1);

		if (database_exec(db, sql, err) < 0)
			return error_prefix(err, "schema step %s", schema_steps[version].name);
		log_info("database: applied schema step %s", schema_steps[version].name);
	}
	return 0;
}

/* Called by SQLite after each commit, with the size of the log. */
static int database_wal_hook(void *arg, sqlite3 *handle, const char *name, int pages)
{
	struct database *db = arg;

	if (pages < CHECKPOINT_PAGES)
		return SQLITE_OK;
	/* Beside a busy writer the other process never copies the very last pages, so the log would
	 * grow for ever; copying what is left is cheap. */
	if (db->checkpoint && pages < CHECKPOINT_HARD_PAGES)
		db->checkpoint(db->checkpoint_arg);
	else
		(void)sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, NULL,
		                                NULL);
	return SQLITE_OK;
}

static int database_configure(struct database *db, struct error *err)
{
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
	if (database_exec(db,
	                  "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	                  "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
	                  "PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = 67108864",
	                  err) < 0)
		return -1;
	sqlite3_wal_hook(db->handle, database_wal_hook, db);
	return 0;
}

/* Room behind the end of a file, kept from everybody else: on a full disk jobs can still be
 * canceled and come to their end. Where that is not possible (file system, disk full already) we do
 * without. */
static void database_reserve(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, st.st_size + RESERVE_BYTES);
}

/* SQLite would make the file readable by all; the log and index beside it take its mode. */
static int database_make_file(const char *path, struct error *err)
{
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open the database %s", path);
	database_reserve(fd);
	return 0;
}

/* Beside SQLite's back, which is safe: it holds no locks on the write-ahead log. */
static void database_reserve_log(const char *path)
{
	autofree char *name = xasprintf("%s-wal", path);
	autoclose int fd = open(name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		database_reserve(fd);
}

int database_open(const char *path, struct database **ret, struct error *err)
{
	struct database *db;

	/* One thread, and nobody asks how much memory SQLite uses: no locks around each malloc().
	 * Refused, and not needed, when a database was opened before. */
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (database_make_file(path, err) < 0)
		return -1;
	db = xcalloc(1, sizeof(*db));
	if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		fail(err, E_INTERNAL, "cannot open the database %s: %s", path,
		     db->handle ? sqlite3_errmsg(db->handle) : "out of memory");
		database_close(db);
		return -1;
	}
	if (database_configure(db, err) < 0 || database_migrate(db, err) < 0) {
		database_close(db);
		return error_prefix(err, "%s", path);
	}
	database_reserve_log(path);
	*ret = db;
	return 0;
}

void database_close(struct database *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < CACHE_SIZE; i++)
		sqlite3_finalize(db->cache[i].stmt);
	if (db->is_writing)
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close_v2(db->handle);
	free(db->waiters);
	free(db);
}

void database_after_commit(struct database *db, void (*fn)(void *arg), void *arg)
{
	if (db->n_waiters == db->cap_waiters) {
		db->cap_waiters = db->cap_waiters ? db->cap_waiters * 2 : 64;
		db->waiters = xrealloc(db->waiters, db->cap_waiters * sizeof(*db->waiters));
	}
	db->waiters[db->n_waiters++] = (struct waiter){fn, arg};
}

void database_commit(struct database *db)
{
	while (db->is_writing || db->n_waiters) {
		struct waiter *waiters = db->waiters;
		size_t count = db->n_waiters;

		if (db->is_writing) {
			/* Cleared first: the hook that COMMIT calls may look. */
			db->is_writing = false;
			database_run(db, "COMMIT");
			db->first_open_event = 0;
		}
		db->waiters = NULL;
		db->n_waiters = db->cap_waiters = 0;
		for (size_t i = 0; i < count; i++)
			waiters[i].fn(waiters[i].arg);
		free(waiters);
	}
}

void database_on_checkpoint(struct database *db, void (*fn)(void *arg), void *arg)
{
	db->checkpoint = fn;
	db->checkpoint_arg = arg;
}

int database_checkpoint(const char *path, struct error *err)
{
	sqlite3 *handle = NULL;
	int rc = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL);

	/* SQLite opens the log at the first read; before that there is nothing to copy. */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(handle, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		fail(err, E_INTERNAL, "cannot checkpoint %s: %s", path, sqlite3_errstr(rc));
	sqlite3_close(handle);
	return rc == SQLITE_OK || rc == SQLITE_BUSY ? 0 : -1;
}

static sqlite3_stmt *statement_prepare(struct database *db, const char *sql, unsigned flags)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v3(db->handle, sql, -1, flags, &stmt, NULL) != SQLITE_OK)
		database_die(db, sql);
	return stmt;
}

/* The slot of a literal, by its address; statements never leave the cache. */
static struct cached *statement_slot(struct database *db, const char *sql)
{
	size_t i = ((uintptr_t)sql >> 3) * 0x9e3779b1u % CACHE_SIZE;

	while (db->cache[i].sql && db->cache[i].sql != sql)
		i = (i + 1) % CACHE_SIZE;
	return &db->cache[i];
}

static sqlite3_stmt *statement_get(struct database *db, const char *sql)
{
	struct cached *slot;

	/* One free slot ends every search. */
	if (db->n_cached >= CACHE_SIZE - 1)
		BUG("more than %d SQL literals", CACHE_SIZE);
	slot = statement_slot(db, sql);
	if (!slot->sql) {
		slot->stmt = statement_prepare(db, sql, SQLITE_PREPARE_PERSISTENT);
		slot->sql = sql;
		db->n_cached++;
	}
	db->last = slot;
	/* In use further up: a callback reads what its caller reads. */
	if (sqlite3_stmt_busy(slot->stmt))
		return statement_prepare(db, sql, 0);
	return slot->stmt;
}

/* `keep`: SQLITE_STATIC where the statement ends before the caller's values can. */
static void statement_bind(struct database *db, sqlite3_stmt *stmt, const char *types,
                           sqlite3_destructor_type keep, va_list ap)
{
	int rc = SQLITE_OK;

	for (int i = 1; types[i - 1] && rc == SQLITE_OK; i++) {
		switch (types[i - 1]) {
		case 't':
			rc = sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1, keep);
			break;
		case 'd':
			rc = sqlite3_bind_int(stmt, i, va_arg(ap, int));
			break;
		case 'i':
			rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
			break;
		case 'b': {
			const void *data = va_arg(ap, const void *);

			rc = sqlite3_bind_blob64(stmt, i, data, va_arg(ap, size_t), keep);
			break;
		}
		default:
			BUG("bind type '%c'", types[i - 1]);
		}
	}
	if (rc != SQLITE_OK)
		database_die(db, sqlite3_sql(stmt));
}

sqlite3_stmt *statement_read(struct database *db, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt = statement_get(db, sql);
	va_list ap;

	va_start(ap, types);
	statement_bind(db, stmt, types, SQLITE_TRANSIENT, ap);
	va_end(ap);
	return stmt;
}

sqlite3_stmt *statement_read_once(struct database *db, const char *sql)
{
	return statement_prepare(db, sql, 0);
}

bool statement_next(struct database *db, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		database_die(db, sqlite3_sql(stmt));
	return rc == SQLITE_ROW;
}

static bool statement_is_cached(const struct database *db, const sqlite3_stmt *stmt)
{
	if (db->last && db->last->stmt == stmt)
		return true;
	for (size_t i = 0; i < CACHE_SIZE; i++)
		if (db->cache[i].stmt == stmt)
			return true;
	return false;
}

void statement_end(struct database *db, sqlite3_stmt *stmt)
{
	if (statement_is_cached(db, stmt)) {
		sqlite3_reset(stmt);
		sqlite3_clear_bindings(stmt);
	} else {
		sqlite3_finalize(stmt);
	}
}

void statement_write(struct database *db, const char *sql, const char *types, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;

	if (!db->is_writing) {
		database_run(db, "BEGIN IMMEDIATE");
		db->is_writing = true;
	}
	stmt = statement_get(db, sql);
	va_start(ap, types);
	statement_bind(db, stmt, types, SQLITE_STATIC, ap);
	va_end(ap);
	while (statement_next(db, stmt))
		;
	statement_end(db, stmt);
}

int64_t statement_last_seq(struct database *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

void statement_note_event(struct database *db, int64_t seq)
{
	if (db->first_open_event == 0)
		db->first_open_event = seq;
}

int64_t statement_first_open_event(const struct database *db)
{
	return db->first_open_event ? db->first_open_event : INT64_MAX;
}

int statement_changes(struct database *db)
{
	return sqlite3_changes(db->handle);
}

int64_t statement_int(struct database *db, int64_t fallback, const char *sql, const char *types,
                      ...)
{
	sqlite3_stmt *stmt = statement_get(db, sql);
	int64_t value = fallback;
	va_list ap;

	va_start(ap, types);
	statement_bind(db, stmt, types, SQLITE_STATIC, ap);
	va_end(ap);
	if (statement_next(db, stmt))
		value = sqlite3_column_int64(stmt, 0);
	statement_end(db, stmt);
	return value;
}

void statement_column_id(sqlite3_stmt *stmt, int column, char ret[ID_SIZE])
{
	statement_column_array(stmt, column, ret, ID_SIZE);
}

void statement_column_array(sqlite3_stmt *stmt, int column, char *ret, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);
	size_t len = text ? strlen((const char *)text) : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(ret, text, len);
	ret[len] = '\0';
}

char *statement_column_copy(sqlite3_stmt *stmt, int column)
{
	return xstrdup((const char *)sqlite3_column_text(stmt, column));
}
