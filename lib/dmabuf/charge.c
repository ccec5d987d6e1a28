/* SPDX-License-Identifier: MIT */
/* Charge targets: processes by pidfd, and cgroups by their directory. */
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "heap.h"
#include "proc.h"
#include "uapi.h"

/* ---- processes ---------------------------------------------------------- */

static bool is_pidfd(int fd)
{
	siginfo_t info;

	/* Takes nothing: of a child that ended it only looks whether it has. */
	return waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != EBADF;
}

/* Number of a pidfd's process or thread; 0 if it has none here. */
static pid_t pid_of(int pidfd)
{
	char path[40], text[1024];
	const char *pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	proc_read(AT_FDCWD, path, text, sizeof(text));
	pid = proc_field(text, "Pid:\t");
	return pid && atoi(pid) > 0 ? atoi(pid) : 0;
}

/* A pidfd of the process that has thread @tid. */
static int open_process_of(pid_t tid)
{
	char path[32], text[4096];
	const char *tgid;
	int pidfd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	proc_read(AT_FDCWD, path, text, sizeof(text));
	tgid = proc_field(text, "Tgid:\t");
	if (!tgid)
		return -ESRCH;
	pidfd = pidfd_open(atoi(tgid), 0);
	return pidfd == -1 ? -errno : pidfd;
}

/* What a process keeps to its end, and no later one of the same number has: when it began. */
static uint64_t start_of(pid_t pid)
{
	char path[32], text[4096];
	const char *field;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	proc_read(AT_FDCWD, path, text, sizeof(text));
	field = strrchr(text, ')'); /* the name before it may hold anything */
	for (int i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	return field ? strtoull(field + 1, NULL, 10) : 0;
}

/* ---- targets ------------------------------------------------------------ */

/* Numbers of targets that nothing else tells apart. */
static atomic_ullong serial = 1;

/* @fd becomes the target's, and is closed on failure. */
static int charge_new(int fd, bool cgroup, struct dmabuf_charge **ret_charge)
{
	struct dmabuf_charge *charge;
	struct stat st;
	pid_t pid;

	fd = move_fd(fd, 1); /* the kernel takes 0 for nobody */
	if (fd < 0)
		return fd;
	charge = calloc(1, sizeof(*charge));
	if (!charge) {
		close(fd);
		return -ENOMEM;
	}
	charge->refs = 1;
	charge->fd = fd;
	charge->cgroup = cgroup;
	pid = cgroup ? 0 : pid_of(fd);
	if (cgroup && fstat(fd, &st) == 0) {
		charge->id[0] = st.st_ino;
		charge->id[1] = st.st_dev;
	} else if (pid) {
		charge->id[0] = (uint64_t)pid;
		charge->id[1] = start_of(pid);
	} else {
		charge->id[1] = UINT64_MAX - atomic_fetch_add(&serial, 1);
	}
	*ret_charge = charge;
	return 0;
}

/* The same for a pidfd of a process. */
static int charge_process(int pidfd, struct dmabuf_charge **ret_charge)
{
	if (!pidfd_has_ended(pidfd))
		return charge_new(pidfd, false, ret_charge);
	close(pidfd);
	return -ESRCH;
}

DMABUF_EXPORT int dmabuf_charge_pid(pid_t pid, struct dmabuf_charge **ret_charge)
{
	int pidfd;

	if (pid < 1)
		return -EINVAL;
	pidfd = pidfd_open(pid, 0);
	if (pidfd == -1) /* a thread's number is refused by one of the latter two */
		return errno == ESRCH || errno == EINVAL || errno == ENOENT ? -ESRCH : -errno;
	return charge_process(pidfd, ret_charge);
}

DMABUF_EXPORT int dmabuf_charge_self(struct dmabuf_charge **ret_charge)
{
	struct dmabuf_charge *charge;
	int r = dmabuf_charge_pid(getpid(), &charge);

	if (r < 0)
		return r;
	charge->self = getpid();
	*ret_charge = charge;
	return 0;
}

DMABUF_EXPORT int dmabuf_charge_pidfd(int pidfd, struct dmabuf_charge **ret_charge)
{
	int flags = fcntl(pidfd, F_GETFL), own;

	if (flags == -1 || flags & O_PATH || !is_pidfd(pidfd))
		return -EBADF;
	if (pidfd_has_ended(pidfd))
		return -ESRCH;
	if (flags & PIDFD_IS_THREAD) {
		own = open_process_of(pid_of(pidfd));
		/* If the thread is there still, its number was not another one's meanwhile. */
		if (own >= 0 && pidfd_has_ended(pidfd)) {
			close(own);
			own = -ESRCH;
		}
		return own < 0 ? own : charge_process(own, ret_charge);
	}
	own = fcntl(pidfd, F_DUPFD_CLOEXEC, 1);
	return own == -1 ? -errno : charge_process(own, ret_charge);
}

DMABUF_EXPORT int dmabuf_charge_cgroup_fd(int fd, struct dmabuf_charge **ret_charge)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 1);

	if (own == -1)
		return -errno;
	if (!cgroup_is(own)) {
		close(own);
		return -EINVAL;
	}
	return charge_new(own, true, ret_charge);
}

DMABUF_EXPORT int dmabuf_charge_cgroup(const char *path, struct dmabuf_charge **ret_charge)
{
	int fd, r;

	if (!path || !*path)
		return -EINVAL;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = fd == -1 ? -errno : -EINVAL;
	if (fd >= 0 && cgroup_is(fd))
		return charge_new(fd, true, ret_charge);
	if (fd >= 0)
		close(fd);
	fd = cgroup_open(path);
	return fd < 0 ? (fd == -ENOENT ? r : fd) : charge_new(fd, true, ret_charge);
}

DMABUF_EXPORT struct dmabuf_charge *dmabuf_charge_ref(struct dmabuf_charge *charge)
{
	atomic_fetch_add_explicit(&charge->refs, 1, memory_order_relaxed);
	return charge;
}

DMABUF_EXPORT struct dmabuf_charge *dmabuf_charge_unref(struct dmabuf_charge *charge)
{
	if (!charge || atomic_fetch_sub_explicit(&charge->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	close(charge->fd);
	free(charge);
	return NULL;
}

bool charge_is_same(const struct dmabuf_charge *a, const struct dmabuf_charge *b)
{
	if (!a || !b)
		return a == b;
	return a->cgroup == b->cgroup && a->id[0] == b->id[0] && a->id[1] == b->id[1];
}

int charge_cgroup(const struct dmabuf_charge *charge)
{
	int cgroup, r;

	if (charge->cgroup) {
		cgroup = fcntl(charge->fd, F_DUPFD_CLOEXEC, 1);
		return cgroup == -1 ? -errno : cgroup;
	}
	if (!pid_of(charge->fd))
		return charge_check(charge) < 0 ? -ESRCH : -EOPNOTSUPP;
	cgroup = cgroup_of_process(pid_of(charge->fd));
	if (cgroup < 0)
		return cgroup == -ENOENT ? -EOPNOTSUPP : cgroup;
	r = charge_check(charge);
	if (r < 0) { /* it may be the cgroup of another process with its number */
		close(cgroup);
		return r;
	}
	return cgroup;
}
