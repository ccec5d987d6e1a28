/* SPDX-License-Identifier: MIT */
/* Allocation: from heaps, udmabuf and memfds, and the ways to charge somebody for it. */
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>

#include "cgroup.h"
#include "heap.h"
#include "uapi.h"

/* ---- one allocation; async-signal-safe ---------------------------------- */

static int node_alloc(const struct allocation *a)
{
	struct heap_charged_args args = {.len = a->size, .fd_flags = a->fd_flags};
	unsigned long request = DMA_HEAP_IOCTL_ALLOC; /* the first 24 bytes */
	int self = -1, r;

	if (a->charge)
		args.charge_pid_fd = (uint32_t)a->charge;
	if (a->charge_caller) {
		self = pidfd_open(getpid(), 0);
		self = self == -1 ? -errno : move_fd(self, 1);
		if (self < 0)
			return self;
		args.charge_pid_fd = (uint32_t)self;
	}
	if (args.charge_pid_fd)
		request = HEAP_IOCTL_ALLOC_CHARGED;
	r = ioctl_restart(a->heap, request, &args);
	if (self >= 0)
		close(self);
	return r < 0 ? r : (int)args.fd;
}

static int memfd_open(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd == -1 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd == -1 ? -errno : fd;
}

/* What has one size for good. */
static int sealed_memfd(const struct allocation *a, int seals)
{
	int fd = memfd_open(a->name), r = 0;

	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)a->size) == -1)
		r = -errno;
	while (r == 0 && a->populate && fallocate(fd, 0, 0, (off_t)a->size) == -1)
		if (errno != EINTR)
			r = errno == ENOSPC ? -ENOMEM : -errno;
	if (r == 0 && fcntl(fd, F_ADD_SEALS, seals) == -1)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* The only way to another access mode is a new open file. */
static int reopen_read_only(int fd)
{
	char path[32];
	int read_only;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	if (read_only == -1)
		read_only = -errno;
	close(fd);
	return read_only;
}

static int memfd_alloc(const struct allocation *a)
{
	int fd = sealed_memfd(a, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);

	if (fd < 0 || (a->fd_flags & O_ACCMODE) != O_RDONLY)
		return fd;
	return reopen_read_only(fd);
}

static int udmabuf_alloc(const struct allocation *a)
{
	struct udmabuf_create args = {.flags = UDMABUF_FLAGS_CLOEXEC, .size = a->size};
	int memfd = sealed_memfd(a, F_SEAL_SHRINK), r;

	if (memfd < 0)
		return memfd;
	args.memfd = (uint32_t)memfd;
	r = ioctl_restart(a->heap, UDMABUF_CREATE, &args);
	close(memfd);
	/* Nothing else is wrong with the arguments than that there are limits for the size. */
	return r == -EINVAL ? -EFBIG : r;
}

int allocation_run(const struct allocation *a)
{
	switch (a->kind) {
	case HEAP_NODE:
		return node_alloc(a);
	case HEAP_UDMABUF:
		return udmabuf_alloc(a);
	default:
		return memfd_alloc(a);
	}
}

/* ---- how a heap can charge ---------------------------------------------- */

/* One page that nobody keeps, charged to @charge. Return: 0 or a negative errno. */
static int try_page(const struct dmabuf_heap *heap, int charge)
{
	const struct allocation a = {
		.kind = HEAP_NODE,
		.heap = heap->fd,
		.size = page_size(),
		.fd_flags = O_CLOEXEC | O_RDWR,
		.charge = charge,
	};
	int fd = allocation_run(&a);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* A kernel that knows the field refuses to charge /dev/null; others do not look at it. */
static int probe_pidfd(const struct dmabuf_heap *heap, uint32_t *charging)
{
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r;

	null = null == -1 ? -errno : move_fd(null, 1);
	if (null < 0)
		return null;
	r = try_page(heap, null);
	if (r == -EBADF)
		*charging |= DMABUF_CHARGING_PIDFD;
	return r == -EBADF ? 0 : r;
}

/*
 * The caller's own cgroup: that it may not charge it, or is at its limit, tells that the
 * kernel knew what to do.
 */
static int probe_cgroup(const struct dmabuf_heap *heap, uint32_t *charging)
{
	_cleanup_close_ int own = cgroup_of_process(0);
	int r;

	if (own < 0)
		return own == -EMFILE || own == -ENFILE || own == -ENOMEM ? own : 0;
	r = try_page(heap, own);
	switch (r) {
	case 0:
	case -EACCES:
	case -EPERM:
	case -ENOMEM:
		*charging |= DMABUF_CHARGING_CGROUP;
		return 0;
	case -EMFILE:
	case -ENFILE:
		return r;
	}
	return 0;
}

static int probe(const struct dmabuf_heap *heap, uint32_t *charging)
{
	int r;

	if (heap->kind != HEAP_NODE) {
		*charging |= DMABUF_CHARGING_CALLER;
		return 0;
	}
	r = probe_pidfd(heap, charging);
	if (r == 0 && *charging & DMABUF_CHARGING_PIDFD)
		r = probe_cgroup(heap, charging);
	/* Kernels without charging account for the pages of these heaps only. */
	if (heap->accounting && (*charging & DMABUF_CHARGING_PIDFD ||
				 heap->properties & (DMABUF_HEAP_SYSTEM | DMABUF_HEAP_CC_SHARED)))
		*charging |= DMABUF_CHARGING_CALLER;
	return r;
}

DMABUF_EXPORT int dmabuf_heap_charging(struct dmabuf_heap *heap, uint32_t *ret_charging)
{
	uint32_t charging = atomic_load_explicit(&heap->charging, memory_order_acquire);
	int r = 0;

	if (!charging) {
		pthread_mutex_lock(&heap->lock);
		charging = atomic_load_explicit(&heap->charging, memory_order_relaxed);
		if (!charging)
			r = probe(heap, &charging);
		if (r == 0)
			atomic_store_explicit(&heap->charging, charging | CHARGING_KNOWN,
					      memory_order_release);
		pthread_mutex_unlock(&heap->lock);
	}
	if (r == 0)
		*ret_charging = charging & ~CHARGING_KNOWN;
	return r;
}

/* ---- allocation with a charge ------------------------------------------- */

/* One way to carry out an allocation. */
struct attempt {
	struct allocation allocation;
	const struct dmabuf_charge *target;
	enum dmabuf_charged how;
};

static int try_helper(const struct attempt *attempt)
{
	int cgroup = charge_cgroup(attempt->target), r;

	if (cgroup < 0)
		return cgroup;
	r = helper_run(&attempt->allocation, cgroup);
	close(cgroup);
	return r;
}

/* The kernel says why it does not charge a process or a cgroup. */
static int kernel_error(const struct dmabuf_charge *target, int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES: /* of a policy; or that the caller may not put a process into the cgroup */
		return target->cgroup ? -EACCES : -EPERM;
	case -ENOENT: /* or it is out of the cgroup namespace */
		return cgroup_is_gone(target->fd) ? -ESRCH : -EACCES;
	case -EBUSY: /* it has children with controllers */
	case -EBADF: /* there are no memory cgroups */
		return -EOPNOTSUPP;
	}
	return error;
}

static int try_kernel(const struct attempt *attempt)
{
	int fd = allocation_run(&attempt->allocation), r;

	if (fd < 0)
		return kernel_error(attempt->target, fd);
	/* Some kernels charge the caller if the process ends meanwhile. */
	r = charge_check(attempt->target);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static int try_once(const struct attempt *attempt)
{
	switch (attempt->how) {
	case DMABUF_CHARGED_KERNEL:
		return try_kernel(attempt);
	case DMABUF_CHARGED_HELPER:
		return try_helper(attempt);
	default:
		return allocation_run(&attempt->allocation);
	}
}

/* Tell a limit of the cgroup from want of memory: only the former counts an event there. */
static int try_and_look_at_limits(const struct attempt *attempt)
{
	uint64_t hits;
	int cgroup, r;

	r = try_once(attempt);
	if (r != -ENOMEM)
		return r;
	cgroup = charge_cgroup(attempt->target);
	if (cgroup < 0)
		return r;
	hits = cgroup_limit_hits(cgroup);
	r = try_once(attempt);
	if (r == -ENOMEM && cgroup_limit_hits(cgroup) > hits)
		r = -EDQUOT;
	close(cgroup);
	return r;
}

/* The first way that can charge the target; DMABUF_CHARGED_NOT if there is none. */
static void choose(struct attempt *attempt, uint32_t charging)
{
	struct allocation *a = &attempt->allocation;
	const struct dmabuf_charge *target = attempt->target;

	if (charging & (target->cgroup ? DMABUF_CHARGING_CGROUP : DMABUF_CHARGING_PIDFD)) {
		attempt->how = DMABUF_CHARGED_KERNEL;
		a->charge = target->fd;
	} else if (target->self == getpid() && charging & DMABUF_CHARGING_CALLER) {
		attempt->how = DMABUF_CHARGED_CALLER;
		a->populate = true;
	} else if (charging) {
		attempt->how = DMABUF_CHARGED_HELPER;
		a->populate = true;
		a->charge_caller = charging & DMABUF_CHARGING_PIDFD;
	}
}

/* Whom an allocation without a target is charged to. */
static enum dmabuf_charged charged_by_itself(struct dmabuf_heap *heap)
{
	uint32_t charging = 0;

	if (heap->kind == HEAP_MEMFD) /* whoever touches a page first, later */
		return DMABUF_CHARGED_NOT;
	if (heap->kind == HEAP_NODE && !heap->accounting)
		return DMABUF_CHARGED_NOT;
	return dmabuf_heap_charging(heap, &charging) == 0 && charging & DMABUF_CHARGING_CALLER
		       ? DMABUF_CHARGED_CALLER
		       : DMABUF_CHARGED_NOT;
}

/* Return: a descriptor or a negative errno. */
static int alloc_charged(struct dmabuf_heap *heap, struct attempt *attempt, bool strict)
{
	const struct allocation plain = attempt->allocation;
	uint32_t charging;
	int r;

	r = charge_check(attempt->target);
	if (r < 0)
		return r;
	r = dmabuf_heap_charging(heap, &charging);
	if (r < 0)
		return r;
	choose(attempt, charging);
	r = attempt->how == DMABUF_CHARGED_NOT ? -EOPNOTSUPP : try_and_look_at_limits(attempt);
	/* It may not, or cannot, be charged here; EAGAIN is of the child. */
	if ((r != -EOPNOTSUPP && r != -EACCES && r != -EAGAIN) || strict)
		return r;
	attempt->how = charged_by_itself(heap);
	return allocation_run(&plain);
}

DMABUF_EXPORT int dmabuf_alloc(struct dmabuf_heap *heap, uint64_t size, const char *name,
			       struct dmabuf_charge *charge, uint32_t flags,
			       struct dmabuf **ret_buffer)
{
	struct attempt attempt = {
		.allocation =
			{
				.kind = heap->kind,
				.heap = heap->fd,
				.name = name ? name : heap->name,
				.size = ALIGN_UP(size, page_size()),
				.fd_flags = O_CLOEXEC |
					    (flags & DMABUF_ALLOC_READ_ONLY ? O_RDONLY : O_RDWR),
			},
		.target = charge,
	};
	struct dmabuf *buffer;
	int fd;

	if (attempt.allocation.size == 0 || flags & ~(DMABUF_ALLOC_STRICT | DMABUF_ALLOC_READ_ONLY))
		return -EINVAL;
	if (attempt.allocation.size > heap->max_size)
		return -ENOMEM;
	if (heap->kind == HEAP_UDMABUF && flags & DMABUF_ALLOC_READ_ONLY)
		return -EOPNOTSUPP;
	if (charge) {
		fd = alloc_charged(heap, &attempt, flags & DMABUF_ALLOC_STRICT);
	} else {
		attempt.how = charged_by_itself(heap);
		fd = allocation_run(&attempt.allocation);
	}
	if (fd < 0)
		return fd;
	buffer = buffer_new(fd, attempt.allocation.size, heap->kind == HEAP_MEMFD);
	if (!buffer)
		return -ENOMEM;
	buffer->charged = attempt.how;
	dmabuf_set_name(buffer, attempt.allocation.name); /* for people only */
	*ret_buffer = buffer;
	return 0;
}

DMABUF_EXPORT enum dmabuf_charged dmabuf_charged(const struct dmabuf *buffer)
{
	return buffer->charged;
}
