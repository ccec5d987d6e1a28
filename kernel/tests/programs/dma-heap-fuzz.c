/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls the ioctl of a dma-heap with random and mutated arguments, from several
 * threads, while processes and cgroups that it names come and go. What it looks
 * for are reports of the kernel, and descriptors and charges that are left.
 */
#include <pthread.h>

#include "fds.h"
#include "fuzz.h"
#include "heap.h"
#include "tap.h"

#define POOL 32    /* buffers */
#define TARGETS 12 /* descriptors of processes and cgroups */
#define MAX_THREADS 8
#define MOST_LENGTH (256 * KIB)

union args {
	struct heap_alloc alloc;
	unsigned char bytes[64];
};

static struct {
	struct cgroup base, fixed; /* the second is there all the time */
	int heap, null;
	atomic_int buffers[POOL];
	/* What may be charged. Threads race for these. */
	atomic_int targets[TARGETS];
	atomic_ulong good, bad, charged;
	atomic_uint cgroups;
	pid_t pid; /* a process that is there all the time */
	bool fail; /* of the options */
} fuzz;

struct worker {
	pthread_t thread;
	uint64_t state;
	unsigned long calls;
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
	pool_put(&pool[below(w, size)], fd);
}

/* A process that ends at once or when it is killed, by its parent's end at the latest. */
static void replace_process(struct worker *w)
{
	bool is_short = one_in(w, 2);
	pid_t pid = fork();

	if (pid == 0) {
		cgroup_write(fuzz.fixed.path, "cgroup.procs", "0");
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
		replace(w, fuzz.targets, TARGETS,
			open(fuzz.fixed.path, O_PATH | O_DIRECTORY | O_CLOEXEC));
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

static void *work(void *data)
{
	struct worker *w = data;
	int faults = fuzz.fail ? faults_open("make-it-fail") : -1;

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
				faults_set(faults, 1);
			one_call(w);
			if (fuzz.fail)
				faults_set(faults, 0);
		}
	}
	if (fuzz.fail)
		close(faults);
	return NULL;
}

/* What is left when all is closed: nothing, anywhere. */
static bool judge_charges(void)
{
	bool ok = cgroup_dmabuf_becomes(fuzz.base.path, 0) == 0;

	/* Charges that raced with a removal may have left something in a CPU's stock. */
	cgroup_write(fuzz.base.path, "memory.high", "0");
	cgroup_write(fuzz.base.path, "memory.high", "max");
	ok &= cgroup_dying_drained(fuzz.base.path) == 0;
	ok &= cgroup_dmabuf_becomes(fuzz.fixed.path, 0) == 0;
	cgroup_remove(fuzz.fixed.path);
	return result(ok, "no charge and no removed cgroup is left");
}

static int run(const struct fuzz_options *o)
{
	static struct worker workers[MAX_THREADS];
	const unsigned int before = count_fds();
	bool good;

	fuzz.pid = cgroup_spawn(fuzz.fixed.path);
	fuzz.heap = heap_open();
	fuzz.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fuzz.heap == -1 || fuzz.null == -1)
		die(heap_path());
	for (int i = 0; i < POOL; i++)
		fuzz.buffers[i] = -1;
	for (int i = 0; i < TARGETS; i++)
		fuzz.targets[i] = -1;
	for (unsigned int i = 0; i < o->threads; i++) {
		workers[i].state = random_seed(o->seed + i);
		workers[i].calls = o->calls / o->threads;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("pthread_create");
	}
	for (unsigned int i = 0; i < o->threads; i++)
		pthread_join(workers[i].thread, NULL);
	end_process(fuzz.pid);
	pool_close(fuzz.buffers, POOL);
	pool_close(fuzz.targets, TARGETS);
	close(fuzz.null);
	close(fuzz.heap);
	printf("# seed %llu, %lu calls: %lu succeeded, %lu of them charged, %lu failed\n",
	       (unsigned long long)o->seed, o->calls, fuzz.good, fuzz.charged, fuzz.bad);
	printf("1..3\n");
	/* A fuzzer whose calls are all refused proves nothing. */
	good = result(fuzz.charged && fuzz.bad, "calls succeed and fail");
	good &= result(count_fds() == before, "no file descriptor is left");
	good &= judge_charges();
	return !good;
}

/* ---- every allocation fails once ---------------------------------------- */

/*
 * Allocate with the first allocation or copy failing, then the second, until none
 * is left. Return: how many there were, or -1.
 */
static int fail_each(int faults, uint64_t len, int target)
{
	for (unsigned int n = 1; n < 1000; n++) {
		const unsigned int before = count_fds();
		bool unreached;
		int r;

		faults_set(faults, n);
		r = heap_alloc(fuzz.heap, len, target);
		unreached = faults_end_nth(faults);
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
	static const char *const names[] = {"nobody", "itself", "a cgroup"};
	int faults = faults_open("fail-nth"), targets[3];
	bool good = true;

	fuzz.heap = heap_open();
	if (fuzz.heap == -1)
		die(heap_path());
	targets[0] = 0;
	targets[1] = SELF_PROCESS;
	targets[2] = cgroup_open(fuzz.fixed.path);
	printf("1..10\n");
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 3; j++) {
			int n = fail_each(faults, lengths[i], targets[j]);

			good &= result(n > 0, "%u KiB for %s: %d faults",
				       (unsigned int)(lengths[i] / KIB), names[j], n);
		}
	}
	close(targets[2]);
	close(faults);
	close(fuzz.heap);
	good &= judge_charges();
	return !good;
}

int main(int argc, char **argv)
{
	struct fuzz_options options = {
		.seed = (uint64_t)time(NULL),
		.calls = 10000,
		.threads = 2,
	};

	if (!fuzz_parse(argc, argv, MAX_THREADS, &options))
		return 2;
	fuzz.fail = options.fail;
	fuzz.base = cgroup_base();
	fuzz.fixed = cgroup_child(fuzz.base.path, "fixed");
	/* So little that some charges do not fit. */
	if (cgroup_write(fuzz.fixed.path, "memory.max", "2M"))
		die(fuzz.fixed.path);
	return options.fail_nth ? fail_nth() : run(&options);
}
