-- Buckets, what is known of their files, xorbs, registered files (store/buckets.h).

CREATE TABLE buckets (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	namespace INTEGER NOT NULL REFERENCES accounts (seq),
	name TEXT NOT NULL COLLATE NOCASE,
	is_private INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	size INTEGER NOT NULL DEFAULT 0,
	files INTEGER NOT NULL DEFAULT 0,
	moved_from TEXT
) STRICT;
CREATE UNIQUE INDEX buckets_by_name ON buckets (namespace, name);
CREATE INDEX buckets_moved ON buckets (seq) WHERE moved_from IS NOT NULL;

-- A cache: the truth is the file on disk, and a row counts only while size, mtime, ctime and inode are its.
CREATE TABLE bucket_files (
	bucket INTEGER NOT NULL REFERENCES buckets (seq),
	path TEXT NOT NULL,
	size INTEGER NOT NULL,
	mtime_ns INTEGER NOT NULL,
	ctime_ns INTEGER NOT NULL,
	inode INTEGER NOT NULL,
	hash TEXT NOT NULL,
	content_type TEXT,
	uploaded_ms INTEGER NOT NULL,
	PRIMARY KEY (bucket, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX bucket_files_by_hash ON bucket_files (hash, bucket);

CREATE TABLE chunk_tables (
	hash TEXT PRIMARY KEY,
	chunks BLOB NOT NULL
) STRICT;

CREATE TABLE xorbs (
	namespace INTEGER NOT NULL REFERENCES accounts (seq),
	hash TEXT NOT NULL,
	bytes INTEGER NOT NULL,
	put_ms INTEGER NOT NULL,
	used_ms INTEGER NOT NULL,
	is_durable INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (namespace, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX xorbs_by_use ON xorbs (used_ms);
CREATE INDEX xorbs_not_durable ON xorbs (put_ms) WHERE is_durable = 0;

CREATE TABLE registered_files (
	namespace INTEGER NOT NULL REFERENCES accounts (seq),
	hash TEXT NOT NULL,
	size INTEGER NOT NULL,
	terms TEXT NOT NULL,
	used_ms INTEGER NOT NULL,
	PRIMARY KEY (namespace, hash)
) STRICT;
CREATE INDEX registered_files_by_use ON registered_files (used_ms);

CREATE TABLE server_facts (
	name TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
