/* SPDX-License-Identifier: MIT */
/* Opening VFIO devices: which nodes in which order, and every way to fail. */
#include "vfio-fixture.h"

static int open_named(const char *name)
{
	return dmabuf_vfio_open(name, &fx.vfio);
}

static void expect_failure(const char *name, int error)
{
	struct dmabuf_vfio *untouched = (struct dmabuf_vfio *)&fx, *device = untouched;

	assert_int_equal(dmabuf_vfio_open(name, &device), error);
	assert_ptr_equal(device, untouched);
}

/* ---- numbers ------------------------------------------------------------ */

static void numbers_and_layouts_are_those_of_the_kernel(void **state)
{
	assert_int_equal(VFIO_DEVICE_FEATURE, 0x3b75);
	assert_int_equal(VFIO_IOCTL_BIND_IOMMUFD, 0x3b76);
	assert_int_equal(VFIO_IOCTL_REVOKE, 0x3b7a);
	assert_int_equal(sizeof(struct vfio_bind_args), 16);
	assert_int_equal(offsetof(struct vfio_bind_args, iommufd), 8);
	assert_int_equal(offsetof(struct vfio_bind_args, out_devid), 12);
	assert_int_equal(sizeof(struct vfio_export_args), 24);
	assert_int_equal(offsetof(struct vfio_export_args, region_index), 8);
	assert_int_equal(offsetof(struct vfio_export_args, open_flags), 12);
	assert_int_equal(offsetof(struct vfio_export_args, flags), 16);
	assert_int_equal(offsetof(struct vfio_export_args, nr_ranges), 20);
	assert_int_equal(offsetof(struct vfio_export_args, ranges), 24);
	assert_int_equal(sizeof(struct vfio_range), 16);
	assert_int_equal(sizeof(struct vfio_revoke_args), 12);
	assert_int_equal(offsetof(struct vfio_revoke_args, dmabuf_fd), 8);
	assert_int_equal(sizeof(struct vfio_memattr_args), 16);
	assert_int_equal(offsetof(struct vfio_memattr_args, memattr), 12);
	assert_int_equal(sizeof(struct vfio_revoke_ioctl_args), 8);
}

/* ---- by the device's own node ------------------------------------------- */

/* Return: the device that a good bind makes usable. */
static int expect_node(const char *node)
{
	struct vfio_bind_args bind = {.argsz = sizeof(bind)};
	struct uapimock_ioctl *e;
	int device = uapimock_expect_open(node, 0);

	bind.iommufd = uapimock_expect_open(IOMMU, 0);
	e = uapimock_expect_ioctl(device, VFIO_IOCTL_BIND_IOMMUFD);
	uapimock_in(e, &bind, sizeof(bind));
	return device;
}

static void node_is_bound_to_an_iommufd(void **state)
{
	int device = expect_node(NODE);

	sysfs_device("vfio-pci", "vfio0", NULL);
	expect_set_up(device, &ours);
	assert_int_equal(open_named(NODE), 0);
	assert_int_equal(dmabuf_vfio_device_fd(fx.vfio), device);
	assert_string_equal(dmabuf_vfio_description(fx.vfio), ADDRESS ", by " NODE);
}

static void node_without_sysfs_has_its_path_alone(void **state)
{
	expect_set_up(expect_node(NODE), &ours);
	assert_int_equal(open_named(NODE), 0);
	assert_string_equal(dmabuf_vfio_description(fx.vfio), NODE);
}

static void address_takes_the_node(void **state)
{
	sysfs_device("vfio-pci", "vfio0", "7");
	expect_set_up(expect_node(NODE), &ours);
	assert_int_equal(open_named(ADDRESS), 0);
	assert_string_equal(dmabuf_vfio_description(fx.vfio), ADDRESS ", by " NODE);
}

static void address_may_be_short_and_in_capitals(void **state)
{
	sysfs_dir("bus/pci/devices/0000:0a:1f.7/vfio-dev/vfio3");
	expect_set_up(expect_node("/dev/vfio/devices/vfio3"), &ours);
	assert_int_equal(open_named("0A:1F.7"), 0);
}

static void node_without_an_iommu_has_another_name(void **state)
{
	sysfs_device("vfio-pci", "noiommu-vfio0", "7");
	expect_set_up(expect_node("/dev/vfio/devices/noiommu-vfio0"), &ours);
	assert_int_equal(open_named(ADDRESS), 0);
}

/* ---- by its group ------------------------------------------------------- */

static int is_type(void *argument, void *data)
{
	return argument == data ? 0 : EPROTO;
}

static void expect_extension(int container, uintptr_t type, int answer)
{
	struct uapimock_ioctl *e = uapimock_expect_ioctl(container, VFIO_CHECK_EXTENSION);

	uapimock_check(e, is_type, (void *)type);
	uapimock_returns(e, answer);
}

/* Up to the container's choice. */
static void expect_container(const char *group_node, int *ret_group, int *ret_container)
{
	const struct vfio_group_status in = {.argsz = sizeof(in)},
				       out = {.argsz = sizeof(out),
					      .flags = VFIO_GROUP_FLAGS_VIABLE};
	struct uapimock_ioctl *e;

	*ret_group = uapimock_expect_open(group_node, 0);
	*ret_container = uapimock_expect_open(CONTAINER, 0);
	uapimock_expect_ioctl(*ret_container, VFIO_GET_API_VERSION);
	e = uapimock_expect_ioctl(*ret_group, VFIO_GROUP_GET_STATUS);
	uapimock_in(e, &in, sizeof(in));
	uapimock_out(e, &out, sizeof(out));
	e = uapimock_expect_ioctl(*ret_group, VFIO_GROUP_SET_CONTAINER);
	uapimock_in(e, ret_container, sizeof(*ret_container));
}

static struct uapimock_ioctl *expect_set_iommu(int container, uintptr_t type)
{
	return uapimock_check(uapimock_expect_ioctl(container, VFIO_SET_IOMMU), is_type,
			      (void *)type);
}

static int expect_device_of(int group)
{
	struct uapimock_ioctl *e = uapimock_expect_ioctl(group, VFIO_GROUP_GET_DEVICE_FD);

	uapimock_in(e, ADDRESS, sizeof(ADDRESS));
	return uapimock_returns_fd(e);
}

static void expect_group(const char *node)
{
	int group, container, device;

	expect_container(node, &group, &container);
	expect_extension(container, VFIO_TYPE1v2_IOMMU, 1);
	expect_set_iommu(container, VFIO_TYPE1v2_IOMMU);
	device = expect_device_of(group);
	expect_set_up(device, &ours);
}

static void group_and_address_open_a_container(void **state)
{
	expect_group(GROUP);
	assert_int_equal(open_named(GROUP ":" ADDRESS), 0);
	assert_string_equal(dmabuf_vfio_description(fx.vfio), ADDRESS ", by " GROUP);
}

static void group_takes_a_short_address(void **state)
{
	expect_group(GROUP);
	assert_int_equal(open_named(GROUP ":03:00.0"), 0);
}

static void address_without_iommufd_takes_the_group(void **state)
{
	int node;

	sysfs_device("vfio-pci", "vfio0", "7");
	node = uapimock_expect_open(NODE, 0);
	uapimock_expect_open(IOMMU, ENOENT);
	uapimock_expect_close(node);
	expect_group(GROUP);
	assert_int_equal(open_named(ADDRESS), 0);
}

static void address_without_a_node_takes_the_group(void **state)
{
	sysfs_device("vfio-pci", "vfio0", "7");
	uapimock_expect_open(NODE, ENOENT);
	expect_group(GROUP);
	assert_int_equal(open_named(ADDRESS), 0);
}

static void drivers_of_old_kernels_are_known_by_their_name(void **state)
{
	sysfs_device("mlx5_vfio_pci", NULL, "7");
	expect_group(GROUP);
	assert_int_equal(open_named(ADDRESS), 0);
}

static void older_container_is_type_1(void **state)
{
	int group, container;

	expect_container(GROUP, &group, &container);
	expect_extension(container, VFIO_TYPE1v2_IOMMU, 0);
	expect_extension(container, VFIO_TYPE1_IOMMU, 1);
	expect_set_iommu(container, VFIO_TYPE1_IOMMU);
	expect_set_up(expect_device_of(group), &ours);
	assert_int_equal(open_named(GROUP ":" ADDRESS), 0);
}

static void group_without_an_iommu(void **state)
{
	int group, container;

	sysfs_device("vfio-pci", NULL, "7");
	sysfs_file("kernel/iommu_groups/7/name", "vfio-noiommu\n");
	expect_container("/dev/vfio/noiommu-7", &group, &container);
	expect_extension(container, VFIO_TYPE1v2_IOMMU, 0);
	expect_extension(container, VFIO_TYPE1_IOMMU, 0);
	expect_extension(container, VFIO_NOIOMMU_IOMMU, 1);
	expect_set_iommu(container, VFIO_NOIOMMU_IOMMU);
	expect_set_up(expect_device_of(group), &ours);
	assert_int_equal(open_named(ADDRESS), 0);
}

/* ---- failures ----------------------------------------------------------- */

static void malformed_names_are_invalid(void **state)
{
	static const char *const names[] = {
		"",
		"x",
		"0000:03:00",
		"0000:03:00.8",
		"0000:03:00.00",
		"000:03:00.0",
		"123456789:03:00.0",
		"g0:00.0",
		"03-00.0",
		"0000:03:00.0 ",
		"/dev/vfio/",
		"/dev/vfio/:0000:03:00.0",
		"/dev/vfio/7:",
		"/dev/vfio/7:x",
		"/x/7:03:00.0",
		"/dev/vfio/a/7:03:00.0",
		"soft",
		"soft:",
		"soft:x",
		"soft:4M,",
		"soft:,4M",
		"soft:4M 64K",
		"soft:4MB",
		"soft:-4096",
		"soft:4097",
		"soft:0,0,0,0,0,0,4K",
		"soft:99999999999",
		"soft:4M;4M",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		expect_failure(names[i], -EINVAL);
	expect_failure(NULL, -EINVAL);
}

static void unknown_address_is_no_device(void **state)
{
	sysfs_dir("bus/pci/devices");
	expect_failure("0000:03:00.1", -ENODEV);
	expect_failure("10000:e1:00.0", -ENODEV); /* domains of Intel's VMD */
	expect_failure("12345678:03:00.0", -ENODEV);
}

static void missing_nodes_are_no_device(void **state)
{
	uapimock_expect_open(NODE, ENOENT);
	expect_failure(NODE, -ENODEV);
	uapimock_expect_open(GROUP, ENOENT);
	expect_failure(GROUP ":" ADDRESS, -ENODEV);
}

static void device_of_another_driver_is_not_connected(void **state)
{
	sysfs_device("bochs-drm", NULL, "7");
	expect_failure(ADDRESS, -ENOTCONN);
}

static void device_of_no_driver_is_not_connected(void **state)
{
	sysfs_device(NULL, NULL, "7");
	expect_failure(ADDRESS, -ENOTCONN);
}

static void kernel_with_neither_way_is_not_supported(void **state)
{
	sysfs_device("vfio-pci", "vfio0", "7");
	uapimock_expect_open(NODE, ENOENT);
	uapimock_expect_open(GROUP, ENOENT);
	expect_failure(ADDRESS, -EOPNOTSUPP);
	uapimock_expect_open(NODE, ENOENT);
	uapimock_expect_open(GROUP, 0);
	uapimock_expect_open(CONTAINER, ENOENT);
	expect_failure(ADDRESS, -EOPNOTSUPP);
}

static void device_without_a_group_is_not_supported(void **state)
{
	sysfs_device("vfio-pci", "vfio0", NULL);
	uapimock_expect_open(NODE, ENOENT);
	expect_failure(ADDRESS, -EOPNOTSUPP);
}

static void other_containers_are_not_supported(void **state)
{
	int container, group;

	uapimock_expect_open(GROUP, 0);
	container = uapimock_expect_open(CONTAINER, 0);
	uapimock_returns(uapimock_expect_ioctl(container, VFIO_GET_API_VERSION), 1);
	expect_failure(GROUP ":" ADDRESS, -EOPNOTSUPP);
	expect_container(GROUP, &group, &container);
	uapimock_times(uapimock_expect_ioctl(container, VFIO_CHECK_EXTENSION), 3);
	expect_failure(GROUP ":" ADDRESS, -EOPNOTSUPP);
}

static void nodes_without_permission(void **state)
{
	sysfs_device("vfio-pci", "vfio0", "7");
	uapimock_expect_open(NODE, EACCES);
	expect_failure(ADDRESS, -EACCES);
	uapimock_expect_open(NODE, EPERM); /* no IOMMU and no CAP_SYS_RAWIO */
	expect_failure(NODE, -EACCES);
	uapimock_expect_open(NODE, 0);
	uapimock_expect_open(IOMMU, EACCES);
	expect_failure(NODE, -EACCES);
	uapimock_expect_open(GROUP, EACCES);
	expect_failure(GROUP ":" ADDRESS, -EACCES);
	uapimock_expect_open(GROUP, 0);
	uapimock_expect_open(CONTAINER, EACCES);
	expect_failure(GROUP ":" ADDRESS, -EACCES);
}

static void device_in_use_is_busy(void **state)
{
	const struct vfio_group_status status = {.argsz = sizeof(status)};
	struct uapimock_ioctl *e;
	int device, group;

	device = uapimock_expect_open(NODE, 0);
	uapimock_expect_open(IOMMU, 0);
	uapimock_fails(uapimock_expect_ioctl(device, VFIO_IOCTL_BIND_IOMMUFD), EINVAL);
	expect_failure(NODE, -EBUSY);
	device = uapimock_expect_open(NODE, 0);
	uapimock_expect_open(IOMMU, 0);
	uapimock_fails(uapimock_expect_ioctl(device, VFIO_IOCTL_BIND_IOMMUFD), EBUSY);
	expect_failure(NODE, -EBUSY);
	uapimock_expect_open(GROUP, EBUSY);
	expect_failure(GROUP ":" ADDRESS, -EBUSY);
	/* Another device of the group has its own driver. */
	group = uapimock_expect_open(GROUP, 0);
	device = uapimock_expect_open(CONTAINER, 0);
	uapimock_expect_ioctl(device, VFIO_GET_API_VERSION);
	e = uapimock_expect_ioctl(group, VFIO_GROUP_GET_STATUS);
	uapimock_out(e, &status, sizeof(status));
	expect_failure(GROUP ":" ADDRESS, -EBUSY);
}

static void every_step_of_a_group_may_fail(void **state)
{
	int group, container;

	group = uapimock_expect_open(GROUP, 0);
	container = uapimock_expect_open(CONTAINER, 0);
	uapimock_expect_ioctl(container, VFIO_GET_API_VERSION);
	uapimock_fails(uapimock_expect_ioctl(group, VFIO_GROUP_GET_STATUS), ENODEV);
	expect_failure(GROUP ":" ADDRESS, -ENODEV);

	expect_container(GROUP, &group, &container);
	expect_extension(container, VFIO_TYPE1v2_IOMMU, 1);
	/* Interrupts cannot be remapped. */
	uapimock_fails(expect_set_iommu(container, VFIO_TYPE1v2_IOMMU), EPERM);
	expect_failure(GROUP ":" ADDRESS, -EPERM);

	expect_container(GROUP, &group, &container);
	expect_extension(container, VFIO_TYPE1v2_IOMMU, 1);
	expect_set_iommu(container, VFIO_TYPE1v2_IOMMU);
	uapimock_fails(uapimock_expect_ioctl(group, VFIO_GROUP_GET_DEVICE_FD), ENODEV);
	expect_failure(GROUP ":" ADDRESS, -ENODEV);
}

static void without_free_descriptors(void **state)
{
	uapimock_expect_open(NODE, EMFILE);
	expect_failure(NODE, -EMFILE);
	uapimock_expect_open(NODE, 0);
	uapimock_expect_open(IOMMU, ENFILE);
	expect_failure(NODE, -ENFILE);
}

static void device_that_is_not_pci_is_no_device(void **state)
{
	const struct vfio_device_info info = {.argsz = 16, .flags = VFIO_DEVICE_FLAGS_PLATFORM};
	int device = expect_node(NODE);

	uapimock_out(uapimock_expect_ioctl(device, VFIO_DEVICE_GET_INFO), &info, 16);
	expect_failure(NODE, -ENODEV);
}

static void device_that_goes_meanwhile(void **state)
{
	const struct vfio_device_info info = {.argsz = 16, .flags = VFIO_DEVICE_FLAGS_PCI};
	int device = expect_node(NODE);

	uapimock_fails(uapimock_expect_ioctl(device, VFIO_DEVICE_GET_INFO), ENODEV);
	expect_failure(NODE, -ENODEV);
	device = expect_node(NODE);
	uapimock_out(uapimock_expect_ioctl(device, VFIO_DEVICE_GET_INFO), &info, 16);
	uapimock_fails(uapimock_expect_ioctl(device, VFIO_DEVICE_GET_REGION_INFO), ENODEV);
	expect_failure(NODE, -ENODEV);
}

#define scripted(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_layouts_are_those_of_the_kernel),
		scripted(node_is_bound_to_an_iommufd),
		scripted(node_without_sysfs_has_its_path_alone),
		scripted(address_takes_the_node),
		scripted(address_may_be_short_and_in_capitals),
		scripted(node_without_an_iommu_has_another_name),
		scripted(group_and_address_open_a_container),
		scripted(group_takes_a_short_address),
		scripted(address_without_iommufd_takes_the_group),
		scripted(address_without_a_node_takes_the_group),
		scripted(drivers_of_old_kernels_are_known_by_their_name),
		scripted(older_container_is_type_1),
		scripted(group_without_an_iommu),
		scripted(malformed_names_are_invalid),
		scripted(unknown_address_is_no_device),
		scripted(missing_nodes_are_no_device),
		scripted(device_of_another_driver_is_not_connected),
		scripted(device_of_no_driver_is_not_connected),
		scripted(kernel_with_neither_way_is_not_supported),
		scripted(device_without_a_group_is_not_supported),
		scripted(other_containers_are_not_supported),
		scripted(nodes_without_permission),
		scripted(device_in_use_is_busy),
		scripted(every_step_of_a_group_may_fail),
		scripted(without_free_descriptors),
		scripted(device_that_is_not_pci_is_no_device),
		scripted(device_that_goes_meanwhile),
	};

	return cmocka_run_group_tests_name("dmabuf-vfio-open", tests, NULL, NULL);
}
