/* SPDX-License-Identifier: MIT */
/* Messages of buffers: what is sent arrives, and what others send does no harm. */
#include "fixture.h"

#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define MAGIC 0x31626d64U
#define ROOM 8U

static int ends[2];

int fstatfs(int fd, struct statfs *fs) __attribute__((visibility("default")));

/* In front of libc's: a descriptor that names a path names that of a dma-buf. */
int fstatfs(int fd, struct statfs *fs)
{
	int r = (int)syscall(SYS_fstatfs, fd, fs);

	if (r == 0 && fcntl(fd, F_GETFL) & O_PATH)
		fs->f_type = DMA_BUF_MAGIC;
	return r;
}

static void open_ends(int type)
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
}

static int stream_setup(void **state)
{
	fixture_setup(state);
	open_ends(SOCK_STREAM);
	return 0;
}

static int packet_setup(void **state)
{
	fixture_setup(state);
	open_ends(SOCK_SEQPACKET);
	return 0;
}

static int ends_teardown(void **state)
{
	for (size_t i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return fixture_teardown(state);
}

static void close_end(int i)
{
	close(ends[i]);
	ends[i] = -1;
}

/* A message as somebody else would send it. */
static void send_raw(uint32_t magic, uint32_t count, uint32_t size, const void *data, size_t length,
		     const int *fds, size_t n_fds)
{
	const uint32_t header[] = {magic, count, size};
	struct iovec iov[] = {{(void *)(uintptr_t)header, sizeof(header)},
			      {(void *)(uintptr_t)data, length}};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	struct cmsghdr *cmsg;

	if (n_fds) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(ends[0], &message, MSG_NOSIGNAL), sizeof(header) + length);
}

struct received {
	struct dmabuf *buffers[ROOM];
	size_t count;
	char data[DMABUF_MESSAGE_SIZE];
	size_t size;
};

static int receive(struct received *got)
{
	*got = (struct received){.count = ROOM, .size = sizeof(got->data)};
	return dmabuf_receive(ends[1], got->buffers, &got->count, got->data, &got->size);
}

static void drop(struct received *got)
{
	for (size_t i = 0; i < got->count; i++)
		dmabuf_unref(got->buffers[i]);
}

/* A refused message leaves everything as it was. */
static void assert_refused(int error)
{
	struct received got;
	unsigned int fds = count_fds();

	assert_int_equal(receive(&got), error);
	assert_int_equal(got.count, ROOM);
	assert_int_equal(got.size, sizeof(got.data));
	assert_null(got.buffers[0]);
	assert_int_equal(count_fds(), fds);
}

static void set_nonblocking(int i)
{
	assert_int_equal(fcntl(ends[i], F_SETFL, O_NONBLOCK), 0);
}

static void buffers_and_bytes_arrive(void **state)
{
	struct dmabuf *sent[] = {memfd_buffer(PAGE), memfd_buffer(2 * PAGE)};
	struct received got;
	struct stat a, b;

	assert_int_equal(dmabuf_send(ends[0], sent, 2, "hello", 5), 0);
	assert_int_equal(receive(&got), 0);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.size, 5);
	assert_memory_equal(got.data, "hello", 5);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(dmabuf_size(got.buffers[i]), dmabuf_size(sent[i]));
		fstat(dmabuf_fd(got.buffers[i]), &a);
		fstat(dmabuf_fd(sent[i]), &b);
		assert_true(a.st_ino == b.st_ino);
		assert_int_equal(fcntl(dmabuf_fd(got.buffers[i]), F_GETFD), FD_CLOEXEC);
		dmabuf_unref(sent[i]);
	}
	drop(&got);
}

static void largest_message_arrives(void **state)
{
	static char data[DMABUF_MESSAGE_SIZE];
	struct dmabuf *one = memfd_buffer(PAGE), *sent[DMABUF_MESSAGE_BUFFERS];
	struct dmabuf *buffers[DMABUF_MESSAGE_BUFFERS];
	static char bytes[DMABUF_MESSAGE_SIZE];
	size_t count = ARRAY_SIZE(buffers), size = sizeof(bytes);

	for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
		sent[i] = one;
	memset(data, 'd', sizeof(data));
	assert_int_equal(dmabuf_send(ends[0], sent, ARRAY_SIZE(sent), data, sizeof(data)), 0);
	assert_int_equal(dmabuf_receive(ends[1], buffers, &count, bytes, &size), 0);
	assert_int_equal(count, DMABUF_MESSAGE_BUFFERS);
	assert_int_equal(size, sizeof(data));
	assert_memory_equal(bytes, data, sizeof(data));
	for (size_t i = 0; i < count; i++)
		dmabuf_unref(buffers[i]);
	dmabuf_unref(one);
}

static void empty_message_arrives(void **state)
{
	struct received got;

	assert_int_equal(dmabuf_send(ends[0], NULL, 0, NULL, 0), 0);
	assert_int_equal(receive(&got), 0);
	assert_int_equal(got.count, 0);
	assert_int_equal(got.size, 0);
}

static void messages_stay_apart(void **state)
{
	struct dmabuf *buffer = memfd_buffer(PAGE);
	struct received got;

	assert_int_equal(dmabuf_send(ends[0], NULL, 0, "one", 3), 0);
	assert_int_equal(dmabuf_send(ends[0], &buffer, 1, "two", 3), 0);
	assert_int_equal(receive(&got), 0);
	assert_int_equal(got.count, 0);
	assert_memory_equal(got.data, "one", 3);
	assert_int_equal(receive(&got), 0);
	assert_int_equal(got.count, 1);
	assert_memory_equal(got.data, "two", 3);
	drop(&got);
	dmabuf_unref(buffer);
}

static void too_much_is_not_sent(void **state)
{
	static char data[DMABUF_MESSAGE_SIZE + 1];
	struct dmabuf *buffers[DMABUF_MESSAGE_BUFFERS + 1] = {0};

	assert_int_equal(dmabuf_send(ends[0], buffers, ARRAY_SIZE(buffers), NULL, 0), -E2BIG);
	assert_int_equal(dmabuf_send(ends[0], NULL, 0, data, sizeof(data)), -E2BIG);
	set_nonblocking(1);
	assert_refused(-EAGAIN);
}

static void peer_that_is_gone_is_epipe_and_raises_no_signal(void **state)
{
	close_end(1);
	assert_int_equal(dmabuf_send(ends[0], NULL, 0, "x", 1), -EPIPE);
}

static void peer_that_is_gone_is_enodata(void **state)
{
	close_end(0);
	assert_refused(-ENODATA);
}

static void peer_that_left_something_unread_is_enodata(void **state)
{
	struct received got;

	assert_int_equal(dmabuf_send(ends[1], NULL, 0, "x", 1), 0);
	assert_int_equal(dmabuf_send(ends[0], NULL, 0, "y", 1), 0);
	close_end(0);
	/* The kernel reports a reset once, before or after what is queued. */
	if (receive(&got) == 0)
		assert_memory_equal(got.data, "y", 1);
	set_nonblocking(1);
	if (receive(&got) == 0)
		assert_memory_equal(got.data, "y", 1);
	assert_refused(-ENODATA);
}

static void nothing_there_is_eagain_on_a_nonblocking_socket(void **state)
{
	set_nonblocking(1);
	assert_refused(-EAGAIN);
}

static void full_nonblocking_socket_is_eagain(void **state)
{
	static const char data[DMABUF_MESSAGE_SIZE];
	struct received got;
	int r, sent = 0;

	set_nonblocking(0);
	set_nonblocking(1);
	while ((r = dmabuf_send(ends[0], NULL, 0, data, sizeof(data))) == 0)
		sent++;
	assert_int_equal(r, -EAGAIN);
	for (; sent; sent--) {
		assert_int_equal(receive(&got), 0);
		assert_int_equal(got.size, sizeof(data));
	}
	assert_refused(-EAGAIN);
}

static void other_magic_is_ebadmsg(void **state)
{
	send_raw(MAGIC + 1, 0, 0, NULL, 0, NULL, 0);
	assert_refused(-EBADMSG);
}

static void header_with_too_large_numbers_is_ebadmsg(void **state)
{
	send_raw(MAGIC, DMABUF_MESSAGE_BUFFERS + 1, 0, NULL, 0, NULL, 0);
	assert_refused(-EBADMSG);
	send_raw(MAGIC, 0, DMABUF_MESSAGE_SIZE + 1, NULL, 0, NULL, 0);
	assert_refused(-EBADMSG);
	send_raw(MAGIC, UINT32_MAX, UINT32_MAX, NULL, 0, NULL, 0);
	assert_refused(-EBADMSG);
}

static void short_header_is_ebadmsg(void **state)
{
	const uint32_t part[] = {MAGIC, 0};
	int fd = memfd(PAGE);

	assert_int_equal(send(ends[0], part, sizeof(part), 0), sizeof(part));
	close_end(0);
	assert_refused(-EBADMSG);
	close(fd);
}

static void refused_message_leaves_no_descriptor(void **state)
{
	int fds[] = {memfd(PAGE), memfd(PAGE)};

	send_raw(MAGIC + 1, 2, 0, NULL, 0, fds, 2);
	close(fds[0]);
	close(fds[1]);
	assert_refused(-EBADMSG);
}

static void more_descriptors_than_promised_are_ebadmsg(void **state)
{
	int fds[] = {memfd(PAGE), memfd(PAGE)};

	send_raw(MAGIC, 1, 0, NULL, 0, fds, 2);
	send_raw(MAGIC, 0, 0, NULL, 0, fds, 1);
	close(fds[0]);
	close(fds[1]);
	assert_refused(-EBADMSG);
	assert_refused(-EBADMSG);
}

static void more_descriptors_than_any_message_has_are_ebadmsg(void **state)
{
	int fds[64], fd = memfd(PAGE);

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = fd;
	send_raw(MAGIC, DMABUF_MESSAGE_BUFFERS, 0, NULL, 0, fds, ARRAY_SIZE(fds));
	close(fd);
	assert_refused(-EBADMSG);
}

static void fewer_descriptors_than_promised_are_ebadmsg(void **state)
{
	int fd = memfd(PAGE);

	send_raw(MAGIC, 2, 0, NULL, 0, &fd, 1);
	close(fd);
	assert_refused(-EBADMSG);
}

static void descriptors_that_are_no_buffers_are_ebadmsg(void **state)
{
	int fds[] = {memfd(PAGE), open("/dev/null", O_RDONLY | O_CLOEXEC), memfd(PAGE)};

	send_raw(MAGIC, 3, 0, NULL, 0, fds, 3);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	assert_refused(-EBADMSG);
}

/* As that of a dma-buf is, of which fstatfs() tells what it is. */
static void descriptor_that_names_a_path_only_is_ebadmsg(void **state)
{
	char path[32];
	int fd = memfd(PAGE), path_fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	path_fd = open(path, O_PATH | O_CLOEXEC);
	assert_true(path_fd >= 0);
	send_raw(MAGIC, 1, 0, NULL, 0, &path_fd, 1);
	close(path_fd);
	close(fd);
	assert_refused(-EBADMSG);
}

static void message_without_room_is_lost_and_the_next_one_arrives(void **state)
{
	int fds[ROOM + 1];
	struct received got;
	size_t count = 0, size = 2;
	char bytes[2];

	fds[0] = memfd(PAGE);
	for (size_t i = 1; i < ARRAY_SIZE(fds); i++)
		fds[i] = fds[0];
	send_raw(MAGIC, ROOM + 1, 0, NULL, 0, fds, ROOM + 1);
	close(fds[0]);
	assert_refused(-EMSGSIZE);
	send_raw(MAGIC, 0, 3, "abc", 3, NULL, 0);
	assert_int_equal(dmabuf_receive(ends[1], NULL, &count, bytes, &size), -EMSGSIZE);
	send_raw(MAGIC, 0, 3, "def", 3, NULL, 0);
	assert_int_equal(receive(&got), 0);
	assert_memory_equal(got.data, "def", 3);
}

static void without_free_descriptors_it_is_emfile(void **state)
{
	struct rlimit saved, none;
	int fd = memfd(PAGE), r;
	struct received got;

	send_raw(MAGIC, 1, 0, NULL, 0, &fd, 1);
	close(fd);
	getrlimit(RLIMIT_NOFILE, &saved);
	none = (struct rlimit){.rlim_cur = 1, .rlim_max = saved.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	r = receive(&got);
	setrlimit(RLIMIT_NOFILE, &saved);
	assert_int_equal(r, -EMFILE);
}

static void sizes_are_those_of_the_kernel(void **state)
{
	const uint64_t lie = 1 << 30;
	int fd = memfd(PAGE);
	struct received got;

	send_raw(MAGIC, 1, sizeof(lie), &lie, sizeof(lie), &fd, 1);
	close(fd);
	assert_int_equal(receive(&got), 0);
	assert_int_equal(dmabuf_size(got.buffers[0]), PAGE);
	drop(&got);
}

static void credentials_of_the_socket_do_not_disturb(void **state)
{
	const int on = 1;
	struct dmabuf *buffer = memfd_buffer(PAGE);
	struct received got;

	setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	setsockopt(ends[1], SOL_SOCKET, 76 /* SO_PASSPIDFD */, &on, sizeof(on));
	assert_int_equal(dmabuf_send(ends[0], &buffer, 1, NULL, 0), 0);
	assert_int_equal(receive(&got), 0);
	assert_int_equal(got.count, 1);
	drop(&got);
	dmabuf_unref(buffer);
}

static void packet_of_another_length_is_ebadmsg(void **state)
{
	send_raw(MAGIC, 0, 4, "abc", 3, NULL, 0);
	assert_refused(-EBADMSG);
	send_raw(MAGIC, 0, 2, "abc", 3, NULL, 0);
	assert_refused(-EBADMSG);
}

static void part_of_a_stream_message_waits_on_a_nonblocking_socket(void **state)
{
	const uint32_t header[] = {MAGIC, 0, 4};
	struct received got;

	set_nonblocking(1);
	assert_int_equal(send(ends[0], header, 5, 0), 5);
	assert_refused(-EAGAIN);
	assert_int_equal(send(ends[0], (const char *)header + 5, 7, 0), 7);
	assert_refused(-EAGAIN);
	assert_int_equal(send(ends[0], "ab", 2, 0), 2);
	assert_refused(-EAGAIN);
	assert_int_equal(send(ends[0], "cd", 2, 0), 2);
	assert_int_equal(receive(&got), 0);
	assert_memory_equal(got.data, "abcd", 4);
}

static void peer_that_dies_in_a_stream_message_is_ebadmsg(void **state)
{
	int fd = memfd(PAGE);

	send_raw(MAGIC, 1, 4, "ab", 2, &fd, 1);
	close(fd);
	set_nonblocking(1);
	assert_refused(-EAGAIN);
	close_end(0);
	assert_refused(-EBADMSG);
}

static void descriptors_in_the_middle_of_a_stream_message_are_ebadmsg(void **state)
{
	static const char zeroes[12];
	int fd = memfd(PAGE);

	/* The last 12 bytes of data come with a descriptor. */
	send_raw(MAGIC, 0, 24, zeroes, 12, NULL, 0);
	send_raw(0, 0, 0, NULL, 0, &fd, 1);
	close(fd);
	assert_refused(-EBADMSG);
}

static void slow_stream_is_waited_for_by_a_blocking_socket(void **state)
{
	const char message[] = {'d', 'm', 'b', '1', 0, 0, 0, 0, 2, 0, 0, 0, 'o', 'k'};
	struct received got;
	pid_t child = fork();

	if (child == 0) {
		for (size_t i = 0; i < sizeof(message); i++)
			if (send(ends[0], message + i, 1, 0) != 1 || usleep(1000))
				_exit(1);
		_exit(0);
	}
	assert_int_equal(receive(&got), 0);
	assert_int_equal(got.size, 2);
	assert_memory_equal(got.data, "ok", 2);
	waitpid(child, NULL, 0);
}

static void timeout_of_the_socket_ends_the_wait(void **state)
{
	const struct timeval timeout = {.tv_usec = 1000};

	setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	assert_refused(-EAGAIN);
	assert_int_equal(send(ends[0], "dm", 2, 0), 2);
	assert_refused(-EBADMSG);
}

static void small_socket_buffer_takes_the_message_in_parts(void **state)
{
	static const char data[DMABUF_MESSAGE_SIZE];
	const int small = 1;
	struct dmabuf *buffer = memfd_buffer(PAGE);
	struct received got;
	pid_t child;
	int status;

	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	set_nonblocking(0);
	child = fork();
	if (child == 0)
		_exit(dmabuf_send(ends[0], &buffer, 1, data, sizeof(data)) == 0 ? 0 : 1);
	assert_int_equal(receive(&got), 0);
	assert_int_equal(got.size, sizeof(data));
	assert_int_equal(got.count, 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	drop(&got);
	dmabuf_unref(buffer);
}

static void other_descriptors_are_no_sockets(void **state)
{
	int fd = memfd(PAGE);
	size_t zero = 0;

	assert_int_equal(dmabuf_send(fd, NULL, 0, NULL, 0), -ENOTSOCK);
	assert_int_equal(dmabuf_receive(fd, NULL, &zero, NULL, &zero), -ENOTSOCK);
	assert_int_equal(dmabuf_receive(-1, NULL, &zero, NULL, &zero), -EBADF);
	close(fd);
}

#define on_stream(test) cmocka_unit_test_setup_teardown(test, stream_setup, ends_teardown)
#define on_packet(test) cmocka_unit_test_setup_teardown(test, packet_setup, ends_teardown)
#define on_both(test)                                                         \
	on_stream(test),                                                      \
	{                                                                     \
#test "_in_a_packet", test, packet_setup, ends_teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_both(buffers_and_bytes_arrive),
		on_both(largest_message_arrives),
		on_both(empty_message_arrives),
		on_both(messages_stay_apart),
		on_both(too_much_is_not_sent),
		on_both(peer_that_is_gone_is_epipe_and_raises_no_signal),
		on_both(peer_that_is_gone_is_enodata),
		on_both(peer_that_left_something_unread_is_enodata),
		on_both(nothing_there_is_eagain_on_a_nonblocking_socket),
		on_both(full_nonblocking_socket_is_eagain),
		on_both(other_magic_is_ebadmsg),
		on_both(header_with_too_large_numbers_is_ebadmsg),
		on_both(short_header_is_ebadmsg),
		on_both(refused_message_leaves_no_descriptor),
		on_both(more_descriptors_than_promised_are_ebadmsg),
		on_both(more_descriptors_than_any_message_has_are_ebadmsg),
		on_both(fewer_descriptors_than_promised_are_ebadmsg),
		on_both(descriptors_that_are_no_buffers_are_ebadmsg),
		on_both(descriptor_that_names_a_path_only_is_ebadmsg),
		on_both(message_without_room_is_lost_and_the_next_one_arrives),
		on_both(without_free_descriptors_it_is_emfile),
		on_both(sizes_are_those_of_the_kernel),
		on_both(credentials_of_the_socket_do_not_disturb),
		on_packet(packet_of_another_length_is_ebadmsg),
		on_stream(part_of_a_stream_message_waits_on_a_nonblocking_socket),
		on_stream(peer_that_dies_in_a_stream_message_is_ebadmsg),
		on_stream(descriptors_in_the_middle_of_a_stream_message_are_ebadmsg),
		on_stream(slow_stream_is_waited_for_by_a_blocking_socket),
		on_stream(timeout_of_the_socket_ends_the_wait),
		on_stream(small_socket_buffer_takes_the_message_in_parts),
		with_script(other_descriptors_are_no_sockets),
	};

	return cmocka_run_group_tests_name("dmabuf-message", tests, NULL, NULL);
}
