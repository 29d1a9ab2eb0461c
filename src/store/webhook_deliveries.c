/* SPDX-License-Identifier: Apache-2.0 */
/* What webhooks were told: events, and one delivery per event and webhook. */
#include "base/clock.h"
#include "base/memory.h"
#include "store/statement.h"
#include "store/webhooks.h"

#include <stdlib.h>
#include <string.h>

#define DELIVERY_SELECT                                                                            \
	"SELECT d.seq, d.id, w.id, d.state, d.created_ms, d.next_ms, d.finished_ms,"               \
	" d.duration_ms, d.attempts, d.status, d.job_id, d.replay_of, d.request, d.response,"      \
	" d.error, e.seq, e.id, e.name, e.payload, e.caused_by_job, e.created_ms"                  \
	" FROM webhook_deliveries d JOIN webhooks w ON w.seq = d.webhook"                          \
	" JOIN webhook_events e ON e.seq = d.event "

const char *webhook_delivery_state_name(enum webhook_delivery_state state)
{
	static const char *const names[] = {"waiting", "delivered", "failed",
	                                    "dropped", "loop",      "replaying"};

	return names[state];
}

void webhook_events_insert(struct database *db, struct webhook_event *event)
{
	id_new(event->id);
	statement_write(db,
	                "INSERT INTO webhook_events (id, name, payload, caused_by_job, created_ms)"
	                " VALUES (?, ?, ?, ?, ?)",
	                "tttti", event->id, event->name, event->payload, event->caused_by_job,
	                event->created_ms);
	event->seq = statement_last_seq(db);
}

bool webhook_seen_note(struct database *db, const char *key, int64_t now_ms, int64_t until_ms)
{
	statement_write(db,
	                "DELETE FROM webhook_seen WHERE key IN (SELECT key FROM webhook_seen"
	                " WHERE until_ms <= ? ORDER BY until_ms LIMIT 2)",
	                "i", now_ms);
	statement_write(db,
	                "INSERT INTO webhook_seen (key, until_ms) VALUES (?1, ?3) ON CONFLICT (key)"
	                " DO UPDATE SET until_ms = ?3 WHERE until_ms <= ?2",
	                "tii", key, now_ms, until_ms);
	return statement_changes(db) > 0;
}

void webhook_delivery_clear(struct webhook_delivery *delivery)
{
	free(delivery->request);
	free(delivery->response);
	free(delivery->error);
	for (size_t i = 0; i < 3; i++)
		free(delivery->texts[i]);
	*delivery = (struct webhook_delivery){0};
}

static void delivery_row_read(sqlite3_stmt *stmt, struct webhook_delivery *ret)
{
	*ret = (struct webhook_delivery){
	        .seq = sqlite3_column_int64(stmt, 0),
	        .state = (enum webhook_delivery_state)sqlite3_column_int(stmt, 3),
	        .created_ms = sqlite3_column_int64(stmt, 4),
	        .next_ms = sqlite3_column_int64(stmt, 5),
	        .finished_ms = sqlite3_column_int64(stmt, 6),
	        .duration_ms = sqlite3_column_int64(stmt, 7),
	        .attempts = sqlite3_column_int(stmt, 8),
	        .status = sqlite3_column_int(stmt, 9),
	        .request = statement_column_copy(stmt, 12),
	        .response = statement_column_copy(stmt, 13),
	        .error = statement_column_copy(stmt, 14),
	};
	statement_column_id(stmt, 1, ret->id);
	statement_column_id(stmt, 2, ret->webhook_id);
	statement_column_id(stmt, 10, ret->job_id);
	statement_column_id(stmt, 11, ret->replay_of);
	for (int i = 0; i < 3; i++)
		ret->texts[i] = statement_column_copy(stmt, 17 + i);
	ret->event = (struct webhook_event){
	        .seq = sqlite3_column_int64(stmt, 15),
	        .name = ret->texts[0],
	        .payload = ret->texts[1],
	        .caused_by_job = ret->texts[2],
	        .created_ms = sqlite3_column_int64(stmt, 20),
	};
	statement_column_id(stmt, 16, ret->event.id);
}

void webhook_deliveries_insert(struct database *db, const char *webhook_id, int64_t event_seq,
                               struct webhook_delivery *delivery)
{
	id_new(delivery->id);
	memcpy(delivery->webhook_id, webhook_id, ID_SIZE);
	statement_write(
	        db,
	        "INSERT INTO webhook_deliveries (id, webhook, event, state, created_ms,"
	        " next_ms, finished_ms, job_id, replay_of, error)"
	        " VALUES (?, (SELECT seq FROM webhooks WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?)",
	        "ttidiiittt", delivery->id, webhook_id, event_seq, (int)delivery->state,
	        delivery->created_ms, delivery->next_ms, delivery->finished_ms, delivery->job_id,
	        delivery->replay_of, delivery->error);
	delivery->seq = statement_last_seq(db);
}

void webhook_deliveries_update(struct database *db, const struct webhook_delivery *delivery)
{
	statement_write(db,
	                "UPDATE webhook_deliveries SET state = ?, next_ms = ?, finished_ms = ?,"
	                " attempts = ?, status = ?, duration_ms = ?, job_id = ?, request = ?,"
	                " response = ?, error = ? WHERE seq = ?",
	                "diiddittt"
	                "ti",
	                (int)delivery->state, delivery->next_ms, delivery->finished_ms,
	                delivery->attempts, delivery->status, delivery->duration_ms,
	                delivery->job_id, delivery->request, delivery->response, delivery->error,
	                delivery->seq);
}

static bool delivery_read_one(struct database *db, sqlite3_stmt *stmt, struct webhook_delivery *ret)
{
	bool found = statement_next(db, stmt);

	if (found)
		delivery_row_read(stmt, ret);
	statement_end(db, stmt);
	return found;
}

bool webhook_deliveries_next(struct database *db, const char *webhook_id, int64_t after_seq,
                             struct webhook_delivery *ret)
{
	return delivery_read_one(
	        db,
	        statement_read(db,
	                       DELIVERY_SELECT
	                       "WHERE d.webhook = (SELECT seq FROM webhooks WHERE id = ?)"
	                       " AND d.state = 0 AND d.seq > ? ORDER BY d.seq LIMIT 1",
	                       "ti", webhook_id, after_seq),
	        ret);
}

bool webhook_deliveries_find(struct database *db, const char *webhook_id, const char *id,
                             struct webhook_delivery *ret)
{
	return delivery_read_one(db,
	                         statement_read(db, DELIVERY_SELECT "WHERE d.id = ? AND w.id = ?",
	                                        "tt", id, webhook_id),
	                         ret);
}

void webhook_deliveries_each(struct database *db, const char *webhook_id, int limit,
                             void (*fn)(void *, const struct webhook_delivery *), void *arg)
{
	sqlite3_stmt *stmt =
	        statement_read(db, DELIVERY_SELECT "WHERE w.id = ? ORDER BY d.seq DESC LIMIT ?",
	                       "td", webhook_id, limit);

	while (statement_next(db, stmt)) {
		autodelivery struct webhook_delivery delivery = {0};

		delivery_row_read(stmt, &delivery);
		fn(arg, &delivery);
	}
	statement_end(db, stmt);
}

void webhook_deliveries_hurry(struct database *db, const char *webhook_id)
{
	statement_write(
	        db,
	        "UPDATE webhook_deliveries SET next_ms = 0 WHERE state = 0 AND next_ms > 0 AND"
	        " webhook = (SELECT seq FROM webhooks WHERE id = ?)",
	        "t", webhook_id);
}

void webhook_deliveries_prune(struct database *db, const char *webhook_id, int keep)
{
	statement_write(
	        db,
	        "DELETE FROM webhook_deliveries WHERE state <> 0 AND"
	        " webhook = (SELECT seq FROM webhooks WHERE id = ?1) AND seq <="
	        " (SELECT d.seq FROM webhook_deliveries d JOIN webhooks w ON w.seq = d.webhook"
	        " WHERE w.id = ?1 AND d.state <> 0 ORDER BY d.seq DESC LIMIT 1 OFFSET ?2)",
	        "td", webhook_id, keep);
}

void webhook_deliveries_each_busy(struct database *db, void (*fn)(void *, const char *webhook_id),
                                  void *arg)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT DISTINCT w.id FROM webhook_deliveries d JOIN "
	                                    "webhooks w ON w.seq = d.webhook"
	                                    " WHERE d.state = 0 AND w.state = 0",
	                                    "");

	while (statement_next(db, stmt))
		fn(arg, (const char *)sqlite3_column_text(stmt, 0));
	statement_end(db, stmt);
}

void webhook_deliveries_end_replays(struct database *db, int64_t now_ms)
{
	statement_write(db,
	                "UPDATE webhook_deliveries SET state = 2, finished_ms = ?,"
	                " error = 'the server ended while this was being replayed' WHERE state = 5",
	                "i", now_ms);
}
