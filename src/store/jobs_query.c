/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of jobs, newest first, that stay fast with a million finished jobs.
 *
 * A list is made in two steps: first the row numbers of one page, from one index in its own order
 * (never sorted, never counted), then the rows. The index is chosen here: the stages' (one stride
 * per wanted stage, merged), or that of the rarest wanted label. SQLite's planner cannot know that
 * a label is rare; counting each candidate up to a bound can.
 */
#include "store/jobs.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "store/account_row.h"
#include "store/job_row.h"

#include <string.h>

#define ALL_BUT_DELETED (((1u << STAGE_COUNT) - 1) & ~(1u << STAGE_DELETED))
#define RARE_BOUND 1000
#define SQL_MAX (256 * 1024)

struct selection {
	struct database *db;
	const struct jobs_query *query;
	unsigned mask;
	int64_t namespace_seq; /* 0: all */
	int64_t before_seq;    /* only smaller ones */
	int64_t limit;
	size_t driver_label; /* n_labels: the stages drive */
};

/* A cursor is the id of the last job shown; the ids around it have the same order as `seq`. */
static int64_t query_before_seq(struct database *db, const char *before_id)
{
	if (!before_id)
		return INT64_MAX;
	return statement_int(db, INT64_MAX,
	                     "SELECT seq FROM jobs WHERE id >= ? ORDER BY id LIMIT 1", "t",
	                     before_id);
}

static int64_t query_label_count(const struct selection *s, size_t label)
{
	return statement_int(s->db, 0,
	                     "SELECT count(*) FROM (SELECT 1 FROM labels WHERE namespace = ?"
	                     " AND key = ? AND value = ? LIMIT ?)",
	                     "ittd", s->namespace_seq, s->query->label_keys[label],
	                     s->query->label_values[label], RARE_BOUND);
}

static int64_t query_stage_count(const struct selection *s)
{
	int64_t count = 0;

	for (int stage = 0; stage < STAGE_COUNT && count < RARE_BOUND; stage++)
		if (s->mask & (1u << stage))
			count += statement_int(s->db, 0,
			                       "SELECT count(*) FROM (SELECT 1 FROM jobs"
			                       " WHERE namespace = ? AND stage = ? LIMIT ?)",
			                       "idd", s->namespace_seq, stage, RARE_BOUND);
	return count;
}

static void query_choose_driver(struct selection *s)
{
	int64_t best;

	s->driver_label = s->query->n_labels;
	if (s->query->n_labels == 0 || s->namespace_seq == 0)
		return;
	/* Among equals a label: a page of it is one stride, and every row of it is wanted or
	 * nearly. */
	best = query_stage_count(s) + 1;
	for (size_t i = 0; i < s->query->n_labels; i++) {
		int64_t count = query_label_count(s, i);

		if (count < best) {
			best = count;
			s->driver_label = i;
		}
	}
}

static void query_add(struct buffer *sql, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

static void query_add(struct buffer *sql, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (buffer_vprintf(sql, fmt, ap) < 0)
		BUG("a list query is longer than %d bytes", SQL_MAX);
	va_end(ap);
}

/* Label i is bound to ?(2i + 3) and ?(2i + 4). */
static void query_add_labels(struct buffer *sql, const struct selection *s, const char *namespace,
                             const char *job)
{
	for (size_t i = 0; i < s->query->n_labels; i++)
		if (i != s->driver_label)
			query_add(sql,
			          " AND EXISTS (SELECT 1 FROM labels x WHERE x.namespace = %s"
			          " AND x.key = ?%zu AND x.value = ?%zu AND x.job = %s)",
			          namespace, 2 * i + 3, 2 * i + 4, job);
}

static void query_add_label_terms(struct buffer *sql, const struct selection *s)
{
	query_add(sql, "l.namespace = %lld AND l.key = ?%zu AND l.value = ?%zu AND l.job < ?1",
	          (long long)s->namespace_seq, 2 * s->driver_label + 3, 2 * s->driver_label + 4);
	query_add_labels(sql, s, "l.namespace", "l.job");
	query_add(sql, " AND (%u >> (SELECT stage FROM jobs WHERE seq = l.job)) & 1", s->mask);
}

static void query_add_by_label(struct buffer *sql, const struct selection *s)
{
	query_add(sql, "SELECT l.job AS seq FROM labels l WHERE ");
	query_add_label_terms(sql, s);
	query_add(sql, " ORDER BY l.job DESC LIMIT ?2");
}

static void query_add_by_stage(struct buffer *sql, const struct selection *s)
{
	const char *joint = "";

	query_add(sql, "SELECT seq FROM (");
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		if (!(s->mask & (1u << stage)))
			continue;
		query_add(sql, "%sSELECT * FROM (SELECT seq FROM jobs j WHERE j.stage = %d", joint,
		          stage);
		if (s->namespace_seq)
			query_add(sql, " AND j.namespace = %lld", (long long)s->namespace_seq);
		else if (stage < STAGE_COMPLETED)
			query_add(sql, " AND j.stage < 2"); /* as the partial index says it */
		query_add(sql, " AND j.seq < ?1");
		query_add_labels(sql, s, "j.namespace", "j.seq");
		query_add(sql, " ORDER BY j.seq DESC LIMIT ?2)");
		joint = " UNION ALL ";
	}
	query_add(sql, ") ORDER BY seq DESC LIMIT ?2");
}

/* Row numbers of the selected jobs, newest first. */
static void query_add_selection(struct buffer *sql, struct selection *s)
{
	query_choose_driver(s);
	if (s->driver_label < s->query->n_labels)
		query_add_by_label(sql, s);
	else
		query_add_by_stage(sql, s);
}

static sqlite3_stmt *query_prepare(const struct selection *s, const char *sql)
{
	sqlite3_stmt *stmt = statement_read_once(s->db, sql);

	sqlite3_bind_int64(stmt, 1, s->before_seq);
	sqlite3_bind_int64(stmt, 2, s->limit);
	for (size_t i = 0; i < s->query->n_labels; i++) {
		int at = (int)(2 * i + 3);

		sqlite3_bind_text(stmt, at, s->query->label_keys[i], -1, SQLITE_TRANSIENT);
		sqlite3_bind_text(stmt, at + 1, s->query->label_values[i], -1, SQLITE_TRANSIENT);
	}
	return stmt;
}

/* False when nothing can match. */
static bool query_start(struct database *db, const struct jobs_query *query, struct selection *ret)
{
	*ret = (struct selection){
	        .db = db,
	        .query = query,
	        .mask = query->stage_mask ? query->stage_mask : ALL_BUT_DELETED,
	        .before_seq = query_before_seq(db, query->before_id),
	        .limit = query->limit > 0 ? query->limit : -1,
	};
	if (query->namespace_id)
		ret->namespace_seq = account_seq(db, query->namespace_id);
	return !query->namespace_id || ret->namespace_seq;
}

void jobs_each(struct database *db, const struct jobs_query *query,
               void (*fn)(void *arg, struct job_record *job), void *arg)
{
	autobuffer struct buffer sql = BUFFER_INIT(SQL_MAX);
	struct selection selection;
	sqlite3_stmt *stmt;

	if (!query_start(db, query, &selection))
		return;
	query_add(&sql, JOB_SELECT "WHERE j.seq IN (");
	query_add_selection(&sql, &selection);
	query_add(&sql, ") ORDER BY j.seq DESC");
	stmt = query_prepare(&selection, buffer_text(&sql));
	while (statement_next(db, stmt)) {
		struct job_record job;

		job_row_read(stmt, &job);
		fn(arg, &job);
		job_record_clear(&job);
	}
	statement_end(db, stmt);
}

/* Without an order, SQLite counts index entries and sorts nothing. */
static void query_add_count(struct buffer *sql, struct selection *s)
{
	query_choose_driver(s);
	if (s->driver_label < s->query->n_labels) {
		query_add(sql, "SELECT count(*) FROM labels l WHERE ");
		query_add_label_terms(sql, s);
		return;
	}
	query_add(sql, "SELECT count(*) FROM jobs j WHERE j.seq < ?1 AND j.stage IN (");
	for (int stage = 0, n = 0; stage < STAGE_COUNT; stage++)
		if (s->mask & (1u << stage))
			query_add(sql, "%s%d", n++ ? ", " : "", stage);
	query_add(sql, ")");
	if (s->namespace_seq)
		query_add(sql, " AND j.namespace = %lld", (long long)s->namespace_seq);
	else if (s->mask < 1u << STAGE_COMPLETED)
		query_add(sql, " AND j.stage < 2");
	query_add_labels(sql, s, "j.namespace", "j.seq");
}

int64_t jobs_count(struct database *db, const struct jobs_query *query)
{
	autobuffer struct buffer sql = BUFFER_INIT(SQL_MAX);
	struct selection selection;
	sqlite3_stmt *stmt;
	int64_t count = 0;

	if (!query_start(db, query, &selection))
		return 0;
	query_add_count(&sql, &selection);
	stmt = query_prepare(&selection, buffer_text(&sql));
	if (statement_next(db, stmt))
		count = sqlite3_column_int64(stmt, 0);
	statement_end(db, stmt);
	return count;
}
