-- Schedules and their ticks (store/schedules.h).

-- Short rows that change with each tick; what may be long is in schedule_specs. All ticks that were due
-- up to considered_ms have their row in `ticks`.
CREATE TABLE schedules (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	namespace INTEGER NOT NULL REFERENCES accounts (seq),
	created_by INTEGER NOT NULL REFERENCES accounts (seq),
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	expression TEXT NOT NULL,
	is_suspended INTEGER NOT NULL,
	suspend_reason TEXT,
	concurrency INTEGER NOT NULL,
	catch_up TEXT,
	overlap TEXT,
	considered_ms INTEGER NOT NULL,
	failures INTEGER NOT NULL DEFAULT 0,
	last_job_id TEXT,
	last_job_ms INTEGER NOT NULL DEFAULT 0,
	flavor TEXT NOT NULL,
	timeout_s INTEGER NOT NULL,
	attempts INTEGER NOT NULL
) STRICT;
CREATE INDEX schedules_by_namespace ON schedules (namespace, seq);

CREATE TABLE schedule_specs (
	schedule INTEGER PRIMARY KEY REFERENCES schedules (seq),
	spec TEXT NOT NULL,
	labels TEXT NOT NULL,
	initiator TEXT NOT NULL,
	secrets BLOB
) STRICT;

-- One row per tick: the primary key is why none fires twice. A run that somebody asked for (is_manual)
-- is no tick, and does not stand in the way of one. A row with count > 1 says the same of all ticks
-- from due_ms to until_ms.
CREATE TABLE ticks (
	schedule INTEGER NOT NULL REFERENCES schedules (seq),
	due_ms INTEGER NOT NULL,
	is_manual INTEGER NOT NULL,
	outcome TEXT NOT NULL,
	decided_ms INTEGER NOT NULL,
	job_id TEXT,
	reason TEXT,
	count INTEGER NOT NULL DEFAULT 1,
	until_ms INTEGER NOT NULL,
	PRIMARY KEY (schedule, due_ms, is_manual)
) STRICT, WITHOUT ROWID;
CREATE INDEX ticks_waiting ON ticks (schedule, due_ms) WHERE outcome = 'waiting';
