/* SPDX-License-Identifier: MIT */
/*
 * The event loop of a compositor with explicit sync: one epoll instance for the
 * socket, the clients and the acquire points that commits wait for. To composite
 * is to add the buffer to a checksum of the surface, which is printed when the
 * client has left. protocol.h has the messages, client.c the other side.
 *
 * usage: compositor [-d DEVICE] [-n CLIENTS] SOCKET
 *
 * -d is a name for syncobj_device_open(), -n ends the program when so many
 * clients have been there. SIGINT and SIGTERM end it too; SIGUSR1 has the number
 * of clients and of open file descriptors printed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <syncobj.h>

#include "protocol.h"

/* With them the default limit of 1024 open files is kept. */
#define MAX_CLIENTS 16
#define MAX_FDS 4 /* of a message that is received; one is what it may have */

#define owner_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct compositor;

/* What epoll reports: something that can be served. */
struct source {
	void (*ready)(struct compositor *compositor, struct source *source);
};

struct buffer {
	const uint8_t *data;
	size_t size;
};

/* A commit that waits for its acquire point, or for the one before it. */
struct commit {
	struct source source;
	struct client *client;
	struct syncobj_waiter *waiter; /* NULL once the point is signalled */
	const struct buffer *buffer;
	struct syncobj *release;
	uint64_t release_point;
};

struct client {
	struct source source;
	int socket;
	char name[sizeof(((struct message *)0)->text)];
	struct syncobj *timelines[MAX_IDS];
	struct buffer buffers[MAX_IDS];
	struct commit pending[MAX_PENDING]; /* a ring, shown in order */
	unsigned int first, count;
	uint64_t frames;
	uint64_t checksum;
};

struct compositor {
	struct source listener, signals;
	int epoll, listener_fd, signal_fd;
	int reserve_fd; /* given up to turn a client away when there are no more */
	struct syncobj_device *device;
	struct client *clients[MAX_CLIENTS];
	unsigned int served, limit; /* clients */
	bool stop;
};

static int watch(struct compositor *compositor, int fd, struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	return epoll_ctl(compositor->epoll, EPOLL_CTL_ADD, fd, &event) == -1 ? -errno : 0;
}

/* ---- clients ------------------------------------------------------------ */

/* Frees the waiter, which takes it out of the epoll instance as well. */
static void end_wait(struct compositor *compositor, struct commit *commit)
{
	if (!commit->waiter)
		return;
	epoll_ctl(compositor->epoll, EPOLL_CTL_DEL, syncobj_waiter_fd(commit->waiter), NULL);
	commit->waiter = syncobj_waiter_free(commit->waiter);
}

/* What has not been shown is dropped: who else holds the timelines waits on in vain. */
static void disconnect(struct compositor *compositor, struct client *client)
{
	for (unsigned int i = 0; i < client->count; i++)
		end_wait(compositor, &client->pending[(client->first + i) % MAX_PENDING]);
	printf("%s: %" PRIu64 " frames, checksum %016" PRIx64 ", %u dropped\n",
	       *client->name ? client->name : "(no surface)", client->frames, client->checksum,
	       client->count);
	for (size_t i = 0; i < MAX_IDS; i++) {
		syncobj_unref(client->timelines[i]);
		if (client->buffers[i].data)
			munmap((void *)client->buffers[i].data, client->buffers[i].size);
	}
	close(client->socket);
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (compositor->clients[i] == client)
			compositor->clients[i] = NULL;
	free(client);
	compositor->served++;
	if (compositor->served == compositor->limit)
		compositor->stop = true;
}

static void send_error(int socket, enum message_error error, const char *text)
{
	struct message message = {.type = MESSAGE_ERROR, .id = error};

	snprintf(message.text, sizeof(message.text), "%s", text);
	send(socket, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Tells the client what it did wrong and ends the connection. Returns false. */
__attribute__((format(printf, 4, 5))) static bool refuse(struct compositor *compositor,
							 struct client *client,
							 enum message_error error,
							 const char *format, ...)
{
	char text[sizeof(((struct message *)0)->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "compositor: %s: disconnected: %s\n",
		*client->name ? client->name : "(no surface)", text);
	send_error(client->socket, error, text);
	disconnect(compositor, client);
	return false;
}

/* ---- commits ------------------------------------------------------------ */

/* FNV-1a, 64 bits. */
static void composite(struct client *client, const struct buffer *buffer)
{
	for (size_t i = 0; i < buffer->size; i++)
		client->checksum = (client->checksum ^ buffer->data[i]) * UINT64_C(0x100000001b3);
	client->frames++;
}

/* Shows commits as far as they are ready, and gives their buffers back. */
static bool show_ready(struct compositor *compositor, struct client *client)
{
	while (client->count && !client->pending[client->first].waiter) {
		struct commit *commit = &client->pending[client->first];
		int r;

		composite(client, commit->buffer);
		client->first = (client->first + 1) % MAX_PENDING;
		client->count--;
		r = syncobj_signal(&commit->release, &commit->release_point, 1);
		if (r < 0)
			return refuse(compositor, client, ERROR_NO_RESOURCES,
				      "cannot signal release point %" PRIu64 ": %s",
				      commit->release_point, syncobj_strerror(r));
	}
	return true;
}

static void acquire_point_ready(struct compositor *compositor, struct source *source)
{
	struct commit *commit = owner_of(source, struct commit, source);
	int r = syncobj_waiter_result(commit->waiter);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		refuse(compositor, commit->client, ERROR_INVALID_TIMELINE,
		       "waiting for an acquire point: %s", syncobj_strerror(r));
		return;
	}
	end_wait(compositor, commit);
	show_ready(compositor, commit->client);
}

static bool add_commit(struct compositor *compositor, struct client *client,
		       const struct message *message)
{
	struct syncobj *acquire, *release;
	struct commit *commit;
	int r;

	if (message->id >= MAX_IDS || !client->buffers[message->id].data)
		return refuse(compositor, client, ERROR_INVALID_BUFFER,
			      "commit of buffer %" PRIu32 ", which was not sent", message->id);
	acquire = message->acquire_timeline < MAX_IDS ? client->timelines[message->acquire_timeline]
						      : NULL;
	release = message->release_timeline < MAX_IDS ? client->timelines[message->release_timeline]
						      : NULL;
	if (!acquire || !release)
		return refuse(compositor, client, ERROR_INVALID_TIMELINE,
			      "commit with timeline %" PRIu32 ", which was not sent",
			      acquire ? message->release_timeline : message->acquire_timeline);
	if (acquire == release && message->acquire_point >= message->release_point)
		return refuse(compositor, client, ERROR_CONFLICTING_POINTS,
			      "conflicting points: acquire %" PRIu64
			      " is not below release %" PRIu64 " of the same timeline",
			      message->acquire_point, message->release_point);
	if (client->count == MAX_PENDING)
		return refuse(compositor, client, ERROR_NO_RESOURCES,
			      "%d commits are waiting already: wait for a release point",
			      MAX_PENDING);

	commit = &client->pending[(client->first + client->count) % MAX_PENDING];
	*commit = (struct commit){.source.ready = acquire_point_ready,
				  .client = client,
				  .buffer = &client->buffers[message->id],
				  .release = release,
				  .release_point = message->release_point};
	r = syncobj_waiter_new(acquire, message->acquire_point, 0, &commit->waiter);
	if (r < 0)
		return refuse(compositor, client, ERROR_NO_RESOURCES,
			      "cannot wait for acquire point %" PRIu64 ": %s",
			      message->acquire_point, syncobj_strerror(r));
	client->count++;
	r = watch(compositor, syncobj_waiter_fd(commit->waiter), &commit->source);
	if (r < 0)
		return refuse(compositor, client, ERROR_NO_RESOURCES, "epoll: %s", strerror(-r));
	return true;
}

/* ---- messages ----------------------------------------------------------- */

static bool name_surface(struct compositor *compositor, struct client *client,
			 const struct message *message)
{
	size_t length = strnlen(message->text, sizeof(message->text));

	if (*client->name)
		return refuse(compositor, client, ERROR_BAD_MESSAGE, "a second surface");
	if (length == 0 || length == sizeof(message->text))
		return refuse(compositor, client, ERROR_BAD_MESSAGE, "the surface has no name");
	for (size_t i = 0; i < length; i++)
		if (message->text[i] < ' ' || message->text[i] > '~')
			return refuse(compositor, client, ERROR_BAD_MESSAGE,
				      "the surface's name is not of printable characters");
	memcpy(client->name, message->text, length);
	return true;
}

static bool add_timeline(struct compositor *compositor, struct client *client, uint32_t id, int fd)
{
	int r;

	if (id >= MAX_IDS || client->timelines[id])
		return refuse(compositor, client, ERROR_BAD_MESSAGE,
			      "timeline %" PRIu32 ": the id is in use or not below %d", id,
			      MAX_IDS);
	r = syncobj_import(compositor->device, fd, &client->timelines[id]);
	if (r == -EBADF)
		return refuse(compositor, client, ERROR_INVALID_TIMELINE,
			      "timeline %" PRIu32 ": %s; create it on a device like %s", id,
			      syncobj_identify(fd) > 0 ? "a syncobj of another kind of device"
						       : "the file descriptor is no syncobj",
			      syncobj_device_description(compositor->device));
	if (r < 0)
		return refuse(compositor, client, ERROR_NO_RESOURCES, "timeline %" PRIu32 ": %s",
			      id, syncobj_strerror(r));
	return true;
}

/* A file that can shrink would have the compositor killed when it reads behind the end. */
static bool add_buffer(struct compositor *compositor, struct client *client, uint32_t id,
		       uint64_t size, int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	void *data;

	if (id >= MAX_IDS || client->buffers[id].data)
		return refuse(compositor, client, ERROR_BAD_MESSAGE,
			      "buffer %" PRIu32 ": the id is in use or not below %d", id, MAX_IDS);
	if (seals == -1 || !(seals & F_SEAL_SHRINK))
		return refuse(compositor, client, ERROR_INVALID_BUFFER,
			      "buffer %" PRIu32 ": no memfd with F_SEAL_SHRINK", id);
	if (size == 0 || size > MAX_BUFFER_SIZE || fstat(fd, &st) == -1 ||
	    (uint64_t)st.st_size < size)
		return refuse(compositor, client, ERROR_INVALID_BUFFER,
			      "buffer %" PRIu32 ": %" PRIu64 " bytes are none, too many, "
			      "or more than the memfd has",
			      id, size);
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return refuse(compositor, client, ERROR_NO_RESOURCES, "buffer %" PRIu32 ": %s", id,
			      strerror(errno));
	client->buffers[id] = (struct buffer){.data = data, .size = size};
	return true;
}

static bool serve(struct compositor *compositor, struct client *client,
		  const struct message *message, const int *fds, size_t n_fds)
{
	size_t wanted = message->type == MESSAGE_TIMELINE || message->type == MESSAGE_BUFFER;

	if (n_fds != wanted)
		return refuse(compositor, client, ERROR_BAD_MESSAGE,
			      "a message of type %" PRIu32 " with %zu file descriptors instead "
			      "of %zu",
			      message->type, n_fds, wanted);
	if (!*client->name && message->type != MESSAGE_SURFACE)
		return refuse(compositor, client, ERROR_BAD_MESSAGE,
			      "a message of type %" PRIu32 " before the surface", message->type);
	switch (message->type) {
	case MESSAGE_SURFACE:
		return name_surface(compositor, client, message);
	case MESSAGE_TIMELINE:
		return add_timeline(compositor, client, message->id, fds[0]);
	case MESSAGE_BUFFER:
		return add_buffer(compositor, client, message->id, message->size, fds[0]);
	case MESSAGE_COMMIT:
		return add_commit(compositor, client, message);
	default:
		return refuse(compositor, client, ERROR_BAD_MESSAGE,
			      "a message of unknown type %" PRIu32, message->type);
	}
}

/* Takes one message; the file descriptors that came with it do not outlive it. */
static void client_ready(struct compositor *compositor, struct source *source)
{
	struct client *client = owner_of(source, struct client, source);
	union {
		char space[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct message message;
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	int fds[MAX_FDS];
	size_t n_fds = 0;
	ssize_t n;

	n = recvmsg(client->socket, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		disconnect(compositor, client);
		return;
	}
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n_fds = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), n_fds * sizeof(int));
	}
	if (msg.msg_flags & MSG_CTRUNC)
		refuse(compositor, client, ERROR_NO_RESOURCES,
		       "more file descriptors than can be received");
	else if (n != sizeof(message) || (msg.msg_flags & MSG_TRUNC))
		refuse(compositor, client, ERROR_BAD_MESSAGE, "a message that is not of %zu bytes",
		       sizeof(message));
	else
		serve(compositor, client, &message, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
}

/* The connection would stay in the queue, and the listener readable, if nobody took it. */
static void turn_away(struct compositor *compositor)
{
	int fd;

	close(compositor->reserve_fd);
	fd = accept4(compositor->listener_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		send_error(fd, ERROR_NO_RESOURCES, strerror(EMFILE));
		close(fd);
	}
	compositor->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void new_client(struct compositor *compositor, struct source *source)
{
	struct client *client;
	size_t i = 0;
	int fd, r;

	(void)source;
	fd = accept4(compositor->listener_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(compositor);
		return;
	}
	while (i < MAX_CLIENTS && compositor->clients[i])
		i++;
	client = i < MAX_CLIENTS ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		send_error(fd, ERROR_NO_RESOURCES, "there are too many clients");
		close(fd);
		return;
	}
	client->source.ready = client_ready;
	client->socket = fd;
	client->checksum = UINT64_C(0xcbf29ce484222325);
	r = watch(compositor, fd, &client->source);
	if (r < 0) {
		send_error(fd, ERROR_NO_RESOURCES, strerror(-r));
		close(fd);
		free(client);
		return;
	}
	compositor->clients[i] = client;
}

/* ---- the program -------------------------------------------------------- */

static unsigned int count_fds(void)
{
	unsigned int count = 0;
	DIR *directory = opendir("/proc/self/fd");

	if (!directory)
		return 0;
	for (struct dirent *entry; (entry = readdir(directory));)
		count += *entry->d_name != '.';
	closedir(directory);
	return count - 1; /* the directory's own */
}

static void signal_ready(struct compositor *compositor, struct source *source)
{
	struct signalfd_siginfo info;
	unsigned int clients = 0;

	(void)source;
	if (read(compositor->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGUSR1) {
		compositor->stop = true;
		return;
	}
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		clients += compositor->clients[i] != NULL;
	printf("compositor: %u clients, %u file descriptors\n", clients, count_fds());
}

static int report(const char *what, const char *why)
{
	fprintf(stderr, "compositor: %s: %s\n", what, why);
	return EXIT_FAILURE;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		if (listen(fd, 8) == 0)
			return fd;
		r = -errno;
		unlink(path);
	} else {
		r = -errno;
	}
	close(fd);
	return r;
}

static int run(struct compositor *compositor, const char *path)
{
	struct epoll_event event;
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	compositor->epoll = epoll_create1(EPOLL_CLOEXEC);
	compositor->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (compositor->epoll == -1 || compositor->signal_fd == -1)
		return report("start", strerror(errno));
	compositor->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	r = compositor->listener_fd = listen_at(path);
	if (r == -EADDRINUSE)
		return report(path, "exists: another compositor is there, or remove it");
	if (r < 0)
		return report(path, strerror(-r));
	compositor->listener.ready = new_client;
	compositor->signals.ready = signal_ready;
	r = watch(compositor, compositor->listener_fd, &compositor->listener);
	if (r == 0)
		r = watch(compositor, compositor->signal_fd, &compositor->signals);
	if (r < 0)
		return report("epoll", strerror(-r));
	printf("compositor: %s, on %s\n", path, syncobj_device_description(compositor->device));

	/* One event at a time: serving it may free what the next one would point to. */
	while (!compositor->stop) {
		r = epoll_wait(compositor->epoll, &event, 1, -1);
		if (r == 1)
			((struct source *)event.data.ptr)->ready(compositor, event.data.ptr);
		else if (r == -1 && errno != EINTR)
			return report("epoll_wait", strerror(errno));
	}
	return EXIT_SUCCESS;
}

static void clean_up(struct compositor *compositor, const char *path)
{
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (compositor->clients[i])
			disconnect(compositor, compositor->clients[i]);
	if (compositor->reserve_fd >= 0)
		close(compositor->reserve_fd);
	if (compositor->listener_fd >= 0) {
		close(compositor->listener_fd);
		unlink(path);
	}
	if (compositor->signal_fd >= 0)
		close(compositor->signal_fd);
	if (compositor->epoll >= 0)
		close(compositor->epoll);
	syncobj_device_unref(compositor->device);
}

int main(int argc, char **argv)
{
	struct compositor compositor = {.epoll = -1,
					.listener_fd = -1,
					.signal_fd = -1,
					.reserve_fd = -1};
	const char *name = NULL;
	unsigned int before = count_fds(), after;
	int opt, status, r;

	while ((opt = getopt(argc, argv, "d:n:")) != -1) {
		if (opt == 'd')
			name = optarg;
		else if (opt != 'n' || (compositor.limit = (unsigned int)atoi(optarg)) == 0)
			goto usage;
	}
	if (optind + 1 != argc)
		goto usage;
	setvbuf(stdout, NULL, _IOLBF, 0);

	r = syncobj_device_open(name, &compositor.device);
	if (r < 0)
		return report(name ? name : "no device", syncobj_strerror(r));
	if (syncobj_device_features(compositor.device) & SYNCOBJ_FEATURE_EVENTFD)
		status = run(&compositor, argv[optind]);
	else
		status = report(syncobj_device_description(compositor.device),
				"cannot wait in an event loop: the kernel is too old");
	clean_up(&compositor, argv[optind]);
	after = count_fds();
	printf("compositor: %u file descriptors before, %u after\n", before, after);
	return after > before ? EXIT_FAILURE : status;

usage:
	fputs("usage: compositor [-d DEVICE] [-n CLIENTS] SOCKET\n"
	      "Shows what clients commit at SOCKET. DEVICE: soft, drm, device, a path, ...\n",
	      stderr);
	return 2;
}
