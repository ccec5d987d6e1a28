/* SPDX-License-Identifier: MIT */
/*
 * qda-softdsp: the process behind a session on the software DSP. Started by
 * libqda's soft transport, which shares the memory of channel.h with it and
 * talks to it over a socket; it ends when the socket closes.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "channel.h"
#include "confine.h"
#include "crash.h"
#include "softdsp.h"

static struct softdsp_channel *channel;
static struct softdsp dsp;

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* ---- messages ----------------------------------------------------------- */

/* Claim one of the posted slots; the caller has taken one from channel->avail. */
static struct softdsp_slot *claim(void)
{
	for (;;) {
		for (size_t i = 0; i < ARRAY_SIZE(channel->posted); i++) {
			uint64_t posted = atomic_load(&channel->posted[i]);

			while (posted) {
				uint64_t bit = posted & -posted;

				if (atomic_fetch_and(&channel->posted[i], ~bit) & bit)
					return &channel->slots[i * 64 +
							       (size_t)__builtin_ctzll(bit)];
				posted &= ~bit;
			}
		}
		sched_yield(); /* another worker claimed it between our looks; one is left for us */
	}
}

static int receive(void *data, struct fastrpc_msg *ret_msg)
{
	uint32_t avail;

	softdsp_give_signal_stack();
	for (;;) {
		avail = atomic_load(&channel->avail);
		while (avail) {
			if (atomic_compare_exchange_weak(&channel->avail, &avail, avail - 1)) {
				*ret_msg = claim()->msg;
				return 0;
			}
		}
		atomic_fetch_add(&channel->idle, 1);
		futex(&channel->avail, FUTEX_WAIT, 0);
		atomic_fetch_sub(&channel->idle, 1);
	}
}

static void reply(void *data, uint64_t ctx, int32_t retval)
{
	struct softdsp_slot *slot = &channel->slots[FASTRPC_CTX_ID(ctx)];

	slot->rsp = (struct fastrpc_rsp){.ctx = ctx, .retval = retval};
	atomic_store_explicit(&slot->state, SOFTDSP_SLOT_DONE, memory_order_release);
	futex(&slot->state, FUTEX_WAKE, 1);
}

/* Memory packets sent before the message was are carried out first. */
static int fault(void *data, uint64_t address, uint64_t size, int attempt)
{
	uint32_t sent = atomic_load(&channel->memory_sent);

	if (attempt)
		return -EFAULT;
	for (;;) {
		uint32_t done = atomic_load(&channel->memory_done);

		if ((int32_t)(sent - done) <= 0)
			return 0;
		futex(&channel->memory_done, FUTEX_WAIT, done);
	}
}

static void send_log(void *data, int level, const char *text)
{
	struct softdsp_packet packet = {.type = SOFTDSP_PACKET_LOG, .level = (uint32_t)level};
	struct iovec iov[] = {
		{.iov_base = &packet, .iov_len = sizeof(packet)},
		{.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)},
	};
	const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov)};

	/* A line more than the application reads in time is lost. */
	sendmsg(SOFTDSP_FD_SOCKET, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	atomic_fetch_add(&channel->logs, 1);
}

static void __attribute__((noreturn)) release(void *data)
{
	_exit(0);
}

static const struct softdsp_ops ops = {
	.receive = receive,
	.reply = reply,
	.fault = fault,
	.log = send_log,
	.release = release,
};

/* ---- memory ------------------------------------------------------------- */

static void map_memory(const struct softdsp_packet *packet, int fd)
{
	void *data;

	if (fd < 0)
		return;
	data = mmap(NULL, packet->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return;
	if (softdsp_memory_add(&dsp, packet->address, packet->size, data) < 0)
		munmap(data, packet->size);
}

static void unmap_memory(const struct softdsp_packet *packet)
{
	struct softdsp_region region;

	if (softdsp_memory_remove(&dsp, packet->address, &region) == 0)
		munmap(region.data, region.size);
}

/* Carry out packets until the application is gone. */
static void serve_socket(void)
{
	for (;;) {
		struct softdsp_packet packet;
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = {.iov_base = &packet, .iov_len = sizeof(packet)};
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		_cleanup_close_ int fd = -1;
		struct cmsghdr *cmsg;
		ssize_t n = recvmsg(SOFTDSP_FD_SOCKET, &msg, MSG_CMSG_CLOEXEC);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		cmsg = CMSG_FIRSTHDR(&msg);
		if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
		    cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
		if (n != sizeof(packet))
			continue;
		if (packet.type == SOFTDSP_PACKET_MAP)
			map_memory(&packet, fd);
		else if (packet.type == SOFTDSP_PACKET_UNMAP)
			unmap_memory(&packet);
		atomic_fetch_add(&channel->memory_done, 1);
		futex(&channel->memory_done, FUTEX_WAKE, INT32_MAX);
	}
}

/* Tell that the process runs, and hand out a pidfd of it. */
static int send_hello(void)
{
	struct softdsp_packet packet = {.type = SOFTDSP_PACKET_HELLO};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = &packet, .iov_len = sizeof(packet)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	if (pidfd < 0)
		return -errno;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &pidfd, sizeof(pidfd));
	return sendmsg(SOFTDSP_FD_SOCKET, &msg, MSG_NOSIGNAL) == -1 ? -errno : 0;
}

static int open_channel(void)
{
	struct stat st;
	void *data;

	if (fstat(SOFTDSP_FD_CHANNEL, &st) == -1 || st.st_size != sizeof(*channel))
		return -EINVAL;
	data = mmap(NULL, sizeof(*channel), PROT_READ | PROT_WRITE, MAP_SHARED, SOFTDSP_FD_CHANNEL,
		    0);
	if (data == MAP_FAILED)
		return -errno;
	channel = data;
	if (channel->magic != SOFTDSP_MAGIC || channel->version != SOFTDSP_VERSION)
		return -EPROTO;
	close(SOFTDSP_FD_CHANNEL);
	return 0;
}

int main(void)
{
	int r = open_channel();

	if (r < 0) {
		fprintf(stderr, "qda-softdsp: started by libqda for sessions on \"soft:\" devices, "
				"not by hand\n");
		return 2;
	}
	/* What else the application left open is not for skels. */
	close_range(SOFTDSP_FD_SOCKET + 1, ~0U, 0);
	fcntl(SOFTDSP_FD_SOCKET, F_SETFD, FD_CLOEXEC);

	/* Not a child of the application, and not of its terminal's process group. */
	switch (fork()) {
	case -1:
		return 1;
	case 0:
		break;
	default:
		_exit(0);
	}
	setsid();
	/* Where it cannot be had, ending the session still ends this process. */
	softdsp_forbid_processes();

	softdsp_init(&dsp, &ops, NULL);
	softdsp_hap_set(&dsp);
	if (softdsp_catch_crashes(channel->reason, sizeof(channel->reason), &channel->ended) < 0 ||
	    send_hello() < 0 || softdsp_start(&dsp) < 0)
		_exit(1);
	serve_socket();
	_exit(0);
}
