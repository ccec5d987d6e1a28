/* SPDX-License-Identifier: MIT */
/* Cases: what happens to objects while a thread or another process waits for them. */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "conformance.h"

static void wait_any_wakes_at_a_later_signal(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c), make(c)};
	const uint64_t points[] = {5, 5, 5};
	struct waiting w = {s, points, 3, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};

	start_waiting(&w);
	CHECK_OK(signal_one(s[1], 4)); /* not enough */
	sleep_ms(10);
	CHECK(!atomic_load(&w.done));
	CHECK_OK(signal_one(s[1], 5));
	CHECK_OK(end_waiting(&w));
	CHECK_EQ(w.first, 1);
	drop(s, 3);
}

static void wait_all_wakes_after_the_last_signal(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c), make(c)};
	const uint64_t points[] = {5, 0, 5};
	struct waiting w = {s, points, 3, .flags = SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL};

	start_waiting(&w);
	CHECK_OK(signal_one(s[2], 6));
	CHECK_OK(signal_one(s[0], 5));
	sleep_ms(10);
	CHECK(!atomic_load(&w.done));
	CHECK_OK(signal_one(s[1], 0));
	CHECK_OK(end_waiting(&w));
	drop(s, 3);
}

static void wait_available_wakes_at_a_later_signal(struct conf *c)
{
	struct syncobj *s = make(c);
	const uint64_t point = 5;
	struct waiting w = {&s, &point, 1, .flags = SYNCOBJ_WAIT_AVAILABLE};

	start_waiting(&w);
	CHECK_OK(signal_one(s, 9));
	CHECK_OK(end_waiting(&w));
	CHECK_EQ(w.first, 0);
	syncobj_unref(s);
}

static void wait_available_wakes_at_submission(struct conf *c)
{
	struct syncobj *s = make(c);
	const uint64_t point = 5;
	struct waiting w = {&s, &point, 1, .flags = SYNCOBJ_WAIT_AVAILABLE};
	struct waiting all = {&s, &point, 1, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};
	struct pending pending;

	pending_init(&pending);
	start_waiting(&w);
	start_waiting(&all);
	pending_submit(&pending, s, 5);
	CHECK_OK(end_waiting(&w));
	CHECK(!atomic_load(&all.done));
	pending_signal(&pending, 1);
	CHECK_OK(end_waiting(&all));
	pending_end(&pending);
	syncobj_unref(s);
}

static void plain_wait_wakes_when_the_fence_is_done(struct conf *c)
{
	struct syncobj *s = make(c);
	const uint64_t point = 5;
	struct waiting w = {&s, &point, 1, .flags = 0};
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 5);
	start_waiting(&w);
	pending_signal(&pending, 1);
	CHECK_OK(end_waiting(&w));
	pending_end(&pending);
	syncobj_unref(s);
}

/* Objects are submitted while a thread waits, and their fences are done one by one. */
static void wait_for_delayed_fences(struct conf *c, uint32_t flags)
{
	struct syncobj *s[] = {make(c), make_at(c, 2), make(c)};
	const uint64_t points[] = {5, 5, 0};
	struct waiting w = {s, points, 3, .flags = SYNCOBJ_WAIT_FOR_SUBMIT | flags};
	struct pending pending;

	pending_init(&pending);
	start_waiting(&w);
	pending_submit(&pending, s[1], 5);
	pending_submit(&pending, s[0], 5);
	pending_submit(&pending, s[2], 0);
	sleep_ms(10);
	CHECK(!atomic_load(&w.done));
	pending_signal(&pending, 1);
	if (flags & SYNCOBJ_WAIT_ALL) {
		pending_signal(&pending, 1);
		sleep_ms(10);
		CHECK(!atomic_load(&w.done));
		pending_signal(&pending, 1);
		CHECK_OK(end_waiting(&w));
	} else {
		CHECK_OK(end_waiting(&w));
		CHECK_EQ(w.first, 1);
	}
	pending_end(&pending);
	drop(s, 3);
}

static void wait_any_wakes_when_a_later_fence_is_done(struct conf *c)
{
	wait_for_delayed_fences(c, 0);
}

static void wait_all_wakes_when_all_later_fences_are_done(struct conf *c)
{
	wait_for_delayed_fences(c, SYNCOBJ_WAIT_ALL);
}

/* More than the stack has room for, and than can be slept on by one call. */
static void wait_for_many_objects(struct conf *c, uint32_t flags)
{
	struct syncobj *s[300];
	uint64_t points[ARRAY_SIZE(s)];
	struct waiting w = {s, points, ARRAY_SIZE(s), .flags = SYNCOBJ_WAIT_FOR_SUBMIT | flags};

	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = make(c);
		points[i] = i;
	}
	start_waiting(&w);
	for (size_t i = 0; i < ARRAY_SIZE(s); i++)
		if ((flags & SYNCOBJ_WAIT_ALL) && i != 250)
			CHECK_OK(signal_one(s[i], i));
	sleep_ms(10);
	CHECK(!atomic_load(&w.done));
	CHECK_OK(signal_one(s[250], 250));
	CHECK_OK(end_waiting(&w));
	if (!(flags & SYNCOBJ_WAIT_ALL))
		CHECK_EQ(w.first, 250);
	drop(s, ARRAY_SIZE(s));
}

static void wait_any_of_many_objects(struct conf *c)
{
	wait_for_many_objects(c, 0);
}

static void wait_all_of_many_objects(struct conf *c)
{
	wait_for_many_objects(c, SYNCOBJ_WAIT_ALL);
}

static void wait_for_ever_wakes(struct conf *c)
{
	struct syncobj *s = make(c);
	struct waiting w = {&s, NULL, 1, FOREVER, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};

	start_waiting(&w);
	CHECK_OK(signal_one(s, 0));
	CHECK_OK(end_waiting(&w));
	syncobj_unref(s);
}

static void signal_binary_wakes(struct conf *c)
{
	struct syncobj *s = make(c);
	struct waiting w = {&s, NULL, 1, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};

	start_waiting(&w);
	CHECK_OK(syncobj_signal_binary(s));
	CHECK_OK(end_waiting(&w));
	syncobj_unref(s);
}

static void transfer_wakes(struct conf *c)
{
	struct syncobj *s[] = {make(c), make_at(c, 3)};
	const uint64_t point = 8;
	struct waiting w = {s, &point, 1, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};

	start_waiting(&w);
	CHECK_OK(syncobj_transfer(s[0], 8, s[1], 3, 0));
	CHECK_OK(end_waiting(&w));
	drop(s, 2);
}

static void many_threads_wake_at_one_signal(struct conf *c)
{
	struct syncobj *s = make(c);
	const uint64_t point = 5;
	struct waiting w[20];

	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		w[i] = (struct waiting){&s, &point, 1, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};
		start_waiting(&w[i]);
	}
	CHECK_OK(signal_one(s, 5));
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		CHECK_OK(end_waiting(&w[i]));
	syncobj_unref(s);
}

static void reset_during_wait_for_submit_changes_nothing(struct conf *c)
{
	struct syncobj *s[] = {make(c), make_at(c, 3)};
	const uint64_t points[] = {5, 7};
	struct waiting w = {s, points, 2, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};

	start_waiting(&w);
	CHECK_OK(syncobj_reset(s, 2));
	sleep_ms(10);
	CHECK(!atomic_load(&w.done));
	CHECK_OK(signal_one(s[1], 7));
	CHECK_OK(end_waiting(&w));
	CHECK_EQ(w.first, 1);
	drop(s, 2);
}

static void wait_any_sees_a_signal_that_is_reset_at_once(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	const uint64_t points[] = {5, 0};
	struct waiting w = {s, points, 2, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};

	start_waiting(&w);
	CHECK_OK(signal_one(s[0], 5));
	CHECK_OK(reset_one(s[0]));
	CHECK_OK(end_waiting(&w));
	CHECK_EQ(w.first, 0);
	drop(s, 2);
}

static void wait_all_keeps_a_signal_that_is_reset(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	const uint64_t points[] = {5, 0};
	struct waiting w = {s, points, 2, .flags = SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL};

	start_waiting(&w);
	CHECK_OK(signal_one(s[0], 5));
	CHECK_OK(reset_one(s[0]));
	CHECK_OK(signal_one(s[1], 0));
	CHECK_OK(end_waiting(&w));
	drop(s, 2);
}

static void wait_all_keeps_what_was_signaled_before_it(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 5), make(c)};
	const uint64_t points[] = {5, 0};
	struct waiting w = {s, points, 2, .flags = SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL};

	start_waiting(&w);
	CHECK_OK(reset_one(s[0]));
	CHECK_OK(signal_one(s[1], 0));
	CHECK_OK(end_waiting(&w));
	drop(s, 2);
}

static void lower_signal_that_is_reset_wakes_nobody(struct conf *c)
{
	struct syncobj *s = make(c);
	const uint64_t point = 5;
	struct waiting w = {&s, &point, 1, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};

	start_waiting(&w);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(signal_one(s, 4));
		CHECK_OK(reset_one(s));
		sleep_ms(5);
		CHECK(!atomic_load(&w.done));
	}
	CHECK_OK(signal_one(s, 5));
	CHECK_OK(end_waiting(&w));
	syncobj_unref(s);
}

/* The first fences of two objects count, whatever comes in their places. */
static void snapshot(struct conf *c, uint32_t flags)
{
	struct syncobj *s[] = {make(c), make(c)};
	const uint64_t points[] = {5, 0};
	struct waiting w = {s, points, 2, .flags = flags};
	struct pending first[2], second[2];

	for (size_t i = 0; i < 2; i++) {
		pending_init(&first[i]);
		pending_init(&second[i]);
	}
	if (flags & SYNCOBJ_WAIT_FOR_SUBMIT)
		start_waiting(&w);
	for (size_t i = 0; i < 2; i++)
		pending_submit(&first[i], s[i], points[i]);
	if (!(flags & SYNCOBJ_WAIT_FOR_SUBMIT))
		start_waiting(&w);
	CHECK_OK(syncobj_reset(s, 2));
	for (size_t i = 0; i < 2; i++)
		pending_submit(&second[i], s[i], points[i]);
	pending_signal(&second[0], 1);
	CHECK_ERROR(poll_one(s[0], 5, 0), 0);
	if (flags & SYNCOBJ_WAIT_ALL)
		pending_signal(&first[0], 1);
	sleep_ms(10);
	CHECK(!atomic_load(&w.done));
	pending_signal(&first[1], 1);
	CHECK_OK(end_waiting(&w));
	if (!(flags & SYNCOBJ_WAIT_ALL))
		CHECK_EQ(w.first, 1);
	CHECK_ERROR(poll_one(s[1], 0, 0), -ETIME);
	for (size_t i = 0; i < 2; i++) {
		pending_end(&first[i]);
		pending_end(&second[i]);
	}
	drop(s, 2);
}

static void wait_any_keeps_the_fences_it_saw(struct conf *c)
{
	snapshot(c, 0);
}

static void wait_all_keeps_the_fences_it_saw(struct conf *c)
{
	snapshot(c, SYNCOBJ_WAIT_ALL);
}

static void wait_any_keeps_the_fences_submitted_first(struct conf *c)
{
	snapshot(c, SYNCOBJ_WAIT_FOR_SUBMIT);
}

static void wait_all_keeps_the_fences_submitted_first(struct conf *c)
{
	snapshot(c, SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL);
}

/* Eight objects begin in every state, and go through the others while a thread waits. */
static void complex_fences(struct conf *c, uint32_t flags)
{
	struct syncobj *s[8];
	uint64_t points[8];
	struct waiting w = {s, points, 8, .flags = SYNCOBJ_WAIT_FOR_SUBMIT | flags};
	struct pending pending[8], again[8];

	for (size_t i = 0; i < 8; i++) {
		points[i] = i % 2 ? i * 10 : 0;
		s[i] = make(c);
		pending_init(&pending[i]);
		pending_init(&again[i]);
	}
	for (size_t i = 0; i < 3; i++) /* submitted; the others are not */
		pending_submit(&pending[i], s[i], points[i]);
	CHECK_OK(signal_one(s[7], 71)); /* signalled and taken back */
	CHECK_OK(reset_one(s[7]));
	start_waiting(&w);
	for (size_t i = 3; i < 6; i++) /* submitted now */
		pending_submit(&pending[i], s[i], points[i]);
	CHECK_OK(syncobj_reset(s, 4)); /* seen, and replaced */
	for (size_t i = 0; i < 4; i++)
		pending_submit(&again[i], s[i], points[i]);
	for (size_t i = 0; i < 4; i++)
		pending_signal(&again[i], 1);
	CHECK_OK(signal_one(s[7], 69)); /* not so far */
	CHECK_OK(reset_one(s[7]));
	sleep_ms(10);
	CHECK(!atomic_load(&w.done));
	if (flags & SYNCOBJ_WAIT_ALL) {
		for (size_t i = 0; i < 6; i++)
			pending_signal(&pending[i], 1);
		CHECK_OK(signal_one(s[6], 0));
		CHECK_OK(syncobj_reset(s, 7));
		sleep_ms(10);
		CHECK(!atomic_load(&w.done));
		pending_submit(&pending[7], s[7], 75);
		pending_signal(&pending[7], 1);
		CHECK_OK(end_waiting(&w));
	} else {
		pending_signal(&pending[3], 1);
		CHECK_OK(end_waiting(&w));
		CHECK_EQ(w.first, 3);
	}
	for (size_t i = 0; i < 8; i++) {
		pending_end(&pending[i]);
		pending_end(&again[i]);
	}
	drop(s, 8);
}

static void wait_any_through_many_changes_of_fences(struct conf *c)
{
	complex_fences(c, 0);
}

static void wait_all_through_many_changes_of_fences(struct conf *c)
{
	complex_fences(c, SYNCOBJ_WAIT_ALL);
}

/* Eight objects go through every state while a thread waits. */
static void complex(struct conf *c, uint32_t flags)
{
	struct syncobj *s[8];
	uint64_t points[8];
	struct waiting w = {s, points, 8, .flags = SYNCOBJ_WAIT_FOR_SUBMIT | flags};

	for (size_t i = 0; i < 8; i++) {
		points[i] = i % 2 ? i * 10 : 0;
		s[i] = make(c);
	}
	CHECK_OK(signal_one(s[1], 3)); /* a timeline that has not come so far */
	CHECK_OK(signal_one(s[7], 70));
	CHECK_OK(syncobj_reset(s + 7, 1)); /* one that was there and is not */
	start_waiting(&w);
	CHECK_OK(syncobj_reset(s, 8));
	CHECK_OK(signal_one(s[3], 29));
	CHECK_OK(signal_one(s[5], 1));
	CHECK_OK(syncobj_reset(s + 3, 3));
	sleep_ms(10);
	CHECK(!atomic_load(&w.done));
	if (!(flags & SYNCOBJ_WAIT_ALL)) {
		CHECK_OK(signal_one(s[5], 50));
		CHECK_OK(end_waiting(&w));
		CHECK_EQ(w.first, 5);
		drop(s, 8);
		return;
	}
	for (size_t i = 0; i < 7; i++)
		CHECK_OK(signal_one(s[i], points[i]));
	sleep_ms(10);
	CHECK(!atomic_load(&w.done));
	CHECK_OK(syncobj_reset(s, 4)); /* they were seen */
	CHECK_OK(signal_one(s[2], 0));
	CHECK_OK(signal_one(s[7], 71));
	CHECK_OK(end_waiting(&w));
	drop(s, 8);
}

static void wait_any_through_many_changes(struct conf *c)
{
	complex(c, 0);
}

static void wait_all_through_many_changes(struct conf *c)
{
	complex(c, SYNCOBJ_WAIT_ALL);
}

static void wait_available_through_many_changes(struct conf *c)
{
	complex(c, SYNCOBJ_WAIT_AVAILABLE | SYNCOBJ_WAIT_ALL);
}

static void wait_outlives_other_references(struct conf *c)
{
	struct syncobj *mine = make(c), *theirs = again(c, mine);
	int fd = CHECK_OK(syncobj_export(mine));
	const uint64_t point = 5;
	struct waiting w = {&mine, &point, 1, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};

	syncobj_ref(mine); /* the thread's */
	start_waiting(&w);
	syncobj_unref(mine);
	close(fd);
	CHECK_OK(signal_one(theirs, 5));
	syncobj_unref(theirs);
	CHECK_OK(end_waiting(&w));
	syncobj_unref(mine);
}

static void wait_ends_in_time_when_nobody_else_has_the_object(struct conf *c)
{
	struct syncobj *mine = make(c), *theirs = again(c, mine);
	struct waiting w = {&mine, NULL, 1, now_ns() + 50000000, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};

	start_waiting(&w);
	syncobj_unref(theirs);
	CHECK_ERROR(end_waiting(&w), -ETIME);
	check_passed(w.timeout_nsec);
	syncobj_unref(mine);
}

/* ---- other processes ---------------------------------------------------- */

static void signal_both(struct conf *c, void *arg)
{
	struct syncobj **s = arg;

	sleep_ms(20);
	CHECK_OK(signal_one(s[0], 5));
	CHECK_OK(signal_one(s[1], 0));
}

static void child_signals_and_parent_waits(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	const uint64_t points[] = {5, 0};
	pid_t pid = run_child(c, signal_both, s);

	CHECK_ERROR(syncobj_wait(s, points, 2, now_ns() + LIMIT_NS,
				 SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL, 0, NULL),
		    0);
	check_child(pid);
	CHECK_EQ(query_one(s[0]), 5);
	drop(s, 2);
}

static void wait_both(struct conf *c, void *arg)
{
	const uint64_t points[] = {5, 0};

	CHECK_ERROR(syncobj_wait(arg, points, 2, now_ns() + LIMIT_NS,
				 SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL, 0, NULL),
		    0);
}

static void parent_signals_and_children_wait(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	pid_t pids[5];

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = run_child(c, wait_both, s);
	signal_both(c, s);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		check_child(pids[i]);
	drop(s, 2);
}

static void child_makes_objects_of_its_own(struct conf *c, void *arg)
{
	struct syncobj *s = make_at(c, 3);

	CHECK_EQ(query_one(s), 3);
	syncobj_unref(s);
	CHECK_OK(signal_one(arg, 8));
	syncobj_unref(arg);
	syncobj_device_unref(c->device);
}

static void child_drops_what_it_inherited(struct conf *c)
{
	struct syncobj *s = make_at(c, 7), *other;

	check_child(run_child(c, child_makes_objects_of_its_own, s));
	CHECK_EQ(query_one(s), 8);
	other = make_at(c, 2);
	CHECK_EQ(query_one(other), 2);
	CHECK_EQ(query_one(s), 8);
	syncobj_unref(other);
	syncobj_unref(s);
}

static void wait_then_die(struct conf *c, void *arg)
{
	struct syncobj *s = arg;

	syncobj_wait(&s, NULL, 1, FOREVER, SYNCOBJ_WAIT_FOR_SUBMIT, 0, NULL);
}

static void waiting_process_may_be_killed(struct conf *c)
{
	struct syncobj *s = make(c);

	for (int i = 0; i < 20; i++) {
		pid_t pid = run_child(c, wait_then_die, s);

		sleep_ms(i % 5);
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, NULL, 0), pid);
	}
	CHECK_OK(signal_one(s, 1));
	CHECK_EQ(query_one(s), 1);
	CHECK_ERROR(poll_one(s, 1, 0), 0);
	syncobj_unref(s);
}

/* ---- interrupted waits -------------------------------------------------- */

/* Signals rain on a thread, and after so many of them the objects are signalled. */
#define STORM_LEAST 20

struct storm {
	pthread_t target;
	struct syncobj **syncobjs; /* for signal_both(), or NULL */
	atomic_bool end;
	pthread_t thread;
};

static atomic_int interrupted;

static void count_signal(int number)
{
	atomic_fetch_add(&interrupted, 1);
}

static void *send_signals(void *arg)
{
	struct storm *storm = arg;
	bool signaled = !storm->syncobjs;

	while (!atomic_load(&storm->end)) {
		pthread_kill(storm->target, SIGUSR1);
		usleep(200);
		if (!signaled && atomic_load(&interrupted) >= STORM_LEAST) {
			CHECK_OK(signal_one(storm->syncobjs[0], 5));
			CHECK_OK(signal_one(storm->syncobjs[1], 0));
			signaled = true;
		}
	}
	return NULL;
}

/* Without SA_RESTART, so that every one of them interrupts. */
static void start_storm(struct storm *storm)
{
	const struct sigaction action = {.sa_handler = count_signal};

	sigaction(SIGUSR1, &action, NULL);
	storm->target = pthread_self();
	CHECK_EQ(pthread_create(&storm->thread, NULL, send_signals, storm), 0);
}

static void end_storm(struct storm *storm)
{
	atomic_store(&storm->end, true);
	pthread_join(storm->thread, NULL);
	CHECK(atomic_load(&interrupted) > 0);
}

static void signals_do_not_shorten_a_wait(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	struct storm storm = {0};

	start_storm(&storm);
	while (!atomic_load(&interrupted))
		sleep_ms(1);
	for (uint32_t flags = 0; flags < 2; flags++) {
		int64_t end = now_ns() + 100000000;

		CHECK_ERROR(syncobj_wait(s, NULL, 2, end, SYNCOBJ_WAIT_FOR_SUBMIT | flags, 0, NULL),
			    -ETIME);
		check_passed(end);
	}
	CHECK_ERROR(syncobj_wait_signaled(s[0], 3, 50000000), -ETIME);
	end_storm(&storm);
	drop(s, 2);
}

static void signals_do_not_break_a_wait(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	struct storm storm = {.syncobjs = s};

	start_storm(&storm);
	CHECK_ERROR(syncobj_wait(s, (const uint64_t[]){5, 0}, 2, FOREVER,
				 SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL, 0, NULL),
		    0);
	CHECK(atomic_load(&interrupted) >= STORM_LEAST);
	end_storm(&storm);
	drop(s, 2);
}

static void signals_do_not_break_a_transfer(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)}, *dst = make(c);
	struct storm storm = {.syncobjs = s};
	int r;

	start_storm(&storm);
	do {
		r = syncobj_transfer(dst, 9, s[0], 5, SYNCOBJ_WAIT_FOR_SUBMIT);
	} while (r == -ETIME); /* a very busy machine */
	CHECK_OK(r);
	CHECK(atomic_load(&interrupted) >= STORM_LEAST);
	CHECK_EQ(query_one(dst), 9);
	end_storm(&storm);
	drop(s, 2);
	syncobj_unref(dst);
}

const struct conf_case thread_cases[] = {
	CASE(wait_any_wakes_at_a_later_signal, 0),
	CASE(wait_all_wakes_after_the_last_signal, 0),
	CASE(wait_available_wakes_at_a_later_signal, 0),
	CASE(wait_available_wakes_at_submission, CONF_PENDING),
	CASE(plain_wait_wakes_when_the_fence_is_done, CONF_PENDING),
	CASE(wait_any_wakes_when_a_later_fence_is_done, CONF_PENDING),
	CASE(wait_all_wakes_when_all_later_fences_are_done, CONF_PENDING),
	CASE(wait_any_of_many_objects, 0),
	CASE(wait_all_of_many_objects, 0),
	CASE(wait_for_ever_wakes, 0),
	CASE(signal_binary_wakes, 0),
	CASE(transfer_wakes, 0),
	CASE(many_threads_wake_at_one_signal, 0),
	CASE(reset_during_wait_for_submit_changes_nothing, 0),
	CASE(wait_any_sees_a_signal_that_is_reset_at_once, 0),
	CASE(wait_all_keeps_a_signal_that_is_reset, 0),
	CASE(wait_all_keeps_what_was_signaled_before_it, 0),
	CASE(lower_signal_that_is_reset_wakes_nobody, 0),
	CASE(wait_any_keeps_the_fences_it_saw, CONF_PENDING),
	CASE(wait_all_keeps_the_fences_it_saw, CONF_PENDING),
	CASE(wait_any_keeps_the_fences_submitted_first, CONF_PENDING),
	CASE(wait_all_keeps_the_fences_submitted_first, CONF_PENDING),
	CASE(wait_any_through_many_changes_of_fences, CONF_PENDING),
	CASE(wait_all_through_many_changes_of_fences, CONF_PENDING),
	CASE(wait_any_through_many_changes, 0),
	CASE(wait_all_through_many_changes, 0),
	CASE(wait_available_through_many_changes, 0),
	CASE(wait_outlives_other_references, 0),
	CASE(wait_ends_in_time_when_nobody_else_has_the_object, 0),
	CASE(child_signals_and_parent_waits, 0),
	CASE(parent_signals_and_children_wait, 0),
	CASE(child_drops_what_it_inherited, 0),
	CASE(waiting_process_may_be_killed, 0),
	CASE(signals_do_not_shorten_a_wait, 0),
	CASE(signals_do_not_break_a_wait, 0),
	CASE(signals_do_not_break_a_transfer, 0),
	{NULL, NULL, 0, 0},
};
