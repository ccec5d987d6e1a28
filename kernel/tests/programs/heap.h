/* SPDX-License-Identifier: GPL-2.0-only */
/* Charged allocations from dma-heaps, and cgroups and processes to charge, for test programs. */
#ifndef HEAP_H
#define HEAP_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* The structure with the charge; older headers end before it. */
struct heap_alloc {
	uint64_t len;
	uint32_t fd;
	uint32_t fd_flags;
	uint64_t heap_flags;
	uint32_t charge_pid_fd;
	uint32_t padding;
};

#define HEAP_ALLOC _IOWR('H', 0, struct heap_alloc)

#define SELF_THREAD (-10000)
#define SELF_PROCESS (-10001)

static inline const char *heap_path(void)
{
	const char *path = getenv("DMA_HEAP");

	return path ? path : "/dev/dma_heap/system";
}

static inline int heap_open(void)
{
	return open(heap_path(), O_RDONLY | O_CLOEXEC);
}

/* A buffer's descriptor, or a negative errno. @charge: 0 for nobody. */
static inline int heap_alloc(int heap, uint64_t len, int charge)
{
	struct heap_alloc args = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.charge_pid_fd = (uint32_t)charge,
	};

	return ioctl(heap, HEAP_ALLOC, &args) == -1 ? -errno : (int)args.fd;
}

/* ---- cgroups ------------------------------------------------------------ */

#define CGROUPS "/sys/fs/cgroup"

struct cgroup {
	char path[128];
};

static inline void die(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	exit(2);
}

static inline struct cgroup cgroup_at(const char *parent, const char *name)
{
	struct cgroup cgroup;
	int length = snprintf(cgroup.path, sizeof(cgroup.path), "%s/%s", parent, name);

	if (length < 0 || (size_t)length >= sizeof(cgroup.path)) {
		errno = ENAMETOOLONG;
		die(parent);
	}
	return cgroup;
}

static inline struct cgroup cgroup_child(const char *parent, const char *name)
{
	struct cgroup cgroup = cgroup_at(parent, name);

	if (mkdir(cgroup.path, 0755))
		die(cgroup.path);
	return cgroup;
}

/* 0, or a negative errno. */
static inline int cgroup_write(const char *path, const char *file, const char *text)
{
	char name[PATH_MAX];
	ssize_t n;
	int fd, r;

	snprintf(name, sizeof(name), "%s/%s", path, file);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	n = write(fd, text, strlen(text));
	r = n == -1 ? -errno : 0;
	close(fd);
	return r;
}

/* The number after a key, or the only one if @key is NULL; -1 if there is none. */
static inline int64_t cgroup_read(const char *path, const char *file, const char *key)
{
	char name[PATH_MAX], word[64];
	long long value, found = -1;
	FILE *stream;

	snprintf(name, sizeof(name), "%s/%s", path, file);
	stream = fopen(name, "re");
	if (!stream)
		return -1;
	if (!key && fscanf(stream, "%lld", &value) == 1)
		found = value;
	while (key && fscanf(stream, "%63s %lld", word, &value) == 2)
		if (!strcmp(word, key))
			found = value;
	fclose(stream);
	return found;
}

static inline int64_t cgroup_current(const char *path)
{
	return cgroup_read(path, "memory.current", NULL);
}

static inline int64_t cgroup_dmabuf(const char *path)
{
	return cgroup_read(path, "memory.stat", "dmabuf");
}

/* What the kernel counts per CPU shows up after some seconds. */
#define STAT_PATIENCE_S 60

/* Wait until the statistics say so. Return: what they say. */
static inline int64_t cgroup_dmabuf_becomes(const char *path, int64_t expected)
{
	int64_t value = cgroup_dmabuf(path);

	for (int i = 0; i < 20 * STAT_PATIENCE_S && value != expected; i++) {
		usleep(50000);
		value = cgroup_dmabuf(path);
	}
	return value;
}

/*
 * The same for memory.current, of a cgroup without processes: a limit that is exceeded calls
 * back what CPUs hold in stock. What the kernel itself has charged there is left out: objects
 * that are long freed may keep a page.
 */
static inline int64_t cgroup_current_drained(const char *path, int64_t expected)
{
	int64_t value = -1;

	for (int i = 0; i < 20 * STAT_PATIENCE_S && value != expected; i++) {
		if (i)
			usleep(50000);
		cgroup_write(path, "memory.high", "0");
		value = cgroup_current(path) - cgroup_read(path, "memory.stat", "kernel");
	}
	return value;
}

/* Wait until no removed cgroup below this one is kept by anything. Return: how many are. */
static inline int64_t cgroup_dying_drained(const char *path)
{
	int64_t value = -1;

	for (int i = 0; i < 20 * STAT_PATIENCE_S && value != 0; i++) {
		if (i)
			usleep(50000);
		value = cgroup_read(path, "cgroup.stat", "nr_dying_descendants");
	}
	return value;
}

/* A cgroup that was left by a process which has just ended may be busy for a moment. */
static inline void cgroup_remove(const char *path)
{
	for (int i = 0; i < 20 * STAT_PATIENCE_S; i++) {
		if (rmdir(path) == 0)
			return;
		if (errno != EBUSY)
			break;
		usleep(50000);
	}
	die(path);
}

static inline int cgroup_open(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		die(path);
	return fd;
}

static inline void cgroup_enter(const char *path)
{
	if (cgroup_write(path, "cgroup.procs", "0"))
		die(path);
}

/*
 * Make the cgroup that this process is in one that has others: all its processes
 * move to a child "self", and more children can be made. Return: its path.
 */
static inline struct cgroup cgroup_base(void)
{
	char line[96] = "", name[PATH_MAX], pid[24];
	FILE *stream = fopen("/proc/self/cgroup", "re");
	struct cgroup base, self;

	if (!stream || !fgets(line, sizeof(line), stream) || strncmp(line, "0::", 3))
		die("/proc/self/cgroup");
	fclose(stream);
	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, "0::/")) {
		snprintf(line, sizeof(line), "dma-heap-%d", getpid());
		base = cgroup_child(CGROUPS, line);
		cgroup_enter(base.path);
	} else {
		base = cgroup_at(CGROUPS, line + 4);
	}
	self = cgroup_child(base.path, "self");
	snprintf(name, sizeof(name), "%s/cgroup.procs", base.path);
	stream = fopen(name, "re");
	while (stream && fgets(pid, sizeof(pid), stream))
		cgroup_write(self.path, "cgroup.procs", pid);
	if (stream)
		fclose(stream);
	if (cgroup_write(base.path, "cgroup.subtree_control", "+memory"))
		die(base.path);
	return base;
}

/* ---- processes ---------------------------------------------------------- */

static inline int pidfd_of(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

/* A process in the cgroup that waits to be killed. It holds no file of its parent's. */
static inline pid_t cgroup_spawn(const char *path)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		die("pipe");
	fflush(stdout);
	pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		cgroup_enter(path);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		syscall(SYS_close_range, 0, ~0U, 0);
		for (;;)
			pause();
	}
	if (read(ready[0], &byte, 1) != 1)
		die("a process did not get ready");
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static inline void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- random numbers ----------------------------------------------------- */

/* xorshift64*; the state is not 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((random_next(state) >> 32) % n);
}

static inline uint64_t random_seed(uint64_t seed)
{
	return seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

#endif
