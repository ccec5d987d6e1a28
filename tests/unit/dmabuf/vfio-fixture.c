/* SPDX-License-Identifier: MIT */
/* VFIO devices on scripted ioctls: a sysfs of files, and kernels with different features. */
#include "vfio-fixture.h"

#include <ftw.h>
#include <sys/stat.h>

const struct kernel ours = {
	.features = {{11, FEATURE_DMA_BUF}, {14, FEATURE_REVOKE}, {15, FEATURE_MEMATTR}},
};
const struct kernel first_posting = {
	.features = {{11, FEATURE_DMA_BUF}},
	.revoke_ioctl = true,
	.attr_flags = true,
};
const struct kernel stock_7_3 = {.features = {{11, FEATURE_DMA_BUF}}};
const struct kernel old_kernel;

struct fixture fx;

/* ---- sysfs -------------------------------------------------------------- */

static const char *full(const char *path)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", fx.sysfs, path);
	return text;
}

void sysfs_dir(const char *path)
{
	char partial[256];

	snprintf(partial, sizeof(partial), "%s", full(path));
	for (char *slash = partial + strlen(fx.sysfs) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(partial, 0777);
		*slash = '/';
	}
	assert_true(mkdir(partial, 0777) == 0 || errno == EEXIST);
}

void sysfs_link(const char *path, const char *target)
{
	assert_int_equal(symlink(target, full(path)), 0);
}

void sysfs_file(const char *path, const char *content)
{
	FILE *file = fopen(full(path), "w");

	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

void sysfs_device(const char *driver, const char *node, const char *group)
{
	static const char device[] = "bus/pci/devices/" ADDRESS;
	char path[128], target[128];

	sysfs_dir(device);
	if (driver) {
		snprintf(path, sizeof(path), "%s/driver", device);
		snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
		sysfs_link(path, target);
	}
	if (node) {
		snprintf(path, sizeof(path), "%s/vfio-dev/%s", device, node);
		sysfs_dir(path);
		snprintf(path, sizeof(path), "class/vfio-dev/%s", node);
		sysfs_dir(path);
		snprintf(path, sizeof(path), "class/vfio-dev/%s/device", node);
		sysfs_link(path, "../../../" ADDRESS);
	}
	if (group) {
		snprintf(path, sizeof(path), "kernel/iommu_groups/%s", group);
		sysfs_dir(path);
		snprintf(path, sizeof(path), "%s/iommu_group", device);
		snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%s", group);
		sysfs_link(path, target);
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* ---- the script --------------------------------------------------------- */

int fixture_setup(void **state)
{
	fx = (struct fixture){.fds = count_fds(), .sysfs = "/tmp/test-vfio-XXXXXX"};
	if (!mkdtemp(fx.sysfs) || setenv("DMABUF_SYSFS", fx.sysfs, 1) != 0)
		return -1;
	uapimock_begin();
	return 0;
}

int fixture_teardown(void **state)
{
	dmabuf_vfio_unref(fx.vfio);
	uapimock_end();
	if (nftw(fx.sysfs, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
		return -1;
	if (count_fds() != fx.fds) {
		print_error("%u file descriptors instead of %u\n", count_fds(), fx.fds);
		return -1;
	}
	return 0;
}

/* ---- kernels ------------------------------------------------------------ */

static int answer_export(const struct kernel *kernel, const struct vfio_export_args *args)
{
	uint32_t attr = args->flags >> VFIO_EXPORT_ATTR_SHIFT;
	bool bad_flags = kernel->attr_flags ? args->flags << 4 || attr > 1 : args->flags != 0;
	bool bad_region = args->region_index >= VFIO_PCI_ROM_REGION_INDEX;

	if (bad_region && kernel->region_first)
		return ENODEV;
	if (args->nr_ranges == 0 || bad_flags)
		return EINVAL;
	if (bad_region)
		return ENODEV;
	print_error("an export that nobody asked for\n");
	return ENOTRECOVERABLE;
}

/* As the kernel: what a feature allows, then PROBE, then the size, then the content. */
static int answer_feature(void *argument, void *data)
{
	static const struct {
		uint32_t flags, size;
	} kinds[] = {
		[FEATURE_DMA_BUF] = {VFIO_DEVICE_FEATURE_GET, 16},
		[FEATURE_REVOKE] = {VFIO_DEVICE_FEATURE_SET, 4},
		[FEATURE_MEMATTR] = {VFIO_DEVICE_FEATURE_SET, 8},
		[FEATURE_TPH] = {VFIO_DEVICE_FEATURE_SET, 12},
		[FEATURE_GET_ONLY] = {VFIO_DEVICE_FEATURE_GET, 4},
		[FEATURE_VALUE] = {VFIO_DEVICE_FEATURE_SET, 4},
		[FEATURE_ANY_SIZE] = {VFIO_DEVICE_FEATURE_SET, 0},
	};
	const uint32_t get_set = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
	const struct kernel *kernel = data;
	const struct vfio_revoke_args *args = argument;
	size_t i = 0;

	if (args->argsz < 8)
		return EINVAL;
	while (i < ARRAY_SIZE(kernel->features) &&
	       kernel->features[i].number != (args->feature & VFIO_DEVICE_FEATURE_MASK))
		i++;
	if (i == ARRAY_SIZE(kernel->features))
		return ENOTTY;
	if (args->feature & get_set & ~kinds[kernel->features[i].kind].flags)
		return EINVAL;
	if (args->feature & VFIO_DEVICE_FEATURE_PROBE)
		return 0;
	if (!(args->feature & get_set) || args->argsz - 8 < kinds[kernel->features[i].kind].size)
		return EINVAL;
	switch (kernel->features[i].kind) {
	case FEATURE_DMA_BUF:
		return answer_export(kernel, argument);
	case FEATURE_VALUE:
		return EINVAL;
	case FEATURE_ANY_SIZE:
		return args->argsz >= 12 ? EBADF : 0;
	default:
		return args->dmabuf_fd == -1 ? EBADF : ENOTRECOVERABLE;
	}
}

static int answer_revoke_ioctl(void *argument, void *data)
{
	const struct kernel *kernel = data;
	const struct vfio_revoke_ioctl_args *args = argument;

	if (!kernel->revoke_ioctl)
		return ENOTTY;
	if (args->argsz < 8)
		return EINVAL;
	return args->dmabuf_fd == -1 ? EBADF : ENOTRECOVERABLE;
}

static int answer_region(void *argument, void *data)
{
	struct vfio_region_info *info = argument;

	if (info->argsz != sizeof(*info) || info->flags || info->index >= DMABUF_VFIO_BARS)
		return EINVAL;
	switch (info->index) {
	case 0:
		info->size = BAR0_SIZE;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
			      VFIO_REGION_INFO_FLAG_MMAP;
		break;
	case 1:
		info->size = 128; /* I/O ports */
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
		break;
	case 2:
		info->size = 0x10000;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP;
		break;
	case 3:
		info->size = 256;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
			      VFIO_REGION_INFO_FLAG_MMAP;
		break;
	}
	return 0;
}

void expect_set_up(int device, const struct kernel *kernel)
{
	struct vfio_device_info info = {.argsz = 16};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(device, VFIO_DEVICE_GET_INFO);

	uapimock_in(e, &info, 16);
	info.flags = VFIO_DEVICE_FLAGS_PCI | (kernel->no_reset ? 0 : VFIO_DEVICE_FLAGS_RESET);
	info.num_regions = 9;
	uapimock_out(e, &info, 16);
	e = uapimock_times(uapimock_expect_ioctl(device, VFIO_DEVICE_GET_REGION_INFO), 6);
	uapimock_check(e, answer_region, NULL);
	/* In whatever order. */
	e = uapimock_times(uapimock_expect_ioctl(device, VFIO_DEVICE_FEATURE), 0);
	uapimock_check(uapimock_unordered(e), answer_feature, (void *)(uintptr_t)kernel);
	e = uapimock_times(uapimock_expect_ioctl(device, VFIO_IOCTL_REVOKE), 0);
	uapimock_check(uapimock_unordered(e), answer_revoke_ioctl, (void *)(uintptr_t)kernel);
}

void open_device(const struct kernel *kernel)
{
	int r;

	fx.device = uapimock_expect_open(NODE, 0);
	uapimock_expect_open(IOMMU, 0);
	uapimock_expect_ioctl(fx.device, VFIO_IOCTL_BIND_IOMMUFD);
	expect_set_up(fx.device, kernel);
	r = dmabuf_vfio_open(NODE, &fx.vfio);
	assert_int_equal(r, 0);
}
