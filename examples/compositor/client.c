/* SPDX-License-Identifier: MIT */
/*
 * A client with explicit sync: it commits a buffer first, draws it afterwards in
 * another thread, which signals the acquire point, and does not draw into a
 * buffer again before its release point is signalled. compositor.c is the other
 * side, protocol.h has the messages.
 *
 * usage: client [-d DEVICE] [-f FRAMES] [-s SEED] [-m MISTAKE] SOCKET NAME
 *
 * -d is a name for syncobj_device_open(), of the compositor's kind. -m does
 * something wrong in the middle: "die" is killed before it signals an acquire
 * point, "conflict" commits with an acquire point that is not below the release
 * point, "unsent" with a timeline that it has not sent, "flood" without waiting
 * for release points or drawing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <syncobj.h>

#include "protocol.h"

#define BUFFERS 3
#define SIZE 4096

/* Timelines: one for all acquire points, and for release points one of each buffer, as a
 * compositor may release them in any order. */
#define ACQUIRE 0
#define RELEASE(buffer) (1 + (buffer))
#define TIMELINES RELEASE(BUFFERS)

struct client {
	const char *mistake;
	uint32_t seed;
	uint64_t frames;
	int socket;
	struct syncobj_device *device;
	struct syncobj *timelines[TIMELINES];
	uint8_t *buffers[BUFFERS];

	/* For the thread: frames are numbered from 1, and drawn up to this one. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t committed;
	bool stop;
};

static const char *const mistake_names[] = {"die", "conflict", "unsent", "flood"};

static int report(const char *what, const char *why)
{
	fprintf(stderr, "client: %s: %s\n", what, why);
	return -1;
}

static bool mistakes(const struct client *client, const char *mistake)
{
	return client->mistake && strcmp(client->mistake, mistake) == 0;
}

static bool known_mistake(const struct client *client)
{
	for (size_t i = 0; i < sizeof(mistake_names) / sizeof(*mistake_names); i++)
		if (mistakes(client, mistake_names[i]))
			return true;
	return !client->mistake;
}

/* ---- drawing ------------------------------------------------------------ */

static void draw(const struct client *client, uint64_t frame)
{
	uint8_t *pixels = client->buffers[frame % BUFFERS];

	for (uint64_t i = 0; i < SIZE; i++)
		pixels[i] = (uint8_t)(client->seed + 7 * frame + i * (frame + client->seed));
}

static void *draw_committed(void *data)
{
	struct client *client = data;

	for (uint64_t frame = 1;; frame++) {
		bool stop;
		int r;

		pthread_mutex_lock(&client->lock);
		while (client->committed < frame && !client->stop)
			pthread_cond_wait(&client->changed, &client->lock);
		stop = client->stop;
		pthread_mutex_unlock(&client->lock);
		if (stop)
			return NULL;
		draw(client, frame);
		if (mistakes(client, "die") && frame > client->frames / 2)
			raise(SIGKILL);
		r = syncobj_signal(&client->timelines[ACQUIRE], &frame, 1);
		if (r < 0) {
			report("signal an acquire point", syncobj_strerror(r));
			shutdown(client->socket, SHUT_RDWR); /* which the main thread notices */
			return NULL;
		}
	}
}

/* ---- the compositor ----------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* Why the connection ended, if the compositor said so. */
static int report_error(const struct client *client)
{
	struct message message;
	ssize_t n;

	do /* that messages of ours were not read is told first */
		n = recv(client->socket, &message, sizeof(message), MSG_DONTWAIT);
	while (n == -1 && errno == ECONNRESET);
	if (n == sizeof(message) && message.type == MESSAGE_ERROR) {
		message.text[sizeof(message.text) - 1] = '\0';
		return report("the compositor says", message.text);
	}
	return report("the connection", "has ended");
}

/* @fd: to be sent along, or -1. */
static int send_message(const struct client *client, const struct message *message, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *cmsg = &control.align;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	if (sendmsg(client->socket, &msg, MSG_NOSIGNAL) == -1)
		return report_error(client);
	return 0;
}

static int send_timeline(struct client *client, uint32_t id)
{
	struct message message = {.type = MESSAGE_TIMELINE, .id = id};
	int r = syncobj_create(client->device, 0, &client->timelines[id]);

	if (r < 0)
		return report("create a timeline", syncobj_strerror(r));
	return send_message(client, &message, syncobj_fd(client->timelines[id]));
}

static int send_buffer(struct client *client, uint32_t id)
{
	struct message message = {.type = MESSAGE_BUFFER, .id = id, .size = SIZE};
	int fd = memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING), r = -1;
	void *data;

	if (fd == -1)
		return report("memfd_create", strerror(errno));
	if (ftruncate(fd, SIZE) == -1 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == -1) {
		report("memfd", strerror(errno));
		goto out;
	}
	data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		report("mmap", strerror(errno));
		goto out;
	}
	client->buffers[id] = data;
	r = send_message(client, &message, fd);
out:
	close(fd);
	return r;
}

static int introduce(struct client *client, const char *name)
{
	struct message message = {.type = MESSAGE_SURFACE};

	snprintf(message.text, sizeof(message.text), "%s", name);
	if (send_message(client, &message, -1) < 0)
		return -1;
	for (uint32_t id = 0; id < TIMELINES; id++)
		if (send_timeline(client, id) < 0)
			return -1;
	for (uint32_t id = 0; id < BUFFERS; id++)
		if (send_buffer(client, id) < 0)
			return -1;
	return 0;
}

/* Until the compositor has given the buffer of this frame back, or is no more. */
static int wait_for_release(const struct client *client, uint64_t frame)
{
	struct pollfd fds[2] = {{.fd = client->socket, .events = POLLIN}, {.events = POLLIN}};
	struct syncobj_waiter *waiter;
	int r;

	r = syncobj_waiter_new(client->timelines[RELEASE(frame % BUFFERS)], frame, 0, &waiter);
	if (r < 0)
		return report("wait for a release point", syncobj_strerror(r));
	fds[1].fd = syncobj_waiter_fd(waiter);
	while ((r = syncobj_waiter_result(waiter)) == -EAGAIN) {
		if (poll(fds, 2, -1) == -1 && errno != EINTR) {
			r = -errno;
			break;
		}
		if (fds[0].revents) {
			syncobj_waiter_free(waiter);
			return report_error(client);
		}
	}
	syncobj_waiter_free(waiter);
	return r < 0 ? report("wait for a release point", syncobj_strerror(r)) : 0;
}

static int commit(const struct client *client, uint64_t frame)
{
	uint32_t buffer = (uint32_t)(frame % BUFFERS);
	bool mistake = frame > client->frames / 2;
	struct message message = {
		.type = MESSAGE_COMMIT,
		.id = buffer,
		.acquire_timeline = ACQUIRE,
		.acquire_point = frame,
		.release_timeline = RELEASE(buffer),
		.release_point = frame,
	};

	if (mistake && mistakes(client, "conflict"))
		message.release_timeline = ACQUIRE;
	if (mistake && mistakes(client, "unsent"))
		message.acquire_timeline = TIMELINES;
	return send_message(client, &message, -1);
}

static int show_frames(struct client *client)
{
	bool flood = mistakes(client, "flood");
	uint64_t frame;

	for (frame = 1; frame <= client->frames; frame++) {
		if (frame > BUFFERS && !flood && wait_for_release(client, frame - BUFFERS) < 0)
			return -1;
		if (commit(client, frame) < 0)
			return -1;
		/* From here on the compositor waits for us. */
		if (flood)
			continue;
		pthread_mutex_lock(&client->lock);
		client->committed = frame;
		pthread_cond_signal(&client->changed);
		pthread_mutex_unlock(&client->lock);
	}
	for (frame = frame > BUFFERS ? frame - BUFFERS : 1; frame <= client->frames; frame++)
		if (wait_for_release(client, frame) < 0)
			return -1;
	return 0;
}

static int run(struct client *client, const char *path, const char *name)
{
	pthread_t thread;
	int r;

	r = client->socket = connect_to(path);
	if (r < 0)
		return report(path, strerror(-r));
	if (introduce(client, name) < 0)
		return -1;
	r = pthread_create(&thread, NULL, draw_committed, client);
	if (r)
		return report("start a thread", strerror(r));
	r = show_frames(client);
	pthread_mutex_lock(&client->lock);
	client->stop = true;
	pthread_cond_signal(&client->changed);
	pthread_mutex_unlock(&client->lock);
	pthread_join(thread, NULL);
	return r;
}

int main(int argc, char **argv)
{
	struct client client = {.socket = -1,
				.frames = 60,
				.seed = 1,
				.lock = PTHREAD_MUTEX_INITIALIZER,
				.changed = PTHREAD_COND_INITIALIZER};
	const char *device = NULL;
	int opt, r;

	while ((opt = getopt(argc, argv, "d:f:s:m:")) != -1) {
		if (opt == 'd')
			device = optarg;
		else if (opt == 'f')
			client.frames = strtoull(optarg, NULL, 10);
		else if (opt == 's')
			client.seed = (uint32_t)strtoul(optarg, NULL, 10);
		else if (opt == 'm')
			client.mistake = optarg;
		else
			goto usage;
	}
	if (optind + 2 != argc || client.frames == 0 || !known_mistake(&client))
		goto usage;

	r = syncobj_device_open(device, &client.device);
	if (r < 0) {
		report(device ? device : "no device", syncobj_strerror(r));
		return EXIT_FAILURE;
	}
	r = run(&client, argv[optind], argv[optind + 1]);
	for (size_t i = 0; i < TIMELINES; i++)
		syncobj_unref(client.timelines[i]);
	for (size_t i = 0; i < BUFFERS; i++)
		if (client.buffers[i])
			munmap(client.buffers[i], SIZE);
	if (client.socket >= 0)
		close(client.socket);
	syncobj_device_unref(client.device);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

usage:
	fputs("usage: client [-d DEVICE] [-f FRAMES] [-s SEED] [-m MISTAKE] SOCKET NAME\n"
	      "Shows FRAMES frames at the compositor's SOCKET. DEVICE: soft, drm, device, ...\n"
	      "MISTAKE: die, conflict, unsent, flood\n",
	      stderr);
	return 2;
}
