/* SPDX-License-Identifier: MIT */
/* The listener's thread against a DSP that the test plays through a transport of its own. */
#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "apps_std.h"
#include "fake-session.h"
#include "reverse.h"

#define MAX_CALLS 8

/* A call that the DSP makes, and what came back. */
struct dsp_call {
	uint32_t handle;
	uint32_t sc;
	struct reverse_buf *bufs;
	/* Send these bytes, or only claim this size, instead of packing bufs. */
	const void *raw;
	uint32_t raw_size;
	/* What came back. */
	uint32_t result;
	uint32_t reply_size;
	int unpacked;
};

/* What the DSP does when it has no more calls. */
enum dsp_end { END_BLOCKS, END_BLOCKS_CANCELLABLE, END_BADSTATE, END_FAILS };

/* Filled in by the listener's thread; looked at when it has said so, or is gone. */
static struct {
	struct fake fake;
	uint32_t listener;          /* the handle it has a listener on; 0: none */
	int error;                  /* init2 fails with it */
	unsigned int interruptions; /* next2 calls to answer with AEE_EINTERRUPTED */
	struct dsp_call calls[MAX_CALLS];
	unsigned int n_calls;
	enum dsp_end end;

	unsigned int inits, nexts, gets, current;
	uint32_t room, get_offset;
	bool wrong_scalars, not_cancellable, init_cancellable, cancel_enabled;
	sigset_t blocked;
	uint8_t *packed;
	uint32_t packed_size;
	sem_t idle; /* all calls are answered */
	sem_t wake; /* the pending call shall return */
	char dir[64];
	char *dirs[2];
	unsigned int fds;
} dsp;

static uint32_t shift(void)
{
	return dsp.listener == FASTRPC_HANDLE_LISTENER ? LISTENER1_INIT2 - LISTENER_INIT2 : 0;
}

static void take_result(const struct reverse_next_in *in, const struct qda_arg *prev)
{
	struct dsp_call *call = &dsp.calls[dsp.current];

	if (in->prev_ctx != dsp.current + 100)
		return;
	call->result = in->prev_result;
	call->reply_size = in->prev_size;
	if (!in->prev_result && in->prev_size == prev->length)
		call->unpacked = reverse_out_unpack(call->sc, call->bufs, prev->ptr, prev->length);
	dsp.current++;
}

static void pack_call(const struct dsp_call *call)
{
	free(dsp.packed);
	dsp.packed_size = call->raw_size;
	if (!call->raw_size)
		dsp.packed_size = (uint32_t)reverse_in_size(call->sc, call->bufs);
	dsp.packed = calloc(1, dsp.packed_size + 1);
	if (call->raw)
		memcpy(dsp.packed, call->raw, call->raw_size);
	else if (!call->raw_size)
		reverse_in_pack(call->sc, call->bufs, dsp.packed);
}

static int end(uint32_t flags, uint32_t *ret_status)
{
	sem_post(&dsp.idle);
	switch (dsp.end) {
	case END_BADSTATE:
		*ret_status = AEE_DSP_OFFSET + AEE_EBADSTATE;
		return 0;
	case END_FAILS:
		return -EIO;
	case END_BLOCKS_CANCELLABLE:
		/* As the accel transport does around its ioctl. */
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		for (;;)
			pause();
	case END_BLOCKS:
		break;
	}
	while (sem_wait(&dsp.wake))
		;
	return -ESHUTDOWN;
}

static int next2(const struct qda_arg *args, uint32_t flags, uint32_t *ret_status)
{
	struct reverse_next_in in;
	struct reverse_next_out out;

	memcpy(&in, args[0].ptr, sizeof(in));
	dsp.room = in.room;
	if (dsp.interruptions) {
		dsp.interruptions--;
		*ret_status = dsp.interruptions % 2 ? AEE_EINTERRUPTED
						    : AEE_DSP_OFFSET + AEE_EINTERRUPTED;
		return 0;
	}
	take_result(&in, &args[1]);
	if (dsp.current == dsp.n_calls)
		return end(flags, ret_status);
	pack_call(&dsp.calls[dsp.current]);
	out = (struct reverse_next_out){
		.ctx = dsp.current + 100,
		.handle = dsp.calls[dsp.current].handle,
		.sc = dsp.calls[dsp.current].sc,
		.size = dsp.packed_size,
	};
	memcpy(args[2].ptr, &out, sizeof(out));
	memcpy(args[3].ptr, dsp.packed, MIN(dsp.packed_size, in.room));
	return 0;
}

static int get_in_bufs2(const struct qda_arg *args)
{
	struct reverse_get_in in;

	memcpy(&in, args[0].ptr, sizeof(in));
	dsp.get_offset = in.offset;
	memcpy(args[1].ptr, &dsp.packed_size, sizeof(dsp.packed_size));
	memcpy(args[2].ptr, dsp.packed + in.offset, MIN(dsp.packed_size - in.offset, in.room));
	return 0;
}

static int invoke(struct qda_session *session, uint32_t handle, uint32_t sc,
		  const struct qda_arg *args, int timeout_ms, uint32_t flags, uint32_t *ret_status)
{
	uint32_t method = sc + (shift() << 24);
	int cancel_state;

	*ret_status = AEE_SUCCESS;
	if (dsp.error)
		return dsp.error;
	if (handle != dsp.listener) {
		*ret_status = AEE_DSP_OFFSET + AEE_EUNSUPPORTED;
		return 0;
	}
	if (method == FASTRPC_SCALARS(LISTENER1_INIT2, 0, 0, 0, 0)) {
		dsp.inits++;
		dsp.init_cancellable |= flags & QDA_CALL_CANCELLABLE;
		return 0;
	}
	dsp.not_cancellable |= !(flags & QDA_CALL_CANCELLABLE);
	pthread_sigmask(SIG_SETMASK, NULL, &dsp.blocked);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	dsp.cancel_enabled |= cancel_state != PTHREAD_CANCEL_DISABLE;
	if (method == FASTRPC_SCALARS(LISTENER1_NEXT2, 2, 2, 0, 0)) {
		dsp.nexts++;
		return next2(args, flags, ret_status);
	}
	if (method == FASTRPC_SCALARS(LISTENER1_GET_IN_BUFS2, 1, 2, 0, 0)) {
		dsp.gets++;
		return get_in_bufs2(args);
	}
	dsp.wrong_scalars = true;
	return -EIO;
}

static int setup(void **state)
{
	memset(&dsp, 0, sizeof(dsp));
	fake_init(&dsp.fake, invoke);
	dsp.listener = FASTRPC_HANDLE_LISTENER1;
	sem_init(&dsp.idle, 0, 0);
	sem_init(&dsp.wake, 0, 0);
	snprintf(dsp.dir, sizeof(dsp.dir), "%s/qda-listener-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(dsp.dir));
	dsp.dirs[0] = dsp.dir;
	dsp.fake.session.dirs = dsp.dirs;
	dsp.fds = count_fds();
	return 0;
}

static int teardown(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/a.so", dsp.dir);
	unlink(path);
	free(dsp.packed);
	assert_false(dsp.wrong_scalars);
	assert_false(dsp.not_cancellable);
	assert_false(dsp.init_cancellable);
	assert_false(dsp.cancel_enabled);
	assert_int_equal(count_fds(), dsp.fds);
	return rmdir(dsp.dir);
}

static void wait_idle(void)
{
	while (sem_wait(&dsp.idle))
		;
}

/* As qda_session_close() does. */
static void stop(void)
{
	atomic_store(&dsp.fake.session.state, -ESHUTDOWN);
	sem_post(&dsp.wake);
	qda_listener_stop(&dsp.fake.session);
	assert_null(dsp.fake.session.listener);
}

/* Serve all calls, and end. */
static void run(void)
{
	assert_int_equal(qda_listener_start(&dsp.fake.session), 0);
	assert_non_null(dsp.fake.session.listener);
	wait_idle();
	stop();
	assert_int_equal(dsp.current, dsp.n_calls);
}

static struct dsp_call *add_call(uint32_t handle, uint32_t sc, struct reverse_buf *bufs)
{
	struct dsp_call *call = &dsp.calls[dsp.n_calls++];

	*call = (struct dsp_call){.handle = handle, .sc = sc, .bufs = bufs, .result = 0xffff};
	return call;
}

#define BUF(x)                  \
	{                       \
		&(x), sizeof(x) \
	}
#define TEXT(s)                                   \
	{                                         \
		(void *)(uintptr_t)(s), sizeof(s) \
	}

/* ---- */

static void calls_are_served_in_turn(void **state)
{
	uint32_t in[] = {9, 4}, handles[2] = {0}, close_in[] = {APPS_STD_HANDLE, 0}, error = 77;
	char dlerror[4] = "";
	struct reverse_buf open_bufs[] = {BUF(in), TEXT("apps_std"), BUF(handles), BUF(dlerror)};
	struct reverse_buf close_bufs[] = {BUF(close_in), BUF(error), {NULL, 0}};
	struct dsp_call *open_call =
		add_call(APPS_REMOTECTL_HANDLE, FASTRPC_SCALARS(APPS_REMOTECTL_OPEN, 2, 2, 0, 0),
			 open_bufs);
	struct dsp_call *close_call =
		add_call(APPS_REMOTECTL_HANDLE, FASTRPC_SCALARS(APPS_REMOTECTL_CLOSE, 1, 2, 0, 0),
			 close_bufs);

	run();
	assert_int_equal(dsp.inits, 1);
	assert_int_equal(dsp.nexts, 3);
	assert_int_equal(dsp.gets, 0);
	assert_int_equal(open_call->result, AEE_SUCCESS);
	assert_int_equal(open_call->unpacked, 0);
	assert_int_equal(handles[0], APPS_STD_HANDLE);
	assert_int_equal(handles[1], AEE_SUCCESS);
	assert_int_equal(close_call->result, AEE_SUCCESS);
	assert_int_equal(error, AEE_SUCCESS);
}

static void refusals_carry_no_reply(void **state)
{
	uint32_t in = 0, out = 77;
	struct reverse_buf bufs[] = {BUF(in), BUF(out)};
	struct dsp_call *call =
		add_call(APPS_STD_HANDLE, FASTRPC_SCALARS(APPS_STD_FTELL, 1, 1, 0, 0), bufs);

	run();
	assert_int_equal(call->result, AEE_EBADFD);
	assert_int_equal(call->reply_size, 0);
	assert_int_equal(out, 77);
}

static void older_listener_is_the_fallback(void **state)
{
	uint32_t in[] = {9, 0}, handles[2] = {0};
	static char delimiter[5000];
	uint32_t env_in[] = {17, sizeof(delimiter), 2, 2}, file;
	struct reverse_buf bufs[] = {BUF(in), TEXT("apps_std"), BUF(handles), {NULL, 0}};
	struct reverse_buf large[] = {BUF(env_in),    TEXT("DSP_LIBRARY_PATH"),
				      BUF(delimiter), TEXT("x"),
				      TEXT("r"),      BUF(file)};

	add_call(APPS_REMOTECTL_HANDLE, FASTRPC_SCALARS(APPS_REMOTECTL_OPEN, 2, 2, 0, 0), bufs);
	add_call(APPS_STD_HANDLE, FASTRPC_SCALARS(APPS_STD_FOPEN_WITH_ENV, 5, 1, 0, 0), large);
	dsp.listener = FASTRPC_HANDLE_LISTENER;
	run();
	assert_int_equal(dsp.inits, 1);
	assert_int_equal(dsp.nexts, 3);
	assert_int_equal(dsp.gets, 1);
	assert_int_equal(handles[0], APPS_STD_HANDLE);
}

static void buffers_that_do_not_fit_are_fetched(void **state)
{
	char delimiter[6000], path[128];
	uint32_t in[] = {17, sizeof(delimiter), 5, 2}, file = 0;
	struct reverse_buf bufs[] = {BUF(in),        TEXT("DSP_LIBRARY_PATH"),
				     BUF(delimiter), TEXT("a.so"),
				     TEXT("r"),      BUF(file)};
	struct dsp_call *call =
		add_call(APPS_STD_HANDLE, FASTRPC_SCALARS(APPS_STD_FOPEN_WITH_ENV, 5, 1, 0, 0),
			 bufs);
	int fd;

	memset(delimiter, ';', sizeof(delimiter));
	delimiter[sizeof(delimiter) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/a.so", dsp.dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
	run();
	/* The file stays open at the DSP's end; teardown() sees that the session closed it. */
	assert_int_equal(call->result, AEE_SUCCESS);
	assert_int_not_equal(file, 0);
	assert_int_equal(dsp.gets, 1);
	assert_int_equal(dsp.get_offset, 4096);
	/* There is room for the next one of this size. */
	assert_int_equal(dsp.room, dsp.packed_size);
}

static void more_than_16_mib_is_refused(void **state)
{
	struct dsp_call *call =
		add_call(APPS_STD_HANDLE, FASTRPC_SCALARS(APPS_STD_FOPEN, 3, 1, 0, 0), NULL);

	call->raw_size = REVERSE_MAX + 1;
	run();
	assert_int_equal(call->result, AEE_ENOMEMORY);
	assert_int_equal(dsp.gets, 0);
	assert_int_equal(dsp.room, 4096);
}

static void malformed_bytes_are_refused(void **state)
{
	static const uint32_t garbage[] = {0xffffffff, 1, 2};
	struct dsp_call *call =
		add_call(APPS_STD_HANDLE, FASTRPC_SCALARS(APPS_STD_FOPEN, 3, 1, 0, 0), NULL);

	call->raw = garbage;
	call->raw_size = sizeof(garbage);
	run();
	assert_int_equal(call->result, AEE_EBADPARM);
	assert_int_equal(call->reply_size, 0);
}

static void handle_arguments_are_refused(void **state)
{
	static const uint32_t zeroes[4];
	struct dsp_call *call =
		add_call(APPS_STD_HANDLE, FASTRPC_SCALARS(APPS_STD_FCLOSE, 1, 0, 1, 0), NULL);

	call->raw = zeroes;
	call->raw_size = sizeof(zeroes);
	run();
	assert_int_equal(call->result, AEE_EUNSUPPORTED);
}

static void interrupted_waits_are_repeated(void **state)
{
	uint32_t in[] = {9, 0}, handles[2] = {0};
	struct reverse_buf bufs[] = {BUF(in), TEXT("apps_std"), BUF(handles), {NULL, 0}};

	add_call(APPS_REMOTECTL_HANDLE, FASTRPC_SCALARS(APPS_REMOTECTL_OPEN, 2, 2, 0, 0), bufs);
	dsp.interruptions = 4;
	run();
	assert_int_equal(dsp.nexts, 6);
	assert_int_equal(handles[0], APPS_STD_HANDLE);
}

static unsigned int log_lines;

static void count_line(void *data, int priority, const char *message)
{
	log_lines++;
}

static void bad_state_ends_the_thread(void **state)
{
	log_lines = 0;
	dsp.fake.qda.log_fn = count_line;
	dsp.fake.qda.log_priority = LOG_WARNING;
	dsp.end = END_BADSTATE;
	assert_int_equal(qda_listener_start(&dsp.fake.session), 0);
	wait_idle();
	qda_listener_stop(&dsp.fake.session);
	assert_int_equal(dsp.nexts, 1);
	assert_int_equal(log_lines, 0);
}

static void a_failing_wait_ends_the_thread_with_a_log_line(void **state)
{
	log_lines = 0;
	dsp.fake.qda.log_fn = count_line;
	dsp.fake.qda.log_priority = LOG_WARNING;
	dsp.end = END_FAILS;
	assert_int_equal(qda_listener_start(&dsp.fake.session), 0);
	wait_idle();
	qda_listener_stop(&dsp.fake.session);
	assert_int_equal(dsp.nexts, 1);
	assert_int_equal(log_lines, 1);
}

static void the_end_of_the_session_is_silent(void **state)
{
	log_lines = 0;
	dsp.fake.qda.log_fn = count_line;
	dsp.fake.qda.log_priority = LOG_WARNING;
	run();
	assert_int_equal(log_lines, 0);
}

static void a_dsp_without_listener_is_no_error(void **state)
{
	dsp.listener = 0;
	assert_int_equal(qda_listener_start(&dsp.fake.session), 0);
	assert_null(dsp.fake.session.listener);
	qda_listener_stop(&dsp.fake.session);
	assert_int_equal(dsp.nexts, 0);
}

static void a_transport_error_at_the_start_is_reported(void **state)
{
	dsp.error = -EPIPE;
	assert_int_equal(qda_listener_start(&dsp.fake.session), -EPIPE);
	assert_null(dsp.fake.session.listener);
}

static void a_wait_can_be_cancelled(void **state)
{
	dsp.end = END_BLOCKS_CANCELLABLE;
	assert_int_equal(qda_listener_start(&dsp.fake.session), 0);
	wait_idle();
	qda_listener_stop(&dsp.fake.session);
	assert_int_equal(dsp.nexts, 1);
}

static void the_thread_has_a_name_and_blocks_signals(void **state)
{
	sigset_t before, after;
	bool found = false;
	struct dirent *entry;
	DIR *tasks;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &before, NULL);
	assert_int_equal(qda_listener_start(&dsp.fake.session), 0);
	pthread_sigmask(SIG_UNBLOCK, &before, &after);
	assert_int_equal(sigismember(&after, SIGUSR2), 1);
	assert_int_equal(sigismember(&after, SIGUSR1), 0);
	wait_idle();
	tasks = opendir("/proc/self/task");
	while (!found && (entry = readdir(tasks))) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		found = fgets(name, sizeof(name), file) && !strcmp(name, "qda-listener\n");
		fclose(file);
	}
	closedir(tasks);
	stop();
	assert_true(found);
	assert_int_equal(sigismember(&dsp.blocked, SIGTERM), 1);
	assert_int_equal(sigismember(&dsp.blocked, SIGUSR1), 1);
	assert_int_equal(sigismember(&dsp.blocked, SIGRTMAX), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_are_served_in_turn),
		TEST(refusals_carry_no_reply),
		TEST(older_listener_is_the_fallback),
		TEST(buffers_that_do_not_fit_are_fetched),
		TEST(more_than_16_mib_is_refused),
		TEST(malformed_bytes_are_refused),
		TEST(handle_arguments_are_refused),
		TEST(interrupted_waits_are_repeated),
		TEST(bad_state_ends_the_thread),
		TEST(a_failing_wait_ends_the_thread_with_a_log_line),
		TEST(the_end_of_the_session_is_silent),
		TEST(a_dsp_without_listener_is_no_error),
		TEST(a_transport_error_at_the_start_is_reported),
		TEST(a_wait_can_be_cancelled),
		TEST(the_thread_has_a_name_and_blocks_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
