/* SPDX-License-Identifier: MIT */
/* Modules: URIs, the two remotectl services, texts of the DSP, close. */
#include <stdio.h>
#include <string.h>

#include "fake-transport.h"

/* What the DSP of this test answers, and what it was asked. */
static struct {
	bool no_service_8;
	uint32_t missing_status;
	uint32_t status; /* of the call itself */
	int32_t handle, error;
	const char *dlerror;
	size_t dlerror_length; /* bytes of it */

	char uri[256];
	uint32_t open_handle, open_sc, close_handle, close_sc;
	int32_t closed;
	uint32_t calls;
} dsp;

static uint32_t answer_open(uint32_t handle, uint32_t sc, const struct qda_arg *args)
{
	uint32_t in[2];
	const int32_t out[2] = {dsp.handle, dsp.error};

	dsp.open_handle = handle;
	dsp.open_sc = sc;
	if (handle == 8 && dsp.no_service_8)
		return dsp.missing_status;
	assert_int_equal(args[0].length, 8);
	memcpy(in, args[0].ptr, 8);
	assert_int_equal(in[0], args[1].length);
	assert_int_equal(in[1], args[3].length);
	assert_int_equal(args[2].length, 8);
	assert_int_equal(((char *)args[1].ptr)[args[1].length - 1], '\0');
	assert_int_equal(strlen(args[1].ptr), args[1].length - 1);
	snprintf(dsp.uri, sizeof(dsp.uri), "%s", (char *)args[1].ptr);
	memcpy(args[2].ptr, out, sizeof(out));
	if (dsp.dlerror)
		memcpy(args[3].ptr, dsp.dlerror, MIN(dsp.dlerror_length, args[3].length));
	return dsp.status;
}

static uint32_t answer_close(uint32_t handle, uint32_t sc, const struct qda_arg *args)
{
	uint32_t in[2];

	dsp.close_handle = handle;
	dsp.close_sc = sc;
	assert_int_equal(args[0].length, 8);
	memcpy(in, args[0].ptr, 8);
	dsp.closed = (int32_t)in[0];
	assert_int_equal(args[1].length, 4);
	assert_int_equal(in[1], args[2].length);
	memcpy(args[1].ptr, &dsp.error, 4);
	return dsp.status;
}

static int answer(uint32_t handle, uint32_t sc, const struct qda_arg *args, uint32_t *ret_status)
{
	dsp.calls++;
	switch (handle) {
	case 8:
		*ret_status = QDA_SCALARS_LENGTH(sc) == 4 ? answer_open(handle, sc, args)
							  : answer_close(handle, sc, args);
		return 0;
	case 0:
		*ret_status = FASTRPC_METHOD(sc) == 0 ? answer_open(handle, sc, args)
						      : answer_close(handle, sc, args);
		return 0;
	default:
		*ret_status = 0;
		return 0;
	}
}

static int setup(void **state)
{
	int r = fake_setup(state);

	memset(&dsp, 0, sizeof(dsp));
	dsp.handle = 0x55;
	fake.on_invoke = answer;
	return r;
}

static struct qda_module *open_module(const char *name)
{
	struct qda_module *module = NULL;

	assert_int_equal(qda_module_open(fake.session, name, NULL, NULL, 0, &module), 0);
	return module;
}

static void test_uri_from_a_library_name(void **state)
{
	static const char *const names[][2] = {
		{"libcalculator_skel.so", "file:///libcalculator_skel.so?"
					  "calculator_skel_handle_invoke&_modver=1.0&_dom=cdsp"},
		{"libfoo.so", "file:///libfoo.so?foo_skel_handle_invoke&_modver=1.0&_dom=cdsp"},
		{"foo_skel.so", "file:///foo_skel.so?foo_skel_handle_invoke&_modver=1.0&_dom=cdsp"},
		{"a", "file:///a?a_skel_handle_invoke&_modver=1.0&_dom=cdsp"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct qda_module *module = open_module(names[i][0]);

		assert_string_equal(dsp.uri, names[i][1]);
		assert_string_equal(qda_module_uri(module), names[i][1]);
		assert_null(qda_module_close(module));
	}
}

static void test_uri_is_taken_as_it_is(void **state)
{
	struct qda_module *module = open_module("file:///x.so?y_skel_handle_invoke&_dom=adsp");

	assert_string_equal(dsp.uri, "file:///x.so?y_skel_handle_invoke&_dom=adsp");
	qda_module_close(module);
}

static void test_names_that_are_neither_are_refused(void **state)
{
	static const char *const names[] = {
		"",       "dir/libfoo.so", "/libfoo.so",  "../libfoo.so", "lib_skel.so",
		"lib.so", "lib",           "libfoo.so?x", "a&_dom=adsp",
	};
	struct qda_module *module = (void *)1;
	uint32_t status = 7;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(qda_module_open(fake.session, names[i], &status, NULL, 0, &module),
				 -EINVAL);
	assert_int_equal(status, 7);
	assert_ptr_equal(module, (void *)1);
	assert_int_equal(dsp.calls, 0);
}

static void test_open1_and_close1_on_handle_8(void **state)
{
	char dlerror[8] = "old";
	struct qda_module *module;
	uint32_t status = 7;

	assert_int_equal(qda_module_open(fake.session, "libfoo.so", &status, dlerror,
					 sizeof(dlerror), &module),
			 0);
	assert_int_equal(status, 0);
	assert_string_equal(dlerror, "");
	assert_int_equal(dsp.open_handle, 8);
	assert_int_equal(dsp.open_sc, 0x02020200);
	assert_int_equal(qda_module_handle(module), 0x55);
	qda_module_close(module);
	assert_int_equal(dsp.close_handle, 8);
	assert_int_equal(dsp.close_sc, 0x03010200);
	assert_int_equal(dsp.closed, 0x55);
	assert_int_equal(dsp.calls, 2);
}

static void test_open_falls_back_to_handle_0(void **state)
{
	static const uint32_t missing[] = {0x14, 0x46, 0x2c, 0x80000414, 0x80000446, 0x8000042c};

	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		struct qda_module *module;

		dsp.no_service_8 = true;
		dsp.missing_status = missing[i];
		module = open_module("libfoo.so");
		assert_int_equal(dsp.open_handle, 0);
		assert_int_equal(dsp.open_sc, 0x00020200);
		qda_module_close(module);
		assert_int_equal(dsp.close_handle, 0);
		assert_int_equal(dsp.close_sc, 0x01010200);
	}
}

static void test_open_does_not_fall_back_for_other_answers(void **state)
{
	struct qda_module *module;
	char dlerror[8] = "old";
	uint32_t status = 0;

	dsp.no_service_8 = true;
	dsp.missing_status = 0x80000402;
	assert_int_equal(qda_module_open(fake.session, "libfoo.so", &status, dlerror,
					 sizeof(dlerror), &module),
			 -EREMOTEIO);
	assert_int_equal(status, 0x80000402);
	assert_string_equal(dlerror, "");
	assert_int_equal(dsp.calls, 1);
}

static void open_fails_with(const char *text, size_t length, char *dlerror, size_t size)
{
	struct qda_module *module = (void *)1;
	uint32_t status = 0;

	dsp.error = (int32_t)0x80000406;
	dsp.dlerror = text;
	dsp.dlerror_length = length;
	assert_int_equal(qda_module_open(fake.session, "libfoo.so", &status, dlerror, size,
					 &module),
			 -EREMOTEIO);
	assert_int_equal(status, 0x80000406);
	assert_ptr_equal(module, (void *)1);
	assert_int_equal(fake.session->refs, 1);
}

static void test_load_error_comes_with_status_and_text(void **state)
{
	static const char text[] = "cannot open libfoo.so";
	char dlerror[64];

	open_fails_with(text, sizeof(text), dlerror, sizeof(dlerror));
	assert_string_equal(dlerror, text);
}

static void test_text_is_cut_to_the_callers_size(void **state)
{
	static const char text[] = "cannot open libfoo.so";
	char dlerror[7];

	open_fails_with(text, sizeof(text), dlerror, sizeof(dlerror));
	assert_string_equal(dlerror, "cannot");
	open_fails_with(text, sizeof(text), dlerror, 1);
	assert_string_equal(dlerror, "");
	open_fails_with(text, sizeof(text), NULL, 0);
}

static void test_text_without_end_is_ended(void **state)
{
	char text[4096], dlerror[4096];

	memset(text, 'x', sizeof(text));
	memset(dlerror, 'y', sizeof(dlerror));
	open_fails_with(text, sizeof(text), dlerror, sizeof(dlerror));
	assert_true(strlen(dlerror) > 0);
	assert_int_equal(strspn(dlerror, "x"), strlen(dlerror));
}

static void test_text_is_made_printable(void **state)
{
	static const char text[] = "a\nb\x1b[31m\x9b\x7f\xff";
	char dlerror[64];

	open_fails_with(text, sizeof(text), dlerror, sizeof(dlerror));
	assert_string_equal(dlerror, "a b [31m???");
}

static void test_open_passes_on_the_calls_error(void **state)
{
	struct qda_module *module = (void *)1;
	char dlerror[8] = "old";
	uint32_t status = 7;

	fake.on_invoke = NULL;
	fake.error[FAKE_INVOKE] = -EPIPE;
	assert_int_equal(qda_module_open(fake.session, "libfoo.so", &status, dlerror,
					 sizeof(dlerror), &module),
			 -EPIPE);
	assert_int_equal(status, 7);
	assert_string_equal(dlerror, "old");
	assert_int_equal(fake.session->refs, 1);
}

static void test_invoke_goes_to_the_modules_handle(void **state)
{
	struct qda_module *module = open_module("libfoo.so");

	assert_int_equal(qda_invoke(module, QDA_SCALARS(2, 0, 0, 0, 0), NULL, NULL), 0);
	assert_int_equal(fake.handle, 0x55);
	assert_int_equal(fake.timeout_ms, QDA_NO_TIMEOUT);
	assert_int_equal(qda_invoke_timeout(module, QDA_SCALARS(3, 0, 0, 0, 0), NULL, 99, NULL), 0);
	assert_int_equal(fake.sc, 0x03000000);
	assert_int_equal(fake.timeout_ms, 99);
	qda_module_close(module);
}

static void count_lines(void *data, int priority, const char *message)
{
	assert_int_equal(priority, LOG_WARNING);
	assert_non_null(strstr(message, "libfoo.so"));
	assert_non_null(strstr(message, "0x80000446"));
	(*(unsigned int *)data)++;
}

static void test_close_logs_what_the_dsp_refused(void **state)
{
	struct qda_module *module = open_module("libfoo.so");
	unsigned int lines = 0;

	qda_set_log_fn(fake.qda, count_lines, &lines);
	qda_set_log_priority(fake.qda, LOG_WARNING);
	dsp.error = (int32_t)0x80000446;
	qda_module_close(module);
	assert_int_equal(lines, 1);

	dsp.error = 0;
	module = open_module("libfoo.so");
	dsp.status = 0x80000446;
	qda_module_close(module);
	assert_int_equal(lines, 2);
}

static void test_close_after_the_session_does_not_call(void **state)
{
	struct qda_module *module = open_module("libfoo.so");

	fake_close_session();
	assert_int_equal(qda_invoke(module, 0, NULL, NULL), -ESHUTDOWN);
	assert_null(qda_module_close(module));
	assert_null(qda_module_close(NULL));
	assert_int_equal(dsp.calls, 1);
}

static void test_close_after_the_process_ended_does_not_call(void **state)
{
	struct qda_module *module = open_module("libfoo.so");

	qda_session_end(fake.session, -ECONNRESET);
	assert_null(qda_module_close(module));
	assert_int_equal(dsp.calls, 1);
	assert_int_equal(fake.session->refs, 1);
}

int main(void)
{
#define module_test(fn) cmocka_unit_test_setup_teardown(fn, setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		module_test(test_uri_from_a_library_name),
		module_test(test_uri_is_taken_as_it_is),
		module_test(test_names_that_are_neither_are_refused),
		module_test(test_open1_and_close1_on_handle_8),
		module_test(test_open_falls_back_to_handle_0),
		module_test(test_open_does_not_fall_back_for_other_answers),
		module_test(test_load_error_comes_with_status_and_text),
		module_test(test_text_is_cut_to_the_callers_size),
		module_test(test_text_without_end_is_ended),
		module_test(test_text_is_made_printable),
		module_test(test_open_passes_on_the_calls_error),
		module_test(test_invoke_goes_to_the_modules_handle),
		module_test(test_close_logs_what_the_dsp_refused),
		module_test(test_close_after_the_session_does_not_call),
		module_test(test_close_after_the_process_ended_does_not_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
