/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the argument packer and unpacker. Input: method number (2 bytes),
 * number of parameters (2), then for each mode, kind, align, size (2), count (2).
 * What follows is the content of the values and what the DSP answers.
 */
#include <stdlib.h>
#include <string.h>

#include <qda.h>

#include "common.h"

#define MAX_PARAMS 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static uint32_t take(struct input *input, unsigned int bytes)
{
	uint32_t value = 0;

	while (bytes--) {
		value <<= 8;
		if (input->size) {
			value |= *input->data++;
			input->size--;
		}
	}
	return value;
}

static void take_bytes(struct input *input, uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)take(input, 1);
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Bytes that the value's memory must have for this description. */
static size_t memory_size(const struct qda_param *param, const struct qda_value *value)
{
	switch (param->kind) {
	case QDA_KIND_FIXED:
		return param->size;
	case QDA_KIND_SEQUENCE:
		return value->count * param->size;
	case QDA_KIND_STRING:
		return value->count + 1;
	default:
		return (value->count + 1) * sizeof(uint16_t);
	}
}

static void make_param(struct input *input, struct qda_param *param, struct qda_value *value)
{
	size_t size;

	param->mode = (uint8_t)take(input, 1) % 5;
	param->kind = (uint8_t)take(input, 1) % 6;
	param->align = (uint16_t)take(input, 1) % 17;
	param->size = take(input, 2) % 2048;
	value->count = take(input, 2) % 64;
	size = memory_size(param, value);
	if (!size)
		return;
	value->data = calloc(1, size);
	require(value->data);
	/* An IN string is ended by its caller. */
	take_bytes(input, value->data,
		   param->mode == QDA_INROUT || param->kind < QDA_KIND_STRING
			   ? size
			   : size - sizeof(uint16_t) * (size > 1));
	if (param->kind == QDA_KIND_STRING && param->mode != QDA_INROUT)
		((uint8_t *)value->data)[size - 1] = 0;
}

static void check_string(const struct qda_param *param, const struct qda_value *value)
{
	bool ended = !value->count;

	for (size_t i = 0; i < value->count; i++) {
		uint16_t c = 0;

		if (param->kind == QDA_KIND_STRING)
			c = ((uint8_t *)value->data)[i];
		else
			memcpy(&c, (uint8_t *)value->data + i * sizeof(c), sizeof(c));
		ended |= !c;
	}
	require(ended);
}

/* Read every byte that goes, write every byte that comes. */
static void answer(struct input *input, uint32_t sc, const struct qda_arg *args)
{
	uint32_t in = (sc >> 16) & 0xff, out = (sc >> 8) & 0xff;
	volatile uint8_t sum = 0;

	for (uint32_t i = 0; i < in; i++)
		for (size_t j = 0; j < args[i].length; j++)
			sum = (uint8_t)(sum + ((uint8_t *)args[i].ptr)[j]);
	for (uint32_t i = in; i < in + out; i++)
		if (args[i].length)
			take_bytes(input, args[i].ptr, args[i].length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct qda_param *params = calloc(MAX_PARAMS, sizeof(*params));
	struct qda_value *values = calloc(MAX_PARAMS, sizeof(*values));
	struct qda_method method = {.params = params};
	struct qda_packed *packed;
	int r;

	require(params && values);
	method.number = take(&input, 2);
	method.n_params = take(&input, 2) % MAX_PARAMS;
	for (uint32_t i = 0; i < method.n_params; i++)
		make_param(&input, &params[i], &values[i]);

	r = qda_pack(&method, values, NULL, &packed);
	require(r == 0 || r == -EINVAL || r == -E2BIG);
	if (!r) {
		uint32_t sc = qda_packed_scalars(packed);

		require(((sc >> 24) & 0x1f) == MIN(method.number, 31U));
		require(QDA_SCALARS_LENGTH(sc) <= 540);
		answer(&input, sc, qda_packed_args(packed));
		qda_unpack(packed);
		for (uint32_t i = 0; i < method.n_params; i++)
			if (params[i].mode != QDA_IN && (params[i].kind == QDA_KIND_STRING ||
							 params[i].kind == QDA_KIND_WSTRING))
				check_string(&params[i], &values[i]);
		qda_packed_free(packed);
	}
	for (uint32_t i = 0; i < method.n_params; i++)
		free(values[i].data);
	free(values);
	free(params);
	return 0;
}
