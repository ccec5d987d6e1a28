/* SPDX-License-Identifier: MIT */
/* The device backend: layouts and numbers of version 1, and the exact bytes of its ioctls. */
#include "fixture.h"

static int extra[STACK_OBJECTS + 1];

static void numbers_and_sizes_are_those_of_version_1(void **state)
{
	assert_int_equal(SYNCOBJ_IOC_CREATE, 0xC008CD00);
	assert_int_equal(SYNCOBJ_IOC_WAIT, 0xC030CD01);
	assert_int_equal(SYNCOBJ_IOC_RESET, 0x4018CD02);
	assert_int_equal(SYNCOBJ_IOC_SIGNAL, 0x4018CD03);
	assert_int_equal(SYNCOBJ_IOC_QUERY, 0x4018CD04);
	assert_int_equal(SYNCOBJ_IOC_TRANSFER, 0x4020CD05);
	assert_int_equal(SYNCOBJ_IOC_EVENTFD, 0x4018CD06);
	assert_int_equal(SYNCOBJ_IOC_EXPORT_SYNC_FILE, 0xC010CD07);
	assert_int_equal(SYNCOBJ_IOC_IMPORT_SYNC_FILE, 0x4010CD08);
}

static void members_are_where_version_1_has_them(void **state)
{
	assert_int_equal(offsetof(struct syncobj_create_args, flags), 4);
	assert_int_equal(offsetof(struct syncobj_wait_args, points), 8);
	assert_int_equal(offsetof(struct syncobj_wait_args, timeout_nsec), 16);
	assert_int_equal(offsetof(struct syncobj_wait_args, count), 24);
	assert_int_equal(offsetof(struct syncobj_wait_args, flags), 28);
	assert_int_equal(offsetof(struct syncobj_wait_args, first_signaled), 32);
	assert_int_equal(offsetof(struct syncobj_wait_args, deadline_nsec), 40);
	assert_int_equal(offsetof(struct syncobj_array_args, count), 16);
	assert_int_equal(offsetof(struct syncobj_array_args, flags), 20);
	assert_int_equal(offsetof(struct syncobj_transfer_args, dst_fd), 4);
	assert_int_equal(offsetof(struct syncobj_transfer_args, src_point), 8);
	assert_int_equal(offsetof(struct syncobj_transfer_args, dst_point), 16);
	assert_int_equal(offsetof(struct syncobj_transfer_args, flags), 24);
	assert_int_equal(offsetof(struct syncobj_eventfd_args, eventfd), 4);
	assert_int_equal(offsetof(struct syncobj_eventfd_args, point), 8);
	assert_int_equal(offsetof(struct syncobj_eventfd_args, flags), 16);
	assert_int_equal(offsetof(struct syncobj_sync_file_args, sync_file_fd), 4);
	assert_int_equal(offsetof(struct syncobj_sync_file_args, point), 8);
}

static void public_flags_are_those_of_the_kernel(void **state)
{
	assert_int_equal(SYNCOBJ_WAIT_ALL, SYNCOBJ_WAIT_FLAGS_WAIT_ALL);
	assert_int_equal(SYNCOBJ_WAIT_FOR_SUBMIT, SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT);
	assert_int_equal(SYNCOBJ_WAIT_AVAILABLE, SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE);
	assert_int_equal(SYNCOBJ_WAIT_DEADLINE, SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE);
	assert_int_equal(SYNCOBJ_QUERY_LAST_SUBMITTED, SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED);
}

static void create_passes_the_flag(void **state)
{
	struct syncobj *syncobj;
	int fd = expect_create(1);

	assert_int_equal(syncobj_create(fx.device, SYNCOBJ_CREATE_SIGNALED, &syncobj), 0);
	assert_int_equal(syncobj_fd(syncobj), fd);
	assert_ptr_equal(syncobj_device_of(syncobj), fx.device);
	uapimock_expect_close(fd);
	syncobj_unref(syncobj);
}

static void create_without_free_descriptors_fails(void **state)
{
	struct syncobj *syncobj = NULL;

	uapimock_fails(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_CREATE), EMFILE);
	assert_int_equal(syncobj_create(fx.device, 0, &syncobj), -EMFILE);
	assert_null(syncobj);
}

static void import_asks_whether_it_is_a_syncobj(void **state)
{
	const uint32_t count_flags[] = {1, 0};
	struct syncobj *syncobj;
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_QUERY);

	uapimock_in_at(e, 16, count_flags, sizeof(count_flags));
	assert_int_equal(syncobj_import(fx.device, fx.fd, &syncobj), 0);
	assert_int_not_equal(syncobj_fd(syncobj), fx.fd);
	syncobj_unref(syncobj);
}

static void wait_sends_everything(void **state)
{
	struct syncobj *objects[] = {fx.object, fx.object};
	const int32_t fds[] = {fx.fd, fx.fd};
	const uint64_t points[] = {3, UINT64_MAX};
	const struct syncobj_wait_args in = {
		.timeout_nsec = 0x1122334455667788,
		.count = 2,
		.flags = 0xF,
		.deadline_nsec = 0x99AABBCC,
	};
	const uint32_t first = 1;
	size_t got = 9;
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_WAIT);

	uapimock_in_at(e, 16, &in.timeout_nsec, sizeof(in) - 16);
	uapimock_in_via(e, 0, fds, sizeof(fds));
	uapimock_in_via(e, 8, points, sizeof(points));
	uapimock_out_at(e, 32, &first, sizeof(first));
	assert_int_equal(syncobj_wait(objects, points, 2, in.timeout_nsec, 0xF, in.deadline_nsec,
				      &got),
			 0);
	assert_int_equal(got, 1);
}

static void wait_without_the_flag_sends_no_deadline(void **state)
{
	const uint64_t point = 4;

	expect_wait(4, 5, 0);
	assert_int_equal(syncobj_wait(&fx.object, &point, 1, 5, 0, 77, NULL), 0);
}

static void wait_without_points_sends_a_null_pointer(void **state)
{
	const uint64_t null = 0;

	uapimock_in_at(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_WAIT), 8, &null, sizeof(null));
	assert_int_equal(syncobj_wait(&fx.object, NULL, 1, 0, 0, 0, NULL), 0);
}

static void expect_array(unsigned long request, const uint64_t *point, uint32_t flags)
{
	const uint32_t count_flags[] = {1, flags};
	const uint64_t null = 0;
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, request);

	uapimock_in_via(e, 0, &fx.fd, sizeof(fx.fd));
	uapimock_in_at(e, 16, count_flags, sizeof(count_flags));
	if (point)
		uapimock_in_via(e, 8, point, sizeof(*point));
	else
		uapimock_in_at(e, 8, &null, sizeof(null));
}

static void reset_sends_no_points(void **state)
{
	expect_array(SYNCOBJ_IOC_RESET, NULL, 0);
	assert_int_equal(syncobj_reset(&fx.object, 1), 0);
}

static void signal_sends_the_points(void **state)
{
	const uint64_t point = 0x100000002;

	expect_array(SYNCOBJ_IOC_SIGNAL, &point, 0);
	assert_int_equal(syncobj_signal(&fx.object, &point, 1), 0);
}

static void signal_without_points_sends_a_null_pointer(void **state)
{
	expect_array(SYNCOBJ_IOC_SIGNAL, NULL, 0);
	assert_int_equal(syncobj_signal(&fx.object, NULL, 1), 0);
}

static void query_gives_what_the_kernel_wrote(void **state)
{
	const uint64_t answer = 0x123456789A;
	const uint32_t count_flags[] = {1, 1};
	uint64_t point = 0;
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_QUERY);

	uapimock_in_via(e, 0, &fx.fd, sizeof(fx.fd));
	uapimock_in_at(e, 16, count_flags, sizeof(count_flags));
	uapimock_out_via(e, 8, &answer, sizeof(answer));
	assert_int_equal(syncobj_query(&fx.object, 1, SYNCOBJ_QUERY_LAST_SUBMITTED, &point), 0);
	assert_true(point == answer);
}

static void arrays_larger_than_the_stack_arrive_whole(void **state)
{
	struct syncobj *objects[ARRAY_SIZE(extra)];
	const uint32_t count = ARRAY_SIZE(extra);
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_RESET);

	for (size_t i = 0; i < ARRAY_SIZE(extra); i++) {
		objects[i] = fx.object;
		extra[i] = fx.fd;
	}
	uapimock_in_via(e, 0, extra, sizeof(extra));
	uapimock_in_at(e, 16, &count, sizeof(count));
	assert_int_equal(syncobj_reset(objects, ARRAY_SIZE(objects)), 0);
}

static struct uapimock_ioctl *expect_transfer(int dst, uint64_t dst_point, int src,
					      uint64_t src_point, uint32_t flags)
{
	const struct syncobj_transfer_args in = {
		.src_fd = src,
		.dst_fd = dst,
		.src_point = src_point,
		.dst_point = dst_point,
		.flags = flags,
	};

	return uapimock_in(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_TRANSFER), &in, sizeof(in));
}

static void transfer_sends_both_ends(void **state)
{
	struct syncobj *dst;
	int fd = expect_create(0);

	assert_int_equal(syncobj_create(fx.device, 0, &dst), 0);
	expect_transfer(fd, 9, fx.fd, 4, 2);
	assert_int_equal(syncobj_transfer(dst, 9, fx.object, 4, SYNCOBJ_WAIT_FOR_SUBMIT), 0);
	syncobj_unref(dst);
}

static int check_end_in_five_seconds(void *argument, void *data)
{
	const struct syncobj_wait_args *args = argument;
	const int64_t *before = data;
	struct timespec ts;
	int64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
	return args->timeout_nsec >= *before + 5000000000 && args->timeout_nsec <= now + 5000000000
		       ? 0
		       : EPROTO;
}

static void interrupted_transfer_keeps_its_five_seconds(void **state)
{
	const uint32_t count_flags[] = {1, SYNCOBJ_WAIT_AVAILABLE};
	struct timespec ts;
	int64_t before;
	struct uapimock_ioctl *e;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	before = ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
	uapimock_fails(expect_transfer(fx.fd, 9, fx.fd, 4, 2), EINTR);
	e = uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_WAIT);
	uapimock_in_at(e, 24, count_flags, sizeof(count_flags));
	uapimock_check(e, check_end_in_five_seconds, &before);
	expect_transfer(fx.fd, 9, fx.fd, 4, 2);
	assert_int_equal(syncobj_transfer(fx.object, 9, fx.object, 4, SYNCOBJ_WAIT_FOR_SUBMIT), 0);
}

static void interrupted_transfer_that_times_out_says_so(void **state)
{
	uapimock_fails(expect_transfer(fx.fd, 9, fx.fd, 4, 2), EINTR);
	/* Too early each time: the library does not believe it at once. */
	uapimock_fails(uapimock_times(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_WAIT), 10), ETIME);
	assert_int_equal(syncobj_transfer(fx.object, 9, fx.object, 4, SYNCOBJ_WAIT_FOR_SUBMIT),
			 -ETIME);
}

static void eventfd_sends_everything(void **state)
{
	const struct syncobj_eventfd_args in = {
		.syncobj_fd = fx.fd,
		.eventfd = 1234,
		.point = 6,
		.flags = 4,
	};

	uapimock_in(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_EVENTFD), &in, sizeof(in));
	assert_int_equal(syncobj_eventfd(fx.object, 6, 1234, SYNCOBJ_WAIT_AVAILABLE), 0);
}

static int expect_export(int fd, uint64_t point)
{
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_EXPORT_SYNC_FILE);

	uapimock_in_at(e, 0, &fd, sizeof(fd));
	uapimock_in_at(e, 8, &point, sizeof(point));
	return uapimock_out_fd(e, 4);
}

static struct uapimock_ioctl *expect_import(int fd, int sync_file)
{
	const struct syncobj_sync_file_args in = {.syncobj_fd = fd, .sync_file_fd = sync_file};

	return uapimock_in(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_IMPORT_SYNC_FILE), &in,
			   sizeof(in));
}

static void export_sync_file_is_one_call_at_any_point(void **state)
{
	int fd = expect_export(fx.fd, 11);

	assert_int_equal(syncobj_export_sync_file(fx.object, 11), fd);
	close(fd);
}

static void import_sync_file_at_0_is_one_call(void **state)
{
	expect_import(fx.fd, 99);
	assert_int_equal(syncobj_import_sync_file(fx.object, 0, 99), 0);
}

static void import_sync_file_at_a_point_goes_through_a_temporary_object(void **state)
{
	int fd = expect_create(0);

	expect_import(fd, 99);
	expect_transfer(fx.fd, 5, fd, 0, 0);
	uapimock_expect_close(fd);
	assert_int_equal(syncobj_import_sync_file(fx.object, 5, 99), 0);
}

static void import_sync_file_closes_the_temporary_object_on_failure(void **state)
{
	int fd = expect_create(0);

	uapimock_fails(expect_import(fd, 99), EINVAL);
	uapimock_expect_close(fd);
	assert_int_equal(syncobj_import_sync_file(fx.object, 5, 99), -EINVAL);
	fd = expect_create(0);
	expect_import(fd, 99);
	uapimock_fails(expect_transfer(fx.fd, 5, fd, 0, 0), ENOMEM);
	uapimock_expect_close(fd);
	assert_int_equal(syncobj_import_sync_file(fx.object, 5, 99), -ENOMEM);
}

static void signal_binary_replaces_by_a_signalled_sync_file(void **state)
{
	int fd = expect_create(1);
	int sync_file = expect_export(fd, 0);

	expect_import(fx.fd, sync_file);
	assert_int_equal(syncobj_signal_binary(fx.object), 0);
}

static void signal_binary_unwinds_each_step(void **state)
{
	uapimock_fails(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_CREATE), ENFILE);
	assert_int_equal(syncobj_signal_binary(fx.object), -ENFILE);
	expect_create(1);
	uapimock_fails(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_EXPORT_SYNC_FILE), EMFILE);
	assert_int_equal(syncobj_signal_binary(fx.object), -EMFILE);
	uapimock_fails(expect_import(fx.fd, expect_export(expect_create(1), 0)), ENOMEM);
	assert_int_equal(syncobj_signal_binary(fx.object), -ENOMEM);
}

#define on_device(test) cmocka_unit_test_setup_teardown(test, device_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_sizes_are_those_of_version_1),
		cmocka_unit_test(members_are_where_version_1_has_them),
		cmocka_unit_test(public_flags_are_those_of_the_kernel),
		on_device(create_passes_the_flag),
		on_device(create_without_free_descriptors_fails),
		on_device(import_asks_whether_it_is_a_syncobj),
		on_device(wait_sends_everything),
		on_device(wait_without_the_flag_sends_no_deadline),
		on_device(wait_without_points_sends_a_null_pointer),
		on_device(reset_sends_no_points),
		on_device(signal_sends_the_points),
		on_device(signal_without_points_sends_a_null_pointer),
		on_device(query_gives_what_the_kernel_wrote),
		on_device(arrays_larger_than_the_stack_arrive_whole),
		on_device(transfer_sends_both_ends),
		on_device(interrupted_transfer_keeps_its_five_seconds),
		on_device(interrupted_transfer_that_times_out_says_so),
		on_device(eventfd_sends_everything),
		on_device(export_sync_file_is_one_call_at_any_point),
		on_device(import_sync_file_at_0_is_one_call),
		on_device(import_sync_file_at_a_point_goes_through_a_temporary_object),
		on_device(import_sync_file_closes_the_temporary_object_on_failure),
		on_device(signal_binary_replaces_by_a_signalled_sync_file),
		on_device(signal_binary_unwinds_each_step),
	};

	return cmocka_run_group_tests_name("syncobj-device", tests, NULL, NULL);
}
