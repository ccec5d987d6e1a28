/* SPDX-License-Identifier: MIT */
/* Cases: many calls at once, and calls under a storm of signals. */
#include <linux/futex.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "conformance.h"

#define CALLS 1000
#define IN_FLIGHT_MAX 254
#define SIGNAL_CALLS 2000

struct worker {
	struct conf *c;
	struct qda_buffer *buffer;
	uint32_t number;
	int result;
	int wrong;
};

static void *call_many_times(void *arg)
{
	struct worker *worker = arg;
	uint8_t in[200], out[200];

	for (uint32_t i = 0; i < CALLS && worker->result == 0; i++) {
		size_t size = 1 + (i * 7 + worker->number) % sizeof(in);
		const struct qda_arg args[] = {plain(in, size), plain(out, size)};

		fill_pattern(in, size, worker->number * CALLS + i);
		memset(out, 0, sizeof(out));
		worker->result = qda_invoke(worker->c->module, QDA_SCALARS(CONF_ECHO, 1, 1, 0, 0),
					    args, NULL);
		if (memcmp(in, out, size))
			worker->wrong++;
	}
	return NULL;
}

static void threads_share_a_session(struct conf *c)
{
	struct worker workers[8];

	for (uint32_t i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker){.c = c, .number = i};
	run_threads(ARRAY_SIZE(workers), call_many_times, workers, sizeof(*workers));
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
		CHECK_OK(workers[i].result);
		CHECK_EQ(workers[i].wrong, 0);
	}
}

static void *allocate_and_open(void *arg)
{
	struct worker *worker = arg;

	for (int i = 0; i < 30 && worker->result == 0; i++) {
		struct qda_buffer *buffer;
		struct qda_module *module;
		uint64_t sum = 0;

		worker->result = qda_buffer_alloc(worker->c->session, 4096, &buffer);
		if (worker->result < 0)
			break;
		memset(qda_buffer_data(buffer), 1, 4096);
		worker->result = qda_module_open(worker->c->session, "libconf_skel.so", NULL, NULL,
						 0, &module);
		if (worker->result == 0) {
			const struct qda_arg args[] = {range(buffer, 0, 4096),
						       plain(&sum, sizeof(sum))};

			worker->result =
				qda_invoke(module, QDA_SCALARS(CONF_SUM, 1, 1, 0, 0), args, NULL);
			worker->wrong += sum != 4096;
			qda_module_close(module);
		}
		qda_buffer_free(buffer);
	}
	return NULL;
}

static void threads_allocate_and_open_at_once(struct conf *c)
{
	struct worker workers[8];

	for (uint32_t i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker){.c = c, .number = i};
	run_threads(ARRAY_SIZE(workers), allocate_and_open, workers, sizeof(*workers));
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
		CHECK_OK(workers[i].result);
		CHECK_EQ(workers[i].wrong, 0);
	}
	CHECK_EQ(call_out(c->module, CONF_OPENED), 1);
}

static void *make_sessions(void *arg)
{
	struct worker *worker = arg;

	for (int i = 0; i < 3 && worker->result == 0; i++) {
		struct qda_session *session;

		worker->result = qda_session_create(worker->c->device, NULL, &session);
		if (worker->result == 0)
			qda_session_close(session);
	}
	return NULL;
}

static void threads_create_sessions_at_once(struct conf *c)
{
	struct worker workers[4];

	for (uint32_t i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker){.c = c};
	run_threads(ARRAY_SIZE(workers), make_sessions, workers, sizeof(*workers));
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		CHECK_OK(workers[i].result);
}

static void *meet_all(void *arg)
{
	struct worker *worker = arg;

	worker->result = call_in(worker->c->module, CONF_RENDEZVOUS, 16);
	return NULL;
}

static void calls_of_one_session_run_in_parallel(struct conf *c)
{
	struct worker workers[16];

	/* None returns before all are inside. */
	for (uint32_t i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i] = (struct worker){.c = c};
	run_threads(ARRAY_SIZE(workers), meet_all, workers, sizeof(*workers));
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		CHECK_OK(workers[i].result);
	check_alive(c->module);
}

/* ---- a gate in a buffer holds calls back -------------------------------- */

static struct conf_gate *gate_of(struct qda_buffer *buffer)
{
	return qda_buffer_data(buffer);
}

static void open_gate(struct qda_buffer *buffer)
{
	__atomic_store_n(&gate_of(buffer)->open, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &gate_of(buffer)->open, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static uint32_t arrived(struct qda_buffer *buffer)
{
	return __atomic_load_n(&gate_of(buffer)->arrived, __ATOMIC_SEQ_CST);
}

static void *pass_gate(void *arg)
{
	struct worker *worker = arg;
	const struct qda_arg gate = range(worker->buffer, 0, sizeof(struct conf_gate));

	worker->result =
		qda_invoke(worker->c->module, QDA_SCALARS(CONF_GATE, 0, 1, 0, 0), &gate, NULL);
	if (worker->result < 0)
		__atomic_fetch_add(&worker->wrong, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void sleeping_call_does_not_hold_up_others(struct conf *c)
{
	struct worker worker = {.c = c};
	pthread_t thread;

	CHECK_OK(qda_buffer_alloc(c->session, 4096, &worker.buffer));
	CHECK_EQ(pthread_create(&thread, NULL, pass_gate, &worker), 0);
	while (!arrived(worker.buffer))
		usleep(1000);
	for (int i = 0; i < 100; i++)
		check_alive(c->module);
	open_gate(worker.buffer);
	pthread_join(thread, NULL);
	CHECK_OK(worker.result);
	qda_buffer_free(worker.buffer);
}

static void *shake_hands(void *arg)
{
	struct worker *worker = arg;
	const struct qda_arg words = range(worker->buffer, 8192, 12);

	worker->result = qda_invoke(worker->c->module, QDA_SCALARS(CONF_HANDSHAKE, 0, 1, 0, 0),
				    &words, NULL);
	return NULL;
}

static void buffer_argument_is_not_copied(struct conf *c)
{
	struct worker worker = {.c = c};
	uint32_t *words;
	pthread_t thread;

	CHECK_OK(qda_buffer_alloc(c->session, 3 * 4096, &worker.buffer));
	words = (uint32_t *)((char *)qda_buffer_data(worker.buffer) + 8192);
	CHECK_EQ(pthread_create(&thread, NULL, shake_hands, &worker), 0);
	/* The skel's write is seen here, and this one there, while the call runs. */
	while (__atomic_load_n(&words[0], __ATOMIC_SEQ_CST) != 1)
		usleep(1000);
	__atomic_store_n(&words[1], 2, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	CHECK_OK(worker.result);
	CHECK_EQ(words[2], 3);
	qda_buffer_free(worker.buffer);
}

static void calls_beyond_the_limit_in_flight_are_ebusy(struct conf *c)
{
	struct worker workers[IN_FLIGHT_MAX + 1];
	pthread_t threads[ARRAY_SIZE(workers)];
	pthread_attr_t attr;
	struct qda_buffer *buffer;
	uint32_t inside = 0, busy = 0;

	CHECK_OK(qda_buffer_alloc(c->session, 4096, &buffer));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 * 1024);
	for (uint32_t i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i] = (struct worker){.c = c, .buffer = buffer};
		CHECK_EQ(pthread_create(&threads[i], &attr, pass_gate, &workers[i]), 0);
	}
	pthread_attr_destroy(&attr);
	/* Every one is inside or was refused. */
	for (;;) {
		inside = arrived(buffer);
		busy = 0;
		for (uint32_t i = 0; i < ARRAY_SIZE(workers); i++)
			busy += __atomic_load_n(&workers[i].wrong, __ATOMIC_SEQ_CST) != 0;
		if (inside + busy == ARRAY_SIZE(workers))
			break;
		usleep(1000);
	}
	/* How many a driver admits depends on the DSP; the listener's call is one of its 16. */
	if (conf_is_soft())
		CHECK_EQ(inside, IN_FLIGHT_MAX);
	else
		CHECK(inside >= 15 && inside < IN_FLIGHT_MAX);
	CHECK_ERROR(call_in(c->module, CONF_STATUS, 0), -EBUSY);
	open_gate(buffer);
	for (uint32_t i = 0; i < ARRAY_SIZE(workers); i++) {
		pthread_join(threads[i], NULL);
		CHECK(workers[i].result == 0 || workers[i].result == -EBUSY);
	}
	check_alive(c->module);
	qda_buffer_free(buffer);
}

/* ---- signals ------------------------------------------------------------ */

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	alarms++;
}

static void storm(int flags)
{
	const struct itimerval each = {.it_interval = {.tv_usec = 150},
				       .it_value = {.tv_usec = 150}};
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &each, NULL), 0);
}

static void calm(void)
{
	const struct itimerval never = {0};

	setitimer(ITIMER_REAL, &never, NULL);
}

static void count_under_storm(struct conf *c, int flags)
{
	storm(flags);
	for (int i = 0; i < SIGNAL_CALLS; i++)
		CHECK_OK(call_in(c->module, CONF_COUNT, 0));
	CHECK_OK(call_in(c->module, CONF_SLEEP, 50));
	calm();
	CHECK(alarms > 0);
	CHECK_EQ(call_out(c->module, CONF_COUNTED), SIGNAL_CALLS);
}

static void signals_do_not_repeat_calls(struct conf *c)
{
	count_under_storm(c, 0);
}

static void signals_with_restart_do_not_repeat_calls(struct conf *c)
{
	count_under_storm(c, SA_RESTART);
}

static void signals_do_not_disturb_sessions_and_buffers(struct conf *c)
{
	storm(0);
	for (int i = 0; i < 5; i++) {
		struct qda_session *session = conf_session(c->device);
		struct qda_module *module = conf_open(session, "libconf_skel.so");
		struct qda_buffer *buffer;

		CHECK_OK(qda_buffer_alloc(session, 4096, &buffer));
		CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL, NULL));
		check_alive(module);
		qda_buffer_free(buffer);
		qda_module_close(module);
		qda_session_close(session);
	}
	calm();
	CHECK(alarms > 0);
}

const struct conf_case thread_cases[] = {
	CASE(threads_share_a_session, 0),
	CASE(threads_allocate_and_open_at_once, 0),
	CASE(threads_create_sessions_at_once, CONF_BARE),
	CASE(calls_of_one_session_run_in_parallel, 0),
	CASE(sleeping_call_does_not_hold_up_others, 0),
	CASE(buffer_argument_is_not_copied, 0),
	CASE(calls_beyond_the_limit_in_flight_are_ebusy, 0),
	CASE(signals_do_not_repeat_calls, 0),
	CASE(signals_with_restart_do_not_repeat_calls, 0),
	CASE(signals_do_not_disturb_sessions_and_buffers, CONF_BARE),
	{0},
};
