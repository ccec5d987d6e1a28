/* SPDX-License-Identifier: MIT */
/* Single calls for what users of syncobjs build from several. */
#include <linux/sync_file.h>

#include "internal.h"

/* Absolute CLOCK_MONOTONIC nanoseconds. */
static int64_t timeout_in(int64_t relative_nsec)
{
	int64_t end;

	if (relative_nsec < 0)
		return INT64_MAX;
	if (relative_nsec == 0)
		return 0;
	return __builtin_add_overflow(now_nsec(), relative_nsec, &end) ? INT64_MAX : end;
}

static int wait_one(struct syncobj *syncobj, uint64_t point, int64_t timeout_nsec, uint32_t flags)
{
	return syncobj_wait(&syncobj, &point, 1, timeout_nsec, flags, 0, NULL);
}

SYNCOBJ_EXPORT int syncobj_wait_signaled(struct syncobj *syncobj, uint64_t point,
					 int64_t relative_nsec)
{
	return wait_one(syncobj, point, timeout_in(relative_nsec), SYNCOBJ_WAIT_FOR_SUBMIT);
}

SYNCOBJ_EXPORT int syncobj_wait_available(struct syncobj *syncobj, uint64_t point,
					  int64_t relative_nsec)
{
	return wait_one(syncobj, point, timeout_in(relative_nsec), SYNCOBJ_WAIT_AVAILABLE);
}

SYNCOBJ_EXPORT int syncobj_export_sync_file_wait(struct syncobj *syncobj, uint64_t point,
						 int64_t relative_nsec)
{
	int r = syncobj_export_sync_file(syncobj, point);

	if (r != -EINVAL)
		return r;
	r = syncobj_wait_available(syncobj, point, relative_nsec);
	if (r < 0)
		return r;
	return syncobj_export_sync_file(syncobj, point);
}

SYNCOBJ_EXPORT int syncobj_signaled_sync_file(struct syncobj_device *device)
{
	struct syncobj *temporary;
	int r;

	r = syncobj_create(device, SYNCOBJ_CREATE_SIGNALED, &temporary);
	if (r < 0)
		return r;
	r = syncobj_export_sync_file(temporary, 0);
	syncobj_unref(temporary);
	return r;
}

static int file_info(int sync_file, struct sync_file_info *info)
{
	int r = ioctl_restart(sync_file, SYNC_IOC_FILE_INFO, info);

	return r == -ENOTTY ? -EINVAL : r;
}

SYNCOBJ_EXPORT int syncobj_sync_file_status(int sync_file, int *ret_status)
{
	_cleanup_free_ struct sync_fence_info *fences = NULL;
	struct sync_file_info info = {.num_fences = 0};
	int r, status;

	r = file_info(sync_file, &info);
	if (r < 0)
		return r;
	status = info.status;
	if (info.num_fences > 0) {
		uint32_t count = info.num_fences;

		fences = calloc(count, sizeof(*fences));
		if (!fences)
			return -ENOMEM;
		info = (struct sync_file_info){
			.num_fences = count,
			.sync_fence_info = (uintptr_t)fences,
		};
		r = file_info(sync_file, &info);
		if (r < 0)
			return r;
		status = info.status;
		/* A pending fence may stand before one that failed. */
		for (uint32_t i = 0; i < MIN(count, info.num_fences); i++)
			if (fences[i].status < status)
				status = fences[i].status;
	}
	*ret_status = status;
	return 0;
}

SYNCOBJ_EXPORT int syncobj_status(struct syncobj *syncobj, uint64_t point, int *ret_status)
{
	_cleanup_close_ int sync_file = -1;
	int r;

	if (syncobj_device_backend(syncobj->device) == SYNCOBJ_BACKEND_SOFT) {
		r = wait_one(syncobj, point, 0, 0);
		if (r < 0 && r != -ETIME)
			return r;
		*ret_status = r == 0;
		return 0;
	}
	sync_file = syncobj_export_sync_file(syncobj, point);
	if (sync_file < 0)
		return sync_file;
	return syncobj_sync_file_status(sync_file, ret_status);
}

static int copy_by_sync_file(struct syncobj *dst, uint64_t dst_point, struct syncobj *src,
			     uint64_t src_point)
{
	_cleanup_close_ int sync_file = syncobj_export_sync_file(src, src_point);

	if (sync_file < 0)
		return sync_file;
	return syncobj_import_sync_file(dst, dst_point, sync_file);
}

SYNCOBJ_EXPORT int syncobj_copy(struct syncobj *dst, uint64_t dst_point, struct syncobj *src,
				uint64_t src_point)
{
	int r;

	if (dst->device == src->device)
		return syncobj_transfer(dst, dst_point, src, src_point, 0);
	if (syncobj_device_backend(dst->device) != SYNCOBJ_BACKEND_SOFT &&
	    syncobj_device_backend(src->device) != SYNCOBJ_BACKEND_SOFT)
		return copy_by_sync_file(dst, dst_point, src, src_point);
	/* No fence gets across, but that of a signalled point is as good as any other such. */
	r = wait_one(src, src_point, 0, 0);
	if (r < 0)
		return r == -ETIME ? -EOPNOTSUPP : r;
	return dst_point ? syncobj_signal(&dst, &dst_point, 1) : syncobj_signal_binary(dst);
}
