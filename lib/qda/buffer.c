/* SPDX-License-Identifier: MIT */
/* Buffers: memory that the CPU and a session's process on the DSP both see. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdint.h>
#include <sys/mman.h>

#include "internal.h"

static struct qda_buffer *buffer_new(struct qda_session *session)
{
	struct qda_buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return NULL;
	buffer->session = qda_session_ref(session);
	buffer->fd = buffer->cookie_fd = -1;
	return buffer;
}

/* Free the object itself. */
static void buffer_delete(struct qda_buffer *buffer)
{
	qda_session_unref(buffer->session);
	free(buffer);
}

/* Under session->lock. */
static void buffer_link(struct qda_buffer *buffer)
{
	struct qda_session *session = buffer->session;

	buffer->next = session->buffers;
	buffer->prev = &session->buffers;
	if (buffer->next)
		buffer->next->prev = &buffer->next;
	session->buffers = buffer;
}

static void buffer_unlink(struct qda_buffer *buffer)
{
	*buffer->prev = buffer->next;
	if (buffer->next)
		buffer->next->prev = buffer->prev;
	buffer->prev = NULL;
}

QDA_EXPORT int qda_buffer_alloc(struct qda_session *session, size_t size,
				struct qda_buffer **ret_buffer)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct qda_buffer *buffer;
	int r;

	if (!size)
		return -EINVAL;
	if (size > PTRDIFF_MAX - page)
		return -ENOMEM;
	buffer = buffer_new(session);
	if (!buffer)
		return -ENOMEM;
	buffer->size = ALIGN_UP(size, page);

	r = qda_session_enter(session);
	if (!r)
		r = session->transport->buffer_alloc(buffer);
	if (!r) {
		pthread_mutex_lock(&session->lock);
		buffer_link(buffer);
		pthread_mutex_unlock(&session->lock);
	}
	qda_session_leave(session);
	if (r < 0) {
		buffer_delete(buffer);
		return r;
	}
	*ret_buffer = buffer;
	return 0;
}

QDA_EXPORT int qda_buffer_import(struct qda_session *session, int fd,
				 struct qda_buffer **ret_buffer)
{
	struct qda_buffer *buffer = buffer_new(session);
	int r;

	if (!buffer)
		return -ENOMEM;
	r = qda_session_enter(session);
	if (!r) {
		/*
		 * The accel node gives one handle to all imports of a dma-buf, so
		 * no buffer may be released between getting it and linking this one.
		 */
		pthread_mutex_lock(&session->lock);
		r = session->transport->buffer_import(buffer, fd);
		if (!r)
			buffer_link(buffer);
		pthread_mutex_unlock(&session->lock);
	}
	qda_session_leave(session);
	if (r < 0) {
		buffer_delete(buffer);
		return r;
	}
	*ret_buffer = buffer;
	return 0;
}

/* Data of a process that crashed can still be read and exported. */
static int enter_unless_closed(struct qda_buffer *buffer)
{
	return qda_session_enter(buffer->session) == -ESHUTDOWN ? -ESHUTDOWN : 0;
}

QDA_EXPORT int qda_buffer_export(struct qda_buffer *buffer)
{
	int r = enter_unless_closed(buffer);

	if (!r) {
		r = fcntl(buffer->fd, F_DUPFD_CLOEXEC, 3);
		if (r == -1)
			r = -errno;
	}
	qda_session_leave(buffer->session);
	return r;
}

QDA_EXPORT void *qda_buffer_data(const struct qda_buffer *buffer)
{
	return buffer->data;
}

QDA_EXPORT size_t qda_buffer_size(const struct qda_buffer *buffer)
{
	return buffer->size;
}

static int cpu_access(struct qda_buffer *buffer, uint32_t flags, uint64_t sync)
{
	const struct qda_transport *transport = buffer->session->transport;
	int r;

	if (!flags || (flags & ~(QDA_CPU_READ | QDA_CPU_WRITE)))
		return -EINVAL;
	if (flags & QDA_CPU_READ)
		sync |= DMA_BUF_SYNC_READ;
	if (flags & QDA_CPU_WRITE)
		sync |= DMA_BUF_SYNC_WRITE;
	r = enter_unless_closed(buffer);
	if (!r && transport->buffer_sync)
		r = transport->buffer_sync(buffer, sync);
	qda_session_leave(buffer->session);
	return r;
}

QDA_EXPORT int qda_buffer_begin_cpu(struct qda_buffer *buffer, uint32_t flags)
{
	return cpu_access(buffer, flags, DMA_BUF_SYNC_START);
}

QDA_EXPORT int qda_buffer_end_cpu(struct qda_buffer *buffer, uint32_t flags)
{
	return cpu_access(buffer, flags, DMA_BUF_SYNC_END);
}

static bool valid_map_flags(uint32_t flags)
{
	switch (flags) {
	case QDA_MAP_STATIC:
	case QDA_MAP_RESERVED:
	case QDA_MAP_FD:
	case QDA_MAP_FD_DELAYED:
	case QDA_MAP_FD_NOMAP:
		return true;
	default:
		return false;
	}
}

/* Under session->lock. */
static int map_locked(struct qda_buffer *buffer, size_t offset, size_t size, uint32_t flags,
		      int32_t cookie)
{
	struct qda_session *session = buffer->session;
	uint32_t status;
	int r;

	if (buffer->mapped)
		return -EALREADY;
	r = session->transport->buffer_map(buffer, offset, size, flags, cookie, &status);
	if (!r)
		r = qda_session_result(session, status);
	if (r < 0)
		return r;
	buffer->mapped = true;
	buffer->map_size = size;
	return 0;
}

QDA_EXPORT int qda_buffer_map_dsp(struct qda_buffer *buffer, size_t offset, size_t size,
				  uint32_t flags, int32_t cookie, int32_t *ret_cookie,
				  uint64_t *ret_address)
{
	struct qda_session *session = buffer->session;
	int r;

	if (offset >= buffer->size || offset % (size_t)sysconf(_SC_PAGESIZE) ||
	    size > buffer->size - offset)
		return -EINVAL;
	if (!valid_map_flags(flags) || (cookie <= 0 && cookie != QDA_COOKIE_AUTO))
		return -EINVAL;
	if (!size)
		size = buffer->size - offset;

	r = qda_session_enter(session);
	if (!r) {
		pthread_mutex_lock(&session->lock);
		r = map_locked(buffer, offset, size, flags, cookie);
		if (!r) {
			if (ret_cookie)
				*ret_cookie = buffer->cookie;
			if (ret_address)
				*ret_address = buffer->map_address;
		}
		pthread_mutex_unlock(&session->lock);
	}
	qda_session_leave(session);
	return r;
}

/* Under session->lock. A mapping that the DSP did not undo stays. */
static int unmap_locked(struct qda_buffer *buffer)
{
	struct qda_session *session = buffer->session;
	uint32_t status;
	int r;

	if (!buffer->mapped)
		return -ENOENT;
	r = session->transport->buffer_unmap(buffer, &status);
	if (!r)
		r = qda_session_result(session, status);
	if (!r)
		buffer->mapped = false;
	return r;
}

QDA_EXPORT int qda_buffer_unmap_dsp(struct qda_buffer *buffer)
{
	struct qda_session *session = buffer->session;
	int r = qda_session_enter(session);

	if (!r) {
		pthread_mutex_lock(&session->lock);
		r = unmap_locked(buffer);
		pthread_mutex_unlock(&session->lock);
	}
	qda_session_leave(session);
	return r;
}

QDA_EXPORT struct qda_buffer *qda_buffer_free(struct qda_buffer *buffer)
{
	struct qda_session *session;
	int state;

	if (!buffer)
		return NULL;
	session = buffer->session;
	state = qda_session_enter(session);
	pthread_mutex_lock(&session->lock);
	/* Closing the session released it already, unless that is still under way. */
	if (buffer->prev) {
		if (buffer->mapped && !state)
			unmap_locked(buffer);
		buffer_unlink(buffer);
		session->transport->buffer_release(buffer);
	}
	pthread_mutex_unlock(&session->lock);
	qda_session_leave(session);
	munmap(buffer->data, buffer->size);
	buffer_delete(buffer);
	return NULL;
}
