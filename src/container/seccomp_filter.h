/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default profile of seccomp.c as a BPF program. A runtime needs many milliseconds to compile a
 * profile; crun takes a finished program.
 */
#ifndef HEARTH_CONTAINER_SECCOMP_FILTER_H
#define HEARTH_CONTAINER_SECCOMP_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What happens to a call. */
enum seccomp_rule {
	RULE_UNKNOWN, /* ENOSYS */
	RULE_REFUSE,  /* EPERM */
	RULE_ALLOW,
	RULE_CHECK, /* `allowed` of the first argument decides; else EPERM */
};

/* A condition on the low 32 bits of the first argument. */
struct seccomp_check {
	const char *name;
	enum { CHECK_EQUAL, CHECK_NOT_EQUAL, CHECK_NO_BITS } kind;
	uint32_t value;
};

struct seccomp_tables {
	const char *allowed, *refused; /* names, separated by blanks */
	const struct seccomp_check *checks; /* several rows of one name are alternatives */
	size_t n_checks;
};

/* The program (struct sock_filter[]) in base64, yours to free; NULL on an architecture without
 * tables. */
char *seccomp_filter_base64(const struct seccomp_tables *tables);

#endif
