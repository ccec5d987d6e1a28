/* SPDX-License-Identifier: MIT */
/* VFIO devices on scripted ioctls: a sysfs of files, and kernels with different features. */
#ifndef VFIO_FIXTURE_H
#define VFIO_FIXTURE_H

/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <uapimock.h>

#include "../fds.h"
#include "internal.h"
#include "uapi-vfio.h"

#define ADDRESS "0000:03:00.0"
#define NODE "/dev/vfio/devices/vfio0"
#define GROUP "/dev/vfio/7"
#define CONTAINER "/dev/vfio/vfio"
#define IOMMU "/dev/iommu"

/* BAR 0 has 4 MiB, BAR 2 one page that is for reading, BAR 3 is too small to map; the rest is
 * absent or cannot be mapped. */
#define BAR0_SIZE 0x400000U

/* What a feature of VFIO_DEVICE_FEATURE is. */
enum feature_kind {
	FEATURE_DMA_BUF,
	FEATURE_REVOKE,   /* 4 bytes, SET */
	FEATURE_MEMATTR,  /* 8 bytes, SET */
	FEATURE_TPH,      /* 12 bytes, SET, a descriptor first */
	FEATURE_GET_ONLY, /* 4 bytes */
	FEATURE_VALUE,    /* 4 bytes, SET, no descriptor */
	FEATURE_ANY_SIZE, /* SET, a descriptor if there is room for one */
};

/* A kernel: its features by number, and whether it has what the first posting had. */
struct kernel {
	struct {
		uint16_t number;
		enum feature_kind kind;
	} features[4]; /* number 0 ends */
	bool revoke_ioctl;
	bool attr_flags;
	bool region_first; /* looks at the region of an export before its flags */
	bool no_reset;
};

extern const struct kernel ours, first_posting, stock_7_3, old_kernel;

struct fixture {
	unsigned int fds;
	char sysfs[64];
	int device; /* what the script gives out */
	struct dmabuf_vfio *vfio;
};

extern struct fixture fx;

/* Begin a script, with an empty sysfs; and end it. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A file, a link or a directory in the sysfs. */
void sysfs_dir(const char *path);
void sysfs_link(const char *path, const char *target);
void sysfs_file(const char *path, const char *content);
/* The device at ADDRESS, with these or NULL: its driver, its node, its group. */
void sysfs_device(const char *driver, const char *node, const char *group);

/* What is asked of a device that has been opened; @kernel answers. */
void expect_set_up(int device, const struct kernel *kernel);
/* Open NODE of that kernel: fx.vfio. */
void open_device(const struct kernel *kernel);

#endif
