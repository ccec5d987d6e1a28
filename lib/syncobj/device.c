/* SPDX-License-Identifier: MIT */
/* The device backend: the nine ioctls of /dev/syncobj, version 1. */
#include <linux/syncobj.h>
#include <stdio.h>

#include "internal.h"

#define address(ptr) ((uint64_t)(uintptr_t)(ptr))

/* reset, signal and query */
static int array_ioctl(unsigned long request, struct syncobj *const *syncobjs,
		       const uint64_t *points, size_t count, uint32_t flags)
{
	uint32_t stack[STACK_OBJECTS], *fds;
	struct syncobj_array_args args;
	int r;

	fds = collect_numbers(syncobjs, count, offsetof(struct syncobj, fd), stack);
	if (!fds)
		return -ENOMEM;
	args = (struct syncobj_array_args){
		.fds = address(fds),
		.points = address(points),
		.count = (uint32_t)count,
		.flags = flags,
	};
	r = ioctl_restart(syncobjs[0]->device->fd, request, &args);
	discard_numbers(fds, stack);
	return r;
}

static int device_wait(struct syncobj *const *syncobjs, const uint64_t *points, size_t count,
		       int64_t timeout_nsec, uint32_t flags, uint64_t deadline_nsec,
		       size_t *ret_first)
{
	uint32_t stack[STACK_OBJECTS], *fds;
	struct syncobj_wait_args args;
	int r;

	fds = collect_numbers(syncobjs, count, offsetof(struct syncobj, fd), stack);
	if (!fds)
		return -ENOMEM;
	args = (struct syncobj_wait_args){
		.fds = address(fds),
		.points = address(points),
		.timeout_nsec = timeout_nsec,
		.count = (uint32_t)count,
		.flags = flags,
		.deadline_nsec = deadline_nsec,
	};
	r = ioctl_restart(syncobjs[0]->device->fd, SYNCOBJ_IOC_WAIT, &args);
	if (r == -ETIME)
		r = syncobj_wait_again(syncobjs[0]->device->fd, SYNCOBJ_IOC_WAIT, &args,
				       timeout_nsec, &args.flags);
	discard_numbers(fds, stack);
	if (r < 0)
		return r;
	if (ret_first)
		*ret_first = args.first_signaled;
	return 0;
}

static int device_reset(struct syncobj *const *syncobjs, size_t count)
{
	return array_ioctl(SYNCOBJ_IOC_RESET, syncobjs, NULL, count, 0);
}

static int device_signal(struct syncobj *const *syncobjs, const uint64_t *points, size_t count)
{
	return array_ioctl(SYNCOBJ_IOC_SIGNAL, syncobjs, points, count, 0);
}

static int device_query(struct syncobj *const *syncobjs, size_t count, uint32_t flags,
			uint64_t *ret_points)
{
	return array_ioctl(SYNCOBJ_IOC_QUERY, syncobjs, ret_points, count, flags);
}

static int create_fd(const struct syncobj_device *device, uint32_t flags)
{
	struct syncobj_create_args args = {.flags = flags};
	int r = ioctl_restart(device->fd, SYNCOBJ_IOC_CREATE, &args);

	return r < 0 ? r : args.fd;
}

static int device_create(struct syncobj *syncobj, uint32_t flags)
{
	int fd = create_fd(syncobj->device, flags);

	if (fd < 0)
		return fd;
	syncobj->fd = fd;
	return 0;
}

/* There is nothing to import, but to query tells whether it is a syncobj. */
static int device_import(struct syncobj *syncobj)
{
	uint64_t point = 0;

	return device_query(&syncobj, 1, 0, &point);
}

/* -EINTR goes to the core, which keeps to the time limit. */
static int transfer_fds(const struct syncobj_device *device, int dst, uint64_t dst_point, int src,
			uint64_t src_point, uint32_t flags)
{
	struct syncobj_transfer_args args = {
		.src_fd = src,
		.dst_fd = dst,
		.src_point = src_point,
		.dst_point = dst_point,
		.flags = flags,
	};

	return ioctl(device->fd, SYNCOBJ_IOC_TRANSFER, &args) == -1 ? -errno : 0;
}

static int device_transfer(struct syncobj *dst, uint64_t dst_point, struct syncobj *src,
			   uint64_t src_point, uint32_t flags)
{
	return transfer_fds(src->device, dst->fd, dst_point, src->fd, src_point, flags);
}

static int device_eventfd(struct syncobj *syncobj, uint64_t point, int eventfd, uint32_t flags,
			  struct syncobj_registration **ret_registration)
{
	struct syncobj_eventfd_args args = {
		.syncobj_fd = syncobj->fd,
		.eventfd = eventfd,
		.point = point,
		.flags = flags,
	};

	return ioctl_restart(syncobj->device->fd, SYNCOBJ_IOC_EVENTFD, &args);
}

static int export_fd(const struct syncobj_device *device, int fd, uint64_t point)
{
	struct syncobj_sync_file_args args = {.syncobj_fd = fd, .point = point};
	int r = ioctl_restart(device->fd, SYNCOBJ_IOC_EXPORT_SYNC_FILE, &args);

	return r < 0 ? r : args.sync_file_fd;
}

/* At point 0: there alone every kernel takes sync_files that came from a timeline. */
static int import_binary(const struct syncobj_device *device, int fd, int sync_file)
{
	struct syncobj_sync_file_args args = {.syncobj_fd = fd, .sync_file_fd = sync_file};

	return ioctl_restart(device->fd, SYNCOBJ_IOC_IMPORT_SYNC_FILE, &args);
}

static int device_export_sync_file(struct syncobj *syncobj, uint64_t point)
{
	return export_fd(syncobj->device, syncobj->fd, point);
}

static int device_import_sync_file(struct syncobj *syncobj, uint64_t point, int sync_file)
{
	const struct syncobj_device *device = syncobj->device;
	_cleanup_close_ int temporary = -1;
	int r;

	if (point == 0)
		return import_binary(device, syncobj->fd, sync_file);
	temporary = create_fd(device, 0);
	if (temporary < 0)
		return temporary;
	r = import_binary(device, temporary, sync_file);
	if (r < 0)
		return r;
	return transfer_fds(device, syncobj->fd, point, temporary, 0, 0);
}

/* There is no ioctl for it, but the import at point 0 replaces in one step. */
static int device_signal_binary(struct syncobj *syncobj)
{
	const struct syncobj_device *device = syncobj->device;
	_cleanup_close_ int temporary = -1;
	_cleanup_close_ int sync_file = -1;

	temporary = create_fd(device, SYNCOBJ_CREATE_SIGNALED);
	if (temporary < 0)
		return temporary;
	sync_file = export_fd(device, temporary, 0);
	if (sync_file < 0)
		return sync_file;
	return import_binary(device, syncobj->fd, sync_file);
}

static const struct syncobj_ops device_ops = {
	.backend = SYNCOBJ_BACKEND_DEVICE,
	.create = device_create,
	.import = device_import,
	.wait = device_wait,
	.reset = device_reset,
	.signal = device_signal,
	.query = device_query,
	.transfer = device_transfer,
	.eventfd = device_eventfd,
	.export_sync_file = device_export_sync_file,
	.import_sync_file = device_import_sync_file,
	.signal_binary = device_signal_binary,
};

/*
 * Only /dev/syncobj says EBADF to a query of no object. DRM nodes, which look at
 * the number of an ioctl and not at its magic, take it for one that does nothing.
 */
static int probe(int fd)
{
	uint64_t point;
	int32_t none = -1;
	struct syncobj_array_args args = {
		.fds = address(&none),
		.points = address(&point),
		.count = 1,
	};
	int r = ioctl_restart(fd, SYNCOBJ_IOC_QUERY, &args);

	if (r == -EBADF)
		return 0;
	return r == -ENOMEM ? r : -ENODEV;
}

int syncobj_device_backend_open_fd(struct syncobj_device *device, int fd)
{
	int r = probe(fd);

	if (r < 0)
		return r;
	if (asprintf(&device->description, "device%s%s", *device->path ? " " : "", device->path) ==
	    -1) {
		device->description = NULL;
		return -ENOMEM;
	}
	device->fd = fd;
	device->features = SYNCOBJ_FEATURE_TIMELINE | SYNCOBJ_FEATURE_EVENTFD |
			   SYNCOBJ_FEATURE_SYNC_FILE | SYNCOBJ_FEATURE_DEADLINE;
	device->ops = &device_ops;
	return 0;
}
