/* SPDX-License-Identifier: MIT */
/* Packing of reverse calls; the layout is described in reverse.h. */
#include <errno.h>
#include <string.h>

#include "common.h"
#include "reverse.h"

/* Where the length of the next buffer lies. */
static size_t length_offset(size_t offset)
{
	return ALIGN_UP(offset, sizeof(uint32_t));
}

/* Where the data of a buffer lies whose length ends at @offset. */
static size_t data_offset(size_t offset, uint32_t length)
{
	return length ? ALIGN_UP(offset, sizeof(uint64_t)) : offset;
}

/* Offset behind @n buffers packed from offset 0, or -E2BIG. */
static ssize_t packed_size(const struct reverse_buf *bufs, unsigned int n)
{
	size_t offset = 0;

	for (unsigned int i = 0; i < n; i++) {
		offset = length_offset(offset) + sizeof(uint32_t);
		offset = data_offset(offset, bufs[i].length);
		if (bufs[i].length > REVERSE_MAX - MIN(offset, REVERSE_MAX))
			return -E2BIG;
		offset += bufs[i].length;
	}
	return offset > REVERSE_MAX ? -E2BIG : (ssize_t)offset;
}

static bool has_handles(uint32_t sc)
{
	return FASTRPC_INHANDLES(sc) || FASTRPC_OUTHANDLES(sc);
}

/* Read the length at @*offset and step over it. */
static bool read_length(const uint8_t *packed, size_t size, size_t *offset, uint32_t *ret_length)
{
	size_t at = length_offset(*offset);

	if (at > size || size - at < sizeof(uint32_t))
		return false;
	memcpy(ret_length, packed + at, sizeof(uint32_t));
	*offset = at + sizeof(uint32_t);
	return true;
}

/* Step over @length bytes of data at @*offset, and tell where they begin. */
static bool skip_data(size_t size, size_t *offset, uint32_t length, size_t *ret_data)
{
	size_t at = data_offset(*offset, length);

	if (at > size || size - at < length)
		return false;
	*ret_data = at;
	*offset = at + length;
	return true;
}

ssize_t reverse_in_size(uint32_t sc, const struct reverse_buf *bufs)
{
	ssize_t size;

	if (has_handles(sc))
		return -EOPNOTSUPP;
	size = packed_size(bufs, FASTRPC_INBUFS(sc));
	if (size < 0)
		return size;
	if (FASTRPC_OUTBUFS(sc))
		size = (ssize_t)(length_offset((size_t)size) +
				 FASTRPC_OUTBUFS(sc) * sizeof(uint32_t));
	return (size_t)size > REVERSE_MAX ? -E2BIG : size;
}

void reverse_in_pack(uint32_t sc, const struct reverse_buf *bufs, void *packed)
{
	size_t offset = 0;

	memset(packed, 0, (size_t)reverse_in_size(sc, bufs));
	for (unsigned int i = 0; i < FASTRPC_BUFS(sc); i++) {
		uint8_t *at = (uint8_t *)packed + length_offset(offset);

		memcpy(at, &bufs[i].length, sizeof(uint32_t));
		offset = length_offset(offset) + sizeof(uint32_t);
		if (i >= FASTRPC_INBUFS(sc) || !bufs[i].length)
			continue;
		offset = data_offset(offset, bufs[i].length);
		memcpy((uint8_t *)packed + offset, bufs[i].data, bufs[i].length);
		offset += bufs[i].length;
	}
}

int reverse_in_parse(uint32_t sc, void *packed, size_t size, struct reverse_buf *bufs,
		     size_t *ret_out_size)
{
	unsigned int n_in = FASTRPC_INBUFS(sc);
	size_t offset = 0, at;
	ssize_t out_size;

	if (has_handles(sc))
		return -EOPNOTSUPP;
	for (unsigned int i = 0; i < FASTRPC_BUFS(sc); i++) {
		bufs[i].data = NULL;
		if (!read_length(packed, size, &offset, &bufs[i].length))
			return -EBADMSG;
		if (i >= n_in)
			continue;
		if (!skip_data(size, &offset, bufs[i].length, &at))
			return -EBADMSG;
		if (bufs[i].length)
			bufs[i].data = (uint8_t *)packed + at;
	}
	out_size = packed_size(bufs + n_in, FASTRPC_OUTBUFS(sc));
	if (out_size < 0)
		return (int)out_size;
	*ret_out_size = (size_t)out_size;
	return 0;
}

void reverse_out_place(uint32_t sc, struct reverse_buf *bufs, void *packed)
{
	struct reverse_buf *out = bufs + FASTRPC_INBUFS(sc);
	unsigned int n_out = FASTRPC_OUTBUFS(sc);
	size_t offset = 0;

	if (n_out)
		memset(packed, 0, (size_t)packed_size(out, n_out));
	for (unsigned int i = 0; i < n_out; i++) {
		offset = length_offset(offset);
		memcpy((uint8_t *)packed + offset, &out[i].length, sizeof(uint32_t));
		offset = data_offset(offset + sizeof(uint32_t), out[i].length);
		out[i].data = out[i].length ? (uint8_t *)packed + offset : NULL;
		offset += out[i].length;
	}
}

int reverse_out_unpack(uint32_t sc, const struct reverse_buf *bufs, const void *packed, size_t size)
{
	const struct reverse_buf *out = bufs + FASTRPC_INBUFS(sc);
	/* Once to check, once to copy. */
	for (int pass = 0; pass < 2; pass++) {
		size_t offset = 0, at;

		for (unsigned int i = 0; i < FASTRPC_OUTBUFS(sc); i++) {
			uint32_t length;

			if (!read_length(packed, size, &offset, &length) ||
			    length != out[i].length || !skip_data(size, &offset, length, &at))
				return -EBADMSG;
			if (pass && length)
				memcpy(out[i].data, (const uint8_t *)packed + at, length);
		}
	}
	return 0;
}
