/* SPDX-License-Identifier: MIT */
/* The layout of a message's payload: metadata, alignment, overlaps, copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "payload.h"

#define ADDRESS 0x100000200000ULL

static struct payload payload;
static _Alignas(4096) uint8_t mem[1 << 20];

static const union fastrpc_remote_arg *rpra(void)
{
	return (const void *)mem;
}

static const struct fastrpc_invoke_buf *list(void)
{
	return (const void *)&rpra()[FASTRPC_LENGTH(payload.sc)];
}

static const struct fastrpc_phy_page *pages(void)
{
	return (const void *)&list()[FASTRPC_LENGTH(payload.sc)];
}

static void build(uint32_t sc, const struct qda_arg *args)
{
	memset(mem, 0xee, sizeof(mem));
	assert_int_equal(payload_layout(&payload, sc, args), 0);
	assert_true(payload.size <= sizeof(mem));
	payload_build(&payload, mem, ADDRESS);
}

/* Where the DSP finds argument @i: page address plus the pointer's place in its page. */
static uint8_t *seen(uint32_t i)
{
	uint64_t in_page = rpra()[i].buf.pv & 4095;
	const struct fastrpc_phy_page *page = &pages()[list()[i].pgidx];

	assert_true(page->addr >= ADDRESS && page->addr % 4096 == 0 && page->size % 4096 == 0);
	assert_true(in_page + rpra()[i].buf.len <= page->size);
	return mem + (page->addr - ADDRESS) + in_page;
}

static void test_metadata_sizes_are_those_of_the_protocol(void **state)
{
	assert_int_equal(sizeof(struct fastrpc_msg), 40);
	assert_int_equal(sizeof(struct fastrpc_rsp), 16);
	assert_int_equal(sizeof(union fastrpc_remote_arg), 16);
	assert_int_equal(sizeof(struct fastrpc_invoke_buf), 8);
	assert_int_equal(sizeof(struct fastrpc_phy_page), 16);
	assert_int_equal(FASTRPC_META_SIZE(0), 16 * 8 + 64 * 4 + 4);
	assert_int_equal(FASTRPC_META_SIZE(3), 3 * 40 + 16 * 8 + 64 * 4 + 4);
	assert_int_equal(sizeof(struct fastrpc_init_create), 24);
	assert_int_equal(sizeof(struct fastrpc_init_mmap), 24);
	assert_int_equal(sizeof(struct fastrpc_init_munmap), 24);
	assert_int_equal(sizeof(struct fastrpc_init_mem_map), 32);
	assert_int_equal(sizeof(struct fastrpc_init_mem_unmap), 24);
}

static void test_metadata_is_zeroed_but_for_its_entries(void **state)
{
	uint8_t in[4] = {1, 2, 3, 4};
	const struct qda_arg arg = {.ptr = in, .length = sizeof(in)};
	size_t tail = 40;

	build(FASTRPC_SCALARS(2, 1, 0, 0, 0), &arg);
	for (size_t i = tail; i < FASTRPC_META_SIZE(1); i++)
		assert_int_equal(mem[i], 0);
	assert_int_equal(list()[0].num, 1);
	assert_int_equal(list()[0].pgidx, 0);
}

static void test_inline_regions_are_aligned_to_128(void **state)
{
	uint8_t a[3], b[200], c[1];
	const struct qda_arg args[] = {
		{.ptr = a, .length = sizeof(a)},
		{.ptr = b, .length = sizeof(b)},
		{.ptr = c, .length = sizeof(c)},
	};

	build(FASTRPC_SCALARS(0, 2, 1, 0, 0), args);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal((seen(i) - mem) % 128, 0);
}

static void test_in_buffers_are_copied_in_and_out_buffers_zeroed(void **state)
{
	uint8_t in[300], out[300];
	const struct qda_arg args[] = {
		{.ptr = in, .length = sizeof(in)},
		{.ptr = out, .length = sizeof(out)},
	};

	memset(in, 0x5a, sizeof(in));
	memset(out, 0xa5, sizeof(out));
	build(FASTRPC_SCALARS(0, 1, 1, 0, 0), args);
	assert_memory_equal(seen(0), in, sizeof(in));
	for (size_t i = 0; i < sizeof(out); i++)
		assert_int_equal(seen(1)[i], 0);
}

static void test_out_buffers_are_copied_back_and_in_buffers_are_not(void **state)
{
	uint8_t in[16] = {0}, out[16] = {0};
	const struct qda_arg args[] = {
		{.ptr = in, .length = sizeof(in)},
		{.ptr = out, .length = sizeof(out)},
	};

	build(FASTRPC_SCALARS(0, 1, 1, 0, 0), args);
	memset(seen(0), 0x11, sizeof(in));
	memset(seen(1), 0x22, sizeof(out));
	payload_copy_out(&payload, mem);
	assert_int_equal(in[0], 0);
	assert_int_equal(out[0], 0x22);
	assert_int_equal(out[15], 0x22);
}

static void test_copy_out_takes_no_length_from_the_payload(void **state)
{
	uint8_t out[8] = {0}, canary[64];
	const struct qda_arg arg = {.ptr = out, .length = sizeof(out)};

	memset(canary, 0x77, sizeof(canary));
	build(FASTRPC_SCALARS(0, 0, 1, 0, 0), &arg);
	memset(mem, 0xff, FASTRPC_META_SIZE(1));
	payload_copy_out(&payload, mem);
	for (size_t i = 0; i < sizeof(canary); i++)
		assert_int_equal(canary[i], 0x77);
	assert_int_equal(out[0], 0);
}

static void test_zero_length_carries_nothing(void **state)
{
	const struct qda_arg args[] = {{.ptr = (void *)1, .length = 0}, {.length = 0}};

	build(FASTRPC_SCALARS(0, 1, 1, 0, 0), args);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(rpra()[i].buf.pv, 0);
		assert_int_equal(rpra()[i].buf.len, 0);
		assert_int_equal(list()[i].num, 0);
		assert_int_equal(list()[i].pgidx, i);
		assert_int_equal(pages()[i].size, 0);
	}
	assert_int_equal(payload.size, FASTRPC_META_SIZE(2));
}

static void test_partly_overlapping_buffers_share_one_copy(void **state)
{
	uint8_t m[300];
	const struct qda_arg args[] = {
		{.ptr = m + 50, .length = 250}, /* continues the other */
		{.ptr = m, .length = 100},
	};

	for (size_t i = 0; i < sizeof(m); i++)
		m[i] = (uint8_t)i;
	build(FASTRPC_SCALARS(0, 2, 0, 0, 0), args);
	assert_ptr_equal(seen(0), seen(1) + 50);
	assert_memory_equal(seen(1), m, sizeof(m));
	assert_int_equal(payload.size, ALIGN_UP(FASTRPC_META_SIZE(2), 128) + 300);
}

static void test_a_covered_buffer_adds_nothing(void **state)
{
	uint8_t m[400];
	const struct qda_arg args[] = {
		{.ptr = m + 10, .length = 20},
		{.ptr = m, .length = 400},
		{.ptr = m, .length = 5},
	};

	memset(m, 0x3c, sizeof(m));
	build(FASTRPC_SCALARS(0, 3, 0, 0, 0), args);
	assert_ptr_equal(seen(0), seen(1) + 10);
	assert_ptr_equal(seen(2), seen(1));
	assert_int_equal(payload.size, ALIGN_UP(FASTRPC_META_SIZE(3), 128) + 400);
}

static void test_adjacent_buffers_do_not_overlap(void **state)
{
	uint8_t m[200];
	const struct qda_arg args[] = {
		{.ptr = m, .length = 100},
		{.ptr = m + 100, .length = 100},
	};

	build(FASTRPC_SCALARS(0, 2, 0, 0, 0), args);
	assert_ptr_equal(seen(1), seen(0) + 128);
}

static void test_in_and_out_of_the_same_memory_share_one_copy(void **state)
{
	uint8_t m[64];
	const struct qda_arg args[] = {
		{.ptr = m, .length = sizeof(m)},
		{.ptr = m, .length = sizeof(m)},
	};

	memset(m, 0x42, sizeof(m));
	build(FASTRPC_SCALARS(0, 1, 1, 0, 0), args);
	assert_ptr_equal(seen(0), seen(1));
	assert_int_equal(seen(0)[63], 0x42);
}

static void test_a_buffer_argument_is_named_and_not_copied(void **state)
{
	struct qda_buffer buffer = {.data = (void *)0x7f0000001000,
				    .size = 0x4000,
				    .address = 0x123456000,
				    .fd = 9};
	const struct qda_arg arg = {.buffer = &buffer, .offset = 0xff8, .length = 16};

	build(FASTRPC_SCALARS(0, 1, 0, 0, 0), &arg);
	assert_int_equal(rpra()[0].buf.pv, 0x7f0000001ff8);
	assert_int_equal(rpra()[0].buf.len, 16);
	assert_int_equal(pages()[0].addr, 0x123456000);
	assert_int_equal(pages()[0].size, 0x2000);
	assert_int_equal(payload.size, FASTRPC_META_SIZE(1));
}

static void test_a_handle_argument_gives_number_offset_and_the_whole_mapping(void **state)
{
	struct qda_buffer buffer = {.size = 0x4000, .address = 0x123456000, .fd = 9, .key = 77};
	const struct qda_arg arg = {.buffer = &buffer, .offset = 0x20, .length = 0x30};

	build(FASTRPC_SCALARS(0, 0, 0, 1, 0), &arg);
	assert_int_equal(rpra()[0].dma.fd, 77);
	assert_int_equal(rpra()[0].dma.offset, 0x20);
	assert_int_equal(rpra()[0].dma.len, 0x30);
	assert_int_equal(pages()[0].addr, 0x123456000);
	assert_int_equal(pages()[0].size, 0x4000);
}

static void test_the_most_buffers_a_call_can_have(void **state)
{
	static struct qda_arg args[510];
	static uint8_t m[510 * 8];

	for (size_t i = 0; i < 510; i++) {
		memset(&m[i * 8], (int)(i & 0xff), 8);
		/* not in order of their addresses */
		args[(i * 7) % 510] = (struct qda_arg){.ptr = &m[i * 8], .length = 8};
	}
	build(FASTRPC_SCALARS(0, 255, 255, 0, 0), args);
	for (uint32_t i = 0; i < 255; i++)
		assert_memory_equal(seen(i), args[i].ptr, 8);
}

static void test_random_overlaps_agree_with_shared_memory(void **state)
{
	/* Whatever overlaps in the caller's memory overlaps in the same way at the DSP. */
	static uint8_t m[2000];
	uint32_t seed = 1;

	for (size_t i = 0; i < sizeof(m); i++)
		m[i] = (uint8_t)(i * 31);
	for (int round = 0; round < 2000; round++) {
		struct qda_arg args[12];
		uint32_t n = 1 + round % 12;

		for (uint32_t i = 0; i < n; i++) {
			seed = seed * 1103515245 + 12345;
			args[i] = (struct qda_arg){.ptr = m + (seed >> 8) % 1000,
						   .length = (seed >> 20) % 900};
		}
		build(FASTRPC_SCALARS(0, n, 0, 0, 0), args);
		for (uint32_t i = 0; i < n; i++)
			if (args[i].length)
				assert_memory_equal(seen(i), args[i].ptr, args[i].length);
	}
}

static void test_too_large_is_refused(void **state)
{
	const struct qda_arg args[] = {
		{.ptr = (void *)0x1000, .length = 1UL << 31},
		{.ptr = (void *)0x100000000000, .length = 1UL << 31},
	};

	assert_int_equal(payload_layout(&payload, FASTRPC_SCALARS(0, 2, 0, 0, 0), args), -E2BIG);
	assert_int_equal(payload_layout(&payload, FASTRPC_SCALARS(0, 1, 0, 0, 0), args), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metadata_sizes_are_those_of_the_protocol),
		cmocka_unit_test(test_metadata_is_zeroed_but_for_its_entries),
		cmocka_unit_test(test_inline_regions_are_aligned_to_128),
		cmocka_unit_test(test_in_buffers_are_copied_in_and_out_buffers_zeroed),
		cmocka_unit_test(test_out_buffers_are_copied_back_and_in_buffers_are_not),
		cmocka_unit_test(test_copy_out_takes_no_length_from_the_payload),
		cmocka_unit_test(test_zero_length_carries_nothing),
		cmocka_unit_test(test_partly_overlapping_buffers_share_one_copy),
		cmocka_unit_test(test_a_covered_buffer_adds_nothing),
		cmocka_unit_test(test_adjacent_buffers_do_not_overlap),
		cmocka_unit_test(test_in_and_out_of_the_same_memory_share_one_copy),
		cmocka_unit_test(test_a_buffer_argument_is_named_and_not_copied),
		cmocka_unit_test(test_a_handle_argument_gives_number_offset_and_the_whole_mapping),
		cmocka_unit_test(test_the_most_buffers_a_call_can_have),
		cmocka_unit_test(test_random_overlaps_agree_with_shared_memory),
		cmocka_unit_test(test_too_large_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
