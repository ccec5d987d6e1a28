/* SPDX-License-Identifier: MIT */
/* Pools: buffers that were used before, by size class and charge target. */
#include <string.h>

#include "heap.h"

/* A buffer that is kept. */
struct entry {
	struct entry *older, *newer;
	struct dmabuf *buffer;
};

struct dmabuf_pool {
	struct dmabuf_heap *heap;
	uint64_t id;
	uint64_t max_bytes;
	pthread_mutex_t lock; /* of what follows */
	struct entry *oldest, *newest;
	struct dmabuf_pool_stats stats;
};

/* No two pools of a process have the same one. */
static atomic_ullong next_id = 1;

/*
 * An eighth of the next smaller power of two is the step between classes. Small sizes are
 * classes of their own.
 */
uint64_t pool_class(uint64_t size)
{
	uint64_t page = page_size(), pages = size / page + (size % page != 0), step = 1;

	while (step * 16 <= pages)
		step *= 2;
	return ALIGN_UP(pages, step) * page;
}

/* ---- the list; under the lock ------------------------------------------- */

static void list_add(struct dmabuf_pool *pool, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = pool->newest;
	*(pool->newest ? &pool->newest->newer : &pool->oldest) = entry;
	pool->newest = entry;
	pool->stats.buffers++;
	pool->stats.bytes += entry->buffer->size;
}

static void list_remove(struct dmabuf_pool *pool, struct entry *entry)
{
	*(entry->older ? &entry->older->newer : &pool->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &pool->newest) = entry->older;
	pool->stats.buffers--;
	pool->stats.bytes -= entry->buffer->size;
}

/* Take the oldest ones out until @keep_bytes are left: a list by ->newer. */
static struct entry *take_over(struct dmabuf_pool *pool, uint64_t keep_bytes)
{
	struct entry *taken = NULL, **end = &taken;

	while (pool->stats.bytes > keep_bytes) {
		struct entry *entry = pool->oldest;

		list_remove(pool, entry);
		pool->stats.trimmed++;
		entry->newer = NULL;
		*end = entry;
		end = &entry->newer;
	}
	return taken;
}

/* Without the lock: giving memory back takes time. Return: bytes. */
static uint64_t free_entries(struct entry *entry)
{
	uint64_t bytes = 0;

	while (entry) {
		struct entry *next = entry->newer;

		bytes += entry->buffer->size;
		dmabuf_unref(entry->buffer);
		free(entry);
		entry = next;
	}
	return bytes;
}

/* ---- allocation --------------------------------------------------------- */

/* Whether it was charged to its target, and not to whoever took it by best effort. */
static bool is_charged_to(const struct dmabuf *buffer, const struct dmabuf_charge *charge)
{
	return buffer->charged == DMABUF_CHARGED_CALLER ? charge->self == getpid()
							: buffer->charged != DMABUF_CHARGED_NOT;
}

/* The charge stays with who it was made to, and a strict caller wants one. */
static bool fits(const struct dmabuf *buffer, uint64_t size, const struct dmabuf_charge *charge,
		 uint32_t flags)
{
	bool read_only = flags & DMABUF_ALLOC_READ_ONLY;

	if (buffer->size != size || buffer->read_only_fd != read_only)
		return false;
	if (buffer->charged != DMABUF_CHARGED_NOT && !charge_is_same(buffer->charge, charge))
		return false;
	return !charge || !(flags & DMABUF_ALLOC_STRICT) || is_charged_to(buffer, charge);
}

/* One whose last target was the same is best: it need not be cleared. */
static struct dmabuf *take(struct dmabuf_pool *pool, uint64_t size,
			   const struct dmabuf_charge *charge, uint32_t flags)
{
	struct entry *found = NULL;
	struct dmabuf *buffer = NULL;

	pthread_mutex_lock(&pool->lock);
	for (struct entry *entry = pool->newest; entry; entry = entry->older) {
		bool same = charge_is_same(entry->buffer->charge, charge);

		if ((!found || same) && fits(entry->buffer, size, charge, flags))
			found = entry;
		if (found && same)
			break;
	}
	if (found)
		list_remove(pool, found);
	pthread_mutex_unlock(&pool->lock);
	if (found)
		buffer = found->buffer;
	free(found);
	return buffer;
}

/* @charge becomes the target whose data will be in it. */
static void set_target(struct dmabuf *buffer, struct dmabuf_charge *charge)
{
	dmabuf_charge_unref(buffer->charge);
	buffer->charge = charge ? dmabuf_charge_ref(charge) : NULL;
}

static int clear(struct dmabuf *buffer)
{
	void *memory;
	int r;

	r = dmabuf_map(buffer, DMABUF_WRITE, &memory);
	if (r < 0)
		return r;
	r = dmabuf_begin_access(buffer, DMABUF_WRITE);
	if (r == 0) {
		memset(memory, 0, buffer->size);
		r = dmabuf_end_access(buffer, DMABUF_WRITE);
	}
	dmabuf_unmap(buffer);
	return r;
}

/* One that was kept, ready for @charge; NULL if there is none. */
static struct dmabuf *reuse(struct dmabuf_pool *pool, uint64_t size, struct dmabuf_charge *charge,
			    uint32_t flags)
{
	struct dmabuf *buffer;

	while ((buffer = take(pool, size, charge, flags))) {
		if (charge_is_same(buffer->charge, charge))
			return buffer;
		if (clear(buffer) == 0) {
			set_target(buffer, charge);
			return buffer;
		}
		dmabuf_unref(buffer); /* such as one that no CPU may map */
	}
	return NULL;
}

DMABUF_EXPORT int dmabuf_pool_alloc(struct dmabuf_pool *pool, uint64_t size,
				    struct dmabuf_charge *charge, uint32_t flags,
				    struct dmabuf **ret_buffer)
{
	struct dmabuf *buffer = NULL;
	uint64_t *counter = &pool->stats.reused;
	int r;

	if (size == 0 || size > INT64_MAX ||
	    flags & ~(DMABUF_ALLOC_STRICT | DMABUF_ALLOC_READ_ONLY))
		return -EINVAL;
	r = charge ? charge_check(charge) : 0;
	if (r < 0)
		return r;
	size = pool_class(size);
	buffer = reuse(pool, size, charge, flags);
	if (!buffer) {
		counter = &pool->stats.allocated;
		r = dmabuf_alloc(pool->heap, size, NULL, charge, flags, &buffer);
		if (r < 0)
			return r;
		buffer->pool = pool->id;
		buffer->read_only_fd = flags & DMABUF_ALLOC_READ_ONLY;
		set_target(buffer, charge);
	}
	pthread_mutex_lock(&pool->lock);
	(*counter)++;
	pthread_mutex_unlock(&pool->lock);
	*ret_buffer = buffer;
	return 0;
}

/* ---- release ------------------------------------------------------------ */

/* Whether nobody but the pool would have it. Of a memfd the kernel does not tell. */
static bool is_ours_alone(struct dmabuf *buffer)
{
	struct dmabuf_info info;

	if (atomic_load_explicit(&buffer->refs, memory_order_acquire) != 1 ||
	    buffer_is_mapped(buffer))
		return false;
	return buffer->memfd || (dmabuf_info(buffer->fd, &info) == 0 && info.references == 1);
}

DMABUF_EXPORT int dmabuf_pool_release(struct dmabuf_pool *pool, struct dmabuf *buffer)
{
	struct entry *entry, *over;

	if (buffer->pool != pool->id)
		return -EINVAL;
	entry = buffer->size <= pool->max_bytes && is_ours_alone(buffer) ? calloc(1, sizeof(*entry))
									 : NULL;
	if (!entry) {
		dmabuf_unref(buffer);
		return 0;
	}
	entry->buffer = buffer;
	pthread_mutex_lock(&pool->lock);
	over = take_over(pool, pool->max_bytes - buffer->size);
	list_add(pool, entry);
	pthread_mutex_unlock(&pool->lock);
	free_entries(over);
	return 0;
}

DMABUF_EXPORT uint64_t dmabuf_pool_trim(struct dmabuf_pool *pool, uint64_t keep_bytes)
{
	struct entry *over;

	pthread_mutex_lock(&pool->lock);
	over = take_over(pool, keep_bytes);
	pthread_mutex_unlock(&pool->lock);
	return free_entries(over);
}

/* ---- pools -------------------------------------------------------------- */

DMABUF_EXPORT int dmabuf_pool_new(struct dmabuf_heap *heap, uint64_t max_bytes,
				  struct dmabuf_pool **ret_pool)
{
	struct dmabuf_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->heap = dmabuf_heap_ref(heap);
	pool->id = atomic_fetch_add(&next_id, 1);
	pool->max_bytes = max_bytes;
	pthread_mutex_init(&pool->lock, NULL);
	*ret_pool = pool;
	return 0;
}

DMABUF_EXPORT struct dmabuf_pool *dmabuf_pool_free(struct dmabuf_pool *pool)
{
	if (!pool)
		return NULL;
	dmabuf_pool_trim(pool, 0);
	dmabuf_heap_unref(pool->heap);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
	return NULL;
}

DMABUF_EXPORT void dmabuf_pool_stats(struct dmabuf_pool *pool, struct dmabuf_pool_stats *ret_stats)
{
	pthread_mutex_lock(&pool->lock);
	*ret_stats = pool->stats;
	pthread_mutex_unlock(&pool->lock);
}
