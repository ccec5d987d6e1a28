/* SPDX-License-Identifier: MIT */
/* Opening devices: order of preference, names, probes and errors; what a descriptor is. */
#include "fixture.h"

#include <stdio.h>

static struct syncobj_device *device;

static int setup(void **state)
{
	device = NULL;
	unsetenv("SYNCOBJ_DEVICE");
	return fixture_setup(state);
}

static int teardown(void **state)
{
	syncobj_device_unref(device);
	return fixture_teardown(state);
}

static void expect_no_node(const char *path)
{
	uapimock_expect_open(path, ENOENT);
}

/* All of them, for the machine may have some. */
static void expect_no_render_node_from(int minor)
{
	char path[32];

	for (; minor <= 191; minor++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", minor);
		expect_no_node(path);
	}
}

static void expect_not_a_device(int node, int error)
{
	uapimock_fails(uapimock_expect_ioctl(node, SYNCOBJ_IOC_QUERY), error);
}

static void expect_not_drm(int node)
{
	uapimock_fails(uapimock_expect_ioctl(node, DRM_IOCTL_VERSION), ENOTTY);
}

static void expect_drm_without(int node, bool syncobj)
{
	const struct drm_get_cap out = {.capability = 0x13, .value = 1};

	uapimock_expect_version(node, "vgem", 1, 0, 0);
	if (syncobj)
		uapimock_out(uapimock_expect_ioctl(node, DRM_IOCTL_GET_CAP), &out, sizeof(out));
	uapimock_expect_ioctl(node, DRM_IOCTL_GET_CAP);
}

static void the_device_is_preferred(void **state)
{
	expect_probe(uapimock_expect_open("/dev/syncobj", 0));
	assert_int_equal(syncobj_device_open(NULL, &device), 0);
	assert_int_equal(syncobj_device_backend(device), SYNCOBJ_BACKEND_DEVICE);
	assert_int_equal(syncobj_device_features(device),
			 SYNCOBJ_FEATURE_TIMELINE | SYNCOBJ_FEATURE_EVENTFD |
				 SYNCOBJ_FEATURE_SYNC_FILE | SYNCOBJ_FEATURE_DEADLINE);
	assert_string_equal(syncobj_device_path(device), "/dev/syncobj");
	assert_string_equal(syncobj_device_description(device), "device /dev/syncobj");
}

static void the_device_may_be_under_dri(void **state)
{
	expect_no_node("/dev/syncobj");
	expect_probe(uapimock_expect_open("/dev/dri/syncobj", 0));
	assert_int_equal(syncobj_device_open(NULL, &device), 0);
	assert_string_equal(syncobj_device_path(device), "/dev/dri/syncobj");
}

static void render_nodes_come_next_in_order(void **state)
{
	int node;

	expect_no_node("/dev/syncobj");
	expect_no_node("/dev/dri/syncobj");
	node = uapimock_expect_open("/dev/dri/renderD128", 0);
	expect_drm_without(node, true);
	uapimock_expect_close(node);
	expect_drm_probe(uapimock_expect_open("/dev/dri/renderD129", 0), 0);
	assert_int_equal(syncobj_device_open(NULL, &device), 0);
	assert_int_equal(syncobj_device_backend(device), SYNCOBJ_BACKEND_DRM);
	assert_string_equal(syncobj_device_path(device), "/dev/dri/renderD129");
	assert_string_equal(syncobj_device_description(device),
			    "drm /dev/dri/renderD129 (virtio_gpu)");
	assert_int_equal(syncobj_device_features(device),
			 SYNCOBJ_FEATURE_TIMELINE | SYNCOBJ_FEATURE_EVENTFD |
				 SYNCOBJ_FEATURE_SYNC_FILE | SYNCOBJ_FEATURE_DEADLINE);
}

static void soft_is_not_chosen_unless_named(void **state)
{
	expect_no_node("/dev/syncobj");
	expect_no_node("/dev/dri/syncobj");
	expect_no_render_node_from(128);
	assert_int_equal(syncobj_device_open(NULL, &device), -ENODEV);
	assert_null(device);
	assert_int_equal(syncobj_device_open("soft", &device), 0);
	assert_int_equal(syncobj_device_backend(device), SYNCOBJ_BACKEND_SOFT);
}

static void the_first_node_that_does_not_open_gives_the_error(void **state)
{
	expect_no_node("/dev/syncobj");
	uapimock_expect_open("/dev/dri/syncobj", EACCES);
	uapimock_expect_open("/dev/dri/renderD128", EPERM);
	expect_no_render_node_from(129);
	assert_int_equal(syncobj_device_open(NULL, &device), -EACCES);
}

static void a_node_that_does_not_open_is_passed_over(void **state)
{
	uapimock_expect_open("/dev/syncobj", EACCES);
	expect_no_node("/dev/dri/syncobj");
	expect_drm_probe(uapimock_expect_open("/dev/dri/renderD128", 0), 0);
	assert_int_equal(syncobj_device_open(NULL, &device), 0);
}

static void device_searches_no_drm_node(void **state)
{
	expect_no_node("/dev/syncobj");
	expect_no_node("/dev/dri/syncobj");
	assert_int_equal(syncobj_device_open("device", &device), -ENODEV);
}

static void drm_searches_drm_nodes_only(void **state)
{
	expect_drm_probe(uapimock_expect_open("/dev/dri/renderD128", 0), 0);
	assert_int_equal(syncobj_device_open("drm", &device), 0);
}

static void the_environment_names_the_device(void **state)
{
	setenv("SYNCOBJ_DEVICE", "device:/dev/other", 1);
	expect_probe(uapimock_expect_open("/dev/other", 0));
	assert_int_equal(syncobj_device_open(NULL, &device), 0);
	assert_string_equal(syncobj_device_path(device), "/dev/other");
}

static void the_argument_goes_before_the_environment(void **state)
{
	setenv("SYNCOBJ_DEVICE", "device:/dev/other", 1);
	expect_probe(uapimock_expect_open("/dev/syncobj", 0));
	assert_int_equal(syncobj_device_open("device", &device), 0);
}

static void malformed_names_are_einval(void **state)
{
	static const char *const names[] = {"",       "device:", "drm:",
					    "soft:x", "Device",  "renderD128"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(syncobj_device_open(names[i], &device), -EINVAL);
	setenv("SYNCOBJ_DEVICE", "gpu", 1);
	assert_int_equal(syncobj_device_open(NULL, &device), -EINVAL);
}

static void a_bare_path_may_be_of_either_kind(void **state)
{
	int node = uapimock_expect_open("/dev/node", 0);

	expect_not_a_device(node, EINVAL);
	expect_drm_probe(node, 0);
	assert_int_equal(syncobj_device_open("/dev/node", &device), 0);
	assert_int_equal(syncobj_device_backend(device), SYNCOBJ_BACKEND_DRM);
}

static void a_node_of_no_kind_is_enodev(void **state)
{
	int node = uapimock_expect_open("/dev/node", 0);

	expect_not_a_device(node, ENOTTY);
	expect_not_drm(node);
	uapimock_expect_close(node);
	assert_int_equal(syncobj_device_open("/dev/node", &device), -ENODEV);
}

static void a_node_of_the_other_kind_is_enodev(void **state)
{
	expect_not_a_device(uapimock_expect_open("/dev/dri/card0", 0), EINVAL);
	assert_int_equal(syncobj_device_open("device:/dev/dri/card0", &device), -ENODEV);
	expect_not_drm(uapimock_expect_open("/dev/syncobj", 0));
	assert_int_equal(syncobj_device_open("drm:/dev/syncobj", &device), -ENODEV);
}

static void a_query_that_succeeds_is_not_the_device(void **state)
{
	uapimock_expect_ioctl(uapimock_expect_open("/dev/node", 0), SYNCOBJ_IOC_QUERY);
	assert_int_equal(syncobj_device_open("device:/dev/node", &device), -ENODEV);
}

static void errors_of_a_named_node_are_told(void **state)
{
	uapimock_expect_open("/dev/node", ENOENT);
	assert_int_equal(syncobj_device_open("drm:/dev/node", &device), -ENOENT);
	uapimock_expect_open("/dev/node", EACCES);
	assert_int_equal(syncobj_device_open("/dev/node", &device), -EACCES);
}

static void drm_without_timelines_is_eopnotsupp(void **state)
{
	expect_drm_without(uapimock_expect_open(DRM_NODE, 0), false);
	assert_int_equal(syncobj_device_open("drm:" DRM_NODE, &device), -EOPNOTSUPP);
	expect_drm_without(uapimock_expect_open(DRM_NODE, 0), true);
	assert_int_equal(syncobj_device_open("drm:" DRM_NODE, &device), -EOPNOTSUPP);
}

static void old_kernels_have_fewer_features(void **state)
{
	expect_drm_probe(uapimock_expect_open(DRM_NODE, 0), WITHOUT_EVENTFD | WITHOUT_DEADLINE);
	assert_int_equal(syncobj_device_open("drm:" DRM_NODE, &device), 0);
	assert_int_equal(syncobj_device_features(device),
			 SYNCOBJ_FEATURE_TIMELINE | SYNCOBJ_FEATURE_SYNC_FILE);
}

static void open_fd_duplicates(void **state)
{
	int node = uapimock_expect_open("/dev/syncobj", 0);
	int fd = open("/dev/syncobj", O_RDWR | O_CLOEXEC);

	expect_probe(node);
	assert_int_equal(syncobj_device_open_fd(fd, &device), 0);
	close(fd);
	assert_int_not_equal(device->fd, fd);
	assert_true(fcntl(device->fd, F_GETFD) & FD_CLOEXEC);
	assert_string_equal(syncobj_device_path(device), "");
	assert_string_equal(syncobj_device_description(device), "device");
}

static void open_fd_of_something_else_fails(void **state)
{
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);
	int path = open("/", O_PATH | O_CLOEXEC);

	assert_int_equal(syncobj_device_open_fd(-1, &device), -EBADF);
	assert_int_equal(syncobj_device_open_fd(file, &device), -ENODEV);
	assert_int_equal(syncobj_device_open_fd(path, &device), -EBADF);
	close(file);
	close(path);
}

static void references_keep_the_device_open(void **state)
{
	struct syncobj_device *other;
	int node = uapimock_expect_open("/dev/syncobj", 0);

	expect_probe(node);
	assert_int_equal(syncobj_device_open("device", &device), 0);
	other = syncobj_device_ref(device);
	assert_null(syncobj_device_unref(device));
	assert_true(fcntl(node, F_GETFD) >= 0);
	uapimock_expect_close(node);
	device = syncobj_device_unref(other);
}

static void objects_keep_the_device_open(void **state)
{
	struct syncobj *syncobj;
	int node = uapimock_expect_open("/dev/syncobj", 0);

	fx.node = node;
	expect_probe(node);
	assert_int_equal(syncobj_device_open("device", &device), 0);
	expect_create(0);
	assert_int_equal(syncobj_create(device, 0, &syncobj), 0);
	device = syncobj_device_unref(device);
	assert_true(fcntl(node, F_GETFD) >= 0);
	uapimock_expect_close(node);
	syncobj_unref(syncobj);
}

static void other_descriptors_are_no_syncobjs(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(syncobj_identify(fd), SYNCOBJ_KIND_NONE);
	close(fd);
	assert_int_equal(syncobj_identify(fd), -EBADF);
	assert_int_equal(syncobj_identify(-1), -EBADF);
}

static void soft_objects_are_known(void **state)
{
	struct syncobj *syncobj;

	assert_int_equal(syncobj_device_open("soft", &device), 0);
	assert_int_equal(syncobj_create(device, 0, &syncobj), 0);
	assert_int_equal(syncobj_identify(syncobj_fd(syncobj)), SYNCOBJ_KIND_SOFT);
	syncobj_unref(syncobj);
}

static void export_gives_a_descriptor_of_its_own(void **state)
{
	struct syncobj *syncobj;
	int fd;

	assert_int_equal(syncobj_device_open("soft", &device), 0);
	assert_int_equal(syncobj_create(device, 0, &syncobj), 0);
	fd = syncobj_export(syncobj);
	assert_true(fd >= 0 && fd != syncobj_fd(syncobj));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	syncobj_unref(syncobj);
	assert_int_equal(syncobj_identify(fd), SYNCOBJ_KIND_SOFT);
	close(fd);
}

#define t(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(the_device_is_preferred),
		t(the_device_may_be_under_dri),
		t(render_nodes_come_next_in_order),
		t(soft_is_not_chosen_unless_named),
		t(the_first_node_that_does_not_open_gives_the_error),
		t(a_node_that_does_not_open_is_passed_over),
		t(device_searches_no_drm_node),
		t(drm_searches_drm_nodes_only),
		t(the_environment_names_the_device),
		t(the_argument_goes_before_the_environment),
		t(malformed_names_are_einval),
		t(a_bare_path_may_be_of_either_kind),
		t(a_node_of_no_kind_is_enodev),
		t(a_node_of_the_other_kind_is_enodev),
		t(a_query_that_succeeds_is_not_the_device),
		t(errors_of_a_named_node_are_told),
		t(drm_without_timelines_is_eopnotsupp),
		t(old_kernels_have_fewer_features),
		t(open_fd_duplicates),
		t(open_fd_of_something_else_fails),
		t(references_keep_the_device_open),
		t(objects_keep_the_device_open),
		t(other_descriptors_are_no_syncobjs),
		t(soft_objects_are_known),
		t(export_gives_a_descriptor_of_its_own),
	};

	return cmocka_run_group_tests_name("syncobj-open", tests, NULL, NULL);
}
