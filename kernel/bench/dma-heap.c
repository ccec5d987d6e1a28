/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prices an allocation and its end: charged to nobody, to a process, to a cgroup, and
 * by a helper process in the cgroup that passes the buffer back, as it takes without
 * charges. Side by side in one run. Under QEMU's -icount the clock counts instructions.
 *
 * timeout: 900
 */
#include <linux/sched.h>

#include "heap.h"
#include "median.h"
#include "pass-fd.h"

#define ROUNDS 40
#define SEEN 0.001

static struct {
	int heap, pidfd, cgroup;
	uint64_t len;
} bench;

static void alloc_and_free(int charge)
{
	int fd = heap_alloc(bench.heap, bench.len, charge);

	if (fd < 0) {
		errno = -fd;
		die("allocate");
	}
	close(fd);
}

static void charge_nobody(void)
{
	alloc_and_free(0);
}

static void charge_process(void)
{
	alloc_and_free(bench.pidfd);
}

static void charge_cgroup(void)
{
	alloc_and_free(bench.cgroup);
}

static void use_helper(void)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)bench.cgroup,
	};
	int sockets[2], fd;
	long pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		die("socketpair");
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == -1)
		die("clone3");
	if (pid == 0) {
		fd = heap_alloc(bench.heap, bench.len, 0);
		_exit(fd < 0 || send_fd(sockets[1], fd) < 0);
	}
	close(sockets[1]);
	fd = receive_fd(sockets[0]);
	if (fd < 0) {
		errno = -fd;
		die("receive");
	}
	close(fd);
	close(sockets[0]);
	if (waitpid((pid_t)pid, NULL, 0) == -1)
		die("waitpid");
}

static int64_t time_of(void (*run)(void), int times)
{
	int64_t begin;

	run();
	begin = now_nsec();
	for (int i = 0; i < times; i++)
		run();
	return (now_nsec() - begin) / times;
}

/* Medians of batches that take turns. */
static bool measure(uint64_t len)
{
	/* A charge may cost so much of what the allocation does; small ones may cost more. */
	const double most = len >= 64 * KIB ? 1.05 : 0, least = 20;
	const int batch = len > MIB ? 4 : 20;
	int64_t nobody[ROUNDS], process[ROUNDS], cgroup[ROUNDS], helper[ROUNDS], base;
	double by_process, by_cgroup, by_helper, saved;
	bool met, is_seen;

	bench.len = len;
	for (int i = 0; i < ROUNDS; i++) {
		nobody[i] = time_of(charge_nobody, batch);
		process[i] = time_of(charge_process, batch);
		cgroup[i] = time_of(charge_cgroup, batch);
		helper[i] = time_of(use_helper, 2);
	}
	base = median(nobody, ROUNDS);
	by_process = (double)median(process, ROUNDS) / (double)base;
	by_cgroup = (double)median(cgroup, ROUNDS) / (double)base;
	by_helper = (double)median(helper, ROUNDS) / (double)base;
	/* What each adds to the allocation: under SEEN of it, that is not told from nothing. */
	is_seen = by_process - 1 > SEEN;
	saved = (by_helper - 1) / (is_seen ? by_process - 1 : SEEN);
	met = (most == 0 || by_process <= most) && saved >= least;
	printf("%6llu KiB %12lld %12lld %12lld %12lld %8.3f %8.3f %8.2f %4s%7.0f%s\n",
	       (unsigned long long)(len / KIB), (long long)base, (long long)process[ROUNDS / 2],
	       (long long)cgroup[ROUNDS / 2], (long long)helper[ROUNDS / 2], by_process, by_cgroup,
	       by_helper, is_seen ? "" : ">", saved, met ? "" : "  MISSED");
	return met;
}

int main(void)
{
	static const uint64_t lengths[] = {4 * KIB, 64 * KIB, MIB, 16 * MIB};
	const struct cgroup base = cgroup_base();
	const struct cgroup client = cgroup_child(base.path, "client");
	pid_t pid = cgroup_spawn(client.path);
	bool met = true;

	bench.heap = heap_open();
	bench.pidfd = pidfd_of(pid, 0);
	bench.cgroup = cgroup_open(client.path);
	if (bench.heap == -1 || bench.pidfd == -1)
		die(heap_path());
	printf("%-10s %12s %12s %12s %12s %8s %8s %8s %11s\n", "ns", "nobody", "process", "cgroup",
	       "helper", "process", "cgroup", "helper", "helper adds");
	printf("%-10s %12s %12s %12s %12s %8s %8s %8s %11s\n", "", "", "", "", "", "/nobody",
	       "/nobody", "/nobody", "x process");
	for (size_t i = 0; i < 4; i++)
		met &= measure(lengths[i]);
	end_process(pid);
	cgroup_remove(client.path);
	return met ? 0 : 1;
}
