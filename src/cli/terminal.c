/* SPDX-License-Identifier: Apache-2.0 */
/* Width, colour and encoding of the terminal, the status line, and Ctrl-C. */
#include "cli/terminal.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;
static bool status_shown;

int terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	long width = columns ? strtol(columns, NULL, 10) : 0;
	if (width > 0 && width <= INT_MAX)
		return (int)width;
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

bool terminal_is(int fd)
{
	return isatty(fd) == 1;
}

bool terminal_has_color(int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	if (no_color && *no_color)
		return false;
	return terminal_is(fd) && !(term && strcmp(term, "dumb") == 0);
}

bool terminal_is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	for (size_t i = 0; i < 3; i++) {
		const char *value = getenv(names[i]);
		if (!value || !*value)
			continue;
		/* "C" says nothing about the terminal; today's terminals are UTF-8. */
		return strcmp(value, "C") == 0 || strcmp(value, "POSIX") == 0 ||
		       strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return true;
}

void terminal_status(const char *text)
{
	if (!terminal_is(STDERR_FILENO))
		return;
	char line[512];
	size_t room = (size_t)terminal_width() - 1, n = 0;
	if (room > sizeof line - 1)
		room = sizeof line - 1;
	for (; *text && n < room; text++)
		line[n++] = (unsigned char)*text < ' ' || *text == 127 ? ' ' : *text;
	/* Not in the middle of a character. */
	while (*text && n && (*text & 0xc0) == 0x80 && (line[--n] & 0xc0) == 0x80)
		;
	line[n] = '\0';
	bool color = terminal_has_color(STDERR_FILENO);
	fprintf(stderr, "\r\033[K%s%s%s", color ? "\033[90m" : "", line, color ? "\033[0m" : "");
	fflush(stderr);
	status_shown = true;
}

void terminal_status_clear(void)
{
	if (!status_shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	status_shown = false;
}

static void on_interrupt(int sig)
{
	interrupted = 1;
	signal(sig, SIG_DFL);
}

void terminal_catch_interrupt(void)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	sigemptyset(&action.sa_mask);
	struct sigaction old;
	/* Ignored by whoever started us (nohup, a background job of sh): stays ignored. */
	if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return;
	sigaction(SIGINT, &action, NULL);
}

bool terminal_interrupted(void)
{
	return interrupted;
}

bool terminal_sleep(int milliseconds)
{
	if (!interrupted)
		(void)poll(NULL, 0, milliseconds);
	return !interrupted;
}
