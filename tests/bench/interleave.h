/* SPDX-License-Identifier: MIT */
/* Timing of several kinds of calls in one run, and a futex ping-pong as the measure for them. */
#ifndef INTERLEAVE_H
#define INTERLEAVE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ROUNDS 60
#define CALLS 100

/* One kind of call, and how many of them are in a batch. */
struct kind {
	const char *name;
	/* Return: 0, or the nanoseconds if it takes the time itself; a negative errno ends all. */
	int (*run)(void *data);
	int calls;
};

/*
 * Runs batches of all kinds in turn, in an order that is rotated from round to
 * round, and prints a JSON object with the nanoseconds of each. Return: 0, or 1
 * after a message.
 */
int run_interleaved(const struct kind *kinds, size_t count, void *data, int rounds);

uint64_t now_ns(void); /* CLOCK_MONOTONIC */

/* Shared words of a ping-pong, each on a cache line of its own. */
struct pair {
	_Alignas(128) _Atomic uint32_t ping;
	_Alignas(128) _Atomic uint32_t pong;
};

/* Shared with processes that start_partner() starts later; NULL without memory. */
void *shared_memory(size_t size);

void futex_wait(_Atomic uint32_t *word, uint32_t value); /* while it is @value */
void futex_post(_Atomic uint32_t *word, uint32_t value);

void ping_pong(struct pair *pair);
/* In the other process. */
void wait_for_ping(struct pair *pair);
void answer_ping(struct pair *pair);

/* A process that does @answer for ever and dies with this one. Return: its pid, or -1. */
pid_t start_partner(void (*answer)(void *data), void *data);
void end_partner(pid_t pid);

#endif
