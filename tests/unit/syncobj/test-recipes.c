/* SPDX-License-Identifier: MIT */
/* The single calls made of several: which steps they take, and what they make of the answers. */
#include "fixture.h"

#include <linux/sync_file.h>

#define NEVER INT64_C(-1)

static void wait_signaled_waits_for_submission_too(void **state)
{
	expect_wait(3, INT64_MAX, SYNCOBJ_WAIT_FOR_SUBMIT);
	assert_int_equal(syncobj_wait_signaled(fx.object, 3, NEVER), 0);
}

static void wait_available_does_not_wait_for_the_signal(void **state)
{
	expect_wait(3, INT64_MAX, SYNCOBJ_WAIT_AVAILABLE);
	assert_int_equal(syncobj_wait_available(fx.object, 3, NEVER), 0);
}

static void no_time_polls(void **state)
{
	uapimock_fails(expect_wait(3, 0, SYNCOBJ_WAIT_FOR_SUBMIT), ETIME);
	assert_int_equal(syncobj_wait_signaled(fx.object, 3, 0), -ETIME);
}

static void time_that_overflows_is_for_ever(void **state)
{
	expect_wait(3, INT64_MAX, SYNCOBJ_WAIT_FOR_SUBMIT);
	assert_int_equal(syncobj_wait_signaled(fx.object, 3, INT64_MAX), 0);
}

static int check_in_an_hour(void *argument, void *data)
{
	const struct syncobj_wait_args *args = argument; /* drm has it at the same place */
	const int64_t hour = INT64_C(3600000000000), *before = data;

	return args->timeout_nsec >= *before + hour && args->timeout_nsec <= now_nsec() + hour
		       ? 0
		       : EPROTO;
}

static void relative_time_counts_from_now(void **state)
{
	int64_t before = now_nsec();

	uapimock_check(uapimock_expect_ioctl(fx.node,
					     fx.drm ? DRM_TIMELINE_WAIT : SYNCOBJ_IOC_WAIT),
		       check_in_an_hour, &before);
	assert_int_equal(syncobj_wait_signaled(fx.object, 3, INT64_C(3600000000000)), 0);
}

static struct uapimock_ioctl *expect_export(void)
{
	return uapimock_expect_ioctl(fx.node, fx.drm ? DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD
						     : SYNCOBJ_IOC_EXPORT_SYNC_FILE);
}

static int expect_export_fd(void)
{
	return uapimock_out_fd(expect_export(), fx.drm ? 8 : 4);
}

static void export_wait_does_not_wait_for_what_is_there(void **state)
{
	int fd = expect_export_fd();

	assert_int_equal(syncobj_export_sync_file_wait(fx.object, 0, NEVER), fd);
	close(fd);
}

static void export_wait_waits_until_available(void **state)
{
	int fd;

	uapimock_fails(expect_export(), EINVAL);
	expect_wait(0, INT64_MAX, SYNCOBJ_WAIT_AVAILABLE);
	fd = expect_export_fd();
	assert_int_equal(syncobj_export_sync_file_wait(fx.object, 0, NEVER), fd);
	close(fd);
}

static void export_wait_times_out(void **state)
{
	uapimock_fails(expect_export(), EINVAL);
	uapimock_fails(expect_wait(0, 0, SYNCOBJ_WAIT_AVAILABLE), ETIME);
	assert_int_equal(syncobj_export_sync_file_wait(fx.object, 0, 0), -ETIME);
}

static void signaled_sync_file_leaves_no_object(void **state)
{
	int sync_file, fd = expect_create(1);

	sync_file = expect_export_fd();
	uapimock_expect_close(fd);
	assert_int_equal(syncobj_signaled_sync_file(fx.device), sync_file);
	close(sync_file);
}

static void signaled_sync_file_unwinds(void **state)
{
	int fd = expect_create(1);

	uapimock_fails(expect_export(), EMFILE);
	uapimock_expect_close(fd);
	assert_int_equal(syncobj_signaled_sync_file(fx.device), -EMFILE);
}

/* A sync_file with up to four fences; @summary is what is said without asking for them. */
static void expect_info(int sync_file, int summary, const int *statuses, uint32_t count)
{
	const struct sync_file_info first = {.status = summary, .num_fences = count};
	struct sync_fence_info fences[4] = {0};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(sync_file, SYNC_IOC_FILE_INFO);
	const uint32_t none = 0;

	uapimock_in_at(e, offsetof(struct sync_file_info, num_fences), &none, sizeof(none));
	uapimock_out(e, &first, sizeof(first));
	if (!count)
		return;
	for (uint32_t i = 0; i < count; i++)
		fences[i].status = statuses[i];
	e = uapimock_expect_ioctl(sync_file, SYNC_IOC_FILE_INFO);
	uapimock_in_at(e, offsetof(struct sync_file_info, num_fences), &count, sizeof(count));
	uapimock_out_via(e, offsetof(struct sync_file_info, sync_fence_info), fences,
			 count * sizeof(fences[0]));
	uapimock_out_at(e, offsetof(struct sync_file_info, status), &statuses[0], sizeof(int));
}

static void assert_status(const int *statuses, uint32_t count, int expected)
{
	int status = 42, fd = expect_export_fd();

	expect_info(fd, 1, statuses, count);
	uapimock_expect_close(fd);
	assert_int_equal(syncobj_status(fx.object, 0, &status), 0);
	assert_int_equal(status, expected);
}

static void status_of_signalled_fences_is_1(void **state)
{
	assert_status((const int[]){1, 1}, 2, 1);
}

static void status_with_a_pending_fence_is_0(void **state)
{
	assert_status((const int[]){1, 0}, 2, 0);
}

static void status_tells_an_error_that_the_summary_hides(void **state)
{
	assert_status((const int[]){1, -ENODEV, 1}, 3, -ENODEV);
}

static void status_tells_an_error_behind_a_pending_fence(void **state)
{
	assert_status((const int[]){0, -ENOENT}, 2, -ENOENT);
}

static void status_without_fences_is_the_summary(void **state)
{
	assert_status(NULL, 0, 1);
}

static void status_of_a_point_that_is_not_there_is_einval(void **state)
{
	int status = 42;

	uapimock_fails(expect_export(), EINVAL);
	assert_int_equal(syncobj_status(fx.object, 0, &status), -EINVAL);
	assert_int_equal(status, 42);
}

static void sync_file_status_refuses_other_descriptors(void **state)
{
	int status = 42, fd = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(syncobj_sync_file_status(fd, &status), -EINVAL);
	assert_int_equal(syncobj_sync_file_status(-1, &status), -EBADF);
	assert_int_equal(status, 42);
	close(fd);
}

/* ---- copies ------------------------------------------------------------- */

static struct syncobj_device *other;
static struct syncobj *copy;

/* An object of a DRM node besides the fixture's device. */
static void open_drm_copy(void)
{
	const int node = fx.node;
	int fd;

	fx.node = uapimock_expect_open(DRM_NODE, 0);
	expect_drm_probe(fx.node, 0);
	assert_int_equal(syncobj_device_open("drm:" DRM_NODE, &other), 0);
	expect_drm_create(0, 5);
	expect_drm_to_fd(5, 0, &fd, 0);
	assert_int_equal(syncobj_create(other, 0, &copy), 0);
	fx.node = node;
}

static void close_drm_copy(void)
{
	const int node = fx.node;

	fx.node = other->fd;
	expect_drm_destroy(5);
	syncobj_unref(copy);
	syncobj_device_unref(other);
	fx.node = node;
}

static void copy_on_one_device_is_a_transfer(void **state)
{
	const struct syncobj_transfer_args in = {
		.src_fd = fx.fd,
		.dst_fd = fx.fd,
		.src_point = 3,
		.dst_point = 4,
	};

	uapimock_in(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_TRANSFER), &in, sizeof(in));
	assert_int_equal(syncobj_copy(fx.object, 4, fx.object, 3), 0);
}

static void copy_between_devices_goes_through_a_sync_file(void **state)
{
	const int node = fx.node;
	int sync_file;

	open_drm_copy();
	sync_file = expect_export_fd();
	fx.node = other->fd;
	expect_drm_import_sync_file(5, sync_file, 0);
	fx.node = node;
	assert_int_equal(syncobj_copy(copy, 0, fx.object, 3), 0);
	close_drm_copy();
}

static void failed_copy_closes_the_sync_file(void **state)
{
	const int node = fx.node;
	int sync_file;

	open_drm_copy();
	sync_file = expect_export_fd();
	fx.node = other->fd;
	expect_drm_import_sync_file(5, sync_file, ENODEV);
	fx.node = node;
	uapimock_expect_close(sync_file);
	assert_int_equal(syncobj_copy(copy, 0, fx.object, 3), -ENODEV);
	close_drm_copy();
}

static void open_soft_copy(void)
{
	assert_int_equal(syncobj_device_open("soft", &other), 0);
	assert_int_equal(syncobj_create(other, 0, &copy), 0);
}

static void close_soft_copy(void)
{
	syncobj_unref(copy);
	syncobj_device_unref(other);
}

static void copy_of_a_signalled_point_into_soft_signals(void **state)
{
	uint64_t point = 0;

	open_soft_copy();
	expect_wait(3, 0, 0);
	assert_int_equal(syncobj_copy(copy, 9, fx.object, 3), 0);
	assert_int_equal(syncobj_query(&copy, 1, 0, &point), 0);
	assert_int_equal(point, 9);
	close_soft_copy();
}

static void copy_of_a_pending_point_into_soft_is_not_supported(void **state)
{
	open_soft_copy();
	uapimock_fails(expect_wait(3, 0, 0), ETIME);
	assert_int_equal(syncobj_copy(copy, 9, fx.object, 3), -EOPNOTSUPP);
	close_soft_copy();
}

static void copy_of_a_point_that_is_not_there_is_einval(void **state)
{
	open_soft_copy();
	assert_int_equal(syncobj_copy(fx.object, 9, copy, 3), -EINVAL);
	close_soft_copy();
}

#define on_device(test) cmocka_unit_test_setup_teardown(test, device_setup, fixture_teardown)
#define on_both(test)                                                    \
	on_device(test),                                                 \
	{                                                                \
#test "_on_drm", test, drm_setup, fixture_teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_both(wait_signaled_waits_for_submission_too),
		on_both(wait_available_does_not_wait_for_the_signal),
		on_both(no_time_polls),
		on_both(time_that_overflows_is_for_ever),
		on_both(relative_time_counts_from_now),
		on_both(export_wait_does_not_wait_for_what_is_there),
		on_both(export_wait_waits_until_available),
		on_both(export_wait_times_out),
		on_device(signaled_sync_file_leaves_no_object),
		on_device(signaled_sync_file_unwinds),
		on_both(status_of_signalled_fences_is_1),
		on_both(status_with_a_pending_fence_is_0),
		on_both(status_tells_an_error_that_the_summary_hides),
		on_both(status_tells_an_error_behind_a_pending_fence),
		on_both(status_without_fences_is_the_summary),
		on_both(status_of_a_point_that_is_not_there_is_einval),
		on_device(sync_file_status_refuses_other_descriptors),
		on_device(copy_on_one_device_is_a_transfer),
		on_device(copy_between_devices_goes_through_a_sync_file),
		on_device(failed_copy_closes_the_sync_file),
		on_device(copy_of_a_signalled_point_into_soft_signals),
		on_device(copy_of_a_pending_point_into_soft_is_not_supported),
		on_device(copy_of_a_point_that_is_not_there_is_einval),
	};

	return cmocka_run_group_tests_name("syncobj-recipes", tests, NULL, NULL);
}
