// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/syncobj: DRM sync objects by file descriptors, without a DRM device
 *
 * The objects are those of drm_syncobj.c, so they may be passed to and from any
 * DRM driver. An open file of the device has no state: each ioctl acts on the
 * sync objects that its arguments name by their file descriptors.
 */

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/uaccess.h>

#include <drm/drm.h>
#include <drm/drm_syncobj.h>
#include <drm/drm_utils.h>

#include <uapi/linux/syncobj.h>

/* Most objects of one call. A wait for them needs 4 MiB. */
#define SYNCOBJ_MAX	65536

/* Objects of one call for which nothing is allocated. */
#define SYNCOBJ_FEW	8

#define SYNCOBJ_WAIT_FLAGS			\
	(SYNCOBJ_WAIT_FLAGS_WAIT_ALL |		\
	 SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT |	\
	 SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE |	\
	 SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE)

/* They are handed on as they are. */
static_assert(SYNCOBJ_CREATE_SIGNALED == DRM_SYNCOBJ_CREATE_SIGNALED);
static_assert(SYNCOBJ_WAIT_FLAGS_WAIT_ALL == DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL);
static_assert(SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT ==
	      DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT);
static_assert(SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE ==
	      DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE);
static_assert(SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE ==
	      DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE);
static_assert(SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED ==
	      DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED);

static void syncobj_put(struct drm_syncobj *object)
{
	if (object)
		drm_syncobj_put(object);
}

DEFINE_FREE(syncobj_put, struct drm_syncobj *, syncobj_put(_T))

/* The objects of one call, and their points, NULL for all 0. */
struct syncobj_array {
	u32 count;
	struct drm_syncobj **objects;
	u64 *points;
	struct drm_syncobj *few_objects[SYNCOBJ_FEW];
	u64 few_points[SYNCOBJ_FEW];
};

/* @few, or an array of @count elements if it is too small. */
static void *syncobj_array_alloc(void *few, u32 count, size_t size)
{
	if (count <= SYNCOBJ_FEW)
		return few;

	return kvmalloc_array(count, size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

static void syncobj_array_free(void *array, const void *few)
{
	if (array != few)
		kvfree(array);
}

static void syncobj_array_put(struct syncobj_array *array)
{
	for (u32 i = 0; i < array->count; i++)
		drm_syncobj_put(array->objects[i]);
	syncobj_array_free(array->objects, array->few_objects);
	syncobj_array_free(array->points, array->few_points);
}

static int syncobj_array_lookup(struct syncobj_array *array, const s32 *fds,
				u32 count)
{
	array->objects = syncobj_array_alloc(array->few_objects, count,
					     sizeof(*array->objects));
	if (!array->objects)
		return -ENOMEM;

	for (array->count = 0; array->count < count; array->count++) {
		struct drm_syncobj *object =
			drm_syncobj_from_fd(fds[array->count]);

		if (!object) {
			syncobj_array_put(array);
			return -EBADF;
		}
		array->objects[array->count] = object;
	}

	return 0;
}

/* On success syncobj_array_put() is owed. */
static int syncobj_array_get(struct syncobj_array *array, u64 user_fds,
			     u32 count)
{
	s32 few_fds[SYNCOBJ_FEW], *fds;
	int ret;

	array->points = NULL;
	if (count > SYNCOBJ_MAX)
		return -ENOMEM;

	fds = syncobj_array_alloc(few_fds, count, sizeof(*fds));
	if (!fds)
		return -ENOMEM;

	if (copy_from_user(fds, u64_to_user_ptr(user_fds), count * sizeof(*fds)))
		ret = -EFAULT;
	else
		ret = syncobj_array_lookup(array, fds, count);
	syncobj_array_free(fds, few_fds);

	return ret;
}

static int syncobj_array_get_points(struct syncobj_array *array, u64 user_points)
{
	if (!user_points)
		return 0;

	array->points = syncobj_array_alloc(array->few_points, array->count,
					    sizeof(*array->points));
	if (!array->points)
		return -ENOMEM;

	if (copy_from_user(array->points, u64_to_user_ptr(user_points),
			   array->count * sizeof(*array->points)))
		return -EFAULT;

	return 0;
}

/* User space speaks of the CLOCK_MONOTONIC of its time namespace. */
static ktime_t syncobj_time(s64 nsec)
{
	return timens_ktime_to_host(CLOCK_MONOTONIC, ns_to_ktime(nsec));
}

static int syncobj_ioctl_create(void __user *argp)
{
	struct syncobj_create_args __user *user_args = argp;
	struct drm_syncobj *object __free(syncobj_put) = NULL;
	struct syncobj_create_args args;
	int ret;

	if (copy_from_user(&args, user_args, sizeof(args)))
		return -EFAULT;

	if (args.flags & ~SYNCOBJ_CREATE_SIGNALED)
		return -EINVAL;

	ret = drm_syncobj_create(&object, args.flags, NULL);
	if (ret)
		return ret;

	FD_PREPARE(fd, O_CLOEXEC, drm_syncobj_get_file(object));
	if (fd.err)
		return fd.err;

	if (put_user(fd_prepare_fd(fd), &user_args->fd))
		return -EFAULT;

	fd_publish(fd);

	return 0;
}

static int syncobj_wait(struct syncobj_array *array,
			const struct syncobj_wait_args *args, u32 *first)
{
	signed long timeout = 0;
	ktime_t deadline, *hint = NULL;
	int ret;

	ret = syncobj_array_get_points(array, args->points);
	if (ret)
		return ret;

	if (args->timeout_nsec > 0)
		timeout = drm_timeout_abs_to_jiffies(syncobj_time(args->timeout_nsec));

	if (args->flags & SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE) {
		deadline = syncobj_time(min_t(u64, args->deadline_nsec, KTIME_MAX));
		hint = &deadline;
	}

	timeout = drm_syncobj_array_wait_timeout(array->objects, array->points,
						 array->count, args->flags,
						 timeout, first, hint);

	return timeout < 0 ? timeout : 0;
}

static int syncobj_ioctl_wait(void __user *argp)
{
	struct syncobj_wait_args __user *user_args = argp;
	struct syncobj_wait_args args;
	struct syncobj_array array;
	u32 first = ~0;
	int ret;

	if (copy_from_user(&args, user_args, sizeof(args)))
		return -EFAULT;

	if (args.flags & ~SYNCOBJ_WAIT_FLAGS || args.pad)
		return -EINVAL;

	if (!args.count)
		return 0;

	ret = syncobj_array_get(&array, args.fds, args.count);
	if (ret)
		return ret;

	ret = syncobj_wait(&array, &args, &first);
	syncobj_array_put(&array);
	if (ret)
		return ret;

	return put_user(first, &user_args->first_signaled);
}

static int syncobj_ioctl_reset(void __user *argp)
{
	struct syncobj_array_args args;
	struct syncobj_array array;
	int ret;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;

	if (args.flags || args.points || !args.count)
		return -EINVAL;

	ret = syncobj_array_get(&array, args.fds, args.count);
	if (ret)
		return ret;

	for (u32 i = 0; i < array.count; i++)
		drm_syncobj_replace_fence(array.objects[i], NULL);
	syncobj_array_put(&array);

	return 0;
}

static int syncobj_ioctl_signal(void __user *argp)
{
	struct syncobj_array_args args;
	struct syncobj_array array;
	int ret;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;

	if (args.flags || !args.count)
		return -EINVAL;

	ret = syncobj_array_get(&array, args.fds, args.count);
	if (ret)
		return ret;

	ret = syncobj_array_get_points(&array, args.points);
	if (!ret)
		ret = drm_syncobj_timeline_signal(array.objects, array.points,
						  array.count);
	syncobj_array_put(&array);

	return ret;
}

static int syncobj_ioctl_query(void __user *argp)
{
	struct syncobj_array_args args;
	struct syncobj_array array;
	u64 __user *user_points;
	int ret;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;

	if (args.flags & ~SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED || !args.count)
		return -EINVAL;

	ret = syncobj_array_get(&array, args.fds, args.count);
	if (ret)
		return ret;

	user_points = u64_to_user_ptr(args.points);
	for (u32 i = 0; i < array.count && !ret; i++)
		ret = put_user(drm_syncobj_query(array.objects[i], args.flags),
			       &user_points[i]);
	syncobj_array_put(&array);

	return ret;
}

static int syncobj_ioctl_transfer(void __user *argp)
{
	struct drm_syncobj *src __free(syncobj_put) = NULL;
	struct drm_syncobj *dst __free(syncobj_put) = NULL;
	struct syncobj_transfer_args args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;

	if (args.pad || args.flags & ~SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT)
		return -EINVAL;

	src = drm_syncobj_from_fd(args.src_fd);
	if (!src)
		return -EBADF;

	dst = drm_syncobj_from_fd(args.dst_fd);
	if (!dst)
		return -EBADF;

	return drm_syncobj_transfer(src, args.src_point, dst, args.dst_point,
				    args.flags);
}

static int syncobj_ioctl_eventfd(void __user *argp)
{
	struct drm_syncobj *object __free(syncobj_put) = NULL;
	struct syncobj_eventfd_args args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;

	if (args.flags & ~SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE || args.pad)
		return -EINVAL;

	object = drm_syncobj_from_fd(args.syncobj_fd);
	if (!object)
		return -EBADF;

	return drm_syncobj_register_eventfd(object, args.eventfd, args.point,
					    args.flags);
}

static int syncobj_ioctl_export_sync_file(void __user *argp)
{
	struct syncobj_sync_file_args __user *user_args = argp;
	struct drm_syncobj *object __free(syncobj_put) = NULL;
	struct syncobj_sync_file_args args;

	if (copy_from_user(&args, user_args, sizeof(args)))
		return -EFAULT;

	object = drm_syncobj_from_fd(args.syncobj_fd);
	if (!object)
		return -EBADF;

	FD_PREPARE(fd, O_CLOEXEC, drm_syncobj_export_sync_file(object, args.point));
	if (fd.err)
		return fd.err;

	if (put_user(fd_prepare_fd(fd), &user_args->sync_file_fd))
		return -EFAULT;

	fd_publish(fd);

	return 0;
}

static int syncobj_ioctl_import_sync_file(void __user *argp)
{
	struct drm_syncobj *object __free(syncobj_put) = NULL;
	struct syncobj_sync_file_args args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;

	object = drm_syncobj_from_fd(args.syncobj_fd);
	if (!object)
		return -EBADF;

	return drm_syncobj_import_sync_file(object, args.sync_file_fd,
					    args.point);
}

static long syncobj_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case SYNCOBJ_IOC_CREATE:
		return syncobj_ioctl_create(argp);
	case SYNCOBJ_IOC_WAIT:
		return syncobj_ioctl_wait(argp);
	case SYNCOBJ_IOC_RESET:
		return syncobj_ioctl_reset(argp);
	case SYNCOBJ_IOC_SIGNAL:
		return syncobj_ioctl_signal(argp);
	case SYNCOBJ_IOC_QUERY:
		return syncobj_ioctl_query(argp);
	case SYNCOBJ_IOC_TRANSFER:
		return syncobj_ioctl_transfer(argp);
	case SYNCOBJ_IOC_EVENTFD:
		return syncobj_ioctl_eventfd(argp);
	case SYNCOBJ_IOC_EXPORT_SYNC_FILE:
		return syncobj_ioctl_export_sync_file(argp);
	case SYNCOBJ_IOC_IMPORT_SYNC_FILE:
		return syncobj_ioctl_import_sync_file(argp);
	default:
		return -ENOIOCTLCMD;
	}
}

static const struct file_operations syncobj_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = syncobj_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice syncobj_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "syncobj",
	.fops = &syncobj_fops,
	.mode = 0666,
};
module_misc_device(syncobj_misc);

MODULE_DESCRIPTION("DRM sync objects without a DRM device");
MODULE_LICENSE("GPL");
