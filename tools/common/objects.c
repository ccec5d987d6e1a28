/* SPDX-License-Identifier: MIT */
/* What the tools for syncobjs share: descriptors of any process, and devices that serve them. */
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>

#include "common.h"
#include "objects.h"
#include "tool.h"

/* Newer than the C libraries we build with; the same on every architecture. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define DEVICE_NAMES                                                                          \
	"\"device\" or \"drm\", which may have :PATH after them, \"soft\", or the path of a " \
	"node"

#define PTRACE_SCOPE "/proc/sys/kernel/yama/ptrace_scope"

/* ---- the command line --------------------------------------------------- */

int parse_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	int base = strncasecmp(text, "0x", 2) ? 10 : 16;
	uint64_t number;
	char *end;

	if (base == 16 ? !isxdigit((unsigned char)text[2]) : !isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, base);
	if (*end)
		return -EINVAL;
	if (errno || number > max)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

/* A descriptor's number is decimal, as shells and /proc have it. */
static int parse_fd(const char *text, int *ret_fd)
{
	uint64_t fd;

	if (text[strspn(text, "0123456789")] || parse_number(text, INT_MAX, &fd) < 0)
		return -EINVAL;
	*ret_fd = (int)fd;
	return 0;
}

int parse_fd_point(const char *text, struct fd_point *ret_fd_point)
{
	struct fd_point parsed = {.fd = -1};
	_cleanup_free_ char *fd = strdup(text);
	char *point = fd ? strchr(fd, ':') : NULL;
	int r = 0;

	if (point) {
		*point++ = '\0';
		parsed.has_point = true;
		r = parse_number(point, UINT64_MAX, &parsed.point);
	}
	if (r == -ERANGE) {
		tool_error("%s: the highest point is %" PRIu64, text, UINT64_MAX);
		return -EINVAL;
	}
	if (!fd || r < 0 || parse_fd(fd, &parsed.fd) < 0) {
		tool_error("%s: not a descriptor's number, or one with a point: FD or FD:POINT",
			   text);
		return -EINVAL;
	}
	*ret_fd_point = parsed;
	return 0;
}

int parse_pid(const char *text, pid_t *ret_pid)
{
	uint64_t pid;

	if (text[strspn(text, "0123456789")] || parse_number(text, INT_MAX, &pid) < 0 || !pid) {
		tool_error("%s: not the number of a process", text);
		return -EINVAL;
	}
	*ret_pid = (pid_t)pid;
	return 0;
}

int parse_time_option(const char *option, const char *text, int64_t *ret_nsec)
{
	int r = parse_time(text, ret_nsec);

	if (r == -ERANGE)
		tool_error("--%s: %s is too long", option, text);
	else if (r < 0)
		tool_error("--%s: %s is not a time: a number and ns, us, ms, s or m; seconds "
			   "without a unit",
			   option, text);
	return r < 0 ? -EINVAL : 0;
}

/* ---- processes ---------------------------------------------------------- */

int process_open(struct process *process, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd == -1)
		return -errno;
	process->pid = pid;
	process->pidfd = pidfd;
	return 0;
}

bool process_ended(const struct process *process)
{
	struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};

	return poll(&ended, 1, 0) == 1;
}

void process_close(struct process *process)
{
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
}

int process_get_fd(const struct process *process, int fd)
{
	int own;

	if (process->pid)
		own = (int)syscall(SYS_pidfd_getfd, process->pidfd, fd, 0);
	else
		own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return own == -1 ? -errno : own;
}

/* The effective user of process @pid, or -1. */
static int64_t user_of(pid_t pid)
{
	char path[32], line[128];
	unsigned int user;
	int64_t found = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Uid: %*u %u", &user) == 1)
			found = user;
	if (file)
		fclose(file);
	return found;
}

static int ptrace_scope(void)
{
	FILE *file = fopen(PTRACE_SCOPE, "re");
	int scope = 0;

	if (file) {
		if (fscanf(file, "%d", &scope) != 1)
			scope = 0;
		fclose(file);
	}
	return scope;
}

static char *permission_problem(pid_t pid)
{
	int64_t user = user_of(pid);
	int scope = ptrace_scope();

	if (user >= 0 && user != geteuid())
		return format_text("process %d belongs to user %" PRId64 " and may not be looked "
				   "into; run as that user or as root (CAP_SYS_PTRACE)",
				   pid, user);
	if (scope > 2)
		return format_text("process %d may not be looked into: " PTRACE_SCOPE " is %d; "
				   "nothing but a boot without that changes it",
				   pid, scope);
	if (scope > 0)
		return format_text("process %d may not be looked into: " PTRACE_SCOPE " is %d; run "
				   "as root (CAP_SYS_PTRACE), or write 0 there",
				   pid, scope);
	return format_text("process %d is protected and may not be looked into (it is not "
			   "dumpable, has more capabilities, or a security module forbids it); run "
			   "as root with CAP_SYS_PTRACE",
			   pid);
}

char *process_problem(pid_t pid, int error)
{
	switch (error) {
	case -ESRCH:
		return format_text("there is no process %d; pgrep finds processes by name", pid);
	case -EINVAL:
	case -ENOENT:
		return format_text("%d is a thread and no process; give the process's number "
				   "(Tgid in /proc/%d/status)",
				   pid, pid);
	case -EPERM:
	case -EACCES:
		return permission_problem(pid);
	case -ENOSYS:
		return format_text("the kernel has no pidfd_getfd(), or a filter forbids it; it "
				   "came with Linux 5.6");
	default:
		return format_text("process %d: %s", pid, syncobj_strerror(error));
	}
}

char *process_fd_link(const struct process *process, int fd)
{
	char path[64], link[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", process->pid ? process->pid : getpid(), fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n == -1)
		return NULL;
	link[n] = '\0';
	return strdup(link);
}

/* ---- devices ------------------------------------------------------------ */

/* What syncobj_device_open() goes by, or NULL if it searches. */
static const char *device_name(const struct devices *devices)
{
	const char *name = devices->name ? devices->name : secure_getenv("SYNCOBJ_DEVICE");

	return name && (*name || devices->name) ? name : NULL;
}

static bool is_soft(const struct syncobj_device *device)
{
	return device && syncobj_device_backend(device) == SYNCOBJ_BACKEND_SOFT;
}

static int open_named(struct devices *devices)
{
	if (!devices->named && !devices->error)
		devices->error = syncobj_device_open(devices->name, &devices->named);
	return devices->error;
}

int devices_open(struct devices *devices, const char *name)
{
	*devices = (struct devices){.name = name};
	if (name && open_named(devices) == -EINVAL) {
		tool_error("%s: not the name of a device; it is " DEVICE_NAMES, name);
		return EXIT_USAGE;
	}
	return EXIT_FINE;
}

void devices_close(struct devices *devices)
{
	syncobj_device_unref(devices->named);
	syncobj_device_unref(devices->soft);
}

bool devices_lack_kernel(const struct devices *devices)
{
	return devices->error || is_soft(devices->named);
}

char *devices_problem(const struct devices *devices)
{
	const char *name = device_name(devices);
	const char *from = devices->name ? "" : "SYNCOBJ_DEVICE: ";

	if (devices->named)
		return format_text("%sdevice %s does not serve syncobjs of the kernel; name a "
				   "device or a node with -d",
				   from, name);
	if (!name && devices->error == -ENODEV)
		return format_text("there is neither /dev/syncobj nor a DRM render node with "
				   "timeline syncobjs; load such a driver, or name a node with -d");
	if (!name)
		return format_text("no device for syncobjs can be opened: %s; see the nodes below "
				   "/dev/dri, most belong to group render",
				   syncobj_strerror(devices->error));
	switch (devices->error) {
	case -EINVAL:
		return format_text("%s%s is not the name of a device; it is " DEVICE_NAMES, from,
				   name);
	case -ENODEV:
		return format_text("%s%s is no device for syncobjs; it is to be /dev/syncobj or a "
				   "DRM node",
				   from, name);
	case -EOPNOTSUPP:
		return format_text("%s%s has no timeline syncobjs; name another device with -d",
				   from, name);
	case -EACCES:
		return format_text("%s%s: permission denied; join the group of the node, often "
				   "render",
				   from, name);
	default:
		return format_text("%s%s: %s; name another device with -d", from, name,
				   syncobj_strerror(devices->error));
	}
}

static void print_problem(const char *subject, char *problem)
{
	tool_error("%s%s", subject, problem ? problem : "out of memory");
	free(problem);
}

int devices_get_named(struct devices *devices, struct syncobj_device **ret_device)
{
	_cleanup_free_ char *problem = NULL;

	if (open_named(devices) == 0) {
		*ret_device = devices->named;
		return EXIT_FINE;
	}
	problem = devices_problem(devices);
	tool_error("%s; -d soft makes objects without a device", problem ? problem : "no device");
	return EXIT_FAILED;
}

/* The device that serves @kind, opened at need. Return: 0 or a negative errno. */
static int device_for(struct devices *devices, int kind, struct syncobj_device **ret_device)
{
	int r = 0;

	if (kind == SYNCOBJ_KIND_SOFT && !is_soft(devices->named)) {
		if (!devices->soft)
			r = syncobj_device_open("soft", &devices->soft);
		*ret_device = devices->soft;
		return r;
	}
	r = open_named(devices);
	*ret_device = devices->named;
	return r == 0 && kind == SYNCOBJ_KIND_DRM && is_soft(devices->named) ? -ENODEV : r;
}

int devices_import(struct devices *devices, int kind, int fd, struct syncobj **ret_syncobj)
{
	struct syncobj_device *device = NULL;
	int r = device_for(devices, kind, &device);

	return r < 0 ? r : syncobj_import(device, fd, ret_syncobj);
}

/* ---- objects ------------------------------------------------------------ */

int check_inherited(const struct fd_point *fd_points, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fcntl(fd_points[i].fd, F_GETFD) != -1)
			continue;
		tool_error("descriptor %d is not open here; let this program inherit it, or name "
			   "its process with --pid",
			   fd_points[i].fd);
		return EXIT_FAILED;
	}
	return EXIT_FINE;
}

static void print_fd_problem(const struct process *process, int fd, int error)
{
	if (error == -EBADF && process->pid)
		tool_error("descriptor %d is not open in process %d; syncobj-query %d lists its "
			   "syncobjs",
			   fd, process->pid, process->pid);
	else if (error == -ESRCH && process->pid)
		tool_error("process %d ended", process->pid);
	else if (error == -EMFILE)
		tool_error("descriptor %d: too many open files; raise the limit with ulimit -n",
			   fd);
	else if (process->pid)
		print_problem("", process_problem(process->pid, error));
	else
		tool_error("descriptor %d: %s", fd, syncobj_strerror(error));
}

static void print_no_syncobj(const struct process *process, int fd)
{
	_cleanup_free_ char *link = process_fd_link(process, fd);

	if (process->pid)
		tool_error("descriptor %d of process %d is no syncobj%s%s; syncobj-query %d lists "
			   "those that are",
			   fd, process->pid, link ? " but " : "", link ? link : "", process->pid);
	else
		tool_error("descriptor %d is no syncobj%s%s; syncobj-query --own lists those that "
			   "are",
			   fd, link ? " but " : "", link ? link : "");
}

int object_get(struct devices *devices, const struct process *process, int fd,
	       struct syncobj **ret_syncobj)
{
	_cleanup_close_ int own = process_get_fd(process, fd);
	char subject[48];
	int kind, r;

	if (own < 0) {
		print_fd_problem(process, fd, own);
		return EXIT_FAILED;
	}
	kind = syncobj_identify(own);
	if (kind == SYNCOBJ_KIND_NONE) {
		print_no_syncobj(process, fd);
		return EXIT_FAILED;
	}
	r = kind < 0 ? kind : devices_import(devices, kind, own, ret_syncobj);
	if (r == 0)
		return EXIT_FINE;
	snprintf(subject, sizeof(subject), "descriptor %d: ", fd);
	if (kind == SYNCOBJ_KIND_DRM && devices_lack_kernel(devices))
		print_problem(subject, devices_problem(devices));
	else
		print_fd_problem(&(struct process){.pid = 0}, fd, r);
	return EXIT_FAILED;
}

int object_look(struct syncobj *syncobj, uint64_t point, uint64_t *ret_signaled,
		uint64_t *ret_submitted)
{
	uint64_t signaled, submitted;
	int ready, r;

	ready = syncobj_wait(&syncobj, &point, 1, 0, 0, 0, NULL);
	if (ready < 0 && ready != -ETIME && ready != -EINVAL)
		return ready;
	r = syncobj_query(&syncobj, 1, 0, &signaled);
	if (r == 0)
		r = syncobj_query(&syncobj, 1, SYNCOBJ_QUERY_LAST_SUBMITTED, &submitted);
	if (r < 0)
		return r == -EINVAL ? -EIO : r;
	*ret_signaled = signaled;
	*ret_submitted = submitted;
	return ready == -ETIME ? 0 : ready == 0 ? 1 : -EINVAL;
}

const char *error_name(int error)
{
	const char *name = strerrorname_np(-error);

	return name ? name : "?";
}
