// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffer objects. A file that has a handle of one has it mapped in its context
 * bank; so no call has to map it.
 */
#include <linux/mm.h>
#include <linux/property.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem_shmem_helper.h>

#include "qda_drv.h"

static int qda_gem_open(struct drm_gem_object *obj, struct drm_file *file)
{
	struct qda_session *session = file->driver_priv;
	struct qda_map *map;

	/* The reference is the handle's. */
	if (drm_gem_is_imported(obj))
		map = qda_map_dmabuf(session, obj->import_attach->dmabuf);
	else
		map = qda_map_object(session, obj);
	return PTR_ERR_OR_ZERO(map);
}

static void qda_gem_close(struct drm_gem_object *obj, struct drm_file *file)
{
	struct qda_session *session = file->driver_priv;
	struct qda_map *map;

	map = qda_map_find(session, drm_gem_is_imported(obj) ?
				    (void *)obj->import_attach->dmabuf : (void *)obj);
	if (!map)
		return;
	qda_map_put(map);
	qda_map_put(map);
}

/*
 * What was imported is mapped through its exporter. Faults of the shmem helper
 * take the start of the mapping for that of the object, so none may start
 * elsewhere.
 */
static int qda_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (drm_gem_is_imported(obj) || vma->vm_pgoff != drm_vma_node_start(&obj->vma_node))
		return -EINVAL;
	return drm_gem_shmem_object_mmap(obj, vma);
}

static const struct drm_gem_object_funcs qda_gem_funcs = {
	.free = drm_gem_shmem_object_free,
	.open = qda_gem_open,
	.close = qda_gem_close,
	.print_info = drm_gem_shmem_object_print_info,
	.pin = drm_gem_shmem_object_pin,
	.unpin = drm_gem_shmem_object_unpin,
	.get_sg_table = drm_gem_shmem_object_get_sg_table,
	.vmap = drm_gem_shmem_object_vmap,
	.vunmap = drm_gem_shmem_object_vunmap,
	.mmap = qda_gem_mmap,
	.vm_ops = &drm_gem_shmem_vm_ops,
};

/* &drm_driver.gem_create_object */
struct drm_gem_object *qda_gem_create_object(struct drm_device *drm, size_t size)
{
	struct drm_gem_shmem_object *shmem;

	shmem = kzalloc_obj(*shmem);
	if (!shmem)
		return ERR_PTR(-ENOMEM);
	shmem->base.funcs = &qda_gem_funcs;
	return &shmem->base;
}

/* Whether the DSP sees what is in the CPU's caches. */
static bool qda_gem_is_coherent(struct qda_session *session)
{
	bool coherent = false;
	int idx;

	if (drm_dev_enter(&session->qdev->drm, &idx)) {
		coherent = device_get_dma_attr(&session->cb->dev) == DEV_DMA_COHERENT;
		drm_dev_exit(idx);
	}
	return coherent;
}

/**
 * qda_gem_create() - allocate an object
 * @session: who wants it
 * @file: its file
 * @size: bytes
 * @handle: out, the handle
 *
 * Return: 0 or a negative errno.
 */
int qda_gem_create(struct qda_session *session, struct drm_file *file, u64 size, u32 *handle)
{
	struct drm_gem_shmem_object *shmem;
	int ret;

	if (!size || size > U32_MAX)
		return -EINVAL;
	ret = qda_mm_assign_cb(session);
	if (ret)
		return ret;
	shmem = drm_gem_shmem_create(&session->qdev->drm, size);
	if (IS_ERR(shmem))
		return PTR_ERR(shmem);
	shmem->map_wc = !qda_gem_is_coherent(session);
	ret = drm_gem_handle_create(file, &shmem->base, handle);
	drm_gem_object_put(&shmem->base);
	return ret;
}
