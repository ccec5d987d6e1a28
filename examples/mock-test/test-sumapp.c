/* SPDX-License-Identifier: MIT */
/*
 * Tests an application that uses libqda, with the kernel scripted by
 * libuapimock: what the driver is asked, and how the application takes what it
 * answers. Only the requests' numbers and layouts come from the kernel header.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <drm.h>
#include <drm/qda_accel.h>
#include <qda.h>
#include <uapimock.h>

#include "sumapp.h"

#define NODE "/dev/accel/accel0"
#define SHELL "fastrpc_shell_unsigned_3"
#define HANDLE 0x1234

static const int32_t numbers[] = {1, 20, 300, -4};

static char dir[] = "/tmp/sumapp-XXXXXX";
static char shell[sizeof(dir) + sizeof(SHELL)];

/* A file in place of the DSP's process shell: the mock takes any. */
static int make_shell(void **state)
{
	FILE *file;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(shell, sizeof(shell), "%s/%s", dir, SHELL);
	file = fopen(shell, "we");
	if (!file || fputs("shell", file) < 0 || fclose(file))
		return -1;
	return setenv("DSP_LIBRARY_PATH", dir, 1);
}

static int remove_shell(void **state)
{
	(void)state;
	return unlink(shell) || rmdir(dir) ? -1 : 0;
}

static void expect_device(void)
{
	struct drm_qda_query query = {.dsp_name = "cdsp"};
	int fd = uapimock_expect_open(NODE, 0);

	uapimock_expect_version(fd, "qda", 1, 0, 0);
	uapimock_out(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), &query, sizeof(query));
}

/* A process on the DSP, from a shell in a buffer. Return: its file descriptor. */
static int expect_session(int error)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct drm_qda_gem_create gem = {.size = page, .handle = 7};
	struct drm_qda_gem_mmap_offset offset = {.offset = 0x10000, .handle = 7};
	struct drm_qda_init_create create = {.filelen = strlen("shell"), .attrs = 0x8};
	int fd = uapimock_expect_open(NODE, 0);
	struct uapimock_ioctl *ioctl;

	uapimock_out(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_GEM_CREATE), &gem, sizeof(gem));
	uapimock_out(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET), &offset,
		     sizeof(offset));
	uapimock_expect_mmap(fd, offset.offset, page, 0);
	create.filefd = uapimock_out_fd(uapimock_expect_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD),
					offsetof(struct drm_prime_handle, fd));
	ioctl = uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE);
	uapimock_in(ioctl, &create, sizeof(create));
	if (error)
		uapimock_fails(ioctl, error);
	uapimock_expect_ioctl(fd, DRM_IOCTL_GEM_CLOSE);
	return fd;
}

static struct uapimock_ioctl *expect_invoke(int fd, uint32_t handle, uint32_t sc)
{
	struct drm_qda_invoke_args invoke = {.handle = handle, .sc = sc};

	return uapimock_in_at(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_REMOTE_INVOKE), 0, &invoke,
			      offsetof(struct drm_qda_invoke_args, args));
}

/* The DSP has no listener for reverse calls: the status of AEE_EUNSUPPORTED, twice. */
static void expect_no_listener(int fd)
{
	uapimock_returns(expect_invoke(fd, 7, 0x05000000), 0x14);
	uapimock_returns(expect_invoke(fd, 3, 0x03000000), 0x14);
}

/* Stores 64 bits into out argument @index of an INVOKE. */
struct answer {
	uint32_t index;
	int64_t value;
};

static int store_answer(void *argument, void *data)
{
	const struct drm_qda_invoke_args *invoke = argument;
	const struct drm_qda_fastrpc_invoke_args *args = (void *)(uintptr_t)invoke->args;
	const struct answer *answer = data;

	assert_true(args[answer->index].length >= sizeof(answer->value));
	memcpy((void *)(uintptr_t)args[answer->index].ptr, &answer->value, sizeof(answer->value));
	return 0;
}

/* remotectl1.open1 gives { handle, error }, close1 { error }. */
static struct answer opened = {.index = 2, .value = HANDLE};

static void expect_module_open(int fd)
{
	uapimock_check(expect_invoke(fd, 8, 0x02020200), store_answer, &opened);
}

static void expect_module_close(int fd)
{
	expect_invoke(fd, 8, 0x03010200);
}

static int sum_error(char *message, size_t size)
{
	int64_t sum = 42;
	int on_dsp = 42, r;

	r = sumapp_sum(NODE, numbers, 4, &sum, &on_dsp, message, size);
	if (r < 0) {
		assert_int_equal(sum, 42);
		assert_int_equal(on_dsp, 42);
	}
	return r;
}

static void test_sum_comes_from_the_dsp(void **state)
{
	struct answer answer = {.index = 2, .value = 317};
	char message[256];
	int64_t sum = 0;
	int on_dsp = 0, fd;

	(void)state;
	uapimock_begin();
	expect_device();
	fd = expect_session(0);
	expect_no_listener(fd);
	expect_module_open(fd);
	uapimock_check(expect_invoke(fd, HANDLE, QDA_SCALARS(2, 2, 1, 0, 0)), store_answer,
		       &answer);
	expect_module_close(fd);

	assert_int_equal(sumapp_sum(NODE, numbers, 4, &sum, &on_dsp, message, sizeof(message)), 0);
	assert_int_equal(sum, 317);
	assert_int_equal(on_dsp, 1);
	assert_string_equal(message, "");
	uapimock_end();
}

static void test_missing_dsp_is_no_error(void **state)
{
	char message[256];
	int64_t sum = 0;
	int on_dsp = 1;

	(void)state;
	uapimock_begin();
	uapimock_expect_open(NODE, ENOENT);
	assert_int_equal(sumapp_sum(NODE, numbers, 4, &sum, &on_dsp, message, sizeof(message)), 0);
	assert_int_equal(sum, 317);
	assert_int_equal(on_dsp, 0);
	uapimock_end();
}

static void test_forbidden_node_is_reported(void **state)
{
	char message[256];

	(void)state;
	uapimock_begin();
	uapimock_expect_open(NODE, EACCES);
	assert_int_equal(sum_error(message, sizeof(message)), -EACCES);
	assert_non_null(strstr(message, NODE));
	uapimock_end();
}

static void test_refused_session_is_reported(void **state)
{
	char message[256];

	(void)state;
	uapimock_begin();
	expect_device();
	expect_session(EBUSY);
	assert_int_equal(sum_error(message, sizeof(message)), -EBUSY);
	assert_non_null(strstr(message, qda_strerror(-EBUSY)));
	uapimock_end();
}

static void test_dsp_restart_during_the_call_is_reported(void **state)
{
	char message[256];
	int fd;

	(void)state;
	uapimock_begin();
	expect_device();
	fd = expect_session(0);
	expect_no_listener(fd);
	expect_module_open(fd);
	uapimock_fails(expect_invoke(fd, HANDLE, QDA_SCALARS(2, 2, 1, 0, 0)), EPIPE);
	assert_int_equal(sum_error(message, sizeof(message)), -EPIPE);
	assert_non_null(strstr(message, qda_strerror(-EPIPE)));
	uapimock_end();
}

static void test_status_of_the_method_is_reported(void **state)
{
	char message[256];
	int fd;

	(void)state;
	uapimock_begin();
	expect_device();
	fd = expect_session(0);
	expect_no_listener(fd);
	expect_module_open(fd);
	uapimock_returns(expect_invoke(fd, HANDLE, QDA_SCALARS(2, 2, 1, 0, 0)), 0x0e);
	expect_module_close(fd);
	assert_int_equal(sum_error(message, sizeof(message)), -EREMOTEIO);
	assert_non_null(strstr(message, qda_status_text(0x0e)));
	uapimock_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sum_comes_from_the_dsp),
		cmocka_unit_test(test_missing_dsp_is_no_error),
		cmocka_unit_test(test_forbidden_node_is_reported),
		cmocka_unit_test(test_refused_session_is_reported),
		cmocka_unit_test(test_dsp_restart_during_the_call_is_reported),
		cmocka_unit_test(test_status_of_the_method_is_reported),
	};

	return cmocka_run_group_tests(tests, make_shell, remove_shell);
}
