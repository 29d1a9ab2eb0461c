-- What was used, and what it cost (job/billing.h). Money is micro-USD.

-- One row per attempt that ran. ended_ms 0: it runs. used_ms is exact by a monotonic clock; cost is of
-- used_ms at price_hour, rounded once, when it ends.
CREATE TABLE usage_records (
	job INTEGER NOT NULL REFERENCES jobs (seq),
	attempt INTEGER NOT NULL,
	namespace INTEGER NOT NULL,
	user INTEGER NOT NULL,
	resource_group INTEGER NOT NULL,
	flavor TEXT NOT NULL,
	price_hour INTEGER NOT NULL,
	started_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL DEFAULT 0,
	used_ms INTEGER NOT NULL DEFAULT 0,
	cost INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (job, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_running ON usage_records (namespace) WHERE ended_ms = 0;
CREATE INDEX usage_by_time ON usage_records (namespace, started_ms);

-- The same summed up by UTC day of the end, so that reports need not read a million rows.
CREATE TABLE usage_days (
	namespace INTEGER NOT NULL,
	day INTEGER NOT NULL,
	user INTEGER NOT NULL,
	resource_group INTEGER NOT NULL,
	flavor TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	used_ms INTEGER NOT NULL,
	cost INTEGER NOT NULL,
	PRIMARY KEY (namespace, day, user, resource_group, flavor)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_labels (
	namespace INTEGER NOT NULL,
	day INTEGER NOT NULL,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	used_ms INTEGER NOT NULL,
	cost INTEGER NOT NULL,
	PRIMARY KEY (namespace, day, key, value)
) STRICT, WITHOUT ROWID;

-- Credits that were granted. expires_ms 0: never. left_micro_usd falls as they are used, those that
-- expire first go first.
CREATE TABLE credits (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	namespace INTEGER NOT NULL REFERENCES accounts (seq),
	amount INTEGER NOT NULL,
	left_micro_usd INTEGER NOT NULL,
	granted_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	note TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX credits_left ON credits (namespace, expires_ms) WHERE left_micro_usd > 0;

-- NULL: as the settings say. debt: used beyond the credits in the last second of a job.
CREATE TABLE budgets (
	namespace INTEGER PRIMARY KEY REFERENCES accounts (seq),
	is_unlimited INTEGER,
	monthly INTEGER,
	debt INTEGER NOT NULL DEFAULT 0,
	warned_month INTEGER NOT NULL DEFAULT 0
) STRICT;
