/* SPDX-License-Identifier: MIT */
/* What the libraries and tools share: cleanup attributes, sizes, the ioctl restart policy. */
#ifndef COMMON_H
#define COMMON_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* @align is a power of two. */
#define ALIGN_UP(value, align) (((value) + ((align)-1)) & ~((align)-1))

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(uintptr_t)(ptr)-offsetof(type, member)))

static inline void free_cleanup(void *p)
{
	free(*(void **)p);
}

static inline void close_cleanup(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _cleanup_free_ _cleanup_(free_cleanup)
#define _cleanup_close_ _cleanup_(close_cleanup)

/* Take what a _cleanup_ variable holds, so that the caller keeps it. */
#define steal_ptr(ptr)                           \
	({                                       \
		__typeof__(ptr) stolen_ = (ptr); \
		(ptr) = NULL;                    \
		stolen_;                         \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/*
 * For ioctls that can be repeated without harm: sends them again when a signal
 * or a busy driver stopped them. Never for one that starts a remote call.
 *
 * Return: what the driver returned, 0 or more, or a negative errno.
 */
static inline int ioctl_restart(int fd, unsigned long request, void *arg)
{
	int r;

	do
		r = ioctl(fd, request, arg);
	while (r == -1 && (errno == EINTR || errno == EAGAIN));
	return r == -1 ? -errno : r;
}

#endif
