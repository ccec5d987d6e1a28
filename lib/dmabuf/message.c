/* SPDX-License-Identifier: MIT */
/* Buffers over Unix sockets: a header, bytes, and the descriptors beside the header. */
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "internal.h"

#define MESSAGE_MAGIC 0x31626d64U /* "dmb1" */
#define MESSAGE_PIDFD 4           /* SCM_PIDFD, of Linux 6.5 */

/* In the machine's byte order, as both sides are on the same. */
struct message_header {
	uint32_t magic;
	uint32_t count; /* of descriptors */
	uint32_t size;  /* of the bytes after it */
};

/* What has come of a message. */
struct incoming {
	struct message_header header;
	int fds[DMABUF_MESSAGE_BUFFERS];
	size_t count;
	bool too_many; /* more came than any message has; they are closed */
	bool lost;     /* the kernel had no room for all */
};

/* ---- sending ------------------------------------------------------------ */

/* Interrupted or not, and the error of a socket whose other side is gone. */
static ssize_t send_some(int socket, const struct msghdr *message)
{
	ssize_t n;

	do
		n = sendmsg(socket, message, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return n;
}

static void skip_bytes(struct iovec *iov, size_t count, size_t n)
{
	for (size_t i = 0; i < count; i++) {
		size_t part = MIN(n, iov[i].iov_len);

		iov[i].iov_base = (char *)iov[i].iov_base + part;
		iov[i].iov_len -= part;
		n -= part;
	}
}

DMABUF_EXPORT int dmabuf_send(int socket, struct dmabuf *const *buffers, size_t count,
			      const void *data, size_t size)
{
	struct message_header header = {MESSAGE_MAGIC, (uint32_t)count, (uint32_t)size};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * DMABUF_MESSAGE_BUFFERS)];
	} control = {0};
	struct iovec iov[] = {{&header, sizeof(header)}, {(void *)(uintptr_t)data, size}};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov)};
	struct pollfd writable = {.fd = socket, .events = POLLOUT};
	int fds[DMABUF_MESSAGE_BUFFERS];
	struct cmsghdr *cmsg;
	size_t left;
	ssize_t n;

	if (count > DMABUF_MESSAGE_BUFFERS || size > DMABUF_MESSAGE_SIZE)
		return -E2BIG;
	if (count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
		for (size_t i = 0; i < count; i++)
			fds[i] = buffers[i]->fd;
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
	}
	n = send_some(socket, &message);
	if (n < 0)
		return (int)n;
	/* Only streams take a part. The descriptors went with it. */
	message.msg_control = NULL;
	message.msg_controllen = 0;
	for (left = sizeof(header) + size - (size_t)n; left; left -= (size_t)n) {
		skip_bytes(iov, ARRAY_SIZE(iov), (size_t)n);
		n = send_some(socket, &message);
		if (n == -EAGAIN) {
			poll(&writable, 1, -1);
			n = 0;
		}
		if (n < 0)
			return (int)n;
	}
	return 0;
}

/* ---- receiving ---------------------------------------------------------- */

static void close_fds(struct incoming *in)
{
	while (in->count)
		if (in->fds[--in->count] >= 0)
			close(in->fds[in->count]);
}

/* Keep the descriptors of a control message, and close those that are none of a message. */
static void collect_fds(struct incoming *in, struct cmsghdr *cmsg)
{
	bool rights = cmsg->cmsg_type == SCM_RIGHTS;
	size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fd;

	if (cmsg->cmsg_level != SOL_SOCKET || (!rights && cmsg->cmsg_type != MESSAGE_PIDFD))
		return;
	for (size_t i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (rights && in->count < DMABUF_MESSAGE_BUFFERS) {
			in->fds[in->count++] = fd;
			continue;
		}
		in->too_many |= rights;
		if (fd >= 0)
			close(fd);
	}
}

/* Return: bytes, 0 at the end, or a negative errno. */
static ssize_t receive_some(int socket, struct iovec *iov, size_t n_iov, struct incoming *in,
			    bool *ret_cut)
{
	/* Room for other control messages of a socket, which are not looked at. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * DMABUF_MESSAGE_BUFFERS) + 1024];
	} control;
	struct msghdr message = {
		.msg_iov = iov,
		.msg_iovlen = n_iov,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == ECONNRESET ? 0 : -errno;
	for (cmsg = CMSG_FIRSTHDR(&message); cmsg; cmsg = CMSG_NXTHDR(&message, cmsg))
		collect_fds(in, cmsg);
	in->lost |= message.msg_flags & MSG_CTRUNC;
	*ret_cut = message.msg_flags & MSG_TRUNC;
	return n;
}

static bool valid_header(const struct message_header *header)
{
	return header->magic == MESSAGE_MAGIC && header->count <= DMABUF_MESSAGE_BUFFERS &&
	       header->size <= DMABUF_MESSAGE_SIZE;
}

static int receive_packet(int socket, struct incoming *in, void *data, size_t room)
{
	struct iovec iov[] = {{&in->header, sizeof(in->header)}, {data, room}};
	bool cut = false;
	ssize_t n = receive_some(socket, iov, ARRAY_SIZE(iov), in, &cut);

	if (n < 0)
		return (int)n;
	if (n == 0)
		return in->count ? -EBADMSG : -ENODATA;
	if ((size_t)n < sizeof(in->header) || !valid_header(&in->header))
		return -EBADMSG;
	if (in->header.size > room)
		return -EMSGSIZE;
	return cut || (size_t)n != sizeof(in->header) + in->header.size ? -EBADMSG : 0;
}

/* Exactly @size bytes of a stream, of which @started tells that some have come before. */
static int receive_bytes(int socket, struct incoming *in, void *bytes, size_t size, bool started)
{
	struct iovec iov = {bytes, size};
	bool cut;

	while (iov.iov_len) {
		ssize_t n = receive_some(socket, &iov, 1, in, &cut);

		if (n <= 0 && started)
			return n == 0 || n == -EAGAIN ? -EBADMSG : (int)n;
		if (n <= 0)
			return n == 0 ? -ENODATA : (int)n;
		skip_bytes(&iov, 1, (size_t)n);
		started = true;
	}
	return 0;
}

/* On a socket that does not block nothing is taken before a whole message is there. */
static int check_whole(int socket)
{
	struct message_header header;
	int queued = 0;
	ssize_t n;

	if (!(fcntl(socket, F_GETFL) & O_NONBLOCK))
		return 0;
	do
		n = recv(socket, &header, sizeof(header), MSG_PEEK);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == ECONNRESET ? -ENODATA : -errno;
	if (n == 0)
		return -ENODATA;
	if ((size_t)n == sizeof(header) && !valid_header(&header))
		return 0; /* for the receiver to refuse */
	if (ioctl(socket, SIOCINQ, &queued) == -1)
		return -errno;
	if ((size_t)n == sizeof(header) && (size_t)queued >= sizeof(header) + header.size)
		return 0;
	/* More will not come if the other side is gone, and the receiver says so. */
	return poll(&(struct pollfd){.fd = socket, .events = POLLRDHUP}, 1, 0) == 1 ? 0 : -EAGAIN;
}

static int receive_stream(int socket, struct incoming *in, void *data, size_t room)
{
	char discarded[DMABUF_MESSAGE_SIZE];
	int r;

	r = check_whole(socket);
	if (r < 0)
		return r;
	r = receive_bytes(socket, in, &in->header, sizeof(in->header), false);
	if (r < 0)
		return r;
	if (!valid_header(&in->header))
		return -EBADMSG;
	if (in->header.size <= room)
		return receive_bytes(socket, in, data, in->header.size, true);
	r = receive_bytes(socket, in, discarded, in->header.size, true);
	return r < 0 ? r : -EMSGSIZE;
}

/* Whether the descriptors are those that the header promised. */
static int check_count(const struct incoming *in, size_t room)
{
	if (in->too_many || in->count > in->header.count)
		return -EBADMSG;
	if (in->count < in->header.count)
		return in->lost ? -EMFILE : -EBADMSG;
	return in->count > room ? -EMSGSIZE : 0;
}

static int make_buffers(struct incoming *in, struct dmabuf **buffers)
{
	size_t n;
	int r = 0;

	for (n = 0; n < in->count; n++) {
		r = dmabuf_adopt_fd(in->fds[n], &buffers[n]);
		in->fds[n] = -1;
		if (r < 0)
			break;
	}
	if (r == 0)
		return 0;
	while (n)
		dmabuf_unref(buffers[--n]);
	return r == -EINVAL ? -EBADMSG : r;
}

DMABUF_EXPORT int dmabuf_receive(int socket, struct dmabuf **buffers, size_t *count, void *data,
				 size_t *size)
{
	struct dmabuf *received[DMABUF_MESSAGE_BUFFERS];
	struct incoming in = {.count = 0};
	socklen_t length = sizeof(int);
	int type, r;

	if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) == -1)
		return -errno;
	r = type == SOCK_STREAM ? receive_stream(socket, &in, data, *size)
				: receive_packet(socket, &in, data, *size);
	if (r == 0)
		r = check_count(&in, *count);
	if (r == 0)
		r = make_buffers(&in, received);
	if (r < 0) {
		close_fds(&in);
		return r;
	}
	if (in.count)
		memcpy(buffers, received, in.count * sizeof(*buffers));
	*count = in.count;
	*size = in.header.size;
	return 0;
}
