/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth-files: the program that does for hearthd what blocks or parses foreign bytes: checking xorbs and
 * shards, building files, hashing what jobs wrote, listing and deleting. One process per piece of work, as
 * hearthd's own unprivileged user, behind a seccomp filter without network.
 *
 *   hearth-files OPERATION     request: one JSON object on standard input
 *                              descriptor 3: the body, where an operation has one
 *                              answer: lines of JSON on standard output, exit status 0;
 *                              or exit status 1 and one line {"code": NAME, "error": TEXT}
 *
 * Temporary files are in a locked folder "run-…" of `tmp`; the next run removes what a killed one left.
 *
 * Everywhere: `bucket` and `store` are absolute folders; paths are relative to the bucket; hashes are text
 * (64 digits); a FILE answer is
 *   {"path","size","mtime_ns","ctime_ns","inode","hash","chunks":HEX or absent}
 * where `chunks` are the file's chunks, 36 bytes each (32 hash, u32 little-endian length), when there are at most
 * FILE_WORK_INLINE_CHUNKS; a longer table is written to <store>/tables/<2 digits>/<hash> instead.
 *
 *   xorb    {"store","hash"}, body           → {"inserted":bool,"bytes":serialized,"chunks":N}
 *           Verified, then in <store>/xorbs/<2 digits>/<hash>. Not flushed: see `sync`.
 *   shard   {"store"}, body                  → per file {"hash","size","terms":[["<xorb>",first,end,bytes],…]}
 *           Terms checked against the stored xorbs' own tables. All or nothing.
 *   batch   {"bucket","store","add":[{"path","hash","mtime_ns","size","terms":[…]} or {"path","hash","mtime_ns",
 *           "from":"/absolute/bucket","from_path":…},…],"delete":[…],"tmp":folder on the same file system}
 *                                            → per add FILE or {"path","error"}; per delete {"path","deleted":bool}
 *           Each file is complete and flushed before its name appears (rename); all names are flushed before the end.
 *           Adds come before deletes, but for a file that becomes a folder or the other way round. Answers come in the
 *           order of the request, adds first. A full disk fails the whole batch (E_UNAVAILABLE) and changes nothing.
 *           `from`: copy a plain file (reflink if possible), if its hash is still `hash`; with "source":{"size",
 *           "mtime_ns","ctime_ns","inode"} that still hold, it is not hashed again and the FILE has no chunks: those
 *           known for `hash` hold.
 *   put     {"bucket","store","path","mtime_ns","tmp"}, body → FILE
 *           Without "store" a table too long for the answer is not kept anywhere.
 *   hash    {"bucket","paths":[…],"store"}   → per path FILE, or {"path","error"} (gone, changes while it is read)
 *   list    {"bucket","prefix","recursive","after","limit","directories":bool}
 *           → in order of path, at most `limit`, {"path","size","mtime_ns","ctime_ns","inode"} or {"path","directory":true};
 *           then, if there is more, {"more":true}
 *   stat    {"bucket","paths":[…]}           → the same lines for those that exist as plain files
 *   usage   {"bucket"}                       → {"size","files"}
 *   wipe    {"folder"}                       → {}   removes a tree
 *   sync    {"folder"}                       → {}   syncfs
 *   prune   {"store","before_ns"}            → per xorb that was stored before {"xorb":HASH}; tables that nobody has read
 *           since, and parts that killed runs left, are removed: {"removed":N}. A table is made again by `hash`.
 */
#ifndef HEARTH_HUB_FILE_WORK_H
#define HEARTH_HUB_FILE_WORK_H

#define FILE_WORK_INLINE_CHUNKS 256
#define FILE_WORK_CHUNK_SIZE 36

#endif
