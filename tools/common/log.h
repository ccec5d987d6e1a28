/* SPDX-License-Identifier: MIT */
/* The library's log: its last complaint is the cause of an errno, all of it with -v. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

#include <qda.h>

/* Receive @qda's log. Lines are printed if @verbosity is not 0 or QDA_LOG is set. */
void log_init(struct qda *qda, int verbosity);

/* The last error line since log_forget(), or ""; a copy that the caller frees, or NULL. */
char *log_cause(void);

void log_forget(void);

#endif
