// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory manager's back end: mappings by the DMA API, which the IOMMU makes
 * ranges without gaps.
 */
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/scatterlist.h>

#include <drm/drm_prime.h>

#include "qda_drv.h"

/**
 * qda_dma_range() - the one range of addresses that a DSP can be told
 * @sgt: what the DMA API or an exporter has mapped
 * @size: bytes that are wanted of it
 * @addr: out, its start
 *
 * Return: 0, or -EINVAL if it has gaps, is too short, or starts within a page.
 */
VISIBLE_IF_KUNIT int qda_dma_range(struct sg_table *sgt, size_t size, dma_addr_t *addr)
{
	*addr = sg_dma_address(sgt->sgl);
	if (drm_prime_get_contiguous_size(sgt) < size || !IS_ALIGNED(*addr, QDA_WIRE_PAGE))
		return -EINVAL;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(qda_dma_range);

static int qda_dma_set_addr(struct qda_map *map)
{
	struct qda_session *session = map->session;
	dma_addr_t addr;

	if (qda_dma_range(map->sgt, map->size, &addr)) {
		dev_dbg(&session->cb->dev, "a buffer of %zu bytes is not one range\n", map->size);
		return -EINVAL;
	}
	map->addr = session->sid | addr;
	return 0;
}

/**
 * qda_dma_map_pages() - map pages of ours
 * @map: has the pages in its sg_table; the caller is inside drm_dev_enter()
 *
 * Return: 0 or a negative errno.
 */
int qda_dma_map_pages(struct qda_map *map)
{
	struct device *dev = &map->session->cb->dev;
	int ret;

	ret = dma_map_sgtable(dev, map->sgt, DMA_BIDIRECTIONAL, 0);
	if (ret)
		return ret;
	ret = qda_dma_set_addr(map);
	if (ret)
		dma_unmap_sgtable(dev, map->sgt, DMA_BIDIRECTIONAL, 0);
	return ret;
}

/**
 * qda_dma_map_attachment() - map the DMA-BUF of another exporter
 * @map: has the DMA-BUF; the caller is inside drm_dev_enter()
 *
 * Return: 0, -EINVAL if it cannot be had as one range of addresses, or the
 * exporter's errno.
 */
int qda_dma_map_attachment(struct qda_map *map)
{
	int ret;

	map->attach = dma_buf_attach(map->dmabuf, &map->session->cb->dev);
	if (IS_ERR(map->attach))
		return PTR_ERR(map->attach);
	map->sgt = dma_buf_map_attachment_unlocked(map->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(map->sgt)) {
		ret = PTR_ERR(map->sgt);
		goto err_detach;
	}
	ret = qda_dma_set_addr(map);
	if (ret)
		goto err_unmap;
	return 0;

err_unmap:
	dma_buf_unmap_attachment_unlocked(map->attach, map->sgt, DMA_BIDIRECTIONAL);
err_detach:
	dma_buf_detach(map->dmabuf, map->attach);
	return ret;
}

/**
 * qda_dma_unmap() - undo either
 * @map: the mapping; its memory stays
 */
void qda_dma_unmap(struct qda_map *map)
{
	if (map->attach) {
		dma_buf_unmap_attachment_unlocked(map->attach, map->sgt, DMA_BIDIRECTIONAL);
		dma_buf_detach(map->dmabuf, map->attach);
		return;
	}
	dma_unmap_sgtable(&map->session->cb->dev, map->sgt, DMA_BIDIRECTIONAL, 0);
}

/**
 * qda_dma_for_device() - what the CPU wrote is for the DSP to read
 * @map: memory of the kernel's; the caller is inside drm_dev_enter()
 */
void qda_dma_for_device(struct qda_map *map)
{
	dma_sync_sgtable_for_device(&map->session->cb->dev, map->sgt, DMA_BIDIRECTIONAL);
}

/**
 * qda_dma_for_cpu() - what the DSP wrote is for the CPU to read
 * @map: memory of the kernel's; the caller is inside drm_dev_enter()
 */
void qda_dma_for_cpu(struct qda_map *map)
{
	dma_sync_sgtable_for_cpu(&map->session->cb->dev, map->sgt, DMA_BIDIRECTIONAL);
}
