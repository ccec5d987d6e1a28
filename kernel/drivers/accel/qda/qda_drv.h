/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The objects of the QDA driver.
 *
 * Lifetimes: a &struct qda_device is that of its &drm_device. A &struct
 * qda_session belongs to an open file; whatever can make the DSP reach memory of
 * the session, a call or a mapping, holds a reference to it. The context banks
 * go when the DSP does; until then all mappings in them are undone.
 *
 * Locks, outer first: &qda_device.lock, &qda_session.lock, &qda_device.call_lock.
 * None of them is held while user memory is touched or the DSP is waited for.
 * What uses a context bank or the rpmsg channel is inside drm_dev_enter().
 */
#ifndef __QDA_DRV_H__
#define __QDA_DRV_H__

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>
#include <drm/drm_gem.h>
#include <drm/qda_accel.h>

#include "qda_marshal.h"

struct dma_buf;
struct dma_buf_attachment;
struct rpmsg_device;
struct sg_table;

#define QDA_FILE_MAX		SZ_4M
#define QDA_INIT_MEM_MIN	SZ_2M
#define QDA_CONTROL_TIMEOUT	(10 * HZ)
/* The last id is kept for ends of processes, which no call that hangs may hold up. */
#define QDA_COMMON_IDS		(QDA_CTX_IDS - 2)
/* Calls that a session may have on their way whatever others do, and control messages. */
#define QDA_OWN_CALLS		16
#define QDA_OWN_CONTROLS	1

/**
 * struct qda_soc - what differs between SoCs
 * @sid_shift: where the stream id is in an address that the DSP is given
 * @dma_bits: bits of an address without it
 * @dma_bits_cdsp: the same for compute DSPs
 */
struct qda_soc {
	unsigned int sid_shift;
	unsigned int dma_bits;
	unsigned int dma_bits_cdsp;
};

/**
 * struct qda_cb - a context bank: an address space of the DSP behind an IOMMU
 * @dev: device on the compute bus
 * @dma_mask: its mask
 * @dma_parms: its limits on segments
 * @sid: stream id that the DSP puts in front of its accesses
 * @session: who has it, or NULL; under &qda_device.lock
 */
struct qda_cb {
	struct device dev;
	u64 dma_mask;
	struct device_dma_parameters dma_parms;
	u32 sid;
	struct qda_session *session;
};

/**
 * struct qda_device - a DSP
 * @drm: the device that programs open
 * @rpdev: channel to the DSP
 * @soc: what it is like
 * @name: label of the DSP
 * @lock: protects @sessions, @orphans, @cbs and who has which
 * @sessions: all sessions
 * @orphans: those whose process did not confirm its end; each is a reference
 * @cbs: context banks; none once the DSP has gone
 * @n_cbs: number of them
 * @call_lock: protects what follows
 * @calls: what is on its way, by id
 * @own_calls: how many calls each session may have on their way in any case
 * @n_shared: how many ids sessions have beyond what they may in any case
 * @max_shared: how many they may have
 * @last_id: id that was given out last
 * @sequence: number of the last call
 * @gone: the DSP has gone
 * @id_wait: where the kernel waits for an id
 * @wq: ends calls that nobody waits for
 */
struct qda_device {
	struct drm_device drm;
	struct rpmsg_device *rpdev;
	const struct qda_soc *soc;
	char name[sizeof_field(struct drm_qda_query, dsp_name)];

	struct mutex lock;	/* who has which context bank */
	struct list_head sessions;
	struct list_head orphans;
	struct qda_cb **cbs;
	unsigned int n_cbs;

	spinlock_t call_lock;	/* calls on their way */
	struct qda_call *calls[QDA_CTX_IDS];
	unsigned int own_calls;
	unsigned int n_shared;
	unsigned int max_shared;
	unsigned int last_id;
	u64 sequence;
	bool gone;
	wait_queue_head_t id_wait;
	struct workqueue_struct *wq;
};

#define to_qda_device(drm_dev) container_of(drm_dev, struct qda_device, drm)

/**
 * enum qda_process - the session's process on the DSP
 * @QDA_PROCESS_NONE: there is none
 * @QDA_PROCESS_CREATING: a thread is starting it
 * @QDA_PROCESS_RUNS: it can be called
 * @QDA_PROCESS_UNKNOWN: whether it was started is not known
 * @QDA_PROCESS_ENDED: the file is closed and it was released
 */
enum qda_process {
	QDA_PROCESS_NONE,
	QDA_PROCESS_CREATING,
	QDA_PROCESS_RUNS,
	QDA_PROCESS_UNKNOWN,
	QDA_PROCESS_ENDED,
};

#define QDA_PAYLOAD_ORDERS	10

/**
 * struct qda_session - an open file and its process on the DSP
 * @ref: references
 * @qdev: the DSP
 * @node: in &qda_device.sessions
 * @cb: context bank, or NULL before the first use; valid inside drm_dev_enter()
 * @sid: stream id of the bank, where it belongs in an address
 * @client_id: number of the session on the wire
 * @pd: protection domain, of every message
 * @n_calls: calls that are on their way; under &qda_device.call_lock
 * @n_controls: control messages that are, but for the end; likewise
 * @lock: protects what follows
 * @process: state of the process
 * @init_mem: the memory it was started with
 * @maps: all mappings in the bank
 * @by_key: those of buffers, by what they map
 * @remote_maps: what programs mapped into the process
 * @handles: buffers that were handle arguments, until the DSP gives them back
 * @kept: mappings that an orphan keeps
 * @release: the message that ends the process, made before there is one
 * @released_id: its argument
 * @orphan: in &qda_device.orphans
 * @end_confirmed: the answer came late; under &qda_device.lock
 * @idle_lock: protects what follows
 * @idle: payloads for calls to come, by order
 * @n_idle: how many
 * @drained: no more are kept
 */
struct qda_session {
	struct kref ref;
	struct qda_device *qdev;
	struct list_head node;
	struct qda_cb *cb;
	u64 sid;
	unsigned int client_id;
	enum qda_pd pd;
	unsigned int n_calls;
	unsigned int n_controls;

	struct mutex lock;	/* the process and its mappings */
	enum qda_process process;
	struct qda_map *init_mem;
	struct list_head maps;
	DECLARE_HASHTABLE(by_key, 6);
	struct list_head remote_maps;
	struct list_head handles;
	struct list_head kept;
	struct qda_call *release;
	__le32 released_id;
	struct list_head orphan;
	bool end_confirmed;

	spinlock_t idle_lock;	/* payloads that are kept */
	struct list_head idle[QDA_PAYLOAD_ORDERS];
	unsigned int n_idle[QDA_PAYLOAD_ORDERS];
	bool drained;
};

/**
 * struct qda_map - memory that a session's context bank reaches
 * @ref: references
 * @session: whose bank
 * @node: in &qda_session.maps, or empty once the mapping is undone
 * @hash: in &qda_session.by_key
 * @key: what is mapped: the object, or the DMA-BUF of another exporter
 * @obj: object of this device, or NULL
 * @dmabuf: DMA-BUF of another exporter, or NULL
 * @attach: attachment to it
 * @sgt: its pages
 * @vaddr: memory of the kernel's own, or NULL
 * @idle: in &qda_session.idle, or in &qda_session.kept
 * @addr: address for the DSP, with the stream id
 * @size: bytes
 */
struct qda_map {
	struct kref ref;
	struct qda_session *session;
	struct list_head node;
	struct hlist_node hash;
	void *key;
	struct drm_gem_object *obj;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	void *vaddr;
	struct list_head idle;
	u64 addr;
	size_t size;
};

/* qda_drv.c */
extern const struct drm_driver qda_drm_driver;
struct qda_session *qda_session_get(struct qda_session *session);
void qda_session_put(struct qda_session *session);

/* qda_ioctl.c */
int qda_ioctl_query(struct drm_device *drm, void *data, struct drm_file *file);
int qda_ioctl_gem_create(struct drm_device *drm, void *data, struct drm_file *file);
int qda_ioctl_gem_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file);
int qda_ioctl_session_create(struct drm_device *drm, void *data, struct drm_file *file);
int qda_ioctl_map(struct drm_device *drm, void *data, struct drm_file *file);
int qda_ioctl_munmap(struct drm_device *drm, void *data, struct drm_file *file);
int qda_ioctl_invoke(struct drm_device *drm, void *data, struct drm_file *file);

/* qda_cb.c */
int qda_cb_populate(struct qda_device *qdev);
void qda_cb_depopulate(struct qda_device *qdev);

/* qda_gem.c */
struct drm_gem_object *qda_gem_create_object(struct drm_device *drm, size_t size);
int qda_gem_create(struct qda_session *session, struct drm_file *file, u64 size, u32 *handle);

/* qda_prime.c */
void *qda_prime_key(struct qda_device *qdev, struct dma_buf *dmabuf);
int qda_prime_offset(struct qda_device *qdev, struct dma_buf *dmabuf, u64 ptr, u64 *offset);

/* qda_memory_manager.c */
int qda_mm_assign_cb(struct qda_session *session);
void qda_mm_release_cb(struct qda_session *session);
void qda_mm_revoke(struct qda_device *qdev);
struct qda_map *qda_map_object(struct qda_session *session, struct drm_gem_object *obj);
struct qda_map *qda_map_dmabuf(struct qda_session *session, struct dma_buf *dmabuf);
struct qda_map *qda_map_kernel(struct qda_session *session, size_t size);
struct qda_map *qda_map_find(struct qda_session *session, void *key);
void qda_map_put(struct qda_map *map);
bool qda_map_contains(const struct qda_map *map, u64 offset, u64 size);
struct qda_map *qda_payload_get(struct qda_session *session, size_t size);
void qda_payload_put(struct qda_map *map);
void qda_payload_drain(struct qda_session *session);

/* qda_memory_dma.c */
int qda_dma_map_pages(struct qda_map *map);
int qda_dma_map_attachment(struct qda_map *map);
void qda_dma_unmap(struct qda_map *map);
void qda_dma_for_device(struct qda_map *map);
void qda_dma_for_cpu(struct qda_map *map);
#if IS_ENABLED(CONFIG_KUNIT)
int qda_dma_range(struct sg_table *sgt, size_t size, dma_addr_t *addr);
#endif

/* qda_fastrpc.c */
void qda_fastrpc_reply(struct qda_device *qdev, const void *data, size_t len);
void qda_fastrpc_abort(struct qda_device *qdev);
void qda_fastrpc_share_ids(struct qda_device *qdev);
int qda_fastrpc_invoke(struct qda_session *session, struct drm_file *file,
		       const struct drm_qda_invoke_args *invoke);
int qda_fastrpc_create(struct qda_session *session, const struct drm_qda_init_create *create);
int qda_fastrpc_map(struct qda_session *session, struct drm_qda_mem_map *map);
int qda_fastrpc_munmap(struct qda_session *session, const struct drm_qda_mem_unmap *unmap);
void qda_fastrpc_release(struct qda_session *session);
void qda_fastrpc_forget_orphans(struct qda_device *qdev);

/* qda_rpmsg.c */
int qda_rpmsg_send(struct qda_device *qdev, const struct qda_msg *msg);

#endif
