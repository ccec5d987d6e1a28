/* SPDX-License-Identifier: MIT */
/* Takes messages, finds the memory they speak of, and hands them to whom they are for. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "channel.h"
#include "softdsp.h"

/* What GET_ATTRIBUTES tells, by number; attribute 0 is user space's. */
static const struct {
	uint32_t number, value;
} attributes[] = {
	{1, 1},    /* unsigned processes */
	{6, 0x68}, /* architecture, as if v68 */
};

void softdsp_log(struct softdsp *dsp, int level, const char *format, ...)
{
	char text[SOFTDSP_LOG_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	dsp->ops->log(dsp->data, level, text);
}

/* ---- control messages (handle 1) ---------------------------------------- */

static int control_create(struct softdsp *dsp, remote_arg *args)
{
	struct fastrpc_init_create create;
	bool created = false;

	if (args[0].buf.nLen < sizeof(create))
		return DSP_STATUS(AEE_EBADPARM);
	memcpy(&create, args[0].buf.pv, sizeof(create));
	if (create.namelen != args[1].buf.nLen || create.filelen != args[2].buf.nLen ||
	    create.pageslen != args[3].buf.nLen / sizeof(struct fastrpc_phy_page))
		return DSP_STATUS(AEE_EBADPARM);
	if (!atomic_compare_exchange_strong(&dsp->created, &created, true))
		return DSP_STATUS(AEE_EALREADY);
	return AEE_SUCCESS;
}

static int control_release(struct softdsp *dsp, remote_arg *args, bool *ret_release)
{
	if (args[0].buf.nLen < sizeof(struct fastrpc_init_release))
		return DSP_STATUS(AEE_EBADPARM);
	*ret_release = true;
	return AEE_SUCCESS;
}

/* The memory a page argument names, or NULL. */
static void *find_page(struct softdsp *dsp, const remote_buf *buf,
		       struct fastrpc_phy_page *ret_page)
{
	if (buf->nLen < sizeof(*ret_page))
		return NULL;
	memcpy(ret_page, buf->pv, sizeof(*ret_page));
	return softdsp_memory_find(dsp, ret_page->addr, ret_page->size);
}

static int store_address(const remote_buf *buf, const void *data)
{
	uint64_t address = (uintptr_t)data;

	if (buf->nLen < sizeof(address))
		return DSP_STATUS(AEE_EBADPARM);
	memcpy(buf->pv, &address, sizeof(address));
	return AEE_SUCCESS;
}

static int control_mmap(struct softdsp *dsp, remote_arg *args)
{
	struct fastrpc_phy_page page;
	void *data;

	if (args[0].buf.nLen < sizeof(struct fastrpc_init_mmap))
		return DSP_STATUS(AEE_EBADPARM);
	data = find_page(dsp, &args[1].buf, &page);
	return data ? store_address(&args[2].buf, data) : DSP_STATUS(AEE_EBADPARM);
}

static int control_munmap(struct softdsp *dsp, remote_arg *args)
{
	struct fastrpc_init_munmap request;

	if (args[0].buf.nLen < sizeof(request))
		return DSP_STATUS(AEE_EBADPARM);
	memcpy(&request, args[0].buf.pv, sizeof(request));
	/* The region itself goes when its memory does. */
	if (!softdsp_memory_contains(dsp, (void *)(uintptr_t)request.vaddr, request.size))
		return DSP_STATUS(AEE_ENOSUCHMAP);
	return AEE_SUCCESS;
}

static int control_mem_map(struct softdsp *dsp, remote_arg *args)
{
	struct fastrpc_init_mem_map request;
	struct fastrpc_phy_page page;
	void *data;
	int r;

	if (args[0].buf.nLen < sizeof(request) || args[3].buf.nLen < sizeof(uint64_t))
		return DSP_STATUS(AEE_EBADPARM);
	memcpy(&request, args[0].buf.pv, sizeof(request));
	data = find_page(dsp, &args[1].buf, &page);
	if (!data || request.fd <= 0)
		return DSP_STATUS(AEE_EBADPARM);
	r = softdsp_cookie_map(dsp, request.fd, page.addr, page.size, data);
	if (r < 0)
		return DSP_STATUS(r == -EEXIST ? AEE_EALREADY : AEE_ENOMEMORY);
	return store_address(&args[3].buf, data);
}

static int control_mem_unmap(struct softdsp *dsp, remote_arg *args)
{
	struct fastrpc_init_mem_unmap request;

	if (args[0].buf.nLen < sizeof(request))
		return DSP_STATUS(AEE_EBADPARM);
	memcpy(&request, args[0].buf.pv, sizeof(request));
	if (softdsp_cookie_unmap(dsp, request.fd, request.vaddrin) < 0)
		return DSP_STATUS(AEE_ENOSUCHMAP);
	return AEE_SUCCESS;
}

static int control(struct softdsp *dsp, uint32_t sc, remote_arg *args, bool *ret_release)
{
	switch (sc) {
	case FASTRPC_SCALARS(FASTRPC_INIT_CREATE, 4, 0, 0, 0):
	case FASTRPC_SCALARS(FASTRPC_INIT_CREATE_ATTR, 4, 0, 0, 0):
		return control_create(dsp, args);
	case FASTRPC_SCALARS(FASTRPC_INIT_RELEASE, 1, 0, 0, 0):
		return control_release(dsp, args, ret_release);
	case FASTRPC_SCALARS(FASTRPC_INIT_MMAP, 2, 1, 0, 0):
		return control_mmap(dsp, args);
	case FASTRPC_SCALARS(FASTRPC_INIT_MUNMAP, 1, 0, 0, 0):
		return control_munmap(dsp, args);
	case FASTRPC_SCALARS(FASTRPC_INIT_MEM_MAP, 3, 1, 0, 0):
		return control_mem_map(dsp, args);
	case FASTRPC_SCALARS(FASTRPC_INIT_MEM_UNMAP, 1, 0, 0, 0):
		return control_mem_unmap(dsp, args);
	default: /* attaching to, and static processes of, real DSPs among them */
		return DSP_STATUS(AEE_EUNSUPPORTED);
	}
}

/* ---- utilities (handle 2) ----------------------------------------------- */

/* in u32 count; out u32[count], attribute 1 first */
static int utilities(uint32_t sc, remote_arg *args)
{
	uint32_t count;

	if (sc != FASTRPC_SCALARS(FASTRPC_UTILITIES_GET_ATTRIBUTES, 1, 1, 0, 0))
		return DSP_STATUS(AEE_EUNSUPPORTED);
	if (args[0].buf.nLen < sizeof(count))
		return DSP_STATUS(AEE_EBADPARM);
	memcpy(&count, args[0].buf.pv, sizeof(count));
	if (count >= FASTRPC_ATTRIBUTES || args[1].buf.nLen < count * sizeof(uint32_t))
		return DSP_STATUS(AEE_EBADPARM);
	if (count)
		memset(args[1].buf.pv, 0, count * sizeof(uint32_t));
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (attributes[i].number <= count)
			memcpy((char *)args[1].buf.pv +
				       (attributes[i].number - 1) * sizeof(uint32_t),
			       &attributes[i].value, sizeof(uint32_t));
	return AEE_SUCCESS;
}

/* ---- messages ----------------------------------------------------------- */

static int dispatch(struct softdsp *dsp, const struct fastrpc_msg *msg, remote_arg *args,
		    bool *ret_release)
{
	if (FASTRPC_CTX_PD(msg->ctx) != FASTRPC_PD_USER)
		return DSP_STATUS(AEE_EBADPERMS);
	if (msg->handle == FASTRPC_HANDLE_INIT) {
		if (msg->client_id != 0) /* only a driver sends these */
			return DSP_STATUS(AEE_EBADPERMS);
		return control(dsp, msg->sc, args, ret_release);
	}
	if (!atomic_load(&dsp->created))
		return DSP_STATUS(AEE_EBADSTATE);

	switch (msg->handle) {
	case FASTRPC_HANDLE_UTILITIES:
		return utilities(msg->sc, args);
	case FASTRPC_HANDLE_REMOTECTL:
	case FASTRPC_HANDLE_REMOTECTL1:
		return softdsp_remotectl(dsp, msg->handle, msg->sc, args);
	case FASTRPC_HANDLE_LISTENER:
	case FASTRPC_HANDLE_LISTENER1:
		return softdsp_listener(dsp, msg->handle, msg->sc, args);
	default:
		return softdsp_module_invoke(dsp, msg->handle, msg->sc, args);
	}
}

/* The metadata of a payload, each value read once. */
struct metadata {
	const union fastrpc_remote_arg *rpra;
	const struct fastrpc_invoke_buf *list;
	const struct fastrpc_phy_page *pages;
	uint32_t n;
};

/* Where the page of argument @i lies in the index of pages. */
static int read_page(const struct metadata *meta, uint32_t i, struct fastrpc_phy_page *ret_page)
{
	uint32_t pgidx = *(const volatile uint32_t *)&meta->list[i].pgidx;

	if (pgidx >= meta->n)
		return -EINVAL;
	memcpy(ret_page, &meta->pages[pgidx], sizeof(*ret_page));
	return 0;
}

static int find_buffer(struct softdsp *dsp, const struct metadata *meta, uint32_t i,
		       remote_arg *arg)
{
	struct fastrpc_phy_page page;
	uint64_t pv, len, in_page;
	char *data;

	memcpy(&pv, &meta->rpra[i].buf.pv, sizeof(pv));
	memcpy(&len, &meta->rpra[i].buf.len, sizeof(len));
	if (!len) {
		arg->buf = (remote_buf){0};
		return 0;
	}
	if (read_page(meta, i, &page) < 0)
		return -EINVAL;
	in_page = pv & (FASTRPC_PAGE - 1);
	if (page.size < in_page || page.size - in_page < len)
		return -EINVAL;
	data = softdsp_memory_find(dsp, page.addr, page.size);
	if (!data)
		return -EFAULT;
	arg->buf = (remote_buf){data + in_page, len};
	return 0;
}

/* A handle argument makes its buffer known under its number for the call's time. */
static int find_handle(struct softdsp *dsp, const struct metadata *meta, uint32_t i,
		       remote_arg *arg)
{
	union fastrpc_remote_arg rpra;
	struct fastrpc_phy_page page;
	void *data;

	memcpy(&rpra, &meta->rpra[i], sizeof(rpra));
	arg->dma = (remote_dma_handle){rpra.dma.fd, rpra.dma.offset, rpra.dma.len};
	if (rpra.dma.fd <= 0 || !rpra.dma.len)
		return 0;
	if (read_page(meta, i, &page) < 0 || rpra.dma.offset > page.size ||
	    rpra.dma.len > page.size - rpra.dma.offset)
		return -EINVAL;
	data = softdsp_memory_find(dsp, page.addr, page.size);
	if (!data)
		return -EFAULT;
	return softdsp_cookie_get(dsp, rpra.dma.fd, page.addr, page.size, data, NULL);
}

/* Name the handle arguments whose memory the driver need not keep, in the fd list of a payload. */
static void tell_unused(struct softdsp *dsp, void *list)
{
	uint64_t cookies[FASTRPC_FDLIST];
	size_t n = softdsp_unused_take(dsp, cookies, FASTRPC_FDLIST);

	if (n)
		memcpy(list, cookies, n * sizeof(*cookies));
}

static int32_t handle_with_args(struct softdsp *dsp, const struct fastrpc_msg *msg, uint32_t n,
				bool *ret_release)
{
	remote_arg args[FASTRPC_MAX_ARGS];
	int32_t cookies[30];
	uint32_t n_cookies = 0, i;
	uint32_t bufs = FASTRPC_BUFS(msg->sc);
	struct metadata meta = {.n = n};
	int32_t status;
	char *payload;
	int r = 0;

	if (msg->size < FASTRPC_META_SIZE(n) || (msg->addr & (FASTRPC_PAGE - 1)))
		return DSP_STATUS(AEE_EBADPARM);
	payload = softdsp_memory_find(dsp, msg->addr, msg->size);
	if (!payload)
		return DSP_STATUS(AEE_EBADPARM);
	meta.rpra = (const void *)payload;
	meta.list = (const void *)&meta.rpra[n];
	meta.pages = (const void *)&meta.list[n];

	for (i = 0; i < n; i++) {
		if (i < bufs) {
			r = find_buffer(dsp, &meta, i, &args[i]);
		} else {
			r = find_handle(dsp, &meta, i, &args[i]);
			if (!r && args[i].dma.fd > 0 && args[i].dma.len)
				cookies[n_cookies++] = args[i].dma.fd;
		}
		if (r < 0) {
			softdsp_log(dsp, LOG_WARNING,
				    "argument %u lies outside the session's memory", i);
			break;
		}
	}
	if (r < 0)
		status = DSP_STATUS(r == -ENOMEM ? AEE_ENOMEMORY : AEE_EBADPARM);
	else
		status = dispatch(dsp, msg, args, ret_release);
	while (n_cookies)
		softdsp_cookie_put(dsp, cookies[--n_cookies]);
	tell_unused(dsp, (char *)&meta.pages[n]);
	return status;
}

int32_t softdsp_handle(struct softdsp *dsp, const struct fastrpc_msg *msg, bool *ret_release)
{
	uint32_t n = FASTRPC_LENGTH(msg->sc);

	*ret_release = false;
	if (!n)
		return dispatch(dsp, msg, NULL, ret_release);
	return handle_with_args(dsp, msg, n, ret_release);
}

/* ---- workers ------------------------------------------------------------ */

static void *worker(void *arg);

/* One more worker, so that a message that comes now does not wait for those being handled. */
static int add_worker(struct softdsp *dsp)
{
	pthread_t thread;
	int r;

	if (atomic_fetch_add(&dsp->workers, 1) >= SOFTDSP_WORKERS) {
		atomic_fetch_sub(&dsp->workers, 1);
		return -EAGAIN;
	}
	atomic_fetch_add(&dsp->idle, 1);
	r = pthread_create(&thread, NULL, worker, dsp);
	if (r) {
		atomic_fetch_sub(&dsp->idle, 1);
		atomic_fetch_sub(&dsp->workers, 1);
		return -r;
	}
	pthread_detach(thread);
	return 0;
}

static bool waits(const struct fastrpc_msg *msg)
{
	return msg->handle == FASTRPC_HANDLE_LISTENER || msg->handle == FASTRPC_HANDLE_LISTENER1;
}

static void *worker(void *arg)
{
	struct softdsp *dsp = arg;
	struct fastrpc_msg msg;

	while (dsp->ops->receive(dsp->data, &msg) >= 0) {
		bool release;
		int32_t status;

		/* The last worker must not go and wait for what only another one could bring. */
		if (atomic_fetch_sub(&dsp->idle, 1) == 1 && add_worker(dsp) < 0 && waits(&msg)) {
			release = false;
			status = DSP_STATUS(AEE_ENOMEMORY);
		} else {
			status = softdsp_handle(dsp, &msg, &release);
		}
		atomic_fetch_add(&dsp->idle, 1);
		dsp->ops->reply(dsp->data, msg.ctx, status);
		if (release)
			dsp->ops->release(dsp->data);
	}
	atomic_fetch_sub(&dsp->idle, 1);
	atomic_fetch_sub(&dsp->workers, 1);
	return NULL;
}

int softdsp_start(struct softdsp *dsp)
{
	return add_worker(dsp);
}

void softdsp_init(struct softdsp *dsp, const struct softdsp_ops *ops, void *data)
{
	memset(dsp, 0, sizeof(*dsp));
	dsp->ops = ops;
	dsp->data = data;
	dsp->listener_wait = 2; /* it starts together with the session */
	pthread_rwlock_init(&dsp->memory_lock, NULL);
	pthread_mutex_init(&dsp->module_lock, NULL);
	pthread_mutex_init(&dsp->load_lock, NULL);
	pthread_mutex_init(&dsp->reverse_lock, NULL);
	pthread_cond_init(&dsp->reverse_changed, NULL);
}

void softdsp_finish(struct softdsp *dsp)
{
	free(dsp->regions);
	free(dsp->cookies);
	free(dsp->unused);
	pthread_cond_destroy(&dsp->reverse_changed);
	pthread_mutex_destroy(&dsp->reverse_lock);
	pthread_mutex_destroy(&dsp->load_lock);
	pthread_mutex_destroy(&dsp->module_lock);
	pthread_rwlock_destroy(&dsp->memory_lock);
}
