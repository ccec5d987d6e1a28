/* SPDX-License-Identifier: MIT */
/*
 * Times calls on the software DSP and, interleaved with them in the same run, a
 * bare futex ping-pong between two processes. Prints one JSON object with the
 * nanoseconds of each kind; run.py makes ratios of them.
 */
#include <stdio.h>
#include <string.h>

#include <qda.h>

#include "common.h"
#include "interleave.h"
#include "../conformance/skels/conf.h"

#define BIG (1UL << 20)
#define SMALL 64

struct bench {
	struct pair *pair;
	struct qda_module *module;
	struct qda_arg none[1], mapped[1], big[1], small[4], arena[4];
};

static void answer_pings(void *pair)
{
	for (;;) {
		wait_for_ping(pair);
		answer_ping(pair);
	}
}

static int call_ping_pong(void *data)
{
	ping_pong(((struct bench *)data)->pair);
	return 0;
}

static int call_empty(void *data)
{
	const struct bench *bench = data;

	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 0, 0, 0, 0), NULL, NULL);
}

static int call_mapped(void *data)
{
	const struct bench *bench = data;

	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 1, 0, 0, 0), bench->mapped,
			  NULL);
}

static int call_inline(void *data)
{
	const struct bench *bench = data;

	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 1, 0, 0, 0), bench->big, NULL);
}

static int call_small_inline(void *data)
{
	const struct bench *bench = data;

	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 2, 2, 0, 0), bench->small, NULL);
}

static int call_small_arena(void *data)
{
	const struct bench *bench = data;

	return qda_invoke(bench->module, QDA_SCALARS(CONF_NOTHING, 2, 2, 0, 0), bench->arena, NULL);
}

static const struct kind kinds[] = {
	{"ping_pong", call_ping_pong, CALLS},     {"empty", call_empty, CALLS},
	{"mapped_1mib", call_mapped, CALLS},      {"small_inline", call_small_inline, CALLS},
	{"small_arena", call_small_arena, CALLS}, {"inline_1mib", call_inline, CALLS / 5},
};

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
	pid_t child;
	int r;

	if (argc < 2) {
		fprintf(stderr, "Usage: bench-roundtrip SKEL-DIRECTORY [ROUNDS]\n");
		return 2;
	}
	memset(big, 1, BIG);
	bench.pair = shared_memory(sizeof(*bench.pair));
	if (!bench.pair)
		return fail("shared memory", -errno);
	child = start_partner(answer_pings, bench.pair);
	if (child == -1)
		return fail("fork", -errno);

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

	r = run_interleaved(kinds, ARRAY_SIZE(kinds), &bench, argc > 2 ? atoi(argv[2]) : ROUNDS);
	qda_arena_free(arena);
	qda_buffer_free(buffer);
	qda_module_close(bench.module);
	qda_session_close(session);
	qda_device_unref(device);
	qda_unref(qda);
	end_partner(child);
	return r;
}
