/* SPDX-License-Identifier: MIT */
/*
 * The soft transport: plays the kernel driver's part for the software DSP, a
 * process of its own per session, reached through shared memory and futexes.
 * Nothing the DSP can write decides over a length, an index or a pointer here.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/dma-buf.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "channel.h"
#include "internal.h"
#include "payload.h"

#define SLOT_PAYLOAD 65536UL /* payload memory every slot has; larger ones are allocated */
#define DSP_ADDRESS                                                                               \
	(1ULL << 56)             /* the session's stream id in the address, as newer SoCs have it \
				  */
#define CONTROL_TIMEOUT_MS 10000 /* for messages of the transport's own, as the kernel's driver */
#define START_TIMEOUT_MS 30000
#define CLIENT_ID 1
#define SLOT_NONE 1ULL  /* bit of slot 0 in busy[0]: id 0 is not used */
#define SLOT_LISTENER 1 /* kept for the listener, whatever else is in flight */
#define CHILD_FD_MIN 16 /* above the descriptors that the child gets */

struct soft_session {
	struct qda_session *session;
	struct softdsp_channel *channel;
	uint8_t *payload; /* SOFTDSP_SLOTS times SLOT_PAYLOAD */
	uint64_t payload_address;
	_Atomic uint64_t next_address;
	_Atomic uint64_t sequence;
	_Atomic uint64_t busy[SOFTDSP_SLOTS / 64]; /* slots taken; not shared with the DSP */
	_Atomic int32_t next_cookie;

	int socket;
	pthread_mutex_t socket_lock; /* keeps memory_sent in step with the packets */
	int pidfd;
	int stop; /* eventfd: the watcher is to end */
	pthread_t watcher;

	pthread_mutex_t log_lock; /* lines are delivered one after the other */
	_Atomic uint32_t logs_seen;

	atomic_bool ended;
	char reason[256]; /* valid once ended */
	_Atomic(const char *) reason_set;
};

static long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *deadline)
{
	return syscall(SYS_futex, word, op, value, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* ---- the end of the DSP's process --------------------------------------- */

/* The first reason given stays. */
static void set_reason(struct soft_session *soft, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void set_reason(struct soft_session *soft, const char *format, ...)
{
	static const char writing[] = "";
	const char *none = NULL;
	va_list ap;

	if (!atomic_compare_exchange_strong(&soft->reason_set, &none, writing))
		return;
	va_start(ap, format);
	vsnprintf(soft->reason, sizeof(soft->reason), format, ap);
	va_end(ap);
	atomic_store(&soft->reason_set, soft->reason);
}

static void kill_process(struct soft_session *soft)
{
	struct pollfd pfd = {.fd = soft->pidfd, .events = POLLIN};

	syscall(SYS_pidfd_send_signal, soft->pidfd, SIGKILL, NULL, 0);
	/* Until it is gone it may still write into the caller's buffers. */
	while (poll(&pfd, 1, CONTROL_TIMEOUT_MS) == -1 && errno == EINTR)
		;
}

/* The process broke the rules, or took too long. */
static void end_process(struct soft_session *soft)
{
	kill_process(soft);
	atomic_store(&soft->ended, true);
	qda_session_end(soft->session, -ECONNRESET);
}

static bool any_busy(struct soft_session *soft)
{
	uint64_t busy = 0;

	for (size_t i = 0; i < ARRAY_SIZE(soft->busy); i++)
		busy |= atomic_load(&soft->busy[i]) & ~(i ? 0 : SLOT_NONE);
	return busy != 0;
}

static void process_ended(struct soft_session *soft)
{
	char reason[sizeof(soft->channel->reason)] = "";

	if (atomic_load(&soft->channel->ended)) {
		memcpy(reason, soft->channel->reason, sizeof(reason));
		qda_clean_text(reason, sizeof(reason));
	}
	set_reason(soft, "%s", reason[0] ? reason : "the DSP's process was killed or exited");
	atomic_store(&soft->ended, true);
	qda_session_end(soft->session, -ECONNRESET);

	/*
	 * A caller that looked at soft->ended before it was set is about to sleep
	 * on its slot, so one wake-up is not enough.
	 */
	do {
		for (size_t i = 0; i < SOFTDSP_SLOTS; i++)
			futex(&soft->channel->slots[i].state, FUTEX_WAKE, INT_MAX, NULL);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	} while (any_busy(soft));
}

static void receive_log(struct soft_session *soft)
{
	struct {
		struct softdsp_packet head;
		char text[SOFTDSP_LOG_MAX + 1];
	} packet;
	uint32_t logs;
	ssize_t n;

	pthread_mutex_lock(&soft->log_lock);
	logs = atomic_load(&soft->channel->logs);
	while ((n = recv(soft->socket, &packet, sizeof(packet) - 1, MSG_DONTWAIT)) > 0) {
		if ((size_t)n <= sizeof(packet.head) || packet.head.type != SOFTDSP_PACKET_LOG)
			continue;
		((char *)&packet)[n] = '\0';
		qda_clean_text(packet.text, sizeof(packet.text));
		qda_log(soft->session->device->qda, (int)(packet.head.level & 7), "dsp: %s",
			packet.text);
	}
	atomic_store(&soft->logs_seen, logs);
	pthread_mutex_unlock(&soft->log_lock);
}

/* Sleeps until the DSP's process logs or ends. */
static void *watch(void *arg)
{
	struct soft_session *soft = arg;
	struct pollfd pfds[] = {
		{.fd = soft->stop, .events = POLLIN},
		{.fd = soft->pidfd, .events = POLLIN},
		{.fd = soft->socket, .events = POLLIN},
	};

	pthread_setname_np(pthread_self(), "qda-watch");
	for (;;) {
		if (poll(pfds, ARRAY_SIZE(pfds), -1) == -1)
			continue;
		if (pfds[2].revents & POLLIN)
			receive_log(soft);
		if (pfds[1].revents) {
			process_ended(soft);
			return NULL;
		}
		if (pfds[0].revents)
			return NULL;
		if (pfds[2].revents & (POLLHUP | POLLERR))
			pfds[2].fd = -1; /* the pidfd tells the rest */
	}
}

/* ---- calls -------------------------------------------------------------- */

/* A free slot, or -EBUSY. */
static int slot_take(struct soft_session *soft, bool is_listener)
{
	const uint64_t kept = SLOT_NONE | 1ULL << SLOT_LISTENER;

	if (is_listener) {
		atomic_fetch_or(&soft->busy[0], 1ULL << SLOT_LISTENER);
		return SLOT_LISTENER;
	}
	for (size_t i = 0; i < ARRAY_SIZE(soft->busy); i++) {
		uint64_t busy = atomic_load_explicit(&soft->busy[i], memory_order_relaxed);
		uint64_t free_bits;

		while ((free_bits = ~(busy | (i ? 0 : kept)))) {
			int bit = __builtin_ctzll(free_bits);

			if (atomic_compare_exchange_weak(&soft->busy[i], &busy,
							 busy | (1ULL << bit)))
				return (int)i * 64 + bit;
		}
	}
	return -EBUSY;
}

static void slot_put(struct soft_session *soft, int slot)
{
	atomic_fetch_and(&soft->busy[slot / 64], ~(1ULL << (slot % 64)));
}

/*
 * Memory messages are packets, so that they carry the file descriptor. A DSP that
 * does not read them is waited for until @limit, or for ever if it is NULL.
 */
static int send_memory(struct soft_session *soft, uint32_t type, uint64_t address, uint64_t size,
		       int fd, const struct timespec *limit)
{
	struct softdsp_packet packet = {.type = type, .address = address, .size = size};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = &packet, .iov_len = sizeof(packet)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}

	for (;;) {
		struct pollfd pfd = {.fd = soft->socket, .events = POLLOUT};
		int r = 0, left = -1;

		pthread_mutex_lock(&soft->socket_lock);
		if (sendmsg(soft->socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
			r = -errno;
		else
			atomic_fetch_add(&soft->channel->memory_sent, 1);
		pthread_mutex_unlock(&soft->socket_lock);
		if (r == -EINTR)
			continue;
		if (r != -EAGAIN)
			return r == -EPIPE ? -ECONNRESET : r;
		if (limit)
			left = time_left_ms(limit);
		if (!left)
			return -ETIMEDOUT;
		poll(&pfd, 1, left);
	}
}

static uint64_t take_address(struct soft_session *soft, size_t size)
{
	/* A guard page lies between any two. */
	return atomic_fetch_add(&soft->next_address, ALIGN_UP(size, FASTRPC_PAGE) + FASTRPC_PAGE);
}

/* Memory that the DSP maps too, and cannot shrink under our feet. */
static int shared_memory(const char *name, size_t size, int *ret_fd, void **ret_mem)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *mem;

	if (fd < 0 || ftruncate(fd, (off_t)size) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1)
		return -errno;
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	*ret_mem = mem;
	*ret_fd = move_fd(steal_fd(&fd), CHILD_FD_MIN);
	if (*ret_fd < 0) {
		munmap(mem, size);
		return *ret_fd;
	}
	return 0;
}

/* Memory for a payload that does not fit into its slot's. */
static int big_payload_alloc(struct soft_session *soft, size_t size, const struct timespec *limit,
			     void **ret_mem, uint64_t *ret_address)
{
	_cleanup_close_ int fd = -1;
	uint64_t address = take_address(soft, size);
	void *mem;
	int r;

	r = shared_memory("qda-payload", size, &fd, &mem);
	if (r < 0)
		return r;
	r = send_memory(soft, SOFTDSP_PACKET_MAP, address, size, fd, limit);
	if (r < 0) {
		munmap(mem, size);
		return r;
	}
	*ret_mem = mem;
	*ret_address = address;
	return 0;
}

static int wait_reply(struct soft_session *soft, struct softdsp_slot *slot,
		      const struct timespec *limit)
{
	for (bool first = true;; first = false) {
		uint32_t state = atomic_load_explicit(&slot->state, memory_order_acquire);

		if (state == SOFTDSP_SLOT_DONE)
			return 0;
		if (atomic_load(&soft->ended))
			return -ECONNRESET;
		/* Not left to the futex: a DSP that keeps changing the word never lets it sleep. */
		if (!first && limit && !time_left_ms(limit))
			return -ETIMEDOUT;
		futex(&slot->state, FUTEX_WAIT_BITSET, state, limit);
	}
}

static pid_t thread_id(void)
{
	static __thread pid_t id;

	if (!id)
		id = gettid();
	return id;
}

/* Send the message in a slot and wait for its reply. */
static int exchange(struct soft_session *soft, int index, int32_t client_id, uint32_t handle,
		    uint32_t sc, uint64_t address, uint64_t size, const struct timespec *limit,
		    uint32_t *ret_status)
{
	struct softdsp_channel *channel = soft->channel;
	struct softdsp_slot *slot = &channel->slots[index];
	uint64_t ctx = atomic_fetch_add_explicit(&soft->sequence, 1, memory_order_relaxed)
			       << FASTRPC_CTX_SEQ_SHIFT |
		       (uint64_t)(unsigned int)index << FASTRPC_CTX_ID_SHIFT | FASTRPC_PD_USER;
	int r;

	slot->msg = (struct fastrpc_msg){
		.client_id = client_id,
		.tid = thread_id(),
		.ctx = ctx,
		.handle = handle,
		.sc = sc,
		.addr = address,
		.size = size,
	};
	atomic_store_explicit(&slot->state, SOFTDSP_SLOT_POSTED, memory_order_relaxed);
	atomic_fetch_or(&channel->posted[index / 64], 1ULL << (index % 64));
	atomic_fetch_add(&channel->avail, 1);
	if (atomic_load(&channel->idle))
		futex(&channel->avail, FUTEX_WAKE, 1, NULL);

	r = wait_reply(soft, slot, limit);
	if (r < 0)
		return r;
	if (slot->rsp.ctx != ctx) {
		set_reason(soft, "the DSP answered a call that was not made");
		end_process(soft);
		return -ECONNRESET;
	}
	*ret_status = (uint32_t)slot->rsp.retval;
	return 0;
}

/* Messages of the transport's own and calls of users differ in the client id only. */
static int soft_call(struct soft_session *soft, int32_t client_id, uint32_t handle, uint32_t sc,
		     const struct qda_arg *args, int timeout_ms, uint32_t flags,
		     uint32_t *ret_status)
{
	struct timespec deadline, *limit = NULL;
	struct payload payload;
	uint64_t address = 0;
	void *mem = NULL, *big = NULL;
	size_t size = 0;
	int slot, r = 0;

	if (timeout_ms != QDA_NO_TIMEOUT) {
		deadline = deadline_in(timeout_ms);
		limit = &deadline;
	}
	if (FASTRPC_LENGTH(sc)) {
		r = payload_layout(&payload, sc, args);
		if (r < 0)
			return r;
		size = ALIGN_UP(payload.size, FASTRPC_PAGE);
	}

	slot = slot_take(soft, flags & QDA_CALL_CANCELLABLE);
	if (slot < 0)
		return slot;
	if (size > SLOT_PAYLOAD) {
		r = big_payload_alloc(soft, size, limit, &big, &address);
		if (r < 0)
			goto out;
		mem = big;
	} else if (size) {
		mem = soft->payload + (size_t)slot * SLOT_PAYLOAD;
		address = soft->payload_address + (uint64_t)slot * SLOT_PAYLOAD;
	}
	if (mem)
		payload_build(&payload, mem, address);

	r = exchange(soft, slot, client_id, handle, sc, address, size, limit, ret_status);
	if (r == 0 && mem && *ret_status == 0)
		payload_copy_out(&payload, mem);
	/* What the method logged has been delivered when the call returns. */
	if (atomic_load(&soft->channel->logs) != atomic_load(&soft->logs_seen))
		receive_log(soft);
out:
	if (r == -ETIMEDOUT) {
		set_reason(soft, "ended because a call ran into its limit of %d ms", timeout_ms);
		end_process(soft);
	}
	if (big) {
		munmap(big, size);
		send_memory(soft, SOFTDSP_PACKET_UNMAP, address, size, -1, limit);
	}
	slot_put(soft, slot);
	return r;
}

static int soft_invoke(struct qda_session *session, uint32_t handle, uint32_t sc,
		       const struct qda_arg *args, int timeout_ms, uint32_t flags,
		       uint32_t *ret_status)
{
	int r = qda_args_check(session, sc, args);

	if (r < 0)
		return r;
	return soft_call(session->priv, CLIENT_ID, handle, sc, args, timeout_ms, flags, ret_status);
}

/* A control message on handle 1, as only a driver may send it. */
static int soft_control(struct soft_session *soft, uint32_t sc, const struct qda_arg *args,
			int timeout_ms, uint32_t *ret_status)
{
	return soft_call(soft, 0, FASTRPC_HANDLE_INIT, sc, args, timeout_ms, 0, ret_status);
}

/* ---- sessions ----------------------------------------------------------- */

/*
 * Run the program. It forks at once and the first process ends, so that the
 * application never sees a child of ours in wait().
 */
static int spawn(const char *program, int channel_fd, int socket_fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char *argv[] = {(char *)(uintptr_t) "qda-softdsp", NULL};
	sigset_t none, all;
	pid_t pid;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 1);
#ifndef __SANITIZE_ADDRESS__ /* its reports go there */
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 2);
#endif
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, channel_fd, SOFTDSP_FD_CHANNEL);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, socket_fd, SOFTDSP_FD_SOCKET);
	if (!r)
		r = posix_spawn(&pid, program, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		return -r;
	/* ECHILD: the application reaped it, or ignores SIGCHLD. */
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	return 0;
}

/* The process says that it runs and hands over a pidfd of itself. */
static int receive_hello(struct soft_session *soft)
{
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
	struct cmsghdr *cmsg;
	ssize_t n;

	for (;;) {
		n = recvmsg(soft->socket, &msg, MSG_CMSG_CLOEXEC);
		if (n != -1 || errno != EINTR)
			break;
	}
	if (n == -1)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	/* A program that is not ours closes the socket, or says something else. */
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return -ENOEXEC;
	memcpy(&soft->pidfd, CMSG_DATA(cmsg), sizeof(soft->pidfd));
	if (n != sizeof(packet) || packet.type != SOFTDSP_PACKET_HELLO)
		return -ENOEXEC;
	return 0;
}

/* Ends the process if it runs, and frees all; fields not set yet are -1 or NULL. */
static void soft_free(struct soft_session *soft)
{
	if (soft->pidfd >= 0) {
		kill_process(soft);
		/* It is our child only if the application adopts orphans (a container's init). */
		waitid(P_PIDFD, (id_t)soft->pidfd, NULL, WEXITED);
		close(soft->pidfd);
	}
	if (soft->stop >= 0)
		close(soft->stop);
	if (soft->socket >= 0)
		close(soft->socket);
	if (soft->channel)
		munmap(soft->channel, sizeof(*soft->channel));
	if (soft->payload)
		munmap(soft->payload, SOFTDSP_SLOTS * SLOT_PAYLOAD);
	pthread_mutex_destroy(&soft->log_lock);
	pthread_mutex_destroy(&soft->socket_lock);
	free(soft);
}

/* The process is there; give it the payload memory and let it become a session. */
static int soft_setup(struct soft_session *soft, const char *program)
{
	_cleanup_close_ int channel_fd = -1, payload_fd = -1, theirs = -1;
	const struct timeval limit = {.tv_sec = START_TIMEOUT_MS / 1000};
	void *mem;
	int sockets[2];
	int r;

	r = shared_memory("qda-channel", sizeof(*soft->channel), &channel_fd, &mem);
	if (r < 0)
		return r;
	soft->channel = mem;
	soft->channel->magic = SOFTDSP_MAGIC;
	soft->channel->version = SOFTDSP_VERSION;
	r = shared_memory("qda-payload", SOFTDSP_SLOTS * SLOT_PAYLOAD, &payload_fd, &mem);
	if (r < 0)
		return r;
	soft->payload = mem;
	soft->payload_address = take_address(soft, SOFTDSP_SLOTS * SLOT_PAYLOAD);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == -1)
		return -errno;
	soft->socket = sockets[0];
	theirs = move_fd(sockets[1], CHILD_FD_MIN);
	if (theirs < 0)
		return theirs;
	if (setsockopt(soft->socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == -1)
		return -errno;

	r = spawn(program, channel_fd, theirs);
	if (r < 0)
		return r;
	close(steal_fd(&theirs));
	r = receive_hello(soft);
	if (r < 0)
		return r;
	return send_memory(soft, SOFTDSP_PACKET_MAP, soft->payload_address,
			   SOFTDSP_SLOTS * SLOT_PAYLOAD, payload_fd, NULL);
}

static int start_watcher(struct soft_session *soft)
{
	soft->stop = eventfd(0, EFD_CLOEXEC);
	if (soft->stop < 0)
		return -errno;
	return start_thread(&soft->watcher, watch, soft);
}

static void stop_watcher(struct soft_session *soft)
{
	eventfd_write(soft->stop, 1);
	pthread_join(soft->watcher, NULL);
}

/* The message a driver sends to start a process: parameters, name, shell, memory. */
static int send_create(struct soft_session *soft, const struct qda_session_params *params)
{
	uint32_t attrs = params->attrs;
	struct fastrpc_init_create create = {.client_id = CLIENT_ID, .pageslen = 1};
	struct fastrpc_phy_page page = {.addr = 0, .size = 0};
	char name[16] = "";
	struct qda_arg args[4] = {{0}};
	uint32_t sc, status;
	int r;

	if (!(params->flags & QDA_SESSION_SIGNED))
		attrs |= 0x8;
	pthread_getname_np(pthread_self(), name, sizeof(name));
	create.namelen = (uint32_t)strlen(name) + 1;
	create.attrs = attrs;
	args[0] = (struct qda_arg){.ptr = &create, .length = sizeof(create)};
	args[1] = (struct qda_arg){.ptr = name, .length = create.namelen};
	args[3] = (struct qda_arg){.ptr = &page, .length = sizeof(page)};
	sc = FASTRPC_SCALARS(attrs ? FASTRPC_INIT_CREATE_ATTR : FASTRPC_INIT_CREATE, 4, 0, 0, 0);
	r = soft_control(soft, sc, args, CONTROL_TIMEOUT_MS, &status);
	if (r < 0)
		return r;
	return status ? -EREMOTEIO : 0;
}

static int soft_session_open(struct qda_session *session, const struct qda_session_params *params)
{
	const char *program = session->device->node;
	struct soft_session *soft;
	int r;

	if (program[0] != '/') {
		qda_log(session->device->qda, LOG_ERR, "QDA_SOFTDSP: %s is not an absolute path",
			program);
		return -EINVAL;
	}
	soft = calloc(1, sizeof(*soft));
	if (!soft)
		return -ENOMEM;
	soft->session = session;
	soft->socket = soft->pidfd = soft->stop = -1;
	soft->busy[0] = SLOT_NONE;
	soft->next_cookie = 1 << 24;
	soft->next_address = DSP_ADDRESS + FASTRPC_PAGE;
	pthread_mutex_init(&soft->socket_lock, NULL);
	pthread_mutex_init(&soft->log_lock, NULL);

	r = soft_setup(soft, program);
	if (r < 0) {
		qda_log(session->device->qda, LOG_ERR, "cannot start the software DSP %s: %s",
			program, qda_strerror(r));
		goto fail;
	}
	r = start_watcher(soft);
	if (r < 0)
		goto fail;
	session->priv = soft;
	r = send_create(soft, params);
	if (r < 0) {
		stop_watcher(soft);
		session->priv = NULL;
		goto fail;
	}
	return 0;
fail:
	soft_free(soft);
	return r;
}

/* Ask the process to end, which it does at once; soft_free() makes sure. */
static void soft_session_interrupt(struct qda_session *session)
{
	struct soft_session *soft = session->priv;
	struct fastrpc_init_release release = {.client_id = CLIENT_ID};
	const struct qda_arg arg = {.ptr = &release, .length = sizeof(release)};
	uint32_t status;

	set_reason(soft, "the session was closed");
	soft_control(soft, FASTRPC_SCALARS(FASTRPC_INIT_RELEASE, 1, 0, 0, 0), &arg, 1000, &status);
	kill_process(soft);
}

static void soft_session_abort(struct qda_session *session, const char *why)
{
	struct soft_session *soft = session->priv;

	set_reason(soft, "%s", why);
	end_process(soft);
}

static void soft_session_close(struct qda_session *session)
{
	struct soft_session *soft = session->priv;

	stop_watcher(soft);
	soft_free(soft);
	session->priv = NULL;
}

static const char *soft_end_reason(struct qda_session *session)
{
	struct soft_session *soft = session->priv;

	if (!soft || !atomic_load(&soft->ended) || atomic_load(&soft->reason_set) != soft->reason)
		return NULL;
	return soft->reason;
}

/* ---- buffers ------------------------------------------------------------ */

/* The limit of what is not a call of the user's. */
static int own_timeout(const struct qda_session *session)
{
	return session->timeout_ms == QDA_NO_TIMEOUT ? CONTROL_TIMEOUT_MS : session->timeout_ms;
}

static int soft_buffer_publish(struct qda_buffer *buffer)
{
	struct timespec limit = deadline_in(own_timeout(buffer->session));
	struct soft_session *soft = buffer->session->priv;

	buffer->address = take_address(soft, buffer->size);
	buffer->key = atomic_fetch_add(&soft->next_cookie, 1);
	return send_memory(soft, SOFTDSP_PACKET_MAP, buffer->address, buffer->size, buffer->fd,
			   &limit);
}

static int soft_buffer_alloc(struct qda_buffer *buffer)
{
	int r = shared_memory("qda-buffer", buffer->size, &buffer->fd, &buffer->data);

	if (r < 0)
		return r;
	r = soft_buffer_publish(buffer);
	if (r < 0) {
		munmap(buffer->data, buffer->size);
		close(steal_fd(&buffer->fd));
	}
	return r;
}

/* A dma-buf keeps its size; a memfd has to promise it, or a shrink kills the process. */
static int check_size_is_fixed(int fd)
{
	struct dma_buf_sync sync = {.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ};
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals >= 0) {
		if (!(seals & F_SEAL_SHRINK) && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == -1)
			return -errno;
		return 0;
	}
	if (errno == EBADF)
		return -EBADF;
	if (ioctl_restart(fd, DMA_BUF_IOCTL_SYNC, &sync) < 0)
		return -EINVAL;
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ;
	ioctl_restart(fd, DMA_BUF_IOCTL_SYNC, &sync);
	return 0;
}

static int soft_buffer_import(struct qda_buffer *buffer, int fd)
{
	_cleanup_close_ int own = -1;
	off_t size;
	void *data;
	int r;

	r = check_size_is_fixed(fd);
	if (r < 0)
		return r;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return -errno;
	/* fstat(), because lseek() would move an offset that the caller shares */
	struct stat st;

	if (fstat(own, &st) == -1)
		return -errno;
	size = st.st_size;
	if (size == 0)
		size = lseek(own, 0, SEEK_END); /* a dma-buf says it only this way */
	if (size <= 0)
		return -EINVAL;
	size = (off_t)ALIGN_UP((uint64_t)size, FASTRPC_PAGE);
	data = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
	if (data == MAP_FAILED)
		return -errno;

	buffer->data = data;
	buffer->size = (size_t)size;
	buffer->fd = own;
	r = soft_buffer_publish(buffer);
	if (r < 0) {
		munmap(data, (size_t)size);
		buffer->fd = -1;
		return r;
	}
	own = -1;
	return 0;
}

static void soft_buffer_release(struct qda_buffer *buffer)
{
	struct timespec limit = deadline_in(own_timeout(buffer->session));

	if (buffer->fd < 0)
		return;
	send_memory(buffer->session->priv, SOFTDSP_PACKET_UNMAP, buffer->address, buffer->size, -1,
		    &limit);
	close(steal_fd(&buffer->fd));
}

static int soft_buffer_map(struct qda_buffer *buffer, size_t offset, size_t size, uint32_t flags,
			   int32_t cookie, uint32_t *ret_status)
{
	struct soft_session *soft = buffer->session->priv;
	struct fastrpc_init_mem_map request = {
		.client_id = CLIENT_ID,
		.fd = cookie,
		.flags = flags,
		.num = sizeof(struct fastrpc_phy_page),
	};
	struct fastrpc_phy_page page = {.addr = buffer->address + offset, .size = size};
	uint64_t address = 0;
	const struct qda_arg args[] = {
		{.ptr = &request, .length = sizeof(request)},
		{.ptr = &page, .length = sizeof(page)},
		{.length = 0},
		{.ptr = &address, .length = sizeof(address)},
	};
	uint32_t sc = FASTRPC_SCALARS(FASTRPC_INIT_MEM_MAP, 3, 1, 0, 0);
	int r;

	/* The buffer's own number stands for all of it. */
	if (cookie == QDA_COOKIE_AUTO)
		request.fd = size == buffer->size ? buffer->key
						  : atomic_fetch_add(&soft->next_cookie, 1);
	for (;;) {
		r = soft_control(soft, sc, args, own_timeout(buffer->session), ret_status);
		if (r < 0)
			return r;
		if (*ret_status != AEE_DSP_OFFSET + AEE_EALREADY)
			break;
		if (cookie != QDA_COOKIE_AUTO)
			return -EBUSY;
		/* The number is the cookie someone wanted for another buffer. */
		request.fd = atomic_fetch_add(&soft->next_cookie, 1);
	}
	if (*ret_status)
		return 0;
	buffer->cookie = request.fd;
	buffer->map_address = address;
	return 0;
}

static int soft_buffer_unmap(struct qda_buffer *buffer, uint32_t *ret_status)
{
	struct fastrpc_init_mem_unmap request = {
		.client_id = CLIENT_ID,
		.fd = buffer->cookie,
		.vaddrin = buffer->map_address,
		.len = buffer->map_size,
	};
	const struct qda_arg arg = {.ptr = &request, .length = sizeof(request)};

	return soft_control(buffer->session->priv,
			    FASTRPC_SCALARS(FASTRPC_INIT_MEM_UNMAP, 1, 0, 0, 0), &arg,
			    own_timeout(buffer->session), ret_status);
}

const struct qda_transport qda_transport_soft = {
	.name = "soft",
	.session_open = soft_session_open,
	.session_close = soft_session_close,
	.session_interrupt = soft_session_interrupt,
	.session_abort = soft_session_abort,
	.end_reason = soft_end_reason,
	.buffer_alloc = soft_buffer_alloc,
	.buffer_import = soft_buffer_import,
	.buffer_release = soft_buffer_release,
	.buffer_map = soft_buffer_map,
	.buffer_unmap = soft_buffer_unmap,
	.invoke = soft_invoke,
};
