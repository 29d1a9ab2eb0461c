/* SPDX-License-Identifier: Apache-2.0 */
/* Runs hearth-files (hub/file_work.h) for the loop: a queue, as many at once as there are CPUs (at least two), each with
 * its request on a memfd and its answer in an unlinked temporary file (a short one in memory), so that neither blocks nor
 * grows memory. */
#ifndef HEARTH_JOB_FILE_WORKER_H
#define HEARTH_JOB_FILE_WORKER_H

#include "base/error.h"
#include "net/loop.h"

#include <jansson.h>
#include <stdbool.h>

struct file_worker;
struct file_answer; /* lines of JSON */

/* `program`: path of hearth-files; `tmp_dir`: for answers. Both are copied. */
struct file_worker *file_worker_new(struct loop *loop, const char *program, const char *tmp_dir);
void file_worker_free(struct file_worker *worker);

/* Called once, in a later turn: `answer` NULL: it failed, `err` says why (the program's own sentence and code, but
 * E_TOO_LARGE for a full disk). */
typedef void file_worker_fn(void *arg, struct file_answer *answer, const struct error *err);
/* Urgent work overtakes what is not urgent (hashing after a job). `body_fd` -1: none; it is duplicated. */
void file_worker_run(struct file_worker *worker, const char *operation, json_t *take_request, int body_fd, bool is_urgent,
		     file_worker_fn *fn, void *arg);
/* The next line, yours to release; NULL at the end. A long answer is to be taken in several turns. */
json_t *file_answer_next(struct file_answer *answer);
/* Keep the answer beyond the call: yours to free. */
void file_answer_keep(struct file_answer *answer);
void file_answer_free(struct file_answer *answer);

#endif
