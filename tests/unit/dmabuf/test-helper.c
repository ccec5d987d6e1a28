/* SPDX-License-Identifier: MIT */
/* Allocations by a child in another cgroup: what comes back, and that no trace of the child stays.
 */
#include "fixture.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "heap.h"
#include "uapi.h"

#define NOBODY 65534

static int own; /* the cgroup of this process, in which children are made */

static const struct allocation plain = {
	.kind = HEAP_MEMFD,
	.name = "helper",
	.size = 3 * PAGE,
	.fd_flags = O_CLOEXEC | O_RDWR,
	.populate = true,
};

static int setup(void **state)
{
	fixture_setup(state);
	own = cgroup_of_process(0);
	return 0;
}

static int teardown(void **state)
{
	if (own >= 0)
		close(own);
	return fixture_teardown(state);
}

/* Tests that start a child are skipped where that is not allowed. */
static int run_helper(const struct allocation *allocation)
{
	int fd = own < 0 ? own : helper_run_in(allocation, own);

	if (own < 0 || fd == -EACCES || fd == -EOPNOTSUPP)
		skip();
	return fd;
}

static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

static void child_allocates_and_the_descriptor_comes_back(void **state)
{
	struct dmabuf_info info;
	struct stat st;
	int fd = run_helper(&plain);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(dmabuf_info(fd, &info), 0);
	assert_string_equal(info.name, "helper");
	assert_int_equal(info.size, 3 * PAGE);
	fstat(fd, &st);
	assert_int_equal(st.st_blocks * 512, 3 * PAGE);
	close(fd);
}

static void child_is_waited_for(void **state)
{
	close(run_helper(&plain));
	assert_no_child();
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	signals++;
}

/* One allocation while SIGCHLD is handled in this way. */
static void allocate_with(void (*handler)(int), int flags)
{
	const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	struct sigaction saved;
	int fd;

	signals = 0;
	sigaction(SIGCHLD, &action, &saved);
	fd = own < 0 ? own : helper_run_in(&plain, own);
	sigaction(SIGCHLD, &saved, NULL);
	if (own < 0 || fd == -EACCES || fd == -EOPNOTSUPP)
		skip();
	assert_true(fd >= 0);
	assert_int_equal(signals, 0);
	assert_no_child();
	close(fd);
}

static void handler_of_sigchld_is_not_disturbed(void **state)
{
	allocate_with(count_signal, 0);
}

static void ignored_sigchld_is_no_trouble(void **state)
{
	allocate_with(SIG_IGN, 0);
}

static void children_that_need_no_wait_are_no_trouble(void **state)
{
	allocate_with(count_signal, SA_NOCLDWAIT);
}

static void signal_mask_is_as_before(void **state)
{
	sigset_t none, before, after;

	sigemptyset(&none);
	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(run_helper(&plain));
	sigprocmask(SIG_SETMASK, &none, &after);
	for (int signal = 1; signal < SIGRTMAX; signal++)
		assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
}

static void error_of_the_child_is_told(void **state)
{
	struct allocation impossible = plain;

	impossible.size = UINT64_C(1) << 63;
	assert_int_equal(run_helper(&impossible), -EINVAL);
	assert_no_child();
}

/* The child has its own number in the field: the heap sees a pidfd of itself. */
static int check_own_pidfd(void *argument, void *data)
{
	const struct heap_charged_args *args = argument;
	char path[48], text[512] = "", expected[32];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%u", args->charge_pid_fd);
	file = fopen(path, "re");
	if (!file)
		return EPROTO;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	snprintf(expected, sizeof(expected), "\nPid:\t%d\n", getpid());
	return args->charge_pid_fd > 0 && strstr(text, expected) ? 0 : EPROTO;
}

static void child_lets_the_kernel_charge_itself(void **state)
{
	struct allocation heap = plain;
	struct uapimock_ioctl *e;
	struct stat a, b;
	int fd;

	heap.kind = HEAP_NODE;
	heap.charge_caller = true;
	heap.heap = uapimock_expect_open("/dev/dma_heap/test", 0);
	assert_int_equal(open("/dev/dma_heap/test", O_RDONLY | O_CLOEXEC), heap.heap);
	/* In the child's copy of the script; here it does not come. */
	e = uapimock_expect_ioctl(heap.heap, HEAP_IOCTL_ALLOC_CHARGED);
	uapimock_times(e, 0);
	uapimock_check(e, check_own_pidfd, NULL);
	uapimock_out_fd(e, offsetof(struct heap_charged_args, fd));
	fd = own < 0 ? own : helper_run_in(&heap, own);
	close(heap.heap);
	if (own < 0 || fd == -EACCES || fd == -EOPNOTSUPP)
		skip();
	assert_true(fd >= 0);
	fstat(fd, &a); /* what is underneath a scripted descriptor */
	stat("/dev/null", &b);
	assert_true(a.st_rdev == b.st_rdev);
	close(fd);
}

static void child_of_an_unprivileged_process_is_eacces(void **state)
{
	int fd;

	if (geteuid() != 0 || own < 0)
		skip();
	assert_int_equal(seteuid(NOBODY), 0);
	fd = helper_run_in(&plain, own);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(fd, -EACCES);
	assert_no_child();
}

static void cgroup_that_does_not_count_memory_is_eopnotsupp(void **state)
{
	if (own < 0 || cgroup_counts_memory(own))
		skip();
	assert_int_equal(helper_run(&plain, own), -EOPNOTSUPP);
}

static void cgroup_that_is_gone_is_esrch(void **state)
{
	int fd;

	if (own < 0 || mkdirat(own, "dmabuf-test", 0755) == -1)
		skip();
	fd = openat(own, "dmabuf-test", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(unlinkat(own, "dmabuf-test", AT_REMOVEDIR), 0);
	assert_int_equal(helper_run(&plain, fd), -ESRCH);
	assert_int_equal(helper_run_in(&plain, fd), -ESRCH);
	assert_no_child();
	close(fd);
}

static void without_free_descriptors_it_is_emfile(void **state)
{
	struct rlimit saved, none;
	int fd;

	if (own < 0)
		skip();
	getrlimit(RLIMIT_NOFILE, &saved);
	none = (struct rlimit){.rlim_cur = 1, .rlim_max = saved.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	fd = helper_run_in(&plain, own);
	setrlimit(RLIMIT_NOFILE, &saved);
	assert_int_equal(fd, -EMFILE);
}

static void many_in_a_row_leave_nothing(void **state)
{
	unsigned int fds = count_fds();

	for (int i = 0; i < 100; i++)
		close(run_helper(&plain));
	assert_int_equal(count_fds(), fds);
	assert_no_child();
}

#define with_helper(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_helper(child_allocates_and_the_descriptor_comes_back),
		with_helper(child_is_waited_for),
		with_helper(handler_of_sigchld_is_not_disturbed),
		with_helper(ignored_sigchld_is_no_trouble),
		with_helper(children_that_need_no_wait_are_no_trouble),
		with_helper(signal_mask_is_as_before),
		with_helper(error_of_the_child_is_told),
		with_helper(child_lets_the_kernel_charge_itself),
		with_helper(child_of_an_unprivileged_process_is_eacces),
		with_helper(cgroup_that_does_not_count_memory_is_eopnotsupp),
		with_helper(cgroup_that_is_gone_is_esrch),
		with_helper(without_free_descriptors_it_is_emfile),
		with_helper(many_in_a_row_leave_nothing),
	};

	return cmocka_run_group_tests_name("dmabuf-helper", tests, NULL, NULL);
}
