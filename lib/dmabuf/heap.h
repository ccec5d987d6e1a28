/* SPDX-License-Identifier: MIT */
/* Heaps, charge targets, and how an allocation is carried out. */
#ifndef DMABUF_HEAP_H
#define DMABUF_HEAP_H

#include <poll.h>

#include "cgroup.h"
#include "internal.h"

enum heap_kind {
	HEAP_NODE, /* of /dev/dma_heap */
	HEAP_UDMABUF,
	HEAP_MEMFD,
};

/* Internal bit of struct dmabuf_heap's charging: it has been found out. */
#define CHARGING_KNOWN 0x80000000U

struct dmabuf_heap {
	atomic_uint refs;
	enum heap_kind kind;
	int fd; /* the node's, or -1 */
	char *name;
	uint32_t properties;
	uint64_t page;        /* bytes */
	uint64_t max_size;    /* what is larger is not asked for */
	bool accounting;      /* the kernel charges allocations to who makes them */
	pthread_mutex_t lock; /* one thread finds out the charging */
	atomic_uint charging; /* DMABUF_CHARGING_*, CHARGING_KNOWN */
};

struct dmabuf_charge {
	atomic_uint refs;
	bool cgroup;    /* else a process */
	int fd;         /* the process's pidfd, or the cgroup's directory; not 0 */
	pid_t self;     /* the process that made it for itself, or 0 */
	uint64_t id[2]; /* the same for all targets that are the same process or cgroup */
};

/* What is allocated. Plain data, as a child in another cgroup works with it. */
struct allocation {
	enum heap_kind kind;
	int heap;
	const char *name;
	uint64_t size;      /* whole pages */
	uint32_t fd_flags;  /* O_CLOEXEC and the access mode */
	bool charge_caller; /* let the kernel charge the process that runs this */
	bool populate;      /* allocate a memfd's pages at once */
};

/* ---- alloc.c ------------------------------------------------------------ */

/* Async-signal-safe. Return: a new descriptor or a negative errno. */
int allocation_run(const struct allocation *allocation);

/* ---- pool.c ------------------------------------------------------------- */

/* The size that a pool allocates for @size. */
uint64_t pool_class(uint64_t size);

/* ---- helper.c ----------------------------------------------------------- */

/*
 * The same, carried out by a child in @cgroup. -EACCES if no process may be put there;
 * -EOPNOTSUPP if none can; -ESRCH if it is gone.
 */
int helper_run(const struct allocation *allocation, int cgroup);

/* The same wherever its memory is counted. */
int helper_run_in(const struct allocation *allocation, int cgroup);

/* ---- charge.c ----------------------------------------------------------- */

/* Also of one that has ended and was not waited for yet. */
static inline bool pidfd_has_ended(int pidfd)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	return poll(&ended, 1, 0) == 1;
}

/* -ESRCH if it cannot be charged any more. */
static inline int charge_check(const struct dmabuf_charge *charge)
{
	return (charge->cgroup ? cgroup_is_gone(charge->fd) : pidfd_has_ended(charge->fd)) ? -ESRCH
											   : 0;
}

bool charge_is_same(const struct dmabuf_charge *a, const struct dmabuf_charge *b);

/* Directory of the cgroup that the target is (in): a new descriptor, or a negative errno. */
int charge_cgroup(const struct dmabuf_charge *charge);

#endif
