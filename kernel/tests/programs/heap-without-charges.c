/* SPDX-License-Identifier: GPL-2.0-only */
/* Preloaded, it makes a dma-heap one of a kernel that does not know charge_pid_fd. */
#include <stdarg.h>

#include "heap.h"

/* Such a kernel looks at so much of the structure, whatever the size in the request. */
#define HEAP_ALLOC_OLD _IOC(_IOC_READ | _IOC_WRITE, 'H', 0, 24)

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return (int)syscall(SYS_ioctl, fd, request == HEAP_ALLOC ? HEAP_ALLOC_OLD : request, arg);
}
