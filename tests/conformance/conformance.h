/* SPDX-License-Identifier: MIT */
/* What the cases of the conformance suite share: the fixture, checks, short forms of calls. */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qda.h>

#include "common.h"
#include "runner.h"
#include "skels/conf.h"

/* A DSP with a session that has libconf_skel.so open. */
struct conf {
	struct qda *qda;
	struct qda_device *device;
	struct qda_session *session;
	struct qda_module *module;
};

#define CONF_BARE 0x1U      /* the case makes its own session */
#define CONF_SOFT_ONLY 0x2U /* needs what only the software DSP promises */

extern const struct conf_case device_cases[], session_cases[], module_cases[], call_cases[],
	thread_cases[], buffer_cases[], typed_cases[], crash_cases[];

extern const char *conf_device; /* --device */
extern const char *conf_skels;  /* directory of the skels */

/* The program run with --count-fds exits with this plus the number of its file descriptors. */
#define EXIT_FDS 64

bool conf_is_soft(void);

/* A context with the suite's search path that keeps log lines for conf_fail(). */
struct qda *conf_context(void);
struct qda_session *conf_session(struct qda_device *device);
struct qda_module *conf_open(struct qda_session *session, const char *name);

/* Arguments in plain memory and in a buffer. */
static inline struct qda_arg plain(const void *data, size_t length)
{
	return (struct qda_arg){.ptr = (void *)(uintptr_t)data, .length = length};
}

static inline struct qda_arg range(struct qda_buffer *buffer, size_t offset, size_t length)
{
	return (struct qda_arg){.buffer = buffer, .offset = offset, .length = length};
}

/* Calls with a number in, or a number out, on any of the skels. */
int call_in(struct qda_module *module, uint32_t method, uint32_t value);
uint32_t call_out(struct qda_module *module, uint32_t method);
uint32_t conf_pid(struct qda_module *module);

/* The session answers. */
void check_alive(struct qda_module *module);

void fill_pattern(void *data, size_t size, uint32_t seed);
void check_pattern(const void *data, size_t size, uint32_t seed);

/* Run @fn in @n threads at once with arg + i * stride; returns when all have ended. */
void run_threads(size_t n, void *(*fn)(void *), void *arg, size_t stride);

/* Make a directory for one case; removed with what is in it when the case ends. */
const char *conf_tmpdir(void);
/* Copy a built skel into @dir under @name. */
void copy_skel(const char *from, const char *dir, const char *name);

#endif
