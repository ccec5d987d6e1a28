/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that allocate and free buffers at random, each charged to one of many
 * cgroups: by a process in it, or by its directory. In the end the counters of all
 * of them are back at zero.
 */
#include <getopt.h>
#include <stdbool.h>

#include "fds.h"
#include "heap.h"
#include "random.h"
#include "tap.h"

#define CGROUP_COUNT 50
#define MAX_WORKERS 16
#define POOL 32 /* buffers that a worker has at a time */

static struct {
	struct cgroup path[CGROUP_COUNT];
	pid_t pid[CGROUP_COUNT]; /* 0 where the directory is named */
	int charge[CGROUP_COUNT];
} all;

static void make(const char *base)
{
	for (int i = 0; i < CGROUP_COUNT; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		all.path[i] = cgroup_child(base, name);
		if (i % 2) {
			all.charge[i] = cgroup_open(all.path[i].path);
			continue;
		}
		all.pid[i] = cgroup_spawn(all.path[i].path);
		all.charge[i] = pidfd_of(all.pid[i], 0);
		if (all.charge[i] == -1)
			die("pidfd");
	}
}

/* Mostly small ones. */
static uint64_t some_length(uint64_t *state)
{
	switch (random_below(state, 64)) {
	case 0:
		return MIB * (1 + random_below(state, 2));
	case 1 ... 8:
		return 4 * KIB * (1 + random_below(state, 80));
	default:
		return 4 * KIB * (1 + random_below(state, 8));
	}
}

static void work(unsigned long allocations, uint64_t state)
{
	const unsigned int before = count_fds();
	int heap = heap_open(), pool[POOL];

	if (heap == -1)
		die(heap_path());
	for (int i = 0; i < POOL; i++)
		pool[i] = -1;
	for (unsigned long done = 0; done < allocations; done++) {
		int *slot = &pool[random_below(&state, POOL)];

		if (*slot >= 0)
			close(*slot);
		*slot = heap_alloc(heap, some_length(&state),
				   all.charge[random_below(&state, CGROUP_COUNT)]);
		if (*slot < 0) {
			errno = -*slot;
			die("allocate");
		}
	}
	for (int i = 0; i < POOL; i++)
		if (pool[i] >= 0)
			close(pool[i]);
	close(heap);
	exit(count_fds() == before ? 0 : 3);
}

static bool run(unsigned int workers, unsigned long allocations, uint64_t seed)
{
	bool good = true;

	fflush(stdout);
	for (unsigned int i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		if (pid == 0)
			work(allocations / workers, random_seed(seed + i));
	}
	for (unsigned int i = 0; i < workers; i++) {
		int status;

		/* Those in the cgroups only end when they are killed. */
		if (wait(&status) == -1)
			die("wait");
		good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	return good;
}

/* Whether nothing is left, in how many cgroups. */
static int count_clean_statistics(void)
{
	int clean = 0;

	for (int i = 0; i < CGROUP_COUNT; i++)
		clean += cgroup_dmabuf_becomes(all.path[i].path, 0) == 0;
	return clean;
}

/* The same by memory.current, which shows nothing else where there was no process. */
static int count_clean_counters(void)
{
	int clean = 0;

	for (int i = 0; i < CGROUP_COUNT; i++) {
		if (all.pid[i])
			continue;
		clean += cgroup_current_drained(all.path[i].path, 0) == 0;
	}
	return clean;
}

static void clean_up(void)
{
	for (int i = 0; i < CGROUP_COUNT; i++) {
		if (all.pid[i])
			end_process(all.pid[i]);
		close(all.charge[i]);
		cgroup_remove(all.path[i].path);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"allocations", required_argument, NULL, 'a'},
		{"workers", required_argument, NULL, 'w'},
		{"seed", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	const struct cgroup base = cgroup_base(), self = cgroup_at(base.path, "self");
	unsigned long allocations = 100000;
	unsigned int workers = 4;
	uint64_t seed = 1;
	int option;
	bool good;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'a')
			allocations = strtoul(optarg, NULL, 0);
		else if (option == 'w')
			workers = (unsigned int)strtoul(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (workers < 1 || workers > MAX_WORKERS) {
		fprintf(stderr, "dma-heap-stress: 1 to %d workers\n", MAX_WORKERS);
		return 2;
	}
	make(base.path);
	printf("1..5\n");
	good = result(run(workers, allocations, seed), "all allocations succeed");
	good &= result(count_clean_statistics() == CGROUP_COUNT,
		       "memory.stat of all cgroups is back at zero");
	good &= result(count_clean_counters() == CGROUP_COUNT / 2,
		       "memory.current of the cgroups without a process is back at zero");
	good &= result(cgroup_dmabuf_becomes(base.path, 0) == 0,
		       "so is memory.stat of their parent");
	good &= result(cgroup_dmabuf(self.path) == 0, "the allocators are not charged");
	clean_up();
	return !good;
}
