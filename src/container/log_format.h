/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of an attempt: `log` in its folder, append-only, one record per line:
 *
 *   <13-digit Unix milliseconds> <kind> <bytes>\n        "1778597864120 o Python 3.12.11\n"
 *
 *   o  a line of the job (standard output and error share one pipe, so their order is exact)
 *   c  the beginning of a line that the next record continues (pieces of at most 64 KiB, cut between
 *      UTF-8 characters)
 *   s  a line of ours: the marker, a gap notice
 *
 * One trailing \r of a line is dropped. A last line without \n is written when the job ends, or after
 * it has been pending for a second without growth (then the rest of the line is a record of its own).
 *
 * Limit: when a log passes log_limit_bytes, the first and the last half are kept: the middle is
 * punched out (FALLOC_FL_PUNCH_HOLE), so offsets stay. The file `log.gap` holds {"from":…,"to":…,
 * "records":…}; `from` and `to` lie on record boundaries. Readers put one literal line there once the
 * job has ended.
 *
 * After the end a log over 64 KiB is compressed to `log.zst`: independent zstd frames of 1 MiB of log
 * each, and `log.zst.index`: one little-endian uint64 per frame, its offset in log.zst. `log` is
 * removed after both are durable.
 */
#ifndef HEARTH_CONTAINER_LOG_FORMAT_H
#define HEARTH_CONTAINER_LOG_FORMAT_H

#define LOG_PREFIX_LENGTH 16 /* 13 digits, blank, kind, blank */
#define LOG_PIECE_MAX (64 * 1024)
#define LOG_FRAME_SIZE (1024 * 1024)

#define LOG_KIND_LINE 'o'
#define LOG_KIND_CONTINUED 'c'
#define LOG_KIND_SYSTEM 's'

#endif
