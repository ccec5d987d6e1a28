/* SPDX-License-Identifier: MIT */
/* Waiters on scripted registrations whose eventfds the tests count up. */
#include "fixture.h"

#include <sys/epoll.h>

static struct syncobj_waiter *waiter;

static int store_eventfd(void *argument, void *data)
{
	const struct drm_eventfd_args *drm = argument;
	const struct syncobj_eventfd_args *device = argument;

	*(int *)data = fx.drm ? drm->fd : device->eventfd;
	return 0;
}

static void expect_registration(uint64_t point, uint32_t flags, int *ret_eventfd)
{
	uapimock_check(expect_eventfd(point, flags), store_eventfd, ret_eventfd);
}

/* As the kernel does, which keeps the eventfd alive after it is closed here. */
static int registered(uint64_t point, uint32_t flags)
{
	int fd = -1;

	expect_registration(point, flags, &fd);
	assert_int_equal(syncobj_waiter_new(fx.object, point, flags, &waiter), 0);
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	assert_true(fd >= 0);
	return fd;
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

static void fires_when_the_point_is_ready(void **state)
{
	int fd = registered(3, 0);

	assert_false(readable(syncobj_waiter_fd(waiter)));
	eventfd_write(fd, 1);
	assert_true(readable(syncobj_waiter_fd(waiter)));
	expect_wait(3, 0, SYNCOBJ_WAIT_FOR_SUBMIT);
	assert_int_equal(syncobj_waiter_result(waiter), 0);
	close(fd);
	assert_null(syncobj_waiter_free(waiter));
}

static void result_before_is_eagain(void **state)
{
	int fd = registered(3, SYNCOBJ_WAIT_AVAILABLE);

	uapimock_fails(expect_wait(3, 0, SYNCOBJ_WAIT_AVAILABLE), ETIME);
	assert_int_equal(syncobj_waiter_result(waiter), -EAGAIN);
	close(fd);
	syncobj_waiter_free(waiter);
}

static void a_point_that_was_ready_before_a_reset_counts(void **state)
{
	int fd = registered(3, 0);

	eventfd_write(fd, 1);
	uapimock_fails(expect_wait(3, 0, SYNCOBJ_WAIT_FOR_SUBMIT), ETIME);
	assert_int_equal(syncobj_waiter_result(waiter), 0);
	close(fd);
	syncobj_waiter_free(waiter);
}

static void a_device_that_is_gone_is_told(void **state)
{
	int fd = registered(3, 0);

	uapimock_fails(expect_wait(3, 0, SYNCOBJ_WAIT_FOR_SUBMIT), ENODEV);
	assert_int_equal(syncobj_waiter_result(waiter), -ENODEV);
	close(fd);
	syncobj_waiter_free(waiter);
}

static void a_point_that_was_ready_before_the_device_went_counts(void **state)
{
	int fd = registered(3, 0);

	eventfd_write(fd, 1);
	uapimock_fails(expect_wait(3, 0, SYNCOBJ_WAIT_FOR_SUBMIT), ENODEV);
	assert_int_equal(syncobj_waiter_result(waiter), 0);
	close(fd);
	syncobj_waiter_free(waiter);
}

static void rearm_keeps_the_descriptor_in_an_epoll_set(void **state)
{
	struct epoll_event event = {.events = EPOLLIN}, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC), old = registered(3, 0), number, fd = -1;

	number = syncobj_waiter_fd(waiter);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, number, &event), 0);
	expect_registration(4, 0, &fd);
	assert_int_equal(syncobj_waiter_rearm(waiter, fx.object, 4), 0);
	assert_int_equal(syncobj_waiter_fd(waiter), number);
	assert_int_equal(epoll_wait(epoll, &got, 1, 0), 0);
	eventfd_write(fd, 1);
	assert_int_equal(epoll_wait(epoll, &got, 1, 0), 1);
	expect_wait(4, 0, SYNCOBJ_WAIT_FOR_SUBMIT);
	assert_int_equal(syncobj_waiter_result(waiter), 0);
	close(old);
	close(epoll);
	syncobj_waiter_free(waiter);
}

static void rearm_forgets_what_has_fired(void **state)
{
	int old = registered(3, 0), fd = -1;

	eventfd_write(old, 1);
	expect_registration(4, 0, &fd);
	assert_int_equal(syncobj_waiter_rearm(waiter, fx.object, 4), 0);
	assert_false(readable(syncobj_waiter_fd(waiter)));
	close(old);
	syncobj_waiter_free(waiter);
}

static void the_old_registration_does_not_count_after_rearm(void **state)
{
	int old = registered(3, 0), fd = -1;

	expect_registration(4, 0, &fd);
	assert_int_equal(syncobj_waiter_rearm(waiter, fx.object, 4), 0);
	eventfd_write(old, 1);
	assert_false(readable(syncobj_waiter_fd(waiter)));
	uapimock_fails(expect_wait(4, 0, SYNCOBJ_WAIT_FOR_SUBMIT), ETIME);
	assert_int_equal(syncobj_waiter_result(waiter), -EAGAIN);
	close(old);
	syncobj_waiter_free(waiter);
}

static void failed_rearm_leaves_the_waiter_as_it_was(void **state)
{
	int fd = registered(3, 0);

	uapimock_fails(expect_eventfd(4, 0), ENODEV);
	assert_int_equal(syncobj_waiter_rearm(waiter, fx.object, 4), -ENODEV);
	assert_false(readable(syncobj_waiter_fd(waiter)));
	eventfd_write(fd, 1);
	assert_true(readable(syncobj_waiter_fd(waiter)));
	expect_wait(3, 0, SYNCOBJ_WAIT_FOR_SUBMIT);
	assert_int_equal(syncobj_waiter_result(waiter), 0);
	close(fd);
	syncobj_waiter_free(waiter);
}

static void a_waiter_keeps_its_object(void **state)
{
	int fd = registered(3, 0);

	syncobj_unref(fx.object);
	expect_wait(3, 0, SYNCOBJ_WAIT_FOR_SUBMIT);
	assert_int_equal(syncobj_waiter_result(waiter), 0);
	syncobj_ref(fx.object);
	close(fd);
	syncobj_waiter_free(waiter);
}

static void failures_leave_nothing(void **state)
{
	static const int errors[] = {ENOMEM, ENODEV};

	waiter = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_fails(expect_eventfd(3, 0), errors[i]);
		assert_int_equal(syncobj_waiter_new(fx.object, 3, 0, &waiter), -errors[i]);
	}
	assert_int_equal(syncobj_waiter_new(fx.object, 3, 1, &waiter), -EINVAL);
	fx.device->features = 0;
	assert_int_equal(syncobj_waiter_new(fx.object, 3, 0, &waiter), -EOPNOTSUPP);
	assert_null(waiter);
	assert_null(syncobj_waiter_free(NULL));
}

#define on_both(test)                                                          \
	cmocka_unit_test_setup_teardown(test, device_setup, fixture_teardown), \
	{                                                                      \
#test "_on_drm", test, drm_setup, fixture_teardown, NULL       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_both(fires_when_the_point_is_ready),
		on_both(result_before_is_eagain),
		on_both(a_point_that_was_ready_before_a_reset_counts),
		on_both(a_device_that_is_gone_is_told),
		on_both(a_point_that_was_ready_before_the_device_went_counts),
		on_both(rearm_keeps_the_descriptor_in_an_epoll_set),
		on_both(rearm_forgets_what_has_fired),
		on_both(the_old_registration_does_not_count_after_rearm),
		on_both(failed_rearm_leaves_the_waiter_as_it_was),
		on_both(a_waiter_keeps_its_object),
		on_both(failures_leave_nothing),
	};

	return cmocka_run_group_tests_name("syncobj-waiter", tests, NULL, NULL);
}
