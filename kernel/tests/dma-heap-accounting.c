/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What dma_heap.mem_accounting=1 adds: who names nobody is charged. It changes nothing for who
 * names somebody, and no buffer is charged twice.
 *
 * timeout: 300
 * kernel-args: dma_heap.mem_accounting=1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fds.h"
#include "programs/heap.h"

#define SIZE (8 * MIB)

static struct {
	int heap;
	struct cgroup base, self, client;
	unsigned int fds;
} fx;

static int setup(void **state)
{
	fx.fds = count_fds();
	fx.heap = heap_open();
	fx.client = cgroup_child(fx.base.path, "client");
	return fx.heap == -1 ? -1 : 0;
}

static int teardown(void **state)
{
	bool is_clean = cgroup_dmabuf_becomes(fx.base.path, 0) == 0;

	cgroup_remove(fx.client.path);
	close(fx.heap);
	return is_clean && count_fds() == fx.fds ? 0 : -1;
}

static void assert_dmabuf(const struct cgroup *cgroup, uint64_t bytes)
{
	assert_int_equal(cgroup_dmabuf_becomes(cgroup->path, (int64_t)bytes), bytes);
}

static void caller_is_charged_once(void **state)
{
	const int64_t current = cgroup_current(fx.self.path);
	const int64_t kernel = cgroup_read(fx.self.path, "memory.stat", "kernel");
	const int64_t half = SIZE / 2;
	int fd = heap_alloc(fx.heap, SIZE, 0);
	int64_t now;

	assert_true(fd >= 0);
	assert_dmabuf(&fx.self, SIZE);
	now = cgroup_current(fx.self.path);
	/* What else this process takes or gives back meanwhile is far less. */
	assert_true(now > current + half);
	assert_true(now < current + 3 * half);
	assert_true(cgroup_read(fx.self.path, "memory.stat", "kernel") < kernel + half);
	close(fd);
	assert_dmabuf(&fx.self, 0);
	assert_true(cgroup_current(fx.self.path) < now - half);
}

static void structure_without_the_field_charges_the_caller(void **state)
{
	struct {
		uint64_t len;
		uint32_t fd, fd_flags;
		uint64_t heap_flags;
	} args = {.len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC};

	assert_int_equal(ioctl(fx.heap, _IOWR('H', 0, __typeof__(args)), &args), 0);
	assert_dmabuf(&fx.self, SIZE);
	close((int)args.fd);
}

static void process_is_charged_and_the_caller_is_not(void **state)
{
	pid_t pid = cgroup_spawn(fx.client.path);
	int pidfd = pidfd_of(pid, 0), fd;

	fd = heap_alloc(fx.heap, SIZE, pidfd);
	assert_true(fd >= 0);
	assert_dmabuf(&fx.client, SIZE);
	assert_int_equal(cgroup_dmabuf(fx.self.path), 0);
	close(fd);
	end_process(pid);
	/* That it cannot be charged is no reason to charge the caller. */
	assert_int_equal(heap_alloc(fx.heap, SIZE, pidfd), -ESRCH);
	assert_int_equal(cgroup_dmabuf(fx.self.path), 0);
	close(pidfd);
}

static void cgroup_is_charged_and_the_caller_is_not(void **state)
{
	int charge = cgroup_open(fx.client.path), fd = heap_alloc(fx.heap, SIZE, charge);

	assert_true(fd >= 0);
	assert_dmabuf(&fx.client, SIZE);
	assert_int_equal(cgroup_dmabuf(fx.self.path), 0);
	close(fd);
	close(charge);
}

static void limit_of_the_caller_kills_nothing(void **state)
{
	const uint64_t lengths[] = {64 * MIB, 256 * KIB};
	int status;
	pid_t pid;

	assert_int_equal(cgroup_write(fx.client.path, "memory.max", "16M"), 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		cgroup_enter(fx.client.path);
		for (int i = 0; i < 2; i++) {
			int fd = 0;

			/* The buffers stay until the process ends. */
			for (int j = 0; j < 100 && fd >= 0; j++)
				fd = heap_alloc(fx.heap, lengths[i], 0);
			if (fd != -ENOMEM)
				_exit(1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(cgroup_read(fx.client.path, "memory.events", "max") > 0);
	assert_int_equal(cgroup_read(fx.client.path, "memory.events", "oom_kill"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(caller_is_charged_once),
		TEST(structure_without_the_field_charges_the_caller),
		TEST(process_is_charged_and_the_caller_is_not),
		TEST(cgroup_is_charged_and_the_caller_is_not),
		TEST(limit_of_the_caller_kills_nothing),
	};

	fx.base = cgroup_base();
	fx.self = cgroup_at(fx.base.path, "self");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("dma-heap-accounting", tests, NULL, NULL);
}
