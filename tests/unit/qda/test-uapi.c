/* SPDX-License-Identifier: MIT */
/* The QDA interface byte by byte: numbers, sizes and offsets as they are documented. */
#include <stddef.h>

#include "fake-transport.h"

#include <drm/qda_accel.h>

#define assert_field(type, field, offset, bytes)                            \
	do {                                                                \
		assert_int_equal(offsetof(struct type, field), offset);     \
		assert_int_equal(sizeof(((struct type *)0)->field), bytes); \
	} while (0)

static void test_command_numbers(void **state)
{
	assert_int_equal(DRM_IOCTL_QDA_QUERY, 0x80106440UL);
	assert_int_equal(DRM_IOCTL_QDA_GEM_CREATE, 0xC0106441UL);
	assert_int_equal(DRM_IOCTL_QDA_GEM_MMAP_OFFSET, 0xC0106442UL);
	assert_int_equal(DRM_IOCTL_QDA_REMOTE_SESSION_CREATE, 0xC0186444UL);
	assert_int_equal(DRM_IOCTL_QDA_REMOTE_MAP, 0xC0306445UL);
	assert_int_equal(DRM_IOCTL_QDA_REMOTE_MUNMAP, 0xC0206446UL);
	assert_int_equal(DRM_IOCTL_QDA_REMOTE_INVOKE, 0xC0106447UL);
}

static void test_request_numbers(void **state)
{
	assert_int_equal(QDA_MAP_REQUEST_LEGACY, 1);
	assert_int_equal(QDA_MAP_REQUEST_ATTR, 2);
	assert_int_equal(QDA_MUNMAP_REQUEST_LEGACY, 1);
	assert_int_equal(QDA_MUNMAP_REQUEST_ATTR, 2);
}

static void test_query_layout(void **state)
{
	assert_int_equal(sizeof(struct drm_qda_query), 16);
	assert_field(drm_qda_query, dsp_name, 0, 16);
}

static void test_gem_create_layout(void **state)
{
	assert_int_equal(sizeof(struct drm_qda_gem_create), 16);
	assert_field(drm_qda_gem_create, size, 0, 8);
	assert_field(drm_qda_gem_create, handle, 8, 4);
	assert_field(drm_qda_gem_create, pad, 12, 4);
}

static void test_gem_mmap_offset_layout(void **state)
{
	assert_int_equal(sizeof(struct drm_qda_gem_mmap_offset), 16);
	assert_field(drm_qda_gem_mmap_offset, offset, 0, 8);
	assert_field(drm_qda_gem_mmap_offset, handle, 8, 4);
	assert_field(drm_qda_gem_mmap_offset, pad, 12, 4);
}

static void test_invoke_layout(void **state)
{
	assert_int_equal(sizeof(struct drm_qda_invoke_args), 16);
	assert_field(drm_qda_invoke_args, handle, 0, 4);
	assert_field(drm_qda_invoke_args, sc, 4, 4);
	assert_field(drm_qda_invoke_args, args, 8, 8);
}

static void test_invoke_argument_layout(void **state)
{
	assert_int_equal(sizeof(struct drm_qda_fastrpc_invoke_args), 24);
	assert_field(drm_qda_fastrpc_invoke_args, ptr, 0, 8);
	assert_field(drm_qda_fastrpc_invoke_args, length, 8, 8);
	assert_field(drm_qda_fastrpc_invoke_args, fd, 16, 4);
	assert_field(drm_qda_fastrpc_invoke_args, attr, 20, 4);
	assert_true((__typeof__(((struct drm_qda_fastrpc_invoke_args *)0)->fd))-1 < 0);
}

static void test_init_create_layout(void **state)
{
	assert_int_equal(sizeof(struct drm_qda_init_create), 24);
	assert_field(drm_qda_init_create, filelen, 0, 4);
	assert_field(drm_qda_init_create, filefd, 4, 4);
	assert_field(drm_qda_init_create, attrs, 8, 4);
	assert_field(drm_qda_init_create, siglen, 12, 4);
	assert_field(drm_qda_init_create, file, 16, 8);
}

static void test_mem_map_layout(void **state)
{
	assert_int_equal(sizeof(struct drm_qda_mem_map), 48);
	assert_field(drm_qda_mem_map, request, 0, 4);
	assert_field(drm_qda_mem_map, flags, 4, 4);
	assert_field(drm_qda_mem_map, fd, 8, 4);
	assert_field(drm_qda_mem_map, attrs, 12, 4);
	assert_field(drm_qda_mem_map, offset, 16, 4);
	assert_field(drm_qda_mem_map, pad, 20, 4);
	assert_field(drm_qda_mem_map, vaddrin, 24, 8);
	assert_field(drm_qda_mem_map, size, 32, 8);
	assert_field(drm_qda_mem_map, vaddrout, 40, 8);
}

static void test_mem_unmap_layout(void **state)
{
	assert_int_equal(sizeof(struct drm_qda_mem_unmap), 32);
	assert_field(drm_qda_mem_unmap, request, 0, 4);
	assert_field(drm_qda_mem_unmap, fd, 4, 4);
	assert_field(drm_qda_mem_unmap, vaddr, 8, 8);
	assert_field(drm_qda_mem_unmap, vaddrout, 16, 8);
	assert_field(drm_qda_mem_unmap, size, 24, 8);
}

static void test_map_flags_are_the_protocols(void **state)
{
	assert_int_equal(QDA_MAP_STATIC, 0);
	assert_int_equal(QDA_MAP_RESERVED, 1);
	assert_int_equal(QDA_MAP_FD, 2);
	assert_int_equal(QDA_MAP_FD_DELAYED, 3);
	assert_int_equal(QDA_MAP_FD_NOMAP, 16);
}

static void test_scalars(void **state)
{
	assert_int_equal(QDA_SCALARS(2, 2, 1, 0, 0), 0x02020100);
	assert_int_equal(QDA_SCALARS(0, 2, 0, 0, 1), 0x00020001);
	assert_int_equal(QDA_SCALARS(1, 0, 0, 1, 0), 0x01000010);
	assert_int_equal(QDA_SCALARS(31, 255, 255, 15, 15), 0x1fffffff);
	assert_int_equal(QDA_SCALARS_LENGTH(0x1fffffff), 540);
	assert_int_equal(QDA_SCALARS_LENGTH(0x02020100), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_numbers),
		cmocka_unit_test(test_request_numbers),
		cmocka_unit_test(test_query_layout),
		cmocka_unit_test(test_gem_create_layout),
		cmocka_unit_test(test_gem_mmap_offset_layout),
		cmocka_unit_test(test_invoke_layout),
		cmocka_unit_test(test_invoke_argument_layout),
		cmocka_unit_test(test_init_create_layout),
		cmocka_unit_test(test_mem_map_layout),
		cmocka_unit_test(test_mem_unmap_layout),
		cmocka_unit_test(test_map_flags_are_the_protocols),
		cmocka_unit_test(test_scalars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
