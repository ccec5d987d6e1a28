// SPDX-License-Identifier: GPL-2.0-only
/* A reference that is dropped without being taken. */
/* compiler: use the guard panthor_device_active */
#include <linux/dma-resv.h>
#include <drm/drm_drv.h>
#include "panthor_device.h"

void misuse(struct panthor_device *ptdev);
void misuse(struct panthor_device *ptdev)
{
	guard(panthor_device)(ptdev);
}
