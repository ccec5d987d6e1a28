/* SPDX-License-Identifier: MIT */
/* What the tools for syncobjs share: descriptors of any process, and devices that serve them. */
#ifndef OBJECTS_H
#define OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <syncobj.h>

/* Exit statuses; syncobj-wait has one more. */
#define EXIT_FINE 0
#define EXIT_USAGE 2
#define EXIT_FAILED 3

#define OBJECT_DEVICE_ROW                                                              \
	{                                                                              \
		'd', "device", "NAME",                                                 \
			"device for syncobjs of the kernel: device, drm, soft, or a\n" \
			"node (default: $SYNCOBJ_DEVICE, else a search)"               \
	}

/* ---- the command line --------------------------------------------------- */

/* FD[:POINT] */
struct fd_point {
	int fd;
	bool has_point;
	uint64_t point; /* 0 if there is none: the whole fence */
};

/* Digits, or 0x and hexadecimal ones. Return: 0, -EINVAL, or -ERANGE above @max. */
int parse_number(const char *text, uint64_t max, uint64_t *ret_number);

/* These print what is wrong. Return: 0, or -EINVAL. */
int parse_fd_point(const char *text, struct fd_point *ret_fd_point);
int parse_pid(const char *text, pid_t *ret_pid);
int parse_time_option(const char *option, const char *text, int64_t *ret_nsec);

/* ---- processes ---------------------------------------------------------- */

/* Whose descriptors are meant. */
struct process {
	pid_t pid; /* 0: this one */
	int pidfd; /* or -1 */
};

/* Return: 0, or a negative errno that process_problem() explains. */
int process_open(struct process *process, pid_t pid);
void process_close(struct process *process);

/* It has ended, even if its parent did not ask for its status yet and it is in /proc still. */
bool process_ended(const struct process *process);

/* A duplicate of its descriptor, O_CLOEXEC; or a negative errno as above, -EBADF if it is closed.
 */
int process_get_fd(const struct process *process, int fd);

/* Cause and cure of @error about process @pid; the caller's. NULL without memory. */
char *process_problem(pid_t pid, int error);

/* What a descriptor of @process is, such as "/dev/null"; the caller's. NULL if not known. */
char *process_fd_link(const struct process *process, int fd);

/* ---- devices ------------------------------------------------------------ */

struct devices {
	const char *name;             /* of -d, or NULL */
	struct syncobj_device *named; /* what the name or the search gave; opened at need */
	int error;                    /* or why there is none */
	struct syncobj_device *soft;  /* for soft objects if @named is of the kernel */
};

/* A name that cannot be one is an error at once. Return: EXIT_*; printed. */
int devices_open(struct devices *devices, const char *name);
void devices_close(struct devices *devices);

/* The device that objects are made on. Return: EXIT_*; printed. */
int devices_get_named(struct devices *devices, struct syncobj_device **ret_device);

/* Import @fd, which is of @kind, on a device for it. Return: 0 or a negative errno. */
int devices_import(struct devices *devices, int kind, int fd, struct syncobj **ret_syncobj);

/* There is no device for syncobjs of the kernel, as far as one was needed. */
bool devices_lack_kernel(const struct devices *devices);

/* Cause and cure of that; the caller's, or NULL. */
char *devices_problem(const struct devices *devices);

/* ---- objects ------------------------------------------------------------ */

/*
 * Each of @fd_points is open here. To be asked before anything else is opened, which
 * could get the number of one that is not. Return: EXIT_*; printed.
 */
int check_inherited(const struct fd_point *fd_points, size_t n);

/* The object that is @process's descriptor @fd. Return: EXIT_*; printed. */
int object_get(struct devices *devices, const struct process *process, int fd,
	       struct syncobj **ret_syncobj);

/*
 * Whether a point is ready now, and how far the object is.
 *
 * Return: 1 if it is signalled, 0 if it is pending, -EINVAL if it is not submitted, or
 * another negative errno. @ret_signaled and @ret_submitted are set unless it is the last.
 */
int object_look(struct syncobj *syncobj, uint64_t point, uint64_t *ret_signaled,
		uint64_t *ret_submitted);

/* As errno names it, such as "EIO"; @error is negative. */
const char *error_name(int error);

#endif
