/* SPDX-License-Identifier: MIT */
/* Cases: sync_files, states of points, and copies between devices. */
#include <fcntl.h>
#include <sys/eventfd.h>

#include "conformance.h"

static void sync_files_are_refused_without_them(struct conf *c)
{
	struct syncobj *s = make_at(c, 5);

	CHECK_ERROR(syncobj_export_sync_file(s, 5), -EOPNOTSUPP);
	CHECK_ERROR(syncobj_export_sync_file_wait(s, 5, 0), -EOPNOTSUPP);
	CHECK_ERROR(syncobj_signaled_sync_file(c->device), -EOPNOTSUPP);
	syncobj_unref(s);
}

static void status_of_what_is_no_sync_file(struct conf *c)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd = eventfd(0, EFD_CLOEXEC);
	int status = 77;

	CHECK_ERROR(syncobj_sync_file_status(null, &status), -EINVAL);
	CHECK_ERROR(syncobj_sync_file_status(fd, &status), -EINVAL);
	close(null);
	close(fd);
	CHECK_ERROR(syncobj_sync_file_status(fd, &status), -EBADF);
	CHECK_ERROR(syncobj_sync_file_status(-1, &status), -EBADF);
	CHECK_EQ(status, 77);
}

static void status_of_a_point(struct conf *c)
{
	struct syncobj *s = make_at(c, 5);
	int status = 77;

	if (!conf_is_soft() &&
	    !(c->features & (SYNCOBJ_FEATURE_SYNC_FILE | SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE))) {
		CHECK_ERROR(syncobj_status(s, 5, &status), -EOPNOTSUPP);
	} else {
		CHECK_OK(syncobj_status(s, 5, &status));
		CHECK_EQ(status, 1);
	}
	status = 77;
	if (conf_is_soft() || (c->features & SYNCOBJ_FEATURE_SYNC_FILE)) {
		CHECK_ERROR(syncobj_status(s, 6, &status), -EINVAL);
		CHECK_EQ(status, 77);
	}
	syncobj_unref(s);
}

static void signaled_sync_file_is_signaled(struct conf *c)
{
	int fd = CHECK_OK(syncobj_signaled_sync_file(c->device)), status = 77;

	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(readable(fd));
	CHECK_OK(syncobj_sync_file_status(fd, &status));
	CHECK_EQ(status, 1);
	close(fd);
}

static void signaled_points_travel_by_sync_file(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 5), make(c)};
	int fd = CHECK_OK(syncobj_export_sync_file(s[0], 5));

	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK_OK(syncobj_import_sync_file(s[1], 8, fd));
	CHECK_EQ(query_one(s[1]), 8);
	CHECK_OK(syncobj_import_sync_file(s[1], 0, fd));
	CHECK_ERROR(poll_one(s[1], 0, 0), 0);
	CHECK_OK(syncobj_sync_file_status(fd, &(int){0}));
	close(fd);
	drop(s, 2);
}

static void export_of_a_missing_point_is_invalid(struct conf *c)
{
	struct syncobj *s = make_at(c, 5), *empty = make(c);

	CHECK_ERROR(syncobj_export_sync_file(s, 6), -EINVAL);
	CHECK_ERROR(syncobj_export_sync_file(empty, 0), -EINVAL);
	CHECK_ERROR(syncobj_export_sync_file_wait(s, 6, 0), -ETIME);
	syncobj_unref(s);
	syncobj_unref(empty);
}

static void import_of_what_is_no_sync_file_is_invalid(struct conf *c)
{
	struct syncobj *s = make_at(c, 5);
	int fd = eventfd(0, EFD_CLOEXEC);

	for (uint64_t point = 0; point <= 6; point += 6) {
		CHECK_ERROR(syncobj_import_sync_file(s, point, fd), -EINVAL);
		CHECK_ERROR(syncobj_import_sync_file(s, point, -1), -EINVAL);
		CHECK_ERROR(syncobj_import_sync_file(s, point, syncobj_fd(s)), -EINVAL);
	}
	CHECK_EQ(query_one(s), 5);
	close(fd);
	syncobj_unref(s);
}

static void *signal_6(void *arg)
{
	sleep_ms(20);
	CHECK_OK(signal_one(arg, 6));
	return NULL;
}

static void export_waits_until_a_point_is_submitted(struct conf *c)
{
	struct syncobj *s = make(c);
	pthread_t thread;
	int fd;

	CHECK_EQ(pthread_create(&thread, NULL, signal_6, s), 0);
	fd = CHECK_OK(syncobj_export_sync_file_wait(s, 6, -1));
	CHECK(readable(fd));
	pthread_join(thread, NULL);
	close(fd);
	syncobj_unref(s);
}

static void pending_points_travel_by_sync_file(struct conf *c)
{
	struct syncobj *s[] = {make(c), make_at(c, 2)};
	struct pending pending;
	int fd, status = 77;

	pending_init(&pending);
	pending_submit(&pending, s[0], 5);
	fd = CHECK_OK(syncobj_export_sync_file(s[0], 5));
	CHECK_OK(syncobj_sync_file_status(fd, &status));
	CHECK_EQ(status, 0);
	CHECK_OK(syncobj_status(s[0], 5, &status));
	CHECK_EQ(status, 0);
	/* It comes from a timeline: the way in for such is another. */
	CHECK_OK(syncobj_import_sync_file(s[1], 8, fd));
	CHECK_EQ(query_one(s[1]), 2);
	CHECK_EQ(submitted_one(s[1]), 8);
	pending_signal(&pending, 1);
	await_readable(fd);
	CHECK_EQ(query_one(s[1]), 8);
	CHECK_OK(syncobj_sync_file_status(fd, &status));
	CHECK_EQ(status, 1);
	close(fd);
	pending_end(&pending);
	drop(s, 2);
}

static void import_at_point_0_replaces(struct conf *c)
{
	struct syncobj *s = make_at(c, 50);
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 0);
	CHECK_EQ(query_one(s), 0);
	CHECK_ERROR(poll_one(s, 0, 0), -ETIME);
	CHECK_ERROR(poll_one(s, 50, 0), -EINVAL);
	pending_end(&pending);
	CHECK_ERROR(poll_one(s, 0, 0), 0);
	syncobj_unref(s);
}

/* ---- copies ------------------------------------------------------------- */

static void copy_on_one_device_is_a_transfer(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 5), make(c)};

	CHECK_OK(syncobj_copy(s[1], 8, s[0], 5));
	CHECK_EQ(query_one(s[1]), 8);
	CHECK_ERROR(syncobj_copy(s[1], 9, s[0], 6), -EINVAL);
	CHECK_EQ(query_one(s[1]), 8);
	drop(s, 2);
}

static void copy(struct conf *to, struct conf *from)
{
	struct syncobj *src = make_at(from, 5), *dst = make_at(to, 1);

	CHECK_OK(syncobj_copy(dst, 8, src, 5));
	CHECK_EQ(query_one(dst), 8);
	CHECK_ERROR(syncobj_copy(dst, 9, src, 6), -EINVAL);
	CHECK_EQ(query_one(dst), 8);
	CHECK_OK(syncobj_copy(dst, 0, src, 5));
	CHECK_ERROR(poll_one(dst, 0, 0), 0);
	syncobj_unref(src);
	syncobj_unref(dst);
}

static void copy_into_and_out_of_soft(struct conf *c)
{
	struct conf soft = open_device("soft");

	copy(&soft, c);
	copy(c, &soft);
	syncobj_device_unref(soft.device);
}

static void copy_between_two_devices(struct conf *c)
{
	struct conf other = open_second();

	copy(&other, c);
	copy(c, &other);
	syncobj_device_unref(other.device);
}

static void sync_files_travel_into_and_out_of_soft(struct conf *c)
{
	struct conf soft = open_device("soft");
	struct syncobj *s = make_at(c, 5), *theirs = make(&soft);
	int fd = CHECK_OK(syncobj_export_sync_file(s, 5));

	CHECK_OK(syncobj_import_sync_file(theirs, 8, fd));
	CHECK_EQ(query_one(theirs), 8);
	CHECK_OK(syncobj_import_sync_file(theirs, 0, fd));
	CHECK_EQ(query_one(theirs), 0);
	CHECK_ERROR(poll_one(theirs, 0, 0), 0);
	close(fd);
	fd = syncobj_export_sync_file(theirs, 0);
	if (soft.features & SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE) {
		CHECK_OK(fd);
		CHECK_OK(syncobj_import_sync_file(s, 9, fd));
		CHECK_EQ(query_one(s), 9);
		close(fd);
	} else {
		CHECK_ERROR(fd, -EOPNOTSUPP);
	}
	syncobj_unref(theirs);
	syncobj_unref(s);
	syncobj_device_unref(soft.device);
}

static void pending_points_do_not_go_into_soft(struct conf *c)
{
	struct conf soft = open_device("soft");
	struct syncobj *s = make(c), *theirs = make_at(&soft, 2);
	struct pending pending;
	int fd;

	pending_init(&pending);
	pending_submit(&pending, s, 5);
	fd = CHECK_OK(syncobj_export_sync_file(s, 5));
	CHECK_ERROR(syncobj_copy(theirs, 8, s, 5), -EOPNOTSUPP);
	CHECK_ERROR(syncobj_import_sync_file(theirs, 8, fd), -EOPNOTSUPP);
	CHECK_EQ(submitted_one(theirs), 2);
	pending_signal(&pending, 1);
	CHECK_OK(syncobj_copy(theirs, 8, s, 5));
	CHECK_OK(syncobj_import_sync_file(theirs, 9, fd));
	CHECK_EQ(query_one(theirs), 9);
	close(fd);
	pending_end(&pending);
	syncobj_unref(theirs);
	syncobj_unref(s);
	syncobj_device_unref(soft.device);
}

const struct conf_case sync_file_cases[] = {
	CASE(sync_files_are_refused_without_them, CONF_NO_SYNC_FILE),
	CASE(status_of_what_is_no_sync_file, 0),
	CASE(status_of_a_point, 0),
	CASE(signaled_sync_file_is_signaled, CONF_SIGNALED_SYNC_FILE),
	CASE(signaled_points_travel_by_sync_file, CONF_SIGNALED_SYNC_FILE),
	CASE(export_of_a_missing_point_is_invalid, 0),
	CASE(import_of_what_is_no_sync_file_is_invalid, 0),
	CASE(export_waits_until_a_point_is_submitted, CONF_SYNC_FILE),
	CASE(pending_points_travel_by_sync_file, CONF_PENDING),
	CASE(import_at_point_0_replaces, CONF_PENDING),
	CASE(copy_on_one_device_is_a_transfer, 0),
	CASE(copy_into_and_out_of_soft, 0),
	CASE(copy_between_two_devices, CONF_SECOND),
	CASE(sync_files_travel_into_and_out_of_soft, CONF_SIGNALED_SYNC_FILE),
	CASE(pending_points_do_not_go_into_soft, CONF_PENDING),
	{NULL, NULL, 0, 0},
};
