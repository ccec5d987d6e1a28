// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address space of a context bank: which page is at an I/O virtual address
 */

#include <kunit/visibility.h>
#include <linux/bits.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/xarray.h>

#include "qda_sim_priv.h"

/* An entry: the page frame number, and whether it may be written. */
#define QDA_SIM_PAGE_WRITE	BIT(0)
#define QDA_SIM_PAGE_SHIFT	1

/**
 * qda_sim_space_init - have an empty address space
 * @space: the address space
 */
void qda_sim_space_init(struct qda_sim_space *space)
{
	xa_init(&space->pages);
}
EXPORT_SYMBOL_IF_KUNIT(qda_sim_space_init);

/**
 * qda_sim_space_destroy - forget all pages
 * @space: the address space
 */
void qda_sim_space_destroy(struct qda_sim_space *space)
{
	xa_destroy(&space->pages);
}
EXPORT_SYMBOL_IF_KUNIT(qda_sim_space_destroy);

/**
 * qda_sim_space_map - add pages
 * @space: the address space
 * @iova: where the first is to be
 * @paddr: where it is in physical memory, before the others
 * @count: their number
 * @is_writable: whether they may be written
 * @gfp: how to allocate
 * @mapped: is added the bytes that were mapped, also in case of an error
 *
 * Return: 0, -ENOMEM, or -EEXIST if there is a page already.
 */
int qda_sim_space_map(struct qda_sim_space *space, u64 iova, phys_addr_t paddr,
		      size_t count, bool is_writable, gfp_t gfp, size_t *mapped)
{
	unsigned long pfn = paddr >> PAGE_SHIFT;
	unsigned long first = iova >> PAGE_SHIFT;
	size_t i;
	int err;

	for (i = 0; i < count; i++) {
		unsigned long entry = (pfn + i) << QDA_SIM_PAGE_SHIFT;

		if (is_writable)
			entry |= QDA_SIM_PAGE_WRITE;
		err = xa_insert(&space->pages, first + i, xa_mk_value(entry), gfp);
		if (err)
			return err == -EBUSY ? -EEXIST : err;
		*mapped += PAGE_SIZE;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(qda_sim_space_map);

/**
 * qda_sim_space_unmap - remove pages
 * @space: the address space
 * @iova: where the first is
 * @count: their number
 *
 * Return: the bytes that were unmapped, fewer if a page is not there.
 */
size_t qda_sim_space_unmap(struct qda_sim_space *space, u64 iova, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!xa_erase(&space->pages, (iova >> PAGE_SHIFT) + i))
			break;
	return i << PAGE_SHIFT;
}
EXPORT_SYMBOL_IF_KUNIT(qda_sim_space_unmap);

/**
 * qda_sim_space_find - find a page
 * @space: the address space
 * @iova: an address in it
 * @is_write: whether it is to be written
 * @pfn: returns its page frame number
 * @is_writable: returns whether it may be written
 *
 * Return: 0, or -EFAULT if there is no such page, or it must not be written.
 */
int qda_sim_space_find(struct qda_sim_space *space, u64 iova, bool is_write,
		       unsigned long *pfn, bool *is_writable)
{
	void *entry = xa_load(&space->pages, iova >> PAGE_SHIFT);
	unsigned long value;

	if (!entry)
		return -EFAULT;
	value = xa_to_value(entry);
	if (is_write && !(value & QDA_SIM_PAGE_WRITE))
		return -EFAULT;
	*pfn = value >> QDA_SIM_PAGE_SHIFT;
	*is_writable = value & QDA_SIM_PAGE_WRITE;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(qda_sim_space_find);
