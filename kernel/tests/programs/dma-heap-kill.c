/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Charges processes that are killed meanwhile, at random points: each buffer is
 * charged to the process or refused, and never charged to the caller.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "fds.h"
#include "heap.h"
#include "random.h"
#include "tap.h"

#define MOST 256 /* buffers of a round */
#define SIZE (4 * KIB)

struct killer {
	pthread_t thread;
	int pidfd;
	unsigned int spins;
	atomic_bool go;
};

static void spin(unsigned int times)
{
	for (volatile unsigned int i = 0; i < times; i++)
		;
}

/* Mostly short. */
static unsigned int some_spins(uint64_t *state)
{
	return random_below(state, (1U << random_below(state, 20)) + 1);
}

static void *run_killer(void *data)
{
	struct killer *killer = data;

	while (!atomic_load(&killer->go))
		;
	spin(killer->spins);
	syscall(SYS_pidfd_send_signal, killer->pidfd, SIGKILL, NULL, 0);
	return NULL;
}

/* Return: the number of buffers, or a negative errno that should not be. */
static int charge_until_it_is_gone(int heap, int pidfd, int fds[MOST])
{
	int n = 0;

	for (;;) {
		int fd = heap_alloc(heap, SIZE, pidfd);

		if (fd == -ESRCH)
			return n;
		if (fd < 0)
			return fd;
		/* If it takes long to be killed, only the last buffers are kept. */
		if (n == MOST)
			close(fds[--n]);
		fds[n++] = fd;
	}
}

/* Return: the number of buffers, or -1. The last one, closest to the end of the process, stays. */
static int one_round(int heap, const char *client, uint64_t *state, int *last)
{
	pid_t pid = cgroup_spawn(client);
	struct killer killer = {.pidfd = pidfd_of(pid, 0)};
	int fds[MOST], n;

	killer.spins = some_spins(state);
	if (pthread_create(&killer.thread, NULL, run_killer, &killer))
		die("pthread_create");
	atomic_store(&killer.go, true);
	spin(some_spins(state));
	n = charge_until_it_is_gone(heap, killer.pidfd, fds);
	pthread_join(killer.thread, NULL);
	waitpid(pid, NULL, 0);
	close(killer.pidfd);
	if (n < 0) {
		printf("# a charge fails with %s\n", strerror(-n));
		return -1;
	}
	for (int i = 0; i < n - 1; i++)
		close(fds[i]);
	*last = n ? fds[n - 1] : -1;
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"seed", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	const struct cgroup base = cgroup_base(), self = cgroup_at(base.path, "self");
	const struct cgroup client = cgroup_child(base.path, "client");
	struct rlimit files;
	unsigned int rounds = 1000, before, n_kept = 0, done = 0;
	uint64_t state = random_seed(1);
	unsigned long buffers = 0;
	int heap, option, *kept;
	bool good = true;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			rounds = (unsigned int)strtoul(optarg, NULL, 0);
		else if (option == 's')
			state = random_seed(strtoull(optarg, NULL, 0));
		else
			return 2;
	}
	heap = heap_open();
	if (heap == -1)
		die(heap_path());
	kept = calloc(rounds, sizeof(*kept));
	if (!kept || getrlimit(RLIMIT_NOFILE, &files))
		die("rounds");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("setrlimit");
	before = count_fds();
	for (; done < rounds; done++) {
		int r = one_round(heap, client.path, &state, &kept[n_kept]);

		if (r < 0)
			break;
		buffers += (unsigned long)r;
		n_kept += r > 0;
	}
	printf("# in %u of %u rounds there were buffers before the process was gone, %lu in all\n",
	       n_kept, rounds, buffers);
	printf("1..5\n");
	good &= result(done == rounds, "a charge succeeds or fails with ESRCH");
	/* Else the points in time were not that random. */
	good &= result(n_kept && n_kept < rounds, "processes are killed before and after a charge");
	good &= result(cgroup_dmabuf_becomes(client.path, (int64_t)(n_kept * SIZE)) ==
				       (int64_t)(n_kept * SIZE) &&
			       cgroup_dmabuf(self.path) == 0,
		       "the processes are charged, the caller is not");
	for (unsigned int i = 0; i < n_kept; i++)
		close(kept[i]);
	free(kept);
	good &= result(cgroup_dmabuf_becomes(base.path, 0) == 0, "no charge is left");
	good &= result(count_fds() == before, "no file descriptor is left");
	cgroup_remove(client.path);
	return !good;
}
