/* SPDX-License-Identifier: MIT */
/* Cases: many threads of several processes work on the same thousand objects. */
#include <sys/resource.h>

#include "conformance.h"

#define PROCESSES 4
#define THREADS 16
#define ALL (PROCESSES * THREADS)
#define OBJECTS 1000
#define ROUNDS 40

struct crowd {
	struct conf c;
	struct syncobj *syncobjs[OBJECTS];
	size_t count; /* of objects in the ring; the last ALL are the threads' own */
};

struct member {
	struct crowd *crowd;
	unsigned int number;
	pthread_t thread;
};

/* Where member @number signals in @round. Points of an object grow with the rounds. */
static struct syncobj *place(const struct crowd *crowd, unsigned int round, unsigned int number)
{
	return crowd->syncobjs[((size_t)round * ALL + number % ALL) % crowd->count];
}

/* Signal and reset an object that nobody else uses: what one does, one sees. */
static void use_own(struct member *m, unsigned int round)
{
	struct syncobj *own = m->crowd->syncobjs[m->crowd->count + m->number];

	CHECK_OK(signal_one(own, round + 1));
	CHECK_EQ(query_one(own), round + 1);
	CHECK_ERROR(poll_one(own, round + 1, 0), 0);
	CHECK_OK(reset_one(own));
	CHECK_ERROR(poll_one(own, 0, 0), -EINVAL);
}

static void wait_by_waiter(struct syncobj *syncobj, uint64_t point)
{
	struct syncobj_waiter *waiter;

	CHECK_OK(syncobj_waiter_new(syncobj, point, 0, &waiter));
	await_readable(syncobj_waiter_fd(waiter));
	CHECK_ERROR(syncobj_waiter_result(waiter), 0);
	syncobj_waiter_free(waiter);
}

/* Every round it signals for the others and waits for three of them: a wake-up that is lost ends
 * as a time-out. Signalling comes first, so nobody can wait in a circle. */
static void *take_part(void *arg)
{
	struct member *m = arg;
	const bool eventfds = m->crowd->c.features & SYNCOBJ_FEATURE_EVENTFD;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		const uint64_t point = round + 1;
		struct syncobj *s[] = {
			place(m->crowd, round, m->number + 1),
			place(m->crowd, round, m->number + THREADS),
			place(m->crowd, round, m->number + 37),
		};
		const uint64_t points[] = {point, point, point};
		uint32_t flags = SYNCOBJ_WAIT_FOR_SUBMIT | (round % 3 ? SYNCOBJ_WAIT_ALL : 0);

		CHECK_OK(signal_one(place(m->crowd, round, m->number), point));
		if (eventfds && (round + m->number) % 16 == 0)
			wait_by_waiter(s[0], point);
		CHECK_ERROR(syncobj_wait(s, points, 3, now_ns() + 2 * LIMIT_NS, flags, 0, NULL), 0);
		if (flags & SYNCOBJ_WAIT_ALL)
			CHECK(query_one(s[1]) >= point);
		use_own(m, round);
	}
	return NULL;
}

static void run_process(struct conf *c, void *arg)
{
	struct crowd *inherited = arg, crowd = *inherited;
	struct member members[THREADS];
	int fds = count_fds();

	crowd.c = c->variant % 2 ? open_second() : open_device(conf_device);
	for (size_t i = 0; i < crowd.count + ALL; i++)
		crowd.syncobjs[i] = again(&crowd.c, inherited->syncobjs[i]);
	for (unsigned int i = 0; i < THREADS; i++) {
		members[i] = (struct member){&crowd, c->variant * THREADS + i, 0};
		CHECK_EQ(pthread_create(&members[i].thread, NULL, take_part, &members[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(members[i].thread, NULL);
	drop(crowd.syncobjs, crowd.count + ALL);
	syncobj_device_unref(crowd.c.device);
	CHECK_EQ(count_fds(), fds);
}

static void crowd_loses_no_wake_up(struct conf *c)
{
	struct crowd crowd = {.c = *c};
	size_t objects = OBJECTS;
	struct rlimit limit;
	pid_t pids[PROCESSES];
	uint64_t point;

	/* A process has every object twice, and some descriptors of other kinds. */
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 2 * OBJECTS + 200)
		objects = (limit.rlim_cur - 200) / 2;
	CHECK(objects > 2 * ALL);
	crowd.count = objects - ALL;
	for (size_t i = 0; i < objects; i++)
		crowd.syncobjs[i] = make(c);
	for (unsigned int i = 0; i < PROCESSES; i++) {
		c->variant = i;
		pids[i] = run_child(c, run_process, &crowd);
	}
	for (unsigned int i = 0; i < PROCESSES; i++)
		check_child(pids[i]);
	for (unsigned int number = 0; number < ALL; number++) {
		point = query_one(place(&crowd, ROUNDS - 1, number));
		CHECK_EQ(point, ROUNDS);
	}
	drop(crowd.syncobjs, objects);
}

struct pong {
	struct syncobj *ping, *pong;
};

#define EXCHANGES 200

static void answer(struct conf *c, void *arg)
{
	struct pong *p = arg;

	for (uint64_t point = 1; point <= EXCHANGES; point++) {
		CHECK_ERROR(syncobj_wait_signaled(p->ping, point, LIMIT_NS), 0);
		CHECK_OK(signal_one(p->pong, point));
	}
}

static void ping_pong_between_processes(struct conf *c)
{
	struct pong p = {make(c), make(c)};
	pid_t pid = run_child(c, answer, &p);

	for (uint64_t point = 1; point <= EXCHANGES; point++) {
		CHECK_OK(signal_one(p.ping, point));
		CHECK_ERROR(syncobj_wait_signaled(p.pong, point, LIMIT_NS), 0);
	}
	check_child(pid);
	syncobj_unref(p.ping);
	syncobj_unref(p.pong);
}

const struct conf_case stress_cases[] = {
	CASE(ping_pong_between_processes, 0),
	CASE(crowd_loses_no_wake_up, CONF_SHARED),
	{NULL, NULL, 0, 0},
};
