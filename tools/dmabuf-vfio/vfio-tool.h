/* SPDX-License-Identifier: MIT */
/* What the commands of dmabuf-vfio share. */
#ifndef VFIO_TOOL_H
#define VFIO_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dmabuf.h>

enum {
	EXIT_FINE,
	EXIT_USAGE = 2,
	EXIT_FAILED = 3,  /* the device, the socket, the output */
	EXIT_REFUSED = 4, /* by who serves */
	EXIT_REVOKED = 5, /* taken away meanwhile */
};

#define MAX_ACCESSES 64

/* --read and --write, in their order. */
struct access {
	bool write;
	uint64_t offset;
	uint64_t count; /* words to read */
	uint64_t value;
};

struct vfio_tool {
	char **operands; /* after the command's name */
	size_t n_operands;
	bool json;
	const char *socket, *policy, *name;
	uint32_t mode; /* of the socket */
	uint32_t pid;
	bool read_only, write_combining, wait;
	unsigned int width; /* bytes of a word */
	struct access accesses[MAX_ACCESSES];
	size_t n_accesses;
	char **command; /* to run, or NULL */
};

/* The commands. Return: EXIT_*, or what a command that was run returned. */
int tool_list(struct vfio_tool *tool);
int tool_export(struct vfio_tool *tool);
int tool_serve(struct vfio_tool *tool);
int tool_attach(struct vfio_tool *tool);
int tool_revoke(struct vfio_tool *tool);
/* The leases that a server has granted. */
int tool_list_leases(struct vfio_tool *tool);

/* Open a device; a message says what is wrong. */
int tool_open_device(const char *name, struct dmabuf_vfio **ret_device);

/* "read-only", ... of what a lease or an export is; "" if it is plain. */
const char *access_text(uint32_t flags, uint32_t attr);

#endif
