/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls the ioctl of a dma-heap with random and mutated arguments, from several
 * threads, while processes and cgroups that it names come and go. What it looks
 * for are reports of the kernel, and descriptors and charges that are left.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fds.h"
#include "heap.h"

#define POOL 32    /* buffers */
#define TARGETS 12 /* descriptors of processes and cgroups */
#define MAX_THREADS 8
#define MOST_LENGTH (256 * KIB)

union args {
	struct heap_alloc alloc;
	unsigned char bytes[64];
};

static struct {
	struct cgroup base;
	int heap, null;
	atomic_int buffers[POOL];
	/* What may be charged. Threads race for these. */
	atomic_int targets[TARGETS];
	atomic_ulong good, bad, charged;
	atomic_uint cgroups;
	pid_t pid; /* a process that is there all the time */
	bool fail; /* let allocations fail, as failslab is set up */
} fuzz;

struct worker {
	pthread_t thread;
	uint64_t state;
	unsigned long calls;
	int faults_fd; /* /proc/thread-self/make-it-fail, with --fail */
};

static uint32_t below(struct worker *w, uint32_t n)
{
	return random_below(&w->state, n);
}

static bool one_in(struct worker *w, uint32_t n)
{
	return below(w, n) == 0;
}

static void replace(struct worker *w, atomic_int *pool, unsigned int size, int fd)
{
	int old = atomic_exchange(&pool[below(w, size)], fd);

	if (old >= 0)
		close(old);
}

/* A process that ends at once or when it is killed, by its parent's end at the latest. */
static void replace_process(struct worker *w)
{
	bool is_short = one_in(w, 2);
	char path[160];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/fixed/cgroup.procs", fuzz.base.path);
	pid = fork();
	if (pid == 0) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd >= 0)
			(void)!write(fd, "0", 1);
		syscall(SYS_close_range, 0, ~0U, 0);
		while (!is_short)
			pause();
		_exit(0);
	}
	if (pid == -1)
		return;
	replace(w, fuzz.targets, TARGETS, pidfd_of(pid, 0));
	if (!is_short && one_in(w, 2))
		usleep(100);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
}

/* A cgroup that is removed while it may be charged. */
static void replace_cgroup(struct worker *w)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%u", fuzz.base.path, atomic_fetch_add(&fuzz.cgroups, 1));
	if (mkdir(path, 0755))
		return;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		int buffer = heap_alloc(fuzz.heap, 4 * KIB, fd);

		if (buffer >= 0)
			replace(w, fuzz.buffers, POOL, buffer);
		replace(w, fuzz.targets, TARGETS, fd);
	}
	while (rmdir(path) && errno == ENOMEM)
		;
}

static void replace_fixed(struct worker *w)
{
	char path[160];

	switch (below(w, 4)) {
	case 0:
		replace(w, fuzz.targets, TARGETS, pidfd_of(getpid(), 0));
		break;
	case 1:
		replace(w, fuzz.targets, TARGETS, pidfd_of(fuzz.pid, 0));
		break;
	case 2:
		replace(w, fuzz.targets, TARGETS, pidfd_of(gettid(), O_EXCL /* PIDFD_THREAD */));
		break;
	default:
		snprintf(path, sizeof(path), "%s/fixed", fuzz.base.path);
		replace(w, fuzz.targets, TARGETS, open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	}
}

static uint64_t some_length(struct worker *w)
{
	static const uint64_t interesting[] = {
		0,
		1,
		4095,
		4096,
		4097,
		UINT64_C(1) << 43,
		UINT64_C(1) << 44,
		UINT64_C(1) << 62,
		UINT64_MAX - 4095,
		UINT64_MAX,
	};

	return one_in(w, 16) ? interesting[below(w, 10)] : 1 + below(w, MOST_LENGTH);
}

static uint32_t some_target(struct worker *w)
{
	switch (below(w, 16)) {
	case 0:
		return 0;
	case 1:
		return (uint32_t)SELF_PROCESS;
	case 2:
		return (uint32_t)fuzz.null;
	case 3:
		return (uint32_t)random_next(&w->state);
	case 4:
		return (uint32_t)atomic_load(&fuzz.buffers[below(w, POOL)]);
	default:
		return (uint32_t)atomic_load(&fuzz.targets[below(w, TARGETS)]);
	}
}

/*
 * Without a charge the kernel takes all memory there is for a long buffer. With one it must not
 * depend on the descriptor being of something that is charged, as threads race for these.
 */
static void contain(union args *args, size_t size)
{
	struct heap_alloc *alloc = &args->alloc;

	if (alloc->len <= MOST_LENGTH || alloc->len > UINT64_MAX - 4095)
		return;
	if (size < sizeof(*alloc) || !alloc->charge_pid_fd || alloc->len < UINT64_C(1) << 43)
		alloc->len %= MOST_LENGTH;
	else
		alloc->charge_pid_fd = (uint32_t)SELF_PROCESS;
}

static void one_call(struct worker *w)
{
	static const unsigned char sizes[] = {16, 24, 28, 32, 32, 32, 32, 40, 64};
	size_t size = sizes[below(w, sizeof(sizes))];
	union args args = {0};

	args.alloc.len = some_length(w);
	args.alloc.fd_flags = O_CLOEXEC | below(w, 3);
	args.alloc.charge_pid_fd = some_target(w);
	while (one_in(w, 10))
		args.bytes[below(w, sizeof(args))] ^= (unsigned char)(1U << below(w, 8));
	contain(&args, size);
	if (ioctl(fuzz.heap, _IOC(_IOC_READ | _IOC_WRITE, 'H', 0, size), &args) == -1) {
		atomic_fetch_add(&fuzz.bad, 1);
		return;
	}
	atomic_fetch_add(&fuzz.good, 1);
	if (size >= 28 && args.alloc.charge_pid_fd)
		atomic_fetch_add(&fuzz.charged, 1);
	replace(w, fuzz.buffers, POOL, (int)args.alloc.fd);
}

static void let_fail(struct worker *w, bool on)
{
	while (write(w->faults_fd, on ? "1" : "0", 1) != 1)
		;
}

static void *work(void *data)
{
	struct worker *w = data;

	w->faults_fd =
		fuzz.fail ? open("/proc/thread-self/make-it-fail", O_WRONLY | O_CLOEXEC) : -1;
	if (fuzz.fail && w->faults_fd == -1)
		die("make-it-fail");
	for (unsigned long i = 0; i < w->calls; i++) {
		switch (below(w, 200)) {
		case 0:
			/*
			 * Not where allocations fail: a page that is shared after a fork() is
			 * copied when the kernel writes to it, too, and that has to work.
			 */
			if (!fuzz.fail)
				replace_process(w);
			break;
		case 1:
			replace_cgroup(w);
			break;
		case 2 ... 5:
			replace_fixed(w);
			break;
		default:
			/* Only the call: what surrounds it need not cope with failures. */
			if (fuzz.fail)
				let_fail(w, true);
			one_call(w);
			if (fuzz.fail)
				let_fail(w, false);
		}
	}
	if (w->faults_fd >= 0)
		close(w->faults_fd);
	return NULL;
}

static void close_pool(atomic_int *pool, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		if (atomic_load(&pool[i]) >= 0)
			close(atomic_load(&pool[i]));
}

static bool result(int number, bool ok, const char *what)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", number, what);
	return ok;
}

/* What is left when all is closed: nothing, anywhere. */
static bool judge_charges(int number)
{
	bool ok = cgroup_dmabuf_becomes(fuzz.base.path, 0) == 0;
	char path[160];

	/* Charges that raced with a removal may have left something in a CPU's stock. */
	cgroup_write(fuzz.base.path, "memory.high", "0");
	cgroup_write(fuzz.base.path, "memory.high", "max");
	ok &= cgroup_dying_drained(fuzz.base.path) == 0;
	snprintf(path, sizeof(path), "%s/fixed", fuzz.base.path);
	ok &= cgroup_dmabuf_becomes(path, 0) == 0;
	cgroup_remove(path);
	return result(number, ok, "no charge and no removed cgroup is left");
}

static int run(uint64_t seed, unsigned long calls, unsigned int threads)
{
	static struct worker workers[MAX_THREADS];
	const unsigned int before = count_fds();
	char fixed[160];
	bool good;

	snprintf(fixed, sizeof(fixed), "%s/fixed", fuzz.base.path);
	fuzz.pid = cgroup_spawn(fixed);
	fuzz.heap = heap_open();
	fuzz.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fuzz.heap == -1 || fuzz.null == -1)
		die(heap_path());
	for (int i = 0; i < POOL; i++)
		fuzz.buffers[i] = -1;
	for (int i = 0; i < TARGETS; i++)
		fuzz.targets[i] = -1;
	for (unsigned int i = 0; i < threads; i++) {
		workers[i].state = random_seed(seed + i);
		workers[i].calls = calls / threads;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("pthread_create");
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	end_process(fuzz.pid);
	close_pool(fuzz.buffers, POOL);
	close_pool(fuzz.targets, TARGETS);
	close(fuzz.null);
	close(fuzz.heap);
	printf("# seed %llu, %lu calls: %lu succeeded, %lu of them charged, %lu failed\n",
	       (unsigned long long)seed, calls, fuzz.good, fuzz.charged, fuzz.bad);
	printf("1..3\n");
	/* A fuzzer whose calls are all refused proves nothing. */
	good = result(1, fuzz.charged && fuzz.bad, "calls succeed and fail");
	good &= result(2, count_fds() == before, "no file descriptor is left");
	good &= judge_charges(3);
	return !good;
}

/* ---- every allocation fails once ---------------------------------------- */

/* /proc/thread-self/fail-nth, open all the time: to open it may fail, too. */
static int faults_fd;

static void set_fail_nth(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(faults_fd, text, (size_t)length, 0) != length)
		die("fail-nth");
}

/* Whether the fault that was asked for was not reached. It may hit these calls then. */
static bool clear_fail_nth(void)
{
	char text[16] = "";
	bool unreached = pread(faults_fd, text, sizeof(text) - 1, 0) <= 0 || atoi(text) != 0;

	while (pwrite(faults_fd, "0", 1, 0) != 1)
		;
	return unreached;
}

/*
 * Allocate with the first allocation or copy failing, then the second, until none
 * is left. Return: how many there were, or -1.
 */
static int fail_each(uint64_t len, int target)
{
	for (unsigned int n = 1; n < 1000; n++) {
		const unsigned int before = count_fds();
		bool unreached;
		int r;

		set_fail_nth(n);
		r = heap_alloc(fuzz.heap, len, target);
		unreached = clear_fail_nth();
		if (r >= 0)
			close(r);
		if (count_fds() != before) {
			printf("# fault %u: %u descriptors before, %u after\n", n, before,
			       count_fds());
			return -1;
		}
		if (r < 0 && r != -ENOMEM && r != -EFAULT && r != -ENFILE && r != -EMFILE) {
			printf("# fault %u: %s\n", n, strerror(-r));
			return -1;
		}
		if (unreached)
			return r >= 0 ? (int)n - 1 : -1;
	}
	return -1;
}

static int fail_nth(void)
{
	static const uint64_t lengths[] = {4 * KIB, 64 * KIB, MIB + 4 * KIB};
	char path[160];
	int targets[3], number = 0;
	bool good = true;

	fuzz.heap = heap_open();
	faults_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fuzz.heap == -1 || faults_fd == -1)
		die("fail-nth");
	snprintf(path, sizeof(path), "%s/fixed", fuzz.base.path);
	targets[0] = 0;
	targets[1] = SELF_PROCESS;
	targets[2] = cgroup_open(path);
	printf("1..10\n");
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 3; j++) {
			int faults = fail_each(lengths[i], targets[j]);
			char what[64];

			snprintf(what, sizeof(what), "%u KiB for %s: %d faults",
				 (unsigned int)(lengths[i] / KIB),
				 j == 0   ? "nobody"
				 : j == 1 ? "itself"
					  : "a cgroup",
				 faults);
			good &= result(++number, faults > 0, what);
		}
	}
	close(targets[2]);
	close(faults_fd);
	close(fuzz.heap);
	good &= judge_charges(++number);
	return !good;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"calls", required_argument, NULL, 'c'},   {"seed", required_argument, NULL, 's'},
		{"threads", required_argument, NULL, 't'}, {"fail", no_argument, NULL, 'f'},
		{"fail-nth", no_argument, NULL, 'n'},      {NULL, 0, NULL, 0},
	};
	unsigned long calls = 10000;
	unsigned int threads = 2;
	uint64_t seed = (uint64_t)time(NULL);
	struct cgroup fixed;
	bool nth = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			calls = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			threads = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'f':
			fuzz.fail = true;
			break;
		case 'n':
			nth = true;
			break;
		default:
			return 2;
		}
	}
	if (threads < 1 || threads > MAX_THREADS) {
		fprintf(stderr, "dma-heap-fuzz: 1 to %d threads\n", MAX_THREADS);
		return 2;
	}
	fuzz.base = cgroup_base();
	fixed = cgroup_child(fuzz.base.path, "fixed");
	/* So little that some charges do not fit. */
	if (cgroup_write(fixed.path, "memory.max", "2M"))
		die(fixed.path);
	return nth ? fail_nth() : run(seed, calls, threads);
}
