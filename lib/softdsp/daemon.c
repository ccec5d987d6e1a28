/* SPDX-License-Identifier: MIT */
/*
 * qda-softdspd: software DSPs for the kernel's simulated ones. It boots one by its
 * character device (linux/qda_sim.h) and starts a process of its own for each
 * session, which takes the session's messages from the kernel and reaches the memory
 * of the session's stream id only. The root process, here, gets what the driver
 * sends itself, and answers for sessions that are gone.
 */
#include <fcntl.h>
#include <getopt.h>
#include <linux/qda_sim.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>

#include "confine.h"
#include "crash.h"
#include "softdsp.h"

#define SESSIONS 64
#define PENDING 16 /* control messages of a session that are not answered */
#define REASON_MAX 256

/* What a session's process leaves behind when it ends. */
struct report {
	_Atomic uint32_t set;
	char reason[REASON_MAX - sizeof(uint32_t)];
};

struct session {
	int32_t client_id; /* 0: not used */
	uint32_t sid;
	pid_t pid;  /* 0: it has ended */
	int pidfd;  /* -1 then */
	int socket; /* control messages for it, as they come, and its answers; -1 then */
	uint64_t pending[PENDING];
	size_t n_pending;
	struct report *report;
};

static struct {
	const char *device;
	const char *library; /* directories of skels that the DSP has itself, or NULL */
	unsigned int sid_shift;
	bool restart;
	bool verbose;
} options = {.sid_shift = 32};

static struct session sessions[SESSIONS];
static int root_fd = -1;
static void *root_memory[QDA_SIM_SID_MAX + 1]; /* by stream id, mapped when it is needed */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(stderr, "qda-softdspd: %s: %s\n", options.device, text);
}

static void answer(int fd, uint64_t ctx, int32_t retval)
{
	const struct fastrpc_rsp rsp = {.ctx = ctx, .retval = retval};

	/* If it cannot be sent, the driver or the DSP is gone, which reading tells. */
	if (write(fd, &rsp, sizeof(rsp)) < 0 && options.verbose)
		say("no answer to 0x%llx: %s", (unsigned long long)ctx, strerror(errno));
}

/* A message of the driver's. Return: 0, or a negative errno: the DSP is gone. */
static int take(int fd, struct fastrpc_msg *ret_msg)
{
	for (;;) {
		ssize_t n = read(fd, ret_msg, sizeof(*ret_msg));

		if (n == sizeof(*ret_msg))
			return 0;
		if (n == -1 && errno != EINTR)
			return -errno;
		if (n >= 0)
			say("a message of %zd bytes, not %zu", n, sizeof(*ret_msg));
	}
}

static uint32_t sid_of(uint64_t address)
{
	return (uint32_t)(address >> options.sid_shift);
}

static uint64_t iova_of(uint64_t address)
{
	return address & ((1ULL << options.sid_shift) - 1);
}

static size_t iova_size(void)
{
	return (size_t)1 << MIN(options.sid_shift, QDA_SIM_IOVA_BITS);
}

/* All that a stream id reaches; the IOMMU decides on each access. */
static void *map_sid(int fd, uint32_t sid)
{
	void *base = mmap(NULL, iova_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  (off_t)QDA_SIM_MMAP_OFFSET(sid, 0));

	return base == MAP_FAILED ? NULL : base;
}

/* ---- a session's process ------------------------------------------------ */

static struct {
	struct softdsp dsp;
	int fd;     /* the character device */
	int socket; /* control messages, which the root process answers */
} process;

static int process_receive(void *data, struct fastrpc_msg *ret_msg)
{
	int r;

	softdsp_give_signal_stack();
	r = take(process.fd, ret_msg);
	if (r == -EPIPE)
		_exit(0); /* the DSP has crashed */
	return r;
}

static void process_reply(void *data, uint64_t ctx, int32_t retval)
{
	answer(process.fd, ctx, retval);
}

static int process_fault(void *data, uint64_t address, uint64_t size, int attempt)
{
	return -EFAULT;
}

static int process_library(void *data, const char *name)
{
	const char *directory = options.library;

	if (!directory || strchr(name, '/'))
		return -ENOENT;
	while (*directory) {
		int length = (int)strcspn(directory, ";"), fd;
		char path[4096];

		snprintf(path, sizeof(path), "%.*s/%s", length, directory, name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		directory += length;
		directory += *directory == ';';
	}
	return -ENOENT;
}

static void process_log(void *data, int level, const char *text)
{
	if (options.verbose || level <= LOG_WARNING)
		say("dsp: %s", text);
}

static void __attribute__((noreturn)) process_release(void *data)
{
	_exit(0);
}

static const struct softdsp_ops process_ops = {
	.receive = process_receive,
	.reply = process_reply,
	.fault = process_fault,
	.library = process_library,
	.log = process_log,
	.release = process_release,
};

/* Serve the session until it is released, which kills the process, or the DSP is gone. */
static void __attribute__((noreturn)) process_main(const struct session *session)
{
	struct softdsp *dsp = &process.dsp;
	struct fastrpc_msg msg;
	void *base;

	/* It does not outlive the root process, whatever that dies of. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	base = map_sid(process.fd, session->sid);
	if (!base)
		_exit(1);
	softdsp_forbid_processes();
	softdsp_init(dsp, &process_ops, NULL);
	softdsp_hap_set(dsp);
	if (softdsp_memory_add(dsp, (uint64_t)session->sid << options.sid_shift, iova_size(),
			       base) < 0 ||
	    softdsp_catch_crashes(session->report->reason, sizeof(session->report->reason),
				  &session->report->set) < 0)
		_exit(1);
	softdsp_give_signal_stack();
	if (softdsp_start(dsp) < 0)
		_exit(1);

	while (recv(process.socket, &msg, sizeof(msg), 0) == sizeof(msg)) {
		struct fastrpc_rsp rsp = {.ctx = msg.ctx};
		bool release;

		rsp.retval = softdsp_handle(dsp, &msg, &release);
		if (send(process.socket, &rsp, sizeof(rsp), MSG_NOSIGNAL) != sizeof(rsp))
			break;
	}
	_exit(0);
}

/* ---- sessions, as the root process sees them ---------------------------- */

static struct session *session_by_client(int32_t client_id)
{
	for (size_t i = 0; i < SESSIONS; i++)
		if (sessions[i].client_id == client_id)
			return &sessions[i];
	return NULL;
}

/* Pass on what the process has answered. */
static void session_answers(struct session *session)
{
	struct fastrpc_rsp rsp;

	while (recv(session->socket, &rsp, sizeof(rsp), MSG_DONTWAIT) == sizeof(rsp)) {
		for (size_t i = 0; i < session->n_pending; i++) {
			if (session->pending[i] != rsp.ctx)
				continue;
			session->pending[i] = session->pending[--session->n_pending];
			answer(root_fd, rsp.ctx, rsp.retval);
			break;
		}
	}
}

/* Have the process carry out a control message. Return: whether it will be answered. */
static bool session_send(struct session *session, const struct fastrpc_msg *msg)
{
	if (!session->pid || session->n_pending == PENDING ||
	    send(session->socket, msg, sizeof(*msg), MSG_NOSIGNAL) != sizeof(*msg))
		return false;
	session->pending[session->n_pending++] = msg->ctx;
	return true;
}

/* The process has ended, by itself or not. */
static void session_reap(struct session *session)
{
	int status;

	waitpid(session->pid, &status, 0);
	session_answers(session);
	while (session->n_pending)
		answer(root_fd, session->pending[--session->n_pending], AEE_ECONNRESET);
	if (atomic_load(&session->report->set))
		say("session %d: %s", session->client_id, session->report->reason);
	else if (options.verbose)
		say("session %d: ended (0x%x)", session->client_id, (unsigned int)status);
	session->pid = 0;
	close(steal_fd(&session->pidfd));
	close(steal_fd(&session->socket));
}

/* Once it returns, nothing of the session touches memory any more. */
static void session_end(struct session *session)
{
	if (session->pid) {
		kill(session->pid, SIGKILL);
		session_reap(session);
	}
	munmap(session->report, sizeof(*session->report));
	session->client_id = 0;
}

/* Shared with the process. Return: NULL and errno on failure. */
static struct report *report_new(void)
{
	_cleanup_close_ int fd = memfd_create("qda-report", MFD_CLOEXEC);
	void *report;

	if (fd < 0 || ftruncate(fd, sizeof(struct report)) == -1)
		return NULL;
	report = mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return report == MAP_FAILED ? NULL : report;
}

static int session_start(struct session *session, int32_t client_id, uint32_t sid)
{
	const struct qda_sim_serve serve = {.client_id = client_id, .sid = sid};
	_cleanup_close_ int fd = -1;
	int sockets[2], r;
	pid_t pid;

	session->report = report_new();
	if (!session->report)
		return -errno;
	fd = open(options.device, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, QDA_SIM_IOC_SERVE, &serve) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == -1) {
		r = -errno;
		goto fail;
	}
	session->client_id = client_id;
	session->sid = sid;
	session->n_pending = 0;
	pid = fork();
	if (pid == 0) {
		process.fd = steal_fd(&fd);
		process.socket = sockets[1];
		close(root_fd);
		for (size_t i = 0; i < SESSIONS; i++)
			if (sessions[i].client_id && sessions[i].pid) {
				close(sessions[i].socket);
				close(sessions[i].pidfd);
			}
		close(sockets[0]);
		process_main(session);
	}
	r = pid < 0 ? -errno : 0;
	close(sockets[1]);
	session->pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (session->pidfd < 0) {
		r = r ? r : -errno;
		close(sockets[0]);
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		session->client_id = 0;
		goto fail;
	}
	session->pid = pid;
	session->socket = sockets[0];
	return 0;

fail:
	munmap(session->report, sizeof(*session->report));
	return r;
}

/* ---- the root process --------------------------------------------------- */

/* Copy from memory that may not be there: a system call says so, an access would crash. */
static int copy_memory(uint32_t sid, uint64_t iova, void *ret_data, size_t size)
{
	static int pipes[2] = {-1, -1};
	ssize_t written;

	if (sid > QDA_SIM_SID_MAX || iova > iova_size() - size)
		return -EFAULT;
	if (pipes[0] < 0 && pipe2(pipes, O_CLOEXEC) == -1)
		return -errno;
	if (!root_memory[sid])
		root_memory[sid] = map_sid(root_fd, sid);
	if (!root_memory[sid])
		return -errno;
	written = write(pipes[1], (char *)root_memory[sid] + iova, size);
	if (written <= 0)
		return -EFAULT;
	/* What came of a range that is there in part has to leave the pipe, too. */
	if (read(pipes[0], ret_data, (size_t)written) != written)
		return -EIO;
	return written == (ssize_t)size ? 0 : -EFAULT;
}

/* The session that a control message is about: the first word of its first argument. */
static int32_t control_client(const struct fastrpc_msg *msg)
{
	uint32_t n = FASTRPC_LENGTH(msg->sc), sid = sid_of(msg->addr);
	uint64_t payload = iova_of(msg->addr);
	union fastrpc_remote_arg arg;
	struct fastrpc_phy_page page;
	int32_t client_id;

	if (!FASTRPC_INBUFS(msg->sc) || copy_memory(sid, payload, &arg, sizeof(arg)) < 0 ||
	    copy_memory(sid, payload + n * (sizeof(arg) + sizeof(struct fastrpc_invoke_buf)), &page,
			sizeof(page)) < 0 ||
	    arg.buf.len < sizeof(client_id) ||
	    copy_memory(sid_of(page.addr), iova_of(page.addr) + (arg.buf.pv & (FASTRPC_PAGE - 1)),
			&client_id, sizeof(client_id)) < 0)
		return -1;
	return client_id;
}

/* Whom a message of the driver's own is for. Return: the client id, or -1. */
static int32_t control_session(const struct fastrpc_msg *msg)
{
	/* Nothing in these tells, but whose memory it is. */
	if (msg->handle == FASTRPC_HANDLE_UTILITIES) {
		for (size_t i = 0; i < SESSIONS; i++)
			if (sessions[i].client_id && sessions[i].sid == sid_of(msg->addr))
				return sessions[i].client_id;
		return -1;
	}
	return control_client(msg);
}

static bool is_create(uint32_t sc)
{
	return FASTRPC_METHOD(sc) == FASTRPC_INIT_CREATE ||
	       FASTRPC_METHOD(sc) == FASTRPC_INIT_CREATE_ATTR;
}

/* Have a session for the message. Return: it, or NULL and the status to answer. */
static struct session *session_create(int32_t client_id, uint32_t sid, int32_t *ret_status)
{
	struct session *session = session_by_client(0);
	int r;

	if (!session) {
		*ret_status = DSP_STATUS(AEE_ENOMEMORY);
		return NULL;
	}
	r = session_start(session, client_id, sid);
	if (r < 0) {
		say("session %d: cannot start it: %s", client_id, strerror(-r));
		*ret_status = DSP_STATUS(AEE_ENOMEMORY);
		return NULL;
	}
	if (options.verbose)
		say("session %d: started, stream id %u", client_id, sid);
	return session;
}

/* What the driver sends itself. */
static void control(const struct fastrpc_msg *msg)
{
	int32_t client_id = control_session(msg), status = DSP_STATUS(AEE_EBADSTATE);
	struct session *session = client_id > 0 ? session_by_client(client_id) : NULL;

	if (client_id <= 0) {
		status = DSP_STATUS(AEE_EBADPARM);
	} else if (msg->handle == FASTRPC_HANDLE_INIT &&
		   FASTRPC_METHOD(msg->sc) == FASTRPC_INIT_RELEASE) {
		if (session) {
			session_end(session);
			status = AEE_SUCCESS;
		}
	} else {
		if (!session && msg->handle == FASTRPC_HANDLE_INIT && is_create(msg->sc))
			session = session_create(client_id, sid_of(msg->addr), &status);
		if (session && session_send(session, msg))
			return;
		if (session)
			status = AEE_ECONNRESET;
	}
	answer(root_fd, msg->ctx, status);
}

static void handle(const struct fastrpc_msg *msg)
{
	if (msg->client_id == 0) {
		control(msg);
	} else {
		/* Nobody serves it: it was never created, or its process has ended. */
		answer(root_fd, msg->ctx,
		       session_by_client(msg->client_id) ? AEE_ECONNRESET
							 : DSP_STATUS(AEE_EBADSTATE));
	}
}

/* Serve until the DSP crashes. Return: -EPIPE then, or what is wrong. */
static int serve(void)
{
	for (;;) {
		struct pollfd pfds[1 + 2 * SESSIONS] = {{.fd = root_fd, .events = POLLIN}};
		struct fastrpc_msg msg;
		int r;

		for (size_t i = 0; i < SESSIONS; i++) {
			bool is_there = sessions[i].client_id && sessions[i].pid;

			pfds[1 + 2 * i] = (struct pollfd){
				.fd = is_there ? sessions[i].pidfd : -1,
				.events = POLLIN,
			};
			pfds[2 + 2 * i] = (struct pollfd){
				.fd = is_there ? sessions[i].socket : -1,
				.events = POLLIN,
			};
		}
		if (poll(pfds, ARRAY_SIZE(pfds), -1) == -1) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		for (size_t i = 0; i < SESSIONS; i++) {
			if (pfds[1 + 2 * i].revents)
				session_reap(&sessions[i]);
			else if (pfds[2 + 2 * i].revents)
				session_answers(&sessions[i]);
		}
		if (!pfds[0].revents)
			continue;
		r = take(root_fd, &msg);
		if (r < 0)
			return r;
		handle(&msg);
	}
}

/* Boot the DSP and serve it. Return: as serve(). */
static int run(void)
{
	int r;

	root_fd = open(options.device, O_RDWR | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	if (ioctl(root_fd, QDA_SIM_IOC_BOOT) == -1)
		r = -errno;
	else
		r = serve();
	for (size_t i = 0; i < SESSIONS; i++)
		if (sessions[i].client_id)
			session_end(&sessions[i]);
	for (size_t i = 0; i < ARRAY_SIZE(root_memory); i++)
		if (root_memory[i]) {
			munmap(root_memory[i], iova_size());
			root_memory[i] = NULL;
		}
	close(steal_fd(&root_fd));
	return r;
}

static void usage(FILE *out)
{
	fputs("usage: qda-softdspd [OPTION]... DEVICE\n"
	      "Play the DSP for a simulated one of the kernel, /dev/qda-sim/LABEL.\n\n"
	      "  -l, --library=DIRS  where skels are that the DSP has itself, separated by ';';\n"
	      "                      others come from the applications\n"
	      "  -r, --restart       boot again when the DSP has crashed\n"
	      "  -s, --sid-shift=N   where the stream id is in an address (32)\n"
	      "  -v, --verbose       say what happens\n"
	      "  -h, --help          this text\n",
	      out);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"library", required_argument, NULL, 'l'},
		{"restart", no_argument, NULL, 'r'},
		{"sid-shift", required_argument, NULL, 's'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c, r;

	while ((c = getopt_long(argc, argv, "l:rs:vh", longs, NULL)) != -1) {
		char *end;

		switch (c) {
		case 'l':
			options.library = optarg;
			break;
		case 'r':
			options.restart = true;
			break;
		case 's':
			options.sid_shift = (unsigned int)strtoul(optarg, &end, 10);
			if (end == optarg || *end || options.sid_shift < 32 ||
			    options.sid_shift > 56) {
				fprintf(stderr, "qda-softdspd: --sid-shift=%s: not 32 to 56\n",
					optarg);
				return 2;
			}
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind + 1 != argc) {
		usage(stderr);
		return 2;
	}
	options.device = argv[optind];

	do {
		r = run();
	} while (r == -EPIPE && options.restart);
	say("%s", r == -EPIPE ? "the DSP has crashed" : strerror(-r));
	return 1;
}
