/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite of libsyncobj: what a program may expect of any backend,
 * case by case, through the public header alone.
 *
 * What the tests of DRM's syncobjs in IGT check and no case here does:
 *
 * - Padding that is not zero; points given to a reset; array pointers and counts
 *   that do not fit together; flags of the conversions between handles and file
 *   descriptors: the library fills those fields, a program of it cannot.
 * - Handles or file descriptors of nothing in wait, reset, signal, query,
 *   transfer and eventfd: these take objects, and an object is made only from a
 *   good file descriptor. A bad one is refused by import, and a call that takes
 *   many is refused as a whole for an object of another device.
 * - Destroying by number: unref takes an object.
 * - Closing an object's handle under a thread that waits for it: that is the
 *   caller's error here. Another reference may go; see
 *   wait_outlives_other_references.
 * - Fences of a GPU's work: they need hardware. Those here are sw_sync's.
 * - Programs of 32 bits on a kernel of 64: that takes a build of the suite for
 *   32 bits, which checks it then.
 *
 * What the kernel answers to raw calls of those kinds is for the tests of its
 * drivers; that the library passes on the errors is for tests/unit/syncobj.
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "conformance.h"

#define SW_SYNC "/sys/kernel/debug/sync/sw_sync"

const char *conf_device = "soft";
const char *conf_second;

static uint32_t features, second_features;
static char second_missing[PATH_MAX];        /* why there is none */
static char second_other_kind[2 * PATH_MAX]; /* why there are no objects in common */

/* ---- checks and helpers ------------------------------------------------- */

bool conf_is_soft(void)
{
	return !strcmp(conf_device, "soft");
}

struct conf open_device(const char *name)
{
	struct conf c = {0};

	CHECK_OK(syncobj_device_open(name, &c.device));
	c.features = syncobj_device_features(c.device);
	return c;
}

struct conf open_second(void)
{
	return open_device(conf_second ? conf_second : conf_device);
}

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

void check_passed(int64_t time_ns)
{
	int64_t left = time_ns - now_ns();

	if (left > 0)
		conf_fail(__FILE__, __LINE__, "the wait ended %lld ns too early", (long long)left);
}

void sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

struct syncobj *make(struct conf *c)
{
	struct syncobj *syncobj;

	CHECK_OK(syncobj_create(c->device, 0, &syncobj));
	return syncobj;
}

struct syncobj *make_at(struct conf *c, uint64_t point)
{
	struct syncobj *syncobj = make(c);

	CHECK_OK(signal_one(syncobj, point));
	return syncobj;
}

struct syncobj *again(struct conf *c, const struct syncobj *syncobj)
{
	struct syncobj *other;

	CHECK_OK(syncobj_import(c->device, syncobj_fd(syncobj), &other));
	return other;
}

void drop(struct syncobj **syncobjs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		syncobjs[i] = syncobj_unref(syncobjs[i]);
}

int signal_one(struct syncobj *syncobj, uint64_t point)
{
	return syncobj_signal(&syncobj, &point, 1);
}

int reset_one(struct syncobj *syncobj)
{
	return syncobj_reset(&syncobj, 1);
}

int poll_one(struct syncobj *syncobj, uint64_t point, uint32_t flags)
{
	return syncobj_wait(&syncobj, &point, 1, 0, flags, 0, NULL);
}

uint64_t query_one(struct syncobj *syncobj)
{
	uint64_t point;

	CHECK_OK(syncobj_query(&syncobj, 1, 0, &point));
	return point;
}

uint64_t submitted_one(struct syncobj *syncobj)
{
	uint64_t point;

	CHECK_OK(syncobj_query(&syncobj, 1, SYNCOBJ_QUERY_LAST_SUBMITTED, &point));
	return point;
}

/* ---- sw_sync ------------------------------------------------------------ */

struct sw_sync_create_fence {
	uint32_t value;
	char name[32];
	int32_t fence;
};

struct sw_sync_get_deadline {
	uint64_t deadline_ns;
	uint32_t pad;
	int32_t fence_fd;
};

#define SW_SYNC_CREATE_FENCE _IOWR('W', 0, struct sw_sync_create_fence)
#define SW_SYNC_INC _IOW('W', 1, uint32_t)
#define SW_SYNC_GET_DEADLINE _IOWR('W', 2, struct sw_sync_get_deadline)

bool pending_possible(void)
{
	return !access(SW_SYNC, R_OK | W_OK);
}

void pending_init(struct pending *pending)
{
	*pending = (struct pending){.timeline = open(SW_SYNC, O_RDWR | O_CLOEXEC)};
	CHECK(pending->timeline >= 0);
}

int pending_fence(struct pending *pending)
{
	struct sw_sync_create_fence fence = {.value = ++pending->next, .name = "conformance"};

	CHECK_EQ(ioctl(pending->timeline, SW_SYNC_CREATE_FENCE, &fence), 0);
	fcntl(fence.fence, F_SETFD, FD_CLOEXEC);
	return fence.fence;
}

void pending_signal(struct pending *pending, uint32_t count)
{
	pending->done += count;
	CHECK_EQ(ioctl(pending->timeline, SW_SYNC_INC, &count), 0);
}

void pending_end(struct pending *pending)
{
	pending_signal(pending, pending->next - pending->done);
	close(pending->timeline);
}

void pending_fail(struct pending *pending)
{
	close(pending->timeline); /* signals what is left with an error */
}

bool pending_deadline(struct pending *pending, int fence, uint64_t *ret_deadline)
{
	struct sw_sync_get_deadline args = {.fence_fd = fence};

	if (ioctl(pending->timeline, SW_SYNC_GET_DEADLINE, &args) == -1) {
		CHECK_EQ(errno, ENOENT);
		return false;
	}
	*ret_deadline = args.deadline_ns;
	return true;
}

void pending_submit(struct pending *pending, struct syncobj *syncobj, uint64_t point)
{
	int fence = pending_fence(pending);

	CHECK_OK(syncobj_import_sync_file(syncobj, point, fence));
	close(fence);
}

/* ---- threads, children and descriptors ---------------------------------- */

/* A waiter that sleeps has looked at its objects: what is done to them now, it sees. */
void wait_until_asleep(atomic_int *tid)
{
	int64_t end = now_ns() + LIMIT_NS;
	char path[64], stat[256];

	while (now_ns() < end) {
		const char *state;
		ssize_t n;
		int fd;

		sleep_ms(1);
		if (!atomic_load(tid))
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(tid));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return; /* it has ended */
		n = read(fd, stat, sizeof(stat) - 1);
		close(fd);
		stat[n > 0 ? n : 0] = '\0';
		state = strrchr(stat, ')');
		if (state && state[1] && state[2] == 'S')
			return;
	}
	conf_fail(__FILE__, __LINE__, "the waiting thread does not sleep");
}

static void *wait_in_thread(void *arg)
{
	struct waiting *w = arg;

	atomic_store(&w->tid, (int)syscall(SYS_gettid));
	w->result = syncobj_wait(w->syncobjs, w->points, w->count, w->timeout_nsec, w->flags, 0,
				 &w->first);
	atomic_store(&w->done, true);
	return NULL;
}

void start_waiting(struct waiting *w)
{
	if (!w->timeout_nsec)
		w->timeout_nsec = now_ns() + LIMIT_NS;
	w->first = SIZE_MAX;
	atomic_init(&w->tid, 0);
	atomic_init(&w->done, false);
	CHECK_EQ(pthread_create(&w->thread, NULL, wait_in_thread, w), 0);
	wait_until_asleep(&w->tid);
}

int end_waiting(struct waiting *w)
{
	CHECK_EQ(pthread_join(w->thread, NULL), 0);
	return w->result;
}

int make_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	CHECK(fd >= 0);
	return fd;
}

void check_eventfd(int fd, uint64_t value)
{
	uint64_t got = 0;

	if (read(fd, &got, sizeof(got)) < 0)
		CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(got, value);
}

bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

void await_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	CHECK_EQ(poll(&p, 1, (int)(LIMIT_NS / 1000000)), 1);
	CHECK_EQ(p.revents, POLLIN);
}

void await_eventfd(int fd, uint64_t value)
{
	uint64_t got = 0, sum = 0;

	while (sum < value) {
		await_readable(fd);
		CHECK_EQ(read(fd, &got, sizeof(got)), sizeof(got));
		sum += got;
	}
	CHECK_EQ(sum, value);
}

pid_t run_child(struct conf *c, void (*fn)(struct conf *c, void *arg), void *arg)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		fn(c, arg);
		_exit(0);
	}
	return pid;
}

void check_child(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (status)
		conf_fail(__FILE__, __LINE__, "the child ended with wait status 0x%x", status);
}

/* ---- running the cases -------------------------------------------------- */

static void run_case(const struct conf_case *test)
{
	struct conf c = open_device(conf_device);

	c.variant = test->variant;
	test->run(&c);
	CHECK(!syncobj_device_unref(c.device));
}

/* Return: why the case cannot run here, or NULL. */
static const char *missing(const struct conf_case *test)
{
	const uint32_t any = SYNCOBJ_FEATURE_SYNC_FILE | SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE;
	uint32_t has = features;

	if ((test->flags & (CONF_SECOND | CONF_SHARED)) && second_missing[0])
		return second_missing;
	if ((test->flags & CONF_SHARED) && second_other_kind[0])
		return second_other_kind;
	if (test->flags & (CONF_SECOND | CONF_SHARED))
		has &= second_features;
	if ((test->flags & CONF_NODE) && conf_is_soft())
		return "the soft backend has no node";
	if ((test->flags & CONF_PENDING) && conf_is_soft())
		return "the soft backend has no pending fences";
	if ((test->flags & CONF_SYNC_FILE) && conf_is_soft())
		return "the soft backend has no sync_files but of signalled points";
	if ((test->flags & CONF_SIGNALED_SYNC_FILE) && !(has & any))
		return "the soft backend has no sync_files without /dev/udmabuf";
	if ((test->flags & CONF_NO_SYNC_FILE) && (has & any))
		return "the device has sync_files";
	if ((test->flags & CONF_EVENTFD) && !(has & SYNCOBJ_FEATURE_EVENTFD))
		return "the kernel has no eventfds of syncobjs";
	if ((test->flags & CONF_DEADLINE) && !(has & SYNCOBJ_FEATURE_DEADLINE))
		return conf_is_soft() ? "the soft backend takes no deadlines"
				      : "the kernel takes no deadlines";
	if ((test->flags & CONF_PENDING) && !pending_possible())
		return "no pending fences without " SW_SYNC;
	return NULL;
}

static const struct conf_case *groups[] = {
	object_cases, point_cases,     NULL /* the matrix */, thread_cases, eventfd_cases,
	waiter_cases, sync_file_cases, error_cases,           second_cases, stress_cases,
};

const struct conf_suite conf_suite = {
	.groups = groups,
	.group_count = ARRAY_SIZE(groups),
	.missing = missing,
	.run = run_case,
	.strerror = syncobj_strerror,
};

static int probe_device(const char *name, uint32_t *ret_features, int *ret_backend)
{
	struct syncobj_device *device;
	int r;

	r = syncobj_device_open(name, &device);
	if (r < 0)
		return r;
	*ret_features = syncobj_device_features(device);
	*ret_backend = syncobj_device_backend(device);
	fprintf(stderr, "# %s, features 0x%x\n", syncobj_device_description(device), *ret_features);
	syncobj_device_unref(device);
	return 0;
}

static void bail_out(const char *name, int error)
{
	printf("Bail out! %s: %s\n", name,
	       error == -EINVAL ? "no name of a device; --help tells which there are"
				: syncobj_strerror(error));
}

/* Return: an exit status if no case can run, or -1. */
static int probe_devices(void)
{
	int backend, second;
	int r = probe_device(conf_device, &features, &backend);

	if (r == -EINVAL || (r < 0 && conf_is_soft())) {
		bail_out(conf_device, r);
		return 1;
	}
	if (r < 0) {
		printf("1..0 # SKIP %s: %s\n", conf_device, syncobj_strerror(r));
		return 0;
	}
	second_features = features;
	if (!conf_second)
		return -1;
	r = probe_device(conf_second, &second_features, &second);
	if (r == -EINVAL) {
		bail_out(conf_second, r);
		return 1;
	}
	if (r < 0)
		snprintf(second_missing, sizeof(second_missing), "%s: %s", conf_second,
			 syncobj_strerror(r));
	else if ((backend == SYNCOBJ_BACKEND_SOFT) != (second == SYNCOBJ_BACKEND_SOFT))
		snprintf(second_other_kind, sizeof(second_other_kind),
			 "%s and %s have no objects in common", conf_device, conf_second);
	return -1;
}

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: syncobj-conformance [OPTION...] [CASE...]\n"
		"Runs the cases whose names match the patterns, or all. Output is TAP.\n"
		"  --device NAME         soft, device, drm, device:PATH, drm:PATH or PATH (soft)\n"
		"  --backend NAME        the same\n"
		"  --second-device NAME  for cases with two devices (the same, opened again)\n"
		"  --list                print the names of the cases\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"device", required_argument, NULL, 'd'},
		{"backend", required_argument, NULL, 'd'},
		{"second-device", required_argument, NULL, 's'},
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{"peer", required_argument, NULL, 'p'},
		{NULL, 0, NULL, 0},
	};
	const char *peer = NULL;
	bool list = false;
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			conf_device = optarg;
			break;
		case 's':
			conf_second = optarg;
			break;
		case 'l':
			list = true;
			break;
		case 'p':
			peer = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (peer)
		return conf_peer(atoi(peer));
	if (!list) {
		r = probe_devices();
		if (r >= 0)
			return r;
	}
	groups[2] = matrix_cases();
	return conf_run(argv + optind, list);
}
