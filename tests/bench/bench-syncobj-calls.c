/* SPDX-License-Identifier: MIT */
/*
 * Makes N calls for one object on the device or the drm backend, or sends the
 * ioctl that they come to, against an ioctl() of its own that answers at once.
 * Run under callgrind by callgrind.py: the difference between two N is what a
 * call costs, free of start-up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <xf86drm.h>

#include <linux/syncobj.h>
#include <syncobj.h>

#define REPLACES_LIBC __attribute__((visibility("default")))

static int drm; /* which of the two is played */

int ioctl(int fd, unsigned long request, ...) REPLACES_LIBC;

/* Opening and creating; sizes differ between versions of the structs, so numbers alone count. */
static int answer(unsigned long request, void *arg)
{
	if (!drm) {
		if (request == SYNCOBJ_IOC_CREATE)
			((struct syncobj_create_args *)arg)->fd = eventfd(0, EFD_CLOEXEC);
		return 0;
	}
	switch (_IOC_NR(request)) {
	case _IOC_NR(DRM_IOCTL_GET_CAP):
		((struct drm_get_cap *)arg)->value = 1;
		return 0;
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_CREATE):
		((struct drm_syncobj_create *)arg)->handle = 1;
		return 0;
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD):
		((struct drm_syncobj_handle *)arg)->fd = eventfd(0, EFD_CLOEXEC);
		return 0;
	default:
		return 0;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	static int opened;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	switch (_IOC_NR(request)) {
	case _IOC_NR(SYNCOBJ_IOC_WAIT):
	case _IOC_NR(SYNCOBJ_IOC_SIGNAL):
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_QUERY):
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL):
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT):
		return 0;
	case _IOC_NR(SYNCOBJ_IOC_QUERY):
		if (opened++) /* the first one is the probe, which only /dev/syncobj refuses so */
			return 0;
		errno = drm ? EINVAL : EBADF;
		return -1;
	default:
		return answer(request, arg);
	}
}

/* What the ioctl has on both backends. */
struct call {
	const char *name;
	unsigned long device, drm;
};

static const struct call calls[] = {
	{"query", SYNCOBJ_IOC_QUERY, DRM_IOCTL_SYNCOBJ_QUERY},
	{"signal", SYNCOBJ_IOC_SIGNAL, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL},
	{"wait", SYNCOBJ_IOC_WAIT, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT},
};

/* The answer reads nothing of it, so that one struct does for all. */
static int raw_calls(int node, const struct call *call, long n)
{
	struct syncobj_wait_args args = {.count = 1};
	unsigned long request = drm ? call->drm : call->device;

	for (long i = 0; i < n; i++)
		if (ioctl(node, request, &args) == -1)
			return -errno;
	return 0;
}

static int library_calls(struct syncobj *syncobj, const char *name, long n)
{
	uint64_t point = 1;
	int r = 0;

	if (!strcmp(name, "query"))
		for (long i = 0; i < n && r == 0; i++)
			r = syncobj_query(&syncobj, 1, 0, &point);
	else if (!strcmp(name, "signal"))
		for (long i = 0; i < n && r == 0; i++)
			r = syncobj_signal(&syncobj, &point, 1);
	else
		for (long i = 0; i < n && r == 0; i++)
			r = syncobj_wait(&syncobj, &point, 1, 0, SYNCOBJ_WAIT_FOR_SUBMIT, 0, NULL);
	return r;
}

/* MODE is "device" or "drm", "raw" for the bare ioctl or nothing, and the call: drm-raw-query. */
int main(int argc, char **argv)
{
	struct syncobj_device *device;
	struct syncobj *syncobj;
	const char *name;
	int node, r, raw = 0;

	if (argc != 3)
		goto usage;
	drm = !strncmp(argv[1], "drm-", 4);
	if (!drm && strncmp(argv[1], "device-", 7) != 0)
		goto usage;
	name = strchr(argv[1], '-') + 1;
	if (!strncmp(name, "raw-", 4)) {
		raw = 1;
		name += 4;
	}

	node = eventfd(0, EFD_CLOEXEC);
	r = syncobj_device_open_fd(node, &device);
	if (r == 0 &&
	    syncobj_device_backend(device) != (drm ? SYNCOBJ_BACKEND_DRM : SYNCOBJ_BACKEND_DEVICE))
		r = -ENODEV;
	if (r == 0)
		r = syncobj_create(device, 0, &syncobj);
	if (r < 0) {
		fprintf(stderr, "bench-syncobj-calls: %s\n", syncobj_strerror(r));
		return 1;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (strcmp(calls[i].name, name) != 0)
			continue;
		r = raw ? raw_calls(node, &calls[i], strtol(argv[2], NULL, 10))
			: library_calls(syncobj, name, strtol(argv[2], NULL, 10));
		syncobj_unref(syncobj);
		syncobj_device_unref(device);
		close(node);
		return r < 0;
	}
usage:
	fprintf(stderr, "Usage: bench-syncobj-calls device|drm[-raw]-query|signal|wait CALLS\n");
	return 2;
}
