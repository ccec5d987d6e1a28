/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls with negative errnos, and the clock, for programs that run in the test kernel. */
#ifndef SYS_H
#define SYS_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define address(ptr) ((uint64_t)(uintptr_t)(ptr))

/* What the program cannot go on without has failed with errno. */
static inline void die(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	exit(2);
}

/* 0 or more, or a negative errno. Nothing is restarted. */
static inline int call(int fd, unsigned long request, void *args)
{
	int r = ioctl(fd, request, args);

	return r == -1 ? -errno : r;
}

/* 0, or a negative errno. */
static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r;

	if (fd == -1)
		return -errno;
	r = write(fd, text, strlen(text)) == -1 ? -errno : 0;
	close(fd);
	return r;
}

static inline int64_t now_nsec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

#endif
