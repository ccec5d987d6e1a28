/* SPDX-License-Identifier: MIT */
/* syncobj-query: the syncobjs that processes hold, and how far they are. */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <syncobj.h>

#include "common.h"
#include "json.h"
#include "objects.h"
#include "tool.h"

#define DEFAULT_INTERVAL_NSEC INT64_C(1000000000)

/* A window that does not say. */
#define DEFAULT_LINES 24
#define DEFAULT_COLUMNS 80

#define CURSOR_HIDE "\033[?25l"
#define CURSOR_SHOW "\033[?25h"
#define SCREEN_CLEAR "\033[H\033[J"

enum {
	OPTION_OWN = 256,
	OPTION_WATCH,
	OPTION_INTERVAL,
	OPTION_COUNT,
	OPTION_JSON,
	OPTION_VERSION,
};

static const struct option_row rows[] = {
	OBJECT_DEVICE_ROW,
	{OPTION_OWN, "own", NULL, "list what this program inherited"},
	{OPTION_WATCH, "watch", NULL, "look again and again, until interrupted"},
	{OPTION_INTERVAL, "interval", "TIME", "with --watch: time between looks (default: 1s)"},
	{OPTION_COUNT, "count", "N", "with --watch: end after N looks"},
	{OPTION_JSON, "json", NULL, "print a JSON object; with --watch one a look"},
	{'v', "verbose", NULL, "say how many processes may not be looked into"},
	{'h', "help", NULL, "print this help"},
	{OPTION_VERSION, "version", NULL, "print the version"},
	{0},
};

/* An operand: a process, or one descriptor of it. */
struct target {
	pid_t pid;
	int fd; /* -1: all */
};

/* One descriptor of a syncobj. */
struct entry {
	pid_t pid;
	int fd;
	int kind; /* enum syncobj_kind */
	char command[32];
	ino_t inode; /* soft: the same for every descriptor of an object */
	bool known;  /* what follows is */
	uint64_t signaled, submitted;
	int status; /* of the whole fence: 1, 0, the negative errno it failed with, */
	bool empty; /* or there is none */
};

struct query {
	struct devices devices;
	const char *device;
	struct target *targets;
	size_t n_targets;
	bool own, watch, json, verbose;
	int64_t interval_nsec; /* or -1 */
	uint64_t count;        /* 0: no end */
	uint64_t looks;        /* so far */
	/* What the last look gave. */
	struct entry *entries;
	size_t n_entries, room;
	size_t denied; /* processes */
	char *problem; /* why something is not known, or NULL */
};

static void print_help(void)
{
	printf("Usage: syncobj-query [OPTIONS] [PID[:FD]]...\n"
	       "List the syncobjs that processes hold as descriptors, and how far they are.\n\n"
	       "PID     only this process (default: all that may be looked into)\n"
	       "FD      only this descriptor of it\n"
	       "TIME    a number and ns, us, ms, s or m; seconds without a unit\n\n");
	options_help(rows);
	printf("\nExit status: 0 listed, even if nothing; 2 usage; 3 a PID or FD that was named is "
	       "not\n"
	       "there or may not be looked into, or the output could not be written.\n");
}

/* ---- looking ------------------------------------------------------------ */

static void set_problem(struct query *query, char *problem)
{
	if (query->problem)
		free(problem); /* the first one is told */
	else
		query->problem = problem;
}

static void read_command(pid_t pid, char *command, size_t size)
{
	char path[32];
	FILE *file;
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file) {
		n = fread(command, 1, size - 1, file);
		fclose(file);
	}
	if (n && command[n - 1] == '\n')
		n--;
	command[n] = '\0';
}

/* Return: 0, or a negative errno of the object. */
static int ask(struct entry *entry, struct syncobj *syncobj)
{
	int status, r;

	r = object_look(syncobj, 0, &entry->signaled, &entry->submitted);
	if (r < 0 && r != -EINVAL)
		return r;
	entry->empty = r == -EINVAL;
	entry->status = r == 1;
	/* Waiting does not tell that a fence failed. */
	if (r == 1 && syncobj_status(syncobj, 0, &status) == 0 && status < 0)
		entry->status = status;
	entry->known = true;
	return 0;
}

/* Make an entry of @fd, a duplicate of the descriptor. Return: 1, or 0 if it is no syncobj. */
static int look_at_object(struct query *query, struct entry *entry, int fd)
{
	struct syncobj *syncobj;
	struct stat st;
	int r;

	entry->kind = syncobj_identify(fd);
	if (entry->kind <= 0)
		return 0;
	if (entry->kind == SYNCOBJ_KIND_SOFT && fstat(fd, &st) == 0)
		entry->inode = st.st_ino;
	r = devices_import(&query->devices, entry->kind, fd, &syncobj);
	if (r == 0) {
		r = ask(entry, syncobj);
		syncobj_unref(syncobj);
	}
	if (r == 0)
		return 1;
	if (entry->kind == SYNCOBJ_KIND_DRM && devices_lack_kernel(&query->devices))
		set_problem(query, devices_problem(&query->devices));
	else
		set_problem(query, format_text("descriptor %d of process %d: %s", entry->fd,
					       entry->pid, syncobj_strerror(r)));
	return 1;
}

/* What the link in /proc says of a descriptor: it may be one that cannot be asked. */
static int kind_of_link(const char *link)
{
	if (link && !strcmp(link, "anon_inode:syncobj_file"))
		return SYNCOBJ_KIND_DRM;
	if (link && !strncmp(link, "/memfd:syncobj ", strlen("/memfd:syncobj ")))
		return SYNCOBJ_KIND_SOFT;
	return SYNCOBJ_KIND_NONE;
}

/*
 * @process->pidfd is -1 if there is none because of @error. Return: 1 if an entry was
 * added, 0 if it is no syncobj, -EBADF or -ESRCH if it is not there, -EACCES, or -ENOMEM.
 */
static int look_at_fd(struct query *query, const struct process *process, int error,
		      const char *command, int fd)
{
	_cleanup_free_ char *link = process_fd_link(process, fd);
	_cleanup_close_ int own = -1;
	struct entry *entry;
	int r;

	if (!link)
		return errno == EACCES ? -EACCES : -EBADF;
	/* Every descriptor could be taken and looked at, but that would be many. */
	if (strncmp(link, "/memfd:", 7) != 0 && kind_of_link(link) == SYNCOBJ_KIND_NONE)
		return 0;
	if (query->n_entries == query->room) {
		size_t room = query->room ? 2 * query->room : 64;
		struct entry *more = realloc(query->entries, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		query->entries = more;
		query->room = room;
	}
	entry = &query->entries[query->n_entries];
	*entry = (struct entry){.pid = process->pid ? process->pid : getpid(), .fd = fd};
	snprintf(entry->command, sizeof(entry->command), "%s", command);

	own = error ? error : process_get_fd(process, fd);
	if (own == -EBADF || own == -ESRCH)
		return own; /* gone meanwhile */
	if (own < 0) {
		entry->kind = kind_of_link(link);
		r = entry->kind != SYNCOBJ_KIND_NONE;
		if (r)
			set_problem(query, process_problem(entry->pid, own));
	} else {
		r = look_at_object(query, entry, own);
	}
	query->n_entries += (size_t)r;
	return r;
}

static int compare_numbers(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* The numbers in the names of a directory of /proc, in order; the caller's. @dir is closed. */
static int read_numbers(DIR *dir, int **ret_numbers, size_t *ret_n)
{
	size_t n = 0, room = 0;
	int *numbers = NULL;
	const struct dirent *entry;
	uint64_t number;

	while ((entry = readdir(dir))) {
		if (parse_number(entry->d_name, INT32_MAX, &number) < 0)
			continue;
		if (n == room) {
			int *more = realloc(numbers, (room + 256) * sizeof(*more));

			if (!more) {
				free(numbers);
				closedir(dir);
				return -ENOMEM;
			}
			numbers = more;
			room += 256;
		}
		numbers[n++] = (int)number;
	}
	closedir(dir);
	if (n)
		qsort(numbers, n, sizeof(*numbers), compare_numbers);
	*ret_numbers = numbers;
	*ret_n = n;
	return 0;
}

/*
 * Look at one descriptor of @pid, or at all with @fd -1; at this process with @pid 0.
 *
 * Return: as look_at_fd() for one descriptor, else 0; -ESRCH, -EACCES, ...
 */
static int look_at_process(struct query *query, pid_t pid, int fd)
{
	struct process process = {.pid = pid, .pidfd = -1};
	_cleanup_free_ int *fds = NULL;
	char path[32], command[32];
	int r = 0, error = 0;
	size_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid ? pid : getpid());
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	r = read_numbers(dir, &fds, &n);
	if (r < 0)
		return r;
	if (pid)
		error = process_open(&process, pid);
	/* A thread has descriptors in /proc too. */
	if (error == -ESRCH || error == -EINVAL || error == -ENOENT)
		return error;
	read_command(pid ? pid : getpid(), command, sizeof(command));
	if (process.pidfd >= 0 && process_ended(&process)) {
		r = -ESRCH;
	} else if (fd >= 0) {
		r = look_at_fd(query, &process, error, command, fd);
	} else {
		for (size_t i = 0; i < n && r != -ENOMEM && r != -EACCES; i++)
			r = look_at_fd(query, &process, error, command, fds[i]);
		r = r == -ENOMEM || r == -EACCES ? r : 0;
	}
	process_close(&process);
	return r;
}

static int look_at_all(struct query *query)
{
	_cleanup_free_ int *pids = NULL;
	DIR *dir = opendir("/proc");
	size_t n;
	int r;

	if (!dir) {
		tool_error("/proc: %s; mount it", strerror(errno));
		return EXIT_FAILED;
	}
	r = read_numbers(dir, &pids, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (pids[i] == getpid())
			continue;
		r = look_at_process(query, pids[i], -1);
		query->denied += r == -EACCES || r == -EPERM;
		r = r == -ENOMEM ? r : 0; /* what comes and goes is no error */
	}
	if (r < 0)
		tool_error("out of memory");
	return r < 0 ? EXIT_FAILED : EXIT_FINE;
}

static void print_target_problem(const struct target *target, int error)
{
	_cleanup_free_ char *text = NULL;

	if (error == -EBADF) {
		tool_error("descriptor %d is not open in process %d; syncobj-query %d lists its "
			   "syncobjs",
			   target->fd, target->pid, target->pid);
		return;
	}
	if (error) {
		text = process_problem(target->pid, error);
		tool_error_line(text ? text : "out of memory");
		return;
	}
	text = process_fd_link(&(struct process){.pid = target->pid}, target->fd);
	tool_error("descriptor %d of process %d is no syncobj%s%s; syncobj-query %d lists those "
		   "that are",
		   target->fd, target->pid, text ? " but " : "", text ? text : "", target->pid);
}

static int look_at_targets(struct query *query)
{
	for (size_t i = 0; i < query->n_targets; i++) {
		const struct target *target = &query->targets[i];
		int r = look_at_process(query, target->pid, target->fd);

		/* What was there once may go. */
		if (r == -ENOMEM || (!query->looks && (r < 0 || (r == 0 && target->fd >= 0)))) {
			print_target_problem(target, r);
			return EXIT_FAILED;
		}
	}
	return EXIT_FINE;
}

/* Return: EXIT_* */
static int look(struct query *query)
{
	int r = EXIT_FINE;

	query->n_entries = 0;
	query->denied = 0;
	free(query->problem);
	query->problem = NULL;
	if (query->own) {
		if (look_at_process(query, 0, -1) < 0) {
			tool_error("/proc: cannot be read; mount it");
			r = EXIT_FAILED;
		}
	} else {
		r = query->n_targets ? look_at_targets(query) : look_at_all(query);
	}
	query->looks++;
	return r;
}

/* ---- printing ----------------------------------------------------------- */

enum { PID, COMMAND, FD, KIND, SIGNALED, SUBMITTED, STATE, OBJECT, COLUMNS };

static const char *const heads[COLUMNS] = {"PID",      "COMMAND",   "FD",    "KIND",
					   "SIGNALED", "SUBMITTED", "STATE", "OBJECT"};

/* The longest is a number of 64 bits. */
struct cells {
	char text[COLUMNS][32];
};

static void put(char cell[32], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(char cell[32], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(cell, 32, format, args);
	va_end(args);
	make_printable(cell);
}

static void state_text(const struct entry *entry, char cell[32])
{
	if (!entry->known)
		put(cell, "-");
	else if (entry->empty)
		put(cell, "empty");
	else if (entry->status < 0)
		put(cell, "failed(%s)", error_name(entry->status));
	else
		put(cell, entry->status ? "signaled" : "pending");
}

static const char *kind_name(const struct entry *entry)
{
	return entry->kind == SYNCOBJ_KIND_SOFT ? "soft" : "kernel";
}

static void fill_cells(const struct entry *entry, struct cells *cells)
{
	put(cells->text[PID], "%d", entry->pid);
	put(cells->text[COMMAND], "%s", *entry->command ? entry->command : "-");
	put(cells->text[FD], "%d", entry->fd);
	put(cells->text[KIND], "%s", kind_name(entry));
	put(cells->text[SIGNALED], "-");
	put(cells->text[SUBMITTED], "-");
	put(cells->text[OBJECT], "-");
	if (entry->known) {
		put(cells->text[SIGNALED], "%" PRIu64, entry->signaled);
		put(cells->text[SUBMITTED], "%" PRIu64, entry->submitted);
	}
	state_text(entry, cells->text[STATE]);
	if (entry->inode)
		put(cells->text[OBJECT], "%ju", (uintmax_t)entry->inode);
}

/* @limit: columns of a window, or 0. */
static void print_row(const struct cells *cells, const int widths[COLUMNS], size_t limit)
{
	char line[COLUMNS * 33 + 1];
	size_t at = 0;

	for (int i = 0; i < COLUMNS; i++) {
		bool left = i == COMMAND || i == KIND || i == STATE;

		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%*s", i ? " " : "",
				       left ? -widths[i] : widths[i], cells->text[i]);
	}
	if (limit && at > limit)
		line[limit] = '\0';
	puts(line);
}

/* @room: lines of a window, or 0. */
static void print_table(const struct query *query, size_t room, size_t limit)
{
	int widths[COLUMNS];
	struct cells cells = {0};
	size_t n = query->n_entries;

	for (int i = 0; i < COLUMNS; i++)
		widths[i] = (int)strlen(heads[i]);
	for (size_t i = 0; i < n; i++) {
		fill_cells(&query->entries[i], &cells);
		for (int k = 0; k < COLUMNS; k++)
			widths[k] = MAX(widths[k], (int)strlen(cells.text[k]));
	}
	for (int i = 0; i < COLUMNS; i++)
		put(cells.text[i], "%s", heads[i]);
	print_row(&cells, widths, limit);
	/* The head has a line, and the cursor stays on the last. */
	if (room && n + 2 > room)
		n = room > 3 ? room - 3 : 0;
	for (size_t i = 0; i < n; i++) {
		fill_cells(&query->entries[i], &cells);
		print_row(&cells, widths, limit);
	}
	if (n < query->n_entries)
		printf("... %zu more\n", query->n_entries - n);
}

static void print_json(const struct query *query)
{
	struct json json = {.file = stdout};
	char state[32];

	json_open(&json, NULL, '{');
	json_open(&json, "objects", '[');
	for (size_t i = 0; i < query->n_entries; i++) {
		const struct entry *entry = &query->entries[i];

		json_open(&json, NULL, '{');
		json_signed(&json, "pid", entry->pid);
		json_text(&json, "command", entry->command);
		json_signed(&json, "fd", entry->fd);
		json_text(&json, "kind", kind_name(entry));
		if (entry->known) {
			json_unsigned(&json, "signaled", entry->signaled);
			json_unsigned(&json, "submitted", entry->submitted);
			state_text(entry, state);
			json_text(&json, "state", entry->status < 0 ? "failed" : state);
		} else {
			json_text(&json, "signaled", NULL);
			json_text(&json, "submitted", NULL);
			json_text(&json, "state", NULL);
		}
		json_text(&json, "error", entry->status < 0 ? error_name(entry->status) : NULL);
		if (entry->inode)
			json_unsigned(&json, "object", entry->inode);
		else
			json_text(&json, "object", NULL);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_unsigned(&json, "denied", query->denied);
	json_text(&json, "problem", query->problem);
	json_close(&json, '}');
	putchar('\n');
}

/* The processes that may not be looked into, if that is to be told; the caller's, or NULL. */
static char *denied_text(const struct query *query)
{
	if (!query->denied || (query->n_entries && !query->verbose))
		return NULL;
	return format_text("%zu process%s may not be looked into; run as root (CAP_SYS_PTRACE) to "
			   "see all",
			   query->denied, query->denied == 1 ? "" : "es");
}

/* On standard error, once for each text. */
static void print_notes(const struct query *query, char **told, const char *text)
{
	if (!text || (*told && !strcmp(*told, text)))
		return;
	fflush(stdout);
	tool_error_line(text);
	free(*told);
	*told = strdup(text);
}

/* ---- watching ----------------------------------------------------------- */

static void print_screen(const struct query *query)
{
	_cleanup_free_ char *denied = denied_text(query);
	struct winsize size = {.ws_row = DEFAULT_LINES, .ws_col = DEFAULT_COLUMNS};
	const char *notes[] = {query->problem, denied};
	size_t lines;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1 || !size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = DEFAULT_LINES, .ws_col = DEFAULT_COLUMNS};
	lines = size.ws_row;
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
		lines -= notes[i] && lines > 3;
	fputs(SCREEN_CLEAR, stdout);
	print_table(query, lines, size.ws_col);
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
		if (notes[i])
			printf("%.*s\n", (int)size.ws_col, notes[i]);
}

static void print_separator(void)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[16];

	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("--- %s\n", text);
}

/* Return: EXIT_*, or -1 to go on. */
static int show(const struct query *query, bool screen, char **told)
{
	_cleanup_free_ char *denied = denied_text(query);

	if (query->json) {
		print_json(query);
	} else if (screen) {
		print_screen(query);
	} else {
		if (query->looks > 1)
			print_separator();
		print_table(query, 0, 0);
		print_notes(query, &told[0], query->problem);
		print_notes(query, &told[1], denied);
	}
	if (!query->watch || query->looks == query->count)
		return EXIT_FINE;
	/* Whoever reads a pipe waits for whole lines. */
	return fflush(stdout) == EOF ? EXIT_FAILED : -1;
}

/* Return: whether to go on. */
static bool pause_until_next(const struct query *query, const sigset_t *signals)
{
	struct timespec ts = {.tv_sec = query->interval_nsec / 1000000000,
			      .tv_nsec = query->interval_nsec % 1000000000};
	int received;

	do
		received = sigtimedwait(signals, NULL, &ts);
	while (received == -1 && errno == EINTR);
	return received == -1 || received == SIGWINCH;
}

/* Return: EXIT_* */
static int run(struct query *query)
{
	bool screen = query->watch && !query->json && isatty(STDOUT_FILENO);
	char *told[2] = {NULL, NULL};
	sigset_t signals;
	int status;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGWINCH);
	if (query->watch)
		sigprocmask(SIG_BLOCK, &signals, NULL);
	for (;;) {
		status = look(query);
		if (status != EXIT_FINE)
			break;
		if (screen && query->looks == 1)
			fputs(CURSOR_HIDE, stdout);
		status = show(query, screen, told);
		if (status != -1)
			break;
		status = EXIT_FINE;
		if (!pause_until_next(query, &signals))
			break;
	}
	if (screen && query->looks)
		fputs(CURSOR_SHOW, stdout);
	free(told[0]);
	free(told[1]);
	return status;
}

/* ---- options ------------------------------------------------------------ */

static int add_target(struct query *query, const char *text)
{
	struct target *target = &query->targets[query->n_targets++];
	_cleanup_free_ char *pid = strdup(text);
	char *fd = pid ? strchr(pid, ':') : NULL;
	struct fd_point parsed = {.fd = -1};

	if (!pid)
		return -EINVAL;
	if (fd) {
		*fd++ = '\0';
		if (parse_fd_point(fd, &parsed) < 0)
			return -EINVAL;
		if (parsed.has_point) {
			tool_error("%s: not a process, or one with a descriptor: PID or PID:FD",
				   text);
			return -EINVAL;
		}
	}
	target->fd = parsed.fd;
	return parse_pid(pid, &target->pid);
}

/* Return: EXIT_*, or -1 to go on. */
static int check_options(struct query *query)
{
	if (query->own && query->n_targets)
		tool_error("--own lists this program's descriptors, so there is no PID");
	else if (!query->watch && (query->interval_nsec >= 0 || query->count))
		tool_error("--interval and --count need --watch");
	else if (query->interval_nsec == 0)
		tool_error("--interval: it is to be more than 0");
	else
		return -1;
	return EXIT_USAGE;
}

static int parse_count(const char *text, uint64_t *ret_count)
{
	if (parse_number(text, UINT64_MAX, ret_count) == 0 && *ret_count)
		return 0;
	tool_error("--count: %s is not a number of looks, 1 or more", text);
	return -EINVAL;
}

/* Return: EXIT_*, or -1 to go on. */
static int parse_options(struct query *query, int argc, char **argv)
{
	struct options options;
	int id, r = 0;

	options_init(&options, "syncobj-query", rows, argc, argv);
	while (r == 0 && (id = options_next(&options)) != OPTION_END) {
		switch (id) {
		case 'd':
			query->device = optarg;
			break;
		case OPTION_OWN:
			query->own = true;
			break;
		case OPTION_OPERAND:
			r = add_target(query, optarg);
			break;
		case OPTION_WATCH:
			query->watch = true;
			break;
		case OPTION_INTERVAL:
			r = parse_time_option("interval", optarg, &query->interval_nsec);
			break;
		case OPTION_COUNT:
			r = parse_count(optarg, &query->count);
			break;
		case OPTION_JSON:
			query->json = true;
			break;
		case 'v':
			query->verbose = true;
			break;
		case 'h':
			print_help();
			return EXIT_FINE;
		case OPTION_VERSION:
			printf("syncobj-query %s\n", SYNCOBJ_VERSION);
			return EXIT_FINE;
		default:
			tool_error("try syncobj-query --help");
			return EXIT_USAGE;
		}
	}
	return r < 0 ? EXIT_USAGE : check_options(query);
}

int main(int argc, char **argv)
{
	struct query query = {.interval_nsec = -1};
	int status = EXIT_FAILED;

	query.targets = calloc((size_t)argc + 1, sizeof(*query.targets));
	if (!query.targets) {
		tool_error("out of memory");
		return EXIT_FAILED;
	}
	status = parse_options(&query, argc, argv);
	if (status == -1) {
		if (query.interval_nsec < 0)
			query.interval_nsec = DEFAULT_INTERVAL_NSEC;
		status = devices_open(&query.devices, query.device);
		if (status == EXIT_FINE)
			status = run(&query);
	}
	devices_close(&query.devices);
	free(query.targets);
	free(query.entries);
	free(query.problem);
	return close_stdout() < 0 ? EXIT_FAILED : status;
}
