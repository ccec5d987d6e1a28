/* SPDX-License-Identifier: MIT */
/* The drm backend: syncobjs by the handles of a DRM node, which stay inside. */
#include <stdio.h>
#include <xf86drm.h>

#include "internal.h"

#define address(ptr) ((uint64_t)(uintptr_t)(ptr))

/* What older libdrm headers lack. Kernels take structs with a longer tail than they know. */
struct timeline_wait {
	uint64_t handles;
	uint64_t points;
	int64_t timeout_nsec;
	uint32_t count_handles;
	uint32_t flags;
	uint32_t first_signaled;
	uint32_t pad;
	uint64_t deadline_nsec;
};

struct handle_eventfd {
	uint32_t handle;
	uint32_t flags;
	uint64_t point;
	int32_t fd;
	uint32_t pad;
};

#define IOCTL_TIMELINE_WAIT DRM_IOWR(0xCA, struct timeline_wait)
#define IOCTL_EVENTFD DRM_IOWR(0xCF, struct handle_eventfd)

/* A handle that is not there: /dev/syncobj says EBADF of its objects. */
static int map_error(int r)
{
	return r == -ENOENT ? -EBADF : r;
}

static int call(const struct syncobj_device *device, unsigned long request, void *args)
{
	return map_error(ioctl_restart(device->fd, request, args));
}

/* ---- handles ------------------------------------------------------------ */

static int create_handle(const struct syncobj_device *device, uint32_t flags, uint32_t *ret_handle)
{
	struct drm_syncobj_create args = {.flags = flags};
	int r = call(device, DRM_IOCTL_SYNCOBJ_CREATE, &args);

	if (r < 0)
		return r;
	*ret_handle = args.handle;
	return 0;
}

static void destroy_handle(const struct syncobj_device *device, uint32_t handle)
{
	struct drm_syncobj_destroy args = {.handle = handle};

	ioctl_restart(device->fd, DRM_IOCTL_SYNCOBJ_DESTROY, &args);
}

/* @flags: 0 for the object's file descriptor, or that of a sync_file. */
static int handle_to_fd(const struct syncobj_device *device, uint32_t handle, uint32_t flags)
{
	struct drm_syncobj_handle args = {.handle = handle, .flags = flags, .fd = -1};
	int r = call(device, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);

	return r < 0 ? r : args.fd;
}

static int import_binary(const struct syncobj_device *device, uint32_t handle, int sync_file)
{
	struct drm_syncobj_handle args = {
		.handle = handle,
		.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE,
		.fd = sync_file,
	};

	return call(device, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args);
}

/* -EINTR goes to the core, which keeps to the time limit. */
static int transfer_handles(const struct syncobj_device *device, uint32_t dst, uint64_t dst_point,
			    uint32_t src, uint64_t src_point, uint32_t flags)
{
	struct drm_syncobj_transfer args = {
		.src_handle = src,
		.dst_handle = dst,
		.src_point = src_point,
		.dst_point = dst_point,
		.flags = flags,
	};

	return ioctl(device->fd, DRM_IOCTL_SYNCOBJ_TRANSFER, &args) == -1 ? map_error(-errno) : 0;
}

/* The handle is of the process that made it: a child shares the table with its parent. */
static void own_handle(struct syncobj *syncobj, uint32_t handle)
{
	syncobj->handle = handle;
	syncobj->priv = (void *)(intptr_t)getpid();
}

/* ---- objects ------------------------------------------------------------ */

static int drm_create(struct syncobj *syncobj, uint32_t flags)
{
	uint32_t handle;
	int fd, r;

	r = create_handle(syncobj->device, flags, &handle);
	if (r < 0)
		return r;
	fd = handle_to_fd(syncobj->device, handle, 0);
	if (fd < 0) {
		destroy_handle(syncobj->device, handle);
		return fd;
	}
	syncobj->fd = fd;
	own_handle(syncobj, handle);
	return 0;
}

static int drm_import(struct syncobj *syncobj)
{
	struct drm_syncobj_handle args = {.fd = syncobj->fd};
	int r = call(syncobj->device, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args);

	if (r < 0)
		return r == -EINVAL ? -EBADF : r;
	own_handle(syncobj, args.handle);
	return 0;
}

static void drm_release(struct syncobj *syncobj)
{
	if (syncobj->priv == (void *)(intptr_t)getpid())
		destroy_handle(syncobj->device, syncobj->handle);
}

/* ---- operations --------------------------------------------------------- */

static int drm_wait(struct syncobj *const *syncobjs, const uint64_t *points, size_t count,
		    int64_t timeout_nsec, uint32_t flags, uint64_t deadline_nsec, size_t *ret_first)
{
	const struct syncobj_device *device = syncobjs[0]->device;
	uint32_t stack[STACK_OBJECTS], *handles;
	struct timeline_wait args;
	int r;

	handles = collect_numbers(syncobjs, count, offsetof(struct syncobj, handle), stack);
	if (!handles)
		return -ENOMEM;
	args = (struct timeline_wait){
		.handles = address(handles),
		.points = address(points),
		.timeout_nsec = timeout_nsec,
		.count_handles = (uint32_t)count,
		.flags = flags,
		.deadline_nsec = deadline_nsec,
	};
	/* A hint only, so an older kernel does without. */
	if (!(device->features & SYNCOBJ_FEATURE_DEADLINE)) {
		args.flags &= ~SYNCOBJ_WAIT_DEADLINE;
		args.deadline_nsec = 0;
	}
	r = ioctl_restart(device->fd, IOCTL_TIMELINE_WAIT, &args);
	if (r == -ETIME)
		r = syncobj_wait_again(device->fd, IOCTL_TIMELINE_WAIT, &args, timeout_nsec,
				       &args.flags);
	discard_numbers(handles, stack);
	if (r < 0)
		return map_error(r);
	if (ret_first)
		*ret_first = args.first_signaled;
	return 0;
}

static int drm_reset(struct syncobj *const *syncobjs, size_t count)
{
	uint32_t stack[STACK_OBJECTS], *handles;
	struct drm_syncobj_array args;
	int r;

	handles = collect_numbers(syncobjs, count, offsetof(struct syncobj, handle), stack);
	if (!handles)
		return -ENOMEM;
	args = (struct drm_syncobj_array){.handles = address(handles),
					  .count_handles = (uint32_t)count};
	r = call(syncobjs[0]->device, DRM_IOCTL_SYNCOBJ_RESET, &args);
	discard_numbers(handles, stack);
	return r;
}

/* signal and query */
static int timeline_ioctl(unsigned long request, struct syncobj *const *syncobjs,
			  const uint64_t *points, size_t count, uint32_t flags)
{
	uint32_t stack[STACK_OBJECTS], *handles;
	struct drm_syncobj_timeline_array args;
	int r;

	handles = collect_numbers(syncobjs, count, offsetof(struct syncobj, handle), stack);
	if (!handles)
		return -ENOMEM;
	args = (struct drm_syncobj_timeline_array){
		.handles = address(handles),
		.points = address(points),
		.count_handles = (uint32_t)count,
		.flags = flags,
	};
	r = call(syncobjs[0]->device, request, &args);
	discard_numbers(handles, stack);
	return r;
}

static int drm_signal(struct syncobj *const *syncobjs, const uint64_t *points, size_t count)
{
	return timeline_ioctl(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, syncobjs, points, count, 0);
}

static int drm_query(struct syncobj *const *syncobjs, size_t count, uint32_t flags,
		     uint64_t *ret_points)
{
	return timeline_ioctl(DRM_IOCTL_SYNCOBJ_QUERY, syncobjs, ret_points, count, flags);
}

static int drm_transfer(struct syncobj *dst, uint64_t dst_point, struct syncobj *src,
			uint64_t src_point, uint32_t flags)
{
	return transfer_handles(src->device, dst->handle, dst_point, src->handle, src_point, flags);
}

static int drm_eventfd(struct syncobj *syncobj, uint64_t point, int eventfd, uint32_t flags,
		       struct syncobj_registration **ret_registration)
{
	struct handle_eventfd args = {
		.handle = syncobj->handle,
		.flags = flags,
		.point = point,
		.fd = eventfd,
	};

	return call(syncobj->device, IOCTL_EVENTFD, &args);
}

/* Without its flag TIMELINE, which older kernels lack, the ioctl exports point 0 alone. */
static int drm_export_sync_file(struct syncobj *syncobj, uint64_t point)
{
	const struct syncobj_device *device = syncobj->device;
	uint32_t temporary;
	int r;

	if (point == 0)
		return handle_to_fd(device, syncobj->handle,
				    DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
	r = create_handle(device, 0, &temporary);
	if (r < 0)
		return r;
	r = transfer_handles(device, temporary, 0, syncobj->handle, point, 0);
	if (r == 0)
		r = handle_to_fd(device, temporary,
				 DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
	destroy_handle(device, temporary);
	return r;
}

/* Imported at a point, a sync_file that came from a timeline makes kernels warn. */
static int drm_import_sync_file(struct syncobj *syncobj, uint64_t point, int sync_file)
{
	const struct syncobj_device *device = syncobj->device;
	uint32_t temporary;
	int r;

	if (point == 0)
		return import_binary(device, syncobj->handle, sync_file);
	r = create_handle(device, 0, &temporary);
	if (r < 0)
		return r;
	r = import_binary(device, temporary, sync_file);
	if (r == 0)
		r = transfer_handles(device, syncobj->handle, point, temporary, 0, 0);
	destroy_handle(device, temporary);
	return r;
}

static int drm_signal_binary(struct syncobj *syncobj)
{
	struct drm_syncobj_array args = {
		.handles = address(&syncobj->handle),
		.count_handles = 1,
	};

	return call(syncobj->device, DRM_IOCTL_SYNCOBJ_SIGNAL, &args);
}

static const struct syncobj_ops drm_ops = {
	.backend = SYNCOBJ_BACKEND_DRM,
	.create = drm_create,
	.import = drm_import,
	.release = drm_release,
	.wait = drm_wait,
	.reset = drm_reset,
	.signal = drm_signal,
	.query = drm_query,
	.transfer = drm_transfer,
	.eventfd = drm_eventfd,
	.export_sync_file = drm_export_sync_file,
	.import_sync_file = drm_import_sync_file,
	.signal_binary = drm_signal_binary,
};

/* ---- opening ------------------------------------------------------------ */

static int check_cap(int fd, uint64_t capability)
{
	struct drm_get_cap args = {.capability = capability};
	int r = ioctl_restart(fd, DRM_IOCTL_GET_CAP, &args);

	if (r == -EINVAL || (r == 0 && !args.value))
		return -EOPNOTSUPP;
	return r;
}

static uint32_t probe_features(int fd)
{
	uint32_t features = SYNCOBJ_FEATURE_TIMELINE | SYNCOBJ_FEATURE_SYNC_FILE;
	/* Neither names an object: what is known fails on that, or waits for nothing. */
	struct handle_eventfd eventfd = {.fd = -1};
	struct timeline_wait wait = {.flags = SYNCOBJ_WAIT_DEADLINE};

	if (ioctl_restart(fd, IOCTL_EVENTFD, &eventfd) == -ENOENT)
		features |= SYNCOBJ_FEATURE_EVENTFD;
	if (ioctl_restart(fd, IOCTL_TIMELINE_WAIT, &wait) == 0)
		features |= SYNCOBJ_FEATURE_DEADLINE;
	return features;
}

int syncobj_drm_backend_open_fd(struct syncobj_device *device, int fd)
{
	char name[64] = "";
	struct drm_version version = {.name = name, .name_len = sizeof(name) - 1};
	int r;

	if (ioctl_restart(fd, DRM_IOCTL_VERSION, &version) < 0)
		return -ENODEV;
	r = check_cap(fd, DRM_CAP_SYNCOBJ);
	if (r == 0)
		r = check_cap(fd, DRM_CAP_SYNCOBJ_TIMELINE);
	if (r < 0)
		return r;
	device->features = probe_features(fd);
	if (asprintf(&device->description, "drm%s%s (%s)", *device->path ? " " : "", device->path,
		     name) == -1) {
		device->description = NULL;
		return -ENOMEM;
	}
	device->fd = fd;
	device->ops = &drm_ops;
	return 0;
}
