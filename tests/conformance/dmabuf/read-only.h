/* SPDX-License-Identifier: MIT */
/* The check of buffers for reading that both suites make. */
#ifndef CONFORMANCE_DMABUF_READ_ONLY_H
#define CONFORMANCE_DMABUF_READ_ONLY_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <dmabuf.h>

#include "runner.h"

/* Who gets the descriptor may be another user, and hostile. */
static inline void check_not_opened_to_write(const struct dmabuf *buffer)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dmabuf_fd(buffer));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	CHECK_EQ(write(fd, "w", 1), -1);
	CHECK(mmap(NULL, dmabuf_size(buffer), PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	close(fd);
}

#endif
