/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls the ioctls of /dev/syncobj with random and mutated arguments, from
 * several threads that share and close each other's descriptors. What it looks
 * for are reports of the kernel, and descriptors and memory that are left.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "fds.h"
#include "fuzz.h"
#include "node.h"
#include "tap.h"

#define POOL 32
#define ARRAY 64
#define MAX_THREADS 8
/* Room for what the largest call that is taken reads and writes. */
#define ARENA_POINTS (UINT64_C(1) << 20)
#define ARENA (UINT64_C(2) << 20)
#define N_REQUESTS 9

static const unsigned long requests[N_REQUESTS] = {
	SYNCOBJ_IOC_CREATE,
	SYNCOBJ_IOC_WAIT,
	SYNCOBJ_IOC_RESET,
	SYNCOBJ_IOC_SIGNAL,
	SYNCOBJ_IOC_QUERY,
	SYNCOBJ_IOC_TRANSFER,
	SYNCOBJ_IOC_EVENTFD,
	SYNCOBJ_IOC_EXPORT_SYNC_FILE,
	SYNCOBJ_IOC_IMPORT_SYNC_FILE,
};

static const char *const names[N_REQUESTS] = {
	"create", "wait", "reset", "signal", "query", "transfer", "eventfd", "export", "import",
};

union args {
	struct syncobj_create_args create;
	struct syncobj_wait_args wait;
	struct syncobj_array_args array;
	struct syncobj_transfer_args transfer;
	struct syncobj_eventfd_args eventfd;
	struct syncobj_sync_file_args sync_file;
	unsigned char bytes[64];
};

static struct {
	int node;
	int timeline;
	/* Objects, sync_files and eventfds, at fixed places. Threads race for them. */
	atomic_int objects[POOL], sync_files[POOL], eventfds[POOL];
	atomic_ulong good[N_REQUESTS], bad[N_REQUESTS];
	atomic_uint fences;
	bool fail; /* of the options */
} fuzz;

struct worker {
	pthread_t thread;
	uint64_t state; /* of the random numbers */
	unsigned long calls;
	/* Of an arena in which a query may write anywhere; then nothing for as long. */
	int32_t *fds;
	uint64_t *points;
};

static uint64_t next(struct worker *w)
{
	return random_next(&w->state);
}

static uint32_t below(struct worker *w, uint32_t n)
{
	return random_below(&w->state, n);
}

static bool one_in(struct worker *w, uint32_t n)
{
	return below(w, n) == 0;
}

static int some_fd(struct worker *w)
{
	switch (below(w, 40)) {
	case 0:
		return atomic_load(&fuzz.sync_files[below(w, POOL)]);
	case 1:
		return atomic_load(&fuzz.eventfds[below(w, POOL)]);
	case 2:
		return fuzz.node;
	case 3:
		return (int)next(w);
	case 4:
		return -1;
	default:
		return atomic_load(&fuzz.objects[below(w, POOL)]);
	}
}

static uint64_t some_point(struct worker *w)
{
	static const uint64_t interesting[] = {
		0,
		1,
		2,
		UINT64_C(0x7fffffff),
		UINT64_C(0x80000000),
		UINT64_C(0xffffffff),
		UINT64_C(0x100000000),
		INT64_MAX,
		UINT64_MAX - 1,
		UINT64_MAX,
	};

	return one_in(w, 8) ? interesting[below(w, 10)] : below(w, 50);
}

static uint64_t some_address(struct worker *w, const void *good)
{
	switch (below(w, 30)) {
	case 0:
		return 0;
	case 1:
		return next(w);
	case 2:
		return address(w->fds) + ARENA - 4 * below(w, 8);
	case 3:
		return UINT64_C(0xffff888000000000) + below(w, 1 << 30);
	default:
		return address(good);
	}
}

static uint32_t some_count(struct worker *w)
{
	static const uint32_t interesting[] = {0, 9, ARRAY, 65536, 65537, 1U << 31, UINT32_MAX};

	return one_in(w, 16) ? interesting[below(w, 7)] : 1 + below(w, 8);
}

static int64_t some_time(struct worker *w)
{
	switch (below(w, 12)) {
	case 0:
		return (int64_t)next(w);
	case 1:
		return INT64_MAX; /* a timer interrupts */
	case 2:
		return now_nsec() + below(w, 300000);
	default:
		return 0;
	}
}

static void fill_arrays(struct worker *w)
{
	for (int i = 0; i < ARRAY; i++) {
		w->fds[i] = some_fd(w);
		w->points[i] = some_point(w);
	}
}

/* Not over this program's own data, and nothing that a signal has to end where there is none. */
static void contain(struct worker *w, unsigned int which, union args *args)
{
	uint64_t points = args->array.points;

	if (requests[which] == SYNCOBJ_IOC_QUERY && points - address(w->fds) >= ARENA && points &&
	    points < UINT64_C(1) << 63)
		args->array.points = address(w->points);
	if (requests[which] == SYNCOBJ_IOC_WAIT && fuzz.fail &&
	    args->wait.timeout_nsec > now_nsec() + 300000)
		args->wait.timeout_nsec = now_nsec() + 300000;
	if (requests[which] == SYNCOBJ_IOC_TRANSFER && fuzz.fail)
		args->transfer.flags &= ~SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
}

static void fill(struct worker *w, unsigned int which, union args *args)
{
	memset(args, 0, sizeof(*args));
	switch (requests[which]) {
	case SYNCOBJ_IOC_CREATE:
		args->create.flags = below(w, 2);
		break;
	case SYNCOBJ_IOC_WAIT:
		fill_arrays(w);
		args->wait.fds = some_address(w, w->fds);
		args->wait.points = one_in(w, 4) ? 0 : some_address(w, w->points);
		args->wait.timeout_nsec = some_time(w);
		args->wait.count = some_count(w);
		args->wait.flags = below(w, 16);
		args->wait.deadline_nsec = (uint64_t)some_time(w);
		break;
	case SYNCOBJ_IOC_RESET:
	case SYNCOBJ_IOC_SIGNAL:
	case SYNCOBJ_IOC_QUERY:
		fill_arrays(w);
		args->array.fds = some_address(w, w->fds);
		if (requests[which] != SYNCOBJ_IOC_RESET)
			args->array.points = some_address(w, w->points);
		args->array.count = some_count(w);
		if (requests[which] == SYNCOBJ_IOC_QUERY)
			args->array.flags = below(w, 2);
		break;
	case SYNCOBJ_IOC_TRANSFER:
		args->transfer.src_fd = some_fd(w);
		args->transfer.dst_fd = some_fd(w);
		args->transfer.src_point = some_point(w);
		args->transfer.dst_point = some_point(w);
		/* It waits for 5 seconds, or until the timer interrupts. */
		args->transfer.flags = one_in(w, 32) ? SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT : 0;
		break;
	case SYNCOBJ_IOC_EVENTFD:
		args->eventfd.syncobj_fd = some_fd(w);
		args->eventfd.eventfd = atomic_load(&fuzz.eventfds[below(w, POOL)]);
		args->eventfd.point = some_point(w);
		args->eventfd.flags = one_in(w, 2) ? SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE : 0;
		break;
	default:
		args->sync_file.syncobj_fd = some_fd(w);
		args->sync_file.sync_file_fd = atomic_load(&fuzz.sync_files[below(w, POOL)]);
		args->sync_file.point = some_point(w);
	}
	while (one_in(w, 10))
		args->bytes[below(w, (uint32_t)_IOC_SIZE(requests[which]))] ^= 1U << below(w, 8);
	contain(w, which, args);
}

static void replace(struct worker *w, atomic_int *pool, int fd)
{
	pool_put(&pool[below(w, POOL)], fd);
}

static void collect(struct worker *w, unsigned int which, const union args *args)
{
	if (requests[which] == SYNCOBJ_IOC_CREATE)
		replace(w, fuzz.objects, args->create.fd);
	else if (requests[which] == SYNCOBJ_IOC_EXPORT_SYNC_FILE)
		replace(w, fuzz.sync_files, args->sync_file.sync_file_fd);
}

/* What else happens to objects. */
static void stir(struct worker *w)
{
	int fd;

	switch (below(w, 6)) {
	case 0:
		replace(w, fuzz.eventfds, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		break;
	case 1:
		fd = sw_sync_fence(fuzz.timeline, atomic_fetch_add(&fuzz.fences, 1) + 1);
		if (fd >= 0)
			replace(w, fuzz.sync_files, fd);
		break;
	case 2:
		fd = dup(atomic_load(&fuzz.objects[below(w, POOL)]));
		if (fd >= 0)
			replace(w, fuzz.objects, fd);
		break;
	default:
		sw_sync_advance(fuzz.timeline, 1);
	}
}

static void one_call(struct worker *w)
{
	unsigned int which = below(w, N_REQUESTS);
	union args args;
	int r;

	if (one_in(w, 8))
		stir(w);
	fill(w, which, &args);
	r = call(fuzz.node, requests[which], &args);
	atomic_fetch_add(r == 0 ? &fuzz.good[which] : &fuzz.bad[which], 1);
	if (r == 0)
		collect(w, which, &args);
}

static void on_timer(int number)
{
}

/*
 * Interrupts this thread every few milliseconds. Not where copies to user space fail, for
 * then the kernel cannot deliver a signal.
 */
static timer_t start_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	const struct itimerspec often = {{0, 2000000}, {0, 2000000}};
	timer_t timer;

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &often, NULL)) {
		perror("timer");
		exit(2);
	}
	return timer;
}

static void *work(void *data)
{
	struct worker *w = data;
	int faults = fuzz.fail ? faults_open("make-it-fail") : -1;
	timer_t timer = NULL;

	if (fuzz.fail)
		faults_set(faults, 1);
	else
		timer = start_timer();
	for (unsigned long i = 0; i < w->calls; i++)
		one_call(w);
	if (fuzz.fail) {
		faults_set(faults, 0);
		close(faults);
	} else {
		timer_delete(timer);
	}
	return NULL;
}

static int make_arena(struct worker *w)
{
	char *arena = mmap(NULL, 2 * ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (arena == MAP_FAILED || mprotect(arena, ARENA, PROT_READ | PROT_WRITE)) {
		perror("arena");
		return -1;
	}
	w->fds = (int32_t *)arena;
	w->points = (uint64_t *)(arena + ARENA_POINTS);
	return 0;
}

static int run(const struct fuzz_options *o)
{
	static struct worker workers[MAX_THREADS];
	unsigned int before = count_fds(), after;
	bool good = true;

	fuzz.node = open(node_path(), O_RDWR | O_CLOEXEC);
	fuzz.timeline = sw_sync_open();
	if (fuzz.node == -1 || fuzz.timeline == -1) {
		perror(node_path());
		return 2;
	}
	/* The file system of this program is not what shall fail. */
	if (fuzz.fail && mlockall(MCL_CURRENT | MCL_FUTURE)) {
		perror("mlockall");
		return 2;
	}
	for (int i = 0; i < POOL; i++) {
		fuzz.objects[i] = node_create(fuzz.node, 0);
		fuzz.eventfds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fuzz.sync_files[i] = -1;
	}
	for (unsigned int i = 0; i < o->threads; i++) {
		workers[i].state = random_seed(o->seed + i);
		workers[i].calls = o->calls / o->threads;
		if (make_arena(&workers[i]))
			return 2;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 2;
	}
	for (unsigned int i = 0; i < o->threads; i++)
		pthread_join(workers[i].thread, NULL);
	pool_close(fuzz.objects, POOL);
	pool_close(fuzz.sync_files, POOL);
	pool_close(fuzz.eventfds, POOL);
	close(fuzz.timeline);
	close(fuzz.node);
	after = count_fds();

	printf("# seed %llu, %lu calls\n", (unsigned long long)o->seed, o->calls);
	printf("1..%d\n", N_REQUESTS + 1);
	/* A fuzzer whose calls are all refused proves nothing. */
	for (int i = 0; i < N_REQUESTS; i++)
		good &= result(fuzz.good[i] && fuzz.bad[i], "%s: %lu succeeded, %lu failed",
			       names[i], fuzz.good[i], fuzz.bad[i]);
	good &= result(before == after, "file descriptors: %u before, %u after", before, after);
	return !good;
}

/* ---- every allocation fails once ---------------------------------------- */

/*
 * Call with good arguments, with the first allocation or copy failing, then the
 * second, until none is left. Return: how many there were, or -1.
 */
static int fail_each(unsigned int which, int faults, int object, int sync_file, int event)
{
	int32_t fds[20];
	uint64_t points[20];
	unsigned int n;

	for (int i = 0; i < 20; i++) {
		fds[i] = object;
		points[i] = 1;
	}
	for (n = 1; n < 1000; n++) {
		union args args = {0};
		unsigned int before = count_fds();
		bool unreached;
		int r;

		switch (requests[which]) {
		case SYNCOBJ_IOC_CREATE:
			args.create.flags = SYNCOBJ_CREATE_SIGNALED;
			break;
		case SYNCOBJ_IOC_WAIT:
			args.wait.fds = address(fds);
			args.wait.points = address(points);
			args.wait.count = 20; /* too many for the stack */
			break;
		case SYNCOBJ_IOC_RESET:
			args.array.fds = address(fds);
			args.array.count = 20;
			break;
		case SYNCOBJ_IOC_SIGNAL:
		case SYNCOBJ_IOC_QUERY:
			args.array.fds = address(fds);
			args.array.points = address(points);
			args.array.count = 20;
			break;
		case SYNCOBJ_IOC_TRANSFER:
			args.transfer.src_fd = args.transfer.dst_fd = object;
			args.transfer.dst_point = 2;
			break;
		case SYNCOBJ_IOC_EVENTFD:
			args.eventfd.syncobj_fd = object;
			args.eventfd.eventfd = event;
			args.eventfd.point = UINT64_MAX;
			break;
		default:
			args.sync_file.syncobj_fd = object;
			args.sync_file.sync_file_fd = sync_file;
			args.sync_file.point = requests[which] == SYNCOBJ_IOC_IMPORT_SYNC_FILE;
		}
		faults_set(faults, n);
		r = call(fuzz.node, requests[which], &args);
		unreached = faults_end_nth(faults);
		if (r == 0 && requests[which] == SYNCOBJ_IOC_CREATE)
			close(args.create.fd);
		if (r == 0 && requests[which] == SYNCOBJ_IOC_EXPORT_SYNC_FILE)
			close(args.sync_file.sync_file_fd);
		if (count_fds() != before) {
			printf("# fault %u: %u descriptors before, %u after\n", n, before,
			       count_fds());
			return -1;
		}
		if (r != 0 && r != -ENOMEM && r != -EFAULT && r != -ENFILE && r != -EMFILE) {
			printf("# fault %u: %s\n", n, strerror(-r));
			return -1;
		}
		if (unreached)
			return r == 0 ? (int)n - 1 : -1;
		/* What was reset is needed again, and what was signalled makes a long chain. */
		node_reset(fuzz.node, object);
		node_signal(fuzz.node, object, 1);
	}
	return -1;
}

static int fail_nth(void)
{
	int faults, object, sync_file, event;
	bool good = true;

	fuzz.node = open(node_path(), O_RDWR | O_CLOEXEC);
	if (fuzz.node == -1) {
		perror(node_path());
		return 2;
	}
	faults = faults_open("fail-nth");
	object = node_create(fuzz.node, 0);
	node_signal(fuzz.node, object, 1);
	sync_file = node_export(fuzz.node, object, 1);
	event = eventfd(0, EFD_CLOEXEC);
	printf("1..%d\n", N_REQUESTS);
	for (unsigned int i = 0; i < N_REQUESTS; i++) {
		int n = fail_each(i, faults, object, sync_file, event);

		/* All of them at least copy their arguments. */
		good &= result(n > 0, "%s: %d faults", names[i], n);
	}
	close(event);
	close(sync_file);
	close(object);
	close(faults);
	close(fuzz.node);
	return !good;
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = on_timer}; /* without SA_RESTART */
	struct fuzz_options options = {
		.seed = (uint64_t)time(NULL),
		.calls = 10000,
		.threads = 2,
	};

	if (!fuzz_parse(argc, argv, MAX_THREADS, &options))
		return 2;
	fuzz.fail = options.fail;
	sigaction(SIGUSR1, &action, NULL);
	return options.fail_nth ? fail_nth() : run(&options);
}
