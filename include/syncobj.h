/* SPDX-License-Identifier: MIT */
/*
 * libsyncobj: DRM synchronisation objects (syncobjs) as plain file descriptors,
 * on /dev/syncobj, on any DRM render node, or in user space alone.
 *
 * Objects. A device (struct syncobj_device) says where operations are carried
 * out. An object (struct syncobj) is a file descriptor that can be passed to
 * other processes, and belongs to a device here. Objects of /dev/syncobj and of
 * DRM nodes are interchangeable; those of the soft backend are another kind.
 *
 * Points. An object holds a fence, or none. A timeline has points, numbers that
 * only grow until a reset; point 0 means the whole fence, which is how a binary
 * object is used. A point is submitted (available) once there is a fence for it
 * or for a later one, and signalled when that fence and all before it are done.
 *
 * Errors. Functions return 0, a non-negative result, or a negative errno, the
 * same for the same bad input whichever backend serves it: what /dev/syncobj
 * says. Out-parameters (ret_...) come last and are untouched on failure. The soft
 * backend has one more, -EIO from what changes an object: another process scribbles
 * over its memory. The objects before it in the same call have been changed then.
 *
 * Time. Timeouts called timeout_nsec are absolute CLOCK_MONOTONIC nanoseconds;
 * 0 and the past poll, INT64_MAX is for ever. Those called relative_nsec count
 * from now; negative is for ever.
 *
 * Threads. Devices and objects may be used from any number of threads at once.
 * Freeing one while another thread uses it is the caller's error. A waiter
 * belongs to one thread at a time. The soft backend starts one thread for each
 * device at the first eventfd registration; it blocks every signal and ends with
 * the device. Nothing else starts threads.
 *
 * Fork. A child may use what it inherited but soft eventfd registrations and
 * waiters, which are the parent's. All file descriptors are O_CLOEXEC.
 */
#ifndef SYNCOBJ_H
#define SYNCOBJ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct syncobj_device;
struct syncobj;
struct syncobj_waiter;

/* ---- devices ------------------------------------------------------------ */

/** Where operations are carried out. */
enum syncobj_backend {
	SYNCOBJ_BACKEND_DEVICE = 1, /**< /dev/syncobj, by its v1 ioctls */
	SYNCOBJ_BACKEND_DRM = 2,    /**< a DRM node with timeline syncobjs */
	SYNCOBJ_BACKEND_SOFT = 3,   /**< user space only: shared memory and futexes */
};

/** What a device can do; syncobj_device_features(). */
#define SYNCOBJ_FEATURE_TIMELINE 0x1U            /**< points above 0 */
#define SYNCOBJ_FEATURE_EVENTFD 0x2U             /**< syncobj_eventfd() and waiters */
#define SYNCOBJ_FEATURE_SYNC_FILE 0x4U           /**< sync_files, pending ones too */
#define SYNCOBJ_FEATURE_DEADLINE 0x8U            /**< SYNCOBJ_WAIT_DEADLINE is more than ignored */
#define SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE 0x10U /**< sync_files of signalled points only */

/**
 * syncobj_device_open - open a device
 * @name: "device" or "device:PATH", "drm" or "drm:PATH", "soft", a bare PATH of
 *	a node, or NULL
 * @ret_device: the device, with one reference
 *
 * NULL takes the environment's SYNCOBJ_DEVICE (not with raised privileges), and
 * else the first that works of /dev/syncobj, /dev/dri/syncobj, and the DRM render
 * nodes in order. Soft is used only when it is named, for its objects mean
 * nothing to a GPU driver. "device" and "drm" without a path search in the same
 * way among their kind.
 *
 * Return: 0; -EINVAL for a malformed name; -ENODEV if nothing suitable was found
 * or the node is of another kind; -EOPNOTSUPP if a DRM node has no timeline
 * syncobjs; -ENOENT, -EACCES, ... from opening the node that was named, or the
 * first that could not be opened if nothing else was found; -ENOMEM.
 */
int syncobj_device_open(const char *name, struct syncobj_device **ret_device);

/**
 * syncobj_device_open_fd - use a node that is open already
 * @fd: a DRM node's or /dev/syncobj's descriptor; it stays the caller's, the
 *	device has its own duplicate
 * @ret_device: the device, with one reference
 *
 * On a DRM node the duplicate shares the handle table with @fd; the device's
 * handles are closed with its objects.
 *
 * Return: 0; -EBADF; -ENODEV if @fd is neither; -EOPNOTSUPP; -EMFILE; -ENOMEM.
 */
int syncobj_device_open_fd(int fd, struct syncobj_device **ret_device);

/** syncobj_device_ref - take another reference. Return: @device. */
struct syncobj_device *syncobj_device_ref(struct syncobj_device *device);

/** syncobj_device_unref - drop a reference; objects hold their own. NULL is accepted. Return: NULL.
 */
struct syncobj_device *syncobj_device_unref(struct syncobj_device *device);

/** syncobj_device_backend - which backend serves the device. Return: enum syncobj_backend. */
int syncobj_device_backend(const struct syncobj_device *device);

/**
 * syncobj_device_features - what the device can do
 *
 * Return: SYNCOBJ_FEATURE_* bits, probed when the device was opened.
 */
uint32_t syncobj_device_features(const struct syncobj_device *device);

/**
 * syncobj_device_path - where the device is
 *
 * Return: path of the node; "soft" for the soft backend; "" if opened by
 * syncobj_device_open_fd(). The text is the device's.
 */
const char *syncobj_device_path(const struct syncobj_device *device);

/**
 * syncobj_device_description - say to people what the device is
 *
 * Return: text such as "drm /dev/dri/renderD128 (virtio_gpu)", the device's.
 */
const char *syncobj_device_description(const struct syncobj_device *device);

/* ---- objects ------------------------------------------------------------ */

/** The object begins signalled, as a binary object. */
#ifndef SYNCOBJ_CREATE_SIGNALED /* the kernel header's name is the same */
#define SYNCOBJ_CREATE_SIGNALED 0x1U
#endif

/**
 * syncobj_create - make an object
 * @device: the device; the object holds a reference
 * @flags: SYNCOBJ_CREATE_SIGNALED or 0
 * @ret_syncobj: the object, with one reference
 *
 * Return: 0; -EINVAL for other flags; -EMFILE, -ENFILE, -ENOMEM; -ENODEV if the
 * device is gone.
 */
int syncobj_create(struct syncobj_device *device, uint32_t flags, struct syncobj **ret_syncobj);

/**
 * syncobj_import - use an object that came as a file descriptor
 * @device: the device that will carry out operations on it
 * @fd: the file descriptor; it stays the caller's
 * @ret_syncobj: the object, with one reference
 *
 * Return: 0; -EBADF if @fd is closed, no syncobj, or of another kind than the
 * device's; -EMFILE, -ENOMEM; -ENODEV if the device is gone.
 */
int syncobj_import(struct syncobj_device *device, int fd, struct syncobj **ret_syncobj);

/**
 * syncobj_export - get a new file descriptor of the object
 *
 * Return: a file descriptor, the caller's, O_CLOEXEC; -EMFILE.
 */
int syncobj_export(const struct syncobj *syncobj);

/** syncobj_fd - the object's own file descriptor. Return: it, valid as long as the object. */
int syncobj_fd(const struct syncobj *syncobj);

/** syncobj_device_of - the device the object belongs to. Return: it, without a new reference. */
struct syncobj_device *syncobj_device_of(const struct syncobj *syncobj);

/** syncobj_ref - take another reference. Return: @syncobj. */
struct syncobj *syncobj_ref(struct syncobj *syncobj);

/** syncobj_unref - drop a reference; the last one closes. NULL is accepted. Return: NULL. */
struct syncobj *syncobj_unref(struct syncobj *syncobj);

/** What a file descriptor is; syncobj_identify(). */
enum syncobj_kind {
	SYNCOBJ_KIND_NONE = 0, /**< no syncobj */
	SYNCOBJ_KIND_DRM = 1,  /**< of the kernel: for device and drm backends */
	SYNCOBJ_KIND_SOFT = 2, /**< of the soft backend */
};

/**
 * syncobj_identify - tell whether a file descriptor is a syncobj
 * @fd: any file descriptor
 *
 * Objects of the kernel are recognised in /proc only.
 *
 * Return: enum syncobj_kind, or -EBADF if @fd is closed.
 */
int syncobj_identify(int fd);

/**
 * syncobj_rebind - carry out the object's operations on another device
 * @syncobj: the object
 * @device: a device of the same kind, such as another GPU after the first is gone
 *
 * The fences stay. Not to be called while other threads use the object.
 *
 * Return: as syncobj_import(); on failure the object stays where it was.
 */
int syncobj_rebind(struct syncobj *syncobj, struct syncobj_device *device);

/* ---- operations --------------------------------------------------------- */

/** Most objects in one call; more are refused before the kernel sees them. */
#define SYNCOBJ_MAX 65536U

/** All objects, not any of them. */
#define SYNCOBJ_WAIT_ALL 0x1U
/** Points without a fence are waited for instead of being an error. */
#define SYNCOBJ_WAIT_FOR_SUBMIT 0x2U
/** Wait until points are available only; implies waiting for submission. */
#define SYNCOBJ_WAIT_AVAILABLE 0x4U
/** @deadline_nsec is given. */
#define SYNCOBJ_WAIT_DEADLINE 0x8U

/**
 * syncobj_wait - wait for points
 * @syncobjs: @count objects of one device, duplicates allowed
 * @points: @count points, or NULL for all 0
 * @count: 0 is a success at once
 * @timeout_nsec: absolute CLOCK_MONOTONIC; a wait that signals interrupt is
 *	continued to the same end
 * @flags: SYNCOBJ_WAIT_*
 * @deadline_nsec: absolute CLOCK_MONOTONIC, a hint to who signals by when it is
 *	needed; read with SYNCOBJ_WAIT_DEADLINE only
 * @ret_first: index of an object that is ready, or NULL. Without meaning with
 *	SYNCOBJ_WAIT_ALL, not written with @count 0.
 *
 * Return: 0; -ETIME; -EINVAL for unknown flags, or a point that is not submitted
 * without SYNCOBJ_WAIT_FOR_SUBMIT or SYNCOBJ_WAIT_AVAILABLE, even if another one
 * is ready; -E2BIG above SYNCOBJ_MAX; -EXDEV for objects of several devices;
 * -ENOMEM; -ENODEV if the device is gone.
 */
int syncobj_wait(struct syncobj *const *syncobjs, const uint64_t *points, size_t count,
		 int64_t timeout_nsec, uint32_t flags, uint64_t deadline_nsec, size_t *ret_first);

/**
 * syncobj_reset - take the fences away
 * @syncobjs: @count objects of one device
 * @count: 1 to SYNCOBJ_MAX
 *
 * Waiters neither wake nor fail: one that has seen a fence goes on with it,
 * others wait for the next.
 *
 * Return: 0; -EINVAL for @count 0; -E2BIG; -EXDEV; -ENOMEM; -ENODEV.
 */
int syncobj_reset(struct syncobj *const *syncobjs, size_t count);

/**
 * syncobj_signal - add signalled points
 * @syncobjs: @count objects of one device
 * @points: @count points, or NULL for all 0
 * @count: 1 to SYNCOBJ_MAX
 *
 * A point that is not above the last one is accepted and moves nothing. Point 0
 * adds to the fence that is there and does not replace it: a pending object
 * stays pending. To signal a binary object use syncobj_signal_binary().
 *
 * Return: 0, nothing being signalled on failure; -EINVAL for @count 0; -E2BIG;
 * -EXDEV; -ENOMEM; -ENODEV.
 */
int syncobj_signal(struct syncobj *const *syncobjs, const uint64_t *points, size_t count);

/** Ask for the last submitted point instead of the last signalled one. */
#define SYNCOBJ_QUERY_LAST_SUBMITTED 0x1U

/**
 * syncobj_query - ask for the highest point up to which all is signalled
 * @syncobjs: @count objects of one device
 * @count: 1 to SYNCOBJ_MAX
 * @flags: SYNCOBJ_QUERY_LAST_SUBMITTED or 0
 * @ret_points: @count points; 0 for an object without a timeline
 *
 * Return: 0; -EINVAL for @count 0 or other flags; -E2BIG; -EXDEV; -ENOMEM; -ENODEV.
 */
int syncobj_query(struct syncobj *const *syncobjs, size_t count, uint32_t flags,
		  uint64_t *ret_points);

/**
 * syncobj_transfer - put the fence of one point at another
 * @dst, @dst_point: where to; point 0 replaces the fence
 * @src, @src_point: where from; may be the same object
 * @flags: 0, or SYNCOBJ_WAIT_FOR_SUBMIT to wait up to 5 s for the source
 *
 * Between devices use syncobj_copy().
 *
 * Return: 0; -EINVAL for other flags or a source that is not submitted; -ETIME;
 * -EXDEV; -ENOMEM; -ENODEV.
 */
int syncobj_transfer(struct syncobj *dst, uint64_t dst_point, struct syncobj *src,
		     uint64_t src_point, uint32_t flags);

/**
 * syncobj_eventfd - count an eventfd up when a point is ready
 * @syncobj: the object
 * @point: the point; it need not be submitted yet
 * @eventfd: the eventfd; it stays the caller's and may be closed at any time
 * @flags: 0 for signalled, SYNCOBJ_WAIT_AVAILABLE for available
 *
 * Adds 1 once. There is no way to take it back and no error: struct
 * syncobj_waiter has both. A registration ends with the last descriptor of the
 * object in any process; on the soft backend with @syncobj's device.
 *
 * Return: 0; -EINVAL for other flags or a descriptor that is no eventfd; -EBADF;
 * -EOPNOTSUPP without SYNCOBJ_FEATURE_EVENTFD; -ENOMEM; -ENODEV.
 */
int syncobj_eventfd(struct syncobj *syncobj, uint64_t point, int eventfd, uint32_t flags);

/**
 * syncobj_export_sync_file - get a point as a sync_file
 * @syncobj: the object
 * @point: the point; 0 is the whole fence
 *
 * Return: a new sync_file, the caller's, O_CLOEXEC; -EINVAL if the point is not
 * submitted; -EMFILE; -ENOMEM; -ENODEV; -EOPNOTSUPP without
 * SYNCOBJ_FEATURE_SYNC_FILE, unless the point is signalled and there is
 * SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE.
 */
int syncobj_export_sync_file(struct syncobj *syncobj, uint64_t point);

/**
 * syncobj_import_sync_file - put a sync_file at a point
 * @syncobj: the object
 * @point: 0 replaces the fence, others are added to the timeline
 * @sync_file: the sync_file; it stays the caller's
 *
 * Points above 0 go through a temporary object and a transfer: a sync_file that
 * was exported from a timeline makes kernels print a warning otherwise. The error
 * of a fence that had failed before the import is lost that way.
 *
 * Return: 0; -EINVAL if @sync_file is none; -EMFILE; -ENOMEM; -ENODEV;
 * -EOPNOTSUPP as for syncobj_export_sync_file().
 */
int syncobj_import_sync_file(struct syncobj *syncobj, uint64_t point, int sync_file);

/* ---- single calls for what is built from them everywhere ---------------- */

/**
 * syncobj_wait_signaled - wait until a point is signalled, submitted or not yet
 * @syncobj: the object
 * @point: the point
 * @relative_nsec: from now; 0 polls, negative is for ever
 *
 * Return: 0, -ETIME, or as syncobj_wait().
 */
int syncobj_wait_signaled(struct syncobj *syncobj, uint64_t point, int64_t relative_nsec);

/**
 * syncobj_wait_available - wait until a point is submitted
 * @syncobj: the object
 * @point: the point
 * @relative_nsec: from now; 0 polls, negative is for ever
 *
 * Return: 0, -ETIME, or as syncobj_wait().
 */
int syncobj_wait_available(struct syncobj *syncobj, uint64_t point, int64_t relative_nsec);

/**
 * syncobj_signal_binary - replace the fence by a signalled one, and wake
 *
 * What DRM_IOCTL_SYNCOBJ_SIGNAL does: after it a pending object is signalled and
 * a timeline is gone.
 *
 * Return: 0; -EMFILE; -ENOMEM; -ENODEV if the device is gone.
 */
int syncobj_signal_binary(struct syncobj *syncobj);

/**
 * syncobj_export_sync_file_wait - wait until a point is available, then export it
 * @syncobj: the object
 * @point: the point
 * @relative_nsec: from now; 0 polls, negative is for ever
 *
 * Return: as syncobj_export_sync_file(), and -ETIME.
 */
int syncobj_export_sync_file_wait(struct syncobj *syncobj, uint64_t point, int64_t relative_nsec);

/** syncobj_signaled_sync_file - make a signalled sync_file. Return: as syncobj_export_sync_file().
 */
int syncobj_signaled_sync_file(struct syncobj_device *device);

/**
 * syncobj_sync_file_status - state of a sync_file, its errors included
 * @sync_file: the sync_file
 * @ret_status: 1 signalled, 0 pending, a negative errno if a fence in it failed
 *
 * Asks for every fence in it: the summary alone hides errors of timelines.
 *
 * Return: 0; -EBADF; -EINVAL if it is no sync_file; -ENOMEM.
 */
int syncobj_sync_file_status(int sync_file, int *ret_status);

/**
 * syncobj_status - state of a point, its errors included
 * @syncobj: the object
 * @point: the point
 * @ret_status: as syncobj_sync_file_status()
 *
 * On the soft backend, where no fence fails, it works without sync_files.
 *
 * Return: 0, or as syncobj_export_sync_file().
 */
int syncobj_status(struct syncobj *syncobj, uint64_t point, int *ret_status);

/**
 * syncobj_copy - put a point of one device's object at another device's
 * @dst, @dst_point: where to; point 0 replaces the fence
 * @src, @src_point: where from
 *
 * syncobj_transfer() where the devices are the same; else through a sync_file,
 * or, into and out of the soft backend, for points that are signalled.
 *
 * Return: 0; -EINVAL if the source is not submitted; -EOPNOTSUPP if the devices
 * have no way between them; or as the operations it consists of.
 */
int syncobj_copy(struct syncobj *dst, uint64_t dst_point, struct syncobj *src, uint64_t src_point);

/* ---- waiters ------------------------------------------------------------ */

/**
 * syncobj_waiter_new - wait for a point in an event loop
 * @syncobj: the object; the waiter holds a reference
 * @point: the point; it need not be submitted yet
 * @flags: 0 for signalled, SYNCOBJ_WAIT_AVAILABLE for available
 * @ret_waiter: the waiter
 *
 * Return: as syncobj_eventfd(), and -EMFILE.
 */
int syncobj_waiter_new(struct syncobj *syncobj, uint64_t point, uint32_t flags,
		       struct syncobj_waiter **ret_waiter);

/**
 * syncobj_waiter_fd - get what an event loop watches for input
 *
 * Return: a file descriptor that is readable when there is a result; owned by
 * the waiter, not to be read.
 */
int syncobj_waiter_fd(const struct syncobj_waiter *waiter);

/**
 * syncobj_waiter_result - ask whether the point is ready
 *
 * Return: 0 if the point is ready, or was; -EAGAIN while it is not; -ENODEV if the device
 * is gone: import the object on another and syncobj_waiter_rearm(). A fence that
 * failed counts as signalled: ask syncobj_status().
 */
int syncobj_waiter_result(struct syncobj_waiter *waiter);

/**
 * syncobj_waiter_rearm - wait for the same point by another device, or for another point
 * @waiter: the waiter; its descriptor stays the same and is not readable after this
 *	unless the point is ready
 * @syncobj: the object, such as the same one after syncobj_rebind()
 * @point: the point
 *
 * Return: as syncobj_eventfd(); on failure the waiter stays as it was.
 */
int syncobj_waiter_rearm(struct syncobj_waiter *waiter, struct syncobj *syncobj, uint64_t point);

/** syncobj_waiter_free - stop waiting; NULL is accepted. Return: NULL. */
struct syncobj_waiter *syncobj_waiter_free(struct syncobj_waiter *waiter);

/* ---- texts -------------------------------------------------------------- */

/**
 * syncobj_strerror - what a negative errno of this library means
 * @error: the negative errno, or 0
 *
 * Return: static text, never NULL.
 */
const char *syncobj_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif
