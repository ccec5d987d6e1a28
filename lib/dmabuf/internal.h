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

/* Kept out of a function that is called often, which would save registers for it. */
#define RARE __attribute__((noinline))

struct dmabuf {
	atomic_uint refs;
	int fd;
	uint64_t size;
	bool memfd;        /* no dma-buf */
	bool protected;    /* of a heap whose memory no CPU may map */
	bool read_only_fd; /* of a pool: how it was opened */
	enum dmabuf_charged charged;
	uint64_t pool;                /* which one's, or 0 */
	struct dmabuf_charge *charge; /* of a pool: the target whose data is in it, or NULL */
	/* Under the lock of all mappings: */
	unsigned int mapped; /* times */
	void *read_only;     /* or NULL */
	void *writable;
};

/*
 * A buffer of a new descriptor, which becomes the buffer's and is closed on failure.
 * @size: bytes, which are known to be there
 */
int dmabuf_take_fd(int fd, uint64_t size, struct dmabuf **ret_buffer);

/* The same for what is known to be a memfd or a dma-buf; NULL without memory. */
static inline struct dmabuf *buffer_new(int fd, uint64_t size, bool memfd)
{
	struct dmabuf *buffer = malloc(sizeof(*buffer));

	if (!buffer) {
		close(fd);
		return NULL;
	}
	*buffer = (struct dmabuf){.refs = 1, .fd = fd, .size = size, .memfd = memfd};
	return buffer;
}

/* The same for what came from elsewhere: -EINVAL if it is no dma-buf and no memfd. */
int dmabuf_adopt_fd(int fd, struct dmabuf **ret_buffer);

/*
 * Another descriptor of a memfd, for reading: a new open file is the only way to another access
 * mode. Async-signal-safe. Return: it, or a negative errno.
 */
int memfd_open_read_only(int fd);

/* Whether dmabuf_map() has mapped it. */
bool buffer_is_mapped(const struct dmabuf *buffer);

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
