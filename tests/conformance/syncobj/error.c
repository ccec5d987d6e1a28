/* SPDX-License-Identifier: MIT */
/* Cases: fences that fail. They count as signalled; the error shows in the state of a point. */
#include <fcntl.h>

#include "conformance.h"

static int status_of(struct syncobj *syncobj, uint64_t point)
{
	int status = 77, fd = CHECK_OK(syncobj_export_sync_file(syncobj, point)), of_file = 77;

	CHECK_OK(syncobj_status(syncobj, point, &status));
	CHECK_OK(syncobj_sync_file_status(fd, &of_file));
	CHECK_EQ(of_file, status);
	close(fd);
	return status;
}

static void failed_fence_shows_in_a_binary_object(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 0);
	CHECK_EQ(status_of(s, 0), 0);
	pending_fail(&pending);
	CHECK_EQ(status_of(s, 0), -ENOENT);
	syncobj_unref(s);
}

static void failed_fence_shows_at_a_timeline_point(struct conf *c)
{
	struct syncobj *s = make_at(c, 2);
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 5);
	CHECK_EQ(status_of(s, 5), 0);
	pending_fail(&pending);
	CHECK_EQ(status_of(s, 5), -ENOENT);
	CHECK_EQ(status_of(s, 2), 1);
	syncobj_unref(s);
}

static void failed_fence_shows_in_an_older_export(struct conf *c)
{
	static const uint64_t points[] = {0, 5};

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct syncobj *s = make(c);
		struct pending pending;
		int fd, status = 77;

		pending_init(&pending);
		pending_submit(&pending, s, points[i]);
		fd = CHECK_OK(syncobj_export_sync_file(s, points[i]));
		pending_fail(&pending);
		CHECK(readable(fd));
		CHECK_OK(syncobj_sync_file_status(fd, &status));
		CHECK_EQ(status, -ENOENT);
		close(fd);
		syncobj_unref(s);
	}
}

static void failed_fence_counts_as_signaled(struct conf *c)
{
	struct syncobj *s = make(c);
	const uint64_t point = 5;
	struct waiting w = {&s, &point, 1, .flags = 0};
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 5);
	start_waiting(&w);
	pending_fail(&pending);
	CHECK_OK(end_waiting(&w));
	CHECK_EQ(query_one(s), 5);
	CHECK_ERROR(poll_one(s, 5, 0), 0);
	CHECK_OK(signal_one(s, 6)); /* the timeline goes on */
	CHECK_EQ(query_one(s), 6);
	syncobj_unref(s);
}

static void failed_fence_fires_eventfds_and_waiters(struct conf *c)
{
	struct syncobj *s = make(c);
	struct syncobj_waiter *waiter;
	struct pending pending;
	int fd = make_eventfd();

	pending_init(&pending);
	CHECK_OK(syncobj_eventfd(s, 5, fd, 0));
	pending_submit(&pending, s, 5);
	CHECK_OK(syncobj_waiter_new(s, 5, 0, &waiter));
	check_eventfd(fd, 0);
	CHECK(!readable(syncobj_waiter_fd(waiter)));
	pending_fail(&pending);
	await_eventfd(fd, 1);
	await_readable(syncobj_waiter_fd(waiter));
	CHECK_ERROR(syncobj_waiter_result(waiter), 0);
	CHECK_EQ(status_of(s, 5), -ENOENT);
	syncobj_waiter_free(waiter);
	close(fd);
	syncobj_unref(s);
}

static void error_follows_a_pending_transfer(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c), make(c)};
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s[0], 4);
	CHECK_OK(syncobj_transfer(s[1], 7, s[0], 4, 0));
	CHECK_OK(syncobj_transfer(s[2], 0, s[0], 4, 0));
	pending_fail(&pending);
	CHECK_EQ(status_of(s[1], 7), -ENOENT);
	CHECK_EQ(status_of(s[2], 0), -ENOENT);
	drop(s, 3);
}

static void error_is_kept_when_its_sync_file_is_imported(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending pending;
	int fd;

	pending_init(&pending);
	fd = pending_fence(&pending);
	pending_fail(&pending);
	CHECK_OK(syncobj_import_sync_file(s, 0, fd));
	CHECK_ERROR(poll_one(s, 0, 0), 0);
	CHECK_EQ(status_of(s, 0), -ENOENT);
	CHECK_OK(syncobj_import_sync_file(s, 3, fd));
	CHECK_ERROR(poll_one(s, 3, 0), 0);
	close(fd);
	syncobj_unref(s);
}

static void error_is_gone_after_reset(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 5);
	pending_fail(&pending);
	CHECK_OK(reset_one(s));
	CHECK_OK(signal_one(s, 5));
	CHECK_EQ(status_of(s, 5), 1);
	syncobj_unref(s);
}

static void error_shows_on_the_second_device(struct conf *c)
{
	struct conf second = open_second();
	struct syncobj *s = make(c), *theirs = again(&second, s), *copy = make(&second);
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 5);
	CHECK_OK(syncobj_copy(copy, 3, s, 5));
	pending_fail(&pending);
	CHECK_EQ(status_of(theirs, 5), -ENOENT);
	CHECK_EQ(status_of(copy, 3), -ENOENT);
	syncobj_unref(copy);
	syncobj_unref(theirs);
	syncobj_unref(s);
	syncobj_device_unref(second.device);
}

const struct conf_case error_cases[] = {
	CASE(failed_fence_shows_in_a_binary_object, CONF_PENDING),
	CASE(failed_fence_shows_at_a_timeline_point, CONF_PENDING),
	CASE(failed_fence_shows_in_an_older_export, CONF_PENDING),
	CASE(failed_fence_counts_as_signaled, CONF_PENDING),
	CASE(failed_fence_fires_eventfds_and_waiters, CONF_PENDING | CONF_EVENTFD),
	CASE(error_follows_a_pending_transfer, CONF_PENDING),
	CASE(error_is_kept_when_its_sync_file_is_imported, CONF_PENDING),
	CASE(error_is_gone_after_reset, CONF_PENDING),
	CASE(error_shows_on_the_second_device, CONF_PENDING | CONF_SHARED),
	{NULL, NULL, 0, 0},
};
