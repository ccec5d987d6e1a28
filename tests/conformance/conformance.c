/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite: what a program may expect of libqda on any DSP, case by
 * case, through the public interface alone. Every case runs in a process of its
 * own and has to give back all it took: file descriptors, threads, DSP
 * processes. Output is TAP.
 */
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "conformance.h"

#define CASE_LIMIT_S 240 /* a case that takes longer hangs; generous for sanitizers */
#define LEAK_LIMIT_MS 10000

const char *conf_device = "soft:cdsp";
const char *conf_skels;
const char *conf_program;

static const struct conf_case *const groups[] = {
	device_cases, session_cases, module_cases, call_cases,
	thread_cases, buffer_cases,  typed_cases,  crash_cases,
};

/* ---- checks and what a failed one prints -------------------------------- */

#define LOG_LINES 16

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_lines[LOG_LINES][256];
static unsigned int log_next;
static char *tmpdir;

static void keep_log(void *data, int priority, const char *message)
{
	pthread_mutex_lock(&log_lock);
	snprintf(log_lines[log_next++ % LOG_LINES], sizeof(log_lines[0]), "%s", message);
	pthread_mutex_unlock(&log_lock);
}

static void remove_tmpdir(void)
{
	struct dirent *entry;
	DIR *dir;

	if (!tmpdir)
		return;
	dir = opendir(tmpdir);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(tmpdir);
	free(tmpdir);
	tmpdir = NULL;
}

void conf_fail(const char *file, int line, const char *format, ...)
{
	va_list ap;

	/* TAP's readers swallow what stdout says beyond the results. */
	pthread_mutex_lock(&log_lock);
	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	for (unsigned int i = log_next > LOG_LINES ? log_next - LOG_LINES : 0; i < log_next; i++)
		fprintf(stderr, "#   log: %s\n", log_lines[i % LOG_LINES]);
	remove_tmpdir();
	_exit(1);
}

bool conf_is_soft(void)
{
	return !strncmp(conf_device, "soft:", 5);
}

struct qda *conf_context(void)
{
	struct qda *qda;

	CHECK_OK(qda_new(&qda));
	qda_set_log_fn(qda, keep_log, NULL);
	qda_set_log_priority(qda, 6);
	CHECK_OK(qda_set_search_path(qda, conf_skels));
	return qda;
}

struct qda_session *conf_session(struct qda_device *device)
{
	struct qda_session *session;

	CHECK_OK(qda_session_create(device, NULL, &session));
	return session;
}

struct qda_module *conf_open(struct qda_session *session, const char *name)
{
	struct qda_module *module;
	char text[256] = "";
	uint32_t status = 0;
	int r;

	r = qda_module_open(session, name, &status, text, sizeof(text), &module);
	if (r < 0)
		conf_fail(__FILE__, __LINE__, "open %s: %s, status 0x%x, %s", name, qda_strerror(r),
			  status, text);
	return module;
}

int call_in(struct qda_module *module, uint32_t method, uint32_t value)
{
	const struct qda_arg arg = plain(&value, sizeof(value));

	return qda_invoke(module, QDA_SCALARS(method, 1, 0, 0, 0), &arg, NULL);
}

uint32_t call_out(struct qda_module *module, uint32_t method)
{
	uint32_t value = 0;
	const struct qda_arg arg = plain(&value, sizeof(value));

	CHECK_OK(qda_invoke(module, QDA_SCALARS(method, 0, 1, 0, 0), &arg, NULL));
	return value;
}

uint32_t conf_pid(struct qda_module *module)
{
	return call_out(module, CONF_PID);
}

void check_alive(struct qda_module *module)
{
	const uint8_t in[] = {1, 2, 3};
	uint64_t sum = 0;
	const struct qda_arg args[] = {plain(in, sizeof(in)), plain(&sum, sizeof(sum))};

	CHECK_OK(qda_invoke(module, QDA_SCALARS(CONF_SUM, 1, 1, 0, 0), args, NULL));
	CHECK_EQ(sum, 6);
}

static uint8_t pattern(size_t at, uint32_t seed)
{
	return (uint8_t)(((at + seed) * 2654435761U) >> 13);
}

void fill_pattern(void *data, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)data)[i] = pattern(i, seed);
}

void check_pattern(const void *data, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++)
		if (((const uint8_t *)data)[i] != pattern(i, seed))
			conf_fail(__FILE__, __LINE__, "byte %zu of %zu is wrong", i, size);
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

int count_threads(void)
{
	return count_entries("/proc/self/task");
}

void run_threads(size_t n, void *(*fn)(void *), void *arg, size_t stride)
{
	pthread_t *threads = calloc(n, sizeof(*threads));

	CHECK(threads);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, fn, (char *)arg + i * stride), 0);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

const char *conf_tmpdir(void)
{
	const char *base = getenv("TMPDIR");

	CHECK(!tmpdir);
	CHECK(asprintf(&tmpdir, "%s/qda-conf-XXXXXX", base ? base : "/tmp") > 0);
	CHECK(mkdtemp(tmpdir));
	return tmpdir;
}

void copy_skel(const char *from, const char *dir, const char *name)
{
	char source[PATH_MAX], target[PATH_MAX];
	char bytes[65536];
	ssize_t n;
	int in, out;

	snprintf(source, sizeof(source), "%s/%s", conf_skels, from);
	snprintf(target, sizeof(target), "%s/%s", dir, name);
	in = open(source, O_RDONLY | O_CLOEXEC);
	out = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		CHECK_EQ(write(out, bytes, (size_t)n), n);
	CHECK_EQ(n, 0);
	close(in);
	close(out);
}

/* ---- running the cases -------------------------------------------------- */

/* Whether processes other than this one hang on the runner, which adopts every orphan. */
static bool others_run(void)
{
	char path[64], text[4096] = "";
	char *end = text;
	FILE *file;
	bool others = false;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getppid(), getppid());
	file = fopen(path, "re");
	if (!file)
		return false; /* a kernel without the file */
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	for (long pid = strtol(text, &end, 10); pid > 0; pid = strtol(end, &end, 10))
		if (pid != getpid())
			others = true;
	return others;
}

#ifdef __SANITIZE_THREAD__
#define COUNTS_THREADS false /* it has one of its own */
#else
#define COUNTS_THREADS true
#endif

static void check_nothing_left(int fds, int threads)
{
	/* A thread that was joined and a process that was killed vanish a little later. */
	for (int waited = 0; waited < LEAK_LIMIT_MS; waited++) {
		if ((!COUNTS_THREADS || count_threads() == threads) && !others_run())
			break;
		poll(NULL, 0, 1);
	}
	CHECK_EQ(count_fds(), fds);
	if (COUNTS_THREADS)
		CHECK_EQ(count_threads(), threads);
	if (others_run())
		conf_fail(__FILE__, __LINE__, "a process of the DSP is left");
}

static void run_case(const struct conf_case *test)
{
	int fds = count_fds(), threads = count_threads();
	struct conf c = {0};

	c.qda = conf_context();
	CHECK_OK(qda_device_open(c.qda, conf_device, &c.device));
	if (!(test->flags & CONF_BARE)) {
		c.session = conf_session(c.device);
		c.module = conf_open(c.session, "libconf_skel.so");
	}
	test->run(&c);
	qda_module_close(c.module);
	qda_session_close(c.session);
	qda_device_unref(c.device);
	qda_unref(c.qda);
	remove_tmpdir();
	check_nothing_left(fds, threads);
}

/* Wait for @child; what is adopted meanwhile is reaped. Return: its wait status. */
static int wait_case(pid_t child)
{
	struct timespec now, end;
	bool killed = false;
	int status;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += CASE_LIMIT_S;
	for (;;) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid == child)
			return killed ? -1 : status;
		if (pid > 0)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= end.tv_sec && !killed) {
			kill(child, SIGKILL);
			killed = true;
		}
		poll(NULL, 0, 1);
	}
}

/* Return: whether the case passed. */
static bool run_forked(int number, const struct conf_case *test)
{
	pid_t child;
	int status;

	if ((test->flags & CONF_SOFT_ONLY) && !conf_is_soft()) {
		printf("ok %d - %s # SKIP only on the software DSP\n", number, test->name);
		return true;
	}
	fflush(stdout);
	child = fork();
	if (child == 0) {
		run_case(test);
		fflush(stdout);
		exit(0);
	}
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
	int total = 0, number = 0, failed = 0;

	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
			for (const struct conf_case *test = groups[g]; test->name; test++) {
				if (!selected(test->name, patterns))
					continue;
				if (pass == 0)
					total++;
				else if (list)
					printf("%s\n", test->name);
				else if (!run_forked(++number, test))
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
	fprintf(out, "Usage: qda-conformance [--device NAME] [--skels DIR] [--list] [CASE...]\n"
		     "Runs the cases whose names match the patterns, or all. Output is TAP.\n"
		     "  --device NAME  DSP to run on (soft:cdsp)\n"
		     "  --skels DIR    where the suite's skels are (beside this program)\n"
		     "  --list         print the names of the cases\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"device", required_argument, NULL, 'd'}, {"skels", required_argument, NULL, 's'},
		{"list", no_argument, NULL, 'l'},         {"help", no_argument, NULL, 'h'},
		{"count-fds", no_argument, NULL, 'c'},    {NULL, 0, NULL, 0},
	};
	static char program[PATH_MAX], skels[PATH_MAX];
	bool list = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			conf_device = optarg;
			break;
		case 's':
			conf_skels = optarg;
			break;
		case 'l':
			list = true;
			break;
		case 'c':
			return EXIT_FDS + count_fds();
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
	if (!conf_skels)
		snprintf(skels, sizeof(skels), "%.*s/skels", (int)(strrchr(program, '/') - program),
			 program);
	if (!conf_skels)
		conf_skels = skels;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return run_all(argv + optind, list);
}
