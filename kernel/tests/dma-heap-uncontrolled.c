/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel that accounts for no memory: what is named for a charge is checked all the same, and
 * then nobody is charged.
 *
 * timeout: 120
 * kernel-args: cgroup_disable=memory
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fds.h"
#include "programs/heap.h"

static int heap;
static unsigned int fds;

static int setup(void **state)
{
	fds = count_fds();
	heap = heap_open();
	return heap == -1 ? -1 : 0;
}

static int teardown(void **state)
{
	close(heap);
	return count_fds() == fds ? 0 : -1;
}

static void assert_allowed(int charge)
{
	int fd = heap_alloc(heap, MIB, charge);

	assert_true(fd >= 0);
	close(fd);
}

static void memory_is_not_controlled(void **state)
{
	assert_int_equal(cgroup_write(CGROUPS, "cgroup.subtree_control", "+memory"), -EINVAL);
}

static void process_is_checked(void **state)
{
	pid_t pid = fork();
	int pidfd;

	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	pidfd = pidfd_of(pid, 0);
	assert_true(pidfd >= 0);
	assert_allowed(pidfd);
	end_process(pid);
	assert_int_equal(heap_alloc(heap, MIB, pidfd), -ESRCH);
	close(pidfd);
	assert_allowed(SELF_PROCESS);
}

static void cgroup_is_checked(void **state)
{
	struct cgroup cgroup = cgroup_child(CGROUPS, "dma-heap-uncontrolled-child");
	int fd = cgroup_open(cgroup.path);

	assert_allowed(fd);
	cgroup_remove(cgroup.path);
	assert_int_equal(heap_alloc(heap, MIB, fd), -ENOENT);
	close(fd);
}

static void what_is_neither_is_refused(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(null >= 0);
	assert_int_equal(heap_alloc(heap, MIB, null), -EBADF);
	close(null);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_is_not_controlled),
		TEST(process_is_checked),
		TEST(cgroup_is_checked),
		TEST(what_is_neither_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("dma-heap-uncontrolled", tests, NULL, NULL);
}
