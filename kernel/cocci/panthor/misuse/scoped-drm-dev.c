// SPDX-License-Identifier: GPL-2.0-only
/* The same in a scope of its own. */
/* compiler: use the guard drm_dev_access */
#include <linux/dma-resv.h>
#include <drm/drm_drv.h>
#include "panthor_device.h"

int misuse(struct drm_device *drm);
int misuse(struct drm_device *drm)
{
	int entered = 0;

	scoped_guard(drm_dev, drm)
		entered++;

	return entered;
}
