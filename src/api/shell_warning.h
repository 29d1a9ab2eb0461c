/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trap of shells: `bash -c "pip install torch>=2.1"` writes the output to a file named "=2.1" and
 * installs any version, so that the job succeeds without doing what was meant.
 */
#ifndef HEARTH_API_SHELL_WARNING_H
#define HEARTH_API_SHELL_WARNING_H

#include <jansson.h>
#include <stdbool.h>

/* Value of the header X-HF-Warning: topic, then the message, which the client logs once. */
#define SHELL_WARNING_TEXT                                                                         \
	"jobs-shell-redirect; The shell command contains >= outside quotes: the shell takes that " \
	"as a redirection into a file. Quote it, as in 'torch>=2.1'"

/* Whether a shell is given a script with an unquoted ">=". */
bool shell_warning_applies(const json_t *command, const json_t *arguments);

#endif
