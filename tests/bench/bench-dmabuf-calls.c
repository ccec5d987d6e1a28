/* SPDX-License-Identifier: MIT */
/*
 * Makes N allocations or accesses of a buffer by libdmabuf, or sends the ioctls that
 * they come to, against an ioctl() and a close() of its own that answer at once. Run
 * under callgrind by callgrind.py: the difference between two N is what a call costs,
 * free of start-up.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <dmabuf.h>
#include <linux/dma-buf.h>

#include "common.h"
#include "uapi.h"

#define REPLACES_LIBC __attribute__((visibility("default")))
#define SIZE 4096U

int ioctl(int fd, unsigned long request, ...) REPLACES_LIBC;
int close(int fd) REPLACES_LIBC;
int pidfd_open(pid_t pid, unsigned int flags) REPLACES_LIBC;

static int buffer_fd; /* of every allocation */
static int probed;    /* until then the kernel is asked what it knows */

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == HEAP_IOCTL_ALLOC_CHARGED && !probed) {
		errno = EBADF;
		return -1;
	}
	if (request == HEAP_IOCTL_ALLOC_CHARGED || request == DMA_HEAP_IOCTL_ALLOC)
		((struct heap_charged_args *)arg)->fd = (uint32_t)buffer_fd;
	return 0;
}

int close(int fd)
{
	return 0;
}

/* Valgrind knows no pidfds: a pipe is never readable either while nobody writes. */
int pidfd_open(pid_t pid, unsigned int flags)
{
	int ends[2];

	return pipe2(ends, O_CLOEXEC) == -1 ? -1 : ends[0];
}

static struct dmabuf_heap *heap;
static struct dmabuf_charge *self;
static struct dmabuf *buffer;

/* What callgrind counts: a mode's call, but not what has to be done around it. */
#define MEASURED static __attribute__((noinline)) int

MEASURED measured_alloc(struct dmabuf **ret_buffer)
{
	return dmabuf_alloc(heap, SIZE, "bench", NULL, 0, ret_buffer);
}

MEASURED measured_charged_alloc(struct dmabuf **ret_buffer)
{
	return dmabuf_alloc(heap, SIZE, "bench", self, DMABUF_ALLOC_STRICT, ret_buffer);
}

MEASURED measured_release(struct dmabuf *released)
{
	dmabuf_unref(released);
	return 0;
}

MEASURED measured_access(void)
{
	return dmabuf_begin_access(buffer, DMABUF_READ | DMABUF_WRITE);
}

/* The system calls that the library makes for it. */
MEASURED measured_raw_alloc(void)
{
	struct dma_heap_allocation_data args = {.len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC};

	return ioctl(buffer_fd, DMA_HEAP_IOCTL_ALLOC, &args) == -1 ||
			       ioctl((int)args.fd, DMA_BUF_SET_NAME_B, "bench") == -1
		       ? -errno
		       : 0;
}

MEASURED measured_raw_charged_alloc(void)
{
	struct heap_charged_args args = {
		.len = SIZE,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.charge_pid_fd = 1,
	};
	struct pollfd ended = {.fd = buffer_fd};

	/* Whether the target has ended, before and after. */
	return poll(&ended, 1, 0) == -1 ||
			       ioctl(buffer_fd, HEAP_IOCTL_ALLOC_CHARGED, &args) == -1 ||
			       ioctl((int)args.fd, DMA_BUF_SET_NAME_B, "bench") == -1 ||
			       poll(&ended, 1, 0) == -1
		       ? -errno
		       : 0;
}

MEASURED measured_raw_release(void)
{
	return close(buffer_fd);
}

MEASURED measured_raw_access(void)
{
	struct dma_buf_sync args = {.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW};

	return ioctl(buffer_fd, DMA_BUF_IOCTL_SYNC, &args) == -1 ? -errno : 0;
}

static int alloc(void)
{
	struct dmabuf *new;
	int r = measured_alloc(&new);

	dmabuf_unref(r < 0 ? NULL : new);
	return r;
}

static int charged_alloc(void)
{
	struct dmabuf *new;
	int r = measured_charged_alloc(&new);

	dmabuf_unref(r < 0 ? NULL : new);
	return r;
}

static int release(void)
{
	struct dmabuf *new;
	int r = dmabuf_alloc(heap, SIZE, "bench", NULL, 0, &new);

	return r < 0 ? r : measured_release(new);
}

static const struct mode {
	const char *name;
	int (*call)(void);
} modes[] = {
	{"alloc", alloc},
	{"raw-alloc", measured_raw_alloc},
	{"charged-alloc", charged_alloc},
	{"raw-charged-alloc", measured_raw_charged_alloc},
	{"release", release},
	{"raw-release", measured_raw_release},
	{"access", measured_access},
	{"raw-access", measured_raw_access},
};

/* A heap whose node is /dev/null; ioctl() does the rest. */
static int open_heap(struct dmabuf_heap **ret_heap)
{
	char directory[] = "/tmp/bench-dmabuf-XXXXXX", path[64];
	int r;

	if (!mkdtemp(directory))
		return -errno;
	snprintf(path, sizeof(path), "%s/system", directory);
	r = symlink("/dev/null", path) == -1 ? -errno : 0;
	setenv("DMABUF_HEAP_PATH", directory, 1);
	if (r == 0)
		r = dmabuf_heap_open("system", ret_heap);
	unlink(path);
	rmdir(directory);
	return r;
}

static int prepare(void)
{
	uint32_t charging;
	int r;

	buffer_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	r = buffer_fd == -1 ? -errno : open_heap(&heap);
	if (r == 0)
		r = dmabuf_heap_charging(heap, &charging);
	probed = 1;
	if (r == 0)
		r = dmabuf_charge_self(&self);
	return r < 0 ? r : dmabuf_alloc(heap, SIZE, NULL, NULL, 0, &buffer);
}

int main(int argc, char **argv)
{
	const struct mode *mode = NULL;
	int r;

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(modes); i++)
		if (!strcmp(argv[1], modes[i].name))
			mode = &modes[i];
	if (!mode) {
		fprintf(stderr, "Usage: bench-dmabuf-calls "
				"[raw-]alloc|charged-alloc|release|access CALLS\n");
		return 2;
	}
	r = prepare();
	for (long i = 0, n = strtol(argv[2], NULL, 10); i < n && r == 0; i++)
		r = mode->call();
	if (r < 0) {
		fprintf(stderr, "bench-dmabuf-calls: %s\n", dmabuf_strerror(r));
		return 1;
	}
	dmabuf_unref(buffer);
	dmabuf_charge_unref(self);
	dmabuf_heap_unref(heap);
	return 0;
}
