/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers that are the same for the same seed: xorshift64*. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* A state, which is never 0. */
static inline uint64_t random_seed(uint64_t seed)
{
	return seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((random_next(state) >> 32) % n);
}

#endif
