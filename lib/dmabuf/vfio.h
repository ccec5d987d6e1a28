/* SPDX-License-Identifier: MIT */
/* A VFIO device and the seam between it and the two kinds: the kernel's, and one in user space. */
#ifndef DMABUF_VFIO_H
#define DMABUF_VFIO_H

#include <pthread.h>
#include <stdatomic.h>

#include "internal.h"

/* Arguments have been checked. */
struct vfio_ops {
	/* Return: a new descriptor, O_CLOEXEC. */
	int (*export)(struct dmabuf_vfio *device, uint32_t bar, const struct dmabuf_range *ranges,
		      size_t count, uint64_t size, uint32_t attr, uint32_t flags);
	int (*revoke)(struct dmabuf_vfio *device, int fd);
	int (*reset)(struct dmabuf_vfio *device);
	void (*close)(struct dmabuf_vfio *device);
};

struct dmabuf_vfio {
	atomic_uint refs;
	const struct vfio_ops *ops;
	uint32_t features;
	char *description;
	struct dmabuf_vfio_region regions[DMABUF_VFIO_BARS];
	int fd; /* the kernel's; or -1 */
	/* Kept open for it: the iommufd; or the group and its container. */
	int iommu, group;
	bool has_revoke_ioctl; /* revoke is that of the first posting */
	bool has_attr_flags;   /* and so is the memory attribute */
	struct vfio_soft *soft;
};

/* Fill everything but refs. What is there already is the caller's to close if they fail. */
int vfio_kernel_open(struct dmabuf_vfio *device, const char *name);
int vfio_soft_open(struct dmabuf_vfio *device, const char *sizes);

#endif
