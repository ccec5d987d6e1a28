/* SPDX-License-Identifier: MIT */
/* What qda-info reports about one DSP, and why one does not work: cause and cure. */
#ifndef DIAGNOSE_H
#define DIAGNOSE_H

#include <stdbool.h>
#include <stdint.h>

#include <qda.h>

#define MAX_ATTRIBUTE 10

struct attribute {
	int error; /* 0, or why it is not known */
	uint32_t value;
};

struct report {
	char *name; /* as -d takes it; a node that could not be asked has "?" */
	char *node; /* NULL if not known */
	const char *transport;
	char *version; /* of the driver, or NULL */
	bool has_access;
	uint32_t mode, uid, gid;
	bool missing; /* there is no device of this name */
	bool checked; /* a session was created */
	bool has_attributes;
	struct attribute attributes[MAX_ATTRIBUTE]; /* the first is number 1 */
	char *cause;                                /* NULL if all is well */
	char *cure;
};

/* As format_text(), but ends the program if there is no memory. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Names of user and group, or their numbers; the caller's. */
char *user_name(uint32_t uid);
char *group_name(uint32_t gid);

/* There is no accel node of driver qda. */
void diagnose_no_device(struct report *report);

/* Opening or asking the node gave @error. */
void diagnose_node(struct report *report, int error);

/* "cannot @what": it gave @error; @line is the library's own line about it, or "". */
void diagnose_session(struct report *report, const char *what, int error, const char *line);

/* The program of the software DSP cannot be run. */
void diagnose_program(struct report *report, int error);

#endif
