/* SPDX-License-Identifier: MIT */
/*
 * FastRPC as it is on the wire between applications processor and DSP: the
 * messages, the payload's layout, the static handles and their methods. Shared
 * by the soft transport, the software DSP and the tests. Little-endian
 * throughout; the names are those of the kernel's drivers/misc/fastrpc.c.
 */
#ifndef FASTRPC_H
#define FASTRPC_H

#include <stdint.h>

/* Scalars: attr[31:29] method[28:24] in[23:16] out[15:8] in handles[7:4] out handles[3:0] */
#define FASTRPC_SCALARS(method, in, out, hin, hout)                            \
	((((uint32_t)(method)&0x1fU) << 24) | (((uint32_t)(in)&0xffU) << 16) | \
	 (((uint32_t)(out)&0xffU) << 8) | (((uint32_t)(hin)&0xfU) << 4) | ((uint32_t)(hout)&0xfU))
#define FASTRPC_METHOD(sc) (((sc) >> 24) & 0x1fU)
#define FASTRPC_INBUFS(sc) (((sc) >> 16) & 0xffU)
#define FASTRPC_OUTBUFS(sc) (((sc) >> 8) & 0xffU)
#define FASTRPC_INHANDLES(sc) (((sc) >> 4) & 0xfU)
#define FASTRPC_OUTHANDLES(sc) ((sc)&0xfU)
/* Not 0 if there are any handles, or any arguments at all. */
#define FASTRPC_HAS_HANDLES(sc) ((sc)&0xffU)
#define FASTRPC_HAS_ARGS(sc) ((sc)&0xffffffU)
#define FASTRPC_BUFS(sc) (FASTRPC_INBUFS(sc) + FASTRPC_OUTBUFS(sc))
#define FASTRPC_LENGTH(sc) (FASTRPC_BUFS(sc) + FASTRPC_INHANDLES(sc) + FASTRPC_OUTHANDLES(sc))

#define FASTRPC_MAX_ARGS 540
#define FASTRPC_METHOD_EXTENDED 31 /* the number is the first u32 of argument 0 */
#define FASTRPC_PAGE 4096UL
#define FASTRPC_ALIGN 128UL
#define FASTRPC_FDLIST 16
#define FASTRPC_CRCLIST 64

/* A request, one rpmsg. */
struct fastrpc_msg {
	int32_t client_id; /* the session; 0 for messages of the kernel's own */
	int32_t tid;       /* caller's thread */
	uint64_t ctx;      /* pd[3:0] id[15:8] sequence[63:16], answered as it came */
	uint32_t handle;   /* remote handle */
	uint32_t sc;
	uint64_t addr; /* DMA address of the payload, 0 if there is none */
	uint64_t size; /* its bytes, whole pages */
};

/* A reply, one rpmsg. */
struct fastrpc_rsp {
	uint64_t ctx;
	int32_t retval;
	int32_t pad;
};

#define FASTRPC_CTX_ID_SHIFT 8
#define FASTRPC_CTX_ID(ctx) (((ctx) >> FASTRPC_CTX_ID_SHIFT) & 0xffU)
#define FASTRPC_CTX_SEQ_SHIFT 16
#define FASTRPC_CTX_PD(ctx) ((ctx)&0xfU)
#define FASTRPC_PD_ROOT 0
#define FASTRPC_PD_USER 1
#define FASTRPC_PD_SENSORS 2
#define FASTRPC_CTX_PD_EXIT 0xABCDABCDU /* a notice, not a reply */

/*
 * Payload: n remote arguments, n buffer list entries, n pages, the fd list, the
 * crc list, the poll word, then inline data in regions aligned to 128.
 */
union fastrpc_remote_arg {
	struct {
		uint64_t pv;
		uint64_t len;
	} buf;
	struct {
		int32_t fd;
		uint32_t offset;
		uint32_t len;
		uint32_t pad;
	} dma;
};

struct fastrpc_invoke_buf {
	uint32_t num;   /* 1 if the length is not 0 */
	uint32_t pgidx; /* index into the pages */
};

struct fastrpc_phy_page {
	uint64_t addr;
	uint64_t size;
};

#define FASTRPC_TAIL_SIZE \
	(FASTRPC_FDLIST * sizeof(uint64_t) + FASTRPC_CRCLIST * sizeof(uint32_t) + sizeof(uint32_t))
#define FASTRPC_META_SIZE(n)                                                           \
	((n) * (sizeof(union fastrpc_remote_arg) + sizeof(struct fastrpc_invoke_buf) + \
		sizeof(struct fastrpc_phy_page)) +                                     \
	 FASTRPC_TAIL_SIZE)

/* Handles of the DSP that are always there. */
enum fastrpc_handle {
	FASTRPC_HANDLE_REMOTECTL = 0,
	FASTRPC_HANDLE_INIT = 1, /* the kernel's own; refused from users */
	FASTRPC_HANDLE_UTILITIES = 2,
	FASTRPC_HANDLE_LISTENER = 3,
	FASTRPC_HANDLE_LISTENER1 = 7,
	FASTRPC_HANDLE_REMOTECTL1 = 8,
	FASTRPC_HANDLE_STATIC_MAX = 20,
};

/* Methods on FASTRPC_HANDLE_INIT. */
enum fastrpc_init_method {
	FASTRPC_INIT_ATTACH = 0,
	FASTRPC_INIT_RELEASE = 1,
	FASTRPC_INIT_MMAP = 4,
	FASTRPC_INIT_MUNMAP = 5,
	FASTRPC_INIT_CREATE = 6,
	FASTRPC_INIT_CREATE_ATTR = 7,
	FASTRPC_INIT_CREATE_STATIC = 8,
	FASTRPC_INIT_MEM_MAP = 10,
	FASTRPC_INIT_MEM_UNMAP = 11,
};

struct fastrpc_init_release {
	int32_t client_id;
};

struct fastrpc_init_create {
	int32_t client_id;
	uint32_t namelen;
	uint32_t filelen;
	uint32_t pageslen;
	uint32_t attrs;
	uint32_t siglen;
};

struct fastrpc_init_mmap {
	int32_t client_id;
	uint32_t flags;
	uint64_t vaddr;
	int32_t num; /* bytes of the page argument */
	int32_t pad;
};

struct fastrpc_init_munmap {
	int32_t client_id;
	int32_t pad;
	uint64_t vaddr;
	uint64_t size;
};

struct fastrpc_init_mem_map {
	int32_t client_id;
	int32_t fd; /* the key, what libqda calls the cookie */
	int32_t offset;
	uint32_t flags;
	uint64_t vaddrin;
	int32_t num; /* bytes of the page argument */
	int32_t data_len;
};

struct fastrpc_init_mem_unmap {
	int32_t client_id;
	int32_t fd;
	uint64_t vaddrin;
	uint64_t len;
};

/* Methods of the DSP's services. */
#define FASTRPC_UTILITIES_GET_ATTRIBUTES 0
#define FASTRPC_ATTRIBUTES 256U /* 0 is filled in by user space */

#define REMOTECTL_OPEN 0 /* on FASTRPC_HANDLE_REMOTECTL */
#define REMOTECTL_CLOSE 1
#define REMOTECTL1_OPEN1 2 /* on FASTRPC_HANDLE_REMOTECTL1 */
#define REMOTECTL1_CLOSE1 3
#define REMOTECTL1_GROW_HEAP 4
#define REMOTECTL1_SET_PARAM 5

#define LISTENER_INIT2 3 /* on FASTRPC_HANDLE_LISTENER */
#define LISTENER_NEXT2 4
#define LISTENER_GET_IN_BUFS2 5
#define LISTENER1_INIT2 5 /* on FASTRPC_HANDLE_LISTENER1 */
#define LISTENER1_NEXT2 6
#define LISTENER1_GET_IN_BUFS2 7

/* Methods 0 (open) and 1 (close) of an interface that derives from remote_handle64. */
#define FASTRPC_SC_HANDLE_OPEN FASTRPC_SCALARS(0, 2, 0, 0, 1)
#define FASTRPC_SC_HANDLE_CLOSE FASTRPC_SCALARS(1, 0, 0, 1, 0)

/* Reverse calls: services of the applications processor and the methods we serve. */
#define APPS_REMOTECTL_HANDLE 0
#define APPS_REMOTECTL_OPEN 0
#define APPS_REMOTECTL_CLOSE 1

enum apps_std_method {
	APPS_STD_FOPEN = 0,
	APPS_STD_FCLOSE = 3,
	APPS_STD_FREAD = 4,
	APPS_STD_FTELL = 8,
	APPS_STD_FSEEK = 9,
	APPS_STD_FLEN = 10,
	APPS_STD_REWIND = 11,
	APPS_STD_FEOF = 12,
	APPS_STD_FERROR = 13,
	APPS_STD_GETENV = 16,
	APPS_STD_FOPEN_WITH_ENV = 19,
	APPS_STD_GET_SEARCH_PATHS_WITH_ENV = 21,
	APPS_STD_FILE_EXISTS = 22,
};

/* AEE status codes. The DSP's own are these plus AEE_DSP_OFFSET, but for the three that are not. */
#define AEE_DSP_OFFSET 0x80000400U
enum aee_status {
	AEE_SUCCESS = 0,
	AEE_EFAILED = 0x01,
	AEE_ENOMEMORY = 0x02,
	AEE_EUNABLETOLOAD = 0x06,
	AEE_EEXPIRED = 0x0c,
	AEE_EBADSTATE = 0x0d,
	AEE_EBADPARM = 0x0e,
	AEE_EUNSUPPORTED = 0x14,
	AEE_EALREADY = 0x1a,
	AEE_EBUFFERTOOSMALL = 0x26,
	AEE_ENOSUCH = 0x27, /* 39 */
	AEE_EINVHANDLE = 0x2c,
	AEE_EINTERRUPTED = 0x2e, /* 46 */
	AEE_EINVALIDDOMAIN = 0x39,
	AEE_ENOSUCHMOD = 0x3e,
	AEE_ENOSUCHSYMBOL = 0x42,
	AEE_ENOSUCHFILE = 0x45,
	AEE_ENOSUCHHANDLE = 0x46,
	AEE_ENOSUCHMAP = 0x48,
	AEE_EBADSIZE = 0x4d,
	AEE_EBADPERMS = 0x4e,
	AEE_EBADFD = 0x4f,
	AEE_EBADELF = 0x52,
	AEE_ECONNRESET = 0x68, /* 104 */
	AEE_ECONNREFUSED = 0x72,
	AEE_ERPC = 0x200,
	AEE_EFILE = 0x201,
	AEE_EWOULDBLOCK = 0x204, /* 516 */
};

#endif
