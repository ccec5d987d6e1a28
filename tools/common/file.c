/* SPDX-License-Identifier: MIT */
/* Whole files: read at once, and written so that readers never see a part. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common.h"
#include "file.h"

int read_file(const char *path, size_t max, uint8_t **ret_data, size_t *ret_size)
{
	_cleanup_close_ int opened = -1;
	_cleanup_free_ uint8_t *data = NULL;
	size_t size = 0, room = 0;
	struct stat st;
	ssize_t n;
	int fd = STDIN_FILENO;

	if (strcmp(path, "-") != 0) {
		fd = opened = open(path, O_RDONLY | O_CLOEXEC);
		if (fd == -1)
			return -errno;
		/* One byte more than the size, so that the end is seen without growing. */
		if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size >= 0)
			room = MIN((size_t)st.st_size, max) + 2;
	}
	room = MAX(room, 4096U);
	for (;;) {
		if (!data || room - size < 2) {
			uint8_t *more;

			if (data)
				room *= 2;
			more = realloc(data, room);
			if (!more)
				return -ENOMEM;
			data = more;
		}
		n = read(fd, data + size, room - size - 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		if (!n)
			break;
		size += (size_t)n;
		if (size > max)
			return -EFBIG;
	}
	data[size] = 0;
	*ret_data = steal_ptr(data);
	*ret_size = size;
	return 0;
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
	ssize_t n;

	while (size) {
		n = write(fd, data, size);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_in_place(const char *path, const void *data, size_t size)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd == -1 ? -errno : write_all(fd, data, size);
}

static int write_and_rename(const char *path, const void *data, size_t size)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	mode_t mask;
	int r;

	if (asprintf(&temporary, "%s.XXXXXX", path) == -1) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd == -1)
		return -errno;
	r = write_all(fd, data, size);
	/* mkostemp() makes a private file; this one gets the mode that open() would give. */
	mask = umask(0);
	umask(mask);
	if (!r && fchmod(fd, 0666 & ~mask) == -1)
		r = -errno;
	/* Full disks and quotas may be reported as late as this. */
	if (!r && close(steal_fd(&fd)) == -1)
		r = -errno;
	if (!r && rename(temporary, path) == -1)
		r = -errno;
	if (r)
		unlink(temporary);
	return r;
}

int write_file(const char *path, const void *data, size_t size)
{
	sigset_t block, before;
	struct stat st;
	int r;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return write_in_place(path, data, size);

	/* A signal must not leave the temporary file behind. */
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	sigprocmask(SIG_BLOCK, &block, &before);
	r = write_and_rename(path, data, size);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
