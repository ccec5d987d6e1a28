/* SPDX-License-Identifier: MIT */
/* Runs the cases of a conformance suite one by one, and sees what they leave behind. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"

/* A case that takes longer hangs: generous, for sanitizers and emulated machines. */
#define CASE_LIMIT_S 240
#define LEAK_LIMIT_MS 10000

void conf_fail(const char *file, int line, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	/* TAP's readers swallow what stdout says beyond the results. */
	fprintf(stderr, "# %s:%d: %s\n", file, line, text);
	if (conf_suite.failed)
		conf_suite.failed();
	_exit(1);
}

const char *conf_program(void)
{
	static char program[PATH_MAX];

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return NULL;
	return program;
}

/* ---- what a case has taken ---------------------------------------------- */

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
		conf_fail(__FILE__, __LINE__, "a process is left");
}

/* ---- running the cases -------------------------------------------------- */

static void run_in_child(const struct conf_case *test)
{
	int fds, threads;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* in a group of its own it sees no Ctrl-C */
	fds = count_fds();
	threads = count_threads();
	conf_suite.run(test);
	check_nothing_left(fds, threads);
	fflush(stdout);
	exit(0);
}

/*
 * Wait for @child; what is adopted meanwhile is reaped. SIGCHLD is blocked.
 * Return: its wait status, or -1 if it took too long.
 */
static int wait_case(pid_t child, const sigset_t *sigchld)
{
	struct timespec now, end;
	const struct timespec second = {.tv_sec = 1};
	bool late = false;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += CASE_LIMIT_S;
	for (;;) {
		siginfo_t info = {0};

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
			/* With what it started and, having failed, has left behind. */
			if (info.si_pid == child)
				kill(-child, SIGKILL);
			waitpid(info.si_pid, &status, 0);
			if (info.si_pid == child)
				return late ? -1 : status;
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= end.tv_sec && !late) {
			kill(-child, SIGKILL);
			late = true;
		}
		sigtimedwait(sigchld, NULL, &second);
	}
}

/* Return: whether the case passed. */
static bool run_forked(int number, const struct conf_case *test)
{
	const char *reason = conf_suite.missing(test);
	sigset_t sigchld, mask;
	pid_t child;
	int status;

	if (reason) {
		printf("ok %d - %s # SKIP %s\n", number, test->name, reason);
		return true;
	}
	fflush(stdout);
	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &sigchld, &mask);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		sigprocmask(SIG_SETMASK, &mask, NULL);
		run_in_child(test);
	}
	if (child > 0) {
		setpgid(child, child); /* whichever of the two is first */
		status = wait_case(child, &sigchld);
		if (status == -1)
			fprintf(stderr, "# ran longer than %d s\n", CASE_LIMIT_S);
		else if (WIFSIGNALED(status))
			fprintf(stderr, "# ended by signal %d\n", WTERMSIG(status));
		else if (status)
			fprintf(stderr, "# ended with exit status %d\n", WEXITSTATUS(status));
	} else {
		status = -1;
		perror("# fork");
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
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

int conf_run(char *const *patterns, bool list)
{
	int total = 0, number = 0, failed = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t g = 0; g < conf_suite.group_count; g++) {
			for (const struct conf_case *test = conf_suite.groups[g]; test->name;
			     test++) {
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
	if (!total)
		fprintf(stderr, "no case has such a name; --list prints them\n");
	return failed || !total ? 1 : 0;
}
