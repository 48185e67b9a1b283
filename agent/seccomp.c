/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/mem.h"

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#endif

#if defined(__SANITIZE_ADDRESS__)
#undef MACHINE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#undef MACHINE
#endif
#endif

#ifndef MACHINE

bool seccomp_is_meant(void)
{
	return false;
}

bool seccomp_install(void)
{
	return false;
}

#else

/* The hot ones first. Names that one of the machines lacks are left out there. */
static const int allowed[] = {
	SYS_recvmmsg, SYS_sendmmsg, SYS_epoll_pwait, SYS_sendto, SYS_recvfrom, SYS_read, SYS_write, SYS_writev, SYS_readv, SYS_recvmsg,
	SYS_sendmsg, SYS_epoll_ctl, SYS_close, SYS_socket, SYS_connect, SYS_accept4, SYS_accept, SYS_bind, SYS_listen, SYS_shutdown,
	SYS_socketpair, SYS_getsockname, SYS_getpeername, SYS_setsockopt, SYS_getsockopt, SYS_epoll_create1, SYS_ppoll, SYS_pselect6,
	SYS_eventfd2, SYS_signalfd4, SYS_timerfd_create, SYS_timerfd_settime, SYS_pipe2, SYS_dup, SYS_dup3, SYS_fcntl, SYS_ioctl,
	SYS_flock, SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch,
	/* files: its own, resolv.conf, credentials */
	SYS_openat, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_lseek, SYS_pread64, SYS_pwrite64, SYS_ftruncate,
	SYS_fsync, SYS_fdatasync, SYS_faccessat, SYS_faccessat2, SYS_getdents64, SYS_readlinkat, SYS_renameat, SYS_renameat2, SYS_unlinkat,
	SYS_mkdirat, SYS_fchmod, SYS_fchmodat, SYS_umask, SYS_getcwd, SYS_getxattr, SYS_fsetxattr,
	/* memory, time, itself */
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_futex, SYS_rseq, SYS_set_robust_list,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall, SYS_clock_gettime, SYS_clock_getres,
	SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_getrandom, SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid,
	SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getrusage, SYS_prlimit64, SYS_getrlimit, SYS_uname, SYS_sysinfo,
	SYS_sched_yield, SYS_sched_getaffinity, SYS_prctl, SYS_capget, SYS_tgkill, SYS_exit, SYS_exit_group,
	/* curl looks up the API server's name in a thread */
	SYS_clone, SYS_clone3, SYS_sendfile, SYS_membarrier,
#ifdef __x86_64__
	SYS_epoll_wait, SYS_poll, SYS_select, SYS_pipe, SYS_dup2, SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_rename,
	SYS_unlink, SYS_mkdir, SYS_rmdir, SYS_chmod, SYS_time, SYS_arch_prctl,
#endif
};

bool seccomp_is_meant(void)
{
	return true;
}

/* A refused call: said, and failed. Async-signal-safe; a call with all signals blocked ends the process instead. */
static void on_refused(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	char text[64] = "error: seccomp: refused system call ", digits[12];
	int n = info->si_syscall, d = 0;
	size_t at = 0;

	while (text[at])
		at++;
	do
		digits[d++] = (char)('0' + n % 10);
	while ((n /= 10) > 0 && d < 10);
	while (d > 0)
		text[at++] = digits[--d];
	text[at++] = '\n';
	(void)!write(STDERR_FILENO, text, at);
#ifdef __x86_64__
	u->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#else
	u->uc_mcontext.regs[0] = (unsigned long long)-ENOSYS;
#endif
}

bool seccomp_install(void)
{
	enum { HEAD = 4, TAIL = 2, COUNT = ARRAY_SIZE(allowed) };
	struct sock_filter code[HEAD + COUNT + TAIL];
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };
	struct sigaction action = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_NODEFER };
	bool trap = getenv("AGENT_SECCOMP_TRAP") != NULL;
	size_t at = 0;

	_Static_assert(COUNT < 250, "a jump reaches over the list");
	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT; i++)
		code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], (uint8_t)(COUNT - i), 0);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, trap ? SECCOMP_RET_TRAP : SECCOMP_RET_ERRNO | ENOSYS);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	sigemptyset(&action.sa_mask);
	if (trap && sigaction(SIGSYS, &action, NULL) < 0)
		return false;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#endif
