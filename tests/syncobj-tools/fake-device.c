/* SPDX-License-Identifier: MIT */
/*
 * Preloaded, it plays syncobjs of the kernel: every timerfd is one. FAKE_STATE is
 * "SIGNALED SUBMITTED STATUS" of all of them, STATUS being that of a sync_file; points
 * above SUBMITTED have no fence, and with SUBMITTED 0 there is none at all unless STATUS
 * is 1. With FAKE_STATE there is a /dev/syncobj; without it objects are known only.
 * FAKE_FIRST: the errno of the first wait. FAKE_DEADLINE: the first wait needs a deadline that is
 * so many nanoseconds from now at most.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <linux/syncobj.h>

#define FAKE __attribute__((visibility("default")))

static const char timerfd_link[] = "anon_inode:[timerfd]";
static const char syncobj_link[] = "anon_inode:syncobj_file";

static struct {
	uint64_t signaled, submitted;
	int status;
} state;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static int fail(int error)
{
	errno = error;
	return -1;
}

FAKE ssize_t readlink(const char *path, char *buffer, size_t size)
{
	ssize_t (*next_readlink)(const char *, char *, size_t) = next("readlink");
	ssize_t n = next_readlink(path, buffer, size);
	size_t length = strlen(timerfd_link);

	if (n <= 0 || memcmp(buffer, timerfd_link, (size_t)n < length ? (size_t)n : length) != 0)
		return n;
	length = strlen(syncobj_link);
	length = length < size ? length : size;
	memcpy(buffer, syncobj_link, length);
	return (ssize_t)length;
}

FAKE int open(const char *path, int flags, ...)
{
	int (*next_open)(const char *, int, mode_t) = next("open");
	const char *text = getenv("FAKE_STATE");
	mode_t mode;
	va_list args;

	va_start(args, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (strcmp(path, "/dev/syncobj") != 0 || !text)
		return next_open(path, flags, mode);
	if (sscanf(text, "%" SCNu64 " %" SCNu64 " %d", &state.signaled, &state.submitted,
		   &state.status) != 3)
		abort();
	return next_open("/dev/null", flags, mode);
}

static int is_object(int fd)
{
	char path[32], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link));
	return n == (ssize_t)strlen(syncobj_link) && !memcmp(link, syncobj_link, (size_t)n);
}

/* 1 signalled, 0 pending, -1 without a fence */
static int look(uint64_t point)
{
	if (!point)
		return state.status ? 1 : state.submitted ? 0 : -1;
	return point <= state.signaled ? 1 : point <= state.submitted ? 0 : -1;
}

static int deadline_is_wrong(const struct syncobj_wait_args *args)
{
	const char *text = getenv("FAKE_DEADLINE");
	struct timespec ts;
	uint64_t now;

	if (!text)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	return !(args->flags & SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE) || args->deadline_nsec < now ||
	       args->deadline_nsec - now > strtoull(text, NULL, 10);
}

/* Nothing here changes, so there is nothing to wait for. */
static int fake_wait(struct syncobj_wait_args *args)
{
	const int32_t *fds = (const int32_t *)(uintptr_t)args->fds;
	const uint64_t *points = (const uint64_t *)(uintptr_t)args->points;
	uint32_t waits = args->flags &
			 (SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE);
	int need = args->flags & SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE ? 0 : 1;
	static int calls;
	uint32_t ready = 0;

	if (!calls++) {
		if (deadline_is_wrong(args))
			return fail(ERANGE);
		if (getenv("FAKE_FIRST"))
			return fail(atoi(getenv("FAKE_FIRST")));
	}
	for (uint32_t i = 0; i < args->count; i++) {
		int now = look(points ? points[i] : 0);

		if (!is_object(fds[i]))
			return fail(EBADF);
		if (now < 0 && !waits)
			return fail(EINVAL);
		if (now >= need && !ready++)
			args->first_signaled = i;
	}
	if (ready && (ready == args->count || !(args->flags & SYNCOBJ_WAIT_FLAGS_WAIT_ALL)))
		return 0;
	return fail(ETIME);
}

static int fake_query(const struct syncobj_array_args *args)
{
	const int32_t *fds = (const int32_t *)(uintptr_t)args->fds;
	uint64_t *points = (uint64_t *)(uintptr_t)args->points;

	for (uint32_t i = 0; i < args->count; i++) {
		if (!is_object(fds[i]))
			return fail(EBADF);
		points[i] = args->flags ? state.submitted : state.signaled;
	}
	return 0;
}

/* As the kernel's for a timeline: the summary does not show that a fence failed. */
static int fake_file_info(struct sync_file_info *info)
{
	struct sync_fence_info *fences = (struct sync_fence_info *)(uintptr_t)info->sync_fence_info;
	uint32_t room = info->num_fences;

	info->status = state.status < 0 ? 1 : state.status;
	info->num_fences = 2;
	for (uint32_t i = 0; i < room && i < 2; i++) {
		memset(&fences[i], 0, sizeof(fences[i]));
		strcpy(fences[i].driver_name, "fake\033");
		snprintf(fences[i].obj_name, sizeof(fences[i].obj_name), "ring%u", i);
		fences[i].status = i ? state.status : info->status;
		fences[i].timestamp_ns = fences[i].status ? 1234 : 0;
	}
	return 0;
}

FAKE int ioctl(int fd, unsigned long request, ...);
FAKE int ioctl(int fd, unsigned long request, ...)
{
	int (*next_ioctl)(int, unsigned long, void *) = next("ioctl");
	struct syncobj_sync_file_args *sync_file;
	struct syncobj_eventfd_args *event;
	void *arg;
	va_list args;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case SYNCOBJ_IOC_CREATE:
		((struct syncobj_create_args *)arg)->fd =
			timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		return 0;
	case SYNCOBJ_IOC_WAIT:
		return fake_wait(arg);
	case SYNCOBJ_IOC_QUERY:
		return fake_query(arg);
	case SYNCOBJ_IOC_EVENTFD:
		event = arg;
		if (look(event->point) >= (event->flags ? 0 : 1))
			eventfd_write(event->eventfd, 1);
		return 0;
	case SYNCOBJ_IOC_EXPORT_SYNC_FILE:
		sync_file = arg;
		if (look(sync_file->point) < 0)
			return fail(EINVAL);
		sync_file->sync_file_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		return 0;
	case SYNC_IOC_FILE_INFO:
		return fake_file_info(arg);
	default:
		return next_ioctl(fd, request, arg);
	}
}
