// SPDX-License-Identifier: GPL-2.0-only
/*
 * Context banks: the address spaces of a DSP. Each is a device on a bus of its
 * own, so that the IOMMU gives it a domain.
 */
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/of.h>
#include <linux/of_device.h>
#include <linux/qda_compute_bus.h>
#include <linux/rpmsg.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "qda_drv.h"

static void qda_cb_release(struct device *dev)
{
	struct qda_cb *cb = container_of(dev, struct qda_cb, dev);

	of_node_put(dev->of_node);
	kfree(cb);
}

/* Isolation between the sessions is the IOMMU's work. */
static int qda_cb_check_iommu(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (!domain)
		return dev_err_probe(dev, -ENODEV, "the context bank is not behind an IOMMU\n");
	if (!(domain->type & __IOMMU_DOMAIN_PAGING))
		return dev_err_probe(dev, -ENODEV,
				     "the IOMMU does not translate for the context bank\n");
	return 0;
}

static struct qda_cb *qda_cb_create(struct qda_device *qdev, struct device_node *node)
{
	unsigned int bits = qdev->soc->dma_bits;
	struct device *parent = &qdev->rpdev->dev;
	struct qda_cb *cb;
	u32 sid;
	int ret;

	ret = of_property_read_u32(node, "reg", &sid);
	if (ret) {
		dev_err(parent, "%pOF has no stream id\n", node);
		return ERR_PTR(ret);
	}
	if (strstarts(qdev->name, "cdsp"))
		bits = qdev->soc->dma_bits_cdsp;

	cb = kzalloc_obj(*cb);
	if (!cb)
		return ERR_PTR(-ENOMEM);
	cb->sid = sid;
	cb->dma_mask = DMA_BIT_MASK(bits);
	cb->dev.dma_mask = &cb->dma_mask;
	cb->dev.coherent_dma_mask = cb->dma_mask;
	cb->dev.dma_parms = &cb->dma_parms;
	/* A buffer is one range of addresses, however large. */
	dma_set_max_seg_size(&cb->dev, UINT_MAX);
	dma_set_seg_boundary(&cb->dev, ULONG_MAX);
	cb->dev.parent = parent;
	cb->dev.bus = &qda_compute_bus_type;
	cb->dev.release = qda_cb_release;
	device_initialize(&cb->dev);
	device_set_node(&cb->dev, of_fwnode_handle(of_node_get(node)));
	ret = dev_set_name(&cb->dev, "qda-cb-%s-%u", qdev->name, sid);
	if (ret)
		goto err_put;
	ret = device_add(&cb->dev);
	if (ret)
		goto err_put;
	/* Says -EPROBE_DEFER if the IOMMU is yet to come. */
	ret = of_dma_configure(&cb->dev, node, true);
	if (!ret)
		ret = qda_cb_check_iommu(&cb->dev);
	if (ret)
		goto err_del;
	return cb;

err_del:
	device_del(&cb->dev);
err_put:
	put_device(&cb->dev);
	return ERR_PTR(ret);
}

/**
 * qda_cb_populate() - create the context banks of a DSP
 * @qdev: the DSP
 *
 * Return: 0 or a negative errno.
 */
int qda_cb_populate(struct qda_device *qdev)
{
	struct device_node *parent = qdev->rpdev->dev.of_node;

	qdev->cbs = devm_kcalloc(&qdev->rpdev->dev, of_get_available_child_count(parent),
				 sizeof(*qdev->cbs), GFP_KERNEL);
	if (!qdev->cbs)
		return -ENOMEM;

	for_each_available_child_of_node_scoped(parent, node) {
		struct qda_cb *cb;

		if (!of_device_is_compatible(node, "qcom,fastrpc-compute-cb"))
			continue;
		cb = qda_cb_create(qdev, node);
		if (IS_ERR(cb)) {
			qda_cb_depopulate(qdev);
			return PTR_ERR(cb);
		}
		qdev->cbs[qdev->n_cbs++] = cb;
	}
	return 0;
}

/**
 * qda_cb_depopulate() - remove the context banks
 * @qdev: the DSP; nothing is mapped in them and no session gets one any more
 */
void qda_cb_depopulate(struct qda_device *qdev)
{
	unsigned int n;

	/* Sessions that end later leave their bank alone. */
	scoped_guard(mutex, &qdev->lock) {
		n = qdev->n_cbs;
		qdev->n_cbs = 0;
	}
	while (n)
		device_unregister(&qdev->cbs[--n]->dev);
}
