/* SPDX-License-Identifier: MIT */
/* The soft backend, one behaviour after the other. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "internal.h"
#include "soft.h"

#define SUBMIT SYNCOBJ_WAIT_FOR_SUBMIT
#define AVAILABLE SYNCOBJ_WAIT_AVAILABLE
#define ALL SYNCOBJ_WAIT_ALL

static struct syncobj_device *device;

static struct syncobj *make(uint32_t flags)
{
	struct syncobj *syncobj;

	assert_int_equal(syncobj_create(device, flags, &syncobj), 0);
	return syncobj;
}

static struct syncobj *make_timeline(uint64_t point)
{
	struct syncobj *syncobj = make(0);

	assert_int_equal(syncobj_signal(&syncobj, &point, 1), 0);
	return syncobj;
}

static int wait_one(struct syncobj *syncobj, uint64_t point, uint32_t flags)
{
	return syncobj_wait(&syncobj, &point, 1, 0, flags, 0, NULL);
}

static uint64_t query(struct syncobj *syncobj)
{
	uint64_t point;

	assert_int_equal(syncobj_query(&syncobj, 1, 0, &point), 0);
	return point;
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void device_says_what_it_is(void **state)
{
	uint32_t features = syncobj_device_features(device);

	assert_int_equal(syncobj_device_backend(device), SYNCOBJ_BACKEND_SOFT);
	assert_string_equal(syncobj_device_path(device), "soft");
	assert_true(*syncobj_device_description(device));
	assert_int_equal(features & ~SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE,
			 SYNCOBJ_FEATURE_TIMELINE | SYNCOBJ_FEATURE_EVENTFD);
	assert_int_equal(!!(features & SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE),
			 access("/dev/udmabuf", R_OK | W_OK) == 0);
}

static void objects_are_cloexec_and_above_standard_streams(void **state)
{
	struct syncobj *syncobj = make(0);

	assert_true(fcntl(syncobj_fd(syncobj), F_GETFD) & FD_CLOEXEC);
	assert_true(syncobj_fd(syncobj) > 2);
	assert_true(syncobj_soft_is(syncobj_fd(syncobj)));
	syncobj_unref(syncobj);
}

static void is_not_soft(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_false(syncobj_soft_is(fd));
	close(fd);
	assert_false(syncobj_soft_is(fd));
	assert_false(syncobj_soft_is(-1));
}

static void created_empty(void **state)
{
	struct syncobj *syncobj = make(0);

	assert_int_equal(query(syncobj), 0);
	assert_int_equal(wait_one(syncobj, 0, 0), -EINVAL);
	syncobj_unref(syncobj);
}

static void created_signaled_is_binary(void **state)
{
	struct syncobj *syncobj = make(SYNCOBJ_CREATE_SIGNALED);

	assert_int_equal(query(syncobj), 0);
	assert_int_equal(wait_one(syncobj, 0, 0), 0);
	assert_int_equal(wait_one(syncobj, 1, 0), -EINVAL);
	assert_int_equal(wait_one(syncobj, 1, SUBMIT), -ETIME);
	syncobj_unref(syncobj);
}

static void signal_makes_lower_points_ready(void **state)
{
	struct syncobj *syncobj = make_timeline(5);

	assert_int_equal(query(syncobj), 5);
	for (uint64_t point = 0; point <= 5; point++)
		assert_int_equal(wait_one(syncobj, point, 0), 0);
	assert_int_equal(wait_one(syncobj, 6, 0), -EINVAL);
	syncobj_unref(syncobj);
}

static void signal_below_moves_nothing(void **state)
{
	struct syncobj *syncobj = make_timeline(10);
	uint64_t point = 3;

	assert_int_equal(syncobj_signal(&syncobj, &point, 1), 0);
	assert_int_equal(query(syncobj), 10);
	syncobj_unref(syncobj);
}

static void signal_zero_makes_a_timeline_at_zero(void **state)
{
	struct syncobj *syncobj = make(0);

	assert_int_equal(syncobj_signal(&syncobj, NULL, 1), 0);
	assert_int_equal(query(syncobj), 0);
	assert_int_equal(wait_one(syncobj, 0, 0), 0);
	assert_int_equal(wait_one(syncobj, 1, 0), -EINVAL);
	syncobj_unref(syncobj);
}

static void signal_zero_keeps_the_timeline(void **state)
{
	struct syncobj *syncobj = make_timeline(7);

	assert_int_equal(syncobj_signal(&syncobj, NULL, 1), 0);
	assert_int_equal(query(syncobj), 7);
	syncobj_unref(syncobj);
}

static void signal_accepts_the_last_point(void **state)
{
	struct syncobj *syncobj = make_timeline(UINT64_MAX);

	assert_int_equal(query(syncobj), UINT64_MAX);
	assert_int_equal(wait_one(syncobj, UINT64_MAX, 0), 0);
	syncobj_unref(syncobj);
}

static void signal_does_not_stop_at_32_bits(void **state)
{
	const uint64_t points[] = {1, 5, 0x80000004, 0x80000005, 0xfffffffe, 0x100000001};
	struct syncobj *syncobj = make(0);

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		assert_int_equal(syncobj_signal(&syncobj, &points[i], 1), 0);
		assert_int_equal(query(syncobj), points[i]);
	}
	syncobj_unref(syncobj);
}

static void signal_binary_replaces_the_timeline(void **state)
{
	struct syncobj *syncobj = make_timeline(7);

	assert_int_equal(syncobj_signal_binary(syncobj), 0);
	assert_int_equal(query(syncobj), 0);
	assert_int_equal(wait_one(syncobj, 0, 0), 0);
	assert_int_equal(wait_one(syncobj, 7, 0), -EINVAL);
	syncobj_unref(syncobj);
}

static void reset_takes_the_fence(void **state)
{
	struct syncobj *syncobj = make_timeline(7);

	assert_int_equal(syncobj_reset(&syncobj, 1), 0);
	assert_int_equal(query(syncobj), 0);
	assert_int_equal(wait_one(syncobj, 0, 0), -EINVAL);
	/* And a lower point is possible again. */
	assert_int_equal(syncobj_signal(&syncobj, &(uint64_t){2}, 1), 0);
	assert_int_equal(query(syncobj), 2);
	syncobj_unref(syncobj);
}

static void last_submitted_is_last_signaled(void **state)
{
	struct syncobj *syncobj = make_timeline(7);
	uint64_t point;

	assert_int_equal(syncobj_query(&syncobj, 1, SYNCOBJ_QUERY_LAST_SUBMITTED, &point), 0);
	assert_int_equal(point, 7);
	syncobj_unref(syncobj);
}

static void transfer_point_zero_takes_the_timeline(void **state)
{
	struct syncobj *src = make_timeline(7), *dst = make_timeline(9);

	assert_int_equal(syncobj_transfer(dst, 0, src, 0, 0), 0);
	assert_int_equal(query(dst), 7);
	syncobj_unref(src);
	syncobj_unref(dst);
}

static void transfer_top_point_takes_the_timeline(void **state)
{
	struct syncobj *src = make_timeline(7), *dst = make(0);

	assert_int_equal(syncobj_transfer(dst, 0, src, 7, 0), 0);
	assert_int_equal(query(dst), 7);
	syncobj_unref(src);
	syncobj_unref(dst);
}

static void transfer_inner_point_makes_binary(void **state)
{
	struct syncobj *src = make_timeline(7), *dst = make_timeline(9);

	assert_int_equal(syncobj_transfer(dst, 0, src, 6, 0), 0);
	assert_int_equal(query(dst), 0);
	assert_int_equal(wait_one(dst, 0, 0), 0);
	assert_int_equal(wait_one(dst, 1, 0), -EINVAL);
	syncobj_unref(src);
	syncobj_unref(dst);
}

static void transfer_adds_a_point(void **state)
{
	struct syncobj *src = make(SYNCOBJ_CREATE_SIGNALED), *dst = make_timeline(3);

	assert_int_equal(syncobj_transfer(dst, 8, src, 0, 0), 0);
	assert_int_equal(query(dst), 8);
	assert_int_equal(syncobj_transfer(dst, 10, dst, 4, 0), 0);
	assert_int_equal(query(dst), 10);
	syncobj_unref(src);
	syncobj_unref(dst);
}

static void transfer_of_nothing(void **state)
{
	struct syncobj *src = make_timeline(2), *dst = make_timeline(3);

	assert_int_equal(syncobj_transfer(dst, 8, src, 5, 0), -EINVAL);
	assert_int_equal(query(dst), 3);
	syncobj_unref(src);
	syncobj_unref(dst);
}

/* §4.3's matrix for what there is in user space: without a fence, or signalled. */
static void wait_matrix_of_one(void **state)
{
	struct syncobj *empty = make(0), *ready = make_timeline(1);

	for (uint32_t flags = 0; flags < 16; flags++) {
		int missing = flags & (SUBMIT | AVAILABLE) ? -ETIME : -EINVAL;

		for (uint64_t point = 0; point < 2; point++) {
			assert_int_equal(wait_one(empty, point, flags), missing);
			assert_int_equal(wait_one(ready, point, flags), 0);
		}
		assert_int_equal(wait_one(ready, 2, flags), missing);
	}
	syncobj_unref(empty);
	syncobj_unref(ready);
}

static void wait_any_of_one_unsubmitted_is_an_error(void **state)
{
	struct syncobj *objs[] = {make_timeline(1), make(0)};

	assert_int_equal(syncobj_wait(objs, NULL, 2, 0, 0, 0, NULL), -EINVAL);
	assert_int_equal(syncobj_wait(objs, NULL, 2, 0, ALL, 0, NULL), -EINVAL);
	syncobj_unref(objs[0]);
	syncobj_unref(objs[1]);
}

static void wait_any_tells_the_first_ready(void **state)
{
	struct syncobj *objs[] = {make(0), make_timeline(4), make_timeline(4)};
	const uint64_t points[] = {1, 4, 4};
	size_t first = 99;

	assert_int_equal(syncobj_wait(objs, points, 3, 0, SUBMIT, 0, &first), 0);
	assert_int_equal(first, 1);
	assert_int_equal(syncobj_wait(objs, points, 3, 0, AVAILABLE, 0, &first), 0);
	assert_int_equal(first, 1);
	for (size_t i = 0; i < 3; i++)
		syncobj_unref(objs[i]);
}

static void wait_leaves_first_alone_on_failure(void **state)
{
	struct syncobj *syncobj = make(0);
	size_t first = 99;

	assert_int_equal(syncobj_wait(&syncobj, NULL, 1, 0, SUBMIT, 0, &first), -ETIME);
	assert_int_equal(first, 99);
	syncobj_unref(syncobj);
}

static void wait_all_needs_all(void **state)
{
	struct syncobj *objs[] = {make_timeline(1), make(0)};

	assert_int_equal(syncobj_wait(objs, NULL, 2, 0, ALL | SUBMIT, 0, NULL), -ETIME);
	assert_int_equal(syncobj_signal_binary(objs[1]), 0);
	assert_int_equal(syncobj_wait(objs, NULL, 2, 0, ALL | SUBMIT, 0, NULL), 0);
	syncobj_unref(objs[0]);
	syncobj_unref(objs[1]);
}

static void wait_takes_duplicates(void **state)
{
	struct syncobj *syncobj = make_timeline(3), *objs[] = {syncobj, syncobj, syncobj};
	const uint64_t points[] = {9, 3, 1};
	size_t first = 99;

	assert_int_equal(syncobj_wait(objs, points, 3, 0, SUBMIT, 0, &first), 0);
	assert_int_equal(first, 1);
	assert_int_equal(syncobj_wait(objs, points, 3, now() + 1000000, SUBMIT | ALL, 0, NULL),
			 -ETIME);
	syncobj_unref(syncobj);
}

static void wait_polls_for_zero_past_and_negative(void **state)
{
	const int64_t timeouts[] = {0, 1, -1, INT64_MIN};
	struct syncobj *syncobj = make(0);

	for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++)
		assert_int_equal(syncobj_wait(&syncobj, NULL, 1, timeouts[i], SUBMIT, 0, NULL),
				 -ETIME);
	syncobj_unref(syncobj);
}

static void wait_does_not_end_early(void **state)
{
	struct syncobj *objs[200];
	const size_t counts[] = {1, 3, 200};

	for (size_t i = 0; i < ARRAY_SIZE(objs); i++)
		objs[i] = make(0);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		int64_t until = now() + 5000000;

		assert_int_equal(syncobj_wait(objs, NULL, counts[i], until, SUBMIT, 0, NULL),
				 -ETIME);
		assert_true(now() >= until);
	}
	for (size_t i = 0; i < ARRAY_SIZE(objs); i++)
		syncobj_unref(objs[i]);
}

static uint64_t counter_of(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static void eventfd_of_a_signaled_point_fires_at_once(void **state)
{
	struct syncobj *syncobj = make_timeline(4);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_int_equal(syncobj_eventfd(syncobj, 4, fd, 0), 0);
	assert_int_equal(counter_of(fd), 1);
	assert_int_equal(syncobj_eventfd(syncobj, 3, fd, AVAILABLE), 0);
	assert_int_equal(counter_of(fd), 1);
	close(fd);
	syncobj_unref(syncobj);
}

static void eventfd_fires_when_signaled(void **state)
{
	struct syncobj *syncobj = make_timeline(4);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), blocking = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(syncobj_eventfd(syncobj, 6, fd, 0), 0);
	assert_int_equal(syncobj_eventfd(syncobj, 5, blocking, 0), 0);
	assert_int_equal(syncobj_signal(&syncobj, &(uint64_t){5}, 1), 0);
	assert_int_equal(counter_of(blocking), 1);
	assert_int_equal(counter_of(fd), 0);
	close(fd);
	close(blocking);
	syncobj_unref(syncobj);
}

static void eventfd_sees_through_signal_and_reset(void **state)
{
	struct syncobj *syncobj = make(0);
	int fd = eventfd(0, EFD_CLOEXEC);

	for (int i = 0; i < 100; i++) {
		assert_int_equal(syncobj_eventfd(syncobj, 5, fd, 0), 0);
		assert_int_equal(syncobj_signal(&syncobj, &(uint64_t){5}, 1), 0);
		assert_int_equal(syncobj_reset(&syncobj, 1), 0);
		assert_int_equal(counter_of(fd), 1);
	}
	close(fd);
	syncobj_unref(syncobj);
}

/* As a signaller that is killed, or slow, right after its update leaves it. */
static void eventfd_sees_a_signal_whose_signaler_did_no_more(void **state)
{
	struct syncobj *syncobj = make(0);
	int fd = eventfd(0, EFD_CLOEXEC);
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct soft_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED,
				      syncobj_fd(syncobj), 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(syncobj_eventfd(syncobj, 5, fd, 0), 0);
	__atomic_store_n(&page->state.seqno, 5, __ATOMIC_RELEASE);
	__atomic_store_n(&page->state.tag,
			 (uint64_t)SOFT_TIMELINE << SOFT_KIND_SHIFT | (page->state.tag + 1),
			 __ATOMIC_RELEASE);
	assert_int_equal(syncobj_reset(&syncobj, 1), 0);
	assert_int_equal(poll(&pfd, 1, 10000), 1);
	munmap(page, sizeof(*page));
	close(fd);
	syncobj_unref(syncobj);
}

static void eventfd_outlives_the_object_here(void **state)
{
	struct syncobj *syncobj = make(0), *again;
	int exported = syncobj_export(syncobj), fd = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(syncobj_eventfd(syncobj, 5, fd, 0), 0);
	syncobj_unref(syncobj);
	assert_int_equal(syncobj_import(device, exported, &again), 0);
	assert_int_equal(syncobj_signal(&again, &(uint64_t){5}, 1), 0);
	assert_int_equal(counter_of(fd), 1);
	close(fd);
	close(exported);
	syncobj_unref(again);
}

static void eventfd_may_be_closed_and_full(void **state)
{
	struct syncobj *syncobj = make(0);
	uint64_t almost = UINT64_MAX - 1;
	int fd = eventfd(0, EFD_CLOEXEC), last = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(write(fd, &almost, sizeof(almost)), sizeof(almost));
	assert_int_equal(syncobj_eventfd(syncobj, 1, fd, 0), 0);
	close(fd);
	assert_int_equal(syncobj_eventfd(syncobj, 1, last, 0), 0);
	assert_int_equal(syncobj_signal(&syncobj, &(uint64_t){1}, 1), 0);
	assert_int_equal(counter_of(last), 1);
	close(last);
	syncobj_unref(syncobj);
}

static void eventfd_refuses_other_files(void **state)
{
	struct syncobj *syncobj = make(0);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned int fds = count_fds();

	assert_int_equal(syncobj_eventfd(syncobj, 0, fd, 0), -EINVAL);
	assert_int_equal(syncobj_eventfd(syncobj, 0, syncobj_fd(syncobj), 0), -EINVAL);
	assert_int_equal(count_fds(), fds);
	close(fd);
	assert_int_equal(syncobj_eventfd(syncobj, 0, fd, 0), -EBADF);
	assert_int_equal(syncobj_eventfd(syncobj, 0, -1, 0), -EBADF);
	syncobj_unref(syncobj);
}

static void cancelled_eventfd_does_not_fire(void **state)
{
	struct syncobj *syncobj = make(0);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), last = eventfd(0, EFD_CLOEXEC);
	struct syncobj_registration *registration;

	assert_int_equal(device->ops->eventfd(syncobj, 1, fd, 0, &registration), 0);
	assert_non_null(registration);
	syncobj_soft_cancel(registration);
	assert_int_equal(device->ops->eventfd(syncobj, 1, last, 0, NULL), 0);
	assert_int_equal(syncobj_signal(&syncobj, &(uint64_t){1}, 1), 0);
	assert_int_equal(counter_of(last), 1);
	assert_int_equal(counter_of(fd), 0);
	close(fd);
	close(last);
	syncobj_unref(syncobj);
}

static void fired_eventfd_may_be_cancelled(void **state)
{
	struct syncobj *syncobj = make(0);
	struct syncobj_registration *registration;
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(device->ops->eventfd(syncobj, 1, fd, 0, &registration), 0);
	assert_int_equal(syncobj_signal(&syncobj, &(uint64_t){1}, 1), 0);
	assert_int_equal(counter_of(fd), 1);
	syncobj_soft_cancel(registration);
	syncobj_soft_cancel(NULL);
	close(fd);
	syncobj_unref(syncobj);
}

/* The registration is the first device's, whatever the object belongs to by then. */
static void waiter_outlives_the_device_its_object_was_rebound_from(void **state)
{
	struct syncobj_device *first, *second;
	struct syncobj_waiter *waiter, *rearmed;
	struct syncobj *syncobj;
	unsigned int fds = count_fds();
	struct pollfd pfd = {.events = POLLIN};

	assert_int_equal(syncobj_device_open("soft", &first), 0);
	assert_int_equal(syncobj_device_open("soft", &second), 0);
	assert_int_equal(syncobj_create(first, 0, &syncobj), 0);
	assert_int_equal(syncobj_waiter_new(syncobj, 1, 0, &waiter), 0);
	assert_int_equal(syncobj_waiter_new(syncobj, 1, 0, &rearmed), 0);
	assert_int_equal(syncobj_rebind(syncobj, second), 0);
	syncobj_device_unref(first);

	assert_int_equal(syncobj_waiter_rearm(rearmed, syncobj, 2), 0);
	assert_int_equal(syncobj_signal(&syncobj, &(uint64_t){1}, 1), 0);
	pfd.fd = syncobj_waiter_fd(waiter);
	assert_int_equal(poll(&pfd, 1, 60000), 1);
	assert_int_equal(syncobj_waiter_result(waiter), 0);
	assert_int_equal(syncobj_waiter_result(rearmed), -EAGAIN);
	syncobj_waiter_free(waiter);
	syncobj_waiter_free(rearmed);
	syncobj_unref(syncobj);
	syncobj_device_unref(second);
	assert_int_equal(count_fds(), fds);
}

/* More than futex_waitv() takes. */
static void many_registrations(void **state)
{
	struct syncobj *objs[300];
	int fds[300];

	for (size_t i = 0; i < ARRAY_SIZE(objs); i++) {
		objs[i] = make(0);
		fds[i] = eventfd(0, EFD_CLOEXEC);
		assert_int_equal(syncobj_eventfd(objs[i], 1, fds[i], 0), 0);
	}
	for (size_t i = ARRAY_SIZE(objs); i-- > 0;) {
		assert_int_equal(syncobj_signal(&objs[i], &(uint64_t){1}, 1), 0);
		assert_int_equal(counter_of(fds[i]), 1);
		close(fds[i]);
		syncobj_unref(objs[i]);
	}
}

static void device_gives_back_all_fds(void **state)
{
	unsigned int fds = count_fds();
	struct syncobj_device *other;
	struct syncobj *syncobj;
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(syncobj_device_open("soft", &other), 0);
	assert_int_equal(syncobj_create(other, 0, &syncobj), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(syncobj_eventfd(syncobj, 1, fd, 0), 0);
	close(fd);
	syncobj_unref(syncobj);
	syncobj_device_unref(other);
	assert_int_equal(count_fds(), fds);
}

static void sync_file_of_an_unsubmitted_point(void **state)
{
	struct syncobj *syncobj = make_timeline(1);

	assert_int_equal(syncobj_export_sync_file(syncobj, 2), -EINVAL);
	syncobj_unref(syncobj);
}

static void sync_file_where_the_kernel_has_a_way(void **state)
{
	struct syncobj *syncobj = make_timeline(1), *other;
	int fd, status;

	fd = syncobj_export_sync_file(syncobj, 1);
	if (!(syncobj_device_features(device) & SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE)) {
		assert_int_equal(fd, -EOPNOTSUPP);
		syncobj_unref(syncobj);
		return;
	}
	syncobj_unref(syncobj);
	if (fd == -EOPNOTSUPP) /* udmabuf, but Linux before 6.0 */
		return;
	assert_true(fd >= 0);
	assert_int_equal(syncobj_sync_file_status(fd, &status), 0);
	assert_int_equal(status, 1);
	other = make(0);
	assert_int_equal(syncobj_import_sync_file(other, 6, fd), 0);
	assert_int_equal(query(other), 6);
	assert_int_equal(syncobj_import_sync_file(other, 0, fd), 0);
	assert_int_equal(query(other), 0);
	close(fd);
	syncobj_unref(other);
}

static void import_of_no_sync_file(void **state)
{
	struct syncobj *syncobj = make(0);

	assert_int_equal(syncobj_import_sync_file(syncobj, 0, syncobj_fd(syncobj)), -EINVAL);
	assert_int_equal(syncobj_import_sync_file(syncobj, 1, -1), -EINVAL);
	assert_int_equal(wait_one(syncobj, 0, 0), -EINVAL);
	syncobj_unref(syncobj);
}

static int open_device(void **state)
{
	return syncobj_device_open("soft", &device);
}

static int close_device(void **state)
{
	syncobj_device_unref(device);
	return 0;
}

/* Each with a device of its own: closing it ends the thread and what it still had to close. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_device, close_device)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(device_says_what_it_is),
		TEST(objects_are_cloexec_and_above_standard_streams),
		TEST(is_not_soft),
		TEST(created_empty),
		TEST(created_signaled_is_binary),
		TEST(signal_makes_lower_points_ready),
		TEST(signal_below_moves_nothing),
		TEST(signal_zero_makes_a_timeline_at_zero),
		TEST(signal_zero_keeps_the_timeline),
		TEST(signal_accepts_the_last_point),
		TEST(signal_does_not_stop_at_32_bits),
		TEST(signal_binary_replaces_the_timeline),
		TEST(reset_takes_the_fence),
		TEST(last_submitted_is_last_signaled),
		TEST(transfer_point_zero_takes_the_timeline),
		TEST(transfer_top_point_takes_the_timeline),
		TEST(transfer_inner_point_makes_binary),
		TEST(transfer_adds_a_point),
		TEST(transfer_of_nothing),
		TEST(wait_matrix_of_one),
		TEST(wait_any_of_one_unsubmitted_is_an_error),
		TEST(wait_any_tells_the_first_ready),
		TEST(wait_leaves_first_alone_on_failure),
		TEST(wait_all_needs_all),
		TEST(wait_takes_duplicates),
		TEST(wait_polls_for_zero_past_and_negative),
		TEST(wait_does_not_end_early),
		TEST(eventfd_of_a_signaled_point_fires_at_once),
		TEST(eventfd_fires_when_signaled),
		TEST(eventfd_sees_through_signal_and_reset),
		TEST(eventfd_sees_a_signal_whose_signaler_did_no_more),
		TEST(eventfd_outlives_the_object_here),
		TEST(eventfd_may_be_closed_and_full),
		TEST(eventfd_refuses_other_files),
		TEST(cancelled_eventfd_does_not_fire),
		TEST(fired_eventfd_may_be_cancelled),
		TEST(waiter_outlives_the_device_its_object_was_rebound_from),
		TEST(many_registrations),
		TEST(device_gives_back_all_fds),
		TEST(sync_file_of_an_unsubmitted_point),
		TEST(sync_file_where_the_kernel_has_a_way),
		TEST(import_of_no_sync_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
