/* SPDX-License-Identifier: MIT */
/* Pools: what is used again and for whom, what is cleared, and what is given back. */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "heap.h"

#define MIB UINT64_C(0x100000)

static struct {
	struct dmabuf_heap *heap;
	struct dmabuf_pool *pool;
	struct dmabuf_charge *self;
	struct dmabuf_charge *other; /* another process, that cannot be charged strictly */
	pid_t child;
} fx;

static int setup(void **state)
{
	fixture_setup(state);
	if (dmabuf_heap_open("memfd", &fx.heap) < 0 ||
	    dmabuf_pool_new(fx.heap, MIB, &fx.pool) < 0 || dmabuf_charge_self(&fx.self) < 0)
		return -1;
	fx.child = fork();
	if (fx.child == 0)
		for (;;)
			pause();
	return dmabuf_charge_pid(fx.child, &fx.other);
}

static int teardown(void **state)
{
	dmabuf_pool_free(fx.pool);
	dmabuf_heap_unref(fx.heap);
	dmabuf_charge_unref(fx.self);
	dmabuf_charge_unref(fx.other);
	kill(fx.child, SIGKILL);
	waitpid(fx.child, NULL, 0);
	return fixture_teardown(state);
}

static struct dmabuf *take(uint64_t size, struct dmabuf_charge *charge, uint32_t flags)
{
	struct dmabuf *buffer = NULL;

	assert_int_equal(dmabuf_pool_alloc(fx.pool, size, charge, flags, &buffer), 0);
	return buffer;
}

static void give(struct dmabuf *buffer)
{
	assert_int_equal(dmabuf_pool_release(fx.pool, buffer), 0);
}

static void fill(struct dmabuf *buffer)
{
	void *memory;

	assert_int_equal(dmabuf_map(buffer, DMABUF_WRITE, &memory), 0);
	memset(memory, 'x', dmabuf_size(buffer));
	dmabuf_unmap(buffer);
}

/* All bytes are this. */
static void assert_filled_with(struct dmabuf *buffer, char byte)
{
	const char *memory;

	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, (void **)&memory), 0);
	for (size_t i = 0; i < dmabuf_size(buffer); i++)
		if (memory[i] != byte)
			fail_msg("byte %zu is %d", i, memory[i]);
	dmabuf_unmap(buffer);
}

static struct dmabuf_pool_stats stats(void)
{
	struct dmabuf_pool_stats stats;

	dmabuf_pool_stats(fx.pool, &stats);
	return stats;
}

static void released_buffer_is_used_again(void **state)
{
	struct dmabuf *buffer = take(PAGE, NULL, 0);
	int fd = dmabuf_fd(buffer);

	give(buffer);
	assert_int_equal(stats().buffers, 1);
	assert_int_equal(stats().bytes, PAGE);
	buffer = take(PAGE, NULL, 0);
	assert_int_equal(dmabuf_fd(buffer), fd);
	assert_int_equal(stats().allocated, 1);
	assert_int_equal(stats().reused, 1);
	assert_int_equal(stats().buffers, 0);
	assert_int_equal(stats().bytes, 0);
	dmabuf_unref(buffer);
}

static void classes_waste_at_most_an_eighth(void **state)
{
	uint64_t last = 0;

	for (uint64_t pages = 1; pages < 100000; pages++) {
		uint64_t class = pool_class(pages * PAGE) / PAGE;

		assert_true(class >= pages && (class - pages) * 8 <= pages);
		assert_true(class >= last);
		assert_int_equal(pool_class(class * PAGE), class * PAGE);
		last = class;
	}
	assert_int_equal(pool_class(1), PAGE);
	assert_int_equal(pool_class(PAGE + 1), 2 * PAGE);
	assert_int_equal(pool_class(17 * PAGE), 18 * PAGE);
}

static void similar_sizes_are_one_class(void **state)
{
	struct dmabuf *buffer = take(33 * PAGE, NULL, 0);

	assert_int_equal(dmabuf_size(buffer), 36 * PAGE);
	give(buffer);
	dmabuf_unref(take(35 * PAGE + 1, NULL, 0));
	assert_int_equal(stats().reused, 1);
}

static void other_sizes_and_access_modes_are_not_taken(void **state)
{
	give(take(4 * PAGE, NULL, 0));
	dmabuf_unref(take(3 * PAGE, NULL, 0));
	dmabuf_unref(take(5 * PAGE, NULL, 0));
	dmabuf_unref(take(4 * PAGE, NULL, DMABUF_ALLOC_READ_ONLY));
	assert_int_equal(stats().reused, 0);
	assert_int_equal(stats().allocated, 4);
}

static void same_target_gets_what_was_in_it(void **state)
{
	struct dmabuf *buffer = take(PAGE, fx.self, 0);
	struct dmabuf_charge *again;

	fill(buffer);
	give(buffer);
	assert_int_equal(dmabuf_charge_pid(getpid(), &again), 0);
	buffer = take(PAGE, again, 0);
	assert_int_equal(stats().reused, 1);
	assert_filled_with(buffer, 'x');
	dmabuf_unref(buffer);
	dmabuf_charge_unref(again);
}

static void buffer_is_cleared_before_another_target_gets_it(void **state)
{
	struct dmabuf *buffer = take(2 * PAGE, NULL, 0);

	assert_int_equal(dmabuf_charged(buffer), DMABUF_CHARGED_NOT);
	fill(buffer);
	give(buffer);
	buffer = take(2 * PAGE, fx.other, 0);
	assert_int_equal(stats().reused, 1);
	assert_filled_with(buffer, '\0');
	/* And again when it comes back. */
	fill(buffer);
	give(buffer);
	buffer = take(2 * PAGE, NULL, 0);
	assert_int_equal(stats().reused, 2);
	assert_filled_with(buffer, '\0');
	dmabuf_unref(buffer);
}

static void charged_buffer_stays_with_its_target(void **state)
{
	struct dmabuf *buffer = take(PAGE, fx.self, DMABUF_ALLOC_STRICT);

	assert_int_equal(dmabuf_charged(buffer), DMABUF_CHARGED_CALLER);
	give(buffer);
	dmabuf_unref(take(PAGE, NULL, 0));
	dmabuf_unref(take(PAGE, fx.other, 0));
	assert_int_equal(stats().reused, 0);
	dmabuf_unref(take(PAGE, fx.self, DMABUF_ALLOC_STRICT));
	assert_int_equal(stats().reused, 1);
}

static void strict_target_gets_no_uncharged_buffer(void **state)
{
	struct dmabuf *buffer;

	give(take(PAGE, NULL, 0));
	buffer = take(PAGE, fx.self, DMABUF_ALLOC_STRICT);
	assert_int_equal(stats().reused, 0);
	assert_int_equal(dmabuf_charged(buffer), DMABUF_CHARGED_CALLER);
	dmabuf_unref(buffer);
}

/* Best effort may have charged the caller instead of the target. */
static void strict_target_gets_no_buffer_that_another_was_charged_for(void **state)
{
	struct dmabuf *buffer = take(PAGE, fx.other, 0), *strict = NULL;

	buffer->charged = DMABUF_CHARGED_CALLER;
	give(buffer);
	if (dmabuf_pool_alloc(fx.pool, PAGE, fx.other, DMABUF_ALLOC_STRICT, &strict) == 0)
		assert_int_not_equal(dmabuf_charged(strict), DMABUF_CHARGED_CALLER);
	dmabuf_unref(strict);
	dmabuf_unref(take(PAGE, fx.other, 0));
	assert_int_equal(stats().reused, 1);

	give(take(PAGE, fx.self, DMABUF_ALLOC_STRICT));
	dmabuf_unref(take(PAGE, fx.self, DMABUF_ALLOC_STRICT));
	assert_int_equal(stats().reused, 2);
}

static void buffer_of_the_same_target_is_taken_before_one_to_clear(void **state)
{
	struct dmabuf *ours = take(PAGE, NULL, 0), *others = take(PAGE, NULL, 0);

	give(others);
	others = take(PAGE, fx.other, 0);
	fill(ours);
	give(ours);
	give(others); /* the newer one */
	ours = take(PAGE, NULL, 0);
	assert_filled_with(ours, 'x');
	dmabuf_unref(ours);
}

static void read_only_buffer_that_cannot_be_cleared_is_dropped(void **state)
{
	struct dmabuf *buffer;

	give(take(PAGE, NULL, DMABUF_ALLOC_READ_ONLY));
	buffer = take(PAGE, fx.other, DMABUF_ALLOC_READ_ONLY);
	assert_int_equal(stats().reused, 0);
	assert_int_equal(stats().allocated, 2);
	assert_int_equal(stats().buffers, 0);
	dmabuf_unref(buffer);
}

static void target_that_is_gone_is_esrch(void **state)
{
	struct dmabuf *buffer = take(PAGE, fx.other, 0);

	give(buffer);
	kill(fx.child, SIGKILL);
	waitid(P_PID, (id_t)fx.child, &(siginfo_t){0}, WEXITED | WNOWAIT);
	assert_int_equal(dmabuf_pool_alloc(fx.pool, PAGE, fx.other, 0, &buffer), -ESRCH);
}

static void buffer_with_other_references_is_let_go(void **state)
{
	struct dmabuf *buffer = take(PAGE, NULL, 0);

	dmabuf_ref(buffer);
	give(buffer);
	assert_int_equal(stats().buffers, 0);
	assert_int_equal(dmabuf_size(buffer), PAGE);
	dmabuf_unref(buffer);
}

static void mapped_buffer_is_let_go(void **state)
{
	struct dmabuf *buffer = take(PAGE, NULL, 0);
	void *memory;

	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &memory), 0);
	give(buffer);
	assert_int_equal(stats().buffers, 0);
}

/* The script's descriptors are no dma-bufs, so that the kernel tells no count. */
static void dmabuf_of_which_nobody_knows_who_has_it_is_let_go(void **state)
{
	struct dmabuf *buffer = scripted_buffer(PAGE), *of_pool = take(PAGE, NULL, 0);

	buffer->pool = of_pool->pool;
	give(buffer);
	dmabuf_unref(of_pool);
	assert_int_equal(stats().buffers, 0);
}

static void buffer_of_another_pool_stays_the_callers(void **state)
{
	struct dmabuf *buffer = take(PAGE, NULL, 0), *plain = memfd_buffer(PAGE);
	struct dmabuf_pool *pool;

	assert_int_equal(dmabuf_pool_new(fx.heap, MIB, &pool), 0);
	assert_int_equal(dmabuf_pool_release(pool, buffer), -EINVAL);
	assert_int_equal(dmabuf_pool_release(pool, plain), -EINVAL);
	assert_int_equal(dmabuf_size(buffer), PAGE);
	assert_null(dmabuf_pool_free(pool));
	assert_null(dmabuf_pool_free(NULL));
	dmabuf_unref(plain);
	give(buffer);
}

static void pool_keeps_at_most_its_cap_and_drops_the_oldest(void **state)
{
	struct dmabuf *buffers[5];
	int fds[5];

	for (size_t i = 0; i < 5; i++) {
		buffers[i] = take(MIB / 4, NULL, 0);
		fds[i] = dmabuf_fd(buffers[i]);
	}
	for (size_t i = 0; i < 5; i++)
		give(buffers[i]);
	assert_int_equal(stats().buffers, 4);
	assert_int_equal(stats().bytes, MIB);
	assert_int_equal(stats().trimmed, 1);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	for (size_t i = 1; i < 5; i++)
		assert_int_not_equal(fcntl(fds[i], F_GETFD), -1);
}

static void buffer_above_the_cap_is_let_go(void **state)
{
	give(take(PAGE, NULL, 0));
	give(take(2 * MIB, NULL, 0));
	assert_int_equal(stats().buffers, 1);
	assert_int_equal(stats().trimmed, 0);
}

static void trim_gives_back_the_oldest_first(void **state)
{
	struct dmabuf *old = take(PAGE, NULL, 0), *new = take(2 * PAGE, NULL, 0);
	int fd = dmabuf_fd(new);

	give(old);
	give(new);
	assert_int_equal(dmabuf_pool_trim(fx.pool, 3 * PAGE), 0);
	assert_int_equal(dmabuf_pool_trim(fx.pool, 2 * PAGE), PAGE);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(dmabuf_pool_trim(fx.pool, 0), 2 * PAGE);
	assert_int_equal(stats().bytes, 0);
	assert_int_equal(stats().trimmed, 2);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void buffers_outlive_the_pool(void **state)
{
	struct dmabuf *buffer = take(PAGE, fx.self, 0);

	fx.pool = dmabuf_pool_free(fx.pool);
	fill(buffer);
	dmabuf_unref(buffer);
}

static void bad_arguments_are_einval(void **state)
{
	struct dmabuf *buffer = NULL;

	assert_int_equal(dmabuf_pool_alloc(fx.pool, 0, NULL, 0, &buffer), -EINVAL);
	assert_int_equal(dmabuf_pool_alloc(fx.pool, UINT64_MAX, NULL, 0, &buffer), -EINVAL);
	assert_int_equal(dmabuf_pool_alloc(fx.pool, PAGE, NULL, 8, &buffer), -EINVAL);
	assert_null(buffer);
}

static void *use_pool(void *data)
{
	struct dmabuf *buffers[3];
	void *memory;

	for (unsigned int round = 0; round < 300; round++) {
		for (size_t i = 0; i < 3; i++) {
			if (dmabuf_pool_alloc(fx.pool, (i + 1) * PAGE, i ? NULL : fx.self, 0,
					      &buffers[i]) < 0 ||
			    dmabuf_map(buffers[i], DMABUF_WRITE, &memory) < 0)
				return data;
			*(void **)memory = data;
		}
		for (size_t i = 0; i < 3; i++) {
			if (dmabuf_map(buffers[i], DMABUF_READ, &memory) < 0 ||
			    *(void **)memory != data)
				return data;
			dmabuf_unmap(buffers[i]);
			dmabuf_unmap(buffers[i]);
			if (dmabuf_pool_release(fx.pool, buffers[i]) < 0)
				return data;
		}
	}
	return NULL;
}

static void threads_share_a_pool(void **state)
{
	pthread_t threads[4];
	int marks[4];
	void *result;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_pool, &marks[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		assert_null(result);
	}
	assert_int_equal(stats().reused + stats().allocated, 4 * 300 * 3);
	assert_true(stats().buffers <= 12);
}

#define with_pool(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pool(released_buffer_is_used_again),
		with_pool(classes_waste_at_most_an_eighth),
		with_pool(similar_sizes_are_one_class),
		with_pool(other_sizes_and_access_modes_are_not_taken),
		with_pool(same_target_gets_what_was_in_it),
		with_pool(buffer_is_cleared_before_another_target_gets_it),
		with_pool(charged_buffer_stays_with_its_target),
		with_pool(strict_target_gets_no_uncharged_buffer),
		with_pool(strict_target_gets_no_buffer_that_another_was_charged_for),
		with_pool(buffer_of_the_same_target_is_taken_before_one_to_clear),
		with_pool(read_only_buffer_that_cannot_be_cleared_is_dropped),
		with_pool(target_that_is_gone_is_esrch),
		with_pool(buffer_with_other_references_is_let_go),
		with_pool(mapped_buffer_is_let_go),
		with_pool(dmabuf_of_which_nobody_knows_who_has_it_is_let_go),
		with_pool(buffer_of_another_pool_stays_the_callers),
		with_pool(pool_keeps_at_most_its_cap_and_drops_the_oldest),
		with_pool(buffer_above_the_cap_is_let_go),
		with_pool(trim_gives_back_the_oldest_first),
		with_pool(buffers_outlive_the_pool),
		with_pool(bad_arguments_are_einval),
		with_pool(threads_share_a_pool),
	};

	return cmocka_run_group_tests_name("dmabuf-pool", tests, NULL, NULL);
}
