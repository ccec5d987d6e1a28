/* SPDX-License-Identifier: MIT */
/* Typed calls: arguments laid out by the rules of the QAIC compiler, in pure code. */
#include <limits.h>
#include <string.h>

#include "internal.h"

/* What a call needs without allocating. */
#define INLINE_ARGS 32
#define INLINE_BYTES 1024
/* Plain memory up to this size is copied through an arena, above it is passed as it is. */
#define ARENA_COPY_MAX 4096
#define MAX_BUFS 255
#define MAX_HANDLES 15

/* How many bytes and arguments a method has; depends on nothing but its description. */
struct shape {
	uint64_t prim_in, prim_out; /* bytes */
	uint64_t align_in, align_out;
	uint32_t in, out, in_handles, out_handles;
};

struct qda_packed {
	const struct qda_method *method;
	const struct qda_value *values;
	uint32_t sc;
	struct qda_arg *args;
	uint8_t *prim;           /* primIn, then primROut, if they are not in an arena */
	const uint8_t *prim_out; /* primROut, wherever it is */
	struct qda_arg inline_args[INLINE_ARGS];
	uint64_t inline_prim[INLINE_BYTES / sizeof(uint64_t)];
};

static bool is_in(const struct qda_param *param)
{
	return param->mode & QDA_IN;
}

static bool is_out(const struct qda_param *param)
{
	return param->mode & QDA_ROUT;
}

/* Bytes of one element of what @param counts. */
static uint32_t unit(const struct qda_param *param)
{
	switch (param->kind) {
	case QDA_KIND_STRING:
		return 1;
	case QDA_KIND_WSTRING:
		return sizeof(uint16_t);
	default:
		return param->size;
	}
}

/* Append @size bytes to a struct that has @end. Return: their offset. */
static uint64_t place(uint64_t *end, uint64_t align, uint64_t size)
{
	uint64_t offset = ALIGN_UP(*end, align);

	*end = offset + size;
	return offset;
}

static uint64_t place_u32(uint64_t *end)
{
	return place(end, sizeof(uint32_t), sizeof(uint32_t));
}

static int check_param(const struct qda_param *param)
{
	if (param->mode < QDA_IN || param->mode > QDA_INROUT)
		return -EINVAL;
	switch (param->kind) {
	case QDA_KIND_FIXED:
	case QDA_KIND_SEQUENCE:
		if (!param->size || !param->align || param->align > sizeof(uint64_t) ||
		    param->align & (param->align - 1))
			return -EINVAL;
		return 0;
	case QDA_KIND_STRING:
	case QDA_KIND_WSTRING:
		return 0;
	case QDA_KIND_DMAHANDLE:
		return param->mode == QDA_INROUT ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static void add_param(struct shape *shape, const struct qda_param *param)
{
	switch (param->kind) {
	case QDA_KIND_FIXED:
		if (is_in(param)) {
			place(&shape->prim_in, param->align, param->size);
			shape->align_in = MAX(shape->align_in, param->align);
		}
		if (is_out(param)) {
			place(&shape->prim_out, param->align, param->size);
			shape->align_out = MAX(shape->align_out, param->align);
		}
		break;
	case QDA_KIND_DMAHANDLE:
		shape->in_handles += is_in(param);
		shape->out_handles += is_out(param);
		break;
	default:
		if (is_in(param))
			place_u32(&shape->prim_in);
		if (is_out(param))
			place_u32(&shape->prim_in);
		shape->align_in = MAX(shape->align_in, sizeof(uint32_t));
		shape->in += is_in(param);
		shape->out += is_out(param);
	}
}

static int measure(const struct qda_method *method, struct shape *shape)
{
	*shape = (struct shape){.align_in = 1, .align_out = 1};

	if (method->number >= FASTRPC_METHOD_EXTENDED) {
		place_u32(&shape->prim_in);
		shape->align_in = sizeof(uint32_t);
	}
	for (uint32_t i = 0; i < method->n_params; i++) {
		int r = check_param(&method->params[i]);

		if (r)
			return r;
		add_param(shape, &method->params[i]);
	}
	/* As C sizes a struct of these fields. */
	shape->prim_in = ALIGN_UP(shape->prim_in, shape->align_in);
	shape->prim_out = ALIGN_UP(shape->prim_out, shape->align_out);
	shape->in += shape->prim_in != 0;
	shape->out += shape->prim_out != 0;
	if (shape->in > MAX_BUFS || shape->out > MAX_BUFS || shape->in_handles > MAX_HANDLES ||
	    shape->out_handles > MAX_HANDLES || shape->prim_in > UINT32_MAX ||
	    shape->prim_out > UINT32_MAX || shape->prim_in + shape->prim_out > SIZE_MAX / 2)
		return -E2BIG;
	return 0;
}

/* Units up to and with the 0, or 0 if it is not within @max units. */
static size_t wstring_length(const uint8_t *data, size_t max)
{
	for (size_t i = 0; i < max; i++) {
		uint16_t c;

		memcpy(&c, data + i * sizeof(c), sizeof(c));
		if (!c)
			return i + 1;
	}
	return 0;
}

/* Elements that go to the DSP. The end of an INROUT string must be within its room. */
static int count_in(const struct qda_param *param, const struct qda_value *value, size_t *ret_count)
{
	size_t max = param->mode == QDA_INROUT ? value->count : SIZE_MAX;
	size_t count;

	switch (param->kind) {
	case QDA_KIND_STRING:
		if (!value->data)
			return -EINVAL;
		count = max == SIZE_MAX ? strlen(value->data) : strnlen(value->data, max);
		if (count == max)
			return -EINVAL;
		*ret_count = count + 1;
		return 0;
	case QDA_KIND_WSTRING:
		count = value->data ? wstring_length(value->data, max) : 0;
		if (!count)
			return -EINVAL;
		*ret_count = count;
		return 0;
	default:
		*ret_count = value->count;
		return 0;
	}
}

/* The argument for @count elements of @param. */
static int make_arg(const struct qda_param *param, const struct qda_value *value, size_t count,
		    bool in, struct qda_arena *arena, struct qda_arg *ret_arg)
{
	size_t size;
	int r;

	if (count > UINT32_MAX || __builtin_mul_overflow(count, (size_t)unit(param), &size))
		return -E2BIG;
	if (param->kind == QDA_KIND_SEQUENCE && value->buffer) {
		*ret_arg = (struct qda_arg){.buffer = value->buffer,
					    .offset = value->offset,
					    .length = size};
		return 0;
	}
	if (size && !value->data)
		return -EINVAL;
	if (arena && size && size <= ARENA_COPY_MAX) {
		r = qda_arena_alloc(arena, size,
				    param->kind == QDA_KIND_SEQUENCE ? param->align : unit(param),
				    ret_arg);
		if (!r && in)
			memcpy(ret_arg->ptr, value->data, size);
		return r;
	}
	*ret_arg = (struct qda_arg){.ptr = size ? value->data : NULL, .length = size};
	return 0;
}

/* Memory for the arguments, and primIn and primROut as two of them, zeroed. */
static int make_room(struct qda_packed *packed, const struct shape *shape, struct qda_arena *arena,
		     struct qda_arg *ret_in, struct qda_arg *ret_out)
{
	size_t n_args = QDA_SCALARS_LENGTH(packed->sc);
	size_t out_offset = ALIGN_UP((size_t)shape->prim_in, sizeof(uint64_t));
	size_t size = out_offset + (size_t)shape->prim_out;
	int r;

	packed->args = packed->inline_args;
	packed->prim = (uint8_t *)packed->inline_prim;
	if (n_args > INLINE_ARGS) {
		packed->args = malloc(n_args * sizeof(*packed->args));
		if (!packed->args)
			return -ENOMEM;
	}
	if (arena) {
		r = qda_arena_alloc(arena, (size_t)shape->prim_in, sizeof(uint64_t), ret_in);
		if (!r)
			r = qda_arena_alloc(arena, (size_t)shape->prim_out, sizeof(uint64_t),
					    ret_out);
		if (r)
			return r;
	} else {
		if (size > INLINE_BYTES) {
			packed->prim = malloc(size);
			if (!packed->prim)
				return -ENOMEM;
		}
		*ret_in = (struct qda_arg){.ptr = packed->prim, .length = (size_t)shape->prim_in};
		*ret_out = (struct qda_arg){.ptr = packed->prim + out_offset,
					    .length = (size_t)shape->prim_out};
	}
	if (ret_in->length)
		memset(ret_in->ptr, 0, ret_in->length);
	if (ret_out->length)
		memset(ret_out->ptr, 0, ret_out->length);
	return 0;
}

/* Free what make_room() took beyond the inline memory. */
static void finish(struct qda_packed *packed)
{
	if (packed->args != packed->inline_args)
		free(packed->args);
	if (packed->prim != (uint8_t *)packed->inline_prim)
		free(packed->prim);
}

static void put_u32(uint8_t *prim, uint64_t *end, uint32_t value)
{
	memcpy(prim + place_u32(end), &value, sizeof(value));
}

static int fill(struct qda_packed *packed, const struct shape *shape, const struct qda_arg *prim_in,
		const struct qda_arg *prim_out, struct qda_arena *arena)
{
	struct qda_arg *in = packed->args;
	struct qda_arg *out = in + shape->in;
	struct qda_arg *in_handle = out + shape->out;
	struct qda_arg *out_handle = in_handle + shape->in_handles;
	uint8_t *prim = prim_in->ptr;
	uint64_t end = 0;
	size_t count;
	int r;

	packed->prim_out = prim_out->ptr;
	if (prim_in->length)
		*in++ = *prim_in;
	if (prim_out->length)
		*out++ = *prim_out;
	if (packed->method->number >= FASTRPC_METHOD_EXTENDED)
		put_u32(prim, &end, packed->method->number);

	for (uint32_t i = 0; i < packed->method->n_params; i++) {
		const struct qda_param *param = &packed->method->params[i];
		const struct qda_value *value = &packed->values[i];

		switch (param->kind) {
		case QDA_KIND_FIXED:
			if (!value->data)
				return -EINVAL;
			if (is_in(param))
				memcpy(prim + place(&end, param->align, param->size), value->data,
				       param->size);
			break;
		case QDA_KIND_DMAHANDLE:
			if (value->count && !value->buffer)
				return -EINVAL;
			if (value->count > UINT32_MAX)
				return -E2BIG;
			*(is_in(param) ? in_handle++ : out_handle++) =
				(struct qda_arg){.buffer = value->buffer,
						 .offset = value->offset,
						 .length = value->count};
			break;
		default:
			if (is_in(param)) {
				r = count_in(param, value, &count);
				if (!r)
					r = make_arg(param, value, count, true, arena, in++);
				if (r)
					return r;
				put_u32(prim, &end, (uint32_t)count);
			}
			if (is_out(param)) {
				r = make_arg(param, value, value->count, false, arena, out++);
				if (r)
					return r;
				put_u32(prim, &end, (uint32_t)value->count);
			}
		}
	}
	return 0;
}

/* Nothing is left to free when it fails. */
static int pack(struct qda_packed *packed, const struct qda_method *method,
		const struct qda_value *values, struct qda_arena *arena)
{
	struct qda_arg prim_in, prim_out;
	struct shape shape;
	int r;

	if (method->n_params && (!method->params || !values))
		return -EINVAL;
	r = measure(method, &shape);
	if (r)
		return r;
	packed->method = method;
	packed->values = values;
	packed->sc = QDA_SCALARS(MIN(method->number, (uint32_t)FASTRPC_METHOD_EXTENDED), shape.in,
				 shape.out, shape.in_handles, shape.out_handles);
	r = make_room(packed, &shape, arena, &prim_in, &prim_out);
	if (!r)
		r = fill(packed, &shape, &prim_in, &prim_out, arena);
	if (r)
		finish(packed);
	return r;
}

/* The DSP's bytes are not trusted: a string of theirs ends within its room. */
static void terminate(const struct qda_param *param, const struct qda_value *value)
{
	size_t size = unit(param);
	uint8_t *last;

	if (!value->count)
		return;
	last = (uint8_t *)value->data + (value->count - 1) * size;
	if (param->kind == QDA_KIND_STRING && !memchr(value->data, 0, value->count))
		memset(last, 0, size);
	if (param->kind == QDA_KIND_WSTRING && !wstring_length(value->data, value->count))
		memset(last, 0, size);
}

QDA_EXPORT void qda_unpack(const struct qda_packed *packed)
{
	const struct qda_arg *out = packed->args + FASTRPC_INBUFS(packed->sc);
	uint64_t end = 0;
	bool first = true;

	for (uint32_t i = 0; i < packed->method->n_params; i++) {
		const struct qda_param *param = &packed->method->params[i];

		if (is_out(param) && param->kind == QDA_KIND_FIXED) {
			/* primROut is the first out buffer. */
			out += first;
			first = false;
			memcpy(packed->values[i].data,
			       packed->prim_out + place(&end, param->align, param->size),
			       param->size);
		}
	}
	for (uint32_t i = 0; i < packed->method->n_params; i++) {
		const struct qda_param *param = &packed->method->params[i];
		const struct qda_value *value = &packed->values[i];

		if (!is_out(param) || param->kind == QDA_KIND_FIXED ||
		    param->kind == QDA_KIND_DMAHANDLE)
			continue;
		/* A buffer that the caller did not name is the arena's. */
		if (out->buffer && out->length &&
		    (param->kind != QDA_KIND_SEQUENCE || !value->buffer))
			memcpy(value->data, out->ptr, out->length);
		terminate(param, value);
		out++;
	}
}

QDA_EXPORT int qda_pack(const struct qda_method *method, const struct qda_value *values,
			struct qda_arena *arena, struct qda_packed **ret_packed)
{
	struct qda_packed *packed = malloc(sizeof(*packed));
	int r;

	if (!packed)
		return -ENOMEM;
	r = pack(packed, method, values, arena);
	if (r) {
		free(packed);
		return r;
	}
	*ret_packed = packed;
	return 0;
}

QDA_EXPORT uint32_t qda_packed_scalars(const struct qda_packed *packed)
{
	return packed->sc;
}

QDA_EXPORT const struct qda_arg *qda_packed_args(const struct qda_packed *packed)
{
	return packed->args;
}

QDA_EXPORT struct qda_packed *qda_packed_free(struct qda_packed *packed)
{
	if (packed) {
		finish(packed);
		free(packed);
	}
	return NULL;
}

QDA_EXPORT int qda_call(struct qda_module *module, const struct qda_method *method,
			const struct qda_value *values, struct qda_arena *arena, int timeout_ms,
			uint32_t *ret_status)
{
	struct qda_packed packed;
	int r;

	r = pack(&packed, method, values, arena);
	if (r)
		return r;
	r = qda_invoke_timeout(module, packed.sc, packed.args, timeout_ms, ret_status);
	if (!r)
		qda_unpack(&packed);
	finish(&packed);
	return r;
}
