/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: sentences, their codes, and the one table that maps codes to the world outside. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct code_row {
	const char *name;
	int http_status;
	int exit_status;
};

static const struct code_row code_rows[] = {
        [E_NONE] = {"none", 200, 0},
        [E_INVALID] = {"invalid", 400, 1},
        [E_UNAUTHORIZED] = {"unauthorized", 401, 1},
        [E_PAYMENT] = {"payment", 402, 1},
        [E_FORBIDDEN] = {"forbidden", 403, 1},
        [E_NOT_FOUND] = {"not found", 404, 1},
        [E_CONFLICT] = {"conflict", 409, 1},
        [E_TOO_LARGE] = {"too large", 413, 1},
        [E_BUSY] = {"busy", 429, 1},
        [E_UNSUPPORTED] = {"unsupported", 501, 1},
        [E_UNAVAILABLE] = {"unavailable", 503, 1},
        [E_INTERNAL] = {"internal", 500, 1},
};
#define CODE_COUNT (sizeof(code_rows) / sizeof(code_rows[0]))

/* One line, and never half of a UTF-8 character at the cut. */
static void tidy(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	size_t len = strlen(text);
	if (len < ERROR_TEXT_SIZE - 1)
		return;
	size_t start = len;
	while (start > 0 && len - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)text[start - 1] >= 0xc0) {
		unsigned char lead = (unsigned char)text[start - 1];
		size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
		if (len - (start - 1) < want)
			text[start - 1] = '\0';
	}
}

#undef fail /* what error.h has for the analyser */
#undef fail_errno
#undef error_prefix

int fail(struct error *err, enum error_code code, const char *fmt, ...)
{
	/* The arguments may point into err->text itself. */
	char text[ERROR_TEXT_SIZE];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err->code = code;
	memcpy(err->text, text, sizeof(text));
	tidy(err->text);
	return -1;
}

int fail_errno(struct error *err, enum error_code code, int errno_value, const char *fmt, ...)
{
	char text[ERROR_TEXT_SIZE];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	char words[128];
	return fail(err, code, "%s: %s", text, strerror_r(errno_value, words, sizeof(words)));
}

int error_prefix(struct error *err, const char *fmt, ...)
{
	char text[ERROR_TEXT_SIZE];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fail(err, err->code, "%s: %s", text, err->text);
}

int error_http_status(enum error_code code)
{
	return (size_t)code < CODE_COUNT ? code_rows[code].http_status : 500;
}

int error_exit_status(enum error_code code)
{
	return (size_t)code < CODE_COUNT ? code_rows[code].exit_status : 1;
}

const char *error_code_name(enum error_code code)
{
	return (size_t)code < CODE_COUNT ? code_rows[code].name : code_rows[E_INTERNAL].name;
}

enum error_code error_code_by_name(const char *name)
{
	for (size_t i = 0; name && i < CODE_COUNT; i++)
		if (!strcmp(code_rows[i].name, name))
			return (enum error_code)i;
	return E_INTERNAL;
}

_Noreturn void bug_at(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)fprintf(stderr, "BUG at %s:%d: ", file, line);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	abort();
}
