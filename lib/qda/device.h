/* SPDX-License-Identifier: MIT */
/* What enumeration and monitor share: a node and what it answered. */
#ifndef QDA_DEVICE_H
#define QDA_DEVICE_H

#include <libudev.h>

#include "internal.h"

struct qda_device_info {
	struct qda_device_info *next;
	char *node;
	char *syspath;
	char dsp[17];
	bool is_qda; /* DRM_IOCTL_VERSION said so */
	int error;   /* of the step that failed, or 0 */
	int major, minor, patch;
	int access_error; /* of stat(), or 0 */
	uint32_t mode, uid, gid;
};

/*
 * Ask the node of @udev_device.
 *
 * Return: 1 if it is one of driver "qda", with *ret_info set; 0 if not; -ENOMEM.
 */
int qda_device_info_new(struct udev_device *udev_device, struct qda_device_info **ret_info);
struct qda_device_info *qda_device_info_free(struct qda_device_info *info);

/* All nodes that are there, in the order of their syspaths. */
int qda_device_info_scan(struct udev *udev, struct qda_device_info **ret_infos);
struct qda_device_info *qda_device_info_free_all(struct qda_device_info *infos);

#endif
