// SPDX-License-Identifier: GPL-2.0-only
/* A section that is left without being entered. */
/* compiler: use the guard drm_dev_access */
#include <linux/dma-resv.h>
#include <drm/drm_drv.h>
#include "panthor_device.h"

void misuse(struct drm_device *drm);
void misuse(struct drm_device *drm)
{
	guard(drm_dev)(drm);
}
