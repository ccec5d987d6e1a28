/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes in a ring: each makes objects, passes them to the next one, signals
 * what it got from the one before, and waits for its own. No wake-up may be
 * lost, and in the end no memory, as a cgroup of its own counts it.
 */
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fds.h"
#include "node.h"

#define MAX_PROCESSES 32
#define PATIENCE (INT64_C(300) * 1000000000) /* far more than a round takes */
/* Slack for what the kernel keeps for itself, such as a cached socket buffer. */
#define MEMORY_SLACK (64 * 1024)

static void fail(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	exit(1);
}

static void check(const char *what, int r)
{
	if (r < 0) {
		errno = -r;
		fail(what);
	}
}

static void send_fd(int socket, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) != 1)
		fail("sendmsg");
}

static int receive_fd(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
		fail("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void wait_by_eventfd(int node, int object, uint64_t point)
{
	struct pollfd pfd = {.fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN};

	if (pfd.fd == -1)
		fail("eventfd");
	check("register an eventfd", node_eventfd(node, object, point, pfd.fd, 0));
	if (poll(&pfd, 1, PATIENCE / 1000000) != 1)
		fail("an eventfd did not fire");
	close(pfd.fd);
}

static void work(int to, int from, unsigned int rounds)
{
	unsigned int before = count_fds();
	int node = open(node_path(), O_RDWR | O_CLOEXEC);

	if (node == -1)
		fail(node_path());
	for (unsigned int i = 0; i < rounds; i++) {
		int own = node_create(node, 0), other;
		uint64_t point = i + 1;

		check("create", own);
		send_fd(to, own);
		other = receive_fd(from);
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
		fail("file descriptors are left");
	exit(0);
}

/* Bytes of unreclaimable slab that a cgroup is charged for. */
static long slab_of(const char *cgroup)
{
	char path[256], key[64];
	long value, found = -1;
	FILE *file;

	snprintf(path, sizeof(path), "%s/memory.stat", cgroup);
	file = fopen(path, "r");
	if (!file)
		fail(path);
	while (fscanf(file, "%63s %ld", key, &value) == 2)
		if (!strcmp(key, "slab_unreclaimable"))
			found = value;
	fclose(file);
	return found;
}

static void join_cgroup(const char *cgroup)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	file = fopen(path, "w");
	if (!file || fprintf(file, "%d\n", getpid()) < 0 || fclose(file))
		fail(path);
}

static bool ring(unsigned int processes, unsigned int rounds, const char *cgroup)
{
	int sockets[MAX_PROCESSES][2];
	bool good = true;

	for (unsigned int i = 0; i < processes; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets[i]))
			fail("socketpair");
	for (unsigned int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid == -1)
			fail("fork");
		if (pid == 0) {
			if (cgroup)
				join_cgroup(cgroup);
			work(sockets[i][0], sockets[(i + 1) % processes][1], rounds);
		}
	}
	for (unsigned int i = 0; i < processes; i++) {
		int status;

		if (wait(&status) == -1)
			fail("wait");
		good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	for (unsigned int i = 0; i < processes; i++) {
		close(sockets[i][0]);
		close(sockets[i][1]);
	}
	return good;
}

/* What is freed after a grace period counts until then. */
static long slab_in_the_end(const char *cgroup, long enough)
{
	long slab = slab_of(cgroup);

	for (int i = 0; i < 300 && slab > enough; i++) {
		usleep(100000);
		slab = slab_of(cgroup);
	}
	return slab;
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
	long before = 0, after;
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
		before = slab_of(cgroup);
	good = ring(processes, rounds, cgroup);
	printf("%sok 1 - %u processes pass %u objects each\n", good ? "" : "not ", processes,
	       rounds);
	if (!cgroup) {
		printf("ok 2 - memory # SKIP no --cgroup\n");
		return !good;
	}
	after = slab_in_the_end(cgroup, before + MEMORY_SLACK);
	printf("%sok 2 - bytes of slab: %ld before, %ld after\n",
	       after <= before + MEMORY_SLACK ? "" : "not ", before, after);
	return !good || after > before + MEMORY_SLACK;
}
