/* SPDX-License-Identifier: MIT */
/* Leases: who has which pages of a BAR, and the end of that. */
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "vfio.h"

/* A lease, or what the owner reserves: then there is no buffer. */
struct dmabuf_lease {
	struct dmabuf_lease *next; /* by offset */
	struct dmabuf_leases *leases;
	struct dmabuf_range range;
	bool shared;
	struct dmabuf *buffer;
	int pidfd; /* or -1 */
};

struct dmabuf_leases {
	struct dmabuf_vfio *device;
	uint32_t bar, policy;
	uint64_t size; /* of the whole pages of the BAR */
	int epoll;
	struct dmabuf_lease *first;
};

static uint64_t end_of(const struct dmabuf_range *range)
{
	return range->offset + range->length;
}

static bool overlap(const struct dmabuf_range *a, const struct dmabuf_range *b)
{
	return a->offset < end_of(b) && b->offset < end_of(a);
}

DMABUF_EXPORT int dmabuf_leases_new(struct dmabuf_vfio *device, uint32_t bar, uint32_t policy,
				    struct dmabuf_leases **ret_leases)
{
	struct dmabuf_vfio_region region;
	struct dmabuf_leases *leases;
	int r;

	if (policy > DMABUF_LEASES_SHARED)
		return -EINVAL;
	r = dmabuf_vfio_region(device, bar, &region);
	if (r < 0)
		return r;
	if (!(device->features & DMABUF_VFIO_EXPORT) || !(device->features & DMABUF_VFIO_REVOKE))
		return -EOPNOTSUPP;
	if (!region.can_map)
		return -ENODEV;
	leases = calloc(1, sizeof(*leases));
	if (!leases)
		return -ENOMEM;
	leases->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (leases->epoll == -1) {
		r = -errno;
		free(leases);
		return r;
	}
	leases->device = dmabuf_vfio_ref(device);
	leases->bar = bar;
	leases->policy = policy;
	leases->size = region.size - region.size % page_size();
	*ret_leases = leases;
	return 0;
}

/* ---- the account -------------------------------------------------------- */

static void insert(struct dmabuf_lease *lease)
{
	struct dmabuf_lease **at = &lease->leases->first;

	while (*at && (*at)->range.offset < lease->range.offset)
		at = &(*at)->next;
	lease->next = *at;
	*at = lease;
}

static void take_out(struct dmabuf_lease *lease)
{
	struct dmabuf_lease **at = &lease->leases->first;

	while (*at != lease)
		at = &(*at)->next;
	*at = lease->next;
}

/* Free a lease that is not in the account any more. */
static void lease_free(struct dmabuf_lease *lease)
{
	if (lease->pidfd >= 0) {
		epoll_ctl(lease->leases->epoll, EPOLL_CTL_DEL, lease->pidfd, NULL);
		close(lease->pidfd);
	}
	dmabuf_unref(lease->buffer);
	free(lease);
}

static struct dmabuf_lease *lease_new(struct dmabuf_leases *leases)
{
	struct dmabuf_lease *lease = calloc(1, sizeof(*lease));

	if (!lease)
		return NULL;
	lease->leases = leases;
	lease->pidfd = -1;
	return lease;
}

/* Whether somebody has a page of it who does not share it with a lease that is @shared. */
static bool is_taken(const struct dmabuf_leases *leases, const struct dmabuf_range *range,
		     bool shared)
{
	for (const struct dmabuf_lease *l = leases->first; l; l = l->next)
		if (overlap(&l->range, range) && !(shared && l->shared))
			return true;
	return false;
}

/* The first range of this length that nobody has. Return: 0; -ENOSPC. */
static int find_space(const struct dmabuf_leases *leases, struct dmabuf_range *range)
{
	range->offset = 0;
	for (const struct dmabuf_lease *l = leases->first; l; l = l->next)
		if (overlap(&l->range, range))
			range->offset = end_of(&l->range);
	return range->offset <= leases->size - range->length ? 0 : -ENOSPC;
}

DMABUF_EXPORT int dmabuf_leases_reserve(struct dmabuf_leases *leases, uint64_t offset,
					uint64_t length)
{
	uint64_t page = page_size(), end;
	struct dmabuf_lease *reserved;
	struct dmabuf_range range;

	if (length == 0 || length > leases->size || offset > leases->size - length)
		return -EINVAL;
	end = ALIGN_UP(offset + length, page);
	range.offset = offset - offset % page;
	range.length = end - range.offset;
	for (const struct dmabuf_lease *l = leases->first; l; l = l->next)
		if (l->buffer && overlap(&l->range, &range))
			return -EBUSY;
	reserved = lease_new(leases);
	if (!reserved)
		return -ENOMEM;
	reserved->range = range;
	insert(reserved);
	return 0;
}

/* ---- clients ------------------------------------------------------------ */

static bool has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* Have the end of the client seen. */
static int watch(struct dmabuf_lease *lease, int pidfd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = lease};
	int r;

	/* Only of a pidfd it is an argument; EPERM is another user's. */
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == -1 && errno != EPERM)
		return -errno;
	if (has_ended(pidfd))
		return -ESRCH;
	r = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
	if (r == -1)
		return -errno;
	if (epoll_ctl(lease->leases->epoll, EPOLL_CTL_ADD, r, &event) == -1) {
		/* EINVAL: it is watched in too many ways already. */
		int error = errno == EINVAL ? -EUSERS : -errno;

		close(r);
		return error;
	}
	lease->pidfd = r;
	return 0;
}

/* ---- leases ------------------------------------------------------------- */

/* Return: 0 and the range; a negative errno. */
static int choose_range(const struct dmabuf_leases *leases,
			const struct dmabuf_lease_request *request, struct dmabuf_range *ret_range)
{
	uint64_t page = page_size();
	struct dmabuf_range range = {.offset = request->offset};
	int r;

	if (request->length == 0 || request->length > leases->size)
		return -EINVAL;
	range.length = ALIGN_UP(request->length, page);
	if (request->offset == DMABUF_LEASE_ANYWHERE) {
		r = find_space(leases, &range);
		if (r < 0)
			return r;
	} else if (range.offset % page || range.offset > leases->size - range.length) {
		return -EINVAL;
	} else if (is_taken(leases, &range,
			    leases->policy == DMABUF_LEASES_SHARED &&
				    request->flags & DMABUF_LEASE_SHARED)) {
		return -EBUSY;
	}
	*ret_range = range;
	return 0;
}

DMABUF_EXPORT int dmabuf_lease_grant(struct dmabuf_leases *leases,
				     const struct dmabuf_lease_request *request,
				     struct dmabuf_lease **ret_lease)
{
	struct dmabuf_lease *lease;
	struct dmabuf_range range;
	int r;

	if (request->flags & ~(DMABUF_VFIO_READ_ONLY | DMABUF_LEASE_SHARED))
		return -EINVAL;
	r = choose_range(leases, request, &range);
	if (r < 0)
		return r;
	lease = lease_new(leases);
	if (!lease)
		return -ENOMEM;
	lease->range = range;
	lease->shared = request->flags & DMABUF_LEASE_SHARED;
	if (request->pidfd != -1) {
		r = watch(lease, request->pidfd);
		if (r < 0)
			goto fail;
	}
	r = dmabuf_vfio_export(leases->device, leases->bar, &range, 1, request->attr,
			       request->flags & DMABUF_VFIO_READ_ONLY, request->name,
			       &lease->buffer);
	if (r < 0)
		goto fail;
	insert(lease);
	*ret_lease = lease;
	return 0;

fail:
	lease_free(lease);
	return r;
}

DMABUF_EXPORT struct dmabuf *dmabuf_lease_buffer(const struct dmabuf_lease *lease)
{
	return lease->buffer;
}

DMABUF_EXPORT void dmabuf_lease_range(const struct dmabuf_lease *lease,
				      struct dmabuf_range *ret_range)
{
	*ret_range = lease->range;
}

/* Somebody may have revoked the buffer before, which will do. */
static int end_access(struct dmabuf_lease *lease)
{
	int r = dmabuf_vfio_revoke(lease->leases->device, lease->buffer);

	return r == -EBADFD ? 0 : r;
}

DMABUF_EXPORT int dmabuf_lease_revoke(struct dmabuf_lease *lease)
{
	int r = end_access(lease);

	if (r < 0)
		return r;
	take_out(lease);
	lease_free(lease);
	return 0;
}

DMABUF_EXPORT struct dmabuf_leases *dmabuf_leases_free(struct dmabuf_leases *leases)
{
	if (!leases)
		return NULL;
	for (struct dmabuf_lease *l; (l = leases->first);) {
		if (l->buffer)
			end_access(l);
		leases->first = l->next;
		lease_free(l);
	}
	close(leases->epoll);
	dmabuf_vfio_unref(leases->device);
	free(leases);
	return NULL;
}

DMABUF_EXPORT int dmabuf_leases_fd(const struct dmabuf_leases *leases)
{
	return leases->epoll;
}

DMABUF_EXPORT int dmabuf_leases_dispatch(struct dmabuf_leases *leases,
					 void (*ended)(struct dmabuf_lease *lease, void *data),
					 void *data)
{
	struct epoll_event event;
	int count = 0, error = 0, r;

	/* One at a time: @ended may end others. */
	for (;;) {
		struct dmabuf_lease *lease;

		r = epoll_wait(leases->epoll, &event, 1, 0);
		if (r == -1 && errno == EINTR)
			continue;
		if (r != 1)
			break;
		lease = event.data.ptr;
		r = end_access(lease);
		if (r < 0) {
			/* Not again and again: dmabuf_lease_revoke() is the owner's next try. */
			epoll_ctl(leases->epoll, EPOLL_CTL_DEL, lease->pidfd, NULL);
			error = error ? error : r;
			continue;
		}
		if (ended)
			ended(lease, data);
		take_out(lease);
		lease_free(lease);
		count++;
	}
	return error ? error : count;
}
