/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the simulated DSPs share.
 */
#ifndef __QDA_SIM_PRIV_H__
#define __QDA_SIM_PRIV_H__

#include <linux/atomic.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <uapi/linux/qda_sim.h>

struct inode;
struct qda_sim_channel;
struct qda_sim_file;
struct rpmsg_endpoint;

#define QDA_SIM_DSPS		8	/* minor numbers */
#define QDA_SIM_QUEUE_MAX	1024	/* messages that wait in one queue */

/* The IOMMU's stream ids: the DSP's number, then the DSP's own stream id. */
#define QDA_SIM_STREAM(dsp, sid)	(((dsp) << 8) | (sid))

/**
 * struct qda_sim_space - an address space
 * @pages: page frame numbers by that of the I/O virtual address, each with whether
 *	writing is allowed
 */
struct qda_sim_space {
	struct xarray pages;
};

/**
 * struct qda_sim_iommu - an IOMMU with one address space for each stream id
 * @iommu: as the IOMMU subsystem knows it
 * @lock: held for writing where a mapping goes or a bank changes its domain, until
 *	no page table of a process has the pages; for reading where one gets a page
 * @banks: struct qda_sim_bank by stream id
 */
struct qda_sim_iommu {
	struct iommu_device iommu;
	struct rw_semaphore lock;
	struct xarray banks;
};

/**
 * struct qda_sim_msg - a message that waits for, or was taken by, the DSP
 * @node: in a queue
 * @len: bytes of @data
 * @data: as it was sent
 */
struct qda_sim_msg {
	struct list_head node;
	u32 len;
	u8 data[] __counted_by(len);
};

/**
 * struct qda_sim_dsp - a simulated DSP
 * @dev: in the class; its release frees this
 * @cdev: the character device
 * @sim: what it belongs to
 * @np: its device-tree node
 * @label: its name there
 * @index: its number, with which its stream ids begin
 * @state_lock: serializes open, boot and crash
 * @boot_work: registers the rpmsg device, away from the root process, which has to
 *	answer what the driver sends while it probes
 * @channel: the rpmsg device, while it is registered; @state_lock, or @boot_work
 * @inode: whose page cache all files map, so that one call finds all mappings; while
 *	any is open. Changed under @state_lock and the IOMMU's lock
 * @open_count: open files; @state_lock
 * @lock: of the queues, of @root, @files and the roles of files
 * @root: the file of the root process
 * @files: files that serve a session
 * @recv_lock: of @ept; held while the driver's callback runs, whose context is atomic
 *	as it is with real transports
 * @ept: the endpoint of the driver that is bound, or NULL
 * @compatible: what changes the node's compatible; @state_lock
 * @has_compatible: whether it is applied; @state_lock
 * @faults: accesses that the IOMMU refused
 */
struct qda_sim_dsp {
	struct device dev;
	struct cdev cdev;
	struct qda_sim *sim;
	struct device_node *np;
	const char *label;
	unsigned int index;

	/* Open, boot, crash. */
	struct mutex state_lock;
	struct work_struct boot_work;
	struct qda_sim_channel *channel;
	struct inode *inode;
	unsigned int open_count;

	/* Queues and roles. */
	spinlock_t lock;
	struct qda_sim_file *root;
	struct list_head files;

	/* The driver's callback. */
	spinlock_t recv_lock;
	struct rpmsg_endpoint *ept;

	struct of_changeset compatible;
	bool has_compatible;

	atomic64_t faults;
};

/**
 * struct qda_sim - all of the simulator
 * @dev: the platform device
 * @iommu: the IOMMU
 * @dsps: the DSPs, by their numbers
 */
struct qda_sim {
	struct device *dev;
	struct qda_sim_iommu iommu;
	struct qda_sim_dsp *dsps[QDA_SIM_DSPS];
};

static inline struct qda_sim_dsp *to_qda_sim_dsp(struct device *dev)
{
	return container_of(dev, struct qda_sim_dsp, dev);
}

/* qda_sim_space.c */
void qda_sim_space_init(struct qda_sim_space *space);
void qda_sim_space_destroy(struct qda_sim_space *space);
int qda_sim_space_map(struct qda_sim_space *space, u64 iova, phys_addr_t paddr,
		      size_t count, bool is_writable, gfp_t gfp, size_t *mapped);
size_t qda_sim_space_unmap(struct qda_sim_space *space, u64 iova, size_t count);
int qda_sim_space_find(struct qda_sim_space *space, u64 iova, bool is_write,
		       unsigned long *pfn, bool *is_writable);

/* qda_sim_iommu.c */
int qda_sim_iommu_register(struct qda_sim *sim);
void qda_sim_iommu_unregister(struct qda_sim *sim);
int qda_sim_iommu_translate(struct qda_sim_iommu *iommu, u32 stream,
			    dma_addr_t iova, bool is_write, unsigned long *pfn,
			    bool *is_writable);

/* qda_sim_rpmsg.c */
struct qda_sim_channel *qda_sim_channel_register(struct qda_sim_dsp *dsp);
void qda_sim_channel_unregister(struct qda_sim_channel *channel);
int qda_sim_channel_receive(struct qda_sim_dsp *dsp, void *data, int len);

/* qda_sim_cdev.c */
extern const struct file_operations qda_sim_fops;
int qda_sim_deliver(struct qda_sim_dsp *dsp, const void *data, int len, gfp_t gfp);
void qda_sim_zap(struct qda_sim_dsp *dsp, u32 sid, u64 iova, u64 size);
void qda_sim_crash(struct qda_sim_dsp *dsp);
void qda_sim_boot_work(struct work_struct *work);

#endif
