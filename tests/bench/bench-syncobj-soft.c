/* SPDX-License-Identifier: MIT */
/*
 * Times the soft backend between two processes and, interleaved with it in the
 * same run, a bare futex ping-pong and one over a pair of eventfds; and waits for
 * any of many objects, and by poll() for any of as many eventfds. Prints a JSON
 * object with the nanoseconds of each kind, or the number of futex system calls;
 * syncobj.py makes ratios of them.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <syncobj.h>

#include "common.h"
#include "interleave.h"

#define MOST 4096
#define OTHER_FDS 64 /* at most, beside two for each of these */

enum way { FUTEXES, SYNCOBJS, EVENTFDS };

struct shared {
	struct pair pair;
	_Alignas(128) _Atomic enum way way;

	/* What the other process is to signal, and when it did. */
	_Alignas(128) _Atomic uint32_t which; /* plus 1 */
	_Atomic uint64_t order;               /* the object's point, or 0 for the eventfd */
	_Atomic uint64_t signaled_ns;

	_Alignas(128) _Atomic uint64_t futex_calls;
};

struct bench {
	struct shared *shared;
	struct syncobj *there, *back;
	uint64_t point;
	int there_fd, back_fd;

	struct syncobj *many[MOST];
	uint64_t points[MOST];
	uint64_t turn;
	struct pollfd eventfds[MOST];
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-syncobj-soft: %s: %s\n", what, syncobj_strerror(error));
	return 1;
}

/* ---- ping-pong ---------------------------------------------------------- */

static int pass(int fd)
{
	return eventfd_write(fd, 1) == -1 ? -errno : 0;
}

static int take(int fd)
{
	eventfd_t value;

	return eventfd_read(fd, &value) == -1 ? -errno : 0;
}

static int ask(struct bench *bench, enum way way)
{
	int r = 0;

	switch (way) {
	case FUTEXES:
		ping_pong(&bench->shared->pair);
		break;
	case SYNCOBJS:
		bench->point++;
		r = syncobj_signal(&bench->there, &bench->point, 1);
		if (r == 0)
			r = syncobj_wait_signaled(bench->back, bench->point, -1);
		break;
	case EVENTFDS:
		r = pass(bench->there_fd);
		if (r == 0)
			r = take(bench->back_fd);
		break;
	}
	return r;
}

static int wait_for_question(struct bench *bench, enum way way)
{
	switch (way) {
	case FUTEXES:
		wait_for_ping(&bench->shared->pair);
		return 0;
	case SYNCOBJS:
		bench->point++;
		return syncobj_wait_signaled(bench->there, bench->point, -1);
	case EVENTFDS:
		return take(bench->there_fd);
	}
	return -EINVAL;
}

static int answer(struct bench *bench, enum way way)
{
	switch (way) {
	case FUTEXES:
		answer_ping(&bench->shared->pair);
		return 0;
	case SYNCOBJS:
		return syncobj_signal(&bench->back, &bench->point, 1);
	case EVENTFDS:
		return pass(bench->back_fd);
	}
	return -EINVAL;
}

/* One process for all ways: so the scheduler puts the two of each on the same cores. */
static void answer_all(void *data)
{
	struct bench *bench = data;
	enum way way = FUTEXES, next;

	for (;;) {
		if (wait_for_question(bench, way) < 0)
			return;
		next = atomic_load(&bench->shared->way);
		if (answer(bench, way) < 0)
			return;
		way = next;
	}
}

/* A new way begins with the question after next, so the old one has one more. */
static int play(struct bench *bench, enum way way)
{
	enum way old = atomic_exchange(&bench->shared->way, way);
	int r = old == way ? 0 : ask(bench, old);

	return r < 0 ? r : ask(bench, way);
}

static int play_futexes(void *data)
{
	return play(data, FUTEXES);
}

static int play_syncobjs(void *data)
{
	return play(data, SYNCOBJS);
}

static int play_eventfds(void *data)
{
	return play(data, EVENTFDS);
}

static const struct kind ping_pongs[] = {
	{"ping_pong", play_futexes, CALLS},
	{"syncobj", play_syncobjs, CALLS},
	{"eventfd", play_eventfds, CALLS},
};

/* ---- any of many -------------------------------------------------------- */

static int wait_any(struct bench *bench, size_t count, size_t expected)
{
	size_t first;
	int r;

	for (size_t i = 0; i < count; i++)
		bench->points[i] = bench->turn;
	r = syncobj_wait(bench->many, bench->points, count, INT64_MAX, SYNCOBJ_WAIT_FOR_SUBMIT, 0,
			 &first);
	return r == 0 && first != expected ? -EIO : r;
}

static int poll_any(struct bench *bench, size_t count, size_t expected)
{
	if (poll(bench->eventfds, count, -1) == -1)
		return -errno;
	return bench->eventfds[expected].revents ? take(bench->eventfds[expected].fd) : -EIO;
}

/* The last one is signalled already. */
static int any_ready(struct bench *bench, size_t count)
{
	int r;

	bench->turn++;
	r = syncobj_signal(&bench->many[count - 1], &bench->turn, 1);
	return r < 0 ? r : wait_any(bench, count, count - 1);
}

static int poll_ready(struct bench *bench, size_t count)
{
	int r = pass(bench->eventfds[count - 1].fd);

	return r < 0 ? r : poll_any(bench, count, count - 1);
}

static void answer_orders(void *data)
{
	const struct bench *bench = data;
	struct shared *shared = bench->shared;

	for (;;) {
		/* The other one is asleep by then, and at no fixed place of its own rhythm. */
		const struct timespec later = {.tv_nsec = 200000 + random() % 1000000};
		uint64_t point;
		uint32_t which;
		int r;

		futex_wait(&shared->which, 0);
		which = atomic_load(&shared->which) - 1;
		point = atomic_load(&shared->order);
		atomic_store(&shared->which, 0);
		nanosleep(&later, NULL);
		atomic_store(&shared->signaled_ns, now_ns());
		r = point ? syncobj_signal(&bench->many[which], &point, 1)
			  : pass(bench->eventfds[which].fd);
		if (r < 0)
			return;
	}
}

/* Return: one of @count, which the other process signals while we sleep. */
static size_t order(struct bench *bench, size_t count, uint64_t point)
{
	size_t which = (size_t)random() % count;

	atomic_store(&bench->shared->order, point);
	futex_post(&bench->shared->which, (uint32_t)which + 1);
	return which;
}

static int since_signal(const struct bench *bench)
{
	return (int)(now_ns() - atomic_load(&bench->shared->signaled_ns));
}

/* Return: how long it took to wake. */
static int any_signaled(struct bench *bench, size_t count)
{
	int r;

	bench->turn++;
	r = wait_any(bench, count, order(bench, count, bench->turn));
	return r < 0 ? r : since_signal(bench);
}

static int poll_signaled(struct bench *bench, size_t count)
{
	int r = poll_any(bench, count, order(bench, count, 0));

	return r < 0 ? r : since_signal(bench);
}

#define KIND(function, count)                     \
	static int function##_##count(void *data) \
	{                                         \
		return function(data, count);     \
	}

#define KINDS(count)              \
	KIND(any_ready, count)    \
	KIND(poll_ready, count)   \
	KIND(any_signaled, count) \
	KIND(poll_signaled, count)

KINDS(1)
KINDS(16)
KINDS(256)
KINDS(4096)

/* Where the waiter sleeps, and where a call is long, batches are short. */
static const struct kind waits[] = {
	{"any_ready_1", any_ready_1, CALLS},
	{"any_ready_16", any_ready_16, CALLS},
	{"any_ready_256", any_ready_256, CALLS},
	{"any_ready_4096", any_ready_4096, CALLS / 5},
	{"poll_ready_1", poll_ready_1, CALLS},
	{"poll_ready_16", poll_ready_16, CALLS},
	{"poll_ready_256", poll_ready_256, CALLS},
	{"poll_ready_4096", poll_ready_4096, CALLS / 5},
	{"any_signaled_1", any_signaled_1, CALLS / 5},
	{"any_signaled_16", any_signaled_16, CALLS / 5},
	{"any_signaled_256", any_signaled_256, CALLS / 5},
	{"any_signaled_4096", any_signaled_4096, CALLS / 5},
	{"poll_signaled_1", poll_signaled_1, CALLS / 5},
	{"poll_signaled_16", poll_signaled_16, CALLS / 5},
	{"poll_signaled_256", poll_signaled_256, CALLS / 5},
	{"poll_signaled_4096", poll_signaled_4096, CALLS / 5},
};

/* ---- system calls ------------------------------------------------------- */

/* Those of both processes are counted here, or nowhere. */
static _Atomic uint64_t *futex_calls;

long syscall(long number, ...) __attribute__((visibility("default")));

/* In front of the C library's. */
long syscall(long number, ...)
{
	static long (*next)(long number, ...);
	long args[6];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	if (futex_calls && (number == SYS_futex || number == SYS_futex_waitv))
		atomic_fetch_add(futex_calls, 1);
	return next(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static int count_futex_calls(struct bench *bench, int rounds)
{
	printf("{");
	for (size_t k = 0; k < 2; k++) {
		uint64_t before;
		int r = ping_pongs[k].run(bench); /* and not the way there */

		before = atomic_load(futex_calls);
		for (int i = 0; i < rounds && r == 0; i++)
			r = ping_pongs[k].run(bench);
		if (r < 0)
			return fail(ping_pongs[k].name, r);
		printf("%s\"%s\": %.2f", k ? ", " : "", ping_pongs[k].name,
		       (double)(atomic_load(futex_calls) - before) / rounds);
	}
	printf("}\n");
	return 0;
}

/* ---- the program -------------------------------------------------------- */

/* Two file descriptors for each are more than the usual limit. */
static int raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return -errno;
	if (limit.rlim_max < 2 * MOST + OTHER_FDS)
		return -EMFILE;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) == -1 ? -errno : 0;
}

static int create_many(struct bench *bench, struct syncobj_device *device)
{
	int r = 0;

	for (size_t i = 0; i < MOST && r == 0; i++) {
		r = syncobj_create(device, 0, &bench->many[i]);
		bench->eventfds[i] =
			(struct pollfd){.fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN};
		if (r == 0 && bench->eventfds[i].fd == -1)
			r = -errno;
	}
	return r;
}

static int set_up(struct bench *bench, struct syncobj_device *device, bool many)
{
	int r;

	bench->shared = shared_memory(sizeof(*bench->shared));
	bench->there_fd = eventfd(0, EFD_CLOEXEC);
	bench->back_fd = eventfd(0, EFD_CLOEXEC);
	if (!bench->shared || bench->there_fd == -1 || bench->back_fd == -1)
		return -errno;
	r = syncobj_create(device, 0, &bench->there);
	if (r == 0)
		r = syncobj_create(device, 0, &bench->back);
	return r == 0 && many ? create_many(bench, device) : r;
}

static void clean_up(struct bench *bench)
{
	syncobj_unref(bench->there);
	syncobj_unref(bench->back);
	close(bench->there_fd);
	close(bench->back_fd);
	for (size_t i = 0; i < MOST; i++) {
		if (bench->many[i])
			close(bench->eventfds[i].fd);
		syncobj_unref(bench->many[i]);
	}
}

int main(int argc, char **argv)
{
	static struct bench bench;
	struct syncobj_device *device;
	pid_t partner;
	int r, rounds = argc > 2 ? atoi(argv[2]) : ROUNDS;
	bool any = argc > 1 && !strcmp(argv[1], "any");
	bool futexes = argc > 1 && !strcmp(argv[1], "futexes");

	if (!any && !futexes && (argc < 2 || strcmp(argv[1], "ping-pong") != 0)) {
		fprintf(stderr, "Usage: bench-syncobj-soft ping-pong|any|futexes [ROUNDS]\n");
		return 2;
	}
	if (any && raise_limit() < 0) {
		fprintf(stderr,
			"bench-syncobj-soft: %d file descriptors are needed, more than the "
			"hard limit (ulimit -Hn)\n",
			2 * MOST + OTHER_FDS);
		return 77;
	}
	r = syncobj_device_open("soft", &device);
	if (r < 0)
		return fail("soft", r);
	r = set_up(&bench, device, any);
	if (r < 0)
		return fail("objects and eventfds", r);
	if (futexes)
		futex_calls = &bench.shared->futex_calls;
	partner = start_partner(any ? answer_orders : answer_all, &bench);
	if (partner == -1)
		return fail("fork", -errno);

	if (futexes)
		r = count_futex_calls(&bench, rounds);
	else if (any)
		r = run_interleaved(waits, ARRAY_SIZE(waits), &bench, rounds);
	else
		r = run_interleaved(ping_pongs, ARRAY_SIZE(ping_pongs), &bench, rounds);
	end_partner(partner);
	clean_up(&bench);
	syncobj_device_unref(device);
	return r;
}
