/* SPDX-License-Identifier: MIT */
/* A soft object whose page has been filled by a hostile peer, and every operation on it. */
#ifndef SOFT_SCRIBBLE_H
#define SOFT_SCRIBBLE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <syncobj.h>

struct scribble {
	struct syncobj_device *device;
	struct syncobj *syncobj, *other;
	unsigned char *page;
	size_t size;
	int eventfd;
};

static inline int scribble_begin(struct scribble *s)
{
	int r = syncobj_device_open("soft", &s->device);

	if (r < 0)
		return r;
	r = syncobj_create(s->device, 0, &s->syncobj);
	if (r < 0)
		return r;
	r = syncobj_create(s->device, 0, &s->other);
	if (r < 0)
		return r;
	s->size = (size_t)sysconf(_SC_PAGESIZE);
	s->page =
		mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, syncobj_fd(s->syncobj), 0);
	s->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s->page == MAP_FAILED || s->eventfd == -1 ? -1 : 0;
}

static inline void scribble_end(struct scribble *s)
{
	munmap(s->page, s->size);
	close(s->eventfd);
	syncobj_unref(s->other);
	syncobj_unref(s->syncobj);
	syncobj_device_unref(s->device);
}

/* @timeout_nsec: from now. Whatever the operations answer is right, as long as they answer. */
static inline void scribble_try(struct scribble *s, uint64_t point, int64_t timeout_nsec)
{
	struct syncobj *both[] = {s->other, s->syncobj};
	uint64_t points[] = {point, point}, seqno;
	struct syncobj_waiter *waiter = NULL;
	struct syncobj *again = NULL;
	struct timespec ts;
	int64_t until;
	size_t first;
	int status, fd;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	until = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec + timeout_nsec;
	(void)syncobj_query(&s->syncobj, 1, 0, &seqno);
	for (uint32_t flags = 0; flags < 16; flags++)
		(void)syncobj_wait(both, points, 2, timeout_nsec ? until : 0, flags, 0, &first);
	if (syncobj_waiter_new(s->syncobj, point, 0, &waiter) == 0) {
		(void)syncobj_waiter_result(waiter);
		syncobj_waiter_free(waiter);
	}
	(void)syncobj_status(s->syncobj, point, &status);
	(void)syncobj_identify(syncobj_fd(s->syncobj));
	if (syncobj_import(s->device, syncobj_fd(s->syncobj), &again) == 0)
		syncobj_unref(again);
	(void)syncobj_transfer(s->other, 0, s->syncobj, point, 0);
	(void)syncobj_transfer(s->other, 3, s->syncobj, point, 0);
	(void)syncobj_transfer(s->syncobj, point, s->syncobj, 0, 0);
	(void)syncobj_signal(both, points, 2);
	fd = syncobj_export_sync_file(s->syncobj, point);
	if (fd >= 0)
		close(fd);
	(void)syncobj_import_sync_file(s->syncobj, point, s->eventfd);
	(void)syncobj_signal_binary(s->syncobj);
	(void)syncobj_eventfd(s->syncobj, 0, s->eventfd, 0);
	(void)syncobj_reset(both, 2);
}

#endif
