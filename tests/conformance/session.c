/* SPDX-License-Identifier: MIT */
/* Cases: the life of sessions, several at once, and use after the end. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "conformance.h"

#define MANY 14 /* context banks of a compute DSP */

static void session_opens_and_closes(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);

	CHECK(qda_session_device(session) == c->device);
	CHECK(!qda_session_close(session));
	CHECK(!qda_session_close(NULL));
}

static void session_unknown_flags_are_einval(struct conf *c)
{
	struct qda_session_params params = {.size = sizeof(params), .flags = 0x8000};
	struct qda_session *session = NULL;

	CHECK_ERROR(qda_session_create(c->device, &params, &session), -EINVAL);
	CHECK(!session);
}

static void session_wrong_params_size_is_einval(struct conf *c)
{
	struct qda_session_params params = {.size = sizeof(params) + 8};
	struct qda_session *session = NULL;

	CHECK_ERROR(qda_session_create(c->device, &params, &session), -EINVAL);
	params.size = 0;
	CHECK_ERROR(qda_session_create(c->device, &params, &session), -EINVAL);
	CHECK(!session);
}

static void session_named_shell_must_exist(struct conf *c)
{
	struct qda_session_params params = {.size = sizeof(params), .shell = "/nonexistent/shell"};
	struct qda_session *session = NULL;
	int r = qda_session_create(c->device, &params, &session);

	/* The software DSP needs none. */
	if (conf_is_soft() && r == 0) {
		qda_session_close(session);
		return;
	}
	CHECK_ERROR(r, -ENOENT);
}

static void session_without_listener_cannot_load_files(struct conf *c)
{
	struct qda_session_params params = {.size = sizeof(params),
					    .flags = QDA_SESSION_NO_LISTENER};
	struct qda_session *session;
	struct qda_module *module;
	uint32_t status = 0;

	CHECK_OK(qda_session_create(c->device, &params, &session));
	CHECK_ERROR(qda_module_open(session, "libconf_skel.so", &status, NULL, 0, &module),
		    -EREMOTEIO);
	CHECK(status);
	qda_session_close(session);
}

static void session_signed_process_runs(struct conf *c)
{
	struct qda_session_params params = {.size = sizeof(params), .flags = QDA_SESSION_SIGNED};
	struct qda_session *session;
	struct qda_module *module;

	CHECK_OK(qda_session_create(c->device, &params, &session));
	module = conf_open(session, "libconf_skel.so");
	check_alive(module);
	qda_module_close(module);
	qda_session_close(session);
}

static void session_end_reason_is_null_while_it_runs(struct conf *c)
{
	CHECK(!qda_session_end_reason(c->session));
}

static void sessions_are_processes_of_their_own(struct conf *c)
{
	struct qda_session *other = conf_session(c->device);
	struct qda_module *module = conf_open(other, "libconf_skel.so");

	CHECK(conf_pid(c->module) != conf_pid(module));
	CHECK_OK(call_in(c->module, CONF_COUNT, 0));
	CHECK_EQ(call_out(c->module, CONF_COUNTED), 1);
	CHECK_EQ(call_out(module, CONF_COUNTED), 0);
	qda_module_close(module);
	qda_session_close(other);
	check_alive(c->module);
}

static void session_many_run_at_once(struct conf *c)
{
	struct qda_session *sessions[MANY];
	struct qda_module *modules[MANY];
	uint32_t pids[MANY];

	for (size_t i = 0; i < MANY; i++) {
		sessions[i] = conf_session(c->device);
		modules[i] = conf_open(sessions[i], "libconf_skel.so");
		pids[i] = conf_pid(modules[i]);
		for (size_t k = 0; k < i; k++)
			CHECK(pids[k] != pids[i]);
	}
	for (size_t i = 0; i < MANY; i++) {
		check_alive(modules[i]);
		qda_module_close(modules[i]);
	}
	for (size_t i = 0; i < MANY; i++)
		qda_session_close(sessions[i]);
}

static void session_opens_again_and_again(struct conf *c)
{
	int fds = count_fds();

	for (int i = 0; i < 20; i++) {
		struct qda_session *session = conf_session(c->device);
		struct qda_buffer *buffer;

		CHECK_OK(qda_buffer_alloc(session, 4096, &buffer));
		qda_buffer_free(buffer);
		qda_session_close(session);
		CHECK_EQ(count_fds(), fds);
	}
}

static void session_another_one_crashes_and_this_goes_on(struct conf *c)
{
	struct qda_session *other = conf_session(c->device);
	struct qda_module *crash = conf_open(other, "libcrash_skel.so");

	CHECK_ERROR(qda_invoke(crash, QDA_SCALARS(CRASH_SEGV, 0, 0, 0, 0), NULL, NULL),
		    -ECONNRESET);
	check_alive(c->module);
	qda_module_close(crash);
	qda_session_close(other);
	check_alive(c->module);
}

static void session_has_attributes(struct conf *c)
{
	uint32_t value = 12345;

	CHECK_OK(qda_session_get_attribute(c->session, 1, &value));
	CHECK(value <= 1);
	CHECK_OK(qda_session_get_attribute(c->session, 6, &value));
	CHECK_OK(qda_session_get_attribute(c->session, 255, &value));
}

static void session_attribute_out_of_range_is_eoverflow(struct conf *c)
{
	uint32_t value = 12345;

	CHECK_ERROR(qda_session_get_attribute(c->session, 0, &value), -EOVERFLOW);
	CHECK_ERROR(qda_session_get_attribute(c->session, 256, &value), -EOVERFLOW);
	CHECK_EQ(value, 12345);
}

static void closed_session_refuses_with_eshutdown(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libconf_skel.so");
	struct qda_buffer *buffer, *mapped;
	uint8_t *data;

	CHECK_OK(qda_buffer_alloc(session, 8192, &buffer));
	CHECK_OK(qda_buffer_alloc(session, 4096, &mapped));
	CHECK_OK(qda_buffer_map_dsp(mapped, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL, NULL));
	data = qda_buffer_data(buffer);
	fill_pattern(data, 8192, 7);
	qda_session_close(session);

	CHECK_ERROR(call_in(module, CONF_STATUS, 0), -ESHUTDOWN);
	CHECK_ERROR(qda_buffer_export(buffer), -ESHUTDOWN);
	CHECK_ERROR(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL, NULL),
		    -ESHUTDOWN);
	CHECK_ERROR(qda_buffer_begin_cpu(buffer, QDA_CPU_READ), -ESHUTDOWN);
	CHECK(qda_buffer_data(buffer) == data);
	CHECK_EQ(qda_buffer_size(buffer), 8192);
	check_pattern(data, 8192, 7);
	data[0] = 1;
	qda_buffer_free(mapped);
	qda_buffer_free(buffer);
	qda_module_close(module);
}

static void closing_in_any_order_leaks_nothing(struct conf *c)
{
	int fds = count_fds();

	for (unsigned int order = 0; order < 6; order++) {
		struct qda_session *session = conf_session(c->device);
		struct qda_module *module = conf_open(session, "libconf_skel.so");
		struct qda_buffer *buffer;
		/* all permutations of session, module, buffer */
		static const char *const orders[] = {"smb", "sbm", "msb", "mbs", "bsm", "bms"};

		CHECK_OK(qda_buffer_alloc(session, 4096, &buffer));
		for (const char *step = orders[order]; *step; step++) {
			if (*step == 's')
				qda_session_close(session);
			else if (*step == 'm')
				qda_module_close(module);
			else
				qda_buffer_free(buffer);
		}
		CHECK_EQ(count_fds(), fds);
	}
}

static void *sleep_in_skel(void *arg)
{
	struct qda_module *module = arg;

	return (void *)(intptr_t)call_in(module, CONF_RENDEZVOUS, 3);
}

static void closing_ends_calls_in_flight(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libconf_skel.so");
	struct qda_module *second = conf_open(session, "libconf_skel.so");
	pthread_t a, b;
	void *ra, *rb;

	/* Two of the three that have to meet: neither can return. */
	CHECK_EQ(pthread_create(&a, NULL, sleep_in_skel, module), 0);
	CHECK_EQ(pthread_create(&b, NULL, sleep_in_skel, second), 0);
	check_alive(module);
	qda_session_close(session);
	pthread_join(a, &ra);
	pthread_join(b, &rb);
	/* A thread that had not made its call yet finds the session closed. */
	CHECK((intptr_t)ra == -ECONNRESET || (intptr_t)ra == -ESHUTDOWN);
	CHECK((intptr_t)rb == -ECONNRESET || (intptr_t)rb == -ESHUTDOWN);
	qda_module_close(second);
	qda_module_close(module);
}

static int count_inheritable(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags != -1 && !(flags & FD_CLOEXEC))
			n++;
	}
	return n;
}

static void file_descriptors_are_close_on_exec(struct conf *c)
{
	int before = count_inheritable();
	struct qda_session *session = conf_session(c->device);
	struct qda_buffer *buffer;
	int copy;

	CHECK_OK(qda_buffer_alloc(session, 4096, &buffer));
	CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL, NULL));
	copy = CHECK_OK(qda_buffer_export(buffer));
	CHECK_EQ(count_inheritable(), before);
	close(copy);
	qda_buffer_free(buffer);
	qda_session_close(session);
}

/* Run this program to count its descriptors. */
static int fds_of_a_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl(conf_program(), "qda-conformance", "--count-fds", NULL);
		_exit(0);
	}
	CHECK(pid > 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) >= EXIT_FDS);
	return WEXITSTATUS(status) - EXIT_FDS;
}

static void executed_child_inherits_nothing(struct conf *c)
{
	int before = fds_of_a_child();
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = conf_open(session, "libconf_skel.so");
	struct qda_buffer *buffer;

	CHECK_OK(qda_buffer_alloc(session, 4096, &buffer));
	CHECK_EQ(fds_of_a_child(), before);
	check_alive(module);
	qda_buffer_free(buffer);
	qda_module_close(module);
	qda_session_close(session);
}

static void application_sees_no_child_of_the_library(struct conf *c)
{
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_EQ(errno, ECHILD);
}

static struct {
	pthread_mutex_t lock;
	pthread_cond_t seen;
	bool found;
} log_state = {.lock = PTHREAD_MUTEX_INITIALIZER, .seen = PTHREAD_COND_INITIALIZER};

static void look_for_line(void *data, int priority, const char *message)
{
	if (!strstr(message, "the quick brown fox 4711"))
		return;
	pthread_mutex_lock(&log_state.lock);
	log_state.found = !strchr(message, '\n');
	pthread_cond_signal(&log_state.seen);
	pthread_mutex_unlock(&log_state.lock);
}

static void log_line_of_a_skel_reaches_the_callback(struct conf *c)
{
	static const char text[] = "the quick\nbrown fox 4711";
	struct qda *qda = conf_context();
	struct qda_device *device;
	struct qda_session *session;
	struct qda_module *module;
	struct timespec limit;
	struct qda_arg arg = plain(text, sizeof(text) - 1);
	int r = 0;

	qda_set_log_fn(qda, look_for_line, NULL);
	qda_set_log_priority(qda, 7);
	CHECK_OK(qda_device_open(qda, conf_device, &device));
	session = conf_session(device);
	module = conf_open(session, "libconf_skel.so");
	CHECK_OK(qda_invoke(module, QDA_SCALARS(CONF_LOG, 1, 0, 0, 0), &arg, NULL));

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 30;
	pthread_mutex_lock(&log_state.lock);
	while (!log_state.found && !r)
		r = pthread_cond_timedwait(&log_state.seen, &log_state.lock, &limit);
	pthread_mutex_unlock(&log_state.lock);
	CHECK_EQ(r, 0);
	qda_module_close(module);
	qda_session_close(session);
	qda_device_unref(device);
	qda_unref(qda);
}

const struct conf_case session_cases[] = {
	CASE(session_opens_and_closes, CONF_BARE),
	CASE(session_unknown_flags_are_einval, CONF_BARE),
	CASE(session_wrong_params_size_is_einval, CONF_BARE),
	CASE(session_named_shell_must_exist, CONF_BARE),
	CASE(session_without_listener_cannot_load_files, CONF_BARE),
	CASE(session_signed_process_runs, CONF_BARE),
	CASE(session_end_reason_is_null_while_it_runs, 0),
	CASE(sessions_are_processes_of_their_own, 0),
	CASE(session_many_run_at_once, CONF_BARE),
	CASE(session_opens_again_and_again, CONF_BARE),
	CASE(session_another_one_crashes_and_this_goes_on, 0),
	CASE(session_has_attributes, 0),
	CASE(session_attribute_out_of_range_is_eoverflow, 0),
	CASE(closed_session_refuses_with_eshutdown, CONF_BARE),
	CASE(closing_in_any_order_leaks_nothing, CONF_BARE),
	CASE(closing_ends_calls_in_flight, CONF_BARE | CONF_SOFT_ONLY),
	CASE(file_descriptors_are_close_on_exec, CONF_BARE),
	CASE(executed_child_inherits_nothing, CONF_BARE),
	CASE(application_sees_no_child_of_the_library, 0),
	CASE(log_line_of_a_skel_reaches_the_callback, CONF_BARE | CONF_SOFT_ONLY),
	{0},
};
