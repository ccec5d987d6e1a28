/* SPDX-License-Identifier: MIT */
/* Devices and objects of both kernel backends on scripted ioctls. */
#include "fixture.h"

struct fixture fx;

struct uapimock_ioctl *expect_probe(int node)
{
	const struct syncobj_array_args args = {.count = 1};
	const int32_t none = -1;
	struct uapimock_ioctl *e = uapimock_expect_ioctl(node, SYNCOBJ_IOC_QUERY);

	uapimock_in_at(e, 16, &args.count, 8);
	uapimock_in_via(e, 0, &none, sizeof(none));
	return uapimock_fails(e, EBADF);
}

static void expect_cap(int node, uint64_t capability)
{
	const struct drm_get_cap in = {.capability = capability};
	const struct drm_get_cap out = {.capability = capability, .value = 1};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(node, DRM_IOCTL_GET_CAP);

	uapimock_in(e, &in, sizeof(in));
	uapimock_out(e, &out, sizeof(out));
}

void expect_drm_probe(int node, unsigned int without)
{
	const struct drm_eventfd_args eventfd = {.fd = -1};
	const struct drm_wait_args wait = {.flags = 8};
	struct uapimock_ioctl *e;

	uapimock_expect_version(node, "virtio_gpu", 0, 1, 0);
	expect_cap(node, 0x13);
	expect_cap(node, 0x14);
	e = uapimock_expect_ioctl(node, DRM_EVENTFD);
	uapimock_in(e, &eventfd, sizeof(eventfd));
	uapimock_fails(e, without & WITHOUT_EVENTFD ? EINVAL : ENOENT);
	e = uapimock_expect_ioctl(node, DRM_TIMELINE_WAIT);
	uapimock_in(e, &wait, sizeof(wait));
	if (without & WITHOUT_DEADLINE)
		uapimock_fails(e, EINVAL);
}

int expect_create(uint32_t flags)
{
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_CREATE);

	uapimock_in_at(e, 4, &flags, sizeof(flags));
	return uapimock_out_fd(e, 0);
}

int expect_drm_create(uint32_t flags, uint32_t handle)
{
	const struct drm_syncobj_create in = {.flags = flags};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_CREATE);

	uapimock_in(e, &in, sizeof(in));
	uapimock_out_at(e, 0, &handle, sizeof(handle));
	return 0;
}

void expect_drm_to_fd(uint32_t handle, uint32_t flags, int *ret_fd, int error)
{
	const struct drm_syncobj_handle in = {.handle = handle, .flags = flags, .fd = -1};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD);

	uapimock_in(e, &in, sizeof(in));
	if (error)
		uapimock_fails(e, error);
	else
		*ret_fd = uapimock_out_fd(e, offsetof(struct drm_syncobj_handle, fd));
}

void expect_drm_import_sync_file(uint32_t handle, int sync_file, int error)
{
	const struct drm_syncobj_handle in = {.handle = handle, .flags = 1, .fd = sync_file};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE);

	uapimock_in(e, &in, sizeof(in));
	if (error)
		uapimock_fails(e, error);
}

void expect_drm_transfer(uint32_t dst, uint64_t dst_point, uint32_t src, uint64_t src_point,
			 int error)
{
	const struct drm_syncobj_transfer in = {
		.src_handle = src,
		.dst_handle = dst,
		.src_point = src_point,
		.dst_point = dst_point,
	};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_TRANSFER);

	uapimock_in(e, &in, sizeof(in));
	if (error)
		uapimock_fails(e, error);
}

void expect_drm_destroy(uint32_t handle)
{
	const struct drm_syncobj_destroy in = {.handle = handle};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_SYNCOBJ_DESTROY);

	uapimock_in(e, &in, sizeof(in));
}

struct uapimock_ioctl *expect_wait(uint64_t point, int64_t timeout_nsec, uint32_t flags)
{
	struct uapimock_ioctl *e =
		uapimock_expect_ioctl(fx.node, fx.drm ? DRM_TIMELINE_WAIT : SYNCOBJ_IOC_WAIT);
	const struct syncobj_wait_args in = {
		.timeout_nsec = timeout_nsec,
		.count = 1,
		.flags = flags,
	};

	/* The structs differ in what the first array holds. */
	uapimock_in_at(e, 16, &in.timeout_nsec, sizeof(in) - 16);
	uapimock_in_via(e, 0, fx.drm ? &fx.handle : (uint32_t *)&fx.fd, sizeof(fx.handle));
	return uapimock_in_via(e, 8, &point, sizeof(point));
}

struct uapimock_ioctl *expect_eventfd(uint64_t point, uint32_t flags)
{
	struct uapimock_ioctl *e;

	if (fx.drm) {
		e = uapimock_expect_ioctl(fx.node, DRM_EVENTFD);
		uapimock_in_at(e, 0, &fx.handle, sizeof(fx.handle));
		uapimock_in_at(e, 4, &flags, sizeof(flags));
	} else {
		e = uapimock_expect_ioctl(fx.node, SYNCOBJ_IOC_EVENTFD);
		uapimock_in_at(e, 0, &fx.fd, sizeof(fx.fd));
		uapimock_in_at(e, 16, &flags, sizeof(flags));
	}
	return uapimock_in_at(e, 8, &point, sizeof(point));
}

int fixture_setup(void **state)
{
	fx = (struct fixture){.fds = count_fds(), .node = -1};
	uapimock_begin();
	return 0;
}

int device_setup(void **state)
{
	fixture_setup(state);
	fx.node = uapimock_expect_open(NODE, 0);
	expect_probe(fx.node);
	if (syncobj_device_open("device:" NODE, &fx.device) < 0)
		return -1;
	fx.fd = expect_create(0);
	return syncobj_create(fx.device, 0, &fx.object);
}

int drm_setup(void **state)
{
	fixture_setup(state);
	fx.drm = true;
	fx.node = uapimock_expect_open(DRM_NODE, 0);
	expect_drm_probe(fx.node, 0);
	if (syncobj_device_open("drm:" DRM_NODE, &fx.device) < 0)
		return -1;
	fx.handle = 7;
	expect_drm_create(0, fx.handle);
	expect_drm_to_fd(fx.handle, 0, &fx.fd, 0);
	return syncobj_create(fx.device, 0, &fx.object);
}

int fixture_teardown(void **state)
{
	if (fx.object && fx.drm)
		expect_drm_destroy(fx.handle);
	syncobj_unref(fx.object);
	syncobj_device_unref(fx.device);
	uapimock_end();
	if (count_fds() != fx.fds) {
		print_error("%u file descriptors instead of %u\n", count_fds(), fx.fds);
		return -1;
	}
	return 0;
}
