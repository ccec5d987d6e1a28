/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prices the ioctls of /dev/syncobj and the ones of a DRM node that do the same,
 * handles included, side by side in one run. Under QEMU's -icount the clock
 * counts instructions.
 *
 * timeout: 600
 * modules: syncobj
 */
#include <drm.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "median.h"
#include "node.h"

/* What older libdrm headers lack. */
struct handle_eventfd {
	uint32_t handle;
	uint32_t flags;
	uint64_t point;
	int32_t fd;
	uint32_t pad;
};

#define DRM_EVENTFD DRM_IOWR(0xCF, struct handle_eventfd)

#define ROUNDS 40
#define BATCH 50

static int node, drm;
static int object;      /* for both */
static uint32_t handle; /* on the DRM node */
static uint64_t last;   /* point */

static void must(const char *what, int r)
{
	if (r < 0) {
		fprintf(stderr, "syncobj: %s: %s\n", what, strerror(-r));
		exit(2);
	}
}

/* ---- DRM ---------------------------------------------------------------- */

static uint32_t drm_import(int fd)
{
	struct drm_syncobj_handle args = {.fd = fd};

	must("drm import", call(drm, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args));
	return args.handle;
}

static void drm_destroy(uint32_t which)
{
	struct drm_syncobj_destroy args = {.handle = which};

	must("drm destroy", call(drm, DRM_IOCTL_SYNCOBJ_DESTROY, &args));
}

static void drm_wait(uint32_t which, uint64_t point)
{
	struct drm_syncobj_timeline_wait args = {
		.handles = address(&which),
		.points = address(&point),
		.count_handles = 1,
	};

	must("drm wait", call(drm, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &args));
}

static void drm_array(unsigned long request, uint32_t which, uint64_t *point)
{
	struct drm_syncobj_timeline_array args = {
		.handles = address(&which),
		.points = address(point),
		.count_handles = 1,
	};

	must("drm signal or query", call(drm, request, &args));
}

/* ---- the rows ----------------------------------------------------------- */

static void create_device(void)
{
	int fd = node_create(node, 0);

	must("create", fd);
	close(fd);
}

static void create_drm(void)
{
	struct drm_syncobj_create create = {0};
	struct drm_syncobj_handle args = {.fd = -1};

	must("drm create", call(drm, DRM_IOCTL_SYNCOBJ_CREATE, &create));
	args.handle = create.handle;
	must("drm export", call(drm, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args));
	drm_destroy(create.handle);
	close(args.fd);
}

static void import_wait_device(void)
{
	must("wait", node_wait(node, object, 1, 0, 0));
}

static void import_wait_drm(void)
{
	uint32_t imported = drm_import(object);

	drm_wait(imported, 1);
	drm_destroy(imported);
}

static void wait_device(void)
{
	must("wait", node_wait(node, object, 1, 0, 0));
}

static void wait_drm(void)
{
	drm_wait(handle, 1);
}

static void signal_device(void)
{
	must("signal", node_signal(node, object, ++last));
}

static void signal_drm(void)
{
	uint64_t point = ++last;

	drm_array(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, handle, &point);
}

static void query_device(void)
{
	uint64_t point;

	must("query", node_query(node, object, 0, &point));
}

static void query_drm(void)
{
	uint64_t point;

	drm_array(DRM_IOCTL_SYNCOBJ_QUERY, handle, &point);
}

static void read_eventfd(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		must("eventfd", -EIO);
}

static int event;

/* From the registration to the wake-up; the object came as a descriptor. */
static void eventfd_device(void)
{
	uint64_t point = ++last;

	must("eventfd", node_eventfd(node, object, point, event, 0));
	must("signal", node_signal(node, object, point));
	read_eventfd(event);
}

static void eventfd_drm(void)
{
	uint64_t point = ++last;
	struct handle_eventfd args = {.handle = handle, .point = point, .fd = event};

	must("drm eventfd", call(drm, DRM_EVENTFD, &args));
	drm_array(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, handle, &point);
	read_eventfd(event);
}

static void import_eventfd_device(void)
{
	eventfd_device();
}

static void import_eventfd_drm(void)
{
	uint64_t point = ++last;
	struct handle_eventfd args = {.handle = drm_import(object), .point = point, .fd = event};

	must("drm eventfd", call(drm, DRM_EVENTFD, &args));
	drm_array(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, args.handle, &point);
	read_eventfd(event);
	drm_destroy(args.handle);
}

static const struct row {
	const char *name;
	void (*device)(void);
	void (*drm)(void);
	double most; /* of device / drm */
} rows[] = {
	{"create, close", create_device, create_drm, 0.5},
	{"import, wait, destroy", import_wait_device, import_wait_drm, 0.5},
	{"import, eventfd, signal, wake-up, destroy", import_eventfd_device, import_eventfd_drm,
	 0.5},
	{"wait", wait_device, wait_drm, 1},
	{"signal", signal_device, signal_drm, 1},
	{"query", query_device, query_drm, 1},
	{"eventfd, signal, wake-up", eventfd_device, eventfd_drm, 1},
};

static int64_t batch(void (*run)(void))
{
	int64_t begin;

	run();
	begin = now_nsec();
	for (int i = 0; i < BATCH; i++)
		run();
	return now_nsec() - begin;
}

/* Medians of batches that take turns. */
static bool measure(const struct row *row)
{
	int64_t device_times[ROUNDS], drm_times[ROUNDS];
	int64_t device_time, drm_time;
	double ratio;

	for (int i = 0; i < ROUNDS; i++) {
		device_times[i] = batch(row->device);
		drm_times[i] = batch(row->drm);
	}
	device_time = median(device_times, ROUNDS);
	drm_time = median(drm_times, ROUNDS);
	ratio = (double)device_time / (double)drm_time;
	printf("%-45s %10lld %10lld %6.2f   <= %.2f%s\n", row->name, (long long)device_time / BATCH,
	       (long long)drm_time / BATCH, ratio, row->most, ratio <= row->most ? "" : "  MISSED");
	return ratio <= row->most;
}

int main(int argc, char **argv)
{
	bool met = true;

	node = open(node_path(), O_RDWR | O_CLOEXEC);
	drm = open(argc > 1 ? argv[1] : "/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
	if (node == -1 || drm == -1) {
		perror(node == -1 ? node_path() : "DRM node");
		return 2;
	}
	object = node_create(node, 0);
	must("create", object);
	must("signal", node_signal(node, object, ++last));
	handle = drm_import(object);
	event = eventfd(0, EFD_CLOEXEC);
	printf("%-45s %10s %10s %6s   %s\n", "", "device", "drm", "ratio", "target");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		met &= measure(&rows[i]);
	drm_destroy(handle);
	return met ? 0 : 1;
}
