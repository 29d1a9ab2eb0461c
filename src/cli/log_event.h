/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event of a log stream: {"data": line, "timestamp": time}. Decoded here and not by jansson,
 * because a log line may hold anything: NULs and half surrogate pairs too, and megabytes of it.
 */
#ifndef HEARTH_CLI_LOG_EVENT_H
#define HEARTH_CLI_LOG_EVENT_H

#include "base/buffer.h"
#include "base/error.h"

#define LOG_EVENT_TIME_SIZE 40

/* Appends the bytes of "data" (UTF-8; a lone surrogate becomes U+FFFD) to `ret_line`; the time is
 * "" if there is none. E_UNAVAILABLE if the event is not of this form. */
int log_event_decode(const char *json, size_t len, struct buffer *ret_line,
                     char ret_time[LOG_EVENT_TIME_SIZE], struct error *err);

#endif
