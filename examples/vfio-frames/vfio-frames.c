/* SPDX-License-Identifier: MIT */
/*
 * vfio-frames: one process owns a PCI device and vends two of its register frames, a
 * page each, to two client processes; then it takes one back, and the other goes on.
 *
 * The clients need no privileges: run as root, they become nobody. They get one
 * descriptor each and could not reach another page of the device. The one whose
 * frame is taken back cannot prevent that, and does not die of it either: it uses
 * guarded access, which tells.
 *
 * Owner and client speak over a socket pair. The owner sends the frame, then a byte
 * for each turn; the client increments the register at the frame's begin and
 * answers with its value, or with GONE.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dmabuf.h>

#define FRAMES 2
#define TURNS 3
#define NOBODY 65534
#define GONE UINT32_MAX
#define CLIENT_SOCKET 3

static int report(const char *what, int error)
{
	fprintf(stderr, "vfio-frames: %s: %s\n", what, dmabuf_strerror(error));
	return EXIT_FAILURE;
}

/* ---- a client ----------------------------------------------------------- */

/* Return: the value of the register after one more; or GONE. */
static uint32_t take_turn(volatile uint32_t *frame)
{
	uint32_t value;

	if (dmabuf_guard_read32(frame, &value) < 0 || dmabuf_guard_write32(frame, value + 1) < 0 ||
	    dmabuf_guard_read32(frame, &value) < 0)
		return GONE;
	return value;
}

/* Return: 0; a negative errno. */
static int become_nobody(void)
{
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) == -1 || setgid(NOBODY) == -1 || setuid(NOBODY) == -1))
		return -errno;
	return 0;
}

static int be_client(void)
{
	struct dmabuf *buffer;
	size_t count = 1, size = 1;
	char byte;
	void *frame;
	int r;

	r = become_nobody();
	if (r == 0)
		r = dmabuf_guard_init();
	if (r == 0)
		r = dmabuf_receive(CLIENT_SOCKET, &buffer, &count, &byte, &size);
	if (r == 0 && count != 1)
		r = -EBADMSG;
	if (r < 0)
		return report("client: no frame came", r);
	r = dmabuf_map(buffer, DMABUF_READ | DMABUF_WRITE, &frame);
	if (r < 0)
		return report("client: map", r);
	while (read(CLIENT_SOCKET, &byte, 1) == 1) {
		uint32_t value = take_turn(frame);

		if (write(CLIENT_SOCKET, &value, sizeof(value)) != sizeof(value))
			break;
	}
	dmabuf_unref(buffer);
	return EXIT_SUCCESS;
}

/* ---- the owner ---------------------------------------------------------- */

struct client {
	pid_t pid;
	int socket;
	struct dmabuf_lease *lease;
	uint32_t value; /* of its register */
};

static void become_client(int socket)
{
	dup2(socket, CLIENT_SOCKET);
	fcntl(CLIENT_SOCKET, F_SETFD, 0);
	execl("/proc/self/exe", "vfio-frames", "--client", (char *)NULL);
	perror("vfio-frames: client");
	_exit(EXIT_FAILURE);
}

/* Return: 0; a negative errno. */
static int start_client(struct client *client)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -errno;
	client->pid = fork();
	if (client->pid == 0)
		become_client(pair[1]);
	close(pair[1]);
	client->socket = pair[0];
	return client->pid == -1 ? -errno : 0;
}

/* Lease it a page, which ends with its process, and send that. */
static int vend(struct dmabuf_leases *leases, struct client *client, const char *name)
{
	struct dmabuf_lease_request request = {
		.offset = DMABUF_LEASE_ANYWHERE,
		.length = 1,
		.name = name,
		.pidfd = (int)syscall(SYS_pidfd_open, client->pid, 0),
	};
	struct dmabuf_range range;
	struct dmabuf *buffer;
	int r;

	if (request.pidfd == -1)
		return -errno;
	r = dmabuf_lease_grant(leases, &request, &client->lease);
	close(request.pidfd);
	if (r < 0)
		return r;
	buffer = dmabuf_lease_buffer(client->lease);
	dmabuf_lease_range(client->lease, &range);
	printf("owner: %s is 0x%" PRIx64 "+0x%" PRIx64 " of the BAR\n", name, range.offset,
	       range.length);
	return dmabuf_send(client->socket, &buffer, 1, "f", 1);
}

/* Return: 0; -EPIPE if the client is gone. */
static int give_turn(struct client *client)
{
	if (send(client->socket, "t", 1, MSG_NOSIGNAL) != 1 ||
	    recv(client->socket, &client->value, sizeof(client->value), 0) != sizeof(client->value))
		return -EPIPE;
	return 0;
}

static int give_turns(struct client *clients, int turns)
{
	int r = 0;

	for (int turn = 0; r == 0 && turn < turns; turn++)
		for (int i = 0; r == 0 && i < FRAMES; i++)
			r = give_turn(&clients[i]);
	for (int i = 0; r == 0 && i < FRAMES; i++) {
		if (clients[i].value == GONE)
			printf("client %d: its frame is gone\n", i);
		else
			printf("client %d: its register is %" PRIu32 "\n", i, clients[i].value);
	}
	return r;
}

/* Vend, take one back, and see that only that one is gone. */
static int play(struct dmabuf_leases *leases, struct client *clients)
{
	static const char *const names[FRAMES] = {"frame 0", "frame 1"};
	uint32_t before;
	int r = 0;

	for (int i = 0; r == 0 && i < FRAMES; i++)
		r = start_client(&clients[i]);
	for (int i = 0; r == 0 && i < FRAMES; i++)
		r = vend(leases, &clients[i], names[i]);
	if (r == 0)
		r = give_turns(clients, TURNS);
	if (r < 0)
		return report("owner", r);
	before = clients[1].value;
	printf("owner: revoke frame 0\n");
	r = dmabuf_lease_revoke(clients[0].lease);
	if (r == 0)
		r = give_turns(clients, TURNS);
	if (r < 0)
		return report("owner", r);
	if (clients[0].value != GONE || clients[1].value != before + TURNS) {
		fprintf(stderr, "vfio-frames: the revoke did not do what it should\n");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* The clients end with their sockets. Return: whether they ended well. */
static int end_clients(struct client *clients)
{
	int good = 1, status;

	for (int i = 0; i < FRAMES; i++) {
		if (clients[i].socket >= 0)
			close(clients[i].socket);
		if (clients[i].pid <= 0)
			continue;
		if (waitpid(clients[i].pid, &status, 0) == -1 || status != 0)
			good = 0;
	}
	return good;
}

/* The first BAR that has memory for all frames. Return: 0; -ENODEV. */
static int find_bar(struct dmabuf_vfio *device, uint32_t *ret_bar)
{
	uint64_t size = FRAMES * (uint64_t)sysconf(_SC_PAGESIZE);
	struct dmabuf_vfio_region region;

	for (uint32_t bar = 0; bar < DMABUF_VFIO_BARS; bar++) {
		if (dmabuf_vfio_region(device, bar, &region) < 0 || !region.can_map ||
		    region.size < size)
			continue;
		*ret_bar = bar;
		return 0;
	}
	return -ENODEV;
}

static int be_owner(const char *name)
{
	struct client clients[FRAMES] = {{.socket = -1}, {.socket = -1}};
	struct dmabuf_leases *leases = NULL;
	struct dmabuf_vfio *device;
	uint32_t bar = 0;
	int status, r;

	r = dmabuf_vfio_open(name, &device);
	if (r < 0)
		return report(name, r);
	printf("owner: %s\n", dmabuf_vfio_description(device));
	r = find_bar(device, &bar);
	if (r == 0)
		r = dmabuf_leases_new(device, bar, DMABUF_LEASES_EXCLUSIVE, &leases);
	status = r < 0 ? report(name, r) : play(leases, clients);
	if (!end_clients(clients))
		status = EXIT_FAILURE;
	/* Frame 1 ended with its client. */
	if (status == EXIT_SUCCESS)
		printf("owner: %d lease ended with its client\n",
		       dmabuf_leases_dispatch(leases, NULL, NULL));
	dmabuf_leases_free(leases);
	dmabuf_vfio_unref(device);
	return status;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "--client") == 0)
		return be_client();
	if (argc != 2 || argv[1][0] == '-') {
		fputs("usage: vfio-frames DEVICE\n"
		      "Vends two pages of a BAR of DEVICE: 0000:03:00.0, soft:1M, ...\n",
		      stderr);
		return 2;
	}
	return be_owner(argv[1]);
}
