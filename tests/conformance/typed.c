/* SPDX-License-Identifier: MIT */
/* Cases: typed calls, packed by the QAIC compiler's rules, into skels that unpack by hand. */
#include "conformance.h"

#define FIXED(direction, type)                                                        \
	{                                                                             \
		.mode = (direction), .kind = QDA_KIND_FIXED, .align = _Alignof(type), \
		.size = sizeof(type)                                                  \
	}
#define SEQUENCE(direction, type)                                                        \
	{                                                                                \
		.mode = (direction), .kind = QDA_KIND_SEQUENCE, .align = _Alignof(type), \
		.size = sizeof(type)                                                     \
	}
#define METHOD(no, params_)                                                          \
	{                                                                            \
		.number = (no), .n_params = ARRAY_SIZE(params_), .params = (params_) \
	}

static int call(struct conf *c, const struct qda_method *method, const struct qda_value *values,
		struct qda_arena *arena)
{
	uint32_t status = 99;
	int r = qda_call(c->module, method, values, arena, QDA_NO_TIMEOUT, &status);

	if (r == 0)
		CHECK_EQ(status, 0);
	return r;
}

/* Both ways: packed into plain memory and into an arena. */
static void both_ways(struct conf *c, void (*run)(struct conf *c, struct qda_arena *arena))
{
	struct qda_arena *arena;

	run(c, NULL);
	CHECK_OK(qda_arena_new(c->session, 65536, &arena));
	run(c, arena);
	qda_arena_reset(arena);
	run(c, arena);
	qda_arena_free(arena);
}

static const struct qda_param struct_params[] = {
	FIXED(QDA_IN, struct conf_pair),
	FIXED(QDA_IN, uint8_t),
	FIXED(QDA_ROUT, struct conf_pair),
	FIXED(QDA_ROUT, int64_t),
};
static const struct qda_method struct_method = METHOD(CONF_TYPED_STRUCT, struct_params);

static void run_struct(struct conf *c, struct qda_arena *arena)
{
	struct conf_pair p = {.tag = 5, .big = -(1LL << 40), .three = {1, 2, 3}}, q = {0};
	uint8_t add = 3;
	int64_t twice = 0;
	const struct qda_value values[] = {{.data = &p},
					   {.data = &add},
					   {.data = &q},
					   {.data = &twice}};

	CHECK_OK(call(c, &struct_method, values, arena));
	CHECK_EQ(q.tag, 8);
	CHECK_EQ(q.big, -(1LL << 40));
	CHECK_EQ(q.three[0], 3);
	CHECK_EQ(q.three[1], 2);
	CHECK_EQ(q.three[2], 1);
	CHECK_EQ(twice, -(1LL << 41));
	CHECK_EQ(p.tag, 5);
}

static void typed_struct_and_array_in_and_out(struct conf *c)
{
	both_ways(c, run_struct);
}

static const struct qda_param sequence_params[] = {SEQUENCE(QDA_IN, int32_t),
						   SEQUENCE(QDA_ROUT, int32_t)};
static const struct qda_method sequence_method = METHOD(CONF_TYPED_SEQUENCE, sequence_params);

static void run_sequence(struct conf *c, struct qda_arena *arena)
{
	static const uint32_t counts[] = {0, 1, 2, 33, 1000};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		int32_t v[1000], w[1001];
		const struct qda_value values[] = {{.data = v, .count = counts[i]},
						   {.data = w, .count = counts[i]}};

		for (uint32_t k = 0; k < counts[i]; k++)
			v[k] = (int32_t)(k * 1000) - 77;
		w[counts[i]] = 12345;
		CHECK_OK(call(c, &sequence_method, values, arena));
		for (uint32_t k = 0; k < counts[i]; k++)
			CHECK_EQ(w[k], 2 * v[k]);
		CHECK_EQ(w[counts[i]], 12345);
	}
}

static void typed_sequences_in_and_out(struct conf *c)
{
	both_ways(c, run_sequence);
}

static void typed_sequence_in_a_buffer_is_not_copied(struct conf *c)
{
	struct qda_buffer *buffer;
	struct qda_value values[2];
	int32_t *data;

	CHECK_OK(qda_buffer_alloc(c->session, 8192, &buffer));
	data = qda_buffer_data(buffer);
	for (int32_t i = 0; i < 500; i++)
		data[i] = i - 9;
	values[0] = (struct qda_value){.buffer = buffer, .count = 500};
	values[1] = (struct qda_value){.buffer = buffer, .offset = 4096, .count = 500};
	CHECK_OK(call(c, &sequence_method, values, NULL));
	for (int32_t i = 0; i < 500; i++)
		CHECK_EQ(data[1024 + i], 2 * (i - 9));
	values[1].offset = 8192 - 499 * 4;
	CHECK_ERROR(call(c, &sequence_method, values, NULL), -EINVAL);
	qda_buffer_free(buffer);
}

static const struct qda_param string_params[] = {
	{.mode = QDA_IN, .kind = QDA_KIND_STRING},
	{.mode = QDA_ROUT, .kind = QDA_KIND_STRING},
};
static const struct qda_method string_method = METHOD(CONF_TYPED_STRING, string_params);

static void run_string(struct conf *c, struct qda_arena *arena)
{
	char s[] = "a string, with Case", t[64] = "";
	char empty[] = "";
	const struct qda_value values[] = {{.data = s}, {.data = t, .count = sizeof(t)}};
	const struct qda_value nothing[] = {{.data = empty}, {.data = t, .count = 1}};

	CHECK_OK(call(c, &string_method, values, arena));
	CHECK(!strcmp(t, "A STRING, WITH CASE"));
	CHECK_OK(call(c, &string_method, nothing, arena));
	CHECK(!strcmp(t, ""));
}

static void typed_strings_in_and_out(struct conf *c)
{
	both_ways(c, run_string);
}

static const struct qda_param wstring_params[] = {
	{.mode = QDA_IN, .kind = QDA_KIND_WSTRING},
	{.mode = QDA_ROUT, .kind = QDA_KIND_WSTRING},
};
static const struct qda_method wstring_method = METHOD(CONF_TYPED_WSTRING, wstring_params);

static void run_wstring(struct conf *c, struct qda_arena *arena)
{
	uint16_t s[] = {'a', 0x20ac, 'c', 0x4e2d, 0}, t[9] = {0};
	const struct qda_value values[] = {{.data = s}, {.data = t, .count = ARRAY_SIZE(t)}};

	CHECK_OK(call(c, &wstring_method, values, arena));
	CHECK_EQ(t[0], 0x4e2d);
	CHECK_EQ(t[1], 'c');
	CHECK_EQ(t[2], 0x20ac);
	CHECK_EQ(t[3], 'a');
	CHECK_EQ(t[4], 0);
}

static void typed_wstrings_in_and_out(struct conf *c)
{
	both_ways(c, run_wstring);
}

static const struct qda_param inrout_params[] = {FIXED(QDA_INROUT, int32_t),
						 SEQUENCE(QDA_INROUT, uint8_t)};
static const struct qda_method inrout_method = METHOD(CONF_TYPED_INROUT, inrout_params);

static void run_inrout(struct conf *c, struct qda_arena *arena)
{
	int32_t x = 41;
	uint8_t v[] = {1, 2, 255, 9};
	const struct qda_value values[] = {{.data = &x}, {.data = v, .count = ARRAY_SIZE(v)}};

	CHECK_OK(call(c, &inrout_method, values, arena));
	CHECK_EQ(x, 42);
	CHECK_EQ(v[0], 2);
	CHECK_EQ(v[1], 3);
	CHECK_EQ(v[2], 0);
	CHECK_EQ(v[3], 10);
}

static void typed_inrout_values(struct conf *c)
{
	both_ways(c, run_inrout);
}

static void typed_dmahandles_in_and_out(struct conf *c)
{
	static const struct qda_param params[] = {
		FIXED(QDA_IN, int32_t),
		{.mode = QDA_IN, .kind = QDA_KIND_DMAHANDLE},
		{.mode = QDA_ROUT, .kind = QDA_KIND_DMAHANDLE},
	};
	static const struct qda_method method = METHOD(CONF_TYPED_DMAHANDLE, params);
	struct qda_buffer *buffer;
	int32_t add = 0;
	struct qda_value values[3];

	CHECK_OK(qda_buffer_alloc(c->session, 8192, &buffer));
	fill_pattern(qda_buffer_data(buffer), 1000, 3);
	values[0] = (struct qda_value){.data = &add};
	values[1] = (struct qda_value){.buffer = buffer, .count = 1000};
	values[2] = (struct qda_value){.buffer = buffer, .offset = 5000, .count = 1000};
	CHECK_OK(call(c, &method, values, NULL));
	check_pattern((char *)qda_buffer_data(buffer) + 5000, 1000, 3);
	qda_buffer_free(buffer);
}

static void typed_method_from_31_up(struct conf *c)
{
	static const struct qda_param params[] = {FIXED(QDA_ROUT, uint32_t)};
	static const struct qda_method method = METHOD(CONF_EXTENDED + 3, params);
	uint32_t seen = 0;
	const struct qda_value value = {.data = &seen};

	CHECK_OK(call(c, &method, &value, NULL));
	CHECK_EQ(seen, CONF_EXTENDED + 3);
}

static void typed_values_stay_when_the_skel_refuses(struct conf *c)
{
	static const struct qda_param params[] = {FIXED(QDA_IN, uint32_t),
						  FIXED(QDA_ROUT, uint32_t)};
	static const struct qda_method method = METHOD(CONF_STATUS, params);
	uint32_t in = 0x14, out = 4711, status = 0;
	const struct qda_value values[] = {{.data = &in}, {.data = &out}};

	CHECK_ERROR(qda_call(c->module, &method, values, NULL, QDA_NO_TIMEOUT, &status),
		    -EREMOTEIO);
	CHECK_EQ(status, 0x14);
	CHECK_EQ(out, 4711);
}

static void typed_call_of_a_generated_style_skel(struct conf *c)
{
	static const struct qda_param params[] = {SEQUENCE(QDA_IN, int32_t),
						  FIXED(QDA_ROUT, int64_t)};
	static const struct qda_method method = METHOD(2, params);
	struct qda_module *module = conf_open(c->session, "libqaicstyle_skel.so");
	int32_t v[] = {1, 2, 3, 2000000000, 2000000000};
	int64_t sum = 0;
	const struct qda_value values[] = {{.data = v, .count = ARRAY_SIZE(v)}, {.data = &sum}};

	CHECK_OK(qda_call(module, &method, values, NULL, QDA_NO_TIMEOUT, NULL));
	CHECK_EQ(sum, 4000000006LL);
	qda_module_close(module);
}

static void typed_arena_full_is_enospc(struct conf *c)
{
	int32_t v[4] = {0}, w[4] = {0};
	const struct qda_value values[] = {{.data = v, .count = ARRAY_SIZE(v)},
					   {.data = w, .count = ARRAY_SIZE(w)}};
	struct qda_arena *arena;
	struct qda_arg all;

	CHECK_OK(qda_arena_new(c->session, 4096, &arena));
	CHECK_OK(qda_arena_alloc(arena, 4096, 1, &all));
	CHECK_ERROR(call(c, &sequence_method, values, arena), -ENOSPC);
	qda_arena_reset(arena);
	CHECK_OK(call(c, &sequence_method, values, arena));
	qda_arena_free(arena);
}

static void typed_bad_descriptions_are_einval(struct conf *c)
{
	static const struct qda_param bad_kind[] = {
		{.mode = QDA_IN, .kind = 9, .align = 1, .size = 1}};
	static const struct qda_param bad_mode[] = {{.mode = 0, .align = 1, .size = 1}};
	static const struct qda_param bad_align[] = {{.mode = QDA_IN, .align = 3, .size = 3}};
	static const struct qda_param bad_handle[] = {
		{.mode = QDA_INROUT, .kind = QDA_KIND_DMAHANDLE}};
	const struct qda_param *const bad[] = {bad_kind, bad_mode, bad_align, bad_handle};
	uint32_t word = 0;
	const struct qda_value value = {.data = &word}, missing = {.data = NULL, .count = 1};
	struct qda_method method = {.number = CONF_NOTHING, .n_params = 1};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		method.params = bad[i];
		CHECK_ERROR(call(c, &method, &value, NULL), -EINVAL);
	}
	CHECK_ERROR(call(c, &sequence_method, (const struct qda_value[]){missing, missing}, NULL),
		    -EINVAL);
	check_alive(c->module);
}

const struct conf_case typed_cases[] = {
	CASE(typed_struct_and_array_in_and_out, 0),
	CASE(typed_sequences_in_and_out, 0),
	CASE(typed_sequence_in_a_buffer_is_not_copied, 0),
	CASE(typed_strings_in_and_out, 0),
	CASE(typed_wstrings_in_and_out, 0),
	CASE(typed_inrout_values, 0),
	CASE(typed_dmahandles_in_and_out, 0),
	CASE(typed_method_from_31_up, 0),
	CASE(typed_values_stay_when_the_skel_refuses, 0),
	CASE(typed_call_of_a_generated_style_skel, 0),
	CASE(typed_arena_full_is_enospc, 0),
	CASE(typed_bad_descriptions_are_einval, 0),
	{0},
};
