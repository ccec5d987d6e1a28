/* SPDX-License-Identifier: MIT */
/* What the cases of the syncobj conformance suite share: the fixture, checks, small helpers. */
#ifndef SYNCOBJ_CONFORMANCE_H
#define SYNCOBJ_CONFORMANCE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <syncobj.h>

#include "common.h"

struct conf {
	struct syncobj_device *device;
	uint32_t features;
	unsigned int variant; /* of a case that is generated */
};

#define CONF_PENDING 0x1U             /* needs fences that are submitted and not signalled */
#define CONF_SYNC_FILE 0x2U           /* needs SYNCOBJ_FEATURE_SYNC_FILE */
#define CONF_NO_SYNC_FILE 0x4U        /* is about a device without any sync_files */
#define CONF_EVENTFD 0x8U             /* needs SYNCOBJ_FEATURE_EVENTFD */
#define CONF_SIGNALED_SYNC_FILE 0x10U /* needs at least sync_files of signalled points */

struct conf_case {
	const char *name;
	void (*run)(struct conf *c);
	unsigned int flags;
	unsigned int variant;
};

#define CASE(fn, flags)           \
	{                         \
#fn, fn, flags, 0 \
	}

extern const struct conf_case object_cases[], point_cases[], thread_cases[], eventfd_cases[],
	waiter_cases[], sync_file_cases[], stress_cases[];
/* To be called once. */
const struct conf_case *matrix_cases(void);

extern const char *conf_backend; /* --backend */
extern const char *conf_program; /* this program, for running it again */

/* Other side of object_passed_to_another_program. Return: the exit status. */
int conf_peer(int socket);

bool conf_is_soft(void);
/* Another device of the same kind. */
struct syncobj_device *conf_open(void);

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
		unsigned long long value_ = (unsigned long long)(value);                      \
		unsigned long long wanted_ = (unsigned long long)(wanted);                    \
		if (value_ != wanted_)                                                        \
			conf_fail(__FILE__, __LINE__, "%s is %llu, not %llu", #value, value_, \
				  wanted_);                                                   \
	} while (0)

/* For what the library returns: says the error's text. */
#define CHECK_OK(call)                                                                            \
	({                                                                                        \
		int value_ = (call);                                                              \
		if (value_ < 0)                                                                   \
			conf_fail(__FILE__, __LINE__, "%s: %s", #call, syncobj_strerror(value_)); \
		value_;                                                                           \
	})

#define CHECK_ERROR(call, wanted)                                                             \
	do {                                                                                  \
		int value_ = (call), error_ = (wanted);                                       \
		if (value_ != error_)                                                         \
			conf_fail(__FILE__, __LINE__, "%s returned %d (%s), not %d", #call,   \
				  value_, value_ < 0 ? syncobj_strerror(value_) : "no error", \
				  error_);                                                    \
	} while (0)

#define FOREVER INT64_MAX
#define LIMIT_NS (60 * 1000000000LL) /* what takes longer has failed */

int64_t now_ns(void);
void sleep_ms(int ms);

/* Objects; the case unrefs them. */
struct syncobj *make(struct conf *c);
struct syncobj *make_at(struct conf *c, uint64_t point);
struct syncobj *again(struct conf *c, const struct syncobj *syncobj);
void drop(struct syncobj **syncobjs, size_t count);

/* Calls on one object. */
int signal_one(struct syncobj *syncobj, uint64_t point);
int reset_one(struct syncobj *syncobj);
int poll_one(struct syncobj *syncobj, uint64_t point, uint32_t flags);
uint64_t query_one(struct syncobj *syncobj);
uint64_t submitted_one(struct syncobj *syncobj);

/* Fences that somebody else signals: sw_sync. */
bool pending_possible(void);
struct pending {
	int timeline;
	uint32_t next, done;
};
void pending_init(struct pending *pending);
/* Return: a new sync_file, which becomes signalled after those made before it. */
int pending_fence(struct pending *pending);
void pending_signal(struct pending *pending, uint32_t count);
void pending_end(struct pending *pending);
/* Submit a new pending fence. */
void pending_submit(struct pending *pending, struct syncobj *syncobj, uint64_t point);

/* A thread in syncobj_wait(). */
struct waiting {
	struct syncobj *const *syncobjs;
	const uint64_t *points;
	size_t count;
	int64_t timeout_nsec;
	uint32_t flags;
	int result;
	size_t first;
	atomic_int tid;
	atomic_bool done;
	pthread_t thread;
};
/* Return when the thread sleeps. */
void start_waiting(struct waiting *waiting);
/* Return: what syncobj_wait() returned. */
int end_waiting(struct waiting *waiting);
void wait_until_asleep(atomic_int *tid);

/* An eventfd has this value now; it is taken. */
void check_eventfd(int fd, uint64_t value);
/* The same, within the limit. */
void await_eventfd(int fd, uint64_t value);
bool readable(int fd);
void await_readable(int fd);
int make_eventfd(void);

/* Run @fn in a child; returns in the parent. */
pid_t run_child(struct conf *c, void (*fn)(struct conf *c, void *arg), void *arg);
void check_child(pid_t pid);

int count_fds(void);

#endif
