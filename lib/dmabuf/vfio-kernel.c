/* SPDX-License-Identifier: MIT */
/* VFIO devices of the kernel: finding and opening them, what they can do, export and revoke. */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "uapi-vfio.h"
#include "vfio.h"

#define ADDRESS_SIZE sizeof("00000000:00:00.0") /* of the longest */

/* ---- features ----------------------------------------------------------- */

static int feature_ioctl(int fd, void *args)
{
	return ioctl_restart(fd, VFIO_DEVICE_FEATURE, args);
}

static bool can_export(int fd)
{
	struct vfio_device_feature args = {
		.argsz = sizeof(args),
		.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET | VFIO_FEATURE_DMA_BUF,
	};

	return feature_ioctl(fd, &args) == 0;
}

/*
 * Whether a feature takes a descriptor and is of this size: it says EINVAL to 4 bytes less
 * and EBADF to descriptor -1. PROBE, which is answered before the size is looked at, would
 * tell no more than that something has the number.
 */
static bool takes_descriptor(int fd, uint32_t feature, uint32_t argsz)
{
	struct vfio_memattr_args args = {
		.argsz = argsz - 4,
		.feature = VFIO_DEVICE_FEATURE_SET | feature,
		.dmabuf_fd = -1,
	};

	if (feature_ioctl(fd, &args) != -EINVAL)
		return false;
	args.argsz = argsz;
	return feature_ioctl(fd, &args) == -EBADF;
}

static bool has_revoke_ioctl(int fd)
{
	struct vfio_revoke_ioctl_args args = {.argsz = sizeof(args), .dmabuf_fd = -1};

	return ioctl_restart(fd, VFIO_IOCTL_REVOKE, &args) == -EBADF;
}

/* An export that cannot be made: its region has no memory. */
static int export_nothing(int fd, uint32_t flags)
{
	union {
		struct vfio_export_args args;
		char room[sizeof(struct vfio_export_args) + sizeof(struct vfio_range)];
	} export = {
		.args =
			{
				.argsz = sizeof(export),
				.feature = VFIO_DEVICE_FEATURE_GET | VFIO_FEATURE_DMA_BUF,
				.region_index = VFIO_PCI_CONFIG_REGION_INDEX,
				.open_flags = O_CLOEXEC,
				.flags = flags,
				.nr_ranges = 1,
			},
	};
	int made;

	export.args.ranges[0] = (struct vfio_range){.length = page_size()};
	made = feature_ioctl(fd, &export);
	if (made < 0)
		return made;
	close(made);
	return 0;
}

/* Flags are looked at before the region, which a flag that never existed makes sure of. */
static bool has_attr_flags(int fd)
{
	return export_nothing(fd, 1) == -EINVAL &&
	       export_nothing(fd, DMABUF_VFIO_ATTR_WC << VFIO_EXPORT_ATTR_SHIFT) == -ENODEV;
}

static void find_features(struct dmabuf_vfio *device, bool has_reset)
{
	int fd = device->fd;

	if (has_reset)
		device->features |= DMABUF_VFIO_RESET;
	if (!can_export(fd))
		return;
	device->features |= DMABUF_VFIO_EXPORT;
	if (!takes_descriptor(fd, VFIO_FEATURE_REVOKE, sizeof(struct vfio_revoke_args))) {
		device->has_revoke_ioctl = has_revoke_ioctl(fd);
		if (!device->has_revoke_ioctl)
			return;
	}
	/* Whatever can revoke can map: both came in one series, mapping first. */
	device->features |= DMABUF_VFIO_REVOKE | DMABUF_VFIO_MMAP;
	if (!takes_descriptor(fd, VFIO_FEATURE_MEMATTR, sizeof(struct vfio_memattr_args))) {
		device->has_attr_flags = has_attr_flags(fd);
		if (!device->has_attr_flags)
			return;
	}
	device->features |= DMABUF_VFIO_WRITE_COMBINE;
}

/* ---- operations --------------------------------------------------------- */

/* Errors of a device that is gone, or cannot do it after all. */
static int device_error(int r)
{
	return r == -ENOTTY ? -EOPNOTSUPP : r;
}

static int kernel_export(struct dmabuf_vfio *device, uint32_t bar,
			 const struct dmabuf_range *ranges, size_t count, uint64_t size,
			 uint32_t attr, uint32_t flags)
{
	size_t argsz = sizeof(struct vfio_export_args) + count * sizeof(struct vfio_range);
	_cleanup_free_ struct vfio_export_args *args = calloc(1, argsz);
	_cleanup_close_ int fd = -1;

	if (!args)
		return -ENOMEM;
	args->argsz = (uint32_t)argsz;
	args->feature = VFIO_DEVICE_FEATURE_GET | VFIO_FEATURE_DMA_BUF;
	args->region_index = bar;
	args->open_flags = O_CLOEXEC | (flags & DMABUF_VFIO_READ_ONLY ? O_RDONLY : O_RDWR);
	if (device->has_attr_flags)
		args->flags = attr << VFIO_EXPORT_ATTR_SHIFT;
	args->nr_ranges = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		args->ranges[i] = (struct vfio_range){ranges[i].offset, ranges[i].length};
	fd = feature_ioctl(device->fd, args);
	if (fd < 0)
		return device_error(fd);
	if (attr == DMABUF_VFIO_ATTR_WC && !device->has_attr_flags) {
		struct vfio_memattr_args memattr = {
			.argsz = sizeof(memattr),
			.feature = VFIO_DEVICE_FEATURE_SET | VFIO_FEATURE_MEMATTR,
			.dmabuf_fd = fd,
			.memattr = VFIO_MEMATTR_WC,
		};
		int r = feature_ioctl(device->fd, &memattr);

		/* ENOENT: an attribute that this machine does not know. */
		if (r < 0)
			return r == -ENOENT ? -EOPNOTSUPP : device_error(r);
	}
	return steal_fd(&fd);
}

static int kernel_revoke(struct dmabuf_vfio *device, int fd)
{
	struct vfio_revoke_args args = {
		.argsz = sizeof(args),
		.feature = VFIO_DEVICE_FEATURE_SET | VFIO_FEATURE_REVOKE,
		.dmabuf_fd = fd,
	};
	struct vfio_revoke_ioctl_args old = {.argsz = sizeof(old), .dmabuf_fd = fd};
	int r;

	if (device->has_revoke_ioctl)
		r = ioctl_restart(device->fd, VFIO_IOCTL_REVOKE, &old);
	else
		r = feature_ioctl(device->fd, &args);
	/* EINVAL: no dma-buf, so not of this device either. */
	return r == -EINVAL ? -ENODEV : device_error(r);
}

static int kernel_reset(struct dmabuf_vfio *device)
{
	return device_error(ioctl_restart(device->fd, VFIO_DEVICE_RESET, NULL));
}

static void kernel_close(struct dmabuf_vfio *device)
{
}

static const struct vfio_ops kernel_ops = {
	.export = kernel_export,
	.revoke = kernel_revoke,
	.reset = kernel_reset,
	.close = kernel_close,
};

/* ---- an open device ----------------------------------------------------- */

static int find_regions(struct dmabuf_vfio *device)
{
	for (uint32_t bar = 0; bar < DMABUF_VFIO_BARS; bar++) {
		struct vfio_region_info info = {.argsz = sizeof(info), .index = bar};
		struct dmabuf_vfio_region *region = &device->regions[bar];
		int r = ioctl_restart(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info);

		if (r < 0)
			return r;
		region->size = info.size;
		if (info.flags & VFIO_REGION_INFO_FLAG_READ)
			region->access |= DMABUF_READ;
		if (info.flags & VFIO_REGION_INFO_FLAG_WRITE)
			region->access |= DMABUF_WRITE;
		region->can_map =
			info.flags & VFIO_REGION_INFO_FLAG_MMAP && info.size >= page_size();
	}
	return 0;
}

static int set_up(struct dmabuf_vfio *device)
{
	struct vfio_device_info info = {.argsz = offsetof(struct vfio_device_info, num_irqs) +
						 sizeof(info.num_irqs)};
	int r;

	r = ioctl_restart(device->fd, VFIO_DEVICE_GET_INFO, &info);
	if (r < 0)
		return device_error(r);
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI))
		return -ENODEV;
	r = find_regions(device);
	if (r < 0)
		return device_error(r);
	find_features(device, info.flags & VFIO_DEVICE_FLAGS_RESET);
	device->ops = &kernel_ops;
	return 0;
}

static int describe(struct dmabuf_vfio *device, const char *address, const char *node)
{
	if (asprintf(&device->description, "%s%s%s", address, *address ? ", by " : "", node) >= 0)
		return 0;
	device->description = NULL;
	return -ENOMEM;
}

/* ---- sysfs -------------------------------------------------------------- */

static const char *sysfs(void)
{
	const char *root = secure_getenv("DMABUF_SYSFS");

	return root && *root ? root : "/sys";
}

/* The last part of where the link leads. Return: 0; a negative errno. */
static int link_name(int dir, const char *path, char ret_name[NAME_MAX + 1])
{
	char target[PATH_MAX];
	const char *name;
	ssize_t n = readlinkat(dir, path, target, sizeof(target) - 1);

	if (n == -1)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	strcpy(ret_name, name);
	return 0;
}

/* The name of the device's own node, such as "vfio0" or "noiommu-vfio0". Return: 0; -ENOENT. */
static int find_node_name(int dir, char ret_name[NAME_MAX + 1])
{
	int fd = openat(dir, "vfio-dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = -ENOENT;
	DIR *nodes = fd >= 0 ? fdopendir(fd) : NULL;

	if (!nodes) {
		close_cleanup(&fd);
		return -ENOENT;
	}
	for (const struct dirent *entry; r < 0 && (entry = readdir(nodes));) {
		if (!strstr(entry->d_name, "vfio"))
			continue;
		strcpy(ret_name, entry->d_name);
		r = 0;
	}
	closedir(nodes);
	return r;
}

/* The name of the group's node: its number, marked if there is no IOMMU. */
static int find_group_name(int dir, char ret_name[NAME_MAX + 1])
{
	char number[NAME_MAX + 1], kind[16] = "";
	_cleanup_close_ int fd = -1;
	int r;

	r = link_name(dir, "iommu_group", number);
	if (r < 0)
		return r;
	fd = openat(dir, "iommu_group/name", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, kind, sizeof(kind) - 1) < 0)
		kind[0] = '\0';
	if (snprintf(ret_name, NAME_MAX + 1, "%s%s",
		     strncmp(kind, "vfio-noiommu", 12) == 0 ? "noiommu-" : "", number) > NAME_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/* ---- opening ------------------------------------------------------------ */

static int open_node(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return errno == EPERM ? -EACCES : -errno;
}

/* Whether the kernel has no such way, so that another one may be tried. */
static bool is_absent(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ENXIO;
}

/* By its own node and an iommufd. -ENOENT if the kernel has not both. */
static int open_by_node(struct dmabuf_vfio *device, const char *node)
{
	struct vfio_bind_args bind = {.argsz = sizeof(bind)};
	int r;

	device->fd = open_node(node);
	if (device->fd < 0)
		return is_absent(device->fd) ? -ENOENT : device->fd;
	device->iommu = open_node("/dev/iommu");
	if (device->iommu < 0) {
		r = is_absent(device->iommu) || device->iommu == -ENODEV ? -ENOENT : device->iommu;
		close(steal_fd(&device->fd));
		return r;
	}
	bind.iommufd = device->iommu;
	r = ioctl_restart(device->fd, VFIO_IOCTL_BIND_IOMMUFD, &bind);
	/* EINVAL, for a good argument: another descriptor of the node is bound. */
	return r == -EINVAL ? -EBUSY : device_error(r);
}

/* Return: the type for VFIO_SET_IOMMU; -EOPNOTSUPP if the container is of a kind unknown here. */
static int choose_iommu(int container)
{
	static const int types[] = {VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_IOMMU, VFIO_NOIOMMU_IOMMU};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (ioctl(container, VFIO_CHECK_EXTENSION, (unsigned long)types[i]) > 0)
			return types[i];
	return -EOPNOTSUPP;
}

/* By its group, in a container of its own. -ENOENT if there is no such group. */
static int open_by_group(struct dmabuf_vfio *device, const char *node, const char *address)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int r, type;

	device->group = open_node(node);
	if (device->group < 0)
		return is_absent(device->group) ? -ENOENT : device->group;
	device->iommu = open_node("/dev/vfio/vfio");
	if (device->iommu < 0)
		return is_absent(device->iommu) || device->iommu == -ENODEV ? -EOPNOTSUPP
									    : device->iommu;
	if (ioctl_restart(device->iommu, VFIO_GET_API_VERSION, NULL) != VFIO_API_VERSION)
		return -EOPNOTSUPP;
	r = ioctl_restart(device->group, VFIO_GROUP_GET_STATUS, &status);
	if (r < 0)
		return device_error(r);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return -EBUSY;
	r = ioctl_restart(device->group, VFIO_GROUP_SET_CONTAINER, &device->iommu);
	if (r < 0)
		return r;
	/* Only now do extensions depend on whether the group has an IOMMU. */
	type = choose_iommu(device->iommu);
	if (type < 0)
		return type;
	if (ioctl(device->iommu, VFIO_SET_IOMMU, (unsigned long)type) == -1)
		return -errno;
	device->fd = ioctl_restart(device->group, VFIO_GROUP_GET_DEVICE_FD, (char *)address);
	return device->fd < 0 ? device->fd : 0;
}

static int open_group(struct dmabuf_vfio *device, const char *group, const char *address)
{
	char node[PATH_MAX];
	int r;

	if (snprintf(node, sizeof(node), "/dev/vfio/%s", group) >= (int)sizeof(node))
		return -EINVAL;
	r = open_by_group(device, node, address);
	if (r == 0)
		r = set_up(device);
	return r < 0 ? r : describe(device, address, node);
}

/* "/dev/vfio/devices/vfio0" */
static int open_named_node(struct dmabuf_vfio *device, const char *node)
{
	char path[PATH_MAX], address[NAME_MAX + 1];
	int r;

	r = open_by_node(device, node);
	if (r == -ENOENT)
		return access(node, F_OK) == 0 ? -EOPNOTSUPP : -ENODEV;
	if (r == 0)
		r = set_up(device);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/class/vfio-dev/%s/device", sysfs(),
		 strrchr(node, '/') + 1);
	if (link_name(AT_FDCWD, path, address) < 0)
		address[0] = '\0';
	return describe(device, address, node);
}

static int open_address(struct dmabuf_vfio *device, const char *address)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	_cleanup_close_ int dir = -1;
	int r;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sysfs(), address);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return is_absent(-errno) ? -ENODEV : -errno;
	if (find_node_name(dir, name) == 0) {
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", name);
		r = open_by_node(device, path);
		if (r == 0)
			r = set_up(device);
		if (r == 0)
			r = describe(device, address, path);
		if (r != -ENOENT)
			return r;
	} else if (link_name(dir, "driver", name) < 0 || !strstr(name, "vfio")) {
		return -ENOTCONN; /* before Linux 6.1 only the driver's name tells */
	}
	r = find_group_name(dir, name);
	if (r == 0)
		r = open_group(device, name, address);
	return r == -ENOENT ? -EOPNOTSUPP : r;
}

/*
 * "03:00.0" to "0000:03:00.0". Domains have 4 digits, those that drivers make up more.
 * Return: 0; -EINVAL.
 */
static int parse_address(const char *text, char ret_address[ADDRESS_SIZE])
{
	static const char pattern[] = "xx:xx.o", digits[] = "0123456789abcdefABCDEF";
	size_t domain = strspn(text, digits);
	const char *t = text;

	if (domain >= 4 && domain <= 8 && text[domain] == ':')
		t += domain + 1;
	for (const char *p = pattern; *p; p++, t++) {
		bool ok = *p == 'x'   ? isxdigit((unsigned char)*t)
			  : *p == 'o' ? *t >= '0' && *t <= '7'
				      : *t == *p;

		if (!ok)
			return -EINVAL;
	}
	if (*t)
		return -EINVAL;
	snprintf(ret_address, ADDRESS_SIZE, "%s%s", domain < 4 ? "0000:" : "", text);
	for (char *c = ret_address; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return 0;
}

int vfio_kernel_open(struct dmabuf_vfio *device, const char *name)
{
	static const char nodes[] = "/dev/vfio/";
	char address[ADDRESS_SIZE], group[NAME_MAX + 1];
	const char *colon;
	int r;

	if (name[0] != '/') {
		r = parse_address(name, address);
		return r < 0 ? r : open_address(device, address);
	}
	colon = strchr(name, ':');
	if (!colon)
		return name[strlen(name) - 1] == '/' ? -EINVAL : open_named_node(device, name);
	if (strncmp(name, nodes, sizeof(nodes) - 1) != 0)
		return -EINVAL;
	name += sizeof(nodes) - 1;
	r = parse_address(colon + 1, address);
	if (r < 0 || colon == name || colon - name > NAME_MAX ||
	    memchr(name, '/', (size_t)(colon - name)))
		return -EINVAL;
	memcpy(group, name, (size_t)(colon - name));
	group[colon - name] = '\0';
	r = open_group(device, group, address);
	return r == -ENOENT ? -ENODEV : r;
}
