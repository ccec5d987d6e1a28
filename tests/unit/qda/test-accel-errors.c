/* SPDX-License-Identifier: MIT */
/* The accel transport when ioctls fail: errnos, what is sent again and what never, unwinding. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accel-fixture.h"

static int create_session(void)
{
	struct qda_session *session = (void *)1;
	int r = qda_session_create(&fx.device, &fx.params, &session);

	if (r == 0)
		fx.session = session;
	else
		assert_ptr_equal(session, (void *)1);
	return r;
}

static int alloc(void)
{
	struct qda_buffer *buffer = (void *)1;
	int r = qda_buffer_alloc(fx.session, PAGE, &buffer);

	assert_ptr_equal(buffer, (void *)1);
	return r;
}

/* ---- session create ----------------------------------------------------- */

static void test_open_errors(void **state)
{
	static const int errors[] = {ENOENT, EACCES, ENODEV, EMFILE, EBUSY, EPERM};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_expect_open(NODE, errors[i]);
		assert_int_equal(create_session(), -errors[i]);
	}
	uapimock_end();
}

static void test_shell_that_is_missing(void **state)
{
	fx.params.shell = "/nonexistent/shell";
	fx.node = uapimock_expect_open(NODE, 0);
	uapimock_expect_close(fx.node);
	assert_int_equal(create_session(), -ENOENT);
	uapimock_end();
}

static void test_shell_above_4_mib(void **state)
{
	assert_int_equal(truncate(fx.shell, (4 << 20) + 1), 0);
	fx.node = uapimock_expect_open(NODE, 0);
	uapimock_expect_close(fx.node);
	assert_int_equal(create_session(), -EFBIG);
	uapimock_end();
}

static void test_shell_of_4_mib_is_taken(void **state)
{
	const uint32_t filelen = 4 << 20;

	assert_int_equal(truncate(fx.shell, filelen), 0);
	fx.node = uapimock_expect_open(NODE, 0);
	expect_alloc(filelen, SHELL_HANDLE);
	uapimock_in_at(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE), 0,
		       &filelen, sizeof(filelen));
	expect_gem_close(SHELL_HANDLE);
	assert_int_equal(create_session(), 0);
	close_session();
	uapimock_end();
}

static void test_shell_that_is_empty(void **state)
{
	assert_int_equal(truncate(fx.shell, 0), 0);
	fx.node = uapimock_expect_open(NODE, 0);
	uapimock_expect_close(fx.node);
	assert_int_equal(create_session(), -EINVAL);
	uapimock_end();
}

/* Steps of session create after open; the one with this number fails. */
static void fail_create_at(unsigned int step, int error)
{
	fx.node = uapimock_expect_open(NODE, 0);
	if (step == 0) {
		uapimock_fails(expect_gem_create(2 * PAGE, SHELL_HANDLE), error);
	} else {
		expect_gem_create(2 * PAGE, SHELL_HANDLE);
		if (step == 1) {
			uapimock_fails(expect_mmap_offset(SHELL_HANDLE), error);
		} else {
			expect_mmap_offset(SHELL_HANDLE);
			uapimock_expect_mmap(fx.node, mmap_offset(SHELL_HANDLE), 2 * PAGE,
					     step == 2 ? error : 0);
			if (step == 3) {
				uapimock_fails(expect_prime_export(SHELL_HANDLE), error);
			} else if (step > 3) {
				uapimock_out_fd(expect_prime_export(SHELL_HANDLE),
						offsetof(struct drm_prime_handle, fd));
				uapimock_fails(
					uapimock_expect_ioctl(fx.node,
							      DRM_IOCTL_QDA_REMOTE_SESSION_CREATE),
					error);
			}
		}
		expect_gem_close(SHELL_HANDLE);
	}
	uapimock_expect_close(fx.node);
	assert_int_equal(create_session(), -error);
	uapimock_end(); /* fails for an fd or a mapping that is left */
	assert_int_equal(count_fds(), fx.fds);
	assert_int_equal(fx.device.refs, 1);
	uapimock_begin();
}

static void test_create_unwinds_from_every_step(void **state)
{
	for (unsigned int step = 0; step < 5; step++)
		fail_create_at(step, ENOMEM);
	uapimock_end();
}

static void test_session_create_errors(void **state)
{
	static const int errors[] = {EINVAL, ENOMEM, ENODEV, EBUSY,     EFAULT, EPERM,
				     EACCES, EPIPE,  EINTR,  ETIMEDOUT, EAGAIN, ECONNREFUSED};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		fail_create_at(4, errors[i]);
	uapimock_end();
}

static void count_lines(void *data, int priority, const char *message)
{
	assert_int_equal(priority, LOG_ERR);
	assert_non_null(strstr(message, "cdsp"));
	assert_non_null(strstr(message, "0x80000402"));
	(*(unsigned int *)data)++;
}

static void test_session_create_refused_by_the_dsp(void **state)
{
	unsigned int lines = 0;

	qda_set_log_fn(fx.qda, count_lines, &lines);
	fx.node = uapimock_expect_open(NODE, 0);
	expect_alloc(2 * PAGE, SHELL_HANDLE);
	uapimock_returns(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE),
			 (int)0x80000402);
	expect_gem_close(SHELL_HANDLE);
	uapimock_expect_close(fx.node);
	assert_int_equal(create_session(), -EREMOTEIO);
	assert_int_equal(lines, 1);
	uapimock_end();
}

/* ---- buffers ------------------------------------------------------------ */

static void test_gem_create_errors(void **state)
{
	static const int errors[] = {EINVAL, ENOMEM, ENODEV, EFAULT, ENOSPC};

	open_session(0);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_fails(expect_gem_create(PAGE, 5), errors[i]);
		assert_int_equal(alloc(), -errors[i]);
	}
	close_session();
	uapimock_end();
}

static void test_mmap_offset_errors(void **state)
{
	static const int errors[] = {ENOENT, EINVAL, ENOMEM, ENODEV};

	open_session(0);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		expect_gem_create(PAGE, 5);
		uapimock_fails(expect_mmap_offset(5), errors[i]);
		expect_gem_close(5);
		assert_int_equal(alloc(), -errors[i]);
	}
	close_session();
	uapimock_end();
}

static void test_mmap_errors(void **state)
{
	static const int errors[] = {EINVAL, ENOMEM, EACCES};

	open_session(0);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		expect_gem_create(PAGE, 5);
		expect_mmap_offset(5);
		uapimock_expect_mmap(fx.node, mmap_offset(5), PAGE, errors[i]);
		expect_gem_close(5);
		assert_int_equal(alloc(), -errors[i]);
	}
	close_session();
	uapimock_end();
}

static void test_prime_export_errors(void **state)
{
	static const int errors[] = {EMFILE, ENFILE, ENOENT, ENOMEM, ENOSYS};

	open_session(0);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		expect_gem_create(PAGE, 5);
		expect_mmap_offset(5);
		uapimock_expect_mmap(fx.node, mmap_offset(5), PAGE, 0);
		uapimock_fails(expect_prime_export(5), errors[i]);
		expect_gem_close(5);
		assert_int_equal(alloc(), -errors[i]);
	}
	close_session();
	uapimock_end();
}

static int dma_buf(void)
{
	int fd = uapimock_expect_open("/dev/dma-buf-of-the-test", 0);

	assert_int_equal(open("/dev/dma-buf-of-the-test", O_RDWR | O_CLOEXEC), fd);
	return fd;
}

static void test_import_errors(void **state)
{
	static const int errors[] = {EINVAL, EBADF, ENOMEM, ENODEV};
	struct qda_buffer *buffer = (void *)1;
	int fd;

	open_session(0);
	fd = dma_buf();
	uapimock_fd_size(fd, PAGE);
	assert_int_equal(qda_buffer_import(fx.session, -1, &buffer), -EBADF);
	assert_int_equal(qda_buffer_import(fx.session, 1023, &buffer), -EBADF);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_fails(expect_prime_import(-1, 9), errors[i]);
		assert_int_equal(qda_buffer_import(fx.session, fd, &buffer), -errors[i]);
	}
	assert_ptr_equal(buffer, (void *)1);
	assert_null(fx.session->buffers);
	close(fd);
	close_session();
	uapimock_end();
}

static void test_import_unwinds_from_every_step(void **state)
{
	struct qda_buffer *buffer = (void *)1;
	int fd;

	open_session(0);
	fd = dma_buf();
	uapimock_fd_size(fd, 0);
	expect_prime_import(-1, 9);
	expect_gem_close(9);
	assert_int_equal(qda_buffer_import(fx.session, fd, &buffer), -EINVAL);

	uapimock_fd_size(fd, PAGE);
	expect_prime_import(-1, 9);
	uapimock_expect_mmap(fd, 0, PAGE, EACCES);
	expect_gem_close(9);
	assert_int_equal(qda_buffer_import(fx.session, fd, &buffer), -EACCES);
	assert_ptr_equal(buffer, (void *)1);
	close(fd);
	close_session();
	uapimock_end();
}

static void test_failed_import_keeps_the_handle_of_an_earlier_one(void **state)
{
	struct qda_buffer *first, *second = (void *)1;
	int fd;

	open_session(0);
	fd = dma_buf();
	uapimock_fd_size(fd, PAGE);
	expect_prime_import(-1, 9);
	uapimock_expect_mmap(fd, 0, PAGE, 0);
	assert_int_equal(qda_buffer_import(fx.session, fd, &first), 0);
	expect_prime_import(-1, 9);
	uapimock_expect_mmap(fd, 0, PAGE, ENOMEM);
	assert_int_equal(qda_buffer_import(fx.session, fd, &second), -ENOMEM);
	free_buffer(first);
	close(fd);
	close_session();
	uapimock_end();
}

/* ---- sent again --------------------------------------------------------- */

static const int restarts[] = {EINTR, EAGAIN};

/* A request that fails a few times in a row. */
static void expect_failures(unsigned long request, int error)
{
	uapimock_times(uapimock_fails(uapimock_expect_ioctl(fx.node, request), error), 3);
}

static void test_buffer_ioctls_are_sent_again(void **state)
{
	struct qda_buffer *buffer;

	open_session(0);
	for (size_t i = 0; i < ARRAY_SIZE(restarts); i++) {
		expect_failures(DRM_IOCTL_QDA_GEM_CREATE, restarts[i]);
		expect_gem_create(PAGE, 5);
		expect_failures(DRM_IOCTL_QDA_GEM_MMAP_OFFSET, restarts[i]);
		expect_mmap_offset(5);
		uapimock_expect_mmap(fx.node, mmap_offset(5), PAGE, 0);
		expect_failures(DRM_IOCTL_PRIME_HANDLE_TO_FD, restarts[i]);
		uapimock_out_fd(expect_prime_export(5), offsetof(struct drm_prime_handle, fd));
		assert_int_equal(qda_buffer_alloc(fx.session, PAGE, &buffer), 0);
		free_buffer(buffer);
	}
	close_session();
	uapimock_end();
}

static void test_import_is_sent_again(void **state)
{
	struct qda_buffer *buffer;
	int fd;

	open_session(0);
	fd = dma_buf();
	uapimock_fd_size(fd, PAGE);
	for (size_t i = 0; i < ARRAY_SIZE(restarts); i++) {
		expect_failures(DRM_IOCTL_PRIME_FD_TO_HANDLE, restarts[i]);
		expect_prime_import(-1, 9);
		uapimock_expect_mmap(fd, 0, PAGE, 0);
		assert_int_equal(qda_buffer_import(fx.session, fd, &buffer), 0);
		free_buffer(buffer);
	}
	close(fd);
	close_session();
	uapimock_end();
}

static void test_sync_is_sent_again(void **state)
{
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	for (size_t i = 0; i < ARRAY_SIZE(restarts); i++) {
		uapimock_fails(uapimock_expect_ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC), restarts[i]);
		uapimock_expect_ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC);
		assert_int_equal(qda_buffer_begin_cpu(buffer, QDA_CPU_READ), 0);
	}
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

/* ---- sent once ---------------------------------------------------------- */

static void test_invoke_is_never_sent_again(void **state)
{
	open_session(0);
	for (size_t i = 0; i < ARRAY_SIZE(restarts); i++) {
		uapimock_fails(expect_invoke(), restarts[i]);
		assert_int_equal(invoke(NULL), -restarts[i]);
	}
	close_session();
	uapimock_end();
}

static void test_interruptible_invoke_is_never_sent_again(void **state)
{
	open_session(QDA_SESSION_INTERRUPTIBLE);
	for (size_t i = 0; i < ARRAY_SIZE(restarts); i++) {
		uapimock_fails(expect_invoke(), restarts[i]);
		assert_int_equal(invoke(NULL), -restarts[i]);
	}
	close_session();
	uapimock_end();
}

static void test_invoke_restart_errno_is_eintr(void **state)
{
	open_session(0);
	uapimock_fails(expect_invoke(), ERESTART);
	assert_int_equal(invoke(NULL), -EINTR);
	close_session();
	uapimock_end();
}

static void test_map_and_munmap_are_never_sent_again(void **state)
{
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	for (size_t i = 0; i < ARRAY_SIZE(restarts); i++) {
		uapimock_fails(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MAP),
			       restarts[i]);
		assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL,
						    NULL),
				 -restarts[i]);
		uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MAP);
		assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL,
						    NULL),
				 0);
		uapimock_fails(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MUNMAP),
			       restarts[i]);
		assert_int_equal(qda_buffer_unmap_dsp(buffer), -restarts[i]);
		uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MUNMAP);
		assert_int_equal(qda_buffer_unmap_dsp(buffer), 0);
	}
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

/* ---- errnos of the remote calls ----------------------------------------- */

static void test_invoke_errors(void **state)
{
	static const int errors[] = {EPERM, EINVAL, EFAULT, ENOMEM, EBUSY,    ENOSPC,
				     EBADF, EMFILE, EIO,    ENOTTY, ETIMEDOUT};

	open_session(0);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uint32_t status = 7;

		uapimock_fails(expect_invoke(), errors[i]);
		assert_int_equal(invoke(&status), -errors[i]);
		assert_int_equal(status, 7);
	}
	close_session();
	uapimock_end();
}

static void test_map_errors(void **state)
{
	static const int errors[] = {EINVAL, ENOMEM, EBADF, EFAULT, ENOENT};
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_fails(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MAP), errors[i]);
		assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL,
						    NULL),
				 -errors[i]);
	}
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_munmap_errors(void **state)
{
	static const int errors[] = {EINVAL, ENOENT, ENOMEM, EFAULT};
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MAP);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL, NULL),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_fails(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MUNMAP),
			       errors[i]);
		assert_int_equal(qda_buffer_unmap_dsp(buffer), -errors[i]);
	}
	uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MUNMAP);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void ends_with(int error, const char *reason)
{
	struct qda_buffer *buffer;

	open_session(0);
	assert_null(qda_session_end_reason(fx.session));
	uapimock_fails(expect_invoke(), error);
	assert_int_equal(invoke(NULL), -error);
	assert_int_equal(invoke(NULL), -error); /* without an ioctl */
	assert_int_equal(qda_buffer_alloc(fx.session, 1, &buffer), -error);
	assert_string_equal(qda_session_end_reason(fx.session), reason);
	close_session();
	uapimock_end();
}

static void test_enodev_ends_the_session(void **state)
{
	ends_with(ENODEV, "the device is gone");
}

static void test_epipe_ends_the_session(void **state)
{
	ends_with(EPIPE, "the DSP restarted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		accel_test(test_open_errors),
		accel_test(test_shell_that_is_missing),
		accel_test(test_shell_above_4_mib),
		accel_test(test_shell_of_4_mib_is_taken),
		accel_test(test_shell_that_is_empty),
		accel_test(test_create_unwinds_from_every_step),
		accel_test(test_session_create_errors),
		accel_test(test_session_create_refused_by_the_dsp),
		accel_test(test_gem_create_errors),
		accel_test(test_mmap_offset_errors),
		accel_test(test_mmap_errors),
		accel_test(test_prime_export_errors),
		accel_test(test_import_errors),
		accel_test(test_import_unwinds_from_every_step),
		accel_test(test_failed_import_keeps_the_handle_of_an_earlier_one),
		accel_test(test_buffer_ioctls_are_sent_again),
		accel_test(test_import_is_sent_again),
		accel_test(test_sync_is_sent_again),
		accel_test(test_invoke_is_never_sent_again),
		accel_test(test_interruptible_invoke_is_never_sent_again),
		accel_test(test_invoke_restart_errno_is_eintr),
		accel_test(test_map_and_munmap_are_never_sent_again),
		accel_test(test_invoke_errors),
		accel_test(test_map_errors),
		accel_test(test_munmap_errors),
		accel_test(test_enodev_ends_the_session),
		accel_test(test_epipe_ends_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
