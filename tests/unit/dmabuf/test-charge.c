/* SPDX-License-Identifier: MIT */
/* Charge targets: which processes and cgroups they are, and which are refused. */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "heap.h"

#define PIDFD_THREAD O_EXCL

static struct dmabuf_charge *target_of(pid_t pid)
{
	struct dmabuf_charge *charge;

	assert_int_equal(dmabuf_charge_pid(pid, &charge), 0);
	return charge;
}

/* A child that does nothing until it is killed. */
static pid_t idle_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void assert_refused_pidfd(int pidfd, int error)
{
	struct dmabuf_charge *charge = NULL;

	assert_int_equal(dmabuf_charge_pidfd(pidfd, &charge), error);
	assert_null(charge);
}

static void process_is_a_target_by_number_and_by_pidfd(void **state)
{
	pid_t pid = idle_child();
	int pidfd = pidfd_open(pid, 0);
	struct dmabuf_charge *a = target_of(pid), *b;

	assert_int_equal(dmabuf_charge_pidfd(pidfd, &b), 0);
	close(pidfd); /* it stays the caller's */
	assert_true(charge_is_same(a, b));
	assert_int_equal(charge_check(a), 0);
	assert_int_equal(fcntl(a->fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(b->fd, F_GETFD), FD_CLOEXEC);
	dmabuf_charge_unref(a);
	dmabuf_charge_unref(b);
	end_child(pid);
}

static void processes_differ(void **state)
{
	pid_t pid = idle_child();
	struct dmabuf_charge *a = target_of(pid), *b = target_of(getpid());

	assert_false(charge_is_same(a, b));
	assert_false(charge_is_same(a, NULL));
	assert_true(charge_is_same(NULL, NULL));
	dmabuf_charge_unref(a);
	dmabuf_charge_unref(b);
	end_child(pid);
}

static void self_is_this_process(void **state)
{
	struct dmabuf_charge *self, *pid = target_of(getpid());

	assert_int_equal(dmabuf_charge_self(&self), 0);
	assert_true(charge_is_same(self, pid));
	assert_int_equal(self->self, getpid());
	dmabuf_charge_unref(self);
	dmabuf_charge_unref(pid);
}

static void references_are_counted(void **state)
{
	struct dmabuf_charge *charge = target_of(getpid());
	int fd = charge->fd;

	assert_ptr_equal(dmabuf_charge_ref(charge), charge);
	dmabuf_charge_unref(charge);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
	assert_null(dmabuf_charge_unref(charge));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_null(dmabuf_charge_unref(NULL));
}

/* The kernel takes 0 for nobody. */
static void descriptor_0_is_used_and_never_handed_on(void **state)
{
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 10), pidfd = pidfd_open(getpid(), 0);
	struct dmabuf_charge *charge;

	dup2(pidfd, 0);
	assert_int_equal(dmabuf_charge_pidfd(0, &charge), 0);
	assert_int_not_equal(charge->fd, 0);
	dmabuf_charge_unref(charge);
	close(0);
	charge = target_of(getpid());
	assert_int_not_equal(charge->fd, 0);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	dmabuf_charge_unref(charge);
	dup2(saved, 0);
	close(saved);
	close(pidfd);
}

static void *tell_tid(void *data)
{
	int *pipes = data;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char byte;

	if (write(pipes[1], &tid, sizeof(tid)) != sizeof(tid) || read(pipes[2], &byte, 1) != 0)
		return data;
	return NULL;
}

struct thread {
	pthread_t thread;
	pid_t tid;
	int pipes[4];
};

static void start(struct thread *thread)
{
	assert_int_equal(pipe2(thread->pipes, O_CLOEXEC), 0);
	assert_int_equal(pipe2(thread->pipes + 2, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&thread->thread, NULL, tell_tid, thread->pipes), 0);
	assert_int_equal(read(thread->pipes[0], &thread->tid, sizeof(thread->tid)),
			 sizeof(thread->tid));
}

static void end(struct thread *thread)
{
	void *result;

	close(thread->pipes[3]);
	pthread_join(thread->thread, &result);
	assert_null(result);
	for (size_t i = 0; i < 3; i++)
		close(thread->pipes[i]);
}

static void pidfd_of_a_thread_is_its_process(void **state)
{
	struct dmabuf_charge *charge, *process = target_of(getpid());
	struct thread thread;
	int pidfd;

	start(&thread);
	pidfd = pidfd_open(thread.tid, PIDFD_THREAD);
	if (pidfd >= 0) {
		assert_int_equal(dmabuf_charge_pidfd(pidfd, &charge), 0);
		assert_true(charge_is_same(charge, process));
		assert_false(fcntl(charge->fd, F_GETFL) & PIDFD_THREAD);
		dmabuf_charge_unref(charge);
	}
	end(&thread);
	dmabuf_charge_unref(process);
	if (pidfd < 0)
		skip(); /* before Linux 6.9 */
	/* The process lives on, but nobody can tell any more that it was this one. */
	assert_refused_pidfd(pidfd, -ESRCH);
	close(pidfd);
}

static void number_of_a_thread_is_esrch(void **state)
{
	struct dmabuf_charge *charge = NULL;
	struct thread thread;

	start(&thread);
	assert_int_equal(dmabuf_charge_pid(thread.tid, &charge), -ESRCH);
	assert_null(charge);
	end(&thread);
}

static void process_that_is_gone_is_esrch(void **state)
{
	struct dmabuf_charge *charge = NULL, *before;
	pid_t pid = idle_child();
	int pidfd = pidfd_open(pid, 0);

	before = target_of(pid);
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	/* A zombie. */
	assert_int_equal(dmabuf_charge_pid(pid, &charge), -ESRCH);
	assert_refused_pidfd(pidfd, -ESRCH);
	assert_int_equal(charge_check(before), -ESRCH);
	waitpid(pid, NULL, 0);
	assert_int_equal(dmabuf_charge_pid(pid, &charge), -ESRCH);
	assert_refused_pidfd(pidfd, -ESRCH);
	assert_int_equal(charge_check(before), -ESRCH);
	assert_int_equal(charge_cgroup(before), -ESRCH);
	assert_null(charge);
	dmabuf_charge_unref(before);
	close(pidfd);
}

static void child_that_was_looked_at_can_still_be_waited_for(void **state)
{
	pid_t pid = fork();
	int pidfd, status;

	if (pid == 0)
		_exit(3);
	pidfd = pidfd_open(pid, 0);
	waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	assert_refused_pidfd(pidfd, -ESRCH);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 3);
	close(pidfd);
}

static void numbers_below_1_are_einval(void **state)
{
	struct dmabuf_charge *charge = NULL;

	assert_int_equal(dmabuf_charge_pid(0, &charge), -EINVAL);
	assert_int_equal(dmabuf_charge_pid(-5, &charge), -EINVAL);
	assert_null(charge);
}

static void other_descriptors_are_no_pidfds(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int directory = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int path = open("/proc/self", O_PATH | O_CLOEXEC);

	assert_refused_pidfd(-1, -EBADF);
	assert_refused_pidfd(1000, -EBADF);
	assert_refused_pidfd(null, -EBADF);
	assert_refused_pidfd(path, -EBADF);
	assert_refused_pidfd(directory, -EBADF);
	close(null);
	close(directory);
	close(path);
}

/* A directory of cgroup2; the test is skipped if there is none. */
static int own_cgroup(void)
{
	int fd = cgroup_of_process(0);

	if (fd < 0)
		skip();
	return fd;
}

static void cgroup_is_a_target_by_descriptor_and_by_path(void **state)
{
	struct dmabuf_charge *a, *b, *c;
	char link[] = "/proc/self/fd/0000000000", path[4096];
	int fd = own_cgroup();
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = '\0';
	assert_int_equal(dmabuf_charge_cgroup_fd(fd, &a), 0);
	assert_int_equal(dmabuf_charge_cgroup(path, &b), 0);
	assert_int_equal(dmabuf_charge_cgroup("/", &c), 0);
	close(fd);
	assert_true(charge_is_same(a, b));
	assert_true(cgroup_is(c->fd));
	assert_int_equal(charge_check(a), 0);
	assert_int_not_equal(a->fd, 0);
	fd = charge_cgroup(a);
	assert_true(cgroup_is(fd));
	close(fd);
	dmabuf_charge_unref(a);
	dmabuf_charge_unref(b);
	dmabuf_charge_unref(c);
}

static void cgroup_of_a_process_is_found(void **state)
{
	int own = own_cgroup(), fd;
	struct dmabuf_charge *self = target_of(getpid()), *a, *b;

	fd = charge_cgroup(self);

	assert_true(fd > 0);
	assert_int_equal(dmabuf_charge_cgroup_fd(own, &a), 0);
	assert_int_equal(dmabuf_charge_cgroup_fd(fd, &b), 0);
	assert_true(charge_is_same(a, b));
	assert_false(charge_is_same(a, self));
	close(own);
	close(fd);
	dmabuf_charge_unref(a);
	dmabuf_charge_unref(b);
	dmabuf_charge_unref(self);
}

static void other_descriptors_are_no_cgroups(void **state)
{
	struct dmabuf_charge *charge = NULL;
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_int_equal(dmabuf_charge_cgroup_fd(-1, &charge), -EBADF);
	assert_int_equal(dmabuf_charge_cgroup_fd(root, &charge), -EINVAL);
	assert_int_equal(dmabuf_charge_cgroup_fd(null, &charge), -EINVAL);
	assert_null(charge);
	close(root);
	close(null);
}

static void file_of_a_cgroup_is_no_cgroup(void **state)
{
	struct dmabuf_charge *charge = NULL;
	int own = own_cgroup(), file = openat(own, "cgroup.procs", O_RDONLY | O_CLOEXEC);

	assert_true(file >= 0);
	assert_int_equal(dmabuf_charge_cgroup_fd(file, &charge), -EINVAL);
	assert_null(charge);
	close(own);
	close(file);
}

static void other_paths_are_no_cgroups(void **state)
{
	struct dmabuf_charge *charge = NULL;

	assert_int_equal(dmabuf_charge_cgroup(NULL, &charge), -EINVAL);
	assert_int_equal(dmabuf_charge_cgroup("", &charge), -EINVAL);
	assert_int_equal(dmabuf_charge_cgroup("/no/such/cgroup", &charge), -ENOENT);
	assert_int_equal(dmabuf_charge_cgroup("/proc", &charge), -EINVAL);
	assert_null(charge);
}

static void removed_cgroup_is_esrch(void **state)
{
	struct dmabuf_charge *charge;
	int own = own_cgroup(), fd;

	if (mkdirat(own, "dmabuf-test", 0755) == -1) {
		close(own);
		skip(); /* not allowed */
	}
	fd = openat(own, "dmabuf-test", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(dmabuf_charge_cgroup_fd(fd, &charge), 0);
	assert_int_equal(charge_check(charge), 0);
	assert_int_equal(unlinkat(own, "dmabuf-test", AT_REMOVEDIR), 0);
	assert_int_equal(charge_check(charge), -ESRCH);
	dmabuf_charge_unref(charge);
	close(fd);
	close(own);
}

/* In a container a part of the hierarchy is mounted, and paths may or may not begin with it. */
static void path_is_found_below_the_mounted_part(void **state)
{
	assert_string_equal(cgroup_below("/a/b", "/"), "/a/b");
	assert_string_equal(cgroup_below("a/b", "/"), "a/b");
	assert_string_equal(cgroup_below("/a/b", "/a"), "/b");
	assert_string_equal(cgroup_below("/a", "/a"), "");
	assert_string_equal(cgroup_below("/ab", "/a"), "/ab");
	assert_string_equal(cgroup_below("/ab/c", "/a"), "/ab/c");
	assert_string_equal(cgroup_below("b", "/a"), "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_script(process_is_a_target_by_number_and_by_pidfd),
		with_script(processes_differ),
		with_script(self_is_this_process),
		with_script(references_are_counted),
		with_script(descriptor_0_is_used_and_never_handed_on),
		with_script(pidfd_of_a_thread_is_its_process),
		with_script(number_of_a_thread_is_esrch),
		with_script(process_that_is_gone_is_esrch),
		with_script(child_that_was_looked_at_can_still_be_waited_for),
		with_script(numbers_below_1_are_einval),
		with_script(other_descriptors_are_no_pidfds),
		with_script(cgroup_is_a_target_by_descriptor_and_by_path),
		with_script(cgroup_of_a_process_is_found),
		with_script(other_descriptors_are_no_cgroups),
		with_script(file_of_a_cgroup_is_no_cgroup),
		with_script(other_paths_are_no_cgroups),
		with_script(removed_cgroup_is_esrch),
		with_script(path_is_found_below_the_mounted_part),
	};

	return cmocka_run_group_tests_name("dmabuf-charge", tests, NULL, NULL);
}
