/* SPDX-License-Identifier: MIT */
/* Objects of libqda and the seam between them and the transports. */
#ifndef QDA_INTERNAL_H
#define QDA_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <syslog.h>

#include <qda.h>

#include "common.h"
#include "fastrpc.h"

#define QDA_EXPORT __attribute__((visibility("default")))

struct qda {
	atomic_uint refs;
	qda_log_fn log_fn;
	void *log_data;
	int log_priority;
	char *env_path;    /* search path found by qda_new(), or NULL */
	char *search_path; /* set by qda_set_search_path(), or NULL */
	char *env_softdsp;
	char *softdsp;
};

/* Formats only when the line will be delivered. */
#define qda_log(qda, priority, ...)                                     \
	do {                                                            \
		if ((qda)->log_fn && (priority) <= (qda)->log_priority) \
			qda_log_line(qda, priority, __VA_ARGS__);       \
	} while (0)
void qda_log_line(const struct qda *qda, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Text from the DSP: whatever it wrote becomes one printable, terminated line. */
void qda_clean_text(char *text, size_t size);

/* Program of the software DSP in force. */
const char *qda_softdsp_path(const struct qda *qda);

/*
 * Directories that a session of @dsp may read, in order, as a NULL-terminated
 * array: the context's path, the machine's directory, the built-in ones. Free
 * with qda_path_free().
 */
int qda_path_build(const struct qda *qda, const char *dsp, char ***ret_dirs);
char **qda_path_free(char **dirs);

/* Domain number of a DSP's name (adsp 0, mdsp 1, sdsp 2, cdsp 3, cdsp1 4, gdsp0 5, gdsp1 6), or
 * -EINVAL. */
int qda_domain_number(const char *dsp);

/*
 * Open the process shell: @shell if not NULL, else by name on @dirs. Return: an
 * fd of a regular file, or -ENOENT after a log line that says where it was
 * looked for.
 */
int qda_shell_open(const struct qda *qda, const char *dsp, bool is_unsigned, const char *shell,
		   char *const *dirs);

/*
 * Open @name for reading below @dir; symbolic links and ".." may not leave it.
 * Return: an fd of a regular file, -EXDEV when it would, or another errno.
 */
int qda_open_beneath(const char *dir, const char *name);

struct qda_device {
	atomic_uint refs;
	struct qda *qda;
	const struct qda_transport *transport;
	char dsp[17];
	char *node;
	bool gem_args; /* the driver takes buffer arguments by GEM handle and offset */
};

struct qda_session {
	struct qda_device *device;
	const struct qda_transport *transport;
	atomic_uint refs;  /* the caller, each buffer and each module */
	atomic_int state;  /* 0, or the negative errno every call now returns */
	atomic_uint users; /* calls in flight but the listener's; close waits for them */
	uint32_t flags;
	int timeout_ms; /* of the library's own calls, or QDA_NO_TIMEOUT */
	void *priv;     /* the transport's */
	char **dirs;    /* what reverse calls may read */

	struct qda_listener *listener;

	pthread_mutex_t lock; /* the list below */
	struct qda_buffer *buffers;
};

struct qda_buffer {
	struct qda_session *session;
	struct qda_buffer *next, **prev; /* session->buffers */
	void *data;
	size_t size;
	int fd;           /* dma-buf or memfd, greater than 2; -1 when detached */
	uint32_t handle;  /* accel: GEM handle */
	uint64_t address; /* soft: DMA address */
	int32_t key;      /* soft: its number as a handle argument */

	/* qda_buffer_map_dsp(), under session->lock */
	bool mapped;
	int32_t cookie;
	int cookie_fd; /* accel: the duplicate whose number is the cookie, or -1 */
	uint64_t map_address;
	size_t map_size;
};

/* The call may end by pthread_cancel() of its thread. */
#define QDA_CALL_CANCELLABLE 0x1U

/*
 * A way to reach a DSP. Every function but the session's own is called on a
 * session that is not closed, with arguments that the core has checked.
 */
struct qda_transport {
	const char *name;
	/* Start the DSP's process; sets session->priv. Undoes all on failure. */
	int (*session_open)(struct qda_session *session, const struct qda_session_params *params);
	/* End it. The listener is stopped after session_interrupt() and before this. */
	void (*session_close)(struct qda_session *session);
	/* Make calls in flight, the listener's above all, return. May be NULL. */
	void (*session_interrupt)(struct qda_session *session);
	/* End the DSP's process at once, for the reason given. May be NULL. */
	void (*session_abort)(struct qda_session *session, const char *why);
	const char *(*end_reason)(struct qda_session *session);
	/* Set data, fd and the transport's own fields from size, which is whole pages. */
	int (*buffer_alloc)(struct qda_buffer *buffer);
	/* The same and size, from @fd, which stays the caller's. */
	int (*buffer_import)(struct qda_buffer *buffer, int fd);
	/* Give back all but data, which the core unmaps. */
	void (*buffer_release)(struct qda_buffer *buffer);
	/* @sync: DMA_BUF_SYNC_* flags. May be NULL. */
	int (*buffer_sync)(struct qda_buffer *buffer, uint64_t sync);
	/* Sets cookie, cookie_fd, map_address of the buffer; cookie comes in wanted or
	 * QDA_COOKIE_AUTO. */
	int (*buffer_map)(struct qda_buffer *buffer, size_t offset, size_t size, uint32_t flags,
			  int32_t cookie, uint32_t *ret_status);
	int (*buffer_unmap)(struct qda_buffer *buffer, uint32_t *ret_status);
	/*
	 * Carry out a call, once. Here the arguments are not checked yet: that is
	 * done by qda_args_check(), or while they are read anyway. Return: 0 with
	 * what the DSP returned in *ret_status, or a negative errno.
	 */
	int (*invoke)(struct qda_session *session, uint32_t handle, uint32_t sc,
		      const struct qda_arg *args, int timeout_ms, uint32_t flags,
		      uint32_t *ret_status);
};

extern const struct qda_transport qda_transport_accel;
extern const struct qda_transport qda_transport_soft;

/* qda_session_invoke() for the library's own calls; @flags are QDA_CALL_*. */
int qda_session_call(struct qda_session *session, uint32_t handle, uint32_t sc,
		     const struct qda_arg *args, int timeout_ms, uint32_t flags,
		     uint32_t *ret_status);

/*
 * Whether a buffer argument may not be sent: nothing may leave its buffer, or
 * reach another session's memory. The buffers of a session that is not closed
 * are all there.
 */
static inline bool qda_arg_is_bad(const struct qda_session *session, const struct qda_arg *arg)
{
	const struct qda_buffer *buffer = arg->buffer;

	if (!buffer)
		return arg->length && !arg->ptr;
	return buffer->session != session || arg->offset > buffer->size ||
	       arg->length > buffer->size - arg->offset;
}

/* The same for a handle argument; the message has 32 bits for its range. */
static inline bool qda_handle_is_bad(const struct qda_session *session, const struct qda_arg *arg)
{
	return !arg->buffer || qda_arg_is_bad(session, arg) || arg->offset > UINT32_MAX ||
	       arg->length > UINT32_MAX;
}

/* All arguments of a call. Return: 0 or -EINVAL. */
int qda_args_check(const struct qda_session *session, uint32_t sc, const struct qda_arg *args);

struct qda_session *qda_session_ref(struct qda_session *session);
struct qda_session *qda_session_unref(struct qda_session *session);

/* Mark the session as ended; the first reason stays. */
void qda_session_end(struct qda_session *session, int error);

/* What a call returns whose status was @status: 0, -EREMOTEIO or -ECONNRESET. */
int qda_session_result(struct qda_session *session, uint32_t status);

/*
 * Keep the transport alive until qda_session_leave(), which follows in any case.
 * Return: the session's state; if it is -ESHUTDOWN the transport may not be used.
 */
static inline int qda_session_enter(struct qda_session *session)
{
	atomic_fetch_add(&session->users, 1);
	return atomic_load(&session->state);
}

static inline void qda_session_leave(struct qda_session *session)
{
	atomic_fetch_sub_explicit(&session->users, 1, memory_order_release);
}

/* The thread that serves reverse calls. Stop joins it. */
int qda_listener_start(struct qda_session *session);
void qda_listener_stop(struct qda_session *session);

#endif
