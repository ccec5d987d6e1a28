/* SPDX-License-Identifier: MIT */
/* What the conformance suites share: checks, and running cases in processes of their own. */
#ifndef CONFORMANCE_RUNNER_H
#define CONFORMANCE_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct conf; /* the suite's fixture */

struct conf_case {
	const char *name;
	void (*run)(struct conf *c);
	unsigned int flags;   /* the suite's */
	unsigned int variant; /* of a case that is generated */
};

#define CASE(fn, flags)           \
	{                         \
#fn, fn, flags, 0 \
	}

/* Each suite has one. */
struct conf_suite {
	const struct conf_case *const *groups; /* each ends with a case without a name */
	size_t group_count;
	/* Return: why the case cannot run here, or NULL. */
	const char *(*missing)(const struct conf_case *test);
	/* Make the fixture, run the case, and give all back. */
	void (*run)(const struct conf_case *test);
	const char *(*strerror)(int error);
	/* After the line of a failed check: more lines, and what must not stay behind. */
	void (*failed)(void);
};

extern const struct conf_suite conf_suite;

/* Path of this program, for running it again; NULL without /proc. */
const char *conf_program(void);

/*
 * Run the cases whose names match one of @patterns, or all if there is none, each
 * in a process of its own that has to give back all it took: file descriptors,
 * threads, processes. With @list only print their names. Output is TAP.
 * Return: the exit status.
 */
int conf_run(char *const *patterns, bool list);

/* Counts over /proc/self. */
int count_fds(void);
int count_threads(void);

/* Ends the case as failed. */
void conf_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));

#define CHECK(cond)                                                          \
	do {                                                                 \
		if (!(cond))                                                 \
			conf_fail(__FILE__, __LINE__, "%s is false", #cond); \
	} while (0)

/* For values of any integer type. */
#define CHECK_EQ(value, wanted)                                                               \
	do {                                                                                  \
		long long value_ = (long long)(value), wanted_ = (long long)(wanted);         \
		if (value_ != wanted_)                                                        \
			conf_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #value, value_, \
				  wanted_);                                                   \
	} while (0)

/* For what the library returns: says the error's text. */
#define CHECK_OK(call)                                                 \
	({                                                             \
		int value_ = (call);                                   \
		if (value_ < 0)                                        \
			conf_fail(__FILE__, __LINE__, "%s: %s", #call, \
				  conf_suite.strerror(value_));        \
		value_;                                                \
	})

#define CHECK_ERROR(call, wanted)                                                                \
	do {                                                                                     \
		int value_ = (call), error_ = (wanted);                                          \
		if (value_ != error_)                                                            \
			conf_fail(__FILE__, __LINE__, "%s returned %d (%s), not %d (%s)", #call, \
				  value_, value_ < 0 ? conf_suite.strerror(value_) : "no error", \
				  error_, #wanted);                                              \
	} while (0)

#endif
