/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite of libsyncobj: what a program may expect of any backend,
 * case by case, through the public header alone. Every case runs in a process of
 * its own, within a time limit, and has to give back all file descriptors and
 * threads it took. Output is TAP.
 */
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "conformance.h"

#define CASE_LIMIT_S 240 /* a case that takes longer hangs; generous for sanitizers */
#define LEAK_LIMIT_MS 10000
#define SW_SYNC "/sys/kernel/debug/sync/sw_sync"

const char *conf_backend = "soft";
const char *conf_program;

/* ---- checks and helpers ------------------------------------------------- */

void conf_fail(const char *file, int line, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	/* TAP's readers swallow what stdout says beyond the results. */
	fprintf(stderr, "# %s:%d: %s\n", file, line, text);
	_exit(1);
}

bool conf_is_soft(void)
{
	return !strcmp(conf_backend, "soft");
}

struct syncobj_device *conf_open(void)
{
	struct syncobj_device *device;

	CHECK_OK(syncobj_device_open(conf_backend, &device));
	return device;
}

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
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

#define SW_SYNC_CREATE_FENCE _IOWR('W', 0, struct sw_sync_create_fence)
#define SW_SYNC_INC _IOW('W', 1, uint32_t)

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

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2; /* . and .. */
}

int count_fds(void)
{
	return count_entries("/proc/self/fd") - 1; /* the directory's own */
}

/* ---- running the cases -------------------------------------------------- */

#ifdef __SANITIZE_THREAD__
#define COUNTS_THREADS false /* it has one of its own */
#else
#define COUNTS_THREADS true
#endif

static void run_case(const struct conf_case *test)
{
	int fds = count_fds(), threads = count_entries("/proc/self/task");
	struct conf c = {.device = conf_open(), .variant = test->variant};

	c.features = syncobj_device_features(c.device);
	test->run(&c);
	CHECK(!syncobj_device_unref(c.device));
	/* A thread that was joined vanishes a little later. */
	for (int ms = 0; ms < LEAK_LIMIT_MS && count_entries("/proc/self/task") != threads; ms++)
		sleep_ms(1);
	CHECK_EQ(count_fds(), fds);
	if (COUNTS_THREADS)
		CHECK_EQ(count_entries("/proc/self/task"), threads);
}

static int wait_case(pid_t child)
{
	int64_t end = now_ns() + CASE_LIMIT_S * 1000000000LL;
	siginfo_t info = {0};
	bool late = false;
	int status;

	while (waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && !info.si_pid) {
		late = now_ns() >= end;
		if (late)
			break;
		poll(NULL, 0, 1);
	}
	/* With what it started and, having failed, has left behind. */
	kill(-child, SIGKILL);
	waitpid(child, &status, 0);
	return late ? -1 : status;
}

/* Return: why the case cannot run here, or NULL. */
static const char *missing(const struct conf_case *test, uint32_t features)
{
	const uint32_t any = SYNCOBJ_FEATURE_SYNC_FILE | SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE;

	if ((test->flags & CONF_EVENTFD) && !(features & SYNCOBJ_FEATURE_EVENTFD))
		return "no eventfds";
	if ((test->flags & (CONF_SYNC_FILE | CONF_PENDING)) &&
	    !(features & SYNCOBJ_FEATURE_SYNC_FILE))
		return test->flags & CONF_PENDING ? "no pending fences" : "no sync_files";
	if ((test->flags & CONF_SIGNALED_SYNC_FILE) && !(features & any))
		return "no sync_files";
	if ((test->flags & CONF_NO_SYNC_FILE) && (features & any))
		return "there are sync_files";
	if ((test->flags & CONF_PENDING) && !pending_possible())
		return "needs " SW_SYNC;
	return NULL;
}

/* Return: whether the case passed. */
static bool run_forked(int number, const struct conf_case *test, uint32_t features)
{
	const char *reason = missing(test, features);
	pid_t child;
	int status;

	if (reason) {
		printf("ok %d - %s # SKIP %s\n", number, test->name, reason);
		return true;
	}
	fflush(stdout);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		run_case(test);
		exit(0);
	}
	if (child > 0)
		setpgid(child, child); /* whichever of the two is first */
	status = child > 0 ? wait_case(child) : -1;
	if (status == -1)
		fprintf(stderr, "# ran longer than %d s\n", CASE_LIMIT_S);
	else if (WIFSIGNALED(status))
		fprintf(stderr, "# ended by signal %d\n", WTERMSIG(status));
	else if (status)
		fprintf(stderr, "# ended with exit status %d\n", WEXITSTATUS(status));
	printf("%s %d - %s\n", status == 0 ? "ok" : "not ok", number, test->name);
	fflush(stdout);
	return status == 0;
}

static bool selected(const char *name, char *const *patterns)
{
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, name, 0))
			return true;
	return false;
}

static int run_all(char *const *patterns, bool list)
{
	const struct conf_case *const groups[] = {
		object_cases,  point_cases,  matrix_cases(),  thread_cases,
		eventfd_cases, waiter_cases, sync_file_cases, stress_cases,
	};
	int total = 0, number = 0, failed = 0;
	struct syncobj_device *device;
	uint32_t features = 0;

	if (!list) {
		int r = syncobj_device_open(conf_backend, &device);

		if (r < 0 && (conf_is_soft() || r == -EINVAL)) {
			printf("Bail out! %s\n", syncobj_strerror(r));
			return 1;
		}
		if (r < 0) {
			printf("1..0 # SKIP %s: %s\n", conf_backend, syncobj_strerror(r));
			return 0;
		}
		features = syncobj_device_features(device);
		fprintf(stderr, "# %s, features 0x%x\n", syncobj_device_description(device),
			features);
		syncobj_device_unref(device);
	}
	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
			for (const struct conf_case *test = groups[g]; test->name; test++) {
				if (!selected(test->name, patterns))
					continue;
				if (pass == 0)
					total++;
				else if (list)
					printf("%s\n", test->name);
				else if (!run_forked(++number, test, features))
					failed++;
			}
		}
		if (pass == 0 && !list)
			printf("1..%d\n", total);
	}
	if (failed)
		printf("# %d of %d failed\n", failed, total);
	return failed || !total ? 1 : 0;
}

static void usage(FILE *out)
{
	fprintf(out, "Usage: syncobj-conformance [--backend NAME] [--list] [CASE...]\n"
		     "Runs the cases whose names match the patterns, or all. Output is TAP.\n"
		     "  --backend NAME  soft, device[:PATH] or drm[:PATH] (soft)\n"
		     "  --list          print the names of the cases\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"backend", required_argument, NULL, 'b'},
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{"peer", required_argument, NULL, 'p'},
		{NULL, 0, NULL, 0},
	};
	static char program[PATH_MAX];
	bool list = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'b':
			conf_backend = optarg;
			break;
		case 'l':
			list = true;
			break;
		case 'p':
			return conf_peer(atoi(optarg));
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return 2;
	conf_program = program;
	return run_all(argv + optind, list);
}
