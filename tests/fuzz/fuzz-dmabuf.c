/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: messages of buffers. The first byte says what socket it is (bit 0: packets,
 * bit 1: does not block), whether the descriptors are no buffers (bit 2) and how many there
 * are (the rest); the second how much room the receiver has. The others are what the sender
 * sends, the descriptors with the first of them, before it goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <dmabuf.h>

#define MAX_FDS 31

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_all(int socket, int fd, size_t n_fds, const uint8_t *data, size_t size)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)data, size};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;

	if (n_fds) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (size_t i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(fd), &fd, sizeof(fd));
	}
	sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Everything that was sent; what is received is within what there is room for. */
static void receive_all(int socket, size_t room)
{
	struct dmabuf *buffers[DMABUF_MESSAGE_BUFFERS];
	/* Of its own size, so that a sanitizer sees an access beyond. */
	uint8_t *bytes = malloc(room ? room : 1);
	int r = 0;

	while (bytes && (r == 0 || r == -EMSGSIZE)) {
		size_t count = room % (DMABUF_MESSAGE_BUFFERS + 1), size = room;

		r = dmabuf_receive(socket, buffers, &count, bytes, &size);
		if (r < 0)
			continue;
		if (count > room % (DMABUF_MESSAGE_BUFFERS + 1) || size > room)
			abort();
		while (count) {
			if (dmabuf_size(buffers[--count]) != 4096)
				abort();
			dmabuf_unref(buffers[count]);
		}
	}
	free(bytes);
}

static int free_number(int fd)
{
	int number = dup(fd);

	close(number);
	return number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int memfd = -1, null;
	int ends[2], before;

	if (memfd < 0) {
		memfd = memfd_create("fuzz", MFD_CLOEXEC);
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (memfd < 0 || null < 0 || ftruncate(memfd, 4096) == -1)
			abort();
	}
	before = free_number(memfd);
	if (size < 2 ||
	    socketpair(AF_UNIX, (data[0] & 1 ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0,
		       ends) == -1)
		return 0;
	if (data[0] & 2)
		fcntl(ends[1], F_SETFL, O_NONBLOCK);
	send_all(ends[0], data[0] & 4 ? null : memfd, data[0] >> 3, data + 2, size - 2);
	close(ends[0]);
	receive_all(ends[1], data[1] == 255 ? DMABUF_MESSAGE_SIZE : data[1]);
	close(ends[1]);
	/* The lowest number that is free is what it was. */
	if (free_number(memfd) != before)
		abort();
	return 0;
}
