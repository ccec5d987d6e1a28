/* SPDX-License-Identifier: MIT */
/* Calls of the accel transport: answers, signals, time limits, threads, what a call costs. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accel-fixture.h"

#define INVOKE DRM_IOCTL_QDA_REMOTE_INVOKE

/* The test is linked so that the library's allocations and locks come by here; exported, because ld
 * looks for them on behalf of shared libraries too. */
static atomic_uint n_allocations, n_locks;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

QDA_EXPORT void *__wrap_malloc(size_t size)
{
	n_allocations++;
	return __real_malloc(size);
}

QDA_EXPORT void *__wrap_calloc(size_t n, size_t size)
{
	n_allocations++;
	return __real_calloc(n, size);
}

QDA_EXPORT int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	n_locks++;
	return __real_pthread_mutex_lock(mutex);
}

/* ---- answers ------------------------------------------------------------ */

static void test_answer_has_three_cases(void **state)
{
	static const uint32_t statuses[] = {1, 0x14, 0x7fffffff, 0x80000414, 0x80000000};
	uint32_t status = 7;

	open_session(0);
	assert_int_equal((int)0x80000414, -2147482604);
	expect_invoke();
	assert_int_equal(invoke(&status), 0);
	assert_int_equal(status, 0);
	uapimock_fails(expect_invoke(), EFAULT);
	assert_int_equal(invoke(&status), -EFAULT);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		uapimock_returns(expect_invoke(), (int)statuses[i]);
		assert_int_equal(invoke(&status), -EREMOTEIO);
		assert_int_equal(status, statuses[i]);
	}
	close_session();
	uapimock_end();
}

static void test_connection_reset_by_the_dsp_ends_the_session(void **state)
{
	open_session(0);
	uapimock_returns(expect_invoke(), (int)0x80000468);
	assert_int_equal(invoke(NULL), -ECONNRESET);
	assert_int_equal(invoke(NULL), -ECONNRESET);
	assert_string_equal(qda_session_end_reason(fx.session), "the DSP's process ended");
	close_session();
	uapimock_end();
}

/* As the driver does with an out argument in plain memory. */
static int store_first(void *argument, void *data)
{
	const struct drm_qda_invoke_args *invoke_args = argument;
	const struct drm_qda_fastrpc_invoke_args *args = (void *)(uintptr_t)invoke_args->args;

	memcpy((void *)(uintptr_t)args[0].ptr, data, args[0].length);
	return 0;
}

static void test_out_argument_is_written_in_place(void **state)
{
	const uint64_t answer = 0x1122334455667788;
	uint64_t out = 0;
	const struct qda_arg arg = {.ptr = &out, .length = sizeof(out)};

	open_session(0);
	uapimock_check(uapimock_expect_ioctl(fx.node, INVOKE), store_first, (void *)&answer);
	assert_int_equal(qda_session_invoke(fx.session, HANDLE, 0x02000100, &arg, QDA_NO_TIMEOUT,
					    NULL),
			 0);
	assert_int_equal(out, answer);
	close_session();
	uapimock_end();
}

static void test_attributes_on_the_wire(void **state)
{
	uint32_t value;
	struct uapimock_ioctl *e;
	const uint32_t in[] = {2, 0x00010100};

	open_session(0);
	e = uapimock_in(uapimock_expect_ioctl(fx.node, INVOKE), in, sizeof(in));
	uapimock_returns(e, (int)0x80000414);
	assert_int_equal(qda_session_get_attribute(fx.session, 6, &value), -EOPNOTSUPP);
	close_session();
	uapimock_end();
}

/* ---- signals ------------------------------------------------------------ */

static atomic_uint n_handled;

static void handle_signal(int number)
{
	n_handled++;
}

static void catch_signal(int number, int flags)
{
	struct sigaction action = {.sa_handler = handle_signal, .sa_flags = flags};

	n_handled = 0;
	assert_int_equal(sigaction(number, &action, NULL), 0);
}

struct caller {
	pthread_t thread;
	atomic_int tid;
	int timeout_ms;
	atomic_int result; /* 1 while the call runs */
};

static void *caller_main(void *data)
{
	struct caller *caller = data;

	caller->tid = gettid();
	caller->result =
		qda_session_invoke(fx.session, HANDLE, 0x02000000, NULL, caller->timeout_ms, NULL);
	return NULL;
}

/* A call in a thread of its own, blocked in its ioctl. */
static void start_caller(struct caller *caller, int timeout_ms)
{
	caller->timeout_ms = timeout_ms;
	caller->result = 1;
	assert_int_equal(pthread_create(&caller->thread, NULL, caller_main, caller), 0);
	assert_true(uapimock_wait_blocked(INVOKE, 1));
}

static void test_signals_wait_for_the_end_of_the_call(void **state)
{
	struct caller caller;

	open_session(0);
	catch_signal(SIGUSR1, SA_RESTART);
	uapimock_blocks(expect_invoke());
	start_caller(&caller, QDA_NO_TIMEOUT);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(pthread_kill(caller.thread, SIGUSR1), 0);
		usleep(100);
	}
	assert_int_equal(n_handled, 0);
	assert_int_equal(caller.result, 1);
	uapimock_release(INVOKE);
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.result, 0);
	assert_true(n_handled > 0); /* delivered after the call */
	close_session();
	uapimock_end();
}

static void test_signal_mask_is_as_before(void **state)
{
	sigset_t before, after;

	open_session(0);
	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
	expect_invoke();
	assert_int_equal(invoke(NULL), 0);
	uapimock_fails(expect_invoke(), EIO);
	assert_int_equal(invoke(NULL), -EIO);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &before, &after), 0);
	assert_true(sigismember(&after, SIGUSR2));
	assert_false(sigismember(&after, SIGUSR1));
	assert_false(sigismember(&after, SIGTERM));
	close_session();
	uapimock_end();
}

static void test_interruptible_call_returns_eintr(void **state)
{
	struct caller caller;

	open_session(QDA_SESSION_INTERRUPTIBLE);
	catch_signal(SIGUSR1, 0);
	uapimock_blocks(expect_invoke());
	start_caller(&caller, QDA_NO_TIMEOUT);
	while (caller.result == 1) {
		pthread_kill(caller.thread, SIGUSR1);
		usleep(100);
	}
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.result, -EINTR);
	expect_invoke(); /* the session goes on */
	assert_int_equal(invoke(NULL), 0);
	close_session();
	uapimock_end();
}

static void test_cancelled_thread_finishes_its_call(void **state)
{
	struct caller caller;

	open_session(0);
	uapimock_blocks(expect_invoke());
	start_caller(&caller, QDA_NO_TIMEOUT);
	assert_int_equal(pthread_cancel(caller.thread), 0);
	for (int i = 0; i < 100; i++)
		usleep(100);
	assert_int_equal(caller.result, 1);
	uapimock_release(INVOKE);
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.result, 0);
	close_session();
	uapimock_end();
}

/* Whether a signal waits for a thread. */
static bool is_pending(int tid, int number)
{
	char path[64], line[256];
	unsigned long long pending = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "SigPnd:", 7))
			pending = strtoull(line + 7, NULL, 16);
	fclose(file);
	return pending >> (number - 1) & 1;
}

static void *setuid_main(void *data)
{
	return (void *)(intptr_t)setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1);
}

/* libc has every thread change its ids by a signal whose handler restarts system calls. */
static void test_setuid_in_another_thread_waits_for_the_call(void **state)
{
	struct caller caller;
	pthread_t thread;
	void *result;

	open_session(0);
	uapimock_blocks(expect_invoke());
	start_caller(&caller, QDA_NO_TIMEOUT);
	assert_int_equal(pthread_create(&thread, NULL, setuid_main, NULL), 0);
	while (caller.result == 1 && !is_pending(caller.tid, 33))
		usleep(100);
	assert_int_equal(caller.result, 1);
	uapimock_release(INVOKE);
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.result, 0);
	pthread_join(thread, &result);
	assert_null(result);
	close_session();
	uapimock_end();
}

/* ---- time limits -------------------------------------------------------- */

/* The thread that makes the call has to get as far as the ioctl within the limit. */
#define REACHED_LIMIT_MS 1000

static void test_time_limit_ends_call_and_session(void **state)
{
	uint32_t status = 7;

	open_session(0);
	uapimock_blocks(expect_invoke());
	assert_int_equal(qda_session_invoke(fx.session, HANDLE, 0x02000000, NULL, REACHED_LIMIT_MS,
					    &status),
			 -ETIMEDOUT);
	assert_int_equal(status, 7);
	assert_int_equal(invoke(NULL), -ECONNRESET);
	assert_string_equal(qda_session_end_reason(fx.session),
			    "ended because a call ran into its limit");
	close_session();
	uapimock_end(); /* nothing is blocked any more */
}

static void test_time_limit_that_is_not_reached(void **state)
{
	uint32_t status = 7;

	open_session(0);
	expect_invoke();
	assert_int_equal(qda_session_invoke(fx.session, HANDLE, 0x02000000, NULL, 60000, &status),
			 0);
	assert_int_equal(status, 0);
	uapimock_returns(expect_invoke(), (int)0x80000414);
	assert_int_equal(qda_session_invoke(fx.session, HANDLE, 0x02000000, NULL, INT32_MAX,
					    &status),
			 -EREMOTEIO);
	assert_int_equal(status, 0x80000414);
	uapimock_fails(expect_invoke(), EINTR);
	assert_int_equal(qda_session_invoke(fx.session, HANDLE, 0x02000000, NULL, 60000, &status),
			 -EINTR);
	uapimock_fails(expect_invoke(), EPIPE);
	assert_int_equal(qda_session_invoke(fx.session, HANDLE, 0x02000000, NULL, 60000, &status),
			 -EPIPE);
	assert_int_equal(invoke(NULL), -EPIPE);
	close_session();
	uapimock_end();
}

static void test_signals_do_not_disturb_a_limited_call(void **state)
{
	struct caller caller;

	open_session(0);
	catch_signal(SIGUSR1, 0);
	uapimock_blocks(expect_invoke());
	start_caller(&caller, 600000);
	while (n_handled < 100) {
		assert_int_equal(pthread_kill(caller.thread, SIGUSR1), 0);
		usleep(100);
	}
	assert_int_equal(caller.result, 1);
	uapimock_release(INVOKE);
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.result, 0);
	close_session();
	uapimock_end();
}

static void test_interruptible_limited_call_returns_eintr(void **state)
{
	struct caller caller;

	open_session(QDA_SESSION_INTERRUPTIBLE);
	catch_signal(SIGUSR1, 0);
	uapimock_blocks(expect_invoke());
	start_caller(&caller, 600000);
	while (caller.result == 1) {
		pthread_kill(caller.thread, SIGUSR1);
		usleep(100);
	}
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.result, -EINTR);
	expect_invoke();
	assert_int_equal(invoke(NULL), 0);
	close_session();
	uapimock_end();
}

/* ---- threads ------------------------------------------------------------ */

static void *cancellable_main(void *data)
{
	uint32_t status;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	qda_session_call(fx.session, HANDLE, 0x02000000, NULL, QDA_NO_TIMEOUT, QDA_CALL_CANCELLABLE,
			 &status);
	return NULL;
}

static void test_cancellable_call_ends_with_its_thread(void **state)
{
	pthread_t thread;
	void *result;

	open_session(0);
	uapimock_blocks(expect_invoke());
	assert_int_equal(pthread_create(&thread, NULL, cancellable_main, NULL), 0);
	assert_true(uapimock_wait_blocked(INVOKE, 1));
	assert_int_equal(pthread_cancel(thread), 0);
	pthread_join(thread, &result);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	close_session(); /* does not wait for it */
	uapimock_end();
}

static void test_close_stops_the_listener_in_its_call(void **state)
{
	const uint32_t init[] = {7, 0x05000000}, next[] = {7, 0x06020200};

	fx.params.flags = 0;
	fx.node = uapimock_expect_open(NODE, 0);
	expect_alloc(2 * PAGE, SHELL_HANDLE);
	uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE);
	expect_gem_close(SHELL_HANDLE);
	uapimock_in(uapimock_expect_ioctl(fx.node, INVOKE), init, sizeof(init));
	uapimock_blocks(uapimock_in(uapimock_expect_ioctl(fx.node, INVOKE), next, sizeof(next)));
	assert_int_equal(qda_session_create(&fx.device, &fx.params, &fx.session), 0);
	assert_true(uapimock_wait_blocked(INVOKE, 1));
	close_session();
	uapimock_end();
}

#define THREADS 8
#define CALLS 50

static void *many_main(void *data)
{
	intptr_t failed = 0;

	for (int i = 0; i < CALLS; i++)
		failed += invoke(NULL) != 0;
	return (void *)failed;
}

static void test_many_threads_call_at_once(void **state)
{
	pthread_t threads[THREADS];

	open_session(0);
	uapimock_times(expect_invoke(), THREADS * CALLS);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_main, NULL), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	close_session();
	uapimock_end();
}

static void test_calls_do_not_wait_for_each_other(void **state)
{
	struct caller callers[3];

	open_session(0);
	uapimock_times(uapimock_blocks(expect_invoke()), 3);
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		start_caller(&callers[i], QDA_NO_TIMEOUT);
	assert_true(uapimock_wait_blocked(INVOKE, 3));
	uapimock_release(INVOKE);
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].result, 0);
	}
	close_session();
	uapimock_end();
}

static void test_call_allocates_nothing_and_takes_no_lock(void **state)
{
	struct qda_buffer *buffer;
	char byte;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	const struct qda_arg args[] = {
		{.ptr = &byte, .length = 1},
		{.buffer = buffer, .length = 8},
		{.buffer = buffer, .offset = 8, .length = 8},
		{.buffer = buffer, .length = PAGE},
	};
	uapimock_times(uapimock_expect_ioctl(fx.node, INVOKE), 2);
	assert_true(n_allocations > 0 && n_locks > 0); /* they are counted at all */
	n_allocations = n_locks = 0;
	assert_int_equal(qda_session_invoke(fx.session, HANDLE, QDA_SCALARS(2, 2, 1, 1, 0), args,
					    QDA_NO_TIMEOUT, NULL),
			 0);
	assert_int_equal(n_allocations, 0);
	assert_int_equal(n_locks, 0);
	assert_int_equal(qda_session_invoke(fx.session, HANDLE, QDA_SCALARS(2, 2, 1, 1, 0), args,
					    QDA_NO_TIMEOUT, NULL),
			 0);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		accel_test(test_answer_has_three_cases),
		accel_test(test_connection_reset_by_the_dsp_ends_the_session),
		accel_test(test_out_argument_is_written_in_place),
		accel_test(test_attributes_on_the_wire),
		accel_test(test_signals_wait_for_the_end_of_the_call),
		accel_test(test_signal_mask_is_as_before),
		accel_test(test_interruptible_call_returns_eintr),
		accel_test(test_cancelled_thread_finishes_its_call),
		accel_test(test_setuid_in_another_thread_waits_for_the_call),
		accel_test(test_time_limit_ends_call_and_session),
		accel_test(test_time_limit_that_is_not_reached),
		accel_test(test_signals_do_not_disturb_a_limited_call),
		accel_test(test_interruptible_limited_call_returns_eintr),
		accel_test(test_cancellable_call_ends_with_its_thread),
		accel_test(test_close_stops_the_listener_in_its_call),
		accel_test(test_many_threads_call_at_once),
		accel_test(test_calls_do_not_wait_for_each_other),
		accel_test(test_call_allocates_nothing_and_takes_no_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
