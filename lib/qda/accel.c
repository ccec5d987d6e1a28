/* SPDX-License-Identifier: MIT */
/* The accel transport: sessions, buffers and calls through /dev/accel/accelN. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <xf86drm.h>

#include <drm/qda_accel.h>

#include "internal.h"

#define SHELL_MAX (4 << 20) /* FASTRPC_INIT_FILELEN_MAX of the driver */
#define ATTR_UNSIGNED_MODULE 0x8U

struct accel {
	int fd;
	atomic_bool timed_out;
};

static int node_fd(const struct qda_session *session)
{
	const struct accel *accel = session->priv;

	return accel->fd;
}

#define FD_MIN 3 /* an argument with fd 0 would mean inline memory */

/* ---- remote calls: sent once, whatever happens -------------------------- */

/*
 * What the driver returns has three cases: -1 and errno, 0, or what the DSP
 * returned, which may be negative as an int.
 */
static int send_once(int fd, unsigned long request, void *arg, uint32_t *ret_status)
{
	int r = ioctl(fd, request, arg);

	if (r == -1)
		return errno == ERESTART ? -EINTR : -errno;
	*ret_status = (uint32_t)r;
	return 0;
}

/*
 * A handler with SA_RESTART makes the kernel start the ioctl again, so no signal
 * may get a handler in here. By system call, because libc would keep its own two
 * signals deliverable, and those of pthread_cancel() and setuid() restart calls.
 */
static int send_masked(int fd, unsigned long request, void *arg, uint32_t *ret_status)
{
	uint64_t all = UINT64_MAX, saved;
	int r;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &saved, sizeof(all));
	r = send_once(fd, request, arg, ret_status);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &saved, NULL, sizeof(saved));
	return r;
}

/* For threads of the library: their signals are blocked, but pthread_cancel() gets through. */
static int send_cancellable(int fd, unsigned long request, void *arg, uint32_t *ret_status)
{
	int state, type, r;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	r = send_once(fd, request, arg, ret_status);
	pthread_setcanceltype(type, &type);
	pthread_setcancelstate(state, &state);
	return r;
}

struct limited_call {
	int fd;
	unsigned long request;
	void *arg;
	sem_t done;
	bool answered;
	int r;
	uint32_t status;
};

static void *limited_main(void *data)
{
	struct limited_call *call = data;

	call->r = send_cancellable(call->fd, call->request, call->arg, &call->status);
	call->answered = true;
	sem_post(&call->done);
	return NULL;
}

/*
 * The driver has no time limit. The ioctl runs in a thread that can be cancelled;
 * it is joined in any case, since it reads the caller's stack.
 */
static int send_limited(struct qda_session *session, unsigned long request, void *arg,
			int timeout_ms, uint32_t *ret_status)
{
	struct limited_call call = {.fd = node_fd(session), .request = request, .arg = arg};
	struct accel *accel = session->priv;
	struct timespec deadline = deadline_in(timeout_ms);
	int cancel_state, r, error = 0;
	pthread_t thread;

	sem_init(&call.done, 0, 0);
	r = start_thread(&thread, limited_main, &call);
	if (r < 0) {
		sem_destroy(&call.done);
		return r;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	do
		r = sem_clockwait(&call.done, CLOCK_MONOTONIC, &deadline);
	while (r == -1 && errno == EINTR && !(session->flags & QDA_SESSION_INTERRUPTIBLE));
	if (r == -1) {
		error = -errno;
		pthread_cancel(thread);
	}
	pthread_join(thread, NULL);
	pthread_setcancelstate(cancel_state, &cancel_state);
	sem_destroy(&call.done);

	if (call.answered) {
		if (!call.r)
			*ret_status = call.status;
		return call.r;
	}
	if (error == -ETIMEDOUT) {
		atomic_store(&accel->timed_out, true);
		qda_session_end(session, -ECONNRESET);
	}
	return error;
}

/* What is not the common case: a limit, or a call that may be interrupted. */
static __attribute__((noinline)) int send_otherwise(struct qda_session *session,
						    unsigned long request, void *arg,
						    int timeout_ms, uint32_t flags,
						    uint32_t *ret_status)
{
	if (timeout_ms != QDA_NO_TIMEOUT)
		return send_limited(session, request, arg, timeout_ms, ret_status);
	if (flags & QDA_CALL_CANCELLABLE)
		return send_cancellable(node_fd(session), request, arg, ret_status);
	return send_once(node_fd(session), request, arg, ret_status);
}

/* One of the four ioctls that make the DSP do something. */
static inline int send_remote(struct qda_session *session, unsigned long request, void *arg,
			      int timeout_ms, uint32_t flags, uint32_t *ret_status)
{
	int r;

	if (timeout_ms == QDA_NO_TIMEOUT && !(flags & QDA_CALL_CANCELLABLE) &&
	    !(session->flags & QDA_SESSION_INTERRUPTIBLE))
		r = send_masked(node_fd(session), request, arg, ret_status);
	else
		r = send_otherwise(session, request, arg, timeout_ms, flags, ret_status);
	if (r == -ENODEV || r == -EPIPE)
		qda_session_end(session, r);
	return r;
}

/* DSP code looks the number up: HAP_mmap_get() gives it the whole buffer. */
static int pack_handles(struct drm_qda_fastrpc_invoke_args *packed,
			const struct qda_session *session, uint32_t sc, const struct qda_arg *args)
{
	for (uint32_t i = FASTRPC_BUFS(sc); i < FASTRPC_LENGTH(sc); i++) {
		const struct qda_buffer *buffer = args[i].buffer;

		if (qda_handle_is_bad(session, &args[i]))
			return -EINVAL;
		packed[i] = (struct drm_qda_fastrpc_invoke_args){.fd = -1};
		if (!args[i].length)
			continue;
		packed[i].ptr = args[i].offset;
		packed[i].length = args[i].length;
		packed[i].fd = buffer->fd;
	}
	return 0;
}

/* The path of every call: arguments are checked and packed in one go. */
static int accel_invoke(struct qda_session *session, uint32_t handle, uint32_t sc,
			const struct qda_arg *args, int timeout_ms, uint32_t flags,
			uint32_t *ret_status)
{
	struct drm_qda_fastrpc_invoke_args packed[FASTRPC_MAX_ARGS], *to = packed;
	struct drm_qda_invoke_args invoke = {.handle = handle, .sc = sc};
	const bool by_gem = session->device->gem_args;
	const struct qda_arg *arg = args;

	if (FASTRPC_HAS_ARGS(sc)) {
		if (!args)
			return -EINVAL;
		invoke.args = (uintptr_t)packed;
	}
	for (uint32_t left = FASTRPC_BUFS(sc); left; left--, arg++, to++) {
		if (qda_arg_is_bad(session, arg))
			return -EINVAL;
		/* Without a length it is neither a buffer's nor in memory. */
		to->ptr = 0;
		to->fd = -1;
		to->attr = 0;
		to->length = arg->length;
		if (!arg->length)
			continue;
		if (arg->buffer && by_gem) {
			to->ptr = arg->offset;
			to->fd = (int32_t)arg->buffer->handle;
			to->attr = QDA_INVOKE_ARG_GEM;
		} else if (arg->buffer) {
			to->ptr = (uintptr_t)arg->buffer->data + arg->offset;
			to->fd = arg->buffer->fd;
		} else {
			to->ptr = (uintptr_t)arg->ptr;
		}
	}
	if (FASTRPC_HAS_HANDLES(sc) && pack_handles(packed, session, sc, args) < 0)
		return -EINVAL;
	return send_remote(session, DRM_IOCTL_QDA_REMOTE_INVOKE, &invoke, timeout_ms, flags,
			   ret_status);
}

/* ---- buffers ------------------------------------------------------------ */

static int map_and_export(struct qda_buffer *buffer, int node)
{
	struct drm_qda_gem_mmap_offset offset = {.handle = buffer->handle};
	void *data;
	int fd, r;

	r = ioctl_restart(node, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset);
	if (r < 0)
		return r;
	data = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, node,
		    (off_t)offset.offset);
	if (data == MAP_FAILED)
		return -errno;
	if (drmPrimeHandleToFD(node, buffer->handle, DRM_CLOEXEC | DRM_RDWR, &fd)) {
		r = -errno;
		goto fail;
	}
	r = move_fd(fd, FD_MIN);
	if (r < 0)
		goto fail;
	buffer->data = data;
	buffer->fd = r;
	return 0;
fail:
	munmap(data, buffer->size);
	return r;
}

static int accel_buffer_alloc(struct qda_buffer *buffer)
{
	int node = node_fd(buffer->session);
	struct drm_qda_gem_create create = {.size = buffer->size};
	int r;

	r = ioctl_restart(node, DRM_IOCTL_QDA_GEM_CREATE, &create);
	if (r < 0)
		return r;
	buffer->handle = create.handle;
	r = map_and_export(buffer, node);
	if (r < 0)
		drmCloseBufferHandle(node, buffer->handle);
	return r;
}

/* All imports of one dma-buf have the same handle; the last buffer closes it. Under session->lock.
 */
static void put_handle(const struct qda_buffer *buffer)
{
	const struct qda_buffer *other;

	for (other = buffer->session->buffers; other; other = other->next)
		if (other != buffer && other->handle == buffer->handle)
			return;
	drmCloseBufferHandle(node_fd(buffer->session), buffer->handle);
}

static int accel_buffer_import(struct qda_buffer *buffer, int fd)
{
	_cleanup_close_ int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	off_t size;
	void *data;
	int r;

	if (own < 0)
		return -errno;
	if (drmPrimeFDToHandle(node_fd(buffer->session), own, &buffer->handle))
		return -errno;
	size = lseek(own, 0, SEEK_END); /* a dma-buf tells its size and has no position */
	if (size <= 0) {
		r = -EINVAL;
		goto fail;
	}
	/* The node maps its own objects only. */
	data = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
	if (data == MAP_FAILED) {
		r = -errno;
		goto fail;
	}
	buffer->data = data;
	buffer->size = (size_t)size;
	buffer->fd = steal_fd(&own);
	return 0;
fail:
	put_handle(buffer);
	return r;
}

static void accel_buffer_release(struct qda_buffer *buffer)
{
	put_handle(buffer);
	if (buffer->cookie_fd >= 0)
		close(steal_fd(&buffer->cookie_fd));
	close(steal_fd(&buffer->fd));
}

static int accel_buffer_sync(struct qda_buffer *buffer, uint64_t flags)
{
	struct dma_buf_sync sync = {.flags = flags};

	return ioctl_restart(buffer->fd, DMA_BUF_IOCTL_SYNC, &sync);
}

/*
 * The key under which DSP code finds the memory is the fd's number. A wanted one
 * is made by duplicating to it, and kept until the mapping ends.
 */
static int take_cookie(const struct qda_buffer *buffer, int32_t cookie, int *ret_cookie_fd)
{
	int fd = fcntl(buffer->fd, F_DUPFD_CLOEXEC, cookie);

	if (fd == -1)
		return -errno;
	if (fd != cookie) {
		close(fd);
		return -EBUSY;
	}
	*ret_cookie_fd = fd;
	return 0;
}

static int accel_buffer_map(struct qda_buffer *buffer, size_t offset, size_t size, uint32_t flags,
			    int32_t cookie, uint32_t *ret_status)
{
	struct drm_qda_mem_map map = {
		.request = QDA_MAP_REQUEST_ATTR,
		.flags = flags,
		.fd = buffer->fd,
		.offset = (uint32_t)offset,
		.size = size,
	};
	_cleanup_close_ int cookie_fd = -1;
	int r;

	if (offset > UINT32_MAX)
		return -EINVAL;
	if (cookie != QDA_COOKIE_AUTO) {
		r = take_cookie(buffer, cookie, &cookie_fd);
		if (r < 0)
			return r;
		map.fd = cookie;
	} else if (size != buffer->size) {
		/* The buffer's own number stands for all of it. */
		cookie_fd = fcntl(buffer->fd, F_DUPFD_CLOEXEC, FD_MIN);
		if (cookie_fd == -1)
			return -errno;
		map.fd = cookie_fd;
	}
	r = send_remote(buffer->session, DRM_IOCTL_QDA_REMOTE_MAP, &map,
			buffer->session->timeout_ms, 0, ret_status);
	if (r < 0 || *ret_status)
		return r;
	buffer->cookie = map.fd;
	buffer->cookie_fd = steal_fd(&cookie_fd);
	buffer->map_address = map.vaddrout;
	return 0;
}

static int accel_buffer_unmap(struct qda_buffer *buffer, uint32_t *ret_status)
{
	struct drm_qda_mem_unmap unmap = {
		.request = QDA_MUNMAP_REQUEST_ATTR,
		.fd = buffer->cookie,
		.vaddr = buffer->map_address,
		.size = buffer->map_size,
	};
	int r;

	r = send_remote(buffer->session, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap,
			buffer->session->timeout_ms, 0, ret_status);
	if (!r && !*ret_status && buffer->cookie_fd >= 0)
		close(steal_fd(&buffer->cookie_fd));
	return r;
}

/* ---- sessions ----------------------------------------------------------- */

static int read_all(int fd, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)data + done, size - done);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		if (n == 0)
			return -EIO; /* the file became shorter */
		done += (size_t)n;
	}
	return 0;
}

/*
 * Start the process from a shell in DMA memory. An address instead of a filefd
 * is never used: the v1 driver takes it for one of the kernel.
 */
static int create_process(struct qda_session *session, const struct qda_session_params *params,
			  int shell_fd, size_t shell_size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct qda_buffer shell = {
		.session = session,
		.size = ALIGN_UP(shell_size, page),
		.fd = -1,
		.cookie_fd = -1,
	};
	struct drm_qda_init_create create = {
		.filelen = (uint32_t)shell_size,
		.attrs = params->attrs,
	};
	uint32_t status = 0;
	int r;

	r = accel_buffer_alloc(&shell);
	if (r < 0)
		return r;
	r = read_all(shell_fd, shell.data, shell_size);
	if (!r) {
		create.filefd = shell.fd;
		if (!(params->flags & QDA_SESSION_SIGNED))
			create.attrs |= ATTR_UNSIGNED_MODULE;
		r = send_remote(session, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE, &create,
				session->timeout_ms, 0, &status);
	}
	accel_buffer_release(&shell);
	munmap(shell.data, shell.size);
	if (!r && status) {
		qda_log(session->device->qda, LOG_ERR, "%s refused to start a process: %s (0x%x)",
			session->device->dsp, qda_status_text(status), status);
		r = -EREMOTEIO;
	}
	return r;
}

static int load_shell(struct qda_session *session, const struct qda_session_params *params)
{
	const struct qda_device *device = session->device;
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = qda_shell_open(device->qda, device->dsp, !(params->flags & QDA_SESSION_SIGNED),
			    params->shell, session->dirs);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == -1)
		return -errno;
	if (st.st_size > SHELL_MAX)
		return -EFBIG;
	if (st.st_size == 0)
		return -EINVAL;
	return create_process(session, params, fd, (size_t)st.st_size);
}

/*
 * The kernel ends the DSP's process when the last reference to the open file
 * goes; CPU mappings of buffers from qda_buffer_alloc() are such references.
 */
static void accel_session_close(struct qda_session *session)
{
	struct accel *accel = session->priv;

	close(accel->fd);
	free(accel);
	session->priv = NULL;
}

static int accel_session_open(struct qda_session *session, const struct qda_session_params *params)
{
	struct accel *accel = calloc(1, sizeof(*accel));
	int fd, r;

	if (!accel)
		return -ENOMEM;
	fd = open(session->device->node, O_RDWR | O_CLOEXEC);
	r = fd < 0 ? -errno : move_fd(fd, FD_MIN);
	if (r < 0) {
		free(accel);
		return r;
	}
	accel->fd = r;
	session->priv = accel;
	r = load_shell(session, params);
	if (r < 0)
		accel_session_close(session);
	return r;
}

static const char *accel_end_reason(struct qda_session *session)
{
	struct accel *accel = session->priv;

	switch (atomic_load(&session->state)) {
	case -ENODEV:
		return "the device is gone";
	case -EPIPE:
		return "the DSP restarted";
	case -ECONNRESET:
		return atomic_load(&accel->timed_out) ? "ended because a call ran into its limit"
						      : "the DSP's process ended";
	default:
		return NULL;
	}
}

const struct qda_transport qda_transport_accel = {
	.name = "accel",
	.session_open = accel_session_open,
	.session_close = accel_session_close,
	.end_reason = accel_end_reason,
	.buffer_alloc = accel_buffer_alloc,
	.buffer_import = accel_buffer_import,
	.buffer_release = accel_buffer_release,
	.buffer_sync = accel_buffer_sync,
	.buffer_map = accel_buffer_map,
	.buffer_unmap = accel_buffer_unmap,
	.invoke = accel_invoke,
};
