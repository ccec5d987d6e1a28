/* SPDX-License-Identifier: MIT */
/* The drm backend: the exact bytes and order of its ioctls, and handles that never leak. */
#include "fixture.h"

static void create_takes_the_fd_of_its_handle(void **state)
{
	struct syncobj *syncobj;
	int fd;

	expect_drm_create(1, 8);
	expect_drm_to_fd(8, 0, &fd, 0);
	assert_int_equal(syncobj_create(fx.device, SYNCOBJ_CREATE_SIGNALED, &syncobj), 0);
	assert_int_equal(syncobj_fd(syncobj), fd);
	expect_drm_destroy(8);
	uapimock_expect_close(fd);
	syncobj_unref(syncobj);
}

static void create_without_free_descriptors_destroys_the_handle(void **state)
{
	struct syncobj *syncobj = NULL;

	expect_drm_create(0, 8);
	expect_drm_to_fd(8, 0, NULL, EMFILE);
	expect_drm_destroy(8);
	assert_int_equal(syncobj_create(fx.device, 0, &syncobj), -EMFILE);
	assert_null(syncobj);
}

static int check_import(void *argument, void *data)
{
	struct drm_syncobj_handle *args = argument;

	if (args->handle || args->flags || args->pad || args->fd < 0 || args->fd == fx.fd)
		return EPROTO;
	args->handle = *(uint32_t *)data;
	return 0;
}

static void expect_import_object(uint32_t *handle)
{
	uapimock_check(uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE), check_import,
		       handle);
}

static void import_makes_a_handle_that_release_destroys(void **state)
{
	uint32_t handle = 12;
	struct syncobj *syncobj;

	expect_import_object(&handle);
	assert_int_equal(syncobj_import(fx.device, fx.fd, &syncobj), 0);
	syncobj_ref(syncobj);
	syncobj_unref(syncobj);
	expect_drm_destroy(12);
	syncobj_unref(syncobj);
}

static void rebind_moves_the_handle(void **state)
{
	const int old_node = fx.node;
	struct syncobj_device *second;
	uint32_t in[4] = {0, 0, (uint32_t)fx.fd, 0};
	uint32_t out = 31;
	struct uapimock_ioctl *e;

	fx.node = uapimock_expect_open("/dev/dri/renderD129", 0);
	expect_drm_probe(fx.node, 0);
	assert_int_equal(syncobj_device_open("drm:/dev/dri/renderD129", &second), 0);
	e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE);
	uapimock_in(e, in, sizeof(in));
	uapimock_out_at(e, 0, &out, sizeof(out));
	uapimock_fails(uapimock_expect_ioctl(old_node, DRM_IOCTL_SYNCOBJ_DESTROY), ENODEV);
	assert_int_equal(syncobj_rebind(fx.object, second), 0);
	assert_ptr_equal(syncobj_device_of(fx.object), second);
	syncobj_device_unref(second);
	fx.handle = out;
}

static void failed_rebind_leaves_the_object_where_it_was(void **state)
{
	const int node = fx.node;
	struct syncobj_device *second;

	fx.node = uapimock_expect_open("/dev/dri/renderD129", 0);
	expect_drm_probe(fx.node, 0);
	assert_int_equal(syncobj_device_open("drm:/dev/dri/renderD129", &second), 0);
	uapimock_fails(uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE), ENODEV);
	assert_int_equal(syncobj_rebind(fx.object, second), -ENODEV);
	assert_ptr_equal(syncobj_device_of(fx.object), fx.device);
	syncobj_device_unref(second);
	fx.node = node;
}

static void wait_sends_everything(void **state)
{
	struct syncobj *objects[] = {fx.object, fx.object};
	const uint32_t handles[] = {7, 7};
	const uint64_t points[] = {3, UINT64_MAX};
	const struct drm_wait_args in = {
		.timeout_nsec = 0x1122334455667788,
		.count_handles = 2,
		.flags = 0xF,
		.deadline_nsec = 0x99AABBCC,
	};
	const uint32_t first = 1;
	size_t got = 9;
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_TIMELINE_WAIT);

	uapimock_in_at(e, 16, &in.timeout_nsec, sizeof(in) - 16);
	uapimock_in_via(e, 0, handles, sizeof(handles));
	uapimock_in_via(e, 8, points, sizeof(points));
	uapimock_out_at(e, 32, &first, sizeof(first));
	assert_int_equal(syncobj_wait(objects, points, 2, in.timeout_nsec, 0xF, in.deadline_nsec,
				      &got),
			 0);
	assert_int_equal(got, 1);
}

static void expect_timeline(unsigned long request, const uint64_t *in, const uint64_t *out,
			    uint32_t flags)
{
	const uint32_t count_flags[] = {1, flags};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, request);

	uapimock_in_via(e, 0, &fx.handle, sizeof(fx.handle));
	uapimock_in_at(e, 16, count_flags, sizeof(count_flags));
	if (in)
		uapimock_in_via(e, 8, in, sizeof(*in));
	if (out)
		uapimock_out_via(e, 8, out, sizeof(*out));
}

static void signal_is_the_timeline_signal(void **state)
{
	const uint64_t point = 0x100000002;

	expect_timeline(0xC01864CD, &point, NULL, 0);
	assert_int_equal(syncobj_signal(&fx.object, &point, 1), 0);
}

static void query_gives_what_the_kernel_wrote(void **state)
{
	const uint64_t answer = 0x123456789A;
	uint64_t point = 0;

	expect_timeline(0xC01864CB, NULL, &answer, 1);
	assert_int_equal(syncobj_query(&fx.object, 1, SYNCOBJ_QUERY_LAST_SUBMITTED, &point), 0);
	assert_true(point == answer);
}

static void expect_handles(unsigned long request)
{
	const uint32_t count_pad[] = {1, 0};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, request);

	uapimock_in_via(e, 0, &fx.handle, sizeof(fx.handle));
	uapimock_in_at(e, 8, count_pad, sizeof(count_pad));
}

static void reset_sends_the_handle(void **state)
{
	expect_handles(0xC01064C4);
	assert_int_equal(syncobj_reset(&fx.object, 1), 0);
}

static void signal_binary_is_the_binary_signal(void **state)
{
	expect_handles(0xC01064C5);
	assert_int_equal(syncobj_signal_binary(fx.object), 0);
}

static void transfer_sends_both_ends(void **state)
{
	expect_drm_transfer(7, 9, 7, 4, 0);
	assert_int_equal(syncobj_transfer(fx.object, 9, fx.object, 4, 0), 0);
}

static void eventfd_sends_everything(void **state)
{
	const struct drm_eventfd_args in = {.handle = 7, .flags = 4, .point = 6, .fd = 1234};

	uapimock_in(uapimock_expect_ioctl(fx.node, DRM_EVENTFD), &in, sizeof(in));
	assert_int_equal(syncobj_eventfd(fx.object, 6, 1234, SYNCOBJ_WAIT_AVAILABLE), 0);
}

static void export_sync_file_at_0_is_one_call(void **state)
{
	int fd;

	expect_drm_to_fd(7, 1, &fd, 0);
	assert_int_equal(syncobj_export_sync_file(fx.object, 0), fd);
	close(fd);
}

static void export_sync_file_at_a_point_goes_through_a_temporary_object(void **state)
{
	int fd;

	expect_drm_create(0, 20);
	expect_drm_transfer(20, 0, 7, 5, 0);
	expect_drm_to_fd(20, 1, &fd, 0);
	expect_drm_destroy(20);
	assert_int_equal(syncobj_export_sync_file(fx.object, 5), fd);
	close(fd);
}

static void export_sync_file_unwinds_each_step(void **state)
{
	uapimock_fails(uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_CREATE), ENOMEM);
	assert_int_equal(syncobj_export_sync_file(fx.object, 5), -ENOMEM);
	expect_drm_create(0, 20);
	expect_drm_transfer(20, 0, 7, 5, EINVAL);
	expect_drm_destroy(20);
	assert_int_equal(syncobj_export_sync_file(fx.object, 5), -EINVAL);
	expect_drm_create(0, 20);
	expect_drm_transfer(20, 0, 7, 5, 0);
	expect_drm_to_fd(20, 1, NULL, EMFILE);
	expect_drm_destroy(20);
	assert_int_equal(syncobj_export_sync_file(fx.object, 5), -EMFILE);
}

static void import_sync_file_at_0_is_one_call(void **state)
{
	expect_drm_import_sync_file(7, 99, 0);
	assert_int_equal(syncobj_import_sync_file(fx.object, 0, 99), 0);
}

static void import_sync_file_at_a_point_goes_through_a_temporary_object(void **state)
{
	expect_drm_create(0, 20);
	expect_drm_import_sync_file(20, 99, 0);
	expect_drm_transfer(7, 5, 20, 0, 0);
	expect_drm_destroy(20);
	assert_int_equal(syncobj_import_sync_file(fx.object, 5, 99), 0);
}

static void import_sync_file_unwinds_each_step(void **state)
{
	uapimock_fails(uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_CREATE), ENOMEM);
	assert_int_equal(syncobj_import_sync_file(fx.object, 5, 99), -ENOMEM);
	expect_drm_create(0, 20);
	expect_drm_import_sync_file(20, 99, EINVAL);
	expect_drm_destroy(20);
	assert_int_equal(syncobj_import_sync_file(fx.object, 5, 99), -EINVAL);
	expect_drm_create(0, 20);
	expect_drm_import_sync_file(20, 99, 0);
	expect_drm_transfer(7, 5, 20, 0, ENOMEM);
	expect_drm_destroy(20);
	assert_int_equal(syncobj_import_sync_file(fx.object, 5, 99), -ENOMEM);
}

static void without_deadlines_the_hint_is_dropped(void **state)
{
	const uint64_t point = 4;

	fx.device->features &= ~SYNCOBJ_FEATURE_DEADLINE;
	expect_wait(4, 5, 0);
	assert_int_equal(syncobj_wait(&fx.object, &point, 1, 5, SYNCOBJ_WAIT_DEADLINE, 77, NULL),
			 0);
}

static void without_eventfds_none_is_sent(void **state)
{
	fx.device->features &= ~SYNCOBJ_FEATURE_EVENTFD;
	assert_int_equal(syncobj_eventfd(fx.object, 1, 1234, 0), -EOPNOTSUPP);
}

static void handles_of_another_process_are_left_alone(void **state)
{
	fx.object->priv = (void *)(intptr_t)1;
	fx.object = syncobj_unref(fx.object);
}

#define on_drm(test) cmocka_unit_test_setup_teardown(test, drm_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_drm(create_takes_the_fd_of_its_handle),
		on_drm(create_without_free_descriptors_destroys_the_handle),
		on_drm(import_makes_a_handle_that_release_destroys),
		on_drm(rebind_moves_the_handle),
		on_drm(failed_rebind_leaves_the_object_where_it_was),
		on_drm(wait_sends_everything),
		on_drm(signal_is_the_timeline_signal),
		on_drm(query_gives_what_the_kernel_wrote),
		on_drm(reset_sends_the_handle),
		on_drm(signal_binary_is_the_binary_signal),
		on_drm(transfer_sends_both_ends),
		on_drm(eventfd_sends_everything),
		on_drm(export_sync_file_at_0_is_one_call),
		on_drm(export_sync_file_at_a_point_goes_through_a_temporary_object),
		on_drm(export_sync_file_unwinds_each_step),
		on_drm(import_sync_file_at_0_is_one_call),
		on_drm(import_sync_file_at_a_point_goes_through_a_temporary_object),
		on_drm(import_sync_file_unwinds_each_step),
		on_drm(without_deadlines_the_hint_is_dropped),
		on_drm(without_eventfds_none_is_sent),
		on_drm(handles_of_another_process_are_left_alone),
	};

	return cmocka_run_group_tests_name("syncobj-drm", tests, NULL, NULL);
}
