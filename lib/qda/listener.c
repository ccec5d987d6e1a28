/* SPDX-License-Identifier: MIT */
/*
 * The thread that serves a session's reverse calls. It calls the DSP's listener,
 * whose next2 returns when the DSP wants something, and brings the answer with
 * its next next2.
 */
#include <signal.h>
#include <string.h>

#include "apps_std.h"
#include "internal.h"
#include "reverse.h"

/* Room for packed in buffers at first: every call that opens or reads a file fits. */
#define IN_ROOM 4096

/* Everything is kept here and not by the thread, which may be cancelled within a call. */
struct qda_listener {
	struct qda_session *session;
	struct apps_std *services;
	pthread_t thread;
	uint32_t handle; /* the DSP's listener */
	uint32_t shift;  /* what its method numbers are below those of listener1 */
	uint8_t *in;     /* packed in buffers, room in_room */
	uint32_t in_room;
	uint8_t *out; /* packed out buffers, room out_room */
	uint32_t out_room;
	struct reverse_buf bufs[REVERSE_MAX_BUFS];
};

static int grow(uint8_t **memory, uint32_t *room, size_t size)
{
	uint8_t *larger;

	if (size <= *room)
		return 0;
	if (size > REVERSE_MAX)
		return -E2BIG;
	larger = realloc(*memory, size);
	if (!larger)
		return -ENOMEM;
	memset(larger + *room, 0, size - *room);
	*memory = larger;
	*room = (uint32_t)size;
	return 0;
}

/* A status of the DSP's, with or without its offset. */
static bool is_status(uint32_t status, uint32_t aee)
{
	return status == aee || status == AEE_DSP_OFFSET + aee;
}

/*
 * Call a method of the DSP's listener, numbered as listener1's. What the DSP
 * says it interrupted is called again: that is an answer, the call is over.
 */
static int call_listener(struct qda_listener *listener, uint32_t sc, const struct qda_arg *args,
			 int timeout_ms, uint32_t flags, uint32_t *ret_status)
{
	int r;

	do
		r = qda_session_call(listener->session, listener->handle,
				     sc - (listener->shift << 24), args, timeout_ms, flags,
				     ret_status);
	while (r == -EREMOTEIO && is_status(*ret_status, AEE_EINTERRUPTED));
	return r;
}

/* In the thread that creates the session, which must not be cancelled here. */
static int init(struct qda_listener *listener, uint32_t *ret_status)
{
	const uint32_t sc = FASTRPC_SCALARS(LISTENER1_INIT2, 0, 0, 0, 0);
	int r;

	listener->handle = FASTRPC_HANDLE_LISTENER1;
	listener->shift = 0;
	r = call_listener(listener, sc, NULL, listener->session->timeout_ms, 0, ret_status);
	if (r != -EREMOTEIO)
		return r;
	/* An older DSP has only the first version of the interface. */
	listener->handle = FASTRPC_HANDLE_LISTENER;
	listener->shift = LISTENER1_INIT2 - LISTENER_INIT2;
	return call_listener(listener, sc, NULL, listener->session->timeout_ms, 0, ret_status);
}

/* Get the packed in buffers that did not fit into next2's buffer. */
static int fetch_rest(struct qda_listener *listener, const struct reverse_next_out *next)
{
	struct reverse_get_in in = {.ctx = next->ctx, .offset = listener->in_room};
	struct reverse_get_out out = {0};
	struct qda_arg args[3];
	uint32_t status;
	int r;

	r = grow(&listener->in, &listener->in_room, next->size);
	if (r)
		return r;
	in.room = next->size - in.offset;
	args[0] = (struct qda_arg){.ptr = &in, .length = sizeof(in)};
	args[1] = (struct qda_arg){.ptr = &out, .length = sizeof(out)};
	args[2] = (struct qda_arg){.ptr = listener->in + in.offset, .length = in.room};
	return call_listener(listener, FASTRPC_SCALARS(LISTENER1_GET_IN_BUFS2, 1, 2, 0, 0), args,
			     QDA_NO_TIMEOUT, QDA_CALL_CANCELLABLE, &status);
}

/* Carry out one call of the DSP. Return: the AEE status, with 0 the size of what is in out. */
static uint32_t serve(struct qda_listener *listener, const struct reverse_next_out *next,
		      uint32_t *ret_size)
{
	uint32_t status;
	size_t size = 0;
	int r = 0;

	if (next->size > listener->in_room)
		r = fetch_rest(listener, next);
	if (!r)
		r = reverse_in_parse(next->sc, listener->in, next->size, listener->bufs, &size);
	if (!r)
		r = grow(&listener->out, &listener->out_room, size);
	switch (r) {
	case 0:
		break;
	case -EOPNOTSUPP:
		return AEE_EUNSUPPORTED;
	case -EBADMSG:
		return AEE_EBADPARM;
	case -E2BIG:
	case -ENOMEM:
		return AEE_ENOMEMORY;
	default:
		return AEE_EFAILED;
	}
	reverse_out_place(next->sc, listener->bufs, listener->out);
	status = apps_std_invoke(listener->services, next->handle, next->sc, listener->bufs);
	if (!status)
		*ret_size = (uint32_t)size;
	return status;
}

/*
 * Nobody serves reverse calls any more, and DSP code that waits for one would wait
 * for ever: end the session, unless that is why.
 */
static void give_up(struct qda_session *session, int error, uint32_t status)
{
	if (atomic_load(&session->state))
		return;
	if (error == -EREMOTEIO)
		qda_log(session->device->qda, LOG_ERR,
			"the DSP refused to hand out reverse calls, status 0x%x", status);
	else
		qda_log(session->device->qda, LOG_ERR, "reverse calls cannot be served: %s",
			strerror(-error));
	qda_session_end(session, -ECONNRESET);
	if (session->transport->session_abort)
		session->transport->session_abort(session, "reverse calls could not be served");
}

static void *listen_main(void *data)
{
	struct qda_listener *listener = data;
	struct reverse_next_in in = {0};
	struct reverse_next_out next;
	uint32_t status = 0;
	int r;

	/* The transport alone allows it, where it waits and holds nothing. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	for (;;) {
		in.room = listener->in_room;
		next = (struct reverse_next_out){0};
		const struct qda_arg args[] = {
			{.ptr = &in, .length = sizeof(in)},
			{.ptr = listener->out, .length = in.prev_size},
			{.ptr = &next, .length = sizeof(next)},
			{.ptr = listener->in, .length = in.room},
		};

		r = call_listener(listener, FASTRPC_SCALARS(LISTENER1_NEXT2, 2, 2, 0, 0), args,
				  QDA_NO_TIMEOUT, QDA_CALL_CANCELLABLE, &status);
		if (in.prev_size && (r == -ENOMEM || r == -EMFILE || r == -ENFILE)) {
			/* The answer could not be sent: tell the caller, who is not told else. */
			in.prev_result = AEE_ENOMEMORY;
			in.prev_size = 0;
			continue;
		}
		if (r)
			break;
		in.prev_ctx = next.ctx;
		in.prev_size = 0;
		in.prev_result = serve(listener, &next, &in.prev_size);
	}
	if (r != -EREMOTEIO || !is_status(status, AEE_EBADSTATE))
		give_up(listener->session, r, status);
	return NULL;
}

static void listener_free(struct qda_listener *listener)
{
	apps_std_free(listener->services);
	free(listener->in);
	free(listener->out);
	free(listener);
}

int qda_listener_start(struct qda_session *session)
{
	const struct qda *qda = session->device->qda;
	struct qda_listener *listener = calloc(1, sizeof(*listener));
	uint32_t status = 0;
	int r;

	if (!listener)
		return -ENOMEM;
	listener->session = session;
	r = grow(&listener->in, &listener->in_room, IN_ROOM);
	if (!r)
		r = apps_std_new(qda, session->dirs, &listener->services);
	if (!r)
		r = init(listener, &status);
	if (r == -EREMOTEIO) {
		/* Not every DSP calls back; one that needs to will say what it could not load. */
		qda_log(qda, LOG_WARNING,
			"the DSP has no listener, status 0x%x: it cannot load modules from files",
			status);
		listener_free(listener);
		return 0;
	}
	if (r)
		goto err;

	r = start_thread(&listener->thread, listen_main, listener);
	if (r)
		goto err;
	pthread_setname_np(listener->thread, "qda-listener");
	session->listener = listener;
	return 0;
err:
	listener_free(listener);
	return r;
}

void qda_listener_stop(struct qda_session *session)
{
	struct qda_listener *listener = session->listener;

	if (!listener)
		return;
	/* Acted upon only within an ioctl. */
	if (!session->transport->session_interrupt)
		pthread_cancel(listener->thread);
	pthread_join(listener->thread, NULL);
	session->listener = NULL;
	listener_free(listener);
}
