/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of hearth-files, for file_worker.c; what callers may do with them is in file_worker.h. */
#ifndef HEARTH_JOB_FILE_ANSWER_H
#define HEARTH_JOB_FILE_ANSWER_H

#include "job/file_worker.h"

struct file_answer *file_answer_new(int take_fd);
void file_answer_release(struct file_answer *answer); /* free it unless it was kept */
/* The last line of the file; NULL when it is none of JSON. */
json_t *file_answer_last_line(int fd);

#endif
