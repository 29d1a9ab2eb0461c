/* SPDX-License-Identifier: Apache-2.0 */
/* The log on stderr: one write per line, so that lines of several processes do not mix. */
#include "base/log.h"
#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *log_program = "hearth";
static enum log_level log_threshold = LOG_LEVEL_INFO;
static bool log_is_journal;

struct level_row {
	enum log_level level;
	const char *name;
};

static const struct level_row level_rows[] = {
        {LOG_LEVEL_ERROR, "error"},
        {LOG_LEVEL_WARNING, "warning"},
        {LOG_LEVEL_INFO, "info"},
        {LOG_LEVEL_DEBUG, "debug"},
};
#define LEVEL_COUNT (sizeof(level_rows) / sizeof(level_rows[0]))

void log_open(const char *program, enum log_level level)
{
	log_program = program;
	log_threshold = level;
	log_is_journal = getenv("JOURNAL_STREAM") != NULL;
}

int log_level_by_name(const char *name)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++)
		if (!strcmp(level_rows[i].name, name))
			return (int)level_rows[i].level;
	return -1;
}

static const char *level_name(enum log_level level)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++)
		if (level_rows[i].level == level)
			return level_rows[i].name;
	return "?";
}

void log_write(enum log_level level, const char *fmt, ...)
{
	if (level > log_threshold)
		return;
	int saved_errno = errno;
	char line[2048];
	int head;
	if (log_is_journal) {
		head = snprintf(line, sizeof(line), "<%d>%s: ", (int)level, log_program);
	} else {
		char now[CLOCK_TEXT_SIZE];
		head = snprintf(line, sizeof(line),
		                "%s %s: %s: ", clock_format_iso(clock_now_ms(), now), log_program,
		                level_name(level));
	}
	size_t len = (size_t)head;
	va_list ap;
	va_start(ap, fmt);
	int body = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (body > 0)
		len += (size_t)body < sizeof(line) - len - 1 ? (size_t)body
		                                             : sizeof(line) - len - 2;
	/* A text from outside must not be able to forge a line of its own. */
	for (size_t i = (size_t)head; i < len; i++)
		if ((unsigned char)line[i] < 0x20)
			line[i] = ' ';
	line[len++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, len);
	(void)written;
	errno = saved_errno;
}
