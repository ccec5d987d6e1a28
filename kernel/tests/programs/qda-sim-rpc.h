/* SPDX-License-Identifier: GPL-2.0-only */
/* For programs that run in the test kernel: calls through drivers/misc/fastrpc.c. */
#ifndef QDA_SIM_RPC_H
#define QDA_SIM_RPC_H

#include <glob.h>
#include <misc/fastrpc.h>

#include "qda-sim.h"

#define FASTRPC_CDSP "/dev/fastrpc-cdsp"
#define REMOTECTL1 8
#define REMOTECTL1_OPEN 0x02020200U

/*
 * Wait until drivers/misc/fastrpc.c has a DSP and all its context banks: it shows the
 * node first. Return: whether it is so within a minute.
 */
static inline bool wait_fastrpc(const char *label)
{
	char pattern[128];

	snprintf(pattern, sizeof(pattern),
		 "/sys/bus/platform/drivers/qcom,fastrpc-cb/qda-sim:dsp-%s:*", label);
	for (int i = 0; i < 6000; i++) {
		size_t count = 0;
		glob_t found;

		if (glob(pattern, 0, NULL, &found) == 0) {
			count = found.gl_pathc;
			globfree(&found);
		}
		if (count == CONTEXT_BANKS)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return false;
}

/* Return: 0, the status of the DSP (which comes as it is), or a negative errno. */
static inline int rpc_invoke(int fd, uint32_t handle, uint32_t sc,
			     const struct fastrpc_invoke_args *args)
{
	struct fastrpc_invoke invoke = {.handle = handle, .sc = sc, .args = address(args)};

	return call(fd, FASTRPC_IOCTL_INVOKE, &invoke);
}

/* An open session on the node, an unsigned process. Return: its descriptor or a negative errno. */
static inline int rpc_session(const char *node)
{
	struct fastrpc_init_create create = {.filefd = -1, .attrs = FASTRPC_MODE_UNSIGNED_MODULE};
	int fd = open(node, O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = call(fd, FASTRPC_IOCTL_INIT_CREATE, &create);
	if (!r)
		return fd;
	close(fd);
	return r < 0 ? r : -EREMOTEIO;
}

static inline struct fastrpc_invoke_args rpc_arg(const void *data, size_t length)
{
	return (struct fastrpc_invoke_args){.ptr = address(data), .length = length, .fd = -1};
}

static inline struct fastrpc_invoke_args rpc_buffer(const void *data, size_t length, int fd)
{
	return (struct fastrpc_invoke_args){.ptr = address(data), .length = length, .fd = fd};
}

/* Open a module. Return: 0, a status of the DSP, or a negative errno. */
static inline int rpc_open(int fd, const char *uri, uint32_t *ret_handle)
{
	char error[256] = "";
	uint32_t in[2] = {(uint32_t)strlen(uri) + 1, sizeof(error)};
	int32_t out[2] = {0};
	const struct fastrpc_invoke_args args[] = {
		rpc_arg(in, sizeof(in)),
		rpc_arg(uri, in[0]),
		rpc_arg(out, sizeof(out)),
		rpc_arg(error, sizeof(error)),
	};
	int r = rpc_invoke(fd, REMOTECTL1, REMOTECTL1_OPEN, args);

	if (r)
		return r;
	if (out[1])
		fprintf(stderr, "# %s: %s\n", uri, error);
	*ret_handle = (uint32_t)out[0];
	return out[1];
}

#endif
