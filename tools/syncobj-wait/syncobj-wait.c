/* SPDX-License-Identifier: MIT */
/* syncobj-wait: waits for points of syncobjs, and says which ones are missing. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <syncobj.h>

#include "common.h"
#include "json.h"
#include "objects.h"
#include "tool.h"

#define EXIT_TIMEOUT 1

enum {
	OPTION_PID = 256,
	OPTION_FD,
	OPTION_ALL,
	OPTION_ANY,
	OPTION_AVAILABLE,
	OPTION_SUBMITTED,
	OPTION_DEADLINE,
	OPTION_JSON,
	OPTION_VERSION,
};

static const struct option_row rows[] = {
	OBJECT_DEVICE_ROW,
	{OPTION_PID, "pid", "PID", "descriptors are those of process PID"},
	{OPTION_FD, "fd", "FD[:POINT]", "the same as an operand"},
	{OPTION_ALL, "all", NULL, "wait for all of them (default)"},
	{OPTION_ANY, "any", NULL, "wait for one of them, and print which are ready"},
	{OPTION_AVAILABLE, "available", NULL, "wait until points are submitted only"},
	{OPTION_SUBMITTED, "submitted", NULL,
	 "a point that is not submitted yet is an error instead\nof being waited for"},
	{'t', "timeout", "TIME", "give up after TIME; 0 only looks (default: never)"},
	{OPTION_DEADLINE, "deadline", "TIME", "tell who signals that it is needed in TIME"},
	{OPTION_JSON, "json", NULL, "print a JSON object"},
	{'v', "verbose", NULL, "print how far each object is"},
	{'h', "help", NULL, "print this help"},
	{OPTION_VERSION, "version", NULL, "print the version"},
	{0},
};

struct wait {
	struct process process;
	struct devices devices;
	const char *device;
	struct fd_point *fd_points;
	size_t n;
	struct syncobj **syncobjs;
	uint64_t *points;
	bool *ready;
	bool any, available, submitted, verbose, json;
	int64_t timeout_nsec, deadline_nsec; /* from now, or negative */
};

static void print_help(void)
{
	printf("Usage: syncobj-wait [OPTIONS] FD[:POINT]...\n"
	       "Wait until points of syncobjs are signalled, and on a timeout say what is "
	       "missing.\n\n"
	       "FD      a descriptor that was inherited, or with --pid one of that process\n"
	       "POINT   a point of its timeline; without one, or 0: the whole fence\n"
	       "TIME    a number and ns, us, ms, s or m; seconds without a unit\n\n");
	options_help(rows);
	printf("\nExit status: 0 signalled (with --available: submitted); 1 the time was over; "
	       "2 usage;\n"
	       "3 something else: no such descriptor, process or device, or the process ended.\n");
}

static int64_t now_nsec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Absolute, as the library takes it. @relative_nsec 0 polls, negative is for ever. */
static int64_t time_in(int64_t relative_nsec)
{
	int64_t end;

	if (relative_nsec < 0)
		return INT64_MAX;
	if (relative_nsec == 0)
		return 0;
	return __builtin_add_overflow(now_nsec(), relative_nsec, &end) ? INT64_MAX : end;
}

/* ---- waiting ------------------------------------------------------------ */

/* All that is waited for can be waited for in one call. */
static bool is_simple(const struct wait *wait)
{
	struct syncobj_device *device = syncobj_device_of(wait->syncobjs[0]);

	for (size_t i = 1; i < wait->n; i++)
		if (syncobj_device_of(wait->syncobjs[i]) != device)
			return false;
	/* Without eventfds nothing can be waited for beside the points. */
	return !wait->process.pid || !(syncobj_device_features(device) & SYNCOBJ_FEATURE_EVENTFD);
}

static uint32_t wait_flags(const struct wait *wait)
{
	uint32_t flags = wait->available ? SYNCOBJ_WAIT_AVAILABLE : 0;

	if (!wait->submitted)
		flags |= SYNCOBJ_WAIT_FOR_SUBMIT;
	if (wait->deadline_nsec >= 0)
		flags |= SYNCOBJ_WAIT_DEADLINE;
	return flags;
}

static int wait_in_one_call(struct wait *wait, int64_t end, uint64_t deadline)
{
	uint32_t flags = wait_flags(wait) | (wait->any ? 0 : SYNCOBJ_WAIT_ALL);
	size_t first = 0;
	int r;

	r = syncobj_wait(wait->syncobjs, wait->points, wait->n, end, flags, deadline, &first);
	if (r == 0 && wait->any)
		wait->ready[first] = true;
	return r;
}

/* A waiter makes no use of these two. */
static int check_submitted_and_deadline(struct wait *wait, uint64_t deadline)
{
	int r = 0;

	for (size_t i = 0; i < wait->n && (r == 0 || r == -ETIME); i++)
		r = syncobj_wait(&wait->syncobjs[i], &wait->points[i], 1, 0, wait_flags(wait),
				 deadline, NULL);
	return r == -ETIME ? 0 : r;
}

static bool enough(const struct wait *wait)
{
	size_t ready = 0;

	for (size_t i = 0; i < wait->n; i++)
		ready += wait->ready[i];
	return wait->any ? ready : ready == wait->n;
}

/* Return: 1 if there was an event, 0 if the time is over, or a negative errno. */
static int poll_until(struct pollfd *fds, size_t n, int64_t end)
{
	int64_t left;
	struct timespec ts;
	int r;

	do {
		left = MAX(end - now_nsec(), 0);
		ts = (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
		r = ppoll(fds, n, end == INT64_MAX ? NULL : &ts, NULL);
	} while (r == -1 && errno == EINTR);
	return r == -1 ? -errno : r > 0;
}

/*
 * The last of @fds, after those of the waiters, is the process's. We hold its
 * objects, so once it has ended nobody may be left to signal them.
 */
static int wait_by_waiters(struct wait *wait, struct syncobj_waiter **waiters, struct pollfd *fds,
			   int64_t end)
{
	uint32_t flags = wait->available ? SYNCOBJ_WAIT_AVAILABLE : 0;
	int r, event;

	fds[wait->n] = (struct pollfd){.fd = wait->process.pidfd, .events = POLLIN};
	for (size_t i = 0; i < wait->n; i++) {
		r = syncobj_waiter_new(wait->syncobjs[i], wait->points[i], flags, &waiters[i]);
		if (r < 0)
			return r;
		fds[i].fd = syncobj_waiter_fd(waiters[i]);
		fds[i].events = POLLIN;
	}
	for (;;) {
		event = poll_until(fds, wait->n + 1, end);
		if (event < 0)
			return event;
		for (size_t i = 0; i < wait->n; i++) {
			if (wait->ready[i] || !(fds[i].revents || fds[wait->n].revents))
				continue;
			r = syncobj_waiter_result(waiters[i]);
			if (r < 0 && r != -EAGAIN)
				return r;
			wait->ready[i] = r == 0;
			if (r == 0)
				fds[i].fd = -1;
		}
		if (enough(wait))
			return 0;
		if (fds[wait->n].revents)
			return -ESRCH;
		if (!event)
			return -ETIME;
	}
}

/* As syncobj_wait(), and -ESRCH if the process ended. */
static int wait_for_points(struct wait *wait)
{
	_cleanup_free_ struct syncobj_waiter **waiters = NULL;
	_cleanup_free_ struct pollfd *fds = NULL;
	int64_t end = time_in(wait->timeout_nsec);
	/* A deadline of 0 is now, which is not what 0 means to time_in(). */
	uint64_t deadline = (uint64_t)time_in(MAX(wait->deadline_nsec, 1));
	int r;

	if (is_simple(wait))
		return wait_in_one_call(wait, end, deadline);
	r = check_submitted_and_deadline(wait, deadline);
	if (r < 0)
		return r;
	waiters = calloc(wait->n, sizeof(struct syncobj_waiter *));
	fds = calloc(wait->n + 1, sizeof(*fds));
	if (!waiters || !fds)
		return -ENOMEM;
	r = wait_by_waiters(wait, waiters, fds, end);
	for (size_t i = 0; i < wait->n; i++)
		syncobj_waiter_free(waiters[i]);
	return r;
}

/* ---- telling ------------------------------------------------------------ */

/* How one object is doing. */
struct look {
	int ready; /* of object_look() */
	uint64_t signaled, submitted;
	int status; /* a negative errno if the fence failed */
};

static const char *state_name(const struct look *look)
{
	return look->ready == 1 ? "signaled" : look->ready == 0 ? "pending" : "not submitted";
}

/* A line about it; the caller's, or NULL. */
static char *describe(const struct fd_point *at, const struct look *look)
{
	if (at->point)
		return format_text("fd %d: point %" PRIu64 " is %s (signalled %" PRIu64
				   ", submitted %" PRIu64 ")",
				   at->fd, at->point,
				   look->ready == 1   ? "signalled"
				   : look->ready == 0 ? "submitted, not signalled"
						      : "not submitted",
				   look->signaled, look->submitted);
	return format_text("fd %d: %s", at->fd,
			   look->ready == 1   ? "the fence is signalled"
			   : look->ready == 0 ? "the fence is pending"
					      : "no fence yet");
}

static void print_json_object(struct json *json, const struct fd_point *at, const struct look *look,
			      bool ready)
{
	json_open(json, NULL, '{');
	json_signed(json, "fd", at->fd);
	json_unsigned(json, "point", at->point);
	json_bool(json, "ready", ready);
	json_text(json, "state", state_name(look));
	json_unsigned(json, "signaled", look->signaled);
	json_unsigned(json, "submitted", look->submitted);
	json_text(json, "error", look->status < 0 ? error_name(look->status) : NULL);
	json_close(json, '}');
}

static void print_object(const struct wait *wait, size_t i, const struct look *look, int result)
{
	const struct fd_point *at = &wait->fd_points[i];
	_cleanup_free_ char *line = describe(at, look);
	bool ready = wait->ready[i];

	if (!line)
		return;
	if (result == 0 && wait->verbose)
		puts(line);
	else if (result == 0 && wait->any && ready && at->has_point)
		printf("%d:%" PRIu64 "\n", at->fd, at->point);
	else if (result == 0 && wait->any && ready)
		printf("%d\n", at->fd);
	/* Only what is not submitted is the error of --submitted. */
	if (result == -EINVAL ? look->ready == -EINVAL : result < 0 && !ready)
		tool_error_line(line);
	if (look->status < 0)
		tool_error("fd %d: the fence failed: %s (%s)", at->fd, strerror(-look->status),
			   error_name(look->status));
}

/* @result: 0, -ETIME, -EINVAL for what is not submitted, or -ESRCH. */
static void print_json(const struct wait *wait, const struct look *looks, int result)
{
	struct json json = {.file = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "result",
		  result == 0         ? (wait->available ? "available" : "signaled")
		  : result == -ETIME  ? "timeout"
		  : result == -EINVAL ? "not submitted"
				      : "process ended");
	json_open(&json, "objects", '[');
	for (size_t i = 0; i < wait->n; i++)
		print_json_object(&json, &wait->fd_points[i], &looks[i], wait->ready[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	putchar('\n');
}

static int look_at(struct wait *wait, size_t i, int result, struct look *look)
{
	look->ready =
		object_look(wait->syncobjs[i], wait->points[i], &look->signaled, &look->submitted);
	if (look->ready < 0 && look->ready != -EINVAL)
		return look->ready;
	if (look->ready == 1 || (wait->available && look->ready == 0))
		wait->ready[i] = true;
	/* One that was waited for may have been reset since. */
	if (result == 0 && !wait->any)
		wait->ready[i] = true;
	if (wait->ready[i] && syncobj_status(wait->syncobjs[i], wait->points[i], &look->status) < 0)
		look->status = 0;
	return 0;
}

/*
 * Print how @*result as above came about. What was missing when the time was over or the
 * process ended may have come since. The wait is a success then, as nothing is left to be
 * named. Return: 0 or a negative errno.
 */
static int tell(struct wait *wait, int *result)
{
	_cleanup_free_ struct look *looks = calloc(wait->n, sizeof(*looks));
	bool submitted = true;
	int r;

	if (!looks)
		return -ENOMEM;
	for (size_t i = 0; i < wait->n; i++) {
		r = look_at(wait, i, *result, &looks[i]);
		if (r < 0)
			return r;
		submitted = submitted && looks[i].ready != -EINVAL;
	}
	if ((*result == -ETIME || *result == -ESRCH) && enough(wait))
		*result = 0;
	if (wait->json) {
		print_json(wait, looks, *result);
		return 0;
	}
	if (*result == -ESRCH)
		tool_error("process %d ended", wait->process.pid);
	if (*result == -EINVAL && submitted)
		tool_error("a point was not submitted when the wait began, and is now");
	for (size_t i = 0; i < wait->n; i++)
		print_object(wait, i, &looks[i], *result);
	return 0;
}

/* ---- options ------------------------------------------------------------ */

static int add_operand(struct wait *wait, const char *text)
{
	return parse_fd_point(text, &wait->fd_points[wait->n++]);
}

/* Return: EXIT_*, or -1 to go on. */
static int parse_options(struct wait *wait, int argc, char **argv)
{
	struct options options;
	bool all = false;
	int id, r = 0;

	options_init(&options, "syncobj-wait", rows, argc, argv);
	while (r == 0 && (id = options_next(&options)) != OPTION_END) {
		switch (id) {
		case 'd':
			wait->device = optarg;
			break;
		case OPTION_PID:
			r = parse_pid(optarg, &wait->process.pid);
			break;
		case OPTION_FD:
		case OPTION_OPERAND:
			r = add_operand(wait, optarg);
			break;
		case OPTION_ALL:
			all = true;
			break;
		case OPTION_ANY:
			wait->any = true;
			break;
		case OPTION_AVAILABLE:
			wait->available = true;
			break;
		case OPTION_SUBMITTED:
			wait->submitted = true;
			break;
		case 't':
			r = parse_time_option("timeout", optarg, &wait->timeout_nsec);
			break;
		case OPTION_DEADLINE:
			r = parse_time_option("deadline", optarg, &wait->deadline_nsec);
			break;
		case OPTION_JSON:
			wait->json = true;
			break;
		case 'v':
			wait->verbose = true;
			break;
		case 'h':
			print_help();
			return EXIT_FINE;
		case OPTION_VERSION:
			printf("syncobj-wait %s\n", SYNCOBJ_VERSION);
			return EXIT_FINE;
		default:
			tool_error("try syncobj-wait --help");
			return EXIT_USAGE;
		}
	}
	if (r < 0)
		return EXIT_USAGE;
	if (all && wait->any)
		tool_error("--all and --any exclude each other");
	else if (wait->available && wait->submitted)
		tool_error("--available waits for submission, which --submitted forbids");
	else if (!wait->n)
		tool_error("nothing to wait for; give FD or FD:POINT, and see syncobj-wait --help");
	else if (wait->n > SYNCOBJ_MAX)
		tool_error("at most %u objects can be waited for", SYNCOBJ_MAX);
	else
		return -1;
	return EXIT_USAGE;
}

/* ---- main --------------------------------------------------------------- */

/* An object takes a descriptor, and two more with a waiter. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Return: EXIT_* */
static int get_objects(struct wait *wait)
{
	int status = EXIT_FINE;

	for (size_t i = 0; i < wait->n && status == EXIT_FINE; i++) {
		wait->points[i] = wait->fd_points[i].point;
		status = object_get(&wait->devices, &wait->process, wait->fd_points[i].fd,
				    &wait->syncobjs[i]);
	}
	return status;
}

/* Return: EXIT_* */
static int open_process(struct wait *wait)
{
	_cleanup_free_ char *problem = NULL;
	int r;

	if (!wait->process.pid)
		return check_inherited(wait->fd_points, wait->n);
	r = process_open(&wait->process, wait->process.pid);
	if (r == 0)
		return EXIT_FINE;
	problem = process_problem(wait->process.pid, r);
	tool_error_line(problem ? problem : "out of memory");
	return EXIT_FAILED;
}

/* Return: EXIT_* */
static int run(struct wait *wait)
{
	int r, told, status = open_process(wait);

	raise_descriptor_limit();
	if (status == EXIT_FINE)
		status = devices_open(&wait->devices, wait->device);
	if (status == EXIT_FINE)
		status = get_objects(wait);
	if (status != EXIT_FINE)
		return status;
	r = wait_for_points(wait);
	told = r;
	if (r == 0 || r == -ETIME || r == -ESRCH || (r == -EINVAL && wait->submitted))
		told = tell(wait, &r);
	if (told == 0)
		return r == 0 ? EXIT_FINE : r == -ETIME ? EXIT_TIMEOUT : EXIT_FAILED;
	tool_error("cannot wait: %s%s", syncobj_strerror(told),
		   told == -EMFILE ? "; raise the limit with ulimit -n" : "");
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct wait wait = {.process.pidfd = -1, .timeout_nsec = -1, .deadline_nsec = -1};
	size_t room = (size_t)argc + 1;
	int status = EXIT_FAILED;

	wait.fd_points = calloc(room, sizeof(*wait.fd_points));
	wait.syncobjs = calloc(room, sizeof(struct syncobj *));
	wait.points = calloc(room, sizeof(*wait.points));
	wait.ready = calloc(room, sizeof(*wait.ready));
	if (wait.fd_points && wait.syncobjs && wait.points && wait.ready) {
		status = parse_options(&wait, argc, argv);
		if (status == -1)
			status = run(&wait);
		for (size_t i = 0; i < wait.n; i++)
			syncobj_unref(wait.syncobjs[i]);
	} else {
		tool_error("out of memory");
	}
	devices_close(&wait.devices);
	process_close(&wait.process);
	free(wait.fd_points);
	free(wait.syncobjs);
	free(wait.points);
	free(wait.ready);
	return close_stdout() < 0 ? EXIT_FAILED : status;
}
