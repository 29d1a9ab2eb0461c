/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of a job on their way from hearthd through spec.json and the monitor to hearth-mount.
 *
 * spec.json, "mounts": array of objects, in the order in which they are mounted:
 *   {"kind":"bucket","namespace","name","path":"" or sub-folder,"target","read_only","quota_bytes":0 = none}
 *   {"kind":"repository","type":"model"|"dataset"|"space","source":"ns/name","revision":commit or name,"path","target",
 *    "endpoint":URL of the Hub,"token":"" or hf_…,"fetch":"lazy"|"prefetch"}
 *   {"kind":"mirror","type","source","revision","path","target"}      folder of [hub] mirror
 *   {"kind":"uv-cache","namespace_id","key":64 hex,"private","target"}
 *                                                                     see [uv], container/uv_cache.h; private: environments of its own
 *   {"kind":"uv-wheels","target"}                                     folder of [uv] wheels, read-only
 * No host path is in it: the monitor finds folders by name below the state folder or below hub.mirror.
 *
 * hearth-mount serves one volume of kind bucket, repository or mirror over FUSE. The monitor opens everything:
 *   descriptor 3   /dev/fuse, already mounted (fuse_session_mount with "/dev/fd/3")
 *   descriptor 4   the folder to show: of the bucket, of the mirror, or of the block cache (repository)
 *   descriptor 5   one end of a SOCK_SEQPACKET pair with the monitor
 *   standard input one JSON object: the mount object above and "owner_uid", "owner_gid": host ids of root in the job (files
 *                  seem to belong to it), "limits": {"cache_bytes","timeout_s"}
 * It runs as hearth's user without capabilities (network only for a repository) and says on descriptor 5
 *   {"type":"ready"}                    the first request can be answered (for a repository: the list of files is there)
 *   {"type":"error","code","text"}      it cannot be served: the job ends as ERROR with this sentence
 *   {"type":"full","text"}              once: a write failed for want of space or quota (the owner reads it in the job's message)
 * When the monitor has unmounted the volume, hearth-mount flushes what was written (syncfs) and exits with status 0; only
 * then the exit record is written.
 */
#ifndef HEARTH_BASE_VOLUME_H
#define HEARTH_BASE_VOLUME_H

#define VOLUME_FUSE_FD 3
#define VOLUME_FOLDER_FD 4
#define VOLUME_LINK_FD 5
#define VOLUME_UV_CACHE "uv-cache"
#define VOLUME_UV_WHEELS "uv-wheels"
#define VOLUME_UV_TARGET "/var/cache/hearth/uv" /* of uv-cache */
#define VOLUME_WHEELS_TARGET "/var/cache/hearth/wheels"
#define VOLUMES_MAX 32 /* of one job */

#endif
