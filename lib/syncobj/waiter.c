/* SPDX-License-Identifier: MIT */
/* Waiters: a point as a file descriptor that becomes readable. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "internal.h"

/*
 * The kernel cannot take a registration back, so each has an eventfd of its own,
 * and what comes late counts an eventfd up that nobody looks at. The descriptor
 * that users see is an epoll instance around it: it lives through
 * syncobj_waiter_rearm() and so stays in the user's own epoll set, which a new
 * file under the same number would not.
 */
struct syncobj_waiter {
	struct syncobj *syncobj;
	struct syncobj_device *device; /* of the registration; the object may be rebound */
	uint64_t point;
	uint32_t flags;
	int epoll;
	int eventfd;
	struct syncobj_registration *registration; /* soft */
};

/* Register for the point with a new eventfd and put that into the epoll instance. */
static int arm(const struct syncobj_waiter *waiter, struct syncobj *syncobj, uint64_t point,
	       struct syncobj_registration **ret_registration)
{
	struct epoll_event event = {.events = EPOLLIN};
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r;

	if (fd == -1 || epoll_ctl(waiter->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		return -errno;
	r = syncobj_eventfd_register(syncobj, point, fd, waiter->flags, ret_registration);
	if (r < 0) {
		epoll_ctl(waiter->epoll, EPOLL_CTL_DEL, fd, NULL);
		return r;
	}
	return steal_fd(&fd);
}

static void disarm(struct syncobj_waiter *waiter)
{
	if (waiter->registration)
		syncobj_soft_cancel(waiter->registration);
	/* A forked child may hold it open, so closing is not enough. */
	epoll_ctl(waiter->epoll, EPOLL_CTL_DEL, waiter->eventfd, NULL);
	close(waiter->eventfd);
	syncobj_unref(waiter->syncobj);
	syncobj_device_unref(waiter->device);
}

static void keep(struct syncobj_waiter *waiter, struct syncobj *syncobj)
{
	waiter->syncobj = syncobj_ref(syncobj);
	waiter->device = syncobj_device_ref(syncobj->device);
}

SYNCOBJ_EXPORT int syncobj_waiter_new(struct syncobj *syncobj, uint64_t point, uint32_t flags,
				      struct syncobj_waiter **ret_waiter)
{
	struct syncobj_waiter *waiter = calloc(1, sizeof(*waiter));
	int r;

	if (!waiter)
		return -ENOMEM;
	waiter->flags = flags;
	waiter->point = point;
	waiter->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (waiter->epoll == -1) {
		r = -errno;
		goto fail_free;
	}
	r = arm(waiter, syncobj, point, &waiter->registration);
	if (r < 0)
		goto fail_close;
	waiter->eventfd = r;
	keep(waiter, syncobj);
	*ret_waiter = waiter;
	return 0;

fail_close:
	close(waiter->epoll);
fail_free:
	free(waiter);
	return r;
}

SYNCOBJ_EXPORT int syncobj_waiter_fd(const struct syncobj_waiter *waiter)
{
	return waiter->epoll;
}

SYNCOBJ_EXPORT int syncobj_waiter_result(struct syncobj_waiter *waiter)
{
	struct pollfd fired = {.fd = waiter->eventfd, .events = POLLIN};
	int r;

	r = syncobj_wait(&waiter->syncobj, &waiter->point, 1, 0,
			 waiter->flags ? waiter->flags : SYNCOBJ_WAIT_FOR_SUBMIT, 0, NULL);
	/* It may have been ready and reset since, or before the device went: that counts. */
	if (r < 0 && poll(&fired, 1, 0) == 1)
		return 0;
	return r == -ETIME ? -EAGAIN : r;
}

SYNCOBJ_EXPORT int syncobj_waiter_rearm(struct syncobj_waiter *waiter, struct syncobj *syncobj,
					uint64_t point)
{
	struct syncobj_waiter old = *waiter;
	struct syncobj_registration *registration = NULL;
	int r = arm(waiter, syncobj, point, &registration);

	if (r < 0)
		return r;
	keep(waiter, syncobj); /* before disarm(): it may be the same one */
	disarm(&old);
	waiter->point = point;
	waiter->eventfd = r;
	waiter->registration = registration;
	return 0;
}

SYNCOBJ_EXPORT struct syncobj_waiter *syncobj_waiter_free(struct syncobj_waiter *waiter)
{
	if (!waiter)
		return NULL;
	disarm(waiter);
	close(waiter->epoll);
	free(waiter);
	return NULL;
}
