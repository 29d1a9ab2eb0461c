/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles the tables: one decision per call number, runs of equal decisions merged, and a binary
 * search over the runs. The 32-bit system calls of the same machine get a program of their own
 * behind the check of the architecture; any other architecture kills.
 */
#include "container/seccomp_filter.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct call_number {
	char name[28];
	uint16_t number;
};
#include "seccomp_numbers.h"

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#define COMPAT_ARCHITECTURE AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#define COMPAT_ARCHITECTURE 0 /* its headers have no numbers of 32-bit ARM */
#else
#define NATIVE_ARCHITECTURE 0
#define COMPAT_ARCHITECTURE 0
#endif

#define NUMBERS_MAX 512
#define PROGRAM_MAX 4096
#define DATA(member) (uint32_t) offsetof(struct seccomp_data, member)

struct program {
	struct sock_filter code[PROGRAM_MAX];
	size_t len;
};

/* A run of call numbers with one decision; `check` only counts for RULE_CHECK. */
struct run {
	uint32_t first;
	uint8_t rule;
	uint16_t check;
};

struct decisions {
	uint8_t rules[NUMBERS_MAX];
	uint16_t checks[NUMBERS_MAX]; /* index of the first check of that name */
	struct run runs[NUMBERS_MAX + 1];
	size_t n_runs;
};

static size_t emit(struct program *p, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
	if (p->len >= PROGRAM_MAX)
		BUG("the seccomp program is too long");
	p->code[p->len] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = value};
	return p->len++;
}

static void emit_return(struct program *p, uint32_t action)
{
	(void)emit(p, BPF_RET | BPF_K, action, 0, 0);
}

static int compare_names(const void *name, const void *row)
{
	return strcmp(name, ((const struct call_number *)row)->name);
}

static int find_number(const struct call_number *table, size_t count, const char *name, size_t len)
{
	char text[sizeof(table->name)];

	if (len >= sizeof(text))
		return -1;
	memcpy(text, name, len);
	text[len] = '\0';
	const struct call_number *row = bsearch(text, table, count, sizeof(*table), compare_names);
	return row && row->number < NUMBERS_MAX ? row->number : -1;
}

static void decide_list(struct decisions *d, const struct call_number *table, size_t count,
                        const char *names, enum seccomp_rule rule)
{
	while (*names) {
		size_t len = strcspn(names, " ");
		int number = find_number(table, count, names, len);
		if (number >= 0)
			d->rules[number] = (uint8_t)rule;
		names += len + (names[len] == ' ');
	}
}

static void decide(struct decisions *d, const struct seccomp_tables *t,
                   const struct call_number *table, size_t count)
{
	memset(d, 0, sizeof(*d));
	decide_list(d, table, count, t->allowed, RULE_ALLOW);
	decide_list(d, table, count, t->refused, RULE_REFUSE);
	for (size_t i = t->n_checks; i-- > 0;) {
		int number =
		        find_number(table, count, t->checks[i].name, strlen(t->checks[i].name));
		if (number < 0)
			continue;
		d->rules[number] = RULE_CHECK;
		d->checks[number] = (uint16_t)i;
	}
	for (uint32_t i = 0; i < NUMBERS_MAX; i++) {
		if (i > 0 && d->rules[i] == d->rules[i - 1] && d->checks[i] == d->checks[i - 1])
			continue;
		d->runs[d->n_runs++] =
		        (struct run){.first = i, .rule = d->rules[i], .check = d->checks[i]};
	}
	d->runs[d->n_runs++] = (struct run){.first = NUMBERS_MAX, .rule = RULE_UNKNOWN};
}

static void emit_checks(struct program *p, const struct seccomp_tables *t, size_t first)
{
	const char *name = t->checks[first].name;

	(void)emit(p, BPF_LD | BPF_W | BPF_ABS, DATA(args[0]), 0, 0);
	for (size_t i = first; i < t->n_checks && strcmp(t->checks[i].name, name) == 0; i++) {
		const struct seccomp_check *c = &t->checks[i];
		bool is_bits = c->kind == CHECK_NO_BITS, is_equal = c->kind == CHECK_EQUAL;
		/* Jump over the next instruction unless the condition holds. */
		(void)emit(p, BPF_JMP | (is_bits ? BPF_JSET : BPF_JEQ) | BPF_K, c->value,
		           is_equal ? 0 : 1, is_equal ? 1 : 0);
		emit_return(p, SECCOMP_RET_ALLOW);
	}
	emit_return(p, SECCOMP_RET_ERRNO | EPERM);
}

static void emit_decision(struct program *p, const struct seccomp_tables *t, const struct run *run)
{
	switch ((enum seccomp_rule)run->rule) {
	case RULE_UNKNOWN:
		emit_return(p, SECCOMP_RET_ERRNO | ENOSYS);
		break;
	case RULE_REFUSE:
		emit_return(p, SECCOMP_RET_ERRNO | EPERM);
		break;
	case RULE_ALLOW:
		emit_return(p, SECCOMP_RET_ALLOW);
		break;
	case RULE_CHECK:
		emit_checks(p, t, run->check);
		break;
	}
}

/* Binary search among the runs from..to-1; the number of the call is in the accumulator. */
static void emit_search(struct program *p, const struct seccomp_tables *t,
                        const struct decisions *d, size_t from, size_t to)
{
	if (to - from == 1) {
		emit_decision(p, t, &d->runs[from]);
		return;
	}
	size_t middle = from + (to - from) / 2;
	(void)emit(p, BPF_JMP | BPF_JGE | BPF_K, d->runs[middle].first, 0, 1);
	/* Conditional jumps reach 255 instructions, unconditional ones any number. */
	size_t jump = emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_search(p, t, d, from, middle);
	p->code[jump].k = (uint32_t)(p->len - jump - 1);
	emit_search(p, t, d, middle, to);
}

static void emit_architecture(struct program *p, const struct seccomp_tables *t,
                              uint32_t architecture, const struct call_number *table, size_t count)
{
	struct decisions *d = xmalloc(sizeof(*d));

	decide(d, t, table, count);
	(void)emit(p, BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0);
	size_t jump = emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	(void)emit(p, BPF_LD | BPF_W | BPF_ABS, DATA(nr), 0, 0);
	emit_search(p, t, d, 0, d->n_runs);
	p->code[jump].k = (uint32_t)(p->len - jump - 1);
	free(d);
}

static char *to_base64(const uint8_t *data, size_t len)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = xmalloc((len + 2) / 3 * 4 + 1), *at = text;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t word = (uint32_t)data[i] << 16;
		word |= i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0;
		word |= i + 2 < len ? data[i + 2] : 0;
		*at++ = digits[word >> 18];
		*at++ = digits[word >> 12 & 63];
		*at++ = i + 1 < len ? digits[word >> 6 & 63] : '=';
		*at++ = i + 2 < len ? digits[word & 63] : '=';
	}
	*at = '\0';
	return text;
}

char *seccomp_filter_base64(const struct seccomp_tables *tables)
{
	const size_t n_native = sizeof(native_numbers) / sizeof(native_numbers[0]) - 1;
	const size_t n_compat = sizeof(compat_numbers) / sizeof(compat_numbers[0]) - 1;

	if (NATIVE_ARCHITECTURE == 0 || n_native == 0)
		return NULL;
	autofree struct program *p = xmalloc(sizeof(*p));
	p->len = 0;
	(void)emit(p, BPF_LD | BPF_W | BPF_ABS, DATA(arch), 0, 0);
	emit_architecture(p, tables, NATIVE_ARCHITECTURE, native_numbers, n_native);
	if (COMPAT_ARCHITECTURE != 0 && n_compat > 0)
		emit_architecture(p, tables, COMPAT_ARCHITECTURE, compat_numbers, n_compat);
	emit_return(p, SECCOMP_RET_KILL_PROCESS);
	return to_base64((const uint8_t *)p->code, p->len * sizeof(p->code[0]));
}
