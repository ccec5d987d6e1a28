/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FastRPC as it is on the wire, and how the arguments of a call are laid out
 * for the DSP. Pure code: no device, no allocation, no user memory.
 */
#ifndef __QDA_MARSHAL_H__
#define __QDA_MARSHAL_H__

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/types.h>

/* The scalars of a call: what is called with how many arguments of each kind. */
#define QDA_SC_METHOD		GENMASK(28, 24)
#define QDA_SC_INBUFS		GENMASK(23, 16)
#define QDA_SC_OUTBUFS		GENMASK(15, 8)
#define QDA_SC_INHANDLES	GENMASK(7, 4)
#define QDA_SC_OUTHANDLES	GENMASK(3, 0)

static inline u32 qda_sc(u32 method, u32 in, u32 out)
{
	return FIELD_PREP(QDA_SC_METHOD, method) | FIELD_PREP(QDA_SC_INBUFS, in) |
	       FIELD_PREP(QDA_SC_OUTBUFS, out);
}

static inline unsigned int qda_sc_inbufs(u32 sc)
{
	return FIELD_GET(QDA_SC_INBUFS, sc);
}

static inline unsigned int qda_sc_bufs(u32 sc)
{
	return FIELD_GET(QDA_SC_INBUFS, sc) + FIELD_GET(QDA_SC_OUTBUFS, sc);
}

static inline unsigned int qda_sc_args(u32 sc)
{
	return qda_sc_bufs(sc) + FIELD_GET(QDA_SC_INHANDLES, sc) +
	       FIELD_GET(QDA_SC_OUTHANDLES, sc);
}

/* Remote handles that the driver knows, and the methods of the first. */
#define QDA_HANDLE_CONTROL	1

enum qda_control_method {
	/* 0 attaches to a protection domain that runs, 8 starts a static one */
	QDA_CONTROL_RELEASE = 1,
	QDA_CONTROL_MMAP = 4,
	QDA_CONTROL_MUNMAP = 5,
	QDA_CONTROL_CREATE = 6,
	QDA_CONTROL_CREATE_ATTR = 7,
	QDA_CONTROL_MEM_MAP = 10,
	QDA_CONTROL_MEM_UNMAP = 11,
};

/* Protection domains; a message travels in that of its session. */
enum qda_pd {
	QDA_PD_ROOT = 0,
	QDA_PD_USER = 1,
	QDA_PD_SENSORS = 2,
};

/*
 * The context of a message. The DSP chooses a queue by the PD, keeps eight bits
 * of the id, and answers with the value that it was given.
 */
#define QDA_CTX_PD		GENMASK_ULL(3, 0)
#define QDA_CTX_ID		GENMASK_ULL(15, 8)
#define QDA_CTX_SEQUENCE	GENMASK_ULL(63, 16)
#define QDA_CTX_IDS		256

static inline u64 qda_ctx(enum qda_pd pd, unsigned int id, u64 sequence)
{
	return FIELD_PREP(QDA_CTX_PD, pd) | FIELD_PREP(QDA_CTX_ID, id) |
	       FIELD_PREP(QDA_CTX_SEQUENCE, sequence & FIELD_MAX(QDA_CTX_SEQUENCE));
}

/* A call, one message. */
struct qda_msg {
	__le32 client_id;	/* 0 if the kernel is the caller */
	__le32 tid;
	__le64 ctx;
	__le32 handle;
	__le32 sc;
	__le64 addr;		/* of the payload */
	__le64 size;		/* whole pages */
};

/* The answer, one message; the DSP may leave out the padding. */
struct qda_reply {
	__le64 ctx;
	__le32 retval;
	__le32 pad;
};

union qda_remote_arg {
	struct {
		__le64 pv;	/* the DSP reads the offset into the first page */
		__le64 len;
	} buf;
	struct {
		__le32 fd;
		__le32 offset;
		__le32 len;
		__le32 pad;
	} dma;
};

struct qda_buf_list {
	__le32 num;		/* of regions: 0 or 1 */
	__le32 pgidx;
};

struct qda_page {
	__le64 addr;
	__le64 size;
};

#define QDA_WIRE_PAGE		4096	/* whatever the kernel's is */
#define QDA_INLINE_ALIGN	128
#define QDA_FD_LIST		16
#define QDA_CRC_LIST		64

/* Arguments of the control messages. */
struct qda_control_create {
	__le32 client_id;
	__le32 namelen;
	__le32 filelen;
	__le32 pageslen;
	__le32 attrs;
	__le32 siglen;
};

struct qda_control_mmap {
	__le32 client_id;
	__le32 flags;
	__le64 vaddr;
	__le32 num;		/* bytes of the page that follows */
	__le32 pad;
};

struct qda_control_munmap {
	__le32 client_id;
	__le32 pad;
	__le64 vaddr;
	__le64 size;
};

struct qda_control_mem_map {
	__le32 client_id;
	__le32 fd;
	__le32 offset;
	__le32 flags;
	__le64 vaddrin;
	__le32 num;
	__le32 data_len;
};

struct qda_control_mem_unmap {
	__le32 client_id;
	__le32 fd;
	__le64 vaddr;
	__le64 size;
};

/**
 * enum qda_arg_kind - where an argument is
 * @QDA_ARG_USER: user memory; a copy travels in the payload
 * @QDA_ARG_KERNEL: kernel memory; a copy travels in the payload
 * @QDA_ARG_MAPPED: a range of a buffer that the DSP reaches itself
 * @QDA_ARG_HANDLE: a whole buffer, known to the DSP by a number
 */
enum qda_arg_kind {
	QDA_ARG_USER,
	QDA_ARG_KERNEL,
	QDA_ARG_MAPPED,
	QDA_ARG_HANDLE,
};

/**
 * struct qda_arg - one argument of a call
 * @kind: where it is
 * @fd: the number of a handle argument
 * @len: bytes
 * @ptr: address of user or kernel memory; of a handle, the offset in the buffer
 * @pv: what the DSP is told as a mapped argument's address
 * @addr: DMA address, of a mapped range's first byte or of a handle's buffer
 * @size: bytes of a handle's buffer
 * @offset: where the copy is in the payload; written by qda_marshal_layout()
 */
struct qda_arg {
	enum qda_arg_kind kind;
	s32 fd;
	u64 len;
	u64 ptr;
	u64 pv;
	u64 addr;
	u64 size;
	u64 offset;
};

static inline bool qda_arg_is_inline(const struct qda_arg *arg)
{
	return arg->len && (arg->kind == QDA_ARG_USER || arg->kind == QDA_ARG_KERNEL);
}

#define QDA_PAYLOAD_MAX		(256UL << 20)

size_t qda_marshal_meta_size(unsigned int n);
int qda_marshal_layout(struct qda_arg *args, u16 *order, u32 sc, size_t *size);
void qda_marshal_meta(const struct qda_arg *args, u32 sc, void *payload, u64 addr);
__le64 *qda_marshal_fd_list(void *payload, unsigned int n);
unsigned int qda_marshal_next_id(const void * const *ids, unsigned int last, unsigned int max);

#endif
