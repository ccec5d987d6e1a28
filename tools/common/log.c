/* SPDX-License-Identifier: MIT */
/* The library's log: its last complaint is the cause of an errno, all of it with -v. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "log.h"
#include "tool.h"

/* The library logs from its own threads too. */
static struct {
	pthread_mutex_t lock;
	bool print;
	char cause[1024];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void log_line(void *data, int priority, const char *message)
{
	pthread_mutex_lock(&state.lock);
	if (priority <= LOG_ERR)
		snprintf(state.cause, sizeof(state.cause), "%s", message);
	if (state.print)
		tool_error_line(message);
	pthread_mutex_unlock(&state.lock);
}

void log_init(struct qda *qda, int verbosity)
{
	state.print = verbosity || getenv("QDA_LOG");
	qda_set_log_fn(qda, log_line, NULL);
	if (verbosity)
		qda_set_log_priority(qda, verbosity > 1 ? LOG_DEBUG : LOG_INFO);
}

char *log_cause(void)
{
	char *cause;

	pthread_mutex_lock(&state.lock);
	cause = strdup(state.cause);
	pthread_mutex_unlock(&state.lock);
	return cause;
}

void log_forget(void)
{
	pthread_mutex_lock(&state.lock);
	state.cause[0] = '\0';
	pthread_mutex_unlock(&state.lock);
}
