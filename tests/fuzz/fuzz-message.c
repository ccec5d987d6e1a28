/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the software DSP's message decoder. Input: 16 bytes that choose
 * client id, PD, handle, scalars and where the payload starts, then the
 * session's memory, in which the payload lies.
 */
#include <string.h>

#include "softdsp.h"

#define MEMORY_ADDRESS ((1ULL << 56) + 0x10000)
#define MEMORY_SIZE 65536UL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int no_message(void *data, struct fastrpc_msg *ret_msg)
{
	return -ESHUTDOWN;
}

static void no_reply(void *data, uint64_t ctx, int32_t retval)
{
}

static int no_memory(void *data, uint64_t address, uint64_t size, int attempt)
{
	return -EFAULT;
}

static void no_log(void *data, int level, const char *text)
{
}

static void __attribute__((noreturn)) no_release(void *data)
{
	abort();
}

static const struct softdsp_ops ops = {
	.receive = no_message,
	.reply = no_reply,
	.fault = no_memory,
	.log = no_log,
	.release = no_release,
};

static bool would_wait(const struct fastrpc_msg *msg)
{
	/* next2 returns when the DSP calls, and nothing here does. */
	return (msg->handle == FASTRPC_HANDLE_LISTENER &&
		FASTRPC_METHOD(msg->sc) == LISTENER_NEXT2) ||
	       (msg->handle == FASTRPC_HANDLE_LISTENER1 &&
		FASTRPC_METHOD(msg->sc) == LISTENER1_NEXT2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fastrpc_msg msg = {0};
	struct softdsp dsp;
	uint8_t *memory;
	bool release;

	if (size < 16)
		return 0;
	/* Of its own, so that a sanitizer sees an access beyond either end. */
	memory = aligned_alloc(FASTRPC_PAGE, MEMORY_SIZE);
	if (!memory)
		return 0;
	memset(memory, 0, MEMORY_SIZE);
	memcpy(memory, data + 16, MIN(size - 16, MEMORY_SIZE));

	softdsp_init(&dsp, &ops, NULL);
	dsp.listener_wait = 0;
	softdsp_memory_add(&dsp, MEMORY_ADDRESS, MEMORY_SIZE, memory);
	msg.client_id = (int8_t)data[0];
	msg.ctx = data[1];
	dsp.created = data[2] & 1;
	msg.handle = data[3] | (uint32_t)(data[4] & 1) << 8;
	memcpy(&msg.sc, data + 8, sizeof(msg.sc));
	msg.addr = MEMORY_ADDRESS + (uint64_t)data[5] * 256;
	msg.size = (uint64_t)data[6] * 512;
	if (!would_wait(&msg))
		softdsp_handle(&dsp, &msg, &release);
	softdsp_finish(&dsp);
	free(memory);
	return 0;
}
