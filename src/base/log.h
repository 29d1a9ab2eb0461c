/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log, on stderr. Each line carries a journal priority prefix ("<6>") when stderr is the
 * journal (JOURNAL_STREAM is set), else a UTC time and the level. errno is kept intact.
 */
#ifndef HEARTH_BASE_LOG_H
#define HEARTH_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* `program` is borrowed for ever and stands in front of each line. */
void log_open(const char *program, enum log_level level);
int log_level_by_name(const char *name); /* "error", "warning", "info", "debug"; -1 if unknown */

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
