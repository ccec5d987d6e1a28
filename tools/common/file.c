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

static bool is_in_place(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode);
}

static int write_in_place(const struct out_file *file)
{
	_cleanup_close_ int fd = open(file->path, O_WRONLY | O_CLOEXEC);

	return fd == -1 ? -errno : write_all(fd, file->data, file->size);
}

/* Return: an fd, or a negative errno. */
static int open_temporary(const char *path, char **ret_temporary)
{
	char *temporary;
	int fd;

	if (asprintf(&temporary, "%s.XXXXXX", path) == -1)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd == -1) {
		fd = -errno;
		free(temporary);
		return fd;
	}
	*ret_temporary = temporary;
	return fd;
}

static int write_temporary(struct out_file *file)
{
	_cleanup_close_ int fd = open_temporary(file->path, &file->temporary);
	mode_t mask;
	int r;

	if (fd < 0)
		return fd;
	r = write_all(fd, file->data, file->size);
	/* mkostemp() makes a private file; this one gets the mode that open() would give. */
	mask = umask(0);
	umask(mask);
	if (!r && fchmod(fd, 0666 & ~mask) == -1)
		r = -errno;
	/* Full disks and quotas may be reported as late as this. */
	if (!r && close(steal_fd(&fd)) == -1)
		r = -errno;
	return r;
}

/* A signal must not leave a temporary file behind. */
static void block_signals(sigset_t *ret_before)
{
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	sigprocmask(SIG_BLOCK, &block, ret_before);
}

int check_writable(const char *path)
{
	sigset_t before;
	char *temporary;
	struct stat st;
	int fd, r = 0;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return -EISDIR;
	/* Opening a pipe would be seen by its reader. */
	if (is_in_place(path))
		return access(path, W_OK) == -1 ? -errno : 0;
	block_signals(&before);
	fd = open_temporary(path, &temporary);
	if (fd >= 0) {
		close(fd);
		unlink(temporary);
		free(temporary);
	} else {
		r = fd;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* One of three steps: 0 temporary files, 1 what is written in place, 2 renaming. */
static int write_step(struct out_file *file, int step)
{
	if (step == 0)
		return is_in_place(file->path) ? 0 : write_temporary(file);
	if (step == 1)
		return file->temporary ? 0 : write_in_place(file);
	if (!file->temporary)
		return 0;
	if (rename(file->temporary, file->path) == -1)
		return -errno;
	free(steal_ptr(file->temporary));
	return 0;
}

int write_files(struct out_file *files, size_t n, size_t *ret_failed)
{
	sigset_t before;
	int r = 0;

	block_signals(&before);
	for (int step = 0; !r && step < 3; step++) {
		for (size_t i = 0; !r && i < n; i++) {
			r = write_step(&files[i], step);
			if (r)
				*ret_failed = i;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (files[i].temporary)
			unlink(files[i].temporary);
		free(steal_ptr(files[i].temporary));
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
