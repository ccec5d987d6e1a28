/* SPDX-License-Identifier: MIT */
/* Packing of reverse calls: the bytes, both directions, and bytes that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common.h"
#include "reverse.h"

#define BUF(text)                                           \
	{                                                   \
		(void *)(uintptr_t)(text), sizeof(text) - 1 \
	}

static void in_bytes(void **state)
{
	const struct reverse_buf bufs[] = {
		BUF("abc"), {NULL, 0}, BUF("defgh"), {NULL, 7}, {NULL, 0}};
	const uint32_t sc = FASTRPC_SCALARS(4, 3, 2, 0, 0);
	static const uint8_t expected[] = {
		3,   0,   0,   0,   0,   0, 0, 0, /* length, gap */
		'a', 'b', 'c', 0,   0,   0, 0, 0, /* data, gap, length 0 at 12 */
		5,   0,   0,   0,   0,   0, 0, 0, /* length at 16, gap */
		'd', 'e', 'f', 'g', 'h', 0, 0, 0, /* data at 24, gap */
		7,   0,   0,   0,   0,   0, 0, 0, /* out lengths at 32 */
	};
	uint8_t packed[sizeof(expected)];

	assert_int_equal(reverse_in_size(sc, bufs), sizeof(expected));
	memset(packed, 0xff, sizeof(packed));
	reverse_in_pack(sc, bufs, packed);
	assert_memory_equal(packed, expected, sizeof(expected));
}

static void in_round_trip(void **state)
{
	const struct reverse_buf bufs[] = {
		BUF("abc"), {NULL, 0}, BUF("defgh"), {NULL, 7}, {NULL, 9}};
	const uint32_t sc = FASTRPC_SCALARS(4, 3, 2, 0, 0);
	size_t size = (size_t)reverse_in_size(sc, bufs), out_size;
	struct reverse_buf got[5];
	uint8_t *packed = malloc(size);

	reverse_in_pack(sc, bufs, packed);
	assert_int_equal(reverse_in_parse(sc, packed, size, got, &out_size), 0);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(got[i].length, bufs[i].length);
	assert_memory_equal(got[0].data, "abc", 3);
	assert_null(got[1].data);
	assert_memory_equal(got[2].data, "defgh", 5);
	assert_null(got[3].data);
	/* 4, gap, 7, gap, 4, gap, 9 */
	assert_int_equal(out_size, 8 + 7 + 1 + 8 + 9);
	free(packed);
}

static void out_round_trip(void **state)
{
	const uint32_t sc = FASTRPC_SCALARS(4, 1, 3, 0, 0);
	struct reverse_buf apps[] = {{NULL, 1}, {NULL, 5}, {NULL, 0}, {NULL, 2}};
	char a[5] = "", b[2] = "";
	struct reverse_buf dsp[] = {{NULL, 1}, {a, 5}, {NULL, 0}, {b, 2}};
	uint8_t packed[8 + 5 + 3 + 4 + 4 + 2];

	memset(packed, 0xff, sizeof(packed));
	reverse_out_place(sc, apps, packed);
	assert_memory_equal(packed, "\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\0\0", 26);
	assert_null(apps[2].data);
	memcpy(apps[1].data, "hello", 5);
	memcpy(apps[3].data, "ok", 2);
	assert_int_equal(reverse_out_unpack(sc, dsp, packed, sizeof(packed)), 0);
	assert_memory_equal(a, "hello", 5);
	assert_memory_equal(b, "ok", 2);
}

static void no_buffers(void **state)
{
	const uint32_t sc = FASTRPC_SCALARS(4, 0, 0, 0, 0);
	size_t out_size = 1;

	assert_int_equal(reverse_in_size(sc, NULL), 0);
	assert_int_equal(reverse_in_parse(sc, NULL, 0, NULL, &out_size), 0);
	assert_int_equal(out_size, 0);
	assert_int_equal(reverse_out_unpack(sc, NULL, NULL, 0), 0);
}

static void handles_are_refused(void **state)
{
	struct reverse_buf bufs[1];
	size_t out_size;

	assert_int_equal(reverse_in_size(FASTRPC_SCALARS(1, 0, 0, 1, 0), NULL), -EOPNOTSUPP);
	assert_int_equal(reverse_in_size(FASTRPC_SCALARS(1, 0, 0, 0, 1), NULL), -EOPNOTSUPP);
	assert_int_equal(reverse_in_parse(FASTRPC_SCALARS(1, 0, 0, 0, 1), NULL, 0, bufs, &out_size),
			 -EOPNOTSUPP);
}

static void every_cut_is_noticed(void **state)
{
	const struct reverse_buf bufs[] = {BUF("abc"), BUF("defgh"), {NULL, 7}, {NULL, 9}};
	const uint32_t sc = FASTRPC_SCALARS(4, 2, 2, 0, 0);
	size_t size = (size_t)reverse_in_size(sc, bufs), out_size;
	struct reverse_buf got[4];
	uint8_t whole[64];

	reverse_in_pack(sc, bufs, whole);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *part = malloc(cut ? cut : 1);

		memcpy(part, whole, cut);
		assert_int_equal(reverse_in_parse(sc, part, cut, got, &out_size), -EBADMSG);
		free(part);
	}
}

static void lengths_that_lie_are_refused(void **state)
{
	static const uint32_t lies[] = {9, 100, 0x7fffffff, 0xfffffff8, 0xffffffff};
	const uint32_t sc = FASTRPC_SCALARS(4, 1, 0, 0, 0);
	struct reverse_buf got;
	size_t out_size;
	uint32_t packed[4] = {0};

	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++) {
		packed[0] = lies[i];
		assert_int_equal(reverse_in_parse(sc, packed, sizeof(packed), &got, &out_size),
				 -EBADMSG);
	}
	packed[0] = 8;
	assert_int_equal(reverse_in_parse(sc, packed, sizeof(packed), &got, &out_size), 0);
}

static void too_much_is_refused(void **state)
{
	const uint32_t sc = FASTRPC_SCALARS(4, 0, 2, 0, 0);
	uint32_t packed[2] = {REVERSE_MAX - 8, 0};
	struct reverse_buf got[2] = {{NULL, REVERSE_MAX}};
	size_t out_size;

	assert_int_equal(reverse_in_parse(sc, packed, sizeof(packed), got, &out_size), -E2BIG);
	packed[0] = REVERSE_MAX - 12;
	assert_int_equal(reverse_in_parse(sc, packed, sizeof(packed), got, &out_size), 0);
	assert_int_equal(out_size, REVERSE_MAX);
	packed[0] = 0xffffffff;
	packed[1] = 0xffffffff;
	assert_int_equal(reverse_in_parse(sc, packed, sizeof(packed), got, &out_size), -E2BIG);
	got[0].length = REVERSE_MAX;
	assert_int_equal(reverse_in_size(FASTRPC_SCALARS(4, 1, 0, 0, 0), got), -E2BIG);
}

static void out_lengths_must_be_those_asked_for(void **state)
{
	const uint32_t sc = FASTRPC_SCALARS(4, 0, 2, 0, 0);
	char a[4] = "....", b[4] = "....";
	const struct reverse_buf dsp[] = {{a, 4}, {b, 4}};
	struct reverse_buf apps[] = {{NULL, 4}, {NULL, 4}};
	uint8_t packed[8 + 4 + 4 + 4];

	reverse_out_place(sc, apps, packed);
	for (size_t cut = 0; cut < sizeof(packed); cut++)
		assert_int_equal(reverse_out_unpack(sc, dsp, packed, cut), -EBADMSG);
	for (uint8_t length = 3; length <= 5; length += 2) {
		packed[12] = length;
		assert_int_equal(reverse_out_unpack(sc, dsp, packed, sizeof(packed)), -EBADMSG);
	}
	/* Nothing was copied, the first buffer included. */
	assert_memory_equal(a, "....", 4);
}

static void all_510_buffers(void **state)
{
	const uint32_t sc = FASTRPC_SCALARS(31, 255, 255, 0, 0);
	struct reverse_buf bufs[REVERSE_MAX_BUFS], got[REVERSE_MAX_BUFS];
	uint8_t bytes[255], *packed, *out;
	size_t size, out_size;

	for (unsigned int i = 0; i < REVERSE_MAX_BUFS; i++) {
		bytes[i % 255] = (uint8_t)(i % 255);
		bufs[i] = (struct reverse_buf){bytes, i % 255};
	}
	size = (size_t)reverse_in_size(sc, bufs);
	packed = malloc(size);
	reverse_in_pack(sc, bufs, packed);
	assert_int_equal(reverse_in_parse(sc, packed, size, got, &out_size), 0);
	out = malloc(out_size);
	reverse_out_place(sc, got, out);
	for (unsigned int i = 0; i < 255; i++) {
		assert_int_equal(got[i].length, i);
		if (i) {
			assert_memory_equal(got[i].data, bytes, i);
			memcpy(got[255 + i].data, bytes, i);
		}
	}
	assert_int_equal(reverse_out_unpack(sc, bufs, out, out_size), 0);
	free(packed);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_bytes),
		cmocka_unit_test(in_round_trip),
		cmocka_unit_test(out_round_trip),
		cmocka_unit_test(no_buffers),
		cmocka_unit_test(handles_are_refused),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(out_lengths_must_be_those_asked_for),
		cmocka_unit_test(all_510_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
