/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between hearthd and hearth-pull, one JSON object each over a SOCK_SEQPACKET pair.
 *
 * hearthd → hearth-pull, once:
 *   {"action":"pull","reference":<full>,"architecture":"amd64"}
 *   {"action":"import","reference":<full>}     the archive is the extra descriptor (4): an OCI layout
 *                                              tar, a docker-save tar, or a root file system tar,
 *                                              each plain or compressed
 *   {"action":"remove","reference":<full>,"in_use":[…]}  the record, then layers that nobody refers
 *                                              to; E_CONFLICT if its digest is in use (may be absent)
 *   {"action":"prune","keep_bytes":N,"in_use":[<manifest digest>…]}   least recently used first;
 *                                              N = 0: everything not in use
 * hearthd cancels by closing its end; layers that are complete stay in the store.
 * hearth-pull → hearthd:
 *   {"type":"progress","layers_done":2,"layers":5,"bytes_done":…,"bytes":…}  at most ten a second
 *   {"type":"done","image":{record}}  or  {"type":"done","freed_bytes":…,"removed":[…]}
 *   {"type":"error","code":"not found","text":"Image not found: …; the registry said …"}
 */
#ifndef HEARTH_IMAGE_PULL_PROTOCOL_H
#define HEARTH_IMAGE_PULL_PROTOCOL_H

#define PULL_MESSAGE_MAX (128 * 1024)
#define PULL_SOCKET_FD 3
#define PULL_ARCHIVE_FD 4

#endif
