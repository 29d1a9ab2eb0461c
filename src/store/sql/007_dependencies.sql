-- Jobs that wait for others, and arrays (job/dependency.h, job/array.h).

-- `job` runs when `after` has completed. Rows go when `after` has ended.
CREATE TABLE dependencies (
	job INTEGER NOT NULL REFERENCES jobs (seq),
	after INTEGER NOT NULL REFERENCES jobs (seq),
	PRIMARY KEY (job, after)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependencies_by_after ON dependencies (after);

-- A job without attempts of its own: its plan. Elements below `next` have been made. left_out: a bit per number that
-- has none. max_open 0: no limit. tell: what of its row elements from tell_from on do not know yet (a bit each).
-- is_over: it has ended, and so has every element.
CREATE TABLE arrays (
	job INTEGER PRIMARY KEY REFERENCES jobs (seq),
	first INTEGER NOT NULL,
	last INTEGER NOT NULL,
	max_open INTEGER NOT NULL,
	next INTEGER NOT NULL,
	left_out BLOB NOT NULL,
	tell INTEGER NOT NULL DEFAULT 0,
	tell_from INTEGER NOT NULL DEFAULT 0,
	is_over INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX arrays_not_over ON arrays (job) WHERE is_over = 0;

CREATE TABLE array_elements (
	array INTEGER NOT NULL REFERENCES arrays (job),
	element INTEGER NOT NULL,
	job INTEGER NOT NULL UNIQUE REFERENCES jobs (seq),
	PRIMARY KEY (array, element)
) STRICT, WITHOUT ROWID;
