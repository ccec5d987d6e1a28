/* SPDX-License-Identifier: MIT */
/* VFIO devices: the checks of arguments that both kinds share. */
#include <string.h>

#include "vfio.h"

/* In the kernel's struct the size of all ranges is 32 bits. */
#define MAX_RANGES (1U << 27)

static void device_close(struct dmabuf_vfio *device)
{
	if (device->ops)
		device->ops->close(device);
	/* In this order a group and a container are left as they were. */
	close_cleanup(&device->fd);
	close_cleanup(&device->group);
	close_cleanup(&device->iommu);
	free(device->description);
	free(device);
}

DMABUF_EXPORT int dmabuf_vfio_open(const char *name, struct dmabuf_vfio **ret_device)
{
	struct dmabuf_vfio *device;
	int r;

	if (!name)
		return -EINVAL;
	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;
	device->refs = 1;
	device->fd = device->iommu = device->group = -1;
	if (strncmp(name, "soft:", 5) == 0)
		r = vfio_soft_open(device, name + 5);
	else
		r = vfio_kernel_open(device, name);
	if (r < 0) {
		device_close(device);
		return r;
	}
	*ret_device = device;
	return 0;
}

DMABUF_EXPORT struct dmabuf_vfio *dmabuf_vfio_ref(struct dmabuf_vfio *device)
{
	atomic_fetch_add_explicit(&device->refs, 1, memory_order_relaxed);
	return device;
}

DMABUF_EXPORT struct dmabuf_vfio *dmabuf_vfio_unref(struct dmabuf_vfio *device)
{
	if (device && atomic_fetch_sub_explicit(&device->refs, 1, memory_order_acq_rel) == 1)
		device_close(device);
	return NULL;
}

DMABUF_EXPORT uint32_t dmabuf_vfio_features(const struct dmabuf_vfio *device)
{
	return device->features;
}

DMABUF_EXPORT const char *dmabuf_vfio_description(const struct dmabuf_vfio *device)
{
	return device->description;
}

DMABUF_EXPORT int dmabuf_vfio_device_fd(const struct dmabuf_vfio *device)
{
	return device->fd >= 0 ? device->fd : -EOPNOTSUPP;
}

DMABUF_EXPORT int dmabuf_vfio_region(struct dmabuf_vfio *device, uint32_t bar,
				     struct dmabuf_vfio_region *ret_region)
{
	if (bar >= DMABUF_VFIO_BARS)
		return -EINVAL;
	*ret_region = device->regions[bar];
	return 0;
}

DMABUF_EXPORT int dmabuf_vfio_reset(struct dmabuf_vfio *device)
{
	if (!(device->features & DMABUF_VFIO_RESET))
		return -EOPNOTSUPP;
	return device->ops->reset(device);
}

/* Return: 0 and the size of all ranges together; -EINVAL. */
static int check_ranges(const struct dmabuf_vfio_region *region, const struct dmabuf_range *ranges,
			size_t count, uint64_t *ret_size)
{
	uint64_t page = page_size(), size = 0;

	if (count == 0 || count > MAX_RANGES)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		uint64_t offset = ranges[i].offset, length = ranges[i].length;

		if (length == 0 || offset % page || length % page)
			return -EINVAL;
		if (length > region->size || offset > region->size - length)
			return -EINVAL;
		if (length > (uint64_t)INT64_MAX - size)
			return -EINVAL;
		size += length;
	}
	*ret_size = size;
	return 0;
}

DMABUF_EXPORT int dmabuf_vfio_export(struct dmabuf_vfio *device, uint32_t bar,
				     const struct dmabuf_range *ranges, size_t count, uint32_t attr,
				     uint32_t flags, const char *name, struct dmabuf **ret_buffer)
{
	struct dmabuf *buffer;
	uint64_t size;
	int fd, r;

	if (bar >= DMABUF_VFIO_BARS || attr > DMABUF_VFIO_ATTR_WC || flags & ~DMABUF_VFIO_READ_ONLY)
		return -EINVAL;
	if (!(device->features & DMABUF_VFIO_EXPORT) ||
	    (attr == DMABUF_VFIO_ATTR_WC && !(device->features & DMABUF_VFIO_WRITE_COMBINE)))
		return -EOPNOTSUPP;
	if (!device->regions[bar].can_map)
		return -ENODEV;
	r = check_ranges(&device->regions[bar], ranges, count, &size);
	if (r < 0)
		return r;
	fd = device->ops->export(device, bar, ranges, count, size, attr, flags);
	if (fd < 0)
		return fd;
	r = dmabuf_take_fd(fd, size, &buffer);
	if (r < 0)
		return r;
	r = name ? dmabuf_set_name(buffer, name) : 0;
	if (r < 0) {
		dmabuf_unref(buffer);
		return r;
	}
	*ret_buffer = buffer;
	return 0;
}

DMABUF_EXPORT int dmabuf_vfio_revoke(struct dmabuf_vfio *device, struct dmabuf *buffer)
{
	if (!(device->features & DMABUF_VFIO_REVOKE))
		return -EOPNOTSUPP;
	return device->ops->revoke(device, dmabuf_fd(buffer));
}
