/* SPDX-License-Identifier: MIT */
/* Timing of several kinds of calls in one run, and a futex ping-pong as the measure for them. */
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"
#include "interleave.h"

#define WARM_UP 10 /* first calls of a batch, not counted */

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_kind(const struct kind *kind, uint64_t *samples, size_t count)
{
	uint64_t sum = 0;

	qsort(samples, count, sizeof(*samples), compare);
	for (size_t i = 0; i < count; i++)
		sum += samples[i];
	printf("\"%s\": {\"calls\": %zu, \"min\": %" PRIu64 ", \"median\": %" PRIu64
	       ", \"mean\": %" PRIu64 ", \"p99\": %" PRIu64 "}",
	       kind->name, count, samples[0], samples[count / 2], sum / count,
	       samples[count * 99 / 100]);
}

/* One batch; the times go to @samples. */
static int run_batch(const struct kind *kind, void *data, uint64_t *samples)
{
	for (int i = -WARM_UP; i < kind->calls; i++) {
		uint64_t start = now_ns();
		int r = kind->run(data);

		if (r < 0) {
			fprintf(stderr, "%s: %s\n", kind->name, strerror(-r));
			return 1;
		}
		if (i >= 0)
			samples[i] = r > 0 ? (uint64_t)r : now_ns() - start;
	}
	return 0;
}

int run_interleaved(const struct kind *kinds, size_t count, void *data, int rounds)
{
	size_t total = 0;
	uint64_t *samples;
	int r = 0;

	for (size_t k = 0; k < count; k++)
		total += (size_t)rounds * (size_t)kinds[k].calls;
	samples = calloc(total, sizeof(*samples));
	if (!samples)
		return 1;
	for (int round = 0; round < rounds && r == 0; round++) {
		for (size_t step = 0; step < count && r == 0; step++) {
			/* Every kind comes after every other one. */
			size_t k = (step + (size_t)round) % count, place = 0;

			for (size_t i = 0; i < k; i++)
				place += (size_t)rounds * (size_t)kinds[i].calls;
			place += (size_t)round * (size_t)kinds[k].calls;
			r = run_batch(&kinds[k], data, &samples[place]);
		}
	}
	for (size_t k = 0, place = 0; k < count && r == 0; k++) {
		size_t n = (size_t)rounds * (size_t)kinds[k].calls;

		printf(k ? ", " : "{");
		print_kind(&kinds[k], &samples[place], n);
		place += n;
	}
	if (r == 0)
		printf("}\n");
	free(samples);
	return r;
}

/* ---- ping-pong ---------------------------------------------------------- */

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load_explicit(word, memory_order_acquire) == value)
		syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

void futex_post(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void ping_pong(struct pair *pair)
{
	uint32_t count = atomic_load_explicit(&pair->pong, memory_order_relaxed);

	futex_post(&pair->ping, count + 1);
	futex_wait(&pair->pong, count);
}

void wait_for_ping(struct pair *pair)
{
	futex_wait(&pair->ping, atomic_load_explicit(&pair->pong, memory_order_relaxed));
}

void answer_ping(struct pair *pair)
{
	futex_post(&pair->pong, atomic_load_explicit(&pair->pong, memory_order_relaxed) + 1);
}

pid_t start_partner(void (*answer)(void *data), void *data)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		answer(data);
	_exit(1);
}

void end_partner(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
