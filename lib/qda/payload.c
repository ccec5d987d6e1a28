/* SPDX-License-Identifier: MIT */
/* Lays out the payload of a FastRPC message, as a kernel driver does for a DSP. */
#include <string.h>

#include "payload.h"

#define PAYLOAD_MAX (1UL << 31)

static bool is_inline(const struct qda_arg *arg)
{
	return !arg->buffer && arg->length;
}

/* Order of overlap handling: by start, then the longer one first. */
static bool comes_before(const struct qda_arg *a, const struct qda_arg *b)
{
	uintptr_t start_a = (uintptr_t)a->ptr, start_b = (uintptr_t)b->ptr;

	if (start_a != start_b)
		return start_a < start_b;
	return a->length > b->length;
}

static void sort_by_start(uint16_t *index, size_t count, const struct qda_arg *args)
{
	static const size_t gaps[] = {132, 57, 23, 10, 4, 1};

	for (size_t g = 0; g < ARRAY_SIZE(gaps); g++) {
		for (size_t i = gaps[g]; i < count; i++) {
			uint16_t moving = index[i];
			size_t at = i;

			while (at >= gaps[g] &&
			       comes_before(&args[moving], &args[index[at - gaps[g]]])) {
				index[at] = index[at - gaps[g]];
				at -= gaps[g];
			}
			index[at] = moving;
		}
	}
}

int payload_layout(struct payload *payload, uint32_t sc, const struct qda_arg *args)
{
	uint16_t index[FASTRPC_MAX_ARGS];
	uint32_t bufs = FASTRPC_BUFS(sc);
	size_t size = FASTRPC_META_SIZE(FASTRPC_LENGTH(sc));
	uintptr_t max_end = 0;
	size_t count = 0;

	payload->sc = sc;
	payload->args = args;

	for (uint32_t i = 0; i < bufs; i++)
		if (is_inline(&args[i]))
			index[count++] = (uint16_t)i;
	sort_by_start(index, count, args);

	for (size_t i = 0; i < count; i++) {
		const struct qda_arg *arg = &args[index[i]];
		uintptr_t start = (uintptr_t)arg->ptr, end = start + arg->length;

		if (arg->length > PAYLOAD_MAX || end < start)
			return -E2BIG;
		if (i == 0 || start >= max_end) {
			size = ALIGN_UP(size, FASTRPC_ALIGN);
			payload->offset[index[i]] = (uint32_t)size;
			size += arg->length;
			max_end = end;
		} else {
			/* size stands at max_end's copy: count back from there */
			payload->offset[index[i]] = (uint32_t)(size - (max_end - start));
			if (end > max_end) {
				size += end - max_end;
				max_end = end;
			}
		}
		if (size > PAYLOAD_MAX)
			return -E2BIG;
	}
	payload->size = size;
	return 0;
}

/* The whole pages that @length bytes at @address touch. */
static struct fastrpc_phy_page pages_of(uint64_t address, uint64_t length)
{
	uint64_t first = address & ~(FASTRPC_PAGE - 1);

	return (struct fastrpc_phy_page){
		.addr = first,
		.size = ALIGN_UP(address + length, FASTRPC_PAGE) - first,
	};
}

void payload_build(const struct payload *payload, void *mem, uint64_t address)
{
	uint32_t n = FASTRPC_LENGTH(payload->sc), bufs = FASTRPC_BUFS(payload->sc);
	uint32_t in = FASTRPC_INBUFS(payload->sc);
	union fastrpc_remote_arg *rpra = mem;
	struct fastrpc_invoke_buf *list = (void *)&rpra[n];
	struct fastrpc_phy_page *pages = (void *)&list[n];

	memset(mem, 0, FASTRPC_META_SIZE(n));
	for (uint32_t i = 0; i < n; i++) {
		const struct qda_arg *arg = &payload->args[i];

		list[i].pgidx = i;
		list[i].num = arg->length != 0;
		if (!arg->length)
			continue;
		if (i >= bufs) {
			const struct qda_buffer *buffer = arg->buffer;

			rpra[i].dma.fd = buffer->key;
			rpra[i].dma.offset = (uint32_t)arg->offset;
			rpra[i].dma.len = (uint32_t)arg->length;
			pages[i].addr = buffer->address;
			pages[i].size = buffer->size;
		} else if (arg->buffer) {
			rpra[i].buf.pv = (uintptr_t)arg->buffer->data + arg->offset;
			rpra[i].buf.len = arg->length;
			pages[i] = pages_of(arg->buffer->address + arg->offset, arg->length);
		} else {
			rpra[i].buf.pv = (uintptr_t)mem + payload->offset[i];
			rpra[i].buf.len = arg->length;
			pages[i] = pages_of(address + payload->offset[i], arg->length);
		}
	}

	/* Out buffers start as zeros; in buffers after that, where they overlap. */
	for (uint32_t i = in; i < bufs; i++)
		if (is_inline(&payload->args[i]))
			memset((char *)mem + payload->offset[i], 0, payload->args[i].length);
	for (uint32_t i = 0; i < in; i++)
		if (is_inline(&payload->args[i]))
			memcpy((char *)mem + payload->offset[i], payload->args[i].ptr,
			       payload->args[i].length);
}

void payload_copy_out(const struct payload *payload, const void *mem)
{
	uint32_t bufs = FASTRPC_BUFS(payload->sc);

	for (uint32_t i = FASTRPC_INBUFS(payload->sc); i < bufs; i++)
		if (is_inline(&payload->args[i]))
			memcpy(payload->args[i].ptr, (const char *)mem + payload->offset[i],
			       payload->args[i].length);
}
