// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bus of the context banks of Qualcomm's DSPs. It is built in, as the IOMMU
 * core knows its buses from the start.
 */
#include <linux/device.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/of_device.h>
#include <linux/qda_compute_bus.h>

static int qda_compute_bus_dma_configure(struct device *dev)
{
	return of_dma_configure(dev, dev->of_node, true);
}

const struct bus_type qda_compute_bus_type = {
	.name = "qda-compute-cb",
	.dma_configure = qda_compute_bus_dma_configure,
};
EXPORT_SYMBOL_GPL(qda_compute_bus_type);

static int __init qda_compute_bus_init(void)
{
	return bus_register(&qda_compute_bus_type);
}
postcore_initcall(qda_compute_bus_init);
