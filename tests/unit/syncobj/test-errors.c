/* SPDX-License-Identifier: MIT */
/* Bad input and failures have the same errors on both kernel backends. */
#include "fixture.h"

/* Nothing reaches the kernel: the script has no calls for it. */
static void bad_arguments_are_refused_before_the_kernel(void **state)
{
	struct syncobj **many = malloc((SYNCOBJ_MAX + 1) * sizeof(struct syncobj *));
	struct syncobj *none = NULL;
	uint64_t point = 42;
	size_t first = 42;

	assert_non_null(many);
	for (size_t i = 0; i <= SYNCOBJ_MAX; i++)
		many[i] = fx.object;
	assert_int_equal(syncobj_create(fx.device, 2, &none), -EINVAL);
	assert_int_equal(syncobj_wait(&fx.object, NULL, 1, 0, 0x10, 0, &first), -EINVAL);
	assert_int_equal(syncobj_wait(NULL, NULL, 0, 0, 0x10, 0, &first), -EINVAL);
	assert_int_equal(syncobj_wait(NULL, NULL, 0, 0, 0, 0, &first), 0);
	assert_int_equal(syncobj_wait(many, NULL, SYNCOBJ_MAX + 1, 0, 0, 0, &first), -E2BIG);
	assert_int_equal(syncobj_reset(NULL, 0), -EINVAL);
	assert_int_equal(syncobj_reset(many, SYNCOBJ_MAX + 1), -E2BIG);
	assert_int_equal(syncobj_signal(NULL, NULL, 0), -EINVAL);
	assert_int_equal(syncobj_signal(many, NULL, SYNCOBJ_MAX + 1), -E2BIG);
	assert_int_equal(syncobj_query(NULL, 0, 0, &point), -EINVAL);
	assert_int_equal(syncobj_query(&fx.object, 1, 2, &point), -EINVAL);
	assert_int_equal(syncobj_query(many, SYNCOBJ_MAX + 1, 0, &point), -E2BIG);
	assert_int_equal(syncobj_transfer(fx.object, 1, fx.object, 1, 1), -EINVAL);
	assert_int_equal(syncobj_eventfd(fx.object, 1, 0, 1), -EINVAL);
	assert_int_equal(syncobj_import(fx.device, -1, &none), -EBADF);
	assert_int_equal(syncobj_import(fx.device, 1023, &none), -EBADF);
	assert_null(none);
	assert_int_equal(point, 42);
	assert_int_equal(first, 42);
	free(many);
}

static void objects_of_two_devices_are_refused(void **state)
{
	struct syncobj_device other = {.refs = 1};
	struct syncobj foreign = {.refs = 1, .device = &other};
	struct syncobj *objects[] = {fx.object, &foreign};
	uint64_t points[2] = {0};

	assert_int_equal(syncobj_wait(objects, points, 2, 0, 0, 0, NULL), -EXDEV);
	assert_int_equal(syncobj_reset(objects, 2), -EXDEV);
	assert_int_equal(syncobj_signal(objects, points, 2), -EXDEV);
	assert_int_equal(syncobj_query(objects, 2, 0, points), -EXDEV);
	assert_int_equal(syncobj_transfer(fx.object, 1, &foreign, 1, 0), -EXDEV);
}

static void import_of_no_syncobj_is_ebadf(void **state)
{
	struct syncobj *syncobj = NULL;

	if (fx.drm)
		uapimock_fails(uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE),
			       EINVAL);
	else
		uapimock_fails(uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_QUERY), EBADF);
	assert_int_equal(syncobj_import(fx.device, 0, &syncobj), -EBADF);
	assert_null(syncobj);
}

static const struct {
	unsigned long device, drm;
} requests[] = {
	{SYNCOBJ_IOC_WAIT, DRM_TIMELINE_WAIT},
	{SYNCOBJ_IOC_RESET, DRM_IOCTL_SYNCOBJ_RESET},
	{SYNCOBJ_IOC_SIGNAL, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL},
	{SYNCOBJ_IOC_QUERY, DRM_IOCTL_SYNCOBJ_QUERY},
	{SYNCOBJ_IOC_TRANSFER, DRM_IOCTL_SYNCOBJ_TRANSFER},
	{SYNCOBJ_IOC_EVENTFD, DRM_EVENTFD},
	{SYNCOBJ_IOC_EXPORT_SYNC_FILE, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD},
	{SYNCOBJ_IOC_IMPORT_SYNC_FILE, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE},
};

static int call(size_t i)
{
	uint64_t point = 1;

	switch (i) {
	case 0:
		return syncobj_wait(&fx.object, &point, 1, 0, 0, 0, NULL);
	case 1:
		return syncobj_reset(&fx.object, 1);
	case 2:
		return syncobj_signal(&fx.object, &point, 1);
	case 3:
		return syncobj_query(&fx.object, 1, 0, &point);
	case 4:
		return syncobj_transfer(fx.object, 2, fx.object, 1, 0);
	case 5:
		return syncobj_eventfd(fx.object, 1, 0, 0);
	case 6:
		return syncobj_export_sync_file(fx.object, 0);
	default:
		return syncobj_import_sync_file(fx.object, 0, 0);
	}
}

static void assert_all_answer(int device_error, int drm_error, int expected)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		unsigned long request = fx.drm ? requests[i].drm : requests[i].device;

		uapimock_fails(uapimock_expect_ioctl(fx.node, request),
			       fx.drm ? drm_error : device_error);
		assert_int_equal(call(i), expected);
	}
}

static void an_object_that_is_gone_is_ebadf(void **state)
{
	assert_all_answer(EBADF, ENOENT, -EBADF);
}

static void a_device_that_is_gone_is_enodev(void **state)
{
	assert_all_answer(ENODEV, ENODEV, -ENODEV);
}

static void bad_points_sync_files_and_eventfds_are_einval(void **state)
{
	assert_all_answer(EINVAL, EINVAL, -EINVAL);
}

static void interrupted_wait_goes_on_to_the_same_end(void **state)
{
	const uint64_t point = 3;

	uapimock_fails(uapimock_times(expect_wait(3, 123456789, 0), 3), EINTR);
	uapimock_fails(expect_wait(3, 123456789, 0), ETIME);
	assert_int_equal(syncobj_wait(&fx.object, &point, 1, 123456789, 0, 0, NULL), -ETIME);
}

#define LATE (INT64_MAX - 1)

static void wait_that_ends_early_is_continued(void **state)
{
	const uint64_t point = 3;

	uapimock_fails(expect_wait(3, LATE, SYNCOBJ_WAIT_ALL), ETIME);
	/* The point was there: that it has been reset since is no error. */
	uapimock_fails(expect_wait(3, LATE, SYNCOBJ_WAIT_ALL | SYNCOBJ_WAIT_FOR_SUBMIT), ETIME);
	expect_wait(3, LATE, SYNCOBJ_WAIT_ALL | SYNCOBJ_WAIT_FOR_SUBMIT);
	assert_int_equal(syncobj_wait(&fx.object, &point, 1, LATE, SYNCOBJ_WAIT_ALL, 0, NULL), 0);
}

static void wait_that_always_ends_early_ends(void **state)
{
	const uint64_t point = 3;

	uapimock_fails(uapimock_times(uapimock_expect_ioctl(fx.node, fx.drm ? DRM_TIMELINE_WAIT
									    : SYNCOBJ_IOC_WAIT),
				      10),
		       ETIME);
	assert_int_equal(syncobj_wait(&fx.object, &point, 1, LATE, 0, 0, NULL), -ETIME);
}

static void every_error_has_a_text(void **state)
{
	for (int error = -200; error <= 10; error++)
		assert_true(strlen(syncobj_strerror(error)) > 0);
	assert_string_equal(syncobj_strerror(INT32_MIN), "unknown error");
	assert_string_not_equal(syncobj_strerror(-EBADF), strerror(EBADF));
}

#define on_both(test)                                                          \
	cmocka_unit_test_setup_teardown(test, device_setup, fixture_teardown), \
	{                                                                      \
#test "_on_drm", test, drm_setup, fixture_teardown, NULL       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_both(bad_arguments_are_refused_before_the_kernel),
		on_both(objects_of_two_devices_are_refused),
		on_both(import_of_no_syncobj_is_ebadf),
		on_both(an_object_that_is_gone_is_ebadf),
		on_both(a_device_that_is_gone_is_enodev),
		on_both(bad_points_sync_files_and_eventfds_are_einval),
		on_both(interrupted_wait_goes_on_to_the_same_end),
		on_both(wait_that_ends_early_is_continued),
		on_both(wait_that_always_ends_early_ends),
		cmocka_unit_test(every_error_has_a_text),
	};

	return cmocka_run_group_tests_name("syncobj-errors", tests, NULL, NULL);
}
