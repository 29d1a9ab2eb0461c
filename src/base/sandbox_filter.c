/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seccomp filter for those who read bytes of strangers: no network, no programs, no namespaces,
 * no mounts, and none of the kernel's rarely walked interfaces. A list of what is refused and not
 * of what is allowed: the programs are our own code, and what their C library calls changes from
 * release to release.
 */
#include "base/sandbox_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define FILTER_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FILTER_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define FILTER_ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#ifdef FILTER_ARCHITECTURE

/* Numbers above are another calling convention (x32), never ours. */
#define FILTER_NUMBER_MAX 0x3fffffff

static const int sandbox_refused[] = {
        SYS_socket,
        SYS_socketpair,
        SYS_connect,
        SYS_bind,
        SYS_execve,
        SYS_execveat,
        SYS_clone,
        SYS_clone3,
        SYS_unshare,
        SYS_setns,
        SYS_ptrace,
        SYS_process_vm_readv,
        SYS_process_vm_writev,
        SYS_mount,
        SYS_umount2,
        SYS_pivot_root,
        SYS_chroot,
        SYS_move_mount,
        SYS_open_tree,
        SYS_fsopen,
        SYS_fsmount,
        SYS_fsconfig,
        SYS_fspick,
        SYS_mount_setattr,
        SYS_bpf,
        SYS_perf_event_open,
        SYS_userfaultfd,
        SYS_io_uring_setup,
        SYS_io_uring_enter,
        SYS_io_uring_register,
        SYS_keyctl,
        SYS_add_key,
        SYS_request_key,
        SYS_open_by_handle_at,
        SYS_name_to_handle_at,
        SYS_init_module,
        SYS_finit_module,
        SYS_delete_module,
        SYS_kexec_load,
        SYS_reboot,
        SYS_swapon,
        SYS_swapoff,
        SYS_acct,
        SYS_quotactl,
        SYS_personality,
        SYS_memfd_create,
        SYS_pidfd_open,
        SYS_pidfd_getfd,
        SYS_fanotify_init,
        SYS_inotify_init1,
        SYS_syslog,
        SYS_sethostname,
        SYS_setdomainname,
        SYS_clock_settime,
        SYS_settimeofday,
        SYS_adjtimex,
        SYS_msgget,
        SYS_semget,
        SYS_shmget,
        SYS_mq_open,
};

#define FILTER_COUNT (sizeof(sandbox_refused) / sizeof(sandbox_refused[0]))
#define FILTER_HEAD 6

int sandbox_filter_install(struct error *err)
{
	struct sock_filter code[FILTER_HEAD + FILTER_COUNT + 2] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCHITECTURE, 1, 0),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, FILTER_NUMBER_MAX, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	for (size_t i = 0; i < FILTER_COUNT; i++)
		code[FILTER_HEAD + i] = (struct sock_filter)BPF_JUMP(
		        BPF_JMP | BPF_JEQ | BPF_K, (unsigned)sandbox_refused[i],
		        (unsigned char)(FILTER_COUNT - i), 0);
	code[FILTER_HEAD + FILTER_COUNT] =
	        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[FILTER_HEAD + FILTER_COUNT + 1] =
	        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "the system call filter cannot be set");
	return 0;
}

#else

int sandbox_filter_install(struct error *err)
{
	(void)err;
	return 0;
}

#endif
