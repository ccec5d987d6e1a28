/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The raw interface of VFIO and iommufd for a PCI device, as far as it is about dma-bufs, for
 * programs that run in the test kernel. What the headers of the build machine are too old for is
 * defined here.
 */
#ifndef PROGRAMS_VFIO_H
#define PROGRAMS_VFIO_H

#include <dirent.h>
#include <limits.h>
#include <linux/dma-buf.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "sys.h"

#define BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)
#define ATTACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 19)
#define REVOKE_IOCTL _IO(VFIO_TYPE, VFIO_BASE + 22)

#define LOW_POWER_ENTRY 3U
#define LOW_POWER_ENTRY_WITH_WAKEUP 4U
#define LOW_POWER_EXIT 5U
#define DMA_BUF_EXPORT 11U
#define DMA_BUF_REVOKE 14U
#define DMA_BUF_MEMATTR 15U

#define ATTR_UC (0U << 28)
#define ATTR_WC (1U << 28)
#define MEMATTR_NC 0U
#define MEMATTR_WC 1U

#define IOAS_ALLOC _IO(';', 0x81)
#define IOAS_UNMAP _IO(';', 0x86)
#define IOAS_MAP_FILE _IO(';', 0x8f)
#define IOAS_READABLE 4U
#define IOAS_WRITEABLE 2U
#define IOAS_FIXED_IOVA 1U

struct bind_iommufd {
	uint32_t argsz, flags;
	int32_t iommufd;
	uint32_t out_devid;
};

struct attach_iommufd_pt {
	uint32_t argsz, flags, pt_id;
};

struct ioas_alloc {
	uint32_t size, flags, out_ioas_id;
};

struct ioas_map_file {
	uint32_t size, flags, ioas_id;
	int32_t fd;
	uint64_t start, length, iova;
};

struct dma_range {
	uint64_t offset, length;
};

struct export_args {
	uint32_t argsz, flags;
	uint32_t region_index, open_flags, attributes, nr_ranges;
	struct dma_range ranges[];
};

struct revoke_args {
	uint32_t argsz;
	int32_t fd;
};

struct revoke_feature {
	uint32_t argsz, flags;
	int32_t fd;
};

struct memattr_feature {
	uint32_t argsz, flags;
	int32_t fd;
	uint32_t memattr;
};

/* An open device. */
struct device {
	char address[16]; /* 0000:01:00.0 */
	char name[32];    /* vfio0 */
	int fd, iommu;
	uint32_t ioas;
};

/* ---- finding and opening ------------------------------------------------ */

/* Address of the only device of the kind. */
static inline int pci_find(unsigned int vendor, unsigned int id, char address[16])
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	int r = -ENODEV;

	if (!dir)
		return -errno;
	while (r && (entry = readdir(dir))) {
		unsigned int values[2] = {0, 0};

		if (entry->d_name[0] == '.')
			continue;
		for (int i = 0; i < 2; i++) {
			char path[320];
			FILE *file;

			snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", entry->d_name,
				 i ? "device" : "vendor");
			file = fopen(path, "r");
			if (!file)
				continue;
			if (fscanf(file, "%x", &values[i]) != 1)
				values[i] = 0;
			fclose(file);
		}
		if (values[0] == vendor && values[1] == id) {
			snprintf(address, 16, "%.15s", entry->d_name);
			r = 0;
		}
	}
	closedir(dir);
	return r;
}

/* Give the device to vfio-pci. */
static inline int pci_bind(const char *address)
{
	char path[128];
	int r;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind", address);
	write_text(path, address);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", address);
	r = write_text(path, "vfio-pci");
	return r ? r : write_text("/sys/bus/pci/drivers_probe", address);
}

static inline void device_close(struct device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	if (device->iommu >= 0)
		close(device->iommu);
	device->fd = device->iommu = -1;
}

static inline int device_attach(struct device *device)
{
	struct bind_iommufd bind = {.argsz = sizeof(bind), .iommufd = device->iommu};
	struct ioas_alloc alloc = {.size = sizeof(alloc)};
	struct attach_iommufd_pt attach = {.argsz = sizeof(attach)};
	int r = call(device->fd, BIND_IOMMUFD, &bind);

	if (!r)
		r = call(device->iommu, IOAS_ALLOC, &alloc);
	device->ioas = attach.pt_id = alloc.out_ioas_id;
	return r ? r : call(device->fd, ATTACH_IOMMUFD_PT, &attach);
}

/* Open the device by its own node, with an empty address space of its own for DMA. */
static inline int device_open(const char *address, struct device *device)
{
	char path[128];
	struct dirent *entry;
	DIR *dir;
	int r;

	*device = (struct device){.fd = -1, .iommu = -1};
	snprintf(device->address, sizeof(device->address), "%.15s", address);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", address);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, "vfio", 4) == 0)
			snprintf(device->name, sizeof(device->name), "%.31s", entry->d_name);
	closedir(dir);

	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", device->name);
	device->fd = open(path, O_RDWR | O_CLOEXEC);
	if (device->fd == -1)
		return -errno;
	device->iommu = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	r = device->iommu == -1 ? -errno : device_attach(device);
	if (r)
		device_close(device);
	return r;
}

/* ---- what a device does ------------------------------------------------- */

static inline int bar_info(const struct device *device, uint32_t bar, uint64_t *size,
			   uint64_t *offset)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = bar};
	int r = call(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info);

	*size = info.size;
	*offset = info.offset;
	return r;
}

/* A feature without data. */
static inline int set_feature(const struct device *device, uint32_t feature)
{
	struct vfio_device_feature args = {
		.argsz = sizeof(args),
		.flags = feature | VFIO_DEVICE_FEATURE_SET,
	};

	return call(device->fd, VFIO_DEVICE_FEATURE, &args);
}

static inline int probe_feature(const struct device *device, uint32_t feature)
{
	struct vfio_device_feature args = {
		.argsz = sizeof(args),
		.flags = feature | VFIO_DEVICE_FEATURE_PROBE,
	};

	return call(device->fd, VFIO_DEVICE_FEATURE, &args);
}

/* A new dma-buf's descriptor, or a negative errno. */
static inline int export_ranges(const struct device *device, uint32_t bar, uint32_t open_flags,
				uint32_t attributes, const struct dma_range *ranges, uint32_t count)
{
	size_t size = sizeof(struct export_args) + count * sizeof(*ranges);
	struct export_args *args = calloc(1, size);
	int r;

	if (!args)
		return -ENOMEM;
	args->argsz = (uint32_t)size;
	args->flags = DMA_BUF_EXPORT | VFIO_DEVICE_FEATURE_GET;
	args->region_index = bar;
	args->open_flags = open_flags;
	args->attributes = attributes;
	args->nr_ranges = count;
	if (count)
		memcpy(args->ranges, ranges, count * sizeof(*ranges));
	r = call(device->fd, VFIO_DEVICE_FEATURE, args);
	free(args);
	return r;
}

static inline int export_range(const struct device *device, uint32_t bar, uint64_t offset,
			       uint64_t length)
{
	const struct dma_range range = {offset, length};

	return export_ranges(device, bar, O_RDWR | O_CLOEXEC, 0, &range, 1);
}

static inline int revoke_by_feature(const struct device *device, int fd)
{
	struct revoke_feature args = {
		.argsz = sizeof(args),
		.flags = DMA_BUF_REVOKE | VFIO_DEVICE_FEATURE_SET,
		.fd = fd,
	};

	return call(device->fd, VFIO_DEVICE_FEATURE, &args);
}

static inline int revoke_by_ioctl(const struct device *device, int fd)
{
	struct revoke_args args = {.argsz = sizeof(args), .fd = fd};

	return call(device->fd, REVOKE_IOCTL, &args);
}

static inline int set_memattr(const struct device *device, int fd, uint32_t memattr)
{
	struct memattr_feature args = {
		.argsz = sizeof(args),
		.flags = DMA_BUF_MEMATTR | VFIO_DEVICE_FEATURE_SET,
		.fd = fd,
		.memattr = memattr,
	};

	return call(device->fd, VFIO_DEVICE_FEATURE, &args);
}

/* Switch the answers of the BARs on or off, by the command register. */
static inline int enable_memory(const struct device *device, bool enable)
{
	const off_t command = (off_t)(UINT64_C(7) << 40) + 4;
	uint16_t value;

	if (pread(device->fd, &value, sizeof(value), command) != sizeof(value))
		return -errno;
	value = (uint16_t)(enable ? value | 2 : value & ~2);
	return pwrite(device->fd, &value, sizeof(value), command) == sizeof(value) ? 0 : -errno;
}

/* ---- accesses that may raise SIGBUS ------------------------------------- */

static __thread sigjmp_buf *volatile access_failed; /* what the handler sees */

static void on_sigbus(int signal)
{
	static const char message[] = "SIGBUS, but by no access to the device\n";

	if (access_failed)
		siglongjmp(*access_failed, 1);
	if (write(STDERR_FILENO, message, sizeof(message) - 1) == -1)
		_exit(1);
	_exit(128 + signal);
}

static inline void catch_sigbus(void)
{
	struct sigaction action = {.sa_handler = on_sigbus, .sa_flags = SA_NODEFER};

	sigaction(SIGBUS, &action, NULL);
}

/* 0, or -EFAULT after SIGBUS. */
static inline int try_read(const volatile uint32_t *word, uint32_t *value)
{
	sigjmp_buf failed;
	int r = -EFAULT;

	if (!sigsetjmp(failed, 0)) {
		access_failed = &failed;
		*value = *word;
		r = 0;
	}
	access_failed = NULL;
	return r;
}

static inline int try_write(volatile uint32_t *word, uint32_t value)
{
	sigjmp_buf failed;
	int r = -EFAULT;

	if (!sigsetjmp(failed, 0)) {
		access_failed = &failed;
		*word = value;
		r = 0;
	}
	access_failed = NULL;
	return r;
}

#endif
