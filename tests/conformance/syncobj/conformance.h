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
#include "runner.h"

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
#define CONF_SECOND 0x20U             /* uses the second device, which needs the same */
#define CONF_SHARED 0x40U             /* and objects that both devices can use */
#define CONF_NODE 0x80U               /* needs a node in the file system */
#define CONF_DEADLINE 0x100U          /* needs SYNCOBJ_FEATURE_DEADLINE */

extern const struct conf_case object_cases[], point_cases[], thread_cases[], eventfd_cases[],
	waiter_cases[], sync_file_cases[], error_cases[], second_cases[], stress_cases[];
/* To be called once. */
const struct conf_case *matrix_cases(void);

extern const char *conf_device; /* --device, as syncobj_device_open() takes it */
extern const char *conf_second; /* --second-device, or NULL */

/* Other side of object_passed_to_another_program. Return: the exit status. */
int conf_peer(int socket);

bool conf_is_soft(void);
struct conf open_device(const char *name);
/* The second device; the case unrefs it. */
struct conf open_second(void);

#define FOREVER INT64_MAX
#define LIMIT_NS (60 * 1000000000LL) /* what takes longer has failed */

int64_t now_ns(void);
void sleep_ms(int ms);
/* A wait that ended by its timeout did not end before it. */
void check_passed(int64_t time_ns);

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
/* The other end: fences that are not signalled fail, with -ENOENT. */
void pending_fail(struct pending *pending);
/* Whether @fence was given a deadline. */
bool pending_deadline(struct pending *pending, int fence, uint64_t *ret_deadline);
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

#endif
