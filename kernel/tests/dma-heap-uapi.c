/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Charges of dma-heaps by the raw ioctl: every check of every field, whom a buffer is charged
 * to, and for how long.
 *
 * timeout: 600
 * modules: vgem
 * kernel-args: cma=64M
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "fds.h"
#include "pass-fd.h"
#include "programs/heap.h"
#include "programs/random.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define CLOSED_FD 900
#define NOBODY 65534
#define SIZE MIB
#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

static struct {
	int heap;
	struct cgroup base, client;
	struct cgroup self; /* this process's */
	pid_t pid;          /* a process in the client's */
	int pidfd;
	unsigned int fds;
} fx;

static int setup(void **state)
{
	fx.fds = count_fds();
	fx.heap = heap_open();
	if (fx.heap == -1)
		return -1;
	fx.client = cgroup_child(fx.base.path, "client");
	fx.pid = cgroup_spawn(fx.client.path);
	fx.pidfd = pidfd_of(fx.pid, 0);
	return fx.pidfd == -1 ? -1 : 0;
}

/* Nobody is left with a charge. */
static int teardown(void **state)
{
	bool is_clean =
		cgroup_dmabuf_becomes(fx.base.path, 0) == 0 && cgroup_dmabuf(fx.self.path) == 0;

	if (fx.pid > 0)
		end_process(fx.pid);
	cgroup_remove(fx.client.path);
	close(fx.pidfd);
	close(fx.heap);
	return is_clean && count_fds() == fx.fds ? 0 : -1;
}

/* The client is charged for this, and nobody else is. */
static void assert_charged(uint64_t bytes)
{
	assert_int_equal(cgroup_dmabuf_becomes(fx.client.path, (int64_t)bytes), bytes);
	assert_int_equal(cgroup_dmabuf_becomes(fx.base.path, (int64_t)bytes), bytes);
	assert_int_equal(cgroup_dmabuf(fx.self.path), 0);
}

static void assert_refused(int error, int charge)
{
	assert_int_equal(heap_alloc(fx.heap, PAGE, charge), -error);
}

static int alloc_charged(uint64_t len, int charge)
{
	int fd = heap_alloc(fx.heap, len, charge);

	assert_true(fd >= 0);
	return fd;
}

/* Nobody is charged for what has been allocated: a charge after it is seen, and no other one. */
static void assert_uncharged(void)
{
	int marker = alloc_charged(PAGE, fx.pidfd);

	assert_charged(PAGE);
	close(marker);
}

static void *map(int fd)
{
	char *ptr = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(ptr, MAP_FAILED);
	memset(ptr, 1, SIZE);
	return ptr;
}

/* ---- the structure ------------------------------------------------------ */

static void layout_is_that_of_the_interface(void **state)
{
	assert_int_equal(sizeof(struct heap_alloc), 32);
	assert_int_equal(offsetof(struct heap_alloc, charge_pid_fd), 24);
	assert_int_equal(offsetof(struct heap_alloc, padding), 28);
	assert_int_equal(HEAP_ALLOC, 0xc0204800);
}

/* A request with the first @size bytes of the structure; what follows is @tail. */
static int alloc_sized(size_t size, unsigned char tail, int charge)
{
	const struct heap_alloc args = {
		.len = SIZE,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.charge_pid_fd = (uint32_t)charge,
	};
	unsigned char bytes[512];
	uint32_t fd;

	memset(bytes, tail, sizeof(bytes));
	memcpy(bytes, &args, size < sizeof(args) ? size : sizeof(args));
	if (ioctl(fx.heap, _IOC(_IOC_READ | _IOC_WRITE, 'H', 0, size), bytes) == -1)
		return -errno;
	memcpy(&fd, bytes + offsetof(struct heap_alloc, fd), sizeof(fd));
	return (int)fd;
}

static void structure_without_the_field_charges_nobody(void **state)
{
	for (size_t size = 16; size <= 24; size += 8) {
		/* What follows it in memory is no matter. */
		int fd = alloc_sized(size, 0xff, fx.pidfd);

		assert_true(fd >= 0);
		assert_uncharged();
		close(fd);
	}
}

static void larger_structure_charges_and_its_rest_is_ignored(void **state)
{
	static const size_t sizes[] = {32, 40, 128, 136, 512};

	for (size_t i = 0; i < 5; i++) {
		int fd = alloc_sized(sizes[i], 0xff, fx.pidfd);

		assert_true(fd >= 0);
		assert_charged(SIZE);
		close(fd);
	}
	assert_charged(0);
}

/* 28 bytes: the field without the reserved one. */
static void structure_may_end_after_the_field(void **state)
{
	int fd = alloc_sized(28, 0xff, fx.pidfd);

	assert_true(fd >= 0);
	assert_charged(SIZE);
	close(fd);
}

static void fields_are_checked(void **state)
{
	static const struct {
		uint64_t len;
		uint32_t fd, fd_flags;
		uint64_t heap_flags;
		uint32_t padding;
	} bad[] = {
		{.len = 0},
		{.len = UINT64_MAX},
		{.len = UINT64_MAX - 4094},
		{.len = SIZE, .fd = 1},
		{.len = SIZE, .fd_flags = O_NONBLOCK},
		{.len = SIZE, .fd_flags = 1U << 31},
		{.len = SIZE, .heap_flags = 1},
		{.len = SIZE, .heap_flags = UINT64_C(1) << 63},
		{.len = SIZE, .padding = 1},
		{.len = SIZE, .padding = 1U << 31},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct heap_alloc args = {
			.len = bad[i].len,
			.fd = bad[i].fd,
			.fd_flags = bad[i].fd_flags,
			.heap_flags = bad[i].heap_flags,
			.charge_pid_fd = (uint32_t)fx.pidfd,
			.padding = bad[i].padding,
		};
		const struct heap_alloc before = args;

		assert_int_equal(ioctl(fx.heap, HEAP_ALLOC, &args), -1);
		assert_int_equal(errno, EINVAL);
		assert_memory_equal(&args, &before, sizeof(args));
	}
}

static void reserved_field_is_checked_without_a_charge(void **state)
{
	struct heap_alloc args = {.len = SIZE, .padding = 1};

	assert_int_equal(ioctl(fx.heap, HEAP_ALLOC, &args), -1);
	assert_int_equal(errno, EINVAL);
}

static void fields_are_checked_before_the_process(void **state)
{
	struct heap_alloc args = {.len = SIZE, .padding = 1, .charge_pid_fd = CLOSED_FD};

	assert_int_equal(ioctl(fx.heap, HEAP_ALLOC, &args), -1);
	assert_int_equal(errno, EINVAL);
}

static void ioctl_that_does_not_exist(void **state)
{
	struct heap_alloc args = {.len = SIZE, .charge_pid_fd = (uint32_t)fx.pidfd};

	assert_int_equal(ioctl(fx.heap, _IOWR('H', 1, struct heap_alloc), &args), -1);
	assert_int_equal(errno, EINVAL);
}

static void length_is_charged_in_whole_pages(void **state)
{
	int fd = alloc_charged(PAGE + 1, fx.pidfd);

	assert_charged(2 * PAGE);
	close(fd);
}

/* ---- who can be charged ------------------------------------------------- */

static void what_is_no_process(void **state)
{
	int file = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	int directory = open("/", O_RDONLY | O_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char path[64];
	int opath;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fx.pidfd);
	opath = open(path, O_PATH | O_CLOEXEC);
	assert_true(file >= 0 && directory >= 0 && event >= 0 && null >= 0 && opath >= 0);
	assert_refused(EBADF, CLOSED_FD);
	assert_refused(EBADF, file);
	assert_refused(EBADF, directory);
	assert_refused(EBADF, event);
	assert_refused(EBADF, null);
	assert_refused(EBADF, opath);
	assert_refused(EBADF, fx.heap);
	assert_refused(EBADF, -1);
	assert_refused(EBADF, -100);   /* AT_FDCWD */
	assert_refused(EBADF, -10002); /* next to the ones that name the caller */
	assert_refused(EBADF, INT_MIN);
	close(opath);
	close(null);
	close(event);
	close(directory);
	close(file);
}

static void process_that_is_gone(void **state)
{
	end_process(fx.pid);
	assert_refused(ESRCH, fx.pidfd);
	fx.pid = 0;
}

static void process_that_nobody_waited_for(void **state)
{
	siginfo_t info;

	kill(fx.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)fx.pid, &info, WEXITED | WNOWAIT), 0);
	assert_refused(ESRCH, fx.pidfd);
	assert_charged(0);
}

/* From the moment on in which kill() returns, whatever the process has got to. */
static void process_that_has_been_killed(void **state)
{
	kill(fx.pid, SIGKILL);
	for (int i = 0; i < 10; i++)
		assert_refused(ESRCH, fx.pidfd);
	waitpid(fx.pid, NULL, 0);
	fx.pid = 0;
	assert_charged(0);
}

static void thread_of_the_kernel(void **state)
{
	int pidfd = pidfd_of(2, 0);

	assert_true(pidfd >= 0);
	assert_refused(ESRCH, pidfd);
	close(pidfd);
}

static void process_is_charged_instead_of_the_caller(void **state)
{
	/* Far more than the process itself takes. */
	const uint64_t len = 32 * MIB;
	int fd = alloc_charged(len, fx.pidfd);

	assert_true(cgroup_current(fx.client.path) >= (int64_t)len);
	assert_charged(len);
	close(fd);
	assert_charged(0);
	assert_true(cgroup_current(fx.client.path) < (int64_t)len);
}

static void caller_names_itself(void **state)
{
	const int names[] = {SELF_PROCESS, SELF_THREAD, pidfd_of(getpid(), 0)};

	for (size_t i = 0; i < 3; i++) {
		int fd = alloc_charged(SIZE, names[i]);

		assert_int_equal(cgroup_dmabuf_becomes(fx.self.path, SIZE), SIZE);
		assert_int_equal(cgroup_dmabuf(fx.client.path), 0);
		close(fd);
		assert_int_equal(cgroup_dmabuf_becomes(fx.self.path, 0), 0);
	}
	close(names[2]);
}

static void nobody_is_charged_if_nobody_is_named(void **state)
{
	int fd = alloc_charged(SIZE, 0);

	assert_uncharged();
	close(fd);
}

static void descriptor_0_names_nobody(void **state)
{
	int old = fcntl(0, F_DUPFD_CLOEXEC, 3), fd;

	assert_true(old >= 0);
	assert_int_equal(dup2(fx.pidfd, 0), 0);
	fd = alloc_charged(SIZE, 0);
	dup2(old, 0);
	close(old);
	assert_uncharged();
	close(fd);
}

/* ---- threads ------------------------------------------------------------ */

struct threads {
	int to, from; /* of the process that makes them */
	pid_t pid, tid;
};

static void *wait_for_end(void *data)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	if (write(*(int *)data, &tid, sizeof(tid)) != sizeof(tid))
		_exit(1);
	for (;;)
		pause();
}

/* A process in the client's cgroup with two threads. On a byte its leader ends. */
static struct threads spawn_threads(void)
{
	int up[2], down[2];
	struct threads threads;

	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	fflush(stdout);
	threads.pid = fork();
	assert_true(threads.pid >= 0);
	if (threads.pid == 0) {
		pthread_t thread;
		char byte;

		cgroup_enter(fx.client.path);
		if (pthread_create(&thread, NULL, wait_for_end, &up[1]))
			_exit(1);
		if (read(down[0], &byte, 1) == 1)
			syscall(SYS_exit, 0);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	threads.from = up[0];
	threads.to = down[1];
	assert_int_equal(read(threads.from, &threads.tid, sizeof(threads.tid)),
			 sizeof(threads.tid));
	return threads;
}

static void end_threads(struct threads *threads)
{
	close(threads->to);
	close(threads->from);
	end_process(threads->pid);
}

static void thread_charges_its_process(void **state)
{
	struct threads threads = spawn_threads();
	int pidfd = pidfd_of(threads.tid, PIDFD_THREAD);
	int fd;

	assert_true(pidfd >= 0);
	fd = alloc_charged(SIZE, pidfd);
	assert_charged(SIZE);
	close(fd);
	end_threads(&threads);
	assert_refused(ESRCH, pidfd);
	close(pidfd);
}

static bool is_zombie(pid_t pid)
{
	char path[64], state = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stream = fopen(path, "re");
	if (!stream)
		return true;
	if (fscanf(stream, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(stream);
	return state == 'Z';
}

static void process_with_a_dead_leader_is_charged_where_it_lives(void **state)
{
	struct threads threads = spawn_threads();
	struct cgroup other = cgroup_child(fx.base.path, "other");
	int pidfd = pidfd_of(threads.pid, 0);
	char pid[16];
	int fd;

	assert_true(pidfd >= 0);
	assert_int_equal(write(threads.to, "", 1), 1);
	while (!is_zombie(threads.pid))
		usleep(1000);
	fd = alloc_charged(SIZE, pidfd);
	assert_charged(SIZE);
	close(fd);
	assert_charged(0);

	/* The leader does not move along. */
	snprintf(pid, sizeof(pid), "%d", threads.pid);
	assert_int_equal(cgroup_write(other.path, "cgroup.procs", pid), 0);
	fd = alloc_charged(SIZE, pidfd);
	assert_int_equal(cgroup_dmabuf_becomes(other.path, SIZE), SIZE);
	assert_int_equal(cgroup_dmabuf(fx.client.path), 0);
	close(fd);

	end_threads(&threads);
	assert_refused(ESRCH, pidfd);
	close(pidfd);
	assert_int_equal(cgroup_dmabuf_becomes(other.path, 0), 0);
	cgroup_remove(other.path);
}

static int enter_client(void *data)
{
	cgroup_enter(fx.client.path);
	if (write(*(int *)data, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* As between vfork() and execve(): the memory is the caller's, the cgroup is not. */
static void process_that_shares_memory_is_charged_in_its_own_cgroup(void **state)
{
	static char stack[65536] __attribute__((aligned(16)));
	int ready[2], pidfd, fd;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = clone(enter_client, stack + sizeof(stack), CLONE_VM | SIGCHLD, &ready[1]);
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	pidfd = pidfd_of(pid, 0);
	assert_true(pidfd >= 0);
	fd = alloc_charged(SIZE, pidfd);
	assert_charged(SIZE);
	close(fd);
	end_process(pid);
	close(pidfd);
	close(ready[0]);
	close(ready[1]);
}

/* ---- limits and failures ------------------------------------------------ */

static void assert_over_limit(const char *path, uint64_t len)
{
	const int64_t max = cgroup_read(path, "memory.events", "max");
	const unsigned int before = count_fds();

	assert_int_equal(heap_alloc(fx.heap, len, fx.pidfd), -ENOMEM);
	assert_true(cgroup_read(path, "memory.events", "max") > max);
	assert_int_equal(cgroup_read(path, "memory.events", "oom_kill"), 0);
	assert_int_equal(count_fds(), before);
}

static void limit_of_the_cgroup(void **state)
{
	int fd;

	assert_int_equal(cgroup_write(fx.client.path, "memory.max", "8M"), 0);
	assert_over_limit(fx.client.path, 16 * MIB);
	fd = alloc_charged(SIZE, fx.pidfd);
	assert_charged(SIZE);
	close(fd);
	assert_int_equal(waitpid(fx.pid, NULL, WNOHANG), 0);
}

static void limit_of_an_ancestor(void **state)
{
	assert_int_equal(cgroup_write(fx.base.path, "memory.max", "256M"), 0);
	assert_over_limit(fx.base.path, 1024 * MIB);
	assert_int_equal(cgroup_write(fx.base.path, "memory.max", "max"), 0);
}

/* Take what the client may have in buffers of this size. Return: how many descriptors. */
static int fill(uint64_t len, int *fds, int most)
{
	for (int n = 0; n < most; n++) {
		fds[n] = heap_alloc(fx.heap, len, fx.pidfd);
		if (fds[n] < 0) {
			assert_int_equal(fds[n], -ENOMEM);
			return n;
		}
	}
	fail_msg("the limit was not reached");
	return -1;
}

/* A page fault of the client's would have something killed. */
static void limit_kills_nothing_for_a_page(void **state)
{
	enum { most = 200 };
	int fds[2 * most], n;

	assert_int_equal(cgroup_write(fx.client.path, "memory.max", "4M"), 0);
	n = fill(64 * KIB, fds, most);
	assert_true(n > 0);
	n += fill(PAGE, fds + n, most);
	assert_over_limit(fx.client.path, PAGE);
	assert_int_equal(waitpid(fx.pid, NULL, WNOHANG), 0);
	while (n > 0)
		close(fds[--n]);
}

static void lengths_that_no_machine_has(void **state)
{
	/* Numbers of pages around 2^31 and 2^32. */
	static const uint64_t lengths[] = {
		UINT64_C(1) << 43,          (UINT64_C(1) << 44) - 4096, UINT64_C(1) << 44,
		(UINT64_C(1) << 44) + 4096, UINT64_C(1) << 62,          UINT64_MAX - 4095,
	};

	for (size_t i = 0; i < 6; i++)
		assert_int_equal(heap_alloc(fx.heap, lengths[i], fx.pidfd), -ENOMEM);
	assert_charged(0);
}

static void result_that_cannot_be_written(void **state)
{
	struct heap_alloc *args =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const unsigned int before = count_fds();

	assert_ptr_not_equal(args, MAP_FAILED);
	args->len = SIZE;
	args->charge_pid_fd = (uint32_t)fx.pidfd;
	assert_int_equal(mprotect(args, PAGE, PROT_READ), 0);
	assert_int_equal(ioctl(fx.heap, HEAP_ALLOC, args), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(count_fds(), before);
	assert_charged(0);
	munmap(args, PAGE);
	assert_int_equal(ioctl(fx.heap, HEAP_ALLOC, args), -1);
	assert_int_equal(errno, EFAULT);
}

static void too_many_files(void **state)
{
	struct rlimit old, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = count_fds();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(heap_alloc(fx.heap, SIZE, fx.pidfd), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_charged(0);
}

/* At random points of allocations that take a while. What the kernel answers, nobody is told. */
static void caller_that_is_killed_takes_its_charges_back(void **state)
{
	uint64_t random = random_seed(1);

	fflush(stdout);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		while (pid == 0) {
			int fd = heap_alloc(fx.heap, 16 * MIB, fx.pidfd);

			if (fd < 0)
				_exit(1);
			close(fd);
		}
		usleep(random_below(&random, 50000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	assert_charged(0);
}

/* ---- how long ----------------------------------------------------------- */

static void duplicate_keeps_the_charge(void **state)
{
	int fd = alloc_charged(SIZE, fx.pidfd), copy = dup(fd);

	assert_true(copy >= 0);
	close(fd);
	assert_charged(SIZE);
	close(copy);
	assert_charged(0);
}

static void mapping_keeps_the_charge(void **state)
{
	int fd = alloc_charged(SIZE, fx.pidfd);
	void *ptr = map(fd);

	close(fd);
	assert_charged(SIZE);
	munmap(ptr, SIZE);
	assert_charged(0);
}

/* A process that has received the buffer, in this process's cgroup. */
static pid_t pass(int fd, int *ret_socket)
{
	int sockets[2];
	char byte;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fd);
		if (receive_fd(sockets[1]) < 0 || write(sockets[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(sockets[1]);
	assert_int_equal(send_fd(sockets[0], fd), 0);
	assert_int_equal(read(sockets[0], &byte, 1), 1);
	*ret_socket = sockets[0];
	return pid;
}

static void passing_the_descriptor_keeps_the_charge(void **state)
{
	int fd = alloc_charged(SIZE, fx.pidfd), socket;
	pid_t pid = pass(fd, &socket);

	close(fd);
	assert_charged(SIZE);
	end_process(pid);
	assert_charged(0);
	close(socket);
}

static void descriptor_in_a_message_keeps_the_charge(void **state)
{
	int fd = alloc_charged(SIZE, fx.pidfd), sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	assert_int_equal(send_fd(sockets[0], fd), 0);
	close(fd);
	assert_charged(SIZE);
	close(sockets[0]);
	close(sockets[1]);
	assert_charged(0);
}

/* struct drm_prime_handle */
struct prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};

#define PRIME_FD_TO_HANDLE _IOWR('d', 0x2e, struct prime_handle)

static int open_vgem(void)
{
	for (int i = 0; i < 16; i++) {
		char path[64], target[256] = "";

		snprintf(path, sizeof(path), "/sys/class/drm/card%d/device", i);
		if (readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "vgem")) {
			snprintf(path, sizeof(path), "/dev/dri/card%d", i);
			return open(path, O_RDWR | O_CLOEXEC);
		}
	}
	return -1;
}

static void import_into_a_device_keeps_the_charge(void **state)
{
	struct prime_handle args = {.fd = alloc_charged(SIZE, fx.pidfd)};
	int vgem = open_vgem();

	assert_true(vgem >= 0);
	assert_int_equal(ioctl(vgem, PRIME_FD_TO_HANDLE, &args), 0);
	close(args.fd);
	assert_charged(SIZE);
	close(vgem);
	assert_charged(0);
}

static void end_of_the_process_keeps_the_charge(void **state)
{
	int fd = alloc_charged(SIZE, fx.pidfd);

	end_process(fx.pid);
	fx.pid = 0;
	assert_charged(SIZE);
	close(fd);
	assert_charged(0);
}

static void moving_the_process_keeps_the_charge(void **state)
{
	struct cgroup other = cgroup_child(fx.base.path, "other");
	int first = alloc_charged(SIZE, fx.pidfd), second;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", fx.pid);
	assert_int_equal(cgroup_write(other.path, "cgroup.procs", pid), 0);
	second = alloc_charged(PAGE, fx.pidfd);
	assert_int_equal(cgroup_dmabuf_becomes(other.path, (int64_t)PAGE), PAGE);
	assert_int_equal(cgroup_dmabuf_becomes(fx.client.path, SIZE), SIZE);
	close(first);
	close(second);
	assert_int_equal(cgroup_dmabuf_becomes(other.path, 0), 0);
	end_process(fx.pid);
	fx.pid = 0;
	cgroup_remove(other.path);
}

static void removal_of_the_cgroup_leaves_the_charge_to_its_ancestors(void **state)
{
	struct cgroup parent = cgroup_child(fx.base.path, "parent"), child;
	int charge, large, small;

	assert_int_equal(cgroup_write(parent.path, "cgroup.subtree_control", "+memory"), 0);
	child = cgroup_child(parent.path, "child");
	charge = cgroup_open(child.path);
	large = alloc_charged(SIZE, charge);
	small = alloc_charged(PAGE, charge);
	close(charge);
	cgroup_remove(child.path);
	assert_int_equal(cgroup_dmabuf_becomes(parent.path, (int64_t)(SIZE + PAGE)), SIZE + PAGE);
	assert_true(cgroup_current(parent.path) >= (int64_t)(SIZE + PAGE));
	assert_int_equal(cgroup_read(parent.path, "cgroup.stat", "nr_dying_descendants"), 1);
	close(large);
	assert_int_equal(cgroup_dmabuf_becomes(parent.path, (int64_t)PAGE), PAGE);
	close(small);
	assert_int_equal(cgroup_dmabuf_becomes(parent.path, 0), 0);
	/* The buffers were the last to keep it. */
	assert_int_equal(cgroup_dying_drained(parent.path), 0);
	assert_int_equal(cgroup_current_drained(parent.path, 0), 0);
	cgroup_remove(parent.path);
}

/* ---- cgroups ------------------------------------------------------------ */

static void cgroup_is_charged_without_a_process_in_it(void **state)
{
	struct cgroup empty = cgroup_child(fx.base.path, "empty");
	int path = cgroup_open(empty.path);
	int directory = open(empty.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const int charges[] = {path, directory};

	assert_true(directory >= 0);
	for (size_t i = 0; i < 2; i++) {
		int fd = alloc_charged(SIZE, charges[i]);

		assert_int_equal(cgroup_current(empty.path), SIZE);
		assert_int_equal(cgroup_dmabuf_becomes(empty.path, SIZE), SIZE);
		assert_int_equal(cgroup_dmabuf(fx.self.path), 0);
		close(fd);
		assert_int_equal(cgroup_current(empty.path), 0);
		assert_int_equal(cgroup_dmabuf_becomes(empty.path, 0), 0);
	}
	close(directory);
	close(path);
	cgroup_remove(empty.path);
}

static void file_of_a_cgroup_is_no_cgroup(void **state)
{
	char name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%s/cgroup.procs", fx.client.path);
	fd = open(name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_refused(EBADF, fd);
	close(fd);
}

static void cgroup_with_controlled_children_has_no_charges(void **state)
{
	int fd = cgroup_open(fx.base.path);

	assert_refused(EBUSY, fd);
	close(fd);
}

static void cgroup_that_is_no_domain_has_no_charges(void **state)
{
	struct cgroup root = cgroup_child(fx.base.path, "root");
	struct cgroup threaded = cgroup_child(root.path, "threaded"), invalid;
	int fd;

	assert_int_equal(cgroup_write(threaded.path, "cgroup.type", "threaded"), 0);
	invalid = cgroup_child(root.path, "invalid");
	fd = cgroup_open(invalid.path);
	assert_refused(EOPNOTSUPP, fd);
	close(fd);
	cgroup_remove(invalid.path);
	cgroup_remove(threaded.path);
	cgroup_remove(root.path);
}

static void cgroup_that_has_been_removed(void **state)
{
	struct cgroup gone = cgroup_child(fx.base.path, "gone");
	int fd = cgroup_open(gone.path);

	cgroup_remove(gone.path);
	assert_refused(ENOENT, fd);
	close(fd);
}

static void ancestor_is_charged_for_a_cgroup_without_the_controller(void **state)
{
	struct cgroup inner = cgroup_child(fx.client.path, "inner");
	int charge = cgroup_open(inner.path), fd;

	assert_int_equal(cgroup_dmabuf(inner.path), -1);
	fd = alloc_charged(SIZE, charge);
	assert_charged(SIZE);
	close(fd);
	close(charge);
	cgroup_remove(inner.path);
}

static void own(const char *path, uid_t uid)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s/cgroup.procs", path);
	assert_int_equal(chown(name, uid, (gid_t)-1), 0);
}

/* What the call gives to one who is not root. */
static int alloc_as_nobody(int charge)
{
	int r;

	assert_int_equal(seteuid(NOBODY), 0);
	r = heap_alloc(fx.heap, PAGE, charge);
	assert_int_equal(seteuid(0), 0);
	return r;
}

static void cgroup_is_charged_only_by_who_may_put_a_process_there(void **state)
{
	struct cgroup mine = cgroup_child(fx.base.path, "mine");
	int charge = cgroup_open(mine.path), fd;

	assert_int_equal(alloc_as_nobody(charge), -EACCES);
	/* Its own cgroup is not enough, nor is the common ancestor. */
	own(mine.path, NOBODY);
	assert_int_equal(alloc_as_nobody(charge), -EACCES);
	own(mine.path, 0);
	own(fx.base.path, NOBODY);
	assert_int_equal(alloc_as_nobody(charge), -EACCES);
	own(mine.path, NOBODY);
	fd = alloc_as_nobody(charge);
	assert_true(fd >= 0);
	close(fd);
	own(fx.base.path, 0);
	assert_int_equal(alloc_as_nobody(charge), -EACCES);
	assert_int_equal(cgroup_dmabuf_becomes(mine.path, 0), 0);
	close(charge);
	cgroup_remove(mine.path);
}

/* Where cgroup namespaces are boundaries of delegation. */
static void cgroup_outside_of_the_namespace(void **state)
{
	int charge = cgroup_open(fx.client.path), status;
	pid_t pid;

	assert_int_equal(mount(NULL, CGROUPS, NULL, MS_REMOUNT, "nsdelegate"), 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(unshare(CLONE_NEWCGROUP) ? 0 : -heap_alloc(fx.heap, PAGE, charge));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(mount(NULL, CGROUPS, NULL, MS_REMOUNT, ""), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ENOENT);
	close(charge);
}

static void process_is_charged_by_anyone_who_has_the_heap(void **state)
{
	int fd = alloc_as_nobody(fx.pidfd);

	assert_true(fd >= 0);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(layout_is_that_of_the_interface),
		TEST(structure_without_the_field_charges_nobody),
		TEST(larger_structure_charges_and_its_rest_is_ignored),
		TEST(structure_may_end_after_the_field),
		TEST(fields_are_checked),
		TEST(reserved_field_is_checked_without_a_charge),
		TEST(fields_are_checked_before_the_process),
		TEST(ioctl_that_does_not_exist),
		TEST(length_is_charged_in_whole_pages),
		TEST(what_is_no_process),
		TEST(process_that_is_gone),
		TEST(process_that_nobody_waited_for),
		TEST(process_that_has_been_killed),
		TEST(thread_of_the_kernel),
		TEST(process_is_charged_instead_of_the_caller),
		TEST(caller_names_itself),
		TEST(nobody_is_charged_if_nobody_is_named),
		TEST(descriptor_0_names_nobody),
		TEST(thread_charges_its_process),
		TEST(process_with_a_dead_leader_is_charged_where_it_lives),
		TEST(process_that_shares_memory_is_charged_in_its_own_cgroup),
		TEST(limit_of_the_cgroup),
		TEST(limit_of_an_ancestor),
		TEST(limit_kills_nothing_for_a_page),
		TEST(lengths_that_no_machine_has),
		TEST(result_that_cannot_be_written),
		TEST(too_many_files),
		TEST(caller_that_is_killed_takes_its_charges_back),
		TEST(duplicate_keeps_the_charge),
		TEST(mapping_keeps_the_charge),
		TEST(passing_the_descriptor_keeps_the_charge),
		TEST(descriptor_in_a_message_keeps_the_charge),
		TEST(import_into_a_device_keeps_the_charge),
		TEST(end_of_the_process_keeps_the_charge),
		TEST(moving_the_process_keeps_the_charge),
		TEST(removal_of_the_cgroup_leaves_the_charge_to_its_ancestors),
		TEST(cgroup_is_charged_without_a_process_in_it),
		TEST(file_of_a_cgroup_is_no_cgroup),
		TEST(cgroup_with_controlled_children_has_no_charges),
		TEST(cgroup_that_is_no_domain_has_no_charges),
		TEST(cgroup_that_has_been_removed),
		TEST(ancestor_is_charged_for_a_cgroup_without_the_controller),
		TEST(cgroup_is_charged_only_by_who_may_put_a_process_there),
		TEST(cgroup_outside_of_the_namespace),
		TEST(process_is_charged_by_anyone_who_has_the_heap),
	};

	fx.base = cgroup_base();
	fx.self = cgroup_at(fx.base.path, "self");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("dma-heap-uapi", tests, NULL, NULL);
}
