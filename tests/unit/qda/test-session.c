/* SPDX-License-Identifier: MIT */
/* Sessions above the transport: parameters, the checks of a call, status, close. */
#include <string.h>
#include <time.h>
#include <semaphore.h>
#include <unistd.h>

#include "fake-transport.h"

#define HANDLE 0x1234U

static struct qda_buffer *new_buffer(struct qda_session *session, size_t size)
{
	struct qda_buffer *buffer = NULL;

	assert_int_equal(qda_buffer_alloc(session, size, &buffer), 0);
	return buffer;
}

static int invoke(uint32_t sc, const struct qda_arg *args)
{
	return qda_session_invoke(fake.session, HANDLE, sc, args, QDA_NO_TIMEOUT, NULL);
}

/* ---- parameters --------------------------------------------------------- */

static void test_params_null_means_defaults(void **state)
{
	struct qda_session *session;

	/* The listener's first call fails, so the session goes down again. */
	fake.error[FAKE_INVOKE] = -EIO;
	assert_int_equal(qda_session_create(&fake.device, NULL, &session), -EIO);
	assert_int_equal(fake.params.flags, 0);
	assert_int_equal(fake.params.attrs, 0);
	assert_null(fake.params.shell);
}

static void test_params_of_another_size_are_refused(void **state)
{
	/* More than the library knows, and less than any version of it had. */
	struct qda_session_params params = {
		.size = offsetof(struct qda_session_params, timeout_ms)};
	struct qda_session *session = (void *)1;

	assert_int_equal(qda_session_create(&fake.device, &params, &session), -EINVAL);
	params.size = sizeof(params) + 8;
	assert_int_equal(qda_session_create(&fake.device, &params, &session), -EINVAL);
	params.size = 0;
	assert_int_equal(qda_session_create(&fake.device, &params, &session), -EINVAL);
	assert_ptr_equal(session, (void *)1);
	assert_int_equal(fake_count(FAKE_OPEN), 0);
}

static void test_params_unknown_flag_is_refused(void **state)
{
	struct qda_session_params params = {.size = sizeof(params), .flags = 0x8};
	struct qda_session *session;

	assert_int_equal(qda_session_create(&fake.device, &params, &session), -EINVAL);
	assert_int_equal(fake_count(FAKE_OPEN), 0);
}

static void test_create_passes_on_the_transports_error(void **state)
{
	const struct qda_session_params params = {
		.size = sizeof(params),
		.flags = QDA_SESSION_NO_LISTENER,
	};
	struct qda_session *session = (void *)1;

	fake.error[FAKE_OPEN] = -EBUSY;
	assert_int_equal(qda_session_create(&fake.device, &params, &session), -EBUSY);
	assert_ptr_equal(session, (void *)1);
	assert_int_equal(fake_count(FAKE_CLOSE), 0);
	assert_int_equal(fake.device.refs, 1);
}

static void test_create_undoes_all_when_the_listener_fails(void **state)
{
	struct qda_session *session = (void *)1;

	fake.error[FAKE_INVOKE] = -EIO;
	assert_int_equal(qda_session_create(&fake.device, NULL, &session), -EIO);
	assert_ptr_equal(session, (void *)1);
	assert_int_equal(fake_count(FAKE_OPEN), 1);
	assert_int_equal(fake_count(FAKE_CLOSE), 1);
	assert_int_equal(fake.device.refs, 1);
}

static void test_session_knows_its_device(void **state)
{
	assert_ptr_equal(qda_session_device(fake.session), &fake.device);
}

static void test_end_reason_is_the_transports(void **state)
{
	assert_null(qda_session_end_reason(fake.session));
	fake.reason = "skel crashed";
	assert_string_equal(qda_session_end_reason(fake.session), "skel crashed");
}

/* ---- checks of a call --------------------------------------------------- */

static void test_call_reaches_the_transport(void **state)
{
	uint32_t status = 7;

	assert_int_equal(qda_session_invoke(fake.session, HANDLE, QDA_SCALARS(3, 0, 0, 0, 0), NULL,
					    250, &status),
			 0);
	assert_int_equal(status, 0);
	assert_int_equal(fake.handle, HANDLE);
	assert_int_equal(fake.sc, 0x03000000);
	assert_int_equal(fake.timeout_ms, 250);
	assert_int_equal(fake.flags, 0);
	assert_int_equal(fake_count(FAKE_INVOKE), 1);
}

static void test_call_on_handle_1_is_refused(void **state)
{
	uint32_t status = 7;

	assert_int_equal(qda_session_invoke(fake.session, 1, 0, NULL, QDA_NO_TIMEOUT, &status),
			 -EPERM);
	assert_int_equal(qda_session_call(fake.session, 1, 0, NULL, QDA_NO_TIMEOUT, 0, &status),
			 -EPERM);
	assert_int_equal(status, 7);
	assert_int_equal(fake_count(FAKE_INVOKE), 0);
}

static void test_call_with_bad_timeout_is_refused(void **state)
{
	static const int timeouts[] = {0, -2, INT32_MIN};

	for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++)
		assert_int_equal(qda_session_invoke(fake.session, HANDLE, 0, NULL, timeouts[i],
						    NULL),
				 -EINVAL);
	assert_int_equal(fake_count(FAKE_INVOKE), 0);
}

static void test_call_checks_state_then_handle_then_timeout_then_args(void **state)
{
	const uint32_t sc = QDA_SCALARS(0, 1, 0, 0, 0);

	assert_int_equal(qda_session_invoke(fake.session, 1, sc, NULL, 0, NULL), -EPERM);
	qda_session_end(fake.session, -EPIPE);
	assert_int_equal(qda_session_invoke(fake.session, 1, sc, NULL, 0, NULL), -EPIPE);
	assert_int_equal(fake_count(FAKE_INVOKE), 0);
}

static void test_call_without_its_args_is_refused(void **state)
{
	assert_int_equal(invoke(QDA_SCALARS(0, 1, 0, 0, 0), NULL), -EINVAL);
	assert_int_equal(invoke(QDA_SCALARS(0, 0, 0, 0, 1), NULL), -EINVAL);
}

static void test_plain_argument_needs_an_address(void **state)
{
	struct qda_arg arg = {.length = 1};

	assert_int_equal(invoke(QDA_SCALARS(0, 1, 0, 0, 0), &arg), -EINVAL);
	arg.length = 0;
	assert_int_equal(invoke(QDA_SCALARS(0, 1, 0, 0, 0), &arg), 0);
}

static void test_range_must_stay_in_its_buffer(void **state)
{
	const uint32_t sc = QDA_SCALARS(0, 0, 1, 0, 0);
	struct qda_buffer *buffer = new_buffer(fake.session, 4096);
	const struct qda_arg good[] = {
		{.buffer = buffer, .offset = 0, .length = 4096},
		{.buffer = buffer, .offset = 4095, .length = 1},
		{.buffer = buffer, .offset = 4096, .length = 0},
	};
	const struct qda_arg bad[] = {
		{.buffer = buffer, .offset = 0, .length = 4097},
		{.buffer = buffer, .offset = 4096, .length = 1},
		{.buffer = buffer, .offset = 4097, .length = 0},
		{.buffer = buffer, .offset = 1, .length = SIZE_MAX},
		{.buffer = buffer, .offset = SIZE_MAX, .length = 1},
		{.buffer = buffer, .offset = SIZE_MAX, .length = SIZE_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(invoke(sc, &bad[i]), -EINVAL);
	assert_int_equal(fake_count(FAKE_INVOKE), 0);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(invoke(sc, &good[i]), 0);
	qda_buffer_free(buffer);
}

static void test_every_argument_is_checked(void **state)
{
	struct qda_buffer *buffer = new_buffer(fake.session, 4096);
	struct qda_arg args[4];

	for (size_t bad = 0; bad < ARRAY_SIZE(args); bad++) {
		for (size_t i = 0; i < ARRAY_SIZE(args); i++)
			args[i] = (struct qda_arg){.buffer = buffer, .length = i == bad ? 5000 : 1};
		assert_int_equal(invoke(QDA_SCALARS(0, 1, 1, 1, 1), args), -EINVAL);
	}
	qda_buffer_free(buffer);
}

static void test_buffer_of_another_session_is_refused(void **state)
{
	const struct qda_session_params params = {
		.size = sizeof(params),
		.flags = QDA_SESSION_NO_LISTENER,
	};
	struct qda_session *other;
	struct qda_buffer *buffer;
	struct qda_arg arg;

	assert_int_equal(qda_session_create(&fake.device, &params, &other), 0);
	buffer = new_buffer(other, 4096);
	arg = (struct qda_arg){.buffer = buffer, .length = 16};
	assert_int_equal(invoke(QDA_SCALARS(0, 1, 0, 0, 0), &arg), -EINVAL);
	assert_int_equal(fake_count(FAKE_INVOKE), 0);
	qda_buffer_free(buffer);
	qda_session_close(other);
}

static void test_handle_argument_needs_a_buffer(void **state)
{
	char byte;
	const struct qda_arg plain = {.ptr = &byte, .length = 1}, empty = {0};

	assert_int_equal(invoke(QDA_SCALARS(0, 0, 0, 1, 0), &plain), -EINVAL);
	assert_int_equal(invoke(QDA_SCALARS(0, 0, 0, 0, 1), &plain), -EINVAL);
	assert_int_equal(invoke(QDA_SCALARS(0, 0, 0, 1, 0), &empty), -EINVAL);
}

static void test_handle_range_has_32_bits(void **state)
{
	struct qda_buffer *buffer = new_buffer(fake.session, 4096);
	struct qda_arg arg = {.buffer = buffer, .length = 1ULL << 32};

	/* As if the buffer were so large: nothing is read from it. */
	buffer->size = 1ULL << 33;
	assert_int_equal(invoke(QDA_SCALARS(0, 0, 0, 1, 0), &arg), -EINVAL);
	assert_int_equal(invoke(QDA_SCALARS(0, 1, 0, 0, 0), &arg), 0);
	arg = (struct qda_arg){.buffer = buffer, .offset = 1ULL << 32, .length = 1};
	assert_int_equal(invoke(QDA_SCALARS(0, 0, 0, 0, 1), &arg), -EINVAL);
	buffer->size = 4096;
	qda_buffer_free(buffer);
}

static void test_call_takes_all_540_arguments(void **state)
{
	struct qda_buffer *buffer = new_buffer(fake.session, 4096);
	struct qda_arg args[FASTRPC_MAX_ARGS];

	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = (struct qda_arg){.buffer = buffer, .length = 1};
	assert_int_equal(invoke(QDA_SCALARS(0, 255, 255, 15, 15), args), 0);
	qda_buffer_free(buffer);
}

/* ---- status ------------------------------------------------------------- */

static void test_status_is_returned_beside_eremoteio(void **state)
{
	static const uint32_t statuses[] = {1, 0x14, 0x80000414, 0xffffffff, 0x7fffffff};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		uint32_t status = 0;

		fake.status = statuses[i];
		assert_int_equal(qda_session_invoke(fake.session, HANDLE, 0, NULL, QDA_NO_TIMEOUT,
						    &status),
				 -EREMOTEIO);
		assert_int_equal(status, statuses[i]);
	}
	fake.status = 0;
	assert_int_equal(invoke(0, NULL), 0);
}

static void test_status_connection_reset_ends_the_session(void **state)
{
	uint32_t status = 7;

	fake.status = 0x68;
	assert_int_equal(qda_session_invoke(fake.session, HANDLE, 0, NULL, QDA_NO_TIMEOUT, &status),
			 -ECONNRESET);
	assert_int_equal(status, 7);
	fake.status = 0;
	assert_int_equal(invoke(0, NULL), -ECONNRESET);
	assert_int_equal(fake_count(FAKE_INVOKE), 1);
}

static void test_status_connection_reset_of_the_dsp_ends_the_session(void **state)
{
	fake.status = 0x80000468;
	assert_int_equal(invoke(0, NULL), -ECONNRESET);
	assert_int_equal(invoke(0, NULL), -ECONNRESET);
	assert_int_equal(fake_count(FAKE_INVOKE), 1);
}

static void test_transport_errors_are_returned_as_they_are(void **state)
{
	static const int errors[] = {EINTR, EAGAIN, ENOMEM, EBUSY, EFAULT, ETIMEDOUT};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uint32_t status = 7;

		fake.error[FAKE_INVOKE] = -errors[i];
		assert_int_equal(qda_session_invoke(fake.session, HANDLE, 0, NULL, QDA_NO_TIMEOUT,
						    &status),
				 -errors[i]);
		assert_int_equal(status, 7);
	}
	assert_int_equal(fake_count(FAKE_INVOKE), ARRAY_SIZE(errors));
}

static void test_first_end_stays(void **state)
{
	qda_session_end(fake.session, -EPIPE);
	qda_session_end(fake.session, -ECONNRESET);
	assert_int_equal(invoke(0, NULL), -EPIPE);
}

/* ---- attributes --------------------------------------------------------- */

static int answer_attributes(uint32_t handle, uint32_t sc, const struct qda_arg *args,
			     uint32_t *ret_status)
{
	uint32_t count;

	assert_int_equal(handle, 2);
	assert_int_equal(sc, 0x00010100);
	assert_int_equal(args[0].length, 4);
	memcpy(&count, args[0].ptr, 4);
	assert_int_equal(count, 255);
	assert_int_equal(args[1].length, 255 * 4);
	for (uint32_t i = 0; i < 255; i++)
		((uint32_t *)args[1].ptr)[i] = 1000 + i + 1;
	*ret_status = 0;
	return 0;
}

static void test_attribute_is_read_from_its_place(void **state)
{
	uint32_t value = 0;

	fake.on_invoke = answer_attributes;
	assert_int_equal(qda_session_get_attribute(fake.session, 1, &value), 0);
	assert_int_equal(value, 1001);
	assert_int_equal(qda_session_get_attribute(fake.session, 6, &value), 0);
	assert_int_equal(value, 1006);
	assert_int_equal(qda_session_get_attribute(fake.session, 255, &value), 0);
	assert_int_equal(value, 1255);
}

static void test_attribute_out_of_range(void **state)
{
	uint32_t value = 7;

	assert_int_equal(qda_session_get_attribute(fake.session, 0, &value), -EOVERFLOW);
	assert_int_equal(qda_session_get_attribute(fake.session, 256, &value), -EOVERFLOW);
	assert_int_equal(qda_session_get_attribute(fake.session, UINT32_MAX, &value), -EOVERFLOW);
	assert_int_equal(value, 7);
	assert_int_equal(fake_count(FAKE_INVOKE), 0);
}

static void test_attribute_not_supported(void **state)
{
	uint32_t value = 7;

	fake.status = 0x80000414;
	assert_int_equal(qda_session_get_attribute(fake.session, 6, &value), -EOPNOTSUPP);
	fake.status = 0x14;
	assert_int_equal(qda_session_get_attribute(fake.session, 6, &value), -EOPNOTSUPP);
	fake.status = 0x1;
	assert_int_equal(qda_session_get_attribute(fake.session, 6, &value), -EREMOTEIO);
	assert_int_equal(value, 7);
}

/* ---- close -------------------------------------------------------------- */

static void test_close_null_is_fine(void **state)
{
	assert_null(qda_session_close(NULL));
}

static void test_close_releases_in_order(void **state)
{
	static const enum fake_event expected[] = {
		FAKE_OPEN,    FAKE_ALLOC,   FAKE_ALLOC, FAKE_INTERRUPT,
		FAKE_RELEASE, FAKE_RELEASE, FAKE_CLOSE,
	};
	struct qda_buffer *a = new_buffer(fake.session, 1), *b = new_buffer(fake.session, 1);

	fake_close_session();
	assert_int_equal(fake.n_events, ARRAY_SIZE(expected));
	assert_memory_equal(fake.events, expected, sizeof(expected));
	qda_buffer_free(a);
	qda_buffer_free(b);
	assert_int_equal(fake.n_events, ARRAY_SIZE(expected));
}

static void test_everything_after_close_is_eshutdown(void **state)
{
	struct qda_buffer *buffer = new_buffer(fake.session, 4096), *other;
	struct qda_session *session = fake.session;
	struct qda_arg arg = {.buffer = buffer, .length = 1};

	memset(qda_buffer_data(buffer), 0x5a, 4096);
	fake_close_session();

	assert_int_equal(qda_session_invoke(session, HANDLE, QDA_SCALARS(0, 1, 0, 0, 0), &arg,
					    QDA_NO_TIMEOUT, NULL),
			 -ESHUTDOWN);
	assert_int_equal(qda_buffer_alloc(session, 1, &other), -ESHUTDOWN);
	assert_int_equal(qda_buffer_import(session, 0, &other), -ESHUTDOWN);
	assert_int_equal(qda_buffer_export(buffer), -ESHUTDOWN);
	assert_int_equal(qda_buffer_begin_cpu(buffer, QDA_CPU_READ), -ESHUTDOWN);
	assert_int_equal(qda_buffer_end_cpu(buffer, QDA_CPU_READ), -ESHUTDOWN);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL, NULL),
			 -ESHUTDOWN);
	assert_int_equal(qda_buffer_unmap_dsp(buffer), -ESHUTDOWN);
	assert_int_equal(qda_buffer_size(buffer), 4096);
	assert_int_equal(((unsigned char *)qda_buffer_data(buffer))[4095], 0x5a);
	qda_buffer_free(buffer);
}

static void test_close_hides_an_earlier_end(void **state)
{
	struct qda_buffer *buffer = new_buffer(fake.session, 4096);
	struct qda_session *session = fake.session;

	qda_session_end(session, -ECONNRESET);
	fake_close_session();
	assert_int_equal(qda_session_invoke(session, HANDLE, 0, NULL, QDA_NO_TIMEOUT, NULL),
			 -ESHUTDOWN);
	qda_buffer_free(buffer);
}

/* A call that another thread has in flight while the session is closed. */
static struct {
	sem_t inside, leave;
	atomic_bool left;
} flight;

static int answer_late(uint32_t handle, uint32_t sc, const struct qda_arg *args,
		       uint32_t *ret_status)
{
	sem_post(&flight.inside);
	sem_wait(&flight.leave);
	nanosleep(&(struct timespec){.tv_nsec = 20000000},
		  NULL); /* a close that does not wait is over */
	flight.left = true;
	return -ECONNRESET;
}

static void *call_main(void *data)
{
	return (void *)(intptr_t)qda_session_invoke(data, HANDLE, 0, NULL, QDA_NO_TIMEOUT, NULL);
}

static void *close_main(void *data)
{
	qda_session_close(data);
	/* Only after the call was out of the transport. */
	return (void *)(intptr_t)flight.left;
}

static void test_close_waits_for_calls_in_flight(void **state)
{
	struct qda_session *session = fake.session;
	struct qda_buffer *buffer = new_buffer(session, 1); /* keeps the session's memory */
	pthread_t caller, closer;
	void *result;

	sem_init(&flight.inside, 0, 0);
	sem_init(&flight.leave, 0, 0);
	flight.left = false;
	fake.on_invoke = answer_late;
	assert_int_equal(pthread_create(&caller, NULL, call_main, session), 0);
	sem_wait(&flight.inside);
	fake.session = NULL;
	assert_int_equal(pthread_create(&closer, NULL, close_main, session), 0);
	while (atomic_load(&session->state) != -ESHUTDOWN)
		usleep(100);
	sem_post(&flight.leave);
	pthread_join(caller, &result);
	assert_int_equal((intptr_t)result, -ECONNRESET);
	pthread_join(closer, &result);
	assert_true((intptr_t)result);
	assert_int_equal(fake_count(FAKE_CLOSE), 1);
	qda_buffer_free(buffer);
	sem_destroy(&flight.inside);
	sem_destroy(&flight.leave);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fake_device_test(test_params_null_means_defaults),
		fake_device_test(test_params_of_another_size_are_refused),
		fake_device_test(test_params_unknown_flag_is_refused),
		fake_device_test(test_create_passes_on_the_transports_error),
		fake_device_test(test_create_undoes_all_when_the_listener_fails),
		fake_test(test_session_knows_its_device),
		fake_test(test_end_reason_is_the_transports),
		fake_test(test_call_reaches_the_transport),
		fake_test(test_call_on_handle_1_is_refused),
		fake_test(test_call_with_bad_timeout_is_refused),
		fake_test(test_call_checks_state_then_handle_then_timeout_then_args),
		fake_test(test_call_without_its_args_is_refused),
		fake_test(test_plain_argument_needs_an_address),
		fake_test(test_range_must_stay_in_its_buffer),
		fake_test(test_every_argument_is_checked),
		fake_test(test_buffer_of_another_session_is_refused),
		fake_test(test_handle_argument_needs_a_buffer),
		fake_test(test_handle_range_has_32_bits),
		fake_test(test_call_takes_all_540_arguments),
		fake_test(test_status_is_returned_beside_eremoteio),
		fake_test(test_status_connection_reset_ends_the_session),
		fake_test(test_status_connection_reset_of_the_dsp_ends_the_session),
		fake_test(test_transport_errors_are_returned_as_they_are),
		fake_test(test_first_end_stays),
		fake_test(test_attribute_is_read_from_its_place),
		fake_test(test_attribute_out_of_range),
		fake_test(test_attribute_not_supported),
		fake_test(test_close_null_is_fine),
		fake_test(test_close_releases_in_order),
		fake_test(test_everything_after_close_is_eshutdown),
		fake_test(test_close_hides_an_earlier_end),
		fake_test(test_close_waits_for_calls_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
