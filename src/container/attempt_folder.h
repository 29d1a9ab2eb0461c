/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attempt folder: the contract between hearthd and a monitor, whatever the backend.
 *
 *   spec.json     hearthd → monitor: everything the monitor needs, secrets included; 0600, unlinked
 *                 by the monitor once read
 *   log           monitor: append-only, one record per line (see log_format.h)
 *   metrics       monitor: ring of one sample per second (metrics_file.h)
 *   state.json    monitor: {"phase":"starting"|"running"|"ended","started_ms":…,"monitor_pid":…},
 *                 always the same length, replaced by one write; there since before the job's process could run
 *   exit.json     monitor: the exit record, with fsync, after the last log byte is durable
 *   lock          monitor: holds it (flock) while it lives
 *   control       monitor: SOCK_SEQPACKET Unix socket
 *
 * spec.json (all members required unless said otherwise):
 *   job_id, attempt, slot (id range and address, 0…)
 *   layers: ["<64 hex>", …] lowest first; folders of the image store, checked by form
 *   args: [..], env: ["NAME=value", ..], cwd: "/…", user: "" | "name" | "uid" | "name:group" …
 *   hostname
 *   cpu_millis, memory_bytes, storage_bytes (0: no limit), pids_limit
 *   timeout_s, grace_s, log_limit_bytes (0: no limit)
 *   warning_s, warning_signal: a signal so long before the time limit, to processes that handle it (optional)
 *   devices: ["nvidia.com/gpu=…", …] CDI names (container/devices.h); metrics_devices: ["uuid", …] (both optional)
 *   network: "bridge" | "none"
 *   marker: bool, write "===== Job started at … =====" first
 *   volumes: ["/path", …] of the image config, made as empty folders of the upper layer (optional)
 *   mounts: volumes of the job and the cache of uv (base/volume.h; optional)
 *
 * Messages on `control` and on the pair given at start, one JSON object each:
 *   monitor → hearthd  {"type":"running","started_ms":…,"running_us":…}  the user's process was started, so long ago by
 *                                                         the monotonic clock
 *                      {"type":"warned","signal":…,"left_s":…}  the signal before the time limit was sent ("signal":0: nobody
 *                                                         handles it, so it was not)
 *                      {"type":"ended"}                   exit.json is there and durable
 *                      {"type":"progress","text":…}       why the job does not run yet, for its owner
 *                      {"type":"error","code":…,"text":…} by the spawner: the monitor never started
 *   hearthd → monitor  {"type":"cancel"}  SIGTERM, grace, SIGKILL of the whole tree; outcome "canceled"
 *                      {"type":"extend","timeout_s":…}    new limit, counted from the start
 * A peer that connects is told the present phase at once (running, or ended).
 */
#ifndef HEARTH_CONTAINER_ATTEMPT_FOLDER_H
#define HEARTH_CONTAINER_ATTEMPT_FOLDER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum attempt_outcome {
	OUTCOME_NONE,
	OUTCOME_EXITED,	  /* exit_code says how */
	OUTCOME_SIGNALED, /* `signal` */
	OUTCOME_OOM,	  /* the kernel killed it for memory (cgroup counters, R5) */
	OUTCOME_TIMEOUT,
	OUTCOME_CANCELED,
	OUTCOME_STORAGE,  /* over its ephemeral storage */
	OUTCOME_FAILED,	  /* never started; `message` says why */
	OUTCOME_LOST,	  /* the monitor vanished */
};
const char *outcome_name(enum attempt_outcome outcome); /* "exited", … */
int outcome_by_name(const char *name);			/* -1 if unknown */

struct exit_record {
	enum attempt_outcome outcome;
	int exit_code; /* -1: none */
	int signal;    /* 0: none */
	int64_t started_ms, ended_ms;
	int64_t running_us; /* monotonic */
	int64_t memory_peak_bytes, memory_limit_bytes;
	int64_t log_bytes; /* size of the uncompressed log */
	char message[ERROR_TEXT_SIZE]; /* why (OUTCOME_FAILED, OUTCOME_STORAGE), or what else the owner should know; or "" */
};

/* Durable. */
int exit_record_write(int dir_fd, const struct exit_record *record, struct error *err);
/* E_NOT_FOUND while there is none. */
int exit_record_read(int dir_fd, struct exit_record *ret, struct error *err);

/* True while a process holds the folder's lock file: its monitor lives. */
bool attempt_folder_is_locked(int dir_fd);

#endif
