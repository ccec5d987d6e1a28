// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the arguments of a call are laid out for the DSP. The payload is
 *
 *	remote arguments	16 bytes each
 *	list of buffers		 8 bytes each
 *	pages			16 bytes each
 *	list of fds		16 * 8 bytes, written by the DSP
 *	list of CRCs		64 * 4 bytes
 *	poll word		 4 bytes
 *	copies of what is in user or kernel memory, each aligned to 128
 */
#include <kunit/visibility.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "qda_marshal.h"

static_assert(sizeof(struct qda_msg) == 40);
static_assert(sizeof(struct qda_reply) == 16);
static_assert(sizeof(union qda_remote_arg) == 16);
static_assert(sizeof(struct qda_buf_list) == 8);
static_assert(sizeof(struct qda_page) == 16);
static_assert(sizeof(struct qda_control_create) == 24);
static_assert(sizeof(struct qda_control_mmap) == 24);
static_assert(sizeof(struct qda_control_munmap) == 24);
static_assert(sizeof(struct qda_control_mem_map) == 32);
static_assert(sizeof(struct qda_control_mem_unmap) == 24);

/**
 * qda_marshal_meta_size() - bytes in front of the copies
 * @n: number of arguments
 *
 * Return: the bytes.
 */
size_t qda_marshal_meta_size(unsigned int n)
{
	return n * (sizeof(union qda_remote_arg) + sizeof(struct qda_buf_list) +
		    sizeof(struct qda_page)) +
	       QDA_FD_LIST * sizeof(__le64) + QDA_CRC_LIST * sizeof(__le32) + sizeof(__le32);
}
EXPORT_SYMBOL_IF_KUNIT(qda_marshal_meta_size);

/* By kind of memory, then by start, the longer one first. */
static int qda_marshal_compare(const void *a, const void *b, const void *priv)
{
	const struct qda_arg *args = priv;
	const struct qda_arg *x = &args[*(const u16 *)a], *y = &args[*(const u16 *)b];

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->ptr != y->ptr)
		return x->ptr < y->ptr ? -1 : 1;
	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	return 0;
}

/**
 * qda_marshal_layout() - place the copies in the payload
 * @args: the arguments; their offsets are written
 * @order: room for one number per buffer
 * @sc: scalars of the call
 * @size: out, bytes of the payload
 *
 * Arguments that overlap in memory share one copy.
 *
 * Return: 0, -EFAULT for a range that ends beyond the address space, -E2BIG for
 * more than QDA_PAYLOAD_MAX.
 */
int qda_marshal_layout(struct qda_arg *args, u16 *order, u32 sc, size_t *size)
{
	size_t total = qda_marshal_meta_size(qda_sc_args(sc));
	unsigned int bufs = qda_sc_bufs(sc), count = 0;
	u64 end, max_end = 0;

	for (unsigned int i = 0; i < bufs; i++) {
		if (!qda_arg_is_inline(&args[i]))
			continue;
		if (check_add_overflow(args[i].ptr, args[i].len, &end))
			return -EFAULT;
		if (args[i].len > QDA_PAYLOAD_MAX)
			return -E2BIG;
		order[count++] = i;
	}
	sort_r(order, count, sizeof(*order), qda_marshal_compare, NULL, args);

	for (unsigned int i = 0; i < count; i++) {
		struct qda_arg *arg = &args[order[i]];

		end = arg->ptr + arg->len;
		if (i == 0 || arg->kind != args[order[i - 1]].kind || arg->ptr >= max_end) {
			total = round_up(total, QDA_INLINE_ALIGN);
			arg->offset = total;
			total += arg->len;
			max_end = end;
		} else {
			/* total is where the copy of what is at max_end ends */
			arg->offset = total - (max_end - arg->ptr);
			if (end > max_end) {
				total += end - max_end;
				max_end = end;
			}
		}
		if (total > QDA_PAYLOAD_MAX)
			return -E2BIG;
	}
	*size = total;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(qda_marshal_layout);

/* The whole pages that a range touches. */
static struct qda_page qda_marshal_pages(u64 addr, u64 len)
{
	u64 first = round_down(addr, QDA_WIRE_PAGE);

	return (struct qda_page) {
		.addr = cpu_to_le64(first),
		.size = cpu_to_le64(round_up(addr + len, QDA_WIRE_PAGE) - first),
	};
}

/**
 * qda_marshal_meta() - write what is in front of the copies
 * @args: the arguments, with a layout
 * @sc: scalars of the call
 * @payload: where to
 * @addr: its DMA address
 */
void qda_marshal_meta(const struct qda_arg *args, u32 sc, void *payload, u64 addr)
{
	unsigned int n = qda_sc_args(sc);
	union qda_remote_arg *remote = payload;
	struct qda_buf_list *list = (void *)&remote[n];
	struct qda_page *pages = (void *)&list[n];

	memset(payload, 0, qda_marshal_meta_size(n));
	for (unsigned int i = 0; i < n; i++) {
		const struct qda_arg *arg = &args[i];

		list[i].pgidx = cpu_to_le32(i);
		if (!arg->len)
			continue;
		list[i].num = cpu_to_le32(1);
		if (arg->kind == QDA_ARG_HANDLE) {
			remote[i].dma.fd = cpu_to_le32(arg->fd);
			remote[i].dma.offset = cpu_to_le32(arg->ptr);
			remote[i].dma.len = cpu_to_le32(arg->len);
			pages[i].addr = cpu_to_le64(arg->addr);
			pages[i].size = cpu_to_le64(arg->size);
			continue;
		}
		remote[i].buf.len = cpu_to_le64(arg->len);
		if (arg->kind == QDA_ARG_MAPPED) {
			remote[i].buf.pv = cpu_to_le64(arg->pv);
			pages[i] = qda_marshal_pages(arg->addr, arg->len);
		} else {
			remote[i].buf.pv = cpu_to_le64(addr + arg->offset);
			pages[i] = qda_marshal_pages(addr + arg->offset, arg->len);
		}
	}
}
EXPORT_SYMBOL_IF_KUNIT(qda_marshal_meta);

/**
 * qda_marshal_fd_list() - the fds whose mappings the DSP gives back
 * @payload: payload of a call
 * @n: number of its arguments
 *
 * Return: QDA_FD_LIST numbers, ended by 0 if there are fewer.
 */
__le64 *qda_marshal_fd_list(void *payload, unsigned int n)
{
	return payload + n * (sizeof(union qda_remote_arg) + sizeof(struct qda_buf_list) +
			      sizeof(struct qda_page));
}
EXPORT_SYMBOL_IF_KUNIT(qda_marshal_fd_list);

/**
 * qda_marshal_next_id() - the next free id of a call
 * @ids: what is at each id, NULL if it is free
 * @last: the id that was given out last
 * @max: highest id to give out
 *
 * Ids go round, so that one is not used again soon.
 *
 * Return: an id from 1 to @max, or 0 if none is free.
 */
unsigned int qda_marshal_next_id(const void * const *ids, unsigned int last, unsigned int max)
{
	for (unsigned int i = 0; i < max; i++) {
		unsigned int id = (last + i) % max + 1;

		if (!ids[id])
			return id;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(qda_marshal_next_id);
