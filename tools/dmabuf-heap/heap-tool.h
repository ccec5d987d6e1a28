/* SPDX-License-Identifier: MIT */
/* What the commands of dmabuf-heap share. */
#ifndef HEAP_TOOL_H
#define HEAP_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <dmabuf.h>

enum {
	EXIT_FINE,
	EXIT_USAGE = 2,
	EXIT_FAILED = 3, /* the heap, the memory, the output */
	EXIT_CHARGE = 4, /* the target of the charge */
	EXIT_CANNOT_RUN = 126,
	EXIT_NO_COMMAND = 127,
};

struct heap_tool {
	const char **operands; /* after the command */
	size_t n_operands;
	const char **heaps; /* --heap, in their order; the last one NULL */
	size_t n_heaps;
	uint32_t required; /* DMABUF_HEAP_* */
	const char *name, *charge;
	bool strict, read_only, watch, charging, json;
	char **command; /* behind "--", or NULL */
};

int tool_list(const struct heap_tool *tool);
int tool_alloc(const struct heap_tool *tool);

/* Whether a target of --charge is the number of a process. */
bool is_pid(const char *text, pid_t *ret_pid);

/* DMABUF_HEAP_* and DMABUF_CHARGING_* as words. */
struct bit {
	uint32_t bit;
	const char *name;
};
extern const struct bit property_bits[], charging_bits[]; /* the last one has no name */

struct json;
void json_bits(struct json *json, const char *key, const struct bit *bits, uint32_t set);

/* ---- what a cgroup counts ------------------------------------------------ */

enum { MEMORY_CURRENT, STAT_DMABUF, STAT_KERNEL, STAT_SHMEM, COUNTERS };
extern const char *const counter_names[COUNTERS];

/* Bytes; -1 for what the kernel does not count. */
struct counters {
	int64_t bytes[COUNTERS];
};

struct watch {
	int cgroup; /* directory, or -1 */
	struct counters before, during, after;
};

/* Begin: the cgroup of the target, which is NULL for this process. Return: EXIT_*. */
int watch_begin(struct watch *watch, const char *charge);

/*
 * Look again. With @charged, at once or when the kernel has counted @bytes more than before;
 * the counters of each CPU are gathered within a few seconds.
 */
void watch_look(const struct watch *watch, struct counters *counters, int64_t bytes);

void watch_end(struct watch *watch);

#endif
