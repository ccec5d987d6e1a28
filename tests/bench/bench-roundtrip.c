/* SPDX-License-Identifier: MIT */
/*
 * Times calls on the software DSP and, interleaved with them in the same run, a
 * bare futex ping-pong between two processes. Prints one JSON object with the
 * nanoseconds of each kind; run.py makes ratios of them.
 */
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <qda.h>

#include "common.h"
#include "../conformance/skels/conf.h"

#define ROUNDS 60
#define CALLS 100
#define WARM_UP 10 /* first calls of a batch, not counted */
#define BIG (1UL << 20)
#define SMALL 64

/* Each word on a cache line of its own. */
struct pair {
	_Alignas(128) _Atomic uint32_t ping;
	_Alignas(128) _Atomic uint32_t pong;
};

struct bench {
	struct pair *pair;
	uint32_t count;
	struct qda_module *module;
	struct qda_arg none[1], mapped[1], big[1], small[4], arena[4];
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load_explicit(word, memory_order_acquire) == value)
		syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void futex_post(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void answer_pings(struct pair *pair)
{
	for (uint32_t count = 0;; count++) {
		futex_wait(&pair->ping, count);
		futex_post(&pair->pong, count + 1);
	}
}

static int ping_pong(struct bench *bench)
{
	uint32_t count = bench->count++;

	futex_post(&bench->pair->ping, count + 1);
	futex_wait(&bench->pair->pong, count);
	return 0;
}

static int call_empty(struct bench *bench)
{
	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 0, 0, 0, 0), NULL, NULL);
}

static int call_mapped(struct bench *bench)
{
	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 1, 0, 0, 0), bench->mapped,
			  NULL);
}

static int call_inline(struct bench *bench)
{
	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 1, 0, 0, 0), bench->big, NULL);
}

static int call_small_inline(struct bench *bench)
{
	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 2, 2, 0, 0), bench->small, NULL);
}

static int call_small_arena(struct bench *bench)
{
	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 2, 2, 0, 0), bench->arena, NULL);
}

static const struct kind {
	const char *name;
	int (*run)(struct bench *bench);
	int calls;
} kinds[] = {
	{"ping_pong", ping_pong, CALLS},          {"empty", call_empty, CALLS},
	{"mapped_1mib", call_mapped, CALLS},      {"small_inline", call_small_inline, CALLS},
	{"small_arena", call_small_arena, CALLS}, {"inline_1mib", call_inline, CALLS / 5},
};

static uint64_t now_ns(void)
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

static int run(struct bench *bench, int rounds)
{
	uint64_t *samples[ARRAY_SIZE(kinds)];
	size_t count[ARRAY_SIZE(kinds)] = {0};

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		samples[k] = calloc((size_t)rounds * (size_t)kinds[k].calls, sizeof(uint64_t));
		if (!samples[k])
			return 1;
	}
	for (int round = 0; round < rounds; round++) {
		for (size_t step = 0; step < ARRAY_SIZE(kinds); step++) {
			/* Every kind comes after every other one. */
			size_t k = (step + (size_t)round) % ARRAY_SIZE(kinds);

			for (int i = -WARM_UP; i < kinds[k].calls; i++) {
				uint64_t start = now_ns();
				int r = kinds[k].run(bench);

				if (r < 0) {
					fprintf(stderr, "%s: %s\n", kinds[k].name, qda_strerror(r));
					return 1;
				}
				if (i >= 0)
					samples[k][count[k]++] = now_ns() - start;
			}
		}
	}
	printf("{");
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		qsort(samples[k], count[k], sizeof(uint64_t), compare);
		printf("%s\"%s\": {\"calls\": %zu, \"min\": %llu, \"median\": %llu, \"p99\": %llu}",
		       k ? ", " : "", kinds[k].name, count[k], (unsigned long long)samples[k][0],
		       (unsigned long long)samples[k][count[k] / 2],
		       (unsigned long long)samples[k][count[k] * 99 / 100]);
		free(samples[k]);
	}
	printf("}\n");
	return 0;
}

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-roundtrip: %s: %s\n", what, qda_strerror(error));
	return 1;
}

int main(int argc, char **argv)
{
	static char small[4][SMALL], big[BIG];
	struct bench bench = {0};
	struct qda *qda;
	struct qda_device *device;
	struct qda_session *session;
	struct qda_buffer *buffer;
	struct qda_arena *arena;
	pid_t parent = getpid(), child;
	int r;

	if (argc < 2) {
		fprintf(stderr, "Usage: bench-roundtrip SKEL-DIRECTORY [ROUNDS]\n");
		return 2;
	}
	memset(big, 1, BIG);
	bench.pair = mmap(NULL, sizeof(*bench.pair), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bench.pair == MAP_FAILED)
		return fail("mmap", -errno);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		answer_pings(bench.pair);
	}

	r = qda_new(&qda);
	if (r == 0)
		r = qda_set_search_path(qda, argv[1]);
	if (r == 0)
		r = qda_device_open(qda, "soft:cdsp", &device);
	if (r == 0)
		r = qda_session_create(device, NULL, &session);
	if (r < 0)
		return fail("soft:cdsp", r);
	r = qda_module_open(session, "libconf_skel.so", NULL, NULL, 0, &bench.module);
	if (r == 0)
		r = qda_buffer_alloc(session, BIG, &buffer);
	if (r == 0)
		r = qda_arena_new(session, 4096, &arena);
	for (size_t i = 0; i < 4 && r == 0; i++) {
		bench.small[i] = (struct qda_arg){.ptr = small[i], .length = SMALL};
		r = qda_arena_alloc(arena, SMALL, 8, &bench.arena[i]);
	}
	if (r < 0)
		return fail("set-up", r);
	bench.mapped[0] = (struct qda_arg){.buffer = buffer, .length = BIG};
	bench.big[0] = (struct qda_arg){.ptr = big, .length = BIG};

	r = run(&bench, argc > 2 ? atoi(argv[2]) : ROUNDS);
	qda_arena_free(arena);
	qda_buffer_free(buffer);
	qda_module_close(bench.module);
	qda_session_close(session);
	qda_device_unref(device);
	qda_unref(qda);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return r;
}
