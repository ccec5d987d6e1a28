/* SPDX-License-Identifier: MIT */
/* Cases: skels that crash, exit, hang or write where they may not. */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "conformance.h"

#define PAGE 4096UL
#define LIMIT_MS 200

static int crash(struct qda_module *module, uint32_t method, int timeout_ms)
{
	return qda_invoke_timeout(module, QDA_SCALARS(method, 0, 0, 0, 0), NULL, timeout_ms, NULL);
}

/* The session is over for good; @c's own goes on. */
static void check_ended(struct conf *c, struct qda_session *session, struct qda_module *module,
			const char *const *words)
{
	const char *reason = qda_session_end_reason(session);
	struct qda_module *other = NULL;
	struct qda_buffer *buffer = NULL;
	/* Through the driver nothing tells what the process died of. */
	bool named = !words || !conf_is_soft();

	CHECK_ERROR(crash(module, CRASH_NOTHING, QDA_NO_TIMEOUT), -ECONNRESET);
	CHECK_ERROR(crash(module, CRASH_NOTHING, 1000), -ECONNRESET);
	CHECK(qda_module_open(session, "libconf_skel.so", NULL, NULL, 0, &other) < 0);
	CHECK(qda_buffer_alloc(session, PAGE, &buffer) < 0);
	CHECK(!other && !buffer);
	CHECK(reason && reason[0]);
	for (; words && *words; words++)
		named |= strcasestr(reason, *words) != NULL;
	if (!named)
		conf_fail(__FILE__, __LINE__, "the reason given is \"%s\"", reason);
	check_alive(c->module);
}

static void ends_session(struct conf *c, uint32_t method, const char *const *words)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libcrash_skel.so");
	uint32_t status = 77;

	CHECK_ERROR(qda_invoke(module, QDA_SCALARS(method, 0, 0, 0, 0), NULL, &status),
		    -ECONNRESET);
	CHECK_EQ(status, 77);
	check_ended(c, session, module, words);
	qda_module_close(module);
	qda_session_close(session);
	check_alive(c->module);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void crash_segv_ends_the_session(struct conf *c)
{
	ends_session(c, CRASH_SEGV, WORDS("SIGSEGV"));
}

static void crash_abort_ends_the_session(struct conf *c)
{
	ends_session(c, CRASH_ABORT, WORDS("SIGABRT"));
}

static void crash_division_ends_the_session(struct conf *c)
{
	ends_session(c, CRASH_FPE, WORDS("SIGFPE"));
}

static void crash_stack_overflow_ends_the_session(struct conf *c)
{
	ends_session(c, CRASH_STACK, WORDS("SIGSEGV"));
}

static void exit_ends_the_session(struct conf *c)
{
	ends_session(c, CRASH_EXIT, WORDS("exit"));
}

static void underscore_exit_ends_the_session(struct conf *c)
{
	ends_session(c, CRASH_UNDERSCORE_EXIT, WORDS("exit", "kill"));
}

static void kill_ends_the_session(struct conf *c)
{
	ends_session(c, CRASH_KILL, WORDS("kill"));
}

static void closing_its_descriptors_harms_no_one_else(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libcrash_skel.so");
	int r = crash(module, CRASH_CLOSE_FDS, 30000);

	CHECK(r == 0 || r == -ECONNRESET);
	r = crash(module, CRASH_NOTHING, 30000);
	CHECK(r == 0 || r == -ECONNRESET);
	check_alive(c->module);
	qda_module_close(module);
	qda_session_close(session);
	check_alive(c->module);
}

struct caller {
	struct qda_module *module;
	int result;
};

static void *call_forever(void *arg)
{
	struct caller *caller = arg;

	/* Two have to meet and one comes: only the crash ends this. */
	caller->result = call_in(caller->module, CONF_RENDEZVOUS, 2);
	return NULL;
}

static void crash_ends_other_calls_in_flight(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libconf_skel.so");
	struct qda_module *crashing = conf_open(session, "libcrash_skel.so");
	struct caller caller = {.module = module};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, call_forever, &caller), 0);
	check_alive(module);
	CHECK_ERROR(crash(crashing, CRASH_SEGV, QDA_NO_TIMEOUT), -ECONNRESET);
	pthread_join(thread, NULL);
	CHECK_ERROR(caller.result, -ECONNRESET);
	qda_module_close(module);
	qda_module_close(crashing);
	qda_session_close(session);
}

static void crash_leaves_buffers_readable(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libcrash_skel.so");
	struct qda_buffer *buffer;

	CHECK_OK(qda_buffer_alloc(session, 2 * PAGE, &buffer));
	CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL, NULL));
	fill_pattern(qda_buffer_data(buffer), 2 * PAGE, 1);
	CHECK_ERROR(crash(module, CRASH_ABORT, QDA_NO_TIMEOUT), -ECONNRESET);
	check_pattern(qda_buffer_data(buffer), 2 * PAGE, 1);
	qda_buffer_free(buffer);
	qda_module_close(module);
	qda_session_close(session);
}

static void crash_and_start_again(struct conf *c)
{
	for (int i = 0; i < 5; i++) {
		struct qda_session *session = conf_session(c->device);
		struct qda_module *module = conf_open(session, "libcrash_skel.so");

		CHECK_ERROR(crash(module, CRASH_SEGV, QDA_NO_TIMEOUT), -ECONNRESET);
		qda_module_close(module);
		qda_session_close(session);
	}
	check_alive(c->module);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void hang_runs_into_the_time_limit(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libcrash_skel.so");
	double start = seconds(), took;

	CHECK_ERROR(crash(module, CRASH_HANG, LIMIT_MS), -ETIMEDOUT);
	took = seconds() - start;
	CHECK(took >= LIMIT_MS / 1000.0);
	CHECK(took < 60);
	check_ended(c, session, module, NULL);
	qda_module_close(module);
	qda_session_close(session);
	check_alive(c->module);
}

static void truncated_memory_leaves_the_application_alone(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libcrash_skel.so");
	static uint8_t large[256 * 1024];
	const struct qda_arg arg = plain(large, sizeof(large));
	struct qda_buffer *buffer;

	CHECK_OK(qda_buffer_alloc(session, 8192, &buffer));
	/* The call's own payload is memory of its own, being this large. */
	qda_invoke_timeout(module, QDA_SCALARS(CRASH_TRUNCATE, 0, 1, 0, 0), &arg, LIMIT_MS, NULL);
	memset(qda_buffer_data(buffer), 1, 8192);
	qda_buffer_free(buffer);
	qda_module_close(module);
	qda_session_close(session);
}

static void large_argument_to_a_stopped_process_times_out(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libcrash_skel.so");
	static uint8_t large[256 * 1024];
	const struct qda_arg arg = plain(large, sizeof(large));

	CHECK_ERROR(crash(module, CRASH_STOP, LIMIT_MS), -ETIMEDOUT);
	CHECK_ERROR(qda_invoke_timeout(module, QDA_SCALARS(CRASH_NOTHING, 1, 0, 0, 0), &arg,
				       LIMIT_MS, NULL),
		    -ECONNRESET);
	CHECK(qda_session_end_reason(session) != NULL);
	qda_module_close(module);
	qda_session_close(session);
}

static void skels_start_no_process(struct conf *c)
{
	uint32_t error = call_out(c->module, CONF_FORK);

	CHECK_EQ(error, EPERM);
}

static void hang_while_loading_runs_into_the_sessions_limit(struct conf *c)
{
	const struct qda_session_params params = {.size = sizeof(params), .timeout_ms = LIMIT_MS};
	struct qda_session *session;
	struct qda_module *module;

	CHECK_OK(qda_session_create(c->device, &params, &session));
	CHECK_ERROR(qda_module_open(session, "libhang_skel.so", NULL, NULL, 0, &module),
		    -ETIMEDOUT);
	CHECK(qda_session_end_reason(session) != NULL);
	qda_session_close(session);
	check_alive(c->module);
}

static void hang_without_limit_ends_with_the_session(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libconf_skel.so");
	struct qda_module *second = conf_open(session, "libcrash_skel.so");
	struct caller caller = {.module = module};
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, call_forever, &caller), 0);
	check_alive(module);
	/* One call's limit ends the session, and with it the call that has none. */
	CHECK_ERROR(crash(second, CRASH_HANG, LIMIT_MS), -ETIMEDOUT);
	pthread_join(thread, NULL);
	CHECK_ERROR(caller.result, -ECONNRESET);
	qda_module_close(module);
	qda_module_close(second);
	qda_session_close(session);
	check_alive(c->module);
}

/* ---- writing beyond an out buffer --------------------------------------- */

static void overrun(struct conf *c, uint32_t beyond)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libcrash_skel.so");
	uint8_t *memory =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *out = memory + PAGE + 100;
	struct qda_buffer *buffer;
	struct qda_arg args[2];
	int r;

	CHECK(memory != MAP_FAILED);
	memset(memory, 0xa5, 3 * PAGE);
	CHECK_OK(qda_buffer_alloc(c->session, PAGE, &buffer));
	fill_pattern(qda_buffer_data(buffer), PAGE, 2);
	args[0] = plain(&beyond, sizeof(beyond));
	args[1] = plain(out, 40);
	r = qda_invoke_timeout(module, QDA_SCALARS(CRASH_OVERRUN, 1, 1, 0, 0), args, 30000, NULL);
	/* It may get away with it, or be ended; the rest of our memory is as it was. */
	CHECK(r == 0 || r == -ECONNRESET || r == -EREMOTEIO || r == -ETIMEDOUT);
	for (size_t i = 0; i < 3 * PAGE; i++)
		if (memory + i < out || memory + i >= out + 40)
			CHECK_EQ(memory[i], 0xa5);
	if (r == 0)
		for (size_t i = 0; i < 40; i++)
			CHECK_EQ(out[i], 'x');
	check_pattern(qda_buffer_data(buffer), PAGE, 2);
	qda_buffer_free(buffer);
	munmap(memory, 3 * PAGE);
	qda_module_close(module);
	qda_session_close(session);
	check_alive(c->module);
}

static void overrun_by_one_byte_stays_at_the_dsp(struct conf *c)
{
	overrun(c, 1);
}

static void overrun_by_pages_stays_at_the_dsp(struct conf *c)
{
	overrun(c, 3 * PAGE);
}

static void overrun_by_megabytes_stays_at_the_dsp(struct conf *c)
{
	overrun(c, 64 << 20);
}

static void overrun_of_a_buffer_range_leaves_the_application_alone(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libcrash_skel.so");
	uint32_t beyond = 100;
	struct qda_buffer *buffer, *other;
	struct qda_arg args[2];
	uint8_t *data;

	CHECK_OK(qda_buffer_alloc(session, PAGE, &buffer));
	CHECK_OK(qda_buffer_alloc(c->session, PAGE, &other));
	data = qda_buffer_data(buffer);
	fill_pattern(qda_buffer_data(other), PAGE, 2);
	args[0] = plain(&beyond, sizeof(beyond));
	args[1] = range(buffer, 0, 100);
	/* Inside a shared buffer the skel may write; that is what it is for. */
	CHECK_OK(qda_invoke(module, QDA_SCALARS(CRASH_OVERRUN, 1, 1, 0, 0), args, NULL));
	CHECK_EQ(data[99], 'x');
	CHECK_EQ(data[199], 'X');
	CHECK_EQ(data[200], 0);
	check_pattern(qda_buffer_data(other), PAGE, 2);
	qda_buffer_free(buffer);
	qda_buffer_free(other);
	qda_module_close(module);
	qda_session_close(session);
}

const struct conf_case crash_cases[] = {
	CASE(crash_segv_ends_the_session, 0),
	CASE(crash_abort_ends_the_session, 0),
	CASE(crash_division_ends_the_session, 0),
	CASE(crash_stack_overflow_ends_the_session, 0),
	CASE(exit_ends_the_session, 0),
	CASE(underscore_exit_ends_the_session, 0),
	CASE(kill_ends_the_session, 0),
	CASE(closing_its_descriptors_harms_no_one_else, CONF_SOFT_ONLY),
	CASE(crash_ends_other_calls_in_flight, 0),
	CASE(crash_leaves_buffers_readable, 0),
	CASE(crash_and_start_again, 0),
	CASE(hang_runs_into_the_time_limit, 0),
	CASE(truncated_memory_leaves_the_application_alone, CONF_SOFT_ONLY),
	CASE(large_argument_to_a_stopped_process_times_out, CONF_SOFT_ONLY),
	CASE(skels_start_no_process, CONF_SOFT_ONLY),
	CASE(hang_while_loading_runs_into_the_sessions_limit, 0),
	CASE(hang_without_limit_ends_with_the_session, CONF_SOFT_ONLY),
	CASE(overrun_by_one_byte_stays_at_the_dsp, 0),
	CASE(overrun_by_pages_stays_at_the_dsp, 0),
	CASE(overrun_by_megabytes_stays_at_the_dsp, 0),
	CASE(overrun_of_a_buffer_range_leaves_the_application_alone, 0),
	{0},
};
