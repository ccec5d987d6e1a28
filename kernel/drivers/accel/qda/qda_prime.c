// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA-BUFs: which memory one stands for, and where in it a user address is.
 * Import and export are the helpers' work; qda_gem_open() maps what was imported.
 */
#include <linux/dma-buf.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/sched.h>

#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "qda_drv.h"

/**
 * qda_prime_key() - what a DMA-BUF stands for
 * @qdev: the DSP
 * @dmabuf: the DMA-BUF
 *
 * Return: the object if it is of this device, else @dmabuf.
 */
void *qda_prime_key(struct qda_device *qdev, struct dma_buf *dmabuf)
{
	if (drm_gem_is_prime_exported_dma_buf(&qdev->drm, dmabuf))
		return dmabuf->priv;
	return dmabuf;
}

/* Where in the DMA-BUF a mapping of it starts. */
static bool qda_prime_vma_start(struct qda_device *qdev, struct dma_buf *dmabuf,
				struct vm_area_struct *vma, u64 *start)
{
	struct drm_gem_object *obj;

	if (drm_gem_is_prime_exported_dma_buf(&qdev->drm, dmabuf)) {
		obj = dmabuf->priv;
		if (vma->vm_ops != obj->funcs->vm_ops || vma->vm_private_data != obj)
			return false;
		*start = (u64)(vma->vm_pgoff - drm_vma_node_start(&obj->vma_node)) << PAGE_SHIFT;
		return true;
	}
	if (vma->vm_file != dmabuf->file)
		return false;
	/*
	 * A mapping of all of it starts at its start. Some exporters, among them DRM
	 * drivers, put a number of their own into vm_pgoff: with that a mapping of a
	 * part is outside of the DMA-BUF, and refused.
	 */
	*start = vma->vm_end - vma->vm_start < dmabuf->size ? (u64)vma->vm_pgoff << PAGE_SHIFT : 0;
	return true;
}

/**
 * qda_prime_offset() - where in a DMA-BUF a user address is
 * @qdev: the DSP
 * @dmabuf: the DMA-BUF
 * @ptr: address in a mapping of it in the caller's address space
 * @offset: out
 *
 * Return: 0, or -EINVAL if what is mapped there is something else.
 */
int qda_prime_offset(struct qda_device *qdev, struct dma_buf *dmabuf, u64 ptr, u64 *offset)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int ret = -EINVAL;
	u64 start;

	if (ptr >= TASK_SIZE_MAX)
		return -EINVAL;
	mmap_read_lock(mm);
	vma = vma_lookup(mm, ptr);
	if (vma && qda_prime_vma_start(qdev, dmabuf, vma, &start)) {
		*offset = start + (ptr - vma->vm_start);
		ret = 0;
	}
	mmap_read_unlock(mm);
	return ret;
}
