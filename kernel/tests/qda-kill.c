/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that are killed, and DSPs that crash, in the middle of calls through the
 * QDA driver to the software DSP: what is left then. QDA_KILL_ROUNDS says how often.
 *
 * timeout: 600
 * modules: qda_sim qda
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "fds.h"
#include "programs/qda-sim-skel.h"
#include "programs/qda-sim.h"
#include "programs/qda.h"

#define ROUNDS 100
#define SIZE 65536UL
#define OPEN_MODULE 0x02020200U

static pid_t daemon_pid;

static int boot(void **state)
{
	int fd;

	daemon_pid = daemon_start("cdsp", "--restart");
	for (int i = 0; i < 30; i++) {
		fd = node_open("cdsp");
		if (fd >= 0) {
			close(fd);
			return 0;
		}
	}
	return -1;
}

static int halt(void **state)
{
	daemon_stop(daemon_pid);
	return 0;
}

/* A session with the skel open. Return: 0, or what failed. */
static long session_open(int *ret_fd, uint32_t *ret_module)
{
	static const char uri[] = QDA_SIM_URI;
	char error[256];
	uint32_t in[2] = {sizeof(uri), sizeof(error)};
	int32_t out[2] = {0};
	struct drm_qda_fastrpc_invoke_args args[] = {
		plain(in, sizeof(in)),
		plain(uri, sizeof(uri)),
		plain(out, sizeof(out)),
		plain(error, sizeof(error)),
	};
	int fd = node_open("cdsp");
	long r = fd < 0 ? -ENODEV : session_create(fd, UNSIGNED);

	if (!r)
		r = invoke(fd, FASTRPC_HANDLE_REMOTECTL1, OPEN_MODULE, args);
	if (!r)
		r = out[1];
	if (r) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_module = (uint32_t)out[0];
	return 0;
}

/* ---- programs that are killed ------------------------------------------- */

/* How far a program has come. */
struct progress {
	atomic_uint calls;
	atomic_bool in_call;
};

static long tell_and_invoke(struct progress *progress, int fd, uint32_t handle, uint32_t sc,
			    struct drm_qda_fastrpc_invoke_args *args)
{
	long r;

	atomic_store(&progress->in_call, true);
	r = invoke(fd, handle, sc, args);
	atomic_store(&progress->in_call, false);
	atomic_fetch_add(&progress->calls, 1);
	return r;
}

/* Calls of all kinds, one after the other, until it is killed. */
static void __attribute__((noreturn)) call_on(struct progress *progress)
{
	static char in[SIZE], out[SIZE];
	uint32_t module;
	int fd;

	for (;;) {
		struct buffer a, b;

		if (session_open(&fd, &module))
			_exit(1);
		a = buffer_new(fd, SIZE);
		b = buffer_new(fd, SIZE);
		for (int i = 0; i < 10; i++) {
			struct drm_qda_fastrpc_invoke_args copy[] = {
				plain(in, SIZE),
				plain(out, SIZE),
			};
			struct drm_qda_fastrpc_invoke_args by_fds[] = {
				by_fd(&a, 0, SIZE),
				by_fd(&b, 0, SIZE),
			};
			struct drm_qda_fastrpc_invoke_args count = {
				.ptr = 0,
				.length = SIZE,
				.fd = a.fd,
			};

			if (tell_and_invoke(progress, fd, module, QDA_SIM_COPY, copy) ||
			    tell_and_invoke(progress, fd, module, QDA_SIM_COPY, by_fds) ||
			    tell_and_invoke(progress, fd, module, QDA_SIM_COUNT, &count))
				_exit(1);
		}
		buffer_free(fd, &a);
		buffer_free(fd, &b);
		close(fd);
	}
}

/* At some time, whatever the program does then; or, of every other one, after some calls. */
static void wait_to_kill(int round, uint32_t random, struct progress *progress)
{
	if (round % 2 == 0) {
		usleep(random % 150000);
		return;
	}
	for (int i = 0; i < 6000 && atomic_load(&progress->calls) <= random % 16; i++)
		usleep(10000);
	usleep(random % 10000);
}

static unsigned int children_of(pid_t pid)
{
	struct dirent *entry;
	unsigned int n = 0;
	DIR *proc = opendir("/proc");

	assert_non_null(proc);
	while ((entry = readdir(proc))) {
		char path[300], text[512] = "";
		const char *at;
		int fd, parent;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		close(fd);
		at = strrchr(text, ')');
		if (at && sscanf(at, ") %*c %d", &parent) == 1 && parent == pid)
			n++;
	}
	closedir(proc);
	return n;
}

static void killed_programs_leave_nothing(void **state)
{
	const char *text = getenv("QDA_KILL_ROUNDS");
	int rounds = text ? atoi(text) : ROUNDS;
	long faults = sim_number("cdsp", "faults");
	struct progress *progress =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[CONTEXT_BANKS], called = 0, in_call = 0;
	uint32_t rng = 1;

	assert_true(progress != MAP_FAILED);

	for (int i = 0; i < rounds; i++) {
		int status;
		pid_t pid;

		memset(progress, 0, sizeof(*progress));
		pid = fork();
		if (!pid)
			call_on(progress);
		rng = rng * 1664525 + 1013904223;
		wait_to_kill(i, rng >> 8, progress);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		/* It did not end by itself: no call has failed. */
		assert_true(WIFSIGNALED(status));
		called += progress->calls > 0;
		in_call += progress->in_call;
	}
	printf("# of %d programs %d had made calls, and %d were killed in one\n", rounds, called,
	       in_call);
	assert_true(called >= rounds / 2);
	assert_true(in_call > 0);
	munmap(progress, PAGE);
	assert_int_equal(children_of(daemon_pid), 0);
	for (size_t i = 0; i < CONTEXT_BANKS; i++) {
		fds[i] = node_open("cdsp");
		assert_true(fds[i] >= 0);
		assert_int_equal(session_create(fds[i], UNSIGNED), 0);
	}
	for (size_t i = 0; i < CONTEXT_BANKS; i++)
		close(fds[i]);
	assert_int_equal(sim_number("cdsp", "faults"), faults);
}

/* ---- sessions at the same time ------------------------------------------ */

struct application {
	pthread_t thread;
	int fd;
	uint32_t module;
	uint32_t sc;
	int calls;
	long result; /* of the last call */
};

static void *call_many(void *arg)
{
	struct application *app = arg;
	char in[5000], out[5000];

	memset(in, app->fd, sizeof(in));
	for (int i = 0; i < app->calls; i++) {
		struct drm_qda_fastrpc_invoke_args args[] = {
			plain(in, sizeof(in)),
			plain(out, sizeof(out)),
		};

		app->result = invoke(app->fd, app->module, app->sc, args);
		if (app->result)
			break;
		if (memcmp(in, out, sizeof(in))) {
			app->result = -EBADMSG;
			break;
		}
	}
	return NULL;
}

static void fourteen_sessions_call_in_parallel(void **state)
{
	struct application apps[CONTEXT_BANKS];
	int fd;

	for (size_t i = 0; i < CONTEXT_BANKS; i++) {
		apps[i] = (struct application){.sc = QDA_SIM_COPY, .calls = 20};
		assert_int_equal(session_open(&apps[i].fd, &apps[i].module), 0);
	}
	fd = node_open("cdsp");
	assert_true(fd >= 0);
	assert_int_equal(session_create(fd, UNSIGNED), -EBUSY);
	close(fd);
	for (size_t i = 0; i < CONTEXT_BANKS; i++)
		assert_int_equal(pthread_create(&apps[i].thread, NULL, call_many, &apps[i]), 0);
	for (size_t i = 0; i < CONTEXT_BANKS; i++) {
		pthread_join(apps[i].thread, NULL);
		assert_int_equal(apps[i].result, 0);
		close(apps[i].fd);
	}
}

/* ---- DSPs that crash ---------------------------------------------------- */

static void calls_in_flight_end_when_the_dsp_crashes(void **state)
{
	struct application apps[8];
	unsigned int before = count_fds();
	int other_fd, fd;
	uint32_t module;

	for (size_t i = 0; i < 8; i++) {
		apps[i] = (struct application){
			.sc = i % 2 ? QDA_SIM_COPY : QDA_SIM_WAIT,
			.calls = 1000000,
		};
		assert_int_equal(session_open(&apps[i].fd, &apps[i].module), 0);
	}
	assert_int_equal(session_open(&other_fd, &module), 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&apps[i].thread, NULL, call_many, &apps[i]), 0);
	assert_int_equal(invoke(other_fd, module, QDA_SIM_NOTHING, NULL), 0);

	assert_int_equal(sim_write("cdsp", "crash", "1"), 0);
	for (size_t i = 0; i < 8; i++) {
		pthread_join(apps[i].thread, NULL);
		/* In a call, or at its begin. */
		assert_true(apps[i].result == -EPIPE || apps[i].result == -ENODEV);
		close(apps[i].fd);
	}
	close(other_fd);

	/* The daemon has booted it again. */
	assert_int_equal(session_open(&fd, &module), 0);
	assert_int_equal(invoke(fd, module, QDA_SIM_NOTHING, NULL), 0);
	close(fd);
	assert_int_equal(count_fds(), before);
}

static void skel_that_looks_beyond_its_memory_ends_its_session_only(void **state)
{
	long faults = sim_number("cdsp", "faults");
	int64_t distance = -(1L << 30);
	char buf[16] = "", byte;
	struct drm_qda_fastrpc_invoke_args args[] = {
		plain(&distance, sizeof(distance)),
		plain(buf, sizeof(buf)),
		plain(&byte, 1),
	};
	uint32_t module, other_module;
	int fd, other;

	assert_int_equal(session_open(&fd, &module), 0);
	assert_int_equal(session_open(&other, &other_module), 0);
	assert_int_equal(invoke(fd, module, QDA_SIM_PEEK, args), AEE_ECONNRESET);
	assert_int_equal(sim_number("cdsp", "faults"), faults + 1);
	assert_int_equal(invoke(fd, module, QDA_SIM_NOTHING, NULL), AEE_ECONNRESET);
	assert_int_equal(invoke(other, other_module, QDA_SIM_NOTHING, NULL), 0);
	close(fd);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_programs_leave_nothing),
		cmocka_unit_test(fourteen_sessions_call_in_parallel),
		cmocka_unit_test(skel_that_looks_beyond_its_memory_ends_its_session_only),
		cmocka_unit_test(calls_in_flight_end_when_the_dsp_crashes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("qda-kill", tests, boot, halt);
}
