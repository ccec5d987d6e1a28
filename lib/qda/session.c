/* SPDX-License-Identifier: MIT */
/* Sessions: their life, and the checks that every call passes. */
#include <string.h>
#include <time.h>

#include "internal.h"

#define SESSION_FLAGS (QDA_SESSION_SIGNED | QDA_SESSION_NO_LISTENER | QDA_SESSION_INTERRUPTIBLE)

/* Of the first version that had the struct. */
#define PARAMS_SIZE_MIN                                    \
	(offsetof(struct qda_session_params, timeout_ms) + \
	 sizeof(((struct qda_session_params *)0)->timeout_ms))

struct qda_session *qda_session_ref(struct qda_session *session)
{
	atomic_fetch_add(&session->refs, 1);
	return session;
}

struct qda_session *qda_session_unref(struct qda_session *session)
{
	if (session && atomic_fetch_sub(&session->refs, 1) == 1) {
		pthread_mutex_destroy(&session->lock);
		qda_path_free(session->dirs);
		qda_device_unref(session->device);
		free(session);
	}
	return NULL;
}

QDA_EXPORT int qda_session_create(struct qda_device *device,
				  const struct qda_session_params *params,
				  struct qda_session **ret_session)
{
	struct qda_session_params all = {.size = sizeof(all)};
	struct qda_session *session;
	int r;

	/* A program built with an earlier header has fewer fields. */
	if (params) {
		if (params->size < PARAMS_SIZE_MIN || params->size > sizeof(all))
			return -EINVAL;
		memcpy(&all, params, params->size);
	}
	params = &all;
	if ((params->flags & ~SESSION_FLAGS) || params->timeout_ms < 0)
		return -EINVAL;

	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->device = qda_device_ref(device);
	session->transport = device->transport;
	session->refs = 1;
	session->flags = params->flags;
	session->timeout_ms = params->timeout_ms ? params->timeout_ms : QDA_NO_TIMEOUT;
	pthread_mutex_init(&session->lock, NULL);

	r = qda_path_build(device->qda, device->dsp, &session->dirs);
	if (r < 0)
		goto fail;
	r = session->transport->session_open(session, params);
	if (r < 0)
		goto fail;
	if (!(params->flags & QDA_SESSION_NO_LISTENER)) {
		r = qda_listener_start(session);
		if (r < 0) {
			qda_session_close(session);
			return r;
		}
	}
	*ret_session = session;
	return 0;
fail:
	qda_session_unref(session);
	return r;
}

static void release_buffers(struct qda_session *session)
{
	struct qda_buffer *buffer;

	pthread_mutex_lock(&session->lock);
	while ((buffer = session->buffers)) {
		session->buffers = buffer->next;
		if (buffer->next)
			buffer->next->prev = &session->buffers;
		buffer->prev = NULL;
		session->transport->buffer_release(buffer);
	}
	pthread_mutex_unlock(&session->lock);
}

QDA_EXPORT struct qda_session *qda_session_close(struct qda_session *session)
{
	const struct timespec pause = {.tv_nsec = 100000};

	if (!session)
		return NULL;
	atomic_store(&session->state, -ESHUTDOWN);
	if (session->transport->session_interrupt)
		session->transport->session_interrupt(session);
	qda_listener_stop(session);
	/* Calls of other threads are on their way out and still touch the transport. */
	while (atomic_load_explicit(&session->users, memory_order_acquire))
		nanosleep(&pause, NULL);
	release_buffers(session);
	session->transport->session_close(session);
	return qda_session_unref(session);
}

void qda_session_end(struct qda_session *session, int error)
{
	int running = 0;

	atomic_compare_exchange_strong(&session->state, &running, error);
}

QDA_EXPORT struct qda_device *qda_session_device(struct qda_session *session)
{
	return session->device;
}

QDA_EXPORT const char *qda_session_end_reason(struct qda_session *session)
{
	return session->transport->end_reason(session);
}

int qda_session_result(struct qda_session *session, uint32_t status)
{
	if (!status)
		return 0;
	if (status != AEE_ECONNRESET && status != AEE_DSP_OFFSET + AEE_ECONNRESET)
		return -EREMOTEIO;
	qda_session_end(session, -ECONNRESET);
	return -ECONNRESET;
}

int qda_args_check(const struct qda_session *session, uint32_t sc, const struct qda_arg *args)
{
	if (!args)
		return FASTRPC_HAS_ARGS(sc) ? -EINVAL : 0;
	for (uint32_t i = 0; i < FASTRPC_BUFS(sc); i++)
		if (qda_arg_is_bad(session, &args[i]))
			return -EINVAL;
	for (uint32_t i = FASTRPC_BUFS(sc); i < FASTRPC_LENGTH(sc); i++)
		if (qda_handle_is_bad(session, &args[i]))
			return -EINVAL;
	return 0;
}

int qda_session_call(struct qda_session *session, uint32_t handle, uint32_t sc,
		     const struct qda_arg *args, int timeout_ms, uint32_t flags,
		     uint32_t *ret_status)
{
	/* A cancelled thread would not leave; close stops the listener by other means. */
	bool counted = !(flags & QDA_CALL_CANCELLABLE);
	uint32_t status;
	int r;

	r = counted ? qda_session_enter(session) : atomic_load(&session->state);
	if (r)
		goto out;
	if (handle == FASTRPC_HANDLE_INIT) {
		r = -EPERM;
		goto out;
	}
	if (timeout_ms <= 0 && timeout_ms != QDA_NO_TIMEOUT) {
		r = -EINVAL;
		goto out;
	}
	r = session->transport->invoke(session, handle, sc, args, timeout_ms, flags, &status);
	if (r)
		goto out;
	r = qda_session_result(session, status);
	if (ret_status && r != -ECONNRESET)
		*ret_status = status;
out:
	if (counted)
		qda_session_leave(session);
	return r;
}

QDA_EXPORT int qda_session_invoke(struct qda_session *session, uint32_t handle, uint32_t sc,
				  const struct qda_arg *args, int timeout_ms, uint32_t *ret_status)
{
	return qda_session_call(session, handle, sc, args, timeout_ms, 0, ret_status);
}

QDA_EXPORT int qda_session_get_attribute(struct qda_session *session, uint32_t attribute,
					 uint32_t *ret_value)
{
	uint32_t count = FASTRPC_ATTRIBUTES - 1, status;
	uint32_t values[FASTRPC_ATTRIBUTES - 1] = {0};
	const struct qda_arg args[] = {
		{.ptr = &count, .length = sizeof(count)},
		{.ptr = values, .length = sizeof(values)},
	};
	int r;

	if (attribute == 0 || attribute >= FASTRPC_ATTRIBUTES)
		return -EOVERFLOW;
	r = qda_session_invoke(session, FASTRPC_HANDLE_UTILITIES,
			       FASTRPC_SCALARS(FASTRPC_UTILITIES_GET_ATTRIBUTES, 1, 1, 0, 0), args,
			       session->timeout_ms, &status);
	if (r == -EREMOTEIO &&
	    (status == AEE_EUNSUPPORTED || status == AEE_DSP_OFFSET + AEE_EUNSUPPORTED))
		return -EOPNOTSUPP;
	if (r < 0)
		return r;
	*ret_value = values[attribute - 1];
	return 0;
}
