/* SPDX-License-Identifier: MIT */
/* Why a DSP's process ends: which skel crashed, or called exit(), and how. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"
#include "softdsp.h"

static char *reason;
static size_t reason_size;
static _Atomic uint32_t *reason_set;

/* Only what may run in a signal handler. */
static size_t append(char *text, size_t at, size_t size, const char *more)
{
	while (*more && at + 1 < size)
		text[at++] = *more++;
	text[at] = '\0';
	return at;
}

static size_t append_number(char *text, size_t at, size_t size, uint64_t value, unsigned int base)
{
	char digits[24];
	size_t i = sizeof(digits);

	digits[--i] = '\0';
	do {
		digits[--i] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	return append(text, at, size, &digits[i]);
}

/* "<what> in libx_skel.so, method 3", if nobody said anything before. */
static void leave_reason(const char *what, bool has_number, uint64_t number, unsigned int base)
{
	static _Atomic uint32_t once;
	char *text = reason;
	size_t size = reason_size, at;

	if (atomic_exchange(&once, 1))
		return;
	at = append(text, 0, size, what);
	if (has_number)
		at = append_number(text, at, size, number, base);
	if (softdsp_place.name) {
		at = append(text, at, size, " in ");
		at = append(text, at, size, softdsp_place.name);
		if (softdsp_place.method == SOFTDSP_LOADING) {
			append(text, at, size, ", while it was loaded");
		} else {
			at = append(text, at, size, ", method ");
			append_number(text, at, size, softdsp_place.method, 10);
		}
	}
	atomic_store(reason_set, 1);
}

static void crashed(int sig, siginfo_t *info, void *context)
{
	bool fault = sig == SIGSEGV || sig == SIGBUS;

	switch (sig) {
	case SIGSEGV:
		leave_reason("skel crashed: SIGSEGV at address 0x", true, (uintptr_t)info->si_addr,
			     16);
		break;
	case SIGBUS:
		leave_reason("skel crashed: SIGBUS at address 0x", true, (uintptr_t)info->si_addr,
			     16);
		break;
	case SIGABRT:
		leave_reason("skel crashed: SIGABRT (abort or a failed check)", false, 0, 0);
		break;
	case SIGFPE:
		leave_reason("skel crashed: SIGFPE (division by zero)", false, 0, 0);
		break;
	case SIGILL:
		leave_reason("skel crashed: SIGILL (illegal instruction)", false, 0, 0);
		break;
	default:
		leave_reason("skel crashed: signal ", true, (uint64_t)(unsigned int)sig, 10);
		break;
	}
	_exit(fault ? 139 : 134);
}

static void exited(int status, void *arg)
{
	leave_reason("skel called exit with status ", true, (uint64_t)(unsigned int)(status & 0xff),
		     10);
	_exit(status);
}

int softdsp_catch_crashes(char *text, size_t size, _Atomic uint32_t *set)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
	struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	reason = text;
	reason_size = size;
	reason_set = set;
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &action, NULL) == -1)
			return -errno;
	return on_exit(exited, NULL) ? -ENOMEM : 0;
}

void softdsp_give_signal_stack(void)
{
	static __thread bool given;
	static __thread char stack[16384] __attribute__((aligned(16)));
	const stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};

	if (!given)
		given = sigaltstack(&ss, NULL) == 0;
}
