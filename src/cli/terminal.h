/* SPDX-License-Identifier: Apache-2.0 */
/* What the terminal is and can show, and the one live line that we keep on it. */
#ifndef HEARTH_CLI_TERMINAL_H
#define HEARTH_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Columns of the terminal: COLUMNS, else what the terminal says, else 80. */
int terminal_width(void);
bool terminal_is(int fd);        /* a terminal */
bool terminal_has_color(int fd); /* a terminal, NO_COLOR unset, TERM not "dumb" */
bool terminal_is_utf8(void);     /* by LC_ALL, LC_CTYPE, LANG */

/* One line on stderr that is overwritten; nothing happens when stderr is no terminal. Control
 * characters in `text` are replaced and it is cut to the width. */
void terminal_status(const char *text);
void terminal_status_clear(void);

/* Ctrl-C. Installed once; after that SIGINT sets a flag and interrupts blocking calls. A second
 * Ctrl-C ends the process as usual. */
void terminal_catch_interrupt(void);
bool terminal_interrupted(void);
/* Sleep; false when interrupted. */
bool terminal_sleep(int milliseconds);

#endif
