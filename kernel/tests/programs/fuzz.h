/* SPDX-License-Identifier: GPL-2.0-only */
/* What programs that make random calls share: options, pools of descriptors, injected faults. */
#ifndef FUZZ_H
#define FUZZ_H

#include <getopt.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "random.h"
#include "sys.h"

struct fuzz_options {
	uint64_t seed;
	unsigned long calls;
	unsigned int threads;
	bool fail;     /* let allocations fail, as failslab is set up */
	bool fail_nth; /* each allocation in turn */
};

/* Overwrite what the command line gives. Return: whether it is right. */
static inline bool fuzz_parse(int argc, char **argv, unsigned int most_threads,
			      struct fuzz_options *o)
{
	static const struct option options[] = {
		{"calls", required_argument, NULL, 'c'},   {"seed", required_argument, NULL, 's'},
		{"threads", required_argument, NULL, 't'}, {"fail", no_argument, NULL, 'f'},
		{"fail-nth", no_argument, NULL, 'n'},      {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			o->calls = strtoul(optarg, NULL, 0);
			break;
		case 's':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			o->threads = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'f':
			o->fail = true;
			break;
		case 'n':
			o->fail_nth = true;
			break;
		default:
			return false;
		}
	}
	if (o->threads >= 1 && o->threads <= most_threads)
		return true;
	fprintf(stderr, "%s: 1 to %u threads\n", argv[0], most_threads);
	return false;
}

/* ---- pools of descriptors that threads race for, -1 where there is none -- */

static inline void pool_put(atomic_int *slot, int fd)
{
	int old = atomic_exchange(slot, fd);

	if (old >= 0)
		close(old);
}

static inline void pool_close(atomic_int *pool, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		if (atomic_load(&pool[i]) >= 0)
			close(atomic_load(&pool[i]));
}

/* ---- faults of this thread's --------------------------------------------- */

/*
 * make-it-fail or fail-nth, to be open as long as it is needed: to open it may
 * fail, too, when it is on.
 */
static inline int faults_open(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/thread-self/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		die(path);
	return fd;
}

/* Write a number. The fault may hit these calls. */
static inline void faults_set(int fd, unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	while (pwrite(fd, text, (size_t)length, 0) != length)
		if (errno != ENOMEM && errno != EFAULT)
			die("faults");
}

/* End a fail-nth. Return: whether the fault that was asked for was not reached. */
static inline bool faults_end_nth(int fd)
{
	char text[16] = "";
	bool unreached = pread(fd, text, sizeof(text) - 1, 0) <= 0 || atoi(text) != 0;

	faults_set(fd, 0);
	return unreached;
}

#endif
