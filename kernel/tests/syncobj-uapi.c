/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/syncobj by its raw ioctls: every check of every argument, in its order, and what follows.
 *
 * timeout: 300
 * modules: syncobj
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "fds.h"
#include "programs/node.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define BAD_ADDRESS UINT64_C(0x1000) /* nothing is mapped there */
#define MOST_OBJECTS 65536U
#define CLOSED_FD 900
#define SEC INT64_C(1000000000)

#define WAIT_ALL SYNCOBJ_WAIT_FLAGS_WAIT_ALL
#define FOR_SUBMIT SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT
#define AVAILABLE SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE
#define DEADLINE SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE

static struct {
	int node;
	int object; /* empty */
	int timeline;
	unsigned int fds; /* before all of them */
} fx;

static int setup(void **state)
{
	fx.fds = count_fds();
	fx.node = open(node_path(), O_RDWR | O_CLOEXEC);
	if (fx.node == -1)
		return -1;
	fx.object = node_create(fx.node, 0);
	fx.timeline = sw_sync_open();
	return fx.object < 0 || fx.timeline < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	close(fx.timeline);
	close(fx.object);
	close(fx.node);
	return count_fds() == fx.fds ? 0 : -1;
}

/* The call fails as it should and writes nothing into its argument. */
#define assert_fails(error, request, args)                                   \
	do {                                                                 \
		unsigned char before_[sizeof(args)];                         \
		memcpy(before_, &(args), sizeof(args));                      \
		assert_int_equal(call(fx.node, request, &(args)), -(error)); \
		assert_memory_equal(&(args), before_, sizeof(args));         \
	} while (0)

#define assert_query(fd, expected)                                        \
	do {                                                              \
		uint64_t point_ = 77;                                     \
		assert_int_equal(node_query(fx.node, fd, 0, &point_), 0); \
		assert_int_equal(point_, expected);                       \
	} while (0)

/* Memory that is gone after the first page; the returned address is @size before its end. */
static void *before_a_hole(size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(munmap(pages + page, page), 0);
	return pages + page - size;
}

static void unmap_before_hole(void *ptr, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	munmap((char *)ptr + size - page, page);
}

/* A pending fence at the point of the object, signalled with sw_sync_advance(fx.timeline, 1). */
static void submit(int fd, uint64_t point, uint32_t value)
{
	int fence = sw_sync_fence(fx.timeline, value);

	assert_true(fence >= 0);
	assert_int_equal(node_import(fx.node, fd, point, fence), 0);
	close(fence);
}

/* Descriptors that are not syncobjs, ended by that of a closed one. */
static unsigned int foreign_fds(int fds[5])
{
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[1] = eventfd(0, EFD_CLOEXEC);
	fds[2] = sw_sync_fence(fx.timeline, 1);
	fds[3] = open(node_path(), O_RDWR | O_PATH | O_CLOEXEC);
	fds[4] = CLOSED_FD;
	for (int i = 0; i < 4; i++)
		assert_true(fds[i] >= 0);
	return 5;
}

static void close_foreign(const int fds[5])
{
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

/* ---- the node ----------------------------------------------------------- */

static void node_may_be_opened_by_everyone(void **state)
{
	struct stat st;

	assert_int_equal(stat(node_path(), &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0666);
}

static void node_serves_any_open_mode(void **state)
{
	static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR};

	for (size_t i = 0; i < 3; i++) {
		int node = open(node_path(), modes[i] | O_CLOEXEC), fd;

		assert_true(node >= 0);
		fd = node_create(node, 0);
		assert_true(fd >= 0);
		close(fd);
		close(node);
	}
}

static void node_has_no_state(void **state)
{
	int other = open(node_path(), O_RDWR | O_CLOEXEC);

	assert_true(other >= 0);
	assert_int_equal(node_signal(other, fx.object, 5), 0);
	close(other);
	assert_query(fx.object, 5);
}

static void node_cannot_be_read_or_written(void **state)
{
	char byte = 0;

	assert_int_equal(read(fx.node, &byte, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(write(fx.node, &byte, 1), -1);
	assert_int_equal(errno, EINVAL);
}

static void ioctl_numbers_are_those_of_version_1(void **state)
{
	static const unsigned long numbers[] = {
		SYNCOBJ_IOC_CREATE,
		SYNCOBJ_IOC_WAIT,
		SYNCOBJ_IOC_RESET,
		SYNCOBJ_IOC_SIGNAL,
		SYNCOBJ_IOC_QUERY,
		SYNCOBJ_IOC_TRANSFER,
		SYNCOBJ_IOC_EVENTFD,
		SYNCOBJ_IOC_EXPORT_SYNC_FILE,
		SYNCOBJ_IOC_IMPORT_SYNC_FILE,
	};
	static const unsigned long expected[] = {
		0xC008CD00, 0xC030CD01, 0x4018CD02, 0x4018CD03, 0x4018CD04,
		0x4020CD05, 0x4018CD06, 0xC010CD07, 0x4010CD08,
	};

	for (size_t i = 0; i < 9; i++)
		assert_int_equal(numbers[i], expected[i]);
}

static void other_ioctls_are_unknown(void **state)
{
	char args[256] = {0};

	assert_int_equal(call(fx.node, _IOWR(0xCD, 9, struct syncobj_create_args), args), -ENOTTY);
	assert_int_equal(call(fx.node, _IOWR(0xCE, 0, struct syncobj_create_args), args), -ENOTTY);
	assert_int_equal(call(fx.node, _IO(0xCD, 0), args), -ENOTTY);
	/* The right number with a struct of another size or direction. */
	for (unsigned int nr = 0; nr < 9; nr++)
		for (unsigned int size = 0; size < 64; size++)
			for (unsigned int dir = 0; dir < 4; dir++) {
				unsigned long request = _IOC(dir, 0xCD, nr, size);

				if (request == SYNCOBJ_IOC_CREATE || request == SYNCOBJ_IOC_WAIT ||
				    request == SYNCOBJ_IOC_RESET || request == SYNCOBJ_IOC_SIGNAL ||
				    request == SYNCOBJ_IOC_QUERY ||
				    request == SYNCOBJ_IOC_TRANSFER ||
				    request == SYNCOBJ_IOC_EVENTFD ||
				    request == SYNCOBJ_IOC_EXPORT_SYNC_FILE ||
				    request == SYNCOBJ_IOC_IMPORT_SYNC_FILE)
					continue;
				assert_int_equal(call(fx.node, request, args), -ENOTTY);
			}
}

static void bad_argument_address(void **state)
{
	static const unsigned long requests[] = {
		SYNCOBJ_IOC_CREATE,
		SYNCOBJ_IOC_WAIT,
		SYNCOBJ_IOC_RESET,
		SYNCOBJ_IOC_SIGNAL,
		SYNCOBJ_IOC_QUERY,
		SYNCOBJ_IOC_TRANSFER,
		SYNCOBJ_IOC_EVENTFD,
		SYNCOBJ_IOC_EXPORT_SYNC_FILE,
		SYNCOBJ_IOC_IMPORT_SYNC_FILE,
	};

	for (size_t i = 0; i < 9; i++) {
		/* Half of it can be read. */
		size_t half = _IOC_SIZE(requests[i]) / 2;
		void *args = before_a_hole(half);

		assert_int_equal(call(fx.node, requests[i], NULL), -EFAULT);
		assert_int_equal(call(fx.node, requests[i], (void *)(uintptr_t)BAD_ADDRESS),
				 -EFAULT);
		assert_int_equal(call(fx.node, requests[i], args), -EFAULT);
		unmap_before_hole(args, half);
	}
}

static void node_may_be_closed_before_its_objects(void **state)
{
	int node = open(node_path(), O_RDWR | O_CLOEXEC), fd;

	assert_true(node >= 0);
	fd = node_create(node, 0);
	close(node);
	assert_int_equal(node_signal(fx.node, fd, 1), 0);
	close(fd);
}

/* ---- create ------------------------------------------------------------- */

static void create_refuses_other_flags(void **state)
{
	for (unsigned int bit = 1; bit < 32; bit++) {
		struct syncobj_create_args args = {.fd = 123, .flags = 1U << bit};

		assert_fails(EINVAL, SYNCOBJ_IOC_CREATE, args);
	}
}

static void create_gives_an_empty_object(void **state)
{
	assert_int_equal(node_wait(fx.node, fx.object, 0, 0, 0), -EINVAL);
	assert_int_equal(node_wait(fx.node, fx.object, 0, 0, FOR_SUBMIT), -ETIME);
	assert_query(fx.object, 0);
}

static void create_signaled_gives_a_signalled_object(void **state)
{
	int fd = node_create(fx.node, SYNCOBJ_CREATE_SIGNALED);

	assert_true(fd >= 0);
	assert_int_equal(node_wait(fx.node, fd, 0, 0, 0), 0);
	assert_int_equal(node_wait(fx.node, fd, 1, 0, 0), -EINVAL);
	assert_query(fd, 0);
	close(fd);
}

static void create_ignores_the_descriptor_passed_in(void **state)
{
	struct syncobj_create_args args = {.fd = fx.node};

	assert_int_equal(call(fx.node, SYNCOBJ_IOC_CREATE, &args), 0);
	assert_int_not_equal(args.fd, fx.node);
	close(args.fd);
}

static void create_gives_a_syncobj_file_that_exec_closes(void **state)
{
	char path[64], link[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fx.object);
	assert_true(readlink(path, link, sizeof(link) - 1) > 0);
	assert_string_equal(link, "anon_inode:syncobj_file");
	assert_int_equal(fcntl(fx.object, F_GETFD), FD_CLOEXEC);
}

static void create_says_when_there_are_too_many_files(void **state)
{
	struct rlimit old, none = {0};

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(node_create(fx.node, 0), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* Teardown counts the descriptors. */
static void create_leaves_nothing_when_the_result_cannot_be_written(void **state)
{
	struct syncobj_create_args *args = before_a_hole(4096);

	*args = (struct syncobj_create_args){0};
	assert_int_equal(mprotect(args, 4096, PROT_READ), 0);
	assert_int_equal(call(fx.node, SYNCOBJ_IOC_CREATE, args), -EFAULT);
	unmap_before_hole(args, 4096);
}

/* ---- wait --------------------------------------------------------------- */

static void wait_refuses_other_flags(void **state)
{
	for (unsigned int bit = 4; bit < 32; bit++) {
		struct syncobj_wait_args args = {.fds = BAD_ADDRESS,
						 .count = 1,
						 .flags = 1U << bit};

		assert_fails(EINVAL, SYNCOBJ_IOC_WAIT, args);
		args.count = 0;
		assert_fails(EINVAL, SYNCOBJ_IOC_WAIT, args);
	}
}

static void wait_refuses_a_pad(void **state)
{
	struct syncobj_wait_args args = {.fds = BAD_ADDRESS, .count = 1, .pad = 1};

	assert_fails(EINVAL, SYNCOBJ_IOC_WAIT, args);
	args.count = 0;
	assert_fails(EINVAL, SYNCOBJ_IOC_WAIT, args);
}

static void wait_for_none_succeeds_and_writes_nothing(void **state)
{
	struct syncobj_wait_args args = {
		.fds = BAD_ADDRESS,
		.points = BAD_ADDRESS,
		.first_signaled = 42,
	};
	struct syncobj_wait_args before = args;

	assert_int_equal(call(fx.node, SYNCOBJ_IOC_WAIT, &args), 0);
	assert_memory_equal(&args, &before, sizeof(args));
}

static void wait_for_unreadable_descriptors(void **state)
{
	int32_t *fds = before_a_hole(sizeof(*fds));
	struct syncobj_wait_args args = {.fds = BAD_ADDRESS, .count = 1};

	assert_fails(EFAULT, SYNCOBJ_IOC_WAIT, args);
	/* The second of them cannot be read, so it does not matter that the first is bad. */
	*fds = CLOSED_FD;
	args.fds = address(fds);
	args.count = 2;
	assert_fails(EFAULT, SYNCOBJ_IOC_WAIT, args);
	unmap_before_hole(fds, sizeof(*fds));
}

static void wait_for_too_many(void **state)
{
	static const uint32_t counts[] = {MOST_OBJECTS + 1, 500000, 1U << 30, 1U << 31, UINT32_MAX};
	int32_t fd = fx.object;
	struct syncobj_wait_args args = {.fds = address(&fd)};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		args.count = counts[i];
		assert_fails(ENOMEM, SYNCOBJ_IOC_WAIT, args);
	}
}

static void wait_for_as_many_as_there_may_be(void **state)
{
	int32_t *fds = calloc(MOST_OBJECTS, sizeof(*fds));
	struct syncobj_wait_args args = {.fds = address(fds),
					 .count = MOST_OBJECTS,
					 .flags = WAIT_ALL};

	assert_non_null(fds);
	for (uint32_t i = 0; i < MOST_OBJECTS; i++)
		fds[i] = fx.object;
	assert_fails(EINVAL, SYNCOBJ_IOC_WAIT, args);
	assert_int_equal(node_signal(fx.node, fx.object, 1), 0);
	assert_int_equal(call(fx.node, SYNCOBJ_IOC_WAIT, &args), 0);
	free(fds);
}

static void wait_for_bad_descriptors(void **state)
{
	int foreign[5];
	unsigned int n = foreign_fds(foreign);

	for (unsigned int i = 0; i < n; i++) {
		int32_t fds[] = {fx.object, foreign[i], fx.object};
		struct syncobj_wait_args args = {
			.fds = address(fds),
			.points = BAD_ADDRESS, /* comes later */
			.count = 3,
		};

		assert_fails(EBADF, SYNCOBJ_IOC_WAIT, args);
	}
	close_foreign(foreign);
	assert_int_equal(node_wait(fx.node, -1, 0, 0, 0), -EBADF);
}

static void wait_for_unreadable_points(void **state)
{
	int32_t fds[] = {fx.object, fx.object};
	uint64_t *points = before_a_hole(sizeof(*points));
	struct syncobj_wait_args args = {.fds = address(fds), .points = BAD_ADDRESS, .count = 2};

	*points = 1;
	assert_fails(EFAULT, SYNCOBJ_IOC_WAIT, args);
	args.points = address(points);
	assert_fails(EFAULT, SYNCOBJ_IOC_WAIT, args);
	unmap_before_hole(points, sizeof(*points));
}

static void wait_matrix(void **state)
{
	static const uint32_t flags[] = {0, FOR_SUBMIT, AVAILABLE, FOR_SUBMIT | AVAILABLE};
	/* By state of the point and flags. */
	static const int expected[3][4] = {
		{-EINVAL, -ETIME, -ETIME, -ETIME},
		{-ETIME, -ETIME, 0, 0},
		{0, 0, 0, 0},
	};

	for (int point_state = 0; point_state < 3; point_state++) {
		if (point_state == 1)
			submit(fx.object, 3, 1);
		else if (point_state == 2)
			assert_int_equal(sw_sync_advance(fx.timeline, 1), 0);
		for (int i = 0; i < 4; i++) {
			assert_int_equal(node_wait(fx.node, fx.object, 3, 0, flags[i]),
					 expected[point_state][i]);
			assert_int_equal(node_wait(fx.node, fx.object, 3, 0, flags[i] | WAIT_ALL),
					 expected[point_state][i]);
			assert_int_equal(node_wait(fx.node, fx.object, 3, now_nsec() + 1000000,
						   flags[i] | DEADLINE),
					 expected[point_state][i]);
		}
	}
}

static void wait_with_a_missing_point_fails_even_if_another_is_ready(void **state)
{
	int32_t fds[] = {fx.object, node_create(fx.node, SYNCOBJ_CREATE_SIGNALED)};
	struct syncobj_wait_args args = {.fds = address(fds), .count = 2, .first_signaled = 9};

	assert_fails(EINVAL, SYNCOBJ_IOC_WAIT, args);
	args.flags = FOR_SUBMIT;
	assert_int_equal(call(fx.node, SYNCOBJ_IOC_WAIT, &args), 0);
	assert_int_equal(args.first_signaled, 1);
	close(fds[1]);
}

static void wait_in_the_past_polls(void **state)
{
	static const int64_t timeouts[] = {0, -1, INT64_MIN, 1};

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(node_wait(fx.node, fx.object, 1, timeouts[i], FOR_SUBMIT), -ETIME);
}

static void wait_ends_at_its_time(void **state)
{
	int64_t end = now_nsec() + SEC / 20;

	assert_int_equal(node_wait(fx.node, fx.object, 1, end, FOR_SUBMIT), -ETIME);
	assert_true(now_nsec() >= end);
}

static void on_alarm(int number)
{
}

/* Interrupt again and again, so that one comes while the wait is on. */
static void set_alarm(int flags, bool on)
{
	const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
	const struct itimerval timer = {{0, on ? 10000 : 0}, {0, on ? 10000 : 0}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void wait_is_interrupted_by_a_signal(void **state)
{
	int r;

	set_alarm(0, true);
	r = node_wait(fx.node, fx.object, 1, INT64_MAX, FOR_SUBMIT);
	set_alarm(0, false);
	assert_int_equal(r, -EINTR);
}

static void wait_that_is_restarted_ends_at_the_same_time(void **state)
{
	int64_t end = now_nsec() + SEC / 10;
	int r;

	set_alarm(SA_RESTART, true);
	r = node_wait(fx.node, fx.object, 1, end, FOR_SUBMIT);
	set_alarm(SA_RESTART, false);
	assert_int_equal(r, -ETIME);
	assert_true(now_nsec() >= end);
}

static void wait_leaves_nothing_when_the_result_cannot_be_written(void **state)
{
	struct syncobj_wait_args *args = before_a_hole(4096);
	int32_t fd = fx.object;

	assert_int_equal(node_signal(fx.node, fd, 1), 0);
	*args = (struct syncobj_wait_args){.fds = address(&fd), .count = 1};
	assert_int_equal(mprotect(args, 4096, PROT_READ), 0);
	assert_int_equal(call(fx.node, SYNCOBJ_IOC_WAIT, args), -EFAULT);
	unmap_before_hole(args, 4096);
}

/*
 * In a time namespace CLOCK_MONOTONIC has an offset. Taken for the host's, a
 * time near at hand would be far in the future, or in the past.
 */
static int wait_in_a_namespace(int64_t offset_sec)
{
	int64_t end;
	char text[64];
	FILE *file;

	if (unshare(CLONE_NEWTIME) == -1)
		return 77;
	file = fopen("/proc/self/timens_offsets", "w");
	if (!file)
		return 2;
	snprintf(text, sizeof(text), "monotonic %lld 0\n", (long long)offset_sec);
	fputs(text, file);
	if (fclose(file))
		return 3;
	if (fork() == 0) {
		alarm(120);
		end = now_nsec() + SEC / 20;
		if (node_wait(fx.node, fx.object, 1, end, FOR_SUBMIT) != -ETIME)
			_exit(4);
		_exit(now_nsec() >= end ? 0 : 5);
	} else {
		int status = 0;

		wait(&status);
		return WIFEXITED(status) ? WEXITSTATUS(status) : 6;
	}
}

static void wait_knows_time_namespaces(void **state)
{
	static const int64_t offsets[] = {1000000, -1};

	for (size_t i = 0; i < 2; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(wait_in_a_namespace(offsets[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

/* ---- reset -------------------------------------------------------------- */

static void reset_checks_its_arguments(void **state)
{
	uint64_t point = 0;
	struct syncobj_array_args args = {.fds = BAD_ADDRESS, .count = 1, .flags = 1};

	assert_fails(EINVAL, SYNCOBJ_IOC_RESET, args);
	args = (struct syncobj_array_args){.fds = BAD_ADDRESS,
					   .points = address(&point),
					   .count = 1};
	assert_fails(EINVAL, SYNCOBJ_IOC_RESET, args);
	args = (struct syncobj_array_args){.fds = BAD_ADDRESS};
	assert_fails(EINVAL, SYNCOBJ_IOC_RESET, args);
	args.count = 1;
	assert_fails(EFAULT, SYNCOBJ_IOC_RESET, args);
	args.count = MOST_OBJECTS + 1;
	assert_fails(ENOMEM, SYNCOBJ_IOC_RESET, args);
}

static void reset_with_a_bad_descriptor_resets_none(void **state)
{
	int foreign[5];
	unsigned int n = foreign_fds(foreign);

	assert_int_equal(node_signal(fx.node, fx.object, 5), 0);
	for (unsigned int i = 0; i < n; i++) {
		int32_t fds[] = {fx.object, foreign[i], fx.object};
		struct syncobj_array_args args = {.fds = address(fds), .count = 3};

		assert_fails(EBADF, SYNCOBJ_IOC_RESET, args);
		assert_query(fx.object, 5);
	}
	close_foreign(foreign);
}

static void reset_takes_the_fence_away(void **state)
{
	assert_int_equal(node_signal(fx.node, fx.object, 5), 0);
	assert_int_equal(node_reset(fx.node, fx.object), 0);
	assert_int_equal(node_wait(fx.node, fx.object, 0, 0, 0), -EINVAL);
	assert_query(fx.object, 0);
}

/* ---- signal ------------------------------------------------------------- */

static void signal_checks_its_arguments(void **state)
{
	int32_t fd = fx.object;
	struct syncobj_array_args args = {.fds = BAD_ADDRESS, .count = 1, .flags = 1};

	assert_fails(EINVAL, SYNCOBJ_IOC_SIGNAL, args);
	args = (struct syncobj_array_args){.fds = BAD_ADDRESS};
	assert_fails(EINVAL, SYNCOBJ_IOC_SIGNAL, args);
	args.count = 1;
	assert_fails(EFAULT, SYNCOBJ_IOC_SIGNAL, args);
	args.count = MOST_OBJECTS + 1;
	assert_fails(ENOMEM, SYNCOBJ_IOC_SIGNAL, args);
	args = (struct syncobj_array_args){
		.fds = address(&fd),
		.points = BAD_ADDRESS,
		.count = 1,
	};
	assert_fails(EFAULT, SYNCOBJ_IOC_SIGNAL, args);
	assert_int_equal(node_wait(fx.node, fd, 0, 0, 0), -EINVAL);
}

static void signal_with_a_bad_descriptor_signals_none(void **state)
{
	int foreign[5];
	unsigned int n = foreign_fds(foreign);
	uint64_t points[] = {1, 2, 3};

	for (unsigned int i = 0; i < n; i++) {
		int32_t fds[] = {fx.object, foreign[i], fx.object};
		struct syncobj_array_args args = {
			.fds = address(fds),
			.points = address(points),
			.count = 3,
		};

		assert_fails(EBADF, SYNCOBJ_IOC_SIGNAL, args);
		assert_int_equal(node_wait(fx.node, fx.object, 0, 0, 0), -EINVAL);
	}
	close_foreign(foreign);
}

static void signal_without_points_means_point_0(void **state)
{
	int32_t fd = fx.object;
	struct syncobj_array_args args = {.fds = address(&fd), .count = 1};

	assert_int_equal(call(fx.node, SYNCOBJ_IOC_SIGNAL, &args), 0);
	assert_int_equal(node_wait(fx.node, fd, 0, 0, 0), 0);
	assert_query(fd, 0);
}

/* It adds to the fence that is there: facts of the timeline signal. */
static void signal_of_point_0_leaves_a_pending_object_pending(void **state)
{
	submit(fx.object, 0, 1);
	assert_int_equal(node_signal(fx.node, fx.object, 0), 0);
	assert_int_equal(node_wait(fx.node, fx.object, 0, 0, 0), -ETIME);
	assert_int_equal(sw_sync_advance(fx.timeline, 1), 0);
	assert_int_equal(node_wait(fx.node, fx.object, 0, 0, 0), 0);
}

static void signal_takes_more_than_fit_on_the_stack(void **state)
{
	int32_t fds[100];
	uint64_t points[100];
	struct syncobj_array_args args = {
		.fds = address(fds),
		.points = address(points),
		.count = 100,
	};

	for (int i = 0; i < 100; i++) {
		fds[i] = fx.object;
		points[i] = (uint64_t)i + 1;
	}
	assert_int_equal(call(fx.node, SYNCOBJ_IOC_SIGNAL, &args), 0);
	assert_query(fx.object, 100);
}

/* ---- query -------------------------------------------------------------- */

static void query_checks_its_arguments(void **state)
{
	int32_t fd = fx.object;
	struct syncobj_array_args args = {.fds = BAD_ADDRESS, .count = 1};

	for (unsigned int bit = 1; bit < 32; bit++) {
		args.flags = 1U << bit;
		assert_fails(EINVAL, SYNCOBJ_IOC_QUERY, args);
	}
	args = (struct syncobj_array_args){.fds = BAD_ADDRESS};
	assert_fails(EINVAL, SYNCOBJ_IOC_QUERY, args);
	args.count = 1;
	assert_fails(EFAULT, SYNCOBJ_IOC_QUERY, args);
	args.count = MOST_OBJECTS + 1;
	assert_fails(ENOMEM, SYNCOBJ_IOC_QUERY, args);
	args = (struct syncobj_array_args){.fds = address(&fd), .count = 1};
	assert_fails(EFAULT, SYNCOBJ_IOC_QUERY, args);
	args.points = BAD_ADDRESS;
	assert_fails(EFAULT, SYNCOBJ_IOC_QUERY, args);
}

static void query_with_a_bad_descriptor_writes_nothing(void **state)
{
	int foreign[5];
	unsigned int n = foreign_fds(foreign);

	for (unsigned int i = 0; i < n; i++) {
		int32_t fds[] = {fx.object, foreign[i]};
		uint64_t points[] = {11, 22};
		struct syncobj_array_args args = {
			.fds = address(fds),
			.points = address(points),
			.count = 2,
		};

		assert_fails(EBADF, SYNCOBJ_IOC_QUERY, args);
		assert_int_equal(points[0], 11);
		assert_int_equal(points[1], 22);
	}
	close_foreign(foreign);
}

static void query_tells_signalled_and_submitted_points(void **state)
{
	uint64_t point;

	submit(fx.object, 5, 1);
	assert_int_equal(node_signal(fx.node, fx.object, 10), 0);
	assert_query(fx.object, 0);
	assert_int_equal(node_query(fx.node, fx.object, SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED, &point),
			 0);
	assert_int_equal(point, 10);
	assert_int_equal(sw_sync_advance(fx.timeline, 1), 0);
	assert_query(fx.object, 10);
}

/* ---- transfer ----------------------------------------------------------- */

static void transfer_checks_its_arguments(void **state)
{
	struct syncobj_transfer_args args = {.src_fd = -1, .dst_fd = -1, .pad = 1};

	assert_fails(EINVAL, SYNCOBJ_IOC_TRANSFER, args);
	args.pad = 0;
	for (unsigned int bit = 0; bit < 32; bit++) {
		args.flags = 1U << bit;
		if (args.flags != FOR_SUBMIT)
			assert_fails(EINVAL, SYNCOBJ_IOC_TRANSFER, args);
	}
}

static void transfer_from_or_to_bad_descriptors(void **state)
{
	int foreign[5];
	unsigned int n = foreign_fds(foreign);

	for (unsigned int i = 0; i < n; i++) {
		struct syncobj_transfer_args args = {.src_fd = foreign[i], .dst_fd = fx.object};

		assert_fails(EBADF, SYNCOBJ_IOC_TRANSFER, args);
		args = (struct syncobj_transfer_args){.src_fd = fx.object, .dst_fd = foreign[i]};
		assert_fails(EBADF, SYNCOBJ_IOC_TRANSFER, args);
	}
	close_foreign(foreign);
}

static void transfer_of_a_missing_point(void **state)
{
	struct syncobj_transfer_args args = {
		.src_fd = fx.object,
		.dst_fd = fx.object,
		.src_point = 1,
		.dst_point = 2,
	};

	assert_fails(EINVAL, SYNCOBJ_IOC_TRANSFER, args);
	args.src_point = args.dst_point = 0;
	assert_fails(EINVAL, SYNCOBJ_IOC_TRANSFER, args);
}

static void transfer_to_timeline_and_binary(void **state)
{
	int other = node_create(fx.node, 0);

	submit(fx.object, 5, 1);
	assert_int_equal(node_transfer(fx.node, other, 7, fx.object, 5, 0), 0);
	assert_int_equal(node_wait(fx.node, other, 7, 0, 0), -ETIME);
	assert_int_equal(sw_sync_advance(fx.timeline, 1), 0);
	assert_query(other, 7);
	assert_int_equal(node_transfer(fx.node, other, 0, fx.object, 5, 0), 0);
	assert_query(other, 5);
	close(other);
}

static void transfer_waits_5_seconds_for_submission(void **state)
{
	int64_t begin = now_nsec();

	assert_int_equal(node_transfer(fx.node, fx.object, 2, fx.object, 1, FOR_SUBMIT), -ETIME);
	assert_true(now_nsec() - begin >= 5 * SEC - SEC / 10);
}

static void transfer_is_interrupted_by_a_signal(void **state)
{
	int r;

	set_alarm(0, true);
	r = node_transfer(fx.node, fx.object, 2, fx.object, 1, FOR_SUBMIT);
	set_alarm(0, false);
	assert_int_equal(r, -EINTR);
}

/* ---- eventfd ------------------------------------------------------------ */

static void eventfd_checks_its_arguments(void **state)
{
	struct syncobj_eventfd_args args = {.syncobj_fd = -1, .eventfd = -1};

	for (unsigned int bit = 0; bit < 32; bit++) {
		args.flags = 1U << bit;
		if (args.flags != AVAILABLE)
			assert_fails(EINVAL, SYNCOBJ_IOC_EVENTFD, args);
	}
	args.flags = 0;
	args.pad = 1;
	assert_fails(EINVAL, SYNCOBJ_IOC_EVENTFD, args);
}

static void eventfd_of_bad_objects_and_eventfds(void **state)
{
	int foreign[5], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned int n = foreign_fds(foreign);
	struct syncobj_eventfd_args args;

	for (unsigned int i = 0; i < n; i++) {
		args = (struct syncobj_eventfd_args){.syncobj_fd = foreign[i], .eventfd = -1};
		assert_fails(EBADF, SYNCOBJ_IOC_EVENTFD, args);
	}
	close_foreign(foreign);
	args = (struct syncobj_eventfd_args){.syncobj_fd = fx.object, .eventfd = CLOSED_FD};
	assert_fails(EBADF, SYNCOBJ_IOC_EVENTFD, args);
	args.eventfd = null;
	assert_fails(EINVAL, SYNCOBJ_IOC_EVENTFD, args);
	args.eventfd = fx.object;
	assert_fails(EINVAL, SYNCOBJ_IOC_EVENTFD, args);
	close(null);
}

static uint64_t read_count(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void eventfd_fires_when_available_and_when_signalled(void **state)
{
	int available = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int signalled = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_int_equal(node_eventfd(fx.node, fx.object, 3, available, AVAILABLE), 0);
	assert_int_equal(node_eventfd(fx.node, fx.object, 3, signalled, 0), 0);
	assert_int_equal(read_count(available), 0);
	submit(fx.object, 3, 1);
	assert_int_equal(read_count(available), 1);
	assert_int_equal(read_count(signalled), 0);
	assert_int_equal(sw_sync_advance(fx.timeline, 1), 0);
	assert_int_equal(read_count(signalled), 1);
	/* At once where it is so already. */
	assert_int_equal(node_eventfd(fx.node, fx.object, 3, available, AVAILABLE), 0);
	assert_int_equal(node_eventfd(fx.node, fx.object, 3, signalled, 0), 0);
	assert_int_equal(read_count(available), 1);
	assert_int_equal(read_count(signalled), 1);
	close(available);
	close(signalled);
}

static void eventfd_may_be_closed_before_it_fires(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_int_equal(node_eventfd(fx.node, fx.object, 3, fd, 0), 0);
	close(fd);
	assert_int_equal(node_signal(fx.node, fx.object, 3), 0);
}

static void eventfd_never_fires_for_an_object_that_is_gone(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), object = node_create(fx.node, 0);

	assert_int_equal(node_eventfd(fx.node, object, 3, fd, 0), 0);
	close(object);
	assert_int_equal(read_count(fd), 0);
	close(fd);
}

/* ---- sync_files --------------------------------------------------------- */

static void export_of_bad_descriptors(void **state)
{
	int foreign[5];
	unsigned int n = foreign_fds(foreign);

	for (unsigned int i = 0; i < n; i++) {
		struct syncobj_sync_file_args args = {.syncobj_fd = foreign[i], .sync_file_fd = 12};

		assert_fails(EBADF, SYNCOBJ_IOC_EXPORT_SYNC_FILE, args);
	}
	close_foreign(foreign);
}

static void export_of_a_missing_point(void **state)
{
	struct syncobj_sync_file_args args = {.syncobj_fd = fx.object, .sync_file_fd = 12};

	assert_fails(EINVAL, SYNCOBJ_IOC_EXPORT_SYNC_FILE, args);
	assert_int_equal(node_signal(fx.node, fx.object, 3), 0);
	args.point = 4;
	assert_fails(EINVAL, SYNCOBJ_IOC_EXPORT_SYNC_FILE, args);
}

static void export_gives_a_sync_file_that_exec_closes(void **state)
{
	struct pollfd pfd = {.events = POLLIN};
	char path[64], link[64] = "";

	submit(fx.object, 3, 1);
	pfd.fd = node_export(fx.node, fx.object, 3);
	assert_true(pfd.fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pfd.fd);
	assert_true(readlink(path, link, sizeof(link) - 1) > 0);
	assert_string_equal(link, "anon_inode:sync_file");
	assert_int_equal(fcntl(pfd.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(sw_sync_advance(fx.timeline, 1), 0);
	assert_int_equal(poll(&pfd, 1, -1), 1);
	close(pfd.fd);
}

static void export_says_when_there_are_too_many_files(void **state)
{
	struct rlimit old, none = {0};

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	/* Before the point is looked for. */
	assert_int_equal(node_export(fx.node, fx.object, 0), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void export_leaves_nothing_when_the_result_cannot_be_written(void **state)
{
	struct syncobj_sync_file_args *args = before_a_hole(4096);

	assert_int_equal(node_signal(fx.node, fx.object, 1), 0);
	*args = (struct syncobj_sync_file_args){.syncobj_fd = fx.object};
	assert_int_equal(mprotect(args, 4096, PROT_READ), 0);
	assert_int_equal(call(fx.node, SYNCOBJ_IOC_EXPORT_SYNC_FILE, args), -EFAULT);
	unmap_before_hole(args, 4096);
}

static void import_to_bad_descriptors(void **state)
{
	int foreign[5];
	unsigned int n = foreign_fds(foreign);

	for (unsigned int i = 0; i < n; i++) {
		struct syncobj_sync_file_args args = {.syncobj_fd = foreign[i], .sync_file_fd = -1};

		assert_fails(EBADF, SYNCOBJ_IOC_IMPORT_SYNC_FILE, args);
	}
	close_foreign(foreign);
}

static void import_of_what_is_no_sync_file(void **state)
{
	static const uint64_t points[] = {0, 5};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[] = {-1, CLOSED_FD, null, fx.object};

	for (size_t i = 0; i < 8; i++) {
		struct syncobj_sync_file_args args = {
			.syncobj_fd = fx.object,
			.sync_file_fd = fds[i / 2],
			.point = points[i % 2],
		};

		assert_fails(EINVAL, SYNCOBJ_IOC_IMPORT_SYNC_FILE, args);
		assert_int_equal(node_wait(fx.node, fx.object, 0, 0, 0), -EINVAL);
	}
	close(null);
}

static void import_at_0_replaces_the_fence(void **state)
{
	int signalled = node_create(fx.node, SYNCOBJ_CREATE_SIGNALED);
	int sync_file = node_export(fx.node, signalled, 0);

	submit(fx.object, 5, 1);
	assert_int_equal(node_import(fx.node, fx.object, 0, sync_file), 0);
	assert_int_equal(node_wait(fx.node, fx.object, 0, 0, 0), 0);
	assert_query(fx.object, 0);
	close(sync_file);
	close(signalled);
}

/* An unprivileged way to a kernel warning otherwise, which the test run would see. */
static void import_of_a_timeline_at_a_point(void **state)
{
	int other = node_create(fx.node, 0), sync_file;

	submit(fx.object, 5, 1);
	assert_int_equal(node_signal(fx.node, fx.object, 6), 0);
	sync_file = node_export(fx.node, fx.object, 6);
	assert_int_equal(node_import(fx.node, other, 9, sync_file), 0);
	assert_int_equal(node_wait(fx.node, other, 9, 0, 0), -ETIME);
	assert_int_equal(sw_sync_advance(fx.timeline, 1), 0);
	assert_int_equal(node_wait(fx.node, other, 9, 0, 0), 0);
	assert_query(other, 9);
	close(sync_file);
	close(other);
}

/* ---- 32-bit programs ---------------------------------------------------- */

#ifdef __x86_64__
/* The system call as a 32-bit program makes it, with addresses below 4 GiB. */
static int call32(int node, unsigned long request, void *args)
{
	long r;

	assert_true((uintptr_t)args >> 32 == 0);
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(54), "b"(node), "c"(request), "d"(args)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

static void programs_of_32_bits_see_the_same_structs(void **state)
{
	struct {
		struct syncobj_create_args create;
		struct syncobj_array_args array;
		struct syncobj_wait_args wait;
		uint64_t point;
		int32_t fd;
	} *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
		      -1, 0);

	assert_ptr_not_equal(low, MAP_FAILED);
	if (call32(fx.node, SYNCOBJ_IOC_CREATE, &low->create) == -ENOSYS)
		skip();
	low->fd = low->create.fd;
	low->point = 7;
	low->array = (struct syncobj_array_args){
		.fds = address(&low->fd),
		.points = address(&low->point),
		.count = 1,
	};
	assert_int_equal(call32(fx.node, SYNCOBJ_IOC_SIGNAL, &low->array), 0);
	low->wait = (struct syncobj_wait_args){
		.fds = address(&low->fd),
		.points = address(&low->point),
		.count = 1,
		.first_signaled = 5,
	};
	assert_int_equal(call32(fx.node, SYNCOBJ_IOC_WAIT, &low->wait), 0);
	assert_int_equal(low->wait.first_signaled, 0);
	low->point = 0;
	assert_int_equal(call32(fx.node, SYNCOBJ_IOC_QUERY, &low->array), 0);
	assert_int_equal(low->point, 7);
	close(low->fd);
	munmap(low, 4096);
}
#endif

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(node_may_be_opened_by_everyone),
		TEST(node_serves_any_open_mode),
		TEST(node_has_no_state),
		TEST(node_cannot_be_read_or_written),
		TEST(node_may_be_closed_before_its_objects),
		TEST(ioctl_numbers_are_those_of_version_1),
		TEST(other_ioctls_are_unknown),
		TEST(bad_argument_address),
		TEST(create_refuses_other_flags),
		TEST(create_gives_an_empty_object),
		TEST(create_signaled_gives_a_signalled_object),
		TEST(create_ignores_the_descriptor_passed_in),
		TEST(create_gives_a_syncobj_file_that_exec_closes),
		TEST(create_says_when_there_are_too_many_files),
		TEST(create_leaves_nothing_when_the_result_cannot_be_written),
		TEST(wait_refuses_other_flags),
		TEST(wait_refuses_a_pad),
		TEST(wait_for_none_succeeds_and_writes_nothing),
		TEST(wait_for_unreadable_descriptors),
		TEST(wait_for_too_many),
		TEST(wait_for_as_many_as_there_may_be),
		TEST(wait_for_bad_descriptors),
		TEST(wait_for_unreadable_points),
		TEST(wait_matrix),
		TEST(wait_with_a_missing_point_fails_even_if_another_is_ready),
		TEST(wait_in_the_past_polls),
		TEST(wait_ends_at_its_time),
		TEST(wait_is_interrupted_by_a_signal),
		TEST(wait_that_is_restarted_ends_at_the_same_time),
		TEST(wait_leaves_nothing_when_the_result_cannot_be_written),
		TEST(wait_knows_time_namespaces),
		TEST(reset_checks_its_arguments),
		TEST(reset_with_a_bad_descriptor_resets_none),
		TEST(reset_takes_the_fence_away),
		TEST(signal_checks_its_arguments),
		TEST(signal_with_a_bad_descriptor_signals_none),
		TEST(signal_without_points_means_point_0),
		TEST(signal_of_point_0_leaves_a_pending_object_pending),
		TEST(signal_takes_more_than_fit_on_the_stack),
		TEST(query_checks_its_arguments),
		TEST(query_with_a_bad_descriptor_writes_nothing),
		TEST(query_tells_signalled_and_submitted_points),
		TEST(transfer_checks_its_arguments),
		TEST(transfer_from_or_to_bad_descriptors),
		TEST(transfer_of_a_missing_point),
		TEST(transfer_to_timeline_and_binary),
		TEST(transfer_waits_5_seconds_for_submission),
		TEST(transfer_is_interrupted_by_a_signal),
		TEST(eventfd_checks_its_arguments),
		TEST(eventfd_of_bad_objects_and_eventfds),
		TEST(eventfd_fires_when_available_and_when_signalled),
		TEST(eventfd_may_be_closed_before_it_fires),
		TEST(eventfd_never_fires_for_an_object_that_is_gone),
		TEST(export_of_bad_descriptors),
		TEST(export_of_a_missing_point),
		TEST(export_gives_a_sync_file_that_exec_closes),
		TEST(export_says_when_there_are_too_many_files),
		TEST(export_leaves_nothing_when_the_result_cannot_be_written),
		TEST(import_to_bad_descriptors),
		TEST(import_of_what_is_no_sync_file),
		TEST(import_at_0_replaces_the_fence),
		TEST(import_of_a_timeline_at_a_point),
#ifdef __x86_64__
		TEST(programs_of_32_bits_see_the_same_structs),
#endif
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("syncobj-uapi", tests, NULL, NULL);
}
