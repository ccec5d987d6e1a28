/* SPDX-License-Identifier: MIT */
/* The accel transport: exact bytes of every ioctl, arguments of calls, cookies, imports. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/syscall.h>

#include "accel-fixture.h"

/* ---- session ------------------------------------------------------------ */

static int prime_fd;
static const unsigned char *shell_copy; /* where the library read the shell to */

/* In place of libc's: gives little at a time, and tells where it went. */
ssize_t read(int fd, void *data, size_t size)
{
	if (!shell_copy)
		shell_copy = data;
	return syscall(SYS_read, fd, data, MIN(size, 1000));
}

/* SESSION_CREATE's argument, with the shell in the buffer. */
static int check_create(void *argument, void *data)
{
	const struct drm_qda_init_create *got = argument;
	const struct drm_qda_init_create expected = {
		.filelen = SHELL_SIZE,
		.filefd = prime_fd,
		.attrs = *(uint32_t *)data,
	};

	if (memcmp(got, &expected, sizeof(expected)) ||
	    memcmp(shell_copy, fx.shell_bytes, SHELL_SIZE))
		return EPROTO;
	return 0;
}

static void create_with(uint32_t flags, uint32_t attrs, uint32_t expected)
{
	fx.node = uapimock_expect_open(NODE, 0);
	prime_fd = expect_alloc(2 * PAGE, SHELL_HANDLE);
	uapimock_check(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE),
		       check_create, &expected);
	expect_gem_close(SHELL_HANDLE);
	uapimock_expect_close(prime_fd);
	fx.params.flags |= flags;
	fx.params.attrs = attrs;
	shell_copy = NULL;
	assert_int_equal(qda_session_create(&fx.device, &fx.params, &fx.session), 0);
	uapimock_expect_close(fx.node);
	close_session();
	uapimock_end();
}

static void test_session_create_unsigned(void **state)
{
	create_with(0, 0, 0x8);
}

static void test_session_create_signed(void **state)
{
	create_with(QDA_SESSION_SIGNED, 0, 0);
}

static void test_session_create_with_attributes(void **state)
{
	create_with(0, 0x91, 0x99);
}

static void test_shell_is_copied_into_the_buffer(void **state)
{
	create_with(0, 0, 0x8);
	assert_non_null(shell_copy);
}

static void test_two_sessions_have_two_nodes(void **state)
{
	struct qda_session *first;
	int first_node;

	open_session(0);
	first = fx.session;
	first_node = fx.node;
	open_session(0);
	assert_int_not_equal(fx.node, first_node);
	uapimock_expect_close(first_node);
	qda_session_close(first);
	expect_invoke();
	assert_int_equal(invoke(NULL), 0);
	close_session();
	uapimock_end();
}

/* ---- buffers ------------------------------------------------------------ */

static void test_alloc_sends_exact_bytes(void **state)
{
	struct qda_buffer *buffer;
	int fd;

	open_session(0);
	fd = expect_alloc(3 * PAGE, 7);
	assert_int_equal(qda_buffer_alloc(fx.session, 2 * PAGE + 1, &buffer), 0);
	assert_int_equal(buffer->fd, fd);
	assert_int_equal(qda_buffer_size(buffer), 3 * PAGE);
	memset(qda_buffer_data(buffer), 1, 3 * PAGE);
	expect_gem_close(7);
	uapimock_expect_close(fd);
	qda_buffer_free(buffer);
	close_session();
	uapimock_end();
}

static void test_close_releases_what_the_session_had(void **state)
{
	struct qda_buffer *a, *b;

	open_session(0);
	a = alloc_buffer(5, 1);
	b = alloc_buffer(6, 1);
	expect_gem_close(6);
	expect_gem_close(5);
	uapimock_expect_close(fx.node);
	close_session();
	((char *)qda_buffer_data(a))[0] = 1; /* still mapped */
	qda_buffer_free(a);
	qda_buffer_free(b);
	uapimock_end();
}

static int dma_buf(uint64_t size)
{
	int fd = uapimock_expect_open("/dev/dma-buf-of-the-test", 0);

	uapimock_fd_size(fd, size);
	assert_int_equal(open("/dev/dma-buf-of-the-test", O_RDWR | O_CLOEXEC), fd);
	return fd;
}

static struct qda_buffer *import_buffer(int fd, uint32_t handle, size_t pages)
{
	struct qda_buffer *buffer = NULL;

	expect_prime_import(-1, handle);
	uapimock_expect_mmap(fd, 0, pages * PAGE, 0);
	assert_int_equal(qda_buffer_import(fx.session, fd, &buffer), 0);
	return buffer;
}

static void test_import_maps_the_dma_buf_itself(void **state)
{
	struct qda_buffer *buffer;
	int fd;

	open_session(0);
	fd = dma_buf(5 * PAGE);
	buffer = import_buffer(fd, 9, 5);
	assert_int_equal(qda_buffer_size(buffer), 5 * PAGE);
	assert_int_not_equal(buffer->fd, fd);
	assert_true(fcntl(buffer->fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	memset(qda_buffer_data(buffer), 1, 5 * PAGE);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_imports_of_one_dma_buf_share_the_handle(void **state)
{
	struct qda_buffer *a, *b;
	int fd;

	open_session(0);
	fd = dma_buf(PAGE);
	a = import_buffer(fd, 9, 1);
	b = import_buffer(fd, 9, 1);
	qda_buffer_free(a); /* no GEM_CLOSE: b still needs it */
	free_buffer(b);
	close(fd);
	close_session();
	uapimock_end();
}

static void test_cpu_access_is_a_dma_buf_sync(void **state)
{
	struct dma_buf_sync sync = {.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW};
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	uapimock_in(uapimock_expect_ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC), &sync, sizeof(sync));
	assert_int_equal(qda_buffer_begin_cpu(buffer, QDA_CPU_READ | QDA_CPU_WRITE), 0);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ;
	uapimock_in(uapimock_expect_ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC), &sync, sizeof(sync));
	assert_int_equal(qda_buffer_end_cpu(buffer, QDA_CPU_READ), 0);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

/* ---- mapping ------------------------------------------------------------ */

static void expect_map(int32_t fd, uint32_t offset, uint64_t size, uint32_t flags)
{
	const struct drm_qda_mem_map in = {
		.request = 2,
		.flags = flags,
		.fd = fd,
		.offset = offset,
		.size = size,
	};
	const uint64_t address = 0xe0001000;
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MAP);

	uapimock_in(e, &in, sizeof(in));
	uapimock_out_at(e, offsetof(struct drm_qda_mem_map, vaddrout), &address, sizeof(address));
}

static void expect_unmap(int32_t fd, uint64_t size)
{
	const struct drm_qda_mem_unmap in = {
		.request = 2,
		.fd = fd,
		.vaddr = 0xe0001000,
		.size = size,
	};

	uapimock_in(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MUNMAP), &in, sizeof(in));
}

static void test_cookie_auto_is_the_buffers_fd(void **state)
{
	struct qda_buffer *buffer;
	uint64_t address;
	int32_t cookie;

	open_session(0);
	buffer = alloc_buffer(5, 4);
	expect_map(buffer->fd, 0, 4 * PAGE, 3);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 4 * PAGE, QDA_MAP_FD_DELAYED,
					    QDA_COOKIE_AUTO, &cookie, &address),
			 0);
	assert_int_equal(cookie, buffer->fd);
	expect_unmap(buffer->fd, 4 * PAGE);
	assert_int_equal(qda_buffer_unmap_dsp(buffer), 0);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_cookie_auto_of_a_part_is_a_number_of_its_own(void **state)
{
	struct qda_buffer *buffer;
	uint64_t address;
	int32_t cookie;
	int next;

	open_session(0);
	buffer = alloc_buffer(5, 4);
	next = fcntl(buffer->fd, F_DUPFD_CLOEXEC, 3);
	close(next);
	expect_map(next, PAGE, 2 * PAGE, 3);
	assert_int_equal(qda_buffer_map_dsp(buffer, PAGE, 2 * PAGE, QDA_MAP_FD_DELAYED,
					    QDA_COOKIE_AUTO, &cookie, &address),
			 0);
	assert_int_not_equal(cookie, buffer->fd);
	assert_int_equal(cookie, next);
	expect_unmap(next, 2 * PAGE);
	assert_int_equal(qda_buffer_unmap_dsp(buffer), 0);
	assert_int_equal(fcntl(next, F_GETFD), -1);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_cookie_wanted_is_an_fd_of_that_number(void **state)
{
	struct qda_buffer *buffer;
	int32_t cookie;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	expect_map(200, 0, PAGE, 2);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 200, &cookie, NULL), 0);
	assert_int_equal(cookie, 200);
	assert_true(fcntl(200, F_GETFD) & FD_CLOEXEC);
	expect_unmap(200, PAGE);
	assert_int_equal(qda_buffer_unmap_dsp(buffer), 0);
	assert_int_equal(fcntl(200, F_GETFD), -1);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_cookie_of_an_open_fd_is_taken(void **state)
{
	struct qda_buffer *buffer;
	unsigned int fds;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	fds = count_fds();
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 1, NULL, NULL), -EBUSY);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, fx.node, NULL, NULL), -EBUSY);
	assert_int_equal(count_fds(), fds);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_cookie_beyond_the_fd_table_is_invalid(void **state)
{
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, INT32_MAX, NULL, NULL),
			 -EINVAL);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_cookie_is_given_back_when_the_map_fails(void **state)
{
	struct qda_buffer *buffer;
	unsigned int fds;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	fds = count_fds();
	uapimock_fails(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MAP), ENOMEM);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 200, NULL, NULL), -ENOMEM);
	uapimock_returns(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_MAP), 0x2);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 200, NULL, NULL), -EREMOTEIO);
	assert_int_equal(count_fds(), fds);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_free_unmaps_and_closes_the_cookie(void **state)
{
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	expect_map(200, 0, PAGE, 2);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 200, NULL, NULL), 0);
	expect_unmap(200, PAGE);
	free_buffer(buffer);
	assert_int_equal(fcntl(200, F_GETFD), -1);
	close_session();
	uapimock_end();
}

static void test_close_gives_the_cookie_back(void **state)
{
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	expect_map(200, 0, PAGE, 2);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 200, NULL, NULL), 0);
	expect_gem_close(5);
	close_session(); /* the mapping ends with the process: no MUNMAP */
	assert_int_equal(fcntl(200, F_GETFD), -1);
	qda_buffer_free(buffer);
	uapimock_end();
}

/* ---- arguments of calls ------------------------------------------------- */

static void expect_args(uint32_t sc, const struct drm_qda_fastrpc_invoke_args *args, size_t n)
{
	const uint32_t in[] = {HANDLE, sc};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_INVOKE);

	uapimock_in(e, in, sizeof(in));
	uapimock_in_via(e, offsetof(struct drm_qda_invoke_args, args), args, n * sizeof(*args));
}

static int call(uint32_t sc, const struct qda_arg *args)
{
	return qda_session_invoke(fx.session, HANDLE, sc, args, QDA_NO_TIMEOUT, NULL);
}

static void test_call_without_arguments_has_no_array(void **state)
{
	open_session(0);
	expect_invoke(); /* args 0 */
	assert_int_equal(invoke(NULL), 0);
	close_session();
	uapimock_end();
}

static void test_plain_memory_has_fd_minus_1(void **state)
{
	char in[10], out[20];
	const struct qda_arg args[] = {{.ptr = in, .length = 10}, {.ptr = out, .length = 20}};
	const struct drm_qda_fastrpc_invoke_args expected[] = {
		{.ptr = (uintptr_t)in, .length = 10, .fd = -1},
		{.ptr = (uintptr_t)out, .length = 20, .fd = -1},
	};

	open_session(0);
	expect_args(0x02010100, expected, 2);
	assert_int_equal(call(0x02010100, args), 0);
	close_session();
	uapimock_end();
}

static void test_buffer_range_is_its_address_and_fd(void **state)
{
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 2);
	const struct qda_arg arg = {.buffer = buffer, .offset = 100, .length = PAGE};
	const struct drm_qda_fastrpc_invoke_args expected = {
		.ptr = (uintptr_t)buffer->data + 100,
		.length = PAGE,
		.fd = buffer->fd,
	};
	expect_args(0x02010000, &expected, 1);
	assert_int_equal(call(0x02010000, &arg), 0);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_buffer_range_is_its_handle_and_offset_where_the_driver_takes_that(void **state)
{
	struct qda_buffer *buffer;
	char out[20];

	fx.device.gem_args = true;
	open_session(0);
	buffer = alloc_buffer(5, 2);
	const struct qda_arg args[] = {
		{.buffer = buffer, .offset = 100, .length = PAGE},
		{.ptr = out, .length = 20},
		{.buffer = buffer, .offset = 16, .length = 32},
	};
	const struct drm_qda_fastrpc_invoke_args expected[] = {
		{.ptr = 100, .length = PAGE, .fd = 5, .attr = QDA_INVOKE_ARG_GEM},
		{.ptr = (uintptr_t)out, .length = 20, .fd = -1},
		{.ptr = 16, .length = 32, .fd = buffer->fd},
	};
	expect_args(0x02010110, expected, 3);
	assert_int_equal(call(0x02010110, args), 0);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_handle_is_offset_length_and_fd(void **state)
{
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 2);
	const struct qda_arg args[] = {
		{.buffer = buffer, .offset = 16, .length = 32},
		{.buffer = buffer, .offset = PAGE, .length = PAGE},
	};
	const struct drm_qda_fastrpc_invoke_args expected[] = {
		{.ptr = 16, .length = 32, .fd = buffer->fd},
		{.ptr = PAGE, .length = PAGE, .fd = buffer->fd},
	};
	expect_args(0x02000011, expected, 2);
	assert_int_equal(call(0x02000011, args), 0);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_handle_of_a_mapped_buffer_stands_for_all_of_it(void **state)
{
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	expect_map(200, 0, PAGE, 2);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 200, NULL, NULL), 0);
	const struct qda_arg args[] = {
		{.buffer = buffer, .length = 8},
		{.buffer = buffer, .length = 8},
	};
	const struct drm_qda_fastrpc_invoke_args expected[] = {
		{.ptr = (uintptr_t)buffer->data, .length = 8, .fd = buffer->fd},
		{.ptr = 0, .length = 8, .fd = buffer->fd},
	};
	expect_args(0x02010010, expected, 2);
	assert_int_equal(call(0x02010010, args), 0);
	expect_unmap(200, PAGE);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_zero_length_arguments_carry_nothing(void **state)
{
	struct qda_buffer *buffer;
	char byte;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	const struct qda_arg args[] = {
		{.ptr = NULL},
		{.ptr = &byte},
		{.buffer = buffer, .offset = 8},
		{.buffer = buffer, .offset = PAGE},
	};
	const struct drm_qda_fastrpc_invoke_args expected[] = {
		{.fd = -1},
		{.fd = -1},
		{.fd = -1},
		{.fd = -1},
	};
	expect_args(0x02020110, expected, 4);
	assert_int_equal(call(0x02020110, args), 0);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

static void test_call_with_all_540_arguments(void **state)
{
	struct drm_qda_fastrpc_invoke_args expected[FASTRPC_MAX_ARGS];
	struct qda_arg args[FASTRPC_MAX_ARGS];
	static char plain[FASTRPC_MAX_ARGS];
	struct qda_buffer *buffer;

	open_session(0);
	buffer = alloc_buffer(5, 1);
	for (size_t i = 0; i < FASTRPC_MAX_ARGS; i++) {
		bool handle = i >= 510, in_buffer = handle || i % 2;

		args[i] = (struct qda_arg){
			.buffer = in_buffer ? buffer : NULL,
			.ptr = &plain[i],
			.offset = i,
			.length = i + 1,
		};
		expected[i] = (struct drm_qda_fastrpc_invoke_args){
			.ptr = handle      ? i
			       : in_buffer ? (uintptr_t)buffer->data + i
					   : (uintptr_t)&plain[i],
			.length = i + 1,
			.fd = in_buffer ? buffer->fd : -1,
		};
	}
	expect_args(0x02ffffff, expected, FASTRPC_MAX_ARGS);
	assert_int_equal(call(0x02ffffff, args), 0);
	free_buffer(buffer);
	close_session();
	uapimock_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		accel_test(test_session_create_unsigned),
		accel_test(test_session_create_signed),
		accel_test(test_session_create_with_attributes),
		accel_test(test_shell_is_copied_into_the_buffer),
		accel_test(test_two_sessions_have_two_nodes),
		accel_test(test_alloc_sends_exact_bytes),
		accel_test(test_close_releases_what_the_session_had),
		accel_test(test_import_maps_the_dma_buf_itself),
		accel_test(test_imports_of_one_dma_buf_share_the_handle),
		accel_test(test_cpu_access_is_a_dma_buf_sync),
		accel_test(test_cookie_auto_is_the_buffers_fd),
		accel_test(test_cookie_auto_of_a_part_is_a_number_of_its_own),
		accel_test(test_cookie_wanted_is_an_fd_of_that_number),
		accel_test(test_cookie_of_an_open_fd_is_taken),
		accel_test(test_cookie_beyond_the_fd_table_is_invalid),
		accel_test(test_cookie_is_given_back_when_the_map_fails),
		accel_test(test_free_unmaps_and_closes_the_cookie),
		accel_test(test_close_gives_the_cookie_back),
		accel_test(test_call_without_arguments_has_no_array),
		accel_test(test_plain_memory_has_fd_minus_1),
		accel_test(test_buffer_range_is_its_address_and_fd),
		accel_test(test_buffer_range_is_its_handle_and_offset_where_the_driver_takes_that),
		accel_test(test_handle_is_offset_length_and_fd),
		accel_test(test_handle_of_a_mapped_buffer_stands_for_all_of_it),
		accel_test(test_zero_length_arguments_carry_nothing),
		accel_test(test_call_with_all_540_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
