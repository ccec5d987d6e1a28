/* SPDX-License-Identifier: MIT */
/* Devices: the accel nodes of driver "qda", and opening one by DSP name, node or "soft:NAME". */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <drm.h>
#include <drm/qda_accel.h>

#include "device.h"

#define DRIVER "qda"
#define SOFT_PREFIX "soft:"
#define DSP_NAME_MAX 16

static bool valid_dsp_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return length && length <= DSP_NAME_MAX && !name[length];
}

/* ---- asking a node ------------------------------------------------------ */

/* DRM_IOCTL_VERSION. Return: 0, or -ENODEV if the node is not of driver "qda". */
static int ask_version(int fd, struct qda_device_info *info)
{
	char name[sizeof(DRIVER)] = "";
	struct drm_version version = {.name = name, .name_len = sizeof(name) - 1};
	int r = ioctl_restart(fd, DRM_IOCTL_VERSION, &version);

	/* A file that is no DRM node at all answers so. */
	if (r == -ENOTTY || r == -EINVAL)
		return -ENODEV;
	if (r < 0)
		return r;
	if (version.name_len != sizeof(name) - 1 || strcmp(name, DRIVER) != 0)
		return -ENODEV;
	info->is_qda = true;
	info->major = version.version_major;
	info->minor = version.version_minor;
	info->patch = version.version_patchlevel;
	return 0;
}

static int ask_dsp_name(int fd, struct qda_device_info *info)
{
	struct drm_qda_query query = {.dsp_name = ""};
	char name[sizeof(query.dsp_name) + 1] = "";
	int r = ioctl_restart(fd, DRM_IOCTL_QDA_QUERY, &query);

	if (r < 0)
		return r;
	memcpy(name, query.dsp_name, sizeof(query.dsp_name));
	/* It becomes part of paths and URIs. */
	if (!valid_dsp_name(name))
		return -EPROTO;
	memcpy(info->dsp, name, sizeof(name));
	return 0;
}

/* Return: 0 if the node answered all; -ENODEV if it is another driver's; or what failed. */
static int ask_node(const char *node, struct qda_device_info *info)
{
	_cleanup_close_ int fd = -1;
	int r;

	do
		fd = open(node, O_RDWR | O_CLOEXEC | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	r = ask_version(fd, info);
	return r < 0 ? r : ask_dsp_name(fd, info);
}

/* ---- what was found ----------------------------------------------------- */

struct qda_device_info *qda_device_info_free(struct qda_device_info *info)
{
	if (info) {
		free(info->node);
		free(info->syspath);
		free(info);
	}
	return NULL;
}

struct qda_device_info *qda_device_info_free_all(struct qda_device_info *infos)
{
	while (infos) {
		struct qda_device_info *next = infos->next;

		qda_device_info_free(infos);
		infos = next;
	}
	return NULL;
}

int qda_device_info_new(struct udev_device *udev_device, struct qda_device_info **ret_info)
{
	const char *node = udev_device_get_devnode(udev_device);
	struct udev_device *parent = udev_device_get_parent(udev_device);
	const char *driver = parent ? udev_device_get_driver(parent) : NULL;
	struct qda_device_info *info;
	struct stat st;

	if (!node)
		return 0;
	info = calloc(1, sizeof(*info));
	if (!info)
		return -ENOMEM;
	info->error = ask_node(node, info);
	/* Either sysfs or the node itself says whose it is. */
	if (!info->is_qda && (!driver || strcmp(driver, DRIVER) != 0)) {
		qda_device_info_free(info);
		return 0;
	}
	info->node = strdup(node);
	info->syspath = strdup(udev_device_get_syspath(udev_device));
	if (!info->node || !info->syspath) {
		qda_device_info_free(info);
		return -ENOMEM;
	}
	if (stat(node, &st) < 0) {
		info->access_error = -errno;
	} else {
		info->mode = st.st_mode & 0777;
		info->uid = st.st_uid;
		info->gid = st.st_gid;
	}
	*ret_info = info;
	return 1;
}

static int scan_one(struct udev *udev, const char *syspath, struct qda_device_info **ret_info)
{
	struct udev_device *udev_device = udev_device_new_from_syspath(udev, syspath);
	int r;

	if (!udev_device)
		return errno == ENOMEM ? -ENOMEM : 0; /* gone meanwhile */
	r = qda_device_info_new(udev_device, ret_info);
	udev_device_unref(udev_device);
	return r;
}

int qda_device_info_scan(struct udev *udev, struct qda_device_info **ret_infos)
{
	struct udev_enumerate *enumerate = udev_enumerate_new(udev);
	struct qda_device_info *infos = NULL, **end = &infos;
	struct udev_list_entry *entry;
	int r, n = 0;

	if (!enumerate)
		return -ENOMEM;
	r = udev_enumerate_add_match_subsystem(enumerate, "accel");
	if (r >= 0)
		r = udev_enumerate_scan_devices(enumerate);
	if (r < 0)
		goto out;
	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(enumerate))
	{
		r = scan_one(udev, udev_list_entry_get_name(entry), end);
		if (r < 0)
			goto out;
		if (r) {
			end = &(*end)->next;
			n++;
		}
	}
	*ret_infos = infos;
	infos = NULL;
	r = n;
out:
	qda_device_info_free_all(infos);
	udev_enumerate_unref(enumerate);
	return r;
}

struct qda_device_list {
	struct qda_device_info *infos;
};

QDA_EXPORT int qda_enumerate(struct qda *qda, struct qda_device_list **ret_list)
{
	struct qda_device_list *list = calloc(1, sizeof(*list));
	struct udev *udev = udev_new();
	int r = -ENOMEM;

	if (list && udev)
		r = qda_device_info_scan(udev, &list->infos);
	udev_unref(udev);
	if (r < 0) {
		free(list);
		return r;
	}
	for (const struct qda_device_info *info = list->infos; info; info = info->next)
		if (info->error)
			qda_log(qda, LOG_WARNING, "%s: %s", info->node, qda_strerror(info->error));
	*ret_list = list;
	return r;
}

QDA_EXPORT const struct qda_device_info *qda_device_list_get(const struct qda_device_list *list,
							     size_t index)
{
	const struct qda_device_info *info = list->infos;

	while (info && index--)
		info = info->next;
	return info;
}

QDA_EXPORT struct qda_device_list *qda_device_list_free(struct qda_device_list *list)
{
	if (list)
		qda_device_info_free_all(list->infos);
	free(list);
	return NULL;
}

QDA_EXPORT const char *qda_device_info_node(const struct qda_device_info *info)
{
	return info->node;
}

QDA_EXPORT const char *qda_device_info_dsp(const struct qda_device_info *info)
{
	return info->dsp;
}

QDA_EXPORT const char *qda_device_info_syspath(const struct qda_device_info *info)
{
	return info->syspath;
}

QDA_EXPORT int qda_device_info_error(const struct qda_device_info *info)
{
	return info->error;
}

QDA_EXPORT int qda_device_info_version(const struct qda_device_info *info, int *ret_major,
				       int *ret_minor, int *ret_patch)
{
	if (info->error)
		return info->error;
	*ret_major = info->major;
	*ret_minor = info->minor;
	*ret_patch = info->patch;
	return 0;
}

QDA_EXPORT int qda_device_info_access(const struct qda_device_info *info, uint32_t *ret_mode,
				      uint32_t *ret_uid, uint32_t *ret_gid)
{
	if (info->access_error)
		return info->access_error;
	*ret_mode = info->mode;
	*ret_uid = info->uid;
	*ret_gid = info->gid;
	return 0;
}

/* ---- an opened device --------------------------------------------------- */

static int device_new(struct qda *qda, const struct qda_transport *transport, const char *dsp,
		      const char *node, struct qda_device **ret_device)
{
	struct qda_device *device = calloc(1, sizeof(*device));

	if (!device)
		return -ENOMEM;
	device->node = strdup(node);
	if (!device->node) {
		free(device);
		return -ENOMEM;
	}
	device->refs = 1;
	device->qda = qda_ref(qda);
	device->transport = transport;
	memcpy(device->dsp, dsp, strlen(dsp) + 1);
	*ret_device = device;
	return 0;
}

/* A device of the driver's; from version 1.1 on, buffers are arguments by their handles. */
static int accel_device_new(struct qda *qda, const struct qda_device_info *info, const char *node,
			    struct qda_device **ret_device)
{
	int r = device_new(qda, &qda_transport_accel, info->dsp, node, ret_device);

	if (r == 0)
		(*ret_device)->gem_args = info->major == 1 && info->minor >= 1;
	return r;
}

static int open_node(struct qda *qda, const char *node, struct qda_device **ret_device)
{
	struct qda_device_info info = {.error = 0};
	int r = ask_node(node, &info);

	if (r < 0) {
		qda_log(qda, LOG_ERR, "%s: %s", node, qda_strerror(r));
		return r;
	}
	return accel_device_new(qda, &info, node, ret_device);
}

static int open_dsp(struct qda *qda, const char *dsp, struct qda_device **ret_device)
{
	struct qda_device_list *list;
	int r = qda_enumerate(qda, &list), error = -ENODEV;

	if (r < 0)
		return r;
	r = -ENODEV;
	for (const struct qda_device_info *info = list->infos; info; info = info->next) {
		/* One that could not be asked may be the one: its error says more. */
		if (info->error) {
			error = error == -ENODEV ? info->error : error;
		} else if (!strcmp(info->dsp, dsp)) {
			r = accel_device_new(qda, info, info->node, ret_device);
			break;
		}
	}
	qda_device_list_free(list);
	if (r != -ENODEV)
		return r;
	qda_log(qda, LOG_ERR, "no DSP %s: %s", dsp, qda_strerror(error));
	return error;
}

QDA_EXPORT int qda_device_open(struct qda *qda, const char *name, struct qda_device **ret_device)
{
	if (name[0] == '/')
		return open_node(qda, name, ret_device);
	if (!strncmp(name, SOFT_PREFIX, strlen(SOFT_PREFIX))) {
		name += strlen(SOFT_PREFIX);
		if (!valid_dsp_name(name))
			return -EINVAL;
		return device_new(qda, &qda_transport_soft, name, qda_softdsp_path(qda),
				  ret_device);
	}
	return valid_dsp_name(name) ? open_dsp(qda, name, ret_device) : -EINVAL;
}

QDA_EXPORT struct qda_device *qda_device_ref(struct qda_device *device)
{
	atomic_fetch_add(&device->refs, 1);
	return device;
}

QDA_EXPORT struct qda_device *qda_device_unref(struct qda_device *device)
{
	if (device && atomic_fetch_sub(&device->refs, 1) == 1) {
		qda_unref(device->qda);
		free(device->node);
		free(device);
	}
	return NULL;
}

QDA_EXPORT const char *qda_device_dsp(const struct qda_device *device)
{
	return device->dsp;
}

QDA_EXPORT const char *qda_device_node(const struct qda_device *device)
{
	return device->node;
}

QDA_EXPORT const char *qda_device_transport(const struct qda_device *device)
{
	return device->transport->name;
}
