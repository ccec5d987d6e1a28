/* SPDX-License-Identifier: MIT */
/*
 * Ten thousand random methods and values: what the library packs is taken apart
 * by a reference written as a skel reads its arguments, and what the reference
 * answers must arrive in the values.
 */
#include "fake-session.h"

#define ROUNDS 10000
#define MAX_PARAMS 24
#define MAX_BYTES 256

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % limit;
}

static void random_bytes(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)random_below(256);
}

/* A parameter, the memory of its value, and what the skel will answer. */
struct item {
	uint8_t data[MAX_BYTES + 1];
	uint8_t before[MAX_BYTES + 1];
	uint8_t answer[MAX_BYTES + 1];
	size_t in_bytes, out_bytes; /* that travel */
	uint32_t in_count, out_count;
};

static struct qda_param params[MAX_PARAMS];
static struct qda_value values[MAX_PARAMS];
static struct item items[MAX_PARAMS];

static void make_fixed(struct qda_param *param, struct qda_value *value, struct item *item)
{
	param->align = (uint16_t)(1U << random_below(4));
	param->size = param->align * (1 + random_below(6));
	item->in_bytes = item->out_bytes = param->size;
	value->data = item->data;
}

static void make_sequence(struct qda_param *param, struct qda_value *value, struct item *item)
{
	param->align = (uint16_t)(1U << random_below(4));
	param->size = param->align * (1 + random_below(2));
	value->count = random_below(MAX_BYTES / param->size + 1);
	item->in_count = item->out_count = (uint32_t)value->count;
	item->in_bytes = item->out_bytes = value->count * param->size;
	value->data = value->count || random_below(2) ? item->data : NULL;
}

static void make_string(struct qda_param *param, struct qda_value *value, struct item *item,
			size_t unit)
{
	size_t length = random_below(MAX_BYTES / 4),
	       room = length + 1 + random_below(MAX_BYTES / 4);

	for (size_t i = 0; i < length * unit; i++)
		item->data[i] = (uint8_t)(1 + random_below(255));
	memset(item->data + length * unit, 0, unit);
	value->data = item->data;
	value->count = param->mode == QDA_IN ? random_below(1000) : room;
	item->in_count = (uint32_t)length + 1;
	item->in_bytes = item->in_count * unit;
	item->out_count = (uint32_t)room;
	item->out_bytes = room * unit;
	/* The answer is a text of its own, sometimes without an end. */
	memset(item->answer, 'y', sizeof(item->answer));
	if (random_below(4))
		memset(item->answer + random_below((uint32_t)room) * unit, 0, unit);
}

static void make_item(unsigned int i)
{
	struct qda_param *param = &params[i];
	struct qda_value *value = &values[i];
	struct item *item = &items[i];

	*param = (struct qda_param){.mode = (uint8_t)(1 + random_below(3)),
				    .kind = (uint8_t)random_below(4)};
	*value = (struct qda_value){0};
	item->in_count = item->out_count = 0;
	random_bytes(item->data, sizeof(item->data));
	random_bytes(item->answer, sizeof(item->answer));
	switch (param->kind) {
	case QDA_KIND_FIXED:
		make_fixed(param, value, item);
		break;
	case QDA_KIND_SEQUENCE:
		make_sequence(param, value, item);
		break;
	case QDA_KIND_STRING:
		make_string(param, value, item, 1);
		break;
	case QDA_KIND_WSTRING:
		make_string(param, value, item, 2);
		break;
	}
	memcpy(item->before, item->data, sizeof(item->data));
}

/* ---- the reference ---- */

/* A skel's view: it walks through primIn and primROut, padding before each value. */
struct cursor {
	uint8_t *bytes;
	size_t length;
	size_t at;
	size_t widest;
};

static uint8_t *step(struct cursor *c, size_t align, size_t size)
{
	uint8_t *here;

	while (c->at % align) {
		assert_true(c->at < c->length);
		assert_int_equal(c->bytes[c->at], 0);
		c->at++;
	}
	assert_true(size <= c->length - c->at);
	here = c->bytes + c->at;
	c->at += size;
	if (align > c->widest)
		c->widest = align;
	return here;
}

static void check_count(struct cursor *c, uint32_t expected)
{
	uint32_t count;

	memcpy(&count, step(c, 4, 4), 4);
	assert_int_equal(count, expected);
}

/* Nothing follows but the padding of a C struct. */
static void check_end(const struct cursor *c)
{
	size_t total = c->at;

	while (c->widest && total % c->widest)
		total++;
	assert_int_equal(c->length, total);
}

static void *bytes_of(const struct qda_arg *arg)
{
	if (!arg->buffer)
		return arg->ptr;
	assert_ptr_equal((uint8_t *)qda_buffer_data(arg->buffer) + arg->offset, arg->ptr);
	return arg->ptr;
}

static void reference_skel(uint32_t number, unsigned int n, uint32_t sc, const struct qda_arg *args)
{
	unsigned int n_in = (sc >> 16) & 255, n_out = (sc >> 8) & 255;
	struct cursor in = {0}, out = {0};
	unsigned int next_in = 0, next_out = n_in;
	bool has_prim_in = number >= 31, has_prim_out = false;

	for (unsigned int i = 0; i < n; i++) {
		has_prim_in |= params[i].kind != QDA_KIND_FIXED || params[i].mode != QDA_ROUT;
		has_prim_out |= params[i].kind == QDA_KIND_FIXED && params[i].mode != QDA_IN;
	}
	if (has_prim_in) {
		in.bytes = bytes_of(&args[next_in]);
		in.length = args[next_in++].length;
	}
	if (has_prim_out) {
		out.bytes = bytes_of(&args[next_out]);
		out.length = args[next_out++].length;
	}
	assert_int_equal((sc >> 24) & 31, number < 31 ? number : 31);
	if (number >= 31)
		check_count(&in, number);
	for (unsigned int i = 0; i < n; i++) {
		const struct qda_param *param = &params[i];
		const struct item *item = &items[i];
		bool fixed = param->kind == QDA_KIND_FIXED;

		if (param->mode != QDA_ROUT) {
			if (fixed) {
				assert_memory_equal(step(&in, param->align, param->size),
						    item->before, param->size);
			} else {
				check_count(&in, item->in_count);
				assert_int_equal(args[next_in].length, item->in_bytes);
				if (item->in_bytes)
					assert_memory_equal(bytes_of(&args[next_in]), item->before,
							    item->in_bytes);
				next_in++;
			}
		}
		if (param->mode != QDA_IN) {
			if (fixed) {
				step(&out, param->align, param->size);
			} else {
				check_count(&in, item->out_count);
				assert_int_equal(args[next_out++].length, item->out_bytes);
			}
		}
	}
	check_end(&in);
	check_end(&out);
	assert_int_equal(next_in, n_in);
	assert_int_equal(next_out, n_in + n_out);

	/* Answer. */
	next_out = n_in + has_prim_out;
	out.at = 0;
	for (unsigned int i = 0; i < n; i++) {
		if (params[i].mode == QDA_IN)
			continue;
		if (params[i].kind == QDA_KIND_FIXED)
			memcpy(step(&out, params[i].align, params[i].size), items[i].answer,
			       params[i].size);
		else if (items[i].out_bytes)
			memcpy(bytes_of(&args[next_out++]), items[i].answer, items[i].out_bytes);
		else
			next_out++;
	}
}

static bool has_end(const uint8_t *text, size_t units, size_t unit)
{
	for (size_t i = 0; i < units; i++)
		if (!text[i * unit] && !text[i * unit + unit - 1])
			return true;
	return false;
}

static void check_values(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct item *item = &items[i];
		size_t unit = params[i].kind == QDA_KIND_STRING    ? 1
			      : params[i].kind == QDA_KIND_WSTRING ? 2
								   : 0;

		if (params[i].mode != QDA_IN) {
			memcpy(item->before, item->answer, item->out_bytes);
			if (unit && !has_end(item->before, item->out_count, unit))
				memset(item->before + (item->out_count - 1) * unit, 0, unit);
		}
		/* And nothing else changed. */
		assert_memory_equal(item->data, item->before, sizeof(item->data));
	}
}

static void random_calls(struct qda_arena *arena)
{
	for (unsigned int round = 0; round < ROUNDS / 2; round++) {
		unsigned int n = random_below(MAX_PARAMS + 1);
		const struct qda_method method = {.number = random_below(40),
						  .n_params = n,
						  .params = params};
		struct qda_packed *packed;

		for (unsigned int i = 0; i < n; i++)
			make_item(i);
		if (arena)
			qda_arena_reset(arena);
		assert_int_equal(qda_pack(&method, values, arena, &packed), 0);
		reference_skel(method.number, n, qda_packed_scalars(packed),
			       qda_packed_args(packed));
		qda_unpack(packed);
		check_values(n);
		qda_packed_free(packed);
	}
}

static void random_calls_in_plain_memory(void **state)
{
	random_calls(NULL);
}

static void random_calls_in_an_arena(void **state)
{
	struct fake fake;
	struct qda_arena *arena;

	fake_init(&fake, NULL);
	assert_int_equal(qda_arena_new(&fake.session, 65536, &arena), 0);
	random_calls(arena);
	qda_arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_calls_in_plain_memory),
		cmocka_unit_test(random_calls_in_an_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
