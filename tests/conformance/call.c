/* SPDX-License-Identifier: MIT */
/* Cases: single calls, how their arguments arrive and what they return. */
#include "conformance.h"

#define PAGE 4096UL

static int invoke(struct conf *c, uint32_t method, uint32_t in, uint32_t out,
		  const struct qda_arg *args)
{
	return qda_invoke(c->module, QDA_SCALARS(method, in, out, 0, 0), args, NULL);
}

static void call_without_arguments(struct conf *c)
{
	uint32_t status = 99;

	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_NOTHING, 0, 0, 0, 0), NULL, &status));
	CHECK_EQ(status, 0);
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_NOTHING, 0, 0, 0, 0), NULL, NULL));
}

/* Two arguments each way, the second one a little shorter. */
static void echo_sizes(struct conf *c, size_t size)
{
	size_t second = size - size / 3;
	uint8_t *in = malloc(size + 1), *out = malloc(size + 1);
	uint8_t *in2 = malloc(second + 1), *out2 = malloc(second + 1);
	const struct qda_arg args[] = {plain(in, size), plain(in2, second), plain(out, size),
				       plain(out2, second)};

	CHECK(in && out && in2 && out2);
	fill_pattern(in, size, 1);
	fill_pattern(in2, second, 2);
	memset(out, 0xa5, size + 1);
	memset(out2, 0xa5, second + 1);
	CHECK_OK(invoke(c, CONF_ECHO, 2, 2, args));
	check_pattern(out, size, 1);
	check_pattern(out2, second, 2);
	CHECK_EQ(out[size], 0xa5);
	CHECK_EQ(out2[second], 0xa5);
	free(in);
	free(out);
	free(in2);
	free(out2);
}

#define ECHO_CASE(size)                                       \
	static void call_plain_##size##_bytes(struct conf *c) \
	{                                                     \
		echo_sizes(c, size);                          \
	}
ECHO_CASE(0)
ECHO_CASE(1)
ECHO_CASE(127)
ECHO_CASE(128)
ECHO_CASE(129)
ECHO_CASE(4095)
ECHO_CASE(4096)
ECHO_CASE(4097)
ECHO_CASE(65536)
ECHO_CASE(1048576)

static void call_with_zero_length_arguments(struct conf *c)
{
	struct conf_report *seen = calloc(1, sizeof(*seen));
	uint8_t byte = 7, outside = 0xa5;
	const struct qda_arg args[] = {
		{.length = 0}, plain(&byte, 1),    {.ptr = &byte, .length = 0},
		{.length = 0}, plain(&outside, 0), plain(seen, sizeof(*seen)),
	};

	CHECK(seen);
	CHECK_OK(invoke(c, CONF_REPORT, 3, 3, args));
	CHECK_EQ(seen->n, 5);
	CHECK_EQ(seen->args[0].length, 0);
	CHECK_EQ(seen->args[1].length, 1);
	CHECK_EQ(seen->args[2].length, 0);
	CHECK_EQ(seen->args[3].length, 0);
	CHECK_EQ(seen->args[4].length, 0);
	CHECK_EQ(outside, 0xa5);
	free(seen);
}

static void call_with_255_in_and_255_out(struct conf *c)
{
	struct qda_arg args[510];
	uint8_t *memory = malloc(510 * 300);

	CHECK(memory);
	memset(memory, 0xa5, 510 * 300);
	for (size_t i = 0; i < 255; i++) {
		args[i] = plain(memory + i * 300, i);
		args[255 + i] = plain(memory + (255 + i) * 300, i);
		fill_pattern(args[i].ptr, i, (uint32_t)i);
	}
	CHECK_OK(invoke(c, CONF_ECHO, 255, 255, args));
	for (size_t i = 0; i < 255; i++) {
		check_pattern(args[255 + i].ptr, i, (uint32_t)i);
		CHECK_EQ(((uint8_t *)args[255 + i].ptr)[i], 0xa5);
	}
	free(memory);
}

static void call_scalars_arrive_as_sent(struct conf *c)
{
	struct conf_report *seen = calloc(1, sizeof(*seen));
	uint32_t sc = QDA_SCALARS(CONF_REPORT, 2, 1, 0, 0);
	const uint8_t bytes[100] = {0};
	const struct qda_arg args[] = {plain(bytes, 3), plain(bytes, 100),
				       plain(seen, sizeof(*seen))};

	CHECK(seen);
	CHECK_OK(qda_invoke(c->module, sc, args, NULL));
	CHECK_EQ(seen->sc, sc);
	CHECK_EQ(seen->args[0].length, 3);
	CHECK_EQ(seen->args[1].length, 100);
	free(seen);
}

/* ---- plain arguments that overlap --------------------------------------- */

static void check_in_ranges(struct conf *c, const size_t (*ranges)[2], size_t n)
{
	uint8_t *memory = malloc(4 * PAGE), *copies = calloc(n, PAGE);
	struct qda_arg args[16];

	CHECK(memory && copies);
	fill_pattern(memory, 4 * PAGE, 3);
	for (size_t i = 0; i < n; i++) {
		args[i] = plain(memory + ranges[i][0], ranges[i][1]);
		args[n + i] = plain(copies + i * PAGE, ranges[i][1]);
	}
	CHECK_OK(invoke(c, CONF_ECHO, (uint32_t)n, (uint32_t)n, args));
	for (size_t i = 0; i < n; i++)
		CHECK(!memcmp(memory + ranges[i][0], copies + i * PAGE, ranges[i][1]));
	free(memory);
	free(copies);
}

static void overlap_one_in_buffer_inside_another(struct conf *c)
{
	check_in_ranges(c, (const size_t[][2]){{100, 1000}, {300, 50}, {100, 1}, {1099, 1}}, 4);
}

static void overlap_partly(struct conf *c)
{
	check_in_ranges(c, (const size_t[][2]){{500, 400}, {100, 500}, {850, 900}, {1700, 129}}, 4);
}

static void overlap_adjacent_buffers(struct conf *c)
{
	check_in_ranges(c, (const size_t[][2]){{256, 128}, {128, 128}, {384, 1}, {385, 700}}, 4);
}

static void overlap_same_buffer_many_times(struct conf *c)
{
	check_in_ranges(c, (const size_t[][2]){{8, 64}, {8, 64}, {8, 64}, {8, 63}, {9, 63}}, 5);
}

static void overlap_is_one_copy_at_the_dsp(struct conf *c)
{
	struct conf_report *seen = calloc(1, sizeof(*seen));
	uint8_t memory[512] = {0};
	const struct qda_arg args[] = {plain(memory + 100, 100), plain(memory, 300),
				       plain(memory + 250, 200), plain(seen, sizeof(*seen))};

	CHECK(seen);
	CHECK_OK(invoke(c, CONF_REPORT, 3, 1, args));
	CHECK_EQ(seen->args[0].address - seen->args[1].address, 100);
	CHECK_EQ(seen->args[2].address - seen->args[1].address, 250);
	free(seen);
}

static void overlap_in_and_out_are_the_same_memory(struct conf *c)
{
	uint8_t memory[777], wanted[777];
	const struct qda_arg args[] = {plain(memory, sizeof(memory)),
				       plain(memory, sizeof(memory))};

	fill_pattern(memory, sizeof(memory), 4);
	for (size_t i = 0; i < sizeof(memory); i++)
		wanted[i] = (uint8_t)~memory[i];
	CHECK_OK(invoke(c, CONF_INVERT, 1, 1, args));
	CHECK(!memcmp(memory, wanted, sizeof(memory)));
}

static void overlap_in_and_out_partly(struct conf *c)
{
	uint8_t memory[600], wanted[600];
	const struct qda_arg args[] = {plain(memory, 400), plain(memory + 200, 400)};

	fill_pattern(memory, sizeof(memory), 5);
	memcpy(wanted, memory, sizeof(memory));
	/* what the skel does, on the shared memory that it sees */
	for (size_t i = 0; i < 400; i++)
		wanted[200 + i] = (uint8_t)~wanted[i];
	CHECK_OK(invoke(c, CONF_INVERT, 1, 1, args));
	CHECK(!memcmp(memory, wanted, sizeof(memory)));
}

/* ---- buffer arguments --------------------------------------------------- */

static void buffer_arguments_at_offsets_across_pages(struct conf *c)
{
	static const size_t offsets[][2] = {{0, 100},     {1, 1},           {4095, 2},
					    {4090, 8200}, {3 * PAGE, PAGE}, {4 * PAGE - 1, 1}};
	struct qda_buffer *a, *b;
	uint8_t *from, *to;

	CHECK_OK(qda_buffer_alloc(c->session, 4 * PAGE, &a));
	CHECK_OK(qda_buffer_alloc(c->session, 8 * PAGE, &b));
	from = qda_buffer_data(a);
	to = qda_buffer_data(b);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		size_t at = offsets[i][0], n = offsets[i][1], other = 8 * PAGE - n - 77;
		const struct qda_arg args[] = {range(a, at, n), range(b, other, n)};

		fill_pattern(from, 4 * PAGE, (uint32_t)i);
		memset(to, 0xa5, 8 * PAGE);
		CHECK_OK(invoke(c, CONF_ECHO, 1, 1, args));
		CHECK(!memcmp(from + at, to + other, n));
		CHECK_EQ(to[other - 1], 0xa5);
		CHECK_EQ(to[other + n], 0xa5);
		check_pattern(from, 4 * PAGE, (uint32_t)i);
	}
	qda_buffer_free(a);
	qda_buffer_free(b);
}

static void buffer_twice_in_one_call(struct conf *c)
{
	struct qda_buffer *buffer;
	uint8_t *data;
	struct qda_arg args[4];

	CHECK_OK(qda_buffer_alloc(c->session, 2 * PAGE, &buffer));
	data = qda_buffer_data(buffer);
	fill_pattern(data, 1000, 8);
	args[0] = range(buffer, 0, 1000);
	args[1] = range(buffer, 500, 500);
	args[2] = range(buffer, PAGE, 1000);
	args[3] = range(buffer, PAGE + 2000, 500);
	CHECK_OK(invoke(c, CONF_ECHO, 2, 2, args));
	check_pattern(data + PAGE, 1000, 8);
	CHECK(!memcmp(data + 500, data + PAGE + 2000, 500));
	qda_buffer_free(buffer);
}

static void buffer_range_as_in_and_out(struct conf *c)
{
	struct qda_buffer *buffer;
	uint8_t *data, wanted[300];
	struct qda_arg args[2];

	CHECK_OK(qda_buffer_alloc(c->session, PAGE, &buffer));
	data = qda_buffer_data(buffer);
	fill_pattern(data, PAGE, 9);
	for (size_t i = 0; i < sizeof(wanted); i++)
		wanted[i] = (uint8_t)~data[50 + i];
	args[0] = args[1] = range(buffer, 50, sizeof(wanted));
	CHECK_OK(invoke(c, CONF_INVERT, 1, 1, args));
	CHECK(!memcmp(data + 50, wanted, sizeof(wanted)));
	qda_buffer_free(buffer);
}

static void buffer_and_plain_arguments_mixed(struct conf *c)
{
	struct qda_buffer *buffer;
	uint8_t in[333], out[PAGE];
	struct qda_arg args[4];

	CHECK_OK(qda_buffer_alloc(c->session, 4 * PAGE, &buffer));
	fill_pattern(in, sizeof(in), 10);
	fill_pattern(qda_buffer_data(buffer), PAGE, 11);
	args[0] = plain(in, sizeof(in));
	args[1] = range(buffer, 0, PAGE);
	args[2] = range(buffer, 2 * PAGE + 5, sizeof(in));
	args[3] = plain(out, PAGE);
	CHECK_OK(invoke(c, CONF_ECHO, 2, 2, args));
	check_pattern((uint8_t *)qda_buffer_data(buffer) + 2 * PAGE + 5, sizeof(in), 10);
	check_pattern(out, PAGE, 11);
	qda_buffer_free(buffer);
}

static void buffer_of_a_megabyte_as_argument(struct conf *c)
{
	struct qda_buffer *buffer;
	uint64_t sum = 0, wanted = 0;
	struct qda_arg args[2];
	uint8_t *data;

	CHECK_OK(qda_buffer_alloc(c->session, 1 << 20, &buffer));
	data = qda_buffer_data(buffer);
	fill_pattern(data, 1 << 20, 12);
	for (size_t i = 0; i < 1 << 20; i++)
		wanted += data[i];
	args[0] = range(buffer, 0, 1 << 20);
	args[1] = plain(&sum, sizeof(sum));
	CHECK_OK(invoke(c, CONF_SUM, 1, 1, args));
	CHECK_EQ(sum, wanted);
	qda_buffer_free(buffer);
}

static void handle_arguments_in_and_out(struct conf *c)
{
	struct qda_buffer *a, *b;
	struct qda_arg args[4];
	uint8_t *to;

	CHECK_OK(qda_buffer_alloc(c->session, 2 * PAGE, &a));
	CHECK_OK(qda_buffer_alloc(c->session, 3 * PAGE, &b));
	to = qda_buffer_data(b);
	fill_pattern(qda_buffer_data(a), 2 * PAGE, 13);
	args[0] = range(a, 0, 2 * PAGE);
	args[1] = range(a, 0, 10);
	args[2] = range(b, 100, 2 * PAGE);
	args[3] = range(b, 10, 10);
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_HANDLE_COPY, 0, 0, 2, 2), args, NULL));
	check_pattern(to + 100, 2 * PAGE, 13);
	check_pattern(to + 10, 10, 13);
	CHECK_EQ(to[9], 0);
	CHECK_EQ(to[20], 0);
	CHECK_EQ(to[100 + 2 * PAGE], 0);
	qda_buffer_free(a);
	qda_buffer_free(b);
}

static void handle_arguments_15_each_way(struct conf *c)
{
	struct qda_buffer *buffer;
	struct qda_arg args[30];
	uint8_t *data;

	CHECK_OK(qda_buffer_alloc(c->session, 2 * PAGE, &buffer));
	data = qda_buffer_data(buffer);
	fill_pattern(data, PAGE, 14);
	for (size_t i = 0; i < 15; i++) {
		args[i] = range(buffer, i * 64, 64);
		args[15 + i] = range(buffer, PAGE + i * 64, 64);
	}
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_HANDLE_COPY, 0, 0, 15, 15), args, NULL));
	check_pattern(data + PAGE, 15UL * 64, 14);
	qda_buffer_free(buffer);
}

/* ---- methods and status ------------------------------------------------- */

static void method_from_31_up_travels_in_the_first_argument(struct conf *c)
{
	static const uint32_t numbers[] = {CONF_EXTENDED, CONF_EXTENDED + 1, CONF_EXTENDED_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint32_t prim_in = numbers[i], seen = 0;
		const struct qda_arg args[] = {plain(&prim_in, sizeof(prim_in)),
					       plain(&seen, sizeof(seen))};

		CHECK_OK(invoke(c, 31, 1, 1, args));
		CHECK_EQ(seen, numbers[i]);
	}
}

static void status_of_the_skel_is_told(struct conf *c)
{
	static const uint32_t statuses[] = {1, 0x14, 0x80000414U, 0x7fffffff, 0x12345678};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		uint32_t status = 0;
		const struct qda_arg arg = plain(&statuses[i], sizeof(statuses[i]));

		CHECK_ERROR(qda_invoke(c->module, QDA_SCALARS(CONF_STATUS, 1, 0, 0, 0), &arg,
				       &status),
			    -EREMOTEIO);
		CHECK_EQ(status, statuses[i]);
		CHECK_ERROR(qda_invoke(c->module, QDA_SCALARS(CONF_STATUS, 1, 0, 0, 0), &arg, NULL),
			    -EREMOTEIO);
	}
	check_alive(c->module);
}

static void status_of_unknown_method_is_told(struct conf *c)
{
	uint32_t status = 0;

	CHECK_ERROR(qda_invoke(c->module, QDA_SCALARS(30, 0, 0, 0, 0), NULL, &status), -EREMOTEIO);
	CHECK_EQ(status, 0x14);
}

static void handle_1_is_eperm(struct conf *c)
{
	uint32_t status = 77;
	int32_t client = 1;
	const struct qda_arg arg = plain(&client, sizeof(client));

	CHECK_ERROR(qda_session_invoke(c->session, 1, QDA_SCALARS(1, 1, 0, 0, 0), &arg,
				       QDA_NO_TIMEOUT, &status),
		    -EPERM);
	CHECK_EQ(status, 77);
	check_alive(c->module);
}

static void handle_unknown_to_the_dsp_is_told(struct conf *c)
{
	static const uint32_t handles[] = {19, 0x7fff, 0xffffffff};

	for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
		uint32_t status = 0;

		CHECK_ERROR(qda_session_invoke(c->session, handles[i],
					       QDA_SCALARS(CONF_NOTHING, 0, 0, 0, 0), NULL,
					       QDA_NO_TIMEOUT, &status),
			    -EREMOTEIO);
		CHECK(status);
	}
	check_alive(c->module);
}

static void bad_arguments_are_einval(struct conf *c)
{
	struct qda_session *other = conf_session(c->device);
	struct qda_buffer *buffer, *foreign;
	uint32_t sc = QDA_SCALARS(CONF_NOTHING, 1, 0, 0, 0), status = 77;
	uint32_t handle_sc = QDA_SCALARS(CONF_NOTHING, 0, 0, 1, 0);
	uint8_t byte = 0;
	struct qda_arg arg;

	CHECK_OK(qda_buffer_alloc(c->session, PAGE, &buffer));
	CHECK_OK(qda_buffer_alloc(other, PAGE, &foreign));
	CHECK_ERROR(qda_invoke(c->module, sc, NULL, &status), -EINVAL);
	arg = (struct qda_arg){.length = 1};
	CHECK_ERROR(qda_invoke(c->module, sc, &arg, &status), -EINVAL);
	arg = range(buffer, 0, PAGE + 1);
	CHECK_ERROR(qda_invoke(c->module, sc, &arg, &status), -EINVAL);
	arg = range(buffer, PAGE, 1);
	CHECK_ERROR(qda_invoke(c->module, sc, &arg, &status), -EINVAL);
	arg = range(buffer, SIZE_MAX, 2);
	CHECK_ERROR(qda_invoke(c->module, sc, &arg, &status), -EINVAL);
	arg = range(buffer, 1, SIZE_MAX);
	CHECK_ERROR(qda_invoke(c->module, sc, &arg, &status), -EINVAL);
	arg = range(foreign, 0, 1);
	CHECK_ERROR(qda_invoke(c->module, sc, &arg, &status), -EINVAL);
	CHECK_ERROR(qda_invoke(c->module, handle_sc, &arg, &status), -EINVAL);
	arg = plain(&byte, 1);
	CHECK_ERROR(qda_invoke(c->module, handle_sc, &arg, &status), -EINVAL);
	CHECK_EQ(status, 77);
	qda_buffer_free(foreign);
	qda_session_close(other);
	qda_buffer_free(buffer);
	check_alive(c->module);
}

static void bad_time_limits_are_einval(struct conf *c)
{
	uint32_t sc = QDA_SCALARS(CONF_NOTHING, 0, 0, 0, 0);

	CHECK_ERROR(qda_invoke_timeout(c->module, sc, NULL, 0, NULL), -EINVAL);
	CHECK_ERROR(qda_invoke_timeout(c->module, sc, NULL, -2, NULL), -EINVAL);
	CHECK_OK(qda_invoke_timeout(c->module, sc, NULL, QDA_NO_TIMEOUT, NULL));
}

static void time_limit_that_is_kept_changes_nothing(struct conf *c)
{
	uint8_t in[100], out[100];
	const struct qda_arg args[] = {plain(in, 100), plain(out, 100)};
	uint32_t status = 99;

	for (uint32_t i = 0; i < 20; i++) {
		fill_pattern(in, 100, i);
		CHECK_OK(qda_invoke_timeout(c->module, QDA_SCALARS(CONF_ECHO, 1, 1, 0, 0), args,
					    60000, &status));
		check_pattern(out, 100, i);
		CHECK_EQ(status, 0);
	}
}

static void in_buffers_stay_as_they_are(struct conf *c)
{
	const struct qda_arg none[] = {{.length = 0}};
	uint8_t in[5000];
	struct qda_arg args[2];
	uint64_t sum;

	fill_pattern(in, sizeof(in), 20);
	args[0] = plain(in, sizeof(in));
	args[1] = plain(&sum, sizeof(sum));
	CHECK_OK(invoke(c, CONF_SUM, 1, 1, args));
	check_pattern(in, sizeof(in), 20);
	CHECK_OK(invoke(c, CONF_NOTHING, 1, 0, none));
}

static void unwritten_out_buffer_is_zero(struct conf *c)
{
	uint8_t out[300];
	const struct qda_arg arg = plain(out, sizeof(out));
	const uint32_t value = 0xee;
	const struct qda_arg fill[] = {plain(&value, sizeof(value)), plain(out, sizeof(out))};

	/* An out buffer that the skel does not write holds zeros, not another call's data. */
	CHECK_OK(invoke(c, CONF_FILL, 1, 1, fill));
	CHECK_EQ(out[299], 0xee);
	CHECK_OK(invoke(c, CONF_NOTHING, 0, 1, &arg));
	for (size_t i = 0; i < sizeof(out); i++)
		CHECK_EQ(out[i], 0);
}

const struct conf_case call_cases[] = {
	CASE(call_without_arguments, 0),
	CASE(call_plain_0_bytes, 0),
	CASE(call_plain_1_bytes, 0),
	CASE(call_plain_127_bytes, 0),
	CASE(call_plain_128_bytes, 0),
	CASE(call_plain_129_bytes, 0),
	CASE(call_plain_4095_bytes, 0),
	CASE(call_plain_4096_bytes, 0),
	CASE(call_plain_4097_bytes, 0),
	CASE(call_plain_65536_bytes, 0),
	CASE(call_plain_1048576_bytes, 0),
	CASE(call_with_zero_length_arguments, 0),
	CASE(call_with_255_in_and_255_out, 0),
	CASE(call_scalars_arrive_as_sent, 0),
	CASE(overlap_one_in_buffer_inside_another, 0),
	CASE(overlap_partly, 0),
	CASE(overlap_adjacent_buffers, 0),
	CASE(overlap_same_buffer_many_times, 0),
	CASE(overlap_is_one_copy_at_the_dsp, 0),
	CASE(overlap_in_and_out_are_the_same_memory, 0),
	CASE(overlap_in_and_out_partly, 0),
	CASE(buffer_arguments_at_offsets_across_pages, 0),
	CASE(buffer_twice_in_one_call, 0),
	CASE(buffer_range_as_in_and_out, 0),
	CASE(buffer_and_plain_arguments_mixed, 0),
	CASE(buffer_of_a_megabyte_as_argument, 0),
	CASE(handle_arguments_in_and_out, 0),
	CASE(handle_arguments_15_each_way, 0),
	CASE(method_from_31_up_travels_in_the_first_argument, 0),
	CASE(status_of_the_skel_is_told, 0),
	CASE(status_of_unknown_method_is_told, 0),
	CASE(handle_1_is_eperm, 0),
	CASE(handle_unknown_to_the_dsp_is_told, 0),
	CASE(bad_arguments_are_einval, 0),
	CASE(bad_time_limits_are_einval, 0),
	CASE(time_limit_that_is_kept_changes_nothing, 0),
	CASE(in_buffers_stay_as_they_are, 0),
	CASE(unwritten_out_buffer_is_zero, 0),
	{0},
};
