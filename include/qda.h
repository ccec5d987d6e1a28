/* SPDX-License-Identifier: MIT */
/*
 * libqda: call methods on a Qualcomm DSP through the QDA accel driver
 * (/dev/accel/accelN), or on the software DSP when there is none.
 *
 * Objects. A context (struct qda) carries the log callback and the search
 * path. A device (struct qda_device) is one DSP. A session (struct
 * qda_session) is one process on that DSP, a protection domain. A session owns
 * buffers (struct qda_buffer), memory that both sides see, and modules (struct
 * qda_module), opened skels whose methods are called.
 *
 * Errors. Functions return 0, a non-negative result, or a negative errno. What
 * the DSP answered is a second value, an AEE status, and never mixed with
 * errno: a call that the DSP refused returns -EREMOTEIO and stores the status
 * through ret_status. Out-parameters (ret_...) are untouched on failure, with
 * the one exception just named.
 *
 * Threads. Contexts, devices and sessions may be used from any number of
 * threads at once, and so may the buffers and modules of one session. An
 * arena, a monitor and a list belong to one thread at a time. Freeing an object
 * while another thread still uses it is the caller's error.
 *
 * Threads the library starts. A session starts one to serve the DSP's reverse
 * calls (unless QDA_SESSION_NO_LISTENER), and on the software DSP one more that
 * sleeps until the DSP's process ends. On the accel transport a call with a
 * time limit runs in a thread of its own. All of them block every signal.
 *
 * Fork. A session belongs to the process that created it. In a child only
 * execve() or _exit() may follow. All file descriptors are O_CLOEXEC.
 */
#ifndef QDA_H
#define QDA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qda;
struct qda_device_list;
struct qda_device_info;
struct qda_monitor;
struct qda_device;
struct qda_session;
struct qda_buffer;
struct qda_module;
struct qda_arena;
struct qda_packed;

/* ---- context ------------------------------------------------------------ */

/**
 * qda_log_fn - receives the library's log lines
 * @data: the pointer given to qda_set_log_fn()
 * @priority: a syslog level, LOG_ERR (3) to LOG_DEBUG (7)
 * @message: one line without a newline, valid during the call only
 *
 * May be called from any thread that is in the library, and from the
 * library's own threads. It must not call the library. What a method logs on the
 * software DSP is delivered before its call returns.
 */
typedef void (*qda_log_fn)(void *data, int priority, const char *message);

/**
 * qda_new - create a context
 * @ret_qda: the new context, with one reference
 *
 * Reads the environment once, unless the program runs with raised privileges
 * (secure_getenv()): DSP_LIBRARY_PATH and ADSP_LIBRARY_PATH (search path),
 * QDA_SOFTDSP (the software DSP's program), QDA_LOG (a level by name or number).
 *
 * Return: 0, or -ENOMEM.
 */
int qda_new(struct qda **ret_qda);

/** qda_ref - take another reference. Return: @qda. */
struct qda *qda_ref(struct qda *qda);

/** qda_unref - drop a reference; the last one frees. NULL is accepted. Return: NULL. */
struct qda *qda_unref(struct qda *qda);

/**
 * qda_set_log_fn - choose where log lines go
 * @qda: the context
 * @fn: the callback, or NULL for none (the default: the library never prints)
 * @data: passed to @fn
 *
 * Call it before devices are opened; it is not synchronised with their threads.
 */
void qda_set_log_fn(struct qda *qda, qda_log_fn fn, void *data);

/**
 * qda_set_log_priority - log lines above this syslog level are dropped
 * @qda: the context
 * @priority: LOG_ERR (3, the default) to LOG_DEBUG (7)
 */
void qda_set_log_priority(struct qda *qda, int priority);

/**
 * qda_set_search_path - where shells and the modules a DSP asks for are looked up
 * @qda: the context
 * @path: directories separated by ';', replacing the environment's; NULL
 *	restores what qda_new() found
 *
 * The built-in directories of the platform (the machine's entry under
 * /usr/share/qcom/conf.d, /usr/lib/rfsa/adsp, /usr/lib/dsp, /vendor/dsp,
 * /vendor/dsp/DSP) follow after @path. Sessions take the path in force when they
 * are created. DSP code can read files below these directories and nothing else.
 *
 * Return: 0, or -ENOMEM.
 */
int qda_set_search_path(struct qda *qda, const char *path);

/** qda_get_search_path - the ';'-separated path without the built-in directories, or "". */
const char *qda_get_search_path(const struct qda *qda);

/**
 * qda_set_softdsp - the program that "soft:" devices run
 * @qda: the context
 * @path: absolute path of qda-softdsp; NULL restores the default
 *
 * Return: 0, -EINVAL if @path is not absolute, or -ENOMEM.
 */
int qda_set_softdsp(struct qda *qda, const char *path);

/* ---- devices ------------------------------------------------------------ */

/**
 * qda_enumerate - list the accel nodes of driver "qda"
 * @qda: the context
 * @ret_list: the list; free it with qda_device_list_free()
 *
 * Found through libudev. A node that cannot be opened or asked is in the list
 * with the reason (qda_device_info_error()). The software DSP is not listed.
 *
 * Return: the number of entries, -ENOMEM, or the errno of libudev's scan.
 */
int qda_enumerate(struct qda *qda, struct qda_device_list **ret_list);

/** qda_device_list_get - entry @index, owned by the list; NULL past the end. */
const struct qda_device_info *qda_device_list_get(const struct qda_device_list *list, size_t index);

/** qda_device_list_free - free a list; NULL is accepted. Return: NULL. */
struct qda_device_list *qda_device_list_free(struct qda_device_list *list);

/** qda_device_info_node - path of the node, such as "/dev/accel/accel0". */
const char *qda_device_info_node(const struct qda_device_info *info);

/** qda_device_info_dsp - name of the DSP (adsp, cdsp, ...), or "" if it could not be asked. */
const char *qda_device_info_dsp(const struct qda_device_info *info);

/** qda_device_info_syspath - the device's directory in sysfs. */
const char *qda_device_info_syspath(const struct qda_device_info *info);

/**
 * qda_device_info_error - why the device cannot be used
 *
 * Return: 0 if it was opened and answered DRM_IOCTL_QDA_QUERY; else the
 * negative errno of the step that failed (-EACCES, -ENOENT, -ENODEV, ...).
 */
int qda_device_info_error(const struct qda_device_info *info);

/**
 * qda_device_info_version - version of the driver, from DRM_IOCTL_VERSION
 *
 * Return: 0, or what qda_device_info_error() returns.
 */
int qda_device_info_version(const struct qda_device_info *info, int *ret_major, int *ret_minor,
			    int *ret_patch);

/**
 * qda_device_info_access - owner and permission bits of the node
 * @ret_mode: permission bits (0777 mask)
 *
 * Return: 0, or the negative errno of stat() on the node.
 */
int qda_device_info_access(const struct qda_device_info *info, uint32_t *ret_mode,
			   uint32_t *ret_uid, uint32_t *ret_gid);

/** What happened to a node; qda_monitor_receive(). */
enum qda_monitor_action {
	QDA_MONITOR_ADD = 1,    /**< a DSP came: plugged in, or back after its restart */
	QDA_MONITOR_REMOVE = 2, /**< a DSP went: unplugged, or restarting (SSR) */
};

/**
 * qda_monitor_new - follow devices that come and go
 * @qda: the context; the monitor holds a reference
 * @ret_monitor: the monitor
 *
 * A DSP that restarts loses its node and gets a new one. Its sessions are dead
 * (-EPIPE or -ENODEV from every call): free them, and open the device again by
 * its DSP name when QDA_MONITOR_ADD reports it. Where no udevd runs the kernel's
 * own events are followed, and the node may not have its permissions yet.
 *
 * Return: 0, -ENOMEM, or the errno of libudev.
 */
int qda_monitor_new(struct qda *qda, struct qda_monitor **ret_monitor);

/** qda_monitor_fd - readable when an event waits; owned by the monitor. */
int qda_monitor_fd(const struct qda_monitor *monitor);

/**
 * qda_monitor_receive - take the next event
 * @monitor: the monitor
 * @ret_action: enum qda_monitor_action
 * @ret_info: the device, owned by the monitor and valid until the next call.
 *	After QDA_MONITOR_REMOVE it carries the name the device had.
 *
 * Return: 0, or -EAGAIN if nothing waits (events of other drivers included).
 */
int qda_monitor_receive(struct qda_monitor *monitor, int *ret_action,
			const struct qda_device_info **ret_info);

/** qda_monitor_free - stop following; NULL is accepted. Return: NULL. */
struct qda_monitor *qda_monitor_free(struct qda_monitor *monitor);

/**
 * qda_device_open - open a DSP
 * @qda: the context; the device holds a reference
 * @name: a DSP name ("cdsp"), a node ("/dev/accel/accel0"), or "soft:NAME" for
 *	the software DSP under that name ("soft:cdsp")
 * @ret_device: the device, with one reference
 *
 * Return: 0; -EINVAL for a malformed name; -ENODEV if no DSP has that name or
 * the node belongs to another driver; -ENOENT, -EACCES, ... from opening the
 * node, for a DSP name those of a node that could not be asked; -EPROTO if the
 * driver tells a name that is none; -ENOMEM.
 */
int qda_device_open(struct qda *qda, const char *name, struct qda_device **ret_device);

/** qda_device_ref - take another reference. Return: @device. */
struct qda_device *qda_device_ref(struct qda_device *device);

/** qda_device_unref - drop a reference; sessions hold their own. NULL is accepted. Return: NULL. */
struct qda_device *qda_device_unref(struct qda_device *device);

/** qda_device_dsp - name of the DSP, such as "cdsp". */
const char *qda_device_dsp(const struct qda_device *device);

/** qda_device_node - path of the node; for the software DSP its program. */
const char *qda_device_node(const struct qda_device *device);

/** qda_device_transport - "accel" or "soft". */
const char *qda_device_transport(const struct qda_device *device);

/* ---- sessions ----------------------------------------------------------- */

/** Create a signed process; without it an unsigned one (attribute 0x8). */
#define QDA_SESSION_SIGNED 0x1U
/** Start no thread for reverse calls: the DSP cannot load modules from files. */
#define QDA_SESSION_NO_LISTENER 0x2U
/**
 * Let signals interrupt calls on the accel transport: the call returns -EINTR
 * and whether the DSP carried it out is unknown. Without this flag all signals
 * stay blocked while the ioctl runs, because a handler with SA_RESTART would
 * make the kernel send the same remote call twice. (A setuid() in another thread
 * then waits for the call; a stop by SIGSTOP or a debugger cannot be blocked.)
 * Never sent again by the library either way. The soft transport is never
 * interrupted.
 */
#define QDA_SESSION_INTERRUPTIBLE 0x4U

/**
 * struct qda_session_params - how to create a session
 * @size: sizeof(struct qda_session_params)
 * @flags: QDA_SESSION_*
 * @attrs: more process attributes for the DSP (0x1 debug, 0x10 adaptive QoS,
 *	0x80 dump on crash, ...; the numbers of the FastRPC protocol). The
 *	unsigned-module bit 0x8 is set by the library.
 * @shell: path of the process shell; NULL searches for
 *	fastrpc_shell_unsigned_N or fastrpc_shell_N, N the domain's number. The
 *	software DSP needs none and ignores a missing one.
 * @timeout_ms: limit in milliseconds for each call the library makes on its own:
 *	opening and closing modules, mapping, asking for attributes; 0 for none. A
 *	call that runs into it ends the session, as in qda_session_invoke().
 */
struct qda_session_params {
	size_t size;
	uint32_t flags;
	uint32_t attrs;
	const char *shell;
	int timeout_ms;
};

/**
 * qda_session_create - start a process on the DSP
 * @device: the DSP; the session holds a reference
 * @params: NULL for an unsigned process with all defaults
 * @ret_session: the session
 *
 * Every session has its own memory on the DSP; a process may create several.
 *
 * Return: 0; -EINVAL for unknown flags, a negative limit or a wrong
 * @params->size; -ENOENT if the
 * shell is nowhere on the search path (the log says where it was looked for) or
 * the software DSP's program is missing, -ENOEXEC if it is another
 * program; -EREMOTEIO if the DSP refused;
 * -EBUSY or -ENOMEM if the DSP has no free session; or the errno of the ioctl.
 */
int qda_session_create(struct qda_device *device, const struct qda_session_params *params,
		       struct qda_session **ret_session);

/**
 * qda_session_close - end the process on the DSP and release what it had
 * @session: the session, or NULL
 *
 * Ends calls in flight with -ECONNRESET on the software DSP; on the accel
 * transport the caller must have no call in flight. Buffers and modules that
 * still exist stay valid as objects: CPU mappings remain until
 * qda_buffer_free(), everything else fails with -ESHUTDOWN. On the accel
 * transport a CPU mapping keeps the open file alive, so the kernel ends the DSP's
 * process when the last buffer is freed. Return: NULL.
 */
struct qda_session *qda_session_close(struct qda_session *session);

/** qda_session_device - the device the session runs on; owned by the session. */
struct qda_device *qda_session_device(struct qda_session *session);

/**
 * qda_session_end_reason - why the DSP's process ended by itself
 * @session: the session
 *
 * Return: a text owned by the session ("skel crashed: SIGSEGV at address 0x10"),
 * or NULL while the process runs.
 */
const char *qda_session_end_reason(struct qda_session *session);

/**
 * qda_session_get_attribute - ask the DSP for one of its attributes
 * @session: the session
 * @attribute: 1 unsigned processes, 2 HVX 64 bytes, 3 HVX 128 bytes, 4 VTCM page,
 *	5 VTCM count, 6 architecture, 7 HMX depth, 8 HMX spatial, 9 asynchronous
 *	calls, 10 status notification; at most 255
 * @ret_value: the value
 *
 * Return: 0; -EOVERFLOW if @attribute is 0 or above 255; -EOPNOTSUPP if the DSP
 * does not answer the question; else as qda_session_invoke().
 */
int qda_session_get_attribute(struct qda_session *session, uint32_t attribute, uint32_t *ret_value);

/* ---- buffers ------------------------------------------------------------ */

/**
 * qda_buffer_alloc - allocate memory that the CPU and the session's process see
 * @session: the session
 * @size: bytes, rounded up to whole pages
 * @ret_buffer: the buffer, zeroed and mapped for the CPU
 *
 * Return: 0; -EINVAL for size 0; -ENOMEM; -ESHUTDOWN; or the errno of the ioctl.
 */
int qda_buffer_alloc(struct qda_session *session, size_t size, struct qda_buffer **ret_buffer);

/**
 * qda_buffer_import - use a dma-buf as a buffer
 * @session: the session
 * @fd: a dma-buf; the software DSP also takes a memfd and seals it against
 *	shrinking. The caller keeps @fd; the buffer holds its own reference.
 * @ret_buffer: the buffer
 *
 * Return: 0; -EBADF; -EINVAL if @fd is neither; -EPERM if a memfd can still
 * shrink and may not be sealed; -ENOMEM; -ESHUTDOWN; or the errno of the ioctl.
 */
int qda_buffer_import(struct qda_session *session, int fd, struct qda_buffer **ret_buffer);

/**
 * qda_buffer_export - get a file descriptor for the buffer
 * @buffer: the buffer
 *
 * Return: a new dma-buf fd (a memfd on the software DSP) that the caller owns,
 * O_CLOEXEC; or -EMFILE, -ESHUTDOWN, or the errno of the ioctl.
 */
int qda_buffer_export(struct qda_buffer *buffer);

/** qda_buffer_data - the CPU's address of the buffer, valid until qda_buffer_free(). */
void *qda_buffer_data(const struct qda_buffer *buffer);

/** qda_buffer_size - size in bytes, whole pages. */
size_t qda_buffer_size(const struct qda_buffer *buffer);

/** Directions of qda_buffer_begin_cpu() and qda_buffer_end_cpu(). */
#define QDA_CPU_READ 0x1U
#define QDA_CPU_WRITE 0x2U

/**
 * qda_buffer_begin_cpu - the CPU is about to read or write the buffer
 * @buffer: the buffer
 * @flags: QDA_CPU_READ, QDA_CPU_WRITE or both
 *
 * DMA_BUF_IOCTL_SYNC, restarted when interrupted. Nothing to do on the
 * software DSP. Needed around CPU access to imported buffers; buffers from
 * qda_buffer_alloc() are coherent.
 *
 * Return: 0; -EINVAL for other flags; -ESHUTDOWN; or the errno of the ioctl.
 */
int qda_buffer_begin_cpu(struct qda_buffer *buffer, uint32_t flags);

/** qda_buffer_end_cpu - the CPU has done so; as qda_buffer_begin_cpu(). */
int qda_buffer_end_cpu(struct qda_buffer *buffer, uint32_t flags);

/** DSP mapping flags, numbers of the FastRPC protocol (MEM_MAP). */
enum qda_map_flags {
	QDA_MAP_STATIC = 0,     /**< kept until unmapped or the session ends */
	QDA_MAP_RESERVED = 1,   /**< as the DSP defines it */
	QDA_MAP_FD = 2,         /**< known to the DSP under its cookie, mapped */
	QDA_MAP_FD_DELAYED = 3, /**< known under its cookie, mapped on first use */
	QDA_MAP_FD_NOMAP = 16,  /**< known under its cookie, never mapped */
};

/** Let the library choose the cookie. */
#define QDA_COOKIE_AUTO (-1)

/**
 * qda_buffer_map_dsp - map a buffer at the DSP, beyond single calls
 * @buffer: the buffer
 * @offset: bytes, page aligned
 * @size: bytes; 0 for all that follows @offset
 * @flags: enum qda_map_flags
 * @cookie: the 32-bit key under which DSP code finds the buffer
 *	(HAP_mmap_get()), greater than 0, or QDA_COOKIE_AUTO. Programs written for
 *	FastRPC use a file descriptor's number; on the v1 accel interface the key
 *	is an fd number of this process and must be free as such.
 * @ret_cookie: the cookie in force, or NULL
 * @ret_address: the DSP's virtual address, or NULL
 *
 * One mapping per buffer at a time. Ends with qda_buffer_unmap_dsp() or with
 * the session.
 *
 * Return: 0; -EINVAL for a bad range, flags or cookie; -EALREADY if the buffer
 * is mapped; -EBUSY if the cookie is taken; -EREMOTEIO if the DSP refused;
 * -ESHUTDOWN; or as qda_session_invoke().
 */
int qda_buffer_map_dsp(struct qda_buffer *buffer, size_t offset, size_t size, uint32_t flags,
		       int32_t cookie, int32_t *ret_cookie, uint64_t *ret_address);

/**
 * qda_buffer_unmap_dsp - undo qda_buffer_map_dsp()
 *
 * Return: 0; -ENOENT if the buffer is not mapped; else as qda_buffer_map_dsp().
 */
int qda_buffer_unmap_dsp(struct qda_buffer *buffer);

/**
 * qda_buffer_free - unmap and free; NULL is accepted
 *
 * No call may be using the buffer. A DSP mapping is undone first. Return: NULL.
 */
struct qda_buffer *qda_buffer_free(struct qda_buffer *buffer);

/* ---- modules ------------------------------------------------------------ */

/**
 * qda_module_open - load a skel into the session's process
 * @session: the session; the module holds a reference to what it needs
 * @name: a URI, "file:///lib.so?iface_skel_handle_invoke&_modver=1.0&_dom=cdsp",
 *	or a library's name, "libiface_skel.so", from which the URI is built
 * @ret_status: what the DSP answered, or NULL
 * @ret_dlerror: the DSP's text on why loading failed, NUL-terminated, or NULL.
 *	Written together with @ret_status.
 * @dlerror_size: bytes at @ret_dlerror
 * @ret_module: the module
 *
 * Return: 0; -EINVAL for a name that is neither (a '/' in a plain name);
 * -EREMOTEIO if the DSP could not load it; else as qda_session_invoke().
 */
int qda_module_open(struct qda_session *session, const char *name, uint32_t *ret_status,
		    char *ret_dlerror, size_t dlerror_size, struct qda_module **ret_module);

/** qda_module_handle - the remote handle, for qda_session_invoke(). */
uint32_t qda_module_handle(const struct qda_module *module);

/** qda_module_uri - the URI that was opened. */
const char *qda_module_uri(const struct qda_module *module);

/**
 * qda_module_close - unload; NULL is accepted
 *
 * Frees the object whatever the DSP answers; what it answered is logged.
 * Return: NULL.
 */
struct qda_module *qda_module_close(struct qda_module *module);

/* ---- calls, raw --------------------------------------------------------- */

/**
 * QDA_SCALARS - the word that describes a call's arguments
 *
 * attr[31:29] method[28:24] in buffers[23:16] out buffers[15:8] in handles[7:4]
 * out handles[3:0]. A method from 31 up is sent as 31, its number being the
 * first 32 bits of the first in buffer.
 */
#define QDA_SCALARS(method, in, out, in_handles, out_handles)                    \
	((((uint32_t)(method)&0x1fU) << 24) | (((uint32_t)(in)&0xffU) << 16) |   \
	 (((uint32_t)(out)&0xffU) << 8) | (((uint32_t)(in_handles)&0xfU) << 4) | \
	 ((uint32_t)(out_handles)&0xfU))

/** QDA_SCALARS_LENGTH - how many arguments a call with these scalars has, at most 540. */
#define QDA_SCALARS_LENGTH(sc) \
	((((sc) >> 16) & 0xffU) + (((sc) >> 8) & 0xffU) + (((sc) >> 4) & 0xfU) + ((sc)&0xfU))

/**
 * struct qda_arg - one argument of a call
 * @buffer: the buffer it lies in, or NULL for plain memory
 * @ptr: plain memory: its address. With @buffer set it is not read.
 * @offset: bytes into @buffer
 * @length: bytes; 0 means nothing is passed
 *
 * Plain memory is copied, a range of a buffer is not. A handle argument (a
 * dmahandle) needs a buffer.
 */
struct qda_arg {
	struct qda_buffer *buffer;
	void *ptr;
	size_t offset;
	size_t length;
};

/** No time limit. */
#define QDA_NO_TIMEOUT (-1)

/**
 * qda_session_invoke - call a method of a remote handle
 * @session: the session
 * @handle: remote handle
 * @sc: QDA_SCALARS()
 * @args: QDA_SCALARS_LENGTH(@sc) arguments: in buffers, out buffers, in
 *	handles, out handles. NULL if there are none.
 * @timeout_ms: limit in milliseconds, or QDA_NO_TIMEOUT
 * @ret_status: the DSP's AEE status, or NULL. Written on 0 and on -EREMOTEIO.
 *
 * The call is sent once, whatever happens. No argument's range may leave its
 * buffer. Out buffers are undefined unless 0 is returned. A call that runs into
 * its limit ends the session: the DSP may still be working with its memory.
 *
 * Allocates nothing and takes no lock, except on the accel transport with a
 * time limit.
 *
 * Return: 0 if the method returned 0;
 * -EREMOTEIO: it returned something else, see @ret_status;
 * -EINVAL: arguments are missing, leave their buffer, belong to another
 *	session, or a handle argument names no buffer; @timeout_ms is 0 or < -1;
 * -EPERM: @handle is 1, the kernel's own;
 * -EINTR: interrupted (QDA_SESSION_INTERRUPTIBLE); the outcome is unknown;
 * -ETIMEDOUT: the limit passed; the session is ended;
 * -ECONNRESET: the DSP's process ended: crashed, exited, or was ended by a
 *	time-out (qda_session_end_reason()). The DSP tells so with the status
 *	AEE_ECONNRESET, so a method must not return it for anything else;
 * -EPIPE, -ENODEV: the DSP restarted or was unplugged;
 * -EBUSY: as many calls of this session are in flight as may be: 254 on the
 *	software DSP; through the driver at least 16, the listener's included, and
 *	more as long as other sessions leave them;
 * -ESHUTDOWN: the session is closed;
 * -ENOMEM, or another errno of the ioctl.
 */
int qda_session_invoke(struct qda_session *session, uint32_t handle, uint32_t sc,
		       const struct qda_arg *args, int timeout_ms, uint32_t *ret_status);

/** qda_invoke - qda_session_invoke() on a module's handle without a time limit. */
int qda_invoke(struct qda_module *module, uint32_t sc, const struct qda_arg *args,
	       uint32_t *ret_status);

/** qda_invoke_timeout - qda_session_invoke() on a module's handle. */
int qda_invoke_timeout(struct qda_module *module, uint32_t sc, const struct qda_arg *args,
		       int timeout_ms, uint32_t *ret_status);

/* ---- calls, typed ------------------------------------------------------- */

/** Direction of a parameter. */
enum qda_mode {
	QDA_IN = 1,     /**< caller to DSP */
	QDA_ROUT = 2,   /**< DSP to caller, in memory of the caller's size */
	QDA_INROUT = 3, /**< both */
};

/** Kind of a parameter. */
enum qda_kind {
	QDA_KIND_FIXED = 0,     /**< number, enum, struct or array of them */
	QDA_KIND_SEQUENCE = 1,  /**< elements of one fixed type */
	QDA_KIND_STRING = 2,    /**< bytes ended by NUL */
	QDA_KIND_WSTRING = 3,   /**< 16-bit units ended by 0 */
	QDA_KIND_DMAHANDLE = 4, /**< a range of a buffer, passed as a handle; not INROUT */
};

/**
 * struct qda_param - one parameter of a method
 * @name: for messages, or NULL
 * @mode: enum qda_mode
 * @kind: enum qda_kind
 * @align: FIXED and SEQUENCE: natural alignment of the value or element, a
 *	power of two up to 8
 * @size: FIXED: bytes of the value; SEQUENCE: bytes of one element
 */
struct qda_param {
	const char *name;
	uint8_t mode;
	uint8_t kind;
	uint16_t align;
	uint32_t size;
};

/**
 * struct qda_method - a method's description, as an IDL gives it
 * @name: for messages, or NULL
 * @number: position in the interface; the first own method of one that derives
 *	from remote_handle64 is 2
 * @n_params: parameters at @params
 * @params: in declaration order
 */
struct qda_method {
	const char *name;
	uint32_t number;
	uint32_t n_params;
	const struct qda_param *params;
};

/**
 * struct qda_value - the value of one parameter
 * @data: address of the value, the elements or the characters; not written for
 *	QDA_IN. NULL is fine where nothing is passed.
 * @count: SEQUENCE: elements (ROUT: room for as many). STRING and WSTRING: ROUT
 *	and INROUT: room in characters, end included; not read for IN.
 *	DMAHANDLE: bytes. Not read for FIXED.
 * @buffer: SEQUENCE: the elements lie in this buffer instead of @data and are
 *	not copied. DMAHANDLE: the buffer.
 * @offset: bytes into @buffer
 */
struct qda_value {
	void *data;
	size_t count;
	struct qda_buffer *buffer;
	size_t offset;
};

/**
 * qda_pack - lay out a call's arguments by the rules of the QAIC compiler
 * @method: the method; must outlive the result
 * @values: @method->n_params values; must outlive the result
 * @arena: where the packed bytes go, so that they are not copied again; NULL
 *	for plain memory
 * @ret_packed: the packed call
 *
 * No device is needed without @arena.
 *
 * Return: 0; -EINVAL for a description or value that makes no sense (an
 * unknown kind, a NULL pointer with a count, an INROUT dmahandle); -E2BIG for
 * more than 255 in or out buffers or 15 handles, or a count above 2^32 - 1;
 * -ENOSPC if @arena is full; -ENOMEM.
 */
int qda_pack(const struct qda_method *method, const struct qda_value *values,
	     struct qda_arena *arena, struct qda_packed **ret_packed);

/** qda_packed_scalars - the scalars of a packed call. */
uint32_t qda_packed_scalars(const struct qda_packed *packed);

/** qda_packed_args - its arguments, owned by @packed; their number is QDA_SCALARS_LENGTH(). */
const struct qda_arg *qda_packed_args(const struct qda_packed *packed);

/** qda_unpack - after the call, store the rout values where the values of qda_pack() point. */
void qda_unpack(const struct qda_packed *packed);

/** qda_packed_free - NULL is accepted. Return: NULL. */
struct qda_packed *qda_packed_free(struct qda_packed *packed);

/**
 * qda_call - pack, call and unpack
 * @module: the module
 * @method, @values, @arena: as qda_pack(). The arena is not reset.
 * @timeout_ms, @ret_status: as qda_session_invoke()
 *
 * Allocates nothing while the packed bytes of the fixed-size values fit into
 * 1 KiB. Fixed-size rout values are stored only when 0 is returned; what rout
 * sequences and strings hold after an error is undefined.
 *
 * Return: as qda_pack() and qda_session_invoke().
 */
int qda_call(struct qda_module *module, const struct qda_method *method,
	     const struct qda_value *values, struct qda_arena *arena, int timeout_ms,
	     uint32_t *ret_status);

/* ---- per-session memory ------------------------------------------------- */

/**
 * qda_arena_new - memory for the arguments of calls, allocated once
 * @session: the session
 * @size: bytes, rounded up to whole pages
 * @ret_arena: the arena, empty
 *
 * One buffer of the session, handed out from its start to its end. Arguments in
 * it are neither allocated nor copied per call.
 *
 * Return: as qda_buffer_alloc().
 */
int qda_arena_new(struct qda_session *session, size_t size, struct qda_arena **ret_arena);

/**
 * qda_arena_alloc - take memory
 * @arena: the arena
 * @size: bytes; 0 gives an argument of length 0
 * @align: power of two, up to a page
 * @ret_arg: ready for qda_invoke(), with @ret_arg->ptr the CPU's address.
 *	Valid until qda_arena_reset().
 *
 * Return: 0; -EINVAL for a bad @align; -ENOSPC if the arena is full.
 */
int qda_arena_alloc(struct qda_arena *arena, size_t size, size_t align, struct qda_arg *ret_arg);

/** qda_arena_reset - take all memory back. */
void qda_arena_reset(struct qda_arena *arena);

/** qda_arena_free - NULL is accepted. Return: NULL. */
struct qda_arena *qda_arena_free(struct qda_arena *arena);

/* ---- texts -------------------------------------------------------------- */

/** qda_strerror - what a negative errno of this library means; static text, never NULL. */
const char *qda_strerror(int error);

/** qda_error_hint - what to do about it, or NULL; static text. */
const char *qda_error_hint(int error);

/** qda_status_name - symbol of a DSP's status, such as "AEE_EUNABLETOLOAD", or NULL if not known.
 */
const char *qda_status_name(uint32_t status);

/** qda_status_text - what a DSP's status means; static text, never NULL. */
const char *qda_status_text(uint32_t status);

/** qda_status_hint - what to do about it, or NULL; static text. */
const char *qda_status_hint(uint32_t status);

#ifdef __cplusplus
}
#endif

#endif
