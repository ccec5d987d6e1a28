/* SPDX-License-Identifier: MIT */
/* What the libraries and tools share: cleanup attributes, sizes, the ioctl restart policy. */
#ifndef COMMON_H
#define COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* @align is a power of two. */
#define ALIGN_UP(value, align) (((value) + ((align)-1)) & ~((align)-1))

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

/* Take @fd and return it under a number not below @min; a negative errno if that fails. */
static inline int move_fd(int fd, int min)
{
	int moved;

	if (fd >= min)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, min);
	if (moved == -1)
		moved = -errno;
	close(fd);
	return moved;
}

/* CLOCK_MONOTONIC in @timeout_ms milliseconds. */
static inline struct timespec deadline_in(int timeout_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += timeout_ms / 1000;
	ts.tv_nsec += (timeout_ms % 1000) * 1000000L;
	if (ts.tv_nsec >= 1000000000L) {
		ts.tv_nsec -= 1000000000L;
		ts.tv_sec++;
	}
	return ts;
}

/* Milliseconds until @deadline, rounded up; 0 once it has passed. */
static inline int time_left_ms(const struct timespec *deadline)
{
	struct timespec now;
	int64_t left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = (int64_t)(deadline->tv_sec - now.tv_sec) * 1000000000 + deadline->tv_nsec -
	       now.tv_nsec;
	return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

/* A thread of the library's own: it takes no signal of the application's. */
static inline int start_thread(pthread_t *ret_thread, void *(*main)(void *), void *data)
{
	sigset_t all, saved;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(ret_thread, NULL, main, data);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return -r;
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
