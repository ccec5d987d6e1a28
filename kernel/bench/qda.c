/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prices calls through the driver qda and through the one that Linux has,
 * drivers/misc/fastrpc.c, side by side in one run: two simulated DSPs, one for each
 * driver, with the same software DSP behind them. Under QEMU's -icount the clock
 * counts instructions, those of the DSP's process among them.
 *
 * timeout: 900
 * modules: qda_sim qda fastrpc
 */
#include <drm.h>
#include <linux/dma-heap.h>
#include <sys/mman.h>

#include <drm/qda_accel.h>

#include "median.h"
#include "qda-sim-rpc.h"
#include "qda-sim-skel.h"

#define ROUNDS 15
#define BATCH 20
#define BUFFERS 4
#define SIZE 1048576UL
#define FASTRPC_NODE "/dev/fastrpc-cdsp1"

/* The arguments of a call are the same for both drivers. */
_Static_assert(sizeof(struct drm_qda_fastrpc_invoke_args) == sizeof(struct fastrpc_invoke_args),
	       "one struct for both drivers");
_Static_assert(sizeof(struct drm_qda_invoke_args) == sizeof(struct fastrpc_invoke),
	       "one struct for both drivers");

struct driver {
	int fd;
	unsigned long invoke;
	uint32_t module;
	struct {
		int fd;
		uint32_t handle; /* of GEM, 0 with the driver that has none */
		uint8_t *data;
	} buffers[BUFFERS];
	uint64_t (*map)(struct driver *driver, size_t i);
	void (*unmap)(struct driver *driver, size_t i, uint64_t vaddr);
};

static void must(const char *what, int r)
{
	if (r) {
		if (r < 0)
			fprintf(stderr, "qda: %s: %s\n", what, strerror(-r));
		else
			fprintf(stderr, "qda: %s: the DSP says 0x%x\n", what, (unsigned int)r);
		exit(2);
	}
}

static void remote_call(struct driver *driver, uint32_t handle, uint32_t sc,
			const struct fastrpc_invoke_args *args)
{
	struct fastrpc_invoke invoke = {.handle = handle, .sc = sc, .args = address(args)};

	must("a call", call(driver->fd, driver->invoke, &invoke));
}

/* ---- the drivers -------------------------------------------------------- */

static void open_module(struct driver *driver)
{
	static const char uri[] = QDA_SIM_URI;
	char error[256] = "";
	uint32_t in[2] = {sizeof(uri), sizeof(error)};
	int32_t out[2] = {0};
	const struct fastrpc_invoke_args args[] = {
		rpc_arg(in, sizeof(in)),
		rpc_arg(uri, sizeof(uri)),
		rpc_arg(out, sizeof(out)),
		rpc_arg(error, sizeof(error)),
	};

	remote_call(driver, REMOTECTL1, REMOTECTL1_OPEN, args);
	must(error, out[1]);
	driver->module = (uint32_t)out[0];
}

static uint8_t *map_buffer(int fd, off_t offset)
{
	void *data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (data == MAP_FAILED)
		must("mmap", -errno);
	memset(data, 1, SIZE);
	return data;
}

static uint64_t fastrpc_map(struct driver *driver, size_t i)
{
	struct fastrpc_mem_map map = {
		.fd = driver->buffers[i].fd,
		.length = SIZE,
		.flags = FASTRPC_MAP_FD,
	};

	must("map", call(driver->fd, FASTRPC_IOCTL_MEM_MAP, &map));
	return map.vaddrout;
}

static void fastrpc_unmap(struct driver *driver, size_t i, uint64_t vaddr)
{
	struct fastrpc_mem_unmap unmap = {
		.fd = driver->buffers[i].fd,
		.length = SIZE,
		.vaddr = vaddr,
	};

	must("unmap", call(driver->fd, FASTRPC_IOCTL_MEM_UNMAP, &unmap));
}

static void fastrpc_open(struct driver *driver)
{
	int fd = rpc_session(FASTRPC_NODE);

	if (fd < 0)
		must(FASTRPC_NODE, fd);
	driver->fd = fd;
	driver->invoke = FASTRPC_IOCTL_INVOKE;
	driver->map = fastrpc_map;
	driver->unmap = fastrpc_unmap;
	for (size_t i = 0; i < BUFFERS; i++) {
		struct fastrpc_alloc_dma_buf alloc = {.size = SIZE};

		must("buffer", call(fd, FASTRPC_IOCTL_ALLOC_DMA_BUFF, &alloc));
		driver->buffers[i].fd = alloc.fd;
		driver->buffers[i].data = map_buffer(alloc.fd, 0);
	}
}

static uint64_t qda_map(struct driver *driver, size_t i)
{
	struct drm_qda_mem_map map = {
		.request = QDA_MAP_REQUEST_ATTR,
		.fd = driver->buffers[i].fd,
		.size = SIZE,
		.flags = FASTRPC_MAP_FD,
	};

	must("map", call(driver->fd, DRM_IOCTL_QDA_REMOTE_MAP, &map));
	return map.vaddrout;
}

static void qda_unmap(struct driver *driver, size_t i, uint64_t vaddr)
{
	struct drm_qda_mem_unmap unmap = {
		.request = QDA_MUNMAP_REQUEST_ATTR,
		.fd = driver->buffers[i].fd,
		.size = SIZE,
		.vaddr = vaddr,
	};

	must("unmap", call(driver->fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap));
}

/* The node of a DSP, at most a minute from now. */
static int qda_node(const char *label)
{
	for (int i = 0; i < 6000; i++) {
		glob_t found;

		if (glob("/dev/accel/accel*", 0, NULL, &found) == 0) {
			for (size_t n = 0; n < found.gl_pathc; n++) {
				struct drm_qda_query query;
				int fd = open(found.gl_pathv[n], O_RDWR | O_CLOEXEC);

				if (fd >= 0 && !call(fd, DRM_IOCTL_QDA_QUERY, &query) &&
				    !strcmp((char *)query.dsp_name, label)) {
					globfree(&found);
					return fd;
				}
				close(fd);
			}
			globfree(&found);
		}
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return -ENODEV;
}

static void qda_open(struct driver *driver)
{
	static char shell[] = "shell";
	struct drm_qda_init_create create = {
		.filelen = sizeof(shell),
		.filefd = -1,
		.attrs = FASTRPC_MODE_UNSIGNED_MODULE,
		.file = address(shell),
	};

	driver->fd = qda_node("cdsp");
	if (driver->fd < 0)
		must("/dev/accel", driver->fd);
	must("session", call(driver->fd, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE, &create));
	driver->invoke = DRM_IOCTL_QDA_REMOTE_INVOKE;
	driver->map = qda_map;
	driver->unmap = qda_unmap;
	for (size_t i = 0; i < BUFFERS; i++) {
		struct drm_qda_gem_create gem = {.size = SIZE};
		struct drm_qda_gem_mmap_offset offset = {0};
		struct drm_prime_handle prime = {.flags = DRM_RDWR | DRM_CLOEXEC};

		must("buffer", call(driver->fd, DRM_IOCTL_QDA_GEM_CREATE, &gem));
		offset.handle = prime.handle = gem.handle;
		must("offset", call(driver->fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset));
		must("export", call(driver->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
		driver->buffers[i].fd = prime.fd;
		driver->buffers[i].handle = gem.handle;
		driver->buffers[i].data = map_buffer(driver->fd, (off_t)offset.offset);
	}
}

/* ---- the rows ----------------------------------------------------------- */

static uint8_t plain_in[SIZE], plain_out[SIZE];

static void empty(struct driver *driver)
{
	remote_call(driver, driver->module, QDA_SIM_NOTHING, NULL);
}

static void small_arguments(struct driver *driver)
{
	const struct fastrpc_invoke_args args[] = {
		rpc_arg(plain_in, 16),
		rpc_arg(plain_in + 64, 64),
		rpc_arg(plain_out, 16),
		rpc_arg(plain_out + 64, 64),
	};

	remote_call(driver, driver->module, QDA_SIM_COPY2, args);
}

static void plain(struct driver *driver, size_t size)
{
	const struct fastrpc_invoke_args args[] = {
		rpc_arg(plain_in, size),
		rpc_arg(plain_out, size),
	};

	remote_call(driver, driver->module, QDA_SIM_COPY, args);
}

static void plain_64k(struct driver *driver)
{
	plain(driver, 65536);
}

static void plain_1m(struct driver *driver)
{
	plain(driver, SIZE);
}

/* The method does not look at them: what is priced is to pass them. */
static void buffers(struct driver *driver, size_t count, size_t size)
{
	struct fastrpc_invoke_args args[BUFFERS] = {0};

	for (size_t i = 0; i < BUFFERS; i++)
		args[i] = i < count
				  ? rpc_buffer(driver->buffers[i].data, size, driver->buffers[i].fd)
				  : rpc_arg(plain_in, 0);
	remote_call(driver, driver->module, QDA_SIM_TOUCH4, args);
}

static void buffer_4k(struct driver *driver)
{
	buffers(driver, 1, 4096);
}

static void buffer_1m(struct driver *driver)
{
	buffers(driver, 1, SIZE);
}

static void four_buffers(struct driver *driver)
{
	buffers(driver, BUFFERS, SIZE);
}

/* By fd and address in the driver that has nothing else. */
static void four_handles(struct driver *driver)
{
	struct fastrpc_invoke_args args[BUFFERS] = {0};

	if (!driver->buffers[0].handle) {
		four_buffers(driver);
		return;
	}
	for (size_t i = 0; i < BUFFERS; i++)
		args[i] = (struct fastrpc_invoke_args){
			.length = SIZE,
			.fd = (int32_t)driver->buffers[i].handle,
			.attr = QDA_INVOKE_ARG_GEM,
		};
	remote_call(driver, driver->module, QDA_SIM_TOUCH4, args);
}

/* Memory of a heap, of which no driver knows before the call. */
static void foreign_1m(struct driver *driver)
{
	static uint8_t *data;
	static int fd;
	struct fastrpc_invoke_args args[BUFFERS] = {{0}};

	if (!data) {
		struct dma_heap_allocation_data alloc = {.len = SIZE,
							 .fd_flags = O_RDWR | O_CLOEXEC};
		int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);

		must("heap", heap < 0 ? -errno : call(heap, DMA_HEAP_IOCTL_ALLOC, &alloc));
		close(heap);
		fd = (int)alloc.fd;
		data = map_buffer(fd, 0);
	}
	args[0] = rpc_buffer(data, SIZE, fd);
	remote_call(driver, driver->module, QDA_SIM_TOUCH4, args);
}

static void map_unmap(struct driver *driver)
{
	driver->unmap(driver, 0, driver->map(driver, 0));
}

static const struct row {
	const char *name;
	void (*run)(struct driver *driver);
	double most;    /* of qda / fastrpc */
	bool is_mapped; /* all buffers are mapped into the process, from here on */
} rows[] = {
	{"empty call", empty, 1, false},
	{"2 in and 2 out, 16 and 64 bytes", small_arguments, 1, false},
	{"64 KiB in, 64 KiB out", plain_64k, 1, false},
	{"1 MiB in, 1 MiB out", plain_1m, 1, false},
	{"4 KiB of a buffer", buffer_4k, 1, false},
	{"1 MiB of a buffer", buffer_1m, 1, false},
	{"4 buffers of 1 MiB", four_buffers, 1 / 1.3, false},
	{"4 buffers of 1 MiB, by GEM handle", four_handles, 1 / 1.3, false},
	{"1 MiB of a heap, not imported", foreign_1m, 1, false},
	{"map and unmap 1 MiB", map_unmap, 1, false},
	{"4 buffers that were mapped before", four_buffers, 1 / 1.3, true},
};
#define ROW_4K 4
#define ROW_1M 5

static int64_t batch(const struct row *row, struct driver *driver)
{
	int64_t begin;

	row->run(driver);
	begin = now_nsec();
	for (int i = 0; i < BATCH; i++)
		row->run(driver);
	return (now_nsec() - begin) / BATCH;
}

/* Medians of batches that take turns. */
static bool measure(const struct row *row, struct driver *qda, struct driver *fastrpc,
		    int64_t *ret_qda)
{
	int64_t qda_times[ROUNDS], fastrpc_times[ROUNDS], theirs;
	double ratio;

	for (int i = 0; i < ROUNDS; i++) {
		qda_times[i] = batch(row, qda);
		fastrpc_times[i] = batch(row, fastrpc);
	}
	*ret_qda = median(qda_times, ROUNDS);
	theirs = median(fastrpc_times, ROUNDS);
	ratio = (double)*ret_qda / (double)theirs;
	printf("%-35s %10lld %10lld %6.2f   <= %.2f%s\n", row->name, (long long)*ret_qda,
	       (long long)theirs, ratio, row->most, ratio <= row->most ? "" : "  MISSED");
	fflush(stdout);
	return ratio <= row->most;
}

int main(void)
{
	int64_t times[sizeof(rows) / sizeof(*rows)];
	struct driver qda = {0}, fastrpc = {0};
	bool met = true, flat;

	must("compatible of cdsp1", sim_write("cdsp1", "compatible", "qcom,fastrpc"));
	daemon_start("cdsp", NULL);
	daemon_start("cdsp1", NULL);
	if (!wait_fastrpc("cdsp1"))
		must(FASTRPC_NODE, -ENODEV);
	fastrpc_open(&fastrpc);
	qda_open(&qda);
	open_module(&fastrpc);
	open_module(&qda);

	printf("%-35s %10s %10s %6s   %s\n", "", "qda", "fastrpc", "ratio", "target");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (size_t n = 0; n < BUFFERS && rows[i].is_mapped; n++) {
			fastrpc.map(&fastrpc, n);
			qda.map(&qda, n);
		}
		met &= measure(&rows[i], &qda, &fastrpc, &times[i]);
	}
	/* A buffer costs the same whatever its size. */
	flat = times[ROW_1M] <= times[ROW_4K] + times[ROW_4K] / 20;
	printf("qda, 1 MiB of a buffer against 4 KiB: %.2f   <= 1.05%s\n",
	       (double)times[ROW_1M] / (double)times[ROW_4K], flat ? "" : "  MISSED");
	return met && flat ? 0 : 1;
}
