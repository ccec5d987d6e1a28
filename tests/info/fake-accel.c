/* SPDX-License-Identifier: MIT */
/*
 * Preloaded beside umockdev: nodes below /dev/accel answer as driver qda 1.2.3 with a
 * DSP "cdsp". FAKE_ERROR is an errno that opening gives instead; FAKE_ACCESS is
 * "MODE UID GID" of the nodes. With FAKE_EVENTS the monitor tells that the first node
 * came, then that it went, then SIGTERM comes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <drm.h>
#include <drm/qda_accel.h>
#include <qda.h>

#define FAKE __attribute__((visibility("default")))
#define NODES "/dev/accel/"

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

FAKE int ioctl(int fd, unsigned long request, ...);
FAKE int ioctl(int fd, unsigned long request, ...)
{
	int (*next_ioctl)(int, unsigned long, void *) = next("ioctl");
	struct drm_version *version;
	void *arg;
	va_list args;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case DRM_IOCTL_VERSION:
		version = arg;
		version->version_major = 1;
		version->version_minor = 2;
		version->version_patchlevel = 3;
		if (version->name_len >= 3)
			memcpy(version->name, "qda", 3);
		version->name_len = 3;
		return 0;
	case DRM_IOCTL_QDA_QUERY:
		strcpy((char *)((struct drm_qda_query *)arg)->dsp_name, "cdsp");
		return 0;
	default:
		return next_ioctl(fd, request, arg);
	}
}

FAKE int open(const char *path, int flags, ...)
{
	int (*next_open)(const char *, int, mode_t) = next("open");
	const char *error = getenv("FAKE_ERROR");
	mode_t mode;
	va_list args;

	va_start(args, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (strncmp(path, NODES, strlen(NODES)) != 0)
		return next_open(path, flags, mode);
	if (error) {
		errno = atoi(error);
		return -1;
	}
	return next_open("/dev/null", flags, mode);
}

FAKE int stat(const char *path, struct stat *st)
{
	int (*next_stat)(const char *, struct stat *) = next("stat");
	const char *access = getenv("FAKE_ACCESS");
	unsigned int mode, uid, gid;

	if (!access || strncmp(path, NODES, strlen(NODES)) != 0 ||
	    sscanf(access, "%o %u %u", &mode, &uid, &gid) != 3)
		return next_stat(path, st);
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFCHR | mode;
	st->st_uid = uid;
	st->st_gid = gid;
	return 0;
}

FAKE int qda_monitor_fd(const struct qda_monitor *monitor)
{
	int (*next_fd)(const struct qda_monitor *) = next("qda_monitor_fd");

	return getenv("FAKE_EVENTS") ? eventfd(1, EFD_CLOEXEC) : next_fd(monitor);
}

FAKE int qda_monitor_receive(struct qda_monitor *monitor, int *ret_action,
			     const struct qda_device_info **ret_info)
{
	static struct qda_device_list *list;
	static int n;
	struct qda *qda;

	if (!list && (qda_new(&qda) || qda_enumerate(qda, &list) < 1))
		return -EIO;
	if (n == 2) {
		kill(getpid(), SIGTERM);
		return -EAGAIN;
	}
	*ret_action = n++ ? QDA_MONITOR_REMOVE : QDA_MONITOR_ADD;
	*ret_info = qda_device_list_get(list, 0);
	return 0;
}
