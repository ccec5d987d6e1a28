/* SPDX-License-Identifier: MIT */
/* What a buffer is, and what the parts of libdmabuf need of each other. */
#ifndef DMABUF_INTERNAL_H
#define DMABUF_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dmabuf.h>

#include "common.h"

#define DMABUF_EXPORT __attribute__((visibility("default")))

struct dmabuf {
	atomic_uint refs;
	int fd;
	bool memfd; /* no dma-buf */
	uint64_t size;
	enum dmabuf_charged charged;
	/* Of a pool: which, the target whose data is in it or NULL, and how it was opened. */
	uint64_t pool;
	struct dmabuf_charge *charge;
	bool read_only_fd;
	pthread_mutex_t lock; /* of what follows */
	unsigned int mapped;  /* times */
	void *read_only;      /* or NULL */
	void *writable;
};

/*
 * A buffer of a new descriptor, which becomes the buffer's and is closed on failure.
 * @size: bytes, which are known to be there
 */
int dmabuf_take_fd(int fd, uint64_t size, struct dmabuf **ret_buffer);

/* The same for what is known to be a memfd or a dma-buf; NULL without memory. */
struct dmabuf *buffer_new(int fd, uint64_t size, bool memfd);

/* The same for what came from elsewhere: -EINVAL if it is no dma-buf and no memfd. */
int dmabuf_adopt_fd(int fd, struct dmabuf **ret_buffer);

/* Fill name, references and exporter from what /proc/PID/fdinfo says of a dma-buf. */
void dmabuf_parse_fdinfo(char *text, struct dmabuf_info *info);

static inline uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Whether @access is one that calls take. */
static inline bool valid_access(uint32_t access)
{
	return access && !(access & ~(DMABUF_READ | DMABUF_WRITE));
}

#endif
