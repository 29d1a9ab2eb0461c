-- The first schema. Times are Unix milliseconds, 0 where something has not happened yet. `seq` is the
-- order of arrival; `id` is what the API shows. A removed account keeps its row, so that its jobs
-- keep their owner, but gives its name free.

CREATE TABLE accounts (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL COLLATE NOCASE,
	type INTEGER NOT NULL,
	is_external INTEGER NOT NULL DEFAULT 0,
	created_ms INTEGER NOT NULL,
	removed_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX accounts_by_name ON accounts (name) WHERE removed_ms = 0;

CREATE TABLE members (
	org INTEGER NOT NULL REFERENCES accounts (seq),
	user INTEGER NOT NULL REFERENCES accounts (seq),
	role INTEGER NOT NULL,
	PRIMARY KEY (org, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user);

CREATE TABLE tokens (
	seq INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	user INTEGER NOT NULL REFERENCES accounts (seq),
	name TEXT NOT NULL COLLATE NOCASE,
	role INTEGER NOT NULL,
	hash TEXT NOT NULL UNIQUE,
	created_ms INTEGER NOT NULL,
	last_used_ms INTEGER NOT NULL DEFAULT 0,
	UNIQUE (user, name)
) STRICT;

-- Short rows that change with each stage; what never changes and may be long is in job_specs.
CREATE TABLE jobs (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	namespace INTEGER NOT NULL REFERENCES accounts (seq),
	created_by INTEGER NOT NULL REFERENCES accounts (seq),
	stage INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	started_ms INTEGER NOT NULL DEFAULT 0,
	finished_ms INTEGER NOT NULL DEFAULT 0,
	updated_ms INTEGER NOT NULL,
	failure_count INTEGER NOT NULL DEFAULT 0,
	attempts INTEGER NOT NULL,
	timeout_s INTEGER NOT NULL,
	flavor TEXT NOT NULL,
	message TEXT,
	cancel_reason TEXT,
	image_digest TEXT
) STRICT;
CREATE INDEX jobs_by_stage ON jobs (namespace, stage, seq);
CREATE INDEX jobs_active ON jobs (stage, seq) WHERE stage < 2;

CREATE TABLE job_specs (
	job INTEGER PRIMARY KEY REFERENCES jobs (seq),
	spec TEXT NOT NULL,
	labels TEXT NOT NULL,
	initiator TEXT NOT NULL,
	secrets BLOB
) STRICT;

CREATE TABLE labels (
	namespace INTEGER NOT NULL,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	job INTEGER NOT NULL,
	PRIMARY KEY (namespace, key, value, job DESC)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
	namespace INTEGER NOT NULL,
	key TEXT NOT NULL,
	request_hash TEXT NOT NULL,
	job_id TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	PRIMARY KEY (namespace, key)
) STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created_ms);

CREATE TABLE attempts (
	job INTEGER NOT NULL REFERENCES jobs (seq),
	number INTEGER NOT NULL,
	slot INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	started_ms INTEGER NOT NULL DEFAULT 0,
	ended_ms INTEGER NOT NULL DEFAULT 0,
	exit_code INTEGER NOT NULL DEFAULT -1,
	signal INTEGER NOT NULL DEFAULT 0,
	outcome TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_live ON attempts (job) WHERE ended_ms = 0;

CREATE TABLE events (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	job INTEGER NOT NULL,
	kind TEXT NOT NULL,
	data TEXT NOT NULL,
	at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_job ON events (job);
