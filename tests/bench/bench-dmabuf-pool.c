/* SPDX-License-Identifier: MIT */
/*
 * Times buffers that are allocated, written and given back and, interleaved with them
 * in the same run, the same with buffers of a pool. Prints a JSON object with the
 * nanoseconds of each kind and size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dmabuf.h>

#include "common.h"
#include "interleave.h"

#define BUFFERS 4 /* of a batch */

static struct dmabuf_heap *heap;
static struct dmabuf_pool *pool;

static int write_all(struct dmabuf *buffer)
{
	void *memory;
	int r = dmabuf_map(buffer, DMABUF_WRITE, &memory);

	if (r < 0)
		return r;
	r = dmabuf_begin_access(buffer, DMABUF_WRITE);
	if (r == 0) {
		memset(memory, 1, dmabuf_size(buffer));
		r = dmabuf_end_access(buffer, DMABUF_WRITE);
	}
	dmabuf_unmap(buffer);
	return r;
}

static int fresh(uint64_t size)
{
	struct dmabuf *buffer;
	int r = dmabuf_alloc(heap, size, NULL, NULL, 0, &buffer);

	if (r < 0)
		return r;
	r = write_all(buffer);
	dmabuf_unref(buffer);
	return r;
}

static int pooled(uint64_t size)
{
	struct dmabuf *buffer;
	int r = dmabuf_pool_alloc(pool, size, NULL, 0, &buffer);

	if (r < 0)
		return r;
	r = write_all(buffer);
	dmabuf_pool_release(pool, buffer);
	return r;
}

#define KINDS(name, size)                    \
	static int fresh_##name(void *data)  \
	{                                    \
		return fresh(size);          \
	}                                    \
	static int pooled_##name(void *data) \
	{                                    \
		return pooled(size);         \
	}
#define ROWS(name)                                      \
	{"fresh_" #name, fresh_##name, BUFFERS},        \
	{                                               \
		"pooled_" #name, pooled_##name, BUFFERS \
	}

KINDS(64K, 64 << 10)
KINDS(1M, 1 << 20)
KINDS(8M, 8 << 20)

static const struct kind kinds[] = {ROWS(64K), ROWS(1M), ROWS(8M)};

/* Arguments: the heap, and the rounds. */
int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "memfd";
	int r = dmabuf_heap_open(name, &heap);

	if (r == 0)
		r = dmabuf_pool_new(heap, 64 << 20, &pool);
	if (r < 0) {
		fprintf(stderr, "bench-dmabuf-pool: %s: %s\n", name, dmabuf_strerror(r));
		return 1;
	}
	r = run_interleaved(kinds, ARRAY_SIZE(kinds), NULL, argc > 2 ? atoi(argv[2]) : ROUNDS);
	dmabuf_pool_free(pool);
	dmabuf_heap_unref(heap);
	return r;
}
