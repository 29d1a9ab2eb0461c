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
#include <sched.h>
#include <stdbool.h>
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
        SYS_listen,
        SYS_accept,
        SYS_accept4,
        SYS_execve,
        SYS_execveat,
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

/* What clients of a network do, too. */
static const int sandbox_refused_offline[] = {
        SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_clone, SYS_clone3,
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define FILTER_MAX 160
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

struct filter {
	struct sock_filter code[FILTER_MAX];
	unsigned short count;
};

static void filter_add(struct filter *filter, struct sock_filter instruction)
{
	filter->code[filter->count++] = instruction;
}

static void filter_return(struct filter *filter, unsigned what)
{
	filter_add(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* Is what was loaded equal to `value`? If not, the next `skipped` instructions are passed over. */
static void filter_ask(struct filter *filter, unsigned value, unsigned char skipped)
{
	filter_add(filter,
	           (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped));
}

static void filter_load(struct filter *filter, unsigned offset)
{
	filter_add(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void filter_refuse(struct filter *filter, const int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		filter_ask(filter, (unsigned)numbers[i], 1);
		filter_return(filter, SECCOMP_RET_ERRNO | EPERM);
	}
}

/* Threads (of the resolver) and copies of itself, as confined as it is, but in no namespaces. The
 * flags of clone3 cannot be seen from here; without it the C library takes clone. */
static void filter_allow_copies(struct filter *filter)
{
	filter_ask(filter, SYS_clone3, 1);
	filter_return(filter, SECCOMP_RET_ERRNO | ENOSYS);
	filter_ask(filter, SYS_clone, 4);
	filter_load(filter, offsetof(struct seccomp_data, args[0]));
	filter_add(filter,
	           (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1));
	filter_return(filter, SECCOMP_RET_ERRNO | EPERM);
	filter_return(filter, SECCOMP_RET_ALLOW);
}

static int install(bool is_client, struct error *err)
{
	struct filter filter = {.count = 0};
	struct sock_fprog program = {.filter = filter.code};

	filter_load(&filter, offsetof(struct seccomp_data, arch));
	filter_add(&filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
	                                                 FILTER_ARCHITECTURE, 1, 0));
	filter_return(&filter, SECCOMP_RET_KILL_PROCESS);
	filter_load(&filter, offsetof(struct seccomp_data, nr));
	filter_add(&filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K,
	                                                 FILTER_NUMBER_MAX, 0, 1));
	filter_return(&filter, SECCOMP_RET_KILL_PROCESS);
	filter_refuse(&filter, sandbox_refused, COUNT(sandbox_refused));
	if (is_client)
		filter_allow_copies(&filter);
	else
		filter_refuse(&filter, sandbox_refused_offline, COUNT(sandbox_refused_offline));
	filter_return(&filter, SECCOMP_RET_ALLOW);
	_Static_assert(2 * (COUNT(sandbox_refused) + COUNT(sandbox_refused_offline)) + 16 <=
	                       FILTER_MAX,
	               "the filter is longer than its array");
	program.len = filter.count;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "the system call filter cannot be set");
	return 0;
}

#else

static int install(bool is_client, struct error *err)
{
	(void)is_client;
	(void)err;
	return 0;
}

#endif

int sandbox_filter_install(struct error *err)
{
	return install(false, err);
}

int sandbox_filter_install_client(struct error *err)
{
	return install(true, err);
}
