/* SPDX-License-Identifier: MIT */
/* Devices and objects, and the checks of arguments that all backends share. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define WAIT_FLAGS                                                             \
	(SYNCOBJ_WAIT_ALL | SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_AVAILABLE | \
	 SYNCOBJ_WAIT_DEADLINE)
#define TRANSFER_TIMEOUT_MS 5000 /* the kernel's */

/* Render minors that every kernel has. */
#define RENDER_MINOR_FIRST 128
#define RENDER_MINOR_LAST 191

/* ---- devices ------------------------------------------------------------ */

/* As syncobj_device_backend_open_fd() and its like. */
typedef int (*use_fd_fn)(struct syncobj_device *device, int fd);

static int use_any(struct syncobj_device *device, int fd)
{
	int r = syncobj_device_backend_open_fd(device, fd);

	return r == -ENODEV ? syncobj_drm_backend_open_fd(device, fd) : r;
}

/* @ret_open_failed tells that the node is there and could not be opened; or NULL. */
static int open_node(struct syncobj_device *device, const char *path, use_fd_fn use,
		     bool *ret_open_failed)
{
	char *copy;
	int fd, r;

	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1) {
		r = -errno;
		if (ret_open_failed)
			*ret_open_failed = r != -ENOENT && r != -ENOTDIR;
		return r;
	}
	copy = strdup(path);
	r = -ENOMEM;
	if (copy) {
		free(device->path);
		device->path = copy;
		r = use(device, fd);
	}
	if (r < 0)
		close(fd);
	return r;
}

/* Nodes that do not fit are passed over; an error is told if no other fits. */
static bool try_node(struct syncobj_device *device, const char *path, use_fd_fn use, int *error)
{
	bool open_failed = false;
	int r = open_node(device, path, use, &open_failed);

	if (r < 0 && *error == -ENODEV && (open_failed || r == -ENOMEM))
		*error = r;
	return r == 0;
}

static int search(struct syncobj_device *device, bool devices, bool drm)
{
	static const char *const paths[] = {"/dev/syncobj", "/dev/dri/syncobj"};
	char path[32];
	int r = -ENODEV;

	for (size_t i = 0; devices && i < ARRAY_SIZE(paths); i++)
		if (try_node(device, paths[i], syncobj_device_backend_open_fd, &r))
			return 0;
	for (int minor = RENDER_MINOR_FIRST; drm && minor <= RENDER_MINOR_LAST; minor++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", minor);
		if (try_node(device, path, syncobj_drm_backend_open_fd, &r))
			return 0;
	}
	return r;
}

static int open_by_name(struct syncobj_device *device, const char *name)
{
	if (!name) {
		name = secure_getenv("SYNCOBJ_DEVICE");
		if (!name || !*name)
			return search(device, true, true);
	}
	if (strcmp(name, "device") == 0)
		return search(device, true, false);
	if (strcmp(name, "drm") == 0)
		return search(device, false, true);
	if (strcmp(name, "soft") == 0)
		return syncobj_soft_backend_open(device);
	if (strncmp(name, "device:", 7) == 0 && name[7])
		return open_node(device, name + 7, syncobj_device_backend_open_fd, NULL);
	if (strncmp(name, "drm:", 4) == 0 && name[4])
		return open_node(device, name + 4, syncobj_drm_backend_open_fd, NULL);
	if (strchr(name, '/'))
		return open_node(device, name, use_any, NULL);
	return -EINVAL;
}

static struct syncobj_device *device_alloc(void)
{
	struct syncobj_device *device = calloc(1, sizeof(*device));

	if (!device)
		return NULL;
	device->refs = 1;
	device->fd = -1;
	return device;
}

static struct syncobj_device *device_free(struct syncobj_device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	free(device->path);
	free(device->description);
	free(device);
	return NULL;
}

SYNCOBJ_EXPORT int syncobj_device_open(const char *name, struct syncobj_device **ret_device)
{
	struct syncobj_device *device = device_alloc();
	int r;

	if (!device)
		return -ENOMEM;
	r = open_by_name(device, name);
	if (r < 0) {
		device_free(device);
		return r;
	}
	*ret_device = device;
	return 0;
}

SYNCOBJ_EXPORT int syncobj_device_open_fd(int fd, struct syncobj_device **ret_device)
{
	struct syncobj_device *device;
	int own, r;

	r = fcntl(fd, F_GETFL);
	if (r == -1)
		return -errno;
	if (r & O_PATH) /* ioctls give EBADF too, which is how /dev/syncobj is known */
		return -EBADF;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own == -1)
		return -errno;
	device = device_alloc();
	r = -ENOMEM;
	if (!device)
		goto fail_fd;
	device->path = strdup("");
	if (!device->path)
		goto fail_device;
	r = use_any(device, own);
	if (r < 0)
		goto fail_device;
	*ret_device = device;
	return 0;

fail_device:
	device_free(device);
fail_fd:
	close(own);
	return r;
}

SYNCOBJ_EXPORT struct syncobj_device *syncobj_device_ref(struct syncobj_device *device)
{
	atomic_fetch_add_explicit(&device->refs, 1, memory_order_relaxed);
	return device;
}

SYNCOBJ_EXPORT struct syncobj_device *syncobj_device_unref(struct syncobj_device *device)
{
	if (!device || atomic_fetch_sub_explicit(&device->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	if (device->ops->device_close)
		device->ops->device_close(device);
	return device_free(device);
}

SYNCOBJ_EXPORT int syncobj_device_backend(const struct syncobj_device *device)
{
	return device->ops->backend;
}

SYNCOBJ_EXPORT uint32_t syncobj_device_features(const struct syncobj_device *device)
{
	return device->features;
}

SYNCOBJ_EXPORT const char *syncobj_device_path(const struct syncobj_device *device)
{
	return device->path;
}

SYNCOBJ_EXPORT const char *syncobj_device_description(const struct syncobj_device *device)
{
	return device->description;
}

/* ---- objects ------------------------------------------------------------ */

static struct syncobj *object_alloc(struct syncobj_device *device)
{
	struct syncobj *syncobj = calloc(1, sizeof(*syncobj));

	if (!syncobj)
		return NULL;
	syncobj->refs = 1;
	syncobj->fd = -1;
	syncobj->device = syncobj_device_ref(device);
	return syncobj;
}

static struct syncobj *object_free(struct syncobj *syncobj)
{
	if (syncobj->fd >= 0)
		close(syncobj->fd);
	syncobj_device_unref(syncobj->device);
	free(syncobj);
	return NULL;
}

SYNCOBJ_EXPORT int syncobj_create(struct syncobj_device *device, uint32_t flags,
				  struct syncobj **ret_syncobj)
{
	struct syncobj *syncobj;
	int r;

	if (flags & ~SYNCOBJ_CREATE_SIGNALED)
		return -EINVAL;
	syncobj = object_alloc(device);
	if (!syncobj)
		return -ENOMEM;
	r = device->ops->create(syncobj, flags);
	if (r < 0) {
		object_free(syncobj);
		return r;
	}
	*ret_syncobj = syncobj;
	return 0;
}

SYNCOBJ_EXPORT int syncobj_import(struct syncobj_device *device, int fd,
				  struct syncobj **ret_syncobj)
{
	struct syncobj *syncobj = object_alloc(device);
	int r;

	if (!syncobj)
		return -ENOMEM;
	syncobj->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	r = syncobj->fd == -1 ? -errno : device->ops->import(syncobj);
	if (r < 0) {
		object_free(syncobj);
		return r;
	}
	*ret_syncobj = syncobj;
	return 0;
}

SYNCOBJ_EXPORT int syncobj_export(const struct syncobj *syncobj)
{
	int fd = fcntl(syncobj->fd, F_DUPFD_CLOEXEC, 0);

	return fd == -1 ? -errno : fd;
}

SYNCOBJ_EXPORT int syncobj_fd(const struct syncobj *syncobj)
{
	return syncobj->fd;
}

SYNCOBJ_EXPORT struct syncobj_device *syncobj_device_of(const struct syncobj *syncobj)
{
	return syncobj->device;
}

SYNCOBJ_EXPORT struct syncobj *syncobj_ref(struct syncobj *syncobj)
{
	atomic_fetch_add_explicit(&syncobj->refs, 1, memory_order_relaxed);
	return syncobj;
}

SYNCOBJ_EXPORT struct syncobj *syncobj_unref(struct syncobj *syncobj)
{
	if (!syncobj || atomic_fetch_sub_explicit(&syncobj->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	if (syncobj->device->ops->release)
		syncobj->device->ops->release(syncobj);
	return object_free(syncobj);
}

SYNCOBJ_EXPORT int syncobj_identify(int fd)
{
	static const char name[] = "anon_inode:syncobj_file";
	char path[32], link[sizeof(name)];
	ssize_t n;

	if (fcntl(fd, F_GETFD) == -1)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link));
	if (n == sizeof(name) - 1 && memcmp(link, name, sizeof(name) - 1) == 0)
		return SYNCOBJ_KIND_DRM;
	return syncobj_soft_is(fd) ? SYNCOBJ_KIND_SOFT : SYNCOBJ_KIND_NONE;
}

SYNCOBJ_EXPORT int syncobj_rebind(struct syncobj *syncobj, struct syncobj_device *device)
{
	struct syncobj bound = {.device = device, .fd = syncobj->fd};
	struct syncobj_device *old = syncobj->device;
	int r;

	r = device->ops->import(&bound);
	if (r < 0)
		return r;
	if (old->ops->release)
		old->ops->release(syncobj);
	syncobj->device = syncobj_device_ref(device);
	syncobj->handle = bound.handle;
	syncobj->priv = bound.priv;
	syncobj_device_unref(old);
	return 0;
}

/* ---- operations --------------------------------------------------------- */

/* Out of the way of the usual call, which is for one object. */
static __attribute__((noinline)) int check_many(struct syncobj *const *syncobjs, size_t count)
{
	if (count == 0)
		return -EINVAL;
	if (count > SYNCOBJ_MAX)
		return -E2BIG;
	for (size_t i = 1; i < count; i++)
		if (syncobjs[i]->device != syncobjs[0]->device)
			return -EXDEV;
	return 0;
}

static inline int check_objects(struct syncobj *const *syncobjs, size_t count)
{
	return __builtin_expect(count == 1, 1) ? 0 : check_many(syncobjs, count);
}

/* Times a wait that ended too early is continued. */
#define EARLY_MAX 9

/*
 * The kernel counts in ticks: where some come late, a wait is over too early, and what is
 * left is waited for. Points that were submitted then may have been reset, which must not
 * become an error. The number is limited for the sake of time namespaces, of which the
 * kernel's waits know nothing: there the time may be past for it and ahead here.
 */
int syncobj_wait_again(int fd, unsigned long request, void *args, int64_t timeout_nsec,
		       uint32_t *flags)
{
	int r = -ETIME;

	*flags |= SYNCOBJ_WAIT_FOR_SUBMIT;
	for (int i = 0; i < EARLY_MAX && r == -ETIME; i++) {
		if (timeout_nsec <= 0 || now_nsec() >= timeout_nsec)
			break;
		r = ioctl_restart(fd, request, args);
	}
	return r;
}

SYNCOBJ_EXPORT int syncobj_wait(struct syncobj *const *syncobjs, const uint64_t *points,
				size_t count, int64_t timeout_nsec, uint32_t flags,
				uint64_t deadline_nsec, size_t *ret_first)
{
	int r;

	if (flags & ~WAIT_FLAGS)
		return -EINVAL;
	r = check_objects(syncobjs, count);
	if (r < 0)
		return count == 0 ? 0 : r;
	return syncobjs[0]->device->ops->wait(syncobjs, points, count, timeout_nsec, flags,
					      flags & SYNCOBJ_WAIT_DEADLINE ? deadline_nsec : 0,
					      ret_first);
}

SYNCOBJ_EXPORT int syncobj_reset(struct syncobj *const *syncobjs, size_t count)
{
	int r = check_objects(syncobjs, count);

	if (r < 0)
		return r;
	return syncobjs[0]->device->ops->reset(syncobjs, count);
}

SYNCOBJ_EXPORT int syncobj_signal(struct syncobj *const *syncobjs, const uint64_t *points,
				  size_t count)
{
	int r = check_objects(syncobjs, count);

	if (r < 0)
		return r;
	return syncobjs[0]->device->ops->signal(syncobjs, points, count);
}

SYNCOBJ_EXPORT int syncobj_query(struct syncobj *const *syncobjs, size_t count, uint32_t flags,
				 uint64_t *ret_points)
{
	int r;

	if (flags & ~SYNCOBJ_QUERY_LAST_SUBMITTED)
		return -EINVAL;
	r = check_objects(syncobjs, count);
	if (r < 0)
		return r;
	return syncobjs[0]->device->ops->query(syncobjs, count, flags, ret_points);
}

SYNCOBJ_EXPORT int syncobj_transfer(struct syncobj *dst, uint64_t dst_point, struct syncobj *src,
				    uint64_t src_point, uint32_t flags)
{
	struct timespec end = {0};
	int r;

	if (flags & ~SYNCOBJ_WAIT_FOR_SUBMIT)
		return -EINVAL;
	if (dst->device != src->device)
		return -EXDEV;
	if (flags)
		end = deadline_in(TRANSFER_TIMEOUT_MS);
	r = src->device->ops->transfer(dst, dst_point, src, src_point, flags);
	/* Sent again it would have the 5 s anew, so what is left of them is waited for first. */
	while (r == -EINTR) {
		r = syncobj_wait(&src, &src_point, 1,
				 end.tv_sec * INT64_C(1000000000) + end.tv_nsec,
				 SYNCOBJ_WAIT_AVAILABLE, 0, NULL);
		if (r == 0)
			r = src->device->ops->transfer(dst, dst_point, src, src_point, flags);
	}
	return r;
}

int syncobj_eventfd_register(struct syncobj *syncobj, uint64_t point, int eventfd, uint32_t flags,
			     struct syncobj_registration **ret_registration)
{
	if (flags & ~SYNCOBJ_WAIT_AVAILABLE)
		return -EINVAL;
	if (!(syncobj->device->features & SYNCOBJ_FEATURE_EVENTFD))
		return -EOPNOTSUPP;
	return syncobj->device->ops->eventfd(syncobj, point, eventfd, flags, ret_registration);
}

SYNCOBJ_EXPORT int syncobj_eventfd(struct syncobj *syncobj, uint64_t point, int eventfd,
				   uint32_t flags)
{
	return syncobj_eventfd_register(syncobj, point, eventfd, flags, NULL);
}

SYNCOBJ_EXPORT int syncobj_export_sync_file(struct syncobj *syncobj, uint64_t point)
{
	return syncobj->device->ops->export_sync_file(syncobj, point);
}

SYNCOBJ_EXPORT int syncobj_import_sync_file(struct syncobj *syncobj, uint64_t point, int sync_file)
{
	return syncobj->device->ops->import_sync_file(syncobj, point, sync_file);
}

SYNCOBJ_EXPORT int syncobj_signal_binary(struct syncobj *syncobj)
{
	return syncobj->device->ops->signal_binary(syncobj);
}

/* ---- texts -------------------------------------------------------------- */

SYNCOBJ_EXPORT const char *syncobj_strerror(int error)
{
	const char *text;

	if (error > 0 || error < -4095) /* the kernel's highest */
		return "unknown error";
	switch (-error) {
	case 0:
		return "success";
	case EINVAL:
		return "invalid argument, or a point without a fence";
	case EBADF:
		return "the file descriptor is closed, no syncobj, or one of another kind";
	case ENODEV:
		return "no device for syncobjs, or it is gone";
	case EOPNOTSUPP:
		return "the device does not support this";
	case ETIME:
		return "the time is over";
	case EAGAIN:
		return "the point is not ready yet";
	case E2BIG:
		return "too many objects in one call";
	case EXDEV:
		return "objects of several devices in one call";
	case ENOMEM:
		return "out of memory";
	case EMFILE:
		return "too many open files in the process";
	case ENFILE:
		return "too many open files in the system";
	case EACCES:
		return "permission denied";
	case ENOENT:
		return "no such node";
	}
	text = strerrordesc_np(-error);
	return text ? text : "unknown error";
}
