/* SPDX-License-Identifier: MIT */
/*
 * Reverse calls as they travel inside the listener's calls: packing of a call's
 * in buffers and out lengths (DSP to application) and of its out buffers
 * (application to DSP). Shared by the library and the software DSP; no memory
 * is allocated here, and either side's bytes are checked before they are used.
 *
 * Packed in buffers: for each in buffer a u32 length at a multiple of 4 and, if
 * it is not 0, the data at a multiple of 8; then for each out buffer a u32
 * length at a multiple of 4. Packed out buffers: for each out buffer a u32
 * length and data placed in the same way. Gaps are 0.
 */
#ifndef REVERSE_H
#define REVERSE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fastrpc.h"

/* Most bytes of a packed call in one direction. */
#define REVERSE_MAX ((size_t)16 << 20)
/* Most buffers of a call. */
#define REVERSE_MAX_BUFS 510

/* An in or out buffer. A call has FASTRPC_BUFS(sc) of them, the in buffers first. */
struct reverse_buf {
	void *data;
	uint32_t length;
};

/* primIn and primROut of the listener's methods next2 and get_in_bufs2. */
struct reverse_next_in {
	uint32_t prev_ctx;
	uint32_t prev_result;
	uint32_t prev_size; /* of the packed out buffers; 0 if prev_result is not 0 */
	uint32_t room;      /* for packed in buffers */
};

struct reverse_next_out {
	uint32_t ctx;
	uint32_t handle;
	uint32_t sc;
	uint32_t size; /* of the packed in buffers, of which the first room bytes are there */
};

struct reverse_get_in {
	uint32_t ctx;
	uint32_t offset; /* into the packed in buffers */
	uint32_t room;
};

struct reverse_get_out {
	uint32_t size; /* as in struct reverse_next_out */
};

/*
 * DSP: bytes of the packed in buffers. Return: -EOPNOTSUPP if @sc has handle
 * arguments, -E2BIG above REVERSE_MAX.
 */
ssize_t reverse_in_size(uint32_t sc, const struct reverse_buf *bufs);

/* DSP: write them; @packed has the room that reverse_in_size() told. */
void reverse_in_pack(uint32_t sc, const struct reverse_buf *bufs, void *packed);

/*
 * Application: take them apart. In buffers then point into @packed; out buffers
 * have their length, and NULL as data. Bytes behind the last length are ignored.
 * @ret_out_size: bytes of the packed out buffers.
 *
 * Return: 0, -EBADMSG if they do not fit @sc, -EOPNOTSUPP, -E2BIG.
 */
int reverse_in_parse(uint32_t sc, void *packed, size_t size, struct reverse_buf *bufs,
		     size_t *ret_out_size);

/*
 * Application: lay out the packed out buffers at @packed, zeroed, and point the
 * out buffers into it. What is then stored there is packed already.
 */
void reverse_out_place(uint32_t sc, struct reverse_buf *bufs, void *packed);

/*
 * DSP: copy the packed out buffers to where the out buffers point. Nothing is
 * copied unless every length is the one asked for. Return: 0, or -EBADMSG.
 */
int reverse_out_unpack(uint32_t sc, const struct reverse_buf *bufs, const void *packed,
		       size_t size);

#endif
