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

static void wait_keeps_the_fence_it_saw(struct conf *c)
{
	struct syncobj *s = make(c);
	struct waiting w = {&s, NULL, 1, .flags = 0};
	struct pending first, second;

	pending_init(&first);
	pending_init(&second);
	pending_submit(&first, s, 0);
	start_waiting(&w);
	CHECK_OK(reset_one(s));
	pending_submit(&second, s, 0);
	pending_signal(&first, 1);
	CHECK_OK(end_waiting(&w));
	CHECK_ERROR(poll_one(s, 0, 0), -ETIME);
	pending_end(&first);
	pending_end(&second);
	syncobj_unref(s);
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
	CHECK(now_ns() >= w.timeout_nsec);
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

struct storm {
	pthread_t target;
	atomic_bool end;
};

static void do_nothing(int number)
{
}

static void *send_signals(void *arg)
{
	struct storm *storm = arg;

	while (!atomic_load(&storm->end)) {
		pthread_kill(storm->target, SIGUSR1);
		usleep(200);
	}
	return NULL;
}

/* Without SA_RESTART, so that every one of them interrupts. */
static void start_storm(struct storm *storm, pthread_t *thread)
{
	const struct sigaction action = {.sa_handler = do_nothing};

	sigaction(SIGUSR1, &action, NULL);
	storm->target = pthread_self();
	CHECK_EQ(pthread_create(thread, NULL, send_signals, storm), 0);
}

static void signals_do_not_shorten_a_wait(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	struct storm storm = {0};
	pthread_t thread;

	start_storm(&storm, &thread);
	for (uint32_t flags = 0; flags < 2; flags++) {
		int64_t end = now_ns() + 100000000;

		CHECK_ERROR(syncobj_wait(s, NULL, 2, end, SYNCOBJ_WAIT_FOR_SUBMIT | flags, 0, NULL),
			    -ETIME);
		CHECK(now_ns() >= end);
	}
	CHECK_ERROR(syncobj_wait_signaled(s[0], 3, 50000000), -ETIME);
	atomic_store(&storm.end, true);
	pthread_join(thread, NULL);
	drop(s, 2);
}

static void signals_do_not_break_a_wait(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	struct storm storm = {0};
	pthread_t thread;
	pid_t pid;

	start_storm(&storm, &thread);
	pid = run_child(c, signal_both, s);
	CHECK_ERROR(syncobj_wait(s, (const uint64_t[]){5, 0}, 2, FOREVER,
				 SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL, 0, NULL),
		    0);
	atomic_store(&storm.end, true);
	pthread_join(thread, NULL);
	check_child(pid);
	drop(s, 2);
}

static void signals_do_not_break_a_transfer(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)}, *dst = make(c);
	struct storm storm = {0};
	pthread_t thread;
	pid_t pid;
	int r;

	start_storm(&storm, &thread);
	pid = run_child(c, signal_both, s);
	do {
		r = syncobj_transfer(dst, 9, s[0], 5, SYNCOBJ_WAIT_FOR_SUBMIT);
	} while (r == -ETIME); /* a very busy machine */
	CHECK_OK(r);
	CHECK_EQ(query_one(dst), 9);
	atomic_store(&storm.end, true);
	pthread_join(thread, NULL);
	check_child(pid);
	drop(s, 2);
	syncobj_unref(dst);
}

const struct conf_case thread_cases[] = {
	CASE(wait_any_wakes_at_a_later_signal, 0),
	CASE(wait_all_wakes_after_the_last_signal, 0),
	CASE(wait_available_wakes_at_a_later_signal, 0),
	CASE(wait_available_wakes_at_submission, CONF_PENDING),
	CASE(plain_wait_wakes_when_the_fence_is_done, CONF_PENDING),
	CASE(wait_for_ever_wakes, 0),
	CASE(signal_binary_wakes, 0),
	CASE(transfer_wakes, 0),
	CASE(many_threads_wake_at_one_signal, 0),
	CASE(reset_during_wait_for_submit_changes_nothing, 0),
	CASE(wait_any_sees_a_signal_that_is_reset_at_once, 0),
	CASE(wait_all_keeps_a_signal_that_is_reset, 0),
	CASE(wait_all_keeps_what_was_signaled_before_it, 0),
	CASE(lower_signal_that_is_reset_wakes_nobody, 0),
	CASE(wait_keeps_the_fence_it_saw, CONF_PENDING),
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
