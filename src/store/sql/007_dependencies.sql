-- Jobs that wait for others, and arrays (job/dependency.h, job/array.h).

-- `job` runs when `after` has completed. Rows go when `after` has ended.
CREATE TABLE dependencies (
	job INTEGER NOT NULL REFERENCES jobs (seq),
	after INTEGER NOT NULL REFERENCES jobs (seq),
	PRIMARY KEY (job, after)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependencies_by_after ON dependencies (after);

-- Elements of an array, which is a job without attempts of its own.
CREATE TABLE array_elements (
	array INTEGER NOT NULL REFERENCES jobs (seq),
	element INTEGER NOT NULL,
	job INTEGER NOT NULL UNIQUE REFERENCES jobs (seq),
	PRIMARY KEY (array, element)
) STRICT, WITHOUT ROWID;
