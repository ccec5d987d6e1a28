/* SPDX-License-Identifier: MIT */
/* Guarded access: reads and writes of mappings that turn a SIGBUS into an error. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "internal.h"

#ifndef SIGSTKFLT /* not on every machine */
#define SIGSTKFLT SIGPWR
#endif

/* In a handler a thread's variable must not be allocated on its first use. */
#define thread_variable static _Thread_local __attribute__((tls_model("initial-exec")))

/*
 * ---- one access
 *
 * move_8(to, from) and so on copy one value. They return false if that raised SIGBUS.
 *
 * The table's way: every load and store is one instruction, and a table says where to
 * go on if it faults. Nothing is set up before.
 *
 * The portable way, for other machines and for its own test: a jump buffer.
 */
#if !defined(DMABUF_GUARD_PORTABLE) && defined(__x86_64__)

#define program_counter(context) ((context)->uc_mcontext.gregs[REG_RIP])
#define SCRATCH "rax"
/* valgrind takes a fault of the first instruction of a function for one of the call's. */
#define MOVE_8 "\tnop\n1:\tmovb (%1), %%al\n2:\tmovb %%al, (%0)\n"
#define MOVE_16 "\tnop\n1:\tmovw (%1), %%ax\n2:\tmovw %%ax, (%0)\n"
#define MOVE_32 "\tnop\n1:\tmovl (%1), %%eax\n2:\tmovl %%eax, (%0)\n"
#define MOVE_64 "\tnop\n1:\tmovq (%1), %%rax\n2:\tmovq %%rax, (%0)\n"

#elif !defined(DMABUF_GUARD_PORTABLE) && defined(__aarch64__)

#define program_counter(context) ((context)->uc_mcontext.pc)
#define SCRATCH "x9"
#define MOVE_8 "1:\tldrb w9, [%1]\n2:\tstrb w9, [%0]\n"
#define MOVE_16 "1:\tldrh w9, [%1]\n2:\tstrh w9, [%0]\n"
#define MOVE_32 "1:\tldr w9, [%1]\n2:\tstr w9, [%0]\n"
#define MOVE_64 "1:\tldr x9, [%1]\n2:\tstr x9, [%0]\n"

#endif

#ifdef SCRATCH

/* Both count from the address of the member itself, so that the table needs no relocation. */
struct entry {
	int32_t instruction;
	int32_t fixup;
};

extern const struct entry __start_dmabuf_guard[] __attribute__((visibility("hidden")));
extern const struct entry __stop_dmabuf_guard[] __attribute__((visibility("hidden")));

#define ENTRY(label) ".long " label " - .\n\t.long %l[fault] - .\n\t"

#define DEFINE_MOVE(width)                                                                     \
	static inline bool move_##width(volatile void *to, const volatile void *from)          \
	{                                                                                      \
		__asm__ goto(MOVE_##width                                                      \
			     "\t.pushsection dmabuf_guard, \"a\"\n\t.balign 4\n\t" ENTRY("1b") \
				     ENTRY("2b") ".popsection"                                 \
			     :                                                                 \
			     : "r"(to), "r"(from)                                              \
			     : SCRATCH, "memory"                                               \
			     : fault);                                                         \
		return true;                                                                   \
	fault:                                                                                 \
		return false;                                                                  \
	}

/* Whether the fault was an access's, which then goes on. */
static bool recover(const siginfo_t *info, ucontext_t *context)
{
	uintptr_t pc = (uintptr_t)program_counter(context);

	for (const struct entry *e = __start_dmabuf_guard; e < __stop_dmabuf_guard; e++) {
		if ((uintptr_t)&e->instruction + (uintptr_t)(intptr_t)e->instruction != pc)
			continue;
		pc = (uintptr_t)&e->fixup + (uintptr_t)(intptr_t)e->fixup;
		program_counter(context) = (__typeof__(program_counter(context)))pc;
		return true;
	}
	return false;
}

#else

#include <setjmp.h>

/* The access that the thread is in. */
struct access {
	sigjmp_buf fault;
	uintptr_t to, from;
	size_t size;
};

thread_variable struct access *volatile current;

#define DEFINE_MOVE(width)                                                                 \
	static bool move_##width(volatile void *to, const volatile void *from)             \
	{                                                                                  \
		struct access access = {                                                   \
			.to = (uintptr_t)to,                                               \
			.from = (uintptr_t)from,                                           \
			.size = width / 8,                                                 \
		};                                                                         \
		struct access *const outer = current; /* one that a signal stopped */      \
                                                                                           \
		if (sigsetjmp(access.fault, 0)) {                                          \
			current = outer;                                                   \
			return false;                                                      \
		}                                                                          \
		current = &access;                                                         \
		*(volatile uint##width##_t *)to = *(const volatile uint##width##_t *)from; \
		current = outer;                                                           \
		return true;                                                               \
	}

static bool recover(const siginfo_t *info, ucontext_t *context)
{
	struct access *access = current;
	uintptr_t address = (uintptr_t)info->si_addr;

	/* A handler of another signal may run in the midst of an access, and fault. */
	if (!access ||
	    (address - access->to >= access->size && address - access->from >= access->size))
		return false;
	pthread_sigmask(SIG_SETMASK, &context->uc_sigmask, NULL);
	siglongjmp(access->fault, 1);
}

#endif

DEFINE_MOVE(8)
DEFINE_MOVE(16)
DEFINE_MOVE(32)
DEFINE_MOVE(64)

#define DEFINE_ACCESS(width)                                                                       \
	DMABUF_EXPORT int dmabuf_guard_read##width(const volatile void *address,                   \
						   uint##width##_t *ret_value)                     \
	{                                                                                          \
		return move_##width(ret_value, address) ? 0 : -ENODEV;                             \
	}                                                                                          \
                                                                                                   \
	DMABUF_EXPORT int dmabuf_guard_write##width(volatile void *address, uint##width##_t value) \
	{                                                                                          \
		return move_##width(address, &value) ? 0 : -ENODEV;                                \
	}

DEFINE_ACCESS(8)
DEFINE_ACCESS(16)
DEFINE_ACCESS(32)
DEFINE_ACCESS(64)

DMABUF_EXPORT int dmabuf_guard_copy(volatile void *to, const volatile void *from, size_t size)
{
	volatile char *t = to;
	const volatile char *f = from;

	if (((uintptr_t)to | (uintptr_t)from) % 8 == 0)
		for (; size >= 8; t += 8, f += 8, size -= 8)
			if (!move_64(t, f))
				return -ENODEV;
	for (; size; t++, f++, size--)
		if (!move_8(t, f))
			return -ENODEV;
	return 0;
}

/* ---- the handler -------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	bool installed;
	struct sigaction before; /* what the application had; constant once installed */
	atomic_bool spent;       /* it was for one signal, which has come */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

/*
 * The application's handler runs with SIGBUS unblocked, for it may use guarded access.
 * This is the signal that is blocked instead, so that a fault of the handler's own is
 * known even if it was left by siglongjmp(); 0 if SIGBUS would not have been blocked.
 */
thread_variable volatile sig_atomic_t stands_for_sigbus;

/* By an instruction that faults again if it is tried again; not by kill() and its like. */
static bool is_fault(const siginfo_t *info)
{
	return info->si_code == BUS_ADRALN || info->si_code == BUS_ADRERR ||
	       info->si_code == BUS_OBJERR || info->si_code == BUS_MCEERR_AR;
}

/* Returning then ends the process with the registers of the fault. */
static void die(siginfo_t *info)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(SIGBUS, &action, NULL);
	if (!is_fault(info))
		syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), SIGBUS, info);
}

static void call_application(int signal, siginfo_t *info, ucontext_t *context)
{
	const struct sigaction *action = &state.before;
	sig_atomic_t outer = stands_for_sigbus;
	sigset_t mask;

	sigorset(&mask, &context->uc_sigmask, &action->sa_mask);
	sigdelset(&mask, SIGBUS);
	stands_for_sigbus = 0;
	if (!(action->sa_flags & SA_NODEFER) && !sigismember(&context->uc_sigmask, SIGSTKFLT)) {
		stands_for_sigbus = SIGSTKFLT;
		sigaddset(&mask, SIGSTKFLT);
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (action->sa_flags & SA_SIGINFO)
		action->sa_sigaction(signal, info, context);
	else
		action->sa_handler(signal);
	stands_for_sigbus = outer;
}

/* Do what would have happened without this library. */
static void pass_on(int signal, siginfo_t *info, ucontext_t *context)
{
	const struct sigaction *action = &state.before;

	if (!(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_IGN && !is_fault(info))
		return;
	if (!(action->sa_flags & SA_SIGINFO) &&
	    (action->sa_handler == SIG_IGN || action->sa_handler == SIG_DFL))
		die(info);
	else if (is_fault(info) && stands_for_sigbus &&
		 sigismember(&context->uc_sigmask, stands_for_sigbus))
		die(info);
	else if (action->sa_flags & (int)SA_RESETHAND && atomic_exchange(&state.spent, true))
		die(info);
	else
		call_application(signal, info, context);
}

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	if (!dmabuf_guard_handle(signal, info, context))
		pass_on(signal, info, context);
	errno = saved;
}

DMABUF_EXPORT int dmabuf_guard_handle(int signal, void *info, void *context)
{
	const siginfo_t *i = info;

	return signal == SIGBUS && (i->si_code == BUS_ADRERR || i->si_code == BUS_OBJERR) &&
	       recover(i, context);
}

static int install(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus};

	/* Before, since the handler may run at once. */
	if (sigaction(SIGBUS, NULL, &state.before) == -1)
		return -errno;
	action.sa_flags = SA_SIGINFO | SA_NODEFER | (state.before.sa_flags & SA_RESTART);
	/* Where the application's handler runs is its choice. */
	if (state.before.sa_flags & SA_ONSTACK ||
	    (!(state.before.sa_flags & SA_SIGINFO) &&
	     (state.before.sa_handler == SIG_DFL || state.before.sa_handler == SIG_IGN)))
		action.sa_flags |= SA_ONSTACK;
	return sigaction(SIGBUS, &action, NULL) == -1 ? -errno : 0;
}

DMABUF_EXPORT int dmabuf_guard_init(void)
{
	int r = 0;

	pthread_mutex_lock(&state.lock);
	if (!state.installed) {
		r = install();
		state.installed = r == 0;
	}
	pthread_mutex_unlock(&state.lock);
	return r;
}
