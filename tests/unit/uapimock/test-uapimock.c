/* SPDX-License-Identifier: MIT */
/* libuapimock: what it answers, and that every difference from the script fails the test. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <xf86drm.h>
#include <drm/qda_accel.h>
#include <uapimock.h>

#include "../fds.h"

#include "common.h"

#define NODE "/dev/accel/accel0"

static int open_node(void)
{
	int fd = uapimock_expect_open(NODE, 0);

	assert_int_equal(open(NODE, O_RDWR | O_CLOEXEC), fd);
	return fd;
}

/*
 * Run @script as a cmocka test of its own in a child.
 *
 * Return: the number of tests that failed in it, with what they wrote.
 */
static int run_apart(CMUnitTestFunction script, char *output, size_t size)
{
	const struct CMUnitTest tests[] = {{"apart", script, NULL, NULL, NULL}};
	size_t used = 0;
	ssize_t n;
	int ends[2], status;
	pid_t pid;

	assert_return_code(pipe(ends), errno);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(ends[0]);
		if (dup2(ends[1], STDOUT_FILENO) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
			_exit(99);
		_exit(cmocka_run_group_tests_name("apart", tests, NULL, NULL));
	}
	close(ends[1]);
	while ((n = read(ends[0], output + used, size - 1 - used)) > 0)
		used += (size_t)n;
	output[used] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The script must fail, and say so in these words. */
static void assert_fails(CMUnitTestFunction script, const char *words)
{
	char output[8192];

	assert_int_equal(run_apart(script, output, sizeof(output)), 1);
	if (!strstr(output, words))
		fail_msg("no \"%s\" in: %s", words, output);
}

/* ---- what scripts answer ------------------------------------------------ */

static void test_ioctl_answers_bytes(void **state)
{
	struct drm_qda_gem_create arg = {.size = 4096};
	uint32_t handle = 7;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_out_at(uapimock_in(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE), &arg,
				    sizeof(arg)),
			offsetof(struct drm_qda_gem_create, handle), &handle, sizeof(handle));
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE, &arg), 0);
	assert_int_equal(arg.handle, 7);
	assert_int_equal(arg.size, 4096);
	close(fd);
	uapimock_end();
}

static void test_ioctl_fails_with_errno(void **state)
{
	struct drm_qda_query arg = {0};
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_fails(uapimock_out(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), "cdsp", 5),
		       ENODEV);
	errno = 0;
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, &arg), -1);
	assert_int_equal(errno, ENODEV);
	assert_string_equal((char *)arg.dsp_name, "cdsp");
	close(fd);
	uapimock_end();
}

static void test_ioctl_returns_a_dsp_status(void **state)
{
	struct drm_qda_invoke_args arg = {0};
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_returns(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE), (int)0x80000414);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE, &arg), (int)0x80000414);
	close(fd);
	uapimock_end();
}

static void test_open_fails_with_errno(void **state)
{
	uapimock_begin();
	assert_int_equal(uapimock_expect_open(NODE, EACCES), -1);
	assert_int_equal(open(NODE, O_RDWR), -1);
	assert_int_equal(errno, EACCES);
	uapimock_end();
}

static void test_openat_of_an_absolute_path(void **state)
{
	int fd;

	uapimock_begin();
	fd = uapimock_expect_open(NODE, 0);
	assert_int_equal(openat(AT_FDCWD, NODE, O_RDWR), fd);
	close(fd);
	uapimock_end();
}

static void test_memory_behind_a_pointer(void **state)
{
	struct drm_qda_fastrpc_invoke_args args[2] = {{.length = 8, .fd = -1}, {.length = 4}};
	struct drm_qda_invoke_args arg = {.args = (uintptr_t)args};
	struct uapimock_ioctl *e;
	int fd;

	uapimock_begin();
	fd = open_node();
	e = uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE);
	uapimock_in_via(e, offsetof(struct drm_qda_invoke_args, args), args, sizeof(args));
	uapimock_out_via(e, offsetof(struct drm_qda_invoke_args, args), "\x99", 1);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE, &arg), 0);
	assert_int_equal(args[0].ptr, 0x99);
	close(fd);
	uapimock_end();
}

static int check_size(void *argument, void *data)
{
	struct drm_qda_gem_create *arg = argument;

	arg->handle = 3;
	return arg->size == *(uint64_t *)data ? 0 : EINVAL;
}

static void test_check_sees_and_changes_the_argument(void **state)
{
	struct drm_qda_gem_create arg = {.size = 4096};
	uint64_t size = 4096;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_times(uapimock_check(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE),
				      check_size, &size),
		       2);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE, &arg), 0);
	assert_int_equal(arg.handle, 3);
	arg.size = 1;
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE, &arg), -1);
	assert_int_equal(errno, EINVAL);
	close(fd);
	uapimock_end();
}

static void test_out_fd_through_libdrm(void **state)
{
	struct drm_prime_handle in = {.handle = 5, .flags = DRM_CLOEXEC | DRM_RDWR};
	struct uapimock_ioctl *e;
	int fd, expected, exported = -1;

	uapimock_begin();
	fd = open_node();
	e = uapimock_expect_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD);
	uapimock_in(e, &in, offsetof(struct drm_prime_handle, fd));
	expected = uapimock_out_fd(e, offsetof(struct drm_prime_handle, fd));
	assert_int_equal(drmPrimeHandleToFD(fd, 5, DRM_CLOEXEC | DRM_RDWR, &exported), 0);
	assert_int_equal(exported, expected);
	assert_true(exported > 2);
	close(exported);
	close(fd);
	uapimock_end();
}

static void test_ioctl_that_returns_an_fd(void **state)
{
	struct uapimock_ioctl *e;
	int fd, expected, got;

	uapimock_begin();
	fd = open_node();
	e = uapimock_times(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), 2);
	expected = uapimock_returns_fd(e);
	uapimock_fd_size(expected, 8192);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, NULL), expected);
	got = ioctl(fd, DRM_IOCTL_QDA_QUERY, NULL);
	assert_int_not_equal(got, expected);
	assert_int_equal(lseek(got, 0, SEEK_END), 8192);
	close(got);
	close(expected);
	uapimock_fails(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), EMFILE);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, NULL), -1);
	close(fd);
	uapimock_end();
}

static void test_out_fd_again_is_a_duplicate(void **state)
{
	struct uapimock_ioctl *e;
	int fd, exported[2] = {-1, -1};

	uapimock_begin();
	fd = open_node();
	e = uapimock_times(uapimock_expect_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD), 2);
	uapimock_fd_size(uapimock_out_fd(e, offsetof(struct drm_prime_handle, fd)), 8192);
	for (int i = 0; i < 2; i++)
		assert_int_equal(drmPrimeHandleToFD(fd, 5, DRM_CLOEXEC, &exported[i]), 0);
	assert_int_not_equal(exported[0], exported[1]);
	assert_int_equal(lseek(exported[1], 0, SEEK_END), 8192);
	close(exported[0]);
	close(exported[1]);
	close(fd);
	uapimock_end();
}

static void test_version_through_libdrm(void **state)
{
	drmVersionPtr version;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_version(fd, "qda", 1, 2, 3);
	version = drmGetVersion(fd);
	assert_non_null(version);
	assert_string_equal(version->name, "qda");
	assert_int_equal(version->version_major, 1);
	assert_int_equal(version->version_minor, 2);
	assert_int_equal(version->version_patchlevel, 3);
	drmFreeVersion(version);
	close(fd);
	uapimock_end();
}

static void test_mmap_gives_zeroed_memory(void **state)
{
	unsigned char *memory;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_mmap(fd, 0x100000, 8192, 0);
	memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0x100000);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(memory[8191], 0);
	memory[0] = 1;
	close(fd);
	assert_int_equal(munmap(memory, 8192), 0);
	uapimock_end();
}

static void test_mmap_fails_with_errno(void **state)
{
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_mmap(fd, 0, 4096, ENOMEM);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, ENOMEM);
	close(fd);
	uapimock_end();
}

static void test_size_of_a_descriptor(void **state)
{
	struct stat st;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_fd_size(fd, 12288);
	assert_int_equal(lseek(fd, 0, SEEK_END), 12288);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(lseek(fd, 1, SEEK_SET), -1);
	assert_int_equal(errno, EINVAL);
	assert_return_code(fstat(fd, &st), errno);
	assert_int_equal(st.st_size, 12288);
	close(fd);
	uapimock_end();
}

static void test_duplicates_are_the_same_object(void **state)
{
	struct drm_qda_query arg;
	int fds[5];

	uapimock_begin();
	fds[0] = open_node();
	uapimock_times(uapimock_expect_ioctl(fds[0], DRM_IOCTL_QDA_QUERY), 4);
	fds[1] = dup(fds[0]);
	fds[2] = fcntl(fds[0], F_DUPFD_CLOEXEC, 100);
	fds[3] = dup2(fds[1], 200);
	fds[4] = dup3(fds[2], 201, O_CLOEXEC);
	assert_true(fds[2] >= 100);
	assert_int_equal(fds[3], 200);
	assert_int_equal(fcntl(fds[4], F_GETFD), FD_CLOEXEC);
	for (int i = 1; i < 5; i++)
		assert_int_equal(ioctl(fds[i], DRM_IOCTL_QDA_QUERY, &arg), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(close(fds[i]), 0);
	uapimock_end();
}

static void test_any_number_of_calls(void **state)
{
	struct drm_qda_query arg;
	struct drm_gem_close gem;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_times(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE), 0);
	uapimock_times(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), 0);
	uapimock_expect_ioctl(fd, DRM_IOCTL_GEM_CLOSE);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, &arg), 0);
	assert_int_equal(ioctl(fd, DRM_IOCTL_GEM_CLOSE, &gem), 0);
	close(fd);
	uapimock_end();
}

static void test_unordered_comes_at_any_time(void **state)
{
	struct drm_qda_query query;
	struct drm_qda_invoke_args invoke = {.handle = 3}, other = {.handle = 4};
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY);
	uapimock_in(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE), &other, sizeof(other));
	uapimock_unordered(uapimock_in(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE),
				       &invoke, sizeof(invoke)));
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE, &invoke), 0);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, &query), 0);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE, &other), 0);
	close(fd);
	uapimock_end();
}

struct blocked_call {
	int fd;
	int result;
	int error;
};

static void *blocked_thread(void *data)
{
	struct blocked_call *call = data;
	struct drm_qda_query arg;

	call->result = ioctl(call->fd, DRM_IOCTL_QDA_QUERY, &arg);
	call->error = errno;
	return NULL;
}

static void test_blocked_call_returns_on_release(void **state)
{
	struct blocked_call call;
	pthread_t thread;

	uapimock_begin();
	call.fd = open_node();
	uapimock_returns(uapimock_blocks(uapimock_expect_ioctl(call.fd, DRM_IOCTL_QDA_QUERY)), 5);
	assert_int_equal(pthread_create(&thread, NULL, blocked_thread, &call), 0);
	assert_true(uapimock_wait_blocked(DRM_IOCTL_QDA_QUERY, 1));
	uapimock_release(DRM_IOCTL_QDA_GEM_CREATE);
	assert_true(uapimock_wait_blocked(DRM_IOCTL_QDA_QUERY, 1));
	uapimock_release(DRM_IOCTL_QDA_QUERY);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(call.result, 5);
	close(call.fd);
	uapimock_end();
}

static void ignore_signal(int signal)
{
}

static void test_blocked_call_ends_by_a_signal(void **state)
{
	struct sigaction action = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART}, before;
	struct blocked_call call;
	pthread_t thread;

	sigaction(SIGUSR1, &action, &before);
	uapimock_begin();
	call.fd = open_node();
	uapimock_blocks(uapimock_expect_ioctl(call.fd, DRM_IOCTL_QDA_QUERY));
	assert_int_equal(pthread_create(&thread, NULL, blocked_thread, &call), 0);
	/* Blocked in the script is not yet asleep in the kernel: send until it ends. */
	assert_true(uapimock_wait_blocked(DRM_IOCTL_QDA_QUERY, 1));
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		pthread_kill(thread, SIGUSR1);
		usleep(1000);
	}
	assert_int_equal(call.result, -1);
	assert_int_equal(call.error, EINTR);
	close(call.fd);
	uapimock_end();
	sigaction(SIGUSR1, &before, NULL);
}

static void *cancelled_thread(void *data)
{
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	return blocked_thread(data);
}

static void test_blocked_call_can_be_cancelled(void **state)
{
	struct blocked_call call;
	pthread_t thread;
	void *result;

	uapimock_begin();
	call.fd = open_node();
	uapimock_blocks(uapimock_expect_ioctl(call.fd, DRM_IOCTL_QDA_QUERY));
	assert_int_equal(pthread_create(&thread, NULL, cancelled_thread, &call), 0);
	assert_true(uapimock_wait_blocked(DRM_IOCTL_QDA_QUERY, 1));
	assert_int_equal(pthread_cancel(thread), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	close(call.fd);
	uapimock_end();
}

static void *query_thread(void *data)
{
	struct drm_qda_query arg;

	for (int i = 0; i < 100; i++)
		if (ioctl(*(int *)data, DRM_IOCTL_QDA_QUERY, &arg))
			return data;
	return NULL;
}

static void test_calls_from_many_threads(void **state)
{
	pthread_t threads[4];
	void *result;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_times(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), 400);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, query_thread, &fd), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	assert_true(uapimock_ok());
	close(fd);
	uapimock_end();
}

/* ---- what goes through -------------------------------------------------- */

static void test_other_files_go_through(void **state)
{
	char path[] = "/tmp/uapimock-XXXXXX", text[4] = "";
	struct stat st;
	char *memory;
	int fd, copy, n = 0;

	uapimock_begin();
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "abcd", 4), 4);
	close(fd);
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0640);
	assert_true(fd >= 0);
	assert_return_code(fstat(fd, &st), errno);
	assert_int_equal(st.st_mode & 0777 & ~0640U, 0);
	assert_int_equal(st.st_mode & 0600, 0600);
	assert_int_equal(write(fd, "abcd", 4), 4);
	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
	copy = dup(fd);
	assert_int_equal(read(copy, text, 2), 2);
	assert_memory_equal(text, "bc", 2);
	assert_int_equal(fcntl(copy, F_GETFL) & O_ACCMODE, O_RDWR);
	memory = mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_memory_equal(memory, "abcd", 4);
	assert_int_equal(munmap(memory, 4), 0);
	close(copy);
	close(fd);
	unlink(path);
	uapimock_end();
}

static void test_errors_of_the_kernel_go_through(void **state)
{
	uapimock_begin();
	assert_int_equal(open("/nonexistent/file", O_RDONLY), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(close(-1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(dup2(-1, -1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(ioctl(-1, DRM_IOCTL_QDA_QUERY, NULL), -1);
	assert_int_equal(errno, EBADF);
	uapimock_end();
}

static void test_everything_goes_through_after_the_end(void **state)
{
	int fd;

	uapimock_begin();
	fd = open_node();
	close(fd);
	uapimock_end();
	assert_int_equal(open(NODE "-not-there", O_RDWR), -1);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, NULL), -1);
	assert_int_equal(errno, EBADF);
}

static void test_begin_forgets_an_earlier_script(void **state)
{
	int before = count_fds(), fd;
	struct drm_qda_query arg;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_mmap(fd, 0, 4096, 0);
	assert_ptr_not_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE, &arg), -1);
	assert_false(uapimock_ok());
	uapimock_begin();
	assert_true(uapimock_ok());
	uapimock_end();
	assert_int_equal(count_fds(), before);
}

/* ---- what fails --------------------------------------------------------- */

static void script_wrong_request(void **state)
{
	struct drm_qda_gem_create arg = {0};
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE, &arg), -1);
	assert_int_equal(errno, ENOTRECOVERABLE);
	close(fd);
	uapimock_end();
}

static void test_wrong_request_fails(void **state)
{
	assert_fails(script_wrong_request,
		     "DRM_IOCTL_QDA_GEM_CREATE 0xc0106441 (read and write, 'd' 0x41, 16 bytes)");
	assert_fails(script_wrong_request, "expected now: call 2 of the script");
	assert_fails(script_wrong_request, "DRM_IOCTL_QDA_QUERY 0x80106440");
}

static void script_wrong_bytes(void **state)
{
	struct drm_qda_gem_create expected = {.size = 4096}, arg = {.size = 4096, .pad = 0x55};
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_in(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE), &expected,
		    sizeof(expected));
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE, &arg), -1);
	close(fd);
	uapimock_end();
}

static void test_wrong_bytes_fail(void **state)
{
	assert_fails(script_wrong_bytes,
		     "bytes differ from byte 12 on: expected 00 00 00 00, got 55 00 00 00");
}

static void script_wrong_bytes_behind_pointer(void **state)
{
	struct drm_qda_invoke_args arg = {.args = (uintptr_t) "abcx"};
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_in_via(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE), 8, "abcd", 4);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE, &arg), -1);
	close(fd);
	uapimock_end();
}

static void test_wrong_bytes_behind_pointer_fail(void **state)
{
	assert_fails(script_wrong_bytes_behind_pointer,
		     "from byte 3 on of the memory that offset 8 points to: expected 64, got 78");
}

static void script_null_pointer(void **state)
{
	struct drm_qda_invoke_args arg = {0};
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_in_via(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE), 8, "abcd", 4);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE, &arg), -1);
	close(fd);
	uapimock_end();
}

static void test_null_pointer_fails(void **state)
{
	assert_fails(script_null_pointer, "a NULL pointer instead of 4 bytes");
}

static void script_missing_call(void **state)
{
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY);
	close(fd);
	uapimock_end();
}

static void test_missing_call_fails(void **state)
{
	assert_fails(script_missing_call, "call 2 of the script did not come");
}

static void script_too_few_calls(void **state)
{
	struct drm_qda_query arg;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_times(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), 2);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, &arg), 0);
	close(fd);
	uapimock_end();
}

static void test_too_few_calls_fail(void **state)
{
	assert_fails(script_too_few_calls, "(often enough)");
}

static void script_too_many_calls(void **state)
{
	struct drm_qda_query arg;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, &arg), 0);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, &arg), -1);
	close(fd);
	uapimock_end();
}

static void test_too_many_calls_fail(void **state)
{
	assert_fails(script_too_many_calls, "the script has no more calls");
}

static void script_second_open(void **state)
{
	uapimock_begin();
	close(open_node());
	assert_int_equal(open(NODE, O_RDWR), -1);
	assert_int_equal(errno, ENOTRECOVERABLE);
	uapimock_end();
}

static void test_second_open_of_a_scripted_path_fails(void **state)
{
	assert_fails(script_second_open, "unexpected open(\"" NODE "\")");
}

static void script_leaked_fd(void **state)
{
	uapimock_begin();
	open_node();
	uapimock_end();
}

static void test_leaked_fd_fails(void **state)
{
	assert_fails(script_leaked_fd, "is still open");
}

static void script_leaked_duplicate(void **state)
{
	int fd;

	uapimock_begin();
	fd = open_node();
	if (dup(fd) >= 0)
		close(fd);
	uapimock_end();
}

static void test_leaked_duplicate_fails(void **state)
{
	assert_fails(script_leaked_duplicate, "is still open");
}

static void script_leaked_mapping(void **state)
{
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_mmap(fd, 0, 8192, 0);
	assert_ptr_not_equal(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
	uapimock_end();
}

static void test_leaked_mapping_fails(void **state)
{
	assert_fails(script_leaked_mapping, "8192 bytes are still mapped");
}

static void script_partly_unmapped(void **state)
{
	void *memory;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_mmap(fd, 0, 8192, 0);
	memory = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(munmap(memory, 4096), -1);
	close(fd);
	uapimock_end();
}

static void test_partly_unmapped_fails(void **state)
{
	assert_fails(script_partly_unmapped, "of a mapping of 8192 bytes");
}

static void script_wrong_mmap(void **state)
{
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_mmap(fd, 0x1000, 4096, 0);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0x2000), MAP_FAILED);
	close(fd);
	uapimock_end();
}

static void test_wrong_mmap_offset_fails(void **state)
{
	assert_fails(script_wrong_mmap, "offset 0x2000, 4096 bytes)");
}

static void script_early_close(void **state)
{
	struct drm_qda_query arg;
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY);
	uapimock_expect_close(fd);
	close(fd);
	ioctl(fd, DRM_IOCTL_QDA_QUERY, &arg);
	uapimock_end();
}

static void test_early_close_fails(void **state)
{
	assert_fails(script_early_close, "unexpected close(");
}

static void script_early_use(void **state)
{
	struct drm_qda_query arg;
	int fd;

	uapimock_begin();
	fd = uapimock_expect_open(NODE, 0);
	assert_int_equal(ioctl(fd, DRM_IOCTL_QDA_QUERY, &arg), -1);
	uapimock_end();
}

static void test_use_before_open_fails(void **state)
{
	assert_fails(script_early_use, "before the script gave it out");
}

static void script_still_blocked(void **state)
{
	struct blocked_call call;
	pthread_t thread;

	uapimock_begin();
	call.fd = open_node();
	uapimock_blocks(uapimock_expect_ioctl(call.fd, DRM_IOCTL_QDA_QUERY));
	assert_int_equal(pthread_create(&thread, NULL, blocked_thread, &call), 0);
	assert_true(uapimock_wait_blocked(DRM_IOCTL_QDA_QUERY, 1));
	close(call.fd);
	uapimock_end();
}

static void test_still_blocked_call_fails(void **state)
{
	assert_fails(script_still_blocked, "still blocked: ioctl DRM_IOCTL_QDA_QUERY");
}

static void test_begin_ends_blocked_calls(void **state)
{
	struct blocked_call call;
	pthread_t thread;

	uapimock_begin();
	call.fd = open_node();
	uapimock_blocks(uapimock_expect_ioctl(call.fd, DRM_IOCTL_QDA_QUERY));
	assert_int_equal(pthread_create(&thread, NULL, blocked_thread, &call), 0);
	assert_true(uapimock_wait_blocked(DRM_IOCTL_QDA_QUERY, 1));
	uapimock_begin();
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(call.result, -1);
	assert_int_equal(call.error, ENOTRECOVERABLE);
	uapimock_end();
}

static void script_not_a_mock_fd(void **state)
{
	uapimock_begin();
	uapimock_expect_ioctl(0, DRM_IOCTL_QDA_QUERY);
	uapimock_end();
}

static void test_script_of_another_fd_fails(void **state)
{
	assert_fails(script_not_a_mock_fd, "0 is not a mock file descriptor");
}

static void script_too_many_bytes(void **state)
{
	char bytes[17] = {0};
	int fd;

	uapimock_begin();
	fd = open_node();
	uapimock_times(uapimock_in(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), bytes,
				   sizeof(bytes)),
		       0);
	close(fd);
	uapimock_end();
}

static void test_bytes_beyond_the_argument_fail(void **state)
{
	assert_fails(script_too_many_bytes, "byte 16 of an argument of 16 bytes");
}

static void test_end_leaves_no_descriptors(void **state)
{
	int before = count_fds(), fd;

	uapimock_begin();
	fd = open_node();
	uapimock_out_fd(uapimock_times(uapimock_expect_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD), 0),
			8);
	close(fd);
	uapimock_end();
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ioctl_answers_bytes),
		cmocka_unit_test(test_ioctl_fails_with_errno),
		cmocka_unit_test(test_ioctl_returns_a_dsp_status),
		cmocka_unit_test(test_open_fails_with_errno),
		cmocka_unit_test(test_openat_of_an_absolute_path),
		cmocka_unit_test(test_memory_behind_a_pointer),
		cmocka_unit_test(test_check_sees_and_changes_the_argument),
		cmocka_unit_test(test_out_fd_through_libdrm),
		cmocka_unit_test(test_ioctl_that_returns_an_fd),
		cmocka_unit_test(test_out_fd_again_is_a_duplicate),
		cmocka_unit_test(test_version_through_libdrm),
		cmocka_unit_test(test_mmap_gives_zeroed_memory),
		cmocka_unit_test(test_mmap_fails_with_errno),
		cmocka_unit_test(test_size_of_a_descriptor),
		cmocka_unit_test(test_duplicates_are_the_same_object),
		cmocka_unit_test(test_any_number_of_calls),
		cmocka_unit_test(test_unordered_comes_at_any_time),
		cmocka_unit_test(test_blocked_call_returns_on_release),
		cmocka_unit_test(test_blocked_call_ends_by_a_signal),
		cmocka_unit_test(test_blocked_call_can_be_cancelled),
		cmocka_unit_test(test_calls_from_many_threads),
		cmocka_unit_test(test_other_files_go_through),
		cmocka_unit_test(test_errors_of_the_kernel_go_through),
		cmocka_unit_test(test_everything_goes_through_after_the_end),
		cmocka_unit_test(test_begin_forgets_an_earlier_script),
		cmocka_unit_test(test_wrong_request_fails),
		cmocka_unit_test(test_wrong_bytes_fail),
		cmocka_unit_test(test_wrong_bytes_behind_pointer_fail),
		cmocka_unit_test(test_null_pointer_fails),
		cmocka_unit_test(test_missing_call_fails),
		cmocka_unit_test(test_too_few_calls_fail),
		cmocka_unit_test(test_too_many_calls_fail),
		cmocka_unit_test(test_second_open_of_a_scripted_path_fails),
		cmocka_unit_test(test_leaked_fd_fails),
		cmocka_unit_test(test_leaked_duplicate_fails),
		cmocka_unit_test(test_leaked_mapping_fails),
		cmocka_unit_test(test_partly_unmapped_fails),
		cmocka_unit_test(test_wrong_mmap_offset_fails),
		cmocka_unit_test(test_early_close_fails),
		cmocka_unit_test(test_use_before_open_fails),
		cmocka_unit_test(test_still_blocked_call_fails),
		cmocka_unit_test(test_begin_ends_blocked_calls),
		cmocka_unit_test(test_script_of_another_fd_fails),
		cmocka_unit_test(test_bytes_beyond_the_argument_fail),
		cmocka_unit_test(test_end_leaves_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
