-- Webhooks and their deliveries (store/webhooks.h). `state`: of a webhook 0 on, 1 off, 2 suspended after
-- failure; of a delivery 0 waiting, then how it ended (enum webhook_delivery_state).

CREATE TABLE webhooks (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	owner INTEGER NOT NULL REFERENCES accounts (seq),
	url TEXT,
	source_job TEXT NOT NULL DEFAULT '',
	job TEXT,
	job_secrets BLOB,
	watched TEXT NOT NULL,
	domains INTEGER NOT NULL,
	jobs TEXT,
	secret BLOB,
	state INTEGER NOT NULL DEFAULT 0,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	triggered_ms INTEGER NOT NULL DEFAULT 0,
	window_ms INTEGER NOT NULL DEFAULT 0,
	window_count INTEGER NOT NULL DEFAULT 0,
	failures INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX webhooks_by_owner ON webhooks (owner);

-- What leads from an event to the webhooks that want it: "user/NAME" (organizations too), "TYPE/NAME", and
-- "jobs/ID" of the namespace whose jobs are watched.
CREATE TABLE webhook_watches (
	name TEXT NOT NULL COLLATE NOCASE,
	webhook INTEGER NOT NULL REFERENCES webhooks (seq) ON DELETE CASCADE,
	PRIMARY KEY (name, webhook)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_watches_by_webhook ON webhook_watches (webhook);

CREATE TABLE webhook_events (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	payload TEXT NOT NULL,
	caused_by_job TEXT NOT NULL DEFAULT '',
	created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE webhook_deliveries (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	webhook INTEGER NOT NULL REFERENCES webhooks (seq) ON DELETE CASCADE,
	event INTEGER NOT NULL REFERENCES webhook_events (seq),
	state INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	next_ms INTEGER NOT NULL DEFAULT 0,
	finished_ms INTEGER NOT NULL DEFAULT 0,
	attempts INTEGER NOT NULL DEFAULT 0,
	status INTEGER NOT NULL DEFAULT 0,
	duration_ms INTEGER NOT NULL DEFAULT 0,
	job_id TEXT NOT NULL DEFAULT '',
	replay_of TEXT NOT NULL DEFAULT '',
	request TEXT,
	response TEXT,
	error TEXT
) STRICT;
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook, seq);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook, seq) WHERE state = 0;

CREATE TRIGGER webhook_events_unused AFTER DELETE ON webhook_deliveries BEGIN
	DELETE FROM webhook_events WHERE seq = OLD.event
		AND NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE event = OLD.event);
END;

-- Events that were told to us already, so that a second telling is no second event.
CREATE TABLE webhook_seen (
	key TEXT PRIMARY KEY,
	until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_seen_by_age ON webhook_seen (until_ms);
