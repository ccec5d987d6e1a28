/* SPDX-License-Identifier: MIT */
/* The monitor: DSPs that come and go, from udev's events. */
#include <string.h>

#include "device.h"

struct qda_monitor {
	struct qda *qda;
	struct udev *udev;
	struct udev_monitor *events;
	struct qda_device_info *known;   /* so that a removal can name the DSP */
	struct qda_device_info *removed; /* of the last event */
};

QDA_EXPORT struct qda_monitor *qda_monitor_free(struct qda_monitor *monitor)
{
	if (monitor) {
		qda_device_info_free_all(monitor->known);
		qda_device_info_free(monitor->removed);
		udev_monitor_unref(monitor->events);
		udev_unref(monitor->udev);
		qda_unref(monitor->qda);
		free(monitor);
	}
	return NULL;
}

static int start(struct qda_monitor *monitor)
{
	/* Without udevd, as in a small test system, the kernel's own events have to do. */
	const char *source = access("/run/udev/control", F_OK) ? "kernel" : "udev";
	int r;

	monitor->udev = udev_new();
	if (!monitor->udev)
		return -ENOMEM;
	monitor->events = udev_monitor_new_from_netlink(monitor->udev, source);
	if (!monitor->events)
		return errno ? -errno : -ENOMEM;
	r = udev_monitor_filter_add_match_subsystem_devtype(monitor->events, "accel", NULL);
	if (r < 0)
		return r;
	/* Before the scan: what comes in between is then seen twice, not missed. */
	r = udev_monitor_enable_receiving(monitor->events);
	if (r < 0)
		return r;
	r = qda_device_info_scan(monitor->udev, &monitor->known);
	return r < 0 ? r : 0;
}

QDA_EXPORT int qda_monitor_new(struct qda *qda, struct qda_monitor **ret_monitor)
{
	struct qda_monitor *monitor = calloc(1, sizeof(*monitor));
	int r;

	if (!monitor)
		return -ENOMEM;
	monitor->qda = qda_ref(qda);
	r = start(monitor);
	if (r < 0) {
		qda_monitor_free(monitor);
		return r;
	}
	*ret_monitor = monitor;
	return 0;
}

QDA_EXPORT int qda_monitor_fd(const struct qda_monitor *monitor)
{
	return udev_monitor_get_fd(monitor->events);
}

/* Take the known device at @syspath out of the table. */
static struct qda_device_info *take_known(struct qda_monitor *monitor, const char *syspath)
{
	struct qda_device_info **at = &monitor->known, *info;

	while (*at && strcmp((*at)->syspath, syspath) != 0)
		at = &(*at)->next;
	info = *at;
	if (info) {
		*at = info->next;
		info->next = NULL;
	}
	return info;
}

/* Return: 1 if the event is one of ours, 0 if not, or a negative errno. */
static int handle_event(struct qda_monitor *monitor, struct udev_device *udev_device,
			int *ret_action, const struct qda_device_info **ret_info)
{
	const char *action = udev_device_get_action(udev_device);
	struct qda_device_info *info;
	int r;

	if (action && !strcmp(action, "remove")) {
		info = take_known(monitor, udev_device_get_syspath(udev_device));
		if (!info)
			return 0;
		monitor->removed = info;
		*ret_action = QDA_MONITOR_REMOVE;
	} else if (action && !strcmp(action, "add")) {
		r = qda_device_info_new(udev_device, &info);
		if (r <= 0)
			return r;
		qda_device_info_free(take_known(monitor, info->syspath));
		info->next = monitor->known;
		monitor->known = info;
		*ret_action = QDA_MONITOR_ADD;
	} else {
		return 0;
	}
	qda_log(monitor->qda, LOG_INFO, "%s %s (%s)",
		*ret_action == QDA_MONITOR_ADD ? "added" : "removed", info->node,
		info->error ? qda_strerror(info->error) : info->dsp);
	*ret_info = info;
	return 1;
}

QDA_EXPORT int qda_monitor_receive(struct qda_monitor *monitor, int *ret_action,
				   const struct qda_device_info **ret_info)
{
	int r = 0;

	monitor->removed = qda_device_info_free(monitor->removed);
	while (!r) {
		struct udev_device *udev_device = udev_monitor_receive_device(monitor->events);

		if (!udev_device)
			return -EAGAIN;
		r = handle_event(monitor, udev_device, ret_action, ret_info);
		udev_device_unref(udev_device);
	}
	return r < 0 ? r : 0;
}
