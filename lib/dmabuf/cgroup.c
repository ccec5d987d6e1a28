/* SPDX-License-Identifier: MIT */
/* Directories of cgroup2: where they are, and what they say about limits. */
#include "cgroup.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "common.h"
#include "proc.h"

#define MAX_DEPTH 64

static void fclose_cleanup(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define _cleanup_fclose_ _cleanup_(fclose_cleanup)

/* /proc/PID/mountinfo writes spaces and the like as \040. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				       (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* Where cgroup2 is mounted, and which part of the hierarchy is there. */
static int find_mount(char **ret_root, char **ret_mount)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		const char *rest = strstr(line, " - ");

		if (!rest || strncmp(rest, " - cgroup2 ", 11) != 0)
			continue;
		if (sscanf(line, "%*s %*s %*s %ms %ms", ret_root, ret_mount) != 2)
			return -ENOMEM;
		unescape(*ret_root);
		unescape(*ret_mount);
		return 0;
	}
	return -ENOENT;
}

const char *cgroup_below(const char *path, const char *mounted)
{
	size_t length = strlen(mounted);

	if (length <= 1 || strncmp(path, mounted, length) != 0)
		return path;
	return path[length] == '/' || !path[length] ? path + length : path;
}

int cgroup_open(const char *path)
{
	_cleanup_free_ char *root = NULL, *mount = NULL, *full = NULL;
	int fd, r;

	r = find_mount(&root, &mount);
	if (r < 0)
		return r;
	if (asprintf(&full, "%s/%s", mount, cgroup_below(path, root)) == -1) {
		full = NULL;
		return -ENOMEM;
	}
	fd = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd == -1 ? -errno : move_fd(fd, 1);
}

int cgroup_of_process(pid_t pid)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	char path[32] = "/proc/self/cgroup";
	size_t size = 0;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return pid && (errno == ENOENT || errno == ESRCH) ? -ESRCH : -errno;
	while (getline(&line, &size, file) > 0) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		return cgroup_open(line + 3);
	}
	return -ENOENT;
}

bool cgroup_is(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC &&
	       faccessat(fd, ".", F_OK, 0) == 0;
}

bool cgroup_is_gone(int fd)
{
	return faccessat(fd, "cgroup.procs", F_OK, 0) == -1;
}

bool cgroup_counts_memory(int fd)
{
	return faccessat(fd, "memory.current", F_OK, 0) == 0;
}

uint64_t cgroup_limit_hits(int fd)
{
	_cleanup_close_ int level = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	uint64_t hits = 0;
	char text[1024];

	for (int depth = 0; depth < MAX_DEPTH && cgroup_is(level); depth++) {
		const char *max;
		int parent;

		proc_read(level, "memory.events", text, sizeof(text));
		max = proc_field(text, "max ");
		if (max)
			hits += strtoull(max, NULL, 10);
		parent = openat(level, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(level);
		level = parent;
	}
	return hits;
}
