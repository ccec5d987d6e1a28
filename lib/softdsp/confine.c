/* SPDX-License-Identifier: MIT */
/*
 * A DSP's process has no children. Forbidding them keeps a skel from leaving a
 * process behind that outlives the session with the application's buffers mapped.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "confine.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, value)
/* The next statement is for this system call alone. */
#define IF_CALL(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1)
#define DENY(error) ANSWER(SECCOMP_RET_ERRNO | (error))

int softdsp_forbid_processes(void)
{
	static struct sock_filter filter[] = {
		/* System calls of another architecture would be numbered differently. */
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
		DENY(EPERM),
		LOAD(nr),
#ifdef __x86_64__
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, __X32_SYSCALL_BIT, 0, 1),
		DENY(EPERM),
		IF_CALL(SYS_fork),
		DENY(EPERM),
		IF_CALL(SYS_vfork),
		DENY(EPERM),
#endif
		/* Its flags are out of reach; libc then makes threads by clone(). */
		IF_CALL(SYS_clone3),
		DENY(ENOSYS),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		LOAD(args[0]), /* the lower half, little-endian */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
		DENY(EPERM),
		ANSWER(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = ARRAY_SIZE(filter), .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
		return -errno;
	return 0;
}

#else

int softdsp_forbid_processes(void)
{
	return -EOPNOTSUPP;
}

#endif
