// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/qda-sim/<label>: by what the program that plays DSP gets messages, reaches
 * memory, and answers
 */

#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "qda_sim_priv.h"

/* Pages that one fault maps. */
#define QDA_SIM_FAULT_AROUND	16

#define QDA_SIM_OFFSET_SHIFT	40

static_assert(QDA_SIM_MMAP_OFFSET(1, 0) == 1ULL << QDA_SIM_OFFSET_SHIFT);

enum qda_sim_role {
	QDA_SIM_NONE,
	QDA_SIM_ROOT,
	QDA_SIM_PROCESS,
	QDA_SIM_DEAD,
};

/**
 * struct qda_sim_file - an open file
 * @dsp: the DSP
 * @role: what it is; the DSP's lock
 * @node: in the DSP's list of processes; the DSP's lock
 * @client_id: the session that a process serves
 * @sid: the stream id that a process reaches
 * @queue: messages to read; the DSP's lock
 * @queue_len: their number; the DSP's lock
 * @taken: messages that a process has read and not answered; the DSP's lock
 * @wait: readers
 */
struct qda_sim_file {
	struct qda_sim_dsp *dsp;
	enum qda_sim_role role;
	struct list_head node;
	s32 client_id;
	u32 sid;
	struct list_head queue;
	unsigned int queue_len;
	struct list_head taken;
	wait_queue_head_t wait;
};

/* What the simulator reads of a message: where it goes, and what answers it. */
static s32 qda_sim_msg_client(const void *data, u32 len)
{
	s32 client_id = 0;

	if (len >= sizeof(client_id))
		memcpy(&client_id, data, sizeof(client_id));
	return client_id;
}

#define QDA_SIM_REQUEST_CTX	8
#define QDA_SIM_REPLY_CTX	0

static bool qda_sim_msg_ctx(const u8 *data, u32 len, u32 offset, u64 *ctx)
{
	if (len < offset + sizeof(*ctx))
		return false;
	memcpy(ctx, data + offset, sizeof(*ctx));
	return true;
}

static struct qda_sim_file *qda_sim_receiver(struct qda_sim_dsp *dsp,
					     s32 client_id)
{
	struct qda_sim_file *file;

	lockdep_assert_held(&dsp->lock);
	if (client_id)
		list_for_each_entry(file, &dsp->files, node)
			if (file->client_id == client_id)
				return file;
	return dsp->root;
}

/**
 * qda_sim_deliver - take a message from the driver to whoever serves it
 * @dsp: the DSP
 * @data: the message
 * @len: its bytes
 * @gfp: how to allocate
 *
 * Return: 0, -EPIPE if the DSP is not there, -EMSGSIZE, or -ENOMEM, also if too many
 * messages wait.
 */
int qda_sim_deliver(struct qda_sim_dsp *dsp, const void *data, int len, gfp_t gfp)
{
	struct qda_sim_file *file;
	struct qda_sim_msg *msg;

	if (len <= 0 || len > QDA_SIM_MSG_MAX)
		return -EMSGSIZE;
	msg = kmalloc_flex(*msg, data, len, gfp);
	if (!msg)
		return -ENOMEM;
	msg->len = len;
	memcpy(msg->data, data, len);

	scoped_guard(spinlock_irqsave, &dsp->lock) {
		file = qda_sim_receiver(dsp, qda_sim_msg_client(data, len));
		if (!file || file->queue_len >= QDA_SIM_QUEUE_MAX)
			break;
		list_add_tail(&msg->node, &file->queue);
		file->queue_len++;
		wake_up(&file->wait);
		return 0;
	}
	kfree(msg);
	return file ? -ENOMEM : -EPIPE;
}

/* One message for the reader. Return: its length, 0 if there is none, or an error. */
static int qda_sim_take(struct qda_sim_file *file, u8 *data, size_t size)
{
	struct qda_sim_dsp *dsp = file->dsp;
	struct qda_sim_msg *msg;
	int len;

	guard(spinlock_irqsave)(&dsp->lock);
	if (file->role == QDA_SIM_DEAD)
		return -EPIPE;
	if (file->role == QDA_SIM_NONE)
		return -EINVAL;
	msg = list_first_entry_or_null(&file->queue, struct qda_sim_msg, node);
	if (!msg)
		return 0;
	if (msg->len > size)
		return -EMSGSIZE;
	len = msg->len;
	memcpy(data, msg->data, len);
	list_del(&msg->node);
	file->queue_len--;
	if (file->role == QDA_SIM_PROCESS)
		list_add_tail(&msg->node, &file->taken);
	else
		kfree(msg);
	return len;
}

static ssize_t qda_sim_read(struct file *filp, char __user *buf, size_t size,
			    loff_t *ppos)
{
	struct qda_sim_file *file = filp->private_data;
	u8 data[QDA_SIM_MSG_MAX];
	int len, err;

	len = qda_sim_take(file, data, size);
	if (!len) {
		if (filp->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible_exclusive(file->wait,
							 (len = qda_sim_take(file, data, size)));
		if (err)
			return err;
	}
	if (len < 0)
		return len;
	return copy_to_user(buf, data, len) ? -EFAULT : len;
}

/* A process has answered: forget the message. */
static void qda_sim_answered(struct qda_sim_file *file, const u8 *data, u32 len)
{
	struct qda_sim_msg *msg;
	u64 ctx, taken;

	lockdep_assert_held(&file->dsp->lock);
	if (!qda_sim_msg_ctx(data, len, QDA_SIM_REPLY_CTX, &ctx))
		return;
	list_for_each_entry(msg, &file->taken, node) {
		if (qda_sim_msg_ctx(msg->data, msg->len, QDA_SIM_REQUEST_CTX,
				    &taken) && taken == ctx) {
			list_del(&msg->node);
			kfree(msg);
			return;
		}
	}
}

static ssize_t qda_sim_write(struct file *filp, const char __user *buf,
			     size_t size, loff_t *ppos)
{
	struct qda_sim_file *file = filp->private_data;
	u8 data[QDA_SIM_MSG_MAX];
	int err;

	if (!size || size > sizeof(data))
		return -EMSGSIZE;
	if (copy_from_user(data, buf, size))
		return -EFAULT;
	scoped_guard(spinlock_irqsave, &file->dsp->lock) {
		if (file->role == QDA_SIM_DEAD)
			return -EPIPE;
		if (file->role == QDA_SIM_NONE)
			return -EINVAL;
		qda_sim_answered(file, data, size);
	}
	err = qda_sim_channel_receive(file->dsp, data, size);
	return err ?: size;
}

static __poll_t qda_sim_poll(struct file *filp, poll_table *wait)
{
	struct qda_sim_file *file = filp->private_data;
	__poll_t events = EPOLLOUT | EPOLLWRNORM;

	poll_wait(filp, &file->wait, wait);
	guard(spinlock_irqsave)(&file->dsp->lock);
	if (file->role == QDA_SIM_DEAD)
		return EPOLLERR | EPOLLHUP;
	if (!list_empty(&file->queue))
		events |= EPOLLIN | EPOLLRDNORM;
	return events;
}

/* An access that the IOMMU refuses. */
static vm_fault_t qda_sim_iommu_fault(struct qda_sim_dsp *dsp, u32 sid, u64 iova,
				      bool is_write)
{
	atomic64_inc(&dsp->faults);
	dev_warn_ratelimited(&dsp->dev, "IOMMU fault: sid %u %s 0x%llx\n", sid,
			     is_write ? "writes" : "reads", iova);
	return VM_FAULT_SIGBUS;
}

static void qda_sim_vma_address(struct vm_fault *vmf, u32 *sid, u64 *iova)
{
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;

	*sid = offset >> QDA_SIM_OFFSET_SHIFT;
	*iova = offset & (BIT_ULL(QDA_SIM_OFFSET_SHIFT) - 1);
}

static vm_fault_t qda_sim_vma_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct qda_sim_file *file = vma->vm_file->private_data;
	struct qda_sim_dsp *dsp = file->dsp;
	struct qda_sim_iommu *iommu = &dsp->sim->iommu;
	bool is_write = vmf->flags & FAULT_FLAG_WRITE, is_writable;
	unsigned long pfn, address = vmf->address;
	vm_fault_t ret;
	u32 sid;
	u64 iova;
	int i;

	qda_sim_vma_address(vmf, &sid, &iova);
	/* Until the page is in the process's page table it must not be unmapped. */
	guard(rwsem_read)(&iommu->lock);
	if (READ_ONCE(file->role) == QDA_SIM_DEAD)
		return VM_FAULT_SIGBUS;
	if (qda_sim_iommu_translate(iommu, QDA_SIM_STREAM(dsp->index, sid), iova,
				    is_write, &pfn, &is_writable))
		return qda_sim_iommu_fault(dsp, sid, iova, is_write);
	for (i = 0;;) {
		vm_flags_t flags = vma->vm_flags;

		if (!is_writable)
			flags &= ~VM_WRITE;
		ret = vmf_insert_pfn_prot(vma, address, pfn,
					  vm_get_page_prot(flags));
		if (ret != VM_FAULT_NOPAGE || ++i == QDA_SIM_FAULT_AROUND)
			break;
		/* The next pages, without faults if they are not there. */
		address += PAGE_SIZE;
		iova += PAGE_SIZE;
		if (address >= vma->vm_end ||
		    qda_sim_iommu_translate(iommu,
					    QDA_SIM_STREAM(dsp->index, sid),
					    iova, false, &pfn, &is_writable))
			break;
	}
	return i ? VM_FAULT_NOPAGE : ret;
}

/* A write where only reading is allowed. */
static vm_fault_t qda_sim_vma_mkwrite(struct vm_fault *vmf)
{
	struct qda_sim_file *file = vmf->vma->vm_file->private_data;
	u32 sid;
	u64 iova;

	qda_sim_vma_address(vmf, &sid, &iova);
	return qda_sim_iommu_fault(file->dsp, sid, iova, true);
}

static const struct vm_operations_struct qda_sim_vm_ops = {
	.fault = qda_sim_vma_fault,
	.pfn_mkwrite = qda_sim_vma_mkwrite,
};

static int qda_sim_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct qda_sim_file *file = filp->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 iova = offset & (BIT_ULL(QDA_SIM_OFFSET_SHIFT) - 1);
	u64 sid = offset >> QDA_SIM_OFFSET_SHIFT;

	if (!(vma->vm_flags & VM_SHARED) || sid > QDA_SIM_SID_MAX ||
	    iova + (vma->vm_end - vma->vm_start) > BIT_ULL(QDA_SIM_IOVA_BITS))
		return -EINVAL;
	scoped_guard(spinlock_irqsave, &file->dsp->lock) {
		if (file->role == QDA_SIM_DEAD)
			return -EPIPE;
		if (file->role == QDA_SIM_NONE)
			return -EINVAL;
		if (file->role == QDA_SIM_PROCESS && sid != file->sid)
			return -EACCES;
	}
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY);
	vma->vm_ops = &qda_sim_vm_ops;
	return 0;
}

/**
 * qda_sim_zap - take pages from all processes of a DSP
 * @dsp: the DSP
 * @sid: the stream id
 * @iova: where they start
 * @size: bytes
 *
 * The IOMMU's lock is held for writing.
 */
void qda_sim_zap(struct qda_sim_dsp *dsp, u32 sid, u64 iova, u64 size)
{
	if (dsp->inode)
		unmap_mapping_range(dsp->inode->i_mapping,
				    QDA_SIM_MMAP_OFFSET(sid, iova), size, 1);
}

/**
 * qda_sim_boot_work - the DSP has booted: have its channel
 * @work: the work of the DSP
 */
void qda_sim_boot_work(struct work_struct *work)
{
	struct qda_sim_dsp *dsp = container_of(work, struct qda_sim_dsp,
					       boot_work);
	struct qda_sim_channel *channel = qda_sim_channel_register(dsp);

	if (IS_ERR(channel))
		dev_err(&dsp->dev, "no channel: %pe\n", channel);
	else
		dsp->channel = channel;
}

/**
 * qda_sim_crash - end a DSP, if it is there, and its channel
 * @dsp: the DSP; its state lock is held
 */
void qda_sim_crash(struct qda_sim_dsp *dsp)
{
	struct qda_sim_file *file, *next;

	lockdep_assert_held(&dsp->state_lock);
	if (!dsp->root)
		return;
	/* It is gone at once: it takes, answers and writes nothing any more. */
	scoped_guard(rwsem_write, &dsp->sim->iommu.lock) {
		scoped_guard(spinlock_irqsave, &dsp->lock) {
			WRITE_ONCE(dsp->root->role, QDA_SIM_DEAD);
			wake_up_all(&dsp->root->wait);
			dsp->root = NULL;
			list_for_each_entry_safe(file, next, &dsp->files, node) {
				WRITE_ONCE(file->role, QDA_SIM_DEAD);
				wake_up_all(&file->wait);
				list_del_init(&file->node);
			}
		}
		if (dsp->inode)
			unmap_mapping_range(dsp->inode->i_mapping, 0, 0, 1);
	}

	cancel_work_sync(&dsp->boot_work);
	if (dsp->channel)
		qda_sim_channel_unregister(dsp->channel);
	dsp->channel = NULL;
}

static int qda_sim_boot(struct qda_sim_file *file)
{
	struct qda_sim_dsp *dsp = file->dsp;

	guard(mutex)(&dsp->state_lock);
	if (dsp->root)
		return -EBUSY;
	scoped_guard(spinlock_irqsave, &dsp->lock) {
		if (file->role != QDA_SIM_NONE)
			return file->role == QDA_SIM_DEAD ? -EPIPE : -EINVAL;
		WRITE_ONCE(file->role, QDA_SIM_ROOT);
		dsp->root = file;
	}
	queue_work(system_dfl_long_wq, &dsp->boot_work);
	return 0;
}

static int qda_sim_serve(struct qda_sim_file *file,
			 const struct qda_sim_serve __user *arg)
{
	struct qda_sim_dsp *dsp = file->dsp;
	struct qda_sim_serve serve;

	if (copy_from_user(&serve, arg, sizeof(serve)))
		return -EFAULT;
	if (!serve.client_id || serve.sid > QDA_SIM_SID_MAX)
		return -EINVAL;
	guard(spinlock_irqsave)(&dsp->lock);
	if (file->role != QDA_SIM_NONE)
		return file->role == QDA_SIM_DEAD ? -EPIPE : -EINVAL;
	if (!dsp->root)
		return -EPIPE;
	if (qda_sim_receiver(dsp, serve.client_id) != dsp->root)
		return -EBUSY;
	file->client_id = serve.client_id;
	file->sid = serve.sid;
	WRITE_ONCE(file->role, QDA_SIM_PROCESS);
	list_add(&file->node, &dsp->files);
	return 0;
}

static long qda_sim_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct qda_sim_file *file = filp->private_data;

	switch (cmd) {
	case QDA_SIM_IOC_BOOT:
		return qda_sim_boot(file);
	case QDA_SIM_IOC_SERVE:
		return qda_sim_serve(file, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static int qda_sim_open(struct inode *inode, struct file *filp)
{
	struct qda_sim_dsp *dsp = container_of(inode->i_cdev, struct qda_sim_dsp,
					       cdev);
	struct qda_sim_file *file = kzalloc_obj(*file);

	if (!file)
		return -ENOMEM;
	file->dsp = dsp;
	INIT_LIST_HEAD(&file->node);
	INIT_LIST_HEAD(&file->queue);
	INIT_LIST_HEAD(&file->taken);
	init_waitqueue_head(&file->wait);

	guard(mutex)(&dsp->state_lock);
	if (!dsp->open_count++) {
		ihold(inode);
		guard(rwsem_write)(&dsp->sim->iommu.lock);
		dsp->inode = inode;
	}
	filp->f_mapping = dsp->inode->i_mapping;
	filp->private_data = file;
	return stream_open(inode, filp);
}

static void qda_sim_free_list(struct list_head *list)
{
	struct qda_sim_msg *msg, *next;

	list_for_each_entry_safe(msg, next, list, node)
		kfree(msg);
}

static int qda_sim_release(struct inode *inode, struct file *filp)
{
	struct qda_sim_file *file = filp->private_data;
	struct qda_sim_dsp *dsp = file->dsp;
	struct inode *unused = NULL;

	guard(mutex)(&dsp->state_lock);
	if (dsp->root == file)
		qda_sim_crash(dsp);
	scoped_guard(spinlock_irqsave, &dsp->lock) {
		list_del_init(&file->node);
		if (file->role == QDA_SIM_PROCESS) {
			/* The root process has to answer for it. */
			list_splice_tail_init(&file->queue, &file->taken);
			dsp->root->queue_len += list_count_nodes(&file->taken);
			list_splice_tail_init(&file->taken, &dsp->root->queue);
			wake_up(&dsp->root->wait);
		}
	}
	qda_sim_free_list(&file->queue);
	qda_sim_free_list(&file->taken);
	kfree(file);

	if (!--dsp->open_count) {
		scoped_guard(rwsem_write, &dsp->sim->iommu.lock)
			swap(unused, dsp->inode);
		iput(unused);
	}
	return 0;
}

const struct file_operations qda_sim_fops = {
	.owner = THIS_MODULE,
	.open = qda_sim_open,
	.release = qda_sim_release,
	.read = qda_sim_read,
	.write = qda_sim_write,
	.poll = qda_sim_poll,
	.mmap = qda_sim_mmap,
	.unlocked_ioctl = qda_sim_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
