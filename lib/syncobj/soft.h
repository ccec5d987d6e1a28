/* SPDX-License-Identifier: MIT */
/* The shared page of a soft syncobj: what all processes that hold the memfd agree on. */
#ifndef SYNCOBJ_SOFT_H
#define SYNCOBJ_SOFT_H

#include <stdint.h>

#define SOFT_MAGIC 0x6a626f73U /* "sobj" */
#define SOFT_VERSION 1U

/* Updates that a waiter can look back on. */
#define SOFT_HISTORY 16U

/* Kinds of fence, the top two bits of a tag. */
#define SOFT_NONE 0U
#define SOFT_BINARY 1U /* signalled; there is no other in user space */
#define SOFT_TIMELINE 2U

#define SOFT_KIND_SHIFT 62
#define SOFT_GENERATION_MASK ((UINT64_C(1) << SOFT_KIND_SHIFT) - 1)

/*
 * What an object is at one time. Both words change together, by a 16-byte
 * compare-and-swap, so there is no lock for anybody to die with. The generation
 * in the tag goes up with each change; its low half is what waiters sleep on.
 */
union soft_state {
	struct {
		uint64_t seqno; /* of a timeline */
		uint64_t tag;   /* kind and generation */
	};
	unsigned __int128 whole;
};

/* Every process that holds the memfd can write here: nothing read from it is trusted. */
struct soft_page {
	uint32_t magic;
	uint32_t version;
	/* Above the number of sleepers once one has died: a futex call too many, no harm. */
	uint32_t waiters;
	uint32_t unused;
	union soft_state state;
	/* States that were taken away, each in the place of its generation; written before that. */
	union soft_state history[SOFT_HISTORY];
};

#endif
