/* SPDX-License-Identifier: MIT */
/* What the tests of devices and paths share. */
#ifndef HELPERS_H
#define HELPERS_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../fds.h"
#include "internal.h"

/* Log lines, one after the other. */
static char logged[16384];

static inline void keep_log(void *data, int priority, const char *message)
{
	size_t used = strlen(logged);

	snprintf(logged + used, sizeof(logged) - used, "%d %s\n", priority, message);
}

/* A context whose lines are kept, with a search path. */
static inline struct qda *new_context(const char *path)
{
	struct qda *qda;

	logged[0] = '\0';
	assert_int_equal(qda_new(&qda), 0);
	qda_set_log_fn(qda, keep_log, NULL);
	qda_set_log_priority(qda, LOG_DEBUG);
	assert_int_equal(qda_set_search_path(qda, path), 0);
	return qda;
}

#endif
