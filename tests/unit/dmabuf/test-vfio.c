/* SPDX-License-Identifier: MIT */
/* VFIO devices: features of kernels old and new, export, revoke, attributes, reset. */
#include "vfio-fixture.h"

#define ALL                                                                                       \
	(DMABUF_VFIO_EXPORT | DMABUF_VFIO_MMAP | DMABUF_VFIO_REVOKE | DMABUF_VFIO_WRITE_COMBINE | \
	 DMABUF_VFIO_RESET)

static const struct dmabuf_range one_page = {.length = 4096};

static int open_ours(void **state)
{
	fixture_setup(state);
	open_device(&ours);
	return 0;
}

static int open_first_posting(void **state)
{
	fixture_setup(state);
	open_device(&first_posting);
	return 0;
}

static int export_page(uint32_t attr, uint32_t flags, struct dmabuf **ret_buffer)
{
	return dmabuf_vfio_export(fx.vfio, 0, &one_page, 1, attr, flags, NULL, ret_buffer);
}

/* ---- features ----------------------------------------------------------- */

static void check_features(const struct kernel *kernel, uint32_t features)
{
	open_device(kernel);
	assert_int_equal(dmabuf_vfio_features(fx.vfio), features);
	fx.vfio = dmabuf_vfio_unref(fx.vfio);
	/* The answers of this kernel are not for the next one. */
	uapimock_end();
	uapimock_begin();
}

static void features_of_the_kernel_of_this_project(void **state)
{
	check_features(&ours, ALL);
}

static void features_of_the_first_posting(void **state)
{
	check_features(&first_posting, ALL);
}

static void features_of_stock_kernels(void **state)
{
	check_features(&old_kernel, DMABUF_VFIO_RESET);
	check_features(&stock_7_3, DMABUF_VFIO_EXPORT | DMABUF_VFIO_RESET);
}

static void features_without_one_of_them(void **state)
{
	const uint32_t basic = DMABUF_VFIO_EXPORT | DMABUF_VFIO_RESET;
	const struct kernel no_memattr = {
		.features = {{11, FEATURE_DMA_BUF}, {14, FEATURE_REVOKE}},
	};
	const struct kernel no_revoke = {
		.features = {{11, FEATURE_DMA_BUF}, {15, FEATURE_MEMATTR}},
	};
	const struct kernel second_posting = {
		.features = {{11, FEATURE_DMA_BUF}, {15, FEATURE_MEMATTR}},
		.revoke_ioctl = true,
	};
	struct kernel no_reset = ours;

	no_reset.no_reset = true;
	check_features(&no_memattr, basic | DMABUF_VFIO_MMAP | DMABUF_VFIO_REVOKE);
	check_features(&no_revoke, basic);
	check_features(&second_posting, ALL);
	check_features(&no_reset, ALL & ~DMABUF_VFIO_RESET);
}

/* Other series and other machines have claimed the same numbers. */
static void features_are_not_taken_for_others_of_their_number(void **state)
{
	static const enum feature_kind others[] = {
		FEATURE_TPH, FEATURE_MEMATTR, FEATURE_GET_ONLY, FEATURE_VALUE, FEATURE_ANY_SIZE,
	};
	const uint32_t basic = DMABUF_VFIO_EXPORT | DMABUF_VFIO_RESET;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct kernel kernel = {.features = {{11, FEATURE_DMA_BUF}, {14, others[i]}}};

		check_features(&kernel, basic);
		kernel.revoke_ioctl = true;
		check_features(&kernel, basic | DMABUF_VFIO_MMAP | DMABUF_VFIO_REVOKE);
		if (others[i] == FEATURE_MEMATTR)
			continue;
		kernel = ours;
		kernel.features[2].kind = others[i];
		check_features(&kernel, ALL & ~DMABUF_VFIO_WRITE_COMBINE);
	}
}

static void revoke_in_the_place_of_memattr_is_not_taken_for_it(void **state)
{
	struct kernel kernel = ours;

	kernel.features[2].kind = FEATURE_REVOKE;
	check_features(&kernel, ALL & ~DMABUF_VFIO_WRITE_COMBINE);
}

static void flags_that_were_not_looked_at_are_no_feature(void **state)
{
	struct kernel kernel = first_posting;

	kernel.attr_flags = false;
	check_features(&kernel, ALL & ~DMABUF_VFIO_WRITE_COMBINE);
	kernel.region_first = true;
	check_features(&kernel, ALL & ~DMABUF_VFIO_WRITE_COMBINE);
}

static void probes_send_these_bytes(void **state)
{
	static const uint32_t short_revoke[] = {8, 1U << 17 | 14, UINT32_MAX};
	static const uint32_t revoke[] = {12, 1U << 17 | 14, UINT32_MAX};
	static const uint32_t short_memattr[] = {12, 1U << 17 | 15, UINT32_MAX, 0};
	static const uint32_t memattr[] = {16, 1U << 17 | 15, UINT32_MAX, 0};
	static const uint32_t probe[] = {8, 1U << 18 | 1U << 16 | 11};
	const struct kernel nothing = {.no_reset = true};
	struct {
		const uint32_t *bytes;
		size_t size;
		int error;
	} calls[] = {
		{probe, sizeof(probe), 0},         {short_revoke, sizeof(short_revoke), EINVAL},
		{revoke, sizeof(revoke), EBADF},   {short_memattr, sizeof(short_memattr), EINVAL},
		{memattr, sizeof(memattr), EBADF},
	};

	fx.device = uapimock_expect_open(NODE, 0);
	uapimock_expect_open(IOMMU, 0);
	uapimock_expect_ioctl(fx.device, VFIO_IOCTL_BIND_IOMMUFD);
	expect_set_up(fx.device, &nothing);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.device, VFIO_DEVICE_FEATURE);

		uapimock_in(e, calls[i].bytes, calls[i].size);
		uapimock_fails(e, calls[i].error);
	}
	assert_int_equal(dmabuf_vfio_open(NODE, &fx.vfio), 0);
	assert_int_equal(dmabuf_vfio_features(fx.vfio), ALL & ~DMABUF_VFIO_RESET);
}

static void regions_are_what_the_kernel_says(void **state)
{
	static const struct dmabuf_vfio_region expected[] = {
		{BAR0_SIZE, DMABUF_READ | DMABUF_WRITE, 1},
		{128, DMABUF_READ | DMABUF_WRITE, 0},
		{0x10000, DMABUF_READ, 1},
		{256, DMABUF_READ | DMABUF_WRITE, 0}, /* smaller than a page */
		{0, 0, 0},
		{0, 0, 0},
	};
	struct dmabuf_vfio_region region;

	for (uint32_t bar = 0; bar < DMABUF_VFIO_BARS; bar++) {
		assert_int_equal(dmabuf_vfio_region(fx.vfio, bar, &region), 0);
		assert_int_equal(region.size, expected[bar].size);
		assert_int_equal(region.access, expected[bar].access);
		assert_int_equal(region.can_map, expected[bar].can_map);
	}
	assert_int_equal(dmabuf_vfio_region(fx.vfio, 6, &region), -EINVAL);
}

/* ---- export ------------------------------------------------------------- */

/* Up to two ranges. */
struct export_bytes {
	uint32_t argsz, feature, region_index, open_flags, flags, nr_ranges;
	uint64_t ranges[4];
};

static struct export_bytes page_bytes(void)
{
	return (struct export_bytes){
		.argsz = 40,
		.feature = 1U << 16 | 11,
		.open_flags = O_CLOEXEC | O_RDWR,
		.nr_ranges = 1,
		.ranges = {0, 4096},
	};
}

static struct uapimock_ioctl *expect_export_of(const struct export_bytes *bytes)
{
	return uapimock_in(uapimock_expect_ioctl(fx.device, VFIO_DEVICE_FEATURE), bytes,
			   bytes->argsz);
}

static int expect_export(void)
{
	const struct export_bytes bytes = page_bytes();

	return uapimock_returns_fd(expect_export_of(&bytes));
}

static void export_sends_everything(void **state)
{
	const struct dmabuf_range ranges[] = {{0x3FF000, 0x1000}, {0x1000, 0x10000}};
	const struct export_bytes bytes = {
		.argsz = 56,
		.feature = 1U << 16 | 11,
		.open_flags = O_CLOEXEC | O_RDWR,
		.nr_ranges = 2,
		.ranges = {0x3FF000, 0x1000, 0x1000, 0x10000},
	};
	struct dmabuf *buffer;
	int fd = uapimock_returns_fd(expect_export_of(&bytes));

	assert_int_equal(dmabuf_vfio_export(fx.vfio, 0, ranges, 2, 0, 0, NULL, &buffer), 0);
	assert_int_equal(dmabuf_fd(buffer), fd);
	assert_int_equal(dmabuf_size(buffer), 0x11000);
	uapimock_expect_close(fd);
	dmabuf_unref(buffer);
}

static void export_for_reading_opens_for_reading(void **state)
{
	struct export_bytes bytes = page_bytes();
	struct dmabuf *buffer;

	bytes.region_index = 2;
	bytes.open_flags = O_CLOEXEC | O_RDONLY;
	uapimock_returns_fd(expect_export_of(&bytes));
	assert_int_equal(dmabuf_vfio_export(fx.vfio, 2, &one_page, 1, 0, DMABUF_VFIO_READ_ONLY,
					    NULL, &buffer),
			 0);
	dmabuf_unref(buffer);
}

static void export_names_the_buffer(void **state)
{
	const unsigned long set_name = 0x40086201; /* DMA_BUF_SET_NAME_B */
	struct dmabuf *buffer;
	int fd = expect_export();

	uapimock_in(uapimock_expect_ioctl(fd, set_name), "frame 0", 8);
	assert_int_equal(dmabuf_vfio_export(fx.vfio, 0, &one_page, 1, 0, 0, "frame 0", &buffer), 0);
	dmabuf_unref(buffer);
}

static void export_that_cannot_be_named_is_closed(void **state)
{
	const unsigned long set_name = 0x40086201;
	struct dmabuf *buffer = NULL;
	int fd = expect_export();

	uapimock_fails(uapimock_expect_ioctl(fd, set_name), ENOMEM);
	uapimock_expect_close(fd);
	assert_int_equal(dmabuf_vfio_export(fx.vfio, 0, &one_page, 1, 0, 0, "x", &buffer), -ENOMEM);
	assert_null(buffer);
}

static void bad_ranges_are_refused_before_the_kernel_sees_them(void **state)
{
	static const struct dmabuf_range bad[] = {
		{0, 0},
		{1, 4096},
		{0, 4095},
		{0, BAR0_SIZE + 4096},
		{BAR0_SIZE, 4096},
		{BAR0_SIZE - 4096, 8192},
		{UINT64_MAX - 4095, 4096},
		{4096, UINT64_MAX - 4095},
	};
	struct dmabuf *buffer = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct dmabuf_range two[] = {one_page, bad[i]};

		assert_int_equal(dmabuf_vfio_export(fx.vfio, 0, two, 2, 0, 0, NULL, &buffer),
				 -EINVAL);
		assert_int_equal(dmabuf_vfio_export(fx.vfio, 0, two + 1, 1, 0, 0, NULL, &buffer),
				 -EINVAL);
	}
	assert_int_equal(dmabuf_vfio_export(fx.vfio, 0, bad, 0, 0, 0, NULL, &buffer), -EINVAL);
	assert_int_equal(dmabuf_vfio_export(fx.vfio, 0, bad, SIZE_MAX, 0, 0, NULL, &buffer),
			 -EINVAL);
	assert_null(buffer);
}

static void other_arguments_are_refused_too(void **state)
{
	struct dmabuf *buffer = NULL;

	assert_int_equal(dmabuf_vfio_export(fx.vfio, 6, &one_page, 1, 0, 0, NULL, &buffer),
			 -EINVAL);
	assert_int_equal(export_page(2, 0, &buffer), -EINVAL);
	assert_int_equal(export_page(0, 2, &buffer), -EINVAL);
	for (uint32_t bar = 1; bar < DMABUF_VFIO_BARS; bar += 1 + (bar == 1))
		assert_int_equal(dmabuf_vfio_export(fx.vfio, bar, &one_page, 1, 0, 0, NULL,
						    &buffer),
				 -ENODEV);
	assert_null(buffer);
}

static void errors_of_an_export(void **state)
{
	static const struct {
		int kernel, error;
	} rows[] = {
		{EINVAL, -EINVAL},         {ENODEV, -ENODEV}, {EOVERFLOW, -EOVERFLOW},
		{EOPNOTSUPP, -EOPNOTSUPP}, {ENOMEM, -ENOMEM}, {ENOTTY, -EOPNOTSUPP},
		{EMFILE, -EMFILE},         {EFAULT, -EFAULT},
	};
	const struct export_bytes bytes = page_bytes();
	struct dmabuf *buffer = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uapimock_fails(expect_export_of(&bytes), rows[i].kernel);
		assert_int_equal(export_page(0, 0, &buffer), rows[i].error);
	}
	assert_null(buffer);
}

static void interrupted_export_is_sent_again(void **state)
{
	const struct export_bytes bytes = page_bytes();
	struct dmabuf *buffer;

	uapimock_fails(expect_export_of(&bytes), EINTR);
	expect_export();
	assert_int_equal(export_page(0, 0, &buffer), 0);
	dmabuf_unref(buffer);
}

static void kernels_without_it_are_not_asked(void **state)
{
	struct dmabuf *buffer = NULL;

	open_device(&old_kernel);
	assert_int_equal(export_page(0, 0, &buffer), -EOPNOTSUPP);
	fx.vfio = dmabuf_vfio_unref(fx.vfio);
	uapimock_end();
	uapimock_begin();
	open_device(&stock_7_3);
	assert_int_equal(export_page(DMABUF_VFIO_ATTR_WC, 0, &buffer), -EOPNOTSUPP);
	expect_export();
	assert_int_equal(export_page(0, 0, &buffer), 0);
	assert_int_equal(dmabuf_vfio_revoke(fx.vfio, buffer), -EOPNOTSUPP);
	dmabuf_unref(buffer);
}

/* ---- memory attribute --------------------------------------------------- */

static struct uapimock_ioctl *expect_write_combine(int fd)
{
	const uint32_t bytes[] = {16, 1U << 17 | 15, (uint32_t)fd, 1};

	return uapimock_in(uapimock_expect_ioctl(fx.device, VFIO_DEVICE_FEATURE), bytes,
			   sizeof(bytes));
}

static void attribute_is_set_before_anybody_maps(void **state)
{
	struct dmabuf *buffer;

	expect_write_combine(expect_export());
	assert_int_equal(export_page(DMABUF_VFIO_ATTR_WC, 0, &buffer), 0);
	dmabuf_unref(buffer);
}

static void attribute_of_the_first_posting_is_in_the_flags(void **state)
{
	struct export_bytes bytes = page_bytes();
	struct dmabuf *buffer;

	expect_export();
	assert_int_equal(export_page(0, 0, &buffer), 0);
	dmabuf_unref(buffer);
	bytes.flags = 1U << 28;
	uapimock_returns_fd(expect_export_of(&bytes));
	assert_int_equal(export_page(DMABUF_VFIO_ATTR_WC, 0, &buffer), 0);
	dmabuf_unref(buffer);
}

static void buffer_whose_attribute_cannot_be_set_is_closed(void **state)
{
	static const struct {
		int kernel, error;
	} rows[] = {
		{ENOENT, -EOPNOTSUPP}, /* an attribute that the machine does not know */
		{ENODEV, -ENODEV},     {EBADFD, -EBADFD}, {ENOTTY, -EOPNOTSUPP}, {EINVAL, -EINVAL},
	};
	struct dmabuf *buffer = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = expect_export();

		uapimock_fails(expect_write_combine(fd), rows[i].kernel);
		uapimock_expect_close(fd);
		assert_int_equal(export_page(DMABUF_VFIO_ATTR_WC, 0, &buffer), rows[i].error);
	}
	assert_null(buffer);
}

/* ---- revoke ------------------------------------------------------------- */

static struct dmabuf *make_buffer(void)
{
	struct dmabuf *buffer;

	expect_export();
	assert_int_equal(export_page(0, 0, &buffer), 0);
	return buffer;
}

static struct uapimock_ioctl *expect_revoke(const struct dmabuf *buffer)
{
	const uint32_t feature[] = {12, 1U << 17 | 14, (uint32_t)dmabuf_fd(buffer)};

	return uapimock_in(uapimock_expect_ioctl(fx.device, VFIO_DEVICE_FEATURE), feature,
			   sizeof(feature));
}

static struct uapimock_ioctl *expect_revoke_ioctl(const struct dmabuf *buffer)
{
	const uint32_t args[] = {8, (uint32_t)dmabuf_fd(buffer)};

	return uapimock_in(uapimock_expect_ioctl(fx.device, VFIO_IOCTL_REVOKE), args, sizeof(args));
}

static void check_revoke(struct uapimock_ioctl *(*expect)(const struct dmabuf *buffer))
{
	static const struct {
		int kernel, error;
	} rows[] = {
		{0, 0},
		{EBADFD, -EBADFD},
		{ENODEV, -ENODEV},
		{EINVAL, -ENODEV}, /* no dma-buf */
		{EBADF, -EBADF},
		{EOPNOTSUPP, -EOPNOTSUPP},
		{ENOTTY, -EOPNOTSUPP},
		{EFAULT, -EFAULT},
	};
	struct dmabuf *buffer = make_buffer();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct uapimock_ioctl *e = expect(buffer);

		if (rows[i].kernel)
			uapimock_fails(e, rows[i].kernel);
		assert_int_equal(dmabuf_vfio_revoke(fx.vfio, buffer), rows[i].error);
	}
	uapimock_fails(expect(buffer), EINTR);
	expect(buffer);
	assert_int_equal(dmabuf_vfio_revoke(fx.vfio, buffer), 0);
	dmabuf_unref(buffer);
}

static void revoke_by_the_feature(void **state)
{
	check_revoke(expect_revoke);
}

static void revoke_by_the_ioctl_of_the_first_posting(void **state)
{
	check_revoke(expect_revoke_ioctl);
}

/* ---- reset and references ----------------------------------------------- */

static void reset_is_one_call(void **state)
{
	uapimock_expect_ioctl(fx.device, VFIO_DEVICE_RESET);
	assert_int_equal(dmabuf_vfio_reset(fx.vfio), 0);
	uapimock_fails(uapimock_expect_ioctl(fx.device, VFIO_DEVICE_RESET), ENODEV);
	assert_int_equal(dmabuf_vfio_reset(fx.vfio), -ENODEV);
}

static void device_without_reset_is_not_asked(void **state)
{
	struct kernel kernel = ours;

	kernel.no_reset = true;
	open_device(&kernel);
	assert_int_equal(dmabuf_vfio_reset(fx.vfio), -EOPNOTSUPP);
}

static void last_reference_closes_the_device_before_what_it_is_bound_to(void **state)
{
	int iommu;

	fx.device = uapimock_expect_open(NODE, 0);
	iommu = uapimock_expect_open(IOMMU, 0);
	uapimock_expect_ioctl(fx.device, VFIO_IOCTL_BIND_IOMMUFD);
	expect_set_up(fx.device, &ours);
	assert_int_equal(dmabuf_vfio_open(NODE, &fx.vfio), 0);
	assert_ptr_equal(dmabuf_vfio_ref(fx.vfio), fx.vfio);
	assert_null(dmabuf_vfio_unref(fx.vfio));
	assert_true(fcntl(fx.device, F_GETFD) >= 0);
	uapimock_expect_close(fx.device);
	uapimock_expect_close(iommu);
	fx.vfio = dmabuf_vfio_unref(fx.vfio);
	assert_null(dmabuf_vfio_unref(NULL));
}

#define scripted(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define on_ours(test) cmocka_unit_test_setup_teardown(test, open_ours, fixture_teardown)
#define on_first(test) cmocka_unit_test_setup_teardown(test, open_first_posting, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scripted(features_of_the_kernel_of_this_project),
		scripted(features_of_the_first_posting),
		scripted(features_of_stock_kernels),
		scripted(features_without_one_of_them),
		scripted(features_are_not_taken_for_others_of_their_number),
		scripted(revoke_in_the_place_of_memattr_is_not_taken_for_it),
		scripted(flags_that_were_not_looked_at_are_no_feature),
		scripted(probes_send_these_bytes),
		on_ours(regions_are_what_the_kernel_says),
		on_ours(export_sends_everything),
		on_ours(export_for_reading_opens_for_reading),
		on_ours(export_names_the_buffer),
		on_ours(export_that_cannot_be_named_is_closed),
		on_ours(bad_ranges_are_refused_before_the_kernel_sees_them),
		on_ours(other_arguments_are_refused_too),
		on_ours(errors_of_an_export),
		on_ours(interrupted_export_is_sent_again),
		scripted(kernels_without_it_are_not_asked),
		on_ours(attribute_is_set_before_anybody_maps),
		on_first(attribute_of_the_first_posting_is_in_the_flags),
		on_ours(buffer_whose_attribute_cannot_be_set_is_closed),
		on_ours(revoke_by_the_feature),
		on_first(revoke_by_the_ioctl_of_the_first_posting),
		on_ours(reset_is_one_call),
		scripted(device_without_reset_is_not_asked),
		scripted(last_reference_closes_the_device_before_what_it_is_bound_to),
	};

	return cmocka_run_group_tests_name("dmabuf-vfio", tests, NULL, NULL);
}
