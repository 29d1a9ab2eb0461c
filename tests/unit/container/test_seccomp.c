/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp program, run by a small BPF machine, against what a job may and may not do. */
#include "base/cleanup.h"
#include "container/seccomp.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)
#define UNKNOWN (SECCOMP_RET_ERRNO | ENOSYS)

static struct sock_filter program[8192];
static size_t program_len;

static int digit(char c)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return c == '=' ? 0 : (int)(strchr(digits, c) - digits);
}

static int load(void **state)
{
	autofree char *text = seccomp_program("default");
	size_t len = 0;

	if (!text)
		return -1;
	for (const char *at = text; *at; at += 4) {
		int word =
		        digit(at[0]) << 18 | digit(at[1]) << 12 | digit(at[2]) << 6 | digit(at[3]);
		for (int shift = 16; shift >= 0; shift -= 8)
			((unsigned char *)program)[len++] = (unsigned char)(word >> shift);
	}
	program_len = len / sizeof(program[0]);
	return 0;
}

static uint32_t run(uint32_t arch, int number, uint64_t argument)
{
	struct seccomp_data data = {.nr = number, .arch = arch, .args = {argument}};
	uint32_t a = 0;

	for (size_t pc = 0; pc < program_len; pc++) {
		const struct sock_filter *i = &program[pc];
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k + 4 <= sizeof(data));
			memcpy(&a, (char *)&data + i->k, 4);
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("unknown instruction %x", i->code);
		}
	}
	fail_msg("ran off the end");
	return 0;
}

static void test_what_programs_need(void **state)
{
	static const int needed[] = {
	        __NR_read,       __NR_write,    __NR_openat,      __NR_close,        __NR_execve,
	        __NR_exit_group, __NR_mmap,     __NR_futex,       __NR_ioctl,        __NR_chroot,
	        __NR_ptrace,     __NR_fchownat, __NR_rseq,        __NR_mknodat,      __NR_getrandom,
	        __NR_prctl,      __NR_seccomp,  __NR_close_range, __NR_memfd_create, 452,
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		assert_int_equal(run(NATIVE, needed[i], 0), SECCOMP_RET_ALLOW);
}

static void test_what_nobody_may(void **state)
{
	static const int refused[] = {
	        __NR_mount,       __NR_umount2,
	        __NR_unshare,     __NR_setns,
	        __NR_bpf,         __NR_keyctl,
	        __NR_add_key,     __NR_perf_event_open,
	        __NR_userfaultfd, __NR_kexec_load,
	        __NR_init_module, __NR_reboot,
	        __NR_pivot_root,  __NR_open_by_handle_at,
	        __NR_move_mount,  __NR_open_tree,
	        __NR_fsopen,      __NR_swapon,
	        __NR_acct,        __NR_clock_settime,
	        __NR_syslog,      __NR_pidfd_getfd,
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(run(NATIVE, refused[i], 0), REFUSED);
	assert_int_equal(run(NATIVE, __NR_io_uring_setup, 0), UNKNOWN);
	assert_int_equal(run(NATIVE, __NR_clone3, 0), UNKNOWN);
	assert_int_equal(run(NATIVE, 511, 0), UNKNOWN);
	assert_int_equal(run(NATIVE, 100000, 0), UNKNOWN);
}

static void test_arguments(void **state)
{
	static const uint64_t namespaces[] = {CLONE_NEWUSER,  CLONE_NEWNS,  CLONE_NEWPID,
	                                      CLONE_NEWNET,   CLONE_NEWIPC, CLONE_NEWUTS,
	                                      CLONE_NEWCGROUP};

	assert_int_equal(run(NATIVE, __NR_clone, CLONE_VM | CLONE_THREAD | SIGCHLD),
	                 SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(run(NATIVE, __NR_clone, namespaces[i] | SIGCHLD), REFUSED);
	assert_int_equal(run(NATIVE, __NR_socket, AF_INET), SECCOMP_RET_ALLOW);
	assert_int_equal(run(NATIVE, __NR_socket, AF_VSOCK), REFUSED);
	assert_int_equal(run(NATIVE, __NR_personality, 0xffffffff), SECCOMP_RET_ALLOW);
	assert_int_equal(run(NATIVE, __NR_personality, 0x20008), SECCOMP_RET_ALLOW);
	assert_int_equal(run(NATIVE, __NR_personality, 0x0040000), REFUSED);
}

static void test_architectures(void **state)
{
	assert_int_equal(run(AUDIT_ARCH_PPC64, __NR_read, 0), SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
	const int x32_bit = 0x40000000, read_i386 = 3, mount_i386 = 21, clone_i386 = 120;
	assert_int_equal(run(NATIVE, x32_bit | __NR_read, 0), UNKNOWN);
	assert_int_equal(run(NATIVE, x32_bit | __NR_mount, 0), UNKNOWN);
	assert_int_equal(run(AUDIT_ARCH_I386, read_i386, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(run(AUDIT_ARCH_I386, mount_i386, 0), REFUSED);
	assert_int_equal(run(AUDIT_ARCH_I386, clone_i386, CLONE_NEWUSER), REFUSED);
#endif
}

static void test_profile_form(void **state)
{
	autojson json_t *profile = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(seccomp_profile("default", &profile, &err), 0);
	assert_string_equal(json_get_text(profile, "defaultAction", ""), "SCMP_ACT_ERRNO");
	assert_int_equal(json_get_int(profile, "defaultErrnoRet", 0), ENOSYS);
	json_t *calls = json_object_get(profile, "syscalls");
	assert_true(json_array_size(json_object_get(json_array_get(calls, 0), "names")) > 300);

	json_t *none = profile;
	assert_int_equal(seccomp_profile("none", &none, &err), 0);
	assert_null(none);
	assert_null(seccomp_program("none"));
	assert_int_equal(seccomp_profile("/no/such/profile.json", &none, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_what_programs_need), cmocka_unit_test(test_what_nobody_may),
	        cmocka_unit_test(test_arguments),          cmocka_unit_test(test_architectures),
	        cmocka_unit_test(test_profile_form),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, load, NULL);
}
