// SPDX-License-Identifier: GPL-2.0-only
/* What is meant: this has to compile. */
/* compiler: compiled */
#include <linux/dma-resv.h>
#include <drm/drm_drv.h>
#include "panthor_device.h"

int proper(struct panthor_device *ptdev, struct dma_resv *resv);
int proper(struct panthor_device *ptdev, struct dma_resv *resv)
{
	int ret;

	ACQUIRE(drm_dev_access, access)(&ptdev->base);
	if (ACQUIRE_ERR(drm_dev_access, &access))
		return -ENODEV;

	ACQUIRE(panthor_device_active, active)(ptdev);
	ret = ACQUIRE_ERR(panthor_device_active, &active);
	if (ret)
		return ret;

	guard(dma_resv)(resv);

	return 1;
}
