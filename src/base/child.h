/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that we run. child_run() waits and is for processes without an event loop (monitor,
 * pull, CLI); hearthd's loop never waits for a child.
 */
#ifndef HEARTH_BASE_CHILD_H
#define HEARTH_BASE_CHILD_H

#include "base/buffer.h"
#include "base/error.h"

#include <sys/types.h>

struct child_spec {
	const char *const *argv; /* argv[0] is searched in PATH; NULL-terminated */
	const char *const *envp; /* NULL: ours */
	int in_fd;		 /* -1: /dev/null */
	int out_fd;		 /* -1: /dev/null */
	int err_fd;		 /* -1: ours */
	int extra_fd;		 /* -1: none; else handed on as descriptor 3 */
};

#define CHILD_SPEC(argv_) ((struct child_spec){ .argv = (argv_), .in_fd = -1, .out_fd = -1, .err_fd = -1, .extra_fd = -1 })

/* Start it; every other descriptor is closed in the child. The caller reaps `*ret_pid`. */
int child_start(const struct child_spec *spec, pid_t *ret_pid, struct error *err);
/* Run to its end. `input` (may be NULL) is its standard input. Standard output and error, merged,
 * are appended to `ret_output` (may be NULL; cut at its maximum). Non-zero exit is E_INTERNAL with
 * the program's own words in the text. */
int child_run(const char *const *argv, const char *input, struct buffer *ret_output,
	      struct error *err);

#endif
