/* SPDX-License-Identifier: GPL-2.0-only */
/* The raw ioctls of /dev/syncobj and of sw_sync, for programs that run in the test kernel. */
#ifndef NODE_H
#define NODE_H

#include <linux/syncobj.h>

#include "sys.h"

#define SW_SYNC "/sys/kernel/debug/sync/sw_sync"

static inline const char *node_path(void)
{
	const char *path = getenv("SYNCOBJ_NODE");

	return path ? path : "/dev/syncobj";
}

/* A new object's descriptor, or a negative errno. */
static inline int node_create(int node, uint32_t flags)
{
	struct syncobj_create_args args = {.fd = -1, .flags = flags};
	int r = call(node, SYNCOBJ_IOC_CREATE, &args);

	return r < 0 ? r : args.fd;
}

static inline int node_wait(int node, int fd, uint64_t point, int64_t timeout_nsec, uint32_t flags)
{
	int32_t fds = fd;
	struct syncobj_wait_args args = {
		.fds = address(&fds),
		.points = address(&point),
		.timeout_nsec = timeout_nsec,
		.count = 1,
		.flags = flags,
	};

	return call(node, SYNCOBJ_IOC_WAIT, &args);
}

static inline int node_signal(int node, int fd, uint64_t point)
{
	int32_t fds = fd;
	struct syncobj_array_args args = {
		.fds = address(&fds),
		.points = address(&point),
		.count = 1,
	};

	return call(node, SYNCOBJ_IOC_SIGNAL, &args);
}

static inline int node_reset(int node, int fd)
{
	int32_t fds = fd;
	struct syncobj_array_args args = {.fds = address(&fds), .count = 1};

	return call(node, SYNCOBJ_IOC_RESET, &args);
}

static inline int node_query(int node, int fd, uint32_t flags, uint64_t *ret_point)
{
	int32_t fds = fd;
	struct syncobj_array_args args = {
		.fds = address(&fds),
		.points = address(ret_point),
		.count = 1,
		.flags = flags,
	};

	return call(node, SYNCOBJ_IOC_QUERY, &args);
}

static inline int node_eventfd(int node, int fd, uint64_t point, int eventfd, uint32_t flags)
{
	struct syncobj_eventfd_args args = {
		.syncobj_fd = fd,
		.eventfd = eventfd,
		.point = point,
		.flags = flags,
	};

	return call(node, SYNCOBJ_IOC_EVENTFD, &args);
}

static inline int node_transfer(int node, int dst, uint64_t dst_point, int src, uint64_t src_point,
				uint32_t flags)
{
	struct syncobj_transfer_args args = {
		.src_fd = src,
		.dst_fd = dst,
		.src_point = src_point,
		.dst_point = dst_point,
		.flags = flags,
	};

	return call(node, SYNCOBJ_IOC_TRANSFER, &args);
}

/* A sync_file's descriptor, or a negative errno. */
static inline int node_export(int node, int fd, uint64_t point)
{
	struct syncobj_sync_file_args args = {
		.syncobj_fd = fd,
		.sync_file_fd = -1,
		.point = point,
	};
	int r = call(node, SYNCOBJ_IOC_EXPORT_SYNC_FILE, &args);

	return r < 0 ? r : args.sync_file_fd;
}

static inline int node_import(int node, int fd, uint64_t point, int sync_file)
{
	struct syncobj_sync_file_args args = {
		.syncobj_fd = fd,
		.sync_file_fd = sync_file,
		.point = point,
	};

	return call(node, SYNCOBJ_IOC_IMPORT_SYNC_FILE, &args);
}

/* ---- pending fences ----------------------------------------------------- */

struct sw_sync_create_fence {
	uint32_t value;
	char name[32];
	int32_t fence;
};

#define SW_SYNC_CREATE_FENCE _IOWR('W', 0, struct sw_sync_create_fence)
#define SW_SYNC_INC _IOW('W', 1, uint32_t)

static inline int sw_sync_open(void)
{
	return open(SW_SYNC, O_RDWR | O_CLOEXEC);
}

/* A sync_file that is signalled when the timeline reaches @value, or a negative errno. */
static inline int sw_sync_fence(int timeline, uint32_t value)
{
	struct sw_sync_create_fence args = {.value = value, .name = "test"};

	return call(timeline, SW_SYNC_CREATE_FENCE, &args) < 0 ? -errno : args.fence;
}

static inline int sw_sync_advance(int timeline, uint32_t by)
{
	return call(timeline, SW_SYNC_INC, &by);
}

#endif
