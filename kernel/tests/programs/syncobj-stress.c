/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes in a ring: each makes objects, passes them to the next one, signals
 * what it got from the one before, and waits for its own. No wake-up may be
 * lost, and in the end no memory, as a cgroup of its own counts it.
 */
#include <getopt.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "cgroup.h"
#include "fds.h"
#include "node.h"
#include "pass-fd.h"
#include "tap.h"

#define MAX_PROCESSES 32
#define PATIENCE (INT64_C(300) * 1000000000) /* far more than a round takes */
/* Slack for what the kernel keeps for itself, such as a cached socket buffer. */
#define MEMORY_SLACK (64 * 1024)

static void check(const char *what, int r)
{
	if (r < 0) {
		errno = -r;
		die(what);
	}
}

static void wait_by_eventfd(int node, int object, uint64_t point)
{
	struct pollfd pfd = {.fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN};

	if (pfd.fd == -1)
		die("eventfd");
	check("register an eventfd", node_eventfd(node, object, point, pfd.fd, 0));
	if (poll(&pfd, 1, PATIENCE / 1000000) != 1)
		die("an eventfd did not fire");
	close(pfd.fd);
}

static void work(int to, int from, unsigned int rounds)
{
	unsigned int before = count_fds();
	int node = open(node_path(), O_RDWR | O_CLOEXEC);

	if (node == -1)
		die(node_path());
	for (unsigned int i = 0; i < rounds; i++) {
		int own = node_create(node, 0), other;
		uint64_t point = i + 1;

		check("create", own);
		check("send", send_fd(to, own));
		other = receive_fd(from);
		check("receive", other);
		check("signal", node_signal(node, other, point));
		close(other);
		if (i % 2)
			wait_by_eventfd(node, own, point);
		else
			check("wait", node_wait(node, own, point, now_nsec() + PATIENCE,
						SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT));
		close(own);
	}
	close(node);
	if (count_fds() != before)
		die("file descriptors are left");
	exit(0);
}

static bool ring(unsigned int processes, unsigned int rounds, const char *cgroup)
{
	int sockets[MAX_PROCESSES][2];
	bool good = true;

	for (unsigned int i = 0; i < processes; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets[i]))
			die("socketpair");
	for (unsigned int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		if (pid == 0) {
			if (cgroup)
				cgroup_enter(cgroup);
			work(sockets[i][0], sockets[(i + 1) % processes][1], rounds);
		}
	}
	for (unsigned int i = 0; i < processes; i++) {
		int status;

		if (wait(&status) == -1)
			die("wait");
		good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	for (unsigned int i = 0; i < processes; i++) {
		close(sockets[i][0]);
		close(sockets[i][1]);
	}
	return good;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"processes", required_argument, NULL, 'p'},
		{"rounds", required_argument, NULL, 'r'},
		{"cgroup", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	unsigned int processes = 8, rounds = 1000;
	const char *cgroup = NULL;
	int64_t before = 0, after;
	bool good;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			processes = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'r':
			rounds = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'c':
			cgroup = optarg; /* an empty one with the memory controller */
			break;
		default:
			return 2;
		}
	}
	if (processes < 1 || processes > MAX_PROCESSES) {
		fprintf(stderr, "syncobj-stress: 1 to %d processes\n", MAX_PROCESSES);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..2\n");
	if (cgroup)
		before = cgroup_slab(cgroup);
	good = result(ring(processes, rounds, cgroup), "%u processes pass %u objects each",
		      processes, rounds);
	if (!cgroup) {
		result(true, "memory # SKIP no --cgroup");
		return !good;
	}
	after = cgroup_slab_drained(cgroup, before + MEMORY_SLACK);
	good &= result(after <= before + MEMORY_SLACK, "bytes of slab: %lld before, %lld after",
		       (long long)before, (long long)after);
	return !good;
}
