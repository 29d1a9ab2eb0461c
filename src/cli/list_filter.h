/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that lists of jobs and of schedules share, with the words of `hf`. */
#ifndef HEARTH_CLI_LIST_FILTER_H
#define HEARTH_CLI_LIST_FILTER_H

#include "base/error.h"

/* The next word of a list with commas, without blanks around it; cuts the text. NULL: no more. */
char *list_filter_word(char **rest);
/* Is `text` a filter KEY=VALUE that does not contradict --name (`name`; NULL: not given)? E_INVALID. */
int list_filter_check_label(const char *text, const char *name, struct error *err);

#endif
