// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a DSP's node. DRM has copied the argument, and copies it back.
 */
#include <linux/errno.h>
#include <linux/string.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "qda_drv.h"

int qda_ioctl_query(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_qda_query *query = data;

	memcpy(query->dsp_name, to_qda_device(drm)->name, sizeof(query->dsp_name));
	return 0;
}

int qda_ioctl_gem_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_qda_gem_create *create = data;

	if (create->pad)
		return -EINVAL;
	return qda_gem_create(file->driver_priv, file, create->size, &create->handle);
}

int qda_ioctl_gem_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_qda_gem_mmap_offset *map = data;

	if (map->pad)
		return -EINVAL;
	return drm_gem_dumb_map_offset(file, drm, map->handle, &map->offset);
}

/* What the DSP does must not be done twice: no errno of those that restart the ioctl. */
static int qda_ioctl_once(int ret)
{
	switch (ret) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return -EINTR;
	}
	return ret;
}

int qda_ioctl_session_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	return qda_ioctl_once(qda_fastrpc_create(file->driver_priv, data));
}

int qda_ioctl_map(struct drm_device *drm, void *data, struct drm_file *file)
{
	return qda_ioctl_once(qda_fastrpc_map(file->driver_priv, data));
}

int qda_ioctl_munmap(struct drm_device *drm, void *data, struct drm_file *file)
{
	return qda_ioctl_once(qda_fastrpc_munmap(file->driver_priv, data));
}

int qda_ioctl_invoke(struct drm_device *drm, void *data, struct drm_file *file)
{
	return qda_ioctl_once(qda_fastrpc_invoke(file->driver_priv, file, data));
}
