/* SPDX-License-Identifier: MIT */
/*
 * Calls from the DSP to the application. The application's listener waits in
 * next2; a DSP thread that calls puts its call in a list, and the listener
 * carries it out and brings the result with its next next2.
 */
#include <string.h>
#include <time.h>

#include "softdsp.h"

enum reverse_state { REVERSE_WAITING, REVERSE_TAKEN, REVERSE_DONE };

struct reverse_call {
	struct reverse_call *next;
	enum reverse_state state;
	uint32_t ctx;
	uint32_t handle;
	uint32_t sc;
	const struct reverse_buf *bufs;
	void *packed;
	size_t size;
	int result;
};

static struct reverse_call *call_by_ctx(struct softdsp *dsp, uint32_t ctx)
{
	for (struct reverse_call *call = dsp->reverse_calls; call; call = call->next)
		if (call->ctx == ctx && call->state == REVERSE_TAKEN)
			return call;
	return NULL;
}

/* Wait for a listener, at most a while: a session without one must not hang. */
static bool wait_listening(struct softdsp *dsp)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += dsp->listener_wait;
	while (!dsp->listening)
		if (pthread_cond_clockwait(&dsp->reverse_changed, &dsp->reverse_lock,
					   CLOCK_MONOTONIC, &deadline) == ETIMEDOUT)
			break;
	return dsp->listening;
}

int softdsp_reverse(struct softdsp *dsp, uint32_t handle, uint32_t sc,
		    const struct reverse_buf *bufs)
{
	struct reverse_call call = {.handle = handle, .sc = sc, .bufs = bufs};
	struct reverse_call **at;
	ssize_t size = reverse_in_size(sc, bufs);

	if (size < 0)
		return DSP_STATUS(size == -EOPNOTSUPP ? AEE_EUNSUPPORTED : AEE_EBADSIZE);
	call.size = (size_t)size;
	call.packed = malloc(call.size ? call.size : 1);
	if (!call.packed)
		return DSP_STATUS(AEE_ENOMEMORY);
	reverse_in_pack(sc, bufs, call.packed);

	pthread_mutex_lock(&dsp->reverse_lock);
	if (!wait_listening(dsp)) {
		call.result = DSP_STATUS(AEE_EBADSTATE);
		goto out;
	}
	call.ctx = ++dsp->reverse_ctx;
	for (at = &dsp->reverse_calls; *at; at = &(*at)->next)
		;
	*at = &call;
	pthread_cond_broadcast(&dsp->reverse_changed);
	while (call.state != REVERSE_DONE)
		pthread_cond_wait(&dsp->reverse_changed, &dsp->reverse_lock);
	for (at = &dsp->reverse_calls; *at != &call; at = &(*at)->next)
		;
	*at = call.next;
out:
	pthread_mutex_unlock(&dsp->reverse_lock);
	free(call.packed);
	return call.result;
}

/* The listener reports how the call it took before went. */
static void finish_previous(struct softdsp *dsp, const struct reverse_next_in *in,
			    const remote_buf *prev)
{
	struct reverse_call *call = call_by_ctx(dsp, in->prev_ctx);

	if (!call)
		return;
	call->result = (int)in->prev_result;
	if (!call->result &&
	    reverse_out_unpack(call->sc, call->bufs, prev->pv, MIN(prev->nLen, in->prev_size)) < 0)
		call->result = DSP_STATUS(AEE_EBADPARM);
	call->state = REVERSE_DONE;
	pthread_cond_broadcast(&dsp->reverse_changed);
}

static struct reverse_call *wait_call(struct softdsp *dsp)
{
	for (;;) {
		for (struct reverse_call *call = dsp->reverse_calls; call; call = call->next)
			if (call->state == REVERSE_WAITING)
				return call;
		pthread_cond_wait(&dsp->reverse_changed, &dsp->reverse_lock);
	}
}

/* in {primIn, previous out buffers}, out {primROut, in buffers} */
static int next2(struct softdsp *dsp, remote_arg *args)
{
	struct reverse_next_in in;
	struct reverse_next_out out;
	struct reverse_call *call;
	size_t room;

	if (args[0].buf.nLen < sizeof(in) || args[2].buf.nLen < sizeof(out))
		return DSP_STATUS(AEE_EBADPARM);
	memcpy(&in, args[0].buf.pv, sizeof(in));
	room = MIN(args[3].buf.nLen, in.room);

	pthread_mutex_lock(&dsp->reverse_lock);
	dsp->listening = true;
	pthread_cond_broadcast(&dsp->reverse_changed);
	finish_previous(dsp, &in, &args[1].buf);
	call = wait_call(dsp);
	call->state = REVERSE_TAKEN;
	out = (struct reverse_next_out){
		.ctx = call->ctx,
		.handle = call->handle,
		.sc = call->sc,
		.size = (uint32_t)call->size,
	};
	memcpy(args[2].buf.pv, &out, sizeof(out));
	if (MIN(room, call->size))
		memcpy(args[3].buf.pv, call->packed, MIN(room, call->size));
	pthread_mutex_unlock(&dsp->reverse_lock);
	return AEE_SUCCESS;
}

/* in {primIn}, out {primROut, in buffers from an offset} */
static int get_in_bufs2(struct softdsp *dsp, remote_arg *args)
{
	struct reverse_get_in in;
	struct reverse_get_out out;
	struct reverse_call *call;
	size_t room;
	int r = AEE_SUCCESS;

	if (args[0].buf.nLen < sizeof(in) || args[1].buf.nLen < sizeof(out))
		return DSP_STATUS(AEE_EBADPARM);
	memcpy(&in, args[0].buf.pv, sizeof(in));
	room = MIN(args[2].buf.nLen, in.room);

	pthread_mutex_lock(&dsp->reverse_lock);
	call = call_by_ctx(dsp, in.ctx);
	if (!call || in.offset > call->size) {
		r = DSP_STATUS(AEE_EBADPARM);
		goto out;
	}
	out.size = (uint32_t)call->size;
	memcpy(args[1].buf.pv, &out, sizeof(out));
	room = MIN(room, call->size - in.offset);
	if (room)
		memcpy(args[2].buf.pv, (char *)call->packed + in.offset, room);
out:
	pthread_mutex_unlock(&dsp->reverse_lock);
	return r;
}

int softdsp_listener(struct softdsp *dsp, uint32_t handle, uint32_t sc, remote_arg *args)
{
	/* The older interface has the same methods under lower numbers. */
	uint32_t shift = handle == FASTRPC_HANDLE_LISTENER ? LISTENER1_INIT2 - LISTENER_INIT2 : 0;

	sc += shift << 24;
	if (sc == FASTRPC_SCALARS(LISTENER1_INIT2, 0, 0, 0, 0))
		return AEE_SUCCESS;
	if (sc == FASTRPC_SCALARS(LISTENER1_NEXT2, 2, 2, 0, 0))
		return next2(dsp, args);
	if (sc == FASTRPC_SCALARS(LISTENER1_GET_IN_BUFS2, 1, 2, 0, 0))
		return get_in_bufs2(dsp, args);
	return DSP_STATUS(AEE_EUNSUPPORTED);
}
