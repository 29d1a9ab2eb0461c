/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF program gets struct bpf_cgroup_dev_ctx: the kind of node in the low half of access_type,
 * what is wanted in the high half, major and minor. It compares them rule by rule: 1 is yes, 0 at
 * the end is no.
 */
#include "container/device_rules.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

enum {
	R_RESULT = BPF_REG_0,
	R_CONTEXT = BPF_REG_1,
	R_TYPE = BPF_REG_2,
	R_ACCESS = BPF_REG_3,
	R_MAJOR = BPF_REG_4,
	R_MINOR = BPF_REG_5
};

static struct bpf_insn op(uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	return (struct bpf_insn){
	        .code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = imm};
}

static struct bpf_insn load_word(uint8_t dst, size_t offset)
{
	return op(BPF_LDX | BPF_W | BPF_MEM, dst, R_CONTEXT, (int16_t)offset, 0);
}

static size_t begin_program(struct bpf_insn *p)
{
	size_t n = 0;

	p[n++] = load_word(R_TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	p[n++] = op(BPF_ALU64 | BPF_MOV | BPF_X, R_ACCESS, R_TYPE, 0, 0);
	p[n++] = op(BPF_ALU64 | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
	p[n++] = op(BPF_ALU64 | BPF_RSH | BPF_K, R_ACCESS, 0, 0, 16);
	p[n++] = load_word(R_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	p[n++] = load_word(R_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	return n;
}

/* Each test that fails jumps behind the rule. */
static size_t add_rule(const struct device_rule *rule, struct bpf_insn *p)
{
	int type = rule->is_block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	int refused = BPF_DEVCG_ACC_MKNOD | (rule->can_read ? 0 : BPF_DEVCG_ACC_READ) |
	              (rule->can_write ? 0 : BPF_DEVCG_ACC_WRITE);
	size_t n = 0, len = rule->minor >= 0 ? 6 : 5;

	p[n] = op(BPF_JMP | BPF_JNE | BPF_K, R_TYPE, 0, (int16_t)(len - n - 1), type);
	n++;
	p[n] = op(BPF_JMP | BPF_JSET | BPF_K, R_ACCESS, 0, (int16_t)(len - n - 1), refused);
	n++;
	p[n] = op(BPF_JMP | BPF_JNE | BPF_K, R_MAJOR, 0, (int16_t)(len - n - 1),
	          (int32_t)rule->major);
	n++;
	if (rule->minor >= 0) {
		p[n] = op(BPF_JMP | BPF_JNE | BPF_K, R_MINOR, 0, (int16_t)(len - n - 1),
		          (int32_t)rule->minor);
		n++;
	}
	p[n++] = op(BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, 1);
	p[n++] = op(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return n;
}

size_t device_rules_program(const struct device_rule *rules, size_t n_rules, struct bpf_insn *ret)
{
	size_t n = begin_program(ret);

	for (size_t i = 0; i < n_rules && i < DEVICE_RULES_MAX; i++)
		n += add_rule(&rules[i], ret + n);
	ret[n++] = op(BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, 0);
	ret[n++] = op(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return n;
}

/* bpf(2) has no wrapper in the C library. */
static int call_bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int device_rules_attach(int cgroup_fd, const struct device_rule *rules, size_t n_rules,
                        struct error *err)
{
	autofree struct bpf_insn *program = xcalloc(DEVICE_PROGRAM_MAX, sizeof(*program));
	union bpf_attr load, attach;

	memset(&load, 0, sizeof(load));
	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insns = (uint64_t)(uintptr_t)program;
	load.insn_cnt = (uint32_t)device_rules_program(rules, n_rules, program);
	load.license = (uint64_t)(uintptr_t) "Apache-2.0";
	autoclose int fd = call_bpf(BPF_PROG_LOAD, &load);
	if (fd < 0)
		return fail_errno(err, E_UNSUPPORTED, errno,
		                  "the kernel takes no BPF program that guards devices");
	memset(&attach, 0, sizeof(attach));
	attach.target_fd = (uint32_t)cgroup_fd;
	attach.attach_bpf_fd = (uint32_t)fd;
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	if (call_bpf(BPF_PROG_ATTACH, &attach))
		return fail_errno(err, E_UNSUPPORTED, errno,
		                  "the job's cgroup takes no BPF program that guards devices");
	return 0;
}

static int write_text(int fd, const char *text)
{
	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* As the controller of v1 reads it, into `ret`. */
static void format_rule(const struct device_rule *rule, char *ret, size_t size)
{
	char minor[24] = "*";

	if (rule->minor >= 0)
		(void)snprintf(minor, sizeof(minor), "%lld", (long long)rule->minor);
	(void)snprintf(ret, size, "%c %lld:%s %s%s", rule->is_block ? 'b' : 'c',
	               (long long)rule->major, minor, rule->can_read ? "r" : "",
	               rule->can_write ? "w" : "");
}

static int write_rules(int dir_fd, const struct device_rule *rules, size_t n_rules,
                       struct error *err)
{
	autoclose int deny_fd = openat(dir_fd, "devices.deny", O_WRONLY | O_CLOEXEC);
	autoclose int allow_fd = openat(dir_fd, "devices.allow", O_WRONLY | O_CLOEXEC);
	char text[64];
	int rc = 0;

	if (write_text(deny_fd, "a"))
		return fail_errno(err, E_UNSUPPORTED, errno,
		                  "the job's cgroup takes no rules for devices");
	/* What the group above may not have, this one may not either. All others it gets. */
	for (size_t i = 0; i < n_rules; i++) {
		format_rule(&rules[i], text, sizeof(text));
		if ((rules[i].can_read || rules[i].can_write) && write_text(allow_fd, text))
			rc = fail_errno(err, E_UNSUPPORTED, errno,
			                "the job's cgroup may not have the device %s", text);
	}
	return rc;
}

int device_rules_apply(const struct cgroup *cgroup, const struct device_rule *rules, size_t n_rules,
                       struct error *err)
{
	bool is_unified;
	int fd = cgroup_devices_fd(cgroup, &is_unified);

	if (n_rules > DEVICE_RULES_MAX)
		return fail(err, E_INVALID, "the job has too many devices");
	if (fd < 0)
		return fail(err, E_UNSUPPORTED, "the kernel has no cgroup controller for devices");
	return is_unified ? device_rules_attach(fd, rules, n_rules, err)
	                  : write_rules(fd, rules, n_rules, err);
}
