/* SPDX-License-Identifier: MIT */
/* Objects of libsyncobj and the seam between them and the backends. */
#ifndef SYNCOBJ_INTERNAL_H
#define SYNCOBJ_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <syncobj.h>

#include "common.h"

#define SYNCOBJ_EXPORT __attribute__((visibility("default")))

struct syncobj_device {
	atomic_uint refs;
	const struct syncobj_ops *ops;
	uint32_t features;
	int fd; /* the node's, or -1 */
	char *path;
	char *description;
	void *priv; /* the backend's */
};

struct syncobj {
	atomic_uint refs;
	struct syncobj_device *device;
	int fd;          /* the object's own */
	uint32_t handle; /* drm: on device->fd */
	void *priv;      /* soft: its mapping */
};

/* A registration that can be taken back; soft only, the kernel's end with the eventfd. */
struct syncobj_registration;

/*
 * Where operations are carried out. Arguments have been checked: flags are known,
 * counts are 1 to SYNCOBJ_MAX, objects belong to the device. Every function
 * returns 0, a file descriptor where it makes one, or a negative errno.
 */
struct syncobj_ops {
	int backend; /* enum syncobj_backend */
	void (*device_close)(struct syncobj_device *device);
	/* Set fd and the backend's own fields of a new object. */
	int (*create)(struct syncobj *syncobj, uint32_t flags);
	/* The same for @fd, which has been duplicated into syncobj->fd. -EBADF if it is none of
	 * this kind. */
	int (*import)(struct syncobj *syncobj);
	/* Give back all but fd, which the core closes. */
	void (*release)(struct syncobj *syncobj);
	/*
	 * EINTR is the backend's to restart; the timeout is absolute; @ret_first may be NULL.
	 * These four have the arguments of the functions that users call, in their places, so
	 * that the core passes them on where they are.
	 */
	int (*wait)(struct syncobj *const *syncobjs, const uint64_t *points, size_t count,
		    int64_t timeout_nsec, uint32_t flags, uint64_t deadline_nsec,
		    size_t *ret_first);
	int (*reset)(struct syncobj *const *syncobjs, size_t count);
	int (*signal)(struct syncobj *const *syncobjs, const uint64_t *points, size_t count);
	int (*query)(struct syncobj *const *syncobjs, size_t count, uint32_t flags,
		     uint64_t *ret_points);
	int (*transfer)(struct syncobj *dst, uint64_t dst_point, struct syncobj *src,
			uint64_t src_point, uint32_t flags);
	/* @ret_registration: NULL, or where the soft backend stores what syncobj_soft_cancel()
	 * takes. */
	int (*eventfd)(struct syncobj *syncobj, uint64_t point, int eventfd, uint32_t flags,
		       struct syncobj_registration **ret_registration);
	int (*export_sync_file)(struct syncobj *syncobj, uint64_t point);
	/* Any point; the backend takes the way that is safe. */
	int (*import_sync_file)(struct syncobj *syncobj, uint64_t point, int sync_file);
	int (*signal_binary)(struct syncobj *syncobj);
};

/* Fill fd, features, path, description, priv and ops. */
int syncobj_soft_backend_open(struct syncobj_device *device); /* soft.c */
/*
 * Fill fd, features, description, priv and ops for an open node; device->path is
 * there. @fd becomes the device's unless this fails. -ENODEV if it is of another
 * kind.
 */
int syncobj_device_backend_open_fd(struct syncobj_device *device, int fd); /* device.c */
int syncobj_drm_backend_open_fd(struct syncobj_device *device, int fd);    /* drm.c */

/* syncobj_eventfd() with a registration to take back; see struct syncobj_ops. */
int syncobj_eventfd_register(struct syncobj *syncobj, uint64_t point, int eventfd, uint32_t flags,
			     struct syncobj_registration **ret_registration);

/* CLOCK_MONOTONIC, which timeouts are in. */
static inline int64_t now_nsec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/*
 * Go on with a wait that was answered by -ETIME, for as long as there is time left.
 * @flags: those in @args, the ioctl's.
 */
int syncobj_wait_again(int fd, unsigned long request, void *args, int64_t timeout_nsec,
		       uint32_t *flags);

/* So many objects of one call are named in an array on the stack, more on the heap. */
#define STACK_OBJECTS 64

/*
 * The fds or handles, those at @member in struct syncobj, of @count objects: in
 * @stack if they fit, else to be freed; NULL without memory.
 */
static inline uint32_t *collect_numbers(struct syncobj *const *syncobjs, size_t count,
					size_t member, uint32_t stack[STACK_OBJECTS])
{
	uint32_t *numbers = stack;

	if (count > STACK_OBJECTS) {
		numbers = malloc(count * sizeof(*numbers));
		if (!numbers)
			return NULL;
	}
	for (size_t i = 0;;) { /* count is 1 or more */
		numbers[i] = *(const uint32_t *)(const void *)((const char *)syncobjs[i] + member);
		if (++i == count)
			break;
	}
	return numbers;
}

static inline void discard_numbers(uint32_t *numbers, const uint32_t stack[STACK_OBJECTS])
{
	if (numbers != stack)
		free(numbers);
}

/* Whether @fd is an object of the soft backend. */
bool syncobj_soft_is(int fd);
/* Its device is still there. */
void syncobj_soft_cancel(struct syncobj_registration *registration);

#endif
