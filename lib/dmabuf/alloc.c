/* SPDX-License-Identifier: MIT */
/* Allocation: from heaps, udmabuf and memfds, and the ways to charge somebody for it. */
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>

#include "heap.h"
#include "uapi.h"

/* ---- one allocation; async-signal-safe ---------------------------------- */

/* With the 32 bytes of which kernels without charging ignore the end. */
static inline int node_alloc_charged(int heap, uint64_t size, uint32_t fd_flags, int charge)
{
	struct heap_charged_args args = {
		.len = size,
		.fd_flags = fd_flags,
		.charge_pid_fd = (uint32_t)charge,
	};
	int r = ioctl_restart(heap, HEAP_IOCTL_ALLOC_CHARGED, &args);

	return r < 0 ? r : (int)args.fd;
}

static RARE int node_alloc_charging_self(const struct allocation *a)
{
	int self = pidfd_open(getpid(), 0), fd;

	self = self == -1 ? -errno : move_fd(self, 1);
	if (self < 0)
		return self;
	fd = node_alloc_charged(a->heap, a->size, a->fd_flags, self);
	close(self);
	return fd;
}

static inline int node_alloc(int heap, uint64_t size, uint32_t fd_flags)
{
	struct dma_heap_allocation_data args = {.len = size, .fd_flags = fd_flags};
	int r = ioctl_restart(heap, DMA_HEAP_IOCTL_ALLOC, &args);

	return r < 0 ? r : (int)args.fd;
}

/* The kernel refuses a longer name than 249 bytes; it is cut as that of a dma-buf is. */
static int memfd_open(const char *name)
{
	char cut[DMABUF_NAME_SIZE] = "";
	int fd;

	memcpy(cut, name, strnlen(name, sizeof(cut) - 1));
	fd = memfd_create(cut, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd == -1 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(cut, MFD_CLOEXEC | MFD_ALLOW_SEALING);
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

int memfd_open_read_only(int fd)
{
	char path[] = "/proc/self/fd/0000000000", *digit = path + sizeof("/proc/self/fd/") - 1;
	int read_only, divisor = 1;

	while (fd / divisor >= 10) /* printf() is not async-signal-safe */
		divisor *= 10;
	for (; divisor; divisor /= 10)
		*digit++ = (char)('0' + fd / divisor % 10);
	*digit = '\0';
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	return read_only == -1 ? -errno : read_only;
}

static RARE int memfd_alloc(const struct allocation *a)
{
	bool is_read_only = (a->fd_flags & O_ACCMODE) == O_RDONLY;
	/* Who has a descriptor for reading can open it again in /proc. */
	int fd = sealed_memfd(a, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL |
					 (is_read_only ? F_SEAL_FUTURE_WRITE : 0));
	int read_only;

	if (fd < 0 || !is_read_only)
		return fd;
	read_only = memfd_open_read_only(fd);
	close(fd);
	return read_only;
}

static RARE int udmabuf_alloc(const struct allocation *a)
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
	if (a->kind == HEAP_NODE)
		return a->charge_caller ? node_alloc_charging_self(a)
					: node_alloc(a->heap, a->size, a->fd_flags);
	return a->kind == HEAP_UDMABUF ? udmabuf_alloc(a) : memfd_alloc(a);
}

/* ---- how a heap can charge ---------------------------------------------- */

/* One page that nobody keeps, charged to @charge. Return: 0 or a negative errno. */
static int try_page(const struct dmabuf_heap *heap, int charge)
{
	int fd = node_alloc_charged(heap->fd, heap->page, O_CLOEXEC | O_RDWR, charge);

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

static inline uint32_t descriptor_flags(uint32_t flags)
{
	return O_CLOEXEC | (flags & DMABUF_ALLOC_READ_ONLY ? O_RDONLY : O_RDWR);
}

/* The kernel says why it does not charge a process or a cgroup. */
static RARE int kernel_error(const struct dmabuf_charge *target, int error)
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

/*
 * Some kernels charge the caller if the process has ended, or ends meanwhile. Inline, for it
 * would save as many registers as its caller does.
 */
static inline __attribute__((always_inline)) int try_kernel(int heap, uint64_t size,
							    uint32_t fd_flags,
							    const struct dmabuf_charge *target)
{
	int fd;

	if (charge_check(target) < 0)
		return -ESRCH;
	fd = node_alloc_charged(heap, size, fd_flags, target->fd);
	if (fd < 0)
		return kernel_error(target, fd);
	if (charge_check(target) == 0)
		return fd;
	close(fd);
	return -ESRCH;
}

static int try_helper(const struct allocation *allocation, const struct dmabuf_charge *target)
{
	int cgroup = charge_cgroup(target), r;

	if (cgroup < 0)
		return cgroup;
	r = helper_run(allocation, cgroup);
	close(cgroup);
	return r;
}

static int try_once(const struct allocation *allocation, const struct dmabuf_charge *target,
		    enum dmabuf_charged how)
{
	switch (how) {
	case DMABUF_CHARGED_KERNEL:
		return try_kernel(allocation->heap, allocation->size, allocation->fd_flags, target);
	case DMABUF_CHARGED_HELPER:
		return try_helper(allocation, target);
	case DMABUF_CHARGED_CALLER:
		return allocation_run(allocation);
	default:
		return -EOPNOTSUPP;
	}
}

/*
 * After -ENOMEM, once more: tell a limit of the cgroup from want of memory. Only the former
 * counts an event there.
 */
static int try_and_look_at_limits(const struct allocation *allocation,
				  const struct dmabuf_charge *target, enum dmabuf_charged how)
{
	int cgroup = charge_cgroup(target), r;
	uint64_t hits;

	if (cgroup < 0)
		return -ENOMEM;
	hits = cgroup_limit_hits(cgroup);
	r = try_once(allocation, target, how);
	if (r == -ENOMEM && cgroup_limit_hits(cgroup) > hits)
		r = -EDQUOT;
	close(cgroup);
	return r;
}

/* Whether the kernel is told the target. */
static inline bool is_told(const struct dmabuf_charge *target, uint32_t charging)
{
	return charging & (target->cgroup ? DMABUF_CHARGING_CGROUP : DMABUF_CHARGING_PIDFD);
}

/* The first way that can charge the target; DMABUF_CHARGED_NOT if there is none. */
static enum dmabuf_charged choose(struct allocation *allocation, const struct dmabuf_charge *target,
				  uint32_t charging)
{
	if (is_told(target, charging))
		return DMABUF_CHARGED_KERNEL;
	if (!charging)
		return DMABUF_CHARGED_NOT;
	allocation->populate = true;
	if (charging & DMABUF_CHARGING_CALLER && target->self == getpid())
		return DMABUF_CHARGED_CALLER;
	allocation->charge_caller = charging & DMABUF_CHARGING_PIDFD;
	return DMABUF_CHARGED_HELPER;
}

/* Whom an allocation without a target is charged to. */
static inline enum dmabuf_charged charged_by_itself(struct dmabuf_heap *heap)
{
	uint32_t charging;

	/* Of a memfd it is whoever touches a page first, later. */
	if (heap->accounting && heap->kind != HEAP_MEMFD &&
	    dmabuf_heap_charging(heap, &charging) == 0 && charging & DMABUF_CHARGING_CALLER)
		return DMABUF_CHARGED_CALLER;
	return DMABUF_CHARGED_NOT;
}

/* Return: a descriptor or a negative errno. */
static RARE int alloc_plain(struct dmabuf_heap *heap, struct allocation *allocation,
			    enum dmabuf_charged *ret_charged)
{
	allocation->charge_caller = allocation->populate = false;
	*ret_charged = charged_by_itself(heap);
	return allocation_run(allocation);
}

/* The charge failed with @error. */
static RARE int alloc_refused(struct dmabuf_heap *heap, struct allocation *allocation,
			      const struct dmabuf_charge *target, bool strict, int error,
			      enum dmabuf_charged *ret_charged)
{
	if (error == -ENOMEM)
		error = try_and_look_at_limits(allocation, target, *ret_charged);
	/* It may not, or cannot, be charged here; EAGAIN is of the child. */
	if ((error != -EOPNOTSUPP && error != -EACCES && error != -EAGAIN) || strict)
		return error;
	return alloc_plain(heap, allocation, ret_charged);
}

/* As alloc_plain(), charged to @target if that is possible. */
static RARE int alloc_charged(struct dmabuf_heap *heap, struct allocation *allocation,
			      const struct dmabuf_charge *target, bool strict,
			      enum dmabuf_charged *ret_charged)
{
	uint32_t charging;
	int r;

	r = charge_check(target);
	if (r == 0)
		r = dmabuf_heap_charging(heap, &charging);
	if (r < 0)
		return r;
	*ret_charged = choose(allocation, target, charging);
	r = try_once(allocation, target, *ret_charged);
	return r < 0 ? alloc_refused(heap, allocation, target, strict, r, ret_charged) : r;
}

/* What the two calls of the kernel's own do not take care of; they failed with @error, or 0. */
static RARE int alloc_otherwise(struct dmabuf_heap *heap, uint64_t size, const char *name,
				const struct dmabuf_charge *charge, uint32_t flags, int error,
				enum dmabuf_charged *ret_charged)
{
	struct allocation allocation = {
		.kind = heap->kind,
		.heap = heap->fd,
		.name = name,
		.size = size,
		.fd_flags = descriptor_flags(flags),
	};
	bool strict = flags & DMABUF_ALLOC_STRICT;

	if (error)
		return alloc_refused(heap, &allocation, charge, strict, error, ret_charged);
	if (heap->kind == HEAP_UDMABUF && flags & DMABUF_ALLOC_READ_ONLY)
		return -EOPNOTSUPP;
	return charge ? alloc_charged(heap, &allocation, charge, strict, ret_charged)
		      : alloc_plain(heap, &allocation, ret_charged);
}

/* For people only: whether it can be named is no matter. */
static inline void name_buffer(struct dmabuf *buffer, const char *name)
{
	if (!buffer->memfd && ioctl(buffer->fd, DMA_BUF_SET_NAME_B, name) == -1 && errno == EINVAL)
		dmabuf_set_name(buffer, name); /* it is too long */
}

DMABUF_EXPORT int dmabuf_alloc(struct dmabuf_heap *heap, uint64_t size, const char *name,
			       struct dmabuf_charge *charge, uint32_t flags,
			       struct dmabuf **ret_buffer)
{
	enum dmabuf_charged charged = DMABUF_CHARGED_NOT;
	struct dmabuf *buffer;
	int fd;

	size = ALIGN_UP(size, heap->page);
	if (size == 0 || flags & ~(DMABUF_ALLOC_STRICT | DMABUF_ALLOC_READ_ONLY))
		return -EINVAL;
	if (size > heap->max_size)
		return -ENOMEM;
	name = name ? name : heap->name;
	if (heap->kind == HEAP_NODE && !charge) {
		charged = charged_by_itself(heap);
		fd = node_alloc(heap->fd, size, descriptor_flags(flags));
	} else if (charge &&
		   is_told(charge, atomic_load_explicit(&heap->charging, memory_order_acquire))) {
		charged = DMABUF_CHARGED_KERNEL;
		fd = try_kernel(heap->fd, size, descriptor_flags(flags), charge);
		if (fd < 0)
			fd = alloc_otherwise(heap, size, name, charge, flags, fd, &charged);
	} else {
		fd = alloc_otherwise(heap, size, name, charge, flags, 0, &charged);
	}
	if (fd < 0)
		return fd;
	buffer = buffer_new(fd, size, heap->kind == HEAP_MEMFD);
	if (!buffer)
		return -ENOMEM;
	buffer->protected = heap->properties & DMABUF_HEAP_PROTECTED;
	buffer->charged = charged;
	name_buffer(buffer, name);
	*ret_buffer = buffer;
	return 0;
}

DMABUF_EXPORT enum dmabuf_charged dmabuf_charged(const struct dmabuf *buffer)
{
	return buffer->charged;
}
