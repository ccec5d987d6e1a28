/* SPDX-License-Identifier: MIT */
/* Passes a file descriptor to whoever has the other end of a socket. */
#ifndef PASS_FD_H
#define PASS_FD_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* A message of one byte, with room for a descriptor. */
struct fd_message {
	char byte;
	struct iovec iov;
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr header;
};

static inline void fd_message_init(struct fd_message *message)
{
	*message = (struct fd_message){0};
	message->iov = (struct iovec){&message->byte, 1};
	message->header = (struct msghdr){
		.msg_iov = &message->iov,
		.msg_iovlen = 1,
		.msg_control = &message->control,
		.msg_controllen = sizeof(message->control),
	};
}

/* 0, or a negative errno. */
static inline int send_fd(int socket, int fd)
{
	struct fd_message message;
	struct cmsghdr *cmsg;

	fd_message_init(&message);
	cmsg = CMSG_FIRSTHDR(&message.header);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(socket, &message.header, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* The descriptor, or a negative errno. */
static inline int receive_fd(int socket)
{
	struct fd_message message;
	ssize_t n;
	int fd;

	fd_message_init(&message);
	n = recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC);
	if (n == -1)
		return -errno;
	if (n != 1 || !CMSG_FIRSTHDR(&message.header))
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message.header)), sizeof(fd));
	return fd;
}

#endif
