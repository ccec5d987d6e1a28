/* SPDX-License-Identifier: MIT */
/* syncobj-signal: signals, resets, transfers, exports and creates syncobjs. */
#include <ctype.h>
#include <inttypes.h>
#include <linux/sync_file.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <syncobj.h>

#include "common.h"
#include "json.h"
#include "objects.h"
#include "tool.h"

/* As env(1). */
#define EXIT_CANNOT_RUN 126
#define EXIT_NO_COMMAND 127

#define FIRST_FREE_FD 3

/* What TRANSFER waits for its source. */
#define TRANSFER_NSEC INT64_C(5000000000)

enum {
	OPTION_PID = 256,
	OPTION_RESET,
	OPTION_TRANSFER,
	OPTION_FOR_SUBMIT,
	OPTION_EXPORT,
	OPTION_CREATE,
	OPTION_JSON,
	OPTION_VERSION,
};

static const struct option_row rows[] = {
	OBJECT_DEVICE_ROW,
	{OPTION_PID, "pid", "PID", "descriptors are those of process PID"},
	{OPTION_RESET, "reset", NULL, "take the fences away"},
	{OPTION_TRANSFER, "transfer", NULL, "put the fence of the first operand at the second"},
	{OPTION_FOR_SUBMIT, "for-submit", NULL,
	 "with --transfer: wait up to 5 s for the fence to be\nsubmitted"},
	{OPTION_EXPORT, "export", NULL,
	 "make sync_files, for COMMAND to inherit as descriptors\nN; without COMMAND print them"},
	{OPTION_CREATE, "create", NULL, "make objects, for COMMAND to inherit as descriptors N"},
	{OPTION_JSON, "json", NULL, "print a JSON object"},
	{'h', "help", NULL, "print this help"},
	{OPTION_VERSION, "version", NULL, "print the version"},
	{0},
};

/* An operand: where it is from, and the number COMMAND gets it under. */
struct item {
	struct fd_point at; /* not for --create */
	int number;         /* or -1 */
	bool signaled;      /* --create */
	struct syncobj *syncobj;
	int fd; /* what COMMAND gets, or -1 */
};

struct job {
	struct process process;
	struct devices devices;
	const char *device;
	int mode; /* OPTION_RESET to OPTION_CREATE, or 0 */
	bool for_submit, json;
	const char **operands;
	struct item *items;
	size_t n;
	char **command; /* or NULL */
};

static void print_help(void)
{
	printf("Usage: syncobj-signal [OPTIONS] FD[:POINT]...\n"
	       "       syncobj-signal [OPTIONS] --reset FD...\n"
	       "       syncobj-signal [OPTIONS] --transfer [--for-submit] FD[:POINT] FD[:POINT]\n"
	       "       syncobj-signal [OPTIONS] --export FD[:POINT]...\n"
	       "       syncobj-signal [OPTIONS] --export FD[:POINT]=N... -- COMMAND [ARG...]\n"
	       "       syncobj-signal [OPTIONS] --create N[:signaled]... -- COMMAND [ARG...]\n"
	       "Signal points of syncobjs, or do something else with them.\n\n"
	       "FD      a descriptor that was inherited, or with --pid one of that process\n"
	       "POINT   a point of its timeline; without one, or 0: the whole fence, which is\n"
	       "        replaced by a signalled one\n"
	       "N       a descriptor's number, 3 or more, that is free here\n\n");
	options_help(rows);
	printf("\nExit status: 0 done; 2 usage; 3 something else: no such descriptor, process or\n"
	       "device, or the operation failed. Of COMMAND: its own; 126 if it cannot be run, "
	       "127 if it\n"
	       "is not there.\n");
}

/* ---- operands ----------------------------------------------------------- */

static int parse_new_number(const char *text, const char *operand, int *ret_number)
{
	struct rlimit limit = {.rlim_cur = INT32_MAX};
	uint64_t number;

	if (text[strspn(text, "0123456789")] || parse_number(text, INT32_MAX, &number) < 0) {
		tool_error("%s: %s is not a descriptor's number", operand, text);
		return -EINVAL;
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	if (number < FIRST_FREE_FD)
		tool_error("%s: 0, 1 and 2 are input, output and errors; take 3 or more", operand);
	else if (number >= limit.rlim_cur)
		tool_error("%s: descriptors go up to %ju here; take a lower one, or raise the "
			   "limit with ulimit -n",
			   operand, (uintmax_t)limit.rlim_cur - 1);
	else if (fcntl((int)number, F_GETFD) != -1)
		tool_error("%s: descriptor %d is open here; take another, or close it with %d<&-",
			   operand, (int)number, (int)number);
	else {
		*ret_number = (int)number;
		return 0;
	}
	return -EINVAL;
}

static int parse_create(const char *operand, struct item *item)
{
	_cleanup_free_ char *number = strdup(operand);
	char *word = number ? strchr(number, ':') : NULL;

	if (!number)
		return -EINVAL;
	if (word) {
		*word++ = '\0';
		if (strcmp(word, "signaled") != 0) {
			tool_error("%s: only :signaled may follow the number", operand);
			return -EINVAL;
		}
		item->signaled = true;
	}
	return parse_new_number(number, operand, &item->number);
}

static int parse_export(const char *operand, bool command, struct item *item)
{
	_cleanup_free_ char *from = strdup(operand);
	char *number = from ? strchr(from, '=') : NULL;

	if (!from)
		return -EINVAL;
	if (number)
		*number++ = '\0';
	if (command && !number) {
		tool_error("%s: say under which number the command gets it: %s=N", operand,
			   operand);
		return -EINVAL;
	}
	if (!command && number) {
		tool_error("%s: there is no command to get it; put -- COMMAND at the end", operand);
		return -EINVAL;
	}
	if (parse_fd_point(from, &item->at) < 0)
		return -EINVAL;
	return number ? parse_new_number(number, operand, &item->number) : 0;
}

static int parse_operand(const struct job *job, const char *operand, struct item *item)
{
	switch (job->mode) {
	case OPTION_CREATE:
		return parse_create(operand, item);
	case OPTION_EXPORT:
		return parse_export(operand, job->command, item);
	default:
		if (parse_fd_point(operand, &item->at) < 0)
			return -EINVAL;
		if (job->mode == OPTION_RESET && item->at.has_point) {
			tool_error("%s: a reset takes all points away; give FD alone", operand);
			return -EINVAL;
		}
		return 0;
	}
}

static int parse_operands(struct job *job)
{
	for (size_t i = 0; i < job->n; i++) {
		struct item *item = &job->items[i];

		*item = (struct item){.number = -1, .fd = -1};
		if (parse_operand(job, job->operands[i], item) < 0)
			return -EINVAL;
		for (size_t k = 0; item->number >= 0 && k < i; k++) {
			if (job->items[k].number == item->number) {
				tool_error("%s: number %d is given twice", job->operands[i],
					   item->number);
				return -EINVAL;
			}
		}
	}
	return 0;
}

/* ---- operations --------------------------------------------------------- */

static int fail(const struct item *item, const char *what, int error)
{
	tool_error("descriptor %d: cannot %s: %s", item->at.fd, what, syncobj_strerror(error));
	return EXIT_FAILED;
}

/* Return: EXIT_* */
static int signal_points(struct job *job)
{
	for (size_t i = 0; i < job->n; i++) {
		struct item *item = &job->items[i];
		int r;

		if (item->at.point)
			r = syncobj_signal(&item->syncobj, &item->at.point, 1);
		else
			r = syncobj_signal_binary(item->syncobj);
		if (r < 0)
			return fail(item, "signal", r);
	}
	return EXIT_FINE;
}

/* Return: EXIT_* */
static int reset(struct job *job)
{
	for (size_t i = 0; i < job->n; i++) {
		int r = syncobj_reset(&job->items[i].syncobj, 1);

		if (r < 0)
			return fail(&job->items[i], "reset", r);
	}
	return EXIT_FINE;
}

static int transfer_between(const struct job *job, struct item *src, struct item *dst)
{
	int r = 0;

	if (syncobj_device_of(src->syncobj) == syncobj_device_of(dst->syncobj))
		return syncobj_transfer(dst->syncobj, dst->at.point, src->syncobj, src->at.point,
					job->for_submit ? SYNCOBJ_WAIT_FOR_SUBMIT : 0);
	if (job->for_submit)
		r = syncobj_wait_available(src->syncobj, src->at.point, TRANSFER_NSEC);
	return r < 0 ? r : syncobj_copy(dst->syncobj, dst->at.point, src->syncobj, src->at.point);
}

/* Return: EXIT_* */
static int transfer(struct job *job)
{
	struct item *src = &job->items[0], *dst = &job->items[1];
	int r = transfer_between(job, src, dst);

	if (r == -EINVAL)
		tool_error("descriptor %d: point %" PRIu64 " is not submitted; --for-submit waits "
			   "for it",
			   src->at.fd, src->at.point);
	else if (r == -ETIME)
		tool_error("descriptor %d: point %" PRIu64 " was not submitted within 5 s",
			   src->at.fd, src->at.point);
	else if (r == -EOPNOTSUPP)
		tool_error("descriptor %d: between syncobjs of the kernel and soft ones only "
			   "signalled points can be transferred; wait for it with syncobj-wait",
			   src->at.fd);
	else if (r < 0)
		return fail(src, "transfer", r);
	return r < 0 ? EXIT_FAILED : EXIT_FINE;
}

/* Make the sync_files. Return: EXIT_* */
static int export_sync_files(struct job *job)
{
	for (size_t i = 0; i < job->n; i++) {
		struct item *item = &job->items[i];
		int r = syncobj_export_sync_file(item->syncobj, item->at.point);

		item->fd = r;
		if (r == -EINVAL)
			tool_error("descriptor %d: point %" PRIu64 " is not submitted; wait for it "
				   "with syncobj-wait --available",
				   item->at.fd, item->at.point);
		else if (r == -EOPNOTSUPP && syncobj_device_backend(syncobj_device_of(
						     item->syncobj)) == SYNCOBJ_BACKEND_SOFT)
			tool_error("descriptor %d: soft objects give sync_files by /dev/udmabuf "
				   "only, which is not there or may not be opened; load udmabuf",
				   item->at.fd);
		else if (r < 0)
			return fail(item, "export", r);
		if (r < 0)
			return EXIT_FAILED;
	}
	return EXIT_FINE;
}

/* ---- printing ----------------------------------------------------------- */

static const char *status_word(int status)
{
	return status < 0 ? "failed" : status ? "signaled" : "pending";
}

static int sync_file_fences(int sync_file, struct sync_fence_info **ret_fences, uint32_t *ret_n)
{
	_cleanup_free_ struct sync_fence_info *fences = NULL;
	struct sync_file_info info = {.num_fences = 0};
	uint32_t n;
	int r;

	r = ioctl_restart(sync_file, SYNC_IOC_FILE_INFO, &info);
	if (r < 0)
		return r;
	n = info.num_fences;
	fences = calloc((size_t)n + 1, sizeof(*fences));
	if (!fences)
		return -ENOMEM;
	info = (struct sync_file_info){
		.num_fences = n,
		.sync_fence_info = (uintptr_t)fences,
	};
	r = n ? ioctl_restart(sync_file, SYNC_IOC_FILE_INFO, &info) : 0;
	if (r < 0)
		return r;
	*ret_n = MIN(n, info.num_fences);
	*ret_fences = steal_ptr(fences);
	return 0;
}

static void print_status(const char *before, int status)
{
	printf("%s%s", before, status_word(status));
	if (status < 0)
		printf("(%s)", error_name(status));
}

static void print_sync_file(const struct item *item, int status,
			    const struct sync_fence_info *fences, uint32_t n)
{
	printf("%d:%" PRIu64, item->at.fd, item->at.point);
	print_status(" ", status);
	putchar('\n');
	for (uint32_t i = 0; i < n; i++) {
		char driver[sizeof(fences->driver_name) + 1] = "";
		char timeline[sizeof(fences->obj_name) + 1] = "";

		memcpy(driver, fences[i].driver_name, sizeof(fences->driver_name));
		memcpy(timeline, fences[i].obj_name, sizeof(fences->obj_name));
		make_printable(driver);
		make_printable(timeline);
		printf("    %s %s", driver, timeline);
		print_status(" ", fences[i].status);
		if (fences[i].timestamp_ns)
			printf(" at %" PRIu64 " ns", (uint64_t)fences[i].timestamp_ns);
		putchar('\n');
	}
}

static void json_status(struct json *json, int status)
{
	json_text(json, "state", status_word(status));
	json_text(json, "error", status < 0 ? error_name(status) : NULL);
}

static void json_sync_file(struct json *json, const struct item *item, int status,
			   const struct sync_fence_info *fences, uint32_t n)
{
	json_open(json, NULL, '{');
	json_signed(json, "fd", item->at.fd);
	json_unsigned(json, "point", item->at.point);
	json_status(json, status);
	json_open(json, "fences", '[');
	for (uint32_t i = 0; i < n; i++) {
		json_open(json, NULL, '{');
		json_text_n(json, "driver", fences[i].driver_name,
			    strnlen(fences[i].driver_name, sizeof(fences[i].driver_name)));
		json_text_n(json, "timeline", fences[i].obj_name,
			    strnlen(fences[i].obj_name, sizeof(fences[i].obj_name)));
		json_status(json, fences[i].status);
		json_unsigned(json, "timestamp_nsec", fences[i].timestamp_ns);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

/* Return: EXIT_* */
static int print_sync_files(const struct job *job, struct json *json)
{
	for (size_t i = 0; i < job->n; i++) {
		_cleanup_free_ struct sync_fence_info *fences = NULL;
		const struct item *item = &job->items[i];
		uint32_t n = 0;
		int r, status;

		r = syncobj_sync_file_status(item->fd, &status);
		if (r == 0)
			r = sync_file_fences(item->fd, &fences, &n);
		if (r < 0)
			return fail(item, "ask the sync_file", r);
		if (job->json)
			json_sync_file(json, item, status, fences, n);
		else
			print_sync_file(item, status, fences, n);
	}
	return EXIT_FINE;
}

/* Return: EXIT_* */
static int print_objects(const struct job *job, struct json *json)
{
	for (size_t i = 0; i < job->n; i++) {
		const struct item *item = &job->items[i];
		uint64_t signaled, submitted;
		int r = object_look(item->syncobj, item->at.point, &signaled, &submitted);

		if (r < 0 && r != -EINVAL)
			return fail(item, "query", r);
		json_open(json, NULL, '{');
		json_signed(json, "fd", item->at.fd);
		json_unsigned(json, "point", item->at.point);
		json_unsigned(json, "signaled", signaled);
		json_unsigned(json, "submitted", submitted);
		json_close(json, '}');
	}
	return EXIT_FINE;
}

/* What came of it. Return: EXIT_* */
static int print_result(const struct job *job)
{
	bool export = job->mode == OPTION_EXPORT;
	struct json json = {.file = stdout};
	int status;

	if (!job->json)
		return export ? print_sync_files(job, NULL) : EXIT_FINE;
	json_open(&json, NULL, '{');
	json_open(&json, export ? "sync_files" : "objects", '[');
	status = export ? print_sync_files(job, &json) : print_objects(job, &json);
	json_close(&json, ']');
	json_close(&json, '}');
	putchar('\n');
	return status;
}

/* ---- the command -------------------------------------------------------- */

/* Nothing else opened here shall get the numbers that the command's descriptors will have. */
static int reserve_numbers(const struct job *job)
{
	int fd = open("/", O_PATH | O_CLOEXEC);
	bool keep = false;

	if (fd == -1)
		return -errno;
	for (size_t i = 0; i < job->n; i++) {
		int number = job->items[i].number;

		if (number == fd)
			keep = true;
		else if (number >= 0 && dup3(fd, number, O_CLOEXEC) == -1)
			return -errno;
	}
	if (!keep)
		close(fd);
	return 0;
}

/* Return: EXIT_*, or not at all. */
static int run_command(const struct job *job)
{
	int error;

	for (size_t i = 0; i < job->n; i++) {
		const struct item *item = &job->items[i];

		if (dup2(item->fd, item->number) == -1) {
			tool_error("descriptor %d: %s", item->number, strerror(errno));
			return EXIT_FAILED;
		}
	}
	execvp(job->command[0], job->command);
	error = errno;
	tool_error("%s: %s", job->command[0], strerror(error));
	return error == ENOENT ? EXIT_NO_COMMAND : EXIT_CANNOT_RUN;
}

/* What -d takes for @device; the caller's, or NULL. */
static char *name_of(const struct syncobj_device *device)
{
	switch (syncobj_device_backend(device)) {
	case SYNCOBJ_BACKEND_SOFT:
		return strdup("soft");
	case SYNCOBJ_BACKEND_DRM:
		return format_text("drm:%s", syncobj_device_path(device));
	default:
		return format_text("device:%s", syncobj_device_path(device));
	}
}

/* Make the objects. Return: EXIT_* */
static int create(struct job *job)
{
	_cleanup_free_ char *name = NULL;
	struct syncobj_device *device;
	int status, r;

	status = devices_get_named(&job->devices, &device);
	if (status != EXIT_FINE)
		return status;
	for (size_t i = 0; i < job->n; i++) {
		struct item *item = &job->items[i];

		r = syncobj_create(device, item->signaled ? SYNCOBJ_CREATE_SIGNALED : 0,
				   &item->syncobj);
		if (r == 0)
			item->fd = r = syncobj_export(item->syncobj);
		if (r < 0) {
			tool_error("cannot create an object on %s: %s",
				   syncobj_device_description(device), syncobj_strerror(r));
			return EXIT_FAILED;
		}
	}
	name = name_of(device);
	if (!name || setenv("SYNCOBJ_DEVICE", name, 1) == -1) {
		tool_error("out of memory");
		return EXIT_FAILED;
	}
	return EXIT_FINE;
}

/* ---- options ------------------------------------------------------------ */

static int set_mode(struct job *job, int mode)
{
	if (job->mode && job->mode != mode) {
		tool_error("only one of --reset, --transfer, --export and --create can be done");
		return -EINVAL;
	}
	job->mode = mode;
	return 0;
}

static int add_operand(struct job *job, const struct options *options)
{
	if (options->ended) {
		job->command = options->argv + optind - 1;
		return 0;
	}
	/* The options of the command would be taken for ours. */
	if (job->mode == OPTION_CREATE && !isdigit((unsigned char)*optarg)) {
		tool_error("%s: not N or N:signaled; before a command put --", optarg);
		return -EINVAL;
	}
	job->operands[job->n++] = optarg;
	return 0;
}

static int check_options(const struct job *job)
{
	bool gives = job->mode == OPTION_EXPORT || job->mode == OPTION_CREATE;

	if (job->command && !gives)
		tool_error("%s: only --create and --export run a command", job->command[0]);
	else if (!job->command && job->mode == OPTION_CREATE)
		tool_error("--create: put the command that gets the objects at the end, after --");
	else if (job->for_submit && job->mode != OPTION_TRANSFER)
		tool_error("--for-submit is for --transfer");
	else if (job->json && job->command)
		tool_error("--json: with a command there is nothing to print");
	else if (job->process.pid && job->mode == OPTION_CREATE)
		tool_error("--pid: objects can be created for a command only");
	else if (job->mode == OPTION_TRANSFER && job->n != 2)
		tool_error("--transfer takes two operands, from and to");
	else if (!job->n)
		tool_error("nothing to do; give FD or FD:POINT, and see syncobj-signal --help");
	else
		return 0;
	return -EINVAL;
}

/* Return: EXIT_*, or -1 to go on. */
static int parse_options(struct job *job, int argc, char **argv)
{
	struct options options;
	int id, r = 0;

	options_init(&options, "syncobj-signal", rows, argc, argv);
	while (r == 0 && !job->command && (id = options_next(&options)) != OPTION_END) {
		switch (id) {
		case 'd':
			job->device = optarg;
			break;
		case OPTION_PID:
			r = parse_pid(optarg, &job->process.pid);
			break;
		case OPTION_RESET:
		case OPTION_TRANSFER:
		case OPTION_EXPORT:
		case OPTION_CREATE:
			r = set_mode(job, id);
			break;
		case OPTION_FOR_SUBMIT:
			job->for_submit = true;
			break;
		case OPTION_OPERAND:
			r = add_operand(job, &options);
			break;
		case OPTION_JSON:
			job->json = true;
			break;
		case 'h':
			print_help();
			return EXIT_FINE;
		case OPTION_VERSION:
			printf("syncobj-signal %s\n", SYNCOBJ_VERSION);
			return EXIT_FINE;
		default:
			tool_error("try syncobj-signal --help");
			return EXIT_USAGE;
		}
	}
	if (r < 0 || check_options(job) < 0 || parse_operands(job) < 0)
		return EXIT_USAGE;
	return -1;
}

/* ---- main --------------------------------------------------------------- */

/* Return: EXIT_* */
static int open_process(struct job *job)
{
	_cleanup_free_ char *problem = NULL;
	int status = EXIT_FINE, r;

	if (job->mode == OPTION_CREATE)
		return EXIT_FINE;
	for (size_t i = 0; i < job->n && status == EXIT_FINE && !job->process.pid; i++)
		status = check_inherited(&job->items[i].at, 1);
	if (status != EXIT_FINE || !job->process.pid)
		return status;
	r = process_open(&job->process, job->process.pid);
	if (r == 0)
		return EXIT_FINE;
	problem = process_problem(job->process.pid, r);
	tool_error_line(problem ? problem : "out of memory");
	return EXIT_FAILED;
}

/* Return: EXIT_* */
static int get_objects(struct job *job)
{
	int status = EXIT_FINE;

	for (size_t i = 0; i < job->n && status == EXIT_FINE; i++)
		status = object_get(&job->devices, &job->process, job->items[i].at.fd,
				    &job->items[i].syncobj);
	return status;
}

/* Return: EXIT_* */
static int carry_out(struct job *job)
{
	int status = EXIT_FINE;

	if (job->mode == OPTION_CREATE)
		return create(job);
	status = get_objects(job);
	if (status != EXIT_FINE)
		return status;
	switch (job->mode) {
	case OPTION_RESET:
		return reset(job);
	case OPTION_TRANSFER:
		return transfer(job);
	case OPTION_EXPORT:
		return export_sync_files(job);
	default:
		return signal_points(job);
	}
}

/* Return: EXIT_*, or a status of run_command(). */
static int run(struct job *job)
{
	int r, status = open_process(job);

	if (status != EXIT_FINE)
		return status;
	if (job->command) {
		r = reserve_numbers(job);
		if (r < 0) {
			tool_error("cannot make descriptors: %s", strerror(-r));
			return EXIT_FAILED;
		}
	}
	status = devices_open(&job->devices, job->device);
	if (status == EXIT_FINE)
		status = carry_out(job);
	if (status != EXIT_FINE)
		return status;
	return job->command ? run_command(job) : print_result(job);
}

int main(int argc, char **argv)
{
	struct job job = {.process.pidfd = -1};
	int status = EXIT_FAILED;

	job.operands = calloc((size_t)argc + 1, sizeof(*job.operands));
	job.items = calloc((size_t)argc + 1, sizeof(*job.items));
	if (job.operands && job.items) {
		for (int i = 0; i <= argc; i++)
			job.items[i].fd = -1;
		status = parse_options(&job, argc, argv);
		if (status == -1)
			status = run(&job);
		for (size_t i = 0; i < job.n; i++) {
			syncobj_unref(job.items[i].syncobj);
			if (job.items[i].fd >= 0)
				close(job.items[i].fd);
		}
	} else {
		tool_error("out of memory");
	}
	devices_close(&job.devices);
	process_close(&job.process);
	free(job.operands);
	free(job.items);
	return close_stdout() < 0 ? EXIT_FAILED : status;
}
