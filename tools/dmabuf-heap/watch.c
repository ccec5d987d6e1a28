/* SPDX-License-Identifier: MIT */
/* The memory counters of a cgroup, before and after. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "common.h"
#include "heap-tool.h"
#include "proc.h"
#include "tool.h"

#define GATHER_LIMIT_MS 3000
#define GATHER_STEP_MS 20

const char *const counter_names[COUNTERS] = {"memory.current", "dmabuf", "kernel", "shmem"};

static void read_counters(int cgroup, struct counters *counters)
{
	char text[8192], key[32];

	proc_read(cgroup, "memory.current", text, sizeof(text));
	counters->bytes[MEMORY_CURRENT] = *text ? strtoll(text, NULL, 10) : -1;
	proc_read(cgroup, "memory.stat", text, sizeof(text));
	for (int i = STAT_DMABUF; i < COUNTERS; i++) {
		const char *value;

		snprintf(key, sizeof(key), "%s ", counter_names[i]);
		value = proc_field(text, key);
		counters->bytes[i] = value ? strtoll(value, NULL, 10) : -1;
	}
}

/* The directory of the target's cgroup, or a negative errno. */
static int open_cgroup(const char *charge)
{
	pid_t pid;
	int fd;

	if (!charge || strcmp(charge, "self") == 0)
		return cgroup_of_process(0);
	if (is_pid(charge, &pid))
		return cgroup_of_process(pid);
	fd = open(charge, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && cgroup_is(fd))
		return fd;
	if (fd >= 0)
		close(fd);
	return cgroup_open(charge);
}

int watch_begin(struct watch *watch, const char *charge)
{
	watch->cgroup = open_cgroup(charge);
	if (watch->cgroup < 0) {
		tool_error("--watch-cgroup: %s: %s; cgroups of version 2 are needed",
			   charge ? charge : "self", strerror(-watch->cgroup));
		return EXIT_FAILED;
	}
	if (!cgroup_counts_memory(watch->cgroup)) {
		tool_error(
			"--watch-cgroup: the cgroup of %s does not count memory: write +memory to "
			"its parent's cgroup.subtree_control, or move the process out of the root",
			charge ? charge : "this process");
		return EXIT_FAILED;
	}
	read_counters(watch->cgroup, &watch->before);
	return EXIT_FINE;
}

void watch_look(const struct watch *watch, struct counters *counters, int64_t bytes)
{
	const struct counters *before = &watch->before;

	for (int waited = 0;; waited += GATHER_STEP_MS) {
		read_counters(watch->cgroup, counters);
		if (counters->bytes[MEMORY_CURRENT] - before->bytes[MEMORY_CURRENT] >= bytes ||
		    waited >= GATHER_LIMIT_MS)
			return;
		poll(NULL, 0, GATHER_STEP_MS);
	}
}

void watch_end(struct watch *watch)
{
	if (watch->cgroup >= 0)
		close(watch->cgroup);
}
