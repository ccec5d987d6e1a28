/* SPDX-License-Identifier: MIT */
/* Cases: eventfds that count up when a point is ready. */
#include <fcntl.h>
#include <sys/eventfd.h>

#include "conformance.h"

static void eventfd_before_signal(struct conf *c)
{
	static const uint64_t points[] = {0, 5};

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct syncobj *s = make(c);
		int fd = make_eventfd();

		CHECK_OK(syncobj_eventfd(s, points[i], fd, 0));
		sleep_ms(5);
		check_eventfd(fd, 0);
		CHECK_OK(signal_one(s, points[i]));
		await_eventfd(fd, 1);
		close(fd);
		syncobj_unref(s);
	}
}

static void eventfd_after_signal(struct conf *c)
{
	struct syncobj *s = make_at(c, 5);
	int fd = make_eventfd();

	for (uint64_t point = 0; point <= 5; point++) {
		CHECK_OK(syncobj_eventfd(s, point, fd, 0));
		await_eventfd(fd, 1);
		CHECK_OK(syncobj_eventfd(s, point, fd, SYNCOBJ_WAIT_AVAILABLE));
		await_eventfd(fd, 1);
	}
	close(fd);
	syncobj_unref(s);
}

static void eventfd_of_available_before_submission(struct conf *c)
{
	struct syncobj *s = make(c);
	int fd = make_eventfd();

	CHECK_OK(syncobj_eventfd(s, 5, fd, SYNCOBJ_WAIT_AVAILABLE));
	CHECK_OK(signal_one(s, 4));
	sleep_ms(5);
	check_eventfd(fd, 0);
	CHECK_OK(signal_one(s, 5));
	await_eventfd(fd, 1);
	close(fd);
	syncobj_unref(s);
}

static void eventfd_of_pending_points(struct conf *c)
{
	static const uint64_t points[] = {0, 5};

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct syncobj *s = make(c);
		int available = make_eventfd(), signaled = make_eventfd(), late = make_eventfd();
		struct pending pending;

		pending_init(&pending);
		CHECK_OK(syncobj_eventfd(s, points[i], available, SYNCOBJ_WAIT_AVAILABLE));
		CHECK_OK(syncobj_eventfd(s, points[i], signaled, 0));
		pending_submit(&pending, s, points[i]);
		await_eventfd(available, 1);
		CHECK_OK(syncobj_eventfd(s, points[i], available, SYNCOBJ_WAIT_AVAILABLE));
		await_eventfd(available, 1);
		CHECK_OK(syncobj_eventfd(s, points[i], late, 0));
		check_eventfd(signaled, 0);
		check_eventfd(late, 0);
		pending_signal(&pending, 1);
		await_eventfd(signaled, 1);
		await_eventfd(late, 1);
		pending_end(&pending);
		close(available);
		close(signaled);
		close(late);
		syncobj_unref(s);
	}
}

static void eventfd_keeps_the_fence_it_saw(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending first, second;
	int fd = make_eventfd(), later = make_eventfd();

	pending_init(&first);
	pending_init(&second);
	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	pending_submit(&first, s, 5);
	CHECK_OK(reset_one(s));
	pending_submit(&second, s, 5);
	CHECK_OK(syncobj_eventfd(s, 5, later, 0));
	pending_signal(&second, 1);
	await_eventfd(later, 1);
	check_eventfd(fd, 0);
	pending_signal(&first, 1);
	await_eventfd(fd, 1);
	pending_end(&first);
	pending_end(&second);
	close(fd);
	close(later);
	syncobj_unref(s);
}

static void eventfd_counts_once(struct conf *c)
{
	struct syncobj *s = make(c);
	int fd = make_eventfd(), last = make_eventfd();

	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	CHECK_OK(syncobj_eventfd(s, 8, last, 0));
	for (uint64_t point = 1; point <= 8; point++)
		CHECK_OK(signal_one(s, point));
	await_eventfd(last, 1);
	await_eventfd(fd, 1);
	CHECK_OK(reset_one(s));
	CHECK_OK(syncobj_eventfd(s, 9, last, 0));
	CHECK_OK(signal_one(s, 9));
	await_eventfd(last, 1);
	check_eventfd(fd, 0);
	close(fd);
	close(last);
	syncobj_unref(s);
}

static void eventfd_takes_many_registrations(struct conf *c)
{
	struct syncobj *s = make(c);
	int fd = make_eventfd();

	for (uint64_t point = 1; point <= 100; point++)
		CHECK_OK(syncobj_eventfd(s, point, fd, 0));
	CHECK_OK(signal_one(s, 60));
	await_eventfd(fd, 60);
	sleep_ms(5);
	check_eventfd(fd, 0);
	CHECK_OK(signal_one(s, 100));
	await_eventfd(fd, 40);
	close(fd);
	syncobj_unref(s);
}

static void eventfd_with_unknown_flags_is_invalid(struct conf *c)
{
	struct syncobj *s = make_at(c, 5);
	int fd = make_eventfd();

	for (unsigned int bit = 0; bit < 32; bit++)
		if (1U << bit != SYNCOBJ_WAIT_AVAILABLE)
			CHECK_ERROR(syncobj_eventfd(s, 5, fd, 1U << bit), -EINVAL);
	CHECK_ERROR(syncobj_eventfd(s, 5, -1, 1), -EINVAL); /* the flags are looked at first */
	check_eventfd(fd, 0);
	close(fd);
	syncobj_unref(s);
}

static void eventfd_has_to_be_one(struct conf *c)
{
	struct syncobj *s = make(c), *done = make_at(c, 5);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), pair[2];

	CHECK_EQ(pipe2(pair, O_CLOEXEC), 0);
	CHECK_ERROR(syncobj_eventfd(s, 5, fd, 0), -EINVAL);
	CHECK_ERROR(syncobj_eventfd(done, 5, fd, 0), -EINVAL);
	CHECK_ERROR(syncobj_eventfd(s, 5, pair[1], 0), -EINVAL);
	CHECK_ERROR(syncobj_eventfd(done, 5, pair[1], 0), -EINVAL);
	CHECK_ERROR(syncobj_eventfd(s, 5, syncobj_fd(s), 0), -EINVAL);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	CHECK_ERROR(syncobj_eventfd(s, 5, fd, 0), -EBADF);
	CHECK_ERROR(syncobj_eventfd(done, 5, fd, 0), -EBADF);
	CHECK_ERROR(syncobj_eventfd(s, 5, -1, 0), -EBADF);
	syncobj_unref(s);
	syncobj_unref(done);
}

static void eventfd_closed_before_it_fires(struct conf *c)
{
	struct syncobj *s = make(c);
	int fd = make_eventfd(), other, last = make_eventfd();

	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	close(fd);
	other = make_eventfd(); /* has the number of the closed one */
	CHECK_EQ(other, fd);
	CHECK_OK(syncobj_eventfd(s, 5, last, 0));
	CHECK_OK(signal_one(s, 5));
	await_eventfd(last, 1);
	check_eventfd(other, 0);
	close(other);
	close(last);
	syncobj_unref(s);
}

static void eventfd_stays_over_reset(struct conf *c)
{
	struct syncobj *s = make(c);
	int fd = make_eventfd();

	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	CHECK_OK(signal_one(s, 4));
	CHECK_OK(reset_one(s));
	sleep_ms(5);
	check_eventfd(fd, 0);
	CHECK_OK(signal_one(s, 6));
	await_eventfd(fd, 1);
	close(fd);
	syncobj_unref(s);
}

static void eventfd_sees_a_signal_that_is_reset_at_once(struct conf *c)
{
	struct syncobj *s = make(c);
	int fd = make_eventfd();

	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	CHECK_OK(signal_one(s, 5));
	CHECK_OK(reset_one(s));
	await_eventfd(fd, 1);
	close(fd);
	syncobj_unref(s);
}

static void eventfd_outlives_a_reference(struct conf *c)
{
	struct syncobj *s = make(c), *other = again(c, s);
	int fd = make_eventfd();

	/* The registration is the object's, and by another descriptor it lives. */
	CHECK_OK(syncobj_eventfd(other, 5, fd, 0));
	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	syncobj_unref(other);
	CHECK_OK(signal_one(s, 5));
	await_readable(fd);
	close(fd);
	syncobj_unref(s);
}

static void eventfd_of_an_object_that_is_gone(struct conf *c)
{
	struct syncobj *s = make(c), *other = make(c);
	int fd = make_eventfd(), last = make_eventfd();

	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	syncobj_unref(s);
	CHECK_OK(syncobj_eventfd(other, 5, last, 0));
	CHECK_OK(signal_one(other, 5));
	await_eventfd(last, 1);
	check_eventfd(fd, 0);
	close(fd);
	close(last);
	syncobj_unref(other);
}

static void eventfd_registered_when_the_device_goes(struct conf *c)
{
	struct conf other = open_second();
	struct syncobj *s = make(&other);
	int fd = make_eventfd();

	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	syncobj_device_unref(other.device);
	syncobj_unref(s);
	check_eventfd(fd, 0);
	close(fd);
}

static void full_eventfd_holds_up_nobody(struct conf *c)
{
	struct syncobj *s = make(c);
	int full = eventfd(0, EFD_CLOEXEC), fd = make_eventfd(); /* one that would block */
	const uint64_t most = UINT64_MAX - 1;

	CHECK_EQ(write(full, &most, sizeof(most)), sizeof(most));
	CHECK_OK(syncobj_eventfd(s, 1, full, 0));
	CHECK_OK(syncobj_eventfd(s, 2, fd, 0));
	CHECK_OK(signal_one(s, 1));
	CHECK_OK(signal_one(s, 2));
	await_eventfd(fd, 1);
	close(full);
	close(fd);
	syncobj_unref(s);
}

static void signal_5(struct conf *c, void *arg)
{
	CHECK_OK(signal_one(arg, 5));
}

static void eventfd_fires_at_a_childs_signal(struct conf *c)
{
	struct syncobj *s = make(c);
	int fd = make_eventfd();
	pid_t pid;

	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	pid = run_child(c, signal_5, s);
	await_eventfd(fd, 1);
	check_child(pid);
	close(fd);
	syncobj_unref(s);
}

const struct conf_case eventfd_cases[] = {
	CASE(eventfd_before_signal, CONF_EVENTFD),
	CASE(eventfd_after_signal, CONF_EVENTFD),
	CASE(eventfd_of_available_before_submission, CONF_EVENTFD),
	CASE(eventfd_of_pending_points, CONF_EVENTFD | CONF_PENDING),
	CASE(eventfd_keeps_the_fence_it_saw, CONF_EVENTFD | CONF_PENDING),
	CASE(eventfd_counts_once, CONF_EVENTFD),
	CASE(eventfd_takes_many_registrations, CONF_EVENTFD),
	CASE(eventfd_with_unknown_flags_is_invalid, CONF_EVENTFD),
	CASE(eventfd_has_to_be_one, CONF_EVENTFD),
	CASE(eventfd_closed_before_it_fires, CONF_EVENTFD),
	CASE(eventfd_stays_over_reset, CONF_EVENTFD),
	CASE(eventfd_sees_a_signal_that_is_reset_at_once, CONF_EVENTFD),
	CASE(eventfd_outlives_a_reference, CONF_EVENTFD),
	CASE(eventfd_of_an_object_that_is_gone, CONF_EVENTFD),
	CASE(eventfd_registered_when_the_device_goes, CONF_EVENTFD | CONF_SECOND),
	CASE(full_eventfd_holds_up_nobody, CONF_EVENTFD),
	CASE(eventfd_fires_at_a_childs_signal, CONF_EVENTFD),
	{NULL, NULL, 0, 0},
};
