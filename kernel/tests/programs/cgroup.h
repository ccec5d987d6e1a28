/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups with the memory controller and processes in them, for programs in the test kernel. */
#ifndef CGROUP_H
#define CGROUP_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sys.h"

#define CGROUPS "/sys/fs/cgroup"

struct cgroup {
	char path[128];
};

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

	snprintf(name, sizeof(name), "%s/%s", path, file);
	return write_text(name, text);
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

/* Bytes of unreclaimable slab. */
static inline int64_t cgroup_slab(const char *path)
{
	int64_t slab = cgroup_read(path, "memory.stat", "slab_unreclaimable");

	if (slab == -1)
		die(path);
	return slab;
}

/* The same in the end: what is freed after a grace period counts until then. */
static inline int64_t cgroup_slab_drained(const char *path, int64_t enough)
{
	int64_t slab = cgroup_slab(path);

	for (int i = 0; i < 300 && slab > enough; i++) {
		usleep(100000);
		slab = cgroup_slab(path);
	}
	return slab;
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

/*
 * A process that has done @begin and waits to be killed. It holds no file of its
 * parent's.
 */
static inline pid_t spawn_process(void (*begin)(const char *), const char *arg)
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
		begin(arg);
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

static inline pid_t cgroup_spawn(const char *path)
{
	return spawn_process(cgroup_enter, path);
}

static inline void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
