/* SPDX-License-Identifier: MIT */
/* The soft backend between threads and processes, also such as are killed. */
#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "../pass-fd.h"
#include "internal.h"
#include "soft.h"

#define PATIENCE INT64_C(60000000000)

#define THREADS 8
#define ROUNDS 2000

#define KILLS 1000

#define PROCESSES 4
#define WORKERS 16 /* threads in each of them */
#define ALL (PROCESSES * WORKERS)
#define OBJECTS 1000
#define CROWD_ROUNDS 400
#define CROWD_SECONDS 100 /* after which it counts as hung */

static struct syncobj_device *device;

/*
 * The backend's sleeps end after a while, which makes up for wake-ups that died with
 * a signaller, and would hide any other that is lost. Here they are without an end.
 */
static bool sleep_without_end;

/* For a signaller that dies when the state is changed and nobody is woken yet. */
static bool die_before_waking;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long args[6];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (die_before_waking && number == SYS_futex && (int)args[1] == FUTEX_WAKE)
		raise(SIGKILL);
	if (sleep_without_end && number == SYS_futex && (int)args[1] == FUTEX_WAIT_BITSET)
		args[3] = 0;
	if (sleep_without_end && number == SYS_futex_waitv)
		args[3] = 0;
	return __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static struct syncobj *make(void)
{
	struct syncobj *syncobj;

	assert_int_equal(syncobj_create(device, 0, &syncobj), 0);
	return syncobj;
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int signal_point(struct syncobj *syncobj, uint64_t point)
{
	return syncobj_signal(&syncobj, &point, 1);
}

static uint64_t query(struct syncobj *syncobj)
{
	uint64_t point = 0;

	if (syncobj_query(&syncobj, 1, 0, &point) < 0)
		abort();
	return point;
}

/* In a child. */
static void require(bool what)
{
	if (!what)
		_exit(1);
}

static pid_t start_child(void)
{
	pid_t parent = getpid(), pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		require(getppid() == parent);
	}
	return pid;
}

static void expect_success(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void waits_for_another_process(void **state)
{
	struct syncobj *there, *back;
	int sockets[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	pid = start_child();
	if (pid == 0) {
		int fds[2] = {receive_fd(sockets[1]), receive_fd(sockets[1])};

		require(fds[0] >= 0 && fds[1] >= 0);
		require(syncobj_import(device, fds[0], &there) == 0);
		require(syncobj_import(device, fds[1], &back) == 0);
		for (uint64_t point = 1; point <= ROUNDS; point++) {
			require(syncobj_wait_signaled(there, point, PATIENCE) == 0);
			require(signal_point(back, point) == 0);
		}
		_exit(0);
	}
	there = make();
	back = make();
	assert_int_equal(send_fd(sockets[0], syncobj_fd(there)), 0);
	assert_int_equal(send_fd(sockets[0], syncobj_fd(back)), 0);
	for (uint64_t point = 1; point <= ROUNDS; point++) {
		assert_int_equal(signal_point(there, point), 0);
		assert_int_equal(syncobj_wait_signaled(back, point, PATIENCE), 0);
	}
	expect_success(pid);
	close(sockets[0]);
	close(sockets[1]);
	syncobj_unref(there);
	syncobj_unref(back);
}

/* The eventfd thread of the parent is not in the child, which gets its own. */
static void child_may_register_eventfds(void **state)
{
#ifdef __SANITIZE_THREAD__ /* which cannot start threads after a fork */
	skip();
#endif
	struct syncobj *syncobj = make();
	struct syncobj_registration *registration;
	int before = eventfd(0, EFD_CLOEXEC);
	uint64_t value;
	pid_t pid;

	/* The thread is not inside malloc(), which AddressSanitizer does not bring over a fork. */
	assert_int_equal(device->ops->eventfd(syncobj, 0, before, 0, &registration), 0);
	assert_int_equal(signal_point(syncobj, 0), 0);
	assert_int_equal(read(before, &value, sizeof(value)), sizeof(value));
	syncobj_soft_cancel(registration);
	assert_int_equal(syncobj_eventfd(syncobj, 1, before, 0), 0);
	pid = start_child();
	if (pid == 0) {
		int fd = eventfd(0, EFD_CLOEXEC);

		require(syncobj_eventfd(syncobj, 2, fd, 0) == 0);
		require(signal_point(syncobj, 2) == 0);
		require(read(fd, &value, sizeof(value)) == sizeof(value) && value == 1);
		_exit(0);
	}
	expect_success(pid);
	assert_int_equal(read(before, &value, sizeof(value)), sizeof(value));
	assert_int_equal(value, 1);
	close(before);
	syncobj_unref(syncobj);
}

/* A process that follows a timeline to its end, and says in @seen how far it has come. */
static pid_t start_follower(struct syncobj *syncobj, uint64_t *seen)
{
	pid_t pid = start_child();

	if (pid)
		return pid;
	for (uint64_t point = 0; point != UINT64_MAX;) {
		require(syncobj_wait_signaled(syncobj, point + 1, -1) == 0);
		point = query(syncobj);
		__atomic_store_n(seen, point, __ATOMIC_RELEASE);
	}
	_exit(0);
}

static uint64_t *make_seen(void)
{
	uint64_t *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(seen != MAP_FAILED);
	return seen;
}

static void await_seen(const uint64_t *seen, uint64_t point)
{
	int64_t end = now() + PATIENCE;

	while (__atomic_load_n(seen, __ATOMIC_ACQUIRE) < point) {
		assert_true(now() < end);
		usleep(100);
	}
}

/* Returns when somebody who waits for it has looked at it. */
static void await_sleeper(struct syncobj *syncobj)
{
	struct soft_page *page =
		mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, syncobj_fd(syncobj), 0);
	int64_t end = now() + PATIENCE;

	assert_true(page != MAP_FAILED);
	while (!__atomic_load_n(&page->waiters, __ATOMIC_ACQUIRE)) {
		assert_true(now() < end);
		usleep(100);
	}
	munmap(page, sizeof(*page));
}

/* What a signaller did before it died counts, though it may not have come to the wake-up. */
static void killed_signalers_leave_nothing_behind(void **state)
{
	struct syncobj *syncobj = make();
	uint64_t *seen = make_seen();
	pid_t follower = start_follower(syncobj, seen);
	uint64_t last = 0;
	int status;

	srandom(1);
	for (int i = 0; i < KILLS; i++) {
		pid_t pid = start_child();
		uint64_t point;

		if (pid == 0)
			for (point = last + 1;; point++)
				require(signal_point(syncobj, point) == 0);
		/* Into its first points, mostly: starting takes longest. */
		assert_int_equal(syncobj_wait_signaled(syncobj, last + 1, PATIENCE), 0);
		for (long spin = random() % 20000; spin > 0; spin--)
			__asm__ volatile("" ::: "memory");
		point = query(syncobj);
		assert_true(point > last);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

		last = query(syncobj);
		assert_true(last >= point);
		assert_int_equal(syncobj_wait(&syncobj, &last, 1, 0, 0, 0, NULL), 0);
		await_seen(seen, last);
		last++;
		assert_int_equal(signal_point(syncobj, last), 0);
		assert_int_equal(query(syncobj), last);
	}
	assert_int_equal(signal_point(syncobj, UINT64_MAX), 0);
	expect_success(follower);
	munmap(seen, sizeof(*seen));
	syncobj_unref(syncobj);
}

static void signal_counts_without_its_wake_up(void **state)
{
	struct syncobj *syncobj = make();
	uint64_t *seen = make_seen();
	pid_t follower = start_follower(syncobj, seen), pid;
	int status;

	await_sleeper(syncobj);
	pid = start_child();
	if (pid == 0) {
		die_before_waking = true;
		signal_point(syncobj, 1);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	await_seen(seen, 1);
	assert_int_equal(signal_point(syncobj, UINT64_MAX), 0);
	expect_success(follower);
	munmap(seen, sizeof(*seen));
	syncobj_unref(syncobj);
}

/* A dead sleeper is counted for ever; that must not hold anybody up. */
static void killed_waiters_leave_nothing_behind(void **state)
{
	struct syncobj *syncobj = make();
	uint64_t *seen = make_seen();
	pid_t follower;

	for (int i = 0; i < 20; i++) {
		pid_t pid = start_child();

		if (pid == 0)
			require(syncobj_wait_signaled(syncobj, UINT64_MAX, -1) == 0);
		for (long spin = i * 10000; spin > 0; spin--)
			__asm__ volatile("" ::: "memory");
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	follower = start_follower(syncobj, seen);
	for (uint64_t point = 1; point < 1000; point++)
		assert_int_equal(signal_point(syncobj, point), 0);
	assert_int_equal(signal_point(syncobj, UINT64_MAX), 0);
	expect_success(follower);
	munmap(seen, sizeof(*seen));
	syncobj_unref(syncobj);
}

/* ---- processes of threads ------------------------------------------------ */

static struct syncobj *crowd[OBJECTS];
static int failures; /* in threads, where nothing can be asserted */

static void fail_if(bool what)
{
	if (what)
		__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
}

/* Where worker @number signals in @round. Points of an object grow with the rounds. */
static struct syncobj *place(unsigned int round, unsigned int number)
{
	return crowd[(round * ALL + number % ALL) % OBJECTS];
}

static void wait_by_eventfd(struct syncobj *syncobj, uint64_t point)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t value = 0;

	fail_if(syncobj_eventfd(syncobj, point, fd, 0) != 0);
	fail_if(read(fd, &value, sizeof(value)) != sizeof(value) || value != 1);
	close(fd);
}

/* Signalling comes first, so that nobody waits in a circle. */
static void *take_part(void *data)
{
	unsigned int number = (unsigned int)(size_t)data;

	for (unsigned int round = 0; round < CROWD_ROUNDS; round++) {
		unsigned int count = 1 + (round + number) % 8;
		uint32_t flags = SYNCOBJ_WAIT_FOR_SUBMIT | (round % 3 ? SYNCOBJ_WAIT_ALL : 0);
		struct syncobj *others[8];
		uint64_t points[8];

		for (unsigned int i = 0; i < count; i++) {
			others[i] = place(round, number + 1 + i * 9);
			points[i] = round + 1;
		}
		fail_if(signal_point(place(round, number), round + 1) != 0);
		if ((round + number) % 16 == 0)
			wait_by_eventfd(others[0], points[0]);
		fail_if(syncobj_wait(others, points, count, INT64_MAX, flags, 0, NULL) != 0);
		for (unsigned int i = 0; i < count && flags & SYNCOBJ_WAIT_ALL; i++)
			fail_if(query(others[i]) < points[i]);
	}
	return NULL;
}

static int count_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -1; /* the directory's own */

	if (!dir)
		abort();
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* In a child. */
static void run_workers(unsigned int first)
{
	int fds = count_open_fds();
	pthread_t threads[WORKERS];

	alarm(CROWD_SECONDS);
	sleep_without_end = true;
	require(syncobj_device_open("soft", &device) == 0);
	for (size_t i = 0; i < OBJECTS; i++)
		require(syncobj_import(device, syncobj_fd(crowd[i]), &crowd[i]) == 0);
	for (size_t i = 0; i < WORKERS; i++)
		require(pthread_create(&threads[i], NULL, take_part, (void *)(first + i)) == 0);
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < OBJECTS; i++)
		syncobj_unref(crowd[i]);
	syncobj_device_unref(device);
	require(count_open_fds() == fds);
	_exit(failures != 0);
}

static void crowd_loses_no_wake_up(void **state)
{
	struct rlimit limit, more;
	pid_t pids[PROCESSES];
	int fds = count_open_fds();

	/* A child has every object twice. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	more = limit;
	more.rlim_cur = MIN(limit.rlim_max, 2 * OBJECTS + 200);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
	for (size_t i = 0; i < OBJECTS; i++)
		crowd[i] = make();
	for (unsigned int i = 0; i < PROCESSES; i++) {
		pids[i] = start_child();
		if (pids[i] == 0)
			run_workers(i * WORKERS);
	}
	for (unsigned int i = 0; i < PROCESSES; i++)
		expect_success(pids[i]);
	for (unsigned int number = 0; number < ALL; number++)
		assert_int_equal(query(place(CROWD_ROUNDS - 1, number)), CROWD_ROUNDS);
	for (size_t i = 0; i < OBJECTS; i++)
		syncobj_unref(crowd[i]);
	assert_int_equal(count_open_fds(), fds);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* ---- threads ------------------------------------------------------------ */

static struct syncobj *ring[THREADS];
static uint64_t plain; /* what the objects order */

static void *pass_on(void *data)
{
	size_t i = (size_t)data;

	for (uint64_t point = 1; point <= ROUNDS; point++) {
		fail_if(syncobj_wait_signaled(ring[i], point, PATIENCE) != 0);
		plain++;
		if (i + 1 < THREADS)
			fail_if(signal_point(ring[i + 1], point) != 0);
		else if (point < ROUNDS)
			fail_if(signal_point(ring[0], point + 1) != 0);
	}
	return NULL;
}

static void run_threads(void *(*function)(void *), size_t count)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, function, (void *)i), 0);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failures, 0);
}

static void ring_of_threads(void **state)
{
	for (size_t i = 0; i < THREADS; i++)
		ring[i] = make();
	plain = 0;
	assert_int_equal(signal_point(ring[0], 1), 0);
	run_threads(pass_on, THREADS);
	assert_int_equal(plain, THREADS * ROUNDS);
	for (size_t i = 0; i < THREADS; i++)
		syncobj_unref(ring[i]);
}

/* Half of the threads signal one after the other's turn, half wait for everything. */
static void *signal_or_wait(void *data)
{
	size_t i = (size_t)data;

	for (uint64_t point = 1; point <= ROUNDS; point++) {
		if (i % 2)
			fail_if(signal_point(ring[0], point * THREADS + i) != 0);
		else
			fail_if(syncobj_wait_signaled(ring[0], point, PATIENCE) != 0);
	}
	return NULL;
}

static void many_signalers_and_waiters(void **state)
{
	ring[0] = make();
	run_threads(signal_or_wait, THREADS);
	assert_int_equal(query(ring[0]), ROUNDS * THREADS + THREADS - 1);
	syncobj_unref(ring[0]);
}

/* The answer of each wait is a point that is signalled again and again between resets. */
static void *reset_or_wait(void *data)
{
	size_t i = (size_t)data;

	if (i == 0) {
		while (__atomic_load_n(&plain, __ATOMIC_ACQUIRE) < THREADS - 1) {
			fail_if(signal_point(ring[0], 5) != 0);
			fail_if(syncobj_reset(&ring[0], 1) != 0);
		}
		return NULL;
	}
	for (int n = 0; n < 200; n++)
		fail_if(syncobj_wait_signaled(ring[0], 5, PATIENCE) != 0);
	__atomic_add_fetch(&plain, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void reset_storm(void **state)
{
	ring[0] = make();
	plain = 0;
	run_threads(reset_or_wait, THREADS);
	syncobj_unref(ring[0]);
}

/* A wait in another thread. */
struct waiting {
	pthread_t thread;
	struct syncobj *objs[200];
	uint64_t points[200];
	size_t count;
	uint32_t flags;
	size_t first;
	int result;
};

static void *do_wait(void *data)
{
	struct waiting *w = data;

	w->result = syncobj_wait(w->objs, w->points, w->count, now() + PATIENCE,
				 w->flags | SYNCOBJ_WAIT_FOR_SUBMIT, 0, &w->first);
	return NULL;
}

/* Returns when the wait has looked at all of its objects. */
static void begin_wait(struct waiting *w, size_t count, uint32_t flags)
{
	*w = (struct waiting){.count = count, .flags = flags, .first = 999, .result = 1};
	for (size_t i = 0; i < count; i++) {
		w->objs[i] = make();
		w->points[i] = 7;
	}
	if (flags & SYNCOBJ_WAIT_ALL)
		assert_int_equal(signal_point(w->objs[0], 7), 0);
	assert_int_equal(pthread_create(&w->thread, NULL, do_wait, w), 0);
	await_sleeper(w->objs[0]);
}

static void end_wait(struct waiting *w)
{
	pthread_join(w->thread, NULL);
	assert_int_equal(w->result, 0);
	for (size_t i = 0; i < w->count; i++)
		syncobj_unref(w->objs[i]);
}

static void wait_sees_through_signal_and_reset(void **state)
{
	struct waiting w;

	begin_wait(&w, 1, 0);
	assert_int_equal(signal_point(w.objs[0], 7), 0);
	assert_int_equal(syncobj_reset(w.objs, 1), 0);
	end_wait(&w);
}

static void wait_all_keeps_what_it_saw(void **state)
{
	struct waiting w;

	begin_wait(&w, 3, SYNCOBJ_WAIT_ALL);
	assert_int_equal(syncobj_reset(w.objs, 1), 0);
	assert_int_equal(signal_point(w.objs[1], 7), 0);
	assert_int_equal(syncobj_reset(&w.objs[1], 1), 0);
	assert_int_equal(signal_point(w.objs[2], 8), 0);
	end_wait(&w);
}

static void reset_does_not_wake_a_wait(void **state)
{
	struct waiting w;

	begin_wait(&w, 2, 0);
	assert_int_equal(syncobj_reset(w.objs, 2), 0);
	assert_int_equal(signal_point(w.objs[0], 6), 0);
	assert_int_equal(syncobj_reset(w.objs, 1), 0);
	assert_int_equal(signal_point(w.objs[1], 7), 0);
	end_wait(&w);
	assert_int_equal(w.first, 1);
}

static void wait_any_of_many_is_woken_by_the_last(void **state)
{
	const size_t counts[] = {1, 2, 127, 128, 129, 200};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct waiting w;

		begin_wait(&w, counts[i], 0);
		assert_int_equal(signal_point(w.objs[counts[i] - 1], 7), 0);
		end_wait(&w);
		assert_int_equal(w.first, counts[i] - 1);
	}
}

static void *do_transfer(void *data)
{
	struct syncobj **objs = data;

	fail_if(syncobj_transfer(objs[1], 4, objs[0], 7, SYNCOBJ_WAIT_FOR_SUBMIT) != 0);
	return NULL;
}

static void transfer_waits_for_its_source(void **state)
{
	struct syncobj *objs[] = {make(), make()};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, do_transfer, objs), 0);
	assert_int_equal(signal_point(objs[0], 7), 0);
	pthread_join(thread, NULL);
	assert_int_equal(failures, 0);
	assert_int_equal(query(objs[1]), 4);
	syncobj_unref(objs[0]);
	syncobj_unref(objs[1]);
}

static void transfer_gives_up_after_five_seconds(void **state)
{
	struct syncobj *objs[] = {make(), make()};
	int64_t begin = now();

	assert_int_equal(syncobj_transfer(objs[1], 4, objs[0], 0, SYNCOBJ_WAIT_FOR_SUBMIT), -ETIME);
	assert_true(now() - begin >= INT64_C(5000000000));
	syncobj_unref(objs[0]);
	syncobj_unref(objs[1]);
}

/* Cancelling and firing meet; afterwards the counter says which of them won, once. */
static void *cancel_at_any_time(void *data)
{
	struct syncobj *syncobj = data;

	for (uint64_t point = 1; point <= 500; point++) {
		struct syncobj_registration *registration = NULL;
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		uint64_t value = 0;

		fail_if(device->ops->eventfd(syncobj, point, fd, 0, &registration) != 0);
		syncobj_soft_cancel(registration);
		fail_if(read(fd, &value, sizeof(value)) == sizeof(value) && value != 1);
		fail_if(read(fd, &value, sizeof(value)) != -1);
		close(fd);
	}
	return NULL;
}

static void cancel_against_fire(void **state)
{
	struct syncobj *syncobj = make();
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, cancel_at_any_time, syncobj), 0);
	for (uint64_t point = 1; point <= 500; point++)
		assert_int_equal(signal_point(syncobj, point), 0);
	pthread_join(thread, NULL);
	assert_int_equal(failures, 0);
	syncobj_unref(syncobj);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	interrupted = 1;
}

static void *interrupt_then_signal(void *data)
{
	pthread_t *waiter = data;

	for (int i = 0; i < 100; i++) {
		pthread_kill(*waiter, SIGUSR1);
		usleep(100);
	}
	fail_if(signal_point(ring[0], 1) != 0);
	return NULL;
}

static void wait_goes_on_after_signal_handlers(void **state)
{
	struct sigaction action = {.sa_handler = interrupt}, old;
	pthread_t self = pthread_self(), thread;

	ring[0] = make();
	sigaction(SIGUSR1, &action, &old);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_then_signal, &self), 0);
	assert_int_equal(syncobj_wait_signaled(ring[0], 1, PATIENCE), 0);
	pthread_join(thread, NULL);
	assert_true(interrupted);
	sigaction(SIGUSR1, &old, NULL);
	syncobj_unref(ring[0]);
}

static int open_device(void **state)
{
	return syncobj_device_open("soft", &device);
}

static int close_device(void **state)
{
	syncobj_device_unref(device);
	return 0;
}

/* Processes first and each with a device of its own: a fork is simplest without threads. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_device, close_device)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(waits_for_another_process),
		TEST(killed_signalers_leave_nothing_behind),
		TEST(signal_counts_without_its_wake_up),
		TEST(killed_waiters_leave_nothing_behind),
		TEST(crowd_loses_no_wake_up),
		TEST(child_may_register_eventfds),
		TEST(ring_of_threads),
		TEST(many_signalers_and_waiters),
		TEST(reset_storm),
		TEST(wait_sees_through_signal_and_reset),
		TEST(wait_all_keeps_what_it_saw),
		TEST(reset_does_not_wake_a_wait),
		TEST(wait_any_of_many_is_woken_by_the_last),
		TEST(transfer_waits_for_its_source),
		TEST(transfer_gives_up_after_five_seconds),
		TEST(cancel_against_fire),
		TEST(wait_goes_on_after_signal_handlers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
