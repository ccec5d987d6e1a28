/* SPDX-License-Identifier: MIT */
/* Devices and objects of both kernel backends on scripted ioctls. */
#ifndef SYNCOBJ_FIXTURE_H
#define SYNCOBJ_FIXTURE_H

/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/syncobj.h>

#include <drm.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <uapimock.h>

#include "../fds.h"
#include "internal.h"

#define NODE "/dev/syncobj"
#define DRM_NODE "/dev/dri/renderD128"

/* Of kernels that have deadlines; libdrm's headers may be older. */
struct drm_wait_args {
	uint64_t handles;
	uint64_t points;
	int64_t timeout_nsec;
	uint32_t count_handles;
	uint32_t flags;
	uint32_t first_signaled;
	uint32_t pad;
	uint64_t deadline_nsec;
};

struct drm_eventfd_args {
	uint32_t handle;
	uint32_t flags;
	uint64_t point;
	int32_t fd;
	uint32_t pad;
};

#define DRM_TIMELINE_WAIT 0xC03064CAUL
#define DRM_EVENTFD 0xC01864CFUL

#define WITHOUT_EVENTFD 0x1U
#define WITHOUT_DEADLINE 0x2U

struct fixture {
	unsigned int fds;
	int node;
	bool drm;
	struct syncobj_device *device;
	struct syncobj *object;
	int fd; /* the object's, or handle for drm */
	uint32_t handle;
};

extern struct fixture fx;

/* setup opens a device with one object; teardown ends the script. */
int device_setup(void **state);
int drm_setup(void **state);
int fixture_setup(void **state);
int fixture_teardown(void **state);

struct uapimock_ioctl *expect_probe(int node);
void expect_drm_probe(int node, unsigned int without);
/* One that makes an object; its fd, or 0 for a handle without one. */
int expect_create(uint32_t flags);
int expect_drm_create(uint32_t flags, uint32_t handle);
void expect_drm_to_fd(uint32_t handle, uint32_t flags, int *ret_fd, int error);
void expect_drm_import_sync_file(uint32_t handle, int sync_file, int error);
void expect_drm_transfer(uint32_t dst, uint64_t dst_point, uint32_t src, uint64_t src_point,
			 int error);
void expect_drm_destroy(uint32_t handle);
/* Calls with the fixture's object alone. */
struct uapimock_ioctl *expect_wait(uint64_t point, int64_t timeout_nsec, uint32_t flags);
struct uapimock_ioctl *expect_eventfd(uint64_t point, uint32_t flags);

#endif
