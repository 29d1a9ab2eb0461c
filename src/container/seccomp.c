/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default profile as constant tables. What is not listed answers ENOSYS, so that programs newer
 * than the tables fall back to what they know; what is refused for good answers EPERM, as programs
 * expect of a container.
 *
 * Left out of Docker's list on purpose: modify_ldt (old kernel bugs, only emulators use it),
 * io_uring (a large surface), and everything that Docker ties to capabilities that a job does not
 * have.
 */
#include "container/seccomp.h"

#include "base/cleanup.h"
#include "container/seccomp_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define PROFILE_MAX (1024 * 1024)

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: no namespaces from inside. */
#define CLONE_NAMESPACES 0x7e020000
#define ADDRESS_FAMILY_VSOCK 40 /* would talk to a hypervisor around the network */

static const char allowed[] =
        "accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 arm_sync_file_range bind "
        "breakpoint brk cacheflush cachestat capget capset chdir chmod chown chown32 chroot "
        "clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
        "clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect "
        "copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
        "epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
        "exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir "
        "fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
        "flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 "
        "fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv "
        "futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 "
        "getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer "
        "getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 "
        "getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid "
        "gettimeofday getuid getuid32 getxattr inotify_add_watch inotify_init inotify_init1 "
        "inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 "
        "io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule "
        "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat "
        "listen listxattr llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise "
        "map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat "
        "mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive "
        "mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl "
        "msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep "
        "newfstatat _newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 "
        "pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 "
        "prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 "
        "ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom "
        "recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr rename renameat renameat2 "
        "restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
        "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
        "sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr "
        "sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
        "sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp "
        "select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg "
        "sendmsg sendto set_robust_list set_thread_area set_tid_address set_tls setfsgid "
        "setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid "
        "setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
        "setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr shmat shmctl shmdt shmget "
        "shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair "
        "splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range "
        "sync_file_range2 syncfs sysinfo tee tgkill time timer_create timer_delete "
        "timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
        "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times "
        "tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat utime utimensat "
        "utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev";

static const char refused[] =
        "acct add_key bpf clock_settime clock_settime64 delete_module fanotify_init finit_module "
        "fsconfig fsmount fsopen fspick get_mempolicy init_module ioperm iopl kcmp kexec_file_load "
        "kexec_load keyctl lookup_dcookie mbind migrate_pages modify_ldt mount mount_setattr "
        "move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open pidfd_getfd "
        "pivot_root process_madvise quotactl quotactl_fd reboot request_key set_mempolicy "
        "set_mempolicy_home_node setdomainname sethostname setns settimeofday stime swapoff swapon "
        "syslog umount umount2 unshare uselib userfaultfd vhangup vm86 vm86old";

static const struct seccomp_check checks[] = {
        {"clone", CHECK_NO_BITS, CLONE_NAMESPACES},
        {"socket", CHECK_NOT_EQUAL, ADDRESS_FAMILY_VSOCK},
        /* PER_LINUX, PER_LINUX32, UNAME26, both, and "tell me": no address space layout tricks */
        {"personality", CHECK_EQUAL, 0x0},
        {"personality", CHECK_EQUAL, 0x8},
        {"personality", CHECK_EQUAL, 0x20000},
        {"personality", CHECK_EQUAL, 0x20008},
        {"personality", CHECK_EQUAL, 0xffffffff},
};
#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

static json_t *name_list(const char *names)
{
	json_t *list = json_array();

	while (*names) {
		size_t len = strcspn(names, " ");
		json_array_append_new(list, json_stringn(names, len));
		names += len + (names[len] == ' ');
	}
	return list;
}

static void add_checks(json_t *calls)
{
	static const char *const operations[] = {
	        [CHECK_EQUAL] = "SCMP_CMP_EQ",
	        [CHECK_NOT_EQUAL] = "SCMP_CMP_NE",
	        [CHECK_NO_BITS] = "SCMP_CMP_MASKED_EQ", /* masked with value, it equals valueTwo */
	};

	for (size_t i = 0; i < N_CHECKS; i++) {
		const struct seccomp_check *c = &checks[i];
		json_array_append_new(calls,
		                      json_pack("{s:[s], s:s, s:[{s:i, s:I, s:i, s:s}]}", "names",
		                                c->name, "action", "SCMP_ACT_ALLOW", "args",
		                                "index", 0, "value", (json_int_t)c->value,
		                                "valueTwo", 0, "op", operations[c->kind]));
	}
}

static json_t *default_profile(void)
{
#if defined(__x86_64__)
	json_t *architectures = json_pack("[s, s]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86");
#elif defined(__aarch64__)
	json_t *architectures = json_pack("[s, s]", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM");
#else
	json_t *architectures = json_array(); /* the runtime takes the native one */
#endif
	json_t *calls = json_array();

	json_array_append_new(calls, json_pack("{s:o, s:s}", "names", name_list(allowed), "action",
	                                       "SCMP_ACT_ALLOW"));
	json_array_append_new(calls, json_pack("{s:o, s:s, s:i}", "names", name_list(refused),
	                                       "action", "SCMP_ACT_ERRNO", "errnoRet", EPERM));
	add_checks(calls);
	return json_pack("{s:s, s:i, s:o, s:o}", "defaultAction", "SCMP_ACT_ERRNO",
	                 "defaultErrnoRet", ENOSYS, "architectures", architectures, "syscalls",
	                 calls);
}

int seccomp_profile(const char *setting, json_t **ret, struct error *err)
{
	if (strcmp(setting, "none") == 0) {
		*ret = NULL;
		return 0;
	}
	if (strcmp(setting, "default") == 0) {
		*ret = default_profile();
		return 0;
	}
	if (json_read_file(AT_FDCWD, setting, PROFILE_MAX, ret, err))
		return error_prefix(err, "container.seccomp");
	return 0;
}

json_t *seccomp_profile_closed(void)
{
	return json_pack("{s:s, s:i}", "defaultAction", "SCMP_ACT_ERRNO", "defaultErrnoRet", EPERM);
}

char *seccomp_program(const char *setting)
{
	const struct seccomp_tables tables = {
	        .allowed = allowed,
	        .refused = refused,
	        .checks = checks,
	        .n_checks = N_CHECKS,
	};

	return strcmp(setting, "default") == 0 ? seccomp_filter_base64(&tables) : NULL;
}
