/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bus of the context banks of Qualcomm's DSPs, for the IOMMU core.
 */
#ifndef __LINUX_QDA_COMPUTE_BUS_H__
#define __LINUX_QDA_COMPUTE_BUS_H__

#include <linux/device/bus.h>

#ifdef CONFIG_DRM_ACCEL_QDA_COMPUTE_BUS
extern const struct bus_type qda_compute_bus_type;
#endif

#endif
