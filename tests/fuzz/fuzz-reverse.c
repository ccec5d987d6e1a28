/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: reverse calls, from the packed bytes that a DSP sends to the
 * services' answer. Input: any number of calls, each a handle (1 byte), scalars
 * (4), the size of the packed bytes (2) and these bytes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps_std.h"
#include "internal.h"
#include "reverse.h"

/* A DSP may ask for more, but it would only be slow. */
#define MAX_REPLY 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[64];

static void remove_directory(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/a.so", directory);
	unlink(path);
	rmdir(directory);
}

/* A directory with one small file, for all runs of this process. */
static void make_directory(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[96];
	int fd;

	snprintf(directory, sizeof(directory), "%s/qda-fuzz-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(directory))
		abort();
	atexit(remove_directory);
	snprintf(path, sizeof(path), "%s/a.so", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, "0123456789", 10) != 10)
		abort();
	close(fd);
}

static void run_call(struct apps_std *services, uint32_t handle, uint32_t sc, const uint8_t *data,
		     size_t size)
{
	struct reverse_buf bufs[REVERSE_MAX_BUFS], copies[REVERSE_MAX_BUFS];
	uint32_t n_in = FASTRPC_INBUFS(sc), n = FASTRPC_BUFS(sc);
	uint8_t *packed = malloc(size ? size : 1), *reply;
	size_t reply_size = 0;

	if (!packed)
		abort();
	memcpy(packed, data, size);
	if (reverse_in_parse(sc, packed, size, bufs, &reply_size) || reply_size > MAX_REPLY) {
		free(packed);
		return;
	}
	reply = malloc(reply_size ? reply_size : 1);
	if (!reply)
		abort();
	reverse_out_place(sc, bufs, reply);
	apps_std_invoke(services, handle, sc, bufs);

	/* Whatever was answered, the DSP can take the reply apart. */
	memcpy(copies, bufs, n * sizeof(*bufs));
	for (uint32_t i = n_in; i < n; i++) {
		copies[i].data = malloc(bufs[i].length ? bufs[i].length : 1);
		if (!copies[i].data)
			abort();
	}
	if (reverse_out_unpack(sc, copies, reply, reply_size))
		abort();
	for (uint32_t i = n_in; i < n; i++)
		free(copies[i].data);
	free(reply);
	free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *dirs[] = {directory, NULL};
	struct apps_std *services;
	struct qda qda = {0};

	if (!directory[0])
		make_directory();
	if (apps_std_new(&qda, dirs, &services))
		abort();
	while (size >= 7) {
		uint32_t handle = data[0], sc;
		size_t length = (size_t)data[5] | (size_t)data[6] << 8;

		memcpy(&sc, data + 1, sizeof(sc));
		data += 7;
		size -= 7;
		length = MIN(length, size);
		run_call(services, handle, sc, data, length);
		data += length;
		size -= length;
	}
	apps_std_free(services);
	return 0;
}
