/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: what they watch, what they do, and how they fare. Deliveries are in
 * webhook_deliveries.c. */
#include "store/webhooks.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/account_row.h"
#include "store/statement.h"

#include <string.h>

#define WEBHOOK_SELECT                                                                             \
	"SELECT w.id, o.id, o.name, w.url, w.source_job, w.job, w.watched, w.jobs, w.domains,"     \
	" w.state, w.secret IS NOT NULL, w.created_ms, w.updated_ms, w.triggered_ms, w.window_ms," \
	" w.window_count, w.failures FROM webhooks w"                                              \
	" JOIN accounts o ON o.seq = w.owner AND o.removed_ms = 0 "

void webhook_clear(struct webhook *webhook)
{
	free(webhook->url);
	json_decref(webhook->job);
	json_decref(webhook->watched);
	json_decref(webhook->jobs);
	*webhook = (struct webhook){0};
}

static json_t *webhook_row_json(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);
	json_t *value;

	if (!text)
		return NULL;
	value = json_loadb(text, (size_t)sqlite3_column_bytes(stmt, column), 0, NULL);
	if (!value)
		log_error("database: a webhook has unreadable JSON in column %d", column);
	return value;
}

static void webhook_row_read(sqlite3_stmt *stmt, struct webhook *ret)
{
	*ret = (struct webhook){
	        .url = statement_column_copy(stmt, 3),
	        .job = webhook_row_json(stmt, 5),
	        .watched = webhook_row_json(stmt, 6),
	        .jobs = webhook_row_json(stmt, 7),
	        .domains = (unsigned)sqlite3_column_int(stmt, 8),
	        .state = (enum webhook_state)sqlite3_column_int(stmt, 9),
	        .has_secret = sqlite3_column_int(stmt, 10) != 0,
	        .created_ms = sqlite3_column_int64(stmt, 11),
	        .updated_ms = sqlite3_column_int64(stmt, 12),
	        .triggered_ms = sqlite3_column_int64(stmt, 13),
	        .window_ms = sqlite3_column_int64(stmt, 14),
	        .window_count = sqlite3_column_int64(stmt, 15),
	        .failures = sqlite3_column_int(stmt, 16),
	};
	if (!ret->watched)
		ret->watched = json_array();
	statement_column_id(stmt, 0, ret->id);
	statement_column_id(stmt, 1, ret->owner_id);
	statement_column_array(stmt, 2, ret->owner_name, sizeof(ret->owner_name));
	statement_column_id(stmt, 4, ret->source_job);
}

static void webhook_watch(struct database *db, int64_t seq, const char *type, const char *name)
{
	autofree char *key = xasprintf("%s/%s", type, name);

	statement_write(db, "INSERT OR IGNORE INTO webhook_watches (name, webhook) VALUES (?, ?)",
	                "ti", key, seq);
}

static void webhook_put_watches(struct database *db, const struct webhook *webhook)
{
	int64_t seq =
	        statement_int(db, 0, "SELECT seq FROM webhooks WHERE id = ?", "t", webhook->id);
	const json_t *item;
	size_t i;

	statement_write(db, "DELETE FROM webhook_watches WHERE webhook = ?", "i", seq);
	json_array_foreach(webhook->watched, i, item)
	{
		const char *type = json_get_text(item, "type", "");

		webhook_watch(db, seq, strcmp(type, "org") == 0 ? "user" : type,
		              json_get_text(item, "name", ""));
	}
	if (webhook->jobs)
		webhook_watch(db, seq, "jobs", webhook->jobs_namespace_id);
}

void webhooks_put(struct database *db, const struct webhook *webhook, struct webhook_sealed secret,
                  struct webhook_sealed job_secrets)
{
	autofree char *job = webhook->job ? json_to_text(webhook->job) : NULL;
	autofree char *jobs = webhook->jobs ? json_to_text(webhook->jobs) : NULL;
	autofree char *watched = json_to_text(webhook->watched);

	statement_write(
	        db,
	        "INSERT INTO webhooks (id, owner, url, source_job, job, watched, domains, jobs,"
	        " created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	        " ON CONFLICT (id) DO UPDATE SET url = excluded.url,"
	        " source_job = excluded.source_job, job = excluded.job,"
	        " watched = excluded.watched, domains = excluded.domains,"
	        " jobs = excluded.jobs, updated_ms = excluded.updated_ms",
	        "titttt"
	        "dtii",
	        webhook->id, account_seq(db, webhook->owner_id), webhook->url, webhook->source_job,
	        job, watched, (int)webhook->domains, jobs, webhook->created_ms,
	        webhook->updated_ms);
	if (secret.data)
		statement_write(db, "UPDATE webhooks SET secret = ? WHERE id = ?", "bt",
		                secret.data, secret.len, webhook->id);
	if (job_secrets.data)
		statement_write(db, "UPDATE webhooks SET job_secrets = ? WHERE id = ?", "bt",
		                job_secrets.data, job_secrets.len, webhook->id);
	else if (!webhook->job)
		statement_write(db, "UPDATE webhooks SET job_secrets = NULL WHERE id = ?", "t",
		                webhook->id);
	webhook_put_watches(db, webhook);
}

bool webhooks_find(struct database *db, const char *id, struct webhook *ret)
{
	sqlite3_stmt *stmt = statement_read(db, WEBHOOK_SELECT "WHERE w.id = ?", "t", id);
	bool found = statement_next(db, stmt);

	if (found)
		webhook_row_read(stmt, ret);
	statement_end(db, stmt);
	return found;
}

void webhooks_each(struct database *db, const char *owner_id,
                   void (*fn)(void *, const struct webhook *), void *arg)
{
	sqlite3_stmt *stmt = statement_read(db, WEBHOOK_SELECT "WHERE w.owner = ? ORDER BY w.seq",
	                                    "i", account_seq(db, owner_id));

	while (statement_next(db, stmt)) {
		autowebhook struct webhook webhook = {0};

		webhook_row_read(stmt, &webhook);
		fn(arg, &webhook);
	}
	statement_end(db, stmt);
}

static void webhook_note_id(struct database *db, const char *name, json_t *ids)
{
	sqlite3_stmt *stmt = statement_read(
	        db,
	        "SELECT w.id FROM webhook_watches v JOIN webhooks w ON w.seq = v.webhook"
	        " WHERE v.name = ? ORDER BY v.webhook",
	        "t", name);

	while (statement_next(db, stmt))
		json_object_set_new(ids, (const char *)sqlite3_column_text(stmt, 0), json_true());
	statement_end(db, stmt);
}

void webhooks_each_watching(struct database *db, const char *const *names, size_t count,
                            void (*fn)(void *, struct webhook *), void *arg)
{
	autojson json_t *ids = json_object();
	const char *id;
	json_t *unused;

	for (size_t i = 0; i < count; i++)
		webhook_note_id(db, names[i], ids);
	json_object_foreach(ids, id, unused)
	{
		autowebhook struct webhook webhook = {0};

		if (webhooks_find(db, id, &webhook))
			fn(arg, &webhook);
	}
}

bool webhooks_is_watched(struct database *db, const char *name)
{
	return statement_int(db, 0, "SELECT 1 FROM webhook_watches WHERE name = ? LIMIT 1", "t",
	                     name) != 0;
}

int64_t webhooks_count(struct database *db, const char *owner_id)
{
	if (!owner_id)
		return statement_int(db, 0, "SELECT count(*) FROM webhooks", "");
	return statement_int(db, 0, "SELECT count(*) FROM webhooks WHERE owner = ?", "i",
	                     account_seq(db, owner_id));
}

void webhooks_remove(struct database *db, const char *id)
{
	/* By hand and not by the cascade: its rows would not fire the trigger on events. */
	statement_write(db,
	                "DELETE FROM webhook_deliveries WHERE webhook ="
	                " (SELECT seq FROM webhooks WHERE id = ?)",
	                "t", id);
	statement_write(db, "DELETE FROM webhooks WHERE id = ?", "t", id);
}

static void webhook_get_blob(struct database *db, sqlite3_stmt *stmt, struct buffer *ret)
{
	if (statement_next(db, stmt) && sqlite3_column_bytes(stmt, 0) > 0 &&
	    buffer_add(ret, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)) <
	            0)
		log_error("a webhook's sealed secret is longer than %zu bytes", ret->max);
	statement_end(db, stmt);
}

void webhooks_get_secret(struct database *db, const char *id, struct buffer *ret_sealed)
{
	webhook_get_blob(db,
	                 statement_read(db, "SELECT secret FROM webhooks WHERE id = ?", "t", id),
	                 ret_sealed);
}

void webhooks_get_job_secrets(struct database *db, const char *id, struct buffer *ret_sealed)
{
	webhook_get_blob(
	        db, statement_read(db, "SELECT job_secrets FROM webhooks WHERE id = ?", "t", id),
	        ret_sealed);
}

void webhooks_set_state(struct database *db, const char *id, enum webhook_state state,
                        int64_t now_ms)
{
	statement_write(db,
	                "UPDATE webhooks SET state = ?, failures = 0, updated_ms = ? WHERE id = ?",
	                "dit", (int)state, now_ms, id);
}

void webhooks_set_failures(struct database *db, const char *id, int failures)
{
	statement_write(db, "UPDATE webhooks SET failures = ? WHERE id = ?", "dt", failures, id);
}

void webhooks_set_triggered(struct database *db, const struct webhook *webhook)
{
	statement_write(db,
	                "UPDATE webhooks SET triggered_ms = ?, window_ms = ?, window_count = ?"
	                " WHERE id = ?",
	                "iiit", webhook->triggered_ms, webhook->window_ms, webhook->window_count,
	                webhook->id);
}
