/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * User interface of /dev/syncobj, DRM synchronisation objects as plain file
 * descriptors. 32-bit and 64-bit programs see the same structs.
 */
#ifndef _UAPI_LINUX_SYNCOBJ_H_
#define _UAPI_LINUX_SYNCOBJ_H_

#include <linux/ioctl.h>
#include <linux/types.h>

#define SYNCOBJ_IOC_BASE 0xCD

#define SYNCOBJ_CREATE_SIGNALED			(1 << 0)

#define SYNCOBJ_WAIT_FLAGS_WAIT_ALL		(1 << 0)
#define SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT	(1 << 1)
#define SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE	(1 << 2)
#define SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE	(1 << 3)

#define SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED	(1 << 0)

/**
 * struct syncobj_create_args - make an object
 * @fd: out, its file descriptor
 * @flags: SYNCOBJ_CREATE_SIGNALED or 0
 */
struct syncobj_create_args {
	__s32 fd;
	__u32 flags;
};

/**
 * struct syncobj_wait_args - wait for points
 * @fds: address of @count __s32
 * @points: address of @count __u64, or 0 for all points 0
 * @timeout_nsec: absolute, CLOCK_MONOTONIC; 0 and the past poll
 * @count: objects; none is a success
 * @flags: SYNCOBJ_WAIT_FLAGS_*
 * @first_signaled: out on success, index of a ready object
 * @pad: must be 0
 * @deadline_nsec: hint, read with SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE only
 */
struct syncobj_wait_args {
	__u64 fds;
	__u64 points;
	__s64 timeout_nsec;
	__u32 count;
	__u32 flags;
	__u32 first_signaled;
	__u32 pad;
	__u64 deadline_nsec;
};

/**
 * struct syncobj_array_args - reset, signal or query objects
 * @fds: address of @count __s32
 * @points: address of @count __u64; 0 for reset
 * @count: objects, at least one
 * @flags: 0, for query also SYNCOBJ_QUERY_FLAGS_*
 */
struct syncobj_array_args {
	__u64 fds;
	__u64 points;
	__u32 count;
	__u32 flags;
};

/**
 * struct syncobj_transfer_args - put one object's point at another's
 * @src_fd: file descriptor of the object to take the fence from
 * @dst_fd: file descriptor of the object to put it into, may be the same one
 * @src_point: point to take, or 0 for the whole fence
 * @dst_point: point to add, or 0 to replace the fence
 * @flags: 0 or SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT, to wait up to 5 seconds for
 *	@src_point to be submitted
 * @pad: must be 0
 */
struct syncobj_transfer_args {
	__s32 src_fd;
	__s32 dst_fd;
	__u64 src_point;
	__u64 dst_point;
	__u32 flags;
	__u32 pad;
};

/**
 * struct syncobj_eventfd_args - count an eventfd up when a point is ready
 * @syncobj_fd: file descriptor of the object
 * @eventfd: file descriptor of the eventfd
 * @point: point, or 0 for the whole fence; need not be submitted yet
 * @flags: 0 or SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE
 * @pad: must be 0
 */
struct syncobj_eventfd_args {
	__s32 syncobj_fd;
	__s32 eventfd;
	__u64 point;
	__u32 flags;
	__u32 pad;
};

/**
 * struct syncobj_sync_file_args - export a point as a sync_file, or import one
 * @syncobj_fd: file descriptor of the object
 * @sync_file_fd: out for export, in for import
 * @point: point; 0 exports the whole fence, or replaces it
 */
struct syncobj_sync_file_args {
	__s32 syncobj_fd;
	__s32 sync_file_fd;
	__u64 point;
};

#define SYNCOBJ_IOC_CREATE		_IOWR(SYNCOBJ_IOC_BASE, 0, struct syncobj_create_args)
#define SYNCOBJ_IOC_WAIT		_IOWR(SYNCOBJ_IOC_BASE, 1, struct syncobj_wait_args)
#define SYNCOBJ_IOC_RESET		_IOW(SYNCOBJ_IOC_BASE, 2, struct syncobj_array_args)
#define SYNCOBJ_IOC_SIGNAL		_IOW(SYNCOBJ_IOC_BASE, 3, struct syncobj_array_args)
#define SYNCOBJ_IOC_QUERY		_IOW(SYNCOBJ_IOC_BASE, 4, struct syncobj_array_args)
#define SYNCOBJ_IOC_TRANSFER		_IOW(SYNCOBJ_IOC_BASE, 5, struct syncobj_transfer_args)
#define SYNCOBJ_IOC_EVENTFD		_IOW(SYNCOBJ_IOC_BASE, 6, struct syncobj_eventfd_args)
#define SYNCOBJ_IOC_EXPORT_SYNC_FILE	_IOWR(SYNCOBJ_IOC_BASE, 7, struct syncobj_sync_file_args)
#define SYNCOBJ_IOC_IMPORT_SYNC_FILE	_IOW(SYNCOBJ_IOC_BASE, 8, struct syncobj_sync_file_args)

#endif /* _UAPI_LINUX_SYNCOBJ_H_ */
