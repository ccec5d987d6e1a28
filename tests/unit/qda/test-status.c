/* SPDX-License-Identifier: MIT */
/* The texts of errors and statuses. */
#include "helpers.h"

static const uint32_t known[] = {
	AEE_EFAILED,        AEE_ENOMEMORY,     AEE_EUNABLETOLOAD,
	AEE_EEXPIRED,       AEE_EBADSTATE,     AEE_EBADPARM,
	AEE_EUNSUPPORTED,   AEE_EALREADY,      AEE_EBUFFERTOOSMALL,
	AEE_ENOSUCH,        AEE_EINVHANDLE,    AEE_EINTERRUPTED,
	AEE_EINVALIDDOMAIN, AEE_ENOSUCHMOD,    AEE_ENOSUCHSYMBOL,
	AEE_ENOSUCHFILE,    AEE_ENOSUCHHANDLE, AEE_ENOSUCHMAP,
	AEE_EBADSIZE,       AEE_EBADPERMS,     AEE_EBADFD,
	AEE_EBADELF,        AEE_ECONNRESET,    AEE_ECONNREFUSED,
	AEE_ERPC,           AEE_EFILE,         AEE_EWOULDBLOCK,
};

static void test_every_known_status_has_name_and_text(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const char *name = qda_status_name(known[i]);

		assert_non_null(name);
		assert_int_equal(strncmp(name, "AEE_E", 5), 0);
		assert_true(strlen(qda_status_text(known[i])) > 3);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(name, qda_status_name(known[j]));
	}
}

static void test_offset_of_the_dsp_makes_no_difference(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		uint32_t status = AEE_DSP_OFFSET + known[i];

		assert_ptr_equal(qda_status_name(status), qda_status_name(known[i]));
		assert_ptr_equal(qda_status_text(status), qda_status_text(known[i]));
		assert_ptr_equal(qda_status_hint(status), qda_status_hint(known[i]));
	}
}

static void test_success(void **state)
{
	assert_string_equal(qda_status_name(0), "AEE_SUCCESS");
	assert_string_equal(qda_status_text(0), "success");
	assert_null(qda_status_hint(0));
	assert_string_equal(qda_strerror(0), "success");
	assert_string_equal(qda_strerror(5), "success");
	assert_null(qda_error_hint(0));
	assert_null(qda_error_hint(22));
}

static void test_unknown_statuses_get_a_text(void **state)
{
	static const uint32_t unknown[] = {0x7777, 0x80000400, 0x80000777, 0xffffffff, 0x80000000};

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		assert_null(qda_status_name(unknown[i]));
		assert_true(strlen(qda_status_text(unknown[i])) > 3);
		assert_null(qda_status_hint(unknown[i]));
	}
}

static void test_hints_say_what_to_do(void **state)
{
	assert_string_equal(qda_status_name(0x80000600), "AEE_ERPC");
	assert_non_null(strstr(qda_status_hint(0x80000600), "testsig"));
	assert_non_null(strstr(qda_status_hint(0x80000406), "search path"));
	assert_non_null(strstr(qda_status_hint(0x80000442), "_skel_handle_invoke"));
	assert_non_null(strstr(qda_error_hint(-EACCES), "group"));
}

static void test_errors_of_the_header_have_texts_of_their_own(void **state)
{
	static const int errors[] = {
		EINVAL,     ENODEV, ENOENT,    EACCES, ENOMEM, EREMOTEIO, EBUSY,
		EOVERFLOW,  EMFILE, ESHUTDOWN, EPERM,  EINTR,  ETIMEDOUT, EALREADY,
		ECONNRESET, EPIPE,  E2BIG,     ENOSPC, EAGAIN, EXDEV,     EOPNOTSUPP,
	};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(qda_strerror(-errors[i]), qda_strerror(-errors[j]));
}

static void test_other_errors_have_the_systems_text(void **state)
{
	assert_string_equal(qda_strerror(-EDOM), strerrordesc_np(EDOM));
	assert_null(qda_error_hint(-EDOM));
	assert_string_equal(qda_strerror(-99999), "unknown error");
	assert_string_equal(qda_strerror(INT32_MIN), "unknown error");
	assert_null(qda_error_hint(INT32_MIN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_known_status_has_name_and_text),
		cmocka_unit_test(test_offset_of_the_dsp_makes_no_difference),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_unknown_statuses_get_a_text),
		cmocka_unit_test(test_hints_say_what_to_do),
		cmocka_unit_test(test_errors_of_the_header_have_texts_of_their_own),
		cmocka_unit_test(test_other_errors_have_the_systems_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
