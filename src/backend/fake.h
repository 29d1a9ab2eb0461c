/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend that runs nothing: the job's command is the script of its attempt. For contract and unit
 * tests. Words after the first one of the command, each optional:
 *
 *   pull=MS      progress "Pulling image: 1 of 2 layers, 50 %" for that long (default 0)
 *   run=MS       time from running to the end (default 0); run=forever: until it is stopped
 *   line=TEXT    a line of the log, in the attempt folder
 *   exit=N  signal=N  oom  timeout  lost  fail=TEXT      how it ends (default exit=0); fail: it never
 *                                                        gets to running
 */
#ifndef HEARTH_BACKEND_FAKE_H
#define HEARTH_BACKEND_FAKE_H

#include "job/backend.h"
#include "net/loop.h"

/* `attempts_fd` -1: no folders. */
struct backend *backend_fake_new(struct loop *loop, int attempts_fd,
				 const struct backend_events *events);

#endif
