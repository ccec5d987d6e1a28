/* SPDX-License-Identifier: MIT */
/* Cases: waiters, which bring points into event loops. */
#include <sys/epoll.h>

#include "conformance.h"

#define MANY 200

static void waiter_tells_its_result(struct conf *c)
{
	static const uint32_t flags[] = {0, SYNCOBJ_WAIT_AVAILABLE};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct syncobj *s = make(c);
		struct syncobj_waiter *w;

		CHECK_OK(syncobj_waiter_new(s, 5, flags[i], &w));
		CHECK_ERROR(syncobj_waiter_result(w), -EAGAIN);
		CHECK(!readable(syncobj_waiter_fd(w)));
		CHECK_OK(signal_one(s, 4));
		CHECK_ERROR(syncobj_waiter_result(w), -EAGAIN);
		CHECK_OK(signal_one(s, 5));
		await_readable(syncobj_waiter_fd(w));
		CHECK_ERROR(syncobj_waiter_result(w), 0);
		CHECK_ERROR(syncobj_waiter_result(w), 0);
		CHECK(readable(syncobj_waiter_fd(w)));
		CHECK(!syncobj_waiter_free(w));
		syncobj_unref(s);
	}
}

static void waiter_for_a_signaled_point_is_ready(struct conf *c)
{
	struct syncobj *s = make_at(c, 5);
	struct syncobj_waiter *w;

	CHECK_OK(syncobj_waiter_new(s, 5, 0, &w));
	await_readable(syncobj_waiter_fd(w));
	CHECK_ERROR(syncobj_waiter_result(w), 0);
	syncobj_waiter_free(w);
	syncobj_unref(s);
}

static void waiter_with_unknown_flags_is_invalid(struct conf *c)
{
	struct syncobj *s = make(c);
	struct syncobj_waiter *w = (struct syncobj_waiter *)c;

	for (unsigned int bit = 0; bit < 32; bit++)
		if (1U << bit != SYNCOBJ_WAIT_AVAILABLE)
			CHECK_ERROR(syncobj_waiter_new(s, 5, 1U << bit, &w), -EINVAL);
	CHECK(w == (struct syncobj_waiter *)c);
	syncobj_unref(s);
}

static void waiter_keeps_its_object(struct conf *c)
{
	struct syncobj *s = make(c), *other = again(c, s);
	struct syncobj_waiter *w;

	CHECK_OK(syncobj_waiter_new(s, 5, 0, &w));
	syncobj_unref(s);
	CHECK_OK(signal_one(other, 5));
	await_readable(syncobj_waiter_fd(w));
	CHECK_ERROR(syncobj_waiter_result(w), 0);
	syncobj_waiter_free(w);
	syncobj_unref(other);
}

static void waiters_may_be_cancelled(struct conf *c)
{
	struct syncobj *s = make(c);
	struct syncobj_waiter *w[50];

	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		CHECK_OK(syncobj_waiter_new(s, i, 0, &w[i]));
	for (size_t i = 0; i < ARRAY_SIZE(w); i += 2)
		syncobj_waiter_free(w[i]);
	CHECK_OK(signal_one(s, 100));
	for (size_t i = 1; i < ARRAY_SIZE(w); i += 2) {
		await_readable(syncobj_waiter_fd(w[i]));
		CHECK_ERROR(syncobj_waiter_result(w[i]), 0);
		syncobj_waiter_free(w[i]);
	}
	syncobj_unref(s);
}

static void cancelled_waiter_is_gone_from_the_object(struct conf *c)
{
	struct syncobj *s = make(c);

	for (int i = 0; i < 2000; i++) {
		struct syncobj_waiter *w;

		CHECK_OK(syncobj_waiter_new(s, 5, 0, &w));
		syncobj_waiter_free(w);
	}
	CHECK_OK(signal_one(s, 5));
	syncobj_unref(s);
}

static void waiter_rearmed_for_another_point(struct conf *c)
{
	struct syncobj *s = make(c);
	struct syncobj_waiter *w;
	int fd;

	CHECK_OK(syncobj_waiter_new(s, 1, 0, &w));
	fd = syncobj_waiter_fd(w);
	for (uint64_t point = 1; point < 50; point++) {
		CHECK_OK(signal_one(s, point));
		await_readable(fd);
		CHECK_ERROR(syncobj_waiter_result(w), 0);
		CHECK_OK(syncobj_waiter_rearm(w, s, point + 1));
		CHECK_EQ(syncobj_waiter_fd(w), fd);
		CHECK(!readable(fd));
		CHECK_ERROR(syncobj_waiter_result(w), -EAGAIN);
	}
	CHECK_OK(syncobj_waiter_rearm(w, s, 3)); /* ready already */
	await_readable(fd);
	CHECK_ERROR(syncobj_waiter_result(w), 0);
	syncobj_waiter_free(w);
	syncobj_unref(s);
}

static void waiter_rearmed_before_it_fired(struct conf *c)
{
	struct syncobj *s = make(c);
	struct syncobj_waiter *w;

	CHECK_OK(syncobj_waiter_new(s, 1, 0, &w));
	CHECK_OK(syncobj_waiter_rearm(w, s, 9));
	CHECK_OK(signal_one(s, 5)); /* what it waited for before counts no more */
	sleep_ms(5);
	CHECK(!readable(syncobj_waiter_fd(w)));
	CHECK_ERROR(syncobj_waiter_result(w), -EAGAIN);
	CHECK_OK(signal_one(s, 9));
	await_readable(syncobj_waiter_fd(w));
	CHECK_ERROR(syncobj_waiter_result(w), 0);
	syncobj_waiter_free(w);
	syncobj_unref(s);
}

static void waiter_rearmed_on_another_device(struct conf *c)
{
	struct conf other = open_second();
	struct syncobj *s = make(c), *theirs = again(&other, s);
	struct syncobj_waiter *w;

	CHECK_OK(syncobj_waiter_new(s, 5, 0, &w));
	CHECK_OK(syncobj_waiter_rearm(w, theirs, 5));
	syncobj_unref(theirs);
	CHECK(!readable(syncobj_waiter_fd(w)));
	CHECK_OK(signal_one(s, 5));
	await_readable(syncobj_waiter_fd(w));
	CHECK_ERROR(syncobj_waiter_result(w), 0);
	syncobj_waiter_free(w);
	syncobj_unref(s);
	syncobj_device_unref(other.device);
}

static void many_waiters_on_one_epoll(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c), make(c), make(c)};
	struct syncobj_waiter *w[MANY];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	size_t ready = 0;

	CHECK(epoll >= 0);
	for (size_t i = 0; i < MANY; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

		CHECK_OK(syncobj_waiter_new(s[i % 4], 1 + i / 4, 0, &w[i]));
		CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, syncobj_waiter_fd(w[i]), &event), 0);
	}
	for (uint64_t point = 1; point <= MANY / 4; point++)
		for (size_t i = 0; i < 4; i++)
			CHECK_OK(signal_one(s[i], point));
	while (ready < MANY) {
		struct epoll_event event;
		struct syncobj_waiter **waiter;

		CHECK_EQ(epoll_wait(epoll, &event, 1, (int)(LIMIT_NS / 1000000)), 1);
		waiter = &w[event.data.u64];
		CHECK(*waiter);
		CHECK_ERROR(syncobj_waiter_result(*waiter), 0);
		*waiter = syncobj_waiter_free(*waiter);
		ready++;
	}
	close(epoll);
	drop(s, 4);
}

const struct conf_case waiter_cases[] = {
	CASE(waiter_tells_its_result, CONF_EVENTFD),
	CASE(waiter_for_a_signaled_point_is_ready, CONF_EVENTFD),
	CASE(waiter_with_unknown_flags_is_invalid, CONF_EVENTFD),
	CASE(waiter_keeps_its_object, CONF_EVENTFD),
	CASE(waiters_may_be_cancelled, CONF_EVENTFD),
	CASE(cancelled_waiter_is_gone_from_the_object, CONF_EVENTFD),
	CASE(waiter_rearmed_for_another_point, CONF_EVENTFD),
	CASE(waiter_rearmed_before_it_fired, CONF_EVENTFD),
	CASE(waiter_rearmed_on_another_device, CONF_EVENTFD | CONF_SHARED),
	CASE(many_waiters_on_one_epoll, CONF_EVENTFD),
	{NULL, NULL, 0, 0},
};
