/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of the QDA driver: a DSP that does what the test says, behind a simulated DSP's
 * character device, and the ioctls of the driver as they are.
 */
#ifndef QDA_TEST_H
#define QDA_TEST_H

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#include <drm.h>
#include <drm/qda_accel.h>
#include <linux/qda_sim.h>

#include "fastrpc.h"
#include "qda-sim.h"

#define PAGE 4096UL
#define HOLD INT64_MIN /* what a handler returns to answer later or never */
#define DSP_MSGS 4096
#define MAP_ADDRESS 0xd5000000ULL /* what the DSP says where the first mapping is */

/* ---- the DSP ------------------------------------------------------------ */

struct dsp {
	int fd;
	char name[16];
	unsigned int sid_shift; /* where the stream id is in an address */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fastrpc_msg msgs[DSP_MSGS]; /* all that came */
	unsigned int n_msgs;
	unsigned int n_handled;
	uint64_t next_map;
	/*
	 * What to answer, or HOLD; with the payload's memory. NULL: 0 to all, and addresses to
	 * those who map.
	 */
	int64_t (*_Atomic handler)(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload);
};

/* Memory as the DSP sees it, or MAP_FAILED. An access may be a fault of the IOMMU. */
static inline void *dsp_memory(const struct dsp *dsp, uint64_t addr, size_t size)
{
	uint32_t sid = (uint32_t)(addr >> dsp->sid_shift);
	uint64_t iova = addr & ((UINT64_C(1) << dsp->sid_shift) - 1);

	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dsp->fd,
		    (off_t)QDA_SIM_MMAP_OFFSET(sid, iova));
}

/* Whether the DSP can read a byte there. */
static inline bool dsp_reaches(const struct dsp *dsp, uint64_t addr)
{
	char *memory = dsp_memory(dsp, addr & ~(PAGE - 1), PAGE);
	int fds[2];
	bool reached;

	if (memory == MAP_FAILED || pipe2(fds, O_CLOEXEC) == -1)
		abort();
	/* The kernel reads it: EFAULT instead of SIGBUS. */
	reached = write(fds[1], memory, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	munmap(memory, PAGE);
	return reached;
}

static inline bool dsp_answer(const struct dsp *dsp, uint64_t ctx, int32_t retval)
{
	struct fastrpc_rsp rsp = {.ctx = ctx, .retval = retval};

	return write(dsp->fd, &rsp, sizeof(rsp)) == sizeof(rsp);
}

/* The parts of a payload. */
static inline union fastrpc_remote_arg *payload_args(void *payload)
{
	return payload;
}

static inline struct fastrpc_phy_page *payload_pages(void *payload, uint32_t n)
{
	struct fastrpc_invoke_buf *list = (void *)&payload_args(payload)[n];

	return (void *)&list[n];
}

static inline uint64_t *payload_fd_list(void *payload, uint32_t n)
{
	return (void *)&payload_pages(payload, n)[n];
}

/* An inline argument: it is in the payload. */
static inline void *payload_inline(const struct fastrpc_msg *msg, void *payload, uint32_t i)
{
	uint32_t n = FASTRPC_LENGTH(msg->sc);
	uint64_t pv = payload_args(payload)[i].buf.pv;

	return (char *)payload + (payload_pages(payload, n)[i].addr - msg->addr) +
	       (pv & (PAGE - 1));
}

static inline int64_t dsp_default(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	uint64_t vaddr;
	char *out;

	if (msg->handle != FASTRPC_HANDLE_INIT)
		return 0;
	if (msg->sc == FASTRPC_SCALARS(FASTRPC_INIT_MEM_MAP, 3, 1, 0, 0) ||
	    msg->sc == FASTRPC_SCALARS(FASTRPC_INIT_MMAP, 2, 1, 0, 0)) {
		vaddr = dsp->next_map;
		dsp->next_map += 0x1000000;
		/* If the call was answered before it was read, that is another one's payload. */
		out = payload_inline(msg, payload, FASTRPC_INBUFS(msg->sc));
		if (out >= (char *)payload && out + sizeof(vaddr) <= (char *)payload + msg->size)
			memcpy(out, &vaddr, sizeof(vaddr));
	}
	return 0;
}

static inline void *dsp_main(void *arg)
{
	struct dsp *dsp = arg;
	struct fastrpc_msg msg;

	while (read(dsp->fd, &msg, sizeof(msg)) == sizeof(msg)) {
		void *payload = dsp_memory(dsp, msg.addr, msg.size);
		int64_t retval;

		pthread_mutex_lock(&dsp->lock);
		if (dsp->n_msgs < DSP_MSGS)
			dsp->msgs[dsp->n_msgs++] = msg;
		pthread_mutex_unlock(&dsp->lock);
		if (payload == MAP_FAILED)
			abort();
		retval = (dsp->handler ? dsp->handler : dsp_default)(dsp, &msg, payload);
		munmap(payload, msg.size);
		if (retval != HOLD)
			dsp_answer(dsp, msg.ctx, (int32_t)retval);
		pthread_mutex_lock(&dsp->lock);
		dsp->n_handled++;
		pthread_cond_broadcast(&dsp->changed);
		pthread_mutex_unlock(&dsp->lock);
	}
	return NULL;
}

/* Whether the DSP was started, with stream ids at that bit of addresses. */
static inline bool dsp_boot_shift(struct dsp *dsp, const char *name, unsigned int sid_shift)
{
	char path[64];

	memset(dsp, 0, sizeof(*dsp));
	dsp->sid_shift = sid_shift;
	snprintf(dsp->name, sizeof(dsp->name), "%s", name);
	snprintf(path, sizeof(path), "/dev/qda-sim/%s", name);
	dsp->fd = open(path, O_RDWR | O_CLOEXEC);
	dsp->next_map = MAP_ADDRESS;
	pthread_mutex_init(&dsp->lock, NULL);
	pthread_cond_init(&dsp->changed, NULL);
	return dsp->fd >= 0 && ioctl(dsp->fd, QDA_SIM_IOC_BOOT) == 0 &&
	       pthread_create(&dsp->thread, NULL, dsp_main, dsp) == 0;
}

static inline bool dsp_boot(struct dsp *dsp, const char *name)
{
	return dsp_boot_shift(dsp, name, 32);
}

/* A restart of the subsystem. */
static inline void dsp_crash(const struct dsp *dsp)
{
	if (sim_write(dsp->name, "crash", "1"))
		abort();
}

static inline long dsp_faults(const struct dsp *dsp)
{
	return sim_number(dsp->name, "faults");
}

static inline void dsp_halt(struct dsp *dsp)
{
	dsp_crash(dsp);
	pthread_join(dsp->thread, NULL);
	close(dsp->fd);
}

/* Wait until @n messages were handled; the last one of them. */
static inline struct fastrpc_msg dsp_wait(struct dsp *dsp, unsigned int n)
{
	struct timespec limit;
	struct fastrpc_msg msg;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 60;
	pthread_mutex_lock(&dsp->lock);
	while (dsp->n_handled < n)
		if (pthread_cond_timedwait(&dsp->changed, &dsp->lock, &limit) == ETIMEDOUT) {
			fprintf(stderr, "%u messages came, not %u\n", dsp->n_handled, n);
			abort();
		}
	msg = dsp->msgs[n - 1];
	pthread_mutex_unlock(&dsp->lock);
	return msg;
}

static inline unsigned int dsp_count(struct dsp *dsp)
{
	unsigned int n;

	pthread_mutex_lock(&dsp->lock);
	n = dsp->n_msgs;
	pthread_mutex_unlock(&dsp->lock);
	return n;
}

/* ---- the driver --------------------------------------------------------- */

/* A new open file of the DSP with that name, or -1. */
static inline int node_open(const char *name)
{
	for (int attempt = 0; attempt < 200; attempt++) {
		DIR *dir = opendir("/dev/accel");
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			struct drm_qda_query query = {0};
			char path[300];
			int fd;

			if (strncmp(entry->d_name, "accel", 5))
				continue;
			snprintf(path, sizeof(path), "/dev/accel/%s", entry->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd >= 0 && call(fd, DRM_IOCTL_QDA_QUERY, &query) == 0 &&
			    !strcmp((char *)query.dsp_name, name)) {
				closedir(dir);
				return fd;
			}
			if (fd >= 0)
				close(fd);
		}
		if (dir)
			closedir(dir);
		usleep(10000);
	}
	return -1;
}

static inline long session_create(int fd, uint32_t attrs)
{
	static char shell[100] = "shell";
	struct drm_qda_init_create create = {
		.filelen = sizeof(shell),
		.filefd = -1,
		.attrs = attrs,
		.file = address(shell),
	};

	return call(fd, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE, &create);
}

#define UNSIGNED 0x8U

static inline long invoke(int fd, uint32_t handle, uint32_t sc,
			  struct drm_qda_fastrpc_invoke_args *args)
{
	struct drm_qda_invoke_args invoke = {.handle = handle, .sc = sc, .args = address(args)};

	return call(fd, DRM_IOCTL_QDA_REMOTE_INVOKE, &invoke);
}

static inline struct drm_qda_fastrpc_invoke_args plain(const void *data, size_t size)
{
	return (struct drm_qda_fastrpc_invoke_args){.ptr = address(data), .length = size, .fd = -1};
}

/* A buffer object; @data is where it is mapped. */
struct buffer {
	uint32_t handle;
	int fd; /* its DMA-BUF */
	size_t size;
	char *data;
};

static inline long gem_create(int fd, uint64_t size, uint32_t *ret_handle)
{
	struct drm_qda_gem_create create = {.size = size};
	long r = call(fd, DRM_IOCTL_QDA_GEM_CREATE, &create);

	*ret_handle = create.handle;
	return r;
}

static inline long gem_close(int fd, uint32_t handle)
{
	struct drm_gem_close close = {.handle = handle};

	return call(fd, DRM_IOCTL_GEM_CLOSE, &close);
}

static inline int prime_export(int fd, uint32_t handle)
{
	struct drm_prime_handle prime = {.handle = handle,
					 .flags = DRM_CLOEXEC | DRM_RDWR,
					 .fd = -1};
	long r = call(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);

	return r ? (int)r : prime.fd;
}

static inline long prime_import(int fd, int dmabuf, uint32_t *ret_handle)
{
	struct drm_prime_handle prime = {.fd = dmabuf};
	long r = call(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);

	*ret_handle = prime.handle;
	return r;
}

static inline struct buffer buffer_new(int fd, size_t size)
{
	struct buffer buffer = {.size = size};
	struct drm_qda_gem_mmap_offset offset = {0};

	if (gem_create(fd, size, &buffer.handle))
		abort();
	offset.handle = buffer.handle;
	buffer.fd = prime_export(fd, buffer.handle);
	if (buffer.fd < 0 || call(fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset))
		abort();
	buffer.data =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset.offset);
	if (buffer.data == MAP_FAILED)
		abort();
	return buffer;
}

static inline void buffer_free(int fd, struct buffer *buffer)
{
	munmap(buffer->data, buffer->size);
	if (buffer->fd >= 0)
		close(buffer->fd);
	if (buffer->handle)
		gem_close(fd, buffer->handle);
}

static inline struct drm_qda_fastrpc_invoke_args by_fd(const struct buffer *buffer, size_t offset,
						       size_t size)
{
	return (struct drm_qda_fastrpc_invoke_args){.ptr = address(buffer->data + offset),
						    .length = size,
						    .fd = buffer->fd};
}

static inline struct drm_qda_fastrpc_invoke_args by_gem(const struct buffer *buffer, size_t offset,
							size_t size)
{
	return (struct drm_qda_fastrpc_invoke_args){.ptr = offset,
						    .length = size,
						    .fd = (int32_t)buffer->handle,
						    .attr = QDA_INVOKE_ARG_GEM};
}

#endif
