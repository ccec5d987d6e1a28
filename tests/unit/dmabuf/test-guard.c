/* SPDX-License-Identifier: MIT */
/*
 * Guarded access: values, faults, and what becomes of a SIGBUS that is not its own.
 * Each test runs in a process of its own, since there the handler is installed once.
 */
/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

#include <dmabuf.h>

#include "common.h"

#if defined(DMABUF_GUARD_PORTABLE) && defined(__SANITIZE_ADDRESS__)
#define ROUNDS 1000 /* jumps are slow there */
#else
#ifndef ROUNDS
#define ROUNDS 10000
#endif
#endif
#define THREADS 8
#define READS 32
#define LIMIT_S 300

/* In the child; cmocka's assertions are the parent's. */
#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(1);                                                       \
		}                                                                       \
	} while (0)

static size_t page;

/* A memfd that is mapped, and what a revoke does to it. */
struct buffer {
	int fd;
	size_t size;
	volatile uint8_t *bytes;
};

static struct buffer make(size_t pages)
{
	struct buffer b = {.fd = memfd_create("guard", MFD_CLOEXEC), .size = pages * page};

	CHECK(b.fd >= 0 && ftruncate(b.fd, (off_t)b.size) == 0);
	b.bytes = mmap(NULL, b.size, PROT_READ | PROT_WRITE, MAP_SHARED, b.fd, 0);
	CHECK(b.bytes != MAP_FAILED);
	return b;
}

static void take_away(struct buffer *b)
{
	CHECK(ftruncate(b->fd, 0) == 0);
}

static struct buffer make_revoked(void)
{
	struct buffer b = make(1);

	take_away(&b);
	return b;
}

/* Return: the wait status of a process that does @fn. */
static int run_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(LIMIT_S);
		/* cmocka and sanitizers have theirs. */
		signal(SIGBUS, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void check_child(void (*fn)(void))
{
	assert_int_equal(run_child(fn), 0);
}

static void check_dies_of_sigbus(void (*fn)(void))
{
	int status = run_child(fn);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

/* ---- access ------------------------------------------------------------- */

static void use_every_width(void)
{
	struct buffer b = make(1);
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;
	uint8_t v8;

	CHECK(dmabuf_guard_init() == 0);
	memset((void *)(uintptr_t)b.bytes, 0xEE, page);
	CHECK(dmabuf_guard_write8(b.bytes + 1, 0x12) == 0);
	CHECK(dmabuf_guard_write16(b.bytes + 2, 0x3456) == 0);
	CHECK(dmabuf_guard_write32(b.bytes + 4, 0x789ABCDE) == 0);
	CHECK(dmabuf_guard_write64(b.bytes + 8, 0x1122334455667788) == 0);
	CHECK(dmabuf_guard_read8(b.bytes + 1, &v8) == 0 && v8 == 0x12);
	CHECK(dmabuf_guard_read16(b.bytes + 2, &v16) == 0 && v16 == 0x3456);
	CHECK(dmabuf_guard_read32(b.bytes + 4, &v32) == 0 && v32 == 0x789ABCDE);
	CHECK(dmabuf_guard_read64(b.bytes + 8, &v64) == 0 && v64 == 0x1122334455667788);
	CHECK(b.bytes[0] == 0xEE && b.bytes[16] == 0xEE);
}

static void every_width_reads_and_writes_its_bytes(void **data)
{
	check_child(use_every_width);
}

static void use_every_width_revoked(void)
{
	struct buffer b = make_revoked();
	uint64_t v64 = 1;
	uint32_t v32 = 2;
	uint16_t v16 = 3;
	uint8_t v8 = 4;

	CHECK(dmabuf_guard_init() == 0);
	CHECK(dmabuf_guard_read8(b.bytes, &v8) == -ENODEV);
	CHECK(dmabuf_guard_read16(b.bytes, &v16) == -ENODEV);
	CHECK(dmabuf_guard_read32(b.bytes, &v32) == -ENODEV);
	CHECK(dmabuf_guard_read64(b.bytes, &v64) == -ENODEV);
	CHECK(v64 == 1 && v32 == 2 && v16 == 3 && v8 == 4);
	CHECK(dmabuf_guard_write8(b.bytes, 1) == -ENODEV);
	CHECK(dmabuf_guard_write16(b.bytes, 1) == -ENODEV);
	CHECK(dmabuf_guard_write32(b.bytes, 1) == -ENODEV);
	CHECK(dmabuf_guard_write64(b.bytes, 1) == -ENODEV);
}

static void every_width_fails_after_a_revoke(void **data)
{
	check_child(use_every_width_revoked);
}

static void copy_everywhere(void)
{
	struct buffer b = make(1);
	uint8_t local[64], back[64];

	CHECK(dmabuf_guard_init() == 0);
	for (size_t i = 0; i < sizeof(local); i++)
		local[i] = (uint8_t)(i * 7 + 1);
	for (size_t skew = 0; skew < 9; skew++) {
		for (size_t size = 0; size + skew <= 40; size++) {
			memset((void *)(uintptr_t)b.bytes, 0, 64);
			CHECK(dmabuf_guard_copy(b.bytes + skew, local, size) == 0);
			for (size_t i = 0; i < 64; i++)
				CHECK(b.bytes[i] ==
				      (i < skew || i >= skew + size ? 0 : local[i - skew]));
			memset(back, 0, sizeof(back));
			CHECK(dmabuf_guard_copy(back, b.bytes + skew, size) == 0);
			CHECK(memcmp(back, local, size) == 0 && back[size] == 0);
		}
	}
}

static void copy_moves_exactly_its_bytes(void **data)
{
	check_child(copy_everywhere);
}

static void copy_revoked(void)
{
	struct buffer b = make(2);
	uint64_t local[2] = {1, 2};

	CHECK(dmabuf_guard_init() == 0);
	CHECK(ftruncate(b.fd, (off_t)page) == 0);
	CHECK(dmabuf_guard_copy(b.bytes + page - 8, local, 16) == -ENODEV);
	CHECK(*(volatile uint64_t *)(b.bytes + page - 8) == 1);
	CHECK(dmabuf_guard_copy(local, b.bytes + page - 8, 16) == -ENODEV);
	CHECK(dmabuf_guard_copy(local, b.bytes + page - 3, 4) == -ENODEV);
	CHECK(dmabuf_guard_copy(b.bytes + page - 3, local, 4) == -ENODEV);
	CHECK(dmabuf_guard_copy(b.bytes + page, local, 0) == 0);
}

static void copy_fails_on_either_side_of_a_revoke(void **data)
{
	check_child(copy_revoked);
}

static void keep_errno(void)
{
	struct buffer b = make_revoked();
	uint32_t value;

	CHECK(dmabuf_guard_init() == 0);
	errno = 123;
	CHECK(dmabuf_guard_read32(b.bytes, &value) == -ENODEV);
	CHECK(errno == 123);
}

static void errno_is_kept(void **data)
{
	check_child(keep_errno);
}

static void *init_in_thread(void *arg)
{
	return (void *)(intptr_t)dmabuf_guard_init();
}

static void init_often(void)
{
	struct sigaction first, last;
	pthread_t threads[4];
	void *r;

	CHECK(dmabuf_guard_init() == 0);
	CHECK(sigaction(SIGBUS, NULL, &first) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, init_in_thread, NULL) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(pthread_join(threads[i], &r) == 0 && !r);
	CHECK(sigaction(SIGBUS, NULL, &last) == 0);
	CHECK(first.sa_sigaction == last.sa_sigaction);
	/* A handler that has itself as the one before would never end. */
	raise(SIGBUS);
}

static void init_installs_one_handler(void **data)
{
	check_dies_of_sigbus(init_often);
}

/* ---- threads ------------------------------------------------------------ */

static struct {
	struct buffer buffer;
	pthread_barrier_t barrier;
	atomic_uint values, faults;
} race;

static void *read_in_rounds(void *arg)
{
	uint32_t value = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&race.barrier);
		for (unsigned int i = 0; i < READS; i++) {
			int r = dmabuf_guard_read32(race.buffer.bytes, &value);

			CHECK(r == 0 || r == -ENODEV);
			CHECK(r == -ENODEV || value == 0);
			if (r == 0)
				atomic_fetch_add_explicit(&race.values, 1, memory_order_relaxed);
		}
		pthread_barrier_wait(&race.barrier);
		CHECK(dmabuf_guard_write32(race.buffer.bytes, 1) == -ENODEV);
		atomic_fetch_add_explicit(&race.faults, 1, memory_order_relaxed);
		pthread_barrier_wait(&race.barrier);
	}
	return NULL;
}

static void race_revokes(void)
{
	pthread_t threads[THREADS];

	CHECK(dmabuf_guard_init() == 0);
	race.buffer = make(1);
	CHECK(pthread_barrier_init(&race.barrier, NULL, THREADS + 1) == 0);
	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, read_in_rounds, NULL) == 0);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&race.barrier);
		take_away(&race.buffer);
		pthread_barrier_wait(&race.barrier);
		pthread_barrier_wait(&race.barrier);
		/* The last thing of a round, so the threads are at the first barrier of the next.
		 */
		CHECK(ftruncate(race.buffer.fd, (off_t)page) == 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(race.faults == ROUNDS * THREADS);
	CHECK(race.values > 0);
}

static void threads_fault_beside_each_other_and_a_revoke(void **data)
{
	check_child(race_revokes);
}

/* ---- faults that are not ours ------------------------------------------- */

static struct {
	struct buffer revoked;
	sigjmp_buf out;
	volatile sig_atomic_t calls, depth, sink;
	char stack[65536];
} app;

/* A plain access. */
static void fault(void)
{
	app.sink = *app.revoked.bytes; /* valgrind drops what is not used */
}

static void with_handler(void (*handler)(int), void (*action)(int, siginfo_t *, void *), int flags,
			 int masked)
{
	struct sigaction sa = {.sa_flags = flags};

	app.revoked = make_revoked();
	if (action) {
		sa.sa_sigaction = action;
		sa.sa_flags |= SA_SIGINFO;
	} else {
		sa.sa_handler = handler;
	}
	if (masked == -1)
		sigfillset(&sa.sa_mask);
	else if (masked)
		sigaddset(&sa.sa_mask, masked);
	CHECK(sigaction(SIGBUS, &sa, NULL) == 0);
	CHECK(dmabuf_guard_init() == 0);
}

static void leave_with_info(int signal, siginfo_t *info, void *context)
{
	CHECK(signal == SIGBUS && info->si_code == BUS_ADRERR);
	CHECK(info->si_addr == app.revoked.bytes && context);
	app.calls++;
	siglongjmp(app.out, 1);
}

static void fault_with_info(void)
{
	uint32_t value;

	with_handler(NULL, leave_with_info, 0, 0);
	/* Often: the handler that was left does not count as one that runs. */
	for (volatile int i = 0; i < 100; i++) {
		if (!sigsetjmp(app.out, 1))
			fault();
		CHECK(app.calls == i + 1);
		CHECK(dmabuf_guard_read32(app.revoked.bytes, &value) == -ENODEV);
	}
	CHECK(app.calls == 100);
}

static void foreign_fault_reaches_a_handler_with_info(void **data)
{
	check_child(fault_with_info);
}

static void leave(int signal)
{
	CHECK(signal == SIGBUS);
	app.calls++;
	siglongjmp(app.out, 1);
}

static void fault_with_number(void)
{
	with_handler(leave, NULL, 0, 0);
	if (!sigsetjmp(app.out, 1))
		fault();
	CHECK(app.calls == 1);
}

static void foreign_fault_reaches_a_plain_handler(void **data)
{
	check_child(fault_with_number);
}

static bool same_signals(const sigset_t *a, const sigset_t *b)
{
	for (int signal = 1; signal <= SIGRTMAX; signal++)
		if (sigismember(a, signal) != sigismember(b, signal))
			return false;
	return true;
}

static void look_at_mask(int signal)
{
	sigset_t now;

	CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
	CHECK(sigismember(&now, SIGUSR2) && !sigismember(&now, SIGUSR1));
	leave(signal);
}

static void fault_with_mask(void)
{
	sigset_t before, after;

	with_handler(look_at_mask, NULL, 0, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &before) == 0);
	if (!sigsetjmp(app.out, 1))
		fault();
	CHECK(app.calls == 1);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &after) == 0);
	CHECK(same_signals(&before, &after));
}

static void handler_runs_with_its_mask(void **data)
{
	check_child(fault_with_mask);
}

static void count(int signal)
{
	app.calls++;
}

static void return_from_handler(void)
{
	sigset_t before, after;

	with_handler(count, NULL, 0, -1);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &before) == 0);
	raise(SIGBUS);
	CHECK(kill(getpid(), SIGBUS) == 0);
	CHECK(app.calls == 2);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &after) == 0);
	CHECK(same_signals(&before, &after));
}

static void sent_signals_reach_the_handler_and_the_mask_is_restored(void **data)
{
	check_child(return_from_handler);
}

static void look_at_stack(int signal)
{
	char here;
	bool alternate = &here >= app.stack && &here < app.stack + sizeof(app.stack);
	struct sigaction now;

	/* The kernel's own notion. */
	CHECK(sigaction(SIGBUS, NULL, &now) == 0);
	CHECK(alternate == !!(now.sa_flags & SA_ONSTACK));
	app.depth = alternate;
	leave(signal);
}

static void fault_on_stack(int flags)
{
	const stack_t stack = {.ss_sp = app.stack, .ss_size = sizeof(app.stack)};

	CHECK(sigaltstack(&stack, NULL) == 0);
	with_handler(look_at_stack, NULL, flags, 0);
	if (!sigsetjmp(app.out, 1))
		fault();
	CHECK(app.calls == 1);
	CHECK(app.depth == (flags != 0));
}

static void fault_on_alternate_stack(void)
{
	fault_on_stack(SA_ONSTACK);
}

static void fault_on_own_stack(void)
{
	fault_on_stack(0);
}

static void handler_runs_on_the_stack_it_asked_for(void **data)
{
#ifdef __SANITIZE_ADDRESS__
	skip(); /* locals are elsewhere */
#endif
	check_child(fault_on_alternate_stack);
	check_child(fault_on_own_stack);
}

static void fault_once(void)
{
	with_handler(leave, NULL, (int)SA_RESETHAND, 0);
	if (!sigsetjmp(app.out, 1))
		fault();
	CHECK(app.calls == 1);
}

static void fault_twice(void)
{
	uint32_t value;

	fault_once();
	CHECK(dmabuf_guard_read32(app.revoked.bytes, &value) == -ENODEV);
	fault();
}

static void handler_for_one_signal_gets_one(void **data)
{
	check_child(fault_once);
	check_dies_of_sigbus(fault_twice);
}

static void fault_by_default(void)
{
	with_handler(SIG_DFL, NULL, 0, 0);
	fault();
}

static void send_by_default(void)
{
	with_handler(SIG_DFL, NULL, 0, 0);
	kill(getpid(), SIGBUS);
	pause();
}

static void default_action_ends_the_process(void **data)
{
	check_dies_of_sigbus(fault_by_default);
	check_dies_of_sigbus(send_by_default);
}

static void send_ignored(void)
{
	with_handler(SIG_IGN, NULL, 0, 0);
	raise(SIGBUS);
	CHECK(kill(getpid(), SIGBUS) == 0);
}

static void fault_ignored(void)
{
	send_ignored();
	fault();
}

static void ignored_signals_are_ignored_and_faults_are_not(void **data)
{
	check_child(send_ignored);
	check_dies_of_sigbus(fault_ignored);
}

static void fault_in_handler(int signal)
{
	if (app.calls++)
		_exit(1);
	fault();
}

static void nest_faults(void)
{
	with_handler(fault_in_handler, NULL, 0, 0);
	fault();
}

static void fault_of_the_handler_ends_the_process(void **data)
{
	check_dies_of_sigbus(nest_faults);
}

static void fault_again_in_handler(int signal)
{
	if (++app.calls < 3)
		fault();
	siglongjmp(app.out, 1);
}

static void nest_allowed_faults(void)
{
	with_handler(fault_again_in_handler, NULL, SA_NODEFER, 0);
	if (!sigsetjmp(app.out, 1))
		fault();
	CHECK(app.calls == 3);
}

static void handler_with_nodefer_gets_its_own_faults(void **data)
{
	check_child(nest_allowed_faults);
}

/* ---- guarded access in handlers ----------------------------------------- */

static void access_in_handler(int signal, siginfo_t *info, void *context)
{
	uint32_t value = 5;

	CHECK(dmabuf_guard_read32(app.revoked.bytes, &value) == -ENODEV && value == 5);
	CHECK(dmabuf_guard_write8(app.revoked.bytes, 1) == -ENODEV);
	app.calls++;
	if (signal == SIGBUS)
		siglongjmp(app.out, 1);
}

static void nest_access(void)
{
	/* Even one that blocks everything. */
	with_handler(NULL, access_in_handler, 0, -1);
	if (!sigsetjmp(app.out, 1))
		fault();
	CHECK(app.calls == 1);
	if (!sigsetjmp(app.out, 1))
		fault();
	CHECK(app.calls == 2);
}

static void guards_work_in_the_handler_of_sigbus(void **data)
{
	check_child(nest_access);
}

static void access_in_other_handler(void)
{
	struct sigaction sa = {.sa_sigaction = access_in_handler, .sa_flags = SA_SIGINFO};

	with_handler(SIG_DFL, NULL, 0, 0);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	raise(SIGUSR1);
	CHECK(app.calls == 1);
}

static void guards_work_in_handlers_of_other_signals(void **data)
{
#ifdef __SANITIZE_THREAD__
	skip(); /* it blocks every signal in handlers */
#endif
	check_child(access_in_other_handler);
}

static void ask_library_first(int signal, siginfo_t *info, void *context)
{
	app.depth++;
	if (dmabuf_guard_handle(signal, info, context))
		return;
	app.calls++;
	siglongjmp(app.out, 1);
}

static void install_later(void)
{
	struct sigaction sa = {.sa_sigaction = ask_library_first, .sa_flags = SA_SIGINFO};
	sigset_t before, after;
	uint32_t value;

	with_handler(SIG_DFL, NULL, 0, 0);
	sigfillset(&sa.sa_mask);
	CHECK(sigaction(SIGBUS, &sa, NULL) == 0);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &before) == 0);
	CHECK(dmabuf_guard_read32(app.revoked.bytes, &value) == -ENODEV);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &after) == 0);
	CHECK(same_signals(&before, &after));
	CHECK(app.depth == 1 && app.calls == 0);
	if (!sigsetjmp(app.out, 1))
		fault();
	CHECK(app.depth == 2 && app.calls == 1);
}

static void handler_that_was_installed_later_asks_the_library(void **data)
{
	check_child(install_later);
}

static void handle_other_signals(void)
{
	siginfo_t info = {.si_code = SI_USER};
	ucontext_t context = {0};

	CHECK(dmabuf_guard_handle(SIGSEGV, &info, &context) == 0);
	CHECK(dmabuf_guard_handle(SIGBUS, &info, &context) == 0);
	info.si_code = BUS_ADRERR;
	CHECK(dmabuf_guard_handle(SIGBUS, &info, &context) == 0);
}

static void other_signals_are_not_the_librarys(void **data)
{
	check_child(handle_other_signals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_width_reads_and_writes_its_bytes),
		cmocka_unit_test(every_width_fails_after_a_revoke),
		cmocka_unit_test(copy_moves_exactly_its_bytes),
		cmocka_unit_test(copy_fails_on_either_side_of_a_revoke),
		cmocka_unit_test(errno_is_kept),
		cmocka_unit_test(init_installs_one_handler),
		cmocka_unit_test(threads_fault_beside_each_other_and_a_revoke),
		cmocka_unit_test(foreign_fault_reaches_a_handler_with_info),
		cmocka_unit_test(foreign_fault_reaches_a_plain_handler),
		cmocka_unit_test(handler_runs_with_its_mask),
		cmocka_unit_test(sent_signals_reach_the_handler_and_the_mask_is_restored),
		cmocka_unit_test(handler_runs_on_the_stack_it_asked_for),
		cmocka_unit_test(handler_for_one_signal_gets_one),
		cmocka_unit_test(default_action_ends_the_process),
		cmocka_unit_test(ignored_signals_are_ignored_and_faults_are_not),
		cmocka_unit_test(fault_of_the_handler_ends_the_process),
		cmocka_unit_test(handler_with_nodefer_gets_its_own_faults),
		cmocka_unit_test(guards_work_in_the_handler_of_sigbus),
		cmocka_unit_test(guards_work_in_handlers_of_other_signals),
		cmocka_unit_test(handler_that_was_installed_later_asks_the_library),
		cmocka_unit_test(other_signals_are_not_the_librarys),
	};

	page = (size_t)sysconf(_SC_PAGESIZE);
	return cmocka_run_group_tests_name("dmabuf-guard", tests, NULL, NULL);
}
