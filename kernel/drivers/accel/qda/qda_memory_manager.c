// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory manager: which session has which context bank, and what of memory
 * the bank reaches. Buffers are mapped once per session; the kernel's own memory
 * for calls is kept for the next call.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem_shmem_helper.h>

#include "qda_drv.h"

/* ---- context banks --------------------------------------------------------- */

/**
 * qda_mm_assign_cb() - give a session a context bank, unless it has one
 * @session: the session
 *
 * Return: 0, -EBUSY if all are taken, or -ENODEV if the DSP has gone.
 */
int qda_mm_assign_cb(struct qda_session *session)
{
	struct qda_device *qdev = session->qdev;

	guard(mutex)(&qdev->lock);
	if (session->cb)
		return 0;
	if (drm_dev_is_unplugged(&qdev->drm))
		return -ENODEV;
	for (unsigned int i = 0; i < qdev->n_cbs; i++) {
		if (qdev->cbs[i]->session)
			continue;
		qdev->cbs[i]->session = session;
		session->sid = (u64)qdev->cbs[i]->sid << qdev->soc->sid_shift;
		session->client_id = i + 1;
		session->cb = qdev->cbs[i];
		return 0;
	}
	return -EBUSY;
}

/**
 * qda_mm_release_cb() - take the context bank from a session
 * @session: the session; nothing is mapped for it and it is of no further use
 */
void qda_mm_release_cb(struct qda_session *session)
{
	struct qda_device *qdev = session->qdev;

	guard(mutex)(&qdev->lock);
	list_del(&session->node);
	if (session->cb && qdev->n_cbs)
		session->cb->session = NULL;
}

/**
 * qda_mm_revoke() - undo all mappings of a DSP that has gone
 * @qdev: the DSP, unplugged
 *
 * The memory itself stays with those who have it.
 */
void qda_mm_revoke(struct qda_device *qdev)
{
	struct qda_session *session;
	struct qda_map *map, *next;

	guard(mutex)(&qdev->lock);
	list_for_each_entry(session, &qdev->sessions, node) {
		guard(mutex)(&session->lock);
		list_for_each_entry_safe(map, next, &session->maps, node) {
			list_del_init(&map->node);
			qda_dma_unmap(map);
		}
	}
}

/* ---- mappings -------------------------------------------------------------- */

static void qda_map_free(struct qda_map *map)
{
	if (map->sgt && !map->dmabuf) {
		sg_free_table(map->sgt);
		kfree(map->sgt);
	}
	if (map->obj) {
		drm_gem_shmem_unpin(to_drm_gem_shmem_obj(map->obj));
		drm_gem_object_put(map->obj);
	}
	if (map->dmabuf)
		dma_buf_put(map->dmabuf);
	vfree(map->vaddr);
	qda_session_put(map->session);
	kfree(map);
}

static void qda_map_release(struct kref *ref)
{
	struct qda_map *map = container_of(ref, struct qda_map, ref);

	lockdep_assert_held(&map->session->lock);
	hash_del(&map->hash);
	if (!list_empty(&map->node)) {
		list_del(&map->node);
		qda_dma_unmap(map);
	}
	mutex_unlock(&map->session->lock);
	qda_map_free(map);
}

/**
 * qda_map_put() - drop a reference to a mapping; with the last one it goes
 * @map: the mapping
 */
void qda_map_put(struct qda_map *map)
{
	kref_put_mutex(&map->ref, qda_map_release, &map->session->lock);
}

static struct qda_map *qda_map_lookup(struct qda_session *session, void *key)
{
	struct qda_map *map;

	lockdep_assert_held(&session->lock);
	hash_for_each_possible(session->by_key, map, hash, (unsigned long)key) {
		if (map->key == key) {
			kref_get(&map->ref);
			return map;
		}
	}
	return NULL;
}

/**
 * qda_map_find() - a session's mapping of a buffer
 * @session: the session
 * @key: the buffer, see qda_prime_key()
 *
 * Return: a reference, or NULL if there is none.
 */
struct qda_map *qda_map_find(struct qda_session *session, void *key)
{
	guard(mutex)(&session->lock);
	return qda_map_lookup(session, key);
}

static struct qda_map *qda_map_alloc(struct qda_session *session, void *key, size_t size)
{
	struct qda_map *map = kzalloc_obj(*map, GFP_KERNEL_ACCOUNT);

	if (!map)
		return NULL;
	kref_init(&map->ref);
	INIT_LIST_HEAD(&map->node);
	INIT_LIST_HEAD(&map->idle);
	map->session = qda_session_get(session);
	map->key = key;
	map->size = size;
	return map;
}

static int qda_map_set_pages(struct qda_map *map, struct page **pages)
{
	int ret;

	map->sgt = kzalloc_obj(*map->sgt);
	if (!map->sgt)
		return -ENOMEM;
	ret = sg_alloc_table_from_pages(map->sgt, pages, map->size >> PAGE_SHIFT, 0, map->size,
					GFP_KERNEL);
	if (ret) {
		kfree(map->sgt);
		map->sgt = NULL;
		return ret;
	}
	return qda_dma_map_pages(map);
}

static void qda_map_add(struct qda_map *map)
{
	struct qda_session *session = map->session;

	lockdep_assert_held(&session->lock);
	list_add(&map->node, &session->maps);
	if (map->key)
		hash_add(session->by_key, &map->hash, (unsigned long)map->key);
}

static struct qda_map *qda_map_new_object(struct qda_session *session, struct drm_gem_object *obj)
{
	struct drm_gem_shmem_object *shmem = to_drm_gem_shmem_obj(obj);
	struct qda_map *map;
	int ret;

	map = qda_map_alloc(session, obj, obj->size);
	if (!map)
		return ERR_PTR(-ENOMEM);
	ret = drm_gem_shmem_pin(shmem);
	if (ret)
		goto err_free;
	drm_gem_object_get(obj);
	map->obj = obj;
	ret = qda_map_set_pages(map, shmem->pages);
	if (ret)
		goto err_free;
	qda_map_add(map);
	return map;

err_free:
	qda_map_free(map);
	return ERR_PTR(ret);
}

static struct qda_map *qda_map_new_dmabuf(struct qda_session *session, struct dma_buf *dmabuf)
{
	struct qda_map *map;
	int ret;

	map = qda_map_alloc(session, dmabuf, dmabuf->size);
	if (!map)
		return ERR_PTR(-ENOMEM);
	get_dma_buf(dmabuf);
	map->dmabuf = dmabuf;
	ret = qda_dma_map_attachment(map);
	if (ret) {
		qda_map_free(map);
		return ERR_PTR(ret);
	}
	qda_map_add(map);
	return map;
}

/* The session's mapping of an object of this device or of another's DMA-BUF. */
static struct qda_map *qda_map_get(struct qda_session *session, struct drm_gem_object *obj,
				   struct dma_buf *dmabuf)
{
	struct qda_map *map;
	int ret, idx;

	ret = qda_mm_assign_cb(session);
	if (ret)
		return ERR_PTR(ret);
	if (!drm_dev_enter(&session->qdev->drm, &idx))
		return ERR_PTR(-ENODEV);
	mutex_lock(&session->lock);
	map = qda_map_lookup(session, obj ? (void *)obj : (void *)dmabuf);
	if (!map)
		map = obj ? qda_map_new_object(session, obj) : qda_map_new_dmabuf(session, dmabuf);
	mutex_unlock(&session->lock);
	drm_dev_exit(idx);
	return map;
}

/**
 * qda_map_object() - map an object of this device in a session's context bank
 * @session: the session
 * @obj: the object
 *
 * Return: a reference to the only mapping of it, or an ERR_PTR.
 */
struct qda_map *qda_map_object(struct qda_session *session, struct drm_gem_object *obj)
{
	return qda_map_get(session, obj, NULL);
}

/**
 * qda_map_dmabuf() - map a DMA-BUF in a session's context bank
 * @session: the session
 * @dmabuf: the DMA-BUF, of this device or of another
 *
 * Return: a reference to the only mapping of it, or an ERR_PTR.
 */
struct qda_map *qda_map_dmabuf(struct qda_session *session, struct dma_buf *dmabuf)
{
	void *key = qda_prime_key(session->qdev, dmabuf);

	return key == dmabuf ? qda_map_get(session, NULL, dmabuf) :
			       qda_map_get(session, key, NULL);
}

/**
 * qda_map_kernel() - memory for the kernel and the DSP
 * @session: whose context bank reaches it
 * @size: bytes, whole pages
 *
 * Return: zeroed memory, or an ERR_PTR.
 */
struct qda_map *qda_map_kernel(struct qda_session *session, size_t size)
{
	struct page **pages __free(kvfree) = NULL;
	size_t n = size >> PAGE_SHIFT;
	struct qda_map *map;
	int ret, idx;

	map = qda_map_alloc(session, NULL, size);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->vaddr = __vmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	if (!map->vaddr || !pages) {
		ret = -ENOMEM;
		goto err_free;
	}
	for (size_t i = 0; i < n; i++)
		pages[i] = vmalloc_to_page(map->vaddr + (i << PAGE_SHIFT));

	if (!drm_dev_enter(&session->qdev->drm, &idx)) {
		ret = -ENODEV;
		goto err_free;
	}
	ret = qda_map_set_pages(map, pages);
	if (!ret) {
		guard(mutex)(&session->lock);
		qda_map_add(map);
	}
	drm_dev_exit(idx);
	if (ret)
		goto err_free;
	return map;

err_free:
	qda_map_free(map);
	return ERR_PTR(ret);
}

/**
 * qda_map_contains() - whether a range lies in what is mapped
 * @map: the mapping
 * @offset: start of the range
 * @size: its bytes
 *
 * Return: whether it does.
 */
bool qda_map_contains(const struct qda_map *map, u64 offset, u64 size)
{
	return offset <= map->size && size <= map->size - offset;
}

/* ---- payloads of calls ----------------------------------------------------- */

static unsigned int qda_payload_keep(unsigned int order)
{
	return order < 3 ? 8 : order < 6 ? 4 : 1;
}

/**
 * qda_payload_get() - memory for the payload of a call
 * @session: who calls
 * @size: bytes
 *
 * Return: the memory, or an ERR_PTR. It holds what the session's calls left in it.
 */
struct qda_map *qda_payload_get(struct qda_session *session, size_t size)
{
	unsigned int order = get_order(size);
	struct qda_map *map;

	if (order >= QDA_PAYLOAD_ORDERS)
		return qda_map_kernel(session, PAGE_ALIGN(size));
	scoped_guard(spinlock, &session->idle_lock) {
		map = list_first_entry_or_null(&session->idle[order], struct qda_map, idle);
		if (map) {
			list_del_init(&map->idle);
			session->n_idle[order]--;
			return map;
		}
	}
	return qda_map_kernel(session, PAGE_SIZE << order);
}

/**
 * qda_payload_put() - keep a payload for the next call, or free it
 * @map: the memory; the DSP does not use it any more
 */
void qda_payload_put(struct qda_map *map)
{
	struct qda_session *session = map->session;
	unsigned int order = get_order(map->size);

	if (order < QDA_PAYLOAD_ORDERS) {
		guard(spinlock)(&session->idle_lock);
		if (!session->drained && session->n_idle[order] < qda_payload_keep(order)) {
			list_add(&map->idle, &session->idle[order]);
			session->n_idle[order]++;
			return;
		}
	}
	qda_map_put(map);
}

/**
 * qda_payload_drain() - free what is kept, and keep nothing any more
 * @session: a session that makes no calls any more
 */
void qda_payload_drain(struct qda_session *session)
{
	struct qda_map *map, *next;
	LIST_HEAD(idle);

	scoped_guard(spinlock, &session->idle_lock) {
		session->drained = true;
		for (unsigned int i = 0; i < QDA_PAYLOAD_ORDERS; i++)
			list_splice_init(&session->idle[i], &idle);
	}
	list_for_each_entry_safe(map, next, &idle, idle)
		qda_map_put(map);
}
