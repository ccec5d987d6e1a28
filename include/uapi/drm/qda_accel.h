/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * User interface of the Qualcomm DSP accelerator driver, /dev/accel/accelN,
 * version 1 as posted in May 2026. Written anew from the layouts; 32-bit and
 * 64-bit programs see the same structs.
 */
#ifndef __QDA_ACCEL_H__
#define __QDA_ACCEL_H__

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_QDA_QUERY			0x00
#define DRM_QDA_GEM_CREATE		0x01
#define DRM_QDA_GEM_MMAP_OFFSET		0x02
/* 0x03 is left free for attaching to a running process of the DSP */
#define DRM_QDA_REMOTE_SESSION_CREATE	0x04
#define DRM_QDA_REMOTE_MAP		0x05
#define DRM_QDA_REMOTE_MUNMAP		0x06
#define DRM_QDA_REMOTE_INVOKE		0x07

/* The number of a QDA command, in the driver's range of DRM's numbers. */
#define DRM_IOCTL_QDA_QUERY \
	DRM_IOR(DRM_COMMAND_BASE + DRM_QDA_QUERY, struct drm_qda_query)
#define DRM_IOCTL_QDA_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_QDA_GEM_CREATE, struct drm_qda_gem_create)
#define DRM_IOCTL_QDA_GEM_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_QDA_GEM_MMAP_OFFSET, struct drm_qda_gem_mmap_offset)
#define DRM_IOCTL_QDA_REMOTE_SESSION_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_QDA_REMOTE_SESSION_CREATE, struct drm_qda_init_create)
#define DRM_IOCTL_QDA_REMOTE_MAP \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_QDA_REMOTE_MAP, struct drm_qda_mem_map)
#define DRM_IOCTL_QDA_REMOTE_MUNMAP \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_QDA_REMOTE_MUNMAP, struct drm_qda_mem_unmap)
#define DRM_IOCTL_QDA_REMOTE_INVOKE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_QDA_REMOTE_INVOKE, struct drm_qda_invoke_args)

/**
 * struct drm_qda_query - which DSP is behind the node
 * @dsp_name: out, NUL-terminated: adsp, mdsp, sdsp, cdsp, cdsp1, gdsp0, gdsp1
 */
struct drm_qda_query {
	__u8 dsp_name[16];
};

/**
 * struct drm_qda_gem_create - allocate a buffer object
 * @size: in, bytes; rounded up to whole pages
 * @handle: out, GEM handle
 * @pad: must be 0
 */
struct drm_qda_gem_create {
	__u64 size;
	__u32 handle;
	__u32 pad;
};

/**
 * struct drm_qda_gem_mmap_offset - where to mmap() a buffer object
 * @offset: out, offset on the accel node
 * @handle: in, GEM handle; not of an imported object
 * @pad: must be 0
 */
struct drm_qda_gem_mmap_offset {
	__u64 offset;
	__u32 handle;
	__u32 pad;
};

/*
 * Bit of drm_qda_fastrpc_invoke_args.attr, from driver version 1.1 on: the
 * argument is a range of a GEM object. No other bit may be set with it.
 */
#define QDA_INVOKE_ARG_GEM		(1U << 31)

/**
 * struct drm_qda_fastrpc_invoke_args - one argument of a remote call
 * @ptr: user address; for a handle argument the offset into the DMA-BUF; with
 *	QDA_INVOKE_ARG_GEM the offset into the object
 * @length: bytes
 * @fd: DMA-BUF the address lies in; 0 and -1 mean inline memory, copied; with
 *	QDA_INVOKE_ARG_GEM the GEM handle
 * @attr: not read in version 1.0; QDA_INVOKE_ARG_GEM or not in version 1.1, for
 *	in and out buffers
 */
struct drm_qda_fastrpc_invoke_args {
	__u64 ptr;
	__u64 length;
	__s32 fd;
	__u32 attr;
};

/**
 * struct drm_qda_invoke_args - call a method on the DSP
 * @handle: remote handle
 * @sc: scalars: attr[31:29] method[28:24] in[23:16] out[15:8] in handles[7:4]
 *	out handles[3:0]
 * @args: user address of one struct drm_qda_fastrpc_invoke_args per argument
 *
 * ioctl() returns -1 and errno for an error of the kernel, 0, or the status
 * the DSP answered.
 */
struct drm_qda_invoke_args {
	__u32 handle;
	__u32 sc;
	__u64 args;
};

/*
 * Bits of drm_qda_init_create.attrs that say what the process may do. Without
 * QDA_ATTR_UNSIGNED, or with any of the others, creating it needs CAP_SYS_ADMIN.
 * Further bits concern the DSP alone.
 */
#define QDA_ATTR_UNSIGNED		(1U << 3)
#define QDA_ATTR_SYSTEM			(1U << 5)
#define QDA_ATTR_PRIVILEGED		(1U << 6)
#define QDA_ATTR_CALLER_LEVEL		(7U << 13)
#define QDA_ATTR_SYSTEM_UNSIGNED	(1U << 17)

/**
 * struct drm_qda_init_create - start this file's process on the DSP
 * @filelen: bytes of the process shell, at most 4 MiB
 * @filefd: DMA-BUF that holds it
 * @attrs: process attributes of the FastRPC protocol, see QDA_ATTR_UNSIGNED
 * @siglen: bytes of signature data
 * @file: user address of the shell where there is no @filefd
 */
struct drm_qda_init_create {
	__u32 filelen;
	__s32 filefd;
	__u32 attrs;
	__u32 siglen;
	__u64 file;
};

/* Values of drm_qda_mem_map.request and drm_qda_mem_unmap.request */
#define QDA_MAP_REQUEST_LEGACY		1
#define QDA_MAP_REQUEST_ATTR		2
#define QDA_MUNMAP_REQUEST_LEGACY	1
#define QDA_MUNMAP_REQUEST_ATTR		2

/* Values of drm_qda_mem_map.flags with QDA_MAP_REQUEST_LEGACY, or 0 */
#define QDA_MMAP_DMA_BUFFER		6
#define QDA_MMAP_ADD_PAGES		0x1000
#define QDA_MMAP_ADD_PAGES_LLC		0x3000 /* in the system cache */

/* Values of drm_qda_mem_map.flags with QDA_MAP_REQUEST_ATTR */
#define QDA_MEM_MAP_STATIC		0
#define QDA_MEM_MAP_RESERVED		1
#define QDA_MEM_MAP_FD			2
#define QDA_MEM_MAP_FD_DELAYED		3
#define QDA_MEM_MAP_FD_NOMAP		16

/**
 * struct drm_qda_mem_map - map a DMA-BUF into the DSP process
 * @request: QDA_MAP_REQUEST_LEGACY reads @fd, @flags, @vaddrin, @size;
 *	QDA_MAP_REQUEST_ATTR reads all
 * @flags: how the DSP maps it, a value from above for the @request
 * @fd: DMA-BUF, and the key under which DSP code finds it
 * @attrs: must be 0
 * @offset: bytes into the DMA-BUF
 * @pad: must be 0
 * @vaddrin: wanted address or 0
 * @size: bytes
 * @vaddrout: out, the DSP's virtual address
 */
struct drm_qda_mem_map {
	__u32 request;
	__u32 flags;
	__s32 fd;
	__u32 attrs;
	__u32 offset;
	__u32 pad;
	__u64 vaddrin;
	__u64 size;
	__u64 vaddrout;
};

/**
 * struct drm_qda_mem_unmap - undo a mapping
 * @request: QDA_MUNMAP_REQUEST_LEGACY reads @vaddrout, @size;
 *	QDA_MUNMAP_REQUEST_ATTR reads @fd, @vaddr, @size
 * @fd: key of the mapping
 * @vaddr: the DSP's virtual address
 * @vaddrout: the DSP's virtual address
 * @size: bytes
 */
struct drm_qda_mem_unmap {
	__u32 request;
	__s32 fd;
	__u64 vaddr;
	__u64 vaddrout;
	__u64 size;
};

#if defined(__cplusplus)
}
#endif

#endif /* __QDA_ACCEL_H__ */
