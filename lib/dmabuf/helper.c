/* SPDX-License-Identifier: MIT */
/* Allocations by a short-lived child in the cgroup that is to be charged. */
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "heap.h"

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* ---- the child: nothing but system calls from here ---------------------- */

/* If the cgroup has no memory left, this process ends and not one of those it is there for. */
static void die_first(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1000", 4) != 4) {
		/* Then whoever the kernel chooses. */
	}
	close(fd);
}

static void send_result(int socket, int result)
{
	union control control = {0};
	struct iovec iov = {&result, sizeof(result)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;

	if (result >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(result));
		memcpy(CMSG_DATA(cmsg), &result, sizeof(result));
	}
	sendmsg(socket, &message, MSG_NOSIGNAL);
}

static void __attribute__((noreturn)) child(const struct allocation *allocation, int socket)
{
	die_first();
	send_result(socket, allocation_run(allocation));
	for (;;)
		syscall(SYS_exit_group, 0);
}

/* ---- the parent --------------------------------------------------------- */

/* What clone3() says about the cgroup. */
static int clone_error(int error, int cgroup)
{
	switch (error) {
	case ENODEV:
		return -ESRCH;
	case EACCES:
	case EPERM:
		return -EACCES;
	case ENOENT: /* out of the cgroup namespace */
		return cgroup_is_gone(cgroup) ? -ESRCH : -EACCES;
	case EBUSY:  /* it has children with controllers */
	case EINVAL: /* before Linux 5.7 */
	case E2BIG:
	case ENOSYS:
		return -EOPNOTSUPP;
	}
	return -error;
}

/*
 * A fork that runs no handlers of the application, neither here nor there. The child ends
 * without SIGCHLD and is nobody's but ours to wait for, whatever the application does with
 * its own children.
 */
static int start_child(const struct allocation *allocation, int cgroup, int socket, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = 0,
		.cgroup = (uint64_t)cgroup,
	};
	sigset_t all, saved;
	long pid;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child(allocation, socket);
	r = pid < 0 ? clone_error(errno, cgroup) : 0;
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r == 0)
		*ret_pidfd = pidfd;
	return r;
}

/* Until it has answered, or ended. Another child may have inherited the other end meanwhile. */
static void wait_for_result(int socket, int pidfd)
{
	struct pollfd fds[] = {{.fd = socket, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};

	while (poll(fds, ARRAY_SIZE(fds), -1) == -1 && errno == EINTR)
		;
}

/* -ENOMEM if it ends without an answer: nothing but the kernel's want of memory kills it. */
static int receive_result(int socket, int pidfd)
{
	union control control;
	int result = -ENOMEM, fd = -1;
	struct iovec iov = {&result, sizeof(result)};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	wait_for_result(socket, pidfd);
	n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n != sizeof(result))
		return -ENOMEM;
	cmsg = CMSG_FIRSTHDR(&message);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (result >= 0)
		return fd >= 0 ? fd : -EMFILE; /* there was no room for it */
	return result;
}

static void reap(int pidfd)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL) == -1 && errno == EINTR)
		;
	close(pidfd);
}

static int run(const struct allocation *allocation, int cgroup)
{
	int ends[2], pidfd, r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
		return -errno;
	r = start_child(allocation, cgroup, ends[1], &pidfd);
	close(ends[1]);
	if (r == 0) {
		r = receive_result(ends[0], pidfd);
		reap(pidfd);
	}
	close(ends[0]);
	return r;
}

int helper_run_in(const struct allocation *allocation, int cgroup)
{
	int state, r;

	/* A thread that is cancelled in here would leave a child behind. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	r = run(allocation, cgroup);
	pthread_setcancelstate(state, NULL);
	return r;
}

int helper_run(const struct allocation *allocation, int cgroup)
{
	if (!cgroup_counts_memory(cgroup))
		return cgroup_is_gone(cgroup) ? -ESRCH : -EOPNOTSUPP;
	return helper_run_in(allocation, cgroup);
}
