/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libsyncobj when a GPU is unplugged: errors, waiters that go on by another device, no leak.
 *
 * timeout: 300
 * modules: syncobj virtio-gpu
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "fds.h"
#include "programs/node.h"

#include <syncobj.h>

#define DRIVER "/sys/bus/virtio/drivers/virtio_gpu"
#define NODE "/dev/dri/renderD128"

static struct {
	char gpu[64]; /* the virtio device's name */
	unsigned int fds;
	struct syncobj_device *drm, *device;
	struct syncobj *object; /* on drm */
} fx;

static void tell_driver(const char *what)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), DRIVER "/%s", what);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(fx.gpu, file);
	assert_int_equal(fclose(file), 0);
}

static int find_gpu(void **state)
{
	glob_t found;

	if (glob(DRIVER "/virtio*", 0, NULL, &found) != 0)
		return -1;
	snprintf(fx.gpu, sizeof(fx.gpu), "%.60s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return 0;
}

static int setup(void **state)
{
	fx.fds = count_fds();
	if (syncobj_device_open("drm:" NODE, &fx.drm) < 0 ||
	    syncobj_device_open("device", &fx.device) < 0)
		return -1;
	return syncobj_create(fx.drm, 0, &fx.object);
}

/* The test has unplugged the GPU. */
static int teardown(void **state)
{
	syncobj_unref(fx.object);
	syncobj_device_unref(fx.drm);
	syncobj_device_unref(fx.device);
	tell_driver("bind");
	return count_fds() == fx.fds && access(NODE, F_OK) == 0 ? 0 : -1;
}

static void every_operation_says_that_the_device_is_gone(void **state)
{
	struct syncobj *other;
	uint64_t point = 1;
	int event = eventfd(0, EFD_CLOEXEC), sync_file;

	sync_file = syncobj_signaled_sync_file(fx.device);
	assert_true(sync_file >= 0);
	tell_driver("unbind");

	assert_int_equal(syncobj_wait(&fx.object, &point, 1, 0, SYNCOBJ_WAIT_FOR_SUBMIT, 0, NULL),
			 -ENODEV);
	assert_int_equal(syncobj_signal(&fx.object, &point, 1), -ENODEV);
	assert_int_equal(syncobj_signal_binary(fx.object), -ENODEV);
	assert_int_equal(syncobj_query(&fx.object, 1, 0, &point), -ENODEV);
	assert_int_equal(point, 1);
	assert_int_equal(syncobj_reset(&fx.object, 1), -ENODEV);
	assert_int_equal(syncobj_transfer(fx.object, 1, fx.object, 0, 0), -ENODEV);
	assert_int_equal(syncobj_eventfd(fx.object, 1, event, 0), -ENODEV);
	assert_int_equal(syncobj_export_sync_file(fx.object, 0), -ENODEV);
	assert_int_equal(syncobj_export_sync_file(fx.object, 1), -ENODEV);
	assert_int_equal(syncobj_import_sync_file(fx.object, 0, sync_file), -ENODEV);
	assert_int_equal(syncobj_import_sync_file(fx.object, 1, sync_file), -ENODEV);
	assert_int_equal(syncobj_create(fx.drm, 0, &other), -ENODEV);
	assert_int_equal(syncobj_import(fx.drm, syncobj_fd(fx.object), &other), -ENODEV);
	close(sync_file);
	close(event);
}

static void object_goes_on_by_another_device(void **state)
{
	int timeline = sw_sync_open(), fence = sw_sync_fence(timeline, 1);
	uint64_t point = 5;

	assert_int_equal(syncobj_import_sync_file(fx.object, point, fence), 0);
	tell_driver("unbind");
	assert_int_equal(syncobj_rebind(fx.object, fx.device), 0);
	assert_int_equal(syncobj_wait_signaled(fx.object, point, 0), -ETIME);
	assert_int_equal(sw_sync_advance(timeline, 1), 0);
	assert_int_equal(syncobj_wait_signaled(fx.object, point, 0), 0);
	close(fence);
	close(timeline);
}

static void waiter_goes_on_by_another_device(void **state)
{
	struct syncobj_waiter *waiter;
	struct pollfd pfd = {.events = POLLIN};
	uint64_t point = 5;

	assert_int_equal(syncobj_waiter_new(fx.object, point, 0, &waiter), 0);
	pfd.fd = syncobj_waiter_fd(waiter);
	assert_int_equal(syncobj_waiter_result(waiter), -EAGAIN);
	tell_driver("unbind");
	assert_int_equal(syncobj_waiter_result(waiter), -ENODEV);

	assert_int_equal(syncobj_rebind(fx.object, fx.device), 0);
	assert_int_equal(syncobj_waiter_rearm(waiter, fx.object, point), 0);
	assert_int_equal(syncobj_waiter_result(waiter), -EAGAIN);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(syncobj_signal(&fx.object, &point, 1), 0);
	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_int_equal(syncobj_waiter_result(waiter), 0);
	syncobj_waiter_free(waiter);
}

/* What was registered before stays with the object, not with the device. */
static void waiter_of_before_still_fires(void **state)
{
	struct syncobj_waiter *waiter;
	struct syncobj *other;
	struct pollfd pfd = {.events = POLLIN};
	uint64_t point = 5;

	assert_int_equal(syncobj_import(fx.device, syncobj_fd(fx.object), &other), 0);
	assert_int_equal(syncobj_waiter_new(fx.object, point, 0, &waiter), 0);
	pfd.fd = syncobj_waiter_fd(waiter);
	tell_driver("unbind");
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(syncobj_signal(&other, &point, 1), 0);
	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_int_equal(syncobj_waiter_result(waiter), 0);
	syncobj_waiter_free(waiter);
	syncobj_unref(other);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_operation_says_that_the_device_is_gone),
		TEST(object_goes_on_by_another_device),
		TEST(waiter_goes_on_by_another_device),
		TEST(waiter_of_before_still_fires),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("syncobj-unplug", tests, find_gpu, NULL);
}
