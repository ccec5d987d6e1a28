/* SPDX-License-Identifier: MIT */
/* What the headers of older systems lack: a heap's charge, and flags of newer kernels. */
#ifndef DMABUF_UAPI_H
#define DMABUF_UAPI_H

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <stdint.h>

/* struct dma_heap_allocation_data of kernels that can charge; others ignore what it has more. */
struct heap_charged_args {
	uint64_t len;
	uint32_t fd;
	uint32_t fd_flags;
	uint64_t heap_flags;
	uint32_t charge_pid_fd; /* a pidfd or the directory of a cgroup; 0 for none */
	uint32_t reserved;      /* 0 */
};
#define HEAP_IOCTL_ALLOC_CHARGED _IOWR(DMA_HEAP_IOC_MAGIC, 0x0, struct heap_charged_args)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Among a pidfd's file flags: it is one of a thread. */
#define PIDFD_IS_THREAD O_EXCL

#endif
