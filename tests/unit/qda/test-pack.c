/* SPDX-License-Identifier: MIT */
/* Typed calls: the bytes and arguments they become, what is refused, and what comes back. */
#include "fake-session.h"

#define IN(k, a, s)                                                             \
	{                                                                       \
		.mode = QDA_IN, .kind = QDA_KIND_##k, .align = (a), .size = (s) \
	}
#define ROUT(k, a, s)                                                             \
	{                                                                         \
		.mode = QDA_ROUT, .kind = QDA_KIND_##k, .align = (a), .size = (s) \
	}
#define INROUT(k, a, s)                                                             \
	{                                                                           \
		.mode = QDA_INROUT, .kind = QDA_KIND_##k, .align = (a), .size = (s) \
	}
#define METHOD(n, ...)                                                                            \
	(&(const struct qda_method){                                                              \
		.number = (n),                                                                    \
		.n_params = sizeof((struct qda_param[]){__VA_ARGS__}) / sizeof(struct qda_param), \
		.params = (const struct qda_param[]){__VA_ARGS__},                                \
	})
#define VALUES(...) ((const struct qda_value[]){__VA_ARGS__})
#define FIXED(v)             \
	{                    \
		.data = &(v) \
	}

static unsigned int allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

static struct qda_packed *pack(const struct qda_method *method, const struct qda_value *values)
{
	struct qda_packed *packed = NULL;

	assert_int_equal(qda_pack(method, values, NULL, &packed), 0);
	return packed;
}

static int pack_error(const struct qda_method *method, const struct qda_value *values)
{
	struct qda_packed *packed = (void *)1;
	int r = qda_pack(method, values, NULL, &packed);

	assert_ptr_equal(packed, (void *)1);
	return r;
}

static void check_arg(const struct qda_packed *packed, unsigned int index, const void *bytes,
		      size_t size)
{
	const struct qda_arg *arg = &qda_packed_args(packed)[index];

	assert_null(arg->buffer);
	assert_int_equal(arg->length, size);
	assert_memory_equal(arg->ptr, bytes, size);
}

static void check_u32s(const struct qda_packed *packed, unsigned int index, const uint32_t *values,
		       size_t n)
{
	check_arg(packed, index, values, n * sizeof(*values));
}
#define U32S(...) ((const uint32_t[]){__VA_ARGS__}), ARRAY_SIZE(((const uint32_t[]){__VA_ARGS__}))

/* ---- the ten vectors ---- */

static void calculator_sum(void **state)
{
	int32_t vec[] = {1, -2, 3};
	int64_t res = 7;
	struct qda_packed *p = pack(METHOD(2, IN(SEQUENCE, 4, 4), ROUT(FIXED, 8, 8)),
				    VALUES({vec, 3, NULL, 0}, FIXED(res)));

	assert_int_equal(qda_packed_scalars(p), 0x02020100);
	check_u32s(p, 0, U32S(3));
	check_arg(p, 1, vec, sizeof(vec));
	assert_ptr_equal(qda_packed_args(p)[1].ptr, vec);
	assert_int_equal(qda_packed_args(p)[2].length, 8);
	*(int64_t *)qda_packed_args(p)[2].ptr = 2;
	qda_unpack(p);
	assert_int_equal(res, 2);
	qda_packed_free(p);
}

static void remotectl1_open1(void **state)
{
	char name[] = "lib.so", dlerror[10] = "";
	int32_t handle = 0, error = 0;
	struct qda_packed *p =
		pack(METHOD(2, IN(STRING, 1, 1), ROUT(FIXED, 4, 4), ROUT(SEQUENCE, 1, 1),
			    ROUT(FIXED, 4, 4)),
		     VALUES({.data = name}, FIXED(handle), {dlerror, 10, NULL, 0}, FIXED(error)));
	const int32_t out[] = {-5, 9};

	assert_int_equal(qda_packed_scalars(p), 0x02020200);
	check_u32s(p, 0, U32S(7, 10));
	check_arg(p, 1, "lib.so", 7);
	assert_int_equal(qda_packed_args(p)[2].length, 8);
	assert_ptr_equal(qda_packed_args(p)[3].ptr, dlerror);
	assert_int_equal(qda_packed_args(p)[3].length, 10);
	memcpy(qda_packed_args(p)[2].ptr, out, sizeof(out));
	qda_unpack(p);
	assert_int_equal(handle, -5);
	assert_int_equal(error, 9);
	qda_packed_free(p);
}

static void remotectl1_close1(void **state)
{
	int32_t handle = 0x1234, error = 0;
	char dlerror[16];
	struct qda_packed *p =
		pack(METHOD(3, IN(FIXED, 4, 4), ROUT(STRING, 1, 1), ROUT(FIXED, 4, 4)),
		     VALUES(FIXED(handle), {dlerror, 16, NULL, 0}, FIXED(error)));

	assert_int_equal(qda_packed_scalars(p), 0x03010200);
	check_u32s(p, 0, U32S(0x1234, 16));
	assert_int_equal(qda_packed_args(p)[1].length, 4);
	assert_int_equal(qda_packed_args(p)[2].length, 16);
	qda_packed_free(p);
}

static void remotectl1_grow_heap(void **state)
{
	uint32_t address = 0x1000, size = 0x2000;
	struct qda_packed *p = pack(METHOD(4, IN(FIXED, 4, 4), IN(FIXED, 4, 4)),
				    VALUES(FIXED(address), FIXED(size)));

	assert_int_equal(qda_packed_scalars(p), 0x04010000);
	check_u32s(p, 0, U32S(0x1000, 0x2000));
	qda_packed_free(p);
}

static void remotectl1_set_param(void **state)
{
	uint32_t id = 4, params[] = {7, 8};
	struct qda_packed *p = pack(METHOD(5, IN(FIXED, 4, 4), IN(SEQUENCE, 4, 4)),
				    VALUES(FIXED(id), {params, 2, NULL, 0}));

	assert_int_equal(qda_packed_scalars(p), 0x05020000);
	check_u32s(p, 0, U32S(4, 2));
	check_u32s(p, 1, U32S(7, 8));
	qda_packed_free(p);
}

static void listener1_init2(void **state)
{
	struct qda_packed *p = pack(&(const struct qda_method){.number = 5}, NULL);

	assert_int_equal(qda_packed_scalars(p), 0x05000000);
	qda_packed_free(p);
}

static void listener1_next2(void **state)
{
	uint32_t ctx = 1, result = 2, out_ctx, handle, sc, size;
	uint8_t prev[] = {9, 8, 7}, bufs[100];
	struct qda_packed *p =
		pack(METHOD(6, IN(FIXED, 4, 4), IN(FIXED, 4, 4), IN(SEQUENCE, 1, 1),
			    ROUT(FIXED, 4, 4), ROUT(FIXED, 4, 4), ROUT(FIXED, 4, 4),
			    ROUT(SEQUENCE, 1, 1), ROUT(FIXED, 4, 4)),
		     VALUES(FIXED(ctx), FIXED(result), {prev, 3, NULL, 0}, FIXED(out_ctx),
			    FIXED(handle), FIXED(sc), {bufs, 100, NULL, 0}, FIXED(size)));
	const uint32_t out[] = {11, 12, 13, 14};

	assert_int_equal(qda_packed_scalars(p), 0x06020200);
	check_u32s(p, 0, U32S(1, 2, 3, 100));
	check_arg(p, 1, prev, 3);
	assert_int_equal(qda_packed_args(p)[2].length, 16);
	assert_int_equal(qda_packed_args(p)[3].length, 100);
	memcpy(qda_packed_args(p)[2].ptr, out, sizeof(out));
	qda_unpack(p);
	assert_int_equal(out_ctx, 11);
	assert_int_equal(handle, 12);
	assert_int_equal(sc, 13);
	assert_int_equal(size, 14);
	qda_packed_free(p);
}

static void listener1_get_in_bufs2(void **state)
{
	uint32_t ctx = 1, offset = 2, size;
	uint8_t bufs[50];
	struct qda_packed *p =
		pack(METHOD(7, IN(FIXED, 4, 4), IN(FIXED, 4, 4), ROUT(SEQUENCE, 1, 1),
			    ROUT(FIXED, 4, 4)),
		     VALUES(FIXED(ctx), FIXED(offset), {bufs, 50, NULL, 0}, FIXED(size)));

	assert_int_equal(qda_packed_scalars(p), 0x07010200);
	check_u32s(p, 0, U32S(1, 2, 50));
	assert_int_equal(qda_packed_args(p)[1].length, 4);
	assert_int_equal(qda_packed_args(p)[2].length, 50);
	qda_packed_free(p);
}

static void handle64_open(void **state)
{
	char uri[] = "file:///x.so";
	struct qda_packed *p = pack(METHOD(0, IN(STRING, 1, 1), ROUT(DMAHANDLE, 0, 0)),
				    VALUES({.data = uri}, {0}));

	assert_int_equal(qda_packed_scalars(p), 0x00020001);
	check_u32s(p, 0, U32S(13));
	check_arg(p, 1, uri, 13);
	qda_packed_free(p);
}

static void handle64_close(void **state)
{
	struct qda_buffer buffer;
	struct qda_packed *p =
		pack(METHOD(1, IN(DMAHANDLE, 0, 0)), VALUES({NULL, 40, &buffer, 4096}));
	const struct qda_arg *args = qda_packed_args(p);

	assert_int_equal(qda_packed_scalars(p), 0x01000010);
	assert_ptr_equal(args[0].buffer, &buffer);
	assert_int_equal(args[0].offset, 4096);
	assert_int_equal(args[0].length, 40);
	qda_packed_free(p);
}

/* ---- layout ---- */

static void values_are_naturally_aligned(void **state)
{
	uint8_t a = 0x11, c = 0x33;
	uint16_t b = 0x2222;
	uint64_t d = 0x4444444444444444;
	struct qda_packed *p =
		pack(METHOD(2, IN(FIXED, 1, 1), IN(FIXED, 2, 2), IN(FIXED, 1, 1), IN(FIXED, 8, 8)),
		     VALUES(FIXED(a), FIXED(b), FIXED(c), FIXED(d)));

	check_arg(p, 0, "\x11\0\x22\x22\x33\0\0\0\x44\x44\x44\x44\x44\x44\x44\x44", 16);
	qda_packed_free(p);
}

static void totals_are_those_of_c_structs(void **state)
{
	uint64_t a = 1;
	uint32_t b = 2;
	uint16_t c;
	struct qda_packed *p = pack(METHOD(2, IN(FIXED, 8, 8), IN(FIXED, 4, 4), ROUT(FIXED, 4, 4),
					   ROUT(FIXED, 2, 2)),
				    VALUES(FIXED(a), FIXED(b), FIXED(b), FIXED(c)));

	check_u32s(p, 0, U32S(1, 0, 2, 0));
	assert_int_equal(qda_packed_args(p)[1].length, 8);
	qda_packed_free(p);

	p = pack(METHOD(2, IN(FIXED, 4, 4), IN(FIXED, 8, 8)), VALUES(FIXED(b), FIXED(a)));
	check_u32s(p, 0, U32S(2, 0, 1, 0));
	qda_packed_free(p);
}

static void method_30_is_in_the_scalars(void **state)
{
	uint8_t a = 5;
	struct qda_packed *p = pack(METHOD(30, IN(FIXED, 1, 1)), VALUES(FIXED(a)));

	assert_int_equal(qda_packed_scalars(p), 0x1e010000);
	check_arg(p, 0, "\5", 1);
	qda_packed_free(p);
}

static void method_31_and_up_are_in_prim_in(void **state)
{
	uint64_t a = 5;
	struct qda_packed *p = pack(METHOD(31, IN(FIXED, 8, 8)), VALUES(FIXED(a)));

	assert_int_equal(qda_packed_scalars(p), 0x1f010000);
	check_u32s(p, 0, U32S(31, 0, 5, 0));
	qda_packed_free(p);

	p = pack(&(const struct qda_method){.number = 0x12345}, NULL);
	assert_int_equal(qda_packed_scalars(p), 0x1f010000);
	check_u32s(p, 0, U32S(0x12345));
	qda_packed_free(p);
}

static void inrout_is_an_in_and_a_rout(void **state)
{
	uint32_t number = 5;
	uint16_t elements[] = {1, 2, 3};
	char text[8] = "abc";
	struct qda_packed *p =
		pack(METHOD(3, INROUT(SEQUENCE, 2, 2), INROUT(FIXED, 4, 4), INROUT(STRING, 1, 1)),
		     VALUES({elements, 3, NULL, 0}, FIXED(number), {text, 8, NULL, 0}));
	const struct qda_arg *args = qda_packed_args(p);

	assert_int_equal(qda_packed_scalars(p), 0x03030300);
	check_u32s(p, 0, U32S(3, 3, 5, 4, 8));
	check_arg(p, 1, elements, 6);
	check_arg(p, 2, "abc", 4);
	assert_int_equal(args[3].length, 4);
	assert_ptr_equal(args[4].ptr, elements);
	assert_int_equal(args[4].length, 6);
	assert_ptr_equal(args[5].ptr, text);
	assert_int_equal(args[5].length, 8);
	*(uint32_t *)args[3].ptr = 6;
	qda_unpack(p);
	assert_int_equal(number, 6);
	qda_packed_free(p);
}

static void inrout_string_must_end_in_its_room(void **state)
{
	char text[4] = {'a', 'b', 'c', 'd'};
	uint16_t wide[2] = {1, 2};

	assert_int_equal(pack_error(METHOD(2, INROUT(STRING, 1, 1)), VALUES({text, 4, NULL, 0})),
			 -EINVAL);
	assert_int_equal(pack_error(METHOD(2, INROUT(WSTRING, 1, 1)), VALUES({wide, 2, NULL, 0})),
			 -EINVAL);
	assert_int_equal(pack_error(METHOD(2, INROUT(STRING, 1, 1)), VALUES({NULL, 0, NULL, 0})),
			 -EINVAL);
}

static void wstring_counts_units(void **state)
{
	/* At an odd address: nothing may rely on alignment. */
	uint8_t raw[1 + 8] = {0xff, 'a', 0, 'b', 0, 'c', 0, 0, 0};
	uint16_t out[5];
	struct qda_packed *p = pack(METHOD(2, IN(WSTRING, 2, 2), ROUT(WSTRING, 2, 2)),
				    VALUES({.data = raw + 1}, {out, 5, NULL, 0}));

	check_u32s(p, 0, U32S(4, 5));
	check_arg(p, 1, raw + 1, 8);
	assert_int_equal(qda_packed_args(p)[2].length, 10);
	qda_packed_free(p);
}

static void rout_strings_are_terminated(void **state)
{
	char text[4], early[4];
	uint16_t wide[3];
	struct qda_packed *p =
		pack(METHOD(2, ROUT(STRING, 1, 1), ROUT(WSTRING, 2, 2), ROUT(STRING, 1, 1)),
		     VALUES({text, 4, NULL, 0}, {wide, 3, NULL, 0}, {early, 4, NULL, 0}));

	memset(text, 'x', sizeof(text));
	memset(wide, 0xff, sizeof(wide));
	memcpy(early, "a\0bc", 4);
	qda_unpack(p);
	assert_string_equal(text, "xxx");
	assert_int_equal(wide[1], 0xffff);
	assert_int_equal(wide[2], 0);
	assert_memory_equal(early, "a\0bc", 4);
	qda_packed_free(p);
}

static void zero_length_sequences_pass_nothing(void **state)
{
	struct qda_packed *p =
		pack(METHOD(2, IN(SEQUENCE, 4, 4), ROUT(SEQUENCE, 4, 4), ROUT(STRING, 1, 1)),
		     VALUES({0}, {0}, {0}));

	assert_int_equal(qda_packed_scalars(p), 0x02020200);
	check_u32s(p, 0, U32S(0, 0, 0));
	for (unsigned int i = 1; i < 4; i++) {
		assert_null(qda_packed_args(p)[i].ptr);
		assert_int_equal(qda_packed_args(p)[i].length, 0);
	}
	qda_unpack(p);
	qda_packed_free(p);
}

static void buffers_are_named_and_not_copied(void **state)
{
	struct qda_buffer buffer;
	struct qda_packed *p = pack(METHOD(2, IN(SEQUENCE, 4, 4), ROUT(SEQUENCE, 8, 8)),
				    VALUES({NULL, 3, &buffer, 16}, {NULL, 2, &buffer, 64}));
	const struct qda_arg *args = qda_packed_args(p);

	check_u32s(p, 0, U32S(3, 2));
	assert_ptr_equal(args[1].buffer, &buffer);
	assert_int_equal(args[1].offset, 16);
	assert_int_equal(args[1].length, 12);
	assert_ptr_equal(args[2].buffer, &buffer);
	assert_int_equal(args[2].offset, 64);
	assert_int_equal(args[2].length, 16);
	qda_unpack(p);
	qda_packed_free(p);
}

static void handles_stand_behind_buffers(void **state)
{
	struct qda_buffer b1, b2;
	uint8_t in = 1, out;
	struct qda_packed *p =
		pack(METHOD(2, ROUT(DMAHANDLE, 0, 0), IN(DMAHANDLE, 0, 0), ROUT(FIXED, 1, 1),
			    IN(FIXED, 1, 1)),
		     VALUES({NULL, 1, &b1, 0}, {NULL, 2, &b2, 0}, FIXED(out), FIXED(in)));
	const struct qda_arg *args = qda_packed_args(p);

	assert_int_equal(qda_packed_scalars(p), 0x02010111);
	assert_ptr_equal(args[2].buffer, &b2);
	assert_ptr_equal(args[3].buffer, &b1);
	qda_packed_free(p);
}

/* ---- what is refused ---- */

static void null_with_a_count_is_refused(void **state)
{
	struct qda_value none = {.count = 1};

	assert_int_equal(pack_error(METHOD(2, IN(SEQUENCE, 4, 4)), &none), -EINVAL);
	assert_int_equal(pack_error(METHOD(2, ROUT(SEQUENCE, 4, 4)), &none), -EINVAL);
	assert_int_equal(pack_error(METHOD(2, IN(STRING, 1, 1)), &none), -EINVAL);
	assert_int_equal(pack_error(METHOD(2, IN(WSTRING, 1, 1)), &none), -EINVAL);
	assert_int_equal(pack_error(METHOD(2, ROUT(STRING, 1, 1)), &none), -EINVAL);
	assert_int_equal(pack_error(METHOD(2, IN(FIXED, 4, 4)), &none), -EINVAL);
	assert_int_equal(pack_error(METHOD(2, ROUT(FIXED, 4, 4)), &none), -EINVAL);
	assert_int_equal(pack_error(METHOD(2, IN(DMAHANDLE, 0, 0)), &none), -EINVAL);
	assert_int_equal(pack_error(METHOD(2, IN(FIXED, 4, 4)), NULL), -EINVAL);
}

static void senseless_descriptions_are_refused(void **state)
{
	static const struct qda_param bad[] = {
		{.mode = 0, .kind = QDA_KIND_FIXED, .align = 1, .size = 1},
		{.mode = 4, .kind = QDA_KIND_FIXED, .align = 1, .size = 1},
		{.mode = QDA_IN, .kind = 5, .align = 1, .size = 1},
		IN(FIXED, 0, 4),
		IN(FIXED, 3, 4),
		IN(FIXED, 16, 16),
		IN(FIXED, 4, 0),
		IN(SEQUENCE, 4, 0),
		IN(SEQUENCE, 0, 4),
		INROUT(DMAHANDLE, 0, 0),
	};
	uint64_t data[2] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(pack_error(&(struct qda_method){.n_params = 1, .params = &bad[i]},
					    VALUES({data, 1, NULL, 0})),
				 -EINVAL);
	assert_int_equal(pack_error(&(struct qda_method){.n_params = 1}, VALUES({0})), -EINVAL);
}

static void counts_above_32_bits_are_refused(void **state)
{
	char data[1] = "";
	struct qda_value value = {.data = data, .count = (size_t)UINT32_MAX + 1};
	struct qda_packed *p;

	assert_int_equal(pack_error(METHOD(2, IN(SEQUENCE, 1, 1)), &value), -E2BIG);
	assert_int_equal(pack_error(METHOD(2, ROUT(SEQUENCE, 1, 1)), &value), -E2BIG);
	assert_int_equal(pack_error(METHOD(2, ROUT(STRING, 1, 1)), &value), -E2BIG);
	value.count = UINT32_MAX;
	p = pack(METHOD(2, IN(SEQUENCE, 8, 8)), &value);
	check_u32s(p, 0, U32S(UINT32_MAX));
	assert_int_equal(qda_packed_args(p)[1].length, (size_t)UINT32_MAX * 8);
	qda_packed_free(p);
}

static struct qda_packed *pack_many(uint8_t mode, uint8_t kind, unsigned int n, int *ret)
{
	struct qda_param *params = calloc(n, sizeof(*params));
	struct qda_value *values = calloc(n, sizeof(*values));
	const struct qda_method method = {.number = 2, .n_params = n, .params = params};
	struct qda_packed *packed = NULL;

	for (unsigned int i = 0; i < n; i++)
		params[i] = (struct qda_param){.mode = mode, .kind = kind, .align = 1, .size = 1};
	*ret = qda_pack(&method, values, NULL, &packed);
	free(params);
	free(values);
	return packed;
}

static void all_255_buffers_each_way_pass(void **state)
{
	struct qda_param params[254 + 1 + 254];
	struct qda_value values[254 + 1 + 254];
	uint8_t in[254], out[254];
	uint32_t fixed = 1;
	struct qda_packed *p;

	for (unsigned int i = 0; i < 254; i++) {
		in[i] = (uint8_t)i;
		params[i] = (struct qda_param)IN(SEQUENCE, 1, 1);
		values[i] = (struct qda_value){&in[i], 1, NULL, 0};
		params[255 + i] = (struct qda_param)ROUT(SEQUENCE, 1, 1);
		values[255 + i] = (struct qda_value){&out[i], 1, NULL, 0};
	}
	params[254] = (struct qda_param)INROUT(FIXED, 4, 4);
	values[254] = (struct qda_value)FIXED(fixed);
	p = pack(&(struct qda_method){.number = 2, .n_params = 509, .params = params}, values);
	assert_int_equal(qda_packed_scalars(p), 0x02ffff00);
	assert_int_equal(qda_packed_args(p)[0].length, 4 * 509);
	for (unsigned int i = 0; i < 254; i++) {
		check_arg(p, 1 + i, &(uint8_t){(uint8_t)i}, 1);
		assert_ptr_equal(qda_packed_args(p)[256 + i].ptr, &out[i]);
	}
	*(uint32_t *)qda_packed_args(p)[255].ptr = 77;
	qda_unpack(p);
	assert_int_equal(fixed, 77);
	qda_packed_free(p);
}

static void buffers_beyond_255_are_refused(void **state)
{
	int r;

	qda_packed_free(pack_many(QDA_IN, QDA_KIND_SEQUENCE, 254, &r));
	assert_int_equal(r, 0);
	qda_packed_free(pack_many(QDA_IN, QDA_KIND_SEQUENCE, 255, &r));
	assert_int_equal(r, -E2BIG);
	qda_packed_free(pack_many(QDA_ROUT, QDA_KIND_SEQUENCE, 255, &r));
	assert_int_equal(r, 0);
	qda_packed_free(pack_many(QDA_ROUT, QDA_KIND_SEQUENCE, 256, &r));
	assert_int_equal(r, -E2BIG);
}

static void handles_beyond_15_are_refused(void **state)
{
	struct qda_packed *p;
	int r;

	for (uint8_t mode = QDA_IN; mode <= QDA_ROUT; mode++) {
		p = pack_many(mode, QDA_KIND_DMAHANDLE, 15, &r);
		assert_int_equal(r, 0);
		assert_int_equal(qda_packed_scalars(p), mode == QDA_IN ? 0x020000f0 : 0x0200000f);
		qda_packed_free(p);
		assert_null(pack_many(mode, QDA_KIND_DMAHANDLE, 16, &r));
		assert_int_equal(r, -E2BIG);
	}
}

/* ---- arena ---- */

static void arena_takes_prims_and_small_data(void **state)
{
	struct fake fake;
	struct qda_arena *arena;
	struct qda_packed *p;
	static uint8_t small[4096], large[4097], out[100], large_out[4097];
	uint32_t fixed = 5;
	const struct qda_arg *args;
	unsigned int fds = count_fds();

	fake_init(&fake, NULL);
	memset(small, 1, sizeof(small));
	memset(out, 0, sizeof(out));
	assert_int_equal(qda_arena_new(&fake.session, 16384, &arena), 0);
	assert_int_equal(
		qda_pack(METHOD(2, IN(SEQUENCE, 1, 1), IN(SEQUENCE, 1, 1), ROUT(SEQUENCE, 1, 1),
				ROUT(SEQUENCE, 1, 1), ROUT(FIXED, 4, 4)),
			 VALUES({small, sizeof(small), NULL, 0}, {large, sizeof(large), NULL, 0},
				{out, sizeof(out), NULL, 0},
				{large_out, sizeof(large_out), NULL, 0}, FIXED(fixed)),
			 arena, &p),
		0);
	args = qda_packed_args(p);
	/* primIn, copied, as it is, primROut, copied back, as it is */
	assert_non_null(args[0].buffer);
	assert_memory_equal(args[0].ptr, (&(uint32_t[]){4096, 4097, 100, 4097}), 16);
	assert_ptr_equal(args[1].buffer, args[0].buffer);
	assert_memory_equal(args[1].ptr, small, sizeof(small));
	assert_ptr_not_equal(args[1].ptr, small);
	assert_null(args[2].buffer);
	assert_ptr_equal(args[2].ptr, large);
	assert_ptr_equal(args[3].buffer, args[0].buffer);
	assert_ptr_equal(args[4].buffer, args[0].buffer);
	assert_null(args[5].buffer);
	assert_ptr_equal(args[5].ptr, large_out);
	memset(args[3].ptr, 0x11, 4);
	memset(args[4].ptr, 0x22, 100);
	qda_unpack(p);
	assert_int_equal(fixed, 0x11111111);
	assert_int_equal(out[0], 0x22);
	assert_int_equal(out[99], 0x22);
	qda_packed_free(p);
	qda_arena_free(arena);
	assert_int_equal(count_fds(), fds);
}

static void arena_without_arguments(void **state)
{
	struct fake fake;
	struct qda_arena *arena;
	struct qda_packed *p;

	fake_init(&fake, NULL);
	assert_int_equal(qda_arena_new(&fake.session, 1, &arena), 0);
	assert_int_equal(qda_pack(&(const struct qda_method){.number = 2}, NULL, arena, &p), 0);
	assert_int_equal(qda_packed_scalars(p), 0x02000000);
	qda_unpack(p);
	qda_packed_free(p);
	qda_arena_free(arena);
}

static void arena_full(void **state)
{
	struct fake fake;
	struct qda_arena *arena;
	struct qda_packed *p = NULL;
	static uint8_t data[4096];
	uint64_t fixed[512] = {0};
	struct qda_arg arg;

	fake_init(&fake, NULL);
	assert_int_equal(qda_arena_new(&fake.session, 4096, &arena), 0);
	assert_int_equal(qda_pack(METHOD(2, IN(SEQUENCE, 1, 1)), VALUES({data, 4096, NULL, 0}),
				  arena, &p),
			 -ENOSPC);
	qda_arena_reset(arena);
	assert_int_equal(qda_arena_alloc(arena, 8, 8, &arg), 0);
	assert_int_equal(qda_pack(METHOD(2, IN(FIXED, 8, 4096)), VALUES({.data = fixed}), arena,
				  &p),
			 -ENOSPC);
	assert_null(p);
	qda_arena_free(arena);
}

/* ---- qda_call ---- */

static struct {
	int result;
	uint32_t status;
	unsigned int calls;
} dsp;

/* Answers open1 with handle 42; every other call adds 1 to the number it gets. */
static int invoke(struct qda_session *session, uint32_t handle, uint32_t sc,
		  const struct qda_arg *args, int timeout_ms, uint32_t flags, uint32_t *ret_status)
{
	uint32_t number;

	*ret_status = 0;
	if (handle == FASTRPC_HANDLE_REMOTECTL1) {
		if (FASTRPC_METHOD(sc) == REMOTECTL1_OPEN1)
			memcpy(args[2].ptr, &(uint32_t){42}, 4);
		return 0;
	}
	assert_int_equal(handle, 42);
	assert_int_equal(timeout_ms, 5);
	dsp.calls++;
	memcpy(&number, args[0].ptr, 4);
	number++;
	memcpy(args[FASTRPC_INBUFS(sc)].ptr, &number, 4);
	*ret_status = dsp.status;
	return dsp.result;
}

static struct qda_module *open_module(struct fake *fake)
{
	struct qda_module *module;

	memset(&dsp, 0, sizeof(dsp));
	fake_init(fake, invoke);
	assert_int_equal(qda_module_open(&fake->session, "libx_skel.so", NULL, NULL, 0, &module),
			 0);
	return module;
}

static void call_brings_results(void **state)
{
	struct fake fake;
	struct qda_module *module = open_module(&fake);
	uint32_t number = 7, status = 99;

	assert_int_equal(qda_call(module, METHOD(2, INROUT(FIXED, 4, 4)), VALUES(FIXED(number)),
				  NULL, 5, &status),
			 0);
	assert_int_equal(number, 8);
	assert_int_equal(status, 0);
	assert_int_equal(dsp.calls, 1);
	qda_module_close(module);
}

static void call_keeps_values_when_refused(void **state)
{
	struct fake fake;
	struct qda_module *module = open_module(&fake);
	uint32_t number = 7, status = 0;

	dsp.status = 0x80000414;
	assert_int_equal(qda_call(module, METHOD(2, INROUT(FIXED, 4, 4)), VALUES(FIXED(number)),
				  NULL, 5, &status),
			 -EREMOTEIO);
	assert_int_equal(number, 7);
	assert_int_equal(status, 0x80000414);
	dsp.result = -EIO;
	assert_int_equal(qda_call(module, METHOD(2, INROUT(FIXED, 4, 4)), VALUES(FIXED(number)),
				  NULL, 5, NULL),
			 -EIO);
	assert_int_equal(number, 7);
	qda_module_close(module);
}

static void call_is_not_sent_when_packing_fails(void **state)
{
	struct fake fake;
	struct qda_module *module = open_module(&fake);

	assert_int_equal(qda_call(module, METHOD(2, IN(FIXED, 4, 4)), VALUES({0}), NULL, 5, NULL),
			 -EINVAL);
	assert_int_equal(dsp.calls, 0);
	qda_module_close(module);
}

static void small_calls_allocate_nothing(void **state)
{
	struct fake fake;
	struct qda_module *module = open_module(&fake);
	uint8_t in[512] = {0}, out[512];
	uint32_t numbers[2] = {1, 2};
	unsigned int before;

	/* 1 KiB in all, and 4 arguments */
	before = allocations;
	assert_int_equal(qda_call(module,
				  METHOD(2, IN(FIXED, 4, 504), ROUT(FIXED, 4, 512),
					 IN(SEQUENCE, 4, 4), ROUT(SEQUENCE, 4, 4)),
				  VALUES({.data = in}, {.data = out}, {numbers, 1, NULL, 0},
					 {numbers + 1, 1, NULL, 0}),
				  NULL, 5, NULL),
			 0);
	assert_int_equal(allocations, before);
	/* One byte more does, and is freed again (LeakSanitizer looks). */
	assert_int_equal(qda_call(module, METHOD(2, IN(FIXED, 4, 512), ROUT(FIXED, 1, 513)),
				  VALUES({.data = in}, {.data = (uint8_t[513]){0}}), NULL, 5, NULL),
			 0);
	assert_int_equal(allocations, before + 1);
	qda_module_close(module);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calculator_sum),
		cmocka_unit_test(remotectl1_open1),
		cmocka_unit_test(remotectl1_close1),
		cmocka_unit_test(remotectl1_grow_heap),
		cmocka_unit_test(remotectl1_set_param),
		cmocka_unit_test(listener1_init2),
		cmocka_unit_test(listener1_next2),
		cmocka_unit_test(listener1_get_in_bufs2),
		cmocka_unit_test(handle64_open),
		cmocka_unit_test(handle64_close),
		cmocka_unit_test(values_are_naturally_aligned),
		cmocka_unit_test(totals_are_those_of_c_structs),
		cmocka_unit_test(method_30_is_in_the_scalars),
		cmocka_unit_test(method_31_and_up_are_in_prim_in),
		cmocka_unit_test(inrout_is_an_in_and_a_rout),
		cmocka_unit_test(inrout_string_must_end_in_its_room),
		cmocka_unit_test(wstring_counts_units),
		cmocka_unit_test(rout_strings_are_terminated),
		cmocka_unit_test(zero_length_sequences_pass_nothing),
		cmocka_unit_test(buffers_are_named_and_not_copied),
		cmocka_unit_test(handles_stand_behind_buffers),
		cmocka_unit_test(null_with_a_count_is_refused),
		cmocka_unit_test(senseless_descriptions_are_refused),
		cmocka_unit_test(counts_above_32_bits_are_refused),
		cmocka_unit_test(all_255_buffers_each_way_pass),
		cmocka_unit_test(buffers_beyond_255_are_refused),
		cmocka_unit_test(handles_beyond_15_are_refused),
		cmocka_unit_test(arena_takes_prims_and_small_data),
		cmocka_unit_test(arena_without_arguments),
		cmocka_unit_test(arena_full),
		cmocka_unit_test(call_brings_results),
		cmocka_unit_test(call_keeps_values_when_refused),
		cmocka_unit_test(call_is_not_sent_when_packing_fails),
		cmocka_unit_test(small_calls_allocate_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
