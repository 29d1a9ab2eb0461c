-- What was used, and what it cost (job/billing.h). Money is micro-USD.

-- price_hour: of its flavor when it was created; -1: not known. started_us: its start by the clock that runs since the boot
-- (the server fact "attempts_boot" says which boot); 0: not known.
ALTER TABLE attempts ADD COLUMN price_hour INTEGER NOT NULL DEFAULT -1;
ALTER TABLE attempts ADD COLUMN started_us INTEGER NOT NULL DEFAULT 0;

-- One row per attempt that ran. ended_ms 0: it runs; else started_ms + used_ms. used_ms is exact by a monotonic
-- clock; cost is of used_ms at price_hour, rounded once, when it ends. taken: what credits have paid of the
-- cost so far.
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
	taken INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (job, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_running ON usage_records (namespace) WHERE ended_ms = 0;
CREATE INDEX usage_by_time ON usage_records (namespace, started_ms);

-- The same by UTC day (days since 1970), so that reports need not read a million rows. What ran over midnight
-- has its share of time and cost in each day; as an attempt it counts in the day of its end.
CREATE TABLE usage_days (
	day INTEGER NOT NULL,
	namespace INTEGER NOT NULL,
	user INTEGER NOT NULL,
	resource_group INTEGER NOT NULL,
	flavor TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	used_ms INTEGER NOT NULL,
	cost INTEGER NOT NULL,
	PRIMARY KEY (day, namespace, user, resource_group, flavor)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_days_of ON usage_days (namespace, day);

-- The days of whole months; `day` is the month's first.
CREATE TABLE usage_months (
	day INTEGER NOT NULL,
	namespace INTEGER NOT NULL,
	user INTEGER NOT NULL,
	resource_group INTEGER NOT NULL,
	flavor TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	used_ms INTEGER NOT NULL,
	cost INTEGER NOT NULL,
	PRIMARY KEY (day, namespace, user, resource_group, flavor)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_labels (
	key TEXT NOT NULL,
	day INTEGER NOT NULL,
	namespace INTEGER NOT NULL,
	value TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	used_ms INTEGER NOT NULL,
	cost INTEGER NOT NULL,
	PRIMARY KEY (key, day, namespace, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_labels_of ON usage_labels (namespace, key, day);

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
CREATE INDEX credits_of ON credits (namespace, seq);

-- NULL: as the settings say. debt: used beyond the credits in the last moments of a job. warned_month, exhausted_month:
-- 202605 when that was told in May.
CREATE TABLE budgets (
	namespace INTEGER PRIMARY KEY REFERENCES accounts (seq),
	is_unlimited INTEGER,
	monthly INTEGER,
	debt INTEGER NOT NULL DEFAULT 0,
	warned_month INTEGER NOT NULL DEFAULT 0,
	exhausted_month INTEGER NOT NULL DEFAULT 0
) STRICT;
