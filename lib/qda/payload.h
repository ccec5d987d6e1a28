/* SPDX-License-Identifier: MIT */
/* The payload of a FastRPC message as the driver's side lays it out; pure code. */
#ifndef QDA_PAYLOAD_H
#define QDA_PAYLOAD_H

#include "internal.h"

/* Where each plain argument of a call lies in its payload. */
struct payload {
	uint32_t sc;
	const struct qda_arg *args;
	size_t size; /* bytes of the payload */
	/* Of plain buffers with a length: offset of the argument's copy. */
	uint32_t offset[FASTRPC_MAX_ARGS];
};

/*
 * Compute the layout. @args were checked. Plain buffers that overlap share one
 * copy. Return: 0, or -E2BIG above 2 GiB.
 */
int payload_layout(struct payload *payload, uint32_t sc, const struct qda_arg *args);

/*
 * Write the payload: metadata, and copies of the plain in buffers.
 * @mem: page-aligned memory of payload->size bytes
 * @address: its DMA address, page-aligned
 */
void payload_build(const struct payload *payload, void *mem, uint64_t address);

/* After the call: copy plain out buffers back to the caller. Reads no length from @mem. */
void payload_copy_out(const struct payload *payload, const void *mem);

#endif
