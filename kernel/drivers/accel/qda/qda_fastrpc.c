// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of the DSP. A call belongs to the thread that makes it until that thread
 * gives up waiting; then to the DSP, until it answers, its process ends, or it
 * goes. So whatever the DSP may still use stays where it is.
 */
#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>

#include "qda_drv.h"

#define QDA_ATTRS_TRUSTED	(QDA_ATTR_SYSTEM | QDA_ATTR_PRIVILEGED | \
				 QDA_ATTR_CALLER_LEVEL | QDA_ATTR_SYSTEM_UNSIGNED)

/**
 * struct qda_call - a message and what it needs
 * @session: who calls
 * @node: in a list of calls that end
 * @work: ends it when nobody waits
 * @done: it was answered, or the DSP has gone
 * @abandoned: nobody waits; under &qda_device.call_lock
 * @release: it is the one that ends the process
 * @error: why there is no answer, 0 if there is one
 * @retval: the answer
 * @client_id: the session, or 0 for the kernel
 * @handle: what is called
 * @sc: scalars
 * @id: where it is in &qda_device.calls
 * @ctx: its context on the wire
 * @handles: buffers that the DSP will have as handles once it is sent
 * @payload: memory of the payload
 * @size: bytes of it
 * @n: number of arguments
 * @maps: of each argument, the mapping it needs or NULL
 * @order: for qda_marshal_layout()
 * @args: arguments
 */
struct qda_call {
	struct qda_session *session;
	struct list_head node;
	struct work_struct work;
	struct completion done;
	bool abandoned;
	bool release;
	int error;
	s32 retval;
	u32 client_id;
	u32 handle;
	u32 sc;
	unsigned int id;
	u64 ctx;
	struct list_head handles;
	struct qda_map *payload;
	size_t size;
	unsigned int n;
	struct qda_map **maps;
	u16 *order;
	struct qda_arg args[] __counted_by(n);
};

/**
 * struct qda_remote_map - a buffer in the address space of the process
 * @node: in &qda_session.remote_maps
 * @map: the buffer
 * @busy: a thread is mapping or unmapping it, or what came of that is not known
 * @request: QDA_MAP_REQUEST_LEGACY or QDA_MAP_REQUEST_ATTR
 * @fd: the number that DSP code knows it by
 * @vaddr: its address there
 * @size: its bytes
 */
struct qda_remote_map {
	struct list_head node;
	struct qda_map *map;
	bool busy;
	u32 request;
	s32 fd;
	u64 vaddr;
	u64 size;
};

/**
 * struct qda_handle - a buffer that was a handle argument
 * @node: in &qda_call.handles, then in &qda_session.handles
 * @map: the buffer
 * @fd: its number
 * @uses: how often it was passed and not given back
 */
struct qda_handle {
	struct list_head node;
	struct qda_map *map;
	s32 fd;
	unsigned int uses;
};

/* ---- a call's life --------------------------------------------------------- */

static void qda_session_confirm_end(struct qda_session *session);
static int qda_call_answered(struct qda_call *call);
static void qda_call_drop_handles(struct qda_call *call);

static void qda_handles_free(struct list_head *handles)
{
	struct qda_handle *handle, *next;

	list_for_each_entry_safe(handle, next, handles, node) {
		qda_map_put(handle->map);
		kfree(handle);
	}
}

static void qda_call_free(struct qda_call *call)
{
	if (!call)
		return;
	qda_handles_free(&call->handles);
	for (unsigned int i = 0; i < call->n; i++)
		if (call->maps[i])
			qda_map_put(call->maps[i]);
	if (call->payload)
		qda_payload_put(call->payload);
	qda_session_put(call->session);
	kvfree(call);
}

DEFINE_FREE(qda_call, struct qda_call *, qda_call_free(_T))

static void qda_call_work(struct work_struct *work)
{
	struct qda_call *call = container_of(work, struct qda_call, work);
	struct qda_session *session = qda_session_get(call->session);
	bool release = call->release;

	/* The answer of a call that was interrupted may give buffers back, too. */
	if (call->client_id && !qda_call_answered(call))
		qda_call_drop_handles(call);
	qda_call_free(call);
	if (release)
		qda_session_confirm_end(session);
	qda_session_put(session);
}

static struct qda_call *qda_call_alloc(struct qda_session *session, u32 handle, u32 sc)
{
	unsigned int n = qda_sc_args(sc);
	struct qda_call *call;

	call = kvzalloc(struct_size(call, args, n) +
			n * (sizeof(*call->maps) + sizeof(*call->order)), GFP_KERNEL_ACCOUNT);
	if (!call)
		return NULL;
	call->n = n;
	call->maps = (void *)((char *)call + struct_size(call, args, n));
	call->order = (void *)&call->maps[n];
	call->session = qda_session_get(session);
	INIT_LIST_HEAD(&call->handles);
	INIT_WORK(&call->work, qda_call_work);
	init_completion(&call->done);
	call->handle = handle;
	call->sc = sc;
	return call;
}

/* Write what is in front, copy what goes in. */
static int qda_call_fill(struct qda_call *call)
{
	unsigned int in = qda_sc_inbufs(call->sc), bufs = qda_sc_bufs(call->sc);
	void *mem = call->payload->vaddr;

	qda_marshal_meta(call->args, call->sc, mem, call->payload->addr);

	/* What goes out starts as zeros, unless it overlaps with what goes in. */
	for (unsigned int i = in; i < bufs; i++)
		if (qda_arg_is_inline(&call->args[i]))
			memset(mem + call->args[i].offset, 0, call->args[i].len);
	for (unsigned int i = 0; i < in; i++) {
		const struct qda_arg *arg = &call->args[i];

		if (!qda_arg_is_inline(arg))
			continue;
		if (arg->kind == QDA_ARG_KERNEL)
			memcpy(mem + arg->offset, (void *)(uintptr_t)arg->ptr, arg->len);
		else if (copy_from_user(mem + arg->offset, u64_to_user_ptr(arg->ptr),
					arg->len))
			return -EFAULT;
	}
	return 0;
}

/* Lay out the payload and write it. */
static int qda_call_marshal(struct qda_call *call)
{
	int ret;

	ret = qda_marshal_layout(call->args, call->order, call->sc, &call->size);
	if (ret)
		return ret;
	call->payload = qda_payload_get(call->session, call->size);
	if (IS_ERR(call->payload)) {
		ret = PTR_ERR(call->payload);
		call->payload = NULL;
		return ret;
	}
	return qda_call_fill(call);
}

/* Lengths are those of the call; the DSP can write to the payload's. */
static int qda_call_copy_out(struct qda_call *call)
{
	void *mem = call->payload->vaddr;

	for (unsigned int i = qda_sc_inbufs(call->sc); i < qda_sc_bufs(call->sc); i++) {
		const struct qda_arg *arg = &call->args[i];

		if (!qda_arg_is_inline(arg))
			continue;
		if (arg->kind == QDA_ARG_KERNEL)
			memcpy((void *)(uintptr_t)arg->ptr, mem + arg->offset, arg->len);
		else if (copy_to_user(u64_to_user_ptr(arg->ptr), mem + arg->offset,
				      arg->len))
			return -EFAULT;
	}
	return 0;
}

/**
 * qda_fastrpc_share_ids() - say how many ids each session may have
 * @qdev: the DSP, with its context banks
 *
 * Each bank's session may have some in any case. The rest is for who comes first.
 */
void qda_fastrpc_share_ids(struct qda_device *qdev)
{
	unsigned int n = max(qdev->n_cbs, 1), each = QDA_COMMON_IDS / n;

	qdev->own_calls = min_t(unsigned int, each - min_t(unsigned int, each, QDA_OWN_CONTROLS),
				QDA_OWN_CALLS);
	qdev->max_shared = QDA_COMMON_IDS - min(n * (qdev->own_calls + QDA_OWN_CONTROLS),
						QDA_COMMON_IDS);
}

/* Where the session's calls of this kind are counted, and how many it may have in any case. */
static unsigned int *qda_call_counter(struct qda_call *call, unsigned int *own)
{
	*own = call->client_id ? call->session->qdev->own_calls : QDA_OWN_CONTROLS;
	return call->client_id ? &call->session->n_calls : &call->session->n_controls;
}

/* Count the call, so that no session takes all ids. Return: whether there may be one more. */
static bool qda_call_count(struct qda_call *call)
{
	struct qda_device *qdev = call->session->qdev;
	unsigned int own, *counter = qda_call_counter(call, &own);

	lockdep_assert_held(&qdev->call_lock);
	if (call->release)
		return true;
	if (*counter >= own) {
		if (qdev->n_shared == qdev->max_shared)
			return false;
		qdev->n_shared++;
	}
	++*counter;
	return true;
}

static void qda_call_discount(struct qda_call *call)
{
	unsigned int own, *counter = qda_call_counter(call, &own);

	lockdep_assert_held(&call->session->qdev->call_lock);
	if (call->release)
		return;
	if ((*counter)-- > own)
		call->session->qdev->n_shared--;
}

/* Take the call out of the table, where it is. */
static void qda_call_unlink(struct qda_call *call)
{
	struct qda_device *qdev = call->session->qdev;

	lockdep_assert_held(&qdev->call_lock);
	qdev->calls[call->id] = NULL;
	qda_call_discount(call);
}

/* Give the call an id; from here on it can be answered. */
static int qda_call_register(struct qda_call *call)
{
	struct qda_device *qdev = call->session->qdev;
	unsigned int id;

	guard(spinlock_irqsave)(&qdev->call_lock);
	if (qdev->gone)
		return -EPIPE;
	if (!qda_call_count(call))
		return -EBUSY;
	id = qda_marshal_next_id((const void **)qdev->calls, qdev->last_id,
				 call->release ? QDA_CTX_IDS - 1 : QDA_COMMON_IDS);
	if (!id) {
		qda_call_discount(call);
		return -EBUSY;
	}
	qdev->last_id = id;
	qdev->calls[id] = call;
	call->id = id;
	call->ctx = qda_ctx(call->session->pd, id, ++qdev->sequence);
	return 0;
}

/* Take the call back from the DSP. Return: whether it was still there. */
static bool qda_call_unregister(struct qda_call *call)
{
	struct qda_device *qdev = call->session->qdev;

	scoped_guard(spinlock_irqsave, &qdev->call_lock) {
		if (qdev->calls[call->id] != call)
			return false;
		qda_call_unlink(call);
	}
	wake_up(&qdev->id_wait);
	return true;
}

/* Leave the call to the DSP. Return: false if it was answered meanwhile. */
static bool qda_call_abandon(struct qda_call *call)
{
	struct qda_device *qdev = call->session->qdev;

	guard(spinlock_irqsave)(&qdev->call_lock);
	if (qdev->calls[call->id] != call)
		return false;
	call->abandoned = true;
	return true;
}

/* End a call that is not in the table any more. */
static void qda_call_end(struct qda_call *call, int error, s32 retval)
{
	struct qda_device *qdev = call->session->qdev;

	lockdep_assert_held(&qdev->call_lock);
	call->error = error;
	call->retval = retval;
	if (call->abandoned)
		queue_work(qdev->wq, &call->work);
	else
		complete(&call->done);
}

/**
 * qda_fastrpc_reply() - the DSP has sent a message
 * @qdev: the DSP
 * @data: the message
 * @len: its bytes
 *
 * What is not the answer to a call that is on its way, as late answers, second
 * ones and notices are not, changes nothing.
 */
void qda_fastrpc_reply(struct qda_device *qdev, const void *data, size_t len)
{
	const struct qda_reply *reply = data;
	struct qda_call *call;
	u64 ctx;

	if (len < offsetofend(struct qda_reply, retval)) {
		drm_dbg(&qdev->drm, "a message of %zu bytes is no answer\n", len);
		return;
	}
	ctx = le64_to_cpu(reply->ctx);
	scoped_guard(spinlock_irqsave, &qdev->call_lock) {
		call = qdev->calls[FIELD_GET(QDA_CTX_ID, ctx)];
		if (!call || call->ctx != ctx) {
			call = NULL;
		} else {
			qda_call_unlink(call);
			qda_call_end(call, 0, le32_to_cpu(reply->retval));
		}
	}
	if (call)
		wake_up(&qdev->id_wait);
	else
		drm_dbg(&qdev->drm, "no call waits for an answer with context %#llx\n", ctx);
}

/**
 * qda_fastrpc_abort() - the DSP has gone: end all calls
 * @qdev: the DSP
 */
void qda_fastrpc_abort(struct qda_device *qdev)
{
	scoped_guard(spinlock_irqsave, &qdev->call_lock) {
		qdev->gone = true;
		for (unsigned int id = 0; id < QDA_CTX_IDS; id++) {
			struct qda_call *call = qdev->calls[id];

			if (!call)
				continue;
			qda_call_unlink(call);
			qda_call_end(call, -EPIPE, 0);
		}
	}
	wake_up_all(&qdev->id_wait);
}

static int qda_call_send(struct qda_call *call)
{
	struct qda_device *qdev = call->session->qdev;
	struct qda_msg msg = {
		.client_id = cpu_to_le32(call->client_id),
		.tid = cpu_to_le32(task_pid_nr(current)),
		.ctx = cpu_to_le64(call->ctx),
		.handle = cpu_to_le32(call->handle),
		.sc = cpu_to_le32(call->sc),
		.addr = cpu_to_le64(call->payload->addr),
		.size = cpu_to_le64(round_up(call->size, QDA_WIRE_PAGE)),
	};
	int ret = -EPIPE, idx;

	if (drm_dev_enter(&qdev->drm, &idx)) {
		qda_dma_for_device(call->payload);
		dma_wmb();
		ret = qda_rpmsg_send(qdev, &msg);
		drm_dev_exit(idx);
	}
	/* If it is not there any more, it has ended, and that is what counts. */
	if (ret && qda_call_unregister(call))
		return ret;
	return 0;
}

/* The answer is there: make what the DSP wrote visible. */
static int qda_call_answered(struct qda_call *call)
{
	int idx;

	if (call->error)
		return call->error;
	if (!drm_dev_enter(&call->session->qdev->drm, &idx))
		return -EPIPE;
	dma_rmb();
	qda_dma_for_cpu(call->payload);
	drm_dev_exit(idx);
	return 0;
}

/*
 * What ioctl() returns for an answer. Numbers that look like an errno of the
 * kernel's, some of which would even make it repeat the call, are none of the DSP's.
 */
static int qda_call_status(const struct qda_call *call)
{
	return IS_ERR_VALUE((long)call->retval) ? -EPROTO : call->retval;
}

/* ---- control messages: the kernel calls ------------------------------------ */

static void qda_arg_kernel(struct qda_arg *arg, void *data, size_t len)
{
	arg->kind = QDA_ARG_KERNEL;
	arg->ptr = (uintptr_t)data;
	arg->len = len;
}

static int qda_arg_set_user(struct qda_arg *arg, u64 ptr)
{
	arg->kind = QDA_ARG_USER;
	arg->ptr = ptr;
	if (arg->len > QDA_PAYLOAD_MAX)
		return -E2BIG;
	if (ptr != (uintptr_t)ptr || !access_ok(u64_to_user_ptr(ptr), arg->len))
		return -EFAULT;
	return 0;
}

static struct qda_call *qda_control_alloc(struct qda_session *session, u32 method, u32 in,
					  u32 out)
{
	return qda_call_alloc(session, QDA_HANDLE_CONTROL, qda_sc(method, in, out));
}

/* Send it; a call that cannot be sent is not freed. */
static int qda_control_send(struct qda_call *call)
{
	struct qda_device *qdev = call->session->qdev;
	long left;
	int ret;

	if (call->release)
		left = wait_event_timeout(qdev->id_wait,
					  (ret = qda_call_register(call)) != -EBUSY,
					  QDA_CONTROL_TIMEOUT);
	else
		left = wait_event_killable_timeout(qdev->id_wait,
						   (ret = qda_call_register(call)) != -EBUSY,
						   QDA_CONTROL_TIMEOUT);
	if (left < 0)
		return -EINTR;
	if (ret)
		return ret;
	return qda_call_send(call);
}

/**
 * qda_control_run() - send a control message and wait for the answer
 * @call: the message, with its arguments; the caller has it no more
 * @unknown: out, whether it was sent and what came of it is not known
 *
 * Return: 0, a negative errno, or the DSP's status.
 */
static int qda_control_run(struct qda_call *call, bool *unknown)
{
	struct qda_call *own __free(qda_call) = call;
	long left;
	int ret;

	*unknown = false;
	ret = qda_call_marshal(call);
	if (ret)
		return ret;
	ret = qda_control_send(call);
	if (ret)
		return ret;
	left = wait_for_completion_killable_timeout(&call->done, QDA_CONTROL_TIMEOUT);
	if (left <= 0 && qda_call_abandon(call)) {
		retain_and_null_ptr(own);
		*unknown = true;
		return left ? -EINTR : -ETIMEDOUT;
	}
	ret = qda_call_answered(call);
	if (ret)
		return ret;
	ret = qda_call_copy_out(call);
	return ret ? ret : qda_call_status(call);
}

/* ---- the process ----------------------------------------------------------- */

/* Whether the process is there to be called. */
static int qda_session_check(struct qda_session *session)
{
	guard(mutex)(&session->lock);
	return session->process == QDA_PROCESS_RUNS ? 0 : -ENOTCONN;
}

static void qda_session_end_calls(struct qda_session *session)
{
	struct qda_device *qdev = session->qdev;
	struct qda_call *call, *next;
	LIST_HEAD(calls);

	scoped_guard(spinlock_irqsave, &qdev->call_lock) {
		for (unsigned int id = 0; id < QDA_CTX_IDS; id++) {
			call = qdev->calls[id];
			if (!call || call->session != session)
				continue;
			qda_call_unlink(call);
			list_add(&call->node, &calls);
		}
	}
	wake_up_all(&qdev->id_wait);
	list_for_each_entry_safe(call, next, &calls, node)
		qda_call_free(call);
}

/* The process is no more: let go of all it could reach. */
static void qda_session_forget(struct qda_session *session)
{
	struct qda_remote_map *remote, *next_remote;
	struct qda_map *map, *next_map, *init_mem;
	LIST_HEAD(remotes);
	LIST_HEAD(handles);
	LIST_HEAD(kept);

	qda_session_end_calls(session);
	scoped_guard(mutex, &session->lock) {
		list_splice_init(&session->remote_maps, &remotes);
		list_splice_init(&session->handles, &handles);
		list_splice_init(&session->kept, &kept);
		init_mem = session->init_mem;
		session->init_mem = NULL;
	}
	list_for_each_entry_safe(remote, next_remote, &remotes, node) {
		qda_map_put(remote->map);
		kfree(remote);
	}
	qda_handles_free(&handles);
	list_for_each_entry_safe(map, next_map, &kept, idle)
		qda_map_put(map);
	if (init_mem)
		qda_map_put(init_mem);
	qda_call_free(session->release);
	session->release = NULL;
	qda_payload_drain(session);
}

/* The process may run on: keep what it could reach until it or the DSP has ended. */
static void qda_session_orphan(struct qda_session *session)
{
	struct qda_device *qdev = session->qdev;
	struct qda_map *map;

	drm_warn(&qdev->drm, "%s did not confirm the end of the process of session %u\n",
		 qdev->name, session->client_id);
	scoped_guard(mutex, &session->lock) {
		list_for_each_entry(map, &session->maps, node) {
			if (!map->key)
				continue;
			kref_get(&map->ref);
			list_add(&map->idle, &session->kept);
		}
	}
	scoped_guard(mutex, &qdev->lock) {
		if (!session->end_confirmed && !drm_dev_is_unplugged(&qdev->drm)) {
			list_add(&session->orphan, &qdev->orphans);
			qda_session_get(session);
			return;
		}
	}
	qda_session_forget(session);
}

/* The end of an orphan was confirmed, late. */
static void qda_session_confirm_end(struct qda_session *session)
{
	scoped_guard(mutex, &session->qdev->lock) {
		session->end_confirmed = true;
		if (list_empty(&session->orphan))
			return;
		list_del_init(&session->orphan);
	}
	qda_session_forget(session);
	qda_session_put(session);
}

/**
 * qda_fastrpc_forget_orphans() - the DSP has gone, and all processes with it
 * @qdev: the DSP, unplugged
 */
void qda_fastrpc_forget_orphans(struct qda_device *qdev)
{
	struct qda_session *session;

	for (;;) {
		scoped_guard(mutex, &qdev->lock) {
			session = list_first_entry_or_null(&qdev->orphans, struct qda_session,
							   orphan);
			if (session)
				list_del_init(&session->orphan);
		}
		if (!session)
			break;
		qda_session_forget(session);
		qda_session_put(session);
	}
}

/* Send the message that was made when the process was. */
static int qda_session_send_release(struct qda_session *session)
{
	unsigned long end = jiffies + QDA_CONTROL_TIMEOUT;
	struct qda_call *call = session->release;
	int ret;

	/*
	 * The process could write to it all the time. It still can while the DSP's
	 * root process reads it, as with all of these messages: so wants the protocol.
	 */
	ret = qda_call_fill(call);
	if (ret)
		return ret;
	/* The channel may be short of room; there is no one to try again later. */
	while ((ret = qda_control_send(call)) && ret != -EPIPE && time_before(jiffies, end))
		msleep(20);
	if (ret)
		return ret;
	if (!wait_for_completion_timeout(&call->done, QDA_CONTROL_TIMEOUT) &&
	    qda_call_abandon(call)) {
		session->release = NULL;
		return -ETIMEDOUT;
	}
	/*
	 * The DSP's status is not looked at: that of a process that has crashed is
	 * not 0 either. If one ran on, the IOMMU would keep it from what is unmapped.
	 */
	return call->error;
}

/**
 * qda_fastrpc_release() - end a session's process, as the file is closed
 * @session: the session; no thread uses it any more
 *
 * Signals do not cut this short. On return the DSP reaches no memory of the
 * session, or what it could reach is kept.
 */
void qda_fastrpc_release(struct qda_session *session)
{
	enum qda_process process;

	scoped_guard(mutex, &session->lock) {
		process = session->process;
		session->process = QDA_PROCESS_ENDED;
	}
	if (process == QDA_PROCESS_RUNS || process == QDA_PROCESS_UNKNOWN) {
		int ret = qda_session_send_release(session);

		if (ret && ret != -EPIPE) {
			qda_session_orphan(session);
			return;
		}
	}
	qda_session_forget(session);
	/* Calls that were answered just now hold the context bank, too. */
	flush_workqueue(session->qdev->wq);
}

static struct qda_call *qda_release_prepare(struct qda_session *session)
{
	struct qda_call *call __free(qda_call) = NULL;
	int ret;

	call = qda_control_alloc(session, QDA_CONTROL_RELEASE, 1, 0);
	if (!call)
		return ERR_PTR(-ENOMEM);
	session->released_id = cpu_to_le32(session->client_id);
	qda_arg_kernel(&call->args[0], &session->released_id, sizeof(session->released_id));
	call->release = true;
	ret = qda_call_marshal(call);
	if (ret)
		return ERR_PTR(ret);
	return no_free_ptr(call);
}

static bool qda_create_is_trusted(const struct drm_qda_init_create *create)
{
	return !(create->attrs & QDA_ATTR_UNSIGNED) || (create->attrs & QDA_ATTRS_TRUSTED);
}

/* The file that the process is started from. */
static int qda_create_set_file(struct qda_call *call, unsigned int i,
			       const struct drm_qda_init_create *create)
{
	struct qda_arg *arg = &call->args[i];
	struct dma_buf *dmabuf;
	struct qda_map *map;

	arg->len = create->filelen;
	if (create->filefd <= 0)
		return qda_arg_set_user(arg, create->file);
	dmabuf = dma_buf_get(create->filefd);
	if (IS_ERR(dmabuf))
		return -EINVAL;
	map = qda_map_dmabuf(call->session, dmabuf);
	dma_buf_put(dmabuf);
	if (IS_ERR(map))
		return PTR_ERR(map);
	call->maps[i] = map;
	if (!qda_map_contains(map, 0, create->filelen))
		return -EINVAL;
	arg->kind = QDA_ARG_MAPPED;
	arg->addr = map->addr;
	arg->pv = map->addr;
	return 0;
}

/* Start the process in @init_mem. */
static int qda_create_run(struct qda_session *session, const struct drm_qda_init_create *create,
			  const struct qda_map *init_mem, bool *unknown)
{
	struct qda_call *call __free(qda_call) = NULL;
	struct qda_control_create request = {
		.client_id = cpu_to_le32(session->client_id),
		.filelen = cpu_to_le32(create->filelen),
		.pageslen = cpu_to_le32(1),
		.attrs = cpu_to_le32(create->attrs),
		.siglen = cpu_to_le32(create->siglen),
	};
	struct qda_page page = {
		.addr = cpu_to_le64(init_mem->addr),
		.size = cpu_to_le64(init_mem->size),
	};
	char name[TASK_COMM_LEN];
	int ret;

	strscpy_pad(name, current->comm);
	request.namelen = cpu_to_le32(strlen(name) + 1);

	call = qda_control_alloc(session, create->attrs ? QDA_CONTROL_CREATE_ATTR :
							  QDA_CONTROL_CREATE, 4, 0);
	if (!call)
		return -ENOMEM;
	qda_arg_kernel(&call->args[0], &request, sizeof(request));
	qda_arg_kernel(&call->args[1], name, strlen(name) + 1);
	ret = qda_create_set_file(call, 2, create);
	if (ret)
		return ret;
	qda_arg_kernel(&call->args[3], &page, sizeof(page));
	return qda_control_run(no_free_ptr(call), unknown);
}

/**
 * qda_fastrpc_create() - start the session's process
 * @session: the session
 * @create: what user space wants
 *
 * Return: 0, a negative errno, or the DSP's status.
 */
int qda_fastrpc_create(struct qda_session *session, const struct drm_qda_init_create *create)
{
	struct qda_call *release = NULL;
	struct qda_map *init_mem = NULL;
	bool unknown = false;
	int ret;

	if (!create->filelen || create->filelen > QDA_FILE_MAX)
		return -EINVAL;
	if (qda_create_is_trusted(create) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	ret = qda_mm_assign_cb(session);
	if (ret)
		return ret;
	scoped_guard(mutex, &session->lock) {
		if (session->process == QDA_PROCESS_UNKNOWN)
			return -ENOTCONN;
		if (session->process != QDA_PROCESS_NONE)
			return -EEXIST;
		session->process = QDA_PROCESS_CREATING;
	}

	init_mem = qda_map_kernel(session, ALIGN(max_t(u32, QDA_INIT_MEM_MIN,
						       4 * create->filelen), SZ_1M));
	if (IS_ERR(init_mem)) {
		ret = PTR_ERR(init_mem);
		init_mem = NULL;
		goto out;
	}
	release = qda_release_prepare(session);
	if (IS_ERR(release)) {
		ret = PTR_ERR(release);
		release = NULL;
		goto out;
	}
	ret = qda_create_run(session, create, init_mem, &unknown);

out:
	scoped_guard(mutex, &session->lock) {
		if (!ret || unknown) {
			session->process = ret ? QDA_PROCESS_UNKNOWN : QDA_PROCESS_RUNS;
			session->init_mem = init_mem;
			session->release = release;
			return ret;
		}
		session->process = QDA_PROCESS_NONE;
	}
	qda_call_free(release);
	if (init_mem)
		qda_map_put(init_mem);
	return ret;
}

/* ---- mapping buffers into the process -------------------------------------- */

static int qda_map_send(struct qda_session *session, const struct drm_qda_mem_map *map,
			u64 addr, u64 size, u64 *vaddr, bool *unknown)
{
	struct qda_call *call;
	struct qda_control_mmap mmap = {
		.client_id = cpu_to_le32(session->client_id),
		.flags = cpu_to_le32(map->flags),
		.vaddr = cpu_to_le64(map->vaddrin),
		.num = cpu_to_le32(sizeof(struct qda_page)),
	};
	struct qda_control_mem_map mem_map = {
		.client_id = cpu_to_le32(session->client_id),
		.fd = cpu_to_le32(map->fd),
		.flags = cpu_to_le32(map->flags),
		.vaddrin = cpu_to_le64(map->vaddrin),
		.num = cpu_to_le32(sizeof(struct qda_page)),
	};
	struct qda_page page = {
		.addr = cpu_to_le64(addr),
		.size = cpu_to_le64(size),
	};
	__le64 out = 0;
	int ret;

	if (map->request == QDA_MAP_REQUEST_LEGACY) {
		call = qda_control_alloc(session, QDA_CONTROL_MMAP, 2, 1);
		if (!call)
			return -ENOMEM;
		qda_arg_kernel(&call->args[0], &mmap, sizeof(mmap));
		qda_arg_kernel(&call->args[2], &out, sizeof(out));
	} else {
		/* The third argument is for data that nobody sends. */
		call = qda_control_alloc(session, QDA_CONTROL_MEM_MAP, 3, 1);
		if (!call)
			return -ENOMEM;
		qda_arg_kernel(&call->args[0], &mem_map, sizeof(mem_map));
		qda_arg_kernel(&call->args[3], &out, sizeof(out));
	}
	qda_arg_kernel(&call->args[1], &page, sizeof(page));
	ret = qda_control_run(call, unknown);
	*vaddr = le64_to_cpu(out);
	return ret;
}

static int qda_map_check(const struct drm_qda_mem_map *map)
{
	if (map->pad || map->fd <= 0 || !map->size)
		return -EINVAL;
	switch (map->request) {
	case QDA_MAP_REQUEST_LEGACY:
		switch (map->flags) {
		case 0:
		case QDA_MMAP_DMA_BUFFER:
		case QDA_MMAP_ADD_PAGES:
		case QDA_MMAP_ADD_PAGES_LLC:
			return 0;
		}
		return -EINVAL;
	case QDA_MAP_REQUEST_ATTR:
		/* Memory that only the DSP may reach would be an attribute. */
		if (map->attrs || !PAGE_ALIGNED(map->offset))
			return -EINVAL;
		if (map->flags > QDA_MEM_MAP_FD_DELAYED && map->flags != QDA_MEM_MAP_FD_NOMAP)
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

/* The buffer behind an fd, mapped for the session. */
static struct qda_map *qda_map_fd(struct qda_session *session, int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct qda_map *map;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	map = qda_map_dmabuf(session, dmabuf);
	dma_buf_put(dmabuf);
	return map;
}

static void qda_remote_map_free(struct qda_remote_map *remote)
{
	qda_map_put(remote->map);
	kfree(remote);
}

/**
 * qda_fastrpc_map() - map a buffer into the session's process
 * @session: the session
 * @map: what user space wants; the address is written
 *
 * Return: 0, a negative errno, or the DSP's status.
 */
int qda_fastrpc_map(struct qda_session *session, struct drm_qda_mem_map *map)
{
	u64 offset = map->request == QDA_MAP_REQUEST_ATTR ? map->offset : 0;
	struct qda_remote_map *remote;
	bool unknown = false;
	int ret;

	ret = qda_map_check(map);
	if (ret)
		return ret;
	ret = qda_session_check(session);
	if (ret)
		return ret;
	remote = kzalloc_obj(*remote, GFP_KERNEL_ACCOUNT);
	if (!remote)
		return -ENOMEM;
	remote->map = qda_map_fd(session, map->fd);
	if (IS_ERR(remote->map)) {
		ret = PTR_ERR(remote->map);
		kfree(remote);
		return ret;
	}
	if (!qda_map_contains(remote->map, offset, map->size)) {
		qda_remote_map_free(remote);
		return -EINVAL;
	}
	remote->request = map->request;
	remote->fd = map->fd;
	remote->size = map->size;
	remote->busy = true;
	/* Before the DSP has it, so that nothing is lost if no answer comes. */
	scoped_guard(mutex, &session->lock)
		list_add(&remote->node, &session->remote_maps);

	ret = qda_map_send(session, map, remote->map->addr + offset, PAGE_ALIGN(map->size),
			   &map->vaddrout, &unknown);
	if (unknown)
		return ret;
	scoped_guard(mutex, &session->lock) {
		if (!ret) {
			remote->vaddr = map->vaddrout;
			remote->busy = false;
			return 0;
		}
		list_del(&remote->node);
	}
	qda_remote_map_free(remote);
	return ret;
}

static int qda_munmap_send(struct qda_session *session, const struct qda_remote_map *remote,
			   bool *unknown)
{
	struct qda_call *call;
	struct qda_control_munmap munmap = {
		.client_id = cpu_to_le32(session->client_id),
		.vaddr = cpu_to_le64(remote->vaddr),
		.size = cpu_to_le64(PAGE_ALIGN(remote->size)),
	};
	struct qda_control_mem_unmap mem_unmap = {
		.client_id = cpu_to_le32(session->client_id),
		.fd = cpu_to_le32(remote->fd),
		.vaddr = cpu_to_le64(remote->vaddr),
		.size = cpu_to_le64(PAGE_ALIGN(remote->size)),
	};

	if (remote->request == QDA_MAP_REQUEST_LEGACY) {
		call = qda_control_alloc(session, QDA_CONTROL_MUNMAP, 1, 0);
		if (!call)
			return -ENOMEM;
		qda_arg_kernel(&call->args[0], &munmap, sizeof(munmap));
	} else {
		call = qda_control_alloc(session, QDA_CONTROL_MEM_UNMAP, 1, 0);
		if (!call)
			return -ENOMEM;
		qda_arg_kernel(&call->args[0], &mem_unmap, sizeof(mem_unmap));
	}
	return qda_control_run(call, unknown);
}

static bool qda_remote_map_matches(const struct qda_remote_map *remote,
				   const struct drm_qda_mem_unmap *unmap)
{
	if (remote->busy || remote->request != unmap->request)
		return false;
	if (unmap->request == QDA_MUNMAP_REQUEST_LEGACY)
		return remote->vaddr == unmap->vaddrout && remote->size == unmap->size;
	return remote->vaddr == unmap->vaddr && (unmap->fd < 0 || remote->fd == unmap->fd);
}

static struct qda_remote_map *qda_remote_map_take(struct qda_session *session,
						  const struct drm_qda_mem_unmap *unmap)
{
	struct qda_remote_map *remote;

	guard(mutex)(&session->lock);
	list_for_each_entry(remote, &session->remote_maps, node) {
		if (!qda_remote_map_matches(remote, unmap))
			continue;
		remote->busy = true;
		return remote;
	}
	return NULL;
}

/**
 * qda_fastrpc_munmap() - undo what qda_fastrpc_map() did
 * @session: the session
 * @unmap: which mapping
 *
 * Return: 0, a negative errno, or the DSP's status.
 */
int qda_fastrpc_munmap(struct qda_session *session, const struct drm_qda_mem_unmap *unmap)
{
	struct qda_remote_map *remote;
	bool unknown = false;
	int ret;

	if (unmap->request != QDA_MUNMAP_REQUEST_LEGACY &&
	    unmap->request != QDA_MUNMAP_REQUEST_ATTR)
		return -EINVAL;
	ret = qda_session_check(session);
	if (ret)
		return ret;
	remote = qda_remote_map_take(session, unmap);
	if (!remote)
		return -ENOENT;

	ret = qda_munmap_send(session, remote, &unknown);
	if (unknown)
		return ret;
	scoped_guard(mutex, &session->lock) {
		if (ret) {
			remote->busy = false;
			return ret;
		}
		list_del(&remote->node);
	}
	qda_remote_map_free(remote);
	return 0;
}

/* ---- calls of user space --------------------------------------------------- */

static int qda_call_add_handle(struct qda_call *call, s32 fd, struct qda_map *map)
{
	struct qda_handle *handle = kzalloc_obj(*handle, GFP_KERNEL_ACCOUNT);

	if (!handle)
		return -ENOMEM;
	kref_get(&map->ref);
	handle->map = map;
	handle->fd = fd;
	handle->uses = 1;
	list_add(&handle->node, &call->handles);
	return 0;
}

/* One more use of a buffer that the DSP has. Return: false if it does not have it. */
static bool qda_handle_use_again(struct qda_session *session, const struct qda_handle *wanted)
{
	struct qda_handle *handle;

	lockdep_assert_held(&session->lock);
	list_for_each_entry(handle, &session->handles, node) {
		if (handle->fd == wanted->fd && handle->map == wanted->map) {
			handle->uses++;
			return true;
		}
	}
	return false;
}

/* The call was sent: the DSP may use its handles' buffers until it gives the numbers back. */
static void qda_call_keep_handles(struct qda_call *call)
{
	struct qda_session *session = call->session;
	struct qda_handle *handle, *next;

	if (list_empty(&call->handles))
		return;
	guard(mutex)(&session->lock);
	list_for_each_entry_safe(handle, next, &call->handles, node)
		if (!qda_handle_use_again(session, handle))
			list_move_tail(&handle->node, &session->handles);
}

/* The DSP names a number once for each time it was passed. */
static void qda_handle_drop(struct qda_session *session, s32 fd)
{
	struct qda_handle *handle;
	LIST_HEAD(dropped);

	scoped_guard(mutex, &session->lock) {
		list_for_each_entry(handle, &session->handles, node) {
			if (handle->fd != fd)
				continue;
			if (!--handle->uses)
				list_move(&handle->node, &dropped);
			break;
		}
	}
	qda_handles_free(&dropped);
}

static void qda_call_drop_handles(struct qda_call *call)
{
	__le64 *list = qda_marshal_fd_list(call->payload->vaddr, call->n);

	for (unsigned int i = 0; i < QDA_FD_LIST; i++) {
		u64 fd = le64_to_cpu(READ_ONCE(list[i]));

		if (!fd)
			break;
		qda_handle_drop(call->session, fd);
	}
}

static int qda_arg_set_range(struct qda_arg *arg, const struct qda_map *map, u64 offset)
{
	if (!qda_map_contains(map, offset, arg->len))
		return -EINVAL;
	arg->kind = QDA_ARG_MAPPED;
	arg->addr = map->addr + offset;
	return 0;
}

/* A buffer by GEM handle and offset. */
static int qda_arg_set_gem(struct qda_call *call, unsigned int i, struct drm_file *file,
			   const struct drm_qda_fastrpc_invoke_args *from)
{
	struct qda_arg *arg = &call->args[i];
	struct drm_gem_object *obj;
	struct qda_map *map;
	int ret;

	if (from->attr != QDA_INVOKE_ARG_GEM)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, from->fd);
	if (!obj)
		return -ENOENT;
	map = qda_map_find(call->session, drm_gem_is_imported(obj) ?
					  (void *)obj->import_attach->dmabuf : (void *)obj);
	drm_gem_object_put(obj);
	if (!map)
		return -ENOENT;
	call->maps[i] = map;
	ret = qda_arg_set_range(arg, map, from->ptr);
	arg->pv = arg->addr;
	return ret;
}

/* A buffer by the fd of a DMA-BUF and the address where it is mapped. */
static int qda_arg_set_fd(struct qda_call *call, unsigned int i,
			  const struct drm_qda_fastrpc_invoke_args *from)
{
	struct qda_session *session = call->session;
	struct qda_arg *arg = &call->args[i];
	struct dma_buf *dmabuf;
	u64 offset;
	int ret;

	dmabuf = dma_buf_get(from->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = qda_prime_offset(session->qdev, dmabuf, from->ptr, &offset);
	if (!ret) {
		struct qda_map *map = qda_map_dmabuf(session, dmabuf);

		if (IS_ERR(map)) {
			ret = PTR_ERR(map);
		} else {
			call->maps[i] = map;
			arg->pv = from->ptr;
			ret = qda_arg_set_range(arg, map, offset);
		}
	}
	dma_buf_put(dmabuf);
	return ret;
}

static int qda_arg_set_handle(struct qda_call *call, unsigned int i,
			      const struct drm_qda_fastrpc_invoke_args *from)
{
	struct qda_arg *arg = &call->args[i];
	struct qda_map *map;

	arg->kind = QDA_ARG_HANDLE;
	if (!arg->len)
		return 0;
	/* Its fd is what DSP code looks it up by; a GEM handle would be another number. */
	if (from->fd <= 0 || from->attr & QDA_INVOKE_ARG_GEM)
		return -EINVAL;
	map = qda_map_fd(call->session, from->fd);
	if (IS_ERR(map))
		return PTR_ERR(map);
	call->maps[i] = map;
	if (from->ptr > U32_MAX || from->length > U32_MAX ||
	    !qda_map_contains(map, from->ptr, from->length))
		return -EINVAL;
	arg->fd = from->fd;
	arg->ptr = from->ptr;
	arg->addr = map->addr;
	arg->size = map->size;
	return qda_call_add_handle(call, from->fd, map);
}

static int qda_arg_set(struct qda_call *call, unsigned int i, struct drm_file *file,
		       const struct drm_qda_fastrpc_invoke_args *from)
{
	call->args[i].len = from->length;
	if (i >= qda_sc_bufs(call->sc))
		return qda_arg_set_handle(call, i, from);
	if (!from->length)
		return 0;
	if (from->attr & QDA_INVOKE_ARG_GEM)
		return qda_arg_set_gem(call, i, file, from);
	if (from->fd > 0)
		return qda_arg_set_fd(call, i, from);
	if (from->fd < -1)
		return -EINVAL;
	return qda_arg_set_user(&call->args[i], from->ptr);
}

static int qda_args_set(struct qda_call *call, struct drm_file *file, u64 ptr)
{
	struct drm_qda_fastrpc_invoke_args few[4], *from = few;
	int ret = 0;

	if (!call->n)
		return 0;
	if (call->n > ARRAY_SIZE(few)) {
		from = kvmalloc_array(call->n, sizeof(*from), GFP_KERNEL);
		if (!from)
			return -ENOMEM;
	}
	if (copy_from_user(from, u64_to_user_ptr(ptr), call->n * sizeof(*from)))
		ret = -EFAULT;
	for (unsigned int i = 0; i < call->n && !ret; i++)
		ret = qda_arg_set(call, i, file, &from[i]);
	if (from != few)
		kvfree(from);
	return ret;
}

/**
 * qda_fastrpc_invoke() - call a function on the DSP
 * @session: the session
 * @file: its file
 * @invoke: what user space wants
 *
 * A signal ends the wait, not the call. The call is never repeated, so the
 * caller learns that with -EINTR even if the handler restarts system calls.
 *
 * Return: 0, a negative errno, or the DSP's status.
 */
int qda_fastrpc_invoke(struct qda_session *session, struct drm_file *file,
		       const struct drm_qda_invoke_args *invoke)
{
	struct qda_call *call __free(qda_call) = NULL;
	int ret;

	if (invoke->handle == QDA_HANDLE_CONTROL)
		return -EPERM;
	ret = qda_session_check(session);
	if (ret)
		return ret;
	call = qda_call_alloc(session, invoke->handle, invoke->sc);
	if (!call)
		return -ENOMEM;
	call->client_id = session->client_id;
	ret = qda_args_set(call, file, invoke->args);
	if (ret)
		return ret;
	ret = qda_call_marshal(call);
	if (ret)
		return ret;
	ret = qda_call_register(call);
	if (ret)
		return ret;
	ret = qda_call_send(call);
	if (ret)
		return ret;
	qda_call_keep_handles(call);
	/* A suspend is no signal: the call goes on after it. */
	if (wait_for_completion_state(&call->done, TASK_INTERRUPTIBLE | TASK_FREEZABLE) &&
	    qda_call_abandon(call)) {
		retain_and_null_ptr(call);
		return -EINTR;
	}
	ret = qda_call_answered(call);
	if (ret)
		return ret;
	qda_call_drop_handles(call);
	ret = qda_call_copy_out(call);
	return ret ? ret : qda_call_status(call);
}
