/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite: what a program may expect of libqda on any DSP, case by
 * case, through the public interface alone.
 */
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

#include "conformance.h"

const char *conf_device = "soft:cdsp";
const char *conf_skels;

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

/* The library's last log lines. */
static void after_failure(void)
{
	pthread_mutex_lock(&log_lock);
	for (unsigned int i = log_next > LOG_LINES ? log_next - LOG_LINES : 0; i < log_next; i++)
		fprintf(stderr, "#   log: %s\n", log_lines[i % LOG_LINES]);
	remove_tmpdir();
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

static const char *missing(const struct conf_case *test)
{
	if ((test->flags & CONF_SOFT_ONLY) && !conf_is_soft())
		return "only on the software DSP";
	return NULL;
}

static void run_case(const struct conf_case *test)
{
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
}

const struct conf_suite conf_suite = {
	.groups = groups,
	.group_count = ARRAY_SIZE(groups),
	.missing = missing,
	.run = run_case,
	.strerror = qda_strerror,
	.failed = after_failure,
};

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
	const char *program = conf_program();
	static char skels[PATH_MAX];
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
	if (!program)
		return 2;
	if (!conf_skels) {
		snprintf(skels, sizeof(skels), "%.*s/skels", (int)(strrchr(program, '/') - program),
			 program);
		conf_skels = skels;
	}
	return conf_run(argv + optind, list);
}
