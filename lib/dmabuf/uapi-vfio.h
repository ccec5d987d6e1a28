/* SPDX-License-Identifier: MIT */
/*
 * What linux/vfio.h of older systems lacks, and the two forms of revoke and memory
 * attributes that were posted: the first one (an ioctl, and bits of the export's
 * flags) and the features of later ones.
 */
#ifndef DMABUF_UAPI_VFIO_H
#define DMABUF_UAPI_VFIO_H

#include <linux/vfio.h>
#include <stdint.h>

/* A device's own node, bound to an iommufd; Linux 6.6. */
struct vfio_bind_args {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t out_devid;
};
#define VFIO_IOCTL_BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)

/* Export of BAR ranges; Linux 6.19. GET: the ioctl returns the dma-buf. */
#define VFIO_FEATURE_DMA_BUF 11
struct vfio_range {
	uint64_t offset;
	uint64_t length;
};
struct vfio_export_args {
	uint32_t argsz;
	uint32_t feature;
	uint32_t region_index;
	uint32_t open_flags;
	uint32_t flags;
	uint32_t nr_ranges;
	struct vfio_range ranges[];
};
/* The first posting: the memory attribute is in the flags. */
#define VFIO_EXPORT_ATTR_SHIFT 28

/* Revoke. SET. */
#define VFIO_FEATURE_REVOKE 14
struct vfio_revoke_args {
	uint32_t argsz;
	uint32_t feature;
	int32_t dmabuf_fd;
};

/* The memory attribute of later mappings. SET. */
#define VFIO_FEATURE_MEMATTR 15
struct vfio_memattr_args {
	uint32_t argsz;
	uint32_t feature;
	int32_t dmabuf_fd;
	uint32_t memattr; /* VFIO_MEMATTR_* */
};
#define VFIO_MEMATTR_NC 0
#define VFIO_MEMATTR_WC 1

/* The first posting's revoke. */
struct vfio_revoke_ioctl_args {
	uint32_t argsz;
	int32_t dmabuf_fd;
};
#define VFIO_IOCTL_REVOKE _IO(VFIO_TYPE, VFIO_BASE + 22)

#endif
