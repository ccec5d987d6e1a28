/* SPDX-License-Identifier: GPL-2.0-only */
/* Charged allocations from dma-heaps, for test programs. */
#ifndef HEAP_H
#define HEAP_H

#include "cgroup.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* The structure with the charge; older headers end before it. */
struct heap_alloc {
	uint64_t len;
	uint32_t fd;
	uint32_t fd_flags;
	uint64_t heap_flags;
	uint32_t charge_pid_fd;
	uint32_t padding;
};

#define HEAP_ALLOC _IOWR('H', 0, struct heap_alloc)

#define SELF_THREAD (-10000)
#define SELF_PROCESS (-10001)

static inline const char *heap_path(void)
{
	const char *path = getenv("DMA_HEAP");

	return path ? path : "/dev/dma_heap/system";
}

static inline int heap_open(void)
{
	return open(heap_path(), O_RDONLY | O_CLOEXEC);
}

/* A buffer's descriptor, or a negative errno. @charge: 0 for nobody. */
static inline int heap_alloc(int heap, uint64_t len, int charge)
{
	struct heap_alloc args = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.charge_pid_fd = (uint32_t)charge,
	};
	int r = call(heap, HEAP_ALLOC, &args);

	return r < 0 ? r : (int)args.fd;
}

#endif
