/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF program that guards devices: run by a small machine here, and by the kernel where there
 * is a hierarchy of cgroup v2 (root). */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "container/device_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static const struct device_rule rules[] = {
        {.major = 1, .minor = 3, .can_read = true, .can_write = true},
        {.major = 136, .minor = -1, .can_read = true, .can_write = true},
        {.is_block = true, .major = 7, .minor = 2, .can_read = true},
};
#define N_RULES (sizeof(rules) / sizeof(rules[0]))

static struct bpf_insn program[DEVICE_PROGRAM_MAX];

/* As the kernel does it, for the instructions that there are. */
static uint64_t run(size_t len, uint32_t type, uint32_t access, uint32_t major_number,
                    uint32_t minor_number)
{
	struct bpf_cgroup_dev_ctx context = {access << 16 | type, major_number, minor_number};
	uint64_t r[11] = {0};

	for (size_t at = 0; at < len; at++) {
		struct bpf_insn i = program[at];
		uint64_t imm = (uint64_t)(int64_t)i.imm, *dst = &r[i.dst_reg];
		switch (i.code) {
		case BPF_LDX | BPF_W | BPF_MEM: {
			uint32_t word;
			assert_int_equal(i.src_reg, 1);
			assert_in_range(i.off, 0, sizeof(context) - 4);
			memcpy(&word, (char *)&context + i.off, 4);
			*dst = word;
			break;
		}
		case BPF_ALU64 | BPF_MOV | BPF_X:
			*dst = r[i.src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			*dst = imm;
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			*dst &= imm;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			*dst >>= imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			at += *dst != imm ? (size_t)i.off : 0;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			at += *dst & imm ? (size_t)i.off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return r[0];
		default:
			fail_msg("instruction %zu is %#x", at, i.code);
		}
	}
	fail_msg("ran over the end");
	return 0;
}

enum { C = BPF_DEVCG_DEV_CHAR, B = BPF_DEVCG_DEV_BLOCK };
enum { MAKE = BPF_DEVCG_ACC_MKNOD, READ = BPF_DEVCG_ACC_READ, WRITE = BPF_DEVCG_ACC_WRITE };

static void decisions(void **state)
{
	size_t len = device_rules_program(rules, N_RULES, program);

	assert_int_equal(run(len, C, READ, 1, 3), 1);
	assert_int_equal(run(len, C, READ | WRITE, 1, 3), 1);
	assert_int_equal(run(len, C, MAKE, 1, 3), 0);
	assert_int_equal(run(len, C, MAKE | READ, 1, 3), 0);
	assert_int_equal(run(len, B, READ, 1, 3), 0);
	assert_int_equal(run(len, C, READ, 1, 4), 0);
	assert_int_equal(run(len, C, READ, 2, 3), 0);
	assert_int_equal(run(len, C, READ | WRITE, 136, 0), 1);
	assert_int_equal(run(len, C, READ | WRITE, 136, 12345), 1);
	assert_int_equal(run(len, B, READ, 7, 2), 1);
	assert_int_equal(run(len, B, READ | WRITE, 7, 2), 0);
	assert_int_equal(run(len, B, WRITE, 7, 2), 0);
	assert_int_equal(run(len, C, READ, 7, 2), 0);
	assert_int_equal(run(len, C, READ, 10, 229), 0);
	len = device_rules_program(NULL, 0, program);
	assert_int_equal(run(len, C, READ, 1, 3), 0);
}

static void as_long_as_said(void **state)
{
	autofree struct device_rule *many = xcalloc(DEVICE_RULES_MAX, sizeof(*many));

	for (size_t i = 0; i < DEVICE_RULES_MAX; i++)
		many[i] = (struct device_rule){.major = 9, .minor = (int64_t)i, .can_read = true};
	size_t len = device_rules_program(many, DEVICE_RULES_MAX, program);
	assert_in_range(len, 1, DEVICE_PROGRAM_MAX);
	assert_int_equal(run(len, C, READ, 9, DEVICE_RULES_MAX - 1), 1);
	assert_int_equal(run(len, C, READ, 9, DEVICE_RULES_MAX), 0);
}

static const char *find_hierarchy(void)
{
	static const char *const paths[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs fs;

	for (size_t i = 0; i < 2; i++) {
		if (statfs(paths[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return paths[i];
	}
	return NULL;
}

/* In the group: 0 if only the first can be opened, else what went wrong. */
static int try_in_group(int group_fd)
{
	autoclose int procs = openat(group_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (procs < 0 || write(procs, "0", 1) != 1)
		return 1;
	autoclose int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return 2;
	autoclose int zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (zero_fd >= 0 || errno != EPERM)
		return 3;
	return mknod("/tmp/hearth-test-node", S_IFCHR | 0600, makedev(1, 3)) == 0 ? 4 : 0;
}

static void by_the_kernel(void **state)
{
	struct error err = ERROR_INIT;
	const char *hierarchy = find_hierarchy();
	int status = -1;

	if (geteuid() != 0 || !hierarchy)
		SKIP_TEST("no control group for devices");
	autofree char *path = xasprintf("%s/hearth-test-%d", hierarchy, (int)getpid());
	assert_int_equal(mkdir(path, 0755), 0);
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = device_rules_attach(fd, rules, N_RULES, &err);
	pid_t pid = rc == 0 ? fork() : -1;
	if (pid == 0)
		_exit(try_in_group(fd));
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	(void)unlink("/tmp/hearth-test-node");
	assert_int_equal(rmdir(path), 0);
	if (rc)
		fail_msg("%s", err.text);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(decisions),
	        cmocka_unit_test(as_long_as_said),
	        cmocka_unit_test(by_the_kernel),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
