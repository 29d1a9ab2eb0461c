/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, said to the caller: a small code and a finished sentence.
 *
 * Functions come in three shapes: cannot fail; look-up (NULL means there is none); can fail: returns
 * 0 or -1 and takes `struct error *err` last. Outputs are untouched on failure. Whoever handles an
 * error logs it; whoever returns it does not. `err` may never be NULL.
 */
#ifndef HEARTH_BASE_ERROR_H
#define HEARTH_BASE_ERROR_H

enum error_code {
	E_NONE = 0,
	E_INVALID,	/* the caller's input is wrong; the text names the field      400, exit 1 */
	E_UNAUTHORIZED, /* no token or an unknown one                                  401 */
	E_PAYMENT,	/* no credit left                                              402 */
	E_FORBIDDEN,	/* known caller without the right; the text names the right    403 */
	E_NOT_FOUND,	/* no such thing, or not visible to the caller                 404 */
	E_CONFLICT,	/* the thing's state forbids it                                409 */
	E_TOO_LARGE,	/*                                                             413 */
	E_BUSY,		/* too many requests, try later                                429 */
	E_UNSUPPORTED,	/* understood, but not built or not configured                 501 */
	E_UNAVAILABLE,	/* something that we depend on does not answer                 503 */
	E_INTERNAL,	/* our fault                                                   500 */
};

#define ERROR_TEXT_SIZE 512

struct error {
	enum error_code code;
	char text[ERROR_TEXT_SIZE]; /* UTF-8, one line, no final full stop, cut if too long */
};

#define ERROR_INIT ((struct error){ .code = E_NONE })

/* Fill `err` and return -1, so that failing is one line: `return fail(err, E_INVALID, "...", x);` */
int fail(struct error *err, enum error_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As fail(), with ": <text of errno_value>" appended. */
int fail_errno(struct error *err, enum error_code code, int errno_value, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Put "<context>: " in front of the text on the way up. Returns -1; keeps the code. */
int error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__ /* it looks at one file at a time: say that these always return -1 */
#define fail(...) ((fail)(__VA_ARGS__), -1)
#define fail_errno(...) ((fail_errno)(__VA_ARGS__), -1)
#define error_prefix(...) ((error_prefix)(__VA_ARGS__), -1)
#endif

/* HTTP status and process exit status of a code: the one table that maps them. */
int error_http_status(enum error_code code);
int error_exit_status(enum error_code code);

/* Short lower-case name of a code ("not found"), and back; for messages between processes. */
const char *error_code_name(enum error_code code);
enum error_code error_code_by_name(const char *name); /* E_INTERNAL when unknown */

/* A broken invariant: print and abort. Never for input. */
#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void bug_at(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
