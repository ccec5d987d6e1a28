/* SPDX-License-Identifier: MIT */
/* Generated cases: every combination of wait flags, states of points, kinds and timeouts. */
#include "conformance.h"

#define STATES 3U
enum state { UNSUBMITTED, SUBMITTED, SIGNALED };

enum timeout { TIMEOUT_ZERO, TIMEOUT_PAST, TIMEOUT_SHORT, TIMEOUT_FOREVER, TIMEOUTS };

#define POINT 5
#define SHORT_NS 20000000

/* A case, packed into the variant's number: */
struct wait_case {
	bool timeline, many;
	unsigned int states; /* bit mask of enum state */
	uint32_t flags;
	enum timeout timeout;
};

static struct wait_case unpack(unsigned int v)
{
	return (struct wait_case){
		.timeline = v & 1,
		.many = v >> 1 & 1,
		.states = v >> 2 & 7,
		.flags = v >> 5 & 7,
		.timeout = v >> 8 & 3,
	};
}

static bool is_ready(enum state state, uint32_t flags)
{
	return state == SIGNALED || (state == SUBMITTED && (flags & SYNCOBJ_WAIT_AVAILABLE));
}

static int wanted_result(const struct wait_case *t)
{
	bool any = false, all = true;

	if ((t->states & 1U << UNSUBMITTED) &&
	    !(t->flags & (SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_AVAILABLE)))
		return -EINVAL;
	for (unsigned int state = 0; state < STATES; state++) {
		if (!(t->states & 1U << state))
			continue;
		any |= is_ready(state, t->flags);
		all &= is_ready(state, t->flags);
	}
	return (t->flags & SYNCOBJ_WAIT_ALL ? all : any) ? 0 : -ETIME;
}

static int64_t absolute(enum timeout timeout)
{
	switch (timeout) {
	case TIMEOUT_PAST:
		return now_ns() - 1000000;
	case TIMEOUT_SHORT:
		return now_ns() + SHORT_NS;
	case TIMEOUT_FOREVER:
		return INT64_MAX;
	default:
		return 0;
	}
}

static void run_wait(struct conf *c)
{
	const struct wait_case t = unpack(c->variant);
	struct syncobj *syncobjs[5];
	uint64_t points[ARRAY_SIZE(syncobjs)];
	enum state states[ARRAY_SIZE(syncobjs)];
	size_t n = t.many ? ARRAY_SIZE(syncobjs) : 1, first = 77;
	struct pending pending = {.timeline = -1};
	unsigned int state = UNSUBMITTED;
	int64_t timeout;
	int r;

	if (t.states & 1U << SUBMITTED)
		pending_init(&pending);
	for (size_t i = 0; i < n; i++) {
		while (!(t.states & 1U << state))
			state = (state + 1) % STATES;
		states[i] = state;
		state = (state + 1) % STATES;
		/* With many, timelines and binary objects are mixed. */
		points[i] = t.timeline && i != 3 ? POINT : 0;
		syncobjs[i] = make(c);
		if (points[i]) /* a timeline that began before: the point lies ahead of it */
			CHECK_OK(signal_one(syncobjs[i], POINT - 2));
		if (states[i] == SIGNALED)
			CHECK_OK(signal_one(syncobjs[i], points[i]));
		else if (states[i] == SUBMITTED)
			pending_submit(&pending, syncobjs[i], points[i]);
	}
	timeout = absolute(t.timeout);
	r = syncobj_wait(syncobjs, t.timeline ? points : NULL, n, timeout, t.flags, 0, &first);
	CHECK_ERROR(r, wanted_result(&t));
	if (r < 0)
		CHECK_EQ(first, 77);
	else if (!(t.flags & SYNCOBJ_WAIT_ALL))
		CHECK(first < n && is_ready(states[first], t.flags));
	if (r == -ETIME)
		check_passed(timeout);
	if (pending.timeline >= 0)
		pending_end(&pending);
	drop(syncobjs, n);
}

static void add(struct conf_case *test, unsigned int variant)
{
	static const char *const timeouts[] = {"zero", "past", "short", "forever"};
	const struct wait_case t = unpack(variant);
	char *name;

	CHECK(asprintf(&name, "wait_%s_%s_%s%s%s%s_%s%s%s_%s", t.timeline ? "timeline" : "binary",
		       t.many ? "many" : "single", t.flags & SYNCOBJ_WAIT_ALL ? "all" : "any",
		       t.states & 1U << UNSUBMITTED ? "_unsubmitted" : "",
		       t.states & 1U << SUBMITTED ? "_submitted" : "",
		       t.states & 1U << SIGNALED ? "_signaled" : "",
		       t.flags & (SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_AVAILABLE) ? "" : "plain",
		       t.flags & SYNCOBJ_WAIT_FOR_SUBMIT ? "for_submit" : "",
		       (t.flags & SYNCOBJ_WAIT_AVAILABLE) == 0    ? ""
		       : (t.flags & SYNCOBJ_WAIT_FOR_SUBMIT) == 0 ? "available"
								  : "_available",
		       timeouts[t.timeout]) > 0);
	*test = (struct conf_case){name, run_wait, t.states & 1U << SUBMITTED ? CONF_PENDING : 0,
				   variant};
}

const struct conf_case *matrix_cases(void)
{
	static struct conf_case cases[1025];
	size_t n = 0;

	for (unsigned int v = 0; v < 1024; v++) {
		const struct wait_case t = unpack(v);
		bool one_state = !(t.states & (t.states - 1));

		if (!t.states || (!t.many && !one_state))
			continue;
		if (t.timeout == TIMEOUT_FOREVER && wanted_result(&t) == -ETIME)
			continue;
		add(&cases[n++], v);
	}
	return cases;
}
