/* SPDX-License-Identifier: MIT */
/* Directories of cgroup2. */
#ifndef DMABUF_CGROUP_H
#define DMABUF_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What is left of a path in the hierarchy below the part of it that is mounted. */
const char *cgroup_below(const char *path, const char *mounted);

/*
 * Open the directory of a cgroup by its path in the hierarchy. Return: a new descriptor
 * (O_PATH, not 0), or a negative errno: -ENOENT if there is none, or no cgroup2.
 */
int cgroup_open(const char *path);

/* The same for the cgroup of a process; 0 for the caller. -ESRCH if there is no such process. */
int cgroup_of_process(pid_t pid);

bool cgroup_is(int fd);

/* Whether it has been removed. */
bool cgroup_is_gone(int fd);

/* Whether its memory is counted by itself, and not as its parent's. */
bool cgroup_counts_memory(int fd);

/* How often a limit of it or of its ancestors was in the way. */
uint64_t cgroup_limit_hits(int fd);

#endif
