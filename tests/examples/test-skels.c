/* SPDX-License-Identifier: MIT */
/* The examples' skels, called directly with arguments no honest caller sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <common.h>
#include <qda_skel.h>

AEEResult calculator_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra);
AEEResult imgfilter_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra);

#define SC_SUM REMOTE_SCALARS_MAKE(2, 2, 1)
#define SC_MAX REMOTE_SCALARS_MAKE(3, 2, 1)
#define SC_SOBEL REMOTE_SCALARS_MAKE(2, 2, 1)
#define SC_SOBEL_PGM REMOTE_SCALARS_MAKE(3, 2, 1)

/* What the DSP's process provides. */
void HAP_debug_v2(int level, const char *file, int line, const char *format, ...)
{
}

/* Calls with copies of exactly these lengths, so that AddressSanitizer sees a step too far. */
static AEEResult call(qda_skel_handle_invoke_fn invoke, uint32_t sc, const void *prim,
		      size_t prim_size, const void *in, size_t in_size, void *out, size_t out_size)
{
	void *mem[3] = {malloc(prim_size), malloc(in_size), malloc(out_size)};
	remote_arg pra[3] = {
		{.buf = {prim_size ? mem[0] : NULL, prim_size}},
		{.buf = {in_size ? mem[1] : NULL, in_size}},
		{.buf = {out_size ? mem[2] : NULL, out_size}},
	};
	AEEResult status;

	if (prim_size)
		memcpy(mem[0], prim, prim_size);
	if (in_size)
		memcpy(mem[1], in, in_size);
	status = invoke(1, sc, pra);
	if (!status && out_size)
		memcpy(out, mem[2], out_size);
	for (size_t i = 0; i < ARRAY_SIZE(mem); i++)
		free(mem[i]);
	return status;
}

static AEEResult calc(uint32_t sc, uint32_t count, const int32_t *vec, size_t bytes, void *out,
		      size_t out_size)
{
	return call(calculator_skel_handle_invoke, sc, &count, sizeof(count), vec, bytes, out,
		    out_size);
}

static AEEResult pgm(const char *file, size_t size, uint8_t *out, size_t out_size)
{
	uint32_t prim[2] = {(uint32_t)size, (uint32_t)out_size};

	return call(imgfilter_skel_handle_invoke, SC_SOBEL_PGM, prim, sizeof(prim), file, size, out,
		    out_size);
}

static AEEResult pgm_text(const char *file)
{
	uint8_t out[256];

	return pgm(file, strlen(file), out, strlen(file));
}

static void test_open_gives_a_handle_and_close_takes_it(void **state)
{
	char uri[] = "uri";
	uint32_t length = sizeof(uri);
	remote_arg open[3] = {{.buf = {&length, 4}}, {.buf = {uri, sizeof(uri)}}};
	remote_arg close[1] = {{.h64 = 1}};

	assert_int_equal(calculator_skel_handle_invoke(0, 0x00020001, open), AEE_SUCCESS);
	assert_int_not_equal(open[2].h64, 0);
	assert_int_equal(calculator_skel_handle_invoke(1, 0x01000010, close), AEE_SUCCESS);
	assert_int_equal(imgfilter_skel_handle_invoke(0, 0x00020001, open), AEE_SUCCESS);
	assert_int_equal(imgfilter_skel_handle_invoke(1, 0x01000010, close), AEE_SUCCESS);
}

static void test_sum_is_64_bit(void **state)
{
	const int32_t vec[] = {INT32_MAX, INT32_MAX, INT32_MAX};
	int64_t sum = 0;

	assert_int_equal(calc(SC_SUM, 3, vec, sizeof(vec), &sum, sizeof(sum)), AEE_SUCCESS);
	assert_true(sum == 3LL * INT32_MAX);
}

static void test_sum_of_nothing_is_0(void **state)
{
	int64_t sum = 42;

	assert_int_equal(calc(SC_SUM, 0, NULL, 0, &sum, sizeof(sum)), AEE_SUCCESS);
	assert_true(sum == 0);
}

static void test_max_of_negative_numbers(void **state)
{
	const int32_t vec[] = {-7, -3, INT32_MIN};
	int32_t max = 0;

	assert_int_equal(calc(SC_MAX, 3, vec, sizeof(vec), &max, sizeof(max)), AEE_SUCCESS);
	assert_int_equal(max, -3);
}

static void test_max_of_nothing_is_refused(void **state)
{
	int32_t max;

	assert_int_equal(calc(SC_MAX, 0, NULL, 0, &max, sizeof(max)), AEE_EBADPARM);
}

static void test_count_and_length_must_agree(void **state)
{
	const int32_t vec[] = {1, 2, 3};
	int64_t sum;

	assert_int_equal(calc(SC_SUM, 4, vec, sizeof(vec), &sum, sizeof(sum)), AEE_EBADPARM);
	assert_int_equal(calc(SC_SUM, 2, vec, sizeof(vec), &sum, sizeof(sum)), AEE_EBADPARM);
	assert_int_equal(calc(SC_SUM, 3, vec, 11, &sum, sizeof(sum)), AEE_EBADPARM);
	/* 4 * count is 0 modulo 2^32 */
	assert_int_equal(calc(SC_SUM, 0x40000000, NULL, 0, &sum, sizeof(sum)), AEE_EBADPARM);
}

static void test_short_fixed_values_are_refused(void **state)
{
	const int32_t vec[] = {1};
	uint32_t prim[4] = {1, 1, 1, 1};
	int64_t sum;

	assert_int_equal(calc(SC_SUM, 1, vec, sizeof(vec), &sum, 7), AEE_EBADPARM);
	assert_int_equal(calc(SC_MAX, 1, vec, sizeof(vec), &sum, 3), AEE_EBADPARM);
	assert_int_equal(calc(SC_SUM, 1, vec, sizeof(vec), NULL, 0), AEE_EBADPARM);
	assert_int_equal(call(calculator_skel_handle_invoke, SC_SUM, prim, 3, vec, 4, &sum, 8),
			 AEE_EBADPARM);
	assert_int_equal(call(imgfilter_skel_handle_invoke, SC_SOBEL, prim, 15, "x", 1, &sum, 1),
			 AEE_EBADPARM);
	assert_int_equal(call(imgfilter_skel_handle_invoke, SC_SOBEL_PGM, prim, 7, "x", 1, &sum, 1),
			 AEE_EBADPARM);
}

static void test_unknown_methods_and_argument_counts_are_refused(void **state)
{
	static const qda_skel_handle_invoke_fn skels[] = {calculator_skel_handle_invoke,
							  imgfilter_skel_handle_invoke};
	remote_arg none[1] = {{.h64 = 0}};

	for (size_t i = 0; i < ARRAY_SIZE(skels); i++) {
		assert_int_equal(skels[i](1, REMOTE_SCALARS_MAKE(4, 0, 0), none), AEE_EUNSUPPORTED);
		assert_int_equal(skels[i](1, REMOTE_SCALARS_MAKE(31, 1, 0), none),
				 AEE_EUNSUPPORTED);
		assert_int_equal(skels[i](1, REMOTE_SCALARS_MAKE(2, 0, 0), none), AEE_EBADPARM);
		assert_int_equal(skels[i](1, REMOTE_SCALARS_MAKE(0, 0, 0), none), AEE_EBADPARM);
	}
}

static void test_sobel_sizes_must_agree(void **state)
{
	static const uint32_t bad[][4] = {
		{12, 4, 4, 12},                   /* fewer pixels than told */
		{12, 3, 3, 12},                   /* more */
		{11, 4, 3, 12},                   /* the count differs from the memory */
		{12, 4, 3, 13},                   /* and of the out sequence */
		{12, 0x10000, 0x10000, 12},       /* 0 modulo 2^32 */
		{12, 0x80000003, 0x80000004, 12}, /* 12 modulo 2^32 */
	};
	const uint32_t good[4] = {12, 4, 3, 12};
	const uint8_t image[12] = {0};
	uint8_t edges[12];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(call(imgfilter_skel_handle_invoke, SC_SOBEL, bad[i], 16, image, 12,
				      edges, 12),
				 AEE_EBADPARM);
	assert_int_equal(call(imgfilter_skel_handle_invoke, SC_SOBEL, good, 16, image, 12, edges,
			      12),
			 AEE_SUCCESS);
}

static void test_sobel_without_room_is_refused(void **state)
{
	const uint32_t prim[4] = {12, 4, 3, 11};
	const uint8_t image[12] = {0};
	uint8_t edges[11];

	assert_int_equal(call(imgfilter_skel_handle_invoke, SC_SOBEL, prim, 16, image, 12, edges,
			      11),
			 AEE_EBUFFERTOOSMALL);
	assert_int_equal(pgm("P5 1 1 255\nx", 12, edges, 11), AEE_EBUFFERTOOSMALL);
}

static void test_sobel_of_an_empty_image(void **state)
{
	const uint32_t prim[4] = {0, 0, 9, 0};

	assert_int_equal(call(imgfilter_skel_handle_invoke, SC_SOBEL, prim, 16, NULL, 0, NULL, 0),
			 AEE_SUCCESS);
}

static void test_sobel_of_a_step(void **state)
{
	const uint32_t prim[4] = {12, 4, 3, 12};
	const uint8_t image[12] = {0, 0, 10, 10, 0, 0, 10, 10, 0, 0, 10, 200};
	const uint8_t expected[12] = {0, 0, 0, 0, 0, 40, 255, 0, 0, 0, 0, 0};
	uint8_t edges[12];

	/* x = 2: gx = 2 * 10 + 10 + 200 = 230, gy = 200 - 10 = 190; limited to 255 */
	assert_int_equal(call(imgfilter_skel_handle_invoke, SC_SOBEL, prim, 16, image, 12, edges,
			      12),
			 AEE_SUCCESS);
	assert_memory_equal(edges, expected, sizeof(expected));
}

static void test_pgm_edges_are_limited_to_maxval(void **state)
{
	const char file[] = "P5 3 3 50\n\0\0\062\0\0\062\0\0\062";
	uint8_t out[sizeof(file) - 1];

	assert_int_equal(pgm(file, sizeof(file) - 1, out, sizeof(out)), AEE_SUCCESS);
	assert_memory_equal(out, file, 10);
	assert_int_equal(out[10 + 4], 50);
}

static void test_pgm_may_have_comments(void **state)
{
	assert_int_equal(pgm_text("P5# a comment\n1#b\r#c\n 2\t255\n##"), AEE_SUCCESS);
}

static void test_bad_pgms_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"P",
		"P5",
		"P5 ",
		"P6 1 1 255\nxxx",
		"P2 1 1 255\n0",
		"P51 1 255\nx",
		"P5 1 1 255",
		"P5 1 1 255\n",
		"P5 2 1 255\nx",
		"P5 1 1 255\nxx",
		"P5 0 1 255\n",
		"P5 1 1 0\nx",
		"P5 1 1 256\nx",
		"P5 1 1 259\nx",
		"P5 1 1 65535\nxx",
		"P5 -1 1 255\nx",
		"P5 1 1 255#\nx",
		"P5 1 # no end",
		"P5 65536 65536 255\n",
		"P5 4294967297 1 255\nx",
		"P5 18446744073709551617 1 255\nx",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (pgm_text(bad[i]) != AEE_EBADPARM)
			fail_msg("accepted: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_gives_a_handle_and_close_takes_it),
		cmocka_unit_test(test_sum_is_64_bit),
		cmocka_unit_test(test_sum_of_nothing_is_0),
		cmocka_unit_test(test_max_of_negative_numbers),
		cmocka_unit_test(test_max_of_nothing_is_refused),
		cmocka_unit_test(test_count_and_length_must_agree),
		cmocka_unit_test(test_short_fixed_values_are_refused),
		cmocka_unit_test(test_unknown_methods_and_argument_counts_are_refused),
		cmocka_unit_test(test_sobel_sizes_must_agree),
		cmocka_unit_test(test_sobel_without_room_is_refused),
		cmocka_unit_test(test_sobel_of_an_empty_image),
		cmocka_unit_test(test_sobel_of_a_step),
		cmocka_unit_test(test_pgm_edges_are_limited_to_maxval),
		cmocka_unit_test(test_pgm_may_have_comments),
		cmocka_unit_test(test_bad_pgms_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
