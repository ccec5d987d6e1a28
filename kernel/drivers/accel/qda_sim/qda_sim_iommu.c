// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOMMU of the simulated DSPs: one address space for each stream id
 *
 * A domain is a space of pages (qda_sim_space.c). Nothing walks it but the fault
 * handler of the character devices, by qda_sim_iommu_translate(); the page tables of
 * the processes that play DSP are its translation cache. So a flush is to take the pages from
 * those, which sleeps: other than with most IOMMUs, mappings must not be taken away
 * in atomic context.
 */

#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "qda_sim_priv.h"

#define QDA_SIM_IOVA_END	DMA_BIT_MASK(QDA_SIM_IOVA_BITS)

/**
 * struct qda_sim_domain - an address space
 * @domain: as the IOMMU subsystem knows it
 * @iommu: the IOMMU
 * @space: the pages
 * @banks: the banks that it is attached to; the IOMMU's lock
 */
struct qda_sim_domain {
	struct iommu_domain domain;
	struct qda_sim_iommu *iommu;
	struct qda_sim_space space;
	struct list_head banks;
};

/**
 * struct qda_sim_bank - a context bank: a stream id, and what it translates by
 * @stream: the stream id
 * @domain: its address space, or NULL if it is blocked; the IOMMU's lock
 * @node: in the list of the domain; the IOMMU's lock
 */
struct qda_sim_bank {
	u32 stream;
	struct qda_sim_domain *domain;
	struct list_head node;
};

static struct qda_sim_domain *to_qda_sim_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct qda_sim_domain, domain);
}

static struct qda_sim *iommu_to_sim(struct qda_sim_iommu *iommu)
{
	return container_of(iommu, struct qda_sim, iommu);
}

static struct qda_sim_iommu *dev_to_qda_sim_iommu(struct device *dev)
{
	struct iommu_device *iommu = dev->iommu->iommu_dev;

	return container_of(iommu, struct qda_sim_iommu, iommu);
}

/* Takes the pages from the processes that have them mapped. */
static void qda_sim_bank_zap(struct qda_sim_iommu *iommu,
			     struct qda_sim_bank *bank, u64 iova, u64 size)
{
	struct qda_sim *sim = iommu_to_sim(iommu);
	u32 index = bank->stream >> 8;

	lockdep_assert_held_write(&iommu->lock);
	if (index < QDA_SIM_DSPS && sim->dsps[index])
		qda_sim_zap(sim->dsps[index], bank->stream & QDA_SIM_SID_MAX,
			    iova, size);
}

/* The bank gets another address space, or none. */
static void qda_sim_bank_attach(struct qda_sim_iommu *iommu,
				struct qda_sim_bank *bank,
				struct qda_sim_domain *domain)
{
	guard(rwsem_write)(&iommu->lock);
	if (bank->domain)
		list_del(&bank->node);
	bank->domain = domain;
	if (domain)
		list_add(&bank->node, &domain->banks);
	qda_sim_bank_zap(iommu, bank, 0, QDA_SIM_IOVA_END + 1);
}

static int qda_sim_attach_dev(struct iommu_domain *domain, struct device *dev,
			      struct iommu_domain *old)
{
	struct qda_sim_iommu *iommu = dev_to_qda_sim_iommu(dev);
	struct qda_sim_domain *sim_domain = to_qda_sim_domain(domain);

	if (sim_domain->iommu != iommu)
		return -EINVAL;
	qda_sim_bank_attach(iommu, dev_iommu_priv_get(dev), sim_domain);
	return 0;
}

static int qda_sim_attach_dev_blocked(struct iommu_domain *domain,
				      struct device *dev,
				      struct iommu_domain *old)
{
	qda_sim_bank_attach(dev_to_qda_sim_iommu(dev), dev_iommu_priv_get(dev),
			    NULL);
	return 0;
}

static struct iommu_domain qda_sim_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &(const struct iommu_domain_ops) {
		.attach_dev = qda_sim_attach_dev_blocked,
	},
};

static int qda_sim_map_pages(struct iommu_domain *domain, unsigned long iova,
			     phys_addr_t paddr, size_t pgsize, size_t pgcount,
			     int prot, gfp_t gfp, size_t *mapped)
{
	return qda_sim_space_map(&to_qda_sim_domain(domain)->space, iova, paddr,
				 pgcount, prot & IOMMU_WRITE, gfp, mapped);
}

static size_t qda_sim_unmap_pages(struct iommu_domain *domain,
				  unsigned long iova, size_t pgsize,
				  size_t pgcount,
				  struct iommu_iotlb_gather *gather)
{
	size_t size = qda_sim_space_unmap(&to_qda_sim_domain(domain)->space,
					  iova, pgcount);

	if (size)
		iommu_iotlb_gather_add_range(gather, iova, size);
	return size;
}

static void qda_sim_flush(struct qda_sim_domain *domain, u64 iova, u64 size)
{
	struct qda_sim_bank *bank;

	guard(rwsem_write)(&domain->iommu->lock);
	list_for_each_entry(bank, &domain->banks, node)
		qda_sim_bank_zap(domain->iommu, bank, iova, size);
}

static void qda_sim_iotlb_sync(struct iommu_domain *domain,
			       struct iommu_iotlb_gather *gather)
{
	if (gather->start <= gather->end)
		qda_sim_flush(to_qda_sim_domain(domain), gather->start,
			      gather->end - gather->start + 1);
}

static void qda_sim_flush_iotlb_all(struct iommu_domain *domain)
{
	qda_sim_flush(to_qda_sim_domain(domain), 0, QDA_SIM_IOVA_END + 1);
}

static phys_addr_t qda_sim_iova_to_phys(struct iommu_domain *domain,
					dma_addr_t iova)
{
	unsigned long pfn;
	bool is_writable;

	if (qda_sim_space_find(&to_qda_sim_domain(domain)->space, iova, false,
			       &pfn, &is_writable))
		return 0;
	return PFN_PHYS(pfn) | offset_in_page(iova);
}

static void qda_sim_domain_free(struct iommu_domain *domain)
{
	struct qda_sim_domain *sim_domain = to_qda_sim_domain(domain);

	qda_sim_space_destroy(&sim_domain->space);
	kfree(sim_domain);
}

static struct iommu_domain *qda_sim_domain_alloc_paging(struct device *dev)
{
	struct qda_sim_domain *domain = kzalloc_obj(*domain);

	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->iommu = dev_to_qda_sim_iommu(dev);
	qda_sim_space_init(&domain->space);
	INIT_LIST_HEAD(&domain->banks);
	domain->domain.pgsize_bitmap = PAGE_SIZE;
	domain->domain.geometry.aperture_end = QDA_SIM_IOVA_END;
	domain->domain.geometry.force_aperture = true;
	return &domain->domain;
}

static bool qda_sim_capable(struct device *dev, enum iommu_cap cap)
{
	return cap == IOMMU_CAP_CACHE_COHERENCY;
}

static int qda_sim_of_xlate(struct device *dev,
			    const struct of_phandle_args *args)
{
	if (args->args_count != 1)
		return -EINVAL;
	return iommu_fwspec_add_ids(dev, args->args, 1);
}

static struct iommu_device *qda_sim_probe_device(struct device *dev)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(dev);
	struct device *hwdev = bus_find_device_by_fwnode(&platform_bus_type,
							 fwspec->iommu_fwnode);
	struct qda_sim *sim = hwdev ? dev_get_drvdata(hwdev) : NULL;
	struct qda_sim_bank *bank;
	int err;

	put_device(hwdev);
	if (!sim || fwspec->num_ids != 1)
		return ERR_PTR(-ENODEV);
	bank = kzalloc_obj(*bank);
	if (!bank)
		return ERR_PTR(-ENOMEM);
	bank->stream = fwspec->ids[0];
	/* A stream id belongs to one device. */
	err = xa_insert(&sim->iommu.banks, bank->stream, bank, GFP_KERNEL);
	if (err) {
		kfree(bank);
		return ERR_PTR(err);
	}
	dev_iommu_priv_set(dev, bank);
	return &sim->iommu.iommu;
}

static void qda_sim_release_device(struct device *dev)
{
	struct qda_sim_iommu *iommu = dev_to_qda_sim_iommu(dev);
	struct qda_sim_bank *bank = dev_iommu_priv_get(dev);

	qda_sim_bank_attach(iommu, bank, NULL);
	scoped_guard(rwsem_write, &iommu->lock)
		xa_erase(&iommu->banks, bank->stream);
	kfree(bank);
}

static const struct iommu_ops qda_sim_iommu_ops = {
	.capable = qda_sim_capable,
	.of_xlate = qda_sim_of_xlate,
	.probe_device = qda_sim_probe_device,
	.release_device = qda_sim_release_device,
	.device_group = generic_device_group,
	.domain_alloc_paging = qda_sim_domain_alloc_paging,
	.blocked_domain = &qda_sim_blocked_domain,
	.owner = THIS_MODULE,
	.default_domain_ops = &(const struct iommu_domain_ops) {
		.attach_dev = qda_sim_attach_dev,
		.map_pages = qda_sim_map_pages,
		.unmap_pages = qda_sim_unmap_pages,
		.iotlb_sync = qda_sim_iotlb_sync,
		.flush_iotlb_all = qda_sim_flush_iotlb_all,
		.iova_to_phys = qda_sim_iova_to_phys,
		.free = qda_sim_domain_free,
	},
};

/**
 * qda_sim_iommu_translate - find the page that a stream id has at an address
 * @iommu: the IOMMU; its lock is held
 * @stream: the stream id
 * @iova: the I/O virtual address
 * @is_write: whether it is to be written
 * @pfn: returns the page frame number
 * @is_writable: returns whether writing is allowed
 *
 * Return: 0, or -EFAULT if there is no such page, or it must not be written.
 */
int qda_sim_iommu_translate(struct qda_sim_iommu *iommu, u32 stream,
			    dma_addr_t iova, bool is_write, unsigned long *pfn,
			    bool *is_writable)
{
	struct qda_sim_bank *bank;

	lockdep_assert_held(&iommu->lock);
	bank = xa_load(&iommu->banks, stream);
	if (!bank || !bank->domain)
		return -EFAULT;
	return qda_sim_space_find(&bank->domain->space, iova, is_write, pfn,
				  is_writable);
}

/**
 * qda_sim_iommu_register - have the IOMMU
 * @sim: the simulator, whose device's node the context banks name
 *
 * Return: 0 or a negative error code.
 */
int qda_sim_iommu_register(struct qda_sim *sim)
{
	struct qda_sim_iommu *iommu = &sim->iommu;
	int err;

	init_rwsem(&iommu->lock);
	xa_init(&iommu->banks);
	err = iommu_device_sysfs_add(&iommu->iommu, sim->dev, NULL, "%s",
				     dev_name(sim->dev));
	if (err)
		return err;
	err = iommu_device_register(&iommu->iommu, &qda_sim_iommu_ops, sim->dev);
	if (err)
		iommu_device_sysfs_remove(&iommu->iommu);
	return err;
}

/**
 * qda_sim_iommu_unregister - take the IOMMU away; no device is behind it any more
 * @sim: the simulator
 */
void qda_sim_iommu_unregister(struct qda_sim *sim)
{
	iommu_device_unregister(&sim->iommu.iommu);
	iommu_device_sysfs_remove(&sim->iommu.iommu);
	xa_destroy(&sim->iommu.banks);
}
