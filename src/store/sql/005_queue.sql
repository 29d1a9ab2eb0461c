-- What decides when a job runs, besides its size.

-- hold: 0 none, 1 by its owner, 2 by an admin. rank: 0, or where an admin has put it (lower first).
-- not_before_ms: the pause before its next attempt. resource_group: seq, 0 none.
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN hold INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN not_before_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN resource_group INTEGER NOT NULL DEFAULT 0;

-- Devices that the attempt has: CDI names with commas.
ALTER TABLE attempts ADD COLUMN devices TEXT NOT NULL DEFAULT '';

-- Limits of one namespace or user (kind 0, 1) or resource group (kind 2). -1: none; -1000: as the settings say.
CREATE TABLE limits (
	kind INTEGER NOT NULL,
	subject INTEGER NOT NULL,
	max_running INTEGER NOT NULL,
	max_queued INTEGER NOT NULL,
	max_devices INTEGER NOT NULL,
	max_priority INTEGER NOT NULL,
	weight INTEGER NOT NULL,
	PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE resource_groups (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	namespace INTEGER NOT NULL REFERENCES accounts (seq),
	name TEXT NOT NULL COLLATE NOCASE,
	created_ms INTEGER NOT NULL,
	removed_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX resource_groups_by_name ON resource_groups (namespace, name) WHERE removed_ms = 0;
