/* SPDX-License-Identifier: GPL-2.0-only */
/* Allocations of the kernel fail on request: what tests of error paths rely on. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

/* Without it only allocations that must not sleep fail. */
static int let_sleeping_fail(void **state)
{
	set("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	set("/sys/kernel/debug/failslab/verbose", "0");
	return 0;
}

/* Return: the descriptor, or the negative error of an eventfd() whose nth allocation fails. */
static int eventfd_failing(int fail_nth, unsigned int nth)
{
	char text[16];
	int fd, error;

	snprintf(text, sizeof(text), "%u", nth);
	assert_int_equal(write(fail_nth, text, strlen(text)), strlen(text));
	fd = eventfd(0, EFD_CLOEXEC);
	error = errno;
	assert_int_equal(write(fail_nth, "0", 1), 1);
	return fd >= 0 ? fd : -error;
}

static void nth_allocation_fails(void **state)
{
	int fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	int ret;

	assert_true(fail_nth >= 0);
	assert_int_equal(eventfd_failing(fail_nth, 1), -ENOMEM);
	ret = eventfd_failing(fail_nth, 0);
	assert_true(ret >= 0);
	close(ret);
	close(fail_nth);
}

static void every_allocation_fails_once_and_then_none(void **state)
{
	int fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	int ret = -ENOMEM;
	unsigned int nth = 1;

	assert_true(fail_nth >= 0);
	for (; nth < 100 && ret < 0; nth++) {
		ret = eventfd_failing(fail_nth, nth);
		assert_true(ret >= 0 || ret == -ENOMEM);
	}
	assert_in_range(nth, 3, 99);
	close(ret);
	close(fail_nth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nth_allocation_fails),
		cmocka_unit_test(every_allocation_fails_once_and_then_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("fault-injection", tests, let_sleeping_fail, NULL);
}
